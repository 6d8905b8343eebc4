/* Tests of p2p/gossipsub: one engine, and peers that are played by hand. Every effect is carried
 * out at once, what the engine writes is collected per peer, events are kept in order. */
#ifndef OCF_P2P_GOSSIPSUB_GOSSIP_RIG_H
#define OCF_P2P_GOSSIPSUB_GOSSIP_RIG_H

#include "testing/test.h"

#include "base/core/endian.h"
#include "fmt/varint/varint.h"
#include "p2p/gossipsub/gossip_int.h"

enum { RIG_PEERS = 40, RIG_EVENTS = 4096 };

#define RIG_START (1000 * OCF_NS_PER_S)

struct rig_event {
  enum ocf_gossip_event_type type;
  int peer; /* index, -1 unknown */
  size_t n_data;
};

struct rig_peer {
  struct ocf_key key;
  struct ocf_peerid id;
  struct ocf_buf got; /* bytes that the engine has written to it */
  uint64_t seqno;
  int open_err; /* what OPEN is answered with */
  enum ocf_gossip_proto proto;
  bool stuck; /* its stream takes no bytes */
  unsigned opens, resets, disconnects;
  uint64_t n_written;
  enum ocf_gossip_reason reset_reason;
};

struct rig {
  struct ocf_alloc *a; /* the engine's */
  struct ocf_alloc heap;
  struct ocf_rng rng;
  struct ocf_key key;
  struct ocf_peerid self;
  struct ocf_gossip *g;
  uint64_t now;
  bool hold_jobs; /* VERIFY effects are kept */
  struct ocf_gossip_job *held[64];
  size_t n_held;
  struct rig_peer peers[RIG_PEERS];
  struct rig_event events[RIG_EVENTS];
  size_t n_events;
};

static inline void rig_key(struct ocf_alloc *a, uint64_t seed, struct ocf_key *key,
                           struct ocf_peerid *id)
{
  uint8_t bytes[OCF_KEY_ED25519_SEED_LEN] = { 1 };
  ocf_put_be64(bytes + 8, seed);
  assert_int_equal(ocf_key_from_seed(key, a, bytes), 0);
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(key)), id);
}

/* `a` NULL: the rig's own heap. 0, or what ocf_gossip_new() gave (then only rig_fini is allowed).
 */
static inline int rig_init(struct rig *r, struct ocf_alloc *a,
                           void (*tune)(struct ocf_gossip_config *cfg))
{
  struct ocf_gossip_config cfg;
  memset(r, 0, sizeof(*r));
  ocf_alloc_init(&r->heap);
  r->a = a != NULL ? a : &r->heap;
  ocf_rng_seed(&r->rng, 7);
  rig_key(&r->heap, 1000, &r->key, &r->self);
  for (unsigned i = 0; i < RIG_PEERS; i++) {
    rig_key(&r->heap, i, &r->peers[i].key, &r->peers[i].id);
    ocf_buf_init(&r->peers[i].got, &r->heap, (size_t)64 << 20);
    r->peers[i].seqno = 1;
  }
  r->now = RIG_START;
  ocf_gossip_config_init(&cfg);
  cfg.alloc = r->a;
  cfg.rng = &r->rng;
  cfg.key = &r->key;
  cfg.wall_ns = UINT64_C(1700000000) * OCF_NS_PER_S;
  if (tune != NULL)
    tune(&cfg);
  return ocf_gossip_new(&cfg, r->now, &r->g);
}

static inline void rig_fini(struct rig *r)
{
  for (size_t i = 0; i < r->n_held; i++)
    ocf_gossip_job_done(r->g, r->now, r->held[i]);
  ocf_gossip_free(r->g);
  for (unsigned i = 0; i < RIG_PEERS; i++) {
    ocf_buf_fini(&r->peers[i].got);
    ocf_key_fini(&r->peers[i].key);
  }
  ocf_key_fini(&r->key);
  assert_int_equal(r->heap.live_bytes, 0);
}

static inline int rig_peer_index(const struct rig *r, const struct ocf_peerid *id)
{
  for (int i = 0; i < RIG_PEERS; i++)
    if (id != NULL && ocf_peerid_eq(&r->peers[i].id, id))
      return i;
  return -1;
}

