#include "sim/service.h"

#include <stdio.h>
#include <string.h>

#include "base/str/str.h"
#include "http/h1/write.h"
#include "sim/pattern.h"

enum { OUT_MAX = 64 * 1024, PIECE = 4096 };

enum way {
  WAY_HEALTH,
  WAY_ECHO,
  WAY_BYTES,
  WAY_CHUNKS,
  WAY_TILLCLOSE,
  WAY_SSE,
  WAY_EARLY,
  WAY_EARLYCLOSE,
  WAY_SUM,
  WAY_DIEHEAD,
  WAY_DIEBODY,
  WAY_DIESSE,
  WAY_NEVER,
  WAY_SILENT,
  WAY_COMMENTS,
  WAY_SLOWREAD,
  WAY_ONCE,
  WAY_NAP,
  WAY_UNKNOWN,
};
static const char *const way_names[] = { "health",   "echo",   "bytes",      "chunks", "tillclose",
                                         "sse",      "early",  "earlyclose", "sum",    "diehead",
                                         "diebody",  "diesse", "never",      "silent", "comments",
                                         "slowread", "once",   "nap" };

struct svc_conn {
  struct ocf_list link;
  struct ocf_sim_service *svc;
  struct ocf_sim_stream stream;
  struct ocf_h1_server h1;
  struct ocf_queue held; /* input that waits for its turn */
  struct ocf_sim_event timer;
  enum way way;
  uint64_t a, b;       /* the path's numbers */
  uint64_t made, want; /* body bytes, or events */
  uint64_t body_n;     /* request body bytes read */
  bool active, body_ended, body_bad, answering, feeding;
  bool napping; /* reading is paused until the timer */
  bool ended;   /* our half has ended: what still comes is dropped */
};

static struct ocf_sim *world_of(const struct svc_conn *c)
{
  return c->svc->proc.net->w;
}

/* ---- the end of a connection ---- */

static void finish_request(struct svc_conn *c, bool done)
{
  struct ocf_sim_service *s = c->svc;
  if (!c->active)
    return;
  c->active = false;
  s->n_active--;
  if (c->way == WAY_HEALTH)
    return;
  if (done) {
    s->n_done++;
  } else {
    s->n_left++;
    s->left_at_ns = world_of(c)->now_ns;
  }
}

static void conn_end(struct svc_conn *c, bool reset)
{
  struct ocf_sim_service *s = c->svc;
  finish_request(c, false);
  ocf_sim_cancel(world_of(c), &c->timer);
  ocf_sim_stream_close(&c->stream, reset);
  ocf_list_remove(&c->link);
  ocf_list_push_back(&s->dead, &c->link);
  s->n_open--;
  if (!s->reaper.pending)
    ocf_sim_after(world_of(c), &s->reaper, 0);
}

static bool is_dead(const struct svc_conn *c)
{
  return c->stream.sock == NULL;
}

static void conn_free(struct svc_conn *c)
{
  ocf_list_remove(&c->link);
  ocf_queue_clear(&c->held);
  ocf_h1_server_fini(&c->h1);
  OCF_DELETE(&world_of(c)->alloc, c);
}

static void on_reap(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sim_service *s = OCF_CONTAINER_OF(e, struct ocf_sim_service, reaper);
  (void)w;
  OCF_LIST_FOREACH_SAFE (it, &s->dead) {
    conn_free(OCF_LIST_ENTRY(it, struct svc_conn, link));
  }
}

/* ---- answering ---- */

static void begin_answer(struct svc_conn *c, unsigned status, const char *type,
                         enum ocf_h1_framing framing, uint64_t length)
{
  struct ocf_h1_rewrite rw = { .status = 0 };
  struct ocf_h1_edit e = OCF_H1_EDIT(OCF_H1_SET, "Content-Type", ocf_bytes(type, strlen(type)));
  OCF_ASSERT(ocf_h1_server_respond(&c->h1, status, framing, length, &rw) == 0);
  rw.status = (uint16_t)status;
  rw.edits = &e;
  rw.n_edits = 1;
  ocf_buf_clear(&c->svc->scratch);
  OCF_ASSERT(ocf_h1_write_response(&c->svc->scratch, NULL, &rw) == 0);
  c->answering = true;
  ocf_sim_stream_write(&c->stream, c->svc->scratch.p, c->svc->scratch.n);
}

static void put(struct svc_conn *c, const void *p, size_t n)
{
  struct ocf_h1_frame f;
  if (is_dead(c))
    return;
  OCF_ASSERT(ocf_h1_server_data(&c->h1, n, &f) == 0);
  if (f.drop_payload)
    return;
  ocf_sim_stream_write(&c->stream, f.pre, f.n_pre);
  ocf_sim_stream_write(&c->stream, p, n);
  ocf_sim_stream_write(&c->stream, OCF_H1_CRLF, f.n_suf);
  c->svc->bytes_out += n;
}

