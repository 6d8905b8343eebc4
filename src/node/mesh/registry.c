/* Messages to the replica, blocks to and from it, its changes to the table. */
#include <string.h>

#include "node/mesh/mesh_int.h"

enum {
  TELL_AFTER_MS = 150,
  TELL_EVERY_S = 2,
  COMMIT_EVERY_MS = 20,
  COMMITS_BURST = 16,
  REFUSED_EVERY_S = 1
};

const struct ocf_bytes ocf_mesh_topic_crdt = { (const uint8_t *)"ocf-crdt", 8 };
const struct ocf_bytes ocf_mesh_topic_net = { (const uint8_t *)"ocf-crdt-net", 12 };

void ocf_mesh_registry_failed(struct ocf_mesh *m, int err, const char *what)
{
  if (err == OCF_EIO && !m->store_failed) {
    m->store_failed = true;
    OCF_LOGF(
        m->loop->log, "registry", OCF_LOG_ERROR,
        "the registry's store has failed: rows are no longer taken or written; restart the node",
        OCF_LOG_STR("while", what));
  } else if (err != OCF_EIO) {
    OCF_LOGF(m->loop->log, "registry", OCF_LOG_WARN, "registry work was put off",
             OCF_LOG_STR("while", what), OCF_LOG_ERR("why", err));
  }
}

/* ---- gossip ---- */

static void on_message(struct ocf_mesh *m, const struct ocf_gossip_event *ev)
{
  ocf_mesh_heard(m, ev->author);
  if (!ocf_bytes_eq(ev->topic, ocf_mesh_topic_crdt) || m->store_failed)
    return;
  m->uncommitted = true;
  int err = ocf_merkle_broadcast(m->replica, mesh_now(m), ev->data, ocf_peerid_view(ev->author));
  if (err != 0 && err != OCF_EINVAL)
    ocf_mesh_registry_failed(m, err, "reading a broadcast");
}

/* What was published while nobody listened is told to the first one who does, and all heads to
 * newcomers that cannot be told in another way: Go nodes would wait for a rebroadcast. */
static void tell_heads(struct ocf_alarm *a)
{
  struct ocf_mesh *m = OCF_CONTAINER_OF(a, struct ocf_mesh, tell);
  struct ocf_buf b;
  ocf_buf_init(&b, m->loop->alloc, 64 * 1024);
  m->unheard = false;
  m->told_ns = mesh_now(m);
  if (ocf_mesh_heads_write(m, &b) == 0 && b.n > 0)
    (void)!ocf_gossip_publish(m->gossip, mesh_now(m), ocf_mesh_topic_crdt, ocf_buf_view(&b));
  ocf_buf_fini(&b);
  ocf_mesh_settle_later(m);
}

/* Those who come together are told together. */
static void tell_soon(struct ocf_mesh *m)
{
  uint64_t now = mesh_now(m), wait = TELL_AFTER_MS * OCF_NS_PER_MS;
  uint64_t next = ocf_time_add(m->told_ns, TELL_EVERY_S * OCF_NS_PER_S);
  m->tell.fire = tell_heads;
  if (m->told_ns != 0 && next > now)
    wait = OCF_MAX(wait, next - now);
  if (!ocf_timer_pending(&m->tell.timer))
    ocf_alarm_start(m->loop, &m->tell, m->unheard ? 0 : wait);
}

static void on_mesh(struct ocf_mesh *m, const struct ocf_gossip_event *ev)
{
  bool joined = ev->type == OCF_GOSSIP_MESH_JOINED;
  if (ocf_bytes_eq(ev->topic, ocf_mesh_topic_net)) {
    if (joined && m->pinged_ns == 0 && m->cfg.ping_ns > 0)
      ocf_alarm_start(m->loop, &m->ping, 0);
    return;
  }
  struct mesh_peer *p = joined ? ocf_mesh_peer_find(m, ev->peer) : NULL;
  bool deaf = joined && !ocf_swarm_peer_speaks(m->swarm, ev->peer, ocf_mesh_heads_protocol);
  if (joined && (m->unheard || deaf))
    tell_soon(m);
  if (p != NULL)
    ocf_mesh_heads_joined(p);
}

