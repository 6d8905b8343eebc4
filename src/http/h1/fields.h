/* What the fields of a head add up to: framing, persistence, expectations. For the .c files of this
 * module only. */
#ifndef OCF_HTTP_H1_FIELDS_H
#define OCF_HTTP_H1_FIELDS_H

#include "http/h1/h1.h"

/* Takes the next element of a comma-separated list off `*rest`, without its outer whitespace; empty
 * elements are skipped (RFC 9110 section 5.6.1.2). False at the end. */
bool ocf_h1_list_next(struct ocf_bytes *rest, struct ocf_bytes *item);

/* Decide framing, keep_alive, expect_continue, upgrade, content_length and which fields are `hop`.
 * `twice` has the bits of ids that came more than once. OCF_H1_E_NONE when the head stands. */
enum ocf_h1_error ocf_h1_request_semantics(struct ocf_h1_head *h, uint64_t twice);
enum ocf_h1_error ocf_h1_response_semantics(struct ocf_h1_head *h, uint64_t twice,
                                            enum ocf_h1_method to);

#endif
