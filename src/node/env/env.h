/* The seam between the node and its driver: what a node may ask of the world, and what the world
 * tells it. io/uv answers with libuv, sim/ with a virtual network; the node cannot tell them apart.
 *
 * Threading: one env belongs to one loop; every call below comes from that loop's thread.
 * Re-entrancy: an operation never calls back into the node before it has returned. */
#ifndef OCF_NODE_ENV_ENV_H
#define OCF_NODE_ENV_ENV_H

#include "base/core/core.h"
#include "multi/maddr/maddr.h"

struct ocf_env;
struct ocf_sock; /* the driver's; the node only passes the pointer around */

/* Where a socket comes from or goes to: a TCP address, or a unix socket's path. */
struct ocf_endpoint {
  struct ocf_ip_addr ip; /* family 0 = not a TCP address */
  char unix_path[108];   /* empty = not a unix socket; NUL-terminated */
};

/* What a socket's user implements. After `closed` (or after the node closed the socket itself) no
 * further call is made. */
struct ocf_sock_user_ops {
  /* Where the next bytes should be put; called before each read. Both are set, *cap > 0. The memory
   * must stay until the matching `rx`, which may come with n = 0 when nothing arrived. */
  void (*rx_space)(void *user, uint8_t **p, size_t *cap);
  void (*rx)(void *user, uint64_t now_ns, size_t n);
  /* The other side has shut down its sending half; nothing more will arrive. */
  void (*eof)(void *user, uint64_t now_ns);
  /* A connect that the node started has succeeded. */
  void (*connected)(void *user, uint64_t now_ns);
  /* The `n` bytes that an earlier send left in the background have all left. */
  void (*sent)(void *user, uint64_t now_ns, size_t n);
  /* Gone: a connect failed, the socket was reset, or I/O failed. The handle is dead already. */
  void (*closed)(void *user, uint64_t now_ns, int err);
  /* A paused socket's other side has ended its sending half or reset the connection; bytes before
   * that may be unread, and `eof` or `closed` come in their turn when reading goes on. At most once
   * per pause, and never by a driver that cannot see it. May be NULL. */
  void (*left)(void *user, uint64_t now_ns);
};

/* A finished name look-up: up to OCF_RESOLVE_MAX addresses; err 0, OCF_ENOENT, OCF_ETIME or
 * OCF_EIO. */
enum { OCF_RESOLVE_MAX = 8 };
typedef void (*ocf_resolved_fn)(void *user, uint64_t now_ns, int err, const struct ocf_ip_addr *ips,
                                size_t n);

/* A fetched document, valid for the call that shows it. */
struct ocf_fetched {
  int err;               /* 0: an answer came, whatever its status */
  int status;            /* of the last answer, after redirects; 0: none came */
  struct ocf_bytes body; /* whole when err is 0, else empty */
  const char *text;      /* what went wrong, for people; "" when err is 0 */
};
typedef void (*ocf_fetched_fn)(void *user, uint64_t now_ns, const struct ocf_fetched *f);

/* The TXT records of a name, each with its strings joined, valid for the call that shows them; err
 * 0 (n > 0), OCF_ENOENT (no such name, or no such record), OCF_ETIME, OCF_EIO, OCF_ECANCELED. */
enum { OCF_TXT_MAX = 256, OCF_TXT_NAME_MAX = 253 };
typedef void (*ocf_txt_fn)(void *user, uint64_t now_ns, int err, const struct ocf_bytes *records,
                           size_t n);

