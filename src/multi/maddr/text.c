/* Multiaddrs from and to text. */
#include <inttypes.h>
#include <stdio.h>

#include "base/core/endian.h"
#include "fmt/basex/basex.h"
#include "multi/maddr/proto.h"
#include "multi/multibase/multibase.h"

/* ---- text to value ---- */

/* A value being read: room for the largest, which ocf_maddr_append then judges. */
struct value {
  uint8_t b[OCF_MADDR_MAX];
  size_t n;
};

/* Decimal digits only, as many leading zeros as you like (Go's ParseUint), at most `max`. */
static bool read_number(struct ocf_bytes t, uint64_t max, uint64_t *v)
{
  uint64_t x = 0;
  for (size_t i = 0; i < t.n; i++) {
    unsigned d = (unsigned)t.p[i] - '0';
    if (d > 9 || x > (max - d) / 10)
      return false;
    x = x * 10 + d;
  }
  *v = x;
  return t.n > 0;
}

static int read_ip(struct ocf_bytes t, uint8_t family, struct value *v)
{
  struct ocf_ip_addr ip;
  if (ocf_ip_addr_parse_host(t, &ip) != 0 || ip.family != family)
    return OCF_EINVAL;
  v->n = family == 4 ? 4 : 16;
  memcpy(v->b, ip.ip, v->n);
  return 0;
}

static int read_port(struct ocf_bytes t, struct value *v)
{
  uint64_t port;
  if (!read_number(t, UINT16_MAX, &port))
    return OCF_EINVAL;
  ocf_put_be16(v->b, (uint16_t)port);
  v->n = 2;
  return 0;
}

static int read_byte(struct ocf_bytes t, struct value *v)
{
  uint64_t x;
  if (!read_number(t, UINT8_MAX, &x))
    return OCF_EINVAL;
  v->b[0] = (uint8_t)x;
  v->n = 1;
  return 0;
}

static int read_u64(struct ocf_bytes t, struct value *v)
{
  uint64_t x;
  if (!read_number(t, UINT64_MAX, &x))
    return OCF_EINVAL;
  ocf_put_be64(v->b, x);
  v->n = 8;
  return 0;
}

static int read_bytes(struct ocf_bytes t, struct value *v)
{
  if (t.n > sizeof(v->b))
    return OCF_ELIMIT;
  memcpy(v->b, t.p, t.n);
  v->n = t.n;
  return 0;
}

static int read_peer(struct ocf_bytes t, struct value *v)
{
  struct ocf_peerid id;
  int rc = ocf_peerid_parse(t, &id);
  if (rc != 0)
    return rc == OCF_ELIMIT ? rc : OCF_EINVAL; /* the id is bad, not the protocol unknown */
  return read_bytes(ocf_peerid_view(&id), v);
}

static int read_hash(struct ocf_bytes t, struct value *v)
{
  int rc = ocf_multibase_decode(t, v->b, sizeof(v->b), &v->n);
  if (rc == OCF_EAGAIN)
    return OCF_ELIMIT;
  return rc == OCF_EUNSUPP ? OCF_EINVAL : rc; /* the base is unknown, not the protocol */
}

/* Query escaping: %XX, and '+' for a space. */
static int read_escaped(struct ocf_bytes t, struct value *v)
{
  v->n = 0;
  for (size_t i = 0; i < t.n; i++) {
    uint8_t c = t.p[i];
    size_t one = 0;
    if (c == '+')
      c = ' ';
    if (c == '%') {
      if (t.n - i < 3 ||
          ocf_basex_decode(OCF_BASEX_HEX, ocf_bytes(t.p + i + 1, 2), &c, 1, &one) != 0)
        return OCF_EINVAL;
      i += 2;
    }
    if (v->n == sizeof(v->b))
      return OCF_ELIMIT;
    v->b[v->n++] = c;
  }
  return 0;
}

