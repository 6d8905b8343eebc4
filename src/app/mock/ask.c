#include "app/mock/ask.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/mock/text.h"
#include "base/str/escape.h"

#define BAD "invalid_request_error"

struct reader {
  const json_t *root;
  struct ocf_mock_ask *ask;
  struct ocf_mock_refusal *why;
};

static int refuse(struct reader *rd, unsigned status, const char *code, const char *param,
                  const char *fmt, ...) OCF_PRINTF(5, 6);

static int refuse(struct reader *rd, unsigned status, const char *code, const char *param,
                  const char *fmt, ...)
{
  va_list ap;
  rd->why->status = status;
  rd->why->type = BAD;
  rd->why->code = code;
  (void)snprintf(rd->why->param, sizeof(rd->why->param), "%s", param != NULL ? param : "");
  va_start(ap, fmt);
  (void)vsnprintf(rd->why->message, sizeof(rd->why->message), fmt, ap);
  va_end(ap);
  return OCF_EINVAL;
}

static int wrong_type(struct reader *rd, const char *param, const char *want)
{
  return refuse(rd, 400, "invalid_type", param, "Invalid type for '%s': expected %s.", param, want);
}

/* A member that is there and not null; else NULL. */
static const json_t *get(const json_t *obj, const char *name)
{
  const json_t *v = json_object_get(obj, name);
  return json_is_null(v) ? NULL : v;
}

static int get_bool(struct reader *rd, const json_t *obj, const char *name, bool *out)
{
  const json_t *v = get(obj, name);
  if (v == NULL)
    return 0;
  if (!json_is_boolean(v))
    return wrong_type(rd, name, "a boolean");
  *out = json_is_true(v);
  return 0;
}

static int get_count(struct reader *rd, const char *name, uint64_t max, uint64_t *out)
{
  const json_t *v = get(rd->root, name);
  if (v == NULL)
    return 0;
  if (!json_is_integer(v))
    return wrong_type(rd, name, "an integer");
  json_int_t n = json_integer_value(v);
  if (n < 1 || (uint64_t)n > max)
    return refuse(rd, 400, "integer_out_of_range", name,
                  "Invalid '%s': expected a value from 1 to %llu, got %lld.", name,
                  (unsigned long long)max, (long long)n);
  *out = (uint64_t)n;
  return 0;
}

static int check_range(struct reader *rd, const char *name, double min, double max)
{
  const json_t *v = get(rd->root, name);
  if (v == NULL)
    return 0;
  if (!json_is_number(v))
    return wrong_type(rd, name, "a number");
  double d = json_number_value(v);
  if (d >= min && d <= max)
    return 0;
  return refuse(rd, 400, "decimal_out_of_range", name,
                "Invalid '%s': expected a value from %g to %g, got %g.", name, min, max, d);
}

/* ---- texts ---- */

static struct ocf_bytes text_of(const json_t *s)
{
  return ocf_bytes(json_string_value(s), json_string_length(s));
}

/* Keeps the beginning of `s`, whole characters only, as one line. */
static void keep_prompt(struct ocf_mock_ask *ask, struct ocf_bytes s)
{
  size_t n = 0;
  uint32_t cp;
  while (s.n > 0) {
    size_t k = ocf_utf8_next(s, &cp);
    if (k == 0 || n + k > OCF_MOCK_PROMPT_BYTES_MAX)
      break;
    if (cp < 0x20 || cp == 0x7f)
      ask->prompt[n] = ' ';
    else
      memcpy(ask->prompt + n, s.p, k);
    n += k;
    s = ocf_bytes(s.p + k, s.n - k);
  }
  ask->prompt[n] = '\0';
}

static void take_text(struct reader *rd, const json_t *s, bool keep)
{
  rd->ask->prompt_tokens += ocf_mock_text_words(text_of(s));
  if (keep)
    keep_prompt(rd->ask, text_of(s));
}

/* ---- chat ---- */

static int read_parts(struct reader *rd, const json_t *parts, bool keep)
{
  size_t n = json_array_size(parts);
  if (n == 0)
    return refuse(rd, 400, "invalid_value", "messages", "A message has no content parts.");
  for (size_t i = 0; i < n; i++) {
    const json_t *part = json_array_get(parts, i);
    const char *type = json_string_value(json_object_get(part, "type"));
    const json_t *text = json_object_get(part, "text");
    if (type == NULL)
      return refuse(rd, 400, "missing_required_parameter", "messages",
                    "A content part needs a 'type'.");
    if (strcmp(type, "text") == 0 && !json_is_string(text))
      return refuse(rd, 400, "missing_required_parameter", "messages",
                    "A text part needs a 'text'.");
    if (strcmp(type, "text") == 0)
      take_text(rd, text, keep);
  }
  return 0;
}

