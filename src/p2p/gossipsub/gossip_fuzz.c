/* One engine driven by a script of bytes: peers come and go, their streams carry what the script
 * says, memory may run out, time passes. Oracle: the module's assertions; meshes and fanouts are of
 * peers that are up and subscribed and agree with their counts; nothing passes its limits; no GRAFT
 * is sent within a back-off; what is written is whole RPCs that parse; all memory comes back.
 *
 * Scripts (tools/gen/gossip_vectors.py writes some): 0 peer: up; 1 peer: its stream; 2 peer n
 * bytes: received; 3 peer: our stream is open; 4 n: n * 50 ms pass; the rest as in step(). */
#include "fmt/varint/varint.h"
#include "p2p/gossipsub/gossip_int.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { PEERS = 6, TOPICS = 3 };

struct world {
  struct ocf_alloc a, keys;
  struct ocf_rng rng;
  struct ocf_key key;
  struct ocf_gossip *g;
  uint64_t now;
  struct ocf_peerid ids[PEERS];
  uint8_t handles[PEERS][2];
  struct ocf_gossip_job *jobs[8];
  size_t n_jobs;
  bool stuck[PEERS];
  bool starved; /* memory has run out before */
};

static const struct ocf_bytes topics[TOPICS] = { { (const uint8_t *)"ocf-crdt", 8 },
                                                 { (const uint8_t *)"ocf-crdt-net", 12 },
                                                 { (const uint8_t *)"x", 1 } };

static void check_rpc(const struct world *w, unsigned peer, struct ocf_bytes rpc)
{
  struct rpc_reader r = ocf_gossip_rpc_read(rpc, PASS_CONTROL);
  struct rpc_part part;
  OCF_ASSERT(rpc.n > 0 && rpc.n <= OCF_GOSSIP_RPC_MAX);
  OCF_ASSERT(ocf_gossip_rpc_check(rpc) == 0);
  while (ocf_gossip_rpc_next(&r, &part) > 0) {
    if (part.kind != PART_GRAFT)
      continue;
    const struct peer *p = ocf_gossip_peer_find(w->g, &w->ids[peer]);
    const struct topic *t = ocf_gossip_topic_find(w->g, part.topic);
    OCF_ASSERT(p != NULL && t != NULL && t->joined);
    OCF_ASSERT(w->now + BACKOFF_SLACK_NS >= ocf_gossip_backoff_until(w->g, p, t));
  }
}

/* Takes what waits for `peer`; each tx shows one RPC, as nothing is left half written. */
static void pump(struct world *w, unsigned peer)
{
  static uint8_t area[OCF_GOSSIP_RPC_MAX + FRAME_LEN_MAX];
  struct ocf_bytes iov[OCF_GOSSIP_IOV_MAX];
  size_t n_iov;
  while (!w->stuck[peer] &&
         (n_iov = ocf_gossip_tx(w->g, w->now, &w->ids[peer], iov, OCF_ARRAY_LEN(iov))) > 0) {
    size_t n = 0;
    uint64_t len = 0;
    for (size_t i = 0; i < n_iov; i++) {
      OCF_ASSERT(iov[i].n <= sizeof(area) - n);
      memcpy(area + n, iov[i].p, iov[i].n);
      n += iov[i].n;
    }
    int head = ocf_varint_get(area, n, &len);
    OCF_ASSERT(head > 0 && (size_t)head + len == n);
    check_rpc(w, peer, ocf_bytes(area + head, (size_t)len));
    ocf_gossip_tx_done(w->g, w->now, &w->ids[peer], n);
  }
}

static unsigned peer_index(const struct world *w, const struct ocf_peerid *id)
{
  unsigned i = 0;
  while (i < PEERS && !ocf_peerid_eq(&w->ids[i], id))
    i++;
  OCF_ASSERT(i < PEERS);
  return i;
}

static void settle(struct world *w)
{
  struct ocf_gossip_event ev;
  struct ocf_gossip_effect fx;
  while (ocf_gossip_event(w->g, w->now, &ev))
    OCF_ASSERT(ev.type != OCF_GOSSIP_MESSAGE || ev.id.n == ev.author->n + 8u);
  while (ocf_gossip_effect(w->g, w->now, &fx)) {
    if (fx.type == OCF_GOSSIP_WRITE)
      pump(w, peer_index(w, fx.peer));
    if (fx.type == OCF_GOSSIP_RESET_IN)
      OCF_ASSERT(fx.handle != NULL);
    if (fx.type != OCF_GOSSIP_VERIFY)
      continue;
    OCF_ASSERT(w->n_jobs < OCF_ARRAY_LEN(w->jobs));
    w->jobs[w->n_jobs++] = fx.job;
  }
}

