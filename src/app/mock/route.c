/* Which route a request takes, and the answers that need no generation. */
#include <stdio.h>
#include <string.h>

#include "app/mock/mock_int.h"
#include "base/str/str.h"
#include "fmt/json/json.h"
#include "http/h1/path.h"

#define JSON "application/json"

struct row {
  const char *path;
  enum mock_route route;
  bool get, post;
};

static const struct row rows[] = {
  { "/health", ROUTE_HEALTH, true, false },
  { "/v1/models", ROUTE_MODELS, true, false },
  { "/v1/chat/completions", ROUTE_CHAT, false, true },
  { "/v1/completions", ROUTE_COMPLETIONS, false, true },
  { "/v1/embeddings", ROUTE_EMBEDDINGS, false, true },
  { "/mock/stats", ROUTE_STATS, true, false },
  { "/mock/bytes", ROUTE_BYTES, true, false },
  { "/mock/early", ROUTE_EARLY, true, true },
  { "/mock/sink", ROUTE_SINK, false, true },
  { "/mock/health", ROUTE_SET_HEALTH, false, true },
};

/* ---- answers ---- */

bool ocf_mock_send_head(struct conn *c, unsigned status, const char *type,
                        enum ocf_h1_framing framing, uint64_t length)
{
  struct ocf_h1_rewrite rw = { .status = 0 };
  struct ocf_h1_edit e[4];
  size_t n = 0;
  if (c->closing)
    return false;
  e[n++] = OCF_H1_EDIT(OCF_H1_SET, "Server", OCF_STR("ocf-mock"));
  e[n++] = OCF_H1_EDIT(OCF_H1_SET, "X-Request-Id", ocf_bytes(c->id, c->id_n));
  if (type != NULL)
    e[n++] = OCF_H1_EDIT(OCF_H1_SET, "Content-Type", ocf_str(type));
  if (framing == OCF_H1_FRAMING_CHUNKED)
    e[n++] = OCF_H1_EDIT(OCF_H1_SET, "Cache-Control", OCF_STR("no-cache"));
  if (framing == OCF_H1_FRAMING_CLOSE)
    c->h1.is_10 = true; /* else the machine would use chunks, which every newer client can read */
  ocf_buf_clear(&c->m->out);
  int r = ocf_h1_server_respond(&c->h1, status, framing, length, &rw);
  rw.status = (uint16_t)status;
  rw.edits = e;
  rw.n_edits = n;
  if (r == 0)
    r = ocf_h1_write_response(&c->m->out, NULL, &rw);
  if (r != 0) {
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
    return false;
  }
  struct ocf_bytes v = ocf_buf_view(&c->m->out);
  ocf_mock_conn_write(c, &v, 1);
  c->head_sent = true;
  c->status = status;
  return !c->closing;
}

void ocf_mock_send_data(struct conn *c, struct ocf_bytes data)
{
  struct ocf_h1_frame f;
  if (c->closing || data.n == 0)
    return;
  if (ocf_h1_server_data(&c->h1, data.n, &f) != 0) {
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
    return;
  }
  struct ocf_bytes v[3] = { ocf_bytes(f.pre, f.n_pre), data, ocf_bytes(OCF_H1_CRLF, f.n_suf) };
  if (!f.drop_payload)
    ocf_mock_conn_write(c, v, 3);
}

void ocf_mock_send_end(struct conn *c)
{
  struct ocf_h1_frame f;
  if (c->closing)
    return;
  if (ocf_h1_server_end(&c->h1, &f) != 0) {
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
    return;
  }
  struct ocf_bytes v = ocf_bytes(f.pre, f.n_pre);
  ocf_mock_conn_write(c, &v, 1);
  ocf_mock_conn_finish(c);
}

