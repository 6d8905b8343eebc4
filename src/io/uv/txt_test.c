/* Goal: TXT records come as the server gave them, whatever the server does comes to one answer, and
 * a hostile answer harms nobody. Method: a DNS server of our own on loopback, asked by the system's
 * resolver library; the names that are asked for say how it behaves. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time/time.h"
#include "io/uv/uv_int.h"
#include "testing/test.h"

enum { PATIENCE_S = 20, HEADER = 12, PACKET = 4096 };

static struct ocf_uv *uv;
static struct ocf_env *env;
static int server_fd;
static pthread_t server;

/* ---- the server ---- */

struct packet {
  uint8_t b[PACKET];
  size_t n;
};

static void put(struct packet *p, const void *d, size_t n)
{
  OCF_ASSERT(n <= sizeof(p->b) - p->n);
  memcpy(p->b + p->n, d, n);
  p->n += n;
}

static void put16(struct packet *p, unsigned v)
{
  const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };
  put(p, b, 2);
}

/* A record of the name that was asked for, and counts it. */
static void put_record(struct packet *p, unsigned type, const void *data, size_t n, size_t told)
{
  put16(p, 0xC000 | HEADER);
  put16(p, type);
  put16(p, 1);
  put16(p, 0);
  put16(p, 60);
  put16(p, (unsigned)told);
  put(p, data, n);
  p->b[7]++;
}

static bool asked(const struct packet *q, const char *label)
{
  return memmem(q->b + HEADER, q->n - HEADER, label, strlen(label)) != NULL;
}

static void answer(const struct packet *q, struct packet *p)
{
  static const uint8_t two[] = { 3, 'a', 'b', 'c', 0, 2, 'd', 'e' };
  static const uint8_t alias[] = { 1, 'x', 0xC0, HEADER };
  static const uint8_t beyond[] = { 2, 'o', 'k', 200, 'x' };
  memcpy(p, q, sizeof(*p));
  p->b[2] = 0x81;
  p->b[3] = 0x80;
  p->b[10] = p->b[11] = 0;
  size_t end = HEADER; /* without what the client adds */
  while (q->b[end] != 0)
    end += (size_t)1 + q->b[end];
  p->n = end + 5;
  if (asked(q, "none")) {
    p->b[3] |= 3;
  } else if (asked(q, "fail")) {
    p->b[3] |= 2;
  } else if (asked(q, "good")) {
    put_record(p, 5, alias, sizeof(alias), sizeof(alias));
    put_record(p, 16, two, sizeof(two), sizeof(two));
    put_record(p, 16, "\5hello", 6, 6);
  } else if (asked(q, "beyond")) {
    put_record(p, 16, beyond, sizeof(beyond), sizeof(beyond));
  } else if (asked(q, "short")) {
    put_record(p, 16, two, sizeof(two), 500);
  } else if (asked(q, "many")) {
    for (int i = 0; i < 150; i++)
      put_record(p, 16, "\1x", 2, 2);
  } else if (asked(q, "rubbish")) {
    memset(p->b + HEADER, 0xC0, p->n - HEADER);
  } /* else: no record */
}

static void *serve(void *arg)
{
  static struct packet q, p;
  (void)arg;
  for (;;) {
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    memset(&q, 0, sizeof(q));
    ssize_t n = recvfrom(server_fd, q.b, sizeof(q.b), 0, (struct sockaddr *)&from, &len);
    if (n < HEADER + 5)
      return NULL;
    q.n = (size_t)n;
    if (asked(&q, "silent"))
      continue;
    answer(&q, &p);
    (void)!sendto(server_fd, p.b, p.n, 0, (struct sockaddr *)&from, len);
  }
}

