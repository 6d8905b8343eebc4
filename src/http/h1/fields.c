/* Framing and connection options, decided once from the parsed form (RFC 9112 sections 6, 7 and 9).
 */
#include "http/h1/fields.h"

#include "http/h1/chars.h"
#include "http/h1/names.h"

/* More options than any client sends; bounds the product of options and fields. */
enum { CONNECTION_OPTIONS_MAX = 32, LENGTH_DIGITS_MAX = 19 };

static bool came_twice(uint64_t twice, enum ocf_h1_field_id id)
{
  return (twice >> id & 1) != 0;
}

static struct ocf_bytes trim(struct ocf_bytes v)
{
  while (v.n > 0 && ocf_h1_is_ows(v.p[0])) {
    v.p++;
    v.n--;
  }
  while (v.n > 0 && ocf_h1_is_ows(v.p[v.n - 1]))
    v.n--;
  return v;
}

bool ocf_h1_list_next(struct ocf_bytes *rest, struct ocf_bytes *item)
{
  while (rest->n > 0) {
    const uint8_t *comma = memchr(rest->p, ',', rest->n);
    const size_t n = comma != NULL ? (size_t)(comma - rest->p) : rest->n;
    const size_t step = comma != NULL ? n + 1 : n;
    const struct ocf_bytes it = trim(ocf_bytes(rest->p, n));
    *rest = ocf_bytes(rest->p + step, rest->n - step);
    if (it.n > 0) {
      *item = it;
      return true;
    }
  }
  return false;
}

bool ocf_h1_list_has(struct ocf_bytes list, struct ocf_bytes token)
{
  struct ocf_bytes item;

  while (ocf_h1_list_next(&list, &item)) {
    if (ocf_h1_eq_nocase(item, token))
      return true;
  }
  return false;
}

/* ---- framing ---- */

/* Stricter than RFC 9112 section 6.3: one field, digits only, below 2^63. */
static enum ocf_h1_error parse_length(struct ocf_h1_head *h, uint64_t twice)
{
  const struct ocf_bytes v = ocf_h1_get(h, OCF_H1_F_CONTENT_LENGTH);
  uint64_t n = 0;

  if (came_twice(twice, OCF_H1_F_CONTENT_LENGTH))
    return OCF_H1_E_CL_DUPLICATE;
  if (v.n == 0 || v.n > LENGTH_DIGITS_MAX)
    return OCF_H1_E_CL_INVALID;
  for (size_t i = 0; i < v.n; i++) {
    if (v.p[i] < '0' || v.p[i] > '9')
      return OCF_H1_E_CL_INVALID;
    n = 10 * n + (uint64_t)(v.p[i] - '0'); /* 19 digits fit in 64 bits */
  }
  if (n > INT64_MAX)
    return OCF_H1_E_CL_INVALID;
  h->has_length = true;
  h->content_length = n;
  return OCF_H1_E_NONE;
}

/* Only "chunked", alone, is understood. Anything else fails one way or the other; which one decides
 * between 400 (a list that is malformed or whose chunked is not last and once) and 501. */
static enum ocf_h1_error check_codings(struct ocf_bytes v)
{
  struct ocf_bytes item;
  bool other = false, chunked = false;

  if (ocf_h1_eq_nocase(v, OCF_STR("chunked")))
    return OCF_H1_E_NONE;
  while (ocf_h1_list_next(&v, &item)) {
    const bool is_chunked = ocf_h1_eq_nocase(item, OCF_STR("chunked"));
    if (chunked || ocf_h1_span(item.p, item.n, OCF_H1_CH_TOKEN) != item.n)
      return OCF_H1_E_TE_INVALID;
    chunked = is_chunked;
    other = other || !is_chunked;
  }
  return other ? OCF_H1_E_TE_UNKNOWN : OCF_H1_E_TE_INVALID;
}

/* Sets has_length and `*chunked`. */
static enum ocf_h1_error parse_framing(struct ocf_h1_head *h, uint64_t twice, bool *chunked)
{
  const bool cl = ocf_h1_has(h, OCF_H1_F_CONTENT_LENGTH);

  *chunked = ocf_h1_has(h, OCF_H1_F_TRANSFER_ENCODING);
  if (cl && *chunked)
    return OCF_H1_E_CL_AND_TE;
  if (cl)
    return parse_length(h, twice);
  if (!*chunked)
    return OCF_H1_E_NONE;
  if (came_twice(twice, OCF_H1_F_TRANSFER_ENCODING))
    return OCF_H1_E_TE_DUPLICATE;
  if (h->minor == 0)
    return OCF_H1_E_TE_IN_HTTP_10;
  return check_codings(ocf_h1_get(h, OCF_H1_F_TRANSFER_ENCODING));
}

