/* Head buffers: where the machines of server.h and client.h gather and keep one head each.
 *
 * A block holds a parsed head and its text. Blocks of the usual size come from a free list, so a
 * busy loop allocates nothing per request and an idle connection holds nothing; a head that does
 * not fit grows its block (up to limits.head_bytes_max) and gives it back to the allocator
 * afterwards. One pool per loop; it outlives its machines. */
#ifndef OCF_HTTP_H1_POOL_H
#define OCF_HTTP_H1_POOL_H

#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "http/h1/h1.h"

enum { OCF_H1_BLOCK_SIZE = 4096 }; /* bytes of memory of a usual block, all included */

struct ocf_h1_block {
  struct ocf_h1_block *next; /* in the free list */
  uint32_t n, cap;           /* text bytes gathered, and room */
  struct ocf_h1_head head;
  uint8_t text[];
};

struct ocf_h1_pool {
  struct ocf_alloc *a;
  struct ocf_h1_block *free;
  size_t n_free, max_free; /* max_free blocks are kept for reuse */
  size_t n_spare;          /* the least n_free since the last trim */
  size_t n_used;
};

void ocf_h1_pool_init(struct ocf_h1_pool *p, struct ocf_alloc *a, size_t max_free);
/* Every block must be back. */
void ocf_h1_pool_fini(struct ocf_h1_pool *p);
/* Gives empty blocks back to the allocator: all of them, or, when `spare` is set, those that were
 * not needed since the last call. */
void ocf_h1_pool_trim(struct ocf_h1_pool *p, bool spare);
/* An empty block; NULL when out of memory. */
OCF_NODISCARD struct ocf_h1_block *ocf_h1_block_get(struct ocf_h1_pool *p);
/* NULL is fine. */
void ocf_h1_block_put(struct ocf_h1_pool *p, struct ocf_h1_block *b);
/* Appends text, growing the block to at most `max` text bytes; the block may move. 0, OCF_ELIMIT
 * (the caller's scan reports that limit first), OCF_ENOMEM; on failure nothing changed. */
OCF_NODISCARD int ocf_h1_block_add(struct ocf_h1_pool *p, struct ocf_h1_block **b, const uint8_t *d,
                                   size_t n, size_t max);

/* Gathers a head from input d[0..n) into `*b`, which is NULL before the head's first byte, and
 * scans it on. 0: complete, it is (*b)->text[s->begin..s->end). OCF_EAGAIN: all bytes were taken,
 * more are needed. OCF_EPROTO: see s->error. OCF_ENOMEM. `*used` bytes were taken; `*b` is the
 * caller's to put in every case. */
OCF_NODISCARD int ocf_h1_block_gather(struct ocf_h1_pool *p, struct ocf_h1_block **b,
                                      struct ocf_h1_scan *s, const uint8_t *d, size_t n,
                                      bool request, const struct ocf_h1_limits *lim, size_t *used);

#endif
