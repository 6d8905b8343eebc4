/* What the files of io/uv share: the loop and its sockets. */
#ifndef OCF_IO_UV_UV_INT_H
#define OCF_IO_UV_UV_INT_H

#include <uv.h>

#include "io/uv/uv.h"

struct post;

struct ocf_uv {
  struct ocf_env env; /* first: an env pointer is an ocf_uv pointer */
  uv_loop_t loop;
  uv_prepare_t prepare;
  uv_timer_t timer;
  uv_async_t async;
  uv_mutex_t posts_lock;
  struct post *posts, **posts_tail; /* guarded by posts_lock */
  uint64_t armed_ns;                /* what the timer is set to; OCF_TIME_NEVER = stopped */
  const struct ocf_uv_turn_ops *turn_ops;
  void *turn_user;
  size_t n_socks, max_socks;
  size_t n_jobs;               /* jobs.c */
  struct ocf_fetcher *fetcher; /* NULL until it is asked for */
  struct ocf_ip_addr dns;      /* txt.c; family 0: the system's */
  bool ending;                 /* ocf_uv_free() is at work: nothing new begins */
  int hangup_fd;               /* hangup.c */
  uv_poll_t hangup;
};

/* Sockets that are not read are watched for the other side's leaving (hangup.c). Told once by
 * ocf_uv_sock_left(); forget before the descriptor is closed. */
OCF_NODISCARD int ocf_uv_hangup_init(struct ocf_uv *u);
void ocf_uv_hangup_fini(struct ocf_uv *u); /* after the loop has been closed */
void ocf_uv_hangup_watch(struct ocf_uv *u, int fd, struct ocf_sock *s);
void ocf_uv_hangup_forget(struct ocf_uv *u, int fd);
void ocf_uv_sock_left(struct ocf_sock *s);

/* Fills the table of node/env with this driver's functions (sock.c). */
extern const struct ocf_env_ops ocf_uv_env_ops;

/* A socket for an incoming connection on `server`: NULL when over the cap or out of memory, the
 * connection is then dropped. */
struct ocf_sock *ocf_uv_sock_accept(struct ocf_uv *u, uv_stream_t *server,
                                    struct ocf_ip_addr *remote);
int ocf_uv_resolve(struct ocf_env *env, const char *host, uint16_t port, ocf_resolved_fn fn,
                   void *user);

/* `job` and `fetch` of the table (jobs.c). */
int ocf_uv_job(struct ocf_env *env, void (*run)(void *arg),
               void (*done)(void *arg, uint64_t now_ns), void *arg);
int ocf_uv_fetch(struct ocf_env *env, const char *url, size_t max_bytes, uint64_t timeout_ns,
                 ocf_fetched_fn fn, void *user);

/* `txt` of the table (txt.c). */
int ocf_uv_txt(struct ocf_env *env, const char *name, uint64_t timeout_ns, ocf_txt_fn fn,
               void *user);

/* Closes a TCP handle that is no ocf_sock: a listener's (listen.c). */
void ocf_uv_close_listening(uv_handle_t *h);

/* Value conversions (addr.c). */
int ocf_uv_to_sockaddr(const struct ocf_ip_addr *a, struct sockaddr_storage *out);
void ocf_uv_from_sockaddr(const struct sockaddr *sa, struct ocf_ip_addr *out);
int ocf_uv_err(int uv_status); /* libuv's code as ours */

#endif
