#include "node/mesh/mesh.h"

#include <string.h>

#include "node/mesh/mesh_int.h"

enum {
  PUBLISH_EVERY_MS = 5,
  PUBLISH_ROW_US = 10, /* longer by so much for each row, which a snapshot costs time for */
  LOOK_EVERY_S = 10,
  SETTLE_ROUNDS = 64,
  HEARD_FRESH_S = 20,
  LAZY = 24,
  HOLD_S = 10, /* an owner of ours contradicts at once, a Go one never */
};

void ocf_mesh_config_init(struct ocf_mesh_config *cfg)
{
  struct ocf_gossip_config g;
  *cfg = (struct ocf_mesh_config){ .ping_ns = 20 * OCF_NS_PER_S,
                                   .leave = OCF_MESH_LEAVE_DELETE,
                                   .role = "worker",
                                   .version = "",
                                   .owner = "",
                                   .public_address = "",
                                   .relay_peer = "" };
  ocf_gossip_config_init(&g);
  cfg->gossip = g.params;
  cfg->gossip.d_lazy = LAZY; /* one hub may know all others */
  cfg->score = g.score;
  ocf_bitswap_config_init(&cfg->blocks);
  ocf_merkle_config_init(&cfg->replica);
  ocf_table_options_default(&cfg->table);
  cfg->table.hold_ns = HOLD_S * OCF_NS_PER_S;
}

const struct ocf_bytes *ocf_mesh_protocols(size_t *n)
{
  static const struct ocf_bytes all[] = {
    { (const uint8_t *)"/meshsub/1.2.0", 14 },      { (const uint8_t *)"/meshsub/1.1.0", 14 },
    { (const uint8_t *)"/meshsub/1.0.0", 14 },      { (const uint8_t *)"/floodsub/1.0.0", 15 },
    { (const uint8_t *)"/ipfs/bitswap/1.2.0", 19 }, { (const uint8_t *)"/ipfs/bitswap/1.1.0", 19 },
    { (const uint8_t *)"/ipfs/bitswap/1.0.0", 19 }, { (const uint8_t *)"/ipfs/bitswap", 13 },
    { (const uint8_t *)"/ocf/heads/1.0.0", 16 },
  };
  *n = OCF_ARRAY_LEN(all);
  return all;
}

/* ---- peers and streams ---- */

struct mesh_peer *ocf_mesh_peer_find(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  struct ocf_map_node *n = ocf_map_find(&m->peers, ocf_peerid_view(id));
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct mesh_peer, node);
}

static struct mesh_peer *peer_new(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  struct mesh_peer *p = OCF_NEW(m->loop->alloc, struct mesh_peer);
  if (p == NULL)
    return NULL;
  p->mesh = m;
  p->id = *id;
  ocf_mesh_pubsub_init(p);
  ocf_mesh_blocks_init(p);
  if (ocf_map_insert(&m->peers, &p->node, ocf_peerid_view(&p->id)) == 0)
    return p;
  OCF_DELETE(m->loop->alloc, p);
  return NULL;
}

int ocf_mesh_out_open(struct mesh_out *o, const struct ocf_bytes *protos, size_t n)
{
  struct ocf_mesh *m = o->peer->mesh;
  uint64_t now = mesh_now(m), deadline = ocf_time_add(now, MESH_OPEN_S * OCF_NS_PER_S);
  o->proto = 0;
  for (unsigned i = 0; i < n; i++) {
    if (!ocf_swarm_peer_speaks(m->swarm, &o->peer->id, protos[i]))
      continue;
    o->proto = i;
    break;
  }
  int err = ocf_swarm_open(m->swarm, now, &o->peer->id, &protos[o->proto], 1, deadline, &o->user,
                           &o->s, &o->ticket);
  o->opening = err == OCF_EAGAIN;
  return err;
}

/* Forgets our stream without a word to the core. */
void ocf_mesh_out_drop(struct mesh_out *o)
{
  if (o->opening)
    ocf_swarm_open_cancel(o->peer->mesh->swarm, o->ticket);
  o->opening = false;
  if (o->s != NULL)
    ocf_stream_reset(o->s, 0);
  o->s = NULL;
}

