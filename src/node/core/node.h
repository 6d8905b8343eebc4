/* One node on one loop: the swarm, the relay and the routes, put together. Events of the driver go
 * in by the functions below, effects go out through struct ocf_env; sim/ and io/ run the same code.
 *
 * Belongs to its loop. Several nodes with one identity are the planes of one process: each has its
 * own client sockets and peer connections and shares nothing. */
#ifndef OCF_NODE_CORE_NODE_H
#define OCF_NODE_CORE_NODE_H

#include "base/core/core.h"
#include "base/log/log.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "crypto/key/key.h"
#include "multi/maddr/maddr.h"
#include "multi/peerid/peerid.h"
#include "node/env/env.h"
#include "node/mesh/mesh.h"
#include "node/relay/relay.h"
#include "obs/metric/metric.h"
#include "p2p/swarm/swarm.h"
#include "route/policy/policy.h"

struct ocf_node;

struct ocf_node_config {
  struct ocf_relay_config relay;
  struct ocf_swarm_config swarm; /* limits and times; the pointers are filled by the node */
  const struct ocf_key *key;     /* borrowed for the node's life */
  const char *version;           /* "0.1.0" */
  const char *role;              /* "worker", "head", "relay" */
  bool p2p_route_open;           /* /v1/p2p and /v1/_service for callers on other machines */
  bool metrics_enabled;
  bool mesh_enabled;              /* this node is a member of the mesh: one plane of a process is */
  struct ocf_mesh_config mesh;    /* `key`, `role` and `version` are filled by the node */
  struct ocf_snapshot_slot *slot; /* a plane that is no member routes by another's snapshots */
  enum ocf_policy_kind policy;
  size_t body_scan_max; /* bytes of a body that are held until its route is known */
  const struct ocf_metric_info *build_info; /* borrowed */
  size_t n_build_info;
  /* For a node that is one of several planes: asks the others for what they count and returns how
   * many were asked. Each answers by ocf_node_gathered(), later, not in this call; one that does
   * not within a second is left out of the page. NULL: /metrics shows this node alone. */
  size_t (*gather)(void *user, uint64_t ticket);
  void *gather_user;
};

/* Defaults of every limit and time. */
void ocf_node_config_init(struct ocf_node_config *cfg);

/* Borrows env, alloc, rng, log, metrics for its life; copies cfg. OCF_ENOMEM, OCF_EINVAL. */
OCF_NODISCARD int ocf_node_new(const struct ocf_node_config *cfg, struct ocf_env *env,
                               struct ocf_alloc *alloc, struct ocf_rng *rng,
                               const struct ocf_log *log, struct ocf_metrics *metrics,
                               uint64_t now_ns, struct ocf_node **out);
/* Frees everything at once; sockets are closed. */
void ocf_node_free(struct ocf_node *n);

/* Takes over from `cfg` what may change while the node runs: all of `relay` and p2p_route_open. It
 * holds for what begins from now on; a time-out that is running keeps its length. */
void ocf_node_set_config(struct ocf_node *n, uint64_t now_ns, const struct ocf_node_config *cfg);

/* Addresses at which everybody can reach this node: /v1/dnt/bootstraps tells them. Replaces those
 * of the last call; copied. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_node_set_public_addrs(struct ocf_node *n, const struct ocf_maddr *addrs,
                                            size_t n_addrs);

/* A service of this node, with what it is known for. */
struct ocf_node_service {
  struct ocf_service_config relay;
  const struct ocf_bytes *groups; /* identity groups, "key=value" */
  size_t n_groups;
  bool ask_models; /* it tells its models at /v1/models: one group "model=<id>" each */
};
/* Copies it. A service of the same name is moved to the new place and gets the new groups. It is
 * told to the mesh while it is well. OCF_EINVAL, OCF_ENOMEM. */
OCF_NODISCARD int ocf_node_add_service(struct ocf_node *n, const struct ocf_node_service *s);

/* Where the last good bootstrap list is kept. Both are called on another thread, one at a time, and
 * maybe after the node is gone: the structure stays until its driver has ended. */
