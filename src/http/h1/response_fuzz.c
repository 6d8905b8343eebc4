/* Any bytes as the head of an answer; the first byte chooses the method that it answers. Oracle: as
 * in request_fuzz.c. */
#include <stdlib.h>
#include <string.h>

#include "http/h1/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static const struct ocf_h1_limits lim = OCF_H1_LIMITS_DEFAULT;

static void check_head(const struct ocf_h1_head *h, enum ocf_h1_method to)
{
  static uint8_t out[160000];
  struct ocf_buf b = ocf_h1_fixed(out, sizeof(out));
  struct ocf_h1_head again;
  const struct ocf_h1_rewrite rw = { .framing = h->framing, .content_length = h->content_length };

  OCF_ASSERT(h->status >= 100 && h->status <= 599);
  OCF_ASSERT(h->framing != OCF_H1_FRAMING_CLOSE || !h->keep_alive);
  OCF_ASSERT(ocf_h1_write_response(&b, h, &rw) == 0);
  const int rc = ocf_h1_parse_response(&again, b.p, b.n, to, &lim);
  OCF_ASSERT(rc == 0 || again.error == OCF_H1_E_HEAD_TOO_LARGE ||
             again.error == OCF_H1_E_TOO_MANY_FIELDS);
  if (rc != 0)
    return;
  OCF_ASSERT(again.status == h->status && again.framing == h->framing);
  OCF_ASSERT(h->framing != OCF_H1_FRAMING_LENGTH || again.content_length == h->content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_h1_scan s = { 0 }, s2 = { 0 };
  struct ocf_h1_head h;
  const enum ocf_h1_method to = n > 0 && (d[0] & 1) != 0 ? OCF_H1_HEAD : OCF_H1_GET;
  int rc2 = OCF_EAGAIN;

  d += n > 0;
  n -= n > 0;
  const int rc = ocf_h1_scan_head(&s, d, n, false, &lim);
  for (size_t k = 1; k <= n && rc2 == OCF_EAGAIN; k++)
    rc2 = ocf_h1_scan_head(&s2, d, k, false, &lim);
  OCF_ASSERT(rc == rc2 && s.error == s2.error && s.end == s2.end);
  (void)!ocf_h1_parse_response(&h, d, n, to, &lim);
  if (rc != 0)
    return 0;
  uint8_t *copy = malloc(s.end);
  OCF_ASSERT(copy != NULL);
  memcpy(copy, d, s.end);
  if (ocf_h1_parse_response(&h, copy, s.end, to, &lim) == 0)
    check_head(&h, to);
  free(copy);
  return 0;
}
