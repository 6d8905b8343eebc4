/* What the node counts, and the page that shows it, over all planes of the process. */
#include <string.h>

#include "node/core/node_int.h"

enum { GATHERS_MAX = 8 };
#define GATHER_NS OCF_NS_PER_S

/* ---- this plane's numbers ---- */

static const unsigned dirs[] = { OCF_METRIC_DIR_OUT, OCF_METRIC_DIR_IN };

static const unsigned handshake_labels[OCF_SWARM_RES_N] = {
  [OCF_SWARM_RES_OK] = OCF_METRIC_HANDSHAKE_OK,
  [OCF_SWARM_RES_REFUSED] = OCF_METRIC_HANDSHAKE_OTHER,
  [OCF_SWARM_RES_UNREACHABLE] = OCF_METRIC_HANDSHAKE_OTHER,
  [OCF_SWARM_RES_TIMEOUT] = OCF_METRIC_HANDSHAKE_TIMEOUT,
  [OCF_SWARM_RES_NAME] = OCF_METRIC_HANDSHAKE_OTHER,
  [OCF_SWARM_RES_CANCELLED] = OCF_METRIC_HANDSHAKE_OTHER,
  [OCF_SWARM_RES_PROTOCOL] = OCF_METRIC_HANDSHAKE_PROTOCOL,
  [OCF_SWARM_RES_IDENTITY] = OCF_METRIC_HANDSHAKE_IDENTITY,
  [OCF_SWARM_RES_CRYPTO] = OCF_METRIC_HANDSHAKE_CRYPTO,
  [OCF_SWARM_RES_CLOSED] = OCF_METRIC_HANDSHAKE_CLOSED,
  [OCF_SWARM_RES_OTHER] = OCF_METRIC_HANDSHAKE_OTHER,
};

static const unsigned dial_labels[OCF_SWARM_RES_N] = {
  [OCF_SWARM_RES_OK] = OCF_METRIC_DIAL_OK,
  [OCF_SWARM_RES_REFUSED] = OCF_METRIC_DIAL_REFUSED,
  [OCF_SWARM_RES_UNREACHABLE] = OCF_METRIC_DIAL_UNREACHABLE,
  [OCF_SWARM_RES_TIMEOUT] = OCF_METRIC_DIAL_TIMEOUT,
  [OCF_SWARM_RES_NAME] = OCF_METRIC_DIAL_NAME,
  [OCF_SWARM_RES_CANCELLED] = OCF_METRIC_DIAL_CANCELLED,
  [OCF_SWARM_RES_PROTOCOL] = OCF_METRIC_DIAL_OTHER,
  [OCF_SWARM_RES_IDENTITY] = OCF_METRIC_DIAL_OTHER,
  [OCF_SWARM_RES_CRYPTO] = OCF_METRIC_DIAL_OTHER,
  [OCF_SWARM_RES_CLOSED] = OCF_METRIC_DIAL_OTHER,
  [OCF_SWARM_RES_OTHER] = OCF_METRIC_DIAL_OTHER,
};

static void set1(struct ocf_metrics *m, enum ocf_metric_id id, unsigned label, uint64_t value)
{
  ocf_metric_set3(m, id, label, 0, 0, (int64_t)value);
}

/* Several results may share a label, so these are summed anew each time. */
static void set_results(struct ocf_metrics *m, const struct ocf_swarm_stats *s)
{
  for (unsigned l = 0; l < OCF_METRIC_DIAL_N; l++)
    set1(m, OCF_METRIC_P2P_DIALS, l, 0);
  for (size_t r = 0; r < OCF_SWARM_RES_N; r++)
    ocf_metric_add1(m, OCF_METRIC_P2P_DIALS, dial_labels[r], s->dial_results[r]);
  for (size_t d = 0; d < 2; d++) {
    for (unsigned l = 0; l < OCF_METRIC_HANDSHAKE_N; l++)
      ocf_metric_set3(m, OCF_METRIC_P2P_HANDSHAKES, dirs[d], l, 0, 0);
    for (size_t r = 0; r < OCF_SWARM_RES_N; r++)
      ocf_metric_add3(m, OCF_METRIC_P2P_HANDSHAKES, dirs[d], handshake_labels[r], 0,
                      s->handshake_results[d][r]);
  }
}

