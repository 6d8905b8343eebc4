/* What the files of node/core share. streams.c makes channels of streams, api.c is the
 * route table, route.c finds providers, dnt.c shows the node table, offers.c says what this node
 * offers, discover.c finds peers' addresses, boot.c keeps the
 * bootstrap peers, node.c holds them together. */
#ifndef OCF_NODE_CORE_NODE_INT_H
#define OCF_NODE_CORE_NODE_INT_H

#include "base/ds/list.h"
#include "node/chan/chan.h"
#include "node/core/node.h"
#include "node/links/links.h"
#include "node/relay/ask.h"
#include "node/loop/loop.h"
#include "p2p/noise/noise.h"
#include "registry/bootlist/bootlist.h"
#include "base/time/backoff.h"
#include "base/mem/pool.h"
#include "route/policy/inflight.h"

/* A peer that has just failed a request: others are tried before it. */
enum { AVOIDED_MAX = 8 };
struct avoided {
  struct ocf_peerid peer;
  uint64_t until_ns;
};

/* discover.c */
struct discover {
  struct ocf_ask ask;
  struct ocf_alarm alarm;
  uint64_t wait_ns; /* until the next look */
  size_t turn;
  size_t asked; /* peers, since it was last begun anew */
};

/* A source that has to be asked: boot_ask.c. */
struct asked {
  struct ocf_list link;   /* boot.asked */
  char *text;             /* as configured, or as an address names it; owned */
  const char *name;       /* what the DNS is asked for, in `text`'s memory; NULL: `text` is a URL */
  size_t n_text;          /* bytes of that memory */
  struct ocf_peerid only; /* entries of other peers do not count; none: all do */
  struct boot_call *call; /* under way */
  struct ocf_bootlist got; /* of its last good answer; errors of its last one */
  int err, status;         /* of its last answer */
  bool answered;           /* there was one */
};

/* boot.c, boot_ask.c, boot_disk.c */
struct boot {
  struct ocf_list asked; /* of asked.link: URLs and DNS names; owned */
  struct ocf_bootlist literal, stored;
  struct ocf_bootlist applied; /* what the swarm was told: all of the lists together */
  bool done[OCF_BOOTLIST_MAX]; /* of each of `applied`: it needs no further attempt */
  struct ocf_node_boot_store *store;
  struct disk_job *job;   /* under way */
  struct ocf_bytes saved; /* what is in the store, as far as we know; owned */
  struct ocf_alarm alarm;
  struct ocf_backoff backoff;
  uint64_t timeout_ns;
  size_t want, n_asking;
  bool waiting; /* for the alarm */
  bool loaded, from_store;
  bool stale; /* `applied` is not what the lists say: no memory */
  int told_save_err;
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
  struct boot boot;
  struct ocf_maddr *public_addrs; /* owned */
  size_t n_public_addrs;
  struct ocf_list offers; /* of offer.link; owned by offers.c */
  struct ocf_deferred offers_changed;
  struct ocf_alarm offers_later;
  struct ocf_inflight inflight; /* these three are route.c's */
  struct ocf_policy policy;
  struct ocf_pool routed;
  struct avoided avoided[AVOIDED_MAX]; /* oldest at n_avoided modulo AVOIDED_MAX */
  size_t n_avoided;                    /* ever */
  struct ocf_list streams;             /* of streamchan.link; owned by streams.c */
  char id_text[OCF_PEERID_TEXT_SIZE];
  uint64_t started_ns;
  uint64_t drain_until_ns;
  uint64_t close_until_ns; /* when the sockets of peers are closed at the latest; NEVER: not yet */
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

/* boot.c */
void ocf_node_boot_init(struct ocf_node *n);
void ocf_node_boot_free(struct ocf_node *n);
/* A peer was connected or lost. */
void ocf_node_boot_peer(struct ocf_node *n);
/* A list has changed: tells the swarm, once all lists together could be made. */
void ocf_node_boot_apply(struct ocf_node *n);
/* Nobody is asked any more. */
void ocf_node_boot_asked_all(struct ocf_node *n);
/* Names each bad entry of `now` that was not bad `before` already. */
void ocf_node_boot_log_errors(struct ocf_node *n, const char *source,
                              const struct ocf_bootlist *now, const struct ocf_bootlist *before);
/* boot_ask.c: `what` is a URL, or a host whose TXT records are asked. NULL: no memory. */
struct asked *ocf_node_boot_asked_new(struct ocf_node *n, struct ocf_bytes what, bool dns,
                                      const struct ocf_peerid *only);
void ocf_node_boot_asked_free(struct ocf_node *n, struct asked *s);
void ocf_node_boot_ask(struct ocf_node *n);
/* boot_disk.c */
void ocf_node_boot_load(struct ocf_node *n);
void ocf_node_boot_save(struct ocf_node *n);
void ocf_node_boot_disk_free(struct ocf_node *n);

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
void ocf_node_get_refused(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_post_node(struct ocf_node *n, struct ocf_request *rq);
void ocf_node_delete_node(struct ocf_node *n, struct ocf_request *rq);

/* api.c */
void ocf_node_route(void *ctx, struct ocf_request *rq);

#endif
