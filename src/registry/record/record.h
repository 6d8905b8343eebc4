/* Registry records: what a node tells the mesh about itself, as JSON in the registry and over HTTP.
 *
 * The fields are those of the Go programs (OCF and OpenTela), read as leniently as they read them,
 * and written byte for byte as they write them; ours follow behind. A record belongs to one thread
 * at a time; a const record may be read by several.
 *
 * Reading. A `null`, missing or mistyped field stays at its zero value and spoils nothing else; a
 * mistyped element of an array is a zero element; names match without regard to case; when a name
 * comes twice the last one wins (an object's fields one by one). Unknown fields are counted and
 * passed over: who must keep them keeps the value's bytes, which a CRDT never rewrites.
 *
 * Bounds, as a record may come from anybody: a text of at most OCF_RECORD_JSON_MAX bytes, and the
 * numbers below. What is over a bound is dropped by itself and counted in `n_dropped`.
 *
 * Memory. Everything a record points to lies in its own arena (strings with a NUL behind them, for
 * printing; they may also contain NULs). ocf_record_fini() drops it whole. */
#ifndef OCF_REGISTRY_RECORD_RECORD_H
#define OCF_REGISTRY_RECORD_RECORD_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "base/mem/arena.h"

enum {
  OCF_RECORD_JSON_MAX = 256 * 1024, /* bytes of a value that are looked at */
  OCF_RECORD_SERVICES_MAX = 64,
  OCF_RECORD_GROUPS_MAX = 256, /* identity groups of one service */
  OCF_RECORD_LIST_MAX = 64,    /* elements of any other array or map */
  OCF_RECORD_STR_MAX = 512,    /* bytes of a string */
  OCF_RECORD_RAW_MAX = 4096,   /* bytes of a field that is kept as JSON */
  OCF_RECORD_MEM_MAX = 4 * 1024 * 1024,
};

/* An array of strings. `is_set` tells Go's empty slice, written "[]", from its nil, "null". */
struct ocf_record_strs {
  const struct ocf_bytes *v;
  uint32_t n;
  bool is_set;
};

struct ocf_record_gpu {
  struct ocf_bytes name;
  int64_t total_memory, used_memory; /* MiB */
};

struct ocf_record_hardware {
  const struct ocf_record_gpu *gpus;
  uint32_t n_gpus;
  bool has_gpus; /* as is_set above */
  int64_t host_memory, host_memory_bandwidth, host_memory_used;
};

struct ocf_record_service {
  struct ocf_bytes name;
  struct ocf_record_hardware hardware;
  struct ocf_bytes status; /* "connected" */
  struct ocf_bytes host;   /* as its own node reaches it: "localhost" */
  struct ocf_bytes port;   /* decimal digits */
  struct ocf_record_strs identity_group;
};

struct ocf_record_count {
  struct ocf_bytes name;
  int64_t n;
};

/* OpenTela's statement of who built the program; `is_set` false: absent. */
struct ocf_record_build {
  struct ocf_bytes version, commit, build_sig;
  bool is_set;
};

/* OpenTela's statement of whose wallet stands behind the peer; `is_set` false: absent. */
struct ocf_record_identity {
  struct ocf_bytes peer_id, wallet_pubkey;
  int64_t timestamp; /* Unix seconds */
  struct ocf_bytes signature;
  bool is_set;
};

/* In the order in which the fields are written. `?`: left out when empty. Zeroed is an empty record
 * (but see ocf_record_init). Those who build one may point strings at memory of their own that
 * lives as long; ocf_record_str() and its like take it from the record. */
struct ocf_record {
  struct ocf_bytes id; /* the peer id's text; not checked here */
  int64_t latency;     /* ms */
  bool privileged;
  struct ocf_bytes owner;
  struct ocf_bytes provider_id; /* ? */
  struct ocf_record_strs current_offering, role;
  struct ocf_bytes status; /* "" in normal life, "left" after an OpenTela node's leaving */
  struct ocf_record_strs available_offering;
  struct ocf_record_service *service;
  uint32_t n_services;
  bool has_service;  /* as is_set of struct ocf_record_strs */
  int64_t last_seen; /* Unix seconds, by the writer's clock */
  struct ocf_bytes version, public_address;
  struct ocf_bytes public_port; /* ?, decimal digits */
  struct ocf_record_hardware hardware;
  struct ocf_bytes relay_peer; /* ? */
  struct ocf_bytes evicted_by; /* ? */
  bool connected;
  const int64_t *load;
  uint32_t n_load;
  bool has_load;
  struct ocf_record_build build_attestation;          /* ? */
  struct ocf_record_identity identity_attestation;    /* ? */
  struct ocf_record_strs capabilities;                /* ? */
  const struct ocf_record_count *service_name_counts; /* ?, ascending by name, names distinct */
  uint32_t n_service_name_counts;

