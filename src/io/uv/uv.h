/* The real driver: node/env over libuv. One struct ocf_uv is one loop with its sockets and timer.
 *
 * Threading: everything but ocf_uv_post() belongs to the thread that runs the loop. */
#ifndef OCF_IO_UV_UV_H
#define OCF_IO_UV_UV_H

#include "base/core/core.h"
#include "base/core/err.h"
#include "base/rng/rng.h"
#include "io/fetch/fetch.h"
#include "node/env/env.h"

struct ocf_uv;
struct ocf_uv_listener;
struct ocf_uv_signal;

/* What the owner of the loop does in each turn. */
struct ocf_uv_turn_ops {
  /* Called once before the loop sleeps, after all I/O and timers of the turn. */
  void (*turn)(void *user, uint64_t now_ns);
  /* When `turn` wants to be called at the latest; OCF_TIME_NEVER = only on I/O. */
  uint64_t (*deadline)(void *user);
};

/* NULL on OCF_ENOMEM or when the system gives no loop. `max_socks` caps accepted and connecting
 * sockets together. */
struct ocf_uv *ocf_uv_new(size_t max_socks);
/* Closes every socket and listener without telling its user, runs the loop until they and the jobs
 * are gone, and frees. */
void ocf_uv_free(struct ocf_uv *u);
void ocf_uv_set_turn(struct ocf_uv *u, const struct ocf_uv_turn_ops *ops, void *user);
struct ocf_env *ocf_uv_env(struct ocf_uv *u);
/* How documents are fetched from now on; before the first one, or never. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_uv_set_fetch(struct ocf_uv *u, const struct ocf_fetch_config *cfg);
/* TXT look-ups ask this IPv4 server from now on (port 0: 53); any other family: the system's. */
void ocf_uv_set_dns(struct ocf_uv *u, const struct ocf_ip_addr *server);
/* Monotonic time in ns. */
uint64_t ocf_uv_now(void);
/* Sockets open now. */
size_t ocf_uv_n_socks(const struct ocf_uv *u);

/* Runs until ocf_uv_stop(). */
void ocf_uv_run(struct ocf_uv *u);
void ocf_uv_stop(struct ocf_uv *u);

typedef void (*ocf_uv_accept_fn)(void *user, uint64_t now_ns, struct ocf_sock *s,
                                 const struct ocf_ip_addr *remote);

/* Listens on `at` (port 0 = any; IPv6 sockets are IPv6 only). A used port is tried again for
 * `retry_ns`, blocking: meant for start-up. `share` lets several loops listen on one port. The
 * accept callback must adopt the socket or close it. NULL: `err` says what and the cure. */
struct ocf_uv_listener *ocf_uv_listen(struct ocf_uv *u, const struct ocf_ip_addr *at, bool share,
                                      uint64_t retry_ns, ocf_uv_accept_fn fn, void *user,
                                      struct ocf_err *err);
/* The real address, with the port that the system chose. */
struct ocf_ip_addr ocf_uv_listener_addr(const struct ocf_uv_listener *l);
/* Connections that it dropped since there was no room for another socket. */
uint64_t ocf_uv_listener_refused(const struct ocf_uv_listener *l);
/* Stops listening; the handle is dead on return. */
void ocf_uv_listener_close(struct ocf_uv_listener *l);

/* Calls `fn` in the loop for each `signum`; never freed before ocf_uv_free(). 0 or OCF_EIO. */
OCF_NODISCARD int ocf_uv_on_signal(struct ocf_uv *u, int signum, void (*fn)(void *user, int signum),
                                   void *user);

/* From any thread: runs `fn(arg)` soon in u's loop. 0, or OCF_ENOMEM. */
OCF_NODISCARD int ocf_uv_post(struct ocf_uv *u, void (*fn)(void *arg), void *arg);

/* The unicast addresses of this machine's interfaces (port 0), up to `cap`; returns how many. */
size_t ocf_uv_interfaces(struct ocf_ip_addr *out, size_t cap);

/* Seeds `r` from the kernel and makes the kernel its source of secrets. */
void ocf_uv_rng_init(struct ocf_rng *r);

#endif