static void resume(struct svc_conn *c);

static void end_answer(struct svc_conn *c)
{
  struct ocf_h1_frame f;
  if (is_dead(c))
    return;
  OCF_ASSERT(ocf_h1_server_end(&c->h1, &f) == 0);
  ocf_sim_stream_write(&c->stream, f.pre, f.n_pre);
  finish_request(c, true);
  c->answering = false;
  if (ocf_h1_server_closing(&c->h1) || c->way == WAY_ONCE) {
    c->ended = true;
    ocf_sim_stream_fin(&c->stream);
  }
  if (!c->feeding && !c->ended)
    resume(c);
}

/* Makes body bytes while the queue is short. */
static void make_bytes(struct svc_conn *c)
{
  uint8_t buf[PIECE];
  while (!is_dead(c) && c->made < c->want && ocf_queue_len(&c->stream.out) < OUT_MAX) {
    size_t n = (size_t)OCF_MIN(c->want - c->made, sizeof(buf));
    ocf_sim_pattern_fill(c->b, c->made, buf, n);
    c->made += n;
    put(c, buf, n);
  }
  if (is_dead(c) || c->made < c->want)
    return;
  if (c->way == WAY_DIEBODY) {
    if (ocf_queue_len(&c->stream.out) == 0 || c->b == 0)
      conn_end(c, c->b == 1);
    return;
  }
  end_answer(c);
}

static void make_event(struct svc_conn *c)
{
  char text[64];
  if (c->made < c->want) {
    int n = snprintf(text, sizeof(text), "data: %llu\n\n", (unsigned long long)c->made++);
    put(c, text, (size_t)n);
    ocf_sim_after(world_of(c), &c->timer, c->way == WAY_SSE ? c->b * OCF_NS_PER_US : OCF_NS_PER_MS);
  } else if (c->way == WAY_SSE) {
    put(c, "data: [DONE]\n\n", 14);
    end_answer(c);
  } else if (c->way == WAY_DIESSE) {
    conn_end(c, c->b == 1);
  } else if (c->way == WAY_COMMENTS) {
    put(c, ": still here\n\n", 14);
    ocf_sim_after(world_of(c), &c->timer, 5 * OCF_NS_PER_S);
  }
}

static void answer_sum(struct svc_conn *c)
{
  char text[32];
  int n = snprintf(text, sizeof(text), "%llu %s", (unsigned long long)c->body_n,
                   c->body_bad ? "bad" : "ok");
  c->svc->n_bad += c->body_bad ? 1 : 0;
  begin_answer(c, 200, "text/plain", OCF_H1_FRAMING_LENGTH, (uint64_t)n);
  put(c, text, (size_t)n);
  end_answer(c);
}

static void on_timer(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct svc_conn *c = OCF_CONTAINER_OF(e, struct svc_conn, timer);
  if (c->napping) {
    c->napping = false;
    ocf_sim_stream_pause(&c->stream, false);
    resume(c);
  } else if (!c->active)
    conn_end(c, false); /* idle for too long */
  else if (ocf_queue_len(&c->stream.out) < OUT_MAX)
    make_event(c);
  else
    ocf_sim_after(w, e, OCF_NS_PER_MS);
}

/* ---- requests ---- */

static uint64_t number(struct ocf_bytes *rest)
{
  struct ocf_bytes part;
  uint64_t v = 0;
  if (rest->p != NULL && ocf_str_split(rest, '/', &part) && ocf_str_u64(part, UINT64_MAX, &v) != 0)
    v = 0;
  return v;
}

static void parse_path(struct svc_conn *c, struct ocf_bytes path)
{
  struct ocf_bytes rest = ocf_bytes(path.p + 1, path.n - 1), name;
  c->way = WAY_UNKNOWN;
  if (!ocf_str_split(&rest, '/', &name))
    return;
  for (size_t i = 0; i < OCF_ARRAY_LEN(way_names); i++) {
    if (ocf_str_is(name, way_names[i]))
      c->way = (enum way)i;
  }
  c->a = number(&rest);
  c->b = number(&rest);
}

static void start_bytes(struct svc_conn *c, enum ocf_h1_framing framing, uint64_t promised)
{
  c->want = c->a;
  begin_answer(c, 200, "application/octet-stream", framing, promised);
  make_bytes(c);
}

static void start_events(struct svc_conn *c)
{
  c->want = c->a;
  begin_answer(c, 200, "text/event-stream", OCF_H1_FRAMING_CHUNKED, 0);
  ocf_sim_after(world_of(c), &c->timer, 0);
}

