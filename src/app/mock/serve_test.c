/* The mock as a server. Goal: what its header promises, over real connections. Method: the server
 * runs in a child process on a loopback port of the system's choice; each test speaks to it through
 * a blocking socket with a time-out, and reads the counters before and after. */
#define _GNU_SOURCE
#include "testing/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "app/mock/mock.h"
#include "app/mock/text.h"

enum { ANSWER_MAX = 4 << 20 };

static pid_t server;
static uint16_t port;
static int server_out = -1;
static char answer[ANSWER_MAX + 1];
static size_t answer_n;

/* ---- the server ---- */

static int start(void **state)
{
  static const char *const args[] = {
    "--token-delay", "0", "--first-token-delay", "0", "--model", "tiny-mock", "--model", "org/b"
  };
  int p[2];
  char line[512] = "";
  (void)state;
  assert_int_equal(pipe(p), 0);
  server = fork();
  if (server == 0) {
    struct ocf_mock_options o;
    struct ocf_err e;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(p[1], STDOUT_FILENO);
    (void)close(p[0]);
    _exit(ocf_mock_options_parse(&o, args, OCF_ARRAY_LEN(args), &e) == 0 ? -ocf_mock_run(&o, &e)
                                                                         : 99);
  }
  (void)close(p[1]);
  server_out = p[0];
  for (size_t n = 0; strchr(line, '\n') == NULL && n < sizeof(line) - 1;) {
    ssize_t r = read(server_out, line + n, sizeof(line) - 1 - n);
    assert_true(r > 0);
    n += (size_t)r;
  }
  const char *at = strstr(line, "127.0.0.1:");
  assert_non_null(at);
  port = (uint16_t)strtoul(at + 10, NULL, 10);
  return 0;
}

static int stop(void **state)
{
  int status = -1;
  (void)state;
  (void)kill(server, SIGTERM);
  assert_int_equal(waitpid(server, &status, 0), server);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  (void)close(server_out);
  return 0;
}

/* ---- a client ---- */

static int dial(void)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  struct timeval tv = { .tv_sec = 10 };
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
  assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
  return fd;
}

