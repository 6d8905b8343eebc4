/* /metrics over all planes: the asking plane posts a request to each other loop, which copies its
 * numbers and posts them back. No number is read by two threads. */
#include <stdlib.h>

#include "app/daemon/daemon_int.h"

struct question {
  struct ocf_plane *from, *to;
  uint64_t ticket;
  struct ocf_metrics counts;
};

/* On the asking plane's loop again. */
static void take(void *arg)
{
  struct question *q = arg;
  if (q->from->node != NULL)
    ocf_node_gathered(q->from->node, ocf_uv_now(), q->ticket, &q->counts);
  free(q);
}

/* On the asked plane's loop. Once its node is freed nobody waits for an answer any more. */
static void answer(void *arg)
{
  struct question *q = arg;
  if (q->to->node == NULL) {
    free(q);
    return;
  }
  ocf_node_counts(q->to->node, &q->counts);
  if (ocf_uv_post(q->from->uv, take, q) != 0)
    free(q); /* the asking node waits for a second and goes on without us */
}

size_t ocf_daemon_gather(void *user, uint64_t ticket)
{
  struct ocf_plane *p = user;
  size_t n = 0;
  for (size_t i = 0; i < p->d->n_planes; i++) {
    struct question *q = i == p->index ? NULL : malloc(sizeof(*q));
    if (q == NULL)
      continue;
    q->from = p;
    q->to = &p->d->planes[i];
    q->ticket = ticket;
    if (ocf_uv_post(q->to->uv, answer, q) == 0)
      n++;
    else
      free(q);
  }
  return n;
}
