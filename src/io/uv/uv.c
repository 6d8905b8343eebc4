#include "io/uv/uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/time/time.h"
#include "io/uv/uv_int.h"

struct post {
  struct post *next;
  void (*fn)(void *arg);
  void *arg;
};

uint64_t ocf_uv_now(void)
{
  return uv_hrtime();
}

/* Sets the one timer to the owner's deadline, in whole milliseconds rounded up: a timer that fires
 * early would only spin. */
static void arm_timer(struct ocf_uv *u, uint64_t now_ns)
{
  uint64_t at = u->turn_ops->deadline(u->turn_user);
  if (at == u->armed_ns)
    return;
  u->armed_ns = at;
  if (at == OCF_TIME_NEVER) {
    uv_timer_stop(&u->timer);
    return;
  }
  uint64_t wait_ns = at > now_ns ? at - now_ns : 0;
  uv_update_time(&u->loop);
  (void)!uv_timer_start(&u->timer, u->timer.timer_cb, (wait_ns + OCF_NS_PER_MS - 1) / OCF_NS_PER_MS,
                        0);
}

static void on_timer(uv_timer_t *t)
{
  struct ocf_uv *u = t->data;
  u->armed_ns = OCF_TIME_NEVER; /* the turn that follows does the work and arms it anew */
}

static void on_prepare(uv_prepare_t *p)
{
  struct ocf_uv *u = p->data;
  if (u->turn_ops == NULL)
    return;
  u->turn_ops->turn(u->turn_user, ocf_uv_now());
  arm_timer(u, ocf_uv_now());
}

static void on_async(uv_async_t *a)
{
  struct ocf_uv *u = a->data;
  uv_mutex_lock(&u->posts_lock);
  struct post *p = u->posts;
  u->posts = NULL;
  u->posts_tail = &u->posts;
  uv_mutex_unlock(&u->posts_lock);
  while (p != NULL) {
    struct post *next = p->next;
    p->fn(p->arg);
    free(p);
    p = next;
  }
}

int ocf_uv_post(struct ocf_uv *u, void (*fn)(void *arg), void *arg)
{
  struct post *p = malloc(sizeof(*p));
  if (p == NULL)
    return OCF_ENOMEM;
  *p = (struct post){ NULL, fn, arg };
  uv_mutex_lock(&u->posts_lock);
  *u->posts_tail = p;
  u->posts_tail = &p->next;
  uv_mutex_unlock(&u->posts_lock);
  (void)!uv_async_send(&u->async);
  return 0;
}

struct ocf_uv *ocf_uv_new(size_t max_socks)
{
  struct ocf_uv *u = calloc(1, sizeof(*u));
  if (u == NULL)
    return NULL;
  if (uv_loop_init(&u->loop) != 0) {
    free(u);
    return NULL;
  }
  u->env.ops = &ocf_uv_env_ops;
  u->max_socks = max_socks;
  u->armed_ns = OCF_TIME_NEVER;
  u->posts_tail = &u->posts;
  u->prepare.data = u->timer.data = u->async.data = u;
  OCF_ASSERT(uv_mutex_init(&u->posts_lock) == 0);
  OCF_ASSERT(uv_prepare_init(&u->loop, &u->prepare) == 0);
  OCF_ASSERT(uv_prepare_start(&u->prepare, on_prepare) == 0);
  OCF_ASSERT(uv_timer_init(&u->loop, &u->timer) == 0);
  u->timer.timer_cb = on_timer;
  OCF_ASSERT(uv_async_init(&u->loop, &u->async, on_async) == 0);
  if (ocf_uv_hangup_init(u) != 0) {
    ocf_uv_free(u);
    return NULL;
  }
  return u;
}

struct ocf_uv_signal {
  uv_signal_t handle;
  void (*fn)(void *user, int signum);
  void *user;
};

static void free_signal(uv_handle_t *h)
{
  free(OCF_CONTAINER_OF((uv_signal_t *)h, struct ocf_uv_signal, handle));
}

static void close_one(uv_handle_t *h, void *arg)
{
  (void)arg;
  if (uv_is_closing(h))
    return;
  if (h->type == UV_TCP)
    ocf_uv_close_listening(h);
  else
    uv_close(h, h->type == UV_SIGNAL ? free_signal : NULL);
}

/* Sockets carry their owner in `data` and free themselves; everything else is freed with `u`. */
static void close_sock(uv_handle_t *h, void *arg)
{
  (void)arg;
  if (uv_is_closing(h) || h->data == NULL)
    return;
  if ((h->type == UV_TCP || h->type == UV_NAMED_PIPE) && !uv_is_closing(h))
    ocf_uv_env_ops.close((struct ocf_sock *)h->data, false);
}

void ocf_uv_free(struct ocf_uv *u)
{
  if (u == NULL)
    return;
  u->turn_ops = NULL;
  u->ending = true;
  ocf_fetcher_free(u->fetcher);
  uv_walk(&u->loop, close_sock, NULL);
  uv_walk(&u->loop, close_one, NULL);
  while (uv_run(&u->loop, UV_RUN_DEFAULT) != 0) { /* jobs and look-ups end first */
  }
  OCF_ASSERT(u->n_jobs == 0);
  OCF_ASSERT(uv_loop_close(&u->loop) == 0);
  ocf_uv_hangup_fini(u);
  on_async(&u->async); /* posts that came too late: run, so that their memory goes */
  uv_mutex_destroy(&u->posts_lock);
  free(u);
}

void ocf_uv_set_turn(struct ocf_uv *u, const struct ocf_uv_turn_ops *ops, void *user)
{
  u->turn_ops = ops;
  u->turn_user = user;
}

struct ocf_env *ocf_uv_env(struct ocf_uv *u)
{
  return &u->env;
}

size_t ocf_uv_n_socks(const struct ocf_uv *u)
{
  return u->n_socks;
}

void ocf_uv_run(struct ocf_uv *u)
{
  (void)!uv_run(&u->loop, UV_RUN_DEFAULT);
}

void ocf_uv_stop(struct ocf_uv *u)
{
  uv_stop(&u->loop);
}

static void on_signal(uv_signal_t *h, int signum)
{
  struct ocf_uv_signal *s = OCF_CONTAINER_OF(h, struct ocf_uv_signal, handle);
  s->fn(s->user, signum);
}

int ocf_uv_on_signal(struct ocf_uv *u, int signum, void (*fn)(void *user, int signum), void *user)
{
  struct ocf_uv_signal *s = calloc(1, sizeof(*s));
  if (s == NULL)
    return OCF_ENOMEM;
  s->fn = fn;
  s->user = user;
  if (uv_signal_init(&u->loop, &s->handle) != 0) {
    free(s);
    return OCF_EIO;
  }
  s->handle.data = NULL; /* not a socket, for ocf_uv_free(), which frees it */
  return uv_signal_start(&s->handle, on_signal, signum) == 0 ? 0 : OCF_EIO;
}

static void fill_from_kernel(void *ctx, void *p, size_t n)
{
  (void)ctx;
  int r = uv_random(NULL, NULL, p, n, 0, NULL);
  if (r != 0)
    abort(); /* no randomness, no keys: nothing sensible can follow */
}

void ocf_uv_rng_init(struct ocf_rng *r)
{
  uint64_t seed;
  fill_from_kernel(NULL, &seed, sizeof(seed));
  ocf_rng_seed(r, seed);
  r->fill = fill_from_kernel;
}
