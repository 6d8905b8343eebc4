#include "fmt/jscan/jscan.h"

#include <string.h>

#include "fmt/jscan/jscan_int.h"

enum {             /* s->state */
       VALUE,      /* a value must come */
       FIRST_ITEM, /* a value, or the array's end */
       FIRST_KEY,  /* a name, or the object's end */
       NEXT_KEY,   /* a name, after a comma */
       COLON,
       AFTER, /* behind a value inside a container: a comma or the end */
       IN_STRING,
       IN_NUMBER,
       IN_WORD,
       DONE,
};

#define UNSET UINT64_MAX

void ocf_jscan_init(struct ocf_jscan *s, uint8_t *buf, size_t cap, unsigned depth_max)
{
  OCF_ASSERT(depth_max >= 1 && depth_max <= OCF_JSCAN_DEPTH_MAX);
  OCF_ASSERT(buf != NULL || cap == 0);
  *s = (struct ocf_jscan){ .buf = buf, .cap = cap, .depth_max = depth_max, .state = VALUE };
}

/* ---- tokens ---- */

static void set_token(struct ocf_jscan *s, struct ocf_jscan_token *t, enum ocf_jscan_kind kind)
{
  bool has_text = kind == OCF_JSCAN_KEY || kind == OCF_JSCAN_STRING || kind == OCF_JSCAN_NUMBER;
  *t = (struct ocf_jscan_token){
    .kind = kind, .depth = s->depth, .begin = s->begin, .end = s->offset
  };
  if (has_text) {
    t->text = ocf_bytes(s->buf, s->n);
    t->truncated = s->truncated;
  }
}

static void value_done(struct ocf_jscan *s)
{
  s->state = s->depth == 0 ? DONE : AFTER;
}

static int end_scalar(struct ocf_jscan *s, struct ocf_jscan_token *t, enum ocf_jscan_kind kind)
{
  value_done(s);
  set_token(s, t, kind);
  return 1;
}

static bool in_object(const struct ocf_jscan *s)
{
  unsigned d = s->depth - 1;
  return s->depth > 0 && (s->is_object[d / 64] >> d % 64 & 1u) != 0;
}

static int open_container(struct ocf_jscan *s, struct ocf_jscan_token *t, bool object)
{
  uint64_t bit = (uint64_t)1 << s->depth % 64, *word = &s->is_object[s->depth / 64];
  set_token(s, t, object ? OCF_JSCAN_OBJECT : OCF_JSCAN_ARRAY);
  *word = object ? *word | bit : *word & ~bit;
  s->depth++;
  s->state = object ? FIRST_KEY : FIRST_ITEM;
  return 1;
}

static int close_container(struct ocf_jscan *s, struct ocf_jscan_token *t, bool object)
{
  s->depth--;
  return end_scalar(s, t, object ? OCF_JSCAN_OBJECT_END : OCF_JSCAN_ARRAY_END);
}

/* ---- bytes ---- */

static void skip_blanks(struct ocf_jscan *s, struct ocf_bytes *in)
{
  size_t n = 0;
  while (n < in->n && (in->p[n] == ' ' || in->p[n] == '\n' || in->p[n] == '\r' || in->p[n] == '\t'))
    n++;
  ocf_jscan_take(s, in, n);
}

static const char *const words[] = { "true", "false", "null" };

static void begin_string(struct ocf_jscan *s, bool is_key)
{
  s->state = IN_STRING;
  s->is_key = is_key;
  s->part = 0;
  s->n = 0;
  s->truncated = false;
}

/* The first byte of a value. The byte itself is taken by the caller, except a number's. */
static int begin_value(struct ocf_jscan *s, uint8_t c)
{
  switch (c) {
  case '"': begin_string(s, false); return 0;
  case 't':
  case 'f':
  case 'n':
    s->state = IN_WORD;
    s->code = c == 't' ? 0 : c == 'f' ? 1 : 2;
    s->part = 1;
    return 0;
  default:
    if (ocf_jscan_number_step(OCF_JSCAN_N_SIGN, c) == OCF_JSCAN_N_NONE)
      return OCF_EINVAL;
    s->state = IN_NUMBER;
    s->part = OCF_JSCAN_N_SIGN;
    s->n = 0;
    s->truncated = false;
    return 0;
  }
}

static int in_number(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  for (; in->n > 0; ocf_jscan_take(s, in, 1)) {
    uint8_t to = ocf_jscan_number_step(s->part, *in->p);
    if (to == OCF_JSCAN_N_NONE)
      return ocf_jscan_number_ends(s->part) ? end_scalar(s, t, OCF_JSCAN_NUMBER) : OCF_EINVAL;
    s->part = to;
    if (s->n < s->cap)
      s->buf[s->n++] = *in->p;
    else
      s->truncated = true;
  }
  return 0;
}

