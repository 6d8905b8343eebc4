/* The texts that are made from the table: --help, the reference page, the sample file, JSON Schema.
 */
#include "app/conf/internal.h"

#include <string.h>

static const struct {
  const char *name, *title;
} groups[] = {
  { "general", "General" }, { "network", "Network" }, { "service", "Services of this node" },
  { "http", "HTTP" },       { "retry", "Retries" },   { "registry", "Registry" },
  { "p2p", "libp2p" },      { "log", "Logs" },
};

static const char *type_name(enum ocf_conf_type t)
{
  switch (t) {
  case OCF_CONF_T_BOOL: return "bool";
  case OCF_CONF_T_U64: return "number";
  case OCF_CONF_T_PORT: return "port";
  case OCF_CONF_T_SIZE: return "size";
  case OCF_CONF_T_DUR:
  case OCF_CONF_T_SECS: return "duration";
  case OCF_CONF_T_STR: return "text";
  case OCF_CONF_T_SECRET: return "secret";
  case OCF_CONF_T_PATH: return "path";
  case OCF_CONF_T_LEVELS: return "levels";
  case OCF_CONF_T_LIST: return "list";
  case OCF_CONF_T_ENUM: return "choice";
  }
  return "";
}

/* Breaks `s` at blanks so that lines stay within `width`, each begun by `lead`. */
static int wrap(struct ocf_buf *out, const char *lead, const char *s, size_t width)
{
  int err = 0;
  size_t room = width - strlen(lead);
  while (err == 0 && *s != '\0') {
    size_t n = strlen(s);
    if (n > room) {
      for (n = room; n > 0 && s[n] != ' '; n--)
        ;
      if (n == 0)
        n = strcspn(s, " ");
    }
    err = ocf_buf_printf(out, "%s%.*s\n", lead, (int)n, s);
    s += n;
    while (*s == ' ')
      s++;
  }
  return err;
}

static bool in_file(const struct ocf_conf_row *row)
{
  return row->offset != offsetof(struct ocf_conf, config) &&
         row->offset != offsetof(struct ocf_conf, config_dir);
}

/* ---- --help ---- */

static int help_row(struct ocf_buf *out, const struct ocf_conf_row *row)
{
  char want[256];
  struct ocf_fmt f;
  ocf_fmt_init(&f, want, sizeof(want));
  if (row->type == OCF_CONF_T_ENUM)
    ocf_conf_expect(row, &f);
  else
    ocf_fmt_str(&f, type_name(row->type));
  int err = row->type == OCF_CONF_T_BOOL ? ocf_buf_printf(out, "  --[no-]%s", row->key)
                                         : ocf_buf_printf(out, "  --%s=<%s>", row->key, want);
  if (err == 0 && row->def[0] != '\0')
    err = ocf_buf_printf(out, "  (default %s)", row->def);
  if (err == 0)
    err = ocf_buf_add_u8(out, '\n');
  return err != 0 ? err : wrap(out, "      ", row->help, 100);
}

int ocf_conf_write_help(struct ocf_buf *out)
{
  int err = 0;
  for (size_t g = 0; err == 0 && g < OCF_ARRAY_LEN(groups); g++) {
    err = ocf_buf_printf(out, "\n%s:\n", groups[g].title);
    for (size_t i = 0; err == 0 && i < OCF_CONF_OPT_N; i++)
      if (strcmp(ocf_conf_rows()[i].group, groups[g].name) == 0)
        err = help_row(out, &ocf_conf_rows()[i]);
    if (err == 0 && strcmp(groups[g].name, "service") == 0)
      err = ocf_buf_add_str(out, "  --services=name=<name>,url=<url>[,<key>=<value>...]\n"
                                 "      One more service; may be repeated. Easier in the file.\n");
  }
  return err;
}

/* ---- docs/configuration.md ---- */

