/* The tables of the module: errors, reasons, methods, known fields. */
#include "http/h1/names.h"

#include "http/h1/chars.h"

const uint8_t ocf_h1_chars[256] = {
#include "http/h1/chars.inc"
};

static const struct {
  unsigned status;
  const char *name;
} errors[OCF_H1_E_COUNT] = { [OCF_H1_E_NONE] = { 500, "none" },
#define X(name, status, code) [OCF_H1_E_##name] = { (status), (code) },
                             OCF_H1_ERRORS(X)
#undef X
};

unsigned ocf_h1_error_status(enum ocf_h1_error e)
{
  return (unsigned)e < OCF_H1_E_COUNT ? errors[e].status : 500;
}

const char *ocf_h1_error_name(enum ocf_h1_error e)
{
  return (unsigned)e < OCF_H1_E_COUNT ? errors[e].name : "unknown";
}

/* RFC 9110 section 15, RFC 6585, and 499 as proxies log a client that left. */
static const struct {
  uint16_t status;
  const char *text;
} reasons[] = {
  { 100, "Continue" },
  { 101, "Switching Protocols" },
  { 102, "Processing" },
  { 103, "Early Hints" },
  { 200, "OK" },
  { 201, "Created" },
  { 202, "Accepted" },
  { 203, "Non-Authoritative Information" },
  { 204, "No Content" },
  { 205, "Reset Content" },
  { 206, "Partial Content" },
  { 207, "Multi-Status" },
  { 300, "Multiple Choices" },
  { 301, "Moved Permanently" },
  { 302, "Found" },
  { 303, "See Other" },
  { 304, "Not Modified" },
  { 307, "Temporary Redirect" },
  { 308, "Permanent Redirect" },
  { 400, "Bad Request" },
  { 401, "Unauthorized" },
  { 402, "Payment Required" },
  { 403, "Forbidden" },
  { 404, "Not Found" },
  { 405, "Method Not Allowed" },
  { 406, "Not Acceptable" },
  { 407, "Proxy Authentication Required" },
  { 408, "Request Timeout" },
  { 409, "Conflict" },
  { 410, "Gone" },
  { 411, "Length Required" },
  { 412, "Precondition Failed" },
  { 413, "Content Too Large" },
  { 414, "URI Too Long" },
  { 415, "Unsupported Media Type" },
  { 416, "Range Not Satisfiable" },
  { 417, "Expectation Failed" },
  { 421, "Misdirected Request" },
  { 422, "Unprocessable Content" },
  { 423, "Locked" },
  { 424, "Failed Dependency" },
  { 425, "Too Early" },
  { 426, "Upgrade Required" },
  { 428, "Precondition Required" },
  { 429, "Too Many Requests" },
  { 431, "Request Header Fields Too Large" },
  { 451, "Unavailable For Legal Reasons" },
  { 499, "Client Closed Request" },
  { 500, "Internal Server Error" },
  { 501, "Not Implemented" },
  { 502, "Bad Gateway" },
  { 503, "Service Unavailable" },
  { 504, "Gateway Timeout" },
  { 505, "HTTP Version Not Supported" },
  { 507, "Insufficient Storage" },
  { 508, "Loop Detected" },
  { 511, "Network Authentication Required" },
};

