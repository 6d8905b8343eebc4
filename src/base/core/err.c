#include "base/core/err.h"

#include <stdarg.h>
#include <stdio.h>

int ocf_err_set(struct ocf_err *e, int code, const char *cure, const char *fmt, ...)
{
  if (e == NULL)
    return code;
  va_list ap;
  e->code = code;
  va_start(ap, fmt);
  (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
  va_end(ap);
  (void)snprintf(e->cure, sizeof(e->cure), "%s", cure != NULL ? cure : "");
  return code;
}
