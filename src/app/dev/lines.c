#include "app/dev/lines.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/time/time.h"

static void take(const json_t *obj, const char *key, char *dst, size_t cap)
{
  const char *s = json_string_value(json_object_get(obj, key));
  (void)snprintf(dst, cap, "%s", s != NULL ? s : "");
}

static double number(const json_t *obj, const char *key)
{
  const json_t *v = json_object_get(obj, key);
  return json_is_number(v) ? json_number_value(v) : -1;
}

static bool says(const json_t *obj, const char *key, const char *value)
{
  const char *s = json_string_value(json_object_get(obj, key));
  return s != NULL && strcmp(s, value) == 0;
}

static json_t *load(const char *line)
{
  return line[0] == '{' ? json_loads(line, 0, NULL) : NULL;
}

bool ocf_dev_read_ready(const char *line, struct ocf_dev_ready *out)
{
  json_t *o = load(line);
  bool yes = o != NULL && says(o, "event", "ready");
  if (yes) {
    const char *p2p = json_string_value(json_array_get(json_object_get(o, "p2p"), 0));
    take(o, "peer_id", out->peer_id, sizeof(out->peer_id));
    take(o, "http", out->http, sizeof(out->http));
    (void)snprintf(out->p2p, sizeof(out->p2p), "%s", p2p != NULL ? p2p : "");
  }
  json_decref(o);
  return yes;
}

static void take_common(const json_t *o, struct ocf_dev_row *out)
{
  *out = (struct ocf_dev_row){ .first_ms = -1, .ms = -1, .tokens_per_s = -1 };
  take(o, "id", out->id, sizeof(out->id));
  take(o, "method", out->method, sizeof(out->method));
  take(o, "path", out->path, sizeof(out->path));
  take(o, "outcome", out->outcome, sizeof(out->outcome));
  json_int_t status = json_integer_value(json_object_get(o, "status"));
  out->status = status >= 0 && status <= 999 ? (unsigned)status : 0;
  out->ms = number(o, "ms");
}

bool ocf_dev_read_mock(const char *line, struct ocf_dev_row *out)
{
  json_t *o = load(line);
  bool yes = o != NULL && says(o, "event", "request");
  if (yes) {
    take_common(o, out);
    take(o, "model", out->model, sizeof(out->model));
    json_int_t n = json_integer_value(json_object_get(o, "completion_tokens"));
    out->tokens = n > 0 ? (uint64_t)n : 0;
    out->first_ms = number(o, "first_token_ms");
    out->tokens_per_s = number(o, "tokens_per_s");
  }
  json_decref(o);
  return yes;
}

bool ocf_dev_read_node(const char *line, struct ocf_dev_row *out)
{
  json_t *o = load(line);
  bool yes = o != NULL && says(o, "msg", "request");
  if (yes) {
    take_common(o, out);
    take(o, "to", out->to, sizeof(out->to));
    out->first_ms = number(o, "first_byte_ms");
  }
  json_decref(o);
  return yes;
}

/* ---- joining ---- */

static size_t find(const struct ocf_dev_join *j, const char *id, bool from_node)
{
  for (size_t i = 0; i < OCF_DEV_JOIN_MAX; i++) {
    if (j->slot[i].used && j->slot[i].from_node == from_node && strcmp(j->slot[i].row.id, id) == 0)
      return i;
  }
  return OCF_DEV_JOIN_MAX;
}

/* A free place, or that of the oldest. */
static size_t place(const struct ocf_dev_join *j)
{
  size_t oldest = 0;
  for (size_t i = 0; i < OCF_DEV_JOIN_MAX; i++) {
    if (!j->slot[i].used)
      return i;
    if (j->slot[i].since_ns < j->slot[oldest].since_ns)
      oldest = i;
  }
  return oldest;
}

/* What the client saw is the node's to tell; what was computed is the mock's. */
static void merge(const struct ocf_dev_row *node, const struct ocf_dev_row *mock,
                  struct ocf_dev_row *out)
{
  struct ocf_dev_row row = *node;
  memcpy(row.model, mock->model, sizeof(row.model));
  row.tokens = mock->tokens;
  row.tokens_per_s = mock->tokens_per_s;
  *out = row;
}

bool ocf_dev_join_add(struct ocf_dev_join *j, const struct ocf_dev_row *half, bool from_node,
                      bool alone, uint64_t now_ns, struct ocf_dev_row *out)
{
  size_t other = find(j, half->id, !from_node);
  if (other < OCF_DEV_JOIN_MAX) {
    const struct ocf_dev_row *there = &j->slot[other].row;
    merge(from_node ? half : there, from_node ? there : half, out);
    j->slot[other].used = false;
    return true;
  }
  if (from_node && alone) {
    *out = *half;
    return true;
  }
  size_t i = place(j);
  j->slot[i].row = *half;
  j->slot[i].since_ns = now_ns;
  j->slot[i].used = true;
  j->slot[i].from_node = from_node;
  return false;
}

bool ocf_dev_join_late(struct ocf_dev_join *j, uint64_t now_ns, uint64_t wait_ns,
                       struct ocf_dev_row *out)
{
  for (size_t i = 0; i < OCF_DEV_JOIN_MAX; i++) {
    if (!j->slot[i].used)
      continue;
    if (now_ns >=
        ocf_time_add(j->slot[i].since_ns, j->slot[i].from_node ? wait_ns : 50 * wait_ns)) {
      j->slot[i].used = false;
      if (!j->slot[i].from_node)
        continue;
      *out = j->slot[i].row;
      return true;
    }
  }
  return false;
}

uint64_t ocf_dev_join_deadline(const struct ocf_dev_join *j, uint64_t wait_ns)
{
  uint64_t at = OCF_TIME_NEVER;
  for (size_t i = 0; i < OCF_DEV_JOIN_MAX; i++) {
    if (j->slot[i].used && j->slot[i].from_node)
      at = ocf_time_min(at, ocf_time_add(j->slot[i].since_ns, wait_ns));
  }
  return at;
}
