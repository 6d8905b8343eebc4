/* Fragmentation sweep: feeds the same bytes whole, cut in two at every place, in pieces of every
 * size up to 17, and so byte by byte too. What a parser makes of them must never depend on that.
 *
 *   static int feed(void *ctx, const uint8_t *p, size_t n)   consumes a piece; 0 or an error
 *   static void begin(void *ctx)                             makes a fresh parser
 *   static void end(void *ctx, int err)                      checks the outcome
 *
 * A piece is copied to a block of exactly its size first, so that ASan sees any read past it. */
#ifndef OCF_TESTING_SPLIT_H
#define OCF_TESTING_SPLIT_H

#include "testing/test.h"

struct ocf_split {
  void *ctx;
  void (*begin)(void *ctx);
  int (*feed)(void *ctx, const uint8_t *p, size_t n);
  /* `err` is the first non-zero result of feed, after which nothing more was fed; else 0. */
  void (*end)(void *ctx, int err);
};

static inline int ocf_split_piece(const struct ocf_split *s, const uint8_t *p, size_t n)
{
  uint8_t *copy = malloc(n > 0 ? n : 1);
  assert_non_null(copy);
  if (n > 0)
    memcpy(copy, p, n);
  int err = s->feed(s->ctx, copy, n);
  free(copy);
  return err;
}

/* One run: a first piece of `first` bytes, then pieces of `step` (> 0) bytes. */
static inline void ocf_split_run(const struct ocf_split *s, const uint8_t *p, size_t n,
                                 size_t first, size_t step)
{
  int err = 0;
  s->begin(s->ctx);
  for (size_t at = 0, len = first; err == 0 && at < n; at += len, len = step) {
    len = len < n - at ? len : n - at;
    err = ocf_split_piece(s, p + at, len);
  }
  s->end(s->ctx, err);
}

/* Every single cut (the cut at 0 feeds an empty piece first), then pieces of 1 to 17 bytes. */
static inline void ocf_split_sweep(const struct ocf_split *s, const uint8_t *p, size_t n)
{
  for (size_t cut = 0; cut <= n; cut++)
    ocf_split_run(s, p, n, cut, n > 0 ? n : 1);
  for (size_t step = 1; step <= 17; step++)
    ocf_split_run(s, p, n, step, step);
}

#endif
