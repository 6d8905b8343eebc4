/* Goal: the driver keeps the contract of node/env on real sockets: what is sent arrives whole and
 * in order, each end is told once, a closed handle is never heard of again, and the loop can be
 * woken from elsewhere. Method: one loop with a listener and clients on loopback; each case pumps
 * it until what it waits for is there, with a bound. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/time/time.h"
#include "io/uv/uv_int.h"
#include "testing/test.h"

enum { BUF = 64 * 1024, BIG = 8 * 1024 * 1024, PATIENCE_S = 10 };

/* One end of a connection, with everything that it was told. */
struct end {
  struct ocf_sock *s;
  uint8_t buf[BUF];
  uint8_t next; /* expected byte: the sender counts up */
  size_t n_rx, n_eof, n_connected, n_sent_calls, n_sent, n_closed, n_left, n_after;
  int err;
  bool dead;
};

static struct ocf_uv *uv;
static const struct ocf_env_ops *ops;
static struct end a, b; /* a connects, b is accepted */
static struct ocf_uv_listener *listener;
static struct ocf_ip_addr remote;
static uint8_t pattern[BIG];

static void alive(struct end *e)
{
  e->n_after += e->dead ? 1 : 0;
}

static void on_rx_space(void *user, uint8_t **p, size_t *cap)
{
  struct end *e = user;
  alive(e);
  *p = e->buf;
  *cap = BUF;
}

static void on_rx(void *user, uint64_t now_ns, size_t n)
{
  struct end *e = user;
  (void)now_ns;
  alive(e);
  for (size_t i = 0; i < n; i++)
    assert_int_equal(e->buf[i], e->next++);
  e->n_rx += n;
}

static void on_eof(void *user, uint64_t now_ns)
{
  struct end *e = user;
  (void)now_ns;
  alive(e);
  e->n_eof++;
}

static void on_connected(void *user, uint64_t now_ns)
{
  struct end *e = user;
  (void)now_ns;
  alive(e);
  e->n_connected++;
}

static void on_sent(void *user, uint64_t now_ns, size_t n)
{
  struct end *e = user;
  (void)now_ns;
  alive(e);
  e->n_sent_calls++;
  e->n_sent += n;
}

static void on_closed(void *user, uint64_t now_ns, int err)
{
  struct end *e = user;
  (void)now_ns;
  alive(e);
  e->n_closed++;
  e->err = err;
  e->dead = true;
  e->s = NULL;
}

static void on_left(void *user, uint64_t now_ns)
{
  struct end *e = user;
  (void)now_ns;
  alive(e);
  e->n_left++;
}

static const struct ocf_sock_user_ops user_ops = { on_rx_space, on_rx,     on_eof, on_connected,
                                                   on_sent,     on_closed, on_left };

static void on_accept(void *user, uint64_t now_ns, struct ocf_sock *s,
                      const struct ocf_ip_addr *from)
{
  (void)user;
  (void)now_ns;
  b.s = s;
  remote = *from;
  ops->adopt(s, &user_ops, &b);
}

/* ---- turning the loop ---- */

static uint64_t wake_ns;

static void on_turn(void *user, uint64_t now_ns)
{
  (void)user;
  wake_ns = ocf_time_add(now_ns, OCF_NS_PER_MS);
}

static uint64_t on_deadline(void *user)
{
  (void)user;
  return wake_ns;
}

static const struct ocf_uv_turn_ops turn_ops = { on_turn, on_deadline };

static void turn(void)
{
  (void)uv_run(&uv->loop, UV_RUN_ONCE);
}

#define UNTIL(condition)                                                                           \
  do {                                                                                             \
    uint64_t end_ = ocf_uv_now() + PATIENCE_S * OCF_NS_PER_S;                                      \
    while (!(condition) && ocf_uv_now() < end_)                                                    \
      turn();                                                                                      \
    assert_true(condition);                                                                        \
  } while (0)

/* Nothing comes for a while: turns of some 20 ms. */
static void quiet(void)
{
  uint64_t end = ocf_uv_now() + 20 * OCF_NS_PER_MS;
  while (ocf_uv_now() < end)
    turn();
}

