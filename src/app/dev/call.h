/* One HTTP request to a port of this machine, without blocking: the owner polls and calls back in.
 *
 * On the same client machine as the nodes' own (http/h1), so answers are read strictly. */
#ifndef OCF_APP_DEV_CALL_H
#define OCF_APP_DEV_CALL_H

#include <poll.h>

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "http/h1/client.h"

enum { OCF_CALL_BODY_MAX = 64 * 1024 };

struct ocf_call {
  int fd; /* -1: none */
  struct ocf_h1_pool pool;
  struct ocf_h1_limits limits;
  struct ocf_h1_client h1;
  struct ocf_buf out;
  size_t n_sent;
  bool connected;
  bool complete;   /* the answer has come whole */
  unsigned status; /* 0 before its head */
  char node[160];  /* X-Computing-Node */
  char id[160];    /* X-Request-Id */
  char error[160]; /* why it failed; "" = it has not */
};

/* Payload of the answer, as it comes. Non-zero gives the call up. */
typedef int (*ocf_call_body_fn)(void *user, struct ocf_bytes data);

void ocf_call_init(struct ocf_call *c, struct ocf_alloc *a);
/* Closes what is open. The value may be initialised again. */
void ocf_call_fini(struct ocf_call *c);
/* Begins: `body` NULL for GET, else POST of JSON. 0, or an error code with c->error set. */
OCF_NODISCARD int ocf_call_start(struct ocf_call *c, uint16_t port, const char *path,
                                 const char *body);
/* What to wait for; false when there is nothing to wait for. */
bool ocf_call_poll(const struct ocf_call *c, struct pollfd *p);
/* Writes and reads what can be. 0 while it goes on or when it is complete; an error code with
 * c->error set once it has failed. */
OCF_NODISCARD int ocf_call_work(struct ocf_call *c, ocf_call_body_fn fn, void *user);

#endif
