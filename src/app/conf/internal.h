/* What the files of app/conf share; nobody else includes it. */
#ifndef OCF_APP_CONF_INTERNAL_H
#define OCF_APP_CONF_INTERNAL_H

#include "app/conf/conf.h"
#include "base/str/fmt.h"

enum { OCF_CONF_KEY_MAX = 128 }; /* bytes of a dotted key, NUL included */

/* Where a value stands, for messages. */
struct ocf_conf_place {
  enum ocf_conf_source source;
  const char *name; /* file name, variable or key of the flag */
  size_t line;      /* file only */
};

/* A load under way. Errors in values are collected in `r` and do not stop it. */
struct ocf_conf_load {
  struct ocf_conf *c;
  struct ocf_conf_report *r;
  const char *home; /* "" when not known */
  enum ocf_conf_source services_from;
  struct {
    const char *key; /* IGNORED rows met with a value of their own, for one note per source */
  } ignored[64];
  size_t n_ignored;
};

/* ---- table.c ---- */

/* A key that is accepted and has no effect. */
struct ocf_conf_ignored {
  enum ocf_conf_type type;
  const char *key, *def, *why;
};

enum ocf_conf_kind { OCF_CONF_UNKNOWN, OCF_CONF_OPTION, OCF_CONF_IGNORED, OCF_CONF_SERVICES };
struct ocf_conf_found {
  enum ocf_conf_kind kind;
  enum ocf_conf_opt opt;                  /* OCF_CONF_OPTION */
  const struct ocf_conf_ignored *ignored; /* OCF_CONF_IGNORED */
};

/* Looks up a key, an alias or an ignored key; '-' and '_' are the same, and with `env` '.' too and
 * case does not matter. */
struct ocf_conf_found ocf_conf_find(struct ocf_bytes key, bool env);
/* Whether some key begins with `key` and a dot. */
bool ocf_conf_is_section(struct ocf_bytes key);
/* The known key that is nearest to `key`, NULL when none is near. */
const char *ocf_conf_nearest(struct ocf_bytes key);
/* The same among the keys of a service. */
const char *ocf_conf_nearest_service_key(struct ocf_bytes key);
/* The aliases of the table, one at a time: false at the end. */
bool ocf_conf_alias(size_t i, const char **key, const char **of);
const struct ocf_conf_ignored *ocf_conf_ignored_rows(size_t *n);

/* ---- value.c ---- */

/* Sets the field of `row` in `base` (a struct ocf_conf or ocf_conf_service) from text that is not
 * empty. A LIST is appended to. 0; OCF_EINVAL with what was expected in `want`; OCF_ENOMEM. */
OCF_NODISCARD int ocf_conf_set(struct ocf_alloc *a, const struct ocf_conf_row *row, void *base,
                               struct ocf_bytes text, const char *home, struct ocf_fmt *want);
/* The row's default. */
OCF_NODISCARD int ocf_conf_set_default(struct ocf_alloc *a, const struct ocf_conf_row *row,
                                       void *base, const char *home);
/* Frees what the field holds and zeroes it. */
void ocf_conf_clear(struct ocf_alloc *a, const struct ocf_conf_row *row, void *base);
bool ocf_conf_same(const struct ocf_conf_row *row, const void *base_a, const void *base_b);
void ocf_conf_swap(const struct ocf_conf_row *row, void *base_a, void *base_b);
/* The value as text; `redact` hides a SECRET. */
OCF_NODISCARD int ocf_conf_print(const struct ocf_conf_row *row, const void *base,
                                 struct ocf_buf *out);
/* A copy of `s` with a NUL. NULL when out of memory. */
char *ocf_conf_strdup(struct ocf_alloc *a, struct ocf_bytes s);
void ocf_conf_strfree(struct ocf_alloc *a, char *s);
OCF_NODISCARD int ocf_conf_list_add(struct ocf_alloc *a, struct ocf_conf_list *l,
                                    struct ocf_bytes s);
void ocf_conf_list_fini(struct ocf_alloc *a, struct ocf_conf_list *l);
/* What a value of this row looks like: "a duration such as 10s, from 100ms to 24h". */
void ocf_conf_expect(const struct ocf_conf_row *row, struct ocf_fmt *out);

/* ---- report.c ---- */

/* Adds one error line "<place>: <text>". */
void ocf_conf_error(struct ocf_conf_report *r, const struct ocf_conf_place *p, const char *fmt, ...)
    OCF_PRINTF(3, 4);
void ocf_conf_note(struct ocf_conf_report *r, const char *fmt, ...) OCF_PRINTF(2, 3);
/* `s` escaped and at most about 60 bytes of it, for a message. The array is the caller's. */
struct ocf_conf_quote {
  char t[160];
};
const char *ocf_conf_quote(struct ocf_conf_quote *q, struct ocf_bytes s);

/* ---- conf.c ---- */

/* One value for an option, from a place above the default. Handles the empty text and replaces a
 * list of a lower place. Never fails but for OCF_ENOMEM: bad values are reported. */
OCF_NODISCARD int ocf_conf_take(struct ocf_conf_load *l, enum ocf_conf_opt o, struct ocf_bytes text,
                                const struct ocf_conf_place *p);
/* A value for a key without effect: noted when it is not the Go node's default. */
void ocf_conf_take_ignored(struct ocf_conf_load *l, const struct ocf_conf_ignored *row,
                           struct ocf_bytes text);
void ocf_conf_unknown(struct ocf_conf_load *l, const char *what, struct ocf_bytes key,
                      const char *shown, const struct ocf_conf_place *p);

/* As ocf_conf_parse(), for the paths in `c` alone: values that are wrong or do not fit together are
 * no failure, since a file may still be to come. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_conf_parse_paths(struct ocf_conf *c, struct ocf_alloc *a,
                                       const struct ocf_conf_input *in, struct ocf_conf_report *r);

/* ---- service.c ---- */

/* Begins one more entry. NULL when out of memory (*err) or at the bound (reported, *err 0). */
struct ocf_conf_service *ocf_conf_service_add(struct ocf_conf_load *l,
                                              const struct ocf_conf_place *p, int *err);
/* One key of an entry. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_conf_service_take(struct ocf_conf_load *l, struct ocf_conf_service *s,
                                        struct ocf_bytes key, struct ocf_bytes text,
                                        const struct ocf_conf_place *p);
/* "name=llm,url=http://127.0.0.1:8000[,…]", several of them separated by semicolons. */
OCF_NODISCARD int ocf_conf_services_text(struct ocf_conf_load *l, struct ocf_bytes text,
                                         const struct ocf_conf_place *p);
/* Checks a finished entry and splits its URL. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_conf_service_check(struct ocf_conf_load *l, struct ocf_conf_service *s,
                                         const struct ocf_conf_place *p);
/* service.name and service.port as an entry of their own; inherited defaults; names unique. */
OCF_NODISCARD int ocf_conf_services_finish(struct ocf_conf_load *l);
void ocf_conf_services_clear(struct ocf_conf *c);

/* ---- yaml.c ---- */

/* Reads the whole file. 0; OCF_ENOMEM; errors are reported. */
OCF_NODISCARD int ocf_conf_read_yaml(struct ocf_conf_load *l, struct ocf_bytes yaml,
                                     const char *name);

#endif
