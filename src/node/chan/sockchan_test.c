/* Goal: a socket's channel loses no byte, pauses and resumes by its window, and ends as asked.
 * Method: a scripted driver whose kernel takes as many bytes as the test allows. */
#include "node/chan/sockchan.h"
#include "testing/test.h"

enum { CAP = 1 << 20 };

/* The one socket of a test, as the driver sees it. */
struct ocf_sock {
  const struct ocf_sock_user_ops *ops;
  void *user;
  size_t room;       /* bytes that the kernel takes at once */
  size_t background; /* bytes promised to leave later */
  uint8_t sent[CAP];
  size_t n_sent;
  int n_sends;
  bool paused, shut, closed, reset, refuse;
};

static struct ocf_sock sock;

static size_t take(const struct ocf_bytes *v, size_t n, size_t most)
{
  size_t done = 0;
  for (size_t i = 0; i < n && done < most; i++) {
    size_t k = OCF_MIN(v[i].n, most - done);
    assert_true(sock.n_sent + k <= CAP);
    memcpy(sock.sent + sock.n_sent, v[i].p, k);
    sock.n_sent += k;
    done += k;
  }
  return done;
}

static size_t env_send(struct ocf_sock *s, const struct ocf_bytes *v, size_t n, bool background)
{
  size_t total = 0;
  assert_int_equal(s->background, 0);
  s->n_sends++;
  for (size_t i = 0; i < n; i++)
    total += v[i].n;
  size_t now = OCF_MIN(total, s->room);
  (void)take(v, n, background ? total : now);
  s->room -= now;
  s->background = background ? total - now : 0;
  return now;
}

static struct ocf_sock *env_connect(struct ocf_env *e, const struct ocf_endpoint *to,
                                    const struct ocf_sock_user_ops *ops, void *user, int *err)
{
  (void)e;
  (void)to;
  *err = OCF_ELIMIT;
  if (sock.refuse)
    return NULL;
  sock.ops = ops;
  sock.user = user;
  return &sock;
}

static void env_adopt(struct ocf_sock *s, const struct ocf_sock_user_ops *ops, void *user)
{
  s->ops = ops;
  s->user = user;
}

static void env_pause(struct ocf_sock *s, bool paused)
{
  s->paused = paused;
}

static void env_shutdown(struct ocf_sock *s)
{
  s->shut = true;
}

static void env_close(struct ocf_sock *s, bool reset)
{
  assert_false(s->closed);
  s->closed = true;
  s->reset = reset;
}

static const struct ocf_env_ops env_ops = { .connect = env_connect,
                                            .adopt = env_adopt,
                                            .send = env_send,
                                            .pause = env_pause,
                                            .shutdown = env_shutdown,
                                            .close = env_close };

/* The channel's user. */
struct seen {
  size_t n_data, n_eof, n_drained, n_closed, n_left, n_connected;
  int err;
};

static struct seen seen;
static struct ocf_env env = { &env_ops };
static struct ocf_alloc alloc;
static struct ocf_rng rng;
static struct ocf_loop loop;
static const struct ocf_sockchan_limits limits = { .write_stall_ns = 30 * OCF_NS_PER_S,
                                                   .linger_ns = 2 * OCF_NS_PER_S,
                                                   .linger_bytes = 1000 };

static void on_data(void *u, struct ocf_bytes v)
{
  ((struct seen *)u)->n_data += v.n;
}

static void on_eof(void *u)
{
  ((struct seen *)u)->n_eof++;
}

static void on_drained(void *u)
{
  ((struct seen *)u)->n_drained++;
}

static void on_closed(void *u, int err)
{
  ((struct seen *)u)->n_closed++;
  ((struct seen *)u)->err = err;
}

static void on_connected(void *u)
{
  ((struct seen *)u)->n_connected++;
}

static void on_left(void *u)
{
  ((struct seen *)u)->n_left++;
}

static const struct ocf_chan_user_ops user_ops = { on_data, on_eof, on_drained, on_closed,
                                                   on_left };

static int setup(void **state)
{
  (void)state;
  memset(&sock, 0, sizeof(sock));
  seen = (struct seen){ 0 };
  sock.room = CAP;
  ocf_alloc_init(&alloc);
  ocf_rng_seed(&rng, 1);
  return ocf_loop_init(&loop, &env, &alloc, &rng, NULL, NULL, 1);
}

static int teardown(void **state)
{
  (void)state;
  ocf_loop_run_deferred(&loop);
  ocf_loop_fini(&loop);
  return alloc.live_bytes == 0 ? 0 : -1;
}

static struct ocf_chan *accepted(void)
{
  struct ocf_chan *c = ocf_sockchan_accept(&loop, &limits, &sock);
  assert_non_null(c);
  ocf_chan_set_user(c, &user_ops, &seen);
  return c;
}

