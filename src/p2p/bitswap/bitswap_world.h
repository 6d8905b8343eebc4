/* A small network for tests: instances of bitswap joined by streams in virtual time. Every pair of
 * connected nodes has a latency; bytes arrive in order, cut at the sizes that `cut` gives. Include
 * after testing/test.h. */
#ifndef OCF_P2P_BITSWAP_BITSWAP_WORLD_H
#define OCF_P2P_BITSWAP_BITSWAP_WORLD_H

#include "base/ds/heap.h"
#include "base/ds/map.h"
#include "base/rng/rng.h"
#include "multi/cid/cid.h"
#include "p2p/bitswap/bitswap.h"
#include "testing/test.h"

enum { WORLD_NODES_MAX = 40 };

struct world;

/* A block in a node's store. */
struct stored {
  struct ocf_map_node node;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  size_t n;
  uint8_t data[];
};

struct wnode {
  struct world *w;
  size_t i;
  struct ocf_peerid id;
  struct ocf_bitswap *bs;
  struct ocf_rng rng;
  struct ocf_map blocks;
  bool dark;      /* takes everything, answers nothing */
  bool deaf;      /* speaks no bitswap */
  bool holds;     /* its outgoing streams take no bytes */
  unsigned proto; /* the best protocol it speaks */
  uint64_t fails; /* opens towards it that fail with OCF_ETIME */
  void (*on_event)(struct wnode *n, const struct ocf_bitswap_event *ev);
  void *user;
  uint64_t n_blocks, n_slow, n_offences[OCF_BITSWAP_N_OFFENCES];
  size_t n_opened; /* streams */
  struct wstream *out[WORLD_NODES_MAX];
};

struct wstream {
  struct wstream *next; /* w->streams */
  struct wnode *from, *to;
  struct ocf_bitswap_in *in;
  unsigned proto;
  bool dead;  /* neither end cares any more */
  bool ended; /* `from` forgot it */
};

enum packet_type { PACKET_OPEN, PACKET_DATA, PACKET_FIN, PACKET_RST, PACKET_REFUSED };

struct packet {
  struct ocf_heap_node heap;
  uint64_t at_ns, seq;
  enum packet_type type;
  struct wstream *s;
  size_t n;
  uint8_t data[];
};

struct world {
  struct ocf_alloc a, test_a; /* the cores'; the test's own */
  uint64_t now_ns, seq, latency_ns;
  size_t cut; /* bytes per arrival; 0: whole writes */
  size_t n;
  struct wnode nodes[WORLD_NODES_MAX];
  bool joined[WORLD_NODES_MAX][WORLD_NODES_MAX];
  struct ocf_heap packets;
  struct wstream *streams;
};

