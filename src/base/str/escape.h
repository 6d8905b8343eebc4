/* Untrusted bytes as text that cannot lie: one escaping for JSON strings and for log lines.
 *
 * Left as they are: printable ASCII and well-formed UTF-8. Escaped: the quote, the backslash,
 * control characters (C0, DEL, C1), line and paragraph separators and the marks that reorder text
 * on a terminal. Each byte that is not part of well-formed UTF-8 becomes \ufffd. The result is
 * valid inside a JSON string (RFC 8259 section 7) and itself valid UTF-8. */
#ifndef OCF_BASE_STR_ESCAPE_H
#define OCF_BASE_STR_ESCAPE_H

#include "base/core/core.h"
#include "base/str/fmt.h"

enum { OCF_ESCAPE_UNIT_MAX = 6 }; /* the longest escape of one character, \u0000 */

/* Reads one character at the front of `s` (s.n > 0) and sets `*cp`. Returns its length in bytes, 1
 * to 4, or 0 when the front is not well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF, nothing cut short). */
size_t ocf_utf8_next(struct ocf_bytes s, uint32_t *cp);
/* Whether all of `s` is well-formed UTF-8. */
bool ocf_utf8_ok(struct ocf_bytes s);

/* Appends `s` escaped, without the quotes around it. Returns how many bytes of `s` went in whole;
 * less than s.n when `f` is full, and then `f` is cut between two characters, never within one. */
size_t ocf_escape(struct ocf_fmt *f, struct ocf_bytes s);

#endif