/* "<base32>:<port>", of `size` bytes in binary. */
static int read_onion(struct ocf_bytes t, size_t size, struct value *v)
{
  uint64_t port;
  size_t colon = 0, n;
  while (colon < t.n && t.p[colon] != ':')
    colon++;
  if (colon == t.n)
    return OCF_EINVAL;
  if (ocf_basex_decode(OCF_BASEX_32, ocf_bytes(t.p, colon), v->b, size - 2, &n) != 0 ||
      n != size - 2)
    return OCF_EINVAL;
  if (!read_number(ocf_bytes(t.p + colon + 1, t.n - colon - 1), UINT16_MAX, &port))
    return OCF_EINVAL;
  ocf_put_be16(v->b + n, (uint16_t)port);
  v->n = size;
  return 0;
}

static int read_garlic(struct ocf_bytes t, struct value *v)
{
  int rc = ocf_basex_decode(OCF_BASEX_32, t, v->b, sizeof(v->b), &v->n);
  return rc == OCF_EAGAIN ? OCF_ELIMIT : rc;
}

static int read_value(const struct ocf_maddr_proto *proto, struct ocf_bytes t, struct value *v)
{
  v->n = 0;
  switch (proto->kind) {
  case OCF_MADDR_KIND_FLAG: return 0;
  case OCF_MADDR_KIND_IP4: return read_ip(t, 4, v);
  case OCF_MADDR_KIND_IP6: return read_ip(t, 6, v);
  case OCF_MADDR_KIND_PORT: return read_port(t, v);
  case OCF_MADDR_KIND_BYTE: return read_byte(t, v);
  case OCF_MADDR_KIND_NAME:
  case OCF_MADDR_KIND_PATH: return read_bytes(t, v);
  case OCF_MADDR_KIND_PEER: return read_peer(t, v);
  case OCF_MADDR_KIND_HASH: return read_hash(t, v);
  case OCF_MADDR_KIND_HTTP_PATH: return read_escaped(t, v);
  case OCF_MADDR_KIND_ONION: return read_onion(t, (size_t)proto->size, v);
  case OCF_MADDR_KIND_GARLIC: return read_garlic(t, v);
  case OCF_MADDR_KIND_U64: return read_u64(t, v);
  }
  return OCF_EINVAL;
}

/* What stands between the slash at the front of `*rest` and the next one. */
static struct ocf_bytes take_segment(struct ocf_bytes *rest)
{
  size_t n = 1;
  while (n < rest->n && rest->p[n] != '/')
    n++;
  struct ocf_bytes seg = ocf_bytes(rest->p + 1, n - 1);
  *rest = ocf_bytes(rest->p + n, rest->n - n);
  return seg;
}

static int parse_part(struct ocf_bytes *rest, struct ocf_maddr *m)
{
  struct value v;
  struct ocf_bytes text = { 0 }, name = take_segment(rest);
  const struct ocf_maddr_proto *proto = ocf_maddr_proto_by_name(name);
  if (proto == NULL)
    return name.n == 0 ? OCF_EINVAL : OCF_EUNSUPP;
  if (proto->kind != OCF_MADDR_KIND_FLAG) {
    if (rest->n == 0)
      return OCF_EINVAL;
    if (proto->kind == OCF_MADDR_KIND_PATH) {
      text = *rest; /* with its leading slash */
      *rest = ocf_bytes(rest->p + rest->n, 0);
    } else {
      text = take_segment(rest);
    }
  }
  int rc = read_value(proto, text, &v);
  return rc != 0 ? rc : ocf_maddr_append(m, proto->code, ocf_bytes(v.b, v.n));
}

int ocf_maddr_parse(struct ocf_bytes text, struct ocf_maddr *out)
{
  struct ocf_maddr m = { 0 };
  if (text.n > OCF_MADDR_TEXT_MAX)
    return OCF_ELIMIT;
  while (text.n > 0 && text.p[text.n - 1] == '/')
    text.n--;
  if (text.n == 0 || text.p[0] != '/')
    return OCF_EINVAL;
  while (text.n > 0) {
    int rc = parse_part(&text, &m);
    if (rc != 0)
      return rc;
  }
  *out = m;
  return 0;
}

/* ---- value to text ---- */

struct sink {
  char *p;
  size_t n, cap; /* n < cap, unless `full` */
  bool full;
};

static void put(struct sink *s, const void *p, size_t n)
{
  if (s->full || n >= s->cap - s->n) { /* one byte stays free for the NUL */
    s->full = true;
    return;
  }
  memcpy(s->p + s->n, p, n);
  s->n += n;
}

