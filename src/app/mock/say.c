#include "app/mock/say.h"

#include <stdio.h>
#include <string.h>

#include "app/mock/text.h"
#include "fmt/basex/basex.h"
#include "fmt/json/json.h"

#define FINGERPRINT "fp_ocf_mock"

void ocf_mock_say_id(enum ocf_mock_kind kind, const uint8_t rnd[29], char dst[OCF_MOCK_ID_SIZE])
{
  static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const char *prefix = kind == OCF_MOCK_CHAT ? "chatcmpl-" : "cmpl-";
  size_t n = strlen(prefix);
  memcpy(dst, prefix, n);
  for (size_t i = 0; i < 29; i++)
    dst[n++] = set[rnd[i] % (sizeof(set) - 1)];
  dst[n] = '\0';
}

static void member_str(struct ocf_json *w, const char *key, const char *value)
{
  ocf_json_key(w, key);
  if (value != NULL)
    ocf_json_cstr(w, value);
  else
    ocf_json_null(w);
}

static void member_u64(struct ocf_json *w, const char *key, uint64_t value)
{
  ocf_json_key(w, key);
  ocf_json_u64(w, value);
}

static void member_null(struct ocf_json *w, const char *key)
{
  ocf_json_key(w, key);
  ocf_json_null(w);
}

static void begin(struct ocf_json *w, const struct ocf_mock_answer *a, const char *object)
{
  ocf_json_object(w);
  member_str(w, "id", a->id);
  member_str(w, "object", object);
  member_u64(w, "created", a->created_s);
  member_str(w, "model", a->model);
  member_str(w, "system_fingerprint", FINGERPRINT);
}

static void put_usage(struct ocf_json *w, const struct ocf_mock_usage *u)
{
  ocf_json_key(w, "usage");
  ocf_json_object(w);
  member_u64(w, "prompt_tokens", u->prompt_tokens);
  member_u64(w, "completion_tokens", u->completion_tokens);
  member_u64(w, "total_tokens", u->prompt_tokens + u->completion_tokens);
  ocf_json_object_end(w);
}

/* ---- streams ---- */

static const char *chunk_object(const struct ocf_mock_answer *a)
{
  return a->kind == OCF_MOCK_CHAT ? "chat.completion.chunk" : "text_completion";
}

/* What one event carries: a role, a text, or only the reason to finish. */
static void put_choice(struct ocf_json *w, const struct ocf_mock_answer *a, const char *role,
                       const struct ocf_bytes *text, const char *reason)
{
  static const struct ocf_bytes empty = { NULL, 0 };
  bool chat = a->kind == OCF_MOCK_CHAT;
  ocf_json_object(w);
  member_u64(w, "index", 0);
  if (chat) {
    ocf_json_key(w, "delta");
    ocf_json_object(w);
  }
  if (role != NULL)
    member_str(w, "role", role);
  if (text != NULL || !chat) {
    ocf_json_key(w, chat ? "content" : "text");
    ocf_json_str(w, text != NULL ? *text : empty);
  }
  if (chat)
    ocf_json_object_end(w);
  member_null(w, "logprobs");
  member_str(w, "finish_reason", reason);
  ocf_json_object_end(w);
}

/* Runs between "data: " and the blank line; takes both back when something did not fit. */
static int end_event(struct ocf_buf *out, size_t start, struct ocf_json *w)
{
  int r = ocf_json_end(w);
  if (r == 0)
    r = ocf_buf_add_str(out, "\n\n");
  if (r != 0)
    out->n = start;
  return r;
}

static int event(struct ocf_buf *out, const struct ocf_mock_answer *a, const char *role,
                 const struct ocf_bytes *text, const char *reason)
{
  size_t start = out->n;
  int r = ocf_buf_add_str(out, "data: ");
  if (r != 0)
    return r;
  struct ocf_json w = ocf_json_to(out);
  begin(&w, a, chunk_object(a));
  ocf_json_key(&w, "choices");
  ocf_json_array(&w);
  put_choice(&w, a, role, text, reason);
  ocf_json_array_end(&w);
  if (a->include_usage)
    member_null(&w, "usage");
  ocf_json_object_end(&w);
  return end_event(out, start, &w);
}

int ocf_mock_say_role(struct ocf_buf *out, const struct ocf_mock_answer *a)
{
  struct ocf_bytes empty = OCF_STR("");
  return a->kind == OCF_MOCK_CHAT ? event(out, a, "assistant", &empty, NULL) : 0;
}

int ocf_mock_say_token(struct ocf_buf *out, const struct ocf_mock_answer *a, struct ocf_bytes text)
{
  return event(out, a, NULL, &text, NULL);
}

int ocf_mock_say_finish(struct ocf_buf *out, const struct ocf_mock_answer *a, const char *reason)
{
  return event(out, a, NULL, NULL, reason);
}

int ocf_mock_say_stream_usage(struct ocf_buf *out, const struct ocf_mock_answer *a,
                              const struct ocf_mock_usage *u)
{
  size_t start = out->n;
  int r = ocf_buf_add_str(out, "data: ");
  if (r != 0)
    return r;
  struct ocf_json w = ocf_json_to(out);
  begin(&w, a, chunk_object(a));
  ocf_json_key(&w, "choices");
  ocf_json_array(&w);
  ocf_json_array_end(&w);
  put_usage(&w, u);
  ocf_json_object_end(&w);
  return end_event(out, start, &w);
}