static void arrive(size_t n)
{
  uint8_t *p;
  size_t cap;
  sock.ops->rx_space(sock.user, &p, &cap);
  assert_true(n <= cap);
  memset(p, 7, n);
  sock.ops->rx(sock.user, loop.now_ns, n);
}

static void turn(uint64_t after_ns)
{
  loop.now_ns += after_ns;
  ocf_loop_fire(&loop);
  ocf_loop_run_deferred(&loop);
}

static void write_bytes(struct ocf_chan *c, size_t n, uint8_t fill)
{
  static uint8_t buf[CAP];
  memset(buf, fill, n);
  struct ocf_bytes v = ocf_bytes(buf, n);
  assert_int_equal(ocf_chan_write(c, &v, 1), 0);
}

static void test_small_writes_of_one_turn_leave_in_one_call(void **state)
{
  struct ocf_chan *c = accepted();
  (void)state;
  write_bytes(c, 10, 1);
  write_bytes(c, 20, 2);
  assert_int_equal(sock.n_sends, 0);
  turn(0);
  assert_int_equal(sock.n_sends, 1);
  assert_int_equal(sock.n_sent, 30);
  assert_int_equal(sock.sent[9], 1);
  assert_int_equal(sock.sent[10], 2);
  assert_int_equal(seen.n_drained, 1);
  ocf_chan_end(c, OCF_CHAN_ABORT);
  assert_true(sock.reset);
}

static void test_a_large_write_goes_straight_to_the_kernel(void **state)
{
  struct ocf_chan *c = accepted();
  (void)state;
  write_bytes(c, OCF_SOCKCHAN_DIRECT, 3);
  assert_int_equal(sock.n_sent, OCF_SOCKCHAN_DIRECT);
  assert_int_equal(ocf_chan_queued(c), 0);
  ocf_chan_end(c, OCF_CHAN_ABORT);
}

static void test_what_the_kernel_does_not_take_waits_in_order(void **state)
{
  struct ocf_chan *c = accepted();
  (void)state;
  sock.room = 100;
  write_bytes(c, OCF_SOCKCHAN_DIRECT, 1);
  assert_int_equal(ocf_chan_queued(c), OCF_SOCKCHAN_DIRECT - 100);
  turn(0);
  assert_true(sock.background > 0);
  write_bytes(c, 5, 2);
  size_t n = sock.background;
  sock.background = 0;
  sock.room = CAP;
  sock.ops->sent(sock.user, loop.now_ns, n);
  turn(0);
  assert_int_equal(ocf_chan_queued(c), 0);
  assert_int_equal(sock.n_sent, OCF_SOCKCHAN_DIRECT + 5);
  assert_int_equal(sock.sent[OCF_SOCKCHAN_DIRECT - 1], 1);
  assert_int_equal(sock.sent[OCF_SOCKCHAN_DIRECT], 2);
  ocf_chan_end(c, OCF_CHAN_ABORT);
}

static void test_reading_pauses_at_the_window_and_resumes_below_half(void **state)
{
  struct ocf_chan *c = accepted();
  (void)state;
  arrive(OCF_SOCKCHAN_WINDOW - 1);
  assert_false(sock.paused);
  arrive(1);
  assert_true(sock.paused);
  ocf_chan_consumed(c, OCF_SOCKCHAN_WINDOW / 2 - 1);
  assert_true(sock.paused);
  ocf_chan_consumed(c, 1);
  assert_false(sock.paused);
  assert_int_equal(seen.n_data, OCF_SOCKCHAN_WINDOW);
  ocf_chan_end(c, OCF_CHAN_ABORT);
}

static void test_a_leaving_behind_a_full_window_is_passed_on(void **state)
{
  struct ocf_chan *c = accepted();
  (void)state;
  arrive(OCF_SOCKCHAN_WINDOW);
  sock.ops->left(sock.user, 1);
  assert_int_equal(seen.n_left, 1);
  assert_int_equal(seen.n_eof + seen.n_closed, 0);
  ocf_chan_end(c, OCF_CHAN_CLOSE);
  sock.ops->left(sock.user, 1); /* the user has gone: nobody to tell */
  assert_int_equal(seen.n_left, 1);
  sock.ops->closed(sock.user, 1, OCF_ERESET);
}

static void test_the_window_is_the_owners_to_choose(void **state)
{
  static const struct ocf_sockchan_limits small = { .write_stall_ns = OCF_NS_PER_S,
                                                    .window_bytes = 4096 };
  (void)state;
  struct ocf_chan *c = ocf_sockchan_accept(&loop, &small, &sock);
  assert_non_null(c);
  ocf_chan_set_user(c, &user_ops, &seen);
  arrive(4095);
  assert_false(sock.paused);
  arrive(1);
  assert_true(sock.paused);
  ocf_chan_consumed(c, 2048);
  assert_false(sock.paused);
  ocf_chan_end(c, OCF_CHAN_ABORT);
}

