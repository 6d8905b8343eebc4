#include "app/mock/mock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/mock/flags.h"
#include "app/mock/mock_int.h"
#include "base/str/str.h"
#include "fmt/json/json.h"

enum { FREE_BLOCKS = 64, LINE_MAX_BYTES = 2048, FD_RESERVE = 32 };
#define DELAY_NS (20 * OCF_NS_PER_MS)

/* ---- options ---- */

struct options_flags {
  struct ocf_flag_list models;
  struct ocf_flag rows[6];
};

static size_t make_flags(struct ocf_mock_options *o, struct options_flags *f)
{
  f->models = (struct ocf_flag_list){ o->models, o->n_models, OCF_MOCK_MODELS_MAX, false };
  const struct ocf_flag rows[] = {
    { .type = OCF_FLAG_STR,
      .name = "host",
      .out = &o->host,
      .value = "ADDRESS",
      .help = "Loopback address to listen on (127.0.0.1)." },
    { .type = OCF_FLAG_PORT,
      .name = "port",
      .out = &o->port,
      .value = "PORT",
      .help = "Port; 0 lets the system choose (0)." },
    { .type = OCF_FLAG_LIST,
      .name = "model",
      .out = &f->models,
      .value = "NAME",
      .help = "A model to offer; may be repeated (tiny-mock)." },
    { .type = OCF_FLAG_DUR,
      .name = "first-token-delay",
      .out = &o->first_token_delay_ns,
      .value = "TIME",
      .help = "Time to the first token (20ms)." },
    { .type = OCF_FLAG_DUR,
      .name = "token-delay",
      .out = &o->token_delay_ns,
      .value = "TIME",
      .help = "Time between two tokens (20ms)." },
    { .type = OCF_FLAG_BOOL,
      .name = "quiet",
      .out = &o->quiet,
      .help = "No line on standard output for each request." },
  };
  memcpy(f->rows, rows, sizeof(rows));
  return OCF_ARRAY_LEN(rows);
}

static int check_options(const struct ocf_mock_options *o, struct ocf_err *err)
{
  struct ocf_ip_addr ip;
  if (ocf_ip_addr_parse_host(ocf_str(o->host), &ip) != 0 || !ocf_ip_addr_is_loopback(&ip))
    return ocf_err_set(err, OCF_EINVAL, "use 127.0.0.1 or ::1",
                       "--host: \"%s\" is not a loopback address", o->host);
  for (size_t i = 0; i < o->n_models; i++) {
    if (strlen(o->models[i]) > OCF_MOCK_MODEL_BYTES_MAX)
      return ocf_err_set(err, OCF_EINVAL, "see --help", "--model: longer than %d bytes",
                         OCF_MOCK_MODEL_BYTES_MAX);
  }
  return 0;
}

int ocf_mock_options_parse(struct ocf_mock_options *o, const char *const *args, size_t n_args,
                           struct ocf_err *err)
{
  struct options_flags f;
  *o = (struct ocf_mock_options){ .host = "127.0.0.1",
                                  .models = { "tiny-mock" },
                                  .n_models = 1,
                                  .first_token_delay_ns = DELAY_NS,
                                  .token_delay_ns = DELAY_NS };
  size_t n = make_flags(o, &f);
  int r = ocf_flags_parse(f.rows, n, args, n_args, err);
  o->n_models = f.models.n;
  return r != 0 ? r : check_options(o, err);
}

/* ---- standard output ---- */

/* Drops the line rather than wait for a slow reader. */
static void say_line(const char *line, size_t n)
{
  struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
  if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0)
    (void)!write(STDOUT_FILENO, line, n);
}

static void member_ms(struct ocf_json *w, const char *key, uint64_t ns)
{
  char text[32];
  int n = snprintf(text, sizeof(text), "%.3f", (double)ns / 1e6);
  ocf_json_key(w, key);
  ocf_json_raw(w, ocf_bytes(text, (size_t)n));
}