static inline void rig_pump(struct rig *r, struct rig_peer *p)
{
  struct ocf_bytes iov[OCF_GOSSIP_IOV_MAX];
  size_t n;
  while (!p->stuck && (n = ocf_gossip_tx(r->g, r->now, &p->id, iov, OCF_ARRAY_LEN(iov))) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
      assert_int_equal(ocf_buf_add(&p->got, iov[i].p, iov[i].n), 0);
      total += iov[i].n;
    }
    p->n_written += total;
    ocf_gossip_tx_done(r->g, r->now, &p->id, total);
  }
}

static inline void rig_effect(struct rig *r, const struct ocf_gossip_effect *fx)
{
  int i = fx->type == OCF_GOSSIP_VERIFY ? -1 : rig_peer_index(r, fx->peer);
  struct rig_peer *p = i >= 0 ? &r->peers[i] : NULL;
  switch (fx->type) {
  case OCF_GOSSIP_OPEN:
    p->opens++;
    ocf_gossip_opened(r->g, r->now, &p->id, p->open_err, p->proto);
    break;
  case OCF_GOSSIP_WRITE: rig_pump(r, p); break;
  case OCF_GOSSIP_RESET_IN:
    p->resets++;
    p->reset_reason = fx->reason;
    break;
  case OCF_GOSSIP_DISCONNECT: p->disconnects++; break;
  case OCF_GOSSIP_VERIFY:
    if (r->hold_jobs) {
      assert_true(r->n_held < OCF_ARRAY_LEN(r->held));
      r->held[r->n_held++] = fx->job;
      break;
    }
    ocf_gossip_job_run(fx->job);
    ocf_gossip_job_done(r->g, r->now, fx->job);
    break;
  }
}

static inline bool rig_settle_once(struct rig *r)
{
  struct ocf_gossip_event ev;
  struct ocf_gossip_effect fx;
  bool any = false;
  while (ocf_gossip_event(r->g, r->now, &ev)) {
    any = true;
    assert_true(r->n_events < RIG_EVENTS);
    r->events[r->n_events++] = (struct rig_event){ ev.type, rig_peer_index(r, ev.peer), ev.data.n };
  }
  while (ocf_gossip_effect(r->g, r->now, &fx)) {
    any = true;
    rig_effect(r, &fx);
  }
  return any;
}

static inline void rig_settle(struct rig *r)
{
  while (rig_settle_once(r))
    ;
}

/* Time passes, ticking whenever the engine wants it. */
static inline void rig_run(struct rig *r, uint64_t ns)
{
  uint64_t end = r->now + ns;
  rig_settle(r);
  while (ocf_gossip_deadline(r->g) <= end) {
    r->now = OCF_MAX(r->now, ocf_gossip_deadline(r->g));
    ocf_gossip_tick(r->g, r->now);
    rig_settle(r);
  }
  r->now = end;
}

/* ---- what a peer does ---- */

static inline void *rig_handle(struct rig *r, unsigned i)
{
  return &r->peers[i];
}

static inline void rig_rx(struct rig *r, unsigned i, const uint8_t *p, size_t n)
{
  ocf_gossip_rx(r->g, r->now, &r->peers[i].id, rig_handle(r, i), ocf_bytes(p, n));
  rig_settle(r);
}

/* Peer `i` connects and opens its stream. */
static inline void rig_up(struct rig *r, unsigned i, bool outbound)
{
  assert_int_equal(ocf_gossip_peer_up(r->g, r->now, &r->peers[i].id, outbound, 0), 0);
  assert_int_equal(ocf_gossip_in(r->g, r->now, &r->peers[i].id, rig_handle(r, i)), 0);
  rig_settle(r);
}

/* An RPC in the making: fields are appended, then it is framed. */
struct rig_rpc {
  uint8_t b[OCF_GOSSIP_RPC_MAX + 4096];
  size_t n;
};

static inline void rig_put(struct rig_rpc *rpc, uint32_t number, struct ocf_bytes v)
{
  struct ocf_pb_writer w = ocf_pb_write_array(rpc->b + rpc->n, sizeof(rpc->b) - rpc->n);
  size_t n = 0;
  ocf_pb_put_bytes(&w, number, v);
  assert_int_equal(ocf_pb_end(&w, &n), 0);
  rpc->n += n;
}

