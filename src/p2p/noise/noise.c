#include "p2p/noise/noise.h"

#include <string.h>

#include "base/core/endian.h"
#include "p2p/noise/payload.h"

/* Exactly 32 bytes, so it is the first hash as it stands. */
static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_SHA256";
_Static_assert(sizeof(protocol_name) - 1 == OCF_SHA256_LEN, "used unhashed");

/* What an identity key signs: this, then the 32 bytes of the static key. */
static const char sig_prefix[] = "noise-libp2p-static-key:";

enum {
  SIG_PREFIX_LEN = sizeof(sig_prefix) - 1,
  SEALED_KEY_LEN = OCF_DH_LEN + OCF_AEAD_TAG_LEN,
  FRAME_MAX = OCF_NOISE_HEADER_LEN + OCF_NOISE_HANDSHAKE_MAX,
};

/* ---- the process's own side ---- */

static void signed_bytes(const uint8_t pub[OCF_DH_LEN], uint8_t out[SIG_PREFIX_LEN + OCF_DH_LEN])
{
  memcpy(out, sig_prefix, SIG_PREFIX_LEN);
  memcpy(out + SIG_PREFIX_LEN, pub, OCF_DH_LEN);
}

int ocf_noise_static_init_with(struct ocf_noise_static *s, struct ocf_alloc *a,
                               const struct ocf_key *identity, const struct ocf_dh_key *dh)
{
  uint8_t msg[SIG_PREFIX_LEN + OCF_DH_LEN];
  struct ocf_bytes id = ocf_pubkey_bytes(ocf_key_public(identity));
  int rc;

  memset(s, 0, sizeof(*s));
  signed_bytes(dh->pub, msg);
  rc = ocf_key_sign(identity, ocf_bytes(msg, sizeof(msg)), s->sig, sizeof(s->sig), &s->n_sig);
  if (rc != 0)
    return rc;
  s->identity = ocf_alloc_get(a, id.n);
  if (s->identity == NULL)
    return OCF_ENOMEM;
  memcpy(s->identity, id.p, id.n);
  s->n_identity = id.n;
  s->a = a;
  s->dh = *dh;
  return 0;
}

int ocf_noise_static_init(struct ocf_noise_static *s, struct ocf_alloc *a,
                          const struct ocf_key *identity, struct ocf_rng *rng)
{
  struct ocf_dh_key dh;
  int rc;

  ocf_dh_generate(&dh, rng);
  rc = ocf_noise_static_init_with(s, a, identity, &dh);
  ocf_dh_wipe(&dh);
  return rc;
}

void ocf_noise_static_fini(struct ocf_noise_static *s)
{
  if (s->identity != NULL)
    ocf_alloc_put(s->a, s->identity, s->n_identity);
  ocf_wipe(s, sizeof(*s));
}

/* ---- the symmetric state of the Noise specification, section 5.2 ---- */

static void mix_hash(struct ocf_noise *hs, const void *p, size_t n)
{
  struct ocf_sha256 c;

  ocf_sha256_init(&c);
  ocf_sha256_add(&c, hs->h, sizeof(hs->h));
  ocf_sha256_add(&c, p, n);
  ocf_sha256_final(&c, hs->h);
}

static void mix_key(struct ocf_noise *hs, const uint8_t secret[OCF_DH_LEN])
{
  uint8_t k[OCF_AEAD_KEY_LEN];

  ocf_hkdf2(hs->ck, secret, OCF_DH_LEN, hs->ck, k);
  ocf_aead_fini(&hs->aead);
  ocf_aead_init(&hs->aead, k);
  hs->aead_n = 0;
  hs->keyed = true;
  ocf_wipe(k, sizeof(k));
}

/* Mixes in the secret of one of our keys with one of the peer's. */
static int mix_dh(struct ocf_noise *hs, const struct ocf_dh_key *ours,
                  const uint8_t theirs[OCF_DH_LEN])
{
  uint8_t secret[OCF_DH_LEN];
  int rc = ocf_dh_agree(ours, theirs, secret);

  if (rc == 0)
    mix_key(hs, secret);
  ocf_wipe(secret, sizeof(secret));
  return rc;
}