static const char intro[] =
    "<!-- Made by tools/gen/docs.sh from config/options.inc. Do not edit. -->\n"
    "# Configuration\n"
    "\n"
    "Every option can be given in four places. A higher place wins; a list there replaces the "
    "whole list\n"
    "of a lower one.\n"
    "\n"
    "1. a flag: `--http.idle_timeout=30s` or `--http.idle_timeout 30s`; a bool alone or with "
    "`--no-`:\n"
    "   `--retry.enabled`, `--no-retry.enabled`\n"
    "2. an environment variable: `OCF_` and the key in capitals, with `.` and `-` as `_`:\n"
    "   `OCF_HTTP_IDLE_TIMEOUT=30s`. The old prefix `OF_` works too and gives way to `OCF_`.\n"
    "3. the file `~/.config/ocf/cfg.yaml` (`--config` names another), nested or dotted:\n"
    "   `http: {idle_timeout: 30s}` or `http.idle_timeout: 30s`\n"
    "4. the default\n"
    "\n"
    "`-` and `_` are the same in every key. An empty value means the default. An unknown key or a "
    "bad\n"
    "value is an error that names the place and says what was expected; `ocf config` prints what a "
    "node\n"
    "would run with and where each value comes from.\n"
    "\n"
    "- **Sizes** are bytes, or a number with `KB`, `MB`, `GB` (powers of 1000) or `KiB`, `MiB`, "
    "`GiB`\n"
    "  (powers of 1024).\n"
    "- **Durations** are numbers with `ms`, `s`, `m`, `h` or `d`, also joined: `1m30s`.\n"
    "- **Lists** are YAML lists, repeated flags, or one text split at commas, semicolons and "
    "blanks.\n"
    "- **Port 0** lets the system choose; the ready line tells which port it became.\n"
    "- **Live** options may change while a node runs; the others need a restart.\n"
    "\n"
    "The file may hold 1 MiB, 8 levels, and no anchors, aliases or tags.\n"
    "[config.schema.json](config.schema.json) describes it to editors.\n";

/* '|' and line ends would break a table; nothing else in the table's texts needs care. */
static int cell(struct ocf_buf *out, const char *s)
{
  int err = 0;
  for (; err == 0 && *s != '\0'; s++)
    err = *s == '|'   ? ocf_buf_add_str(out, "\\|")
          : *s == '<' ? ocf_buf_add_str(out, "&lt;")
                      : ocf_buf_add_u8(out, (uint8_t)*s);
  return err;
}

static int reference_row(struct ocf_buf *out, const struct ocf_conf_row *row, bool option)
{
  char want[256], env[OCF_CONF_KEY_MAX];
  struct ocf_fmt f;
  int err = ocf_buf_printf(out, "| `%s` | ", row->key);
  ocf_fmt_init(&f, want, sizeof(want));
  ocf_conf_expect(row, &f);
  if (row->type == OCF_CONF_T_STR || row->type == OCF_CONF_T_LIST) {
    ocf_fmt_rewind(&f, 0);
    ocf_fmt_str(&f, type_name(row->type));
  }
  if (err == 0)
    err = cell(out, want);
  if (err == 0 && row->unit[0] != '\0')
    err = ocf_buf_printf(out, " (%s)", row->unit);
  if (err == 0)
    err = row->def[0] != '\0' ? ocf_buf_printf(out, " | `%s` | ", row->def)
                              : ocf_buf_add_str(out, " | | ");
  if (err == 0 && option) {
    ocf_conf_env_name("OCF_", row->key, env, sizeof(env));
    err = ocf_buf_printf(out, "`%s` | %s | ", env, row->live ? "live" : "restart");
  }
  if (err == 0)
    err = cell(out, row->help);
  return err != 0 ? err : ocf_buf_add_str(out, " |\n");
}

