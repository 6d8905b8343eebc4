/* Reading: for each kind of object a table of fields, each with the function that reads its type.
 * A reader gets the value's first token, already pulled, takes the rest, and leaves the field alone
 * when the type is wrong. Objects nest only as the tables do, four deep. */
#include <string.h>

#include "base/str/escape.h"
#include "fmt/jscan/jscan.h"
#include "registry/record/record.h"

struct parser {
  struct ocf_jscan scan;
  struct ocf_bytes doc, in;
  struct ocf_jscan_token t; /* the last one pulled */
  struct ocf_record *r;
  int err; /* the first; readers return false then, and everything unwinds */
  uint8_t text[OCF_RECORD_STR_MAX];
};

typedef bool reader(struct parser *p, void *at);

struct field {
  const char *name;
  size_t offset; /* of what the reader gets */
  reader *read;
};

#define FIELD(read, type, member, name)                                                            \
  {                                                                                                \
    (name), offsetof(struct type, member), (read)                                                  \
  }
/* A reader that sets several members gets the whole. */
#define FIELDS(read, name)                                                                         \
  {                                                                                                \
    (name), 0, (read)                                                                              \
  }

/* ---- helpers ---- */

static bool fail(struct parser *p, int err)
{
  p->err = err;
  return false;
}

static bool pull(struct parser *p)
{
  int rc = ocf_jscan_pull(&p->scan, &p->in, &p->t);
  return rc > 0 || fail(p, rc);
}

/* Passes over the rest of the value. */
static bool pass(struct parser *p)
{
  if (p->t.kind != OCF_JSCAN_OBJECT && p->t.kind != OCF_JSCAN_ARRAY)
    return true;
  ocf_jscan_skip(&p->scan);
  return pull(p);
}

static bool is_null(const struct parser *p)
{
  return p->t.kind == OCF_JSCAN_NULL;
}

static bool pass_mistyped(struct parser *p)
{
  p->r->n_mistyped++;
  return pass(p);
}

/* What to do with a value that is not of the reader's type: null is nobody's mistake. */
static bool pass_other(struct parser *p)
{
  return is_null(p) || pass_mistyped(p);
}

static bool pass_dropped(struct parser *p)
{
  p->r->n_dropped++;
  return pass(p);
}

/* Memory of the record; OCF_ELIMIT when it is the record's own bound that is reached. */
static void *demand(struct parser *p, size_t n)
{
  const struct ocf_arena *ar = &p->r->arena;
  void *m = ocf_arena_get(&p->r->arena, n);
  if (m == NULL)
    (void)fail(p, n + ar->block_bytes > ar->max_bytes - ar->held_bytes ? OCF_ELIMIT : OCF_ENOMEM);
  return m;
}

static bool keep_text(struct parser *p, struct ocf_bytes s, struct ocf_bytes *to)
{
  char *m = demand(p, s.n + 1);
  if (m == NULL)
    return false;
  if (s.n > 0)
    memcpy(m, s.p, s.n);
  m[s.n] = '\0';
  *to = ocf_bytes(m, s.n);
  return true;
}

/* A copy of `n` bytes at `*v`, which it then names; NULL for none. */
static bool keep_array(struct parser *p, const void *from, size_t n, void *v)
{
  void *m = n == 0 ? NULL : demand(p, n);
  if (n > 0 && m == NULL)
    return false;
  if (n > 0)
    memcpy(m, from, n);
  memcpy(v, &m, sizeof(m));
  return true;
}

/* The members of an object that began. */
static bool read_members(struct parser *p, void *into, const struct field *fields, size_t n)
{
  while (pull(p) && p->t.kind == OCF_JSCAN_KEY) {
    size_t i = 0;
    while (i < n && (p->t.truncated || !ocf_jscan_key_is(p->t.text, fields[i].name)))
      i++;
    p->r->n_unknown += i == n;
    if (!pull(p))
      return false;
    if (!(i == n ? pass(p) : fields[i].read(p, (char *)into + fields[i].offset)))
      return false;
  }
  return p->err == 0;
}

