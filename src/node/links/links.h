/* The swarm's sockets: the driver's callbacks (struct ocf_env) on one side, struct ocf_link on the
 * other. Carries out the swarm's effects (dial, resolve, close), moves bytes, and hands the swarm's
 * events to one function.
 *
 * Belongs to its loop. */
#ifndef OCF_NODE_LINKS_LINKS_H
#define OCF_NODE_LINKS_LINKS_H

#include "base/core/core.h"
#include "node/loop/loop.h"
#include "p2p/swarm/swarm.h"

/* What the `user` of every stream and of every ocf_swarm_open() points to here: whoever gets the
 * stream's events. NULL: nobody does. */
struct ocf_stream_user {
  void (*on_event)(struct ocf_stream_user *u, const struct ocf_swarm_event *ev);
};

/* Called for the events of peers and for streams that come in; the rest goes to the streams' users.
 * It may call anything of the swarm's but ocf_swarm_event(). */
typedef void (*ocf_links_event_fn)(void *user, const struct ocf_swarm_event *ev);

struct ocf_links {
  struct ocf_loop *loop;
  struct ocf_swarm *swarm;
  ocf_links_event_fn on_event;
  void *user;
  struct ocf_list list; /* of the sockets; owned here */
  size_t n_lookups;     /* name look-ups under way; the driver answers each */
  bool pumping;
  bool lingers; /* see ocf_links_linger() */
};

/* Borrows loop and swarm. */
void ocf_links_init(struct ocf_links *ls, struct ocf_loop *loop, struct ocf_swarm *swarm,
                    ocf_links_event_fn on_event, void *user);
/* Closes every socket; the swarm may be gone already. Look-ups must have ended. */
void ocf_links_fini(struct ocf_links *ls);
/* An accepted socket: becomes a link, or is closed when the swarm refuses it. */
void ocf_links_accept(struct ocf_links *ls, uint64_t now_ns, struct ocf_sock *s,
                      const struct ocf_ip_addr *remote);
/* The end of a turn: events, what the loop has deferred, effects and bytes to send, until all is
 * quiet. */
void ocf_links_run(struct ocf_links *ls);

/* From now on a socket whose link has ended is not closed at once: our half ends, and the socket
 * goes when the other side has ended too. A closed socket answers bytes that still arrive by a
 * reset, which costs the other side what it has not got yet. The owner bounds the time. */
void ocf_links_linger(struct ocf_links *ls);
/* Whether no socket is left. */
bool ocf_links_gone(const struct ocf_links *ls);

/* Whether a link has bytes that the system has not taken yet. */
bool ocf_links_sending(const struct ocf_links *ls);

#endif
