/* Any bytes as an event stream, and as the texts of an error. Oracle: the same findings in one
 * piece and byte by byte, a boundary after the error event, and error bodies without a raw control
 * character. */
#include <stdlib.h>
#include <string.h>

#include "http/h1/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_error(struct ocf_h1_sse *s, const uint8_t *d, size_t n)
{
  struct ocf_alloc a;
  struct ocf_buf b;
  char *text = malloc(n + 1);
  const struct ocf_h1_problem p = { .status = 500, .message = text, .request_id = ocf_bytes(d, n) };

  OCF_ASSERT(text != NULL);
  if (n > 0)
    memcpy(text, d, n);
  text[n] = '\0';
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 1 << 24);
  const bool done = s->done;
  const bool clean = ocf_h1_sse_at_boundary(s);
  const uint64_t n_before = s->n_events;
  const int rc = ocf_h1_sse_error(&b, s, &p);
  OCF_ASSERT(rc == 0 || (rc == OCF_ESTATE && !clean && b.n == 0));
  for (size_t i = clean ? 0 : 1; i + 2 < b.n; i++)
    OCF_ASSERT(b.p[i] >= 0x20 && b.p[i] != 0x7f);
  (void)ocf_h1_sse_feed(s, b.p, b.n);
  OCF_ASSERT(s->done == done && s->n_events == n_before + (rc == 0));
  OCF_ASSERT(rc != 0 || ocf_h1_sse_at_boundary(s));
  ocf_buf_fini(&b);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_h1_sse a, b;
  bool content = false;

  ocf_h1_sse_init(&a);
  ocf_h1_sse_init(&b);
  const bool whole = ocf_h1_sse_feed(&a, d, n);
  for (size_t i = 0; i < n; i++)
    content = ocf_h1_sse_feed(&b, d + i, 1) || content;
  OCF_ASSERT(whole == content && a.done == b.done && a.open == b.open && a.n_events == b.n_events);
  OCF_ASSERT(ocf_h1_sse_at_boundary(&a) == ocf_h1_sse_at_boundary(&b));
  check_error(&a, d, n < 4096 ? n : 4096);
  return 0;
}