static int setup(void **state)
{
  struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  socklen_t len = sizeof(sin);
  (void)state;
  server_fd = socket(AF_INET, SOCK_DGRAM, 0);
  assert_int_equal(bind(server_fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
  assert_int_equal(getsockname(server_fd, (struct sockaddr *)&sin, &len), 0);
  assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
  uv = ocf_uv_new(8);
  assert_non_null(uv);
  env = ocf_uv_env(uv);
  struct ocf_ip_addr at = { .family = 4, .port = ntohs(sin.sin_port), .ip = { 127, 0, 0, 1 } };
  ocf_uv_set_dns(uv, &at);
  return 0;
}

static int teardown(void **state)
{
  struct sockaddr_in sin;
  socklen_t len = sizeof(sin);
  (void)state;
  ocf_uv_free(uv);
  assert_int_equal(getsockname(server_fd, (struct sockaddr *)&sin, &len), 0);
  int fd = socket(AF_INET, SOCK_DGRAM, 0); /* an empty packet ends the server */
  assert_int_equal(sendto(fd, "", 0, 0, (struct sockaddr *)&sin, len), 0);
  assert_int_equal(pthread_join(server, NULL), 0);
  (void)close(fd);
  (void)close(server_fd);
  return 0;
}

/* ---- asking ---- */

struct told {
  unsigned n;
  int err;
  size_t n_records;
  char first[64], second[64];
};

static void on_txt(void *user, uint64_t now_ns, int err, const struct ocf_bytes *r, size_t n)
{
  struct told *t = user;
  assert_true(now_ns > 0);
  t->n++;
  t->err = err;
  t->n_records = n;
  if (n > 0)
    (void)snprintf(t->first, sizeof(t->first), "%.*s", (int)r[0].n, (const char *)r[0].p);
  if (n > 1)
    (void)snprintf(t->second, sizeof(t->second), "%.*s", (int)r[1].n, (const char *)r[1].p);
}

static struct told look_up(const char *name)
{
  struct told t = { .n = 0 };
  uint64_t end = ocf_uv_now() + PATIENCE_S * OCF_NS_PER_S;
  assert_int_equal(env->ops->txt(env, name, 2 * OCF_NS_PER_S, on_txt, &t), 0);
  assert_int_equal(t.n, 0);
  while (t.n == 0 && ocf_uv_now() < end) {
    (void)uv_run(&uv->loop, UV_RUN_NOWAIT);
    (void)usleep(100);
  }
  assert_int_equal(t.n, 1);
  return t;
}

static void test_records_come_with_their_strings_joined(void **state)
{
  (void)state;
  struct told t = look_up("_dnsaddr.good.test");
  assert_int_equal(t.err, 0);
  assert_int_equal(t.n_records, 2); /* the alias is none */
  assert_string_equal(t.first, "abcde");
  assert_string_equal(t.second, "hello");
  t = look_up("_dnsaddr.many.test");
  assert_int_equal(t.err, 0);
  assert_int_equal(t.n_records, 150);
}

static void test_no_name_no_record_and_no_answer_are_told_apart(void **state)
{
  (void)state;
  assert_int_equal(look_up("_dnsaddr.none.test").err, OCF_ENOENT);
  assert_int_equal(look_up("_dnsaddr.empty.test").err, OCF_ENOENT);
  int err = look_up("_dnsaddr.fail.test").err;
  assert_true(err == OCF_ETIME || err == OCF_EIO); /* the library says "try again" */
  uint64_t t = ocf_uv_now();
  assert_int_equal(look_up("_dnsaddr.silent.test").err, OCF_ETIME);
  assert_true(ocf_uv_now() - t < 8 * OCF_NS_PER_S);
}

static void test_an_answer_that_lies_about_its_lengths_gives_what_is_whole(void **state)
{
  (void)state;
  struct told t = look_up("_dnsaddr.beyond.test");
  assert_int_equal(t.err, 0);
  assert_string_equal(t.first, "ok");
  assert_int_not_equal(look_up("_dnsaddr.short.test").err, 0);
  assert_int_not_equal(look_up("_dnsaddr.rubbish.test").err, 0);
}

static void test_names_that_cannot_be_are_refused_at_once(void **state)
{
  struct told t = { .n = 0 };
  char longest[OCF_TXT_NAME_MAX + 2];
  (void)state;
  memset(longest, 'a', sizeof(longest) - 1);
  longest[sizeof(longest) - 1] = '\0';
  assert_int_equal(env->ops->txt(env, "", OCF_NS_PER_S, on_txt, &t), OCF_EINVAL);
  assert_int_equal(env->ops->txt(env, longest, OCF_NS_PER_S, on_txt, &t), OCF_EINVAL);
  assert_int_equal(t.n, 0);
  longest[OCF_TXT_NAME_MAX] = '\0'; /* one label of 253 bytes: the library refuses it */
  assert_int_not_equal(look_up(longest).err, 0);
}

static void test_the_end_waits_for_a_look_up_and_tells_it(void **state)
{
  struct told t = { .n = 0 };
  (void)state;
  assert_int_equal(env->ops->txt(env, "_dnsaddr.good.test", OCF_NS_PER_S, on_txt, &t), 0);
  ocf_uv_free(uv);
  assert_int_equal(t.n, 1);
  uv = NULL;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
  T(test_records_come_with_their_strings_joined),
  T(test_no_name_no_record_and_no_answer_are_told_apart),
  T(test_an_answer_that_lies_about_its_lengths_gives_what_is_whole),
  T(test_names_that_cannot_be_are_refused_at_once),
  T(test_the_end_waits_for_a_look_up_and_tells_it),
};

OCF_TEST_MAIN(tests)
