/* Goal: one request's way, step by step: what the target is sent, what the client gets, who is
 * given credit when, and what each kind of failure looks like. Method: channels in memory whose far
 * ends the test plays; everything with time and two nodes is a simulator scenario instead. */
#include "node/relay/ask.h"
#include "node/relay/relay.h"
#include "obs/metric/metric.h"
#include "testing/test.h"

enum { CAP = 512 * 1024 };

/* A channel whose other side is the test. */
struct wire {
  struct ocf_chan chan;
  char sent[CAP]; /* what was written to it */
  size_t n_sent, queued, consumed;
  bool fin, ended, stuck; /* stuck: what is written stays queued */
  enum ocf_chan_end how;
};

static struct wire *of(struct ocf_chan *c)
{
  return OCF_CONTAINER_OF(c, struct wire, chan);
}

static int wire_write(struct ocf_chan *c, const struct ocf_bytes *v, size_t n)
{
  struct wire *w = of(c);
  for (size_t i = 0; i < n; i++) {
    assert_true(w->n_sent + v[i].n < CAP);
    if (v[i].n > 0)
      memcpy(w->sent + w->n_sent, v[i].p, v[i].n);
    w->n_sent += v[i].n;
    w->queued += w->stuck ? v[i].n : 0;
  }
  w->sent[w->n_sent] = '\0';
  return 0;
}

static size_t wire_queued(struct ocf_chan *c)
{
  return of(c)->queued;
}

static void wire_consumed(struct ocf_chan *c, size_t n)
{
  of(c)->consumed += n;
}

static void wire_fin(struct ocf_chan *c)
{
  of(c)->fin = true;
}

static void wire_end(struct ocf_chan *c, enum ocf_chan_end how)
{
  assert_false(of(c)->ended);
  of(c)->ended = true;
  of(c)->how = how;
}

static const struct ocf_chan_ops wire_ops = { wire_write, wire_queued, wire_consumed, wire_fin,
                                              wire_end };

static struct wire client, up[4];
static size_t n_up; /* streams opened to the peer so far */
static int open_result;
static struct ocf_upstream *pending;

static struct ocf_peerid asked[4]; /* whom each stream is to */

static struct ocf_chan *peer_open(void *ctx, const struct ocf_peerid *peer, struct ocf_upstream *u,
                                  uint64_t *ticket, int *err)
{
  (void)ctx;
  *err = open_result;
  if (open_result == OCF_EAGAIN) {
    pending = u;
    *ticket = 1;
  }
  if (open_result != 0)
    return NULL;
  assert_true(n_up < OCF_ARRAY_LEN(up));
  up[n_up].chan.ops = &wire_ops;
  asked[n_up] = *peer;
  return &up[n_up++].chan;
}

static int n_cancelled;

static void peer_cancel(void *ctx, struct ocf_upstream *u, uint64_t ticket)
{
  (void)ctx;
  (void)u;
  assert_int_equal(ticket, 1);
  n_cancelled++;
}

static const struct ocf_relay_peer_ops peer_ops = { peer_open, peer_cancel };

static struct ocf_alloc alloc;
static struct ocf_rng rng;
static struct ocf_env env;
static struct ocf_loop loop;
static struct ocf_metrics metrics;
static struct ocf_relay *relay;
static struct ocf_peerid peer;

/* Picks peers in turn, and reads bodies until one has an 'x' or ends. */
static struct picker {
  struct ocf_chooser c;
  struct ocf_body_reader b;
  struct ocf_peerid peers[3];
  size_t n, at;
  char seen[64]; /* of the body */
  unsigned status;
  int err, n_results, n_done, n_gone;
  bool passes_on;
} picker;

static bool pick_next(struct ocf_chooser *c, struct ocf_hop *out)
{
  struct picker *p = OCF_CONTAINER_OF(c, struct picker, c);
  if (p->at == p->n)
    return false;
  out->peer = p->peers[p->at++];
  out->target = OCF_STR("/chosen");
  out->passes_on = p->passes_on;
  return true;
}