static inline bool packet_less(const struct ocf_heap_node *x, const struct ocf_heap_node *y)
{
  const struct packet *a = OCF_CONTAINER_OF_CONST(x, struct packet, heap);
  const struct packet *b = OCF_CONTAINER_OF_CONST(y, struct packet, heap);
  return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static inline int world_get(void *ctx, struct ocf_bytes hash, struct ocf_bytes *block)
{
  struct wnode *n = ctx;
  struct ocf_map_node *m = ocf_map_find(&n->blocks, hash);
  if (m == NULL)
    return OCF_ENOENT;
  struct stored *s = OCF_CONTAINER_OF(m, struct stored, node);
  *block = ocf_bytes(s->data, s->n);
  return 0;
}

/* ---- making ---- */

static inline void world_init(struct world *w, size_t n, uint64_t latency_ns)
{
  static const uint64_t seed[2] = { 1, 2 };
  memset(w, 0, sizeof(*w));
  ocf_alloc_init(&w->a);
  ocf_alloc_init(&w->test_a);
  ocf_heap_init(&w->packets, packet_less);
  w->now_ns = OCF_NS_PER_S;
  w->latency_ns = latency_ns;
  w->n = n;
  for (size_t i = 0; i < n; i++) {
    struct wnode *k = &w->nodes[i];
    k->w = w;
    k->i = i;
    k->id.n = 6;
    memcpy(k->id.b, (uint8_t[]){ 0, 4, 'n', 'o', (uint8_t)('0' + i / 10), (uint8_t)('0' + i % 10) },
           6);
    ocf_rng_seed(&k->rng, 1000 + i);
    ocf_map_init(&k->blocks, &w->test_a, seed, SIZE_MAX);
  }
}

/* `change` may alter the defaults; may be NULL. */
static inline int world_start(struct world *w, void (*change)(struct ocf_bitswap_config *c))
{
  for (size_t i = 0; i < w->n; i++) {
    struct ocf_bitswap_config c;
    ocf_bitswap_config_init(&c);
    c.a = &w->a;
    c.rng = &w->nodes[i].rng;
    c.store = (struct ocf_bitswap_store){ &w->nodes[i], world_get };
    if (change != NULL)
      change(&c);
    int err = ocf_bitswap_new(&c, w->now_ns, &w->nodes[i].bs);
    if (err != 0)
      return err;
  }
  return 0;
}

static inline void world_fini(struct world *w)
{
  for (size_t i = 0; i < w->n; i++) {
    struct wnode *k = &w->nodes[i];
    ocf_bitswap_free(k->bs);
    struct ocf_map_iter it = { 0 };
    struct ocf_map_node *m;
    while (ocf_map_next(&k->blocks, &it, &m)) {
      struct stored *s = OCF_CONTAINER_OF(m, struct stored, node);
      ocf_map_remove(&k->blocks, m);
      ocf_alloc_put(&w->test_a, s, sizeof(*s) + s->n);
    }
    ocf_map_fini(&k->blocks);
  }
  struct ocf_heap_node *h;
  while ((h = ocf_heap_pop(&w->packets)) != NULL)
    free(OCF_CONTAINER_OF(h, struct packet, heap));
  while (w->streams != NULL) {
    struct wstream *s = w->streams;
    w->streams = s->next;
    free(s);
  }
  assert_int_equal(w->a.live_bytes, 0);
  assert_int_equal(w->test_a.live_bytes, 0);
}

/* Puts a block into a node's store without telling bitswap. */
static inline void world_put(struct wnode *n, struct ocf_bytes data,
                             uint8_t cid[OCF_CID_BLOCK_SIZE])
{
  struct stored *s = ocf_alloc_zero(&n->w->test_a, sizeof(*s) + data.n);
  assert_non_null(s);
  s->n = data.n;
  if (data.n > 0)
    memcpy(s->data, data.p, data.n);
  ocf_cid_of_block(OCF_CID_DAG_PB, data, s->cid);
  memcpy(cid, s->cid, sizeof(s->cid));
  if (ocf_map_insert(&n->blocks, &s->node, ocf_bytes(s->cid + 2, sizeof(s->cid) - 2)) != 0)
    ocf_alloc_put(&n->w->test_a, s, sizeof(*s) + data.n);
}

/* The block number `i` of `n` bytes (at least 4), the same everywhere. Returns its bytes, lent
 * until the next call. */
static inline struct ocf_bytes world_block(uint32_t i, size_t n, uint8_t cid[OCF_CID_BLOCK_SIZE])
{
  static uint8_t b[3 << 20];
  assert_true(n >= 4 && n <= sizeof(b));
  for (size_t k = 0; k < n; k++)
    b[k] = (uint8_t)(k * 7 + i);
  memcpy(b, &i, 4);
  ocf_cid_of_block(OCF_CID_DAG_PB, ocf_bytes(b, n), cid);
  return ocf_bytes(b, n);
}

/* ---- the wire ---- */

static inline void world_send(struct wstream *s, enum packet_type type, const void *p, size_t n)
{
  struct world *w = s->from->w;
  struct packet *k = malloc(sizeof(*k) + n);
  assert_non_null(k);
  memset(k, 0, sizeof(*k));
  k->at_ns = w->now_ns + w->latency_ns;
  k->seq = w->seq++;
  k->type = type;
  k->s = s;
  k->n = n;
  if (n > 0)
    memcpy(k->data, p, n);
  ocf_heap_push(&w->packets, &k->heap);
}

static inline struct wnode *world_find(struct world *w, const struct ocf_peerid *id)
{
  for (size_t i = 0; i < w->n; i++) {
    if (ocf_peerid_eq(&w->nodes[i].id, id))
      return &w->nodes[i];
  }
  fail_msg("no such node");
  return NULL;
}

static inline void world_open(struct wnode *n, struct wnode *to)
{
  struct world *w = n->w;
  assert_true(w->joined[n->i][to->i]);
  if (to->deaf || to->fails > 0) {
    to->fails -= to->fails > 0;
    assert_false(
        ocf_bitswap_opened(n->bs, w->now_ns, &to->id, to->deaf ? OCF_EUNSUPP : OCF_ETIME, 0, NULL));
    return;
  }
  struct wstream *s = calloc(1, sizeof(*s));
  assert_non_null(s);
  s->next = w->streams;
  w->streams = s;
  s->from = n;
  s->to = to;
  s->proto = to->proto;
  n->out[to->i] = s;
  n->n_opened++;
  world_send(s, PACKET_OPEN, NULL, 0);
  if (!ocf_bitswap_opened(n->bs, w->now_ns, &to->id, 0, s->proto, s))
    fail_msg("a stream that was asked for is not wanted");
}

static inline void world_write(struct wnode *n, struct wstream *s)
{
  struct ocf_bytes iov[4];
  size_t k;
  while (!n->holds &&
         (k = ocf_bitswap_tx(n->bs, n->w->now_ns, &s->to->id, iov, OCF_ARRAY_LEN(iov))) > 0) {
    for (size_t i = 0; i < k; i++) {
      world_send(s, PACKET_DATA, iov[i].p, iov[i].n);
      ocf_bitswap_tx_done(n->bs, n->w->now_ns, &s->to->id, iov[i].n);
    }
  }
}

static inline void world_effect(struct wnode *n, const struct ocf_bitswap_effect *fx)
{
  struct wstream *s = fx->stream;
  struct wnode *to = world_find(n->w, &fx->peer);
  switch (fx->type) {
  case OCF_BITSWAP_OPEN: world_open(n, to); break;
  case OCF_BITSWAP_WRITE:
    assert_true(s == n->out[to->i]);
    world_write(n, s);
    break;
  case OCF_BITSWAP_CLOSE_OUT:
  case OCF_BITSWAP_RESET_OUT:
    assert_true(s == n->out[to->i]);
    n->out[to->i] = NULL;
    s->ended = true;
    world_send(s, fx->type == OCF_BITSWAP_CLOSE_OUT ? PACKET_FIN : PACKET_RST, NULL, 0);
    break;
  case OCF_BITSWAP_RESET_IN:
    s->in = NULL;
    s->dead = true;
    world_send(s, PACKET_REFUSED, NULL, 0);
    break;
  }
}

static inline void world_pump(struct wnode *n)
{
  struct ocf_bitswap_event ev;
  struct ocf_bitswap_effect fx;
  bool more = true;
  while (more) {
    more = false;
    while (ocf_bitswap_event(n->bs, n->w->now_ns, &ev)) {
      n->n_blocks += ev.type == OCF_BITSWAP_BLOCK;
      n->n_slow += ev.type == OCF_BITSWAP_WANT_SLOW;
      if (ev.type == OCF_BITSWAP_OFFENCE)
        n->n_offences[ev.what] += ev.count;
      if (n->on_event != NULL)
        n->on_event(n, &ev);
      more = true;
    }
    while (ocf_bitswap_effect(n->bs, n->w->now_ns, &fx)) {
      world_effect(n, &fx);
      more = true;
    }
  }
}

static inline void world_kill_in(struct wstream *s, bool tell)
{
  if (s->in != NULL && tell)
    ocf_bitswap_in_end(s->to->bs, s->to->w->now_ns, s->in);
  s->in = NULL;
  s->dead = true;
}

static inline void world_arrive_data(struct wstream *s, const uint8_t *p, size_t n)
{
  struct wnode *to = s->to;
  size_t cut = to->w->cut;
  while (n > 0 && s->in != NULL) {
    size_t k = cut != 0 && cut < n ? cut : n;
    int err = ocf_bitswap_rx(to->bs, to->w->now_ns, s->in, ocf_bytes(p, k));
    if (err != 0) {
      world_kill_in(s, false);
      world_send(s, PACKET_REFUSED, NULL, 0);
    }
    world_pump(to);
    p += k;
    n -= k;
  }
}

/* The other end reset the stream. */
static inline void world_refused(struct wstream *s)
{
  struct wnode *n = s->from;
  if (n->out[s->to->i] != s)
    return;
  n->out[s->to->i] = NULL;
  ocf_bitswap_out_gone(n->bs, n->w->now_ns, &s->to->id);
  world_pump(n);
}

static inline void world_arrive(struct packet *k)
{
  struct wstream *s = k->s;
  struct wnode *to = s->to;
  if (k->type == PACKET_REFUSED)
    world_refused(s);
  if (s->dead || to->dark)
    return;
  switch (k->type) {
  case PACKET_OPEN:
    if (ocf_bitswap_in_open(to->bs, to->w->now_ns, &s->from->id, s->proto, s, &s->in) != 0) {
      s->dead = true;
      world_send(s, PACKET_REFUSED, NULL, 0);
    }
    break;
  case PACKET_REFUSED: break;
  case PACKET_DATA: world_arrive_data(s, k->data, k->n); break;
  case PACKET_FIN:
  case PACKET_RST: world_kill_in(s, true); break;
  }
  world_pump(to);
}

/* Runs until nothing is due before `until_ns`, or `stop` (may be NULL) says so. */
static inline void world_run(struct world *w, uint64_t until_ns, bool (*stop)(struct world *w))
{
  for (size_t i = 0; i < w->n; i++)
    world_pump(&w->nodes[i]);
  while (stop == NULL || !stop(w)) {
    struct ocf_heap_node *h = ocf_heap_peek(&w->packets);
    uint64_t at = h == NULL ? OCF_TIME_NEVER : OCF_CONTAINER_OF(h, struct packet, heap)->at_ns;
    struct wnode *who = NULL;
    for (size_t i = 0; i < w->n; i++) {
      uint64_t d = ocf_bitswap_deadline(w->nodes[i].bs);
      if (d < at) {
        at = d;
        who = &w->nodes[i];
      }
    }
    if (at > until_ns)
      break;
    if (at > w->now_ns)
      w->now_ns = at;
    if (who != NULL) {
      ocf_bitswap_tick(who->bs, w->now_ns);
      world_pump(who);
      continue;
    }
    (void)ocf_heap_pop(&w->packets);
    struct packet *k = OCF_CONTAINER_OF(h, struct packet, heap);
    world_arrive(k);
    free(k);
  }
  if (stop == NULL && until_ns > w->now_ns)
    w->now_ns = until_ns;
}

static inline int world_join(struct wnode *a, struct wnode *b)
{
  struct world *w = a->w;
  if (w->joined[a->i][b->i])
    return 0;
  w->joined[a->i][b->i] = w->joined[b->i][a->i] = true;
  int err = ocf_bitswap_peer_up(a->bs, w->now_ns, &b->id);
  int err2 = ocf_bitswap_peer_up(b->bs, w->now_ns, &a->id);
  return err != 0 ? err : err2;
}

/* Ends the connection: streams first on one side, the peer first on the other. */
static inline void world_part(struct wnode *a, struct wnode *b)
{
  struct world *w = a->w;
  w->joined[a->i][b->i] = w->joined[b->i][a->i] = false;
  ocf_bitswap_peer_down(a->bs, w->now_ns, &b->id);
  for (struct wstream *s = w->streams; s != NULL; s = s->next) {
    if ((s->from == a && s->to == b) || (s->from == b && s->to == a))
      world_kill_in(s, true);
  }
  ocf_bitswap_peer_down(b->bs, w->now_ns, &a->id);
  a->out[b->i] = b->out[a->i] = NULL;
  world_pump(a);
  world_pump(b);
}

static inline void world_want(struct wnode *n, const uint8_t cid[OCF_CID_BLOCK_SIZE],
                              const struct wnode *hint)
{
  int err = ocf_bitswap_want(n->bs, n->w->now_ns, ocf_bytes(cid, OCF_CID_BLOCK_SIZE),
                             hint == NULL ? NULL : &hint->id, hint != NULL, NULL);
  assert_int_equal(err, 0);
}

static inline struct ocf_bitswap_stats world_stats(const struct wnode *n)
{
  struct ocf_bitswap_stats st;
  ocf_bitswap_stats(n->bs, &st);
  return st;
}

#endif
