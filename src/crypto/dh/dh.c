#include "crypto/dh/dh.h"

#include <sodium.h>
#include <string.h>

#include "crypto/hash/hash.h"

void ocf_dh_from_private(struct ocf_dh_key *k, const uint8_t priv[OCF_DH_LEN])
{
  memmove(k->priv, priv, OCF_DH_LEN);
  (void)crypto_scalarmult_base(k->pub, k->priv);
}

void ocf_dh_generate(struct ocf_dh_key *k, struct ocf_rng *rng)
{
  ocf_rng_secret(rng, k->priv, OCF_DH_LEN);
  (void)crypto_scalarmult_base(k->pub, k->priv);
}

void ocf_dh_wipe(struct ocf_dh_key *k)
{
  ocf_wipe(k, sizeof(*k));
}

int ocf_dh_agree(const struct ocf_dh_key *k, const uint8_t peer[OCF_DH_LEN],
                 uint8_t out[OCF_DH_LEN])
{
  /* The library checks the result itself, but which inputs it refuses has changed between its
   * versions; the rule here is about the result alone. */
  if (crypto_scalarmult(out, k->priv, peer) != 0 || sodium_is_zero(out, OCF_DH_LEN)) {
    ocf_wipe(out, OCF_DH_LEN);
    return OCF_ECRYPTO;
  }
  return 0;
}
