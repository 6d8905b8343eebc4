/* A node of ours in the world: a machine with one process that runs a complete struct ocf_node, the
 * same archives as the program, over simulated sockets, with memory, randomness and key of its own.
 * It can be stopped in order, killed, cut from power, and started again with the same key.
 *
 * Watches itself: a node that asks for turn after turn without time passing, holds more memory than
 * its limit, or leaks when it ends, fails the world. */
#ifndef OCF_SIM_HOST_H
#define OCF_SIM_HOST_H

#include "crypto/key/key.h"
#include "node/core/node.h"
#include "sim/net.h"

enum { OCF_SIM_P2P_PORT = 43905, OCF_SIM_HTTP_PORT = 8092, OCF_SIM_HOST_SERVICES_MAX = 4 };

struct ocf_sim_host {
  struct ocf_sim_proc proc;
  struct ocf_sim_net *net;
  struct ocf_sim_machine *machine;
  struct ocf_node_config cfg; /* changed at will between runs */
  struct ocf_alloc alloc;     /* the node's */
  struct ocf_alloc own;       /* the key's, the same over all runs */
  struct ocf_key key;
  struct ocf_peerid id;
  char id_text[OCF_PEERID_TEXT_SIZE];
  char name[16];
  struct ocf_rng rng;
  struct ocf_log log;
  struct ocf_metrics *metrics;
  struct ocf_node *node; /* NULL: not running */
  struct ocf_sim_listener p2p4, p2p6, http;
  struct ocf_sim_event timer;
  struct {
    struct ocf_service_config cfg;
    char name[32], host[64], group[64];
  } services[OCF_SIM_HOST_SERVICES_MAX];
  size_t n_services;
  struct ocf_alloc disk; /* of `store` */
  struct ocf_kv *store;  /* its registry, as on a disk; NULL: in the process's memory */
  size_t mem_limit;      /* of the next runs */
  uint64_t fail_at;      /* of the next runs: the allocation with this number fails; 0: none */
  bool fail_once;        /* that one alone, and not all later ones too */
  void *(*heap)(struct ocf_alloc *a, void *p, size_t old_size, size_t new_size);
  uint64_t n_boots, n_turns;
  uint64_t spin_at_ns; /* turns without time passing */
  unsigned n_spins;
};

/* A new machine and its node, not running; the key follows from the seed and the machine. */
struct ocf_sim_host *ocf_sim_host_new(struct ocf_sim_net *n, const char *name);
/* Stops it if it runs, and frees. */
void ocf_sim_host_free(struct ocf_sim_host *h);
/* A service of the node, at 127.0.0.1:`port`, or at `path` (a unix socket) when not NULL; from the
 * next start on. `health` "" = never checked. */
void ocf_sim_host_service(struct ocf_sim_host *h, const char *name, uint16_t port, const char *path,
                          const char *health);

/* The service that was added last is offered with this identity group, "model=m0". */
void ocf_sim_host_group(struct ocf_sim_host *h, const char *group);
/* From the next start on a member of the mesh. With `disk` its registry outlives the process: every
 * committed turn is there after a kill. */
void ocf_sim_host_mesh(struct ocf_sim_host *h, const char *role, bool disk);
/* The disk is empty at the next start, which the host knows nothing of: its key is an old one. */
void ocf_sim_host_wipe(struct ocf_sim_host *h);
/* Takes the identity of another host: the same key. Before its first start. */
void ocf_sim_host_clone_key(struct ocf_sim_host *h, const struct ocf_sim_host *from);

/* 0, or OCF_ENOMEM when an allocation was made to fail; nothing runs then. */
OCF_NODISCARD int ocf_sim_host_start(struct ocf_sim_host *h);
/* Ends the process: frees the node in order, the kernel closes what is left. */
void ocf_sim_host_stop(struct ocf_sim_host *h);
/* SIGKILL, or with `power` a power cut of the machine. */
void ocf_sim_host_crash(struct ocf_sim_host *h, bool power);
/* SIGTERM. The scenario waits for ocf_node_drained() and stops it. */
void ocf_sim_host_drain(struct ocf_sim_host *h, uint64_t grace_ns);

/* Tells `h` where `other` is; with `keep` as a static peer, which is dialled and re-dialled. */
void ocf_sim_host_knows(struct ocf_sim_host *h, const struct ocf_sim_host *other, bool keep);
/* Whether the two have a connection, as `h` sees it. */
bool ocf_sim_host_sees(const struct ocf_sim_host *h, const struct ocf_sim_host *other);
/* Where clients on the machine, or elsewhere, reach its HTTP port. */
struct ocf_endpoint ocf_sim_host_http(const struct ocf_sim_host *h, bool local);
struct ocf_endpoint ocf_sim_host_p2p(const struct ocf_sim_host *h);

/* Streams of all connections, as the swarm counts them. */
size_t ocf_sim_host_n_streams(const struct ocf_sim_host *h);

#endif