static void nap(struct svc_conn *c, uint64_t ns)
{
  c->napping = true;
  ocf_sim_stream_pause(&c->stream, true);
  ocf_sim_after(world_of(c), &c->timer, ns);
}

static void on_request(struct svc_conn *c)
{
  const struct ocf_h1_head *h = ocf_h1_server_head(&c->h1);
  if (!c->napping)
    ocf_sim_cancel(world_of(c), &c->timer);
  parse_path(c, h->path);
  c->made = c->want = c->body_n = 0;
  c->body_ended = c->body_bad = c->answering = false;
  c->active = true;
  c->svc->n_active++;
  c->svc->n_requests += c->way == WAY_HEALTH ? 0 : 1;
  switch (c->way) {
  case WAY_HEALTH:
    begin_answer(c, 200, "text/plain", OCF_H1_FRAMING_LENGTH, 0);
    end_answer(c);
    break;
  case WAY_ECHO:
    begin_answer(c, 200, "application/octet-stream",
                 h->framing == OCF_H1_FRAMING_CHUNKED ? OCF_H1_FRAMING_CHUNKED
                                                      : OCF_H1_FRAMING_LENGTH,
                 h->content_length);
    break;
  case WAY_BYTES:
  case WAY_EARLYCLOSE:
    ocf_h1_server_close_after(&c->h1);
    start_bytes(c, OCF_H1_FRAMING_LENGTH, c->a);
    break;
  case WAY_ONCE:
  case WAY_EARLY: start_bytes(c, OCF_H1_FRAMING_LENGTH, c->a); break;
  case WAY_CHUNKS: start_bytes(c, OCF_H1_FRAMING_CHUNKED, 0); break;
  case WAY_TILLCLOSE: start_bytes(c, OCF_H1_FRAMING_CLOSE, 0); break;
  case WAY_DIEBODY: start_bytes(c, OCF_H1_FRAMING_LENGTH, 2 * c->a); break;
  case WAY_SSE:
  case WAY_DIESSE:
  case WAY_SILENT:
  case WAY_COMMENTS: start_events(c); break;
  case WAY_DIEHEAD: conn_end(c, c->a == 1); break;
  case WAY_NAP: nap(c, c->b * OCF_NS_PER_MS); break;
  case WAY_SUM:
  case WAY_SLOWREAD:
  case WAY_NEVER: break;
  case WAY_UNKNOWN:
    c->svc->n_bad++;
    begin_answer(c, 404, "text/plain", OCF_H1_FRAMING_LENGTH, 0);
    end_answer(c);
    break;
  }
}

static void on_body(struct svc_conn *c, struct ocf_bytes data)
{
  if (c->way == WAY_ECHO)
    put(c, data.p, data.n);
  else if ((c->way == WAY_SUM || c->way == WAY_SLOWREAD || c->way == WAY_NAP) &&
           !ocf_sim_pattern_ok(c->a, c->body_n, data.p, data.n))
    c->body_bad = true;
  c->body_n += data.n;
  if (c->way == WAY_SLOWREAD && !is_dead(c)) {
    nap(c, 20 * OCF_NS_PER_MS);
  }
  if (c->way == WAY_ECHO && ocf_queue_len(&c->stream.out) > OUT_MAX)
    ocf_sim_stream_pause(&c->stream, true);
}

static void on_body_end(struct svc_conn *c)
{
  c->body_ended = true;
  if (c->way == WAY_ECHO)
    end_answer(c);
  else if (c->way == WAY_SUM || c->way == WAY_SLOWREAD || c->way == WAY_NAP)
    answer_sum(c);
}

/* Reads p[0..n) until it must wait; returns the bytes used. */
static size_t feed(struct svc_conn *c, const uint8_t *p, size_t n)
{
  size_t done = 0;
  bool more = true;
  c->feeding = true;
  while (more && !is_dead(c) && !c->ended && !c->napping) {
    struct ocf_bytes data;
    size_t used;
    enum ocf_h1_event ev = ocf_h1_server_input(&c->h1, p + done, n - done, &used, &data);
    done += used;
    switch (ev) {
    case OCF_H1_EV_HEAD: on_request(c); break;
    case OCF_H1_EV_BODY: on_body(c, data); break;
    case OCF_H1_EV_END: on_body_end(c); break;
    case OCF_H1_EV_ERROR:
      c->svc->n_bad++;
      conn_end(c, true);
      break;
    case OCF_H1_EV_CLOSE:
      if (ocf_queue_len(&c->stream.out) > 0 || c->stream.sending > 0) {
        ocf_sim_stream_fin(&c->stream);
        c->ended = true;
      } else {
        conn_end(c, false);
      }
      break;
    case OCF_H1_EV_INTERIM:
    case OCF_H1_EV_MORE:
    case OCF_H1_EV_HOLD: more = false; break;
    }
  }
  c->feeding = false;
  if (c->ended)
    return n;
  if (!is_dead(c) && !c->active && !c->napping && c->svc->idle_close_ns > 0)
    ocf_sim_after(world_of(c), &c->timer, c->svc->idle_close_ns);
  return done;
}