static void finish_jobs(struct world *w, bool run)
{
  while (w->n_jobs > 0) {
    struct ocf_gossip_job *job = w->jobs[--w->n_jobs];
    if (run)
      ocf_gossip_job_run(job);
    ocf_gossip_job_done(w->g, w->now, job);
  }
}

/* ---- invariants ---- */

static void check_topic(const struct topic *t)
{
  size_t n = 0, mesh = 0, mesh_out = 0, fanout = 0;
  OCF_LIST_FOREACH (it, &t->subs) {
    const struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    n++;
    mesh += s->mesh;
    mesh_out += s->mesh && s->p->outbound;
    fanout += s->fanout;
    OCF_ASSERT(!(s->mesh || s->fanout) || s->subscribed);
    OCF_ASSERT(!s->mesh || t->joined);
    OCF_ASSERT(!s->fanout || !t->joined);
  }
  OCF_ASSERT(n == t->n_subs && mesh == t->n_mesh && mesh_out == t->n_mesh_out);
  OCF_ASSERT(fanout == t->n_fanout);
  OCF_ASSERT(t->joined || t->slot >= 0 || n > 0);
}

static void check_peer(const struct ocf_gossip *g, const struct peer *p, bool starved)
{
  size_t bytes = 0, msgs = 0;
  for (int k = 0; k < Q_N; k++)
    OCF_LIST_FOREACH (it, &p->queue[k]) {
      bytes += OCF_LIST_ENTRY(it, struct item, link)->m->n;
      msgs++;
    }
  OCF_ASSERT(bytes == p->queue_bytes && bytes <= g->cfg.limits.queue_bytes_max);
  OCF_ASSERT(msgs <= g->cfg.limits.queue_msgs_max);
  OCF_ASSERT((p->graft & p->prune) == 0);
  OCF_ASSERT(p->dontwant.map.n <= g->cfg.limits.idontwant_kept_max);
  OCF_ASSERT((p->fx != 0) == ocf_list_linked(&p->fx_link));
  /* what waits is announced or being written, so that it cannot be forgotten; without memory it
   * may be so until the next heartbeat */
  OCF_ASSERT(p->out != OUT_UP || !ocf_gossip_tx_waits(g, p) || p->write_told || starved);
}

static void check(const struct world *w)
{
  const struct ocf_gossip *g = w->g;
  const struct ocf_gossip_limits *lim = &g->cfg.limits;
  size_t rx = 0, queued = 0;
  OCF_LIST_FOREACH (it, &g->topic_list)
    check_topic(OCF_LIST_ENTRY(it, struct topic, all));
  OCF_LIST_FOREACH (it, &g->peer_list) {
    const struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    check_peer(g, p, w->starved);
    rx += p->rx.cap;
    queued += p->queue_bytes;
  }
  OCF_ASSERT(rx == g->rx_bytes && rx <= lim->rx_bytes_max && queued == g->queue_bytes);
  OCF_ASSERT(g->mcache_bytes <= lim->mcache_bytes_max && g->seen.map.n <= lim->seen_max);
  OCF_ASSERT(g->n_verify <= lim->verify_max && g->verify_bytes <= lim->verify_bytes_max);
  OCF_ASSERT(g->promises.n <= lim->promises_max && g->n_publishing <= lim->publish_wait_max);
}

/* ---- the script ---- */

static void small_limits(struct ocf_gossip_limits *l)
{
  l->peers_max = PEERS - 1;
  l->topics_max = 8;
  l->topics_per_peer_max = 5;
  l->rx_bytes_max = 20000;
  l->queue_msgs_max = 12;
  l->queue_bytes_max = 20000;
  l->queue_total_bytes_max = 50000;
  l->publish_wait_max = 40;
  l->mcache_bytes_max = 20000;
  l->seen_max = 20;
  l->verify_max = 8;
  l->verify_bytes_max = 20000;
  l->jobs_max = 2;
  l->backoffs_max = 64;
  l->promises_max = 10;
  l->retained_max = 3;
  l->idontwant_kept_max = 5;
}