const char *ocf_h1_reason(unsigned status)
{
  size_t lo = 0, hi = OCF_ARRAY_LEN(reasons);
  while (lo < hi) {
    const size_t mid = (lo + hi) / 2;
    if (reasons[mid].status < status)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < OCF_ARRAY_LEN(reasons) && reasons[lo].status == status ? reasons[lo].text : "Unknown";
}

static const char *const methods[OCF_H1_METHOD_COUNT] = { [OCF_H1_OTHER] = "OTHER",
#define X(name) [OCF_H1_##name] = #name,
                                                          OCF_H1_METHODS(X)
#undef X
};

const char *ocf_h1_method_name(enum ocf_h1_method m)
{
  return (unsigned)m < OCF_H1_METHOD_COUNT ? methods[m] : methods[OCF_H1_OTHER];
}

static bool is(struct ocf_bytes a, const char *text, size_t n)
{
  return a.n == n && memcmp(a.p, text, n) == 0;
}

enum ocf_h1_method ocf_h1_method_find(struct ocf_bytes name)
{
#define X(m)                                                                                       \
  if (is(name, #m, sizeof(#m) - 1))                                                                \
    return OCF_H1_##m;
  OCF_H1_METHODS(X)
#undef X
  return OCF_H1_OTHER;
}

bool ocf_h1_method_idempotent(enum ocf_h1_method m)
{
  return m == OCF_H1_GET || m == OCF_H1_HEAD || m == OCF_H1_OPTIONS || m == OCF_H1_PUT ||
         m == OCF_H1_DELETE || m == OCF_H1_TRACE;
}

static const struct {
  const char *text;
  uint8_t n;
} known[OCF_H1_F_COUNT] = {
  [OCF_H1_F_UNKNOWN] = { "", 0 },
#define X(name, text, first, last, kind) [OCF_H1_F_##name] = { (text), sizeof(text) - 1 },
  OCF_H1_KNOWN(X)
#undef X
      [OCF_H1_F_SHADOW] = { "", 0 },
};

const uint8_t ocf_h1_kinds[OCF_H1_F_COUNT] = {
  [OCF_H1_F_UNKNOWN] = OCF_H1_KIND_END,
#define X(name, text, first, last, kind) [OCF_H1_F_##name] = OCF_H1_KIND_##kind,
  OCF_H1_KNOWN(X)
#undef X
      [OCF_H1_F_SHADOW] = OCF_H1_KIND_HOP,
};

_Static_assert(OCF_H1_F_COUNT <= 64, "sets of field ids are bits of one word");

/* A perfect hash over (length, first, last letter). Two names in one slot are a compile error
 * (-Woverride-init, -Winitializer-overrides), so a new name may need other factors. */
#define SLOT(n, first, last)                                                                       \
  (((unsigned)(n) + 6u * (unsigned)(first) + 11u * (unsigned)(last)) & 127u)

static const uint8_t slots[128] = {
#define X(name, text, first, last, kind) [SLOT(sizeof(text) - 1, first, last)] = OCF_H1_F_##name,
  OCF_H1_KNOWN(X)
#undef X
};

/* `a` is a token and `b` a known name: letters, digits and '-'. Setting bit 5 in both is then
 * exact: the only bytes that it maps to those are themselves, upper-case letters and control
 * characters. */
static bool same_token(const uint8_t *a, const uint8_t *b, size_t n)
{
  const uint64_t low = OCF_H1_EVERY_BYTE(0x20u);
  uint64_t x, y;

  if (n >= sizeof(x)) {
    for (size_t i = 0;; i = OCF_MIN(i + sizeof(x), n - sizeof(x))) {
      memcpy(&x, a + i, sizeof(x));
      memcpy(&y, b + i, sizeof(y));
      if ((x | low) != (y | low))
        return false;
      if (i == n - sizeof(x))
        return true;
    }
  }
  for (size_t i = 0; i < n; i++) {
    if ((a[i] | 0x20) != (b[i] | 0x20))
      return false;
  }
  return true;
}

enum ocf_h1_field_id ocf_h1_field_find_plain(const uint8_t *p, size_t n)
{
  if (n == 0)
    return OCF_H1_F_UNKNOWN;
  const unsigned id = slots[SLOT(n, p[0] | 0x20u, p[n - 1] | 0x20u)];
  if (known[id].n != n || !same_token(p, (const uint8_t *)known[id].text, n))
    return OCF_H1_F_UNKNOWN;
  return (enum ocf_h1_field_id)id;
}

enum ocf_h1_field_id ocf_h1_field_find(struct ocf_bytes name)
{
  uint8_t dashed[40]; /* longer than every known name */

  if (name.n == 0 || memchr(name.p, '_', name.n) == NULL)
    return ocf_h1_field_find_plain(name.p, name.n);
  if (name.n > sizeof(dashed))
    return OCF_H1_F_UNKNOWN;
  for (size_t i = 0; i < name.n; i++)
    dashed[i] = name.p[i] == '_' ? '-' : name.p[i];
  return ocf_h1_field_find_plain(dashed, name.n) == OCF_H1_F_UNKNOWN ? OCF_H1_F_UNKNOWN
                                                                     : OCF_H1_F_SHADOW;
}

const char *ocf_h1_field_name(enum ocf_h1_field_id id)
{
  return (unsigned)id < OCF_H1_F_COUNT ? known[id].text : "";
}

bool ocf_h1_eq_nocase(struct ocf_bytes a, struct ocf_bytes b)
{
  if (a.n != b.n)
    return false;
  for (size_t i = 0; i < a.n; i++) {
    if (ocf_h1_lower(a.p[i]) != ocf_h1_lower(b.p[i]))
      return false;
  }
  return true;
}