static void set_own_streams(struct ocf_metrics *m, const struct ocf_swarm_stats *s)
{
  static const unsigned labels[OCF_SWARM_OWN_N] = {
    [OCF_SWARM_IDENTIFY] = OCF_METRIC_PROTOCOL_IDENTIFY,
    [OCF_SWARM_PUSH] = OCF_METRIC_PROTOCOL_IDENTIFY_PUSH,
    [OCF_SWARM_PING] = OCF_METRIC_PROTOCOL_PING,
  };
  for (size_t d = 0; d < 2; d++) {
    for (size_t k = 0; k < OCF_SWARM_OWN_N; k++) {
      ocf_metric_set3(m, OCF_METRIC_P2P_STREAMS, dirs[d], labels[k], 0,
                      (int64_t)s->own_streams[d][k]);
      ocf_metric_set3(m, OCF_METRIC_P2P_STREAMS_TOTAL, dirs[d], labels[k], 0,
                      (int64_t)s->own_streams_total[d][k]);
    }
  }
}

static void update_gossip(struct ocf_metrics *m, const struct ocf_gossip_stats *s)
{
  static const unsigned rejects[OCF_GOSSIP_REJ_N] = {
    [OCF_GOSSIP_REJ_TOPIC] = OCF_METRIC_REJECT_TOPIC,
    [OCF_GOSSIP_REJ_SELF] = OCF_METRIC_REJECT_SELF,
    [OCF_GOSSIP_REJ_SEQNO] = OCF_METRIC_REJECT_SEQNO,
    [OCF_GOSSIP_REJ_SIZE] = OCF_METRIC_REJECT_SIZE,
    [OCF_GOSSIP_REJ_FULL] = OCF_METRIC_REJECT_FULL,
    [OCF_GOSSIP_REJ_MEMORY] = OCF_METRIC_REJECT_MEMORY,
    [OCF_GOSSIP_REJ_UNSIGNED] = OCF_METRIC_REJECT_UNSIGNED,
    [OCF_GOSSIP_REJ_AUTHOR] = OCF_METRIC_REJECT_AUTHOR,
    [OCF_GOSSIP_REJ_KEY] = OCF_METRIC_REJECT_KEY,
    [OCF_GOSSIP_REJ_SIGNATURE] = OCF_METRIC_REJECT_SIGNATURE,
  };
  set1(m, OCF_METRIC_GOSSIP_PEERS, 0, s->n_peers);
  set1(m, OCF_METRIC_GOSSIP_MESH, 0, s->n_mesh);
  set1(m, OCF_METRIC_GOSSIP_MESSAGES, OCF_METRIC_GOSSIP_MESSAGE, s->delivered);
  set1(m, OCF_METRIC_GOSSIP_MESSAGES, OCF_METRIC_GOSSIP_DUPLICATE, s->duplicates);
  set1(m, OCF_METRIC_GOSSIP_MESSAGES, OCF_METRIC_GOSSIP_PUBLISHED, s->published);
  set1(m, OCF_METRIC_GOSSIP_MESSAGES, OCF_METRIC_GOSSIP_FORWARDED, s->forwarded);
  set1(m, OCF_METRIC_GOSSIP_MESSAGES, OCF_METRIC_GOSSIP_DROPPED,
       s->dropped_forward + s->dropped_own);
  set1(m, OCF_METRIC_GOSSIP_DISCONNECTS, 0, s->disconnects);
  for (size_t i = 0; i < OCF_GOSSIP_REJ_N; i++)
    set1(m, OCF_METRIC_GOSSIP_REJECTED, rejects[i], s->rejected[i]);
}