void ocf_mock_reply(struct conn *c, unsigned status, const char *type, struct ocf_bytes body)
{
  enum ocf_h1_framing framing = c->knobs.framing;
  if (c->head_sent) { /* too late for another one */
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
    return;
  }
  if (!ocf_mock_send_head(c, status, type, framing, body.n) || ocf_mock_gen_broke(c, true))
    return;
  bool cut = c->knobs.die_after != OCF_MOCK_NEVER || c->knobs.close_after != OCF_MOCK_NEVER ||
             c->knobs.silent_after != OCF_MOCK_NEVER;
  ocf_mock_send_data(c, ocf_bytes(body.p, cut ? body.n / 2 : body.n));
  c->n_chunks = UINT64_MAX - 1; /* as many as any knob may have named */
  if (!c->closing && !ocf_mock_gen_broke(c, true))
    ocf_mock_send_end(c);
}

void ocf_mock_reply_problem(struct conn *c, unsigned status, const char *type, const char *code,
                            const char *param, const char *message)
{
  struct ocf_h1_problem p = { .status = status,
                              .message = message,
                              .type = type,
                              .param = param,
                              .code = code,
                              .request_id = ocf_bytes(c->id, c->id_n) };
  struct ocf_buf body;
  ocf_buf_init(&body, &c->m->alloc, 8192);
  if (ocf_h1_problem_json(&body, &p) != 0)
    ocf_buf_clear(&body);
  if (c->route >= ROUTE_CHAT && c->route <= ROUTE_EMBEDDINGS)
    c->m->stats.refused++;
  ocf_mock_reply(c, status, JSON, ocf_buf_view(&body));
  ocf_buf_fini(&body);
}

/* `r` is what writing `body` gave. */
static void reply_json(struct conn *c, int r, struct ocf_buf *body)
{
  if (r == 0)
    ocf_mock_reply(c, 200, JSON, ocf_buf_view(body));
  else
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
  ocf_buf_fini(body);
}

static uint64_t wall_s(struct conn *c)
{
  struct ocf_env *env = c->m->loop.env;
  return env->ops->wall_ns(env) / OCF_NS_PER_S;
}

static void answer_models(struct conn *c)
{
  struct ocf_buf b;
  const struct ocf_mock_options *o = c->m->opt;
  ocf_buf_init(&b, &c->m->alloc, 8192);
  reply_json(c,
             c->route == ROUTE_MODELS ? ocf_mock_say_models(&b, o->models, o->n_models, wall_s(c))
                                      : ocf_mock_say_model(&b, o->models[c->model], wall_s(c)),
             &b);
}

