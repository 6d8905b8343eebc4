/* A libp2p peer that a scenario plays by hand: a machine with one process that upgrades connections
 * with our own Noise, yamux and identify, and above that says whatever the scenario writes. It
 * keeps no rule of any protocol on its streams.
 *
 * Belongs to the world's thread. Its memory is its own; what leaks fails the world. */
#ifndef OCF_SIM_PEER_H
#define OCF_SIM_PEER_H

#include "base/buf/buf.h"
#include "crypto/key/key.h"
#include "node/links/links.h"
#include "p2p/noise/noise.h"
#include "sim/host.h"

struct ocf_sim_peer;

/* One stream, from the time it is asked for until ops.gone was called. */
struct ocf_sim_peer_stream {
  struct ocf_stream_user user;
  struct ocf_list link; /* in peer->streams */
  struct ocf_sim_peer *peer;
  struct ocf_peerid with;
  struct ocf_stream *s; /* NULL while it is opened */
  uint64_t ticket;
  struct ocf_bytes proto; /* of peer->protos, or as asked for */
  bool inbound, fin;
  struct ocf_buf out; /* what waits to be written */
  struct ocf_buf in;  /* the script's: nobody else touches it */
  uint64_t got_n, sent_n;
};

/* What the script is told; each may be NULL. */
struct ocf_sim_peer_ops {
  void (*up)(void *user, const struct ocf_peerid *with); /* connected, and identified */
  void (*down)(void *user, const struct ocf_peerid *with);
  void (*stream)(void *user, struct ocf_sim_peer_stream *s); /* `s` was opened by the other side */
  void (*data)(void *user, struct ocf_sim_peer_stream *s, struct ocf_bytes data);
  void (*gone)(void *user, struct ocf_sim_peer_stream *s); /* dead after this call */
};

struct ocf_sim_peer {
  struct ocf_sim_proc proc;
  struct ocf_sim_net *net;
  struct ocf_sim_machine *machine;
  struct ocf_alloc alloc;
  struct ocf_rng rng;
  struct ocf_log log;
  struct ocf_key key;
  struct ocf_peerid id;
  char id_text[OCF_PEERID_TEXT_SIZE];
  struct ocf_noise_static noise;
  struct ocf_loop loop;
  struct ocf_swarm *swarm;
  struct ocf_links links;
  struct ocf_sim_event timer;
  struct ocf_sim_listener listener;
  struct ocf_list streams; /* owned here */
  const struct ocf_sim_peer_ops *ops;
  void *user;
  const struct ocf_bytes *protos; /* that it says to speak; borrowed */
  size_t n_protos;
};

/* A new machine and the peer on it, listening; the key follows from the seed and the machine. */
struct ocf_sim_peer *ocf_sim_peer_new(struct ocf_sim_net *n, const struct ocf_bytes *protos,
                                      size_t n_protos, const struct ocf_sim_peer_ops *ops,
                                      void *user);
/* Ends it in order. NULL is fine. */
void ocf_sim_peer_free(struct ocf_sim_peer *p);

/* Connects to `h`, and again whenever the connection is lost. */
void ocf_sim_peer_dial(struct ocf_sim_peer *p, const struct ocf_sim_host *h);
bool ocf_sim_peer_sees(const struct ocf_sim_peer *p, const struct ocf_peerid *with);

/* Opens a stream; `proto` is borrowed for good. NULL: it could not be asked for. */
struct ocf_sim_peer_stream *ocf_sim_peer_open(struct ocf_sim_peer *p, const struct ocf_peerid *with,
                                              struct ocf_bytes proto);
/* Writes, as far as the window goes now and the rest later. */
void ocf_sim_peer_write(struct ocf_sim_peer_stream *s, const void *p, size_t n);
/* Ends our half after what waits. */
void ocf_sim_peer_fin(struct ocf_sim_peer_stream *s);
/* Both halves, at once; `gone` is called. */
void ocf_sim_peer_reset(struct ocf_sim_peer_stream *s);

#endif