/* Seals `n` bytes in place, with room for the tag behind them. */
static int seal_and_hash(struct ocf_noise *hs, uint8_t *p, size_t n)
{
  int rc;

  OCF_ASSERT(hs->keyed);
  rc = ocf_aead_seal(&hs->aead, hs->aead_n, ocf_bytes(hs->h, sizeof(hs->h)), p, n);
  if (rc != 0)
    return rc;
  hs->aead_n++;
  mix_hash(hs, p, n + OCF_AEAD_TAG_LEN);
  return 0;
}

/* Opens `n` bytes, tag included, in place. The hash is of what was received, so it is taken first.
 */
static int open_and_hash(struct ocf_noise *hs, uint8_t *p, size_t n)
{
  uint8_t ad[OCF_SHA256_LEN];
  int rc;

  OCF_ASSERT(hs->keyed);
  memcpy(ad, hs->h, sizeof(ad));
  mix_hash(hs, p, n);
  rc = ocf_aead_open(&hs->aead, hs->aead_n, ocf_bytes(ad, sizeof(ad)), p, n);
  if (rc == 0)
    hs->aead_n++;
  return rc;
}

/* ---- endings ---- */

static int fail(struct ocf_noise *hs, int err, const char *why)
{
  OCF_ASSERT(err < 0);
  ocf_noise_fini(hs);
  hs->err = err;
  hs->why = why;
  return err;
}

/* The transcript is complete: what is left is `ck` and `h`, until the result is taken. */
static void finish(struct ocf_noise *hs)
{
  OCF_ASSERT(hs->key.pb != NULL);
  hs->state = OCF_NOISE_DONE;
  ocf_dh_wipe(&hs->e);
  ocf_aead_fini(&hs->aead);
  ocf_buf_reset(&hs->in);
}

/* ---- making messages ---- */

/* Appends `p` and room for a tag, then seals it there. */
static int put_sealed(struct ocf_noise *hs, struct ocf_bytes p)
{
  static const uint8_t room[OCF_AEAD_TAG_LEN];
  size_t at = hs->out.n;
  int rc = ocf_buf_add(&hs->out, p.p, p.n);

  if (rc == 0)
    rc = ocf_buf_add(&hs->out, room, sizeof(room));
  return rc != 0 ? rc : seal_and_hash(hs, hs->out.p + at, p.n);
}

/* Messages 2 and 3 end alike: s, then our static key with their ephemeral one (es for the
 * responder, se for the initiator), then the payload. */
static int put_static_and_payload(struct ocf_noise *hs)
{
  const struct ocf_noise_static *self = hs->cfg.self;
  struct ocf_buf payload;
  int rc = put_sealed(hs, ocf_bytes(self->dh.pub, OCF_DH_LEN));

  if (rc == 0)
    rc = mix_dh(hs, &self->dh, hs->re);
  if (rc != 0)
    return rc;
  ocf_buf_init(&payload, hs->a, OCF_NOISE_HANDSHAKE_MAX);
  rc = ocf_noise_payload_write(self, hs->cfg.muxers, hs->cfg.n_muxers, &payload);
  if (rc == 0)
    rc = put_sealed(hs, ocf_buf_view(&payload));
  ocf_buf_fini(&payload);
  return rc;
}

/* Makes a frame of what `body` puts. */
static int put_frame(struct ocf_noise *hs, int (*body)(struct ocf_noise *))
{
  static const uint8_t header[OCF_NOISE_HEADER_LEN];
  size_t at = hs->out.n;
  int rc = ocf_buf_add(&hs->out, header, sizeof(header));

  if (rc == 0)
    rc = body(hs);
  if (rc == 0)
    ocf_put_be16(hs->out.p + at, (uint16_t)(hs->out.n - at - OCF_NOISE_HEADER_LEN));
  return rc;
}

/* e, and an empty payload, which without a key is only hashed. */
static int body_1(struct ocf_noise *hs)
{
  mix_hash(hs, hs->e.pub, OCF_DH_LEN);
  mix_hash(hs, NULL, 0);
  return ocf_buf_add(&hs->out, hs->e.pub, OCF_DH_LEN);
}

