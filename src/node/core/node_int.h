/* What the files of node/core share. streams.c makes channels of streams, api.c is the
 * route table, node.c holds them together. */
#ifndef OCF_NODE_CORE_NODE_INT_H
#define OCF_NODE_CORE_NODE_INT_H

#include "base/ds/list.h"
#include "node/chan/chan.h"
#include "node/core/node.h"
#include "node/links/links.h"
#include "node/loop/loop.h"
#include "p2p/noise/noise.h"

struct ocf_node {
  struct ocf_node_config cfg;
  struct ocf_loop loop;
  struct ocf_noise_static noise;
  bool noise_made;
  struct ocf_swarm *swarm;
  struct ocf_relay *relay;
  struct ocf_links links;
  struct ocf_list streams; /* of streamchan.link; owned by streams.c */
  char id_text[OCF_PEERID_TEXT_SIZE];
  uint64_t started_ns;
  uint64_t drain_until_ns;
  bool draining;
  struct ocf_list gathers; /* of requests that wait for other planes; owned by metrics.c */
  size_t n_gathers;
  uint64_t last_ticket;
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

/* api.c */
void ocf_node_route(void *ctx, struct ocf_request *rq);

#endif