struct mesh_in *ocf_mesh_in_new(struct ocf_mesh *m, const struct ocf_swarm_event *ev,
                                void (*on_event)(struct ocf_stream_user *,
                                                 const struct ocf_swarm_event *))
{
  struct mesh_in *in = OCF_NEW(m->loop->alloc, struct mesh_in);
  if (in == NULL) {
    ocf_stream_reset(ev->stream, OCF_STREAM_RESOURCE_LIMIT);
    return NULL;
  }
  in->mesh = m;
  in->peer = *ev->peer;
  in->s = ev->stream;
  in->user.on_event = on_event;
  ocf_list_push_back(&m->ins, &in->link);
  ocf_stream_set_user(ev->stream, &in->user);
  return in;
}

void ocf_mesh_in_free(struct mesh_in *in)
{
  struct ocf_alloc *a = in->mesh->loop->alloc;
  ocf_list_remove(&in->link);
  OCF_DELETE(a, in);
}

static void tell_conns(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  struct ocf_swarm_peer_info info;
  struct ocf_maddr addr;
  bool up = ocf_swarm_peer_info(m->swarm, id, &info);
  (void)!ocf_table_set_conns(m->table, mesh_now(m), id, up ? (uint32_t)info.n_conns : 0, 0);
  ocf_table_set_dialable(m->table, id,
                         ocf_swarm_peer_addrs(m->swarm, mesh_now(m), id, &addr, 1) > 0);
  if (up && info.rtt_ns > 0)
    ocf_table_set_rtt(m->table, id, info.rtt_ns);
}

static void peer_down(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  struct mesh_peer *p = ocf_mesh_peer_find(m, id);
  tell_conns(m, id);
  if (p == NULL)
    return;
  ocf_mesh_pubsub_peer_down(p);
  ocf_mesh_blocks_peer_down(p);
  ocf_map_remove(&m->peers, &p->node);
  OCF_DELETE(m->loop->alloc, p);
}

/* That it cannot be dialled says nothing about the life of a peer that is reached through a relay.
 */
static void dial_failed(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  const struct ocf_table_row *row = ocf_table_find(m->table, id);
  struct ocf_swarm_peer_info relay;
  ocf_table_set_dialable(m->table, id, false);
  if (row == NULL || row->claims.c == NULL || ocf_peerid_is_none(&row->claims.c->relay_peer) ||
      !ocf_swarm_peer_info(m->swarm, &row->claims.c->relay_peer, &relay))
    ocf_table_failed(m->table, mesh_now(m), id);
}

void ocf_mesh_peer_event(struct ocf_mesh *m, const struct ocf_swarm_event *ev)
{
  struct mesh_peer *p = ocf_mesh_peer_find(m, ev->peer);
  if (ev->type == OCF_SWARM_PEER_DOWN) {
    peer_down(m, ev->peer);
    m->urgent = true; /* no request should go there any more */
  } else if (ev->type == OCF_SWARM_DIAL_FAILED) {
    dial_failed(m, ev->peer);
  } else {
    if (p == NULL)
      p = peer_new(m, ev->peer);
    tell_conns(m, ev->peer);
    if (p != NULL && ev->type == OCF_SWARM_PEER_IDENTIFIED) {
      ocf_mesh_pubsub_peer(p);
      ocf_mesh_blocks_peer(p);
      ocf_mesh_heads_peer(p);
    }
  }
  ocf_mesh_settle_later(m);
}

void ocf_mesh_unreachable(struct ocf_mesh *m, const struct ocf_peerid *peer)
{
  dial_failed(m, peer);
  m->urgent = true;
  ocf_mesh_settle_later(m);
}

void ocf_mesh_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev, size_t proto)
{
  if (proto < OCF_GOSSIP_PROTO_N)
    ocf_mesh_pubsub_stream_in(m, ev);
  else if (proto < OCF_GOSSIP_PROTO_N + OCF_BITSWAP_N_PROTOCOLS)
    ocf_mesh_blocks_stream_in(m, ev, (unsigned)(proto - OCF_GOSSIP_PROTO_N));
  else
    ocf_mesh_heads_stream_in(m, ev);
}

/* ---- a turn ---- */

/* Not before, unless it is urgent. */
static uint64_t next_publish(const struct ocf_mesh *m)
{
  struct ocf_table_stats s;
  ocf_table_stats(m->table, &s);
  return ocf_time_add(m->published_ns,
                      PUBLISH_EVERY_MS * OCF_NS_PER_MS + s.n_rows * PUBLISH_ROW_US * OCF_NS_PER_US);
}