static bool gossip_events(struct ocf_mesh *m)
{
  struct ocf_gossip_event ev;
  bool any = false;
  while (ocf_gossip_event(m->gossip, mesh_now(m), &ev)) {
    any = true;
    if (ev.type == OCF_GOSSIP_MESSAGE)
      on_message(m, &ev);
    else if (ev.type == OCF_GOSSIP_MESH_JOINED || ev.type == OCF_GOSSIP_MESH_LEFT)
      on_mesh(m, &ev);
  }
  return any;
}

/* ---- blocks ---- */

static void on_block(struct ocf_mesh *m, const struct ocf_bitswap_event *ev)
{
  if (ev->cid.n != OCF_CID_BLOCK_SIZE || m->store_failed)
    return;
  m->uncommitted = true;
  int err = ocf_merkle_block(m->replica, mesh_now(m), ev->cid.p, ev->data);
  if (err != 0 && err != OCF_ENOENT && err != OCF_EINVAL && err != OCF_ECRYPTO)
    ocf_mesh_registry_failed(m, err, "taking a block");
}

/* What an honest peer never does, or does once by mistake. */
static void on_offence(struct ocf_mesh *m, const struct ocf_bitswap_event *ev)
{
  struct mesh_peer *p = ocf_mesh_peer_find(m, &ev->peer);
  char text[OCF_PEERID_TEXT_SIZE];
  if (p == NULL || ev->what == OCF_BITSWAP_WANT_FLOOD || ev->what == OCF_BITSWAP_SLOW_MESSAGE)
    return; /* bounded anyway, and a large honest node may look like that */
  p->n_offences += ev->count;
  if (p->n_offences < MESH_OFFENCES_MAX)
    return;
  OCF_LOGF(m->loop->log, "bitswap", OCF_LOG_WARN, "peer misbehaves and is disconnected",
           OCF_LOG_STR("peer", ocf_peerid_text(&ev->peer, text)),
           OCF_LOG_U64("offences", p->n_offences));
  ocf_swarm_disconnect(m->swarm, mesh_now(m), &ev->peer, 0);
}

static bool block_events(struct ocf_mesh *m)
{
  struct ocf_bitswap_event ev;
  bool any = false;
  while (m->block_bytes < MESH_TURN_BYTES && ocf_bitswap_event(m->blocks, mesh_now(m), &ev)) {
    any = true;
    if (ev.type == OCF_BITSWAP_BLOCK) {
      m->block_bytes += ev.data.n;
      on_block(m, &ev);
    } else if (ev.type == OCF_BITSWAP_OFFENCE) {
      on_offence(m, &ev);
    }
  }
  return any;
}

/* ---- the replica's changes ---- */

static void on_put(struct ocf_mesh *m, const struct ocf_merkle_event *ev)
{
  struct ocf_peerid author;
  struct ocf_table_origin origin = { .head = ev->direct };
  if (ev->announcer.n > 0 && ocf_peerid_from_bytes(ev->announcer, &author) == 0)
    origin.author = &author;
  int r = ocf_table_put(m->table, mesh_now(m), ev->key, ev->value, ev->priority, &origin);
  if (r < 0) {
    m->reshow = true;
    ocf_mesh_registry_failed(m, r, "showing a row");
  }
}

static void on_delete(struct ocf_mesh *m, const struct ocf_merkle_event *ev)
{
  struct ocf_peerid author;
  struct ocf_table_origin origin = { .head = ev->direct };
  if (ev->announcer.n > 0 && ocf_peerid_from_bytes(ev->announcer, &author) == 0)
    origin.author = &author;
  (void)ocf_table_delete(m->table, mesh_now(m), ev->key, &origin);
}

