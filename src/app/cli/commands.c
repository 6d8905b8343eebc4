#define _POSIX_C_SOURCE 200809L
#include "app/cli/commands.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/cli/keyfile.h"
#include "app/cli/version.h"
#include "base/log/log.h"
#include "base/str/escape.h"
#include "base/str/str.h"
#include "multi/peerid/peerid.h"

enum { TEXT_MAX = 1 << 20 };

/* ---- what went wrong ---- */

static int fail(const struct ocf_cli *cli, const struct ocf_err *e, int exit_code)
{
  (void)fprintf(cli->err, "ocf: %s\n", e->msg);
  if (e->cure[0] != '\0')
    (void)fprintf(cli->err, "     %s\n", e->cure);
  return exit_code;
}

static int no_memory(const struct ocf_cli *cli)
{
  (void)fputs("ocf: out of memory\n", cli->err);
  return OCF_EXIT_FAILURE;
}

static int conf_failed(const struct ocf_cli *cli, int err, const struct ocf_conf_report *r)
{
  if (err == OCF_ENOMEM)
    return no_memory(cli);
  (void)fputs(r->errors, cli->err);
  if (r->n_errors > OCF_CONF_ERRORS_MAX)
    (void)fprintf(cli->err, "... and %zu more\n", r->n_errors - OCF_CONF_ERRORS_MAX);
  return OCF_EXIT_CONFIG;
}

/* 0, or an exit code after everything was said. */
static int load(const struct ocf_cli *cli, struct ocf_alloc *a, const char *const *args,
                size_t n_args, struct ocf_conf *c, struct ocf_conf_report *r)
{
  ocf_alloc_init(a);
  int err = ocf_conf_load(c, a, cli->env, args, n_args, r);
  return err != 0 ? conf_failed(cli, err, r) : 0;
}

/* Writes a text that `make` appends to a buffer. */
static int print(const struct ocf_cli *cli, int (*make)(struct ocf_buf *out))
{
  struct ocf_alloc a;
  struct ocf_buf b;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, TEXT_MAX);
  int err = make(&b);
  if (err == 0)
    (void)fwrite(b.p, 1, b.n, cli->out); /* ocf_cli_run() looks at the stream's state */
  ocf_buf_fini(&b);
  return err == 0 ? OCF_EXIT_OK : no_memory(cli);
}

/* ---- start ---- */

static uint64_t wall_ns(void *ctx)
{
  struct timespec ts;
  (void)ctx;
  (void)clock_gettime(CLOCK_REALTIME, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void write_line(void *ctx, const char *line, size_t n)
{
  (void)fwrite(line, 1, n, ctx);
}

/* Notes become log lines, so that a log collector can read everything on standard error. */
static void log_notes(const struct ocf_cli *cli, const struct ocf_conf *c,
                      const struct ocf_conf_report *r, const char *key_path, bool created)
{
  struct ocf_log log;
  struct ocf_bytes rest = ocf_str(r->notes), line;
  ocf_log_init(&log);
  log.format = c->log_format == OCF_CONF_LOG_FORMAT_JSON ? OCF_LOG_JSON : OCF_LOG_LOGFMT;
  log.wall_ns = wall_ns;
  log.write = write_line;
  log.ctx = cli->err;
  int err = ocf_log_set_levels(&log, c->log_level);
  OCF_ASSERT(err == 0); /* checked when it was loaded */
  while (ocf_str_split(&rest, '\n', &line))
    if (line.n > 0)
      OCF_LOGF(&log, "config", OCF_LOG_WARN, "note", OCF_LOG_BYTES("text", line));
  if (created)
    OCF_LOGF(&log, "config", OCF_LOG_INFO, "made a new key", OCF_LOG_STR("file", key_path));
}

static int start_exit(int code)
{
  if (code == 0)
    return OCF_EXIT_OK;
  if (code == OCF_EINUSE)
    return OCF_EXIT_IN_USE;
  return code == OCF_EINVAL ? OCF_EXIT_CONFIG : OCF_EXIT_FAILURE;
}

int ocf_cli_start(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  struct ocf_conf_report r;
  struct ocf_alloc a;
  struct ocf_conf c;
  struct ocf_key key;
  struct ocf_err e = { 0, "", "" };
  char path[OCF_KEYFILE_PATH_MAX];
  bool created;
  int rc = load(cli, &a, args, n_args, &c, &r);
  if (rc != 0)
    return rc;
  if (ocf_keyfile_open(&c, &a, true, &key, path, &created, &e) != 0) {
    rc = fail(cli, &e, OCF_EXIT_KEY);
  } else {
    log_notes(cli, &c, &r, path, created);
    int code =
        cli->ops->start(&c, &key, &(struct ocf_cli_from){ cli->env, args, n_args, created }, &e);
    rc = start_exit(code);
    if (code != 0)
      (void)fail(cli, &e, rc);
    ocf_key_fini(&key);
  }
  ocf_conf_fini(&c);
  return rc;
}

/* ---- init ---- */

static const char *id_text(const struct ocf_key *key, char dst[OCF_PEERID_TEXT_SIZE])
{
  struct ocf_peerid id;
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(key)), &id);
  return ocf_peerid_text(&id, dst);
}