static int reference_services(struct ocf_buf *out)
{
  size_t n;
  const struct ocf_conf_row *rows = ocf_conf_service_rows(&n);
  int err = ocf_buf_add_str(out, "\n### `services`\n\n"
                                 "A list of entries; as a flag "
                                 "`--services=name=llm,url=http://127.0.0.1:8000`, repeated, and\n"
                                 "in `OCF_SERVICES` with semicolons between entries. "
                                 "`service.name` and `service.port` add one\n"
                                 "more.\n\n"
                                 "```yaml\nservices:\n  - name: llm\n    url: "
                                 "http://127.0.0.1:8000\n    health_path: /health\n"
                                 "  - name: embeddings\n    url: unix:/run/embeddings.sock\n```\n\n"
                                 "| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
  for (size_t i = 0; err == 0 && i < n; i++)
    err = reference_row(out, &rows[i], false);
  return err;
}

static int reference_compatibility(struct ocf_buf *out)
{
  size_t n;
  const char *key, *of;
  const struct ocf_conf_ignored *rows = ocf_conf_ignored_rows(&n);
  int err = ocf_buf_add_str(
      out, "\n## Names of the Go nodes\n\n"
           "Other spellings of the options above:\n\n| Key | Same as |\n|---|---|\n");
  for (size_t i = 0; err == 0 && ocf_conf_alias(i, &key, &of); i++)
    err = ocf_buf_printf(out, "| `%s` | `%s` |\n", key, of);
  if (err == 0)
    err = ocf_buf_add_str(out,
                          "\nAccepted, so that their files and scripts keep working, but without "
                          "effect:\n\n| Key | Why |\n|---|---|\n");
  for (size_t i = 0; err == 0 && i < n; i++)
    err = ocf_buf_printf(out, "| `%s` | %s |\n", rows[i].key, rows[i].why);
  return err;
}

int ocf_conf_write_reference(struct ocf_buf *out)
{
  int err = ocf_buf_add_str(out, intro);
  for (size_t g = 0; err == 0 && g < OCF_ARRAY_LEN(groups); g++) {
    err = ocf_buf_printf(out,
                         "\n## %s\n\n| Key | Value | Default | Environment | Change | Meaning |\n"
                         "|---|---|---|---|---|---|\n",
                         groups[g].title);
    for (size_t i = 0; err == 0 && i < OCF_CONF_OPT_N; i++)
      if (strcmp(ocf_conf_rows()[i].group, groups[g].name) == 0)
        err = reference_row(out, &ocf_conf_rows()[i], true);
    if (err == 0 && strcmp(groups[g].name, "service") == 0)
      err = reference_services(out);
  }
  return err != 0 ? err : reference_compatibility(out);
}

/* ---- the sample file ---- */

static int sample_value(struct ocf_buf *out, const struct ocf_conf_row *row)
{
  if (row->type == OCF_CONF_T_LIST)
    return ocf_buf_add_str(out, "[]\n");
  bool quote = row->def[0] == '\0';
  return ocf_buf_printf(out, "%s%s%s\n", quote ? "\"" : "", row->def, quote ? "\"" : "");
}

static int sample_row(struct ocf_buf *out, const struct ocf_conf_row *row)
{
  int err = ocf_buf_add_u8(out, '\n');
  if (err == 0)
    err = wrap(out, "# ", row->help, 100);
  if (err == 0)
    err = ocf_buf_printf(out, "#%s: ", row->key);
  return err != 0 ? err : sample_value(out, row);
}

int ocf_conf_write_sample(struct ocf_buf *out)
{
  int err = ocf_buf_add_str(out, "# Configuration of ocf. Every line is a comment, so nothing is "
                                 "set and defaults stay free to\n"
                                 "# improve; take the # away from what you want to change. Flags "
                                 "and OCF_* variables win over\n"
                                 "# this file.\n");
  for (size_t g = 0; err == 0 && g < OCF_ARRAY_LEN(groups); g++) {
    err = ocf_buf_printf(out, "\n\n# ---- %s ----\n", groups[g].title);
    for (size_t i = 0; err == 0 && i < OCF_CONF_OPT_N; i++)
      if (strcmp(ocf_conf_rows()[i].group, groups[g].name) == 0 && in_file(&ocf_conf_rows()[i]))
        err = sample_row(out, &ocf_conf_rows()[i]);
    if (err == 0 && strcmp(groups[g].name, "service") == 0)
      err = ocf_buf_add_str(out, "\n# Several services, on a port or a unix socket.\n"
                                 "#services:\n#  - name: llm\n#    url: http://127.0.0.1:8000\n"
                                 "#    health_path: /health\n#  - name: embeddings\n"
                                 "#    url: unix:/run/embeddings.sock\n");
  }
  return err;
}

/* ---- JSON Schema ---- */

static int json_text(struct ocf_buf *out, const char *s)
{
  int err = ocf_buf_add_u8(out, '"');
  for (; err == 0 && *s != '\0'; s++)
    err = *s == '"' || *s == '\\' ? ocf_buf_printf(out, "\\%c", *s)
                                  : ocf_buf_add_u8(out, (uint8_t)*s);
  return err != 0 ? err : ocf_buf_add_u8(out, '"');
}

static int schema_choices(struct ocf_buf *out, const struct ocf_conf_row *row)
{
  int err = ocf_buf_add_str(out, "\"enum\": [\"\"");
  for (size_t i = 0; err == 0 && row->choices[i] != NULL; i++)
    err = ocf_buf_printf(out, ", \"%s\"", row->choices[i]);
  return err != 0 ? err : ocf_buf_add_u8(out, ']');
}

/* What YAML may hold there. Numbers may be quoted, as the Go nodes write them; null is the default.
 */
static int schema_type(struct ocf_buf *out, const struct ocf_conf_row *row)
{
  switch (row->type) {
  case OCF_CONF_T_BOOL:
    return ocf_buf_add_str(out, "\"type\": [\"boolean\", \"string\", \"null\"]");
  case OCF_CONF_T_U64:
  case OCF_CONF_T_PORT:
    return ocf_buf_printf(out,
                          "\"type\": [\"integer\", \"string\", \"null\"], \"minimum\": %llu, "
                          "\"maximum\": %llu, \"pattern\": \"^[0-9]*$\"",
                          (unsigned long long)row->min, (unsigned long long)row->max);
  case OCF_CONF_T_SIZE:
    return ocf_buf_add_str(out, "\"type\": [\"integer\", \"string\", \"null\"], \"minimum\": 0, "
                                "\"pattern\": \"^([0-9]+([KMGTkmgt][Ii]?)?[Bb]?)?$\"");
  case OCF_CONF_T_DUR:
    return ocf_buf_add_str(out, "\"type\": [\"string\", \"integer\", \"null\"], \"maximum\": 0, "
                                "\"pattern\": \"^(0|([0-9]+(d|h|m|s|ms|us|ns))+)?$\"");
  case OCF_CONF_T_SECS:
    return ocf_buf_add_str(out, "\"type\": [\"string\", \"integer\", \"null\"], "
                                "\"pattern\": \"^([0-9]+|([0-9]+(d|h|m|s|ms|us|ns))+)?$\"");
  case OCF_CONF_T_STR:
  case OCF_CONF_T_SECRET:
  case OCF_CONF_T_PATH:
  case OCF_CONF_T_LEVELS:
    return ocf_buf_add_str(out, "\"type\": [\"string\", \"number\", \"null\"]");
  case OCF_CONF_T_LIST:
    return ocf_buf_printf(out,
                          "\"type\": [\"array\", \"string\", \"null\"], \"maxItems\": %d, "
                          "\"items\": { \"type\": \"string\" }",
                          OCF_CONF_LIST_MAX);
  case OCF_CONF_T_ENUM: return schema_choices(out, row);
  }
  return 0;
}

static int schema_key(struct ocf_buf *out, const char *name, unsigned indent, bool *first)
{
  int err = ocf_buf_printf(out, "%s\n%*s", *first ? "" : ",", (int)indent, "");
  *first = false;
  if (err == 0)
    err = json_text(out, name);
  return err != 0 ? err : ocf_buf_add_str(out, ": ");
}

static int schema_leaf(struct ocf_buf *out, const struct ocf_conf_row *row, const char *name,
                       unsigned indent, bool *first)
{
  int err = schema_key(out, name, indent, first);
  if (err == 0)
    err = ocf_buf_add_str(out, "{ ");
  if (err == 0)
    err = schema_type(out, row);
  if (err == 0)
    err = ocf_buf_add_str(out, ", \"description\": ");
  if (err == 0)
    err = json_text(out, row->help);
  return err != 0 ? err : ocf_buf_add_str(out, " }");
}

/* The section of a key ("http" of "http.cookies"); its length, 0 for a key at the top. */
static size_t section_len(const char *key)
{
  const char *dot = strchr(key, '.');
  return dot != NULL ? (size_t)(dot - key) : 0;
}

/* Whether row `i` is the first of its section. */
static bool opens_section(size_t i)
{
  const struct ocf_conf_row *rows = ocf_conf_rows();
  size_t n = section_len(rows[i].key);
  for (size_t j = 0; j < i; j++)
    if (section_len(rows[j].key) == n && strncmp(rows[j].key, rows[i].key, n) == 0)
      return false;
  return n > 0;
}

/* Keys that only Go nodes have are let through: the node itself names those that it does not know.
 */
static int schema_section(struct ocf_buf *out, size_t at, bool *first)
{
  const struct ocf_conf_row *rows = ocf_conf_rows();
  char name[OCF_CONF_KEY_MAX];
  struct ocf_fmt f;
  bool inner = true;
  size_t n = section_len(rows[at].key);
  ocf_fmt_init(&f, name, sizeof(name));
  ocf_fmt_bytes(&f, rows[at].key, n);
  int err = schema_key(out, name, 4, first);
  if (err == 0)
    err = ocf_buf_add_str(out, "{ \"type\": [\"object\", \"null\"], \"properties\": {");
  for (size_t i = at; err == 0 && i < OCF_CONF_OPT_N; i++)
    if (section_len(rows[i].key) == n && strncmp(rows[i].key, rows[at].key, n) == 0)
      err = schema_leaf(out, &rows[i], rows[i].key + n + 1, 8, &inner);
  return err != 0 ? err : ocf_buf_add_str(out, "\n    } }");
}

static int schema_services(struct ocf_buf *out, bool *first)
{
  size_t n;
  const struct ocf_conf_row *rows = ocf_conf_service_rows(&n);
  bool inner = true;
  int err = schema_key(out, "services", 4, first);
  if (err == 0)
    err = ocf_buf_printf(out,
                         "{ \"type\": [\"array\", \"null\"], \"maxItems\": %d, \"items\": {\n"
                         "      \"type\": \"object\", \"required\": [\"name\", \"url\"], "
                         "\"additionalProperties\": false, \"properties\": {",
                         OCF_CONF_SERVICES_MAX);
  for (size_t i = 0; err == 0 && i < n; i++)
    err = schema_leaf(out, &rows[i], rows[i].key, 8, &inner);
  return err != 0 ? err : ocf_buf_add_str(out, "\n      } } }");
}

int ocf_conf_write_schema(struct ocf_buf *out)
{
  const struct ocf_conf_row *rows = ocf_conf_rows();
  bool first = true;
  int err = ocf_buf_add_str(
      out,
      "{\n  \"$comment\": \"Made by tools/gen/docs.sh from config/options.inc. Do not edit.\",\n"
      "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
      "  \"title\": \"Configuration of ocf (cfg.yaml)\",\n"
      "  \"type\": [\"object\", \"null\"],\n  \"properties\": {");
  for (size_t i = 0; err == 0 && i < OCF_CONF_OPT_N; i++) {
    if (opens_section(i))
      err = schema_section(out, i, &first);
    else if (section_len(rows[i].key) == 0 && in_file(&rows[i]))
      err = schema_leaf(out, &rows[i], rows[i].key, 4, &first);
  }
  if (err == 0)
    err = schema_services(out, &first);
  return err != 0 ? err : ocf_buf_add_str(out, "\n  }\n}\n");
}