static void pick_result(struct ocf_chooser *c, unsigned status, int err)
{
  struct picker *p = OCF_CONTAINER_OF(c, struct picker, c);
  p->status = status;
  p->err = err;
  p->n_results++;
}

static void pick_done(struct ocf_chooser *c)
{
  OCF_CONTAINER_OF(c, struct picker, c)->n_done++;
}

static const struct ocf_chooser_ops picker_ops = { pick_next, pick_result, pick_done };

static void read_piece(struct ocf_body_reader *b, struct ocf_request *rq, struct ocf_bytes data,
                       bool end)
{
  struct picker *p = OCF_CONTAINER_OF(b, struct picker, b);
  strncat(p->seen, (const char *)data.p, data.n);
  if (strchr(p->seen, '!') != NULL)
    ocf_request_fail(rq, 400, "no", "no", 0);
  else if (end || strchr(p->seen, 'x') != NULL)
    ocf_request_to_chosen(rq, &p->c);
}

static void read_gone(struct ocf_body_reader *b)
{
  OCF_CONTAINER_OF(b, struct picker, b)->n_gone++;
}

static const struct ocf_body_reader_ops reader_ops = { read_piece, read_gone };

/* Everything goes to the peer, but /here is answered at once, and what is under /any goes to whom
 * the picker picks. */
static void route(void *ctx, struct ocf_request *rq)
{
  const struct ocf_h1_head *h = ocf_request_head(rq);
  (void)ctx;
  if (ocf_bytes_eq(h->path, OCF_STR("/any"))) {
    ocf_request_to_chosen(rq, &picker.c);
    return;
  }
  if (ocf_bytes_eq(h->path, OCF_STR("/any/body"))) {
    ocf_request_read_body(rq, &picker.b);
    return;
  }
  if (ocf_bytes_eq(h->path, OCF_STR("/here")))
    ocf_request_reply(rq, 200, "text/plain", OCF_STR("hi"), NULL, 0);
  else
    ocf_request_to_peer(rq, &peer, h->target);
}

static int setup(void **state)
{
  struct ocf_relay_config cfg = {
    .h1 = OCF_H1_LIMITS_DEFAULT,
    .header_timeout_ns = 10 * OCF_NS_PER_S,
    .idle_timeout_ns = 60 * OCF_NS_PER_S,
    .stream_idle_timeout_ns = 120 * OCF_NS_PER_S,
    .drain_timeout_ns = 5 * OCF_NS_PER_S,
    .response_header_timeout_ns = 600 * OCF_NS_PER_S,
    .chunk_timeout_ns = 60 * OCF_NS_PER_S,
    .connect_timeout_ns = 5 * OCF_NS_PER_S,
    .peer_pool_idle_ns = 60 * OCF_NS_PER_S,
    .peer_pool_max = 64,
    .retry_enabled = true,
    .retry_max = 2,
    .retry_body_hold = 64 * 1024,
    .retry_budget_percent = 20,
    .clients_max = 4,
  };
  struct ocf_caller caller = { .kind = OCF_CALLER_LOCAL,
                               .ip = { .family = 4, .ip = { 127, 0, 0, 1 } } };
  (void)state;
  memset(&client, 0, sizeof(client));
  memset(up, 0, sizeof(up));
  n_up = 0;
  n_cancelled = open_result = 0;
  client.chan.ops = &wire_ops;
  ocf_alloc_init(&alloc);
  ocf_rng_seed(&rng, 7);
  ocf_metrics_init(&metrics);
  ocf_peerid_from_key(OCF_STR("a key"), &peer);
  picker = (struct picker){ .c.ops = &picker_ops, .b.ops = &reader_ops, .n = 2 };
  ocf_peerid_from_key(OCF_STR("first"), &picker.peers[0]);
  ocf_peerid_from_key(OCF_STR("second"), &picker.peers[1]);
  assert_int_equal(ocf_loop_init(&loop, &env, &alloc, &rng, NULL, &metrics, 1), 0);
  relay = ocf_relay_new(&loop, &cfg, route, &peer_ops, NULL);
  assert_non_null(relay);
  assert_int_equal(ocf_relay_serve(relay, &client.chan, &caller), 0);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  ocf_relay_free(relay);
  ocf_loop_run_deferred(&loop);
  ocf_loop_fini(&loop);
  return alloc.live_bytes == 0 ? 0 : -1;
}