static inline void rig_send(struct rig *r, unsigned i, const struct rig_rpc *rpc)
{
  uint8_t head[OCF_VARINT_MAX];
  size_t n = ocf_varint_put(head, rpc->n);
  ocf_gossip_rx(r->g, r->now, &r->peers[i].id, rig_handle(r, i), ocf_bytes(head, n));
  rig_rx(r, i, rpc->b, rpc->n);
}

static inline void rig_send_sub(struct rig *r, unsigned i, const char *topic, bool on)
{
  static struct rig_rpc rpc;
  uint8_t sub[300];
  struct ocf_pb_writer w = ocf_pb_write_array(sub, sizeof(sub));
  size_t n = 0;
  ocf_pb_put_bool(&w, 1, on);
  ocf_pb_put_str(&w, 2, topic);
  assert_int_equal(ocf_pb_end(&w, &n), 0);
  rpc.n = 0;
  rig_put(&rpc, 1, ocf_bytes(sub, n));
  rig_send(r, i, &rpc);
}

/* One control part `number` with `body`. */
static inline void rig_send_control(struct rig *r, unsigned i, uint32_t number,
                                    struct ocf_bytes body)
{
  static struct rig_rpc rpc, ctl;
  ctl.n = rpc.n = 0;
  rig_put(&ctl, number, body);
  rig_put(&rpc, 3, ocf_bytes(ctl.b, ctl.n));
  rig_send(r, i, &rpc);
}

static inline void rig_send_graft(struct rig *r, unsigned i, const char *topic)
{
  static struct rig_rpc body;
  body.n = 0;
  rig_put(&body, 1, ocf_bytes(topic, strlen(topic)));
  rig_send_control(r, i, 3, ocf_bytes(body.b, body.n));
}

static inline void rig_send_prune(struct rig *r, unsigned i, const char *topic, uint64_t backoff_s)
{
  uint8_t b[300];
  struct ocf_pb_writer w = ocf_pb_write_array(b, sizeof(b));
  size_t n = 0;
  ocf_pb_put_str(&w, 1, topic);
  if (backoff_s > 0)
    ocf_pb_put_u64(&w, 3, backoff_s);
  assert_int_equal(ocf_pb_end(&w, &n), 0);
  rig_send_control(r, i, 4, ocf_bytes(b, n));
}

/* `number` 1: IHAVE of `topic`; 2: IWANT; 5: IDONTWANT. */
static inline void rig_send_ids(struct rig *r, unsigned i, uint32_t number, const char *topic,
                                const struct ocf_bytes *ids, size_t n_ids)
{
  static struct rig_rpc body;
  body.n = 0;
  if (number == 1)
    rig_put(&body, 1, ocf_bytes(topic, strlen(topic)));
  for (size_t k = 0; k < n_ids; k++)
    rig_put(&body, number == 1 ? 2 : 1, ids[k]);
  rig_send_control(r, i, number, ocf_bytes(body.b, body.n));
}

/* The id of message `seqno` of `author`. */
static inline struct ocf_bytes rig_id(const struct ocf_peerid *author, uint64_t seqno,
                                      uint8_t id[OCF_GOSSIP_ID_MAX])
{
  memcpy(id, author->b, author->n);
  ocf_put_be64(id + author->n, seqno);
  return ocf_bytes(id, author->n + 8u);
}

/* A message of `author` (an index), signed; `damage` changes the signature. Returns its length. */
static inline size_t rig_message(struct rig *r, unsigned author, uint64_t seqno, const char *topic,
                                 struct ocf_bytes data, bool damage, uint8_t *out, size_t cap)
{
  struct rig_peer *a = &r->peers[author];
  uint8_t seq[8], sig[OCF_KEY_SIG_MAX];
  struct ocf_buf text;
  struct wire_msg m = { .from = ocf_peerid_view(&a->id),
                        .data = data,
                        .seqno = ocf_bytes(seq, 8),
                        .topic = ocf_bytes(topic, strlen(topic)) };
  size_t n = 0;
  ocf_put_be64(seq, seqno);
  ocf_buf_init(&text, &r->heap, OCF_GOSSIP_RPC_MAX);
  assert_int_equal(ocf_gossip_msg_signed(&m, &text), 0);
  assert_int_equal(ocf_key_sign(&a->key, ocf_buf_view(&text), sig, sizeof(sig), &n), 0);
  ocf_buf_fini(&text);
  sig[0] ^= damage;
  struct ocf_pb_writer w = ocf_pb_write_array(out, cap);
  ocf_pb_put_bytes(&w, 1, m.from);
  ocf_pb_put_bytes(&w, 2, m.data);
  ocf_pb_put_bytes(&w, 3, m.seqno);
  ocf_pb_put_bytes(&w, 4, m.topic);
  ocf_pb_put_bytes(&w, 5, ocf_bytes(sig, n));
  assert_int_equal(ocf_pb_end(&w, &n), 0);
  return n;
}

