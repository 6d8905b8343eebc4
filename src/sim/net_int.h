/* What the files of the network share: net.c has machines, processes, connecting and faults;
 * pipe.c moves bytes; sock.c is the socket that a process sees. */
#ifndef OCF_SIM_NET_INT_H
#define OCF_SIM_NET_INT_H

#include "sim/net.h"

enum { SEGMENTS_MAX = 64, VIEWS_MAX = 64 };

struct conn;

struct segment {
  uint64_t upto; /* the offset after its last byte; a FIN has its pipe's end */
  uint64_t at_ns;
  bool fin;
};

/* One direction. Offsets count bytes since the beginning; rd <= arrived <= sent <= end, and `bytes`
 * holds rd..end: what was received and not read, then what travels, then the send buffer. */
struct pipe {
  struct conn *conn;
  int from; /* index of the sending end */
  struct ocf_queue bytes;
  uint64_t rd, arrived, sent, end;
  uint64_t edge; /* the receiver's window as the sender knows it: sent <= edge */
  size_t snd_cap, rcv_cap;
  struct segment segs[SEGMENTS_MAX];
  size_t seg_at, n_segs;
  uint64_t last_at_ns;    /* segments stay in order */
  uint64_t lost_since_ns; /* 0: nothing is lost */
  unsigned n_lost;
  struct ocf_sim_event arrive, window;
  bool fin_wanted, fin_sent, fin_arrived;
  bool stopped; /* the sender reset: what travels arrives, what waits does not */
  bool dead;    /* nothing arrives any more */
};

/* One end of a connection: what the kernel knows of it, and the process's handle. */
struct ocf_sock {
  struct conn *conn;
  int side;
  struct ocf_sim_proc *proc; /* NULL: not accepted yet, or vanished */
  struct ocf_list link;      /* in proc->socks, or proc->zombies */
  const struct ocf_sock_user_ops *ops;
  void *user;
  struct ocf_bytes views[VIEWS_MAX]; /* of a background send: what is left of it */
  size_t n_views, view_at, background, background_left;
  struct ocf_sim_event read, write, reset;
  bool open;   /* the handle is the process's to use */
  bool zombie; /* killed, but named by its user still */
  bool up, reading, paused, read_ended, shut;
  bool told_left; /* in this pause */
  bool was_reset; /* a reset arrived */
  bool vanished;  /* its machine lost power: this end answers with a reset, if at all */
};

enum conn_state { CONN_SYN, CONN_ANSWERED, CONN_REFUSED, CONN_UP };

struct conn {
  struct ocf_list link; /* in net.conns or net.dead */
  struct ocf_sim_net *net;
  uint64_t id;
  enum conn_state state;
  struct ocf_sim_machine *machine[2];
  struct ocf_ip_addr addr[2]; /* family 0: a unix socket */
  struct ocf_endpoint to;
  struct ocf_sock end[2];    /* 0 connects, 1 accepts */
  struct pipe pipe[2];       /* [i]: from end i */
  struct ocf_sim_event step; /* connecting: the next thing to happen */
  unsigned n_syn;
  int err;             /* CONN_REFUSED: what the connecting side will be told */
  bool accept_pending; /* the listener has not been told yet */
};

/* net.c */
struct conn *conn_new(struct ocf_sim_proc *p, const struct ocf_endpoint *to);
/* Frees, soon, a connection that nobody can see any more. */
void conn_put(struct conn *c);
bool path_open(const struct ocf_sim_net *n, const struct ocf_sim_machine *from,
               const struct ocf_sim_machine *to);
uint64_t path_latency(struct ocf_sim_net *n, const struct ocf_sim_machine *from,
                      const struct ocf_sim_machine *to);
uint64_t wake_delay(struct ocf_sim_net *n);
extern const struct ocf_env_ops sock_env_ops; /* sock.c */
int net_resolve(struct ocf_env *env, const char *host, uint16_t port, ocf_resolved_fn fn,
                void *user);

/* work.c */
/* Nothing ends by itself any more, and nothing begins. */
void work_freeze(struct ocf_sim_proc *p);
/* Ends everything now. */
void work_drop(struct ocf_sim_proc *p);
int work_job(struct ocf_env *env, void (*run)(void *arg), void (*done)(void *arg, uint64_t now_ns),
             void *arg);
int work_fetch(struct ocf_env *env, const char *url, size_t max_bytes, uint64_t timeout_ns,
               ocf_fetched_fn fn, void *user);
int work_txt(struct ocf_env *env, const char *name, uint64_t timeout_ns, ocf_txt_fn fn, void *user);

/* pipe.c */
void pipe_init(struct conn *c, int from);
void pipe_fini(struct pipe *p);
/* Room in the send buffer. */
size_t pipe_room(const struct pipe *p);
void pipe_put(struct pipe *p, const uint8_t *data, size_t n);
void pipe_end(struct pipe *p);
/* Sends what the window allows. */
void pipe_transmit(struct pipe *p);
size_t pipe_readable(const struct pipe *p);
/* Takes `n` <= pipe_readable() bytes. */
void pipe_take(struct pipe *p, uint8_t *dst, size_t n);
/* The connection is gone for the sending end: what has not arrived never will. */
void pipe_kill(struct pipe *p);

/* sock.c */
void sock_init(struct conn *c, int side);
void sock_attach(struct ocf_sock *s, struct ocf_sim_proc *p);
void sock_detach(struct ocf_sock *s);
/* Something to read, the end, or a reset may be there. */
void sock_wake_reader(struct ocf_sock *s);
void sock_wake_writer(struct ocf_sock *s);
/* A reset is sent to end `side`; it may be lost on the way. `at_once`: no way, no loss. */
void sock_send_reset(struct conn *c, int side, bool at_once);
void sock_reset_arrived(struct ocf_sock *s);
/* Closes the handle as its process would. */
void sock_close(struct ocf_sock *s, bool reset);
/* The handle failed: closes it and tells its user. */
void sock_fail(struct ocf_sock *s, int err);
/* The connection is up for this end: reading starts when it has a user. */
void sock_start(struct ocf_sock *s);

#endif
