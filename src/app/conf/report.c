#include "app/conf/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str/escape.h"

/* Appends one line if it fits whole. */
static void add_line(char *text, size_t cap, const char *line)
{
  size_t at = strlen(text), n = strlen(line);
  if (at + n + 2 > cap)
    return;
  memcpy(text + at, line, n);
  memcpy(text + at + n, "\n", 2);
}

static void add_place(struct ocf_fmt *f, const struct ocf_conf_place *p)
{
  if (p == NULL || p->name == NULL || p->source == OCF_CONF_DEFAULT)
    return;
  if (p->source == OCF_CONF_FLAG)
    ocf_fmt_str(f, "--");
  ocf_fmt_str(f, p->name);
  if (p->source == OCF_CONF_FILE)
    ocf_fmt_printf(f, ":%zu", p->line);
  ocf_fmt_str(f, ": ");
}

void ocf_conf_error(struct ocf_conf_report *r, const struct ocf_conf_place *p, const char *fmt, ...)
{
  char line[1024], text[900];
  struct ocf_fmt f;
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine: the parts are bounded anyway */
  va_end(ap);
  if (r->n_errors++ >= OCF_CONF_ERRORS_MAX)
    return;
  ocf_fmt_init(&f, line, sizeof(line));
  add_place(&f, p);
  ocf_fmt_str(&f, text);
  add_line(r->errors, sizeof(r->errors), line);
}

void ocf_conf_note(struct ocf_conf_report *r, const char *fmt, ...)
{
  char line[2048];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(line, sizeof(line), fmt, ap);
  va_end(ap);
  r->n_notes++;
  add_line(r->notes, sizeof(r->notes), line);
}

const char *ocf_conf_quote(struct ocf_conf_quote *q, struct ocf_bytes s)
{
  struct ocf_fmt f;
  ocf_fmt_init(&f, q->t, sizeof(q->t));
  ocf_fmt_char(&f, '"');
  size_t room = OCF_MIN(s.n, (size_t)60);
  /* Never in the middle of a character. */
  while (room < s.n && room > 0 && (s.p[room] & 0xC0) == 0x80)
    room--;
  struct ocf_fmt inner;
  char text[120];
  ocf_fmt_init(&inner, text, sizeof(text));
  size_t n = ocf_escape(&inner, ocf_bytes(s.p, room));
  ocf_fmt_str(&f, text);
  ocf_fmt_str(&f, n < s.n ? "...\"" : "\"");
  return q->t;
}