struct ocf_node_boot_store {
  /* Reads at most `cap` bytes; *n is 0 when there is none. An error code. */
  int (*load)(struct ocf_node_boot_store *s, uint8_t *p, size_t cap, size_t *n);
  /* Replaces it, as a whole or not at all. An error code. */
  int (*save)(struct ocf_node_boot_store *s, struct ocf_bytes text);
};

struct ocf_node_boot {
  const char *const *sources; /* each in one of the forms of registry/bootlist; copied */
  size_t n_sources;
  uint64_t timeout_ns; /* in which a source must have answered */
  size_t want;         /* with fewer bootstrap peers connected the sources are asked again */
  struct ocf_node_boot_store *store; /* borrowed; NULL: nothing is kept */
};
/* The bootstrap peers, from now on: every address that the sources name is a static peer of the
 * swarm; peers of an earlier call that they do not name any more are none. Addresses among the
 * sources count at once. URLs and DNS names are asked all at the same time, each answer counts when
 * it comes, and they are asked again, after 5 s to 2 min, for as long as too few peers are
 * connected. What one of them told last stays when it fails. When all fail at first, the list of
 * the store is used, if one of them has told it. Bad entries and failing sources are logged once.
 * No sources: no bootstrap peers. 0, or OCF_ENOMEM and all is as before. */
OCF_NODISCARD int ocf_node_bootstrap(struct ocf_node *n, uint64_t now_ns,
                                     const struct ocf_node_boot *cfg);
/* How the bootstrap peers stand. */
struct ocf_node_boot_stats {
  size_t n_peers, n_connected; /* different peers */
  size_t n_sources, n_asking;  /* URLs and DNS names; those whose answer is awaited */
  bool from_store;             /* the stored list is in use */
};
void ocf_node_boot_stats(const struct ocf_node *n, struct ocf_node_boot_stats *out);

const struct ocf_peerid *ocf_node_id(const struct ocf_node *n);
struct ocf_swarm *ocf_node_swarm(struct ocf_node *n);
struct ocf_relay *ocf_node_relay(struct ocf_node *n);
/* NULL: no member of the mesh. */
struct ocf_mesh *ocf_node_mesh(struct ocf_node *n);

/* A socket was accepted; it is the node's from here on. */
void ocf_node_accept_http(struct ocf_node *n, uint64_t now_ns, struct ocf_sock *s,
                          const struct ocf_ip_addr *remote);
void ocf_node_accept_p2p(struct ocf_node *n, uint64_t now_ns, struct ocf_sock *s,
                         const struct ocf_ip_addr *remote);

/* The end of a turn: due timers, then everything deferred, then what is to be sent. The driver
 * calls it once before it sleeps, and again by the deadline. */
void ocf_node_turn(struct ocf_node *n, uint64_t now_ns);
uint64_t ocf_node_deadline(struct ocf_node *n);

/* What this node counts, up to now. */
void ocf_node_counts(struct ocf_node *n, struct ocf_metrics *out);
/* The answer of another plane. An unknown ticket is ignored: its request has been answered. */
void ocf_node_gathered(struct ocf_node *n, uint64_t now_ns, uint64_t ticket,
                       const struct ocf_metrics *m);

/* How near the node's allocator is to its limit. Each step includes those before it. */
enum ocf_node_pressure {
  OCF_NODE_EASY,
  OCF_NODE_SHED_IDLE,     /* 75 %: connections kept for later requests are closed */
  OCF_NODE_SHED_REQUESTS, /* 85 %: requests to peers and services are answered 503 with Retry-After;
                             health, metrics and /v1/self are still told */
  OCF_NODE_SHED_CONNS,    /* 95 %: connections are closed at accept, streams of peers reset */
};
enum ocf_node_pressure ocf_node_pressure(const struct ocf_node *n);

/* Begins to stop: no new clients or peers; what is in flight may finish within `grace_ns`. */
void ocf_node_drain(struct ocf_node *n, uint64_t now_ns, uint64_t grace_ns);
/* True when draining and nothing is in flight any more: no request, and no byte of an answer that
 * has not been handed to the system. */
bool ocf_node_drained(const struct ocf_node *n);

#endif