/* Peer `i` sends message `seqno` of `author`. */
static inline void rig_send_msg(struct rig *r, unsigned i, unsigned author, uint64_t seqno,
                                const char *topic, struct ocf_bytes data, bool damage)
{
  static struct rig_rpc rpc;
  static uint8_t msg[OCF_GOSSIP_RPC_MAX];
  size_t n = rig_message(r, author, seqno, topic, data, damage, msg, sizeof(msg));
  rpc.n = 0;
  rig_put(&rpc, 2, ocf_bytes(msg, n));
  rig_send(r, i, &rpc);
}

/* ---- what a peer has got ---- */

/* What is in all that a peer has got; the last of each kind. */
struct rig_got {
  unsigned rpcs, subs, unsubs, msgs, ihave_ids, iwant_ids, idontwant_ids, grafts, prunes;
  uint64_t backoff_s;
  bool first_has_subs;
  uint8_t iwant_id[OCF_GOSSIP_ID_MAX];
  size_t n_iwant_id;
};

static inline void rig_count(const struct rpc_part *part, struct rig_got *got)
{
  switch (part->kind) {
  case PART_SUB:
    got->subs += part->on;
    got->unsubs += !part->on;
    got->first_has_subs |= got->rpcs == 1;
    break;
  case PART_MSG: got->msgs++; break;
  case PART_IHAVE_ID: got->ihave_ids++; break;
  case PART_IWANT_ID:
    got->iwant_ids++;
    got->n_iwant_id = part->id.n;
    memcpy(got->iwant_id, part->id.p, part->id.n);
    break;
  case PART_IDONTWANT_ID: got->idontwant_ids++; break;
  case PART_GRAFT: got->grafts++; break;
  case PART_PRUNE:
    got->prunes++;
    got->backoff_s = part->backoff_s;
    break;
  case PART_IHAVE:
  case PART_IWANT:
  case PART_IDONTWANT: break;
  }
}

/* Reads and forgets what peer `i` has got. It must be whole RPCs of legal size. */
static inline struct rig_got rig_got(struct rig *r, unsigned i)
{
  struct rig_got got = { 0 };
  struct ocf_buf *b = &r->peers[i].got;
  for (size_t at = 0; at < b->n;) {
    uint64_t len = 0;
    int head = ocf_varint_get(b->p + at, b->n - at, &len);
    assert_true(head > 0 && len <= OCF_GOSSIP_RPC_MAX && len <= b->n - at - (size_t)head);
    assert_true(len > 0);
    struct ocf_bytes rpc = ocf_bytes(b->p + at + head, (size_t)len);
    got.rpcs++;
    assert_int_equal(ocf_gossip_rpc_check(rpc), 0);
    for (int pass = PASS_SUBS; pass < PASS_N; pass++) {
      struct rpc_reader rd = ocf_gossip_rpc_read(rpc, (enum rpc_pass)pass);
      struct rpc_part part;
      while (ocf_gossip_rpc_next(&rd, &part) > 0)
        rig_count(&part, &got);
    }
    at += (size_t)head + (size_t)len;
  }
  ocf_buf_clear(b);
  return got;
}

static inline size_t rig_count_events(const struct rig *r, enum ocf_gossip_event_type type)
{
  size_t n = 0;
  for (size_t i = 0; i < r->n_events; i++)
    n += r->events[i].type == type;
  return n;
}

static inline struct ocf_gossip_stats rig_stats(const struct rig *r)
{
  struct ocf_gossip_stats st;
  ocf_gossip_stats(r->g, &st);
  return st;
}

static inline double rig_score(const struct rig *r, unsigned i)
{
  struct ocf_gossip_peer_info info;
  assert_true(ocf_gossip_peer_info(r->g, &r->peers[i].id, &info));
  return info.score;
}

#endif