static void say(struct wire *w, const char *text)
{
  assert_non_null(w->chan.user_ops);
  w->chan.user_ops->data(w->chan.user, ocf_bytes(text, strlen(text)));
  ocf_loop_run_deferred(&loop);
}

static void pass(uint64_t ns)
{
  loop.now_ns += ns;
  ocf_loop_fire(&loop);
  ocf_loop_run_deferred(&loop);
}

static bool got(const struct wire *w, const char *text)
{
  return strstr(w->sent, text) != NULL;
}

static const char get[] = "GET /x?q=1 HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc\r\n\r\n";

static void test_a_request_goes_out_rewritten_and_its_answer_comes_back(void **state)
{
  (void)state;
  say(&client, get);
  assert_true(got(&up[0], "GET /x?q=1 HTTP/1.1\r\n"));
  assert_false(got(&up[0], "Host: h\r\n"));
  assert_true(got(&up[0], "X-Request-Id: abc\r\n"));
  assert_true(got(&up[0], "X-Forwarded-For: 127.0.0.1\r\n"));
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: x\r\n\r\nok");
  assert_true(got(&client, "HTTP/1.1 200 OK\r\n"));
  assert_true(got(&client, "X-Request-Id: abc\r\n"));
  assert_true(got(&client, "X-Computing-Node: "));
  assert_false(got(&client, "Keep-Alive"));
  assert_string_equal(client.sent + client.n_sent - 6, "\r\n\r\nok");
  assert_int_equal(ocf_relay_n_requests(relay), 0);
}

static void test_a_kept_stream_carries_the_next_request(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    say(&client, get);
    say(&up[0], "HTTP/1.1 204 No Content\r\n\r\n");
  }
  assert_int_equal(n_up, 1);
  assert_false(client.ended);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
  (void)state;
  say(&client, "GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /here HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_false(got(&client, "hi"));
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
  assert_true(strstr(client.sent, "hi") > strstr(client.sent, "first"));
}

static void test_a_stream_that_died_idle_is_replaced_without_the_client_knowing(void **state)
{
  (void)state;
  say(&client, get);
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET);
  assert_int_equal(n_up, 2);
  assert_true(got(&up[1], "GET /x?q=1"));
  say(&up[1], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert_true(got(&client, "200 OK"));
  assert_int_equal(ocf_metric_get3(&metrics, OCF_METRIC_RETRIES, 0, 0, 0), 1);
}

static void test_retries_end_and_the_client_is_told(void **state)
{
  (void)state;
  say(&client, get);
  for (size_t i = 0; i < 3; i++)
    up[i].chan.user_ops->closed(up[i].chan.user, OCF_ERESET);
  ocf_loop_run_deferred(&loop);
  assert_int_equal(n_up, 3);
  assert_true(got(&client, "HTTP/1.1 502 "));
  assert_true(got(&client, "\"code\":\"peer_failed\""));
  assert_true(got(&client, "\"request_id\":\"abc\""));
}

static void test_a_begun_answer_is_never_retried(void **state)
{
  (void)state;
  say(&client, get);
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET);
  assert_int_equal(n_up, 1);
  assert_true(client.ended);
  assert_false(got(&client, "502"));
}

static const char sse_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";

static void test_a_cut_event_stream_ends_with_an_error_event_and_no_end(void **state)
{
  (void)state;
  say(&client, get);
  say(&up[0], sse_head);
  say(&up[0], "9\r\ndata: 1\n\n\r\n");
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET);
  assert_true(got(&client, "data: 1\n\n"));
  assert_true(got(&client, "data: {\"error\":{"));
  assert_true(got(&client, "\"request_id\":\"abc\""));
  assert_false(got(&client, "[DONE]"));
  assert_false(got(&client, "\r\n0\r\n"));
  assert_true(client.ended);
}

