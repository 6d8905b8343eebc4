/* The simulated network: machines with addresses, processes with sockets, TCP-like connections
 * between them, and the faults that may hit all of them.
 *
 * Sockets are reached through struct ocf_env alone, with the semantics of io/uv: a connection is
 * two byte pipes with a send buffer and a receive window each, so that sends are taken in parts and
 * reads come in pieces; ends, resets, refusals and silence come as a kernel would tell them. What
 * arrives never depends on how it was cut.
 *
 * Faults: paths may be cut in one direction or both (what is sent waits and is sent again with
 * growing distance, as TCP does, until it gives up), machines may lose power, processes may be
 * killed, connections may be reset, ports may swallow or refuse.
 *
 * Belongs to the world's thread. Memory comes from the world's allocator. */
#ifndef OCF_SIM_NET_H
#define OCF_SIM_NET_H

#include "base/buf/queue.h"
#include "base/ds/map.h"
#include "node/env/env.h"
#include "sim/world.h"

enum { OCF_SIM_MACHINES_MAX = 1024, OCF_SIM_NAMES_MAX = 32, OCF_SIM_DOCS_MAX = 32 };

struct ocf_sim_net_config {
  uint64_t latency_min_ns, latency_max_ns; /* one way, drawn once for each pair of machines */
  uint64_t jitter_ns;                      /* added to each segment's latency, at most */
  uint64_t local_ns;                       /* one way within a machine */
  uint64_t bytes_per_s;                    /* of a machine's outgoing link; 0: unlimited */
  size_t sndbuf_min, sndbuf_max;           /* bytes, drawn for each connection */
  size_t rcvbuf_min, rcvbuf_max;
  size_t local_buf_max;    /* of connections within a machine; 0: no other bound */
  size_t segment_max;      /* bytes that travel together */
  unsigned short_permille; /* reads that get a random part only */
  unsigned late_permille;  /* segments that come 200 ms late, as after a loss */
  unsigned reset_ppm;      /* segments that become a reset of their connection */
  uint64_t wake_ns;        /* a process notices news within this */
  uint64_t give_up_ns;     /* unacknowledged data for so long: the connection is dead */
  bool reset_drops_unread; /* a reset takes the receiver's unread bytes with it */
};
/* A calm network: 0.2-2 ms, 64-256 KiB buffers, 30 % short reads, nothing lost. */
void ocf_sim_net_config_init(struct ocf_sim_net_config *cfg);

struct ocf_sim_machine {
  uint32_t id;
  struct ocf_ip_addr ip4, ip6; /* 10.x.y.z and fd00::id; port 0 */
  uint64_t link_free_ns;       /* when its outgoing link has sent what it was given */
  uint16_t next_port;
  bool powered, swallows;           /* swallows: connects to it are never answered */
  struct ocf_list procs, listeners; /* of the two structs below */
};

/* A process: the owner of sockets, with the environment that a node is given. `turn` (may be NULL)
 * is called a little after callbacks were made, once for all of them, as a loop does before it
 * sleeps. Embedded in its owner, who sets `turn`, `user` and `max_socks` after init. */
struct ocf_sim_proc {
  struct ocf_env env; /* first */
  struct ocf_sim_net *net;
  struct ocf_sim_machine *machine;
  struct ocf_list link;    /* in machine->procs */
  struct ocf_list socks;   /* open handles */
  struct ocf_list zombies; /* handles that a kill took away; their user may still name them */
  struct ocf_list lookups;
  struct ocf_list work; /* jobs and fetches that have not ended */
  size_t n_socks, max_socks, n_work;
  bool ending;           /* no new work */
  int64_t clock_skew_ns; /* added to the wall clock */
  struct ocf_sim_event turn_event;
  void (*turn)(void *user);
  void *user;
};

typedef void (*ocf_sim_accept_fn)(void *user, uint64_t now_ns, struct ocf_sock *s,
                                  const struct ocf_ip_addr *remote);

/* A listening port or path. Embedded in its owner. */
struct ocf_sim_listener {
  struct ocf_list link; /* in machine->listeners */
  struct ocf_sim_proc *proc;
  struct ocf_endpoint at;
  ocf_sim_accept_fn fn;
  void *user;
};

struct ocf_sim_name {
  char host[64];
  struct ocf_ip_addr ips[OCF_RESOLVE_MAX];
  size_t n;
  int err;
  uint64_t after_ns;
};

struct ocf_sim_doc {
  char url[256];
  int status, err;
  const char *body; /* the scenario's */
  uint64_t after_ns;
};