/* e, ee, s, es, payload. */
static int body_2(struct ocf_noise *hs)
{
  int rc = ocf_buf_add(&hs->out, hs->e.pub, OCF_DH_LEN);

  if (rc != 0)
    return rc;
  mix_hash(hs, hs->e.pub, OCF_DH_LEN);
  rc = mix_dh(hs, &hs->e, hs->re);
  return rc != 0 ? rc : put_static_and_payload(hs);
}

/* ---- taking messages ---- */

static int unmarshal_identity(struct ocf_noise *hs, struct ocf_bytes pb)
{
  int rc = ocf_pubkey_unmarshal(&hs->key, hs->a, pb);

  if (rc == OCF_EINVAL)
    rc = OCF_EPROTO;
  return rc == 0 ? 0 : fail(hs, rc, "the peer's identity key is not acceptable");
}

/* Who the peer is: its key, the expected one, and its proof that the static key is its own. Whoever
 * fails the first two needs no arithmetic. */
static int check_identity(struct ocf_noise *hs, const struct ocf_noise_payload *p)
{
  uint8_t msg[SIG_PREFIX_LEN + OCF_DH_LEN];
  int rc = unmarshal_identity(hs, p->identity_key);

  if (rc != 0)
    return rc;
  ocf_peerid_from_key(ocf_pubkey_bytes(&hs->key), &hs->peer);
  if (hs->cfg.expected != NULL && !ocf_peerid_eq(&hs->peer, hs->cfg.expected))
    return fail(hs, OCF_EAUTH, "the peer is not the expected one");
  signed_bytes(hs->rs, msg);
  rc = ocf_pubkey_verify(&hs->key, ocf_bytes(msg, sizeof(msg)), p->identity_sig);
  if (rc == OCF_ENOMEM)
    return fail(hs, rc, "no memory for a signature check");
  return rc == 0 ? 0 : fail(hs, OCF_EAUTH, "the peer's identity signature does not hold");
}

static int take_payload(struct ocf_noise *hs, struct ocf_bytes plain)
{
  struct ocf_noise_payload p;
  int rc = ocf_noise_payload_read(plain, &p);

  if (rc != 0)
    return fail(hs, rc, "malformed handshake payload");
  rc = check_identity(hs, &p);
  if (rc != 0)
    return rc;
  hs->muxer =
      ocf_noise_match_muxers(hs->cfg.role, hs->cfg.muxers, hs->cfg.n_muxers, p.muxers, p.n_muxers);
  return 0;
}

/* The counterpart of put_static_and_payload(): s, our ephemeral key with their static one, payload.
 */
static int take_static_and_payload(struct ocf_noise *hs, uint8_t *p, size_t n)
{
  if (open_and_hash(hs, p, SEALED_KEY_LEN) != 0)
    return fail(hs, OCF_ECRYPTO, "the peer's static key does not decrypt");
  memcpy(hs->rs, p, OCF_DH_LEN);
  if (mix_dh(hs, &hs->e, hs->rs) != 0)
    return fail(hs, OCF_ECRYPTO, "the peer's static key is degenerate");
  p += SEALED_KEY_LEN;
  n -= SEALED_KEY_LEN;
  if (open_and_hash(hs, p, n) != 0)
    return fail(hs, OCF_ECRYPTO, "the handshake payload does not decrypt");
  return take_payload(hs, ocf_bytes(p, n - OCF_AEAD_TAG_LEN));
}

/* Responder: e and a payload that means nothing. Answers with message 2. */
static int take_1(struct ocf_noise *hs, uint8_t *p, size_t n)
{
  int rc;

  memcpy(hs->re, p, OCF_DH_LEN);
  mix_hash(hs, hs->re, OCF_DH_LEN);
  mix_hash(hs, p + OCF_DH_LEN, n - OCF_DH_LEN);
  rc = put_frame(hs, body_2);
  if (rc != 0)
    return fail(hs, rc, "message 2 could not be made");
  hs->state = OCF_NOISE_WAIT_3;
  return 0;
}

