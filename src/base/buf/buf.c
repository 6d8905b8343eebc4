#include "base/buf/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CAP_MIN = 64 };

void ocf_buf_init(struct ocf_buf *b, struct ocf_alloc *a, size_t max)
{
  *b = (struct ocf_buf){ .a = a, .max = max };
}

void ocf_buf_fini(struct ocf_buf *b)
{
  ocf_buf_reset(b);
}

void ocf_buf_clear(struct ocf_buf *b)
{
  b->n = 0;
}

void ocf_buf_reset(struct ocf_buf *b)
{
  ocf_alloc_put(b->a, b->p, b->cap);
  b->p = NULL;
  b->n = b->cap = 0;
}

int ocf_buf_reserve(struct ocf_buf *b, size_t n)
{
  OCF_ASSERT(b->n <= b->cap && b->cap <= b->max);
  if (n <= b->cap - b->n)
    return 0;
  if (n > b->max - b->n)
    return OCF_ELIMIT;
  size_t want = b->n + n;
  size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
  cap = OCF_MIN(OCF_MAX(OCF_MAX(cap, want), CAP_MIN), b->max);
  uint8_t *p = ocf_alloc_resize(b->a, b->p, b->cap, cap);
  if (p == NULL)
    return OCF_ENOMEM;
  b->p = p;
  b->cap = cap;
  return 0;
}

int ocf_buf_add(struct ocf_buf *b, const void *p, size_t n)
{
  if (n == 0)
    return 0;
  int err = ocf_buf_reserve(b, n);
  if (err != 0)
    return err;
  memcpy(b->p + b->n, p, n);
  b->n += n;
  return 0;
}

int ocf_buf_add_u8(struct ocf_buf *b, uint8_t v)
{
  return ocf_buf_add(b, &v, 1);
}

int ocf_buf_add_str(struct ocf_buf *b, const char *s)
{
  return ocf_buf_add(b, s, strlen(s));
}

/* The text fits the bound exactly, so there is no room for the NUL that vsnprintf insists on. */
static OCF_PRINTF(2, 0) int print_to_the_brim(struct ocf_buf *b, const char *fmt, va_list ap,
                                              size_t n)
{
  char *tmp = ocf_alloc_get(b->a, n + 1);
  if (tmp == NULL)
    return OCF_ENOMEM;
  (void)vsnprintf(tmp, n + 1, fmt, ap);
  memcpy(b->p + b->n, tmp, n);
  b->n += n;
  ocf_alloc_put(b->a, tmp, n + 1);
  return 0;
}

static OCF_PRINTF(2, 0) int print(struct ocf_buf *b, const char *fmt, va_list ap, size_t n)
{
  size_t room = b->max - b->n;
  int err = ocf_buf_reserve(b, n < room ? n + 1 : n);
  if (err != 0 || n == 0)
    return err;
  if (b->cap - b->n == n)
    return print_to_the_brim(b, fmt, ap, n);
  (void)vsnprintf((char *)b->p + b->n, n + 1, fmt, ap);
  b->n += n;
  return 0;
}

int ocf_buf_printf(struct ocf_buf *b, const char *fmt, ...)
{
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  int err = n < 0 ? OCF_EINVAL : print(b, fmt, again, (size_t)n);
  va_end(again);
  va_end(ap);
  return err;
}

void ocf_buf_consume(struct ocf_buf *b, size_t n)
{
  OCF_ASSERT(n <= b->n);
  b->n -= n;
  if (n > 0 && b->n > 0)
    memmove(b->p, b->p + n, b->n);
}