static bool read_object(struct parser *p, void *into, const struct field *fields, size_t n)
{
  return p->t.kind == OCF_JSCAN_OBJECT ? read_members(p, into, fields, n) : pass_other(p);
}

/* The items of an array that began, into `v`, which holds `max` of `size` bytes. An item that is
 * null or mistyped is a zero one, as in Go. */
static bool read_items(struct parser *p, void *v, size_t size, size_t max, reader *read_item,
                       uint32_t *n)
{
  *n = 0;
  while (pull(p) && p->t.kind != OCF_JSCAN_ARRAY_END) {
    char *item = (char *)v + size * *n;
    if (*n == max) {
      if (!pass_dropped(p))
        return false;
      continue;
    }
    memset(item, 0, size);
    if (!read_item(p, item))
      return false;
    ++*n;
  }
  return p->err == 0;
}

/* ---- plain types ---- */

static bool read_str(struct parser *p, void *at)
{
  if (p->t.kind != OCF_JSCAN_STRING)
    return pass_other(p);
  return p->t.truncated ? pass_dropped(p) : keep_text(p, p->t.text, at);
}

static bool read_i64(struct parser *p, void *at)
{
  if (p->t.kind != OCF_JSCAN_NUMBER)
    return pass_other(p);
  return (!p->t.truncated && ocf_jscan_i64(p->t.text, at) == 0) || pass_mistyped(p);
}

static bool read_bool(struct parser *p, void *at)
{
  bool is_true = p->t.kind == OCF_JSCAN_TRUE;
  if (!is_true && p->t.kind != OCF_JSCAN_FALSE)
    return pass_other(p);
  *(bool *)at = is_true;
  return true;
}

/* Any value, kept as it is written, and so only when it is also well-formed UTF-8. */
static bool read_raw(struct parser *p, void *at)
{
  if (is_null(p) || !pass(p))
    return p->err == 0;
  struct ocf_bytes raw = ocf_bytes(p->doc.p + p->t.begin, (size_t)(p->t.end - p->t.begin));
  if (raw.n > OCF_RECORD_RAW_MAX || !ocf_utf8_ok(raw)) {
    p->r->n_dropped++;
    return true;
  }
  return keep_text(p, raw, at);
}

/* ---- arrays ---- */

static bool read_str_list(struct parser *p, struct ocf_record_strs *to, size_t max)
{
  struct ocf_bytes v[OCF_RECORD_GROUPS_MAX];
  struct ocf_record_strs made = { .is_set = p->t.kind == OCF_JSCAN_ARRAY };
  if (!made.is_set && !is_null(p))
    return pass_mistyped(p);
  if (made.is_set && !(read_items(p, v, sizeof(v[0]), max, read_str, &made.n) &&
                       keep_array(p, v, made.n * sizeof(v[0]), &made.v)))
    return false;
  *to = made; /* null makes it nil */
  return true;
}

static bool read_strs(struct parser *p, void *at)
{
  return read_str_list(p, at, OCF_RECORD_LIST_MAX);
}

static bool read_groups(struct parser *p, void *at)
{
  return read_str_list(p, at, OCF_RECORD_GROUPS_MAX);
}

static bool read_load(struct parser *p, void *at)
{
  struct ocf_record *r = at;
  int64_t v[OCF_RECORD_LIST_MAX];
  uint32_t n = 0;
  bool is_array = p->t.kind == OCF_JSCAN_ARRAY;
  if (!is_array && !is_null(p))
    return pass_mistyped(p);
  if (is_array && !read_items(p, v, sizeof(v[0]), OCF_ARRAY_LEN(v), read_i64, &n))
    return false;
  r->has_load = is_array;
  r->n_load = n;
  return keep_array(p, v, n * sizeof(v[0]), &r->load);
}

static bool read_gpu(struct parser *p, void *at)
{
  static const struct field fields[] = {
    FIELD(read_str, ocf_record_gpu, name, "name"),
    FIELD(read_i64, ocf_record_gpu, total_memory, "total_memory"),
    FIELD(read_i64, ocf_record_gpu, used_memory, "used_memory"),
  };
  return read_object(p, at, fields, OCF_ARRAY_LEN(fields));
}

