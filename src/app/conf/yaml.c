/* cfg.yaml through libyaml's event parser: a recursive descent over events whose depth is bounded,
 * so that neither nesting nor aliases can make a small file large. */
#include "app/conf/internal.h"

#include <string.h>
#include <yaml.h>

#include "base/str/str.h"

struct reader {
  struct ocf_conf_load *l;
  const char *name;
  yaml_parser_t parser;
  yaml_event_t ev; /* the current one, while has_ev */
  bool has_ev;
  unsigned depth;
  char path[OCF_CONF_KEY_MAX]; /* dotted key of the value being read */
  size_t n_path;
};

static struct ocf_conf_place place(const struct reader *r)
{
  return (struct ocf_conf_place){ OCF_CONF_FILE, r->name, r->ev.start_mark.line + 1 };
}

static struct ocf_bytes scalar(const struct reader *r)
{
  return ocf_bytes(r->ev.data.scalar.value, r->ev.data.scalar.length);
}

static struct ocf_bytes path(const struct reader *r)
{
  return ocf_bytes(r->path, r->n_path);
}

static int syntax_error(struct reader *r)
{
  const yaml_parser_t *p = &r->parser;
  if (p->error == YAML_MEMORY_ERROR)
    return OCF_ENOMEM;
  size_t line = p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line;
  struct ocf_conf_place at = { OCF_CONF_FILE, r->name, line + 1 };
  ocf_conf_error(r->l->r, &at, "not valid YAML: %s%s%s", p->problem != NULL ? p->problem : "error",
                 p->context != NULL ? " " : "", p->context != NULL ? p->context : "");
  return OCF_EINVAL;
}

/* Anchors and tags have no use in a file of options; without them a file means what it shows. */
static bool plain(const yaml_event_t *ev)
{
  switch (ev->type) {
  case YAML_ALIAS_EVENT: return false;
  case YAML_SCALAR_EVENT: return ev->data.scalar.anchor == NULL && ev->data.scalar.tag == NULL;
  case YAML_SEQUENCE_START_EVENT:
    return ev->data.sequence_start.anchor == NULL && ev->data.sequence_start.tag == NULL;
  case YAML_MAPPING_START_EVENT:
    return ev->data.mapping_start.anchor == NULL && ev->data.mapping_start.tag == NULL;
  case YAML_NO_EVENT:
  case YAML_STREAM_START_EVENT:
  case YAML_STREAM_END_EVENT:
  case YAML_DOCUMENT_START_EVENT:
  case YAML_DOCUMENT_END_EVENT:
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT: return true;
  }
  return false;
}

/* Moves to the next event. 0; OCF_EINVAL after a report, and reading stops; OCF_ENOMEM. */
static int next(struct reader *r)
{
  if (r->has_ev)
    yaml_event_delete(&r->ev);
  r->has_ev = false;
  if (!yaml_parser_parse(&r->parser, &r->ev))
    return syntax_error(r);
  r->has_ev = true;
  if (!plain(&r->ev)) {
    struct ocf_conf_place at = place(r);
    ocf_conf_error(r->l->r, &at, "anchors, aliases and tags are not supported; write the value");
    return OCF_EINVAL;
  }
  if (r->ev.type == YAML_MAPPING_START_EVENT || r->ev.type == YAML_SEQUENCE_START_EVENT)
    r->depth++;
  else if (r->ev.type == YAML_MAPPING_END_EVENT || r->ev.type == YAML_SEQUENCE_END_EVENT)
    r->depth--;
  if (r->depth > OCF_CONF_DEPTH_MAX) {
    struct ocf_conf_place at = place(r);
    ocf_conf_error(r->l->r, &at, "nested more than %d deep", OCF_CONF_DEPTH_MAX);
    return OCF_EINVAL;
  }
  return 0;
}