static void world_init(struct world *w, uint8_t mode)
{
  static const uint8_t seed[OCF_KEY_ED25519_SEED_LEN] = { 5 };
  struct ocf_gossip_config cfg;
  memset(w, 0, sizeof(*w));
  ocf_alloc_init(&w->a);
  ocf_alloc_init(&w->keys);
  ocf_rng_seed(&w->rng, mode);
  OCF_ASSERT(ocf_key_from_seed(&w->key, &w->keys, seed) == 0);
  for (unsigned i = 0; i < PEERS; i++) { /* identity multihashes of a few bytes */
    uint8_t mh[3] = { 0, 1, (uint8_t)i };
    OCF_ASSERT(ocf_peerid_from_bytes(ocf_bytes(mh, sizeof(mh)), &w->ids[i]) == 0);
  }
  w->now = 100 * OCF_NS_PER_S;
  ocf_gossip_config_init(&cfg);
  cfg.alloc = &w->a;
  cfg.rng = &w->rng;
  cfg.key = &w->key;
  cfg.wall_ns = 1;
  cfg.params.d = 2;
  cfg.params.d_lo = 1;
  cfg.params.d_hi = 3;
  cfg.params.d_out = 1;
  cfg.params.d_score = 1;
  cfg.score.on = (mode & 1) != 0;
  cfg.score.colocation_weight = (mode & 2) != 0 ? 1 : 0;
  cfg.score.colocation_free = 2;
  if ((mode & 4) != 0)
    small_limits(&cfg.limits);
  OCF_ASSERT(ocf_gossip_new(&cfg, w->now, &w->g) == 0);
  OCF_ASSERT(ocf_gossip_join(w->g, w->now, topics[0]) == 0);
}

static void pass(struct world *w, uint64_t ns)
{
  uint64_t end = w->now + ns;
  while (ocf_gossip_deadline(w->g) <= end) {
    w->now = OCF_MAX(w->now, ocf_gossip_deadline(w->g));
    ocf_gossip_tick(w->g, w->now);
    settle(w);
  }
  w->now = end;
}

static void receive(struct world *w, struct ocf_ops *ops, unsigned i)
{
  size_t n = ocf_ops_u8(ops);
  n = OCF_MIN(n, ops->n);
  ocf_gossip_rx(w->g, w->now, &w->ids[i], w->handles[i], ocf_bytes(ops->p, n));
  *ops = (struct ocf_ops){ ops->p + n, ops->n - n };
}

static void publish(struct world *w, unsigned arg, unsigned topic)
{
  static const uint8_t data[8192];
  (void)!ocf_gossip_publish(w->g, w->now, topics[topic], ocf_bytes(data, arg * 32u));
}

/* Peers, streams and time. */
static void step_peer(struct world *w, struct ocf_ops *ops, uint8_t what, uint8_t arg)
{
  unsigned i = arg % PEERS;
  const struct ocf_peerid *id = &w->ids[i];
  switch (what) {
  case 0: (void)!ocf_gossip_peer_up(w->g, w->now, id, (arg & 64) != 0, arg >> 7); break;
  case 1: (void)!ocf_gossip_in(w->g, w->now, id, w->handles[i]); break;
  case 2: receive(w, ops, i); break;
  case 3: ocf_gossip_opened(w->g, w->now, id, 0, (enum ocf_gossip_proto)(arg >> 6)); break;
  case 4: pass(w, arg * 50 * OCF_NS_PER_MS); break;
  case 5: ocf_gossip_peer_down(w->g, w->now, id); break;
  case 6: ocf_gossip_out_gone(w->g, w->now, id); break;
  default: ocf_gossip_in_gone(w->g, w->now, id, w->handles[i]); break;
  }
}

static void step(struct world *w, struct ocf_ops *ops)
{
  uint8_t what = ocf_ops_u8(ops) % 17, arg = ocf_ops_u8(ops);
  unsigned i = arg % PEERS;
  switch (what) {
  case 8: ocf_gossip_opened(w->g, w->now, &w->ids[i], OCF_ERESET, OCF_GOSSIP_V12); break;
  case 9: (void)!ocf_gossip_join(w->g, w->now, topics[arg % TOPICS]); break;
  case 10: ocf_gossip_leave(w->g, w->now, topics[arg % TOPICS]); break;
  case 11: publish(w, arg, arg % TOPICS); break;
  case 12: finish_jobs(w, (arg & 1) != 0); break;
  case 13:
    w->stuck[i] = !w->stuck[i];
    if (!w->stuck[i])
      pump(w, i);
    break;
  case 14:
    w->a.fail_at = arg > 200 ? w->a.n_calls + arg - 200 : 0;
    w->starved = true;
    break;
  case 15: (void)!ocf_gossip_in(w->g, w->now, &w->ids[i], w->handles[i] + 1); break;
  case 16: ocf_gossip_opened(w->g, w->now, &w->ids[i], OCF_EUNSUPP, OCF_GOSSIP_V12); break;
  default: step_peer(w, ops, what, arg); break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static struct world w;
  struct ocf_ops ops = { d, n };
  world_init(&w, n > 0 ? d[n - 1] : 0);
  while (ocf_ops_more(&ops)) {
    step(&w, &ops);
    settle(&w);
    check(&w);
  }
  for (settle(&w); w.n_jobs > 0; settle(&w))
    finish_jobs(&w, true);
  ocf_gossip_free(w.g);
  ocf_key_fini(&w.key);
  OCF_ASSERT(w.a.live_bytes == 0 && w.keys.live_bytes == 0);
  return 0;
}