/* Changes that come alone or a few at a time are committed at once: only then can others have the
 * block. Those that go on coming, as in a long history, share commits, each of which costs some
 * pages of the store: one each COMMIT_EVERY_MS, and COMMITS_BURST that were saved up. */
static void commit(struct ocf_mesh *m)
{
  uint64_t now = mesh_now(m);
  if (m->store_failed || !m->uncommitted || now < ocf_mesh_commit_due(m))
    return;
  m->uncommitted = false;
  m->committed_ns = ocf_time_add(OCF_MAX(m->committed_ns, now), COMMIT_EVERY_MS * OCF_NS_PER_MS);
  int err = ocf_merkle_commit(m->replica, now);
  if (err != 0)
    ocf_mesh_registry_failed(m, err, "committing");
}

uint64_t ocf_mesh_commit_due(const struct ocf_mesh *m)
{
  if (!m->uncommitted)
    return OCF_TIME_NEVER;
  return m->committed_ns -
         OCF_MIN(m->committed_ns, COMMITS_BURST * COMMIT_EVERY_MS * OCF_NS_PER_MS);
}

static bool replica_events(struct ocf_mesh *m)
{
  struct ocf_merkle_event ev;
  bool any = false;
  while (!m->store_failed && ocf_merkle_event(m->replica, &ev)) {
    any = true;
    switch (ev.type) {
    case OCF_MERKLE_PUT: on_put(m, &ev); break;
    case OCF_MERKLE_DELETE: on_delete(m, &ev); break;
    case OCF_MERKLE_SYNCED:
      OCF_LOGF(m->loop->log, "registry", OCF_LOG_INFO, "caught up with the mesh",
               OCF_LOG_U64("peers", m->peers.n));
      break;
    }
  }
  m->uncommitted = m->uncommitted || any; /* that it was told is part of the replica's state */
  commit(m);
  return any;
}

/* ---- the table's news ---- */

/* Puts the registry's value again: its row had made room for others. */
static void show_again(struct ocf_mesh *m, const struct ocf_peerid *peer)
{
  char key[OCF_PEERID_TEXT_SIZE + 1] = "/";
  struct ocf_bytes value;
  uint64_t priority;
  struct ocf_table_origin origin = { .author = NULL };
  (void)ocf_peerid_text(peer, key + 1);
  struct ocf_bytes k = ocf_bytes(key, strlen(key));
  if (!m->store_failed && ocf_merkle_get(m->replica, k, &value, &priority) == 0)
    (void)!ocf_table_put(m->table, mesh_now(m), k, value, priority, &origin); /* or stays away */
}

static void log_row(struct ocf_mesh *m, const struct ocf_table_event *ev, enum ocf_log_level level,
                    const char *what)
{
  char text[OCF_PEERID_TEXT_SIZE], author[OCF_PEERID_TEXT_SIZE];
  OCF_LOGF(m->loop->log, "registry", level, what,
           OCF_LOG_STR("peer", ocf_peerid_text(&ev->peer, text)),
           OCF_LOG_STR("by", ocf_peerid_text(&ev->author, author)),
           OCF_LOG_STR("verdict", ocf_table_verdict_text(ev->verdict)));
}

/* Whoever writes thousands of keys does not write our log. */
static void log_refused(struct ocf_mesh *m, const struct ocf_table_event *ev)
{
  uint64_t now = mesh_now(m);
  bool often =
      m->refused_ns != 0 && now < ocf_time_add(m->refused_ns, REFUSED_EVERY_S * OCF_NS_PER_S);
  if (!often)
    m->refused_ns = now;
  log_row(m, ev, often ? OCF_LOG_DEBUG : OCF_LOG_WARN, "row refused");
}

