#include "registry/bootlist/bootlist.h"

#include <string.h>

#include "base/str/escape.h"
#include "base/str/str.h"
#include "fmt/json/json.h"
#include "fmt/jscan/jscan.h"

void ocf_bootlist_init(struct ocf_bootlist *b, struct ocf_alloc *a)
{
  *b = (struct ocf_bootlist){ .a = a };
}

void ocf_bootlist_fini(struct ocf_bootlist *b)
{
  if (b->v != NULL)
    ocf_alloc_put(b->a, b->v, b->cap * sizeof(*b->v));
  *b = (struct ocf_bootlist){ 0 };
}

void ocf_bootlist_clear(struct ocf_bootlist *b)
{
  b->n = 0;
  b->n_errors = 0;
}

/* ---- what a source is ---- */

static bool is_blank(uint8_t c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct ocf_bytes trim(struct ocf_bytes s)
{
  while (s.n > 0 && is_blank(s.p[0]))
    s = ocf_bytes(s.p + 1, s.n - 1);
  while (s.n > 0 && is_blank(s.p[s.n - 1]))
    s.n--;
  return s;
}

enum ocf_bootlist_source ocf_bootlist_classify(struct ocf_bytes source, struct ocf_bytes *what)
{
  static const struct ocf_bytes dnsaddr = { (const uint8_t *)"dnsaddr://", 10 };
  struct ocf_bytes s = trim(source);
  *what = s;
  if (s.n == 0)
    return OCF_BOOTLIST_EMPTY;
  if (ocf_str_starts_nocase(s, OCF_STR("http://")) || ocf_str_starts_nocase(s, OCF_STR("https://")))
    return OCF_BOOTLIST_URL;
  if (!ocf_str_starts_nocase(s, dnsaddr))
    return OCF_BOOTLIST_LITERAL;
  s = ocf_bytes(s.p + dnsaddr.n, s.n - dnsaddr.n);
  if (s.n > 0 && s.p[s.n - 1] == '/')
    s.n--;
  *what = s;
  return OCF_BOOTLIST_DNSADDR;
}

/* Where the user's name of a URL begins and the "@" behind it stands; false: it has none. */
static bool find_user(struct ocf_bytes s, size_t *from, size_t *at)
{
  bool any = false;
  size_t i = 0;
  while (i + 3 <= s.n && memcmp(s.p + i, "://", 3) != 0)
    i++;
  if (i + 3 > s.n)
    return false;
  *from = i + 3;
  for (i = *from; i < s.n && s.p[i] != '/' && s.p[i] != '?' && s.p[i] != '#'; i++) {
    if (s.p[i] != '@')
      continue;
    *at = i;
    any = true;
  }
  return any;
}

const char *ocf_bootlist_shown(struct ocf_bytes source, char *buf, size_t cap)
{
  struct ocf_fmt f;
  size_t from, at;
  ocf_fmt_init(&f, buf, cap);
  if (find_user(source, &from, &at)) {
    ocf_fmt_bytes(&f, source.p, from);
    ocf_fmt_str(&f, "***");
    source = ocf_bytes(source.p + at, source.n - at);
  }
  ocf_fmt_bytes(&f, source.p, source.n);
  return buf;
}

/* ---- entries and errors ---- */

/* Notes that `entry` (may be empty) is bad. */
static void note(struct ocf_bootlist *b, int code, struct ocf_bytes entry, const char *why)
{
  enum { ENTRY_MAX = 96 };
  struct ocf_fmt f;
  if (b->n_errors++ >= OCF_BOOTLIST_ERRORS_MAX)
    return;
  struct ocf_bootlist_error *e = &b->errors[b->n_errors - 1];
  e->code = code;
  ocf_fmt_init(&f, e->text, sizeof(e->text));
  if (entry.n > 0) {
    char shown[ENTRY_MAX], plain[OCF_BOOTLIST_SHOWN_SIZE];
    struct ocf_fmt part;
    struct ocf_bytes e_shown = entry;
    size_t from, at;
    if (find_user(entry, &from, &at))
      e_shown = ocf_str(ocf_bootlist_shown(entry, plain, sizeof(plain)));
    ocf_fmt_init(&part, shown, sizeof(shown));
    bool cut = ocf_escape(&part, e_shown) < e_shown.n;
    ocf_fmt_printf(&f, "\"%s%s\": ", shown, cut ? "..." : "");
  }
  ocf_fmt_str(&f, why);
}

static int grow(struct ocf_bootlist *b)
{
  size_t cap = b->cap == 0 ? 8 : b->cap * 2, size = sizeof(*b->v);
  struct ocf_bootlist_entry *v = b->v == NULL
                                     ? ocf_alloc_get(b->a, cap * size)
                                     : ocf_alloc_resize(b->a, b->v, b->cap * size, cap * size);
  if (v == NULL)
    return OCF_ENOMEM;
  b->v = v;
  b->cap = cap;
  return 0;
}

static bool have(const struct ocf_bootlist *b, const struct ocf_maddr *addr)
{
  for (size_t i = 0; i < b->n; i++)
    if (ocf_maddr_eq(&b->v[i].addr, addr))
      return true;
  return false;
}

/* `entry` is how the error texts call it. */
static int add(struct ocf_bootlist *b, const struct ocf_maddr *addr, struct ocf_bytes entry)
{
  struct ocf_peerid peer;
  if (!ocf_maddr_peer(addr, &peer)) {
    note(b, OCF_ENOENT, entry, "names no peer; an address ends in /p2p/<peer id>");
    return 0;
  }
  if (have(b, addr))
    return 0;
  if (b->n == OCF_BOOTLIST_MAX) {
    note(b, OCF_ELIMIT, entry, "left out, the list is full");
    return 0;
  }
  if (b->n == b->cap && grow(b) != 0)
    return OCF_ENOMEM;
  b->v[b->n++] = (struct ocf_bootlist_entry){ .peer = peer, .addr = *addr };
  return 0;
}

static struct ocf_bytes text_of(const struct ocf_maddr *addr, char text[OCF_MADDR_TEXT_SIZE])
{
  size_t n = 0;
  int rc = ocf_maddr_text(addr, text, OCF_MADDR_TEXT_SIZE, &n);
  OCF_ASSERT(rc == 0); /* the room always suffices */
  return ocf_bytes(text, n);
}

int ocf_bootlist_add_addr(struct ocf_bootlist *b, const struct ocf_maddr *addr)
{
  char text[OCF_MADDR_TEXT_SIZE];
  return add(b, addr, text_of(addr, text));
}

static int add_text(struct ocf_bootlist *b, struct ocf_bytes entry)
{
  struct ocf_maddr addr;
  entry = trim(entry);
  if (entry.n == 0)
    return 0;
  int rc = ocf_maddr_parse(entry, &addr);
  if (rc == 0)
    return add(b, &addr, entry);
  note(b, rc, entry,
       rc == OCF_EUNSUPP ? "an address of a protocol that is not known here"
       : rc == OCF_ELIMIT
           ? "too long for an address"
           : "not an address; one looks like /ip4/192.0.2.1/tcp/43905/p2p/<peer id>");
  return 0;
}

/* ---- forms ---- */

static int add_separated(struct ocf_bootlist *b, struct ocf_bytes text)
{
  size_t from = 0;
  for (size_t i = 0; i <= text.n; i++) {
    bool ends = i == text.n || text.p[i] == ',' || text.p[i] == ';' || is_blank(text.p[i]);
    if (!ends)
      continue;
    if (add_text(b, ocf_bytes(text.p + from, i - from)) != 0)
      return OCF_ENOMEM;
    from = i + 1;
  }
  return 0;
}

struct document {
  struct ocf_bootlist *b;
  struct ocf_jscan scan;
  struct ocf_bytes in;
  struct ocf_jscan_token t;
  uint8_t text[OCF_MADDR_TEXT_MAX];
};

/* The next token, any container that it begins being passed over unless `enter`. */
static int pull(struct document *d, bool enter)
{
  int rc = ocf_jscan_pull(&d->scan, &d->in, &d->t);
  if (rc > 0 && !enter && (d->t.kind == OCF_JSCAN_ARRAY || d->t.kind == OCF_JSCAN_OBJECT)) {
    ocf_jscan_skip(&d->scan);
    rc = ocf_jscan_pull(&d->scan, &d->in, &d->t);
  }
  return rc;
}

/* The elements of an array that began. 1 at its end, or an error. */
static int add_elements(struct document *d)
{
  int rc;
  while ((rc = pull(d, false)) > 0 && d->t.kind != OCF_JSCAN_ARRAY_END) {
    if (d->t.kind != OCF_JSCAN_STRING)
      note(d->b, OCF_EINVAL, ocf_bytes(NULL, 0), "an element that is no text");
    else if (d->t.truncated)
      note(d->b, OCF_ELIMIT, d->t.text, "too long for an address");
    else if (add_text(d->b, d->t.text) != 0)
      return OCF_ENOMEM;
  }
  return rc;
}

/* The value of "bootstraps", from its first token on. */
static int add_value(struct document *d)
{
  if (d->t.kind == OCF_JSCAN_ARRAY)
    return add_elements(d);
  if (d->t.kind == OCF_JSCAN_NULL)
    return 1; /* what Go writes for none */
  note(d->b, OCF_EINVAL, ocf_bytes(NULL, 0), "\"bootstraps\" is no array");
  if (d->t.kind != OCF_JSCAN_OBJECT)
    return 1;
  ocf_jscan_skip(&d->scan);
  return pull(d, false);
}

static int add_members(struct document *d)
{
  bool found = false;
  int rc;
  while ((rc = pull(d, false)) > 0 && d->t.kind == OCF_JSCAN_KEY) {
    bool ours = !d->t.truncated && ocf_jscan_key_is(d->t.text, "bootstraps");
    found = found || ours;
    rc = pull(d, ours);
    if (rc > 0 && ours)
      rc = add_value(d);
    if (rc <= 0)
      return rc;
  }
  if (rc > 0 && !found)
    note(d->b, OCF_EINVAL, ocf_bytes(NULL, 0), "an object without \"bootstraps\"");
  return rc;
}

static int add_json(struct ocf_bootlist *b, struct ocf_bytes text)
{
  struct document d = { .b = b, .in = text };
  ocf_jscan_init(&d.scan, d.text, sizeof(d.text), OCF_JSCAN_DEPTH_DEFAULT);
  int rc = pull(&d, true); /* a bracket: the caller looked */
  if (rc > 0)
    rc = d.t.kind == OCF_JSCAN_ARRAY ? add_elements(&d) : add_members(&d);
  if (rc == OCF_ENOMEM)
    return rc;
  if (rc < 0 || !ocf_jscan_is_blank(d.in)) {
    size_t at = (size_t)ocf_jscan_offset(&d.scan);
    note(b, rc < 0 ? rc : OCF_EINVAL, ocf_bytes(text.p + at, text.n - at),
         "not JSON from here on, what follows is left out");
  }
  return 0;
}

int ocf_bootlist_add(struct ocf_bootlist *b, struct ocf_bytes text)
{
  if (text.n > OCF_BOOTLIST_TEXT_MAX) {
    note(b, OCF_ELIMIT, ocf_bytes(NULL, 0), "a text of more than 256 KiB");
    return 0;
  }
  text = trim(text);
  bool json = text.n > 0 && (text.p[0] == '[' || text.p[0] == '{');
  return json ? add_json(b, text) : add_separated(b, text);
}

int ocf_bootlist_add_txt(struct ocf_bootlist *b, struct ocf_bytes txt)
{
  static const struct ocf_bytes prefix = { (const uint8_t *)"dnsaddr=", 8 };
  if (!ocf_str_starts(txt, prefix))
    return 0;
  return add_text(b, ocf_bytes(txt.p + prefix.n, txt.n - prefix.n));
}

/* ---- writing ---- */

static void begin(struct ocf_json *w, struct ocf_buf *out)
{
  *w = ocf_json_to(out);
  ocf_json_object(w);
  ocf_json_key(w, "bootstraps");
  ocf_json_array(w);
}

static void element(struct ocf_json *w, const struct ocf_maddr *addr)
{
  char text[OCF_MADDR_TEXT_SIZE];
  ocf_json_str(w, text_of(addr, text));
}

static int end(struct ocf_json *w)
{
  ocf_json_array_end(w);
  ocf_json_object_end(w);
  return ocf_json_end(w);
}

int ocf_bootlist_write(const struct ocf_maddr *addrs, size_t n, struct ocf_buf *out)
{
  struct ocf_json w;
  begin(&w, out);
  for (size_t i = 0; i < n; i++)
    element(&w, &addrs[i]);
  return end(&w);
}

int ocf_bootlist_write_list(const struct ocf_bootlist *b, struct ocf_buf *out)
{
  struct ocf_json w;
  begin(&w, out);
  for (size_t i = 0; i < b->n; i++)
    element(&w, &b->v[i].addr);
  return end(&w);
}
