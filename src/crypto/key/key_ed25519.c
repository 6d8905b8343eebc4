#include <sodium.h>
#include <string.h>

#include "crypto/hash/hash.h"
#include "crypto/key/key_internal.h"

enum { SEED_LEN = 32, PUB_LEN = 32, SECRET_LEN = 64, LEGACY_LEN = 96, SIG_LEN = 64 };

/* The y coordinates of the eight points whose order divides 8, little-endian. The sign bit of x is
 * not part of them. */
static const uint8_t
    small_order_y[][PUB_LEN] = {
      { 0 },
      { 1 },
      { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
        0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
        0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
      { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
        0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
        0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
      { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    };

/* y >= p = 2^255 - 19 is a second spelling of a smaller y. */
static bool is_canonical(const uint8_t y[PUB_LEN])
{
  if (y[31] != 0x7f)
    return true;
  for (size_t i = 1; i < 31; i++)
    if (y[i] != 0xff)
      return true;
  return y[0] < 0xed;
}

int ocf_key_ed25519_check_public(struct ocf_bytes raw)
{
  uint8_t y[PUB_LEN];

  if (raw.n != PUB_LEN)
    return OCF_EINVAL;
  memcpy(y, raw.p, PUB_LEN);
  y[31] &= 0x7f;
  if (!is_canonical(y))
    return OCF_EAUTH;
  for (size_t i = 0; i < OCF_ARRAY_LEN(small_order_y); i++)
    if (memcmp(y, small_order_y[i], PUB_LEN) == 0)
      return OCF_EAUTH; /* anybody can sign for such a key */
  return 0;
}

void ocf_key_ed25519_from_seed(const uint8_t *seed, struct ocf_key_parts *out)
{
  (void)crypto_sign_seed_keypair(out->raw, out->secret, seed);
  out->n_raw = PUB_LEN;
  out->n_secret = SECRET_LEN;
  out->impl = NULL;
}

/* A public half that is not the seed's own would make signatures that give the secret away, so it
 * is recomputed and compared and not believed. */
int ocf_key_ed25519_private(struct ocf_bytes data, struct ocf_key_parts *out)
{
  if (data.n != SECRET_LEN && data.n != LEGACY_LEN)
    return OCF_EINVAL;
  ocf_key_ed25519_from_seed(data.p, out);
  if (memcmp(data.p + SEED_LEN, out->raw, PUB_LEN) != 0)
    return OCF_EAUTH;
  if (data.n == LEGACY_LEN && memcmp(data.p + SECRET_LEN, out->raw, PUB_LEN) != 0)
    return OCF_EINVAL;
  return 0;
}

int ocf_key_ed25519_verify(struct ocf_bytes raw, struct ocf_bytes msg, struct ocf_bytes sig)
{
  if (sig.n != SIG_LEN || crypto_sign_verify_detached(sig.p, msg.p, msg.n, raw.p) != 0)
    return OCF_ECRYPTO;
  return 0;
}

void ocf_key_ed25519_sign(const uint8_t *secret, struct ocf_bytes msg, uint8_t *sig)
{
  (void)crypto_sign_detached(sig, NULL, msg.p, msg.n, secret);
}
