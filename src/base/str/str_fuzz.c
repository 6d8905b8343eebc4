/* Text functions on any bytes: what they accept reads back to the same, what they write is
 * well-formed. */
#include <stdlib.h>
#include <string.h>

#include "base/str/escape.h"
#include "base/str/str.h"
#include "base/str/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_units(struct ocf_bytes s)
{
  char text[OCF_UNITS_TEXT_MAX];
  struct ocf_fmt f;
  uint64_t v = 0, again = 0;
  if (ocf_size_parse(s, &v) == 0) {
    ocf_fmt_init(&f, text, sizeof(text));
    ocf_size_format(&f, v);
    OCF_ASSERT(!f.cut && ocf_size_parse(ocf_fmt_view(&f), &again) == 0 && again == v);
  }
  if (ocf_duration_parse(s, &v) == 0) {
    ocf_fmt_init(&f, text, sizeof(text));
    ocf_duration_format(&f, v);
    OCF_ASSERT(!f.cut && ocf_duration_parse(ocf_fmt_view(&f), &again) == 0 && again == v);
  }
}

static void check_numbers(struct ocf_bytes s)
{
  uint8_t bytes[64];
  char text[2 * sizeof(bytes) + 1];
  struct ocf_fmt f;
  uint64_t v = 0;
  ocf_fmt_init(&f, text, sizeof(text));
  if (ocf_str_u64(s, UINT64_MAX, &v) == 0) {
    while (s.n > 1 && s.p[0] == '0')
      s = ocf_bytes(s.p + 1, s.n - 1);
    ocf_fmt_u64(&f, v);
    OCF_ASSERT(ocf_bytes_eq(ocf_fmt_view(&f), s));
    ocf_fmt_rewind(&f, 0);
  }
  int n = ocf_hex_decode(s, bytes, sizeof(bytes));
  if (n >= 0) {
    ocf_fmt_hex(&f, ocf_bytes(bytes, (size_t)n));
    OCF_ASSERT(ocf_str_eq_nocase(ocf_fmt_view(&f), s));
  }
}

static void check_escape(struct ocf_bytes s, size_t cap)
{
  char *text = malloc(cap); /* on the heap, so that ASan guards its end */
  struct ocf_fmt f;
  OCF_ASSERT(text != NULL);
  ocf_fmt_init(&f, text, cap);
  size_t done = ocf_escape(&f, s);
  OCF_ASSERT(done <= s.n && (done == s.n) == !f.cut);
  OCF_ASSERT(ocf_utf8_ok(ocf_fmt_view(&f)));
  for (size_t i = 0; i < f.n; i++)
    OCF_ASSERT((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
  free(text);
}

static void check_split(struct ocf_bytes s)
{
  struct ocf_bytes rest = ocf_bytes(s.p, s.n), part;
  size_t sum = 0, parts = 0;
  for (; ocf_str_split(&rest, ',', &part); parts++) {
    OCF_ASSERT(ocf_str_find(part, ',') == part.n);
    sum += part.n;
  }
  OCF_ASSERT(s.p == NULL || sum + parts - 1 == s.n);
  part = ocf_str_trim(s);
  OCF_ASSERT(part.n <= s.n && ocf_str_trim(part).n == part.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_bytes s = ocf_bytes(d, n);
  check_units(s);
  check_numbers(s);
  check_escape(s, 6 * n + 1);
  check_escape(s, n > 0 ? 1 + d[0] % 40u : 1);
  check_split(s);
  return 0;
}
