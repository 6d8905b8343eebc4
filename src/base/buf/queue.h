/* A FIFO of bytes in fixed-size chunks from a shared pool: what waits to be written to a socket or
 * a stream. An empty queue holds no chunk. Bounded by its users: they ask ocf_queue_len() first.
 *
 * A pool and its queues belong to one loop. */
#ifndef OCF_BASE_BUF_QUEUE_H
#define OCF_BASE_BUF_QUEUE_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

enum { OCF_CHUNK_SIZE = 8192 }; /* bytes of memory per chunk, its small header included */

struct ocf_chunk;

/* Keeps up to `max_free` empty chunks for reuse, the rest goes back to the allocator. */
struct ocf_chunk_pool {
  struct ocf_alloc *a;
  struct ocf_chunk *free;
  size_t n_free, max_free, n_used;
  size_t n_spare; /* the least n_free since the last trim: chunks that nobody has needed since */
};

struct ocf_queue {
  struct ocf_chunk_pool *pool;
  struct ocf_chunk *head, *tail;
  size_t len; /* bytes waiting */
};

void ocf_chunk_pool_init(struct ocf_chunk_pool *pool, struct ocf_alloc *a, size_t max_free);
/* Every queue of the pool must be empty. */
void ocf_chunk_pool_fini(struct ocf_chunk_pool *pool);
/* Gives empty chunks back to the allocator: all of them, or, when `spare` is set, those that were
 * not needed since the last call. Called now and again by the owner, so
 * that what a burst needed does not stay for ever. */
void ocf_chunk_pool_trim(struct ocf_chunk_pool *pool, bool spare);

void ocf_queue_init(struct ocf_queue *q, struct ocf_chunk_pool *pool);
/* Drops what waits. */
void ocf_queue_clear(struct ocf_queue *q);
/* Copies `n` bytes to the end; all or nothing. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_queue_add(struct ocf_queue *q, const void *p, size_t n);
/* Fills up to `cap` views of the waiting bytes, in order. Returns how many. Lent until the next
 * consume or clear. */
size_t ocf_queue_peek(const struct ocf_queue *q, struct ocf_bytes *out, size_t cap);
/* Drops the first `n` bytes, n <= len. */
void ocf_queue_consume(struct ocf_queue *q, size_t n);

static inline size_t ocf_queue_len(const struct ocf_queue *q)
{
  return q->len;
}

#endif
