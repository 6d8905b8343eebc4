/* A growable byte buffer with a bound that is given at init and never passed.
 *
 * Belongs to one loop. Views of it are lent until the next call that may grow it. */
#ifndef OCF_BASE_BUF_BUF_H
#define OCF_BASE_BUF_BUF_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

struct ocf_buf {
  struct ocf_alloc *a;
  uint8_t *p;
  size_t n, cap, max; /* n <= cap <= max */
};

void ocf_buf_init(struct ocf_buf *b, struct ocf_alloc *a, size_t max);
void ocf_buf_fini(struct ocf_buf *b);
void ocf_buf_clear(struct ocf_buf *b);
/* Gives the memory back too. */
void ocf_buf_reset(struct ocf_buf *b);

/* Room for `n` more bytes at the end. 0, OCF_ELIMIT over `max`, OCF_ENOMEM. */
OCF_NODISCARD int ocf_buf_reserve(struct ocf_buf *b, size_t n);
/* Appends; all or nothing. 0, OCF_ELIMIT, OCF_ENOMEM. */
OCF_NODISCARD int ocf_buf_add(struct ocf_buf *b, const void *p, size_t n);
OCF_NODISCARD int ocf_buf_add_u8(struct ocf_buf *b, uint8_t v);
OCF_NODISCARD int ocf_buf_add_str(struct ocf_buf *b, const char *s);
OCF_NODISCARD int ocf_buf_printf(struct ocf_buf *b, const char *fmt, ...) OCF_PRINTF(2, 3);
/* Drops the first `n` bytes (n <= b->n), moving the rest to the front. */
void ocf_buf_consume(struct ocf_buf *b, size_t n);

static inline struct ocf_bytes ocf_buf_view(const struct ocf_buf *b)
{
  return ocf_bytes(b->p, b->n);
}

#endif