static void put_generation(struct ocf_json *w, const struct conn *c)
{
  uint64_t now = c->m->loop.now_ns;
  ocf_json_key(w, "model");
  ocf_json_cstr(w, c->m->opt->models[c->ask.model]);
  ocf_json_key(w, "stream");
  ocf_json_bool(w, c->ask.stream);
  ocf_json_key(w, "prompt_tokens");
  ocf_json_u64(w, c->ask.prompt_tokens);
  ocf_json_key(w, "completion_tokens");
  ocf_json_u64(w, c->n_tokens);
  if (c->n_tokens > 0)
    member_ms(w, "first_token_ms", c->first_ns - c->start_ns);
  if (c->n_tokens > 1 && now > c->first_ns) {
    ocf_json_key(w, "tokens_per_s");
    char text[32];
    int n = snprintf(text, sizeof(text), "%.1f",
                     (double)(c->n_tokens - 1) * 1e9 / (double)(now - c->first_ns));
    ocf_json_raw(w, ocf_bytes(text, (size_t)n));
  }
}

void ocf_mock_report(struct conn *c, const char *outcome)
{
  bool model_route = c->route >= ROUTE_CHAT && c->route <= ROUTE_EMBEDDINGS;
  uint8_t line[LINE_MAX_BYTES];
  struct ocf_buf b = ocf_h1_fixed(line, sizeof(line));
  if (c->m->opt->quiet || !model_route)
    return;
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
  ocf_json_key(&w, "event");
  ocf_json_cstr(&w, "request");
  ocf_json_key(&w, "id");
  ocf_json_str(&w, ocf_bytes(c->id, c->id_n));
  ocf_json_key(&w, "method");
  ocf_json_cstr(&w, ocf_h1_method_name(c->method));
  ocf_json_key(&w, "path");
  ocf_json_str(&w, ocf_bytes(c->path, c->path_n));
  ocf_json_key(&w, "status");
  ocf_json_u64(&w, c->status);
  ocf_json_key(&w, "outcome");
  ocf_json_cstr(&w, outcome);
  if (c->counted)
    put_generation(&w, c);
  member_ms(&w, "ms", c->m->loop.now_ns - c->start_ns);
  ocf_json_object_end(&w);
  if (ocf_json_end(&w) == 0 && ocf_buf_add_u8(&b, '\n') == 0)
    say_line((const char *)line, b.n);
}

static void say_ready(const struct mock *m, const struct ocf_ip_addr *at)
{
  char text[OCF_IP_ADDR_TEXT_SIZE];
  uint8_t line[LINE_MAX_BYTES];
  struct ocf_buf b = ocf_h1_fixed(line, sizeof(line));
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
  ocf_json_key(&w, "event");
  ocf_json_cstr(&w, "ready");
  ocf_json_key(&w, "http");
  char url[OCF_IP_ADDR_TEXT_SIZE + 8];
  (void)snprintf(url, sizeof(url), "http://%s", ocf_ip_addr_text(at, text));
  ocf_json_cstr(&w, url);
  ocf_json_key(&w, "model");
  ocf_json_cstr(&w, m->opt->models[0]);
  ocf_json_key(&w, "pid");
  ocf_json_u64(&w, (uint64_t)getpid());
  ocf_json_object_end(&w);
  if (ocf_json_end(&w) == 0 && ocf_buf_add_u8(&b, '\n') == 0)
    (void)!write(STDOUT_FILENO, line, b.n); /* a reader that is gone has no use for it */
}

/* ---- the loop ---- */

static void on_turn(void *user, uint64_t now_ns)
{
  struct mock *m = user;
  m->loop.now_ns = now_ns;
  ocf_loop_fire(&m->loop);
  ocf_loop_run_deferred(&m->loop);
}

static uint64_t on_deadline(void *user)
{
  struct mock *m = user;
  return ocf_wheel_next(&m->loop.wheel);
}

static const struct ocf_uv_turn_ops turn_ops = { on_turn, on_deadline };

static void on_accept(void *user, uint64_t now_ns, struct ocf_sock *s,
                      const struct ocf_ip_addr *remote)
{
  struct mock *m = user;
  (void)remote;
  m->loop.now_ns = now_ns;
  ocf_mock_conn_accept(m, s);
}

static void on_signal(void *user, int signum)
{
  struct mock *m = user;
  (void)signum;
  ocf_uv_stop(m->uv);
}

