/* Requests of this node's own: the health of a service, the models it has, what another peer says
 * of itself. One GET on a connection of its own, its answer's body gathered up to a bound.
 *
 * Belongs to the relay's loop. */
#ifndef OCF_NODE_RELAY_ASK_H
#define OCF_NODE_RELAY_ASK_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "multi/peerid/peerid.h"
#include "node/loop/loop.h"

struct ocf_relay;
struct ocf_service;
struct ocf_upstream;
struct target; /* node/relay's own */

enum { OCF_ASK_PATH_MAX = 256 };

/* Embedded in its owner; zeroed, with `done` set, before the first use. The rest is private. */
struct ocf_ask {
  /* The end, exactly once for each ask that was begun and not cancelled: the answer's status and
   * body (lent for the call; empty when none was asked for), or status 0 and why there is none:
   * OCF_EREFUSED, OCF_EUNREACH, OCF_ETIME, OCF_ELIMIT (the body is longer than allowed), OCF_EPROTO
   * and others. The ask may be begun again from here. */
  void (*done)(struct ocf_ask *a, unsigned status, struct ocf_bytes body, int err);
  struct ocf_relay *relay;
  struct target *target;
  struct ocf_upstream *up; /* NULL: nothing is under way */
  struct ocf_alarm alarm;
  struct ocf_buf body;
  size_t body_max;
  unsigned status;
  char path[OCF_ASK_PATH_MAX + 1];
};

/* Asks `GET path`; `body_max` 0: only the status counts. `timeout_ns` is for everything together.
 * 0: `done` follows, not from inside this call. OCF_EINVAL (the path is too long), OCF_EEXIST (one
 * is under way), OCF_ENOMEM, OCF_EIO and the like: nothing was begun. */
OCF_NODISCARD int ocf_ask_service(struct ocf_ask *a, struct ocf_relay *r, struct ocf_service *sv,
                                  const char *path, size_t body_max, uint64_t timeout_ns);
OCF_NODISCARD int ocf_ask_peer(struct ocf_ask *a, struct ocf_relay *r,
                               const struct ocf_peerid *peer, const char *path, size_t body_max,
                               uint64_t timeout_ns);
/* Gives up what is under way; harmless otherwise. `done` is not called. */
void ocf_ask_cancel(struct ocf_ask *a);
static inline bool ocf_ask_busy(const struct ocf_ask *a)
{
  return a->up != NULL;
}

#endif
