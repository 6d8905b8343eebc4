#include "route/body/body.h"

#include <string.h>

/* Fields that a value may be for, beside the keys (bit i for key i): a name can be a key too. */
enum {
  WANT_MODEL = 1 << 16,
  WANT_USER = 1 << 17,
  WANT_STREAM = 1 << 18,
  WANT_MAX_TOKENS = 1 << 19,
  WANT_MAX_COMPLETION = 1 << 20,
};

static const struct {
  struct ocf_bytes name;
  unsigned want;
} known[] = {
  { { (const uint8_t *)"model", 5 }, WANT_MODEL },
  { { (const uint8_t *)"user", 4 }, WANT_USER },
  { { (const uint8_t *)"stream", 6 }, WANT_STREAM },
  { { (const uint8_t *)"max_tokens", 10 }, WANT_MAX_TOKENS },
  { { (const uint8_t *)"max_completion_tokens", 21 }, WANT_MAX_COMPLETION },
};

static bool has_key(const struct ocf_body *b, struct ocf_bytes name)
{
  for (unsigned i = 0; i < b->n_keys; i++) {
    if (ocf_bytes_eq(ocf_body_key(b, i), name))
      return true;
  }
  return false;
}

static void clear(struct ocf_body_field *f)
{
  f->kind = OCF_BODY_ABSENT; /* the bytes of `value` may stay what they are */
  f->n = 0;
}

/* No field counts: after an error nothing of the body is known. */
static void forget(struct ocf_body *b)
{
  for (unsigned i = 0; i < b->n_keys; i++)
    clear(&b->keyed[i]);
  clear(&b->model);
  clear(&b->user);
  b->stream = false;
  b->max_tokens = b->max_completion_tokens = -1;
}

void ocf_body_init(struct ocf_body *b, const struct ocf_bytes *keys, size_t n_keys, size_t scan_max)
{
  OCF_ASSERT(scan_max > 0);
  b->n_fed = 0;
  b->scan_max = scan_max;
  b->n_keys = b->n_seen = b->wanted = 0;
  b->opened = b->ended = false;
  for (size_t i = 0; i < n_keys && b->n_keys < OCF_BODY_KEYS_MAX; i++) {
    if (keys[i].n == 0 || keys[i].n > OCF_BODY_KEY_MAX || has_key(b, keys[i]))
      continue;
    memcpy(b->key[b->n_keys], keys[i].p, keys[i].n);
    b->key_len[b->n_keys] = (uint8_t)keys[i].n;
    b->n_keys++;
  }
  forget(b);
  b->state = b->n_keys == 0 ? OCF_BODY_KNOWN : OCF_BODY_MORE;
  ocf_jscan_init(&b->js, b->scratch, sizeof(b->scratch), OCF_JSCAN_DEPTH_DEFAULT);
}

static enum ocf_body_state not_json(struct ocf_body *b)
{
  forget(b);
  return b->state = OCF_BODY_NOT_JSON;
}

/* ---- tokens ---- */

static void take_key(struct ocf_body *b, const struct ocf_jscan_token *t)
{
  unsigned want = 0;
  for (size_t i = 0; i < OCF_ARRAY_LEN(known) && !t->truncated; i++) {
    if (ocf_bytes_eq(known[i].name, t->text))
      want |= known[i].want;
  }
  for (unsigned i = 0; i < b->n_keys && !t->truncated; i++) {
    if (ocf_bytes_eq(ocf_body_key(b, i), t->text))
      want |= 1U << i;
  }
  b->wanted = want;
  if (want == 0)
    ocf_jscan_skip(&b->js);
}

static void set_field(struct ocf_body_field *f, const struct ocf_jscan_token *t)
{
  f->n = 0;
  if (t->kind != OCF_JSCAN_STRING) {
    f->kind = OCF_BODY_OTHER;
  } else if (t->truncated) {
    f->kind = OCF_BODY_LONG;
  } else {
    f->kind = OCF_BODY_STRING;
    f->n = (uint16_t)t->text.n;
    if (t->text.n > 0)
      memcpy(f->value, t->text.p, t->text.n);
  }
}

