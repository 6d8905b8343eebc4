/* Bump arena: many small blocks of one request or connection, dropped together.
 *
 * Bounded by `max_bytes` of allocator memory, block headers included. Blocks are aligned for any
 * type. Belongs to one loop. Nothing is freed singly, and nothing moves before reset or fini. */
#ifndef OCF_BASE_MEM_ARENA_H
#define OCF_BASE_MEM_ARENA_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

struct ocf_arena_block;

struct ocf_arena {
  struct ocf_alloc *a;
  struct ocf_arena_block *top; /* the block in use; older ones behind it */
  size_t block_bytes;          /* size of an ordinary block, header included */
  size_t held_bytes, max_bytes;
};

/* Takes no memory yet. block_bytes >= 64; a demand that does not fit an ordinary block gets one of
 * its own. */
void ocf_arena_init(struct ocf_arena *ar, struct ocf_alloc *a, size_t block_bytes,
                    size_t max_bytes);
void ocf_arena_fini(struct ocf_arena *ar);
/* Drops everything that was handed out, keeping one ordinary block for the next round. */
void ocf_arena_reset(struct ocf_arena *ar);

/* `n` > 0 bytes, uninitialised, aligned for any type; NULL at the bound or when out of memory. */
OCF_NODISCARD void *ocf_arena_get(struct ocf_arena *ar, size_t n);
/* The same, zeroed. */
OCF_NODISCARD void *ocf_arena_zero(struct ocf_arena *ar, size_t n);
/* A copy of `s` with a NUL behind it, so that it can also be read as a C string; NULL as above. */
OCF_NODISCARD char *ocf_arena_str(struct ocf_arena *ar, struct ocf_bytes s);

#define OCF_ARENA_NEW(ar, type) ((type *)ocf_arena_zero((ar), sizeof(type)))

#endif