static void test_an_error_event_of_the_worker_is_not_doubled(void **state)
{
  const char *first;
  (void)state;
  say(&client, get);
  say(&up[0], sse_head);
  say(&up[0], "1e\r\ndata: {\"error\":{\"code\":\"x\"}}\n\n\r\n");
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET);
  first = strstr(client.sent, "data: {\"error\"");
  assert_non_null(first);
  assert_null(strstr(first + 1, "data: {\"error\""));
}

static void test_a_silent_stream_is_ended_and_comments_are_silence(void **state)
{
  (void)state;
  say(&client, get);
  say(&up[0], sse_head);
  for (int i = 0; i < 5; i++) {
    pass(11 * OCF_NS_PER_S);
    say(&up[0], "3\r\n:\n\n\r\n");
    assert_false(client.ended);
  }
  pass(6 * OCF_NS_PER_S);
  assert_true(got(&client, "\"code\":\"upstream_silent\""));
  assert_true(client.ended && up[0].ended);
}

static void test_a_target_that_never_answers_is_a_504(void **state)
{
  (void)state;
  say(&client, get);
  pass(600 * OCF_NS_PER_S);
  assert_true(got(&client, "HTTP/1.1 504 "));
  assert_true(up[0].ended && up[0].how == OCF_CHAN_ABORT);
}

static void test_a_client_that_leaves_cancels_the_work(void **state)
{
  (void)state;
  say(&client, get);
  client.chan.user_ops->closed(client.chan.user, OCF_ERESET);
  assert_true(up[0].ended && up[0].how == OCF_CHAN_ABORT);
  assert_int_equal(ocf_relay_n_sessions(relay), 0);
  client.ended = true; /* dead already: the relay must not touch it again */
}

static void test_a_client_that_leaves_while_dialling_cancels_the_dial(void **state)
{
  (void)state;
  open_result = OCF_EAGAIN;
  say(&client, get);
  client.chan.user_ops->eof(client.chan.user);
  assert_int_equal(n_cancelled, 1);
  assert_true(client.ended);
}

static void test_a_dial_that_fails_is_told_as_unreachable(void **state)
{
  (void)state;
  open_result = OCF_EAGAIN;
  say(&client, get);
  ocf_upstream_opened(pending, NULL, OCF_EUNREACH);
  assert_true(got(&client, "\"code\":\"peer_unreachable\""));
}

static void test_credit_for_the_answer_follows_what_the_client_takes(void **state)
{
  (void)state;
  say(&client, get);
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  size_t head = up[0].consumed;
  client.stuck = true;
  static char body[501];
  memset(body, 'b', 500);
  say(&up[0], body);
  assert_int_equal(up[0].consumed, head);
  client.queued = 100;
  client.chan.user_ops->drained(client.chan.user);
  assert_int_equal(up[0].consumed, head + 400);
  client.queued = 0;
  client.chan.user_ops->drained(client.chan.user);
  assert_int_equal(up[0].consumed, head + 500);
}