static uint64_t deadline(const struct ocf_mesh *m)
{
  if (m->block_bytes >= MESH_TURN_BYTES)
    return mesh_now(m); /* more may wait */
  uint64_t at = ocf_time_min(ocf_gossip_deadline(m->gossip), ocf_bitswap_deadline(m->blocks));
  at = ocf_time_min(at, ocf_table_deadline(m->table));
  at = ocf_time_min(at, ocf_mesh_self_deadline(m));
  at = ocf_time_min(at, ocf_mesh_commit_due(m));
  if (!m->store_failed)
    at = ocf_time_min(at, ocf_merkle_deadline(m->replica));
  if (ocf_table_dirty(m->table))
    at = ocf_time_min(at, next_publish(m));
  return at;
}

static void arm(struct ocf_mesh *m)
{
  uint64_t at = deadline(m), now = mesh_now(m);
  if (at == OCF_TIME_NEVER)
    ocf_alarm_stop(m->loop, &m->alarm);
  else
    ocf_alarm_start(m->loop, &m->alarm, at > now ? at - now : 0);
}

static void publish(struct ocf_mesh *m)
{
  uint64_t now = mesh_now(m);
  if (!ocf_table_dirty(m->table) || (m->published_ns != 0 && !m->urgent && now < next_publish(m)))
    return;
  m->published_ns = now;
  m->urgent = false;
  if (m->cfg.changed != NULL)
    m->cfg.changed(m->cfg.changed_user);
  if (ocf_table_publish(m->table, now) != 0)
    OCF_LOGF(m->loop->log, "registry", OCF_LOG_WARN, "no memory for a snapshot: the old one stays",
             OCF_LOG_U64("generation", ocf_snapshot_slot_generation(ocf_table_slot(m->table))));
}

/* Events of all cores first, then their effects, so that what several of them want leaves
 * together. */
static void settle(struct ocf_deferred *d)
{
  struct ocf_mesh *m = OCF_CONTAINER_OF(d, struct ocf_mesh, settle);
  m->n_verified = 0;
  m->block_bytes = 0;
  for (unsigned i = 0; i < SETTLE_ROUNDS; i++) {
    bool any = ocf_mesh_registry_events(m);
    any = ocf_mesh_self_write(m) || any;
    any = ocf_mesh_registry_effects(m) || any;
    any = ocf_mesh_pubsub_effects(m) || any;
    any = ocf_mesh_blocks_effects(m) || any;
    if (!any)
      break;
  }
  publish(m);
  arm(m);
}

void ocf_mesh_settle_later(struct ocf_mesh *m)
{
  ocf_defer(m->loop, &m->settle);
}

static void on_alarm(struct ocf_alarm *a)
{
  struct ocf_mesh *m = OCF_CONTAINER_OF(a, struct ocf_mesh, alarm);
  uint64_t now = mesh_now(m);
  ocf_gossip_tick(m->gossip, now);
  ocf_bitswap_tick(m->blocks, now);
  ocf_table_tick(m->table, now);
  if (!m->store_failed) {
    m->uncommitted = true;
    int err = ocf_merkle_tick(m->replica, now);
    if (err != 0)
      ocf_mesh_registry_failed(m, err, "ticking");
  }
  ocf_mesh_settle_later(m);
}

static void on_ping(struct ocf_alarm *a)
{
  struct ocf_mesh *m = OCF_CONTAINER_OF(a, struct ocf_mesh, ping);
  (void)!ocf_gossip_publish(m->gossip, mesh_now(m), ocf_mesh_topic_net, OCF_STR("ping"));
  m->pinged_ns = mesh_now(m);
  ocf_alarm_start(m->loop, a, m->cfg.ping_ns);
  ocf_mesh_settle_later(m);
}

/* Rows that the store remembers. */
static int show_stored(struct ocf_mesh *m)
{
  struct ocf_merkle_cursor c = { .begun = false };
  struct ocf_table_origin origin = { .author = NULL };
  struct ocf_merkle_row row;
  int r;
  while ((r = ocf_merkle_next(m->replica, &c, &row)) == 0) {
    r = ocf_table_put(m->table, m->loop->now_ns, row.key, row.value, row.priority, &origin);
    if (r < 0)
      return r;
  }
  return r == OCF_ENOENT ? 0 : r;
}