static void put_str(struct sink *s, const char *p)
{
  put(s, p, strlen(p));
}

static void put_number(struct sink *s, uint64_t v)
{
  char t[24];
  put(s, t, (size_t)snprintf(t, sizeof(t), "%" PRIu64, v));
}

static void put_ip(struct sink *s, uint8_t family, struct ocf_bytes v)
{
  char t[OCF_IP_ADDR_TEXT_SIZE];
  struct ocf_ip_addr ip = { .family = family };
  memcpy(ip.ip, v.p, v.n);
  put_str(s, ocf_ip_addr_host_text(&ip, t));
}

static void put_peer(struct sink *s, struct ocf_bytes v)
{
  char t[OCF_PEERID_TEXT_SIZE];
  struct ocf_peerid id;
  int rc = ocf_peerid_from_bytes(v, &id);
  OCF_ASSERT(rc == 0);
  put_str(s, ocf_peerid_text(&id, t));
}

static void put_base(struct sink *s, enum ocf_basex base, struct ocf_bytes v)
{
  char t[OCF_MADDR_MAX * 2];
  size_t n = 0;
  int rc = ocf_basex_encode(base, v, t, sizeof(t), &n);
  OCF_ASSERT(rc == 0);
  put(s, t, n);
}

static void put_escaped(struct sink *s, struct ocf_bytes v)
{
  for (size_t i = 0; i < v.n; i++) {
    uint8_t c = v.p[i], l = c | 0x20;
    char t[4];
    if ((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || (c != 0 && strchr("-_.~", c) != NULL))
      put(s, &c, 1);
    else if (c == ' ')
      put(s, "+", 1);
    else
      put(s, t, (size_t)snprintf(t, sizeof(t), "%%%02X", c));
  }
}

static void put_onion(struct sink *s, struct ocf_bytes v)
{
  put_base(s, OCF_BASEX_32, ocf_bytes(v.p, v.n - 2));
  put(s, ":", 1);
  put_number(s, ocf_get_be16(v.p + v.n - 2));
}

static void put_value(struct sink *s, const struct ocf_maddr_proto *proto, struct ocf_bytes v)
{
  switch (proto->kind) {
  case OCF_MADDR_KIND_FLAG: return;
  case OCF_MADDR_KIND_IP4: put_ip(s, 4, v); return;
  case OCF_MADDR_KIND_IP6: put_ip(s, 6, v); return;
  case OCF_MADDR_KIND_PORT: put_number(s, ocf_get_be16(v.p)); return;
  case OCF_MADDR_KIND_BYTE: put_number(s, v.p[0]); return;
  case OCF_MADDR_KIND_NAME: put(s, v.p, v.n); return;
  case OCF_MADDR_KIND_PATH: put(s, v.p + 1, v.n - 1); return; /* its slash is there already */
  case OCF_MADDR_KIND_PEER: put_peer(s, v); return;
  case OCF_MADDR_KIND_HASH:
    put(s, "u", 1);
    put_base(s, OCF_BASEX_64_URL, v);
    return;
  case OCF_MADDR_KIND_HTTP_PATH: put_escaped(s, v); return;
  case OCF_MADDR_KIND_ONION: put_onion(s, v); return;
  case OCF_MADDR_KIND_GARLIC: put_base(s, OCF_BASEX_32, v); return;
  case OCF_MADDR_KIND_U64: put_number(s, ocf_get_be64(v.p)); return;
  }
}

int ocf_maddr_text(const struct ocf_maddr *m, char *dst, size_t cap, size_t *n)
{
  struct sink s = { .p = dst, .cap = cap, .full = cap == 0 };
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part part;
  while (ocf_maddr_next(&it, &part)) {
    const struct ocf_maddr_proto *proto = ocf_maddr_proto_by_code(part.code);
    put(&s, "/", 1);
    put_str(&s, part.name);
    if (proto->kind != OCF_MADDR_KIND_FLAG) {
      put(&s, "/", 1);
      put_value(&s, proto, part.value);
    }
  }
  if (cap > 0)
    dst[s.full ? 0 : s.n] = '\0';
  if (s.full)
    return OCF_EAGAIN;
  if (n != NULL)
    *n = s.n;
  return 0;
}