static int64_t count_of(const struct ocf_jscan_token *t)
{
  int64_t v;
  if (t->kind != OCF_JSCAN_NUMBER || t->truncated || ocf_jscan_i64(t->text, &v) != 0)
    return -1;
  return v >= 0 ? v : -1;
}

static void take_value(struct ocf_body *b, const struct ocf_jscan_token *t)
{
  const unsigned want = b->wanted;
  b->wanted = 0;
  for (unsigned i = 0; i < b->n_keys; i++) {
    if ((want & 1U << i) == 0)
      continue;
    b->n_seen += b->keyed[i].kind == OCF_BODY_ABSENT;
    set_field(&b->keyed[i], t);
  }
  if (want & WANT_MODEL)
    set_field(&b->model, t);
  if (want & WANT_USER)
    set_field(&b->user, t);
  if (want & WANT_STREAM)
    b->stream = t->kind == OCF_JSCAN_TRUE;
  if (want & WANT_MAX_TOKENS)
    b->max_tokens = count_of(t);
  if (want & WANT_MAX_COMPLETION)
    b->max_completion_tokens = count_of(t);
  if (t->kind == OCF_JSCAN_OBJECT || t->kind == OCF_JSCAN_ARRAY)
    ocf_jscan_skip(&b->js);
}

/* False when the body is no object. */
static bool take(struct ocf_body *b, const struct ocf_jscan_token *t)
{
  if (!b->opened)
    return b->opened = t->kind == OCF_JSCAN_OBJECT;
  if (t->kind == OCF_JSCAN_END)
    b->ended = true;
  else if (t->kind == OCF_JSCAN_KEY)
    take_key(b, t);
  else if (b->wanted != 0)
    take_value(b, t);
  return true;
}

/* ---- bytes ---- */

enum ocf_body_state ocf_body_feed(struct ocf_body *b, struct ocf_bytes chunk)
{
  struct ocf_jscan_token t;
  int rc = 0;
  if (b->state == OCF_BODY_NOT_JSON || b->state == OCF_BODY_BOUND || chunk.n == 0)
    return b->state;
  struct ocf_bytes in = ocf_bytes(chunk.p, OCF_MIN(chunk.n, b->scan_max - b->n_fed));
  bool cut = in.n < chunk.n;
  b->n_fed += in.n;
  while (!b->ended && (rc = ocf_jscan_next(&b->js, &in, &t)) > 0) {
    if (!take(b, &t))
      return not_json(b);
  }
  if (rc < 0 || (b->ended && !ocf_jscan_is_blank(in)))
    return not_json(b);
  if (b->ended)
    return b->state = OCF_BODY_DONE;
  if (cut)
    return b->state = OCF_BODY_BOUND;
  return b->state = b->n_seen == b->n_keys ? OCF_BODY_KNOWN : OCF_BODY_MORE;
}

enum ocf_body_state ocf_body_end(struct ocf_body *b)
{
  if (b->state == OCF_BODY_DONE || b->state == OCF_BODY_BOUND || b->state == OCF_BODY_NOT_JSON)
    return b->state;
  return not_json(b); /* an object is complete with its last byte */
}

/* ---- results ---- */

struct ocf_bytes ocf_body_key(const struct ocf_body *b, unsigned i)
{
  OCF_ASSERT(i < b->n_keys);
  return ocf_bytes(b->key[i], b->key_len[i]);
}

const struct ocf_body_field *ocf_body_keyed(const struct ocf_body *b, unsigned i)
{
  OCF_ASSERT(i < b->n_keys);
  return &b->keyed[i];
}

static struct ocf_bytes string_of(const struct ocf_body_field *f)
{
  return f->kind == OCF_BODY_STRING ? ocf_bytes(f->value, f->n) : ocf_bytes(NULL, 0);
}

struct ocf_bytes ocf_body_model(const struct ocf_body *b)
{
  return string_of(&b->model);
}

struct ocf_bytes ocf_body_user(const struct ocf_body *b)
{
  return string_of(&b->user);
}

bool ocf_body_stream(const struct ocf_body *b)
{
  return b->stream;
}

int64_t ocf_body_max_tokens(const struct ocf_body *b)
{
  return b->max_completion_tokens >= 0 ? b->max_completion_tokens : b->max_tokens;
}
