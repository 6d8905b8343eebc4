/* The frames of an established channel: the data path. */
#include "base/core/endian.h"
#include "p2p/noise/noise.h"

int ocf_noise_seal_frame(struct ocf_noise_tx *tx, uint8_t *frame, size_t n)
{
  int rc;

  if (n == 0 || n > OCF_NOISE_PLAIN_MAX)
    return OCF_EINVAL;
  rc = ocf_aead_seal(&tx->aead, tx->n, ocf_bytes(NULL, 0), frame + OCF_NOISE_HEADER_LEN, n);
  if (rc != 0)
    return rc;
  ocf_put_be16(frame, (uint16_t)(n + OCF_AEAD_TAG_LEN));
  tx->n++;
  return 0;
}

int ocf_noise_frame_len(const uint8_t *buf, size_t n)
{
  int len;

  if (n < OCF_NOISE_HEADER_LEN)
    return OCF_EAGAIN;
  len = ocf_get_be16(buf);
  return len < OCF_AEAD_TAG_LEN ? OCF_EPROTO : OCF_NOISE_HEADER_LEN + len;
}

int ocf_noise_open_frame(struct ocf_noise_rx *rx, uint8_t *frame, size_t len,
                         struct ocf_bytes *plain)
{
  int want = ocf_noise_frame_len(frame, len);
  int rc;

  if (want < 0 || (size_t)want != len)
    return OCF_EINVAL;
  rc = ocf_aead_open(&rx->aead, rx->n, ocf_bytes(NULL, 0), frame + OCF_NOISE_HEADER_LEN,
                     len - OCF_NOISE_HEADER_LEN);
  if (rc != 0)
    return rc;
  rx->n++;
  *plain = ocf_bytes(frame + OCF_NOISE_HEADER_LEN, len - OCF_NOISE_OVERHEAD);
  return 0;
}

void ocf_noise_tx_fini(struct ocf_noise_tx *tx)
{
  ocf_aead_fini(&tx->aead);
}

void ocf_noise_rx_fini(struct ocf_noise_rx *rx)
{
  ocf_aead_fini(&rx->aead);
}
