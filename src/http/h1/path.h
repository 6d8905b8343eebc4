/* Request paths: one reading for the router, the policy and the back end (V-78).
 *
 * ocf_h1_parse_request() has already run ocf_h1_path_check() on every path, so what remains for a
 * router is to walk the segments and compare their decoded form. The path is forwarded as it came,
 * never decoded and encoded again: what was checked is what the back end sees. Pure functions. */
#ifndef OCF_HTTP_H1_PATH_H
#define OCF_HTTP_H1_PATH_H

#include "base/core/core.h"

/* 0 when `path` is safe to route on, OCF_EINVAL otherwise. It must begin with '/', consist of
 * visible ASCII without '?', '#' and '\', and every percent-encoding must be complete. Refused in
 * encoded and plain form: "." and ".." segments (also between encoded slashes), '\', NUL and other
 * control characters; refused besides: bytes that are not UTF-8 once decoded (overlong forms
 * included) and double encoding (an escape among the decoded bytes, such as "%2541"). An encoded
 * slash is data inside its segment (model names have them). Empty segments and ';' parameters are
 * kept as they are. */
OCF_NODISCARD int ocf_h1_path_check(struct ocf_bytes path);

/* Takes the next segment off `*rest`: "/a/b" gives "a", then "b", and "/a/" gives "a", then "".
 * `*rest` must be empty or begin with '/'. False, and `*seg` untouched, at the end. Still encoded.
 */
bool ocf_h1_path_next(struct ocf_bytes *rest, struct ocf_bytes *seg);

/* Decodes one segment, once, under the rules of ocf_h1_path_check(), into dst[0..cap). Returns 0
 * with
 * `*n` set (dst is not terminated), OCF_EINVAL, or OCF_ELIMIT when `cap` is too small. */
OCF_NODISCARD int ocf_h1_path_decode(struct ocf_bytes seg, uint8_t *dst, size_t cap, size_t *n);

/* True when `seg` decodes to `text`. No allocation, no copy. */
bool ocf_h1_path_eq(struct ocf_bytes seg, struct ocf_bytes text);

#endif
