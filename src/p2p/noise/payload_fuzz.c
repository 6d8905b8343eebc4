/* Any bytes as a handshake payload: every view lies in the input, and matching stays in range. */
#include "p2p/noise/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_inside(struct ocf_bytes v, const uint8_t *d, size_t n)
{
  OCF_ASSERT(v.p == NULL || (v.p >= d && v.p <= d + n));
  OCF_ASSERT(v.p == NULL || v.n <= (size_t)(d + n - v.p));
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  const struct ocf_bytes ours[] = { OCF_STR("/yamux/1.0.0"), OCF_STR("/mplex/6.7.0") };
  struct ocf_noise_payload p;
  int i, r;

  if (ocf_noise_payload_read(ocf_bytes(d, n), &p) != 0)
    return 0;
  check_inside(p.identity_key, d, n);
  check_inside(p.identity_sig, d, n);
  OCF_ASSERT(p.n_muxers <= OCF_NOISE_MUXERS_MAX);
  for (size_t m = 0; m < p.n_muxers; m++)
    check_inside(p.muxers[m], d, n);
  i = ocf_noise_match_muxers(OCF_NOISE_INITIATOR, ours, 2, p.muxers, p.n_muxers);
  r = ocf_noise_match_muxers(OCF_NOISE_RESPONDER, ours, 2, p.muxers, p.n_muxers);
  OCF_ASSERT(i >= -1 && i < 2);
  OCF_ASSERT(r >= -1 && r < 2);
  OCF_ASSERT((i < 0) == (r < 0)); /* the lists meet or they do not, whoever asks */
  return 0;
}
