/* Tables of known fields. For the .c files of this module only. */
#ifndef OCF_HTTP_H1_NAMES_H
#define OCF_HTTP_H1_NAMES_H

#include "http/h1/h1.h"

/* The kinds of OCF_H1_KNOWN. */
enum { OCF_H1_KIND_END, OCF_H1_KIND_PINNED, OCF_H1_KIND_HOP, OCF_H1_KIND_FRAME };

extern const uint8_t ocf_h1_kinds[OCF_H1_F_COUNT];

/* As ocf_h1_field_find() for a token without '_'. */
enum ocf_h1_field_id ocf_h1_field_find_plain(const uint8_t *p, size_t n);

#endif
