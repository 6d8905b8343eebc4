/* The first request: head -> worker -> mock, its text printed as it comes; before it, the wait
 * until every head knows what the workers have. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/dev/dev_int.h"
#include "base/time/time.h"

enum { TEXT_MAX = 1 << 20 };
#define AGAIN_NS (25 * OCF_NS_PER_MS)

/* One call, to its end. */
static int run_call(struct dev *d, const struct dev_child *head, struct ocf_call *call,
                    const char *path, const char *body)
{
  int r = ocf_call_start(call, ocf_dev_net_port(head->info.http), path, body);
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

/* Whether a node table has the worker with its model among the groups of its services. */
static bool lists(const json_t *table, const struct dev_child *worker)
{
  char key[OCF_DEV_TEXT_MAX + 1], group[OCF_DEV_TEXT_MAX + 8];
  size_t i, k;
  json_t *service, *g;
  (void)snprintf(key, sizeof(key), "/%s", worker->info.peer_id);
  (void)snprintf(group, sizeof(group), "model=%s", worker->model);
  json_array_foreach(json_object_get(json_object_get(table, key), "service"), i, service)
  {
    json_array_foreach(json_object_get(service, "identity_group"), k, g)
    {
      if (json_is_string(g) && strcmp(json_string_value(g), group) == 0)
        return true;
    }
  }
  return false;
}

/* Whether /v1/self names the worker among the peers. */
static bool reaches(const json_t *self, const struct dev_child *worker)
{
  size_t i;
  json_t *peer;
  json_array_foreach(json_object_get(self, "connected_peers"), i, peer)
  {
    if (json_is_string(peer) && strcmp(json_string_value(peer), worker->info.peer_id) == 0)
      return true;
  }
  return false;
}

typedef bool (*page_check)(const json_t *page, const struct dev_child *worker);

/* The first worker that the page in d->text lacks, or NULL. */
static const struct dev_child *missing(struct dev *d, page_check has)
{
  json_t *page = json_loadb((const char *)d->text.p, d->text.n, 0, NULL);
  const struct dev_child *c = NULL;
  for (size_t i = 0; c == NULL && i < d->n_workers; i++) {
    if (!has(page, dev_worker(d, i)))
      c = dev_worker(d, i);
  }
  json_decref(page);
  return c;
}

/* The nodes may still be connecting: asks a head for the page until all workers are on it. */
static int wait_for_page(struct dev *d, const struct dev_child *head, const char *path,
                         page_check has)
{
  for (;;) {
    struct ocf_call call;
    ocf_call_init(&call, &d->alloc);
    ocf_buf_clear(&d->text);
    d->on_body = keep_body;
    int r = run_call(d, head, &call, path, NULL);
    unsigned status = call.status;
    ocf_call_fini(&call);
    const struct dev_child *who = r == 0 && status == 200 ? missing(d, has) : dev_worker(d, 0);
    if (who == NULL)
      return 0;
    if (d->err.code != 0 || r == OCF_ECANCELED)
      return r;
    if (r == OCF_ETIME || ocf_dev_now() >= d->deadline_ns) {
      d->culprit = who;
      return ocf_err_set(&d->err, OCF_ETIME, NULL,
                         "%s did not find %s and its model in time (--timeout)", head->name,
                         who->name);
    }
    r = ocf_dev_wait(d, NULL, ocf_time_add(ocf_dev_now(), AGAIN_NS));
    if (r != OCF_ETIME)
      return r;
  }
}

static int wait_for_way(struct dev *d, const struct dev_child *head)
{
  int r = wait_for_page(d, head, "/v1/dnt/table", lists);
  return r != 0 ? r : wait_for_page(d, head, "/v1/self", reaches);
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

static bool has_model(struct dev *d, const char *peer_id)
{
  for (size_t i = 0; i < d->n_workers; i++) {
    if (strcmp(dev_worker(d, i)->info.peer_id, peer_id) == 0)
      return strcmp(dev_worker(d, i)->model, d->opt.model) == 0;
  }
  return false;
}

/* What makes an answer one: status, an end, some text, and the worker's name on it. */
static int judge(struct dev *d, const struct ocf_call *call, int r)
{
  char why[200] = "";
  const struct ocf_dev_answer *a = &d->answer;
  if (d->err.code != 0 || r == OCF_ECANCELED)
    return r;
  d->culprit = dev_head(d, 0);
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
  if (!has_model(d, call->node))
    return ocf_err_set(&d->err, OCF_EPROTO, NULL,
                       "X-Computing-Node names \"%s\", which is no worker with the model",
                       call->node);
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
  struct ocf_call call;
  ocf_dev_show(d, SHOW_BOLD, "\n> %s\n", d->opt.prompt);
  (void)fflush(stdout);
  ocf_call_init(&call, &d->alloc);
  ocf_buf_clear(&d->text);
  d->on_body = print_body;
  uint64_t sent_ns = ocf_dev_now();
  int r =
      judge(d, &call, run_call(d, dev_head(d, 0), &call, DEV_BASE_PATH "/chat/completions", body));
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
  int r = body != NULL ? 0 : ocf_err_set(&d->err, OCF_EINVAL, "give UTF-8", "--prompt: not a text");
  for (size_t i = 0; r == 0 && i < d->n_heads; i++)
    r = wait_for_way(d, dev_head(d, i));
  if (r == 0) {
    ocf_dev_show_models(d);
    r = ask(d, body);
  }
  free(body);
  ocf_dev_answer_fini(&d->answer);
  ocf_buf_fini(&d->text);
  return r;
}
