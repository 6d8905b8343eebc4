/* Watches a text/event-stream body go by, without copying or changing it, and makes the event that
 * tells a client of the OpenAI API that its stream was cut.
 *
 * Lines end with LF, CR LF or CR (WHATWG HTML, "Server-sent events"). A value without memory. */
#ifndef OCF_HTTP_H1_SSE_H
#define OCF_HTTP_H1_SSE_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "http/h1/write.h"

struct ocf_h1_sse {
  uint8_t line_n;    /* private: bytes of the current line, as far as they fit `line` */
  uint8_t line[13];  /* private: its first bytes */
  bool cr;           /* private: the last byte was a CR */
  bool open;         /* fields of an event came that no blank line has ended yet */
  bool done;         /* the line "data: [DONE]" was seen */
  uint64_t n_events; /* blank lines that ended an event */
};

void ocf_h1_sse_init(struct ocf_h1_sse *s);
/* Feeds the next payload bytes. True when they had anything but comments and blank lines: only then
 * may the time-out between chunks start anew. */
bool ocf_h1_sse_feed(struct ocf_h1_sse *s, const uint8_t *p, size_t n);
/* True when everything so far ends at an event boundary: an inserted event cannot mix with another.
 */
bool ocf_h1_sse_at_boundary(const struct ocf_h1_sse *s);
/* Appends the terminal event  data: {"error":{…}}  with its blank line, on a line of its own after
 * what `s` (may be NULL) saw. Never "[DONE]": the owner aborts the framing afterwards.
 * 0, OCF_ELIMIT, OCF_ENOMEM; OCF_ESTATE when an event has begun and not ended: nothing can be said
 * then, for ending it would make its reader take the part for the whole, and what ends with the
 * stream inside an event is dropped by every reader. */
OCF_NODISCARD int ocf_h1_sse_error(struct ocf_buf *out, const struct ocf_h1_sse *s,
                                   const struct ocf_h1_problem *p);

#endif
