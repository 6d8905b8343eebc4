#include "io/fetch/fetch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/time/time.h"
#include "io/fetch/fetch_int.h"

enum { POLL_MS = 500, POST_AGAIN_MS = 10 };

/* What is posted to the loop: outlives its fetcher when that goes first. The owner's thread alone
 * looks into it. */
struct poke {
  struct ocf_fetcher *f;
};

struct ocf_fetcher {
  struct ocf_fetch_config cfg; /* shows the two texts */
  char *user_agent, *ca_file;
  struct ocf_fetch_loop loop;
  /* The owner's. */
  pthread_t thread;
  bool started; /* there is a thread to be joined */
  size_t n_open;
  /* The thread's. */
  const struct ocf_curl *curl;
  struct ocf_list running;
  size_t n_running;
  /* Both threads', under `lock`. */
  pthread_mutex_t lock;
  struct ocf_list queued, done;
  CURLM *multi; /* set while it may be woken */
  bool stop, alive, posted;
  struct poke *poke;
};

/* ---- the thread ---- */

static void put_done(struct ocf_fetcher *f, struct ocf_fetch_req *q)
{
  ocf_list_remove(&q->link);
  OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
  ocf_list_push_back(&f->done, &q->link);
  OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
}

/* The next request to begin, or one whose time is over in the queue; with the lock held. */
static struct ocf_fetch_req *next_queued(struct ocf_fetcher *f, uint64_t now_ns)
{
  OCF_LIST_FOREACH (it, &f->queued) {
    struct ocf_fetch_req *q = OCF_LIST_ENTRY(it, struct ocf_fetch_req, link);
    if (f->n_running < OCF_FETCH_PARALLEL || q->deadline_ns <= now_ns)
      return q;
  }
  return NULL;
}

static void begin_queued(struct ocf_fetcher *f)
{
  uint64_t now = f->loop.now_ns();
  for (;;) {
    OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
    struct ocf_fetch_req *q = next_queued(f, now);
    if (q != NULL)
      ocf_list_remove(&q->link);
    OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
    if (q == NULL)
      return;
    ocf_list_push_back(&f->running, &q->link);
    if (q->deadline_ns <= now) {
      ocf_fetch_fail(q, OCF_ETIME, "no answer in time");
      put_done(f, q);
    } else if (ocf_fetch_begin(f->curl, f->multi, q, &f->cfg, now) != 0) {
      put_done(f, q);
    } else {
      f->n_running++;
    }
  }
}

static void finish(struct ocf_fetcher *f, struct ocf_fetch_req *q, CURLcode code)
{
  ocf_fetch_finish(f->curl, f->multi, q, code);
  f->n_running--;
  put_done(f, q);
}

static void transfer(struct ocf_fetcher *f)
{
  int n;
  CURLMsg *m;
  begin_queued(f);
  (void)f->curl->curl_multi_perform(f->multi, &n);
  while ((m = f->curl->curl_multi_info_read(f->multi, &n)) != NULL) {
    char *q = NULL;
    CURLcode code = m->data.result; /* the message goes with its handle */
    (void)f->curl->curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q);
    if (m->msg == CURLMSG_DONE)
      finish(f, (struct ocf_fetch_req *)(void *)q, code);
  }
}

static void deliver_post(void *arg);

/* Whether there is more to do; the thread is not `alive` any more once the answer is no. A post
 * that finds no memory is tried again, soon: `*told` is false then. */
static bool go_on(struct ocf_fetcher *f, bool *told)
{
  OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
  if (!ocf_list_empty(&f->done) && !f->posted && !f->stop)
    f->posted = f->loop.post(f->loop.ctx, deliver_post, f->poke) == 0;
  *told = ocf_list_empty(&f->done) || f->posted;
  f->alive = !f->stop && (!ocf_list_empty(&f->queued) || f->n_running > 0 || !*told);
  bool more = f->alive;
  OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
  return more;
}

static void set_multi(struct ocf_fetcher *f, CURLM *multi)
{
  OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
  f->multi = multi;
  OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
}