/* As load(), but a file that --config names may be yet to be made. */
static int load_for_init(const struct ocf_cli *cli, struct ocf_alloc *a, const char *const *args,
                         size_t n_args, struct ocf_conf *c, bool *has_file)
{
  struct ocf_conf_report r;
  struct stat st;
  struct ocf_conf_input in = { .env = cli->env, .args = args, .n_args = n_args };
  ocf_alloc_init(a);
  int err = ocf_conf_parse(c, a, &in, &r);
  if (err != 0)
    return conf_failed(cli, err, &r);
  *has_file = lstat(c->config, &st) == 0;
  if (!*has_file)
    return 0;
  ocf_conf_fini(c);
  err = ocf_conf_load(c, a, cli->env, args, n_args, &r);
  return err != 0 ? conf_failed(cli, err, &r) : 0;
}

static int write_sample(const struct ocf_conf *c, struct ocf_alloc *a, struct ocf_err *e)
{
  char dir[OCF_KEYFILE_PATH_MAX];
  struct ocf_fmt f;
  struct ocf_buf b;
  const char *slash = strrchr(c->config, '/');
  ocf_fmt_init(&f, dir, sizeof(dir));
  if (slash != NULL && slash != c->config)
    ocf_fmt_bytes(&f, c->config, (size_t)(slash - c->config));
  int err = dir[0] != '\0' ? ocf_keyfile_mkdirs(dir, e) : 0;
  if (err != 0)
    return err;
  ocf_buf_init(&b, a, TEXT_MAX);
  err = ocf_conf_write_sample(&b);
  if (err != 0)
    (void)ocf_err_set(e, err, NULL, "out of memory");
  else
    err = ocf_keyfile_write_new(c->config, ocf_buf_view(&b), e);
  ocf_buf_fini(&b);
  return err == OCF_EEXIST ? 0 : err; /* another `ocf init` was quicker */
}

int ocf_cli_init(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  struct ocf_alloc a;
  struct ocf_conf c;
  struct ocf_key key;
  struct ocf_err e = { 0, "", "" };
  char path[OCF_KEYFILE_PATH_MAX], id[OCF_PEERID_TEXT_SIZE];
  bool has_file = false, created;
  int rc = load_for_init(cli, &a, args, n_args, &c, &has_file);
  if (rc != 0)
    return rc;
  if (!has_file && write_sample(&c, &a, &e) != 0) {
    rc = fail(cli, &e, OCF_EXIT_FAILURE);
  } else {
    (void)fprintf(cli->out, "%s configuration  %s\n", has_file ? "kept" : "made", c.config);
    if (ocf_keyfile_open(&c, &a, true, &key, path, &created, &e) != 0) {
      rc = fail(cli, &e, OCF_EXIT_KEY);
    } else {
      (void)fprintf(cli->out, "%s key            %s\n", created ? "made" : "kept", path);
      (void)fprintf(cli->out, "peer id            %s\n", id_text(&key, id));
      ocf_key_fini(&key);
    }
  }
  ocf_conf_fini(&c);
  return rc;
}

