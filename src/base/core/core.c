#include "base/core/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ocf_strerror(int err)
{
  switch (err) {
  case OCF_OK: return "ok";
#define X(name, value, text)                                                                       \
  case name: return text;
    OCF_ERRORS(X)
#undef X
  default: return "unknown error";
  }
}

const char *ocf_errname(int err)
{
  switch (err) {
  case OCF_OK: return "OCF_OK";
#define X(name, value, text)                                                                       \
  case name: return #name;
    OCF_ERRORS(X)
#undef X
  default: return "OCF_E?";
  }
}

void ocf_panic(const char *file, int line, const char *expr)
{
  (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
  abort();
}

bool ocf_bytes_eq(struct ocf_bytes a, struct ocf_bytes b)
{
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