int ocf_mock_say_done(struct ocf_buf *out)
{
  return ocf_buf_add_str(out, "data: [DONE]\n\n");
}

/* ---- whole answers ---- */

static void put_message(struct ocf_json *w, struct ocf_bytes text)
{
  ocf_json_key(w, "message");
  ocf_json_object(w);
  member_str(w, "role", "assistant");
  ocf_json_key(w, "content");
  ocf_json_str(w, text);
  member_null(w, "refusal");
  ocf_json_object_end(w);
}

int ocf_mock_say_whole(struct ocf_buf *out, const struct ocf_mock_answer *a, struct ocf_bytes text,
                       const char *reason, const struct ocf_mock_usage *u)
{
  bool chat = a->kind == OCF_MOCK_CHAT;
  struct ocf_json w = ocf_json_to(out);
  begin(&w, a, chat ? "chat.completion" : "text_completion");
  ocf_json_key(&w, "choices");
  ocf_json_array(&w);
  ocf_json_object(&w);
  member_u64(&w, "index", 0);
  if (chat) {
    put_message(&w, text);
  } else {
    ocf_json_key(&w, "text");
    ocf_json_str(&w, text);
  }
  member_null(&w, "logprobs");
  member_str(&w, "finish_reason", reason);
  ocf_json_object_end(&w);
  ocf_json_array_end(&w);
  put_usage(&w, u);
  ocf_json_object_end(&w);
  return ocf_json_end(&w);
}

static void put_floats(struct ocf_json *w, const float *v, size_t dims)
{
  ocf_json_array(w);
  for (size_t i = 0; i < dims; i++) {
    char text[32]; /* nine digits bring back the same float */
    int n = snprintf(text, sizeof(text), "%.9g", (double)v[i]);
    ocf_json_raw(w, ocf_bytes(text, (size_t)n));
  }
  ocf_json_array_end(w);
}

/* As the API has it: the floats' bytes in little-endian order. */
static void put_base64(struct ocf_json *w, const float *v, size_t dims)
{
  static uint8_t raw[OCF_MOCK_DIMS_MAX * 4];
  static char text[OCF_MOCK_DIMS_MAX * 6 + 8];
  for (size_t i = 0; i < dims; i++) {
    uint32_t bits;
    memcpy(&bits, &v[i], sizeof(bits));
    for (unsigned b = 0; b < 4; b++)
      raw[i * 4 + b] = (uint8_t)(bits >> (8 * b));
  }
  int r = ocf_basex_encode(OCF_BASEX_64_PAD, ocf_bytes(raw, dims * 4), text, sizeof(text), NULL);
  OCF_ASSERT(r == 0);
  ocf_json_cstr(w, text);
}

int ocf_mock_say_embeddings(struct ocf_buf *out, const char *model, const struct ocf_mock_ask *ask)
{
  static float v[OCF_MOCK_DIMS_MAX];
  struct ocf_json w = ocf_json_to(out);
  OCF_ASSERT(ask->dims <= OCF_MOCK_DIMS_MAX);
  ocf_json_object(&w);
  member_str(&w, "object", "list");
  ocf_json_key(&w, "data");
  ocf_json_array(&w);
  for (size_t i = 0; i < ask->n_inputs; i++) {
    ocf_mock_vector(ask->inputs[i], v, ask->dims);
    ocf_json_object(&w);
    member_str(&w, "object", "embedding");
    member_u64(&w, "index", i);
    ocf_json_key(&w, "embedding");
    if (ask->base64)
      put_base64(&w, v, ask->dims);
    else
      put_floats(&w, v, ask->dims);
    ocf_json_object_end(&w);
  }
  ocf_json_array_end(&w);
  member_str(&w, "model", model);
  ocf_json_key(&w, "usage");
  ocf_json_object(&w);
  member_u64(&w, "prompt_tokens", ask->prompt_tokens);
  member_u64(&w, "total_tokens", ask->prompt_tokens);
  ocf_json_object_end(&w);
  ocf_json_object_end(&w);
  return ocf_json_end(&w);
}

static void put_model(struct ocf_json *w, const char *model, uint64_t created_s)
{
  ocf_json_object(w);
  member_str(w, "id", model);
  member_str(w, "object", "model");
  member_u64(w, "created", created_s);
  member_str(w, "owned_by", "ocf");
  ocf_json_object_end(w);
}

int ocf_mock_say_model(struct ocf_buf *out, const char *model, uint64_t created_s)
{
  struct ocf_json w = ocf_json_to(out);
  put_model(&w, model, created_s);
  return ocf_json_end(&w);
}

int ocf_mock_say_models(struct ocf_buf *out, const char *const *models, size_t n,
                        uint64_t created_s)
{
  struct ocf_json w = ocf_json_to(out);
  ocf_json_object(&w);
  member_str(&w, "object", "list");
  ocf_json_key(&w, "data");
  ocf_json_array(&w);
  for (size_t i = 0; i < n; i++)
    put_model(&w, models[i], created_s);
  ocf_json_array_end(&w);
  ocf_json_object_end(&w);
  return ocf_json_end(&w);
}
