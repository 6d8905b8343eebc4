/* The first three bytes choose the chunk size, the bound on strings and what is skipped; the rest
 * is the text. Oracle: chunked gives the tokens and the verdict of the whole; both agree with an
 * independent reader; every token lies where it says, and nested within its container; skipping
 * ends exactly where reading would have. */

#include "fmt/jscan/jscan_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static char lines_a[JSCAN_CHECK_OUT], lines_b[JSCAN_CHECK_OUT];

static void check_number(struct ocf_bytes text)
{
  int64_t v = 0;
  double f = 0;
  char back[32];
  int rc = ocf_jscan_i64(text, &v);
  OCF_ASSERT(rc == 0 || rc == OCF_EINVAL || rc == OCF_ERANGE);
  if (rc == 0 && !ocf_bytes_eq(text, OCF_STR("-0"))) {
    int len = snprintf(back, sizeof(back), "%" PRId64, v);
    OCF_ASSERT(ocf_bytes_eq(ocf_bytes(back, (size_t)len), text));
  }
  rc = ocf_jscan_double(text, &f);
  OCF_ASSERT(rc == 0 || rc == OCF_ERANGE || text.n > OCF_JSCAN_NUMBER_MAX);
}

/* Reads all, skipping what the bits of `pattern` say, and checks places and order. */
static int read_skipping(struct ocf_bytes text, uint8_t pattern, uint64_t *end)
{
  uint8_t buf[64];
  struct ocf_jscan s;
  struct ocf_jscan_token t = { .kind = OCF_JSCAN_NULL };
  struct ocf_bytes in = text;
  uint64_t last = 0;
  unsigned n = 0;
  int rc;
  ocf_jscan_init(&s, buf, sizeof(buf), OCF_JSCAN_DEPTH_DEFAULT);
  while ((rc = ocf_jscan_pull(&s, &in, &t)) > 0 && t.kind != OCF_JSCAN_END) {
    OCF_ASSERT(t.begin >= last && t.end > t.begin && t.end <= text.n);
    OCF_ASSERT(t.depth <= OCF_JSCAN_DEPTH_DEFAULT);
    if (t.kind == OCF_JSCAN_NUMBER && !t.truncated)
      check_number(t.text);
    bool may = t.kind == OCF_JSCAN_KEY || t.kind == OCF_JSCAN_OBJECT || t.kind == OCF_JSCAN_ARRAY;
    last = t.end;
    if (may && (pattern >> n++ % 8 & 1) != 0) {
      ocf_jscan_skip(&s);
      last = t.kind == OCF_JSCAN_KEY ? t.end : t.begin;
    }
  }
  *end = ocf_jscan_offset(&s);
  return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  if (n < 3 || n > 4096)
    return 0;
  struct ocf_bytes text = ocf_bytes(d + 3, n - 3);
  size_t cap = d[1];
  struct jscan_lines a = { lines_a, 0 }, b = { lines_b, 0 };
  uint64_t offset, again;
  int rc = jscan_lines(text, 0, cap, OCF_JSCAN_DEPTH_DEFAULT, &a, &offset);
  OCF_ASSERT(jscan_lines(text, 1u + d[0] % 16, cap, OCF_JSCAN_DEPTH_DEFAULT, &b, &again) == rc);
  OCF_ASSERT(offset == again && a.n == b.n && memcmp(a.p, b.p, a.n) == 0);
  b.n = 0;
  OCF_ASSERT(jscan_check(text, cap, OCF_JSCAN_DEPTH_DEFAULT, &b) == (rc == 1));
  OCF_ASSERT(rc != 1 || (a.n == b.n && memcmp(a.p, b.p, a.n) == 0));
  OCF_ASSERT(read_skipping(text, d[2], &again) == rc && offset == again);
  for (size_t i = 0; i < 4 && i < text.n; i++) /* any bytes as a number and a name */
    (void)ocf_jscan_key_is(ocf_bytes(text.p, i), "ks_id");
  return 0;
}