static void close_end(struct end *e, bool reset)
{
  if (e->s != NULL)
    ops->close(e->s, reset);
  e->s = NULL;
  e->dead = true;
}

/* ---- a pair of connected ends ---- */

static struct ocf_ip_addr loopback(uint16_t port)
{
  return (struct ocf_ip_addr){ .family = 4, .ip = { 127, 0, 0, 1 }, .port = port };
}

static int setup(void **state)
{
  (void)state;
  (void)signal(SIGPIPE, SIG_IGN);
  memset(&a, 0, sizeof(a));
  memset(&b, 0, sizeof(b));
  for (size_t i = 0; i < BIG; i++)
    pattern[i] = (uint8_t)i;
  uv = ocf_uv_new(8);
  assert_non_null(uv);
  ops = ocf_uv_env(uv)->ops;
  ocf_uv_set_turn(uv, &turn_ops, NULL);
  struct ocf_ip_addr at = loopback(0);
  struct ocf_err err;
  listener = ocf_uv_listen(uv, &at, false, 0, on_accept, NULL, &err);
  return listener == NULL;
}

static int teardown(void **state)
{
  (void)state;
  close_end(&a, false);
  close_end(&b, false);
  quiet();
  int late = a.n_after + b.n_after != 0 || ocf_uv_n_socks(uv) != 0;
  ocf_uv_free(uv);
  return late;
}

static struct ocf_sock *dial(const struct ocf_endpoint *to, struct end *e)
{
  int err = 0;
  e->s = ops->connect(ocf_uv_env(uv), to, &user_ops, e, &err);
  return e->s;
}

static void pair_up(void)
{
  struct ocf_endpoint to = { .ip = ocf_uv_listener_addr(listener) };
  assert_non_null(dial(&to, &a));
  UNTIL(a.n_connected == 1 && b.s != NULL);
}

static size_t send_bytes(struct end *e, size_t from, size_t n, bool background)
{
  /* In uneven views, as the node has them. */
  size_t third = n / 3;
  struct ocf_bytes v[3] = { ocf_bytes(pattern + from, third),
                            ocf_bytes(pattern + from + third, third),
                            ocf_bytes(pattern + from + 2 * third, n - 2 * third) };
  return ops->send(e->s, v, 3, background);
}

/* ---- the cases ---- */

static void test_both_ends_know_each_other_and_small_sends_leave_at_once(void **state)
{
  struct ocf_ip_addr local, far;
  (void)state;
  pair_up();
  ops->names(a.s, &local, &far);
  assert_int_equal(far.port, ocf_uv_listener_addr(listener).port);
  assert_int_equal(local.port, remote.port);
  assert_true(ocf_ip_addr_is_loopback(&remote));
  assert_int_equal(ocf_uv_n_socks(uv), 2);
  assert_int_equal(send_bytes(&a, 0, 1000, true), 1000);
  assert_int_equal(send_bytes(&b, 0, 500, false), 500);
  UNTIL(b.n_rx == 1000 && a.n_rx == 500);
  assert_int_equal(a.n_sent_calls + b.n_sent_calls, 0); /* nothing was left over */
}

static void test_what_the_kernel_does_not_take_goes_in_the_background(void **state)
{
  (void)state;
  pair_up();
  size_t at_once = send_bytes(&a, 0, BIG, true);
  assert_true(at_once < BIG);
  UNTIL(a.n_sent_calls == 1);
  assert_int_equal(a.n_sent, BIG - at_once);
  UNTIL(b.n_rx == BIG);
  assert_int_equal(a.n_sent_calls, 1);
  assert_int_equal(send_bytes(&a, 0, 256, true), 256); /* and it can be used again */
  UNTIL(b.n_rx == BIG + 256);
}

static void test_without_background_the_rest_stays_the_senders(void **state)
{
  (void)state;
  pair_up();
  size_t sent = 0;
  while (sent < BIG) {
    size_t n = send_bytes(&a, sent, BIG - sent, false);
    sent += n;
    if (n == 0)
      turn();
  }
  UNTIL(b.n_rx == BIG);
  assert_int_equal(a.n_sent_calls, 0);
}

