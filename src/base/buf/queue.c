#include "base/buf/queue.h"

#include "base/buf/copy.h"

#include <string.h>

struct ocf_chunk {
  struct ocf_chunk *next;
  uint32_t start, end; /* the waiting bytes are data[start..end) */
  uint8_t data[];
};

enum { DATA_SIZE = OCF_CHUNK_SIZE - sizeof(struct ocf_chunk) };

void ocf_chunk_pool_init(struct ocf_chunk_pool *pool, struct ocf_alloc *a, size_t max_free)
{
  *pool = (struct ocf_chunk_pool){ .a = a, .max_free = max_free };
}

void ocf_chunk_pool_fini(struct ocf_chunk_pool *pool)
{
  OCF_ASSERT(pool->n_used == 0);
  ocf_chunk_pool_trim(pool, false);
}

void ocf_chunk_pool_trim(struct ocf_chunk_pool *pool, bool spare)
{
  const size_t n = spare ? pool->n_spare : pool->n_free;
  for (size_t i = 0; i < n; i++) {
    struct ocf_chunk *c = pool->free;
    pool->free = c->next;
    ocf_alloc_put(pool->a, c, OCF_CHUNK_SIZE);
  }
  pool->n_free -= n;
  pool->n_spare = pool->n_free;
}

static struct ocf_chunk *chunk_get(struct ocf_chunk_pool *pool)
{
  struct ocf_chunk *c = pool->free;
  if (c != NULL) {
    pool->free = c->next;
    pool->n_free--;
    pool->n_spare = OCF_MIN(pool->n_spare, pool->n_free);
  } else if ((c = ocf_alloc_get(pool->a, OCF_CHUNK_SIZE)) == NULL) {
    return NULL;
  }
  pool->n_used++;
  c->next = NULL;
  c->start = c->end = 0;
  return c;
}

static void chunk_put(struct ocf_chunk_pool *pool, struct ocf_chunk *c)
{
  OCF_ASSERT(pool->n_used > 0);
  pool->n_used--;
  if (pool->n_free >= pool->max_free) {
    ocf_alloc_put(pool->a, c, OCF_CHUNK_SIZE);
    return;
  }
  c->next = pool->free;
  pool->free = c;
  pool->n_free++;
}

void ocf_queue_init(struct ocf_queue *q, struct ocf_chunk_pool *pool)
{
  *q = (struct ocf_queue){ .pool = pool };
}

static void put_chain(struct ocf_chunk_pool *pool, struct ocf_chunk *c)
{
  while (c != NULL) {
    struct ocf_chunk *next = c->next;
    chunk_put(pool, c);
    c = next;
  }
}

void ocf_queue_clear(struct ocf_queue *q)
{
  put_chain(q->pool, q->head);
  q->head = q->tail = NULL;
  q->len = 0;
}

static size_t tail_room(const struct ocf_queue *q)
{
  return q->tail == NULL ? 0 : DATA_SIZE - q->tail->end;
}

/* A chain with room for `n` bytes, filled later; NULL when one chunk of it could not be had. */
static struct ocf_chunk *get_chain(struct ocf_chunk_pool *pool, size_t n)
{
  struct ocf_chunk *first = NULL;
  for (size_t got = 0; got < n; got += DATA_SIZE) {
    struct ocf_chunk *c = chunk_get(pool);
    if (c == NULL) {
      put_chain(pool, first);
      return NULL;
    }
    c->next = first;
    first = c;
    if (n - got <= DATA_SIZE)
      break;
  }
  return first;
}

static void append(struct ocf_chunk *c, const uint8_t *p, size_t n)
{
  ocf_copy(c->data + c->end, p, n);
  c->end += (uint32_t)n;
}

int ocf_queue_add(struct ocf_queue *q, const void *p, size_t n)
{
  const uint8_t *src = p;
  if (n == 0)
    return 0;
  size_t here = OCF_MIN(n, tail_room(q));
  if (here < n) {
    struct ocf_chunk *more = get_chain(q->pool, n - here);
    if (more == NULL)
      return OCF_ENOMEM;
    if (q->tail == NULL)
      q->head = more;
    else
      q->tail->next = more;
  }
  q->len += n;
  if (here > 0)
    append(q->tail, src, here);
  for (src += here, n -= here; n > 0; src += here, n -= here) {
    q->tail = q->tail == NULL ? q->head : q->tail->next;
    here = OCF_MIN(n, (size_t)DATA_SIZE);
    append(q->tail, src, here);
  }
  return 0;
}

size_t ocf_queue_peek(const struct ocf_queue *q, struct ocf_bytes *out, size_t cap)
{
  size_t n = 0;
  for (const struct ocf_chunk *c = q->head; c != NULL && n < cap; c = c->next)
    out[n++] = ocf_bytes(c->data + c->start, c->end - c->start);
  return n;
}

void ocf_queue_consume(struct ocf_queue *q, size_t n)
{
  OCF_ASSERT(n <= q->len);
  q->len -= n;
  while (n > 0) {
    struct ocf_chunk *c = q->head;
    size_t have = c->end - c->start;
    if (n < have) {
      c->start += (uint32_t)n;
      return;
    }
    n -= have;
    q->head = c->next;
    if (q->head == NULL)
      q->tail = NULL;
    chunk_put(q->pool, c);
  }
}
