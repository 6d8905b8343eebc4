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
  const uint8_t skip = ocf_h1_sse_at_boundary(s) ? 0 : 2;
  OCF_ASSERT(ocf_h1_sse_error(&b, s, &p) == 0);
  for (size_t i = skip; i + 2 < b.n; i++)
    OCF_ASSERT(b.p[i] >= 0x20 && b.p[i] != 0x7f);
  (void)ocf_h1_sse_feed(s, b.p, b.n);
  OCF_ASSERT(ocf_h1_sse_at_boundary(s) && (s->done == done || skip > 0));
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
