/* Log lines from any values: always one bounded line of clean UTF-8, and in JSON one flat object;
 * level lists from any text. */
#include <stdlib.h>
#include <string.h>

#include "base/log/log.h"
#include "base/str/escape.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

/* Reads a JSON string at *s; false when there is none. Escapes are checked by their first letter.
 */
static bool eat_string(const char **s)
{
  if (*(*s)++ != '"')
    return false;
  for (; **s != '"'; (*s)++) {
    if (**s == '\0' || (**s == '\\' && strchr("\"\\bfnrtu", *++*s) == NULL))
      return false;
  }
  (*s)++;
  return true;
}

static bool eat_word(const char **s)
{
  size_t n = strspn(*s, "-.0123456789truefalsn");
  *s += n;
  return n > 0;
}

static void check_json(const char *s)
{
  do {
    s++; /* the brace or a comma */
    OCF_ASSERT(eat_string(&s));
    OCF_ASSERT(*s++ == ':');
    OCF_ASSERT(*s == '"' ? eat_string(&s) : eat_word(&s));
  } while (*s == ',');
  OCF_ASSERT(strcmp(s, "}\n") == 0);
}

static void check_logfmt(const char *s)
{
  do {
    s += *s == ' ' ? 1 : 0;
    OCF_ASSERT(strcspn(s, "= \"") > 0);
    s += strcspn(s, "= \"");
    OCF_ASSERT(*s++ == '=');
    if (*s == '"')
      OCF_ASSERT(eat_string(&s));
    else
      s += strcspn(s, " \"=\n");
  } while (*s == ' ');
  OCF_ASSERT(strcmp(s, "\n") == 0);
}

static void check_line(void *ctx, const char *line, size_t n)
{
  char text[OCF_LOG_LINE_MAX + 1];
  OCF_ASSERT(n > 1 && n <= OCF_LOG_LINE_MAX);
  OCF_ASSERT(ocf_utf8_ok(ocf_bytes(line, n)));
  for (size_t i = 0; i + 1 < n; i++)
    OCF_ASSERT((uint8_t)line[i] >= 0x20 && line[i] != 0x7f);
  memcpy(text, line, n);
  text[n] = '\0';
  if (((const struct ocf_log *)ctx)->format == OCF_LOG_JSON)
    check_json(text);
  else
    check_logfmt(text);
}

static uint64_t stamp_ns;

static uint64_t stamp(void *ctx)
{
  (void)ctx;
  return stamp_ns;
}

static struct ocf_log_field field_of(struct ocf_ops *o, char *text, size_t cap)
{
  struct ocf_log_field f = { .key = "key" };
  uint8_t kind = ocf_ops_u8(o);
  size_t n = ocf_ops_u16(o) % cap;
  n = OCF_MIN(n, o->n);
  struct ocf_bytes b = ocf_bytes(o->p, n);
  memset(text, 'x', cap);
  if (n > 0)
    memcpy(text, o->p, n);
  text[kind % 2 == 0 ? n : cap - 1] = '\0'; /* also long texts from short inputs */
  o->p += n;
  o->n -= n;
  switch (kind / 2 % 10) {
  case 0: return (struct ocf_log_field)OCF_LOG_BYTES("a", b);
  case 1: return (struct ocf_log_field)OCF_LOG_HEX("b", b);
  case 2: return (struct ocf_log_field)OCF_LOG_U64("c", ocf_ops_u64(o));
  case 3: return (struct ocf_log_field)OCF_LOG_I64("d", ocf_ops_u64(o));
  case 4: return (struct ocf_log_field)OCF_LOG_BOOL("e", kind & 1);
  case 5: return (struct ocf_log_field)OCF_LOG_MS("f", ocf_ops_u64(o));
  case 6: return (struct ocf_log_field)OCF_LOG_ERR("g", -(int)(kind % 30));
  case 7: return (struct ocf_log_field)OCF_LOG_SECRET("h", b);
  case 8: return (struct ocf_log_field)OCF_LOG_STR("i", kind >= 0xf0 ? NULL : text);
  default:
    f.type = OCF_LOG_T_STR;
    f.v.s = text;
    return f;
  }
}

static void check_levels(const uint8_t *d, size_t n)
{
  struct ocf_log l, before;
  char *spec = malloc(n + 1);
  OCF_ASSERT(spec != NULL);
  if (n > 0)
    memcpy(spec, d, n);
  spec[n] = '\0';
  ocf_log_init(&l);
  before = l;
  if (ocf_log_set_levels(&l, spec) != 0)
    OCF_ASSERT(memcmp(&l, &before, sizeof(l)) == 0);
  OCF_ASSERT(l.n_modules <= OCF_LOG_MODULES_MAX);
  free(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static char texts[6][700];
  struct ocf_log_field fields[7];
  struct ocf_ops o = { d, n };
  struct ocf_log l;
  size_t n_fields = 0;
  check_levels(d, n);
  ocf_log_init(&l);
  l.write = check_line;
  l.ctx = &l;
  l.format = ocf_ops_u8(&o) % 2 == 0 ? OCF_LOG_LOGFMT : OCF_LOG_JSON;
  l.wall_ns = ocf_ops_u8(&o) % 2 == 0 ? stamp : NULL;
  stamp_ns = ocf_ops_u64(&o);
  while (ocf_ops_more(&o) && n_fields < 6) {
    fields[n_fields] = field_of(&o, texts[n_fields], sizeof(texts[0]));
    n_fields++;
  }
  fields[n_fields] = (struct ocf_log_field){ .type = OCF_LOG_END };
  ocf_log_emit(&l, "fuzz", OCF_LOG_INFO, n_fields > 0 ? texts[n_fields - 1] : "", fields);
  return 0;
}
