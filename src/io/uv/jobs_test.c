/* Goal: each job runs once on another thread and is done once on the loop's, however the loop
 * ends; and a fetch's answer comes to the loop. Method: a real loop and libuv's own threads. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/time/time.h"
#include "io/uv/uv_int.h"
#include "testing/test.h"

enum { PATIENCE_S = 20 };

static struct ocf_uv *uv;
static struct ocf_env *env;

struct work {
  pthread_t loop_thread;
  atomic_int n_run;
  int n_done, n_again;
  int value; /* plain: `done` must see what `run` wrote */
  int hold_ms;
  int err_of_new_job;
};

static void on_run(void *arg)
{
  struct work *w = arg;
  const struct timespec ts = { .tv_nsec = w->hold_ms * 1000000L };
  assert_false(pthread_equal(pthread_self(), w->loop_thread));
  if (w->hold_ms > 0)
    (void)nanosleep(&ts, NULL);
  w->value += 7;
  atomic_fetch_add(&w->n_run, 1);
}

static void on_done(void *arg, uint64_t now_ns)
{
  struct work *w = arg;
  assert_true(pthread_equal(pthread_self(), w->loop_thread));
  assert_true(now_ns > 0);
  w->n_done++;
  assert_int_equal(w->value, 7 * w->n_done);
  if (w->n_again > 0) {
    w->n_again--;
    w->err_of_new_job = env->ops->job(env, on_run, on_done, w);
  }
}

static int setup(void **state)
{
  (void)state;
  uv = ocf_uv_new(8);
  assert_non_null(uv);
  env = ocf_uv_env(uv);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  ocf_uv_free(uv);
  return 0;
}

#define UNTIL(condition)                                                                           \
  do {                                                                                             \
    uint64_t end_ = ocf_uv_now() + PATIENCE_S * OCF_NS_PER_S;                                      \
    while (!(condition) && ocf_uv_now() < end_) {                                                  \
      (void)uv_run(&uv->loop, UV_RUN_NOWAIT);                                                      \
      (void)usleep(100);                                                                           \
    }                                                                                              \
    assert_true(condition);                                                                        \
  } while (0)

static void test_a_job_runs_elsewhere_and_is_done_here_once(void **state)
{
  struct work w = { .loop_thread = pthread_self() };
  (void)state;
  assert_int_equal(env->ops->job(env, on_run, on_done, &w), 0);
  assert_int_equal(w.n_done, 0);
  UNTIL(w.n_done == 1);
  (void)uv_run(&uv->loop, UV_RUN_NOWAIT);
  assert_int_equal(w.n_run, 1);
  assert_int_equal(w.n_done, 1);
}

static void test_a_done_may_begin_the_next_job(void **state)
{
  struct work w = { .loop_thread = pthread_self(), .n_again = 20 };
  (void)state;
  assert_int_equal(env->ops->job(env, on_run, on_done, &w), 0);
  UNTIL(w.n_done == 21);
  assert_int_equal(w.n_run, 21);
}

static void test_jobs_over_the_bound_are_refused_and_room_comes_back(void **state)
{
  static struct work w[OCF_JOBS_MAX + 1];
  (void)state;
  for (size_t i = 0; i <= OCF_JOBS_MAX; i++)
    w[i] = (struct work){ .loop_thread = pthread_self() };
  for (size_t i = 0; i < OCF_JOBS_MAX; i++)
    assert_int_equal(env->ops->job(env, on_run, on_done, &w[i]), 0);
  assert_int_equal(env->ops->job(env, on_run, on_done, &w[OCF_JOBS_MAX]), OCF_ELIMIT);
  UNTIL(uv->n_jobs == 0);
  for (size_t i = 0; i < OCF_JOBS_MAX; i++)
    assert_int_equal(w[i].n_done, 1);
  assert_int_equal(w[OCF_JOBS_MAX].n_run, 0);
  assert_int_equal(env->ops->job(env, on_run, on_done, &w[OCF_JOBS_MAX]), 0);
  UNTIL(w[OCF_JOBS_MAX].n_done == 1);
}

static void test_the_end_waits_for_jobs_and_takes_no_new_ones(void **state)
{
  static struct work w[6]; /* more than libuv has threads */
  (void)state;
  for (size_t i = 0; i < 6; i++) {
    w[i] = (struct work){ .loop_thread = pthread_self(), .hold_ms = 30, .n_again = 1 };
    assert_int_equal(env->ops->job(env, on_run, on_done, &w[i]), 0);
  }
  ocf_uv_stop(uv); /* as a program does that is told to end */
  ocf_uv_free(uv);
  uv = NULL;
  for (size_t i = 0; i < 6; i++) {
    assert_int_equal(w[i].n_run, 1);
    assert_int_equal(w[i].n_done, 1);
    assert_int_equal(w[i].err_of_new_job, OCF_ECANCELED);
  }
}

