#include "base/mem/arena.h"

#include <stdalign.h>
#include <string.h>

enum { ALIGN = alignof(max_align_t) };

struct ocf_arena_block {
  struct ocf_arena_block *below;
  size_t used, size; /* of data */
  alignas(max_align_t) uint8_t data[];
};

enum { HEADER = sizeof(struct ocf_arena_block) };

void ocf_arena_init(struct ocf_arena *ar, struct ocf_alloc *a, size_t block_bytes, size_t max_bytes)
{
  OCF_ASSERT(block_bytes >= 64);
  *ar = (struct ocf_arena){ .a = a, .block_bytes = block_bytes, .max_bytes = max_bytes };
}

static void drop(struct ocf_arena *ar, struct ocf_arena_block *b)
{
  ar->held_bytes -= HEADER + b->size;
  ocf_alloc_put(ar->a, b, HEADER + b->size);
}

void ocf_arena_fini(struct ocf_arena *ar)
{
  while (ar->top != NULL) {
    struct ocf_arena_block *b = ar->top;
    ar->top = b->below;
    drop(ar, b);
  }
  OCF_ASSERT(ar->held_bytes == 0);
}

void ocf_arena_reset(struct ocf_arena *ar)
{
  struct ocf_arena_block *keep = NULL;
  while (ar->top != NULL) {
    struct ocf_arena_block *b = ar->top;
    ar->top = b->below;
    if (keep == NULL && HEADER + b->size == ar->block_bytes)
      keep = b;
    else
      drop(ar, b);
  }
  ar->top = keep;
  if (keep == NULL)
    return;
  keep->below = NULL;
  keep->used = 0;
}

/* Puts a block with at least `n` bytes of data on top. */
static struct ocf_arena_block *push_block(struct ocf_arena *ar, size_t n)
{
  size_t size = OCF_MAX(n, ar->block_bytes - HEADER);
  if (size > SIZE_MAX - HEADER || HEADER + size > ar->max_bytes - ar->held_bytes)
    return NULL;
  struct ocf_arena_block *b = ocf_alloc_get(ar->a, HEADER + size);
  if (b == NULL)
    return NULL;
  b->below = ar->top;
  b->used = 0;
  b->size = size;
  ar->top = b;
  ar->held_bytes += HEADER + size;
  return b;
}

void *ocf_arena_get(struct ocf_arena *ar, size_t n)
{
  OCF_ASSERT(n > 0 && ar->held_bytes <= ar->max_bytes);
  if (n > SIZE_MAX - ALIGN)
    return NULL;
  size_t padded = (n + ALIGN - 1) / ALIGN * ALIGN;
  struct ocf_arena_block *b = ar->top;
  if (b == NULL || padded > b->size - b->used)
    b = push_block(ar, padded);
  if (b == NULL)
    return NULL;
  void *p = b->data + b->used;
  b->used += padded;
  return p;
}

void *ocf_arena_zero(struct ocf_arena *ar, size_t n)
{
  void *p = ocf_arena_get(ar, n);
  if (p != NULL)
    memset(p, 0, n);
  return p;
}

char *ocf_arena_str(struct ocf_arena *ar, struct ocf_bytes s)
{
  if (s.n == SIZE_MAX)
    return NULL;
  char *p = ocf_arena_get(ar, s.n + 1);
  if (p == NULL)
    return NULL;
  if (s.n > 0)
    memcpy(p, s.p, s.n);
  p[s.n] = '\0';
  return p;
}
