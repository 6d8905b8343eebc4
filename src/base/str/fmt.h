/* Text built in a caller's array, never past its end. What does not fit is cut, `cut` says so, and
 * nothing is appended after a cut, so the result is always a prefix of what was meant.
 *
 * A value on the stack; the array is the caller's and always holds a NUL after the text. */
#ifndef OCF_BASE_STR_FMT_H
#define OCF_BASE_STR_FMT_H

#include "base/core/core.h"

struct ocf_fmt {
  char *p;
  size_t n, cap; /* n < cap; the NUL stands at p[n] */
  bool cut;
};

/* cap > 0. */
void ocf_fmt_init(struct ocf_fmt *f, char *p, size_t cap);
/* Appends as many of the `n` bytes as fit. */
void ocf_fmt_bytes(struct ocf_fmt *f, const void *p, size_t n);
/* Appends all `n` bytes or none: for what must not be broken, such as an escape sequence. */
void ocf_fmt_whole(struct ocf_fmt *f, const void *p, size_t n);
void ocf_fmt_str(struct ocf_fmt *f, const char *s);
static inline void ocf_fmt_char(struct ocf_fmt *f, char c)
{
  if (f->cut || f->n + 1 >= f->cap) {
    f->cut = true;
    return;
  }
  f->p[f->n++] = c;
  f->p[f->n] = '\0';
}
void ocf_fmt_printf(struct ocf_fmt *f, const char *fmt, ...) OCF_PRINTF(2, 3);
/* Decimal. All or nothing: half a number would be a wrong one. */
void ocf_fmt_u64(struct ocf_fmt *f, uint64_t v);
/* Decimal with zeros in front to `width` digits, 1 to 20; higher digits are dropped. All or
 * nothing. */
void ocf_fmt_padded(struct ocf_fmt *f, uint64_t v, size_t width);
/* Lower-case hex, whole bytes only. */
void ocf_fmt_hex(struct ocf_fmt *f, struct ocf_bytes b);
/* Drops what was appended after the text was `n` long, and the cut mark with it. */
void ocf_fmt_rewind(struct ocf_fmt *f, size_t n);

static inline struct ocf_bytes ocf_fmt_view(const struct ocf_fmt *f)
{
  return ocf_bytes(f->p, f->n);
}

#endif