static void answer_stats(struct conn *c)
{
  struct ocf_buf b;
  const struct mock_stats *s = &c->m->stats;
  ocf_buf_init(&b, &c->m->alloc, 4096);
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
#define ROW(name)                                                                                  \
  ocf_json_key(&w, #name);                                                                         \
  ocf_json_u64(&w, s->name)
  ROW(started);
  ROW(active);
  ROW(finished);
  ROW(cancelled);
  ROW(failed);
  ROW(refused);
  ROW(requests);
  ROW(early);
  ROW(sunk_bytes);
  ROW(prompt_tokens);
  ROW(completion_tokens);
  ROW(conns);
  ROW(conns_total);
#undef ROW
  ocf_json_object_end(&w);
  reply_json(c, ocf_json_end(&w), &b);
}

static void answer_health(struct conn *c)
{
  if (c->m->health == 200)
    ocf_mock_reply(c, 200, JSON, OCF_STR("{\"status\":\"ok\"}"));
  else
    ocf_mock_reply_problem(c, c->m->health, NULL, "unhealthy", NULL, "The model is not ready.");
}

static void answer_sink(struct conn *c)
{
  char text[96];
  int n = snprintf(text, sizeof(text), "{\"bytes\":%llu,\"fnv1a64\":\"%016llx\"}",
                   (unsigned long long)c->body_bytes, (unsigned long long)c->body_hash);
  ocf_mock_reply(c, 200, JSON, ocf_bytes(text, (size_t)n));
}

static void answer_early(struct conn *c)
{
  uint8_t body[OCF_MOCK_KNOB_SIZE_MAX];
  size_t n = c->knobs.size > 0 ? (size_t)c->knobs.size : 16;
  c->m->stats.early++;
  ocf_mock_pattern(0, body, n);
  ocf_mock_reply(c, 200, "application/octet-stream", ocf_bytes(body, n));
}

static void answer_bytes(struct conn *c)
{
  enum ocf_h1_framing framing = c->knobs.framing;
  c->bytes_left = c->method == OCF_H1_HEAD ? 0 : c->knobs.n;
  c->counted = true;
  c->m->stats.started++;
  c->m->stats.active++;
  if (!c->head_sent && !ocf_mock_send_head(c, 200, "application/octet-stream", framing, c->knobs.n))
    return;
  c->state = MOCK_BYTES;
  ocf_mock_gen_bytes(c);
}

void ocf_mock_route_answer(struct conn *c)
{
  if (c->knobs.die_early) {
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
    return;
  }
  if (c->knobs.status >= 400 && c->route != ROUTE_SET_HEALTH) {
    ocf_mock_reply_problem(c, c->knobs.status, NULL, "mock", NULL, "The mock was asked to fail.");
    return;
  }
  switch (c->route) {
  case ROUTE_HEALTH: answer_health(c); break;
  case ROUTE_MODELS:
  case ROUTE_MODEL: answer_models(c); break;
  case ROUTE_CHAT:
  case ROUTE_COMPLETIONS:
  case ROUTE_EMBEDDINGS: ocf_mock_gen_start(c); break;
  case ROUTE_STATS: answer_stats(c); break;
  case ROUTE_BYTES: answer_bytes(c); break;
  case ROUTE_EARLY: answer_early(c); break;
  case ROUTE_SINK: answer_sink(c); break;
  case ROUTE_SET_HEALTH:
    c->m->health = c->knobs.status > 0 ? c->knobs.status : 200;
    ocf_mock_reply(c, 200, JSON, OCF_STR("{}"));
    break;
  case ROUTE_NONE: break;
  }
}

static void answer_after_delay(struct conn *c)
{
  c->ready_ns = c->m->loop.now_ns;
  if (c->knobs.delay_ms == 0) {
    ocf_mock_route_answer(c);
    return;
  }
  if (c->knobs.head_first && c->route == ROUTE_BYTES)
    (void)ocf_mock_send_head(c, 200, "application/octet-stream", c->knobs.framing, c->knobs.n);
  if (c->knobs.head_first && c->ask.stream)
    ocf_mock_gen_head(c);
  if (c->closing)
    return;
  c->state = MOCK_DELAY;
  ocf_mock_conn_alarm_in(c, c->knobs.delay_ms * OCF_NS_PER_MS);
}

/* ---- requests ---- */

static bool visible(struct ocf_bytes v)
{
  for (size_t i = 0; i < v.n; i++) {
    if (v.p[i] <= ' ' || v.p[i] >= 0x7f)
      return false;
  }
  return v.n > 0;
}

static void take_id(struct conn *c, const struct ocf_h1_head *h)
{
  struct ocf_bytes v = ocf_h1_get(h, OCF_H1_F_X_REQUEST_ID);
  if (visible(v) && v.n <= MOCK_REQUEST_ID_MAX) {
    memcpy(c->id, v.p, v.n);
    c->id_n = (uint8_t)v.n;
    return;
  }
  int n =
      snprintf(c->id, sizeof(c->id), "req-%016llx", (unsigned long long)ocf_rng_u64(&c->m->rng));
  c->id_n = (uint8_t)n;
}

/* The last segment of /v1/models/{id}, which may be encoded, is one of ours. */
static bool find_model(struct conn *c, struct ocf_bytes seg)
{
  for (size_t i = 0; i < c->m->opt->n_models; i++) {
    if (ocf_h1_path_eq(seg, ocf_str(c->m->opt->models[i]))) {
      c->model = i;
      return true;
    }
  }
  return false;
}

static const struct row *find_row(struct conn *c, struct ocf_bytes path)
{
  static const struct row model = { "/v1/models/", ROUTE_MODEL, true, false };
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    if (ocf_str_is(path, rows[i].path))
      return &rows[i];
  }
  size_t n = strlen(model.path);
  if (!ocf_str_starts(path, ocf_str(model.path)))
    return NULL;
  return find_model(c, ocf_bytes(path.p + n, path.n - n)) ? &model : NULL;
}

