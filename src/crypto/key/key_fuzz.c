/* Any bytes as a public key and as a key file. What is accepted has one encoding, belongs together,
 * and does not take garbage for a signature. */
#include "crypto/key/key.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void try_public(struct ocf_alloc *a, struct ocf_bytes in)
{
  struct ocf_pubkey k, again, copy;

  if (ocf_pubkey_unmarshal(&k, a, in) != 0) {
    OCF_ASSERT(a->live_blocks == 0);
    return;
  }
  OCF_ASSERT(ocf_pubkey_unmarshal(&again, a, ocf_pubkey_bytes(&k)) == 0);
  OCF_ASSERT(ocf_pubkey_copy(&copy, a, &k) == 0);
  OCF_ASSERT(ocf_pubkey_eq(&k, &again));
  OCF_ASSERT(ocf_pubkey_eq(&k, &copy));
  OCF_ASSERT(ocf_pubkey_verify(&k, OCF_STR("message"), in) == OCF_ECRYPTO);
  ocf_pubkey_fini(&k);
  ocf_pubkey_fini(&again);
  ocf_pubkey_fini(&copy);
}

static void try_private(struct ocf_alloc *a, struct ocf_bytes in)
{
  uint8_t sig[OCF_KEY_SIG_MAX];
  struct ocf_key k, again;
  struct ocf_buf out;
  size_t n;

  if (ocf_key_unmarshal_private(&k, a, in) != 0) {
    OCF_ASSERT(a->live_blocks == 0);
    return;
  }
  ocf_buf_init(&out, a, OCF_KEY_PRIVATE_MAX);
  OCF_ASSERT(ocf_key_marshal_private(&k, &out) == 0);
  OCF_ASSERT(ocf_key_unmarshal_private(&again, a, ocf_buf_view(&out)) == 0);
  OCF_ASSERT(ocf_pubkey_eq(ocf_key_public(&k), ocf_key_public(&again)));
  OCF_ASSERT(ocf_key_sign(&again, in, sig, sizeof(sig), &n) == 0);
  OCF_ASSERT(ocf_pubkey_verify(ocf_key_public(&k), in, ocf_bytes(sig, n)) == 0);
  ocf_key_fini(&k);
  ocf_key_fini(&again);
  ocf_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_alloc a;

  ocf_alloc_init(&a);
  try_public(&a, ocf_bytes(d, n));
  try_private(&a, ocf_bytes(d, n));
  OCF_ASSERT(a.live_blocks == 0);
  return 0;
}