/* ---- peer-id ---- */

int ocf_cli_peer_id(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  struct ocf_conf_report r;
  struct ocf_alloc a;
  struct ocf_conf c;
  struct ocf_key key;
  struct ocf_err e = { 0, "", "" };
  char path[OCF_KEYFILE_PATH_MAX], id[OCF_PEERID_TEXT_SIZE];
  bool created;
  int rc = load(cli, &a, args, n_args, &c, &r);
  if (rc != 0)
    return rc;
  if (ocf_keyfile_open(&c, &a, false, &key, path, &created, &e) != 0) {
    rc = fail(cli, &e, OCF_EXIT_KEY);
  } else {
    (void)fprintf(cli->out, "%s\n", id_text(&key, id));
    ocf_key_fini(&key);
  }
  ocf_conf_fini(&c);
  return rc;
}

/* ---- config ---- */

/* A double-quoted text, the same in YAML and JSON. */
static int quoted(struct ocf_buf *out, const char *s)
{
  char text[OCF_CONF_VALUE_MAX * OCF_ESCAPE_UNIT_MAX + 1];
  struct ocf_fmt f;
  ocf_fmt_init(&f, text, sizeof(text));
  (void)ocf_escape(&f, ocf_str(s));
  return ocf_buf_printf(out, "\"%s\"", text);
}

static int quoted_list(struct ocf_buf *out, const struct ocf_conf_list *l)
{
  int err = ocf_buf_add_u8(out, '[');
  for (size_t i = 0; err == 0 && i < l->n; i++) {
    err = ocf_buf_add_str(out, i > 0 ? ", " : "");
    if (err == 0)
      err = quoted(out, l->v[i]);
  }
  return err != 0 ? err : ocf_buf_add_u8(out, ']');
}

static int show_value(const struct ocf_conf *c, enum ocf_conf_opt o, struct ocf_buf *out)
{
  const struct ocf_conf_row *row = &ocf_conf_rows()[o];
  const void *field = (const char *)c + row->offset;
  switch (row->type) {
  case OCF_CONF_T_LIST: return quoted_list(out, field);
  case OCF_CONF_T_STR:
  case OCF_CONF_T_PATH:
  case OCF_CONF_T_LEVELS: return quoted(out, *(char *const *)field);
  case OCF_CONF_T_SECRET: return quoted(out, **(char *const *)field == '\0' ? "" : "[redacted]");
  case OCF_CONF_T_BOOL:
  case OCF_CONF_T_U64:
  case OCF_CONF_T_PORT:
  case OCF_CONF_T_SIZE:
  case OCF_CONF_T_DUR:
  case OCF_CONF_T_SECS:
  case OCF_CONF_T_ENUM: break;
  }
  return ocf_conf_show(c, o, out);
}

static int show_option(const struct ocf_conf *c, enum ocf_conf_opt o, struct ocf_buf *out)
{
  char where[OCF_KEYFILE_PATH_MAX];
  bool set = c->origin[o].source != OCF_CONF_DEFAULT;
  /* These two choose the file, so the file cannot hold them. */
  bool comment = o == OCF_CONF_OPT_config || o == OCF_CONF_OPT_config_dir;
  int err = ocf_buf_printf(out, "%s%s: ", comment ? "# " : "", ocf_conf_rows()[o].key);
  if (err == 0)
    err = show_value(c, o, out);
  if (err != 0)
    return err;
  return ocf_buf_printf(out, "%s%s\n", set ? "  # " : "",
                        set ? ocf_conf_where(c, o, where, sizeof(where)) : "");
}