static void update_blocks(struct ocf_metrics *m, const struct ocf_bitswap_stats *s)
{
  static const unsigned offences[OCF_BITSWAP_N_OFFENCES] = {
    [OCF_BITSWAP_MALFORMED] = OCF_METRIC_OFFENCE_MALFORMED,
    [OCF_BITSWAP_IDENTITY_WANT] = OCF_METRIC_OFFENCE_IDENTITY_WANT,
    [OCF_BITSWAP_UNREQUESTED] = OCF_METRIC_OFFENCE_UNREQUESTED,
    [OCF_BITSWAP_WANT_FLOOD] = OCF_METRIC_OFFENCE_WANT_FLOOD,
    [OCF_BITSWAP_SLOW_MESSAGE] = OCF_METRIC_OFFENCE_SLOW_MESSAGE,
  };
  set1(m, OCF_METRIC_BITSWAP_BLOCKS, OCF_METRIC_DIR_IN, s->blocks_in);
  set1(m, OCF_METRIC_BITSWAP_BLOCKS, OCF_METRIC_DIR_OUT, s->blocks_out);
  set1(m, OCF_METRIC_BITSWAP_BYTES, OCF_METRIC_DIR_IN, s->bytes_in);
  set1(m, OCF_METRIC_BITSWAP_BYTES, OCF_METRIC_DIR_OUT, s->bytes_out);
  set1(m, OCF_METRIC_BITSWAP_WANTS, 0, s->wants);
  for (size_t i = 0; i < OCF_BITSWAP_N_OFFENCES; i++)
    set1(m, OCF_METRIC_BITSWAP_OFFENCES, offences[i], s->offences[i]);
}

static void update_registry(struct ocf_metrics *m, const struct ocf_mesh_stats *s)
{
  static const unsigned verdicts[OCF_TABLE_N_VERDICTS] = {
    [OCF_TABLE_SHOWN] = OCF_METRIC_VERDICT_SHOWN,
    [OCF_TABLE_SAME] = OCF_METRIC_VERDICT_SAME,
    [OCF_TABLE_HELD] = OCF_METRIC_VERDICT_HELD,
    [OCF_TABLE_OWN] = OCF_METRIC_VERDICT_OWN,
    [OCF_TABLE_BAD_KEY] = OCF_METRIC_VERDICT_BAD_KEY,
    [OCF_TABLE_TOO_LARGE] = OCF_METRIC_VERDICT_TOO_LARGE,
    [OCF_TABLE_MALFORMED] = OCF_METRIC_VERDICT_MALFORMED,
    [OCF_TABLE_WRONG_ID] = OCF_METRIC_VERDICT_WRONG_ID,
    [OCF_TABLE_FOREIGN] = OCF_METRIC_VERDICT_FOREIGN,
    [OCF_TABLE_FULL] = OCF_METRIC_VERDICT_FULL,
  };
  set1(m, OCF_METRIC_REGISTRY_ROWS, 0, s->table.n_rows);
  set1(m, OCF_METRIC_REGISTRY_HELD, 0, s->table.n_held);
  set1(m, OCF_METRIC_REGISTRY_BLOCKS, 0, s->replica.blocks);
  set1(m, OCF_METRIC_REGISTRY_BLOCK_BYTES, 0, s->replica.block_bytes);
  set1(m, OCF_METRIC_REGISTRY_HEADS, 0, s->replica.heads);
  set1(m, OCF_METRIC_REGISTRY_MISSING, 0, s->replica.fetches);
  set1(m, OCF_METRIC_REGISTRY_MERGED, 0, s->replica.blocks_merged);
  set1(m, OCF_METRIC_REGISTRY_WRITES, 0, s->replica.puts + s->replica.deletes);
  set1(m, OCF_METRIC_REGISTRY_SYNCED, 0, s->replica.synced ? 1 : 0);
  set1(m, OCF_METRIC_REGISTRY_FAILED, 0, s->store_failed ? 1 : 0);
  for (size_t i = 0; i < OCF_TABLE_N_VERDICTS; i++)
    set1(m, OCF_METRIC_REGISTRY_VERDICTS, verdicts[i], s->table.verdicts[i]);
}

