/* HTTP/1.1 per-request cost: scan, parse, forward, whole server session, chunked decoding.
 *
 * Build by hand, in release flags:
 *   cc -O2 -g -std=c11 -Isrc tests/bench/micro/h1_bench.c
 * src/http/h1/{body,client,fields,names,parse,path,pool, problem,scan,server,write}.c
 * src/base/buf/buf.c src/base/mem/alloc.c src/base/core/core.c -o h1_bench Prints the best of five
 * rounds in ns per operation. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/h1/client.h"
#include "http/h1/server.h"

static const char request[] = "POST /v1/_service/llm/v1/chat/completions HTTP/1.1\r\n"
                              "Host: 12D3KooWJTJsKmtWDFU7J7i4CDcCbRZdH7vbRKewi1rmR4a3Zdtz\r\n"
                              "User-Agent: OpenAI/Python 1.51.0\r\n"
                              "Content-Length: 58\r\n"
                              "Accept: application/json\r\n"
                              "Accept-Encoding: gzip, deflate\r\n"
                              "Content-Type: application/json\r\n"
                              "X-Forwarded-For: 10.77.0.9\r\n\r\n";
static const char answer[] =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 17:41:43 GMT\r\n"
    "Content-Type: application/json\r\nContent-Length: 11\r\nConnection: keep-alive\r\n\r\n"
    "{\"ok\":true}";

static const struct ocf_h1_limits lim = OCF_H1_LIMITS_DEFAULT;
static struct ocf_h1_head head;
static uint8_t area[65536];
static uint8_t wire[1 << 20];
static size_t n_wire;
static struct ocf_alloc alloc;
static struct ocf_h1_pool pool;
static struct ocf_h1_server server;
static struct ocf_h1_client client;

static double now_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void need(bool ok)
{
  if (!ok)
    abort();
}

static void op_scan(void)
{
  struct ocf_h1_scan s = { 0 };
  need(ocf_h1_scan_head(&s, (const uint8_t *)request, sizeof(request) - 1, true, &lim) == 0);
}

static void op_parse(void)
{
  need(ocf_h1_parse_request(&head, (const uint8_t *)request, sizeof(request) - 1, &lim) == 0);
}

static void write_it(const struct ocf_h1_head *h)
{
  const struct ocf_h1_edit edits[] = {
    OCF_H1_EDIT(OCF_H1_SET, "Host", OCF_STR("127.0.0.1:9000")),
    OCF_H1_EDIT(OCF_H1_SET, "X-Request-Id", OCF_STR("01JD3Z8K7Q4V")),
    OCF_H1_EDIT(OCF_H1_DROP, "X-Computing-Node", OCF_STR("")),
  };
  struct ocf_buf b = ocf_h1_fixed(area, sizeof(area));
  const struct ocf_h1_rewrite rw = { .target = OCF_STR("/v1/chat/completions"),
                                     .framing = h->framing,
                                     .content_length = h->content_length,
                                     .edits = edits,
                                     .n_edits = 3 };
  need(ocf_h1_write_request(&b, h, &rw) == 0);
}

static void op_write(void)
{
  write_it(&head);
}

static void op_forward(void)
{
  op_scan();
  op_parse();
  op_write();
}

/* The whole machine: head, 58 bytes of body, forward head, answer of 11 bytes. */
static void op_server(void)
{
  static uint8_t in[512];
  const size_t n = sizeof(request) - 1 + 58;
  struct ocf_bytes data;
  struct ocf_h1_rewrite rw = { .status = 200 };
  struct ocf_h1_frame f;
  struct ocf_buf b = ocf_h1_fixed(area, sizeof(area));
  size_t used, at = 0;
  enum ocf_h1_event ev;

  memcpy(in, request, sizeof(request) - 1);
  do {
    ev = ocf_h1_server_input(&server, in + at, n - at, &used, &data);
    at += used;
    if (ev == OCF_H1_EV_HEAD)
      write_it(ocf_h1_server_head(&server));
  } while (ev != OCF_H1_EV_MORE && ev != OCF_H1_EV_END);
  need(at == n);
  need(ocf_h1_server_respond(&server, 200, OCF_H1_FRAMING_LENGTH, 11, &rw) == 0);
  need(ocf_h1_write_response(&b, NULL, &rw) == 0);
  need(ocf_h1_server_data(&server, 11, &f) == 0 && ocf_h1_server_end(&server, &f) == 0);
}

static void op_client(void)
{
  struct ocf_bytes data;
  struct ocf_buf b = ocf_h1_fixed(area, sizeof(area));
  size_t used, at = 0;
  enum ocf_h1_event ev;

  need(ocf_h1_client_start(&client, OCF_H1_POST, OCF_H1_FRAMING_NONE, 0) == 0);
  do {
    ev = ocf_h1_client_input(&client, (const uint8_t *)answer + at, sizeof(answer) - 1 - at, &used,
                             &data);
    at += used;
    if (ev == OCF_H1_EV_HEAD) {
      const struct ocf_h1_head *h = ocf_h1_client_head(&client);
      const struct ocf_h1_rewrite rw = { .framing = h->framing,
                                         .content_length = h->content_length };
      need(ocf_h1_write_response(&b, h, &rw) == 0);
    }
  } while (ev != OCF_H1_EV_END && ev != OCF_H1_EV_ERROR);
  need(ocf_h1_client_reusable(&client));
}

static void op_chunked(void)
{
  struct ocf_h1_body body;
  struct ocf_bytes data;
  size_t used;

  ocf_h1_body_init(&body, OCF_H1_FRAMING_CHUNKED, 0, &lim);
  for (size_t at = 0; !body.done; at += used)
    need(ocf_h1_body_read(&body, wire + at, n_wire - at, &used, &data) == 0);
}

static void fill_chunks(size_t size, size_t count)
{
  n_wire = 0;
  for (size_t i = 0; i < count; i++) {
    n_wire += (size_t)sprintf((char *)wire + n_wire, "%zx\r\n", size);
    memset(wire + n_wire, 'a', size);
    n_wire += size;
    memcpy(wire + n_wire, "\r\n", 2);
    n_wire += 2;
  }
  memcpy(wire + n_wire, "0\r\n\r\n", 5);
  n_wire += 5;
}

static void bench(const char *name, void (*op)(void), unsigned long n)
{
  double best = 1e30;

  for (int round = 0; round < 5; round++) {
    const double t = now_ns();
    for (unsigned long i = 0; i < n; i++)
      op();
    const double d = (now_ns() - t) / (double)n;
    best = d < best ? d : best;
  }
  printf("%-34s %9.1f ns\n", name, best);
}

int main(void)
{
  ocf_alloc_init(&alloc);
  ocf_h1_pool_init(&pool, &alloc, 4);
  ocf_h1_server_init(&server, &pool, &lim);
  ocf_h1_client_init(&client, &pool, &lim);
  printf("request head of %zu bytes, 7 fields\n", sizeof(request) - 1);
  bench("scan", op_scan, 500000);
  bench("parse", op_parse, 500000);
  bench("write, 3 edits", op_write, 500000);
  bench("scan + parse + write", op_forward, 500000);
  bench("server session, one request", op_server, 300000);
  bench("client session, one answer", op_client, 300000);
  fill_chunks(200, 1000);
  bench("1000 chunks of 200 bytes", op_chunked, 3000);
  fill_chunks(65536, 8);
  bench("8 chunks of 64 KiB", op_chunked, 100000);
  return 0;
}