static int in_word(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  const char *word = words[s->code];
  for (; in->n > 0 && word[s->part] != '\0'; s->part++) {
    if (*in->p != (uint8_t)word[s->part])
      return OCF_EINVAL;
    ocf_jscan_take(s, in, 1);
  }
  if (word[s->part] != '\0')
    return 0;
  return end_scalar(s, t, (enum ocf_jscan_kind)(OCF_JSCAN_TRUE + s->code));
}

static int in_string(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  int rc = ocf_jscan_string(s, in);
  if (rc <= 0)
    return rc;
  if (!s->is_key)
    return end_scalar(s, t, OCF_JSCAN_STRING);
  s->state = COLON;
  set_token(s, t, OCF_JSCAN_KEY);
  return 1;
}

/* A byte where a value may begin. */
static int at_value(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  uint8_t c = *in->p;
  bool container = c == '{' || c == '[';
  if (container && s->depth == s->depth_max)
    return OCF_ELIMIT;
  s->begin = s->offset;
  if (!container && begin_value(s, c) != 0)
    return OCF_EINVAL;
  if (s->state != IN_NUMBER)
    ocf_jscan_take(s, in, 1);
  return container ? open_container(s, t, c == '{') : 0;
}

/* A byte that is part of the structure: a bracket, comma, colon or the quote of a name. */
static int at_mark(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  uint8_t c = *in->p, state = s->state;
  bool object = in_object(s);
  bool ends =
      (state == AFTER || state == FIRST_KEY || state == FIRST_ITEM) && c == (object ? '}' : ']');
  if (state == FIRST_ITEM && !ends)
    return at_value(s, in, t);
  if (ends || state == FIRST_KEY || state == NEXT_KEY)
    s->begin = s->offset;
  if (!ends && c != (state == AFTER ? ',' : state == COLON ? ':' : '"'))
    return OCF_EINVAL;
  ocf_jscan_take(s, in, 1);
  if (ends)
    return close_container(s, t, object);
  if (state == AFTER)
    s->state = object ? NEXT_KEY : VALUE;
  else if (state == COLON)
    s->state = VALUE;
  else
    begin_string(s, true);
  return 0;
}

/* Goes on by one byte or more, `in` not being empty. 1 with a token, 0, or an error. */
static int step(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  switch (s->state) {
  case IN_STRING: return in_string(s, in, t);
  case IN_NUMBER: return in_number(s, in, t);
  case IN_WORD: return in_word(s, in, t);
  default: break;
  }
  skip_blanks(s, in);
  if (in->n == 0)
    return 0;
  return s->state == VALUE ? at_value(s, in, t) : at_mark(s, in, t);
}

/* ---- skipping ---- */

void ocf_jscan_skip(struct ocf_jscan *s)
{
  OCF_ASSERT(s->can_skip);
  bool after_key = s->state == COLON;
  s->can_skip = false;
  s->skipping = true;
  s->skip_begin = after_key ? UNSET : s->begin;
  s->skip_depth = after_key ? s->depth : s->depth - 1;
}

/* Whether the token goes to the caller; a skipped value's last one becomes SKIPPED. */
static bool filter(struct ocf_jscan *s, struct ocf_jscan_token *t)
{
  if (!s->skipping) {
    s->can_skip =
        t->kind == OCF_JSCAN_KEY || t->kind == OCF_JSCAN_OBJECT || t->kind == OCF_JSCAN_ARRAY;
    return true;
  }
  if (s->skip_begin == UNSET)
    s->skip_begin = t->begin;
  if (s->depth != s->skip_depth)
    return false;
  s->skipping = false;
  s->begin = s->skip_begin;
  set_token(s, t, OCF_JSCAN_SKIPPED);
  return true;
}

/* ---- the calls ---- */

static int at_end(struct ocf_jscan *s, struct ocf_jscan_token *t)
{
  s->begin = s->offset;
  set_token(s, t, OCF_JSCAN_END);
  return 1;
}

int ocf_jscan_next(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  struct ocf_jscan_token made;
  s->can_skip = false;
  while (s->err == 0) {
    if (s->state == DONE)
      return at_end(s, t);
    if (in->n == 0)
      return 0;
    int rc = step(s, in, &made);
    if (rc < 0) {
      s->err = rc;
    } else if (rc > 0 && filter(s, &made)) {
      *t = made;
      return 1;
    }
  }
  return s->err;
}

int ocf_jscan_finish(struct ocf_jscan *s, struct ocf_jscan_token *t)
{
  struct ocf_jscan_token made;
  s->can_skip = false;
  if (s->err != 0)
    return s->err;
  if (s->state == DONE)
    return at_end(s, t);
  if (s->state != IN_NUMBER || s->depth > 0 || !ocf_jscan_number_ends(s->part))
    return s->err = OCF_EINVAL;
  (void)end_scalar(s, &made, OCF_JSCAN_NUMBER);
  *t = made;
  return 1;
}

int ocf_jscan_pull(struct ocf_jscan *s, struct ocf_bytes *in, struct ocf_jscan_token *t)
{
  int rc = ocf_jscan_next(s, in, t);
  return rc != 0 ? rc : ocf_jscan_finish(s, t);
}
