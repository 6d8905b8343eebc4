/* What the files of the replica share: its state, the layout of its store, and their calls of one
 * another. Private to the module.
 *
 * The store, all keys beginning with one letter; ID is a block's sha2-256, KEY that of a cleaned
 * key. Integers are big-endian.
 *
 *   m                  layout version and the counts of struct ocf_merkle_counts
 *   b ID               the block's bytes
 *   s ID               its state: flags, priority, how many of its links are not complete
 *   w ID PARENT        the incomplete block ID is linked by the stored block PARENT; empty
 *   h ID               a head; height
 *   a ID               an adopted head; height
 *   q ID               a block whose completion is not finished; empty
 *   x ID               a banned block; empty
 *   p ID               a block whose delta was merged and committed in parts, not to its end; empty
 *   e KEY ID           a live element; priority, offset and length of the value in the block
 *   t KEY kind ID      a tombstone; 1 when the element it removes is known, else 0. kind 0: ID is
 *                      a block; kind 1: the digest of an id that is not a block's name
 *   v KEY              the key's winner: priority, block, offset, length, flags, cleaned key
 *   n KEY              a change to be told: flags, the block that caused it, announcer's length
 *                      and bytes, cleaned key */
#ifndef OCF_CRDT_MERKLE_MERKLE_INT_H
#define OCF_CRDT_MERKLE_MERKLE_INT_H

#include "base/buf/buf.h"
#include "base/ds/heap.h"
#include "base/ds/list.h"
#include "base/ds/lru.h"
#include "base/ds/map.h"
#include "base/ds/ring.h"
#include "crdt/merkle/delta.h"
#include "crdt/merkle/merkle.h"
#include "multi/dagpb/dagpb.h"

enum {
  ID = OCF_MERKLE_ID_SIZE,
  CID_HEAD = OCF_CID_BLOCK_SIZE - ID, /* bytes of a block's CID before its digest */
  STORED_MAX = 4096,                  /* STORED effects that wait */
  OWN_MAX = 16,                       /* own blocks that wait for their broadcast */
  READY_MAX = 64,                     /* completions held in memory; more go to the store */
  TURN_CHANGES = 8192,                /* of rows: a turn is committed in parts of about so many */
  BLOCK_CHANGES = 16384,              /* the same inside one block */
};

struct ocf_merkle_counts {
  uint64_t blocks, block_bytes, rows, elements, tombstones, heads, adopted, incomplete;
};

/* ---- rows ---- */

enum { ROW_MAX = 1 + ID + 1 + ID };

struct row_key {
  size_t n;
  uint8_t b[ROW_MAX];
};

static inline struct ocf_bytes row_view(const struct row_key *k)
{
  return ocf_bytes(k->b, k->n);
}

struct row_key ocf_merkle_row1(char what, const uint8_t id[ID]);
struct row_key ocf_merkle_row2(char what, const uint8_t a[ID], const uint8_t b[ID]);
struct row_key ocf_merkle_row_tomb(const uint8_t key[ID], uint8_t kind, const uint8_t id[ID]);

enum { BLOCK_COMPLETE = 1, BLOCK_COVERED = 2 /* a block that links it is completing too */ };
struct block_state {
  uint8_t flags;
  uint64_t priority;
  uint64_t missing;
};

/* Where a value lies. */
struct value_ref {
  uint64_t priority;
  uint8_t block[ID];
  uint32_t at, n;
};

enum { WINNER_EMPTY = 1 /* an empty value won a recount: the key has no value, as in Go */ };
struct winner {
  struct value_ref ref;
  uint8_t flags;
  struct ocf_bytes key; /* lent by the store, or given */
};

enum { CHANGE_DIRECT = 1, CHANGE_LOCAL = 2 };
struct change {
  uint8_t flags;
  uint8_t block[ID];
  struct ocf_bytes announcer, key;
};

/* ---- the table of fetches (fetch.c) ---- */

struct announcer {
  struct ocf_map_node node;
  size_t n_fetches;
  uint8_t n;
  uint8_t id[OCF_MERKLE_ANNOUNCER_MAX];
};

enum fetch_state {
  FETCH_QUEUED, /* to be told */
  FETCH_ACTIVE,
  FETCH_RETRY, /* in back-off */
  FETCH_GONE,  /* out of the table; its UNFETCH is still to be told */
};

struct fetch {
  struct ocf_map_node node;
  struct ocf_list link;  /* QUEUED: m->queued; ACTIVE: m->active, oldest first */
  struct ocf_list tell;  /* m->unfetch */
  struct ocf_list fresh; /* m->fresh: never failed, oldest first */
  struct ocf_heap_node retry;
  struct announcer *by; /* NULL when unknown */
  uint64_t born_ns, active_ns, retry_ns, first_failure_ns, wait_ns;
  uint32_t n_failures;
  enum fetch_state state;
  bool announced, adopt, child;
  uint8_t id[ID];
};

