/* Head buffers. */
#include "http/h1/pool.h"

#include <string.h>

enum {
  USUAL_TEXT = OCF_H1_BLOCK_SIZE - (int)offsetof(struct ocf_h1_block, text),
  PIECE = 1024, /* gathered at a time, so that body bytes behind a head are not copied along */
  TEXT_MAX =
      OCF_H1_HEAD_BYTES_CAP + 8 + PIECE, /* a head, the CRLFs before it, one piece too much */
};

_Static_assert(USUAL_TEXT >= 2048, "an ordinary head fits a usual block");

static size_t size_of(uint32_t cap)
{
  return offsetof(struct ocf_h1_block, text) + cap;
}

void ocf_h1_pool_init(struct ocf_h1_pool *p, struct ocf_alloc *a, size_t max_free)
{
  *p = (struct ocf_h1_pool){ .a = a, .max_free = max_free };
}

void ocf_h1_pool_fini(struct ocf_h1_pool *p)
{
  OCF_ASSERT(p->n_used == 0);
  ocf_h1_pool_trim(p, false);
}

void ocf_h1_pool_trim(struct ocf_h1_pool *p, bool spare)
{
  const size_t n = spare ? p->n_spare : p->n_free;

  for (size_t i = 0; i < n; i++) {
    struct ocf_h1_block *b = p->free;
    p->free = b->next;
    ocf_alloc_put(p->a, b, size_of(b->cap));
  }
  p->n_free -= n;
  p->n_spare = p->n_free;
}

struct ocf_h1_block *ocf_h1_block_get(struct ocf_h1_pool *p)
{
  struct ocf_h1_block *b = p->free;

  if (b != NULL) {
    p->free = b->next;
    p->n_free--;
    p->n_spare = OCF_MIN(p->n_spare, p->n_free);
  } else {
    b = ocf_alloc_get(p->a, size_of(USUAL_TEXT));
    if (b == NULL)
      return NULL;
    b->cap = USUAL_TEXT;
  }
  b->next = NULL;
  b->n = 0;
  p->n_used++;
  return b;
}

void ocf_h1_block_put(struct ocf_h1_pool *p, struct ocf_h1_block *b)
{
  if (b == NULL)
    return;
  OCF_ASSERT(p->n_used > 0);
  p->n_used--;
  if (b->cap != USUAL_TEXT || p->n_free >= p->max_free) {
    ocf_alloc_put(p->a, b, size_of(b->cap));
    return;
  }
  b->next = p->free;
  p->free = b;
  p->n_free++;
}

int ocf_h1_block_add(struct ocf_h1_pool *p, struct ocf_h1_block **b, const uint8_t *d, size_t n,
                     size_t max)
{
  const size_t need = (*b)->n + n;

  if (need > max || need > UINT32_MAX / 2)
    return OCF_ELIMIT;
  if (need > (*b)->cap) {
    const size_t cap = OCF_MIN(OCF_MAX(2 * (size_t)(*b)->cap, need), OCF_MAX(max, need));
    struct ocf_h1_block *grown =
        ocf_alloc_resize(p->a, *b, size_of((*b)->cap), size_of((uint32_t)cap));
    if (grown == NULL)
      return OCF_ENOMEM;
    grown->cap = (uint32_t)cap;
    *b = grown;
  }
  if (n > 0)
    memcpy((*b)->text + (*b)->n, d, n);
  (*b)->n += (uint32_t)n;
  return 0;
}

/* The common case: the head lies in the input as a whole. */
static int gather_whole(struct ocf_h1_pool *p, struct ocf_h1_block **b, struct ocf_h1_scan *s,
                        const uint8_t *d, size_t *used)
{
  const size_t n = s->end - s->begin;

  *b = ocf_h1_block_get(p);
  if (*b == NULL || ocf_h1_block_add(p, b, d + s->begin, n, n) != 0)
    return OCF_ENOMEM;
  *used = s->end;
  s->begin = 0;
  s->end = (uint32_t)n;
  return 0;
}

int ocf_h1_block_gather(struct ocf_h1_pool *p, struct ocf_h1_block **b, struct ocf_h1_scan *s,
                        const uint8_t *d, size_t n, bool request, const struct ocf_h1_limits *lim,
                        size_t *used)
{
  int rc;

  *used = 0;
  if (n == 0)
    return OCF_EAGAIN;
  if (*b == NULL) {
    rc = ocf_h1_scan_head(s, d, n, request, lim);
    if (rc == 0)
      return gather_whole(p, b, s, d, used);
    if (rc != OCF_EAGAIN)
      return rc;
    *b = ocf_h1_block_get(p);
    if (*b == NULL)
      return OCF_ENOMEM;
    *used = n;
    return ocf_h1_block_add(p, b, d, n, TEXT_MAX) != 0 ? OCF_ENOMEM : OCF_EAGAIN;
  }
  do {
    const size_t before = (*b)->n, k = OCF_MIN(n - *used, (size_t)PIECE);
    if (ocf_h1_block_add(p, b, d + *used, k, TEXT_MAX) != 0)
      return OCF_ENOMEM;
    rc = ocf_h1_scan_head(s, (*b)->text, (*b)->n, request, lim);
    *used += rc == 0 ? s->end - before : k;
  } while (rc == OCF_EAGAIN && *used < n);
  return rc;
}
