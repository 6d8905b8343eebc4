/* Sizes and durations as people write them in options: "64KiB", "10MB", "1m30s", "500ms".
 *
 * Parsing takes nothing that formatting does not explain: no spaces, no fractions, no signs. What
 * formatting writes, parsing reads back to the same value. */
#ifndef OCF_BASE_STR_UNITS_H
#define OCF_BASE_STR_UNITS_H

#include "base/core/core.h"
#include "base/str/fmt.h"

enum { OCF_UNITS_TEXT_MAX = 48 }; /* room for any size or duration, NUL included */

/* Digits and a unit in any case: none or B (bytes), KB MB GB TB (powers of 1000), KiB MiB GiB TiB
 * (powers of 1024). 0, OCF_EINVAL, or OCF_ERANGE over 64 bits; `*out` is untouched on an error. */
OCF_NODISCARD int ocf_size_parse(struct ocf_bytes s, uint64_t *out);
/* In the largest power of 1024 that divides it: "64KiB", "1000B", "0B". */
void ocf_size_format(struct ocf_fmt *f, uint64_t n_bytes);

/* One or more of digits and a unit, each unit smaller than the one before: d h m s ms us ns; or
 * "0". Result in ns. 0, OCF_EINVAL, or OCF_ERANGE at or over OCF_TIME_NEVER; `*out` untouched on an
 * error. */
OCF_NODISCARD int ocf_duration_parse(struct ocf_bytes s, uint64_t *out_ns);
/* "1m30s", "500ms", "0s". */
void ocf_duration_format(struct ocf_fmt *f, uint64_t ns);

#endif