static bool role_ok(const char *role)
{
  static const char *const roles[] = { "user",      "system", "assistant",
                                       "developer", "tool",   "function" };
  for (size_t i = 0; role != NULL && i < OCF_ARRAY_LEN(roles); i++) {
    if (strcmp(role, roles[i]) == 0)
      return true;
  }
  return false;
}

static int read_message(struct reader *rd, const json_t *m, size_t i)
{
  const char *role = json_string_value(json_object_get(m, "role"));
  const json_t *content = get(m, "content");
  if (!json_is_object(m))
    return refuse(rd, 400, "invalid_type", "messages", "messages[%zu] is not an object.", i);
  if (!role_ok(role))
    return refuse(rd, 400, "invalid_value", "messages",
                  "messages[%zu].role: expected one of system, developer, user, assistant, tool, "
                  "function.",
                  i);
  bool user = strcmp(role, "user") == 0;
  rd->ask->prompt_tokens += 4; /* what the markers around a message cost */
  if (json_is_string(content))
    take_text(rd, content, user);
  else if (json_is_array(content))
    return read_parts(rd, content, user);
  else if (content != NULL || user || strcmp(role, "system") == 0)
    return refuse(rd, 400, "invalid_type", "messages",
                  "messages[%zu].content: expected a string or an array of parts.", i);
  return 0;
}

static int read_messages(struct reader *rd)
{
  const json_t *list = get(rd->root, "messages");
  if (list == NULL)
    return refuse(rd, 400, "missing_required_parameter", "messages",
                  "Missing required parameter: 'messages'.");
  if (!json_is_array(list))
    return wrong_type(rd, "messages", "an array of objects");
  if (json_array_size(list) == 0)
    return refuse(rd, 400, "empty_array", "messages", "Invalid 'messages': the array is empty.");
  int r = 0;
  for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
    r = read_message(rd, json_array_get(list, i), i);
  return r;
}

/* ---- completions and embeddings: texts or token ids ---- */

static bool all_integers(const json_t *list)
{
  for (size_t i = 0; i < json_array_size(list); i++) {
    if (!json_is_integer(json_array_get(list, i)))
      return false;
  }
  return json_array_size(list) > 0;
}

static uint64_t hash_ids(const json_t *list)
{
  uint64_t h = OCF_MOCK_FNV_BASIS;
  for (size_t i = 0; i < json_array_size(list); i++) {
    json_int_t id = json_integer_value(json_array_get(list, i));
    h = ocf_mock_fnv1a(h, &id, sizeof(id));
  }
  return h;
}

/* One input: a text or an array of token ids. */
static int read_input(struct reader *rd, const json_t *v, const char *param)
{
  struct ocf_mock_ask *ask = rd->ask;
  uint64_t h;
  if (json_is_string(v)) {
    if (json_string_length(v) == 0 && ask->kind == OCF_MOCK_EMBEDDING)
      return refuse(rd, 400, "invalid_value", param, "Invalid '%s': a text is empty.", param);
    take_text(rd, v, true);
    h = ocf_mock_fnv1a(OCF_MOCK_FNV_BASIS, json_string_value(v), json_string_length(v));
  } else if (json_is_array(v) && all_integers(v)) {
    ask->prompt_tokens += json_array_size(v);
    h = hash_ids(v);
  } else {
    return wrong_type(rd, param, "a string, an array of strings or of token ids");
  }
  ask->inputs[ask->n_inputs++] = h;
  return 0;
}

static int read_inputs(struct reader *rd, const char *param)
{
  const json_t *v = get(rd->root, param);
  if (v == NULL)
    return refuse(rd, 400, "missing_required_parameter", param, "Missing required parameter: '%s'.",
                  param);
  bool many = json_is_array(v) && !all_integers(v);
  size_t n = many ? json_array_size(v) : 1;
  if (n == 0 || n > OCF_MOCK_INPUTS_MAX)
    return refuse(rd, 400, "invalid_value", param, "Invalid '%s': expected 1 to %d elements.",
                  param, OCF_MOCK_INPUTS_MAX);
  rd->ask->inputs = calloc(n, sizeof(*rd->ask->inputs));
  if (rd->ask->inputs == NULL)
    return OCF_ENOMEM;
  int r = 0;
  for (size_t i = 0; r == 0 && i < n; i++)
    r = read_input(rd, many ? json_array_get(v, i) : v, param);
  return r;
}

static int read_embedding(struct reader *rd)
{
  const json_t *format = get(rd->root, "encoding_format");
  uint64_t dims = OCF_MOCK_DIMS_DEFAULT;
  int r = get_count(rd, "dimensions", OCF_MOCK_DIMS_MAX, &dims);
  if (r != 0)
    return r;
  rd->ask->dims = (size_t)dims;
  if (format != NULL) {
    const char *name = json_string_value(format);
    rd->ask->base64 = name != NULL && strcmp(name, "base64") == 0;
    if (name == NULL || (!rd->ask->base64 && strcmp(name, "float") != 0))
      return refuse(rd, 400, "invalid_value", "encoding_format",
                    "Invalid 'encoding_format': expected float or base64.");
  }
  return read_inputs(rd, "input");
}

