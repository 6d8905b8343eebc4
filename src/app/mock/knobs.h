/* How a caller makes the mock slow, large or broken: one query-shaped text, from the request
 * target's query or from the field X-Mock (which is read second and wins):
 *
 *   delay_ms=N       before the answer begins
 *   gap_ms=N         between tokens, in place of --token-delay
 *   chunks=N         exactly N tokens, whatever the request's limit
 *   size=N           each token is padded to N bytes (early: the body's length)
 *   n=N              bytes: the body's length
 *   status=N         answers with this status, in the API's error form when it is 400 or more
 *   head_first=1     sends the head of the answer before delay_ms
 *   die_early=1      the connection is reset in place of an answer
 *   die_after=N      after N chunks the connection is reset
 *   close_after=N    after N chunks it is closed in order, with the framing not ended
 *   silent_after=N   after N chunks nothing more comes, and the connection stays open
 *   comment_ms=N     while silent, an SSE comment every N ms
 *   framing=F        length, chunked or close, for answers that are not streamed
 *
 * A chunk is a token of a stream or 64 KiB of /mock/bytes. An answer that is sent whole and is to
 * end early (die, close, silent; any N) is cut at half its body. Pure. */
#ifndef OCF_APP_MOCK_KNOBS_H
#define OCF_APP_MOCK_KNOBS_H

#include "base/core/core.h"
#include "http/h1/h1.h"

#define OCF_MOCK_NEVER UINT64_MAX /* of the *_after knobs: not asked for */

enum { OCF_MOCK_KNOB_CHUNKS_MAX = 1000000, OCF_MOCK_KNOB_SIZE_MAX = 65536 };

struct ocf_mock_knobs {
  uint64_t delay_ms, gap_ms; /* OCF_MOCK_NEVER: not given */
  uint64_t chunks;           /* 0: not given */
  uint64_t size, n;
  uint64_t die_after, close_after, silent_after;
  uint64_t comment_ms;
  unsigned status; /* 0: not given */
  bool head_first, die_early;
  bool has_framing;
  enum ocf_h1_framing framing;
};

/* Nothing asked for. */
void ocf_mock_knobs_init(struct ocf_mock_knobs *k);
/* Reads "a=1&b=2". Names that are none of the above are left alone (a query may be the API's own);
 * a known name with a value that is no number in its range is OCF_EINVAL with `*bad` a view of the
 * pair, `k` then holding what came before it. */
OCF_NODISCARD int ocf_mock_knobs_read(struct ocf_mock_knobs *k, struct ocf_bytes text,
                                      struct ocf_bytes *bad);

#endif
