#include "app/dev/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void ocf_dev_answer_init(struct ocf_dev_answer *a, struct ocf_alloc *alloc)
{
  *a = (struct ocf_dev_answer){ .done = false };
  ocf_buf_init(&a->line, alloc, OCF_DEV_LINE_MAX);
}

void ocf_dev_answer_fini(struct ocf_dev_answer *a)
{
  ocf_buf_fini(&a->line);
}

static int broken(struct ocf_dev_answer *a, const char *what)
{
  (void)snprintf(a->error, sizeof(a->error), "%s", what);
  return OCF_EPROTO;
}

static int read_event(struct ocf_dev_answer *a, const json_t *o, struct ocf_buf *text)
{
  const json_t *error = json_object_get(o, "error");
  const json_t *choice = json_array_get(json_object_get(o, "choices"), 0);
  const json_t *content = json_object_get(json_object_get(choice, "delta"), "content");
  const json_t *usage = json_object_get(json_object_get(o, "usage"), "completion_tokens");
  if (error != NULL) {
    const char *why = json_string_value(json_object_get(error, "message"));
    return broken(a, why != NULL ? why : "an error event without a message");
  }
  if (json_is_integer(usage) && json_integer_value(usage) > 0)
    a->n_tokens = (uint64_t)json_integer_value(usage);
  a->finished = a->finished || json_is_string(json_object_get(choice, "finish_reason"));
  if (!json_is_string(content) || json_string_length(content) == 0)
    return 0;
  a->n_events++;
  return ocf_buf_add(text, json_string_value(content), json_string_length(content));
}

static int end_line(struct ocf_dev_answer *a, struct ocf_buf *text)
{
  static const char mark[] = "data:";
  const char *p = (const char *)a->line.p;
  size_t n = a->line.n;
  if (n > 0 && p[n - 1] == '\r')
    n--;
  if (n < sizeof(mark) - 1 || memcmp(p, mark, sizeof(mark) - 1) != 0)
    return 0; /* a blank line, a comment or a field that means nothing here */
  p += sizeof(mark) - 1;
  n -= sizeof(mark) - 1;
  if (n > 0 && *p == ' ') {
    p++;
    n--;
  }
  if (n == 6 && memcmp(p, "[DONE]", 6) == 0) {
    a->done = true;
    return 0;
  }
  json_t *o = json_loadb(p, n, 0, NULL);
  int r = json_is_object(o) ? read_event(a, o, text) : broken(a, "an event that is no JSON object");
  json_decref(o);
  return r;
}

int ocf_dev_answer_feed(struct ocf_dev_answer *a, struct ocf_bytes data, struct ocf_buf *text)
{
  for (size_t i = 0; i < data.n; i++) {
    if (data.p[i] != '\n') {
      int r = ocf_buf_add_u8(&a->line, data.p[i]);
      if (r != 0)
        return r == OCF_ELIMIT ? broken(a, "a line of the stream is too long") : r;
      continue;
    }
    int r = end_line(a, text);
    ocf_buf_clear(&a->line);
    if (r != 0)
      return r;
  }
  return 0;
}
