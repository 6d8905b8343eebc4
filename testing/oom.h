/* The out-of-memory sweep: runs a test body again and again, failing its first allocation, then its
 * second, and so on, until one run meets no failure. After every run all memory must be back.
 *
 *   static int body(struct ocf_alloc *a, void *ctx)
 *   {
 *     … use a; free everything on every path; return OCF_ENOMEM when that is what was met …
 *   }
 *   size_t n = ocf_oom_sweep(body, &ctx);
 *
 * Include after testing/test.h. */
#ifndef OCF_TESTING_OOM_H
#define OCF_TESTING_OOM_H

#include "base/mem/alloc.h"
#include "testing/test.h"

enum { OCF_OOM_RUNS_MAX = 100000 };

/* Returns the number of allocations of a run without failure. The body returns 0 when it did all of
 * its work; it may also do so although an allocation failed, when the code could do without. Any
 * other value must be OCF_ENOMEM, in a run that did meet a failure. */
static inline uint64_t ocf_oom_sweep(int (*body)(struct ocf_alloc *a, void *ctx), void *ctx)
{
  for (uint64_t at = 1; at < OCF_OOM_RUNS_MAX; at++) {
    struct ocf_alloc a;
    ocf_alloc_init(&a);
    a.fail_at = at;
    int err = body(&a, ctx);
    bool met = a.n_calls >= at;
    if (a.live_bytes != 0 || a.live_blocks != 0)
      fail_msg("run %llu leaks %zu bytes in %zu blocks", (unsigned long long)at, a.live_bytes,
               a.live_blocks);
    if (err != 0 && (err != OCF_ENOMEM || !met))
      fail_msg("run %llu returned %s", (unsigned long long)at, ocf_errname(err));
    if (!met)
      return a.n_calls;
  }
  fail_msg("no run without a failure");
  return 0;
}

#endif
