/* Work on libuv's threads, and documents through io/fetch. */
#include <stdlib.h>

#include "io/uv/uv_int.h"

struct job {
  uv_work_t req;
  struct ocf_uv *u;
  void (*run)(void *arg);
  void (*done)(void *arg, uint64_t now_ns);
  void *arg;
};

static void on_run(uv_work_t *req)
{
  struct job *j = OCF_CONTAINER_OF(req, struct job, req);
  j->run(j->arg);
}

static void on_done(uv_work_t *req, int status)
{
  struct job *j = OCF_CONTAINER_OF(req, struct job, req);
  OCF_ASSERT(status == 0); /* jobs are never cancelled */
  void (*done)(void *arg, uint64_t now_ns) = j->done;
  void *arg = j->arg;
  j->u->n_jobs--;
  free(j);
  done(arg, ocf_uv_now());
}

int ocf_uv_job(struct ocf_env *env, void (*run)(void *arg),
               void (*done)(void *arg, uint64_t now_ns), void *arg)
{
  struct ocf_uv *u = (struct ocf_uv *)env;
  if (u->ending)
    return OCF_ECANCELED;
  if (u->n_jobs >= OCF_JOBS_MAX)
    return OCF_ELIMIT;
  struct job *j = malloc(sizeof(*j));
  if (j == NULL)
    return OCF_ENOMEM;
  *j = (struct job){ .u = u, .run = run, .done = done, .arg = arg };
  OCF_ASSERT(uv_queue_work(&u->loop, &j->req, on_run, on_done) == 0);
  u->n_jobs++;
  return 0;
}

/* ---- documents ---- */

static int post(void *ctx, void (*fn)(void *arg), void *arg)
{
  return ocf_uv_post(ctx, fn, arg);
}

int ocf_uv_set_fetch(struct ocf_uv *u, const struct ocf_fetch_config *cfg)
{
  struct ocf_fetch_loop loop = { .post = post, .now_ns = ocf_uv_now, .ctx = u };
  OCF_ASSERT(u->fetcher == NULL);
  u->fetcher = ocf_fetcher_new(cfg, &loop);
  return u->fetcher != NULL ? 0 : OCF_ENOMEM;
}

int ocf_uv_fetch(struct ocf_env *env, const char *url, size_t max_bytes, uint64_t timeout_ns,
                 ocf_fetched_fn fn, void *user)
{
  struct ocf_uv *u = (struct ocf_uv *)env;
  const struct ocf_fetch_config defaults = { .user_agent = NULL };
  if (u->ending)
    return OCF_ECANCELED;
  if (u->fetcher == NULL && ocf_uv_set_fetch(u, &defaults) != 0)
    return OCF_ENOMEM;
  return ocf_fetcher_get(u->fetcher, url, max_bytes, timeout_ns, fn, user);
}