static bool read_gpus(struct parser *p, void *at)
{
  struct ocf_record_hardware *h = at;
  struct ocf_record_gpu v[OCF_RECORD_LIST_MAX];
  uint32_t n = 0;
  bool is_array = p->t.kind == OCF_JSCAN_ARRAY;
  if (!is_array && !is_null(p))
    return pass_mistyped(p);
  if (is_array && !read_items(p, v, sizeof(v[0]), OCF_ARRAY_LEN(v), read_gpu, &n))
    return false;
  h->has_gpus = is_array;
  h->n_gpus = n;
  return keep_array(p, v, n * sizeof(v[0]), &h->gpus);
}

static bool read_hardware(struct parser *p, void *at)
{
  static const struct field fields[] = {
    FIELDS(read_gpus, "gpus"),
    FIELD(read_i64, ocf_record_hardware, host_memory, "host_memory"),
    FIELD(read_i64, ocf_record_hardware, host_memory_bandwidth, "host_memory_bandwidth"),
    FIELD(read_i64, ocf_record_hardware, host_memory_used, "host_memory_used"),
  };
  return read_object(p, at, fields, OCF_ARRAY_LEN(fields));
}

static bool read_service(struct parser *p, void *at)
{
  static const struct field fields[] = {
    FIELD(read_str, ocf_record_service, name, "name"),
    FIELD(read_hardware, ocf_record_service, hardware, "hardware"),
    FIELD(read_str, ocf_record_service, status, "status"),
    FIELD(read_str, ocf_record_service, host, "host"),
    FIELD(read_str, ocf_record_service, port, "port"),
    FIELD(read_groups, ocf_record_service, identity_group, "identity_group"),
  };
  return read_object(p, at, fields, OCF_ARRAY_LEN(fields));
}

static bool read_services(struct parser *p, void *at)
{
  struct ocf_record *r = at;
  struct ocf_record_service v[OCF_RECORD_SERVICES_MAX];
  uint32_t n = 0;
  bool is_array = p->t.kind == OCF_JSCAN_ARRAY;
  if (!is_array && !is_null(p))
    return pass_mistyped(p);
  if (is_array && !read_items(p, v, sizeof(v[0]), OCF_ARRAY_LEN(v), read_service, &n))
    return false;
  r->has_service = is_array;
  r->n_services = n;
  return keep_array(p, v, n * sizeof(v[0]), &r->service);
}

/* ---- what hangs on a pointer in Go: null drops it, any other value makes it first ---- */

static bool read_build(struct parser *p, void *at)
{
  static const struct field fields[] = {
    FIELD(read_str, ocf_record_build, version, "version"),
    FIELD(read_str, ocf_record_build, commit, "commit"),
    FIELD(read_str, ocf_record_build, build_sig, "build_sig"),
  };
  struct ocf_record_build *b = at;
  if (is_null(p))
    *b = (struct ocf_record_build){ 0 };
  else
    b->is_set = true;
  return read_object(p, at, fields, OCF_ARRAY_LEN(fields));
}

static bool read_identity(struct parser *p, void *at)
{
  static const struct field fields[] = {
    FIELD(read_str, ocf_record_identity, peer_id, "peer_id"),
    FIELD(read_str, ocf_record_identity, wallet_pubkey, "wallet_pubkey"),
    FIELD(read_i64, ocf_record_identity, timestamp, "timestamp"),
    FIELD(read_str, ocf_record_identity, signature, "signature"),
  };
  struct ocf_record_identity *i = at;
  if (is_null(p))
    *i = (struct ocf_record_identity){ 0 };
  else
    i->is_set = true;
  return read_object(p, at, fields, OCF_ARRAY_LEN(fields));
}

