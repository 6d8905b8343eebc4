#include "base/mem/alloc.h"

#include <stdlib.h>
#include <string.h>

#if !defined(NDEBUG) && !defined(OCF_MEM_NO_FILL)
enum { FILL_NEW = 0xA5, FILL_OLD = 0x5A };
#define FILL(p, value, n) ((void)memset((p), (value), (n)))
#else
#define FILL(p, value, n) ((void)0)
#endif

static void *heap_fn(struct ocf_alloc *a, void *p, size_t old_size, size_t new_size)
{
  (void)a;
  (void)old_size;
  if (new_size != 0)
    return realloc(p, new_size);
  free(p);
  return NULL;
}

void ocf_alloc_init(struct ocf_alloc *a)
{
  *a = (struct ocf_alloc){ .fn = heap_fn };
}

/* Counts one demand for `grow` more bytes and says whether it may be met. */
static bool may_grow(struct ocf_alloc *a, size_t grow)
{
  a->n_calls++;
  if (a->fail_at != 0 && a->n_calls >= a->fail_at)
    return false;
  if (grow > SIZE_MAX - a->live_bytes)
    return false;
  return a->limit_bytes == 0 || a->live_bytes + grow <= a->limit_bytes;
}

static void count_grown(struct ocf_alloc *a, size_t grow)
{
  a->live_bytes += grow;
  a->peak_bytes = OCF_MAX(a->peak_bytes, a->live_bytes);
}

void *ocf_alloc_get(struct ocf_alloc *a, size_t n)
{
  OCF_ASSERT(n > 0);
  if (!may_grow(a, n))
    return NULL;
  void *p = a->fn(a, NULL, 0, n);
  if (p == NULL)
    return NULL;
  count_grown(a, n);
  a->live_blocks++;
  FILL(p, FILL_NEW, n);
  return p;
}

void *ocf_alloc_zero(struct ocf_alloc *a, size_t n)
{
  void *p = ocf_alloc_get(a, n);
  if (p != NULL)
    memset(p, 0, n);
  return p;
}

void *ocf_alloc_resize(struct ocf_alloc *a, void *p, size_t old_n, size_t new_n)
{
  OCF_ASSERT(new_n > 0);
  if (p == NULL)
    return ocf_alloc_get(a, new_n);
  OCF_ASSERT(a->live_bytes >= old_n && a->live_blocks > 0);
  if (new_n == old_n)
    return p;
  if (new_n > old_n && !may_grow(a, new_n - old_n))
    return NULL;
  uint8_t *q = a->fn(a, p, old_n, new_n);
  if (q == NULL)
    return NULL;
  if (new_n > old_n) {
    count_grown(a, new_n - old_n);
    FILL(q + old_n, FILL_NEW, new_n - old_n);
  } else {
    a->live_bytes -= old_n - new_n;
  }
  return q;
}

void ocf_alloc_put(struct ocf_alloc *a, void *p, size_t n)
{
  if (p == NULL)
    return;
  OCF_ASSERT(a->live_bytes >= n && a->live_blocks > 0);
  FILL(p, FILL_OLD, n);
  a->live_bytes -= n;
  a->live_blocks--;
  (void)a->fn(a, p, n, 0);
}
