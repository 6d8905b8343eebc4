/* Text as views: comparing, trimming, splitting, numbers and hex, without copies and without
 * locale.
 *
 * Everything takes bytes that need no NUL and may hold anything. No state, no allocation; safe from
 * any thread. Results that are views point into the argument. */
#ifndef OCF_BASE_STR_STR_H
#define OCF_BASE_STR_STR_H

#include "base/core/core.h"

/* A view of a C string, which must not be NULL. */
struct ocf_bytes ocf_str(const char *s);
/* Equal to a C string, byte by byte. */
bool ocf_str_is(struct ocf_bytes a, const char *s);

/* ASCII letters compare without case, all other bytes as they are. */
bool ocf_str_eq_nocase(struct ocf_bytes a, struct ocf_bytes b);
bool ocf_str_is_nocase(struct ocf_bytes a, const char *s);
bool ocf_str_starts(struct ocf_bytes s, struct ocf_bytes prefix);
bool ocf_str_starts_nocase(struct ocf_bytes s, struct ocf_bytes prefix);
bool ocf_str_ends(struct ocf_bytes s, struct ocf_bytes suffix);
static inline uint8_t ocf_ascii_lower(uint8_t c)
{
  return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Without spaces and tabs (OWS of RFC 9110 section 5.6.3) at both ends. */
struct ocf_bytes ocf_str_trim(struct ocf_bytes s);
/* The position of the first byte `c` in `s`; s.n when there is none. */
size_t ocf_str_find(struct ocf_bytes s, uint8_t c);
/* Cuts the next part off the front of `*rest`: all up to the first `sep`, which is dropped, or all
 * that is left. Parts may be empty: "a,,b" has three, "" has one, "a," has two. False when nothing
 * is left to cut; begin with rest->p not NULL. */
bool ocf_str_split(struct ocf_bytes *rest, uint8_t sep, struct ocf_bytes *part);

/* Decimal digits only, at least one; no sign, no space, no prefix; leading zeros are allowed. 0,
 * OCF_EINVAL, OCF_ERANGE over `max`; `*out` is untouched on an error. */
OCF_NODISCARD int ocf_str_u64(struct ocf_bytes s, uint64_t max, uint64_t *out);
/* The same in hex, either case, without "0x". */
OCF_NODISCARD int ocf_str_hex_u64(struct ocf_bytes s, uint64_t max, uint64_t *out);

/* The value of a hex digit, either case; -1 for any other byte. */
static inline int ocf_hex_digit(uint8_t c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c = ocf_ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
/* Decodes pairs of hex digits into `out`. Returns the byte count, s.n / 2; or OCF_EINVAL for
 * anything that is not such pairs, OCF_ELIMIT when `cap` is too small. */
OCF_NODISCARD int ocf_hex_decode(struct ocf_bytes s, uint8_t *out, size_t cap);

#endif