/* Ends with the last event of the value whose first is the current one. */
static int skip(struct reader *r)
{
  int err = 0;
  bool open = r->ev.type == YAML_MAPPING_START_EVENT || r->ev.type == YAML_SEQUENCE_START_EVENT;
  unsigned outer = r->depth - 1;
  while (open && err == 0 && r->depth > outer)
    err = next(r);
  return err;
}

/* The text of a scalar; the ways of writing "nothing" give the empty text. */
static struct ocf_bytes value_text(const struct reader *r)
{
  struct ocf_bytes s = scalar(r);
  bool is_plain = r->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (is_plain && (ocf_str_is(s, "~") || ocf_str_is_nocase(s, "null")))
    s.n = 0;
  return s;
}

static int wrong_kind(struct reader *r, const char *want)
{
  struct ocf_conf_place at = place(r);
  struct ocf_conf_quote q;
  const char *got = r->ev.type == YAML_SCALAR_EVENT           ? ocf_conf_quote(&q, scalar(r))
                    : r->ev.type == YAML_SEQUENCE_START_EVENT ? "a list"
                                                              : "a section";
  ocf_conf_error(r->l->r, &at, "%.*s: expected %s, got %s", (int)r->n_path, r->path, want, got);
  return skip(r);
}

/* ---- options ---- */

/* An option may be set once; an alias counts too. Empty values do not: files that a Go node wrote
 * hold every key it knows. */
static bool repeated(struct reader *r, enum ocf_conf_opt o)
{
  const struct ocf_conf *c = r->l->c;
  const struct ocf_conf_row *row = &ocf_conf_rows()[o];
  if (c->origin[o].source != OCF_CONF_FILE)
    return false;
  if (row->type == OCF_CONF_T_LIST &&
      ((const struct ocf_conf_list *)(const void *)((const char *)c + row->offset))->n == 0)
    return false;
  struct ocf_conf_place at = place(r);
  ocf_conf_error(r->l->r, &at, "%.*s is given twice, first in line %u", (int)r->n_path, r->path,
                 (unsigned)c->origin[o].line);
  return true;
}

static int option_list(struct reader *r, enum ocf_conf_opt o)
{
  struct ocf_conf_place at = place(r);
  int err = next(r);
  while (err == 0 && r->ev.type != YAML_SEQUENCE_END_EVENT) {
    if (r->ev.type != YAML_SCALAR_EVENT) {
      err = wrong_kind(r, "a text");
    } else if (value_text(r).n > 0) {
      struct ocf_conf_place item = place(r);
      err = ocf_conf_take(r->l, o, value_text(r), &item);
    }
    if (err == 0)
      err = next(r);
  }
  /* An empty list is a value: it takes the place of the default. */
  if (err == 0 && r->l->c->origin[o].source != OCF_CONF_FILE) {
    r->l->c->origin[o].source = OCF_CONF_FILE;
    r->l->c->origin[o].line = (uint32_t)at.line;
  }
  return err;
}

static int option(struct reader *r, enum ocf_conf_opt o)
{
  const struct ocf_conf_row *row = &ocf_conf_rows()[o];
  struct ocf_conf_place at = place(r);
  char want[256];
  struct ocf_fmt f;
  if (o == OCF_CONF_OPT_config || o == OCF_CONF_OPT_config_dir) {
    ocf_conf_error(r->l->r, &at, "%s cannot be set in the file itself; use --%s or the environment",
                   row->key, row->key);
    return skip(r);
  }
  if (r->ev.type == YAML_SCALAR_EVENT) {
    if (value_text(r).n == 0 || repeated(r, o))
      return 0;
    return ocf_conf_take(r->l, o, value_text(r), &at);
  }
  if (r->ev.type == YAML_SEQUENCE_START_EVENT && row->type == OCF_CONF_T_LIST)
    return repeated(r, o) ? skip(r) : option_list(r, o);
  ocf_fmt_init(&f, want, sizeof(want));
  ocf_conf_expect(row, &f);
  return wrong_kind(r, want);
}

