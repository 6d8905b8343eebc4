/* What people see. ASCII only, colours only where they were asked for. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/dev/dev_int.h"

static const char *code(const struct dev *d, enum show_color color)
{
  static const char *const codes[] = { "",         "\033[1m",  "\033[2m", "\033[32m",
                                       "\033[33m", "\033[31m", "\033[36m" };
  return d->color ? codes[color] : "";
}

void ocf_dev_show(struct dev *d, enum show_color color, const char *fmt, ...)
{
  va_list ap;
  (void)fputs(code(d, color), stdout);
  va_start(ap, fmt);
  (void)vprintf(fmt, ap);
  va_end(ap);
  if (d->color && color != SHOW_PLAIN)
    (void)fputs("\033[0m", stdout);
}

void ocf_dev_show_process(struct dev *d, struct dev_child *c)
{
  ocf_dev_show(d, SHOW_GREEN, "  %-9s", c->name);
  ocf_dev_show(d, SHOW_PLAIN, " pid %-7ld ", (long)c->child.pid);
  if (c->model != NULL && c < dev_head(d, 0))
    ocf_dev_show(d, SHOW_PLAIN, "%s  (model %s)\n", c->info.http, c->model);
  else
    ocf_dev_show(d, SHOW_PLAIN, "%s  %s\n", c->info.http, c->info.peer_id);
  (void)fflush(stdout);
}

void ocf_dev_show_models(struct dev *d)
{
  ocf_dev_show(d, SHOW_BOLD, "\nEvery head knows by now, from the registry:\n");
  for (size_t i = 0; i < d->n_mocks; i++) {
    const char *model = dev_mock(d, i)->model, *comma = "";
    ocf_dev_show(d, SHOW_PLAIN, "  model %s: ", model);
    for (size_t k = 0; k < d->n_workers; k++) {
      if (strcmp(dev_worker(d, k)->model, model) != 0)
        continue;
      ocf_dev_show(d, SHOW_PLAIN, "%s%s", comma, dev_worker(d, k)->name);
      comma = ", ";
    }
    (void)putchar('\n');
  }
}

void ocf_dev_show_how_to(struct dev *d)
{
  const char *path = DEV_BASE_PATH;
  const char *url = dev_head(d, 0)->info.http, *model = d->opt.model;
  ocf_dev_show(d, SHOW_BOLD, "\nFrom a shell:\n\n");
  ocf_dev_show(d, SHOW_CYAN,
               "curl -N %s%s/chat/completions -H 'Content-Type: application/json' "
               "-d '{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
               "\"Hello\"}]}'\n",
               url, path, model);
  ocf_dev_show(d, SHOW_BOLD, "\nFrom Python (pip install openai):\n\n");
  ocf_dev_show(d, SHOW_CYAN,
               "from openai import OpenAI\n"
               "client = OpenAI(base_url=\"%s%s\", api_key=\"none\")\n"
               "stream = client.chat.completions.create(model=\"%s\", stream=True,\n"
               "    messages=[{\"role\": \"user\", \"content\": \"Hello\"}])\n"
               "for chunk in stream:\n"
               "    print(chunk.choices[0].delta.content or \"\", end=\"\", flush=True)\n",
               url, path, model);
  ocf_dev_show(d, SHOW_BOLD, "\nRequests appear here as they end; Ctrl-C stops everything.\n\n");
  (void)fflush(stdout);
}

/* ---- live lines ---- */

static const char *name_of(struct dev *d, const char *peer_id)
{
  for (size_t i = 0; i < d->n; i++) {
    if (peer_id[0] != '\0' && strcmp(d->c[i].info.peer_id, peer_id) == 0)
      return d->c[i].name;
  }
  return "";
}

/* What follows the service's name, which is what the client asked of it. */
static const char *tail_of(const char *path)
{
  static const char *const before[] = { "/_service/", "/v1/service/" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(before); i++) {
    const char *s = strstr(path, before[i]);
    s = s != NULL ? strchr(s + strlen(before[i]), '/') : NULL;
    if (s != NULL)
      return s;
  }
  return path;
}

static void show_time(struct dev *d)
{
  char text[16] = "";
  time_t now = time(NULL);
  struct tm tm;
  if (localtime_r(&now, &tm) != NULL)
    (void)strftime(text, sizeof(text), "%H:%M:%S", &tm);
  ocf_dev_show(d, SHOW_DIM, "%s  ", text);
}

static void show_node(struct dev *d, const char *id)
{
  size_t n = strlen(id);
  const char *name = name_of(d, id);
  if (n > 0)
    ocf_dev_show(d, SHOW_PLAIN, "  %s%s..%s", name, name[0] != '\0' ? " " : "",
                 n > 8 ? id + n - 8 : id);
}

void ocf_dev_show_row(struct dev *d, const struct ocf_dev_row *row)
{
  bool ok = row->status >= 200 && row->status < 400;
  bool whole = strcmp(row->outcome, "ok") == 0 || strcmp(row->outcome, "local") == 0;
  show_time(d);
  ocf_dev_show(d, SHOW_PLAIN, "%-4s %s  ", row->method, tail_of(row->path));
  ocf_dev_show(d, ok && whole ? SHOW_GREEN : SHOW_RED, "%u", row->status);
  if (!whole)
    ocf_dev_show(d, SHOW_RED, " %s", row->outcome);
  if (row->model[0] != '\0')
    ocf_dev_show(d, SHOW_CYAN, "  %s", row->model);
  show_node(d, row->to);
  if (row->first_ms >= 0 && row->tokens > 0)
    ocf_dev_show(d, SHOW_PLAIN, "  first token %.0f ms", row->first_ms);
  if (row->tokens > 0)
    ocf_dev_show(d, SHOW_PLAIN, "  %llu tokens", (unsigned long long)row->tokens);
  if (row->tokens_per_s > 0)
    ocf_dev_show(d, SHOW_PLAIN, "  %.1f tokens/s", row->tokens_per_s);
  if (row->ms >= 0)
    ocf_dev_show(d, SHOW_DIM, "  %.0f ms", row->ms);
  (void)putchar('\n');
  (void)fflush(stdout);
}

/* ---- failures ---- */

void ocf_dev_show_failure(struct dev *d)
{
  (void)fflush(stdout);
  (void)fprintf(stderr, "ocf dev: %s%s%s\n", d->err.msg, d->err.cure[0] != '\0' ? "; " : "",
                d->err.cure);
  if (d->culprit == NULL || d->culprit->child.n_last == 0)
    return;
  const struct ocf_child *c = &d->culprit->child;
  size_t n = OCF_MIN(c->n_last, (size_t)OCF_CHILD_LAST);
  (void)fprintf(stderr, "the last lines of %s:\n", c->name);
  for (size_t i = c->n_last - n; i < c->n_last; i++)
    (void)fprintf(stderr, "  %s\n", c->last[i % OCF_CHILD_LAST]);
}
