/* Sorting in place, without memory of its own: the C library's qsort() may allocate behind our
 * back, and its order of equal elements differs between libraries. Here both depend on nothing. */
#ifndef OCF_BASE_DS_SORT_H
#define OCF_BASE_DS_SORT_H

#include "base/core/core.h"

/* Puts the `n` elements of `size` > 0 bytes at `base` in ascending order of `cmp` (<0, 0, >0).
 * O(n log n) comparisons at worst, no recursion. Not stable: equal elements come in an order that
 * depends only on the input. `base` may be NULL when n is 0. */
void ocf_sort(void *base, size_t n, size_t size, int (*cmp)(const void *a, const void *b));

#endif
