#include "fmt/json/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct ocf_json ocf_json_to(struct ocf_buf *buf)
{
  OCF_ASSERT(buf != NULL);
  return (struct ocf_json){ .buf = buf, .start = buf->n };
}

static void emit(struct ocf_json *w, const void *p, size_t n)
{
  if (w->err == 0 && n > 0)
    w->err = ocf_buf_add(w->buf, p, n);
}

static bool in_object(const struct ocf_json *w)
{
  return w->depth > 0 && (w->is_object >> (w->depth - 1) & 1u) != 0;
}

/* A comma when the level holds something already. */
static void separate(struct ocf_json *w)
{
  uint32_t bit = w->depth > 0 ? 1u << (w->depth - 1) : 0;
  if ((w->has_item & bit) != 0)
    emit(w, ",", 1);
  w->has_item |= bit;
}

static void before_value(struct ocf_json *w)
{
  OCF_ASSERT(!w->done);
  OCF_ASSERT(in_object(w) == w->after_key);
  if (!w->after_key)
    separate(w);
  w->after_key = false;
}

static void scalar(struct ocf_json *w, const void *p, size_t n)
{
  before_value(w);
  emit(w, p, n);
  w->done = w->depth == 0;
}

static void open_level(struct ocf_json *w, bool object)
{
  before_value(w);
  OCF_ASSERT(w->depth < OCF_JSON_DEPTH_MAX);
  uint32_t bit = 1u << w->depth++;
  w->has_item &= ~bit;
  w->is_object = object ? w->is_object | bit : w->is_object & ~bit;
  emit(w, object ? "{" : "[", 1);
}

static void close_level(struct ocf_json *w, bool object)
{
  OCF_ASSERT(w->depth > 0 && in_object(w) == object);
  OCF_ASSERT(!w->after_key);
  w->depth--;
  emit(w, object ? "}" : "]", 1);
  w->done = w->depth == 0;
}

void ocf_json_object(struct ocf_json *w)
{
  open_level(w, true);
}

void ocf_json_object_end(struct ocf_json *w)
{
  close_level(w, true);
}

void ocf_json_array(struct ocf_json *w)
{
  open_level(w, false);
}

void ocf_json_array_end(struct ocf_json *w)
{
  close_level(w, false);
}

/* The length of the UTF-8 sequence at `p`; or, with *ok false, of the part to replace by one
 * U+FFFD: the longest beginning of a well-formed sequence, at least one byte (Unicode 3.9, table
 * 3-7). */
static size_t utf8_unit(const uint8_t *p, size_t n, bool *ok)
{
  uint8_t c = p[0], low = 0x80, high = 0xbf;
  size_t need = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 9;
  *ok = need == 0;
  if (need == 0 || need == 9)
    return 1;
  if (c == 0xe0)
    low = 0xa0; /* shorter forms exist */
  else if (c == 0xed)
    high = 0x9f; /* surrogates */
  else if (c == 0xf0)
    low = 0x90;
  else if (c == 0xf4)
    high = 0x8f; /* above U+10FFFF */
  for (size_t i = 1; i <= need; i++, low = 0x80, high = 0xbf)
    if (i >= n || p[i] < low || p[i] > high)
      return i;
  *ok = true;
  return need + 1;
}

static void escape(struct ocf_json *w, uint8_t c)
{
  static const char names[] = "btn\0fr"; /* of 8 to 13; 11 has none */
  char s[8] = { '\\', (char)c };
  if (c == '"' || c == '\\') {
    emit(w, s, 2);
  } else if (c >= 8 && c <= 13 && c != 11) {
    s[1] = names[c - 8];
    emit(w, s, 2);
  } else {
    (void)snprintf(s, sizeof(s), "\\u%04x", c);
    emit(w, s, 6);
  }
}

/* Runs of plain bytes go out in one piece. */
static void string_body(struct ocf_json *w, struct ocf_bytes s)
{
  size_t from = 0, i = 0;
  while (i < s.n) {
    bool ok;
    uint8_t c = s.p[i];
    size_t len = utf8_unit(s.p + i, s.n - i, &ok);
    if (ok && c >= 0x20 && c != '"' && c != '\\') {
      i += len;
      continue;
    }
    emit(w, s.p + from, i - from);
    if (ok)
      escape(w, c);
    else
      emit(w, "\xef\xbf\xbd", 3);
    i += len;
    from = i;
  }
  if (i > from)
    emit(w, s.p + from, i - from);
}

void ocf_json_key_bytes(struct ocf_json *w, struct ocf_bytes name)
{
  OCF_ASSERT(in_object(w) && !w->after_key);
  separate(w);
  emit(w, "\"", 1);
  string_body(w, name);
  emit(w, "\":", 2);
  w->after_key = true;
}

void ocf_json_key(struct ocf_json *w, const char *name)
{
  ocf_json_key_bytes(w, ocf_bytes(name, strlen(name)));
}

void ocf_json_str(struct ocf_json *w, struct ocf_bytes s)
{
  before_value(w);
  emit(w, "\"", 1);
  string_body(w, s);
  emit(w, "\"", 1);
  w->done = w->depth == 0;
}

void ocf_json_cstr(struct ocf_json *w, const char *s)
{
  ocf_json_str(w, ocf_bytes(s, strlen(s)));
}

void ocf_json_u64(struct ocf_json *w, uint64_t v)
{
  char s[24];
  scalar(w, s, (size_t)snprintf(s, sizeof(s), "%" PRIu64, v));
}

void ocf_json_i64(struct ocf_json *w, int64_t v)
{
  char s[24];
  scalar(w, s, (size_t)snprintf(s, sizeof(s), "%" PRId64, v));
}

void ocf_json_bool(struct ocf_json *w, bool v)
{
  scalar(w, v ? "true" : "false", v ? 4 : 5);
}

void ocf_json_null(struct ocf_json *w)
{
  scalar(w, "null", 4);
}

void ocf_json_raw(struct ocf_json *w, struct ocf_bytes value)
{
  OCF_ASSERT(value.n > 0);
  scalar(w, value.p, value.n);
}

int ocf_json_end(struct ocf_json *w)
{
  OCF_ASSERT(w->done && w->depth == 0);
  if (w->err != 0)
    w->buf->n = w->start;
  return w->err;
}
