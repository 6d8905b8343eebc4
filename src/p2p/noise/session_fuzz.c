/* Two of our sides with the fuzzer on the wire between them: it decides how many bytes move, which
 * are changed, dropped or invented. A responder finishes only when nothing was touched, both then
 * agree on everything, and no touched transport frame opens.
 *
 * The input is which lists of muxers are offered, then steps of two bytes: what, and how much. */
#include <string.h>

#include "p2p/noise/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

/* What one side said, or what the other side took in as a part of its handshake. */
struct tape {
  uint8_t b[4096];
  size_t n;
};

struct party {
  struct ocf_rng rng;
  struct ocf_key id;
  struct ocf_noise_static self;
  struct ocf_noise hs;
  struct tape said, took;
};

struct wire {
  struct ocf_alloc a;
  struct party i, r;
};

static const struct ocf_bytes muxers[] = {
  { (const uint8_t *)"/yamux/1.0.0", 12 },
  { (const uint8_t *)"/mplex/6.7.0", 12 },
};

static void party_init(struct party *p, struct ocf_alloc *a, enum ocf_noise_role role, size_t n_mux)
{
  uint8_t seed[OCF_KEY_ED25519_SEED_LEN] = { (uint8_t)(role + 1) };
  struct ocf_noise_config cfg = { .role = role, .self = &p->self };

  cfg.muxers = n_mux > 0 ? muxers + (role == OCF_NOISE_RESPONDER && n_mux == 1) : NULL;
  cfg.n_muxers = n_mux;
  p->said.n = p->took.n = 0;
  ocf_rng_seed(&p->rng, (uint64_t)role);
  OCF_ASSERT(ocf_key_from_seed(&p->id, a, seed) == 0);
  OCF_ASSERT(ocf_noise_static_init(&p->self, a, &p->id, &p->rng) == 0);
  OCF_ASSERT(ocf_noise_init(&p->hs, a, &p->rng, &cfg) == 0);
}

static void party_fini(struct party *p)
{
  ocf_noise_fini(&p->hs);
  ocf_noise_static_fini(&p->self);
  ocf_key_fini(&p->id);
}

static void record(struct tape *t, const uint8_t *p, size_t n)
{
  OCF_ASSERT(n <= sizeof(t->b) - t->n);
  memcpy(t->b + t->n, p, n);
  t->n += n;
}

static void deliver(struct party *to, const uint8_t *p, size_t n)
{
  size_t used;
  int rc = ocf_noise_input(&to->hs, p, n, &used);

  OCF_ASSERT(used <= n);
  if (rc == 0)
    record(&to->took, p, used);
  OCF_ASSERT(rc == 0 || !ocf_noise_is_done(&to->hs));
  OCF_ASSERT(rc == 0 || ocf_noise_output_len(&to->hs) == 0);
}

static void step(struct wire *w, uint8_t what, uint8_t much)
{
  struct party *from = (what & 1) != 0 ? &w->i : &w->r, *to = (what & 1) != 0 ? &w->r : &w->i;
  uint8_t buf[256];
  size_t n = ocf_noise_output(&from->hs, buf, much);

  record(&from->said, buf, n);
  switch (what >> 1 & 7) {
  case 1: /* change one byte */
    if (n > 0)
      buf[much % n] ^= (uint8_t)(what >> 4 | 1);
    break;
  case 2: /* drop */ return;
  case 3: /* invent */
    n = what >> 4;
    memset(buf, much, n);
    break;
  default: break;
  }
  deliver(to, buf, n);
}

static void check_frames(struct ocf_noise_result *i, struct ocf_noise_result *r, const uint8_t *d,
                         size_t n)
{
  static uint8_t frame[OCF_NOISE_FRAME_MAX];
  struct ocf_bytes plain;
  size_t len = OCF_MIN(n, 2000) + 1;
  size_t bit = n > 1 ? (size_t)(d[0] << 8 | d[1]) % ((len + 16) * 8) : 0;

  memset(frame, 7, len + 2);
  OCF_ASSERT(ocf_noise_seal_frame(&i->tx, frame, len) == 0);
  frame[2 + bit / 8] ^= (uint8_t)(1u << bit % 8);
  OCF_ASSERT(ocf_noise_open_frame(&r->rx, frame, len + OCF_NOISE_OVERHEAD, &plain) == OCF_ECRYPTO);
  i->tx.n--;
  memset(frame, 7, len + 2);
  OCF_ASSERT(ocf_noise_seal_frame(&i->tx, frame, len) == 0);
  OCF_ASSERT(ocf_noise_open_frame(&r->rx, frame, len + OCF_NOISE_OVERHEAD, &plain) == 0);
  OCF_ASSERT(plain.n == len && plain.p[len - 1] == 7);
}

static bool took_what_was_said(const struct party *taker, const struct party *sayer)
{
  return taker->took.n <= sayer->said.n && memcmp(taker->took.b, sayer->said.b, taker->took.n) == 0;
}

static void check_end(struct wire *w, const uint8_t *d, size_t n)
{
  struct ocf_noise_result i, r;

  OCF_ASSERT(took_what_was_said(&w->i, &w->r));
  OCF_ASSERT(took_what_was_said(&w->r, &w->i));
  OCF_ASSERT(ocf_noise_take(&w->i.hs, &i) == 0);
  OCF_ASSERT(ocf_noise_take(&w->r.hs, &r) == 0);
  OCF_ASSERT(memcmp(i.hash, r.hash, sizeof(i.hash)) == 0);
  OCF_ASSERT(memcmp(i.tx.aead.key, r.rx.aead.key, OCF_AEAD_KEY_LEN) == 0);
  OCF_ASSERT(memcmp(i.rx.aead.key, r.tx.aead.key, OCF_AEAD_KEY_LEN) == 0);
  OCF_ASSERT(ocf_pubkey_eq(&i.key, ocf_key_public(&w->r.id)));
  OCF_ASSERT(ocf_pubkey_eq(&r.key, ocf_key_public(&w->i.id)));
  OCF_ASSERT((i.muxer < 0) == (r.muxer < 0));
  check_frames(&i, &r, d, n);
  ocf_noise_result_fini(&i);
  ocf_noise_result_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static struct wire w;
  uint8_t lists = n > 0 ? d[0] : 0;

  if (n > 4096)
    return 0;
  ocf_alloc_init(&w.a);
  party_init(&w.i, &w.a, OCF_NOISE_INITIATOR, lists % 3);
  party_init(&w.r, &w.a, OCF_NOISE_RESPONDER, lists / 3 % 3);
  for (size_t at = 1; at + 1 < n; at += 2)
    step(&w, d[at], d[at + 1]);
  if (ocf_noise_is_done(&w.r.hs))
    check_end(&w, d, n);
  party_fini(&w.i);
  party_fini(&w.r);
  OCF_ASSERT(w.a.live_blocks == 0);
  return 0;
}
