/* An error for people: the code, what happened, and the cure. Filled by functions whose failure an
 * operator or a client will read; protocol cores return bare codes. A value, freely copied. */
#ifndef OCF_BASE_CORE_ERR_H
#define OCF_BASE_CORE_ERR_H

#include "base/core/core.h"

struct ocf_err {
  int code;       /* OCF_OK or one of OCF_ERRORS */
  char msg[320];  /* what happened, with the names and values involved; no trailing newline */
  char cure[192]; /* what to do about it, or empty */
};

/* Fills `e` (which may be NULL) and returns `code`, so that callers write `return ocf_err_set(…)`.
 * `cure` may be NULL. Longer texts are cut. */
int ocf_err_set(struct ocf_err *e, int code, const char *cure, const char *fmt, ...)
    OCF_PRINTF(4, 5);

#endif