static void put(int fd, const char *text)
{
  assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads to the end; returns 0 for an orderly one, else -1 with errno. */
static int read_all(int fd)
{
  ssize_t r;
  answer_n = 0;
  while ((r = recv(fd, answer + answer_n, ANSWER_MAX - answer_n, 0)) > 0)
    answer_n += (size_t)r;
  answer[answer_n] = '\0';
  return (int)r;
}

/* Reads until `mark` has come. */
static void read_until(int fd, const char *mark)
{
  answer_n = 0;
  answer[0] = '\0';
  while (strstr(answer, mark) == NULL) {
    ssize_t r = recv(fd, answer + answer_n, ANSWER_MAX - answer_n, 0);
    if (r <= 0)
      fail_msg("no \"%s\" in \"%s\"", mark, answer);
    answer_n += (size_t)r;
    answer[answer_n] = '\0';
  }
}

static const char *post(char *dst, size_t cap, const char *target, const char *fields,
                        const char *body)
{
  (void)snprintf(dst, cap, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s", target,
                 fields, strlen(body), body);
  return dst;
}

#define CHAT(more)                                                                                 \
  "{\"model\":\"tiny-mock\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define CLOSE "Connection: close\r\n"

/* One request on a connection of its own; the answer is in `answer`. */
static int ask(const char *target, const char *fields, const char *body)
{
  char text[4096], all[256];
  int fd = dial();
  (void)snprintf(all, sizeof(all), "%s" CLOSE, fields);
  put(fd, post(text, sizeof(text), target, all, body));
  int r = read_all(fd);
  (void)close(fd);
  return r;
}

static int get(const char *target)
{
  char text[512];
  int fd = dial();
  (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n" CLOSE "\r\n", target);
  put(fd, text);
  int r = read_all(fd);
  (void)close(fd);
  return r;
}

static const char *body_of(void)
{
  const char *b = strstr(answer, "\r\n\r\n");
  assert_non_null(b);
  return b + 4;
}

static long stat_of(const char *name)
{
  assert_int_equal(get("/mock/stats"), 0);
  json_t *o = json_loads(body_of(), 0, NULL);
  const json_t *v = json_object_get(o, name);
  assert_true(json_is_integer(v));
  long n = (long)json_integer_value(v);
  json_decref(o);
  return n;
}

/* Waits for a counter: what a client that leaves causes comes a moment later. */
static void wait_for(const char *name, long want)
{
  for (int i = 0; i < 500 && stat_of(name) != want; i++)
    (void)nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
  assert_int_equal(stat_of(name), want);
}

/* ---- tests ---- */

static size_t count(const char *what)
{
  size_t n = 0;
  for (const char *p = answer; (p = strstr(p, what)) != NULL; p++)
    n++;
  return n;
}

static void test_a_stream_comes_whole_and_ends(void **state)
{
  (void)state;
  assert_int_equal(ask("/v1/chat/completions", "X-Request-Id: my-id\r\n",
                       CHAT(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")),
                   0);
  assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
  assert_non_null(strstr(answer, "Content-Type: text/event-stream"));
  assert_non_null(strstr(answer, "X-Request-Id: my-id\r\n"));
  assert_non_null(strstr(answer, "Server: ocf-mock\r\n"));
  uint64_t n = ocf_mock_text_length(ocf_bytes("hi", 2));
  assert_int_equal(count("\"delta\":{\"content\":"), n);
  assert_int_equal(count("\"finish_reason\":\"stop\""), 1);
  assert_int_equal(count("\"usage\":{"), 1);
  assert_int_equal(count("data: [DONE]\n\n"), 1);
  assert_string_equal(answer + answer_n - 7, "\r\n0\r\n\r\n");
}

static void test_a_whole_answer_has_the_same_text(void **state)
{
  (void)state;
  assert_int_equal(ask("/v1/chat/completions", "", CHAT("")), 0);
  assert_non_null(strstr(answer, "\"content\":\"You asked: hi " OCF_MOCK_PASSAGE "\""));
  assert_int_equal(ask("/v1/chat/completions", "", CHAT(",\"max_tokens\":3")), 0);
  assert_non_null(strstr(answer, "\"content\":\"You asked: hi\""));
  assert_non_null(strstr(answer, "\"finish_reason\":\"length\""));
}

static void test_models_and_errors_are_told_in_the_apis_form(void **state)
{
  (void)state;
  assert_int_equal(get("/v1/models/org%2Fb"), 0);
  assert_non_null(strstr(answer, "\"id\":\"org/b\""));
  assert_int_equal(get("/v1/models/none"), 0);
  assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
  assert_int_equal(get("/v1/chat/completions"), 0);
  assert_memory_equal(answer, "HTTP/1.1 405 ", 13);
  assert_int_equal(ask("/v1/chat/completions", "", "{"), 0);
  assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
  assert_non_null(strstr(answer, "\"code\":\"invalid_json\""));
  assert_int_equal(ask("/v1/chat/completions?status=429", "", CHAT("")), 0);
  assert_memory_equal(answer, "HTTP/1.1 429 ", 13);
  assert_int_equal(ask("/v1/chat/completions?chunks=x", "", CHAT("")), 0);
  assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
  char one[1024], two[1024], all[4096];
  int fd = dial();
  (void)state;
  (void)snprintf(all, sizeof(all), "%s%sGET /health HTTP/1.1\r\nHost: x\r\n" CLOSE "\r\n",
                 post(one, sizeof(one), "/v1/chat/completions", "X-Mock: delay_ms=30\r\n",
                      CHAT(",\"max_tokens\":1")),
                 post(two, sizeof(two), "/v1/completions", "",
                      "{\"model\":\"org/b\",\"prompt\":\"x\",\"stream\":true}"));
  put(fd, all);
  assert_int_equal(read_all(fd), 0);
  (void)close(fd);
  const char *a = strstr(answer, "chat.completion"), *b = strstr(answer, "[DONE]"),
             *c = strstr(answer, "{\"status\":\"ok\"}");
  assert_true(a != NULL && b != NULL && c != NULL && a < b && b < c);
}

static void test_a_client_that_leaves_cancels_the_generation(void **state)
{
  char text[1024];
  long cancelled = stat_of("cancelled");
  int fd = dial();
  (void)state;
  put(fd, post(text, sizeof(text), "/v1/chat/completions?gap_ms=50&chunks=1000", "",
               CHAT(",\"stream\":true")));
  read_until(fd, "asked:");
  assert_int_equal(stat_of("active"), 1);
  (void)close(fd);
  wait_for("active", 0);
  assert_int_equal(stat_of("cancelled"), cancelled + 1);
  fd = dial();
  put(fd, post(text, sizeof(text), "/v1/chat/completions?delay_ms=60000", "", CHAT("")));
  (void)shutdown(fd, SHUT_WR); /* only half: it has left all the same */
  assert_true(read_all(fd) <= 0);
  (void)close(fd);
  wait_for("active", 0);
}

static void test_it_breaks_off_as_it_is_asked_to(void **state)
{
  (void)state;
  long failed = stat_of("failed");
  assert_int_equal(ask("/v1/chat/completions?die_after=2", "", CHAT(",\"stream\":true")), -1);
  assert_int_equal(count("\"delta\":{\"content\":\""), 2);
  assert_int_equal(ask("/v1/chat/completions?close_after=2", "", CHAT(",\"stream\":true")), 0);
  assert_null(strstr(answer, "\r\n0\r\n")); /* an orderly close, but the framing has no end */
  assert_int_equal(ask("/v1/chat/completions?close_after=0", "", CHAT("")), 0);
  assert_non_null(strstr(answer, "Content-Length"));
  assert_null(strstr(answer, "anyone."));
  assert_int_equal(ask("/v1/chat/completions?die_early=1", "", CHAT("")), -1);
  assert_int_equal(answer_n, 0);
  assert_int_equal(stat_of("failed"), failed + 3);
}

static void test_while_silent_only_comments_come(void **state)
{
  char text[1024];
  int fd = dial();
  (void)state;
  put(fd, post(text, sizeof(text), "/v1/chat/completions?silent_after=1&comment_ms=20", "",
               CHAT(",\"stream\":true")));
  read_until(fd, ": still here\n\n\r\ne\r\n: still here");
  assert_int_equal(count("\"delta\":{\"content\":\"You\"}"), 1);
  (void)close(fd);
  wait_for("active", 0);
}

static void test_an_early_answer_comes_before_the_body(void **state)
{
  char text[512];
  int fd = dial();
  uint8_t want[100];
  (void)state;
  (void)snprintf(
      text, sizeof(text),
      "POST /mock/early?size=100 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  put(fd, text);
  read_until(fd, "\r\n\r\n");
  ocf_mock_pattern(0, want, sizeof(want));
  while (answer_n < (size_t)(body_of() - answer) + sizeof(want))
    answer_n += (size_t)recv(fd, answer + answer_n, 1, 0);
  assert_memory_equal(body_of(), want, sizeof(want));
  static char zeros[1000000];
  assert_int_equal(send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL), sizeof(zeros));
  put(fd, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); /* the connection goes on */
  read_until(fd, "{\"status\":\"ok\"}");
  (void)close(fd);
}

static void test_bytes_come_in_each_framing(void **state)
{
  static const char *const framings[] = { "length", "chunked", "close" };
  static uint8_t want[300000];
  (void)state;
  ocf_mock_pattern(0, want, sizeof(want));
  for (size_t i = 0; i < 3; i++) {
    char target[64];
    (void)snprintf(target, sizeof(target), "/mock/bytes?n=300000&framing=%s", framings[i]);
    assert_int_equal(get(target), 0);
    size_t n = answer_n - (size_t)(body_of() - answer);
    if (i != 1) { /* chunked has more around it */
      assert_int_equal(n, sizeof(want));
      assert_memory_equal(body_of(), want, sizeof(want));
    } else {
      assert_true(n > sizeof(want));
      assert_string_equal(answer + answer_n - 7, "\r\n0\r\n\r\n");
    }
  }
}

static void test_a_slow_reader_is_waited_for_with_bounded_memory(void **state)
{
  int fd = dial(), small = 4096;
  (void)state;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  put(fd, "GET /mock/bytes?n=100000000000 HTTP/1.1\r\nHost: x\r\n\r\n");
  read_until(fd, "\r\n\r\n");
  (void)nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
  char path[64], line[256];
  long rss = 0;
  (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)server);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  assert_non_null(fgets(line, sizeof(line), f));
  (void)fclose(f);
  assert_int_equal(sscanf(line, "%*d %ld", &rss), 1);
  assert_true(rss * 4096 < 512L << 20); /* room for a sanitizer; the 100 GB would not fit */
  (void)close(fd);
  wait_for("active", 0);
}

static void test_a_sink_tells_what_it_got(void **state)
{
  char want[96], body[] = "some bytes";
  (void)state;
  assert_int_equal(ask("/mock/sink", "", body), 0);
  (void)snprintf(want, sizeof(want), "{\"bytes\":10,\"fnv1a64\":\"%016llx\"}",
                 (unsigned long long)ocf_mock_fnv1a(OCF_MOCK_FNV_BASIS, body, 10));
  assert_string_equal(body_of(), want);
}

static void test_health_can_be_turned_off_and_on(void **state)
{
  (void)state;
  assert_int_equal(ask("/mock/health?status=503", "", ""), 0);
  assert_int_equal(get("/health"), 0);
  assert_memory_equal(answer, "HTTP/1.1 503 ", 13);
  assert_int_equal(ask("/mock/health?status=200", "", ""), 0);
  assert_int_equal(get("/health"), 0);
  assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
}

static void test_a_body_too_long_or_a_broken_request_is_refused(void **state)
{
  int fd = dial();
  (void)state;
  put(fd, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n");
  static char blanks[5000000];
  memset(blanks, ' ', sizeof(blanks));
  (void)!send(fd, blanks, sizeof(blanks), MSG_NOSIGNAL);
  read_until(fd, "\r\n\r\n");
  assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
  (void)close(fd);
  fd = dial();
  put(fd, "GET /health HTTP/1.1\nHost: x\n\n");
  assert_int_equal(read_all(fd), 0);
  assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
  (void)close(fd);
}

static void test_each_request_is_reported_on_a_line(void **state)
{
  static char lines[65536];
  size_t n = 0;
  (void)state;
  assert_int_equal(
      ask("/v1/chat/completions", "X-Request-Id: find-me\r\n", CHAT(",\"stream\":true")), 0);
  while (strstr(lines, "find-me") == NULL || lines[n - 1] != '\n') {
    assert_true(n < sizeof(lines) - 1);
    ssize_t r = read(server_out, lines + n, sizeof(lines) - 1 - n);
    assert_true(r > 0);
    n += (size_t)r;
  }
  char *at = strstr(lines, "find-me");
  while (at > lines && at[-1] != '\n')
    at--;
  *strchr(at, '\n') = '\0';
  json_t *o = json_loads(at, 0, NULL);
  assert_string_equal(json_string_value(json_object_get(o, "event")), "request");
  assert_string_equal(json_string_value(json_object_get(o, "outcome")), "finished");
  assert_int_equal(json_integer_value(json_object_get(o, "completion_tokens")),
                   ocf_mock_text_length(ocf_bytes("hi", 2)));
  json_decref(o);
}

static void test_only_loopback_addresses_are_taken(void **state)
{
  static const char *const bad[] = { "0.0.0.0", "::", "192.168.1.1", "localhost", "example.org" };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    const char *const args[] = { "--host", bad[i] };
    struct ocf_mock_options o;
    struct ocf_err e;
    assert_int_equal(ocf_mock_options_parse(&o, args, 2, &e), OCF_EINVAL);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_stream_comes_whole_and_ends),
  cmocka_unit_test(test_a_whole_answer_has_the_same_text),
  cmocka_unit_test(test_models_and_errors_are_told_in_the_apis_form),
  cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
  cmocka_unit_test(test_a_client_that_leaves_cancels_the_generation),
  cmocka_unit_test(test_it_breaks_off_as_it_is_asked_to),
  cmocka_unit_test(test_while_silent_only_comments_come),
  cmocka_unit_test(test_an_early_answer_comes_before_the_body),
  cmocka_unit_test(test_bytes_come_in_each_framing),
  cmocka_unit_test(test_a_slow_reader_is_waited_for_with_bounded_memory),
  cmocka_unit_test(test_a_sink_tells_what_it_got),
  cmocka_unit_test(test_health_can_be_turned_off_and_on),
  cmocka_unit_test(test_a_body_too_long_or_a_broken_request_is_refused),
  cmocka_unit_test(test_each_request_is_reported_on_a_line),
  cmocka_unit_test(test_only_loopback_addresses_are_taken),
};

int main(void)
{
  return cmocka_run_group_tests(tests, start, stop);
}
