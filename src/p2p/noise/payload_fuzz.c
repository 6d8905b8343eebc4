/* Any bytes as a handshake payload: every view lies in the input, matching stays in range, and what
 * was understood can be written and read again. */
#include <string.h>

#include "p2p/noise/noise.h"
#include "p2p/noise/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_inside(struct ocf_bytes v, const uint8_t *d, size_t n)
{
  OCF_ASSERT(v.p == NULL || (v.p >= d && v.p <= d + n));
  OCF_ASSERT(v.p == NULL || v.n <= (size_t)(d + n - v.p));
}

static void check_again(const struct ocf_noise_payload *p)
{
  static struct ocf_noise_static self;
  struct ocf_noise_payload again;
  struct ocf_alloc a;
  struct ocf_buf b;

  if (p->identity_sig.n > sizeof(self.sig))
    return;
  self.identity = (uint8_t *)(uintptr_t)p->identity_key.p;
  self.n_identity = p->identity_key.n;
  if (p->identity_sig.n > 0)
    memcpy(self.sig, p->identity_sig.p, p->identity_sig.n);
  self.n_sig = p->identity_sig.n;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 1u << 20);
  OCF_ASSERT(ocf_noise_payload_write(&self, p->muxers, p->n_muxers, &b) == 0);
  OCF_ASSERT(ocf_noise_payload_read(ocf_buf_view(&b), &again) == 0);
  OCF_ASSERT(ocf_bytes_eq(again.identity_key, p->identity_key));
  OCF_ASSERT(ocf_bytes_eq(again.identity_sig, p->identity_sig));
  OCF_ASSERT(again.n_muxers == p->n_muxers);
  for (size_t m = 0; m < p->n_muxers; m++)
    OCF_ASSERT(ocf_bytes_eq(again.muxers[m], p->muxers[m]));
  ocf_buf_fini(&b);
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
  check_again(&p);
  i = ocf_noise_match_muxers(OCF_NOISE_INITIATOR, ours, 2, p.muxers, p.n_muxers);
  r = ocf_noise_match_muxers(OCF_NOISE_RESPONDER, ours, 2, p.muxers, p.n_muxers);
  OCF_ASSERT(i >= -1 && i < 2);
  OCF_ASSERT(r >= -1 && r < 2);
  OCF_ASSERT((i < 0) == (r < 0)); /* the lists meet or they do not, whoever asks */
  return 0;
}