/* Initiator. Answers with message 3, after everything about the peer was checked. */
static int take_2(struct ocf_noise *hs, uint8_t *p, size_t n)
{
  int rc;

  memcpy(hs->re, p, OCF_DH_LEN);
  mix_hash(hs, hs->re, OCF_DH_LEN);
  if (mix_dh(hs, &hs->e, hs->re) != 0)
    return fail(hs, OCF_ECRYPTO, "the peer's ephemeral key is degenerate");
  rc = take_static_and_payload(hs, p + OCF_DH_LEN, n - OCF_DH_LEN);
  if (rc != 0)
    return rc;
  rc = put_frame(hs, put_static_and_payload);
  if (rc != 0)
    return fail(hs, rc, "message 3 could not be made");
  finish(hs);
  return 0;
}

static int take_3(struct ocf_noise *hs, uint8_t *p, size_t n)
{
  int rc = take_static_and_payload(hs, p, n);

  if (rc == 0)
    finish(hs);
  return rc;
}

/* ---- gathering ---- */

/* The shortest message that the state can take; it makes every fixed part present. */
static size_t shortest(enum ocf_noise_state state)
{
  switch (state) {
  case OCF_NOISE_WAIT_1: return OCF_DH_LEN;
  case OCF_NOISE_WAIT_2: return OCF_DH_LEN + SEALED_KEY_LEN + OCF_AEAD_TAG_LEN;
  case OCF_NOISE_WAIT_3: return SEALED_KEY_LEN + OCF_AEAD_TAG_LEN;
  case OCF_NOISE_DONE:
  case OCF_NOISE_DEAD: break;
  }
  return 0;
}

static bool is_waiting(const struct ocf_noise *hs)
{
  return shortest(hs->state) > 0;
}

static int check_length(struct ocf_noise *hs)
{
  size_t len = ocf_get_be16(hs->in.p);

  if (len < shortest(hs->state))
    return fail(hs, OCF_EPROTO, "a handshake message is too short");
  if (len > OCF_NOISE_HANDSHAKE_MAX)
    return fail(hs, OCF_ELIMIT, "a handshake message is too long");
  return 0;
}

static int take_message(struct ocf_noise *hs)
{
  uint8_t *p = hs->in.p + OCF_NOISE_HEADER_LEN;
  size_t n = hs->in.n - OCF_NOISE_HEADER_LEN;
  int rc;

  if (hs->state == OCF_NOISE_WAIT_1)
    rc = take_1(hs, p, n);
  else if (hs->state == OCF_NOISE_WAIT_2)
    rc = take_2(hs, p, n);
  else
    rc = take_3(hs, p, n);
  ocf_buf_clear(&hs->in);
  return rc;
}

/* Takes what the frame under way still needs, at most `n` bytes, and handles it when it is whole.
 * The buffer grows with what has come, not with what was announced. */
static int gather(struct ocf_noise *hs, const uint8_t *p, size_t n, size_t *used)
{
  size_t whole = OCF_NOISE_HEADER_LEN;
  int rc;

  if (hs->in.n >= OCF_NOISE_HEADER_LEN)
    whole += ocf_get_be16(hs->in.p);
  *used = OCF_MIN(n, whole - hs->in.n);
  rc = ocf_buf_add(&hs->in, p, *used);
  if (rc != 0)
    return fail(hs, rc, "no memory for a handshake message");
  if (hs->in.n < whole)
    return 0;
  return whole == OCF_NOISE_HEADER_LEN ? check_length(hs) : take_message(hs);
}

/* ---- the contract ---- */