/* A record may say where its peer can be reached. */
static void learn_address(struct ocf_mesh *m, const struct ocf_peerid *peer)
{
  const struct ocf_table_row *row = ocf_table_find(m->table, peer);
  struct ocf_ip_addr ip;
  struct ocf_maddr addr;
  if (row == NULL || row->claims.c == NULL || row->claims.c->public_address.n == 0)
    return;
  if (ocf_ip_addr_parse_host(row->claims.c->public_address, &ip) != 0)
    return;
  ip.port = row->claims.c->public_port != 0 ? row->claims.c->public_port : 43905;
  ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, &addr);
  if (ocf_swarm_add_addr(m->swarm, mesh_now(m), peer, &addr, OCF_SWARM_SRC_OTHER,
                         3600 * OCF_NS_PER_S) == 0)
    ocf_table_set_dialable(m->table, peer, true);
}

static bool table_events(struct ocf_mesh *m)
{
  struct ocf_table_event ev;
  bool any = false;
  while (ocf_table_event(m->table, &ev)) {
    any = true;
    switch (ev.kind) {
    case OCF_TABLE_CHANGED:
      ocf_mesh_heard_before(m, &ev.peer);
      learn_address(m, &ev.peer);
      log_row(m, &ev, OCF_LOG_DEBUG, "row");
      break;
    case OCF_TABLE_GONE: log_row(m, &ev, OCF_LOG_DEBUG, "row is gone"); break;
    case OCF_TABLE_REFUSED: log_refused(m, &ev); break;
    case OCF_TABLE_WAITING: log_row(m, &ev, OCF_LOG_INFO, "row waits for its owner's word"); break;
    case OCF_TABLE_EVICTED: log_row(m, &ev, OCF_LOG_DEBUG, "row made room"); break;
    case OCF_TABLE_WANTED: show_again(m, &ev.peer); break;
    case OCF_TABLE_USURPED: ocf_mesh_self_usurped(m); break;
    }
  }
  return any;
}

bool ocf_mesh_registry_events(struct ocf_mesh *m)
{
  bool any = gossip_events(m);
  any = block_events(m) || any;
  any = replica_events(m) || any;
  return table_events(m) || any;
}

/* ---- what the replica wants ---- */

static void fetch(struct ocf_mesh *m, const struct ocf_merkle_effect *fx)
{
  struct ocf_peerid hint;
  size_t n = fx->hint.n > 0 && ocf_peerid_from_bytes(fx->hint, &hint) == 0 ? 1 : 0;
  struct ocf_bytes cid = ocf_bytes(fx->cid, OCF_CID_BLOCK_SIZE);
  int err = ocf_bitswap_want(m->blocks, mesh_now(m), cid, &hint, n, NULL);
  if (err != 0 && err != OCF_EEXIST)
    ocf_merkle_fetch_failed(m->replica, mesh_now(m), fx->cid, err == OCF_EUNSUPP);
}

bool ocf_mesh_registry_effects(struct ocf_mesh *m)
{
  struct ocf_merkle_effect fx;
  bool any = false;
  int err;
  while (!m->store_failed && ocf_merkle_effect(m->replica, mesh_now(m), &fx)) {
    struct ocf_bytes cid = ocf_bytes(fx.cid, OCF_CID_BLOCK_SIZE);
    any = true;
    switch (fx.type) {
    case OCF_MERKLE_FETCH: fetch(m, &fx); break;
    case OCF_MERKLE_UNFETCH: (void)ocf_bitswap_cancel(m->blocks, mesh_now(m), cid); break;
    case OCF_MERKLE_STORED: ocf_bitswap_stored(m->blocks, mesh_now(m), cid); break;
    case OCF_MERKLE_BROADCAST:
      err = ocf_gossip_publish(m->gossip, mesh_now(m), ocf_mesh_topic_crdt, fx.payload);
      if (err != 0) /* the next rebroadcast tells it again */
        ocf_mesh_registry_failed(m, err == OCF_EIO ? OCF_EAGAIN : err, "broadcasting heads");
      break;
    }
  }
  return any;
}