/* Who could not be taken in when it came, for want of memory or room. */
static void look_at_peer(struct ocf_mesh *m, const struct ocf_swarm_peer_info *info)
{
  struct mesh_peer *p = ocf_mesh_peer_find(m, info->id);
  if (p == NULL)
    p = peer_new(m, info->id);
  if (p == NULL || !info->identified)
    return;
  if (!p->gossip_up)
    ocf_mesh_pubsub_peer(p);
  if (!p->blocks_up)
    ocf_mesh_blocks_peer(p);
}

/* What changes without an event: round trips, answered pings. */
static void on_look(struct ocf_alarm *a)
{
  struct ocf_mesh *m = OCF_CONTAINER_OF(a, struct ocf_mesh, look);
  struct ocf_swarm_peer_info info;
  const void *cursor = NULL;
  uint64_t now = mesh_now(m);
  m->reshow = m->reshow && !m->store_failed && show_stored(m) != 0;
  ocf_mesh_self_look(m);
  while (ocf_swarm_peer_next(m->swarm, &cursor, &info)) {
    look_at_peer(m, &info);
    (void)!ocf_table_set_conns(m->table, now, info.id, (uint32_t)info.n_conns, 0);
    if (now - OCF_MIN(now, info.last_rx_ns) < HEARD_FRESH_S * OCF_NS_PER_S)
      ocf_table_heard(m->table, now, info.id, OCF_TABLE_DIRECT);
    if (info.rtt_ns > 0)
      ocf_table_set_rtt(m->table, info.id, info.rtt_ns);
  }
  ocf_alarm_start(m->loop, a, LOOK_EVERY_S * OCF_NS_PER_S);
  ocf_mesh_settle_later(m);
}

/* ---- the beginning and the end ---- */

static int get_block(void *ctx, struct ocf_bytes multihash, struct ocf_bytes *block)
{
  struct ocf_mesh *m = ctx;
  return m->store_failed ? OCF_EIO : ocf_merkle_get_block(m->replica, multihash, block);
}

static int make_cores(struct ocf_mesh *m)
{
  struct ocf_loop *l = m->loop;
  struct ocf_gossip_config g;
  ocf_gossip_config_init(&g);
  g.params = m->cfg.gossip;
  g.score = m->cfg.score;
  g.alloc = l->alloc;
  g.rng = l->rng;
  g.log = l->log;
  g.key = m->cfg.key;
  g.wall_ns = l->env->ops->wall_ns(l->env);
  int r = ocf_gossip_new(&g, l->now_ns, &m->gossip);
  m->cfg.blocks.a = l->alloc;
  m->cfg.blocks.rng = l->rng;
  m->cfg.blocks.log = l->log;
  m->cfg.blocks.store = (struct ocf_bitswap_store){ m, get_block };
  if (r == 0)
    r = ocf_bitswap_new(&m->cfg.blocks, l->now_ns, &m->blocks);
  if (r == 0 && m->cfg.kv == NULL) {
    r = ocf_kv_mem_open(l->alloc, 0, &m->own_kv);
    m->cfg.kv = m->own_kv;
  }
  m->cfg.replica.a = l->alloc;
  m->cfg.replica.rng = l->rng;
  m->cfg.replica.log = l->log;
  m->cfg.replica.kv = m->cfg.kv;
  return r != 0 ? r : ocf_merkle_open(&m->cfg.replica, l->now_ns, &m->replica);
}

static void start(struct ocf_mesh *m)
{
  struct ocf_merkle_stats s;
  ocf_merkle_stats(m->replica, &s);
  if (!m->cfg.fresh_key && s.blocks == 0)
    m->put_after_ns = ocf_time_add(mesh_now(m), SYNC_WAIT_NS);
  m->alarm.fire = on_alarm;
  m->ping.fire = on_ping;
  m->look.fire = on_look;
  if (m->cfg.ping_ns > 0)
    ocf_alarm_start(m->loop, &m->ping, m->cfg.ping_ns);
  ocf_alarm_start(m->loop, &m->look, LOOK_EVERY_S * OCF_NS_PER_S);
  ocf_mesh_settle_later(m);
}