/* A block remembered by name only: seen in a broadcast, or bad. */
struct noted {
  struct ocf_lru_node node;
  uint8_t id[ID];
};

/* Who announced a block whose value did not win when it came: it may win by a tombstone that comes
 * after it, as the two blocks of a put at the highest priority do when the newer arrives first. */
enum { LOSERS_MAX = 32 };
struct loser {
  uint8_t id[ID]; /* the block */
  uint8_t flags;  /* CHANGE_DIRECT */
  uint8_t n_announcer;
  uint8_t announcer[OCF_MERKLE_ANNOUNCER_MAX];
};

/* ---- the replica ---- */

struct ocf_merkle {
  struct ocf_merkle_config cfg;
  struct ocf_merkle_counts n;
  int err;      /* OCF_EIO, once and for ever */
  bool changed; /* something in the store is not committed */
  size_t n_changes;
  bool unfinished;    /* there may be `p` rows */
  uint64_t finish_ns; /* not before */

  struct ocf_map fetches; /* struct fetch by id */
  struct ocf_map announcers;
  struct ocf_list queued, active, unfetch, fresh;
  struct ocf_heap retries;
  size_t n_active, n_retrying, n_unknown, n_announced;
  struct ocf_lru seen, bad;        /* struct noted */
  struct loser losers[LOSERS_MAX]; /* the latest */
  size_t n_losers;                 /* ever */

  bool more_missing; /* the store may name missing blocks that are not in the table */
  bool more_again;   /* also behind the place that the present search has reached */
  uint8_t search_at[ID];
  uint64_t search_ns; /* not before */

  uint8_t ready[READY_MAX][ID]; /* completions to be done */
  size_t n_ready;
  bool ready_stored; /* there may be `q` rows */

  struct ocf_ring stored;   /* ids */
  size_t n_stored_ready;    /* of them, committed */
  uint8_t own[OWN_MAX][ID]; /* own blocks to be announced */
  size_t n_own, n_own_ready;
  bool round_due;
  uint8_t round_at[ID]; /* where the next rebroadcast begins */

  uint64_t opened_ns, round_ns, repair_ns, nudge_ns;
  bool dirty, synced, synced_told, heard;

  struct ocf_buf key;     /* the cleaned key in hand */
  struct ocf_buf own_key; /* the same, of a write */
  struct ocf_buf row;     /* a row's value while it is put together */
  struct ocf_buf delta, block;
  struct ocf_buf tx;   /* BROADCAST payload */
  struct ocf_buf told; /* the last event's key and announcer */
  struct ocf_merkle_stats stats;
};

/* On whose account a block is merged. */
struct origin {
  struct announcer *by; /* NULL: unknown */
  bool direct, local, adopt;
};

/* rows.c: reading and writing of rows. All return 0, OCF_ENOENT where a row may be absent, or the
 * store's error; a row that cannot be read is OCF_EIO. */
int ocf_merkle_has(struct ocf_merkle *m, const struct row_key *k); /* 0 or OCF_ENOENT */
int ocf_merkle_put_row(struct ocf_merkle *m, const struct row_key *k, struct ocf_bytes val);
int ocf_merkle_del_row(struct ocf_merkle *m, const struct row_key *k);
int ocf_merkle_get_state(struct ocf_merkle *m, const uint8_t id[ID], struct block_state *out);
int ocf_merkle_put_state(struct ocf_merkle *m, const uint8_t id[ID], const struct block_state *s);
int ocf_merkle_put_height(struct ocf_merkle *m, const struct row_key *k, uint64_t height);
int ocf_merkle_read_height(struct ocf_bytes val, uint64_t *height);
int ocf_merkle_get_ref(struct ocf_merkle *m, const struct row_key *k, struct value_ref *out);
int ocf_merkle_read_ref(struct ocf_bytes val, const uint8_t block[ID], struct value_ref *out);
int ocf_merkle_put_ref(struct ocf_merkle *m, const struct row_key *k, const struct value_ref *r);
int ocf_merkle_read_winner(struct ocf_bytes val, struct winner *out);
int ocf_merkle_get_winner(struct ocf_merkle *m, const uint8_t kd[ID], struct winner *out);
int ocf_merkle_put_winner(struct ocf_merkle *m, const uint8_t kd[ID], const struct winner *w);
int ocf_merkle_read_change(struct ocf_bytes val, struct change *out);
int ocf_merkle_put_change(struct ocf_merkle *m, const uint8_t kd[ID], const struct change *c);
int ocf_merkle_value(struct ocf_merkle *m, const struct value_ref *r, struct ocf_bytes *out);
int ocf_merkle_load_counts(struct ocf_merkle *m);
int ocf_merkle_save_counts(struct ocf_merkle *m);
/* The first row of kind `what` at or after `from` (n bytes behind the letter): its key without the
 * letter, and its value. OCF_ENOENT when the next row is of another kind. */