static void test_a_close_sends_what_is_queued_then_ends_and_discards(void **state)
{
  struct ocf_chan *c = accepted();
  (void)state;
  write_bytes(c, 50, 1);
  ocf_chan_end(c, OCF_CHAN_CLOSE);
  turn(0);
  assert_int_equal(sock.n_sent, 50);
  assert_true(sock.shut);
  assert_false(sock.closed);
  arrive(10);
  assert_int_equal(seen.n_data, 0);
  sock.ops->eof(sock.user, loop.now_ns);
  assert_true(sock.closed && !sock.reset);
  assert_int_equal(seen.n_closed, 0);
}

static void test_a_close_does_not_wait_for_ever(void **state)
{
  (void)state;
  ocf_chan_end(accepted(), OCF_CHAN_CLOSE);
  turn(0);
  assert_false(sock.closed);
  turn(limits.linger_ns);
  assert_true(sock.closed);
}

static void test_a_close_does_not_read_without_end(void **state)
{
  (void)state;
  ocf_chan_end(accepted(), OCF_CHAN_CLOSE);
  turn(0);
  arrive(limits.linger_bytes);
  assert_false(sock.paused);
  arrive(1);
  assert_true(sock.paused); /* not closed: that would reset the connection under our last bytes */
  assert_false(sock.closed);
  turn(limits.linger_ns);
  assert_true(sock.closed);
}

static void test_a_reader_that_takes_nothing_is_given_up(void **state)
{
  struct ocf_chan *c = accepted();
  (void)state;
  sock.room = 0;
  write_bytes(c, 10, 1);
  turn(0);
  turn(limits.write_stall_ns - 1);
  assert_int_equal(seen.n_closed, 0);
  turn(1);
  assert_int_equal(seen.n_closed, 1);
  assert_int_equal(seen.err, OCF_ETIME);
  assert_true(sock.closed);
}

static void test_writes_before_the_connect_leave_after_it(void **state)
{
  struct ocf_endpoint to = { .unix_path = "/x" };
  int err;
  (void)state;
  struct ocf_chan *c = ocf_sockchan_connect(&loop, &limits, &to, OCF_NS_PER_S, on_connected, &err);
  assert_non_null(c);
  ocf_chan_set_user(c, &user_ops, &seen);
  write_bytes(c, 10, 1);
  turn(0);
  assert_int_equal(sock.n_sent, 0);
  sock.ops->connected(sock.user, loop.now_ns);
  turn(0);
  assert_int_equal(seen.n_connected, 1);
  assert_int_equal(sock.n_sent, 10);
  ocf_chan_end(c, OCF_CHAN_ABORT);
}

static void test_a_connect_that_takes_too_long_fails_with_a_time_out(void **state)
{
  struct ocf_endpoint to = { .unix_path = "/x" };
  int err;
  (void)state;
  struct ocf_chan *c = ocf_sockchan_connect(&loop, &limits, &to, OCF_NS_PER_S, on_connected, &err);
  ocf_chan_set_user(c, &user_ops, &seen);
  turn(OCF_NS_PER_S);
  assert_int_equal(seen.err, OCF_ETIME);
  assert_true(sock.closed);
}

static void test_a_driver_without_room_says_why(void **state)
{
  struct ocf_endpoint to = { .unix_path = "/x" };
  int err = 0;
  (void)state;
  sock.refuse = true;
  assert_null(ocf_sockchan_connect(&loop, &limits, &to, OCF_NS_PER_S, on_connected, &err));
  assert_int_equal(err, OCF_ELIMIT);
}

static void test_nothing_can_be_written_after_fin(void **state)
{
  struct ocf_chan *c = accepted();
  struct ocf_bytes v = OCF_STR("x");
  (void)state;
  ocf_chan_fin(c);
  assert_int_equal(ocf_chan_write(c, &v, 1), OCF_ESTATE);
  turn(0);
  assert_true(sock.shut);
  arrive(3); /* the other direction goes on */
  assert_int_equal(seen.n_data, 3);
  ocf_chan_end(c, OCF_CHAN_ABORT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_small_writes_of_one_turn_leave_in_one_call),
    T(test_a_large_write_goes_straight_to_the_kernel),
    T(test_what_the_kernel_does_not_take_waits_in_order),
    T(test_a_leaving_behind_a_full_window_is_passed_on),
    T(test_the_window_is_the_owners_to_choose),
    T(test_reading_pauses_at_the_window_and_resumes_below_half),
    T(test_a_close_sends_what_is_queued_then_ends_and_discards),
    T(test_a_close_does_not_wait_for_ever),
    T(test_a_close_does_not_read_without_end),
    T(test_a_reader_that_takes_nothing_is_given_up),
    T(test_writes_before_the_connect_leave_after_it),
    T(test_a_connect_that_takes_too_long_fails_with_a_time_out),
    T(test_a_driver_without_room_says_why),
    T(test_nothing_can_be_written_after_fin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