static void test_a_paused_end_reads_nothing_and_resumes_without_loss(void **state)
{
  (void)state;
  pair_up();
  ops->pause(b.s, true);
  (void)send_bytes(&a, 0, BIG, true);
  quiet();
  assert_int_equal(b.n_rx, 0);
  assert_int_equal(a.n_sent_calls, 0); /* the sender feels it */
  ops->pause(b.s, false);
  UNTIL(b.n_rx > 0);
  ops->pause(b.s, true);
  size_t had = b.n_rx;
  quiet();
  assert_int_equal(b.n_rx, had);
  ops->pause(b.s, false);
  UNTIL(b.n_rx == BIG);
}

/* The kernel holds bytes and an end behind them, and nobody reads. */
static void test_a_paused_end_is_told_that_the_other_side_has_left(void **state)
{
  (void)state;
  pair_up();
  ops->pause(b.s, true);
  assert_int_equal(send_bytes(&a, 0, 1000, false), 1000);
  quiet();
  assert_int_equal(b.n_left, 0);
  close_end(&a, false);
  UNTIL(b.n_left == 1);
  quiet();
  assert_int_equal(b.n_left, 1);
  assert_int_equal(b.n_rx + b.n_eof, 0);
  ops->pause(b.s, false); /* nothing of what came before is lost */
  UNTIL(b.n_eof == 1);
  assert_int_equal(b.n_rx, 1000);
  assert_int_equal(b.n_left + b.n_closed, 1);
}

static void test_a_paused_end_is_told_of_a_reset_and_may_close(void **state)
{
  (void)state;
  pair_up();
  ops->pause(b.s, true);
  assert_int_equal(send_bytes(&a, 0, 1000, false), 1000);
  quiet();
  close_end(&a, true);
  UNTIL(b.n_left == 1);
  close_end(&b, true);
  quiet();
  assert_int_equal(b.n_left + b.n_closed, 1);
}

static void test_a_half_closed_connection_still_carries_the_other_way(void **state)
{
  (void)state;
  pair_up();
  (void)send_bytes(&a, 0, BIG, true);
  ops->shutdown(a.s); /* after everything sent so far */
  UNTIL(b.n_eof == 1);
  assert_int_equal(b.n_rx, BIG);
  assert_int_equal(send_bytes(&b, 0, 100, false), 100);
  UNTIL(a.n_rx == 100);
  assert_int_equal(a.n_eof + a.n_closed + b.n_closed, 0);
  ops->shutdown(b.s);
  UNTIL(a.n_eof == 1);
}

static void test_a_reset_is_told_once_as_a_reset(void **state)
{
  (void)state;
  pair_up();
  close_end(&a, true);
  UNTIL(b.n_closed == 1);
  assert_int_equal(b.err, OCF_ERESET);
  assert_int_equal(b.n_eof, 0);
  quiet();
  assert_int_equal(ocf_uv_n_socks(uv), 0);
}

static void test_a_plain_close_is_an_end_of_file_for_the_other_side(void **state)
{
  (void)state;
  pair_up();
  assert_int_equal(send_bytes(&a, 0, 10, false), 10);
  close_end(&a, false);
  UNTIL(b.n_eof == 1);
  assert_int_equal(b.n_rx, 10);
  assert_int_equal(b.n_closed, 0);
}

static void test_a_reset_behind_unread_bytes_is_no_orderly_end(void **state)
{
  (void)state;
  pair_up();
  ops->pause(b.s, true);
  assert_true(send_bytes(&a, 0, BIG, true) < BIG);
  close_end(&a, true);
  ops->pause(b.s, false);
  UNTIL(b.n_closed + b.n_eof == 1);
  assert_int_equal(b.n_closed, 1); /* no orderly end, though bytes came before the reset */
  assert_int_equal(b.err, OCF_ERESET);
  assert_int_equal(a.n_sent_calls + a.n_closed, 0);
}