struct ocf_env_ops {
  /* Unix time in ns, for logs, signed records and ids; never for intervals. */
  uint64_t (*wall_ns)(struct ocf_env *env);
  /* Starts connecting and owes the user `connected` or `closed`. NULL when the driver is out of
   * handles or memory (*err says which). TCP sockets have NODELAY and keep-alive set. */
  struct ocf_sock *(*connect)(struct ocf_env *env, const struct ocf_endpoint *to,
                              const struct ocf_sock_user_ops *ops, void *user, int *err);
  /* Gives an accepted socket its user and starts reading. */
  void (*adopt)(struct ocf_sock *s, const struct ocf_sock_user_ops *ops, void *user);
  /* Sends what the kernel takes at once and returns that many bytes. With `background` the rest of
   * the same views is borrowed, sent as room comes, and reported by one `sent` call; until then no
   * other send may be made. Without it the rest stays the caller's. An error is reported later by
   * `closed`; the bytes then count as sent. */
  size_t (*send)(struct ocf_sock *s, const struct ocf_bytes *views, size_t n, bool background);
  /* Stops or resumes reading. A paused socket does not report eof, but does report a reset if the
   * system tells it. */
  void (*pause)(struct ocf_sock *s, bool paused);
  /* Ends our sending half once everything sent so far has left. */
  void (*shutdown)(struct ocf_sock *s);
  /* Closes at once, with a TCP RST when `reset`. The handle is dead on return. */
  void (*close)(struct ocf_sock *s, bool reset);
  /* The two ends of a connected TCP socket. */
  void (*names)(struct ocf_sock *s, struct ocf_ip_addr *local, struct ocf_ip_addr *remote);
  /* Looks up `host` and calls `fn` once, later; there is no cancelling. OCF_ENOMEM, OCF_EIO. */
  int (*resolve)(struct ocf_env *env, const char *host, uint16_t port, ocf_resolved_fn fn,
                 void *user);
  /* Calls `run(arg)` on another thread and `done(arg, now_ns)`, once it has ended, on the loop's:
   * each exactly once, `done` never before this call has returned. For what blocks (the disk).
   * `run` may touch only what `arg` owns. At most OCF_JOBS_MAX are outstanding, and they may wait
   * for one another. A driver that ends waits for them and calls `done` then: after the node is
   * gone, so `arg` must stand on its own. 0; or nothing is called: OCF_ELIMIT, OCF_ENOMEM,
   * OCF_ECANCELED (the driver is ending). */
  int (*job)(struct ocf_env *env, void (*run)(void *arg), void (*done)(void *arg, uint64_t now_ns),
             void *arg);
  /* GETs `url` (http or https, copied) and calls `fn` exactly once, later: for documents of the
   * control plane. Up to 3 redirects are followed; certificates are verified. A body over
   * `max_bytes` is OCF_ELIMIT, more than `timeout_ns` for all together OCF_ETIME, a name that is
   * not known OCF_ENOENT, a certificate that does not hold OCF_EAUTH, a broken answer OCF_EPROTO,
   * no libcurl OCF_EUNSUPP, anything else of the network OCF_EIO. 8 run at once, 64 more wait;
   * beyond: OCF_ELIMIT. A driver that ends calls `fn` with OCF_ECANCELED: after the node is gone,
   * as above. 0; or `fn` is not called: OCF_EINVAL (not such a URL), OCF_ELIMIT, OCF_ENOMEM,
   * OCF_ECANCELED. */
  int (*fetch)(struct ocf_env *env, const char *url, size_t max_bytes, uint64_t timeout_ns,
               ocf_fetched_fn fn, void *user);
  /* Asks the DNS for the TXT records of `name` (copied), at most OCF_TXT_MAX of them, and calls
   * `fn` exactly once, later, after about `timeout_ns` at the latest. A driver that ends may call
   * it after the node is gone, as above. 0; or `fn` is not called: OCF_EINVAL (empty or too long a
   * name), OCF_ELIMIT, OCF_ENOMEM, OCF_ECANCELED. */
  int (*txt)(struct ocf_env *env, const char *name, uint64_t timeout_ns, ocf_txt_fn fn, void *user);
};

enum { OCF_JOBS_MAX = 64 }; /* outstanding, of one env */

struct ocf_env {
  const struct ocf_env_ops *ops;
};

#endif