int ocf_noise_init(struct ocf_noise *hs, struct ocf_alloc *a, struct ocf_rng *rng,
                   const struct ocf_noise_config *cfg)
{
  int rc = 0;

  OCF_ASSERT(cfg->n_muxers <= OCF_NOISE_MUXERS_MAX);
  OCF_ASSERT(cfg->self->identity != NULL);
  memset(hs, 0, sizeof(*hs));
  hs->cfg = *cfg;
  hs->a = a;
  hs->why = "";
  hs->muxer = -1;
  ocf_buf_init(&hs->in, a, FRAME_MAX);
  ocf_buf_init(&hs->out, a, FRAME_MAX);
  memcpy(hs->h, protocol_name, OCF_SHA256_LEN);
  memcpy(hs->ck, protocol_name, OCF_SHA256_LEN);
  mix_hash(hs, NULL, 0); /* the empty prologue */
  ocf_dh_generate(&hs->e, rng);
  hs->state = cfg->role == OCF_NOISE_INITIATOR ? OCF_NOISE_WAIT_2 : OCF_NOISE_WAIT_1;
  if (cfg->role == OCF_NOISE_INITIATOR)
    rc = put_frame(hs, body_1);
  return rc == 0 ? 0 : fail(hs, rc, "message 1 could not be made");
}

void ocf_noise_fini(struct ocf_noise *hs)
{
  if (hs->a == NULL)
    return;
  ocf_buf_reset(&hs->in);
  ocf_buf_reset(&hs->out);
  ocf_aead_fini(&hs->aead);
  ocf_pubkey_fini(&hs->key);
  ocf_wipe(hs, sizeof(*hs));
  hs->state = OCF_NOISE_DEAD;
  hs->err = OCF_ESTATE;
  hs->why = "";
  hs->muxer = -1;
}

int ocf_noise_input(struct ocf_noise *hs, const uint8_t *p, size_t n, size_t *used)
{
  int rc = hs->err;

  *used = 0;
  while (rc == 0 && *used < n && is_waiting(hs)) {
    size_t k = 0;
    rc = gather(hs, p + *used, n - *used, &k);
    *used += k;
  }
  return rc;
}

size_t ocf_noise_output_len(const struct ocf_noise *hs)
{
  OCF_ASSERT(hs->out_at <= hs->out.n);
  return hs->out.n - hs->out_at;
}

size_t ocf_noise_output(struct ocf_noise *hs, uint8_t *dst, size_t cap)
{
  size_t n = OCF_MIN(cap, ocf_noise_output_len(hs));

  if (n == 0)
    return 0;
  memcpy(dst, hs->out.p + hs->out_at, n);
  hs->out_at += n;
  if (hs->out_at == hs->out.n) {
    ocf_buf_reset(&hs->out);
    hs->out_at = 0;
  }
  return n;
}

bool ocf_noise_is_done(const struct ocf_noise *hs)
{
  return hs->state == OCF_NOISE_DONE;
}

const char *ocf_noise_why(const struct ocf_noise *hs)
{
  return hs->why;
}

int ocf_noise_take(struct ocf_noise *hs, struct ocf_noise_result *r)
{
  uint8_t k1[OCF_AEAD_KEY_LEN], k2[OCF_AEAD_KEY_LEN];
  bool initiator = hs->cfg.role == OCF_NOISE_INITIATOR;

  if (hs->state != OCF_NOISE_DONE || hs->taken)
    return OCF_ESTATE;
  memset(r, 0, sizeof(*r));
  /* Split(): the first key is for the initiator's frames. */
  ocf_hkdf2(hs->ck, NULL, 0, k1, k2);
  ocf_aead_init(&r->tx.aead, initiator ? k1 : k2);
  ocf_aead_init(&r->rx.aead, initiator ? k2 : k1);
  ocf_wipe(k1, sizeof(k1));
  ocf_wipe(k2, sizeof(k2));
  ocf_wipe(hs->ck, sizeof(hs->ck));
  r->key = hs->key;
  memset(&hs->key, 0, sizeof(hs->key));
  r->peer = hs->peer;
  r->muxer = hs->muxer;
  memcpy(r->hash, hs->h, sizeof(r->hash));
  hs->taken = true;
  return 0;
}

void ocf_noise_result_fini(struct ocf_noise_result *r)
{
  ocf_pubkey_fini(&r->key);
  ocf_noise_tx_fini(&r->tx);
  ocf_noise_rx_fini(&r->rx);
  ocf_wipe(r, sizeof(*r));
}