static int make(struct mock *m, struct ocf_err *err)
{
  struct rlimit rl;
  size_t fds = 1024;
  if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
    rl.rlim_cur = OCF_MIN(rl.rlim_max, (rlim_t)OCF_MOCK_CONNS_MAX + FD_RESERVE);
    (void)setrlimit(RLIMIT_NOFILE, &rl);
    fds = (size_t)rl.rlim_cur;
  }
  m->limits = (struct ocf_h1_limits)OCF_H1_LIMITS_DEFAULT;
  m->limits.drain_bytes_max = OCF_MOCK_BODY_BYTES_MAX;
  m->sock = (struct ocf_sockchan_limits){ .write_stall_ns = 600 * OCF_NS_PER_S,
                                          .linger_ns = OCF_NS_PER_S,
                                          .linger_bytes = 1 << 20 };
  m->health = 200;
  ocf_alloc_init(&m->alloc);
  ocf_uv_rng_init(&m->rng);
  ocf_list_init(&m->conns);
  ocf_buf_init(&m->out, &m->alloc, MOCK_ANSWER_MAX);
  ocf_h1_pool_init(&m->pool, &m->alloc, FREE_BLOCKS);
  m->uv = ocf_uv_new(fds - FD_RESERVE);
  if (m->uv == NULL)
    return ocf_err_set(err, OCF_EIO, NULL, "the event loop cannot be made");
  if (ocf_loop_init(&m->loop, ocf_uv_env(m->uv), &m->alloc, &m->rng, NULL, NULL, ocf_uv_now()) != 0)
    return ocf_err_set(err, OCF_ENOMEM, NULL, "out of memory");
  ocf_uv_set_turn(m->uv, &turn_ops, m);
  return 0;
}

static int serve(struct mock *m, struct ocf_err *err)
{
  struct ocf_ip_addr at;
  int r = ocf_ip_addr_parse_host(ocf_str(m->opt->host), &at);
  if (r != 0)
    return ocf_err_set(err, r, NULL, "\"%s\" is not an address", m->opt->host);
  at.port = m->opt->port;
  struct ocf_uv_listener *l = ocf_uv_listen(m->uv, &at, false, 0, on_accept, m, err);
  if (l == NULL)
    return err->code;
  if (ocf_uv_on_signal(m->uv, SIGTERM, on_signal, m) != 0 ||
      ocf_uv_on_signal(m->uv, SIGINT, on_signal, m) != 0)
    return ocf_err_set(err, OCF_EIO, NULL, "signals cannot be handled");
  at = ocf_uv_listener_addr(l);
  say_ready(m, &at);
  ocf_uv_run(m->uv);
  ocf_uv_listener_close(l);
  return 0;
}

int ocf_mock_run(const struct ocf_mock_options *o, struct ocf_err *err)
{
  struct mock *m = calloc(1, sizeof(*m));
  if (m == NULL)
    return ocf_err_set(err, OCF_ENOMEM, NULL, "out of memory");
  m->opt = o;
  (void)signal(SIGPIPE, SIG_IGN);
  int r = make(m, err);
  if (r == 0) {
    r = serve(m, err);
    ocf_mock_conn_end_all(m);
    ocf_buf_fini(&m->out);
    ocf_h1_pool_fini(&m->pool);
    ocf_loop_fini(&m->loop);
    OCF_ASSERT(m->alloc.live_bytes == 0);
  }
  ocf_uv_free(m->uv);
  free(m);
  return r;
}

int ocf_mock_main(const char *const *args, size_t n_args)
{
  struct ocf_mock_options o;
  struct ocf_err err = { .code = 0 };
  int r = ocf_mock_options_parse(&o, args, n_args, &err);
  if (r == OCF_ECANCELED) {
    struct options_flags f;
    char help[2048];
    ocf_flags_help(f.rows, make_flags(&o, &f), help, sizeof(help));
    (void)printf(
        "ocf mock-openai: a service in the shape of the OpenAI API, for tests and demos\n%s", help);
    return 0;
  }
  if (r == 0)
    r = ocf_mock_run(&o, &err);
  if (r != 0)
    (void)fprintf(stderr, "ocf mock-openai: %s%s%s\n", err.msg, err.cure[0] != '\0' ? "; " : "",
                  err.cure);
  return r == 0 ? 0 : r == OCF_EINVAL ? 2 : 1;
}
