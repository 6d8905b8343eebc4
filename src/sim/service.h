/* A scripted HTTP service: a process of its own on a machine, whose paths say how it behaves. It
 * stands for the model server behind a worker.
 *
 * Paths (numbers in decimal; bodies follow pattern.h):
 *   /health            200
 *   /echo              the request's body comes back as it arrives
 *   /bytes/N/S         N bytes of stream S, with Content-Length
 *   /chunks/N/S        the same, chunked
 *   /tillclose/N/S     the same, until the connection closes
 *   /sse/N/US          N events "data: i", US microseconds apart, then "data: [DONE]"
 *   /early/N/S         as /bytes at once, the request's body is read away after that
 *   /earlyclose/N/S    the same, but the connection ends after the answer
 *   /sum/S             reads the whole body, which must be stream S; answers its length
 *   /diehead/HOW       closes when it has the request's head
 *   /diebody/N/HOW     promises 2 N bytes, sends N, closes
 *   /diesse/N/HOW      N events, then closes
 *   /never             no answer at all
 *   /silent/N          N events, then nothing more
 *   /comments/N        N events, then a comment line every 5 s for ever
 *   /slowread/S        as /sum, but reads with long pauses
 *   /nap/S/MS          as /sum, but reads nothing of the body for MS milliseconds
 *   /once/N/S          as /bytes, then the connection is closed although it was kept alive
 * HOW: 0 in order (FIN), 1 with a reset. */
#ifndef OCF_SIM_SERVICE_H
#define OCF_SIM_SERVICE_H

#include "http/h1/server.h"
#include "sim/stream.h"

struct ocf_sim_service {
  struct ocf_sim_proc proc;
  struct ocf_sim_listener listener;
  struct ocf_h1_pool pool;
  struct ocf_h1_limits limits;
  struct ocf_list conns, dead; /* owned here */
  struct ocf_sim_event reaper;
  struct ocf_buf scratch;
  size_t n_open;               /* connections */
  size_t n_active;             /* requests between head and end of the answer */
  uint64_t n_requests, n_done; /* health checks not counted */
  uint64_t n_left;             /* answers that the other side gave up */
  uint64_t left_at_ns;         /* the last of them */
  uint64_t n_bad;              /* requests that were malformed or whose body was wrong */
  uint64_t bytes_out;          /* body bytes of answers that went to the kernel or wait for it */
  uint64_t idle_close_ns;      /* kept connections are closed after so long unused; 0: never */
  bool deaf;                   /* accepts, but reads nothing */
};

/* Listens on `m` at 127.0.0.1:`port` or, when not NULL, at the unix socket `path`. */
void ocf_sim_service_init(struct ocf_sim_service *s, struct ocf_sim_net *n,
                          struct ocf_sim_machine *m, uint16_t port, const char *path);
void ocf_sim_service_fini(struct ocf_sim_service *s);
/* The process dies; the kernel closes its connections. Only fini may follow. */
void ocf_sim_service_kill(struct ocf_sim_service *s);

#endif
