/* First byte: how the body is cut; second: the bound in units of 16 bytes (0: none that counts);
 * the rest is the body. Oracle: any cut gives what the whole gives; the whole gives what a naive
 * reading of the parsed document gives; what is known does not become unknown but by an error. */
#include "route/body/body_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void feed_cut(struct ocf_body *b, struct ocf_bytes body, size_t step)
{
  enum ocf_body_state last = b->state;
  while (body.n > 0) {
    size_t n = OCF_MIN(step, body.n);
    enum ocf_body_state st = ocf_body_feed(b, ocf_bytes(body.p, n));
    OCF_ASSERT(st == b->state);
    OCF_ASSERT(last < OCF_BODY_BOUND || st == last);
    OCF_ASSERT(last != OCF_BODY_KNOWN || st != OCF_BODY_MORE);
    OCF_ASSERT(last != OCF_BODY_DONE || st == OCF_BODY_DONE || st == OCF_BODY_NOT_JSON);
    body = ocf_bytes(body.p + n, body.n - n);
    last = st;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static struct ocf_body whole, cut;
  if (n < 2 || n > BODY_CHECK_BUF)
    return 0;
  size_t step = 1 + d[0] % 64u, scan_max = d[1] == 0 ? OCF_BODY_SCAN_MAX : 16u * d[1];
  struct ocf_bytes body = ocf_bytes(d + 2, n - 2);
  ocf_body_init(&whole, body_check_keys, BODY_CHECK_KEYS, scan_max);
  ocf_body_init(&cut, body_check_keys, BODY_CHECK_KEYS, scan_max);
  (void)ocf_body_feed(&whole, body);
  feed_cut(&cut, body, step);
  body_check_same(&whole, &cut);
  enum ocf_body_state st = ocf_body_end(&whole);
  OCF_ASSERT(st == ocf_body_end(&cut));
  OCF_ASSERT(st == OCF_BODY_DONE || st == OCF_BODY_BOUND || st == OCF_BODY_NOT_JSON);
  body_check_same(&whole, &cut);
  if (body.n <= scan_max)
    body_check(&whole, body);
  return 0;
}
