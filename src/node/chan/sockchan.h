/* The channel over a socket of the driver's. Small writes of one turn are gathered and leave in one
 * system call at its end; a large write to an empty queue goes to the kernel without a copy. */
#ifndef OCF_NODE_CHAN_SOCKCHAN_H
#define OCF_NODE_CHAN_SOCKCHAN_H

#include "node/chan/chan.h"
#include "node/loop/loop.h"

enum {
  OCF_SOCKCHAN_WINDOW = 64 * 1024, /* the default of ocf_sockchan_limits.window_bytes */
  OCF_SOCKCHAN_DIRECT = 8 * 1024,  /* bytes from which a write tries the kernel first */
};

struct ocf_sockchan_limits {
  uint64_t
      write_stall_ns;  /* no byte of a waiting queue left for this long: closed with OCF_ETIME */
  uint64_t linger_ns;  /* how long a closed channel reads and discards */
  size_t linger_bytes; /* and how much */
  size_t window_bytes; /* bytes delivered and not consumed before reading pauses; 0: the default */
};

static inline size_t ocf_sockchan_window(const struct ocf_sockchan_limits *limits)
{
  return limits->window_bytes > 0 ? limits->window_bytes : OCF_SOCKCHAN_WINDOW;
}

/* Wraps an accepted socket; `limits` is borrowed for the channel's life. NULL on OCF_ENOMEM, the
 * socket then stays the caller's. */
struct ocf_chan *ocf_sockchan_accept(struct ocf_loop *l, const struct ocf_sockchan_limits *limits,
                                     struct ocf_sock *s);
/* Connects; writes may be made at once and leave when the connection is up. On success `connected`
 * (when not NULL) is called with the channel's user; on failure the user's `closed`. NULL: *err. */
struct ocf_chan *ocf_sockchan_connect(struct ocf_loop *l, const struct ocf_sockchan_limits *limits,
                                      const struct ocf_endpoint *to, uint64_t timeout_ns,
                                      void (*connected)(void *user), int *err);

/* Whether a channel that its user has closed still has bytes to send. */
bool ocf_sockchan_sending(const struct ocf_loop *l);
/* Closes at once the channels that their users have closed and that still send or wait: the end of
 * the loop. */
void ocf_sockchan_free_closing(struct ocf_loop *l);

#endif
