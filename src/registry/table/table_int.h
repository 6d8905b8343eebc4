/* What the files of the table share; not for others. */
#ifndef OCF_REGISTRY_TABLE_TABLE_INT_H
#define OCF_REGISTRY_TABLE_TABLE_INT_H

#include <stdatomic.h>

#include "base/ds/heap.h"
#include "base/ds/list.h"
#include "base/ds/map.h"
#include "base/ds/ring.h"
#include "registry/record/record.h"
#include "registry/table/table.h"

enum {
  OCF_TABLE_EVENTS_MAX = 256,
  OCF_TABLE_REFUSALS_MAX = 64,
};

/* An interned text: an identity group, the key of one, or a service name. The text never changes,
 * so snapshots point to it; every other field is the control loop's. */
struct ocf_group {
  struct ocf_map_node node; /* its key is the text */
  struct ocf_group *key;    /* of a group with a key: the interned key */
  uint64_t stamp;           /* publish: which pass last saw it, */
  uint64_t row_stamp;       /* for which row, */
  uint32_t index;           /* and as the how-manieth */
  uint32_t refs;            /* claims that name it */
  uint32_t uses;            /* those of them that stand in a row: what n_bytes counts */
  uint16_t n;
  uint8_t kind; /* enum ocf_record_group_kind; 0 for keys and names */
  char text[];
};

/* Where interned texts of one sort live. */
struct ocf_atoms {
  struct ocf_map map;
  struct ocf_alloc *a;
};

enum table_class { CLASS_KEEP, CLASS_ALIVE, CLASS_SERVES, CLASS_REST, CLASS_N };

struct table_row {
  struct ocf_table_row pub;
  struct ocf_map_node node;
  struct ocf_list link; /* in t->classes[cls] */
  struct ocf_heap_node timer;
  uint64_t due_ns; /* of the timer; it may be earlier than needed, never later */
  struct ocf_claims *claims, *held;
  uint64_t held_since_ns, evidence_ns; /* evidence 0: none, or void */
  uint64_t shown_rtt_ns;               /* in the newest snapshot */
  struct ocf_peerid held_author;
  uint8_t cls;
  bool self, held_delete, in_heap, was_alive;
};

struct publish_entry {
  struct ocf_group *group;
  uint32_t n;
};

struct publish_service {
  struct ocf_group *name;
  uint32_t n_known, n_providers, n_open, n_all, first_pair, n_pairs, first_entry, n_entries;
  uint32_t first_key, n_keys, n_keys_more;
};

struct publish_pair {
  const struct ocf_claims_service *service;
  uint32_t row;
};

struct publish_key {
  struct ocf_group *key;
  uint32_t n; /* providers */
};

/* Growing scratch memory of the publisher, kept from one to the next. */
struct publish_array {
  void *p;
  size_t n, cap, size;
};

struct ocf_snapshot_slot {
  atomic_flag lock; /* guards `newest` while a reader counts itself in */
  struct ocf_snapshot *newest;
  _Atomic uint64_t generation;
  _Atomic(struct ocf_snapshot *) retired; /* given back by everyone, for the control loop to free */
};

struct ocf_table {
  struct ocf_alloc *a;
  struct ocf_table_options opt;
  struct ocf_map rows;
  struct table_row **sorted; /* the same rows in the order of their ids */
  size_t sorted_cap;
  struct ocf_list classes[CLASS_N]; /* rows, oldest in the class first */
  struct ocf_heap timers;
  struct ocf_atoms groups, keys, names;
  struct table_row *self; /* NULL before set_self */
  struct ocf_ring events, refusals;
  struct ocf_snapshot_slot slot;
  struct publish_array pub_rows, pub_services, pub_pairs, pub_entries, pub_keys;
  uint64_t stamp, generation;
  size_t n_bytes, n_held, n_snapshots;
  uint64_t verdicts[OCF_TABLE_N_VERDICTS], n_evicted, n_events_lost;
  bool dirty;
};

struct ocf_snapshot_entry {
  const struct ocf_group *group;
  uint32_t service, first, n;
};

