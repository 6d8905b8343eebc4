/* Answers that take time: token by token, or byte by byte. */
#include <string.h>

#include "app/mock/mock_int.h"

#define SSE "text/event-stream; charset=utf-8"
#define JSON "application/json"

/* Ends the answer before its end, as a broken server would. */
static void fail(struct conn *c, enum ocf_chan_end how)
{
  c->m->stats.failed += c->counted;
  ocf_mock_report(c, "failed");
  ocf_mock_conn_end(c, how);
}

void ocf_mock_gen_die(struct conn *c)
{
  c->state = MOCK_DYING;
  ocf_alarm_stop(&c->m->loop, &c->alarm);
  if (ocf_chan_queued(c->chan) == 0)
    fail(c, OCF_CHAN_ABORT);
}

void ocf_mock_gen_silent(struct conn *c)
{
  if (c->knobs.comment_ms == 0)
    return;
  ocf_mock_send_data(c, OCF_STR(": still here\n\n"));
  ocf_mock_conn_alarm_in(c, c->knobs.comment_ms * OCF_NS_PER_MS);
}

bool ocf_mock_gen_broke(struct conn *c, bool whole)
{
  const struct ocf_mock_knobs *k = &c->knobs;
  uint64_t at = c->n_chunks;
  if (whole && at == 0)
    return false; /* the middle comes later */
  if (k->die_after != OCF_MOCK_NEVER && at >= k->die_after) {
    ocf_mock_gen_die(c);
  } else if (k->close_after != OCF_MOCK_NEVER && at >= k->close_after) {
    fail(c, OCF_CHAN_CLOSE);
  } else if (k->silent_after != OCF_MOCK_NEVER && at >= k->silent_after) {
    c->state = MOCK_SILENT;
    ocf_alarm_stop(&c->m->loop, &c->alarm);
    if (!whole && k->comment_ms > 0)
      ocf_mock_conn_alarm_in(c, k->comment_ms * OCF_NS_PER_MS);
  } else {
    return false;
  }
  return true;
}

/* ---- what is asked ---- */

static uint64_t gap_ns(const struct conn *c)
{
  return c->knobs.gap_ms == OCF_MOCK_NEVER ? c->m->opt->token_delay_ns
                                           : c->knobs.gap_ms * OCF_NS_PER_MS;
}

static void count(struct conn *c)
{
  c->counted = true;
  c->m->stats.started++;
  c->m->stats.active++;
  c->m->stats.prompt_tokens += c->ask.prompt_tokens;
}

static void make_answer(struct conn *c)
{
  uint8_t rnd[29];
  struct ocf_env *env = c->m->loop.env;
  ocf_rng_secret(&c->m->rng, rnd, sizeof(rnd));
  ocf_mock_say_id(c->ask.kind, rnd, c->answer_id);
  c->answer = (struct ocf_mock_answer){ .kind = c->ask.kind,
                                        .id = c->answer_id,
                                        .model = c->m->opt->models[c->ask.model],
                                        .created_s = env->ops->wall_ns(env) / OCF_NS_PER_S,
                                        .include_usage = c->ask.include_usage };
}

/* How many tokens: exactly those of the knob, else the text's own length within the request's. */
static uint64_t wanted(const struct conn *c)
{
  uint64_t n = ocf_mock_text_length(ocf_bytes(c->ask.prompt, strlen(c->ask.prompt)));
  if (c->knobs.chunks > 0)
    return c->knobs.chunks;
  return c->ask.max_tokens > 0 && c->ask.max_tokens < n ? c->ask.max_tokens : n;
}

static const char *reason(const struct conn *c)
{
  uint64_t n = ocf_mock_text_length(ocf_bytes(c->ask.prompt, strlen(c->ask.prompt)));
  return c->n_wanted < n ? "length" : "stop";
}

static struct ocf_mock_usage usage(const struct conn *c)
{
  return (struct ocf_mock_usage){ c->ask.prompt_tokens, c->n_tokens };
}

/* The next token's text, padded as the knob says. Returns its length in `dst`. */
static size_t next_token(struct conn *c, uint8_t dst[OCF_MOCK_KNOB_SIZE_MAX])
{
  size_t n = 0;
  struct ocf_bytes w = ocf_mock_text_next(&c->text);
  if (c->n_tokens > 0)
    dst[n++] = ' ';
  memcpy(dst + n, w.p, w.n); /* a word is shorter than any prompt or passage */
  n += w.n;
  if (n < c->knobs.size) {
    memset(dst + n, 'x', (size_t)c->knobs.size - n);
    n = (size_t)c->knobs.size;
  }
  if (c->n_tokens == 0)
    c->first_ns = c->m->loop.now_ns;
  c->n_tokens++;
  c->n_chunks++;
  c->m->stats.completion_tokens++;
  return n;
}

/* ---- streams ---- */

void ocf_mock_gen_head(struct conn *c)
{
  if (!c->head_sent)
    (void)ocf_mock_send_head(c, 200, SSE, OCF_H1_FRAMING_CHUNKED, 0);
}