  /* Ours, behind those of Go; each is left out when empty. */
  struct ocf_bytes region;
  struct ocf_bytes price, capacity, signature; /* one JSON value each, as written */

  uint32_t n_unknown;  /* fields passed over, at any level */
  uint32_t n_mistyped; /* fields and elements of another type than theirs, left zero */
  uint32_t n_dropped;  /* fields and elements over a bound */

  struct ocf_arena arena;
};

/* An empty record, as Go's zero value: written, its arrays are null. Takes no memory yet. */
void ocf_record_init(struct ocf_record *r, struct ocf_alloc *a);
/* Frees what the record holds. A zeroed or failed record is fine. */
void ocf_record_fini(struct ocf_record *r);

/* Initialises `*r` and reads `json` into it (copies what it keeps). 0; OCF_EINVAL when the text is
 * not JSON, is no object, or something else follows it; OCF_ELIMIT when it is longer than
 * OCF_RECORD_JSON_MAX, nested deeper than 64 levels or demands more than OCF_RECORD_MEM_MAX (which
 * takes malice); OCF_ENOMEM. On failure `*r` is an empty
 * record that holds nothing. */
OCF_NODISCARD int ocf_record_parse(struct ocf_record *r, struct ocf_alloc *a,
                                   struct ocf_bytes json);

/* Bytes of memory that the record's contents take; for those who hold many. */
static inline size_t ocf_record_mem(const struct ocf_record *r)
{
  return r->arena.held_bytes;
}

/* ---- writing ---- */

/* Flags of ocf_record_write(); 0 writes the record as it stands, as for the registry. */
enum {
  OCF_RECORD_CONNECTED = 1,    /* "connected":true, whatever the record says: a row of a node table,
                                  where the reader's own view counts */
  OCF_RECORD_DISCONNECTED = 2, /* the same with false */
  OCF_RECORD_GO_ONLY = 4,      /* without our own fields */
};

/* Appends the record as one JSON object: Go's field order, nil as null, fields with `?` left out
 * when empty, and its escapes: <, >, & and U+2028, U+2029 as \u003c and so on. For a record that
 * a Go program wrote, parse and write give the same bytes. 0, OCF_ELIMIT, OCF_ENOMEM; the buffer is
 * cut back on failure. */
OCF_NODISCARD int ocf_record_write(const struct ocf_record *r, unsigned flags, struct ocf_buf *out);
/* `s` as a JSON string with Go's escapes, for the other answers that must look like Go's. 0,
 * OCF_ELIMIT, OCF_ENOMEM; then `out` is as it was. */
OCF_NODISCARD int ocf_record_write_str(struct ocf_bytes s, struct ocf_buf *out);

/* ---- building ---- */

/* Copies `s` into the record's arena, cut to OCF_RECORD_STR_MAX bytes, and lets `*field` (of the
 * record) name the copy. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_record_str(struct ocf_record *r, struct ocf_bytes *field, struct ocf_bytes s);
/* The same for a list of at most OCF_RECORD_GROUPS_MAX strings; more is OCF_ELIMIT. */
OCF_NODISCARD int ocf_record_strs(struct ocf_record *r, struct ocf_record_strs *field,
                                  const struct ocf_bytes *v, size_t n);
/* Adds a copy of `s`; a service of the same name is replaced, in its place. 0; OCF_ELIMIT at
 * OCF_RECORD_SERVICES_MAX; OCF_EINVAL without a name; OCF_ENOMEM. The memory of what is replaced
 * comes back with the record's. */
OCF_NODISCARD int ocf_record_put_service(struct ocf_record *r, const struct ocf_record_service *s);
/* Takes the services of that name out; how many there were. */
size_t ocf_record_drop_service(struct ocf_record *r, struct ocf_bytes name);

/* The first service of that name; NULL when there is none. Lent from the record. */
const struct ocf_record_service *ocf_record_find_service(const struct ocf_record *r,
                                                         struct ocf_bytes name);
/* Whether `list` holds `s`, byte for byte: roles, capabilities. */
bool ocf_record_strs_have(const struct ocf_record_strs *list, struct ocf_bytes s);

/* ---- identity groups ---- */

enum ocf_record_group_kind {
  OCF_RECORD_GROUP_INVALID, /* no '=' and not "all", or nothing before the '=': matches nothing */
  OCF_RECORD_GROUP_EXACT,   /* "key=value": the request's field `key` is the string `value` */
  OCF_RECORD_GROUP_ANY,     /* "key=*": the request has a field `key` */
  OCF_RECORD_GROUP_ALL,     /* "all": any request */
};

struct ocf_record_group {
  enum ocf_record_group_kind kind;
  struct ocf_bytes key, value; /* lent from the text; empty where the kind has none */
};

/* Reads one entry of `identity_group`, split at its first '='. Never fails; see the kinds. */
struct ocf_record_group ocf_record_group(struct ocf_bytes text);

#endif