struct ocf_sim_net {
  struct ocf_sim *w;
  struct ocf_sim_net_config cfg;
  struct ocf_sim_machine *machines[OCF_SIM_MACHINES_MAX]; /* owned here */
  size_t n_machines;
  struct ocf_chunk_pool chunks;
  struct ocf_list conns; /* owned here */
  struct ocf_list dead;  /* connections to be freed by `reaper` */
  struct ocf_sim_event reaper;
  struct ocf_sim_name names[OCF_SIM_NAMES_MAX];
  size_t n_names;
  struct ocf_sim_doc docs[OCF_SIM_DOCS_MAX];
  size_t n_docs;
  uint64_t next_conn, next_client, latency_salt;
  uint8_t *cut; /* [from * MACHINES_MAX + to]: OCF_SIM_CUT bits */
};

void ocf_sim_net_init(struct ocf_sim_net *n, struct ocf_sim *w,
                      const struct ocf_sim_net_config *cfg);
/* Every process must have ended. */
void ocf_sim_net_fini(struct ocf_sim_net *n);

/* The next machine, powered on; the network's. */
struct ocf_sim_machine *ocf_sim_machine_new(struct ocf_sim_net *n);
/* An answer for look-ups of `host`. Unknown names give OCF_ENOENT. */
void ocf_sim_name_set(struct ocf_sim_net *n, const char *host, const struct ocf_ip_addr *ips,
                      size_t n_ips, int err, uint64_t after_ns);

/* What a fetch of `url` gives from now on: `status` and `body` (the caller's, for good), or `err`.
 * Unknown URLs give OCF_ENOENT. */
void ocf_sim_doc_set(struct ocf_sim_net *n, const char *url, int status, const char *body, int err,
                     uint64_t after_ns);

/* TXT look-ups of `name` find their records, one in each line, in the document "txt:<name>". */

void ocf_sim_proc_init(struct ocf_sim_proc *p, struct ocf_sim_net *n, struct ocf_sim_machine *m);
/* Ends the process in order: its sockets are closed, its look-ups forgotten, its jobs done, its
 * fetches told that they are cancelled. */
void ocf_sim_proc_fini(struct ocf_sim_proc *p);
/* Ends it at once, as SIGKILL (the kernel closes its sockets) or, with `power`, as a power cut (the
 * other ends hear nothing). No callback is made. Handles stay valid but do nothing until
 * ocf_sim_proc_fini(). */
void ocf_sim_proc_kill(struct ocf_sim_proc *p, bool power);
/* Runs and ends the jobs of the process now, and takes no new ones: for an owner who frees what
 * they work on. */
void ocf_sim_proc_end_jobs(struct ocf_sim_proc *p);
/* A callback was made into the process by someone else than the network: a turn is due. */
void ocf_sim_proc_touch(struct ocf_sim_proc *p);

/* OCF_EINUSE when the port or path is taken. `at` as the owner sees it: a wildcard or an address.
 */
OCF_NODISCARD int ocf_sim_listen(struct ocf_sim_listener *l, struct ocf_sim_proc *p,
                                 const struct ocf_endpoint *at, ocf_sim_accept_fn fn, void *user);
void ocf_sim_listener_close(struct ocf_sim_listener *l);

/* ---- faults ---- */

/* Cuts what `from` sends to `to`, or heals it. */
void ocf_sim_cut(struct ocf_sim_net *n, const struct ocf_sim_machine *from,
                 const struct ocf_sim_machine *to, bool cut);
/* Cuts or heals both ways between the machines of two sets. */
void ocf_sim_partition(struct ocf_sim_net *n, struct ocf_sim_machine *const *a, size_t n_a,
                       struct ocf_sim_machine *const *b, size_t n_b, bool cut);
/* Both ends of each connection between the two see a reset, at once. Returns how many. */
size_t ocf_sim_reset_between(struct ocf_sim_net *n, const struct ocf_sim_machine *a,
                             const struct ocf_sim_machine *b);
/* Connects from anywhere to `m` are answered by nobody (they wait for the time-out). */
void ocf_sim_machine_swallow(struct ocf_sim_net *n, const struct ocf_sim_machine *m, bool on);
/* No more power: nothing leaves or reaches the machine. Kill its processes too. */
void ocf_sim_machine_power(struct ocf_sim_net *n, struct ocf_sim_machine *m, bool on);

/* ---- looking ---- */

size_t ocf_sim_net_n_conns(const struct ocf_sim_net *n);
/* Bytes on the way or in kernel buffers. */
size_t ocf_sim_net_bytes(const struct ocf_sim_net *n);

#endif