static void test_credit_for_a_request_body_follows_what_the_target_takes(void **state)
{
  (void)state;
  say(&client, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 600\r\n\r\n");
  size_t head = client.consumed;
  up[0].stuck = true;
  static char body[301];
  memset(body, 'b', 300);
  say(&client, body);
  assert_int_equal(client.consumed, head);
  up[0].queued = 0;
  up[0].chan.user_ops->drained(up[0].chan.user);
  assert_int_equal(client.consumed, head + 300);
}

static void test_an_answer_before_the_end_of_the_request_loses_nothing(void **state)
{
  (void)state;
  say(&client, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n0123456789");
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfast");
  assert_true(got(&client, "fast"));
  assert_true(up[0].ended && up[0].how == OCF_CHAN_CLOSE); /* not reset: the answer was read */
  assert_int_equal(ocf_relay_n_requests(relay), 0);
}

static void test_a_held_body_is_sent_again_on_a_retry(void **state)
{
  (void)state;
  say(&client, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET);
  assert_true(got(&up[1], "\r\n\r\nhello"));
}

static void test_a_malformed_answer_becomes_a_502(void **state)
{
  (void)state;
  say(&client, get);
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok");
  assert_true(got(&client, "HTTP/1.1 502 "));
  assert_false(got(&client, "200 OK"));
  assert_true(up[0].ended && up[0].how == OCF_CHAN_ABORT);
}

static void test_a_malformed_request_reaches_nobody(void **state)
{
  (void)state;
  say(&client, "GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n");
  assert_int_equal(n_up, 0);
  assert_true(got(&client, "HTTP/1.1 400 "));
  assert_true(client.ended);
}

static void test_an_idle_and_a_slow_client_are_sent_away(void **state)
{
  (void)state;
  say(&client, "GET /x HT");
  pass(10 * OCF_NS_PER_S);
  assert_true(got(&client, "HTTP/1.1 408 "));
  assert_true(client.ended);
}

static void test_draining_finishes_what_is_in_flight(void **state)
{
  (void)state;
  say(&client, get);
  ocf_relay_drain(relay);
  assert_false(client.ended);
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert_true(got(&client, "Connection: close\r\n"));
  assert_true(client.ended && client.how == OCF_CHAN_CLOSE);
  assert_int_equal(ocf_relay_n_sessions(relay), 0);
}

static void test_a_burst_that_the_peer_cannot_take_yet_waits(void **state)
{
  (void)state;
  open_result = OCF_ELIMIT;
  say(&client, get);
  assert_int_equal(client.n_sent, 0);
  open_result = 0;
  pass(10 * OCF_NS_PER_MS);
  assert_int_equal(n_up, 1);
}

static const char any[] = "GET /any HTTP/1.1\r\nHost: h\r\n\r\n";

static void test_a_chosen_hop_that_fails_is_followed_by_the_next(void **state)
{
  (void)state;
  say(&client, any);
  assert_true(ocf_peerid_eq(&asked[0], &picker.peers[0]));
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET);
  assert_int_equal(picker.err, OCF_ERESET);
  assert_true(ocf_peerid_eq(&asked[1], &picker.peers[1]));
  assert_true(got(&up[1], "GET /chosen HTTP/1.1\r\n"));
  say(&up[1], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert_true(got(&client, "HTTP/1.1 200 OK\r\n"));
  assert_int_equal(picker.status, 200);
  assert_int_equal(picker.n_results, 2);
  assert_int_equal(picker.n_done, 1);
}

static void test_an_answer_503_is_passed_on_only_when_nobody_else_is_left(void **state)
{
  static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
  (void)state;
  say(&client, any);
  say(&up[0], busy);
  assert_int_equal(client.n_sent, 0);
  assert_true(up[0].ended);
  assert_int_equal(n_up, 2);
  say(&up[1], busy);
  assert_true(got(&client, "HTTP/1.1 503"));
  assert_true(got(&client, "\r\n\r\nbusy"));
  assert_int_equal(picker.n_results, 2);
  assert_int_equal(picker.n_done, 1);
}

static void test_hops_that_cannot_be_reached_end_in_one_clear_error(void **state)
{
  (void)state;
  open_result = OCF_EUNREACH;
  say(&client, any);
  assert_true(got(&client, "HTTP/1.1 502"));
  assert_true(got(&client, "workers_unreachable"));
  assert_int_equal(picker.n_results, 2);
  assert_int_equal(picker.n_done, 1);
}

static void test_nobody_to_choose_is_503_with_retry_after(void **state)
{
  (void)state;
  picker.n = 0;
  say(&client, any);
  assert_true(got(&client, "HTTP/1.1 503"));
  assert_true(got(&client, "Retry-After: 1"));
  assert_int_equal(picker.n_done, 1);
}

/* A window that begins anew would leave 10 retries, fewer than a dying worker's requests. */
static void test_the_budget_of_retries_outlives_its_window(void **state)
{
  (void)state;
  for (int i = 0; i < 200; i++) {
    say(&client, get);
    say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    client.n_sent = up[0].n_sent = 0;
  }
  pass(10 * OCF_NS_PER_S + OCF_NS_PER_MS);
  open_result = OCF_EREFUSED;
  for (int i = 0; i < 14; i++) {
    picker.at = 0;
    say(&client, any);
    assert_true(got(&client, "HTTP/1.1 502"));
    client.n_sent = 0;
  }
  assert_int_equal(ocf_metric_get3(&metrics, OCF_METRIC_RETRIES, 0, 0, 0), 28);
  assert_int_equal(ocf_metric_get3(&metrics, OCF_METRIC_RETRIES_DENIED, 0, 0, 0), 0);
}

static void test_a_long_body_that_nobody_was_sent_goes_to_the_next_hop(void **state)
{
  enum { N = 100000 };
  static char body[N + 1];
  (void)state;
  memset(body, 'b', N);
  open_result = OCF_EAGAIN;
  say(&client, "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
  say(&client, body);
  open_result = 0;
  ocf_upstream_opened(pending, NULL, OCF_EUNREACH);
  assert_int_equal(n_up, 1);
  assert_true(ocf_peerid_eq(&asked[0], &picker.peers[1]));
  assert_true(up[0].n_sent > N && got(&up[0], body));
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET); /* now it is gone */
  assert_int_equal(n_up, 1);
  assert_true(got(&client, "HTTP/1.1 502"));
}

static void test_a_hop_that_passes_on_keeps_who_computed(void **state)
{
  (void)state;
  picker.passes_on = true;
  say(&client, any);
  say(&up[0], "HTTP/1.1 200 OK\r\nX-Computing-Node: somebody\r\nContent-Length: 0\r\n\r\n");
  assert_true(got(&client, "X-Computing-Node: somebody\r\n"));
}

static const char post[] = "POST /any/body HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n";

static void test_a_body_is_read_before_the_choice_and_sent_whole(void **state)
{
  (void)state;
  say(&client, post);
  say(&client, "ab");
  assert_int_equal(n_up, 0);
  say(&client, "cx");
  assert_int_equal(n_up, 1);
  say(&client, "yz");
  assert_string_equal(picker.seen, "abcx");
  assert_string_equal(up[0].sent + up[0].n_sent - 10, "\r\n\r\nabcxyz");
  up[0].chan.user_ops->closed(up[0].chan.user, OCF_ERESET);
  assert_string_equal(up[1].sent + up[1].n_sent - 10, "\r\n\r\nabcxyz");
  assert_int_equal(picker.n_gone, 0);
}

static void test_a_reader_hears_of_a_client_that_leaves(void **state)
{
  (void)state;
  say(&client, post);
  say(&client, "ab");
  client.chan.user_ops->closed(client.chan.user, OCF_ERESET);
  ocf_loop_run_deferred(&loop);
  assert_int_equal(picker.n_gone, 1);
  assert_int_equal(picker.n_done, 0);
}

static void test_a_reader_may_refuse(void **state)
{
  (void)state;
  say(&client, post);
  say(&client, "a!bcde");
  assert_true(got(&client, "HTTP/1.1 400"));
  assert_int_equal(picker.n_gone, 1);
}

static void test_a_client_that_waits_for_100_is_told_to_send_what_the_choice_needs(void **state)
{
  (void)state;
  say(&client, "POST /any/body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
               "Content-Length: 6\r\n\r\n");
  assert_true(got(&client, "HTTP/1.1 100 "));
  say(&client, "x12345");
  assert_int_equal(n_up, 1);
}

/* ---- requests of our own ---- */

static struct {
  unsigned status;
  int err, n;
  char body[16];
} answer;

static void on_answer(struct ocf_ask *a, unsigned status, struct ocf_bytes body, int err)
{
  (void)a;
  answer.status = status;
  answer.err = err;
  answer.n++;
  if (body.n > 0)
    memcpy(answer.body, body.p, body.n);
  answer.body[body.n] = '\0';
}

static struct ocf_ask begin_answer(void)
{
  memset(&answer, 0, sizeof(answer));
  return (struct ocf_ask){ .done = on_answer };
}

static void test_an_ask_gathers_the_answer_and_closes(void **state)
{
  struct ocf_ask a = begin_answer();
  (void)state;
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/v1/models", 10, OCF_NS_PER_S), 0);
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/v1/models", 10, OCF_NS_PER_S), OCF_EEXIST);
  assert_true(got(&up[0], "GET /v1/models HTTP/1.1\r\n"));
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
  assert_int_equal(answer.n, 0);
  say(&up[0], "56789");
  assert_int_equal(answer.n, 1);
  assert_int_equal(answer.status, 200);
  assert_string_equal(answer.body, "0123456789");
  assert_true(up[0].ended);
  assert_false(ocf_ask_busy(&a));
}

static void test_an_ask_ends_once_in_each_bad_case(void **state)
{
  static struct ocf_ask a; /* outlives the test: the relay goes with it under way */
  (void)state;
  a = begin_answer();
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/x", 4, OCF_NS_PER_S), 0);
  say(&up[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n01234");
  assert_int_equal(answer.err, OCF_ELIMIT);
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/x", 4, OCF_NS_PER_S), 0);
  up[1].chan.user_ops->closed(up[1].chan.user, OCF_ERESET);
  assert_int_equal(answer.err, OCF_ERESET);
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/x", 4, OCF_NS_PER_S), 0);
  say(&up[2], "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n012");
  pass(2 * OCF_NS_PER_S);
  assert_int_equal(answer.err, OCF_ETIME);
  assert_int_equal(answer.n, 3);
  open_result = OCF_EUNREACH;
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/x", 4, OCF_NS_PER_S), OCF_EUNREACH);
  open_result = OCF_EAGAIN;
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/x", 4, OCF_NS_PER_S), 0);
  ocf_ask_cancel(&a);
  assert_int_equal(n_cancelled, 1);
  assert_int_equal(ocf_ask_peer(&a, relay, &peer, "/x", 4, OCF_NS_PER_S), 0);
  assert_int_equal(answer.n, 3);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_a_chosen_hop_that_fails_is_followed_by_the_next),
    T(test_an_answer_503_is_passed_on_only_when_nobody_else_is_left),
    T(test_hops_that_cannot_be_reached_end_in_one_clear_error),
    T(test_nobody_to_choose_is_503_with_retry_after),
    T(test_the_budget_of_retries_outlives_its_window),
    T(test_a_long_body_that_nobody_was_sent_goes_to_the_next_hop),
    T(test_a_hop_that_passes_on_keeps_who_computed),
    T(test_a_body_is_read_before_the_choice_and_sent_whole),
    T(test_a_reader_hears_of_a_client_that_leaves),
    T(test_a_reader_may_refuse),
    T(test_a_client_that_waits_for_100_is_told_to_send_what_the_choice_needs),
    T(test_an_ask_gathers_the_answer_and_closes),
    T(test_an_ask_ends_once_in_each_bad_case),
    T(test_a_request_goes_out_rewritten_and_its_answer_comes_back),
    T(test_a_kept_stream_carries_the_next_request),
    T(test_pipelined_requests_are_answered_in_order),
    T(test_a_stream_that_died_idle_is_replaced_without_the_client_knowing),
    T(test_retries_end_and_the_client_is_told),
    T(test_a_begun_answer_is_never_retried),
    T(test_a_cut_event_stream_ends_with_an_error_event_and_no_end),
    T(test_an_error_event_of_the_worker_is_not_doubled),
    T(test_a_silent_stream_is_ended_and_comments_are_silence),
    T(test_a_target_that_never_answers_is_a_504),
    T(test_a_client_that_leaves_cancels_the_work),
    T(test_a_client_that_leaves_while_dialling_cancels_the_dial),
    T(test_a_dial_that_fails_is_told_as_unreachable),
    T(test_credit_for_the_answer_follows_what_the_client_takes),
    T(test_credit_for_a_request_body_follows_what_the_target_takes),
    T(test_an_answer_before_the_end_of_the_request_loses_nothing),
    T(test_a_held_body_is_sent_again_on_a_retry),
    T(test_a_malformed_answer_becomes_a_502),
    T(test_a_malformed_request_reaches_nobody),
    T(test_an_idle_and_a_slow_client_are_sent_away),
    T(test_draining_finishes_what_is_in_flight),
    T(test_a_burst_that_the_peer_cannot_take_yet_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