/* ---- documents ---- */

struct answer {
  int n, err, status;
  char body[32];
};

static void on_fetched(void *user, uint64_t now_ns, const struct ocf_fetched *f)
{
  struct answer *a = user;
  assert_true(now_ns > 0);
  a->n++;
  a->err = f->err;
  a->status = f->status;
  (void)snprintf(a->body, sizeof(a->body), "%.*s", (int)f->body.n, (const char *)f->body.p);
}

/* Answers one connection, or takes it and says nothing. */
struct server {
  int fd;
  bool answers;
  pthread_t thread;
  char url[64];
};

static void *serve(void *arg)
{
  struct server *s = arg;
  static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  char buf[4096];
  int c = accept(s->fd, NULL, NULL);
  if (c >= 0 && s->answers && recv(c, buf, sizeof(buf), 0) > 0)
    (void)!send(c, reply, sizeof(reply) - 1, MSG_NOSIGNAL);
  while (c >= 0 && recv(c, buf, sizeof(buf), 0) > 0) {
  }
  (void)close(c);
  return NULL;
}

static void start_server(struct server *s, bool answers)
{
  struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  socklen_t len = sizeof(sin);
  s->answers = answers;
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(s->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
  assert_int_equal(listen(s->fd, 1), 0);
  assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
  (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/x", ntohs(sin.sin_port));
  assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop_server(struct server *s)
{
  assert_int_equal(pthread_join(s->thread, NULL), 0);
  (void)close(s->fd);
}

static void test_a_document_comes_to_the_loop(void **state)
{
  struct server s;
  struct answer a = { .n = 0 };
  (void)state;
  start_server(&s, true);
  assert_int_equal(env->ops->fetch(env, s.url, 100, 10 * OCF_NS_PER_S, on_fetched, &a), 0);
  assert_int_equal(a.n, 0);
  UNTIL(a.n == 1);
  assert_int_equal(a.err, 0);
  assert_int_equal(a.status, 200);
  assert_string_equal(a.body, "hello");
  stop_server(&s);
}

static void test_the_end_cancels_what_is_being_fetched(void **state)
{
  struct server s;
  struct answer a = { .n = 0 };
  (void)state;
  start_server(&s, false);
  assert_int_equal(env->ops->fetch(env, s.url, 100, 60 * OCF_NS_PER_S, on_fetched, &a), 0);
  (void)usleep(50 * 1000);
  uint64_t t = ocf_uv_now();
  ocf_uv_free(uv);
  uv = NULL;
  assert_true(ocf_uv_now() - t < 5 * OCF_NS_PER_S);
  assert_int_equal(a.n, 1);
  assert_int_equal(a.err, OCF_ECANCELED);
  stop_server(&s);
}

static void test_an_answer_that_was_posted_as_the_loop_ended_is_told_once(void **state)
{
  (void)state;
  for (int i = 0; i < 20; i++) {
    struct server s;
    struct answer a = { .n = 0 };
    start_server(&s, true);
    assert_int_equal(env->ops->fetch(env, s.url, 100, 60 * OCF_NS_PER_S, on_fetched, &a), 0);
    (void)usleep((useconds_t)(i * 300)); /* about the time that it takes */
    ocf_uv_free(uv);
    assert_int_equal(a.n, 1);
    assert_true(a.err == OCF_ECANCELED);
    int c = socket(AF_INET, SOCK_STREAM, 0); /* the server may still wait for its one client */
    struct sockaddr_in sin;
    socklen_t len = sizeof(sin);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&sin, &len), 0);
    (void)!connect(c, (struct sockaddr *)&sin, sizeof(sin));
    (void)close(c);
    stop_server(&s);
    assert_int_equal(setup(state), 0);
  }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
  T(test_a_job_runs_elsewhere_and_is_done_here_once),
  T(test_a_done_may_begin_the_next_job),
  T(test_jobs_over_the_bound_are_refused_and_room_comes_back),
  T(test_the_end_waits_for_jobs_and_takes_no_new_ones),
  T(test_a_document_comes_to_the_loop),
  T(test_the_end_cancels_what_is_being_fetched),
  T(test_an_answer_that_was_posted_as_the_loop_ended_is_told_once),
};

OCF_TEST_MAIN(tests)
