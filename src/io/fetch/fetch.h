/* Fetches documents over HTTP and HTTPS, for the control plane: bootstrap lists, key sets, JSON.
 *
 * libcurl does it, on one thread of its own that lives while something is to be fetched. The
 * library is opened when the first fetch asks for it and not before (docs/decisions/0007): its
 * dozens of dependencies cost each process megabytes that most never need. Their pages are given
 * back when the thread ends.
 *
 * What is held: GET only; http and https only, in redirects too, at most OCF_FETCH_REDIRECTS of
 * them; certificates and names are verified; no cookies, no credentials from .netrc, no caching;
 * proxies of the environment only when asked for; the body's bound holds while it is read, and the
 * time-out is for all together, waiting included.
 *
 * Threading: all calls and callbacks are on the owner's thread; `post` comes from another. */
#ifndef OCF_IO_FETCH_FETCH_H
#define OCF_IO_FETCH_FETCH_H

#include "base/core/core.h"
#include "node/env/env.h"

enum { OCF_FETCH_PARALLEL = 8, OCF_FETCH_QUEUED = 64, OCF_FETCH_REDIRECTS = 3 };
enum { OCF_FETCH_URL_MAX = 4096 };

struct ocf_fetcher;

struct ocf_fetch_config {
  const char *user_agent; /* copied; NULL: "ocf-c" */
  const char *ca_file;    /* PEM, instead of the system's; copied; NULL: the system's */
  bool env_proxies;       /* http_proxy, https_proxy, no_proxy and the like are honoured */
};

/* What a fetcher needs of the loop that owns it. */
struct ocf_fetch_loop {
  /* Runs `fn(arg)` soon on the owner's thread; called from any. 0 or OCF_ENOMEM. */
  int (*post)(void *ctx, void (*fn)(void *arg), void *arg);
  uint64_t (*now_ns)(void); /* the loop's clock */
  void *ctx;
};

/* NULL when out of memory. */
struct ocf_fetcher *ocf_fetcher_new(const struct ocf_fetch_config *cfg,
                                    const struct ocf_fetch_loop *loop);
/* Ends what runs and waits for its thread; what was not told yet is told now, as OCF_ECANCELED.
 * A post that is still under way does nothing but must be run, or its memory leaks. NULL is fine.
 */
void ocf_fetcher_free(struct ocf_fetcher *f);

/* As `fetch` of struct ocf_env_ops. */
OCF_NODISCARD int ocf_fetcher_get(struct ocf_fetcher *f, const char *url, size_t max_bytes,
                                  uint64_t timeout_ns, ocf_fetched_fn fn, void *user);

#endif
