/* Test inputs: hex literals and files of the source tree (tests/vectors/…). */
#ifndef OCF_TESTING_VECTORS_H
#define OCF_TESTING_VECTORS_H

#include "testing/test.h"

static inline int ocf_test_nibble(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes hex, white space ignored, into `out`; anything else, or more than `cap` bytes, fails the
 * test. Returns the number of bytes. */
static inline size_t ocf_test_hex(const char *hex, uint8_t *out, size_t cap)
{
  size_t n = 0;
  int high = -1;
  for (; *hex != '\0'; hex++) {
    int v = ocf_test_nibble(*hex);
    if (v < 0 && strchr(" \t\r\n", *hex) == NULL)
      fail_msg("not hex: '%c'", *hex);
    if (v < 0)
      continue;
    if (high < 0) {
      high = v;
      continue;
    }
    if (n == cap)
      fail_msg("more than %zu bytes of hex", cap);
    out[n++] = (uint8_t)(high << 4 | v);
    high = -1;
  }
  assert_int_equal(high, -1);
  return n;
}

/* The bytes of a file named relative to the source tree, plus a NUL that is not counted in `*n`;
 * free() them. A file that cannot be read fails the test. */
static inline uint8_t *ocf_test_file(const char *name, size_t *n)
{
  char path[1024];
  (void)snprintf(path, sizeof(path), "%s/%s", OCF_SOURCE_DIR, name);
  FILE *f = fopen(path, "rb");
  if (f == NULL)
    fail_msg("cannot open %s", path);
  size_t cap = 4096, got = 0, len = 0;
  uint8_t *p = malloc(cap);
  assert_non_null(p);
  while ((got = fread(p + len, 1, cap - 1 - len, f)) > 0) {
    len += got;
    if (cap - 1 - len > 0)
      continue;
    cap *= 2;
    p = realloc(p, cap);
    assert_non_null(p);
  }
  assert_int_equal(ferror(f), 0);
  (void)fclose(f);
  p[len] = 0;
  *n = len;
  return p;
}

#endif