int ocf_mesh_new(const struct ocf_mesh_config *cfg, struct ocf_loop *loop, struct ocf_swarm *swarm,
                 struct ocf_mesh **out)
{
  struct ocf_mesh *m = OCF_NEW(loop->alloc, struct ocf_mesh);
  uint64_t seed[2];
  *out = NULL;
  if (m == NULL)
    return OCF_ENOMEM;
  m->cfg = *cfg;
  m->loop = loop;
  m->swarm = swarm;
  m->self = *ocf_swarm_self(swarm);
  m->key[0] = '/';
  (void)ocf_peerid_text(&m->self, m->key + 1);
  m->settle.run = settle;
  ocf_list_init(&m->ins);
  ocf_mesh_heads_init(m);
  ocf_rng_secret(loop->rng, seed, sizeof(seed));
  ocf_map_init(&m->peers, loop->alloc, seed, MESH_PEERS_MAX);
  ocf_mesh_heard_init(m, seed);
  ocf_record_init(&m->record, loop->alloc);
  ocf_buf_init(&m->json, loop->alloc, OCF_RECORD_JSON_MAX);
  m->table = ocf_table_new(loop->alloc, loop->rng, &m->cfg.table);
  int r = m->table == NULL ? OCF_ENOMEM : make_cores(m);
  if (r == 0)
    r = ocf_gossip_join(m->gossip, loop->now_ns, ocf_mesh_topic_crdt);
  if (r == 0)
    r = ocf_gossip_join(m->gossip, loop->now_ns, ocf_mesh_topic_net);
  if (r == 0)
    r = show_stored(m);
  if (r == 0)
    r = ocf_mesh_self_init(m);
  if (r != 0) {
    ocf_mesh_free(m);
    return r;
  }
  start(m);
  *out = m;
  return 0;
}

static void peers_free(struct ocf_mesh *m)
{
  struct ocf_map_iter it = { 0 };
  struct ocf_map_node *n;
  while (ocf_map_next(&m->peers, &it, &n)) {
    struct mesh_peer *p = OCF_CONTAINER_OF(n, struct mesh_peer, node);
    ocf_map_remove(&m->peers, n);
    OCF_DELETE(m->loop->alloc, p);
  }
  ocf_map_fini(&m->peers);
  OCF_LIST_FOREACH_SAFE (l, &m->ins) {
    ocf_mesh_in_free(OCF_LIST_ENTRY(l, struct mesh_in, link));
  }
}

void ocf_mesh_free(struct ocf_mesh *m)
{
  if (m == NULL)
    return;
  ocf_alarm_stop(m->loop, &m->alarm);
  ocf_alarm_stop(m->loop, &m->ping);
  ocf_alarm_stop(m->loop, &m->look);
  ocf_alarm_stop(m->loop, &m->tell);
  ocf_defer_cancel(&m->settle);
  peers_free(m);
  ocf_mesh_heads_free(m);
  ocf_mesh_heard_free(m);
  ocf_bitswap_free(m->blocks);
  ocf_gossip_free(m->gossip);
  ocf_merkle_free(m->replica);
  ocf_kv_mem_close(m->own_kv);
  ocf_table_free(m->table);
  ocf_record_fini(&m->record);
  ocf_buf_fini(&m->json);
  OCF_DELETE(m->loop->alloc, m);
}

/* ---- looking ---- */

struct ocf_table *ocf_mesh_table(struct ocf_mesh *m)
{
  return m->table;
}

struct ocf_snapshot_slot *ocf_mesh_slot(struct ocf_mesh *m)
{
  return ocf_table_slot(m->table);
}

bool ocf_mesh_synced(const struct ocf_mesh *m)
{
  return ocf_merkle_synced(m->replica);
}

size_t ocf_mesh_n_jobs(const struct ocf_mesh *m)
{
  return m->n_jobs;
}

void ocf_mesh_stats(const struct ocf_mesh *m, struct ocf_mesh_stats *out)
{
  ocf_gossip_stats(m->gossip, &out->gossip);
  ocf_bitswap_stats(m->blocks, &out->blocks);
  ocf_merkle_stats(m->replica, &out->replica);
  ocf_table_stats(m->table, &out->table);
  out->n_jobs = m->n_jobs;
  out->store_failed = m->store_failed;
}
