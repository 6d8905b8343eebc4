/* The first request: head -> worker -> mock, its text printed as it comes. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/dev/dev_int.h"
#include "base/time/time.h"

enum { TEXT_MAX = 1 << 20 };
#define AGAIN_NS (25 * OCF_NS_PER_MS)

/* One call, to its end. */
static int run_call(struct dev *d, struct ocf_call *call, const char *path, const char *body)
{
  int r = ocf_call_start(call, ocf_dev_net_port(dev_head(d)->info.http), path, body);
  if (r != 0)
    return r;
  d->call = call;
  r = ocf_dev_wait(d, &call->complete, d->deadline_ns);
  d->call = NULL;
  return r;
}

/* ---- until the way is there ---- */

static int keep_body(void *user, struct ocf_bytes data)
{
  struct dev *d = user;
  size_t room = d->text.max - d->text.n;
  return ocf_buf_add(&d->text, data.p, OCF_MIN(room, data.n));
}

/* The message of an error answer, or what came. */
static void explain(struct dev *d, char *dst, size_t cap)
{
  json_t *o = json_loadb(d->text.n > 0 ? (const char *)d->text.p : "", d->text.n, 0, NULL);
  const char *m = json_string_value(json_object_get(json_object_get(o, "error"), "message"));
  if (m != NULL)
    (void)snprintf(dst, cap, ": %s", m);
  else
    (void)snprintf(dst, cap, "%s", "");
  json_decref(o);
}

/* The nodes may still be connecting: asks for the list of models until it comes. */
static int wait_for_way(struct dev *d)
{
  char path[512], why[200] = "", base[480];
  ocf_dev_net_base_path(d, base, sizeof(base));
  (void)snprintf(path, sizeof(path), "%s/models", base);
  for (;;) {
    struct ocf_call call;
    ocf_call_init(&call, &d->alloc);
    ocf_buf_clear(&d->text);
    d->on_body = keep_body;
    int r = run_call(d, &call, path, NULL);
    unsigned status = call.status;
    ocf_call_fini(&call);
    if (status == 200 && r == 0)
      return 0;
    if (d->err.code != 0 || r == OCF_ECANCELED)
      return r;
    if (status != 0)
      explain(d, why, sizeof(why));
    if (r == OCF_ETIME || ocf_dev_now() >= d->deadline_ns) {
      d->culprit = dev_head(d);
      return ocf_err_set(&d->err, OCF_ETIME, NULL,
                         "the head did not reach the worker's service (last answer: %u%s)", status,
                         why);
    }
    r = ocf_dev_wait(d, NULL, ocf_time_add(ocf_dev_now(), AGAIN_NS));
    if (r != OCF_ETIME)
      return r;
  }
}

/* ---- the request ---- */

static int print_body(void *user, struct ocf_bytes data)
{
  struct dev *d = user;
  if (d->call->status != 200)
    return keep_body(d, data);
  size_t from = d->text.n;
  int r = ocf_dev_answer_feed(&d->answer, data, &d->text);
  if (d->text.n > from) {
    d->last_ns = ocf_dev_now();
    if (from == 0)
      d->first_ns = d->last_ns;
    (void)fwrite(d->text.p + from, 1, d->text.n - from, stdout);
    (void)fflush(stdout);
  }
  return r;
}

static char *make_body(struct dev *d)
{
  json_t *o = json_pack("{s:s, s:b, s:{s:b}, s:[{s:s, s:s}]}", "model", d->opt.model, "stream", 1,
                        "stream_options", "include_usage", 1, "messages", "role", "user", "content",
                        d->opt.prompt);
  char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
  json_decref(o);
  return text;
}

/* What makes an answer one: status, an end, some text, and the worker's name on it. */
static int judge(struct dev *d, const struct ocf_call *call, int r)
{
  char why[200] = "";
  const struct ocf_dev_answer *a = &d->answer;
  if (d->err.code != 0 || r == OCF_ECANCELED)
    return r;
  d->culprit = dev_head(d);
  if (call->status != 0 && call->status != 200) {
    explain(d, why, sizeof(why));
    return ocf_err_set(&d->err, OCF_EPROTO, NULL, "the head answered %u%s", call->status, why);
  }
  if (r == OCF_ETIME)
    return ocf_err_set(&d->err, r, NULL, "no complete answer in time (--timeout)");
  if (r != 0)
    return ocf_err_set(&d->err, r, NULL, "the answer failed: %s",
                       a->error[0] != '\0' ? a->error : call->error);
  if (!a->done || !a->finished || a->n_events == 0)
    return ocf_err_set(&d->err, OCF_EPROTO, NULL, "the answer ended before its last event");
  if (strcmp(call->node, d->c[1].info.peer_id) != 0)
    return ocf_err_set(&d->err, OCF_EPROTO, NULL,
                       "X-Computing-Node names \"%s\" and not the worker", call->node);
  d->culprit = NULL;
  return 0;
}

static void tell(struct dev *d, const struct ocf_call *call, uint64_t sent_ns)
{
  uint64_t n = d->answer.n_tokens > 0 ? d->answer.n_tokens : d->answer.n_events;
  double first = (double)(d->first_ns - sent_ns) / 1e6;
  double span = (double)(d->last_ns - d->first_ns) / 1e9;
  ocf_dev_show(d, SHOW_PLAIN, "\n\nX-Computing-Node: ");
  ocf_dev_show(d, SHOW_BOLD, "%s", call->node);
  ocf_dev_show(d, SHOW_PLAIN, "\nmodel %s, first token %.1f ms, %llu tokens", d->opt.model, first,
               (unsigned long long)n);
  if (n > 1 && span > 0)
    ocf_dev_show(d, SHOW_PLAIN, ", %.1f tokens/s", (double)(n - 1) / span);
  ocf_dev_show(d, SHOW_PLAIN, "; %.2f s since the start\n",
               (double)(ocf_dev_now() - d->start_ns) / 1e9);
  (void)fflush(stdout);
}

static int ask(struct dev *d, const char *body)
{
  char path[512], base[480];
  struct ocf_call call;
  ocf_dev_net_base_path(d, base, sizeof(base));
  (void)snprintf(path, sizeof(path), "%s/chat/completions", base);
  ocf_dev_show(d, SHOW_BOLD, "\n> %s\n", d->opt.prompt);
  (void)fflush(stdout);
  ocf_call_init(&call, &d->alloc);
  ocf_buf_clear(&d->text);
  d->on_body = print_body;
  uint64_t sent_ns = ocf_dev_now();
  int r = judge(d, &call, run_call(d, &call, path, body));
  if (r == 0)
    tell(d, &call, sent_ns);
  else if (d->text.n > 0)
    (void)putchar('\n');
  (void)snprintf(d->first_id, sizeof(d->first_id), "%s", call.id);
  ocf_call_fini(&call);
  return r;
}

int ocf_dev_first_answer(struct dev *d)
{
  ocf_buf_init(&d->text, &d->alloc, TEXT_MAX);
  ocf_dev_answer_init(&d->answer, &d->alloc);
  char *body = make_body(d);
  int r = body != NULL ? wait_for_way(d)
                       : ocf_err_set(&d->err, OCF_EINVAL, "give UTF-8", "--prompt: not a text");
  if (r == 0)
    r = ask(d, body);
  free(body);
  ocf_dev_answer_fini(&d->answer);
  ocf_buf_fini(&d->text);
  return r;
}
