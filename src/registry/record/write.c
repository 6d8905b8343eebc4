/* Writing, as Go's encoding/json does it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str/escape.h"
#include "registry/record/record.h"

struct writer {
  struct ocf_buf *out;
  int err;
  bool empty; /* nothing in the object yet */
};

static void put(struct writer *w, const void *p, size_t n)
{
  if (w->err == 0 && n > 0)
    w->err = ocf_buf_add(w->out, p, n);
}

static void put_cstr(struct writer *w, const char *s)
{
  put(w, s, strlen(s));
}

/* ---- strings ---- */

static void put_escaped(struct writer *w, uint8_t c)
{
  static const char letters[] = "btn\0fr"; /* of 8 to 13; 11 has none */
  char s[8];
  if (c == '"' || c == '\\')
    (void)snprintf(s, sizeof(s), "\\%c", c);
  else if (c >= 8 && c <= 13 && c != 11)
    (void)snprintf(s, sizeof(s), "\\%c", letters[c - 8]);
  else
    (void)snprintf(s, sizeof(s), "\\u%04x", c);
  put_cstr(w, s);
}

/* Go also escapes what HTML and JavaScript could stumble over. */
static bool is_plain(uint8_t c)
{
  return c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void put_str(struct writer *w, struct ocf_bytes s)
{
  size_t from = 0, i = 0;
  put(w, "\"", 1);
  while (i < s.n) {
    uint32_t c = 0;
    while (i < s.n && s.p[i] < 0x80 && is_plain(s.p[i]))
      i++;
    if (i == s.n)
      break;
    size_t len = ocf_utf8_next(ocf_bytes(s.p + i, s.n - i), &c);
    bool separator = len > 0 && (c == 0x2028 || c == 0x2029);
    if (len > 0 && !separator && is_plain(s.p[i])) {
      i += len;
      continue;
    }
    put(w, s.p + from, i - from);
    if (len == 0)
      put_cstr(w, "\\ufffd");
    else if (separator)
      put_cstr(w, c == 0x2028 ? "\\u2028" : "\\u2029");
    else
      put_escaped(w, s.p[i]);
    i += OCF_MAX(len, (size_t)1);
    from = i;
  }
  if (i > from)
    put(w, s.p + from, i - from);
  put(w, "\"", 1);
}

int ocf_record_write_str(struct ocf_bytes s, struct ocf_buf *out)
{
  struct writer w = { .out = out };
  size_t start = out->n;
  put_str(&w, s);
  if (w.err != 0)
    out->n = start;
  return w.err;
}

/* ---- fields ---- */

static void key(struct writer *w, const char *name)
{
  if (!w->empty)
    put(w, ",", 1);
  w->empty = false;
  put(w, "\"", 1);
  put_cstr(w, name);
  put(w, "\":", 2);
}

static void open_object(struct writer *w)
{
  put(w, "{", 1);
  w->empty = true;
}

static void close_object(struct writer *w)
{
  put(w, "}", 1);
  w->empty = false; /* what it is a member of holds it now */
}

static void str(struct writer *w, const char *name, struct ocf_bytes s)
{
  key(w, name);
  put_str(w, s);
}

static void str_unless_empty(struct writer *w, const char *name, struct ocf_bytes s)
{
  if (s.n > 0)
    str(w, name, s);
}

static void raw_unless_empty(struct writer *w, const char *name, struct ocf_bytes s)
{
  if (s.n == 0)
    return;
  key(w, name);
  put(w, s.p, s.n);
}

static void put_i64(struct writer *w, int64_t v)
{
  char s[24];
  put(w, s, (size_t)snprintf(s, sizeof(s), "%" PRId64, v));
}

static void i64(struct writer *w, const char *name, int64_t v)
{
  key(w, name);
  put_i64(w, v);
}

static void boolean(struct writer *w, const char *name, bool v)
{
  key(w, name);
  put_cstr(w, v ? "true" : "false");
}

/* The beginning of an array; false when it is null and that was written. */
static bool open_array(struct writer *w, const char *name, bool is_set)
{
  key(w, name);
  put_cstr(w, is_set ? "[" : "null");
  return is_set;
}

static void comma_before(struct writer *w, size_t i)
{
  if (i > 0)
    put(w, ",", 1);
}

static void strs(struct writer *w, const char *name, const struct ocf_record_strs *l)
{
  if (!open_array(w, name, l->is_set))
    return;
  for (size_t i = 0; i < l->n; i++) {
    comma_before(w, i);
    put_str(w, l->v[i]);
  }
  put(w, "]", 1);
}

static void hardware(struct writer *w, const struct ocf_record_hardware *h)
{
  key(w, "hardware");
  open_object(w);
  if (open_array(w, "gpus", h->has_gpus)) {
    for (size_t i = 0; i < h->n_gpus; i++) {
      comma_before(w, i);
      open_object(w);
      str(w, "name", h->gpus[i].name);
      i64(w, "total_memory", h->gpus[i].total_memory);
      i64(w, "used_memory", h->gpus[i].used_memory);
      close_object(w);
    }
    put(w, "]", 1);
  }
  i64(w, "host_memory", h->host_memory);
  i64(w, "host_memory_bandwidth", h->host_memory_bandwidth);
  i64(w, "host_memory_used", h->host_memory_used);
  close_object(w);
}

static void services(struct writer *w, const struct ocf_record *r)
{
  if (!open_array(w, "service", r->has_service))
    return;
  for (size_t i = 0; i < r->n_services; i++) {
    const struct ocf_record_service *s = &r->service[i];
    comma_before(w, i);
    open_object(w);
    str(w, "name", s->name);
    hardware(w, &s->hardware);
    str(w, "status", s->status);
    str(w, "host", s->host);
    str(w, "port", s->port);
    strs(w, "identity_group", &s->identity_group);
    close_object(w);
  }
  put(w, "]", 1);
}

static void load(struct writer *w, const struct ocf_record *r)
{
  if (!open_array(w, "load", r->has_load))
    return;
  for (size_t i = 0; i < r->n_load; i++) {
    comma_before(w, i);
    put_i64(w, r->load[i]);
  }
  put(w, "]", 1);
}

static void attestations(struct writer *w, const struct ocf_record *r)
{
  const struct ocf_record_build *b = &r->build_attestation;
  const struct ocf_record_identity *i = &r->identity_attestation;
  if (b->is_set) {
    key(w, "build_attestation");
    open_object(w);
    str(w, "version", b->version);
    str(w, "commit", b->commit);
    str(w, "build_sig", b->build_sig);
    close_object(w);
  }
  if (i->is_set) {
    key(w, "identity_attestation");
    open_object(w);
    str(w, "peer_id", i->peer_id);
    str(w, "wallet_pubkey", i->wallet_pubkey);
    i64(w, "timestamp", i->timestamp);
    str(w, "signature", i->signature);
    close_object(w);
  }
}

static void counts(struct writer *w, const struct ocf_record *r)
{
  if (r->n_service_name_counts == 0)
    return;
  key(w, "service_name_counts");
  put(w, "{", 1);
  for (size_t i = 0; i < r->n_service_name_counts; i++) {
    comma_before(w, i);
    put_str(w, r->service_name_counts[i].name);
    put(w, ":", 1);
    put_i64(w, r->service_name_counts[i].n);
  }
  put(w, "}", 1);
}

static void go_fields(struct writer *w, const struct ocf_record *r, bool connected)
{
  str(w, "id", r->id);
  i64(w, "latency", r->latency);
  boolean(w, "privileged", r->privileged);
  str(w, "owner", r->owner);
  str_unless_empty(w, "provider_id", r->provider_id);
  strs(w, "current_offering", &r->current_offering);
  strs(w, "role", &r->role);
  str(w, "status", r->status);
  strs(w, "available_offering", &r->available_offering);
  services(w, r);
  i64(w, "last_seen", r->last_seen);
  str(w, "version", r->version);
  str(w, "public_address", r->public_address);
  str_unless_empty(w, "public_port", r->public_port);
  hardware(w, &r->hardware);
  str_unless_empty(w, "relay_peer", r->relay_peer);
  str_unless_empty(w, "evicted_by", r->evicted_by);
  boolean(w, "connected", connected);
  load(w, r);
  attestations(w, r);
  if (r->capabilities.n > 0)
    strs(w, "capabilities", &r->capabilities);
  counts(w, r);
}

int ocf_record_write(const struct ocf_record *r, unsigned flags, struct ocf_buf *out)
{
  struct writer w = { .out = out };
  size_t start = out->n;
  bool connected = r->connected;
  if ((flags & (OCF_RECORD_CONNECTED | OCF_RECORD_DISCONNECTED)) != 0)
    connected = (flags & OCF_RECORD_CONNECTED) != 0;
  open_object(&w);
  go_fields(&w, r, connected);
  if ((flags & OCF_RECORD_GO_ONLY) == 0) {
    str_unless_empty(&w, "region", r->region);
    raw_unless_empty(&w, "price", r->price);
    raw_unless_empty(&w, "capacity", r->capacity);
    raw_unless_empty(&w, "signature", r->signature);
  }
  close_object(&w);
  if (w.err != 0)
    out->n = start;
  return w.err;
}