static void run_transfers(struct ocf_fetcher *f, CURLM *multi)
{
  bool told;
  set_multi(f, multi);
  transfer(f);
  while (go_on(f, &told)) {
    (void)f->curl->curl_multi_poll(multi, NULL, 0, told ? POLL_MS : POST_AGAIN_MS, NULL);
    transfer(f);
  }
  OCF_LIST_FOREACH_SAFE (it, &f->running) { /* stopped */
    finish(f, OCF_LIST_ENTRY(it, struct ocf_fetch_req, link), CURLE_ABORTED_BY_CALLBACK);
  }
  set_multi(f, NULL);
  (void)f->curl->curl_multi_cleanup(multi);
}

/* Every request gets the same answer. */
static void refuse_all(struct ocf_fetcher *f, int err, const char *why)
{
  bool told, more = true;
  while (more) {
    OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
    for (struct ocf_list *it; (it = ocf_list_pop_front(&f->queued)) != NULL;) {
      ocf_fetch_fail(OCF_LIST_ENTRY(it, struct ocf_fetch_req, link), err, why);
      ocf_list_push_back(&f->done, it);
    }
    OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
    more = go_on(f, &told);
    const struct timespec ts = { .tv_nsec = POST_AGAIN_MS * 1000000L };
    if (more)
      (void)nanosleep(&ts, NULL);
  }
}