static void resume(struct svc_conn *c)
{
  struct ocf_bytes view;
  (void)feed(c, NULL, 0);
  while (!is_dead(c) && ocf_queue_peek(&c->held, &view, 1) == 1) {
    size_t used = feed(c, view.p, view.n);
    ocf_queue_consume(&c->held, used);
    if (used < view.n)
      return;
  }
}

/* ---- the socket ---- */

static void on_up(void *user)
{
  (void)user;
}

static void on_data(void *user, struct ocf_bytes view)
{
  struct svc_conn *c = user;
  size_t done = 0;
  if (ocf_queue_len(&c->held) == 0)
    done = feed(c, view.p, view.n);
  if (!is_dead(c) && done < view.n)
    OCF_ASSERT(ocf_queue_add(&c->held, view.p + done, view.n - done) == 0);
}

static void on_eof(void *user)
{
  conn_end(user, false);
}

static void on_drained(void *user)
{
  struct svc_conn *c = user;
  if (c->way == WAY_ECHO && ocf_queue_len(&c->stream.out) < OUT_MAX / 2)
    ocf_sim_stream_pause(&c->stream, false);
  if (c->active && c->answering &&
      (c->way == WAY_BYTES || c->way == WAY_CHUNKS || c->way == WAY_TILLCLOSE ||
       c->way == WAY_DIEBODY || c->way == WAY_EARLY || c->way == WAY_EARLYCLOSE ||
       c->way == WAY_ONCE))
    make_bytes(c);
}

static void on_gone(void *user, int err)
{
  (void)err;
  conn_end(user, false);
}

static const struct ocf_sim_stream_ops stream_ops = { on_up, on_data, on_eof, on_drained, on_gone };

static void on_accept(void *user, uint64_t now_ns, struct ocf_sock *sock,
                      const struct ocf_ip_addr *remote)
{
  struct ocf_sim_service *s = user;
  struct svc_conn *c = OCF_NEW(&s->proc.net->w->alloc, struct svc_conn);
  (void)now_ns;
  (void)remote;
  OCF_ASSERT(c != NULL);
  c->svc = s;
  c->timer.fn = on_timer;
  ocf_queue_init(&c->held, &s->proc.net->chunks);
  ocf_h1_server_init(&c->h1, &s->pool, &s->limits);
  ocf_list_push_back(&s->conns, &c->link);
  s->n_open++;
  ocf_sim_stream_accept(&c->stream, &s->proc, sock, &stream_ops, c);
  if (s->deaf)
    ocf_sim_stream_pause(&c->stream, true);
}

void ocf_sim_service_init(struct ocf_sim_service *s, struct ocf_sim_net *n,
                          struct ocf_sim_machine *m, uint16_t port, const char *path)
{
  struct ocf_endpoint at = { .ip = { .family = 4, .port = port, .ip = { 127, 0, 0, 1 } } };
  *s = (struct ocf_sim_service){ .limits = OCF_H1_LIMITS_DEFAULT };
  s->limits.drain_bytes_max = UINT64_C(1) << 40;
  ocf_sim_proc_init(&s->proc, n, m);
  ocf_h1_pool_init(&s->pool, &n->w->alloc, 64);
  ocf_buf_init(&s->scratch, &n->w->alloc, 65536);
  ocf_list_init(&s->conns);
  ocf_list_init(&s->dead);
  s->reaper.fn = on_reap;
  if (path != NULL) {
    at.ip.family = 0;
    (void)snprintf(at.unix_path, sizeof(at.unix_path), "%s", path);
  }
  OCF_ASSERT(ocf_sim_listen(&s->listener, &s->proc, &at, on_accept, s) == 0);
}

void ocf_sim_service_kill(struct ocf_sim_service *s)
{
  OCF_LIST_FOREACH_SAFE (it, &s->conns) {
    conn_end(OCF_LIST_ENTRY(it, struct svc_conn, link), false);
  }
  ocf_sim_proc_kill(&s->proc, false);
}

void ocf_sim_service_fini(struct ocf_sim_service *s)
{
  ocf_sim_service_kill(s);
  on_reap(s->proc.net->w, &s->reaper);
  ocf_sim_cancel(s->proc.net->w, &s->reaper);
  ocf_sim_proc_fini(&s->proc);
  ocf_buf_fini(&s->scratch);
  ocf_h1_pool_fini(&s->pool);
}
