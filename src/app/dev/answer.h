/* A streamed chat answer as its text: server-sent events in, words out.
 *
 * Bounded: a line longer than OCF_DEV_LINE_MAX is an error. Pure; memory from the allocator. */
#ifndef OCF_APP_DEV_ANSWER_H
#define OCF_APP_DEV_ANSWER_H

#include "base/buf/buf.h"
#include "base/core/core.h"

enum { OCF_DEV_LINE_MAX = 64 * 1024 };

struct ocf_dev_answer {
  struct ocf_buf line;
  bool done;         /* the event [DONE] came */
  bool finished;     /* a choice gave a finish_reason */
  uint64_t n_events; /* with text */
  uint64_t n_tokens; /* as the usage says; 0 when it has not come */
  char error[256];   /* what an error event or bad input said; "" = none */
};

void ocf_dev_answer_init(struct ocf_dev_answer *a, struct ocf_alloc *alloc);
void ocf_dev_answer_fini(struct ocf_dev_answer *a);
/* Reads on; appends the text of the answer that came to `text`. 0; OCF_EPROTO with a->error set;
 * OCF_ENOMEM or OCF_ELIMIT from `text`. */
OCF_NODISCARD int ocf_dev_answer_feed(struct ocf_dev_answer *a, struct ocf_bytes data,
                                      struct ocf_buf *text);

#endif