struct ocf_snapshot {
  _Atomic uint32_t refs;
  struct ocf_snapshot *next_retired;
  struct ocf_snapshot_slot *slot;
  size_t alloc_bytes;
  uint64_t generation, made_ns, seed[2];
  struct ocf_snapshot_row *rows;
  struct ocf_snapshot_service *services;
  struct ocf_snapshot_entry *entries;
  struct ocf_bytes *keys;
  uint32_t *lists, *slots; /* slots: entry number + 1, open addressing; 0 = free */
  uint32_t n_rows, n_services, n_entries, slots_mask;
};

/* ---- claims.c ---- */

void ocf_atoms_init(struct ocf_atoms *m, struct ocf_alloc *a, const uint64_t seed[2]);
void ocf_atoms_fini(struct ocf_atoms *m);

/* Makes the claims of `peer` from its registry value. 0 and one reference; OCF_EINVAL when it is no
 * object, OCF_EAUTH when its id is another, OCF_ENOMEM. They are not yet counted in n_bytes. */
OCF_NODISCARD int ocf_claims_new(struct ocf_table *t, const struct ocf_peerid *peer,
                                 struct ocf_bytes value, uint64_t priority, uint64_t now_ns,
                                 struct ocf_claims **out);
void ocf_claims_unref(struct ocf_table *t, struct ocf_claims *c);
/* Counts claims that a row holds, and takes them out of the count. */
void ocf_claims_use(struct ocf_table *t, struct ocf_claims *c);
void ocf_claims_unuse(struct ocf_table *t, struct ocf_claims *c);

/* ---- table.c ---- */

struct table_row *ocf_table_row_find(const struct ocf_table *t, const struct ocf_peerid *peer);
/* A new row, placed in a class by what is known; room was made. OCF_ENOMEM, OCF_ELIMIT. */
OCF_NODISCARD int ocf_table_row_new(struct ocf_table *t, const struct ocf_peerid *peer,
                                    enum table_class cls, uint64_t now_ns, struct table_row **out);
void ocf_table_row_free(struct ocf_table *t, struct table_row *r);
/* Evicts rows of classes worse than `cls` until the bounds hold for `n_rows` more rows. */
bool ocf_table_make_room(struct ocf_table *t, enum table_class cls, size_t n_rows, uint64_t now_ns);
void ocf_table_emit(struct ocf_table *t, enum ocf_table_event_kind kind, uint64_t now_ns,
                    const struct ocf_peerid *peer);
void ocf_table_refuse(struct ocf_table *t, uint64_t now_ns, enum ocf_table_verdict v,
                      const struct ocf_peerid *peer, const struct ocf_peerid *author,
                      uint64_t priority);

/* ---- admit.c ---- */

/* The visible claims become `c` (the reference is taken; NULL: none). */
void ocf_table_show(struct ocf_table *t, uint64_t now_ns, struct table_row *r, struct ocf_claims *c,
                    bool vouched);
/* Lets what is held become visible: the owner has gone, or long said nothing. */
void ocf_table_release_held(struct ocf_table *t, uint64_t now_ns, struct table_row *r);
void ocf_table_drop_held(struct ocf_table *t, struct table_row *r);

/* ---- live.c ---- */

bool ocf_table_row_alive(const struct ocf_table *t, const struct table_row *r, uint64_t now_ns);
/* Puts the row where it belongs now: class, timer, dirtiness. It may free the row when nothing is
 * known of the peer any more. */
void ocf_table_settle(struct ocf_table *t, uint64_t now_ns, struct table_row *r);

/* ---- snapshot.c, publish.c ---- */

/* Where the search for a group with this hash begins; the service is mixed in, since many services
 * may share a group. */
static inline uint32_t ocf_snapshot_slot_of(const struct ocf_snapshot *s, uint64_t hash,
                                            uint32_t service)
{
  return (uint32_t)(hash ^ service * UINT64_C(0x9e3779b97f4a7c15)) & s->slots_mask;
}

void ocf_publish_fini(struct ocf_table *t);

#endif