static int compare(struct ocf_bytes a, struct ocf_bytes b)
{
  size_t n = OCF_MIN(a.n, b.n);
  int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
  return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* The value of a member of the map, whose name is the last token; zero when it is mistyped. */
static bool read_count(struct parser *p, struct ocf_record_count *v, uint32_t *n)
{
  uint32_t i = 0;
  while (i < *n && compare(v[i].name, p->t.text) < 0)
    i++;
  bool known = i < *n && compare(v[i].name, p->t.text) == 0;
  if (p->t.truncated || (!known && *n == OCF_RECORD_LIST_MAX))
    return pull(p) && pass_dropped(p);
  if (!known) {
    struct ocf_bytes name;
    if (!keep_text(p, p->t.text, &name))
      return false;
    memmove(v + i + 1, v + i, (*n - i) * sizeof(v[0]));
    v[i].name = name;
    ++*n;
  }
  v[i].n = 0;
  return pull(p) && read_i64(p, &v[i].n);
}

static bool read_counts(struct parser *p, void *at)
{
  struct ocf_record *r = at;
  struct ocf_record_count v[OCF_RECORD_LIST_MAX];
  uint32_t n = 0;
  bool is_object = p->t.kind == OCF_JSCAN_OBJECT;
  if (!is_object && !is_null(p))
    return pass_mistyped(p);
  if (is_object && r->n_service_name_counts > 0) { /* a map that comes twice is merged */
    n = r->n_service_name_counts;
    memcpy(v, r->service_name_counts, n * sizeof(v[0]));
  }
  while (is_object && pull(p) && p->t.kind == OCF_JSCAN_KEY)
    if (!read_count(p, v, &n))
      return false;
  r->n_service_name_counts = n;
  return p->err == 0 && keep_array(p, v, n * sizeof(v[0]), &r->service_name_counts);
}

/* ---- the record ---- */

static const struct field peer_fields[] = {
  FIELD(read_str, ocf_record, id, "id"),
  FIELD(read_i64, ocf_record, latency, "latency"),
  FIELD(read_bool, ocf_record, privileged, "privileged"),
  FIELD(read_str, ocf_record, owner, "owner"),
  FIELD(read_str, ocf_record, provider_id, "provider_id"),
  FIELD(read_strs, ocf_record, current_offering, "current_offering"),
  FIELD(read_strs, ocf_record, role, "role"),
  FIELD(read_str, ocf_record, status, "status"),
  FIELD(read_strs, ocf_record, available_offering, "available_offering"),
  FIELDS(read_services, "service"),
  FIELD(read_i64, ocf_record, last_seen, "last_seen"),
  FIELD(read_str, ocf_record, version, "version"),
  FIELD(read_str, ocf_record, public_address, "public_address"),
  FIELD(read_str, ocf_record, public_port, "public_port"),
  FIELD(read_hardware, ocf_record, hardware, "hardware"),
  FIELD(read_str, ocf_record, relay_peer, "relay_peer"),
  FIELD(read_str, ocf_record, evicted_by, "evicted_by"),
  FIELD(read_bool, ocf_record, connected, "connected"),
  FIELDS(read_load, "load"),
  FIELD(read_build, ocf_record, build_attestation, "build_attestation"),
  FIELD(read_identity, ocf_record, identity_attestation, "identity_attestation"),
  FIELD(read_strs, ocf_record, capabilities, "capabilities"),
  FIELDS(read_counts, "service_name_counts"),
  FIELD(read_str, ocf_record, region, "region"),
  FIELD(read_raw, ocf_record, price, "price"),
  FIELD(read_raw, ocf_record, capacity, "capacity"),
  FIELD(read_raw, ocf_record, signature, "signature"),
};

static bool read_document(struct parser *p)
{
  if (!pull(p))
    return false;
  if (p->t.kind != OCF_JSCAN_OBJECT)
    return fail(p, OCF_EINVAL);
  return read_members(p, p->r, peer_fields, OCF_ARRAY_LEN(peer_fields)) &&
         (ocf_jscan_is_blank(p->in) || fail(p, OCF_EINVAL));
}

int ocf_record_parse(struct ocf_record *r, struct ocf_alloc *a, struct ocf_bytes json)
{
  struct parser p = { .doc = json, .in = json, .r = r };
  ocf_record_init(r, a);
  if (json.n > OCF_RECORD_JSON_MAX)
    return OCF_ELIMIT;
  ocf_jscan_init(&p.scan, p.text, sizeof(p.text), OCF_JSCAN_DEPTH_DEFAULT);
  if (read_document(&p))
    return 0;
  ocf_record_fini(r);
  ocf_record_init(r, a);
  return p.err;
}