/* The entries of `services`, without that of service.name, which its own options show. */
static int show_services(const struct ocf_conf *c, struct ocf_buf *out)
{
  size_t n = c->n_services - (c->service_name[0] != '\0' ? 1 : 0);
  int err = n > 0 ? ocf_buf_add_str(out, "services:\n") : 0;
  for (size_t i = 0; err == 0 && i < n; i++) {
    const struct ocf_conf_service *s = &c->services[i];
    err = ocf_buf_add_str(out, "  - name: ");
    if (err == 0)
      err = quoted(out, s->name);
    if (err == 0)
      err = ocf_buf_add_str(out, "\n    url: ");
    if (err == 0)
      err = quoted(out, s->url);
    if (err == 0)
      err = ocf_buf_add_str(out, "\n    health_path: ");
    if (err == 0)
      err = quoted(out, s->health_path);
    if (err == 0)
      err = ocf_buf_printf(out, "\n    health_interval: %lluns\n    health_failures: %llu\n",
                           (unsigned long long)s->health_interval_ns,
                           (unsigned long long)s->health_failures);
    if (err == 0)
      err = ocf_buf_add_str(out, "    identity_group: ");
    if (err == 0)
      err = quoted_list(out, &s->identity_groups);
    if (err == 0)
      err = ocf_buf_add_u8(out, '\n');
  }
  return err;
}

static int show_all(const struct ocf_cli *cli, const struct ocf_conf *c, struct ocf_alloc *a)
{
  struct ocf_buf b;
  ocf_buf_init(&b, a, 16 * TEXT_MAX);
  int err = 0;
  for (int i = 0; err == 0 && i < OCF_CONF_OPT_N; i++)
    err = show_option(c, (enum ocf_conf_opt)i, &b);
  if (err == 0)
    err = show_services(c, &b);
  if (err == 0)
    (void)fwrite(b.p, 1, b.n, cli->out);
  ocf_buf_fini(&b);
  return err == 0 ? OCF_EXIT_OK : no_memory(cli);
}

int ocf_cli_config(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  struct ocf_conf_report r;
  struct ocf_alloc a;
  struct ocf_conf c;
  if (n_args == 1 && strcmp(args[0], "--sample") == 0)
    return print(cli, ocf_conf_write_sample);
  if (n_args == 1 && strcmp(args[0], "--schema") == 0)
    return print(cli, ocf_conf_write_schema);
  if (n_args == 1 && strcmp(args[0], "--reference") == 0)
    return print(cli, ocf_conf_write_reference);
  int rc = load(cli, &a, args, n_args, &c, &r);
  if (rc != 0)
    return rc;
  (void)fputs(r.notes, cli->err);
  rc = show_all(cli, &c, &a);
  ocf_conf_fini(&c);
  return rc;
}

/* ---- version ---- */

int ocf_cli_version(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  const struct ocf_version *v = ocf_version();
  bool json = n_args == 1 && strcmp(args[0], "--json") == 0;
  if (n_args > (json ? 1u : 0u)) {
    (void)fprintf(cli->err, "ocf: unexpected argument after version; only --json may follow\n");
    return OCF_EXIT_USAGE;
  }
  if (json)
    (void)fprintf(cli->out,
                  "{\"version\":\"%s\",\"commit\":\"%s\",\"compiler\":\"%s\",\"libraries\":{"
                  "\"libuv\":\"%s\",\"libsodium\":\"%s\",\"openssl\":\"%s\",\"libyaml\":\"%s\"}}\n",
                  v->version, v->commit, v->compiler, v->libuv, v->libsodium, v->openssl,
                  v->libyaml);
  else
    (void)fprintf(cli->out,
                  "ocf %s\ncommit    %s\ncompiler  %s\nlibuv     %s\nlibsodium %s\nopenssl   %s\n"
                  "libyaml   %s\n",
                  v->version, v->commit, v->compiler, v->libuv, v->libsodium, v->openssl,
                  v->libyaml);
  return OCF_EXIT_OK;
}

int ocf_cli_dev(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  if (cli->ops->dev == NULL) {
    (void)fputs("ocf: this program was built without `ocf dev`\n", cli->err);
    return OCF_EXIT_FAILURE;
  }
  return cli->ops->dev(args, n_args);
}
