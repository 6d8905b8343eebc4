/* What the files of node/core share. streams.c makes channels of streams, api.c is the
 * route table, route.c finds providers, dnt.c shows the node table, offers.c says what this node
 * offers, discover.c finds peers' addresses, node.c holds them together. */
#ifndef OCF_NODE_CORE_NODE_INT_H
#define OCF_NODE_CORE_NODE_INT_H

#include "base/ds/list.h"
#include "node/chan/chan.h"
#include "node/core/node.h"
#include "node/links/links.h"
#include "node/relay/ask.h"
#include "node/loop/loop.h"
#include "p2p/noise/noise.h"
#include "base/mem/pool.h"
#include "route/policy/inflight.h"

/* discover.c */
struct discover {
  struct ocf_ask ask;
  struct ocf_alarm alarm;
  uint64_t wait_ns; /* until the next look */
  size_t turn;
};

struct ocf_node {
  struct ocf_node_config cfg;
  struct ocf_loop loop;
  struct ocf_noise_static noise;
  bool noise_made;
  struct ocf_swarm *swarm;
  struct ocf_relay *relay;
  struct ocf_links links;
  struct ocf_mesh *mesh;          /* NULL: no member */
  struct ocf_snapshot_slot *slot; /* what is routed by; NULL: nothing is */
  struct ocf_bytes protocols[16];
  struct discover discover;
  struct ocf_list offers; /* of offer.link; owned by offers.c */
  struct ocf_deferred offers_changed;
  struct ocf_alarm offers_later;
  struct ocf_inflight inflight; /* these three are route.c's */
  struct ocf_policy policy;
  struct ocf_pool routed;
  struct ocf_list streams; /* of streamchan.link; owned by streams.c */
  char id_text[OCF_PEERID_TEXT_SIZE];
  uint64_t started_ns;
  uint64_t drain_until_ns;
  bool draining;
  struct ocf_list gathers; /* of requests that wait for other planes; owned by metrics.c */
  size_t n_gathers;
  uint64_t last_ticket;
  uint64_t trim_ns;        /* when memory kept for reuse is looked at again; NEVER: there is none */
  uint64_t memory_told_ns; /* when the log last said that memory is short; 0: never */
  uint64_t n_no_memory;    /* peers turned away for want of memory */
};

/* streams.c */
extern const struct ocf_relay_peer_ops ocf_node_peer_ops;
void ocf_node_http_stream_in(struct ocf_node *n, const struct ocf_swarm_event *ev);
void ocf_node_streams_free(struct ocf_node *n);
/* Whether a channel that its user has closed still has bytes to send. */
bool ocf_node_streams_sending(const struct ocf_node *n);

/* metrics.c */
void ocf_node_get_metrics(struct ocf_node *n, struct ocf_request *rq);
/* Takes the times that the swarm has measured. */
void ocf_node_observe(struct ocf_node *n);
void ocf_node_gathers_free(struct ocf_node *n);

/* offers.c */
void ocf_node_offers_init(struct ocf_node *n);
void ocf_node_offers_free(struct ocf_node *n);
void ocf_node_offers_changed(struct ocf_node *n);
void ocf_node_on_health(void *ctx, struct ocf_service *sv);

/* discover.c */
void ocf_node_discover_init(struct ocf_node *n);
void ocf_node_discover_free(struct ocf_node *n);
void ocf_node_discover_soon(struct ocf_node *n);

/* route.c */
void ocf_node_route_init(struct ocf_node *n);
void ocf_node_route_fini(struct ocf_node *n);
void ocf_node_to_provider(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes rest,
                          unsigned depth);

/* dnt.c */
void ocf_node_get_table(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_get_peers(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_get_peers_status(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_get_stats(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_get_bootstraps(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_post_node(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_delete_node(struct ocf_node *n, struct ocf_request *rq);

/* api.c */
void ocf_node_route(void *ctx, struct ocf_request *rq);

#endif