/* Takes over what the mesh counts by itself. */
static void update_mesh(struct ocf_node *n)
{
  struct ocf_mesh_stats s;
  if (n->mesh == NULL)
    return;
  ocf_mesh_stats(n->mesh, &s);
  update_gossip(n->loop.metrics, &s.gossip);
  update_blocks(n->loop.metrics, &s.blocks);
  update_registry(n->loop.metrics, &s);
}

/* Takes over what the swarm counts by itself. */
static void update(struct ocf_node *n)
{
  struct ocf_metrics *m = n->loop.metrics;
  struct ocf_swarm_stats s;
  ocf_swarm_stats(n->swarm, &s);
  set1(m, OCF_METRIC_P2P_PEERS, 0, s.n_peers);
  set1(m, OCF_METRIC_P2P_CONNS, OCF_METRIC_DIR_OUT, s.n_up[0]);
  set1(m, OCF_METRIC_P2P_CONNS, OCF_METRIC_DIR_IN, s.n_up[1]);
  set1(m, OCF_METRIC_P2P_CONNS_TOTAL, OCF_METRIC_DIR_IN, s.conns_in);
  set1(m, OCF_METRIC_P2P_CONNS_TOTAL, OCF_METRIC_DIR_OUT, s.conns_out);
  set1(m, OCF_METRIC_P2P_RESETS, OCF_METRIC_DIR_OUT, s.resets[0]);
  set1(m, OCF_METRIC_P2P_RESETS, OCF_METRIC_DIR_IN, s.resets[1]);
  set1(m, OCF_METRIC_P2P_BYTES, OCF_METRIC_DIR_IN, s.rx_bytes);
  set1(m, OCF_METRIC_P2P_BYTES, OCF_METRIC_DIR_OUT, s.tx_bytes);
  set1(m, OCF_METRIC_P2P_TRIMMED, 0, s.trimmed);
  set1(m, OCF_METRIC_P2P_IDENTIFIES, OCF_METRIC_DIR_IN, s.identify_ok + s.push_in);
  set1(m, OCF_METRIC_P2P_IDENTIFIES, OCF_METRIC_DIR_OUT, s.push_out);
  set1(m, OCF_METRIC_P2P_IDENTIFY_ERRORS, 0, s.identify_failed);
  set1(m, OCF_METRIC_P2P_REFUSED, OCF_METRIC_REFUSED_IP_CONNS, s.refused_ip);
  set1(m, OCF_METRIC_P2P_REFUSED, OCF_METRIC_REFUSED_IP_RATE, s.refused_rate);
  set1(m, OCF_METRIC_P2P_REFUSED, OCF_METRIC_REFUSED_HANDSHAKES, s.refused_handshakes);
  set1(m, OCF_METRIC_P2P_REFUSED, OCF_METRIC_REFUSED_CONNECTIONS,
       s.refused_full - s.refused_handshakes);
  set1(m, OCF_METRIC_P2P_REFUSED, OCF_METRIC_REFUSED_MEMORY, s.refused_memory + n->n_no_memory);
  set1(m, OCF_METRIC_MEMORY_LIVE, 0, n->loop.alloc->live_bytes);
  set_results(m, &s);
  set_own_streams(m, &s);
  update_mesh(n);
}

void ocf_node_observe(struct ocf_node *n)
{
  struct ocf_swarm_sample s;
  while (ocf_swarm_sample(n->swarm, &s)) {
    if (s.type == OCF_SWARM_HANDSHAKE_TIME)
      ocf_metric_observe1(n->loop.metrics, OCF_METRIC_P2P_HANDSHAKE_TIME, dirs[s.inbound], s.ns);
    else
      ocf_metric_observe1(n->loop.metrics, OCF_METRIC_P2P_RTT, 0, s.ns);
  }
}

void ocf_node_counts(struct ocf_node *n, struct ocf_metrics *out)
{
  update(n);
  *out = *n->loop.metrics;
}