/* ---- services ---- */

static int service_list(struct reader *r, struct ocf_conf_service *s, struct ocf_bytes key)
{
  int err = next(r);
  while (err == 0 && r->ev.type != YAML_SEQUENCE_END_EVENT) {
    struct ocf_conf_place at = place(r);
    if (r->ev.type != YAML_SCALAR_EVENT)
      err = wrong_kind(r, "a text");
    else
      err = ocf_conf_service_take(r->l, s, key, value_text(r), &at);
    if (err == 0)
      err = next(r);
  }
  return err;
}

/* One "key: value" of an entry; the current event is the key. */
static int service_pair(struct reader *r, struct ocf_conf_service *s)
{
  char text[OCF_CONF_KEY_MAX];
  struct ocf_fmt f;
  struct ocf_conf_place at = place(r);
  ocf_fmt_init(&f, text, sizeof(text));
  if (r->ev.type == YAML_SCALAR_EVENT)
    ocf_fmt_bytes(&f, scalar(r).p, scalar(r).n);
  else
    ocf_fmt_str(&f, "?");
  int err = skip(r);
  if (err == 0)
    err = next(r);
  if (err != 0)
    return err;
  if (r->ev.type == YAML_SCALAR_EVENT)
    return ocf_conf_service_take(r->l, s, ocf_fmt_view(&f), value_text(r), &at);
  if (r->ev.type == YAML_SEQUENCE_START_EVENT && ocf_str_is(ocf_fmt_view(&f), "identity_group"))
    return service_list(r, s, ocf_fmt_view(&f));
  return wrong_kind(r, "keys with one value each in an entry");
}

static int service_entry(struct reader *r)
{
  struct ocf_conf_place at = place(r);
  int err = 0;
  if (r->ev.type != YAML_MAPPING_START_EVENT)
    return wrong_kind(r, "entries with name and url");
  struct ocf_conf_service *s = ocf_conf_service_add(r->l, &at, &err);
  if (s == NULL)
    return err != 0 ? err : skip(r);
  err = next(r);
  while (err == 0 && r->ev.type != YAML_MAPPING_END_EVENT) {
    err = service_pair(r, s);
    if (err == 0)
      err = next(r);
  }
  return err != 0 ? err : ocf_conf_service_check(r->l, s, &at);
}

static int services(struct reader *r)
{
  if (r->ev.type == YAML_SCALAR_EVENT && value_text(r).n == 0)
    return 0;
  if (r->ev.type != YAML_SEQUENCE_START_EVENT)
    return wrong_kind(r, "a list of entries with name and url");
  int err = next(r);
  while (err == 0 && r->ev.type != YAML_SEQUENCE_END_EVENT) {
    err = service_entry(r);
    if (err == 0)
      err = next(r);
  }
  return err;
}

/* ---- sections ---- */

static int section(struct reader *r);

static int ignored(struct reader *r, const struct ocf_conf_ignored *row)
{
  if (r->ev.type == YAML_SCALAR_EVENT)
    ocf_conf_take_ignored(r->l, row, value_text(r));
  else if (row->type == OCF_CONF_T_LIST && r->ev.type == YAML_SEQUENCE_START_EVENT) {
    int err = next(r);
    if (err != 0 || r->ev.type == YAML_SEQUENCE_END_EVENT)
      return err;
    ocf_conf_take_ignored(r->l, row, OCF_STR("set"));
    while (err == 0 && r->ev.type != YAML_SEQUENCE_END_EVENT) {
      err = skip(r);
      if (err == 0)
        err = next(r);
    }
    return err;
  }
  return skip(r);
}