int ocf_merkle_seek(struct ocf_merkle *m, char what, const uint8_t *from, size_t n,
                    struct ocf_bytes *rest, struct ocf_bytes *val);
/* The id after `id` in order; false at the last. */
bool ocf_merkle_id_after(uint8_t id[ID]);

/* set.c: the set. */
int ocf_merkle_clean(struct ocf_buf *dst, struct ocf_bytes text); /* as a rooted path */
void ocf_merkle_digest(struct ocf_bytes key, uint8_t out[ID]);
/* The same amount of work again from the start gives the same result, so it may be cut anywhere. */
int ocf_merkle_merge(struct ocf_merkle *m, const uint8_t id[ID], struct ocf_bytes block,
                     const struct ocf_merkle_delta *d, const struct origin *o);
/* What is remembered of a block whose value came back; NULL: nothing. */
const struct loser *ocf_merkle_loser(const struct ocf_merkle *m, const uint8_t id[ID]);
/* Commits what was merged of a block so far, when `limit` changes wait. */
int ocf_merkle_part(struct ocf_merkle *m, const uint8_t id[ID], size_t limit);
void ocf_merkle_tomb_id(const uint8_t id[ID], char out[64]); /* "/CIQ…", 57 characters */

/* dag.c: blocks, their links and their completion. */
int ocf_merkle_store(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                     const struct ocf_dagpb_node *node, const struct ocf_merkle_delta *d,
                     const struct origin *o);
int ocf_merkle_complete_some(struct ocf_merkle *m, size_t budget);
bool ocf_merkle_completing(const struct ocf_merkle *m);
bool ocf_merkle_link_id(const struct ocf_cid *cid, uint8_t id[ID]);
void ocf_merkle_cid(const uint8_t id[ID], uint8_t cid[OCF_CID_BLOCK_SIZE]);

/* heads.c */
int ocf_merkle_head_add(struct ocf_merkle *m, const uint8_t id[ID], uint64_t priority);
int ocf_merkle_heads_unlink(struct ocf_merkle *m, const uint8_t id[ID]);
int ocf_merkle_height(struct ocf_merkle *m, uint64_t *out); /* the greatest of heads and adopted */
int ocf_merkle_announce_own(struct ocf_merkle *m);          /* into m->tx */
int ocf_merkle_announce_round(struct ocf_merkle *m);        /* into m->tx */

/* fetch.c */
void ocf_merkle_fetch_init(struct ocf_merkle *m, const uint64_t seed[2]);
void ocf_merkle_fetch_fini(struct ocf_merkle *m);
struct fetch *ocf_merkle_fetch_find(const struct ocf_merkle *m, const uint8_t id[ID]);
struct announcer *ocf_merkle_announcer(struct ocf_merkle *m, struct ocf_bytes peer);
void ocf_merkle_announcer_put(struct ocf_merkle *m, struct announcer *by);
struct fetch *ocf_merkle_fetch_add(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                                   struct announcer *by, bool child);
void ocf_merkle_fetch_account(struct ocf_merkle *m, struct fetch *f, struct announcer *by);
void ocf_merkle_fetch_drop(struct ocf_merkle *m, struct fetch *f);
void ocf_merkle_fetch_end(struct ocf_merkle *m, struct fetch *f);
int ocf_merkle_fetch_fail(struct ocf_merkle *m, uint64_t now_ns, struct fetch *f);
int ocf_merkle_fetch_tick(struct ocf_merkle *m, uint64_t now_ns);
uint64_t ocf_merkle_fetch_deadline(const struct ocf_merkle *m);
bool ocf_merkle_fetch_effect(struct ocf_merkle *m, uint64_t now_ns, struct ocf_merkle_effect *fx);
void ocf_merkle_retry_all(struct ocf_merkle *m);
bool ocf_merkle_noted(const struct ocf_lru *c, const uint8_t id[ID]);
void ocf_merkle_note(struct ocf_merkle *m, struct ocf_lru *c, const uint8_t id[ID]);
void ocf_merkle_notes_clear(struct ocf_merkle *m, struct ocf_lru *c);

/* repair.c: missing blocks that only the store knows of. */
void ocf_merkle_search_again(struct ocf_merkle *m);
int ocf_merkle_search(struct ocf_merkle *m, uint64_t now_ns, size_t budget);
int ocf_merkle_finish(struct ocf_merkle *m, uint64_t now_ns);
int ocf_merkle_unwanted(struct ocf_merkle *m, const uint8_t id[ID]); /* 1: bad or banned */

/* merkle.c */
/* Commits when `limit` changes wait. Only between blocks, or when a `p` row stands for the rest. */
int ocf_merkle_relieve(struct ocf_merkle *m, size_t limit);
int ocf_merkle_settle(struct ocf_merkle *m, int err); /* after a change: rolls back on error */

#endif
