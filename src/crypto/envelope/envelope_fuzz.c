/* Any bytes as an envelope. What opens under one domain opens under no other, its payload lies in
 * the input, and sealing the input itself gives an envelope that opens to it. */
#include "crypto/envelope/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void try_open(struct ocf_alloc *a, struct ocf_bytes in)
{
  struct ocf_envelope e, other;

  if (ocf_envelope_open(&e, a, in, OCF_ENVELOPE_PEER_RECORD_DOMAIN,
                        OCF_ENVELOPE_PEER_RECORD_TYPE) != 0)
    return;
  OCF_ASSERT(e.payload.n == 0 || (e.payload.p >= in.p && e.payload.n <= in.n));
  OCF_ASSERT(ocf_envelope_open(&other, a, in, OCF_ENVELOPE_RELAY_DOMAIN,
                               OCF_ENVELOPE_PEER_RECORD_TYPE) != 0);
  ocf_envelope_fini(&e);
}

static void try_seal(struct ocf_alloc *a, struct ocf_bytes payload)
{
  static const uint8_t seed[OCF_KEY_ED25519_SEED_LEN] = { 1 };
  struct ocf_envelope e;
  struct ocf_buf out;
  struct ocf_key k;

  OCF_ASSERT(ocf_key_from_seed(&k, a, seed) == 0);
  ocf_buf_init(&out, a, OCF_ENVELOPE_MAX);
  if (ocf_envelope_seal(&k, OCF_STR("d"), OCF_STR("t"), payload, &out) == 0) {
    OCF_ASSERT(ocf_envelope_open(&e, a, ocf_buf_view(&out), OCF_STR("d"), OCF_STR("t")) == 0);
    OCF_ASSERT(ocf_bytes_eq(e.payload, payload));
    ocf_envelope_fini(&e);
  } else {
    OCF_ASSERT(payload.n > OCF_ENVELOPE_MAX - 200);
  }
  ocf_buf_fini(&out);
  ocf_key_fini(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_alloc a;

  ocf_alloc_init(&a);
  try_open(&a, ocf_bytes(d, n));
  try_seal(&a, ocf_bytes(d, n));
  OCF_ASSERT(a.live_blocks == 0);
  return 0;
}