static void send_out(struct conn *c, int r)
{
  if (r == 0)
    ocf_mock_send_data(c, ocf_buf_view(&c->m->out));
  else if (!c->closing)
    fail(c, OCF_CHAN_ABORT);
  ocf_buf_clear(&c->m->out);
}

static void end_stream(struct conn *c)
{
  struct ocf_buf *out = &c->m->out;
  struct ocf_mock_usage u = usage(c);
  ocf_buf_clear(out);
  int r = ocf_mock_say_finish(out, &c->answer, reason(c));
  if (r == 0 && c->ask.include_usage)
    r = ocf_mock_say_stream_usage(out, &c->answer, &u);
  if (r == 0)
    r = ocf_mock_say_done(out);
  send_out(c, r);
  ocf_mock_send_end(c);
}

static void send_token(struct conn *c)
{
  uint8_t text[OCF_MOCK_KNOB_SIZE_MAX];
  struct ocf_buf *out = &c->m->out;
  bool first = c->n_tokens == 0;
  size_t n = next_token(c, text);
  ocf_buf_clear(out);
  int r = first ? ocf_mock_say_role(out, &c->answer) : 0;
  if (r == 0)
    r = ocf_mock_say_token(out, &c->answer, ocf_bytes(text, n));
  send_out(c, r);
}

/* Gives tokens until the next one is due later, the client is too slow, or the end. */
static void stream_step(struct conn *c)
{
  ocf_alarm_stop(&c->m->loop, &c->alarm);
  ocf_mock_gen_head(c);
  for (unsigned i = 0; i < MOCK_BURST && !c->closing; i++) {
    if (ocf_mock_gen_broke(c, false))
      return;
    if (c->n_tokens == c->n_wanted) {
      end_stream(c);
      return;
    }
    if (ocf_chan_queued(c->chan) > MOCK_QUEUE_HIGH)
      return; /* goes on when it has drained */
    send_token(c);
    if (gap_ns(c) > 0 && c->n_tokens < c->n_wanted) {
      ocf_mock_conn_alarm_in(c, gap_ns(c));
      return;
    }
  }
  if (!c->closing)
    ocf_mock_conn_alarm_in(c, 1); /* others first: in the next turn */
}

/* ---- whole answers ---- */

static int write_whole(struct conn *c, struct ocf_buf *text, struct ocf_buf *out)
{
  uint8_t token[OCF_MOCK_KNOB_SIZE_MAX];
  int r = 0;
  while (r == 0 && c->n_tokens < c->n_wanted) {
    size_t n = next_token(c, token);
    r = ocf_buf_add(text, token, n);
  }
  struct ocf_mock_usage u = usage(c);
  return r != 0 ? r : ocf_mock_say_whole(out, &c->answer, ocf_buf_view(text), reason(c), &u);
}

static void whole_step(struct conn *c)
{
  struct ocf_buf text, out;
  ocf_buf_init(&text, &c->m->alloc, MOCK_ANSWER_MAX);
  ocf_buf_init(&out, &c->m->alloc, MOCK_ANSWER_MAX);
  int r = c->ask.kind == OCF_MOCK_EMBEDDING
              ? ocf_mock_say_embeddings(&out, c->answer.model, &c->ask)
              : write_whole(c, &text, &out);
  c->n_chunks = 0;
  if (r == 0)
    ocf_mock_reply(c, 200, JSON, ocf_buf_view(&out));
  else
    fail(c, OCF_CHAN_ABORT);
  ocf_buf_fini(&text);
  ocf_buf_fini(&out);
}

void ocf_mock_gen_step(struct conn *c)
{
  if (c->ask.stream)
    stream_step(c);
  else
    whole_step(c);
}

void ocf_mock_gen_start(struct conn *c)
{
  bool embed = c->ask.kind == OCF_MOCK_EMBEDDING;
  count(c);
  make_answer(c);
  ocf_mock_text_init(&c->text, ocf_bytes(c->ask.prompt, strlen(c->ask.prompt)));
  c->n_wanted = embed ? 0 : wanted(c);
  uint64_t wait = c->m->opt->first_token_delay_ns;
  if (!c->ask.stream && c->n_wanted > 1)
    wait += (c->n_wanted - 1) * gap_ns(c);
  c->state = MOCK_TOKENS;
  if (wait > 0)
    ocf_mock_conn_alarm_in(c, wait);
  else
    ocf_mock_gen_step(c);
}

/* ---- bytes ---- */

void ocf_mock_gen_bytes(struct conn *c)
{
  uint8_t data[MOCK_BYTES_CHUNK];
  while (!c->closing && ocf_chan_queued(c->chan) <= MOCK_QUEUE_HIGH) {
    if (ocf_mock_gen_broke(c, false))
      return;
    if (c->bytes_left == 0) {
      ocf_mock_send_end(c);
      return;
    }
    size_t n = (size_t)OCF_MIN(c->bytes_left, (uint64_t)sizeof(data));
    ocf_mock_pattern(c->bytes_done, data, n);
    ocf_mock_send_data(c, ocf_bytes(data, n));
    c->bytes_left -= n;
    c->bytes_done += n;
    c->n_chunks++;
  }
}
