#include "base/ds/ring.h"

#include <string.h>

int ocf_ring_init(struct ocf_ring *r, struct ocf_alloc *a, size_t size, size_t cap)
{
  OCF_ASSERT(size > 0 && cap > 0);
  *r = (struct ocf_ring){ .a = a, .size = size, .cap = cap };
  if (cap > SIZE_MAX / size)
    return OCF_EINVAL;
  r->p = ocf_alloc_get(a, size * cap);
  return r->p == NULL ? OCF_ENOMEM : 0;
}

void ocf_ring_fini(struct ocf_ring *r)
{
  ocf_alloc_put(r->a, r->p, r->size * r->cap);
  *r = (struct ocf_ring){ .a = r->a };
}

void ocf_ring_clear(struct ocf_ring *r)
{
  r->first = r->n = 0;
}

/* Where the element `i` places behind the first stands; i <= cap. */
static uint8_t *place(const struct ocf_ring *r, size_t i)
{
  size_t at = i < r->cap - r->first ? r->first + i : i - (r->cap - r->first);
  return r->p + at * r->size;
}

int ocf_ring_push(struct ocf_ring *r, const void *elem)
{
  if (ocf_ring_full(r))
    return OCF_ELIMIT;
  memcpy(place(r, r->n), elem, r->size);
  r->n++;
  return 0;
}

void ocf_ring_push_over(struct ocf_ring *r, const void *elem)
{
  if (ocf_ring_full(r))
    (void)ocf_ring_pop(r, NULL);
  int err = ocf_ring_push(r, elem);
  OCF_ASSERT(err == 0);
}

bool ocf_ring_pop(struct ocf_ring *r, void *out)
{
  if (r->n == 0)
    return false;
  if (out != NULL)
    memcpy(out, place(r, 0), r->size);
  r->first = r->first + 1 == r->cap ? 0 : r->first + 1;
  r->n--;
  return true;
}

void *ocf_ring_at(const struct ocf_ring *r, size_t i)
{
  OCF_ASSERT(i < r->n);
  return place(r, i);
}
