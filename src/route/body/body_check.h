/* The scanner's rules written down once more over a body that is all there, for the unit tests and
 * the fuzz target: the whole document is parsed, then asked. Not for programs. */
#ifndef OCF_ROUTE_BODY_BODY_CHECK_H
#define OCF_ROUTE_BODY_BODY_CHECK_H

#include <string.h>

#include "route/body/body.h"

enum { BODY_CHECK_BUF = 4096 };

static const struct ocf_bytes body_check_keys[] = { { (const uint8_t *)"model", 5 },
                                                    { (const uint8_t *)"lora", 4 },
                                                    { (const uint8_t *)"\xc3\xa9", 2 } };
enum { BODY_CHECK_KEYS = 3 };

/* One field of the naive reading: the last top-level member of that name. */
struct body_check_field {
  bool present, is_string, is_true, is_count;
  size_t n;
  int64_t count;
  uint8_t value[BODY_CHECK_BUF];
};

static inline void body_check_value(struct body_check_field *f, const struct ocf_jscan_token *t)
{
  *f = (struct body_check_field){ .present = true };
  f->is_string = t->kind == OCF_JSCAN_STRING;
  f->is_true = t->kind == OCF_JSCAN_TRUE;
  f->is_count = t->kind == OCF_JSCAN_NUMBER && ocf_jscan_i64(t->text, &f->count) == 0;
  f->n = f->is_string ? t->text.n : 0;
  if (f->n > 0)
    memcpy(f->value, t->text.p, f->n);
}

/* Reads the last top-level member `name` of an object; false when `body` is no object, or not
 * followed by white space only. `*f` is not present when there is no such member. */
static inline bool body_check_find(struct ocf_bytes body, struct ocf_bytes name,
                                   struct body_check_field *f)
{
  static uint8_t buf[BODY_CHECK_BUF];
  struct ocf_jscan s;
  struct ocf_jscan_token t = { .kind = OCF_JSCAN_NULL };
  bool first = true, named = false;
  int rc;
  *f = (struct body_check_field){ .present = false };
  ocf_jscan_init(&s, buf, sizeof(buf), OCF_JSCAN_DEPTH_DEFAULT);
  while ((rc = ocf_jscan_pull(&s, &body, &t)) > 0 && t.kind != OCF_JSCAN_END) {
    if (first && t.kind != OCF_JSCAN_OBJECT)
      return false;
    if (named && t.depth == 1)
      body_check_value(f, &t);
    named = !first && t.depth == 1 && t.kind == OCF_JSCAN_KEY && ocf_bytes_eq(t.text, name);
    first = false;
  }
  return rc > 0 && ocf_jscan_is_blank(body);
}

static inline void body_check_field(const struct ocf_body_field *f,
                                    const struct body_check_field *want)
{
  enum ocf_body_kind kind = !want->present                 ? OCF_BODY_ABSENT
                            : !want->is_string             ? OCF_BODY_OTHER
                            : want->n > OCF_BODY_VALUE_MAX ? OCF_BODY_LONG
                                                           : OCF_BODY_STRING;
  OCF_ASSERT(f->kind == kind);
  if (kind == OCF_BODY_STRING)
    OCF_ASSERT(f->n == want->n && memcmp(f->value, want->value, f->n) == 0);
  else
    OCF_ASSERT(f->n == 0);
}

/* `b` was fed all of `body`, which is no longer than its scan_max, and ended. */
static inline void body_check(const struct ocf_body *b, struct ocf_bytes body)
{
  static struct body_check_field f;
  bool ok = body_check_find(body, OCF_STR("model"), &f);
  OCF_ASSERT(b->state == (ok ? OCF_BODY_DONE : OCF_BODY_NOT_JSON));
  if (!ok) {
    for (unsigned i = 0; i < b->n_keys; i++)
      OCF_ASSERT(ocf_body_keyed(b, i)->kind == OCF_BODY_ABSENT);
    OCF_ASSERT(ocf_body_model(b).p == NULL && ocf_body_user(b).p == NULL);
    OCF_ASSERT(!ocf_body_stream(b) && ocf_body_max_tokens(b) == -1);
    return;
  }
  body_check_field(&b->model, &f);
  for (unsigned i = 0; i < b->n_keys; i++) {
    (void)body_check_find(body, ocf_body_key(b, i), &f);
    body_check_field(ocf_body_keyed(b, i), &f);
  }
  (void)body_check_find(body, OCF_STR("user"), &f);
  body_check_field(&b->user, &f);
  (void)body_check_find(body, OCF_STR("stream"), &f);
  OCF_ASSERT(ocf_body_stream(b) == f.is_true);
  (void)body_check_find(body, OCF_STR("max_tokens"), &f);
  int64_t want = f.is_count && f.count >= 0 ? f.count : -1;
  (void)body_check_find(body, OCF_STR("max_completion_tokens"), &f);
  want = f.is_count && f.count >= 0 ? f.count : want;
  OCF_ASSERT(ocf_body_max_tokens(b) == want);
}

/* Everything that a result says is the same. */
static inline void body_check_same(const struct ocf_body *a, const struct ocf_body *b)
{
  OCF_ASSERT(a->state == b->state && a->stream == b->stream);
  OCF_ASSERT(ocf_body_max_tokens(a) == ocf_body_max_tokens(b));
  OCF_ASSERT(ocf_bytes_eq(ocf_body_model(a), ocf_body_model(b)) && a->model.kind == b->model.kind);
  OCF_ASSERT(ocf_bytes_eq(ocf_body_user(a), ocf_body_user(b)) && a->user.kind == b->user.kind);
  for (unsigned i = 0; i < a->n_keys; i++) {
    const struct ocf_body_field *x = ocf_body_keyed(a, i), *y = ocf_body_keyed(b, i);
    OCF_ASSERT(x->kind == y->kind && x->n == y->n && memcmp(x->value, y->value, x->n) == 0);
  }
}

#endif