/* The value of the key in r->path; the current event is the value's first. */
static int value(struct reader *r, const struct ocf_conf_place *key_at)
{
  struct ocf_conf_found f = ocf_conf_find(path(r), false);
  bool is_section = ocf_conf_is_section(path(r));
  if (is_section && r->ev.type == YAML_MAPPING_START_EVENT)
    return section(r);
  switch (f.kind) {
  case OCF_CONF_OPTION: return option(r, f.opt);
  case OCF_CONF_SERVICES: return services(r);
  case OCF_CONF_IGNORED: return ignored(r, f.ignored);
  case OCF_CONF_UNKNOWN: break;
  }
  if (!is_section) {
    ocf_conf_unknown(r->l, "key", path(r), "", key_at);
    return skip(r);
  }
  if (r->ev.type == YAML_SCALAR_EVENT && value_text(r).n == 0)
    return 0;
  return wrong_kind(r, "a section with keys of its own");
}

/* One "key: value" of a section; the current event is the key. */
static int pair(struct reader *r)
{
  struct ocf_conf_place at = place(r);
  size_t n_before = r->n_path;
  struct ocf_conf_quote q;
  int err;
  if (r->ev.type != YAML_SCALAR_EVENT) {
    ocf_conf_error(r->l->r, &at, "expected a key");
    return OCF_EINVAL;
  }
  struct ocf_bytes key = scalar(r);
  if (r->n_path + key.n + 2 > sizeof(r->path) || key.n == 0) {
    ocf_conf_error(r->l->r, &at, "unknown key %s", ocf_conf_quote(&q, key));
    err = next(r);
    return err != 0 ? err : skip(r);
  }
  if (r->n_path > 0)
    r->path[r->n_path++] = '.';
  memcpy(r->path + r->n_path, key.p, key.n);
  r->n_path += key.n;
  err = next(r);
  if (err == 0)
    err = value(r, &at);
  r->n_path = n_before;
  return err;
}

/* A mapping; ends with its last event. */
static int section(struct reader *r)
{
  int err = next(r);
  while (err == 0 && r->ev.type != YAML_MAPPING_END_EVENT) {
    err = pair(r);
    if (err == 0)
      err = next(r);
  }
  return err;
}

static int document(struct reader *r)
{
  int err = next(r); /* the stream's start */
  if (err == 0)
    err = next(r);
  if (err != 0 || r->ev.type == YAML_STREAM_END_EVENT)
    return err; /* nothing but comments */
  err = next(r);
  if (err != 0)
    return err;
  struct ocf_conf_place at = place(r);
  if (r->ev.type == YAML_MAPPING_START_EVENT)
    err = section(r);
  else if (r->ev.type != YAML_SCALAR_EVENT || value_text(r).n > 0)
    ocf_conf_error(r->l->r, &at, "expected lines of the form key: value");
  if (err == 0)
    err = skip(r);
  if (err == 0)
    err = next(r); /* the document's end */
  if (err == 0)
    err = next(r);
  if (err == 0 && r->ev.type != YAML_STREAM_END_EVENT) {
    at = place(r);
    ocf_conf_error(r->l->r, &at, "a second document; only one is read");
  }
  return err;
}

int ocf_conf_read_yaml(struct ocf_conf_load *l, struct ocf_bytes yaml, const char *name)
{
  struct reader r = { .l = l, .name = name };
  if (yaml.n > OCF_CONF_FILE_MAX) {
    struct ocf_conf_place at = { OCF_CONF_FILE, name, 1 };
    ocf_conf_error(l->r, &at, "the file is longer than %d bytes", OCF_CONF_FILE_MAX);
    return 0;
  }
  if (yaml.n == 0)
    return 0; /* libyaml takes no NULL, which an empty file's bytes are */
  if (!yaml_parser_initialize(&r.parser))
    return OCF_ENOMEM;
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.parser, yaml.p, yaml.n);
  int err = document(&r);
  if (r.has_ev)
    yaml_event_delete(&r.ev);
  yaml_parser_delete(&r.parser);
  return err == OCF_ENOMEM ? err : 0;
}
