#include "base/ds/sort.h"

#include <string.h>

enum { CHUNK = 64 };

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
  uint8_t t[CHUNK];
  while (size > 0) {
    size_t n = OCF_MIN(size, sizeof(t));
    memcpy(t, a, n);
    memcpy(a, b, n);
    memcpy(b, t, n);
    a += n;
    b += n;
    size -= n;
  }
}

/* Lets the element at `at` sink until none of its children is greater. */
static void sink(uint8_t *p, size_t at, size_t n, size_t size,
                 int (*cmp)(const void *a, const void *b))
{
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && cmp(p + child * size, p + (child + 1) * size) < 0)
      child++;
    if (cmp(p + at * size, p + child * size) >= 0)
      return;
    swap(p + at * size, p + child * size, size);
  }
}

/* Heapsort: slower than others by a constant, but with no bad inputs that a peer could choose. */
void ocf_sort(void *base, size_t n, size_t size, int (*cmp)(const void *a, const void *b))
{
  uint8_t *p = base;
  OCF_ASSERT(size > 0);
  for (size_t i = n / 2; i > 0; i--)
    sink(p, i - 1, n, size, cmp);
  for (size_t left = n; left > 1; left--) {
    swap(p, p + (left - 1) * size, size);
    sink(p, 0, left - 1, size, cmp);
  }
}
