/* Configuration: one table of options (config/options.inc), four places a value may come from.
 *
 * Precedence, lowest first: default, YAML file, environment (OF_* below OCF_*), flag. A list given
 * in a higher place replaces that of a lower one. An unknown key or a bad value is an error that
 * names file and line, variable or flag, says what was expected, and suggests the nearest known
 * name; all errors are collected (up to a bound), so that a file is corrected in one go.
 *
 * ocf_conf_parse() is pure: it reads bytes, an environment and arguments that the caller gives it.
 * ocf_conf_load() is the same with the file read from disk. Nothing here is global; a struct
 * ocf_conf is a value that may be read by any thread once it is made.
 *
 * The modules below app/ never see this struct: the daemon copies what each needs. */
#ifndef OCF_APP_CONF_CONF_H
#define OCF_APP_CONF_CONF_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "base/mem/alloc.h"

enum {
  OCF_CONF_FILE_MAX = 1 << 20, /* bytes of a configuration file */
  OCF_CONF_DEPTH_MAX = 8,      /* nesting in it */
  OCF_CONF_VALUE_MAX = 4096,   /* bytes of one text value */
  OCF_CONF_LIST_MAX = 256,     /* entries of one list */
  OCF_CONF_SERVICES_MAX = 64,
  OCF_CONF_ERRORS_MAX = 16, /* errors told at once; more are counted */
};

/* Text that the configuration owns: v[0] .. v[n - 1], none NULL. */
struct ocf_conf_list {
  char **v;
  size_t n;
};

/* The enumerators of each choice, and the C types of the table's types. */
#include "../../../config/options.inc"
#define OCF_CONF_V(name, text) name,
enum ocf_conf_mode { OCF_CONF_CHOICES_MODE(OCF_CONF_V) OCF_CONF_MODE_N };
enum ocf_conf_role { OCF_CONF_CHOICES_ROLE(OCF_CONF_V) OCF_CONF_ROLE_N };
enum ocf_conf_leave { OCF_CONF_CHOICES_LEAVE(OCF_CONF_V) OCF_CONF_LEAVE_N };
enum ocf_conf_degree { OCF_CONF_CHOICES_DEGREE(OCF_CONF_V) OCF_CONF_DEGREE_N };
enum ocf_conf_policy { OCF_CONF_CHOICES_POLICY(OCF_CONF_V) OCF_CONF_POLICY_N };
enum ocf_conf_log_format { OCF_CONF_CHOICES_LOG_FORMAT(OCF_CONF_V) OCF_CONF_LOG_FORMAT_N };
#undef OCF_CONF_V

#define OCF_CONF_C_BOOL bool
#define OCF_CONF_C_U64 uint64_t
#define OCF_CONF_C_PORT uint16_t
#define OCF_CONF_C_SIZE uint64_t
#define OCF_CONF_C_DUR uint64_t
#define OCF_CONF_C_SECS uint64_t
#define OCF_CONF_C_STR char *
#define OCF_CONF_C_PATH char *
#define OCF_CONF_C_LEVELS char *
#define OCF_CONF_C_SECRET char *
#define OCF_CONF_C_LIST struct ocf_conf_list

/* One service of this node. After a load: name valid and unique; url checked and split; the health
 * fields never 0 or "". */
struct ocf_conf_service {
#define SERVICE(type, field, key, def, min, max, unit, help) OCF_CONF_C_##type field;
#include "../../../config/options.inc"
  char *host;      /* from url: name or address without brackets; "" for a unix socket */
  uint16_t port;   /* 0 for a unix socket */
  char *unix_path; /* "" when TCP */
};

/* Where a value came from, for messages about it. */
enum ocf_conf_source { OCF_CONF_DEFAULT, OCF_CONF_FILE, OCF_CONF_ENV, OCF_CONF_FLAG };

/* One name per row: OCF_CONF_OPT_tcpport, OCF_CONF_OPT_http_header_timeout_ns, … */
enum ocf_conf_opt {
#define OPT(type, field, key, def, min, max, unit, when, group, help) OCF_CONF_OPT_##field,
#define OPT_ENUM(choices, field, key, def, when, group, help) OCF_CONF_OPT_##field,
#include "../../../config/options.inc"
  OCF_CONF_OPT_N
};

/* The fields are the rows of config/options.inc: u64 for numbers, sizes (bytes) and durations
 * (_ns), uint16_t for ports, bool, char * (never NULL after a load), struct ocf_conf_list, int for
 * choices (enum ocf_conf_mode, …). */
struct ocf_conf {
  struct ocf_alloc *a;
#define OPT(type, field, key, def, min, max, unit, when, group, help) OCF_CONF_C_##type field;
#define OPT_ENUM(choices, field, key, def, when, group, help) int field;
#include "../../../config/options.inc"
  struct ocf_conf_service *services; /* n_services; that of service.name is the last */
  size_t n_services;
  /* Derived. */
  char *home;      /* $HOME, "" when not set */
  char *file_name; /* the file that was read, "" when none */
  struct {
    uint8_t source; /* enum ocf_conf_source */
    uint32_t line;  /* in the file, from 1 */
  } origin[OCF_CONF_OPT_N];
};

