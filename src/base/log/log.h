/* Structured logging: one line per event, logfmt or JSON, level per module, changeable at run time.
 *
 * A logger is a value passed down; lines leave through its `write` hook (the driver's), already
 * formatted, escaped and bounded (OCF_LOG_LINE_MAX bytes, longer values are cut and marked).
 * Secrets are redacted by type: OCF_LOG_SECRET prints only a length. Library layers log at debug
 * only.
 *
 *   ts=2025-06-01T12:00:00.000Z level=info module=swarm msg="peer connected" rtt=0.412
 *   {"ts":"2025-06-01T12:00:00.000Z","level":"info","module":"swarm","msg":"peer
 * connected","rtt":0.412}
 *
 * A value that is cut ends in "...[cut N bytes]"; when fields did not fit the line, it ends with
 * cut=true. Belongs to one loop: levels are changed on the loop that logs. */
#ifndef OCF_BASE_LOG_LOG_H
#define OCF_BASE_LOG_LOG_H

#include "base/core/core.h"

enum ocf_log_level {
  OCF_LOG_TRACE,
  OCF_LOG_DEBUG,
  OCF_LOG_INFO,
  OCF_LOG_WARN,
  OCF_LOG_ERROR,
  OCF_LOG_OFF
};
enum ocf_log_format { OCF_LOG_LOGFMT, OCF_LOG_JSON };
enum {
  OCF_LOG_LINE_MAX = 2048, /* bytes of a line, the newline included */
  OCF_LOG_VALUE_MAX = 512, /* bytes of one value as printed, its cut mark and quotes not included */
  OCF_LOG_MODULES_MAX = 32
};

enum ocf_log_type {
  OCF_LOG_END,
  OCF_LOG_T_STR,   /* const char *, NULL prints as null; escaped like OCF_LOG_T_BYTES */
  OCF_LOG_T_BYTES, /* struct ocf_bytes as text, control characters and bad UTF-8 escaped */
  OCF_LOG_T_HEX,   /* struct ocf_bytes as hex */
  OCF_LOG_T_U64,
  OCF_LOG_T_I64,
  OCF_LOG_T_BOOL,
  OCF_LOG_T_MS,     /* a duration in ns, printed in ms with three decimals */
  OCF_LOG_T_ERR,    /* an error code, printed as its text */
  OCF_LOG_T_SECRET, /* struct ocf_bytes, printed as "[redacted N bytes]" */
};

/* `key` is a literal of [a-z0-9_.]; any other character in it prints as '_'. */
struct ocf_log_field {
  enum ocf_log_type type;
  const char *key;
  union {
    const char *s;
    struct ocf_bytes b;
    uint64_t u;
    int64_t i;
  } v;
};

/* clang-format off */
#define OCF_LOG_STR(k, x) { OCF_LOG_T_STR, (k), { .s = (x) } }
#define OCF_LOG_BYTES(k, x) { OCF_LOG_T_BYTES, (k), { .b = (x) } }
#define OCF_LOG_HEX(k, x) { OCF_LOG_T_HEX, (k), { .b = (x) } }
#define OCF_LOG_U64(k, x) { OCF_LOG_T_U64, (k), { .u = (uint64_t)(x) } }
#define OCF_LOG_I64(k, x) { OCF_LOG_T_I64, (k), { .i = (int64_t)(x) } }
#define OCF_LOG_BOOL(k, x) { OCF_LOG_T_BOOL, (k), { .u = (x) ? 1 : 0 } }
#define OCF_LOG_MS(k, x) { OCF_LOG_T_MS, (k), { .u = (x) } }
#define OCF_LOG_ERR(k, x) { OCF_LOG_T_ERR, (k), { .i = (x) } }
#define OCF_LOG_SECRET(k, x) { OCF_LOG_T_SECRET, (k), { .b = (x) } }
/* clang-format on */

struct ocf_log {
  enum ocf_log_format format;
  enum ocf_log_level level; /* of modules that are not in the list below */
  struct {
    char name[16];
    enum ocf_log_level level;
  } modules[OCF_LOG_MODULES_MAX];
  size_t n_modules;
  uint64_t (*wall_ns)(void *ctx); /* unix time in ns for the line's stamp; NULL: none */
  void (*write)(void *ctx, const char *line, size_t n); /* one line, newline included, no NUL */
  void *ctx;
};

/* Level info, logfmt, no sink (lines are dropped until `write` is set). */
void ocf_log_init(struct ocf_log *l);
/* Sets levels from a list such as "info,swarm=debug,http=warn": a bare level for every module that
 * is not named (kept as it is when the list has none), and module=level pairs, which replace all
 * former pairs. Spaces around items are allowed. 0, or OCF_EINVAL and nothing changed: an unknown
 * level, an empty item, a name given twice or over 15 bytes, more than OCF_LOG_MODULES_MAX names.
 */
OCF_NODISCARD int ocf_log_set_levels(struct ocf_log *l, const char *spec);
/* "trace" … "off"; never NULL. */
const char *ocf_log_level_name(enum ocf_log_level level);
/* The level of `module`. */
enum ocf_log_level ocf_log_level_of(const struct ocf_log *l, const char *module);

/* Whether a line of this module and level would be written. `l` may be NULL. */
static inline bool ocf_log_on(const struct ocf_log *l, const char *module, enum ocf_log_level level)
{
  if (l == NULL || l->write == NULL || level == OCF_LOG_OFF)
    return false;
  return level >= (l->n_modules == 0 ? l->level : ocf_log_level_of(l, module));
}

/* Writes one line, if the level is on. `fields` is a list that ends with type OCF_LOG_END, or NULL.
 * `l` may be NULL. */
void ocf_log_emit(const struct ocf_log *l, const char *module, enum ocf_log_level level,
                  const char *msg, const struct ocf_log_field *fields);

/* OCF_LOGF(log, "swarm", OCF_LOG_INFO, "peer connected", OCF_LOG_STR("peer", id), …): the arguments
 * are evaluated only when the level is on. At least one field; OCF_LOG(l, module, lvl, msg) has
 * none. */
#define OCF_LOGF(l, module, lvl, msg, ...)                                                         \
  do {                                                                                             \
    if (ocf_log_on((l), (module), (lvl)))                                                          \
      ocf_log_emit(                                                                                \
          (l), (module), (lvl), (msg),                                                             \
          (const struct ocf_log_field[]){ __VA_ARGS__, { OCF_LOG_END, NULL, { .u = 0 } } });       \
  } while (0)
#define OCF_LOG(l, module, lvl, msg) ocf_log_emit((l), (module), (lvl), (msg), NULL)

#endif
