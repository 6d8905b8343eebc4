/* A socket with a send queue, for the scripted clients and services: they say what to send and are
 * told what arrives. Embedded in its owner, zeroed before use. */
#ifndef OCF_SIM_STREAM_H
#define OCF_SIM_STREAM_H

#include "base/buf/queue.h"
#include "sim/net.h"

enum { OCF_SIM_STREAM_RX = 16 * 1024 };

struct ocf_sim_stream_ops {
  void (*up)(void *user);
  void (*data)(void *user, struct ocf_bytes view);
  void (*eof)(void *user);
  void (*drained)(void *user); /* the queue became shorter */
  void (*gone)(void *user, int err);
};

struct ocf_sim_stream {
  struct ocf_sim_proc *proc;
  struct ocf_sock *sock; /* NULL: not open */
  const struct ocf_sim_stream_ops *ops;
  void *user;
  struct ocf_queue out;
  size_t sending;
  bool up, fin, shut;
  uint8_t rx[OCF_SIM_STREAM_RX];
};

/* False when the process has no socket left. */
bool ocf_sim_stream_connect(struct ocf_sim_stream *s, struct ocf_sim_proc *p,
                            const struct ocf_endpoint *to, const struct ocf_sim_stream_ops *ops,
                            void *user);
void ocf_sim_stream_accept(struct ocf_sim_stream *s, struct ocf_sim_proc *p, struct ocf_sock *sock,
                           const struct ocf_sim_stream_ops *ops, void *user);
void ocf_sim_stream_write(struct ocf_sim_stream *s, const void *p, size_t n);
/* Ends the sending half after what is queued. */
void ocf_sim_stream_fin(struct ocf_sim_stream *s);
void ocf_sim_stream_pause(struct ocf_sim_stream *s, bool paused);
/* No callback follows. Does nothing when it is not open. */
void ocf_sim_stream_close(struct ocf_sim_stream *s, bool reset);

#endif