/* 0, or the status of an error whose answer was sent. */
static unsigned check_row(struct conn *c, const struct row *row, enum ocf_h1_method method)
{
  if (row == NULL) {
    ocf_mock_reply_problem(c, 404, NULL, "unknown_url", NULL, "There is nothing at this path.");
    return 404;
  }
  bool get = method == OCF_H1_GET || method == OCF_H1_HEAD;
  if ((get && row->get) || (method == OCF_H1_POST && row->post))
    return 0;
  ocf_mock_reply_problem(c, 405, NULL, "method_not_allowed", NULL,
                         row->get ? "Only GET is allowed here." : "Only POST is allowed here.");
  return 405;
}

static int read_knobs(struct conn *c, const struct ocf_h1_head *h)
{
  struct ocf_bytes bad;
  char text[96];
  ocf_mock_knobs_init(&c->knobs);
  if (ocf_mock_knobs_read(&c->knobs, h->query, &bad) == 0 &&
      ocf_mock_knobs_read(&c->knobs, ocf_h1_get_name(h, OCF_STR("X-Mock")), &bad) == 0)
    return 0;
  (void)snprintf(text, sizeof(text), "The knob \"%.*s\" has no valid value.",
                 (int)OCF_MIN(bad.n, (size_t)48), (const char *)bad.p);
  ocf_mock_knobs_init(&c->knobs);
  ocf_mock_reply_problem(c, 400, NULL, "bad_knob", NULL, text);
  return OCF_EINVAL;
}

void ocf_mock_route_head(struct conn *c, const struct ocf_h1_head *h)
{
  c->state = MOCK_BODY;
  c->route = ROUTE_NONE;
  c->method = h->method;
  c->path_n = (uint8_t)OCF_MIN(h->path.n, sizeof(c->path));
  memcpy(c->path, h->path.p, c->path_n);
  c->body_hash = OCF_MOCK_FNV_BASIS;
  c->ready_ns = c->start_ns;
  take_id(c, h);
  if (read_knobs(c, h) != 0)
    return;
  const struct row *row = find_row(c, h->path);
  if (check_row(c, row, h->method) != 0)
    return;
  c->route = row->route;
  if (c->route == ROUTE_EARLY)
    answer_after_delay(c);
}

static void parse_ask(struct conn *c)
{
  static const enum ocf_mock_kind kinds[] = { OCF_MOCK_CHAT, OCF_MOCK_COMPLETION,
                                              OCF_MOCK_EMBEDDING };
  struct ocf_mock_refusal why;
  int r = ocf_mock_ask_parse(kinds[c->route - ROUTE_CHAT], ocf_buf_view(&c->body),
                             c->m->opt->models, c->m->opt->n_models, &c->ask, &why);
  ocf_buf_reset(&c->body);
  ocf_h1_server_drop_head(&c->h1);
  if (r == 0)
    answer_after_delay(c);
  else if (r == OCF_EINVAL)
    ocf_mock_reply_problem(c, why.status, why.type, why.code,
                           why.param[0] != '\0' ? why.param : NULL, why.message);
  else
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
}

void ocf_mock_route_body_end(struct conn *c)
{
  if (c->state != MOCK_BODY)
    return; /* answered, or being answered, already */
  if (c->route >= ROUTE_CHAT && c->route <= ROUTE_EMBEDDINGS)
    parse_ask(c);
  else
    answer_after_delay(c);
}