/* ---- the page ---- */

static void answer(struct ocf_node *n, struct ocf_request *rq, const struct ocf_metrics *m)
{
  struct ocf_buf b;
  ocf_buf_init(&b, n->loop.alloc, OCF_METRIC_PAGE_MAX);
  if (ocf_metrics_write(m, n->cfg.build_info, n->cfg.n_build_info, &b) == 0)
    ocf_request_reply(rq, 200, OCF_METRIC_CONTENT_TYPE, ocf_buf_view(&b), NULL, 0);
  else
    ocf_request_fail(rq, 503, "out_of_memory", "no memory for the metrics page", 1);
  ocf_buf_fini(&b);
}

/* A request that waits for the numbers of other planes. It outlives the request when the client
 * leaves first, so that the answers find it. */
struct gather {
  struct ocf_list link; /* node.gathers */
  struct ocf_node *n;
  struct ocf_parked parked;
  struct ocf_alarm alarm;
  uint64_t ticket;
  size_t n_waiting;
  struct ocf_metrics sum;
};

static void gather_free(struct gather *g)
{
  ocf_alarm_stop(&g->n->loop, &g->alarm);
  ocf_list_remove(&g->link);
  g->n->n_gathers--;
  OCF_DELETE(g->n->loop.alloc, g);
}

static void gather_end(struct gather *g)
{
  if (g->parked.rq != NULL)
    answer(g->n, ocf_request_unpark(&g->parked), &g->sum);
  gather_free(g);
}

/* A plane that hangs is left out of the page rather than the page out of the answer. */
static void on_alarm(struct ocf_alarm *a)
{
  struct gather *g = OCF_CONTAINER_OF(a, struct gather, alarm);
  OCF_LOGF(g->n->loop.log, "node", OCF_LOG_WARN, "metrics without all planes",
           OCF_LOG_U64("missing", g->n_waiting));
  gather_end(g);
}

static void gather_begin(struct ocf_node *n, struct ocf_request *rq)
{
  struct gather *g = n->n_gathers < GATHERS_MAX ? OCF_NEW(n->loop.alloc, struct gather) : NULL;
  if (g == NULL) {
    ocf_request_fail(rq, 503, "overloaded", "the metrics are being read too often", 1);
    return;
  }
  g->n = n;
  g->alarm.fire = on_alarm;
  g->ticket = ++n->last_ticket;
  ocf_list_push_back(&n->gathers, &g->link);
  n->n_gathers++;
  ocf_node_counts(n, &g->sum);
  ocf_request_park(rq, &g->parked);
  g->n_waiting = n->cfg.gather(n->cfg.gather_user, g->ticket);
  if (g->n_waiting == 0)
    gather_end(g);
  else
    ocf_alarm_start(&n->loop, &g->alarm, GATHER_NS);
}

void ocf_node_gathered(struct ocf_node *n, uint64_t now_ns, uint64_t ticket,
                       const struct ocf_metrics *m)
{
  n->loop.now_ns = now_ns;
  OCF_LIST_FOREACH_SAFE (it, &n->gathers) {
    struct gather *g = OCF_LIST_ENTRY(it, struct gather, link);
    if (g->ticket != ticket)
      continue;
    ocf_metrics_merge(&g->sum, m);
    if (--g->n_waiting == 0)
      gather_end(g);
    return;
  }
}

void ocf_node_gathers_free(struct ocf_node *n)
{
  OCF_LIST_FOREACH_SAFE (it, &n->gathers) {
    gather_free(OCF_LIST_ENTRY(it, struct gather, link));
  }
}

void ocf_node_get_metrics(struct ocf_node *n, struct ocf_request *rq)
{
  if (!n->cfg.metrics_enabled) {
    ocf_request_fail(rq, 404, "not_found", "metrics are switched off (metrics.enabled)", 0);
    return;
  }
  if (n->cfg.gather != NULL) {
    gather_begin(n, rq);
    return;
  }
  update(n);
  answer(n, rq, n->loop.metrics);
}