/* ---- what both kinds of generation share ---- */

static int read_stream(struct reader *rd)
{
  const json_t *opts = get(rd->root, "stream_options");
  int r = get_bool(rd, rd->root, "stream", &rd->ask->stream);
  if (r != 0 || opts == NULL)
    return r;
  if (!json_is_object(opts))
    return wrong_type(rd, "stream_options", "an object");
  if (!rd->ask->stream)
    return refuse(rd, 400, "invalid_value", "stream_options",
                  "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
  return get_bool(rd, opts, "include_usage", &rd->ask->include_usage);
}

static int read_limits(struct reader *rd)
{
  uint64_t one = 1;
  int r = get_count(rd, "max_tokens", UINT32_MAX, &rd->ask->max_tokens);
  if (r == 0 && rd->ask->kind == OCF_MOCK_CHAT)
    r = get_count(rd, "max_completion_tokens", UINT32_MAX, &rd->ask->max_tokens);
  if (r == 0)
    r = get_count(rd, "n", 1, &one);
  if (r == 0)
    r = check_range(rd, "temperature", 0, 2);
  if (r == 0)
    r = check_range(rd, "top_p", 0, 1);
  if (r == 0)
    r = check_range(rd, "presence_penalty", -2, 2);
  if (r == 0)
    r = check_range(rd, "frequency_penalty", -2, 2);
  return r;
}

static int read_model(struct reader *rd, const char *const *models, size_t n_models)
{
  const json_t *m = get(rd->root, "model");
  if (m == NULL)
    return refuse(rd, 400, "missing_required_parameter", "model",
                  "Missing required parameter: 'model'.");
  if (!json_is_string(m))
    return wrong_type(rd, "model", "a string");
  for (size_t i = 0; i < n_models; i++) {
    if (strlen(models[i]) == json_string_length(m) &&
        strcmp(models[i], json_string_value(m)) == 0) {
      rd->ask->model = i;
      return 0;
    }
  }
  return refuse(rd, 404, "model_not_found", NULL, "The model `%.100s` does not exist.",
                json_string_value(m));
}

static int read_root(struct reader *rd, const char *const *models, size_t n_models)
{
  if (!json_is_object(rd->root))
    return refuse(rd, 400, "invalid_type", NULL, "The request body is not a JSON object.");
  int r = read_model(rd, models, n_models);
  if (r != 0)
    return r;
  if (rd->ask->kind == OCF_MOCK_EMBEDDING)
    return read_embedding(rd);
  r = read_stream(rd);
  if (r == 0)
    r = read_limits(rd);
  if (r != 0)
    return r;
  return rd->ask->kind == OCF_MOCK_CHAT ? read_messages(rd) : read_inputs(rd, "prompt");
}

/* jansson recurses on nesting up to 2,048 levels; a body nested deeper than the API ever is needs
 * no parser to be refused. Brackets inside strings do not count. */
static bool too_deep(struct ocf_bytes body)
{
  unsigned depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < body.n; i++) {
    uint8_t c = body.p[i];
    if (in_string) {
      i += c == '\\';
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > OCF_MOCK_JSON_DEPTH_MAX)
        return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      depth--;
    }
  }
  return false;
}

int ocf_mock_ask_parse(enum ocf_mock_kind kind, struct ocf_bytes body, const char *const *models,
                       size_t n_models, struct ocf_mock_ask *out, struct ocf_mock_refusal *why)
{
  struct ocf_mock_ask ask = { .kind = kind };
  struct reader rd = { .ask = &ask, .why = why };
  json_error_t e;
  memset(why, 0, sizeof(*why));
  if (too_deep(body))
    return refuse(&rd, 400, "invalid_json", NULL, "The request body is nested too deeply.");
  json_t *root =
      json_loadb(body.n > 0 ? (const char *)body.p : "", body.n, JSON_REJECT_DUPLICATES, &e);
  if (root == NULL && (e.text[0] == '\0' || json_error_code(&e) == json_error_out_of_memory))
    return OCF_ENOMEM;
  if (root == NULL)
    return refuse(&rd, 400, "invalid_json", NULL,
                  "The request body is not valid JSON: %.120s (line %d, column %d).", e.text,
                  e.line, e.column);
  rd.root = root;
  int r = read_root(&rd, models, n_models);
  json_decref(root);
  if (r != 0) {
    ocf_mock_ask_fini(&ask);
    return r;
  }
  *out = ask;
  return 0;
}

void ocf_mock_ask_fini(struct ocf_mock_ask *ask)
{
  free(ask->inputs);
  ask->inputs = NULL;
  ask->n_inputs = 0;
}