static void *thread_main(void *arg)
{
  struct ocf_fetcher *f = arg;
  const char *why;
  f->curl = ocf_curl_open(&why);
  CURLM *multi = f->curl != NULL ? f->curl->curl_multi_init() : NULL;
  if (multi != NULL)
    run_transfers(f, multi);
  else
    refuse_all(f, f->curl == NULL ? OCF_EUNSUPP : OCF_ENOMEM,
               f->curl == NULL ? why : "out of memory");
  ocf_curl_forget();
  return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(struct ocf_fetcher *f)
{
  sigset_t all, old;
  (void)sigfillset(&all);
  OCF_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
  int r = pthread_create(&f->thread, NULL, thread_main, f);
  OCF_ASSERT(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
  return r == 0 ? 0 : OCF_ENOMEM;
}

/* ---- the owner ---- */

static void free_req(struct ocf_fetch_req *q)
{
  free(q->url);
  free(q->body);
  free(q);
}

static void tell(struct ocf_fetcher *f, struct ocf_fetch_req *q)
{
  struct ocf_fetched r = { q->err, q->status, ocf_bytes(q->body, q->n), q->text };
  f->n_open--;
  q->fn(q->user, f->loop.now_ns(), &r);
  free_req(q);
}

static struct ocf_fetch_req *pop_done(struct ocf_fetcher *f)
{
  OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
  struct ocf_list *it = ocf_list_pop_front(&f->done);
  f->posted = f->posted && it != NULL;
  OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
  return it != NULL ? OCF_LIST_ENTRY(it, struct ocf_fetch_req, link) : NULL;
}

static void deliver_post(void *arg)
{
  struct poke *k = arg;
  if (k->f == NULL) {
    free(k);
    return;
  }
  for (struct ocf_fetch_req *q; (q = pop_done(k->f)) != NULL;)
    tell(k->f, q);
}

static void free_memory(struct ocf_fetcher *f)
{
  free(f->user_agent);
  free(f->ca_file);
  free(f->poke);
  free(f);
}

/* False when memory ran out. */
static bool copy_text(const char *s, char **copy, const char **shown)
{
  *copy = s != NULL ? strdup(s) : NULL;
  *shown = *copy;
  return s == NULL || *copy != NULL;
}

struct ocf_fetcher *ocf_fetcher_new(const struct ocf_fetch_config *cfg,
                                    const struct ocf_fetch_loop *loop)
{
  struct ocf_fetcher *f = calloc(1, sizeof(*f));
  if (f == NULL)
    return NULL;
  f->cfg.env_proxies = cfg->env_proxies;
  f->loop = *loop;
  ocf_list_init(&f->running);
  ocf_list_init(&f->queued);
  ocf_list_init(&f->done);
  f->poke = malloc(sizeof(*f->poke));
  if (!copy_text(cfg->user_agent, &f->user_agent, &f->cfg.user_agent) ||
      !copy_text(cfg->ca_file, &f->ca_file, &f->cfg.ca_file) || f->poke == NULL) {
    free_memory(f);
    return NULL;
  }
  f->poke->f = f;
  OCF_ASSERT(pthread_mutex_init(&f->lock, NULL) == 0);
  return f;
}

/* Stops the thread, whatever it does, and takes it back. */
static void join(struct ocf_fetcher *f)
{
  OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
  f->stop = true;
  if (f->multi != NULL)
    (void)f->curl->curl_multi_wakeup(f->multi);
  OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
  if (f->started)
    OCF_ASSERT(pthread_join(f->thread, NULL) == 0);
  f->started = f->stop = false;
}

void ocf_fetcher_free(struct ocf_fetcher *f)
{
  if (f == NULL)
    return;
  join(f);
  while (!ocf_list_empty(&f->queued))
    ocf_list_push_back(&f->done, ocf_list_pop_front(&f->queued));
  for (struct ocf_list *it; (it = ocf_list_pop_front(&f->done)) != NULL;) {
    struct ocf_fetch_req *q = OCF_LIST_ENTRY(it, struct ocf_fetch_req, link);
    ocf_fetch_fail(q, OCF_ECANCELED, "the program ends");
    tell(f, q);
  }
  OCF_ASSERT(f->n_open == 0);
  if (f->posted) { /* the post will find nobody, and free this */
    f->poke->f = NULL;
    f->poke = NULL;
  }
  OCF_ASSERT(pthread_mutex_destroy(&f->lock) == 0);
  free_memory(f);
}

/* Printable ASCII with one of the two schemes; libcurl judges the rest. */
static bool url_ok(const char *url)
{
  size_t n = strnlen(url, OCF_FETCH_URL_MAX + 1);
  if (n > OCF_FETCH_URL_MAX)
    return false;
  for (size_t i = 0; i < n; i++) {
    if (url[i] <= ' ' || url[i] > '~')
      return false;
  }
  return (strncasecmp(url, "http://", 7) == 0 && n > 7) ||
         (strncasecmp(url, "https://", 8) == 0 && n > 8);
}

/* Hands it to the thread; false when there is none and none can be made. */
static bool enqueue(struct ocf_fetcher *f, struct ocf_fetch_req *q)
{
  OCF_ASSERT(pthread_mutex_lock(&f->lock) == 0);
  ocf_list_push_back(&f->queued, &q->link);
  bool alive = f->alive;
  f->alive = true;
  if (alive && f->multi != NULL)
    (void)f->curl->curl_multi_wakeup(f->multi);
  OCF_ASSERT(pthread_mutex_unlock(&f->lock) == 0);
  if (alive)
    return true;
  if (f->started) /* it has ended, or is about to */
    OCF_ASSERT(pthread_join(f->thread, NULL) == 0);
  f->started = start_thread(f) == 0;
  if (f->started)
    return true;
  f->alive = false;
  ocf_list_remove(&q->link);
  return false;
}

int ocf_fetcher_get(struct ocf_fetcher *f, const char *url, size_t max_bytes, uint64_t timeout_ns,
                    ocf_fetched_fn fn, void *user)
{
  if (!url_ok(url))
    return OCF_EINVAL;
  if (f->n_open >= OCF_FETCH_PARALLEL + OCF_FETCH_QUEUED)
    return OCF_ELIMIT;
  struct ocf_fetch_req *q = calloc(1, sizeof(*q));
  if (q == NULL)
    return OCF_ENOMEM;
  q->url = strdup(url);
  q->max_bytes = max_bytes;
  q->deadline_ns = ocf_time_add(f->loop.now_ns(), timeout_ns);
  q->fn = fn;
  q->user = user;
  if (q->url == NULL || !enqueue(f, q)) {
    free_req(q);
    return OCF_ENOMEM;
  }
  f->n_open++;
  return 0;
}
