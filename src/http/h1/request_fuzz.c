/* Any bytes as a request head. Oracle: the scanner says the same however the bytes are cut, the
 * parser never reads past them, and an accepted head that is written again parses to the same head
 * and writes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "http/h1/path.h"
#include "http/h1/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static const struct ocf_h1_limits lim = OCF_H1_LIMITS_DEFAULT;

static void check_scan(const struct ocf_h1_scan *whole, int rc, const uint8_t *d, size_t n)
{
  struct ocf_h1_scan s = { 0 };
  int rc2 = OCF_EAGAIN;

  for (size_t k = 0; k < n && rc2 == OCF_EAGAIN;) {
    k += 1 + d[k] % 7;
    k = OCF_MIN(k, n);
    rc2 = ocf_h1_scan_head(&s, d, k, true, &lim);
  }
  OCF_ASSERT(n == 0 || rc == rc2);
  OCF_ASSERT(s.error == whole->error);
  OCF_ASSERT(rc != 0 || (s.begin == whole->begin && s.end == whole->end));
}

static void check_head(const struct ocf_h1_head *h)
{
  static uint8_t out1[160000], out2[160000];
  struct ocf_buf b = ocf_h1_fixed(out1, sizeof(out1)), b2 = ocf_h1_fixed(out2, sizeof(out2));
  struct ocf_h1_head again;
  const struct ocf_h1_rewrite rw = { .framing = h->framing, .content_length = h->content_length };
  struct ocf_bytes rest = h->path, seg;
  uint8_t seg_out[8192];
  size_t seg_n;

  OCF_ASSERT(h->framing != OCF_H1_FRAMING_CLOSE && h->n_fields <= lim.fields_max);
  OCF_ASSERT(!h->has_length || h->content_length <= INT64_MAX);
  while (rest.n > 0 && rest.p[0] == '/' && ocf_h1_path_next(&rest, &seg)) {
    OCF_ASSERT(ocf_h1_path_decode(seg, seg_out, sizeof(seg_out), &seg_n) == 0);
    OCF_ASSERT(ocf_h1_path_eq(seg, ocf_bytes(seg_out, seg_n)));
  }
  OCF_ASSERT(ocf_h1_write_request(&b, h, &rw) == 0);
  const int rc = ocf_h1_parse_request(&again, b.p, b.n, &lim);
  /* "a:b" grows by a space, so a head at the limit may pass it. */
  OCF_ASSERT(rc == 0 || again.error == OCF_H1_E_HEAD_TOO_LARGE ||
             again.error == OCF_H1_E_TOO_MANY_FIELDS);
  if (rc != 0)
    return;
  OCF_ASSERT(again.framing == h->framing && again.content_length == h->content_length);
  OCF_ASSERT(ocf_bytes_eq(again.path, h->path) && ocf_bytes_eq(again.method_text, h->method_text));
  OCF_ASSERT(ocf_h1_write_request(&b2, &again, &rw) == 0);
  OCF_ASSERT(ocf_bytes_eq(ocf_buf_view(&b), ocf_buf_view(&b2)));
}

/* Edits of any bytes: refused, or the head still parses and has them. */
static void check_edits(const struct ocf_h1_head *h, const uint8_t *d, size_t n)
{
  static uint8_t out[200000];
  struct ocf_buf b = ocf_h1_fixed(out, sizeof(out));
  struct ocf_h1_head again;
  const size_t half = n / 2;
  const struct ocf_h1_edit edits[] = {
    { (enum ocf_h1_edit_op)(n % 4), ocf_h1_name(h, n % h->n_fields),
      ocf_bytes(d + n - half, half) },
    { (enum ocf_h1_edit_op)(n / 4 % 4), ocf_bytes(d, n % 9), ocf_h1_value(h, 0) },
  };
  const struct ocf_h1_rewrite rw = { .framing = h->framing,
                                     .content_length = h->content_length,
                                     .edits = edits,
                                     .n_edits = 1 + n / 16 % 2 };
  const size_t was = b.n;

  if (ocf_h1_write_request(&b, h, &rw) != 0) {
    OCF_ASSERT(b.n == was);
    return;
  }
  const struct ocf_h1_limits wide = { .head_bytes_max = 65535,
                                      .fields_max = 128,
                                      .target_bytes_max = 65535,
                                      .cookies_max = 65535,
                                      .query_params_max = 65535 };
  OCF_ASSERT(ocf_h1_parse_request(&again, b.p, b.n, &wide) == 0 || b.n > 65535);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_h1_scan s = { 0 };
  struct ocf_h1_head h;
  const int rc = ocf_h1_scan_head(&s, d, n, true, &lim);

  check_scan(&s, rc, d, n);
  (void)!ocf_h1_parse_request(&h, d, n, &lim); /* any bytes, not only delimited ones */
  if (rc != 0)
    return 0;
  uint8_t *copy =
      malloc(s.end - s.begin); /* exactly its size, so that ASan sees any step past it */
  OCF_ASSERT(copy != NULL);
  memcpy(copy, d + s.begin, s.end - s.begin);
  if (ocf_h1_parse_request(&h, copy, s.end - s.begin, &lim) == 0)
    check_head(&h);
  if (h.error == OCF_H1_E_NONE && h.n_fields > 0)
    check_edits(&h, d, n);
  if (h.error != OCF_H1_E_NONE)
    OCF_ASSERT(ocf_h1_error_status(h.error) >= 400);
  free(copy);
  return 0;
}