static void test_a_refused_connect_says_so_once(void **state)
{
  struct ocf_endpoint to = { .ip = ocf_uv_listener_addr(listener) };
  (void)state;
  ocf_uv_listener_close(listener);
  turn();
  assert_non_null(dial(&to, &a));
  UNTIL(a.n_closed == 1);
  assert_int_equal(a.err, OCF_EREFUSED);
  assert_int_equal(a.n_connected, 0);
  to = (struct ocf_endpoint){ .unix_path = "/tmp/ocf-there-is-no-such-socket" };
  memset(&a, 0, sizeof(a));
  assert_non_null(dial(&to, &a));
  UNTIL(a.n_closed == 1);
  assert_int_equal(a.err, OCF_ENOENT);
}

static void test_a_connect_that_is_given_up_is_never_heard_of(void **state)
{
  struct ocf_endpoint to = { .ip = ocf_uv_listener_addr(listener) };
  (void)state;
  assert_non_null(dial(&to, &a));
  close_end(&a, false);
  quiet();
  assert_int_equal(a.n_connected + a.n_closed, 0);
}

static void test_a_unix_socket_carries_bytes_as_well(void **state)
{
  char path[64];
  struct sockaddr_un un = { .sun_family = AF_UNIX };
  (void)state;
  (void)snprintf(path, sizeof(path), "/tmp/ocf-uv-%ld.sock", (long)getpid());
  (void)unlink(path);
  memcpy(un.sun_path, path, strlen(path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
  assert_int_equal(listen(fd, 1), 0);
  struct ocf_endpoint to = { .ip = { .family = 0 } };
  memcpy(to.unix_path, path, strlen(path) + 1);
  assert_non_null(dial(&to, &a));
  UNTIL(a.n_connected == 1);
  int peer = accept(fd, NULL, NULL);
  assert_int_equal(send_bytes(&a, 0, 300, true), 300);
  char got[300];
  assert_int_equal(recv(peer, got, sizeof(got), MSG_WAITALL), 300);
  assert_memory_equal(got, pattern, 300);
  assert_int_equal(write(peer, pattern, 7), 7);
  (void)close(peer);
  UNTIL(a.n_rx == 7 && a.n_eof == 1);
  (void)close(fd);
  (void)unlink(path);
}

static void test_sockets_beyond_the_cap_are_dropped_and_counted(void **state)
{
  struct ocf_endpoint to = { .ip = ocf_uv_listener_addr(listener) };
  static struct end more[8];
  int err = 0;
  (void)state;
  memset(more, 0, sizeof(more));
  for (size_t i = 0; i < 8; i++)
    assert_non_null(dial(&to, &more[i]));
  assert_null(ops->connect(ocf_uv_env(uv), &to, &user_ops, &a, &err));
  assert_int_equal(err, OCF_ELIMIT);
  UNTIL(ocf_uv_listener_refused(listener) == 8); /* no room for the accepted ends */
  UNTIL(more[7].n_eof + more[7].n_closed == 1);
  for (size_t i = 0; i < 8; i++)
    close_end(&more[i], false);
  quiet();
  assert_int_equal(ocf_uv_n_socks(uv), 0);
  pair_up(); /* there is room again */
}

static void test_a_port_in_use_is_named_with_its_cure_after_the_retries(void **state)
{
  struct ocf_ip_addr at = ocf_uv_listener_addr(listener);
  struct ocf_err err;
  char text[OCF_IP_ADDR_TEXT_SIZE];
  (void)state;
  uint64_t t = ocf_uv_now();
  assert_null(ocf_uv_listen(uv, &at, false, 150 * OCF_NS_PER_MS, on_accept, NULL, &err));
  assert_true(ocf_uv_now() - t >= 150 * OCF_NS_PER_MS);
  assert_int_equal(err.code, OCF_EINUSE);
  assert_non_null(strstr(err.msg, ocf_ip_addr_text(&at, text)));
  assert_non_null(strstr(err.cure, "choose another port"));
  at = (struct ocf_ip_addr){ .family = 4, .ip = { 192, 0, 2, 1 } }; /* nobody's address */
  assert_null(ocf_uv_listen(uv, &at, false, 0, on_accept, NULL, &err));
  assert_int_equal(err.code, OCF_EIO);
}

static void test_loops_that_share_a_port_are_both_served(void **state)
{
  struct ocf_ip_addr at = loopback(0);
  struct ocf_err err;
  (void)state;
  struct ocf_uv_listener *one = ocf_uv_listen(uv, &at, true, 0, on_accept, NULL, &err);
  assert_non_null(one);
  at = ocf_uv_listener_addr(one);
  struct ocf_uv_listener *two = ocf_uv_listen(uv, &at, true, 0, on_accept, NULL, &err);
  assert_non_null(two);
  assert_int_equal(ocf_uv_listener_addr(two).port, at.port);
  assert_null(ocf_uv_listen(uv, &at, false, 0, on_accept, NULL, &err)); /* who does not share */
  assert_int_equal(err.code, OCF_EINUSE);
}

struct found {
  size_t calls, n;
  int err;
  struct ocf_ip_addr ips[OCF_RESOLVE_MAX];
};

static void on_found(void *user, uint64_t now_ns, int err, const struct ocf_ip_addr *ips, size_t n)
{
  struct found *f = user;
  (void)now_ns;
  f->calls++;
  f->err = err;
  f->n = n;
  for (size_t i = 0; i < n; i++)
    f->ips[i] = ips[i];
}

static void test_names_are_looked_up_off_the_loop(void **state)
{
  struct found f = { .calls = 0 };
  char label[80];
  (void)state;
  assert_int_equal(ops->resolve(ocf_uv_env(uv), "localhost", 77, on_found, &f), 0);
  assert_int_equal(f.calls, 0);
  UNTIL(f.calls == 1);
  assert_int_equal(f.err, 0);
  assert_true(f.n >= 1);
  for (size_t i = 0; i < f.n; i++) {
    assert_true(ocf_ip_addr_is_loopback(&f.ips[i]));
    assert_int_equal(f.ips[i].port, 77);
  }
  memset(label, 'a', sizeof(label)); /* no resolver is asked for a label of 79 bytes */
  label[79] = '\0';
  assert_int_equal(ops->resolve(ocf_uv_env(uv), label, 1, on_found, &f), 0);
  UNTIL(f.calls == 2);
  assert_int_equal(f.err, OCF_ENOENT);
  assert_int_equal(f.n, 0);
}

enum { POSTERS = 3, POSTS = 500 };
static atomic_size_t n_posted;
static size_t n_run, last_of[POSTERS];

static void on_post(void *arg)
{
  size_t v = (size_t)(uintptr_t)arg, who = v / POSTS, i = v % POSTS;
  assert_true(i == 0 || last_of[who] == i - 1); /* each thread's in its order */
  last_of[who] = i;
  n_run++;
}

static void *poster(void *arg)
{
  size_t who = (size_t)(uintptr_t)arg;
  for (size_t i = 0; i < POSTS; i++)
    atomic_fetch_add(&n_posted, ocf_uv_post(uv, on_post, (void *)(who * POSTS + i)) == 0 ? 1 : 0);
  return NULL;
}

static void test_posts_from_other_threads_run_in_the_loop_in_order(void **state)
{
  pthread_t t[POSTERS];
  (void)state;
  n_run = 0;
  for (size_t i = 0; i < POSTERS; i++)
    assert_int_equal(pthread_create(&t[i], NULL, poster, (void *)i), 0);
  UNTIL(n_run == POSTERS * POSTS);
  for (size_t i = 0; i < POSTERS; i++)
    assert_int_equal(pthread_join(t[i], NULL), 0);
  assert_int_equal(atomic_load(&n_posted), POSTERS * POSTS);
}

static void *wake_later(void *arg)
{
  (void)usleep(30000);
  assert_int_equal(ocf_uv_post(uv, on_post, arg), 0);
  return NULL;
}

static uint64_t never(void *user)
{
  (void)user;
  return OCF_TIME_NEVER;
}

static void test_a_post_wakes_a_loop_that_sleeps_for_ever(void **state)
{
  static const struct ocf_uv_turn_ops sleepy = { on_turn, never };
  pthread_t t;
  (void)state;
  ocf_uv_set_turn(uv, &sleepy, NULL);
  n_run = 0;
  assert_int_equal(pthread_create(&t, NULL, wake_later, NULL), 0);
  UNTIL(n_run == 1);
  assert_int_equal(pthread_join(t, NULL), 0);
  ocf_uv_set_turn(uv, &turn_ops, NULL);
}

static void stop(void *arg)
{
  (void)arg;
  ocf_uv_stop(uv);
}

static void test_a_loop_runs_until_it_is_stopped_and_frees_what_was_posted_late(void **state)
{
  (void)state;
  n_run = 0;
  assert_int_equal(ocf_uv_post(uv, stop, NULL), 0);
  ocf_uv_run(uv);
  assert_int_equal(ocf_uv_post(uv, on_post, NULL), 0); /* run by ocf_uv_free() */
}

static int late_teardown(void **state)
{
  int r = teardown(state);
  return r != 0 || n_run != 1;
}

static int seen_signal;

static void on_signal(void *user, int signum)
{
  (void)user;
  seen_signal = signum;
}

static void test_signals_arrive_in_the_loop(void **state)
{
  (void)state;
  assert_int_equal(ocf_uv_on_signal(uv, SIGUSR1, on_signal, NULL), 0);
  assert_int_equal(kill(getpid(), SIGUSR1), 0);
  UNTIL(seen_signal == SIGUSR1);
}

static void test_the_interfaces_have_addresses_and_no_link_local_ones(void **state)
{
  struct ocf_ip_addr ifs[64];
  (void)state;
  size_t n = ocf_uv_interfaces(ifs, OCF_ARRAY_LEN(ifs));
  bool loopback_seen = false;
  for (size_t i = 0; i < n; i++) {
    assert_true(ifs[i].family == 4 || ifs[i].family == 6);
    assert_int_equal(ifs[i].port, 0);
    assert_int_equal(ifs[i].zone[0], '\0');
    loopback_seen = loopback_seen || ocf_ip_addr_is_loopback(&ifs[i]);
  }
  assert_true(loopback_seen);
  assert_int_equal(ocf_uv_interfaces(ifs, 1), 1); /* the bound is kept */
}

static void test_secrets_come_from_the_kernel_and_differ(void **state)
{
  struct ocf_rng r;
  uint8_t x[32], y[32];
  (void)state;
  ocf_uv_rng_init(&r);
  ocf_rng_secret(&r, x, sizeof(x));
  ocf_uv_rng_init(&r);
  ocf_rng_secret(&r, y, sizeof(y));
  assert_memory_not_equal(x, y, sizeof(x));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
  T(test_both_ends_know_each_other_and_small_sends_leave_at_once),
  T(test_what_the_kernel_does_not_take_goes_in_the_background),
  T(test_without_background_the_rest_stays_the_senders),
  T(test_a_paused_end_reads_nothing_and_resumes_without_loss),
  T(test_a_paused_end_is_told_that_the_other_side_has_left),
  T(test_a_paused_end_is_told_of_a_reset_and_may_close),
  T(test_a_half_closed_connection_still_carries_the_other_way),
  T(test_a_reset_is_told_once_as_a_reset),
  T(test_a_plain_close_is_an_end_of_file_for_the_other_side),
  T(test_a_reset_behind_unread_bytes_is_no_orderly_end),
  T(test_a_refused_connect_says_so_once),
  T(test_a_connect_that_is_given_up_is_never_heard_of),
  T(test_a_unix_socket_carries_bytes_as_well),
  T(test_sockets_beyond_the_cap_are_dropped_and_counted),
  T(test_a_port_in_use_is_named_with_its_cure_after_the_retries),
  T(test_loops_that_share_a_port_are_both_served),
  T(test_names_are_looked_up_off_the_loop),
  T(test_posts_from_other_threads_run_in_the_loop_in_order),
  T(test_a_post_wakes_a_loop_that_sleeps_for_ever),
  cmocka_unit_test_setup_teardown(
      test_a_loop_runs_until_it_is_stopped_and_frees_what_was_posted_late, setup, late_teardown),
  T(test_signals_arrive_in_the_loop),
  T(test_the_interfaces_have_addresses_and_no_link_local_ones),
  T(test_secrets_come_from_the_kernel_and_differ),
};

OCF_TEST_MAIN(tests)