/* Errors and notes as lines of text for a person, each ended by '\n'; bounded. */
struct ocf_conf_report {
  char errors[8192];
  char notes[8192];
  size_t n_errors; /* all of them, those that did not fit included */
  size_t n_notes;
};

struct ocf_conf_input {
  struct ocf_bytes yaml;   /* n = 0: no file, or an empty one */
  const char *yaml_name;   /* for messages; NULL: no file */
  const char *const *env;  /* "NAME=value" …, ended by NULL; may be NULL */
  const char *const *args; /* flags and their values, without program and command */
  size_t n_args;
};

/* Makes `c` from the four places. 0; OCF_EINVAL with at least one line in r->errors; OCF_ENOMEM. On
 * failure `c` holds nothing; ocf_conf_fini() is harmless. `r` is written from scratch; notes (keys
 * without effect, unknown OCF_* variables) may be there on success too. Borrows everything in `in`
 * for the call. Text values that are too long, lists with too many entries, a file beyond its
 * bounds, and YAML anchors, aliases and tags are errors. */
OCF_NODISCARD int ocf_conf_parse(struct ocf_conf *c, struct ocf_alloc *a,
                                 const struct ocf_conf_input *in, struct ocf_conf_report *r);

/* As ocf_conf_parse(), with the file read: that of --config or OCF_CONFIG, which must exist, else
 * <config-dir>/cfg.yaml if it does. OCF_EIO (with a line in r->errors) when it cannot be read. */
OCF_NODISCARD int ocf_conf_load(struct ocf_conf *c, struct ocf_alloc *a, const char *const *env,
                                const char *const *args, size_t n_args, struct ocf_conf_report *r);

/* Frees what `c` owns; harmless on a zeroed or already freed one. */
void ocf_conf_fini(struct ocf_conf *c);

/* Where option `o` came from: "--listen", "OCF_LISTEN", "cfg.yaml:12" or "the default", for
 * messages about values that only their user can judge. Writes at most `cap` bytes, NUL included;
 * returns dst. */
const char *ocf_conf_where(const struct ocf_conf *c, enum ocf_conf_opt o, char *dst, size_t cap);

/* Swaps with `next` every value whose row says LIVE and returns how many of them differed. What
 * differs in a RESTART row stays, and its key is noted in `r`, which is written from scratch.
 * Services stay. The caller still frees `next`. */
size_t ocf_conf_reload(struct ocf_conf *c, struct ocf_conf *next, struct ocf_conf_report *r);

/* The value of option `o` in the text form of the table, without a secret's content. 0, OCF_ENOMEM,
 * OCF_ELIMIT. */
OCF_NODISCARD int ocf_conf_show(const struct ocf_conf *c, enum ocf_conf_opt o, struct ocf_buf *out);

/* ---- the table itself ---- */

enum ocf_conf_type {
  OCF_CONF_T_BOOL,
  OCF_CONF_T_U64,
  OCF_CONF_T_PORT,
  OCF_CONF_T_SIZE,
  OCF_CONF_T_DUR,
  OCF_CONF_T_SECS,
  OCF_CONF_T_STR,
  OCF_CONF_T_PATH,
  OCF_CONF_T_LEVELS,
  OCF_CONF_T_SECRET,
  OCF_CONF_T_LIST,
  OCF_CONF_T_ENUM,
};

/* One row. */
struct ocf_conf_row {
  enum ocf_conf_type type;
  const char *field, *key, *def;
  uint64_t min, max;
  const char *unit;
  bool live;
  const char *group, *help;
  const char *const *choices; /* ENUM: names in the enumerators' order, ended by NULL */
  size_t offset;              /* in struct ocf_conf or struct ocf_conf_service */
};

/* OCF_CONF_OPT_N rows, indexed by enum ocf_conf_opt. */
const struct ocf_conf_row *ocf_conf_rows(void);
/* The rows of one entry of `services`; their count in `*n`. */
const struct ocf_conf_row *ocf_conf_service_rows(size_t *n);
/* The environment name of a key: "http.header_timeout" gives "OCF_HTTP_HEADER_TIMEOUT". */
void ocf_conf_env_name(const char *prefix, const char *key, char *dst, size_t cap);

/* ---- generated texts ---- */

/* The part of `ocf start --help` that lists the options, by group. 0, OCF_ENOMEM, OCF_ELIMIT. */
OCF_NODISCARD int ocf_conf_write_help(struct ocf_buf *out);
/* docs/configuration.md, whole. */
OCF_NODISCARD int ocf_conf_write_reference(struct ocf_buf *out);
/* A commented sample of cfg.yaml that sets nothing. */
OCF_NODISCARD int ocf_conf_write_sample(struct ocf_buf *out);
/* JSON Schema (2020-12) of cfg.yaml. */
OCF_NODISCARD int ocf_conf_write_schema(struct ocf_buf *out);

#endif