/* ---- connection ---- */

struct options {
  bool close, keep_alive, upgrade;
};

static void name_hop(struct ocf_h1_head *h, struct ocf_bytes name)
{
  for (size_t i = 0; i < h->n_fields; i++) {
    struct ocf_h1_field *f = &h->fields[i];
    if (ocf_h1_kinds[f->id] == OCF_H1_KIND_END && ocf_h1_eq_nocase(ocf_h1_name(h, i), name))
      f->hop = true;
  }
}

static enum ocf_h1_error parse_options(struct ocf_h1_head *h, struct ocf_bytes list,
                                       struct options *o, size_t *n)
{
  struct ocf_bytes item;

  while (ocf_h1_list_next(&list, &item)) {
    if (++*n > CONNECTION_OPTIONS_MAX || ocf_h1_span(item.p, item.n, OCF_H1_CH_TOKEN) != item.n)
      return OCF_H1_E_CONNECTION;
    if (ocf_h1_eq_nocase(item, OCF_STR("close")))
      o->close = true;
    else if (ocf_h1_eq_nocase(item, OCF_STR("keep-alive")))
      o->keep_alive = true;
    else if (ocf_h1_eq_nocase(item, OCF_STR("upgrade")))
      o->upgrade = true;
    else
      name_hop(h, item);
  }
  return OCF_H1_E_NONE;
}

static enum ocf_h1_error parse_connection(struct ocf_h1_head *h)
{
  struct options o = { false, false, false };
  size_t n = 0;

  if (ocf_h1_has(h, OCF_H1_F_CONNECTION)) {
    for (size_t i = 0; i < h->n_fields; i++) {
      if (h->fields[i].id != OCF_H1_F_CONNECTION)
        continue;
      const enum ocf_h1_error e = parse_options(h, ocf_h1_value(h, i), &o, &n);
      if (e != OCF_H1_E_NONE)
        return e;
    }
  }
  h->keep_alive = !o.close && (h->minor > 0 || o.keep_alive);
  h->upgrade = o.upgrade && h->minor > 0 && ocf_h1_has(h, OCF_H1_F_UPGRADE);
  return OCF_H1_E_NONE;
}

/* ---- the two kinds of heads ---- */

static enum ocf_h1_error parse_expect(struct ocf_h1_head *h, uint64_t twice)
{
  if (!ocf_h1_has(h, OCF_H1_F_EXPECT) || h->minor == 0)
    return OCF_H1_E_NONE; /* RFC 9110 section 10.1.1: to be ignored from HTTP/1.0 */
  if (came_twice(twice, OCF_H1_F_EXPECT) ||
      !ocf_h1_eq_nocase(ocf_h1_get(h, OCF_H1_F_EXPECT), OCF_STR("100-continue")))
    return OCF_H1_E_EXPECT;
  h->expect_continue = h->framing == OCF_H1_FRAMING_CHUNKED ||
                       (h->framing == OCF_H1_FRAMING_LENGTH && h->content_length > 0);
  return OCF_H1_E_NONE;
}

enum ocf_h1_error ocf_h1_request_semantics(struct ocf_h1_head *h, uint64_t twice)
{
  bool chunked;
  enum ocf_h1_error e = parse_framing(h, twice, &chunked);

  if (e != OCF_H1_E_NONE)
    return e;
  h->framing = chunked         ? OCF_H1_FRAMING_CHUNKED
               : h->has_length ? OCF_H1_FRAMING_LENGTH
                               : OCF_H1_FRAMING_NONE;
  e = parse_connection(h);
  return e != OCF_H1_E_NONE ? e : parse_expect(h, twice);
}

enum ocf_h1_error ocf_h1_response_semantics(struct ocf_h1_head *h, uint64_t twice,
                                            enum ocf_h1_method to)
{
  bool chunked;
  enum ocf_h1_error e = parse_framing(h, twice, &chunked);

  if (e == OCF_H1_E_NONE)
    e = parse_connection(h);
  if (e != OCF_H1_E_NONE)
    return e;
  if (h->status < 200 || h->status == 204) {
    h->framing = OCF_H1_FRAMING_NONE;
    /* It announces what it must not have: whatever follows is not to be taken for an answer. */
    if (chunked || h->content_length > 0)
      h->keep_alive = false;
  } else if (h->status == 304 || to == OCF_H1_HEAD) {
    h->framing = OCF_H1_FRAMING_NONE;
  } else if (chunked) {
    h->framing = OCF_H1_FRAMING_CHUNKED;
  } else if (h->has_length) {
    h->framing = OCF_H1_FRAMING_LENGTH;
  } else {
    h->framing = OCF_H1_FRAMING_CLOSE;
    h->keep_alive = false;
  }
  return OCF_H1_E_NONE;
}
