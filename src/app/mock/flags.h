/* Flags of the small commands (dev, mock-openai), from a table: "--name value", "--name=value", and
 * for switches "--name" alone. `ocf start` has its own, larger table (app/conf).
 *
 * Pure: reads the arguments it is given and writes where the rows point. */
#ifndef OCF_APP_MOCK_FLAGS_H
#define OCF_APP_MOCK_FLAGS_H

#include "base/core/core.h"
#include "base/core/err.h"

enum ocf_flag_type {
  OCF_FLAG_BOOL, /* bool *: set by its presence, or =true, =false */
  OCF_FLAG_PORT, /* uint16_t *: 0..65535 */
  OCF_FLAG_U64,  /* uint64_t *: min..max */
  OCF_FLAG_DUR,  /* uint64_t * in ns: 20ms, 1m30s, 0 */
  OCF_FLAG_STR,  /* const char **: not empty; borrowed from the arguments */
  OCF_FLAG_LIST, /* struct ocf_flag_list *: repeatable */
};

/* `v` has room for `max`; the first value given replaces what stood there as the default. */
struct ocf_flag_list {
  const char **v;
  size_t n, max;
  bool given;
};

struct ocf_flag {
  enum ocf_flag_type type;
  const char *name;  /* without the dashes */
  void *out;         /* of the type named above; untouched unless the flag is given */
  bool *given;       /* set when it is given; may be NULL */
  uint64_t min, max; /* U64 only */
  const char *value; /* what the usage calls the value: "PORT" */
  const char *help;
};

/* Reads all of `args`. 0; OCF_ECANCELED when --help or -h is among them (nothing else was judged);
 * OCF_EINVAL with `err` naming the flag, what was expected and, for an unknown one, the usage. */
OCF_NODISCARD int ocf_flags_parse(const struct ocf_flag *flags, size_t n_flags,
                                  const char *const *args, size_t n_args, struct ocf_err *err);

/* Writes one line per flag for --help into dst[0..cap), cut to fit and terminated. */
void ocf_flags_help(const struct ocf_flag *flags, size_t n_flags, char *dst, size_t cap);

#endif
