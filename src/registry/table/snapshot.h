/* An immutable picture of the node table, made by the control loop and read by any thread: who
 * provides which service and identity group, and every visible row.
 *
 * Threads: this is the only object of the table that crosses threads. A reader takes the newest
 * snapshot from the slot (a count goes up under a lock held for a few instructions), reads it
 * without any lock for as long as it likes, and gives it back with ocf_snapshot_unref(). The last
 * unref, on whatever thread, only puts the snapshot on a list; its memory goes back to the table's
 * allocator on the control loop, at the next publish, tick or ocf_table_reap(). A reader that asks
 * per request compares ocf_snapshot_slot_generation() (one relaxed load) with the snapshot it
 * holds, and takes a new one only when they differ.
 * Lifetime: every snapshot must have been given back before the table is freed (asserted).
 *
 * Order: rows are in the order of their peer id bytes; provider lists hold row numbers in ascending
 * order, hence equal tables give equal snapshots. */
#ifndef OCF_REGISTRY_TABLE_SNAPSHOT_H
#define OCF_REGISTRY_TABLE_SNAPSHOT_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "multi/peerid/peerid.h"
#include "registry/table/claims.h"

enum {
  OCF_SNAPSHOT_SERVICES_MAX = 4096, /* beyond: those with the fewest providers are left out */
  OCF_SNAPSHOT_KEYS_MAX = 16,       /* identity keys told per service */
  OCF_SNAPSHOT_KEY_MAX = 64,        /* bytes of an identity key that is told and indexed */
};

struct ocf_snapshot;

/* One visible row. What `alive` and `routable` mean is told in table.h. */
struct ocf_snapshot_row {
  struct ocf_peerid peer;
  struct ocf_peerid relay;         /* the relay to go through; none unless reached so */
  const struct ocf_claims *claims; /* NULL: a connected peer without a record */
  uint64_t rtt_ns;                 /* 0 = not known */
  uint64_t last_alive_ns;          /* newest evidence of life; 0 = none */
  uint32_t in_flight;              /* as last told to the table by ocf_table_set_load */
  bool self, direct, alive, routable;
};

/* Row numbers, ascending; borrowed from the snapshot. */
struct ocf_snapshot_list {
  const uint32_t *rows;
  uint32_t n;
};

/* A service that at least one visible row claims. */
struct ocf_snapshot_service {
  struct ocf_bytes name;
  uint32_t n_known;                   /* rows that claim it, routable or not */
  struct ocf_snapshot_list providers; /* routable rows */
  struct ocf_snapshot_list open;      /* those of them that claim no identity group for it */
  struct ocf_snapshot_list all;       /* those with the group "all" */
  /* Keys of the groups of its providers, "model" first, then by number of providers, then by name;
   * at most OCF_SNAPSHOT_KEYS_MAX, and n_keys_more that did not fit. */
  const struct ocf_bytes *keys;
  uint32_t n_keys, n_keys_more;
  uint32_t index, first_entry, n_entries; /* private */
};

/* ---- where the newest one is found ---- */

/* Owned by the table; handed to readers by pointer before they start. */
struct ocf_snapshot_slot;

/* A counted reference to the newest snapshot, or NULL before the first publish. Any thread. */
struct ocf_snapshot *ocf_snapshot_take(struct ocf_snapshot_slot *slot);
/* The number of the newest one; 0 before the first. Any thread. */
uint64_t ocf_snapshot_slot_generation(const struct ocf_snapshot_slot *slot);

/* One more reference to a snapshot the caller holds one of. Any thread. Returns `s`. */
struct ocf_snapshot *ocf_snapshot_ref(struct ocf_snapshot *s);
/* Gives one back; NULL is fine. Any thread. */
void ocf_snapshot_unref(struct ocf_snapshot *s);

/* ---- reading; everything is lent until the caller's reference is given back ---- */

uint64_t ocf_snapshot_generation(const struct ocf_snapshot *s);
uint64_t ocf_snapshot_made_ns(const struct ocf_snapshot *s);
size_t ocf_snapshot_n_rows(const struct ocf_snapshot *s);
/* i < ocf_snapshot_n_rows(). */
const struct ocf_snapshot_row *ocf_snapshot_row(const struct ocf_snapshot *s, size_t i);
/* The row of `peer`, or NULL. O(log rows). */
const struct ocf_snapshot_row *ocf_snapshot_find(const struct ocf_snapshot *s,
                                                 const struct ocf_peerid *peer);
/* The number of a row of this snapshot, as lists hold it. */
uint32_t ocf_snapshot_row_number(const struct ocf_snapshot *s, const struct ocf_snapshot_row *row);

size_t ocf_snapshot_n_services(const struct ocf_snapshot *s);
/* i < ocf_snapshot_n_services(); in the order of their names. */
const struct ocf_snapshot_service *ocf_snapshot_service_at(const struct ocf_snapshot *s, size_t i);
/* The service of that name, or NULL when no visible row claims it. O(log services). */
const struct ocf_snapshot_service *ocf_snapshot_service(const struct ocf_snapshot *s,
                                                        struct ocf_bytes name);
/* The providers that claim exactly `key=value`. One hash look-up; no allocation. `value` "*" finds
 * nothing here. */
struct ocf_snapshot_list ocf_snapshot_exact(const struct ocf_snapshot *s,
                                            const struct ocf_snapshot_service *svc,
                                            struct ocf_bytes key, struct ocf_bytes value);
/* The providers that claim `key=*`. */
struct ocf_snapshot_list ocf_snapshot_wildcard(const struct ocf_snapshot *s,
                                               const struct ocf_snapshot_service *svc,
                                               struct ocf_bytes key);
/* Walks the distinct exact groups of the routable providers of a service, e.g. for /v1/models:
 * `*it` starts at 0; false at the end. `*key` and `*value` are lent. Order: not stated, but the
 * same for one snapshot. */
bool ocf_snapshot_next_group(const struct ocf_snapshot *s, const struct ocf_snapshot_service *svc,
                             size_t *it, struct ocf_bytes *key, struct ocf_bytes *value,
                             struct ocf_snapshot_list *providers);

/* Appends one row as /v1/dnt/table shows it: the record's fields with `connected` = the row is
 * `alive` or ourselves; a row without a record shows id and connected. 0, OCF_ENOMEM, OCF_ELIMIT.
 * Go shows only rows with connected=true, under the key "/<peer id>". */
OCF_NODISCARD int ocf_snapshot_write_row(const struct ocf_snapshot *s,
                                         const struct ocf_snapshot_row *row, struct ocf_buf *to);

#endif
