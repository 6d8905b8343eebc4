/* A two-way byte channel: a TCP or unix socket, or a libp2p stream. The HTTP code is written once
 * against this and does not know which of them it has.
 *
 * Flow control is by accounting, end to end. The provider delivers bytes and the user takes all of
 * them; the user says ocf_chan_consumed() once they have left user space, and the provider delivers
 * no more than its window beyond that (64 KiB on sockets, the yamux window on streams). A write
 * takes all bytes too; what the kernel or the peer does not accept waits in the channel's queue,
 * whose length ocf_chan_queued() tells, so that the writer can hold back credit on the source.
 *
 * Belongs to one loop. A provider never calls its user from inside a call of the user's. */
#ifndef OCF_NODE_CHAN_CHAN_H
#define OCF_NODE_CHAN_CHAN_H

#include "base/core/core.h"

struct ocf_chan;

/* How a channel ends. */
enum ocf_chan_end {
  OCF_CHAN_ABORT, /* now: the other side must see a failure (TCP RST, stream reset) */
  OCF_CHAN_CLOSE, /* what is queued is sent, then our half ends; what still arrives is discarded
                     for a bounded time, so that the other side can read to the end */
};

struct ocf_chan_ops {
  int (*write)(struct ocf_chan *c, const struct ocf_bytes *views, size_t n);
  size_t (*queued)(struct ocf_chan *c);
  void (*consumed)(struct ocf_chan *c, size_t n);
  void (*fin)(struct ocf_chan *c);
  void (*end)(struct ocf_chan *c, enum ocf_chan_end how);
};

struct ocf_chan_user_ops {
  /* Bytes arrived; the view is lent for the call. */
  void (*data)(void *user, struct ocf_bytes view);
  /* The other side has ended its sending half. */
  void (*eof)(void *user);
  /* The queue has become shorter; ocf_chan_queued() tells how long it is now. */
  void (*drained)(void *user);
  /* Gone for a reason of the other side's or the network's; the channel is dead on return. Not
   * called after ocf_chan_end(). */
  void (*closed)(void *user, int err);
  /* While the window is full: the other side has ended its sending half or is gone, perhaps with
   * bytes still unread. May be NULL; not every provider can tell. */
  void (*left)(void *user);
};

struct ocf_chan {
  const struct ocf_chan_ops *ops;
  const struct ocf_chan_user_ops *user_ops;
  void *user;
};

/* Takes all the bytes (copies what cannot leave at once). 0, OCF_ENOMEM, or OCF_ESTATE after fin.
 */
OCF_NODISCARD static inline int ocf_chan_write(struct ocf_chan *c, const struct ocf_bytes *views,
                                               size_t n)
{
  return c->ops->write(c, views, n);
}

/* Bytes written that have not left user space. */
static inline size_t ocf_chan_queued(struct ocf_chan *c)
{
  return c->ops->queued(c);
}

/* `n` of the delivered bytes have left user space: more may come. */
static inline void ocf_chan_consumed(struct ocf_chan *c, size_t n)
{
  if (n > 0)
    c->ops->consumed(c, n);
}

/* Ends our sending half after what is queued; bytes may still arrive. */
static inline void ocf_chan_fin(struct ocf_chan *c)
{
  c->ops->fin(c);
}

/* Gives the channel up; it is dead to the user on return. */
static inline void ocf_chan_end(struct ocf_chan *c, enum ocf_chan_end how)
{
  c->ops->end(c, how);
}

static inline void ocf_chan_set_user(struct ocf_chan *c, const struct ocf_chan_user_ops *ops,
                                     void *user)
{
  c->user_ops = ops;
  c->user = user;
}

#endif
