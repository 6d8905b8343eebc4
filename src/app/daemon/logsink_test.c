/* Goal: log lines leave in order and whole, and a reader that is slow or gone never holds the loop
 * up. Method: a pipe whose other end is read when the test likes, a file, a pipe without reader. */
#define _GNU_SOURCE
#include "app/daemon/logsink.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/time/time.h"
#include "testing/test.h"

enum { PIPE_SIZE = 4096, LINES = 20000 };

static struct ocf_log log_;
static struct ocf_logsink sink;
static int fds[2];

static int make_pipe(void **state)
{
  (void)state;
  (void)signal(SIGPIPE, SIG_IGN);
  if (pipe(fds) != 0 || fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE) != PIPE_SIZE)
    return 1;
  ocf_log_init(&log_);
  if (ocf_logsink_init(&sink, fds[1]) != 0)
    return 1;
  ocf_logsink_attach(&sink, &log_);
  return 0;
}

static int close_pipe(void **state)
{
  (void)state;
  (void)close(fds[0]);
  (void)close(fds[1]);
  return 0;
}

static void say(unsigned i)
{
  OCF_LOGF(&log_, "test", OCF_LOG_INFO, "line", OCF_LOG_U64("n", i));
}

static uint64_t ms(uint64_t n)
{
  return 1000 * OCF_NS_PER_S + n * OCF_NS_PER_MS;
}

/* Reads what is there; whole lines only, each with a greater number than the one before it. */
struct reader {
  char text[2 * PIPE_SIZE];
  size_t n, n_lines;
  long last;
};

static size_t read_some(struct reader *rd)
{
  ssize_t got = read(fds[0], rd->text + rd->n, sizeof(rd->text) - rd->n - 1);
  if (got <= 0)
    return 0;
  rd->n += (size_t)got;
  rd->text[rd->n] = '\0';
  char *line = rd->text, *end;
  while ((end = strchr(line, '\n')) != NULL) {
    assert_int_equal(memcmp(line, "ts=", 3), 0); /* nothing was cut out of the middle */
    const char *n = strstr(line, " n=");
    assert_true(n != NULL && n < end);
    long number = strtol(n + 3, NULL, 10);
    assert_true(number > rd->last);
    rd->last = number;
    rd->n_lines++;
    line = end + 1;
  }
  rd->n -= (size_t)(line - rd->text);
  memmove(rd->text, line, rd->n);
  return (size_t)got;
}

static void test_a_full_pipe_drops_and_counts_and_keeps_the_order(void **state)
{
  static struct reader rd = { .last = -1 };
  (void)state;
  assert_true(sink.pipe);
  unsigned said = 0;
  for (; said < LINES; said++) {
    say(said);
    ocf_logsink_turn(&sink, ms(said)); /* returns though nobody reads: this is the claim */
  }
  assert_true(sink.n_dropped > 0);
  uint64_t dropped = sink.n_dropped;
  assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  for (unsigned t = 0; t < 2000; t++) { /* the reader wakes up: what was kept comes, in order */
    (void)read_some(&rd);
    ocf_logsink_turn(&sink, ms(LINES + 25 * t));
  }
  assert_int_equal(sink.n, 0);
  say(said++); /* and new lines find room again */
  ocf_logsink_turn(&sink, ms(200000));
  while (read_some(&rd) > 0)
    continue;
  assert_int_equal(sink.n_dropped, dropped);
  assert_int_equal(rd.n, 0);
  assert_int_equal(rd.n_lines + dropped, said);
  assert_int_equal(rd.last, said - 1);
  ocf_logsink_fini(&sink);
}

static void test_a_quiet_line_leaves_at_once_and_a_busy_one_in_company(void **state)
{
  static struct reader rd = { .last = -1 };
  (void)state;
  assert_int_equal(ocf_logsink_deadline(&sink), OCF_TIME_NEVER);
  assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  say(0);
  ocf_logsink_turn(&sink, ms(100));
  assert_true(read_some(&rd) > 0);
  assert_int_equal(ocf_logsink_deadline(&sink), OCF_TIME_NEVER);
  for (unsigned i = 1; i <= 3; i++) {
    say(i);
    ocf_logsink_turn(&sink, ms(100 + i));
    assert_int_equal(read_some(&rd), 0);
  }
  assert_int_equal(ocf_logsink_deadline(&sink), ms(121)); /* 20 ms after the first of them */
  ocf_logsink_turn(&sink, ms(121));
  assert_true(read_some(&rd) > 0);
  assert_int_equal(rd.n_lines, 4);
  assert_int_equal(ocf_logsink_deadline(&sink), OCF_TIME_NEVER);
  ocf_logsink_fini(&sink);
}

static void test_much_in_one_turn_is_written_before_it_is_due(void **state)
{
  static struct reader rd = { .last = -1 };
  (void)state;
  say(0);
  ocf_logsink_turn(&sink, ms(1));
  assert_true(read_some(&rd) > 0); /* the pipe is empty again */
  unsigned i = 1;
  while (sink.n < OCF_LOGSINK_FLUSH_AT)
    say(i++);
  ocf_logsink_turn(&sink, ms(2));
  assert_true(sink.n < OCF_LOGSINK_FLUSH_AT); /* the pipe took its page */
  (void)close(fds[0]);
  fds[0] = -1;
  ocf_logsink_fini(&sink);
}

static void test_a_reader_that_is_gone_costs_the_lines_and_nothing_else(void **state)
{
  (void)state;
  (void)close(fds[0]);
  fds[0] = -1;
  for (unsigned i = 0; i < LINES; i++) {
    say(i);
    ocf_logsink_turn(&sink, ms(30 * i));
    assert_int_equal(sink.n, 0);
  }
  ocf_logsink_fini(&sink);
}

static void test_the_end_writes_what_is_left(void **state)
{
  static struct reader rd = { .last = -1 };
  (void)state;
  for (unsigned i = 0; i < 10; i++)
    say(i);
  ocf_logsink_fini(&sink);
  ocf_logsink_fini(&sink); /* harmless */
  (void)read_some(&rd);
  assert_int_equal(rd.n_lines, 10);
}

static void test_a_file_takes_everything(void **state)
{
  char path[] = "/tmp/ocf-logsink-XXXXXX";
  struct ocf_logsink file;
  int fd = mkstemp(path);
  (void)state;
  assert_true(fd >= 0);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(ocf_logsink_init(&file, fd), 0);
  assert_false(file.pipe);
  ocf_logsink_attach(&file, &log_);
  for (unsigned i = 0; i < LINES; i++) {
    say(i);
    ocf_logsink_turn(&file, ms(i));
  }
  ocf_logsink_fini(&file);
  ocf_logsink_fini(&sink);
  assert_int_equal(file.n_dropped, 0);
  off_t size = lseek(fd, 0, SEEK_END);
  assert_true(size > (off_t)LINES * 40);
  (void)close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_pipe, close_pipe)
static const struct CMUnitTest tests[] = {
  T(test_a_full_pipe_drops_and_counts_and_keeps_the_order),
  T(test_a_quiet_line_leaves_at_once_and_a_busy_one_in_company),
  T(test_much_in_one_turn_is_written_before_it_is_due),
  T(test_a_reader_that_is_gone_costs_the_lines_and_nothing_else),
  T(test_the_end_writes_what_is_left),
  T(test_a_file_takes_everything),
};

OCF_TEST_MAIN(tests)
