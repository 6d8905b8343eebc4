/* The replica: go-ds-crdt 0.6 as OCF and OpenTela run it (a Merkle DAG of deltas over an
 * observed-remove set of key/value pairs), without any I/O of its own.
 *
 *   inputs   ocf_merkle_broadcast() gossip payloads of topic "ocf-crdt", ocf_merkle_block() and
 *            ocf_merkle_fetch_failed() answers of bitswap, ocf_merkle_put() and _delete() own
 *            writes, ocf_merkle_tick() time
 *   then     while (ocf_merkle_event(m, &ev)) the owner learns which rows changed,
 *            ocf_merkle_commit(m, now) makes the turn durable (one store transaction per turn),
 *            while (ocf_merkle_effect(m, now, &fx)) the owner fetches, serves and publishes,
 *   and a timer for ocf_merkle_deadline().
 * FETCH and UNFETCH may be pulled before the commit; STORED and BROADCAST come only after it, so
 * that nothing is promised to peers that a crash could take back.
 *
 * What a block does. Its bytes are stored as they came and served as they came. Its delta is merged
 * on arrival, in any order: tombstones first, then elements; highest priority wins, then the
 * greater value bytes; a tombstone covers exactly the (key, block) pairs that it names. All its
 * links are fetched at once. Merge, store and serving are Go's, whatever the key.
 *
 * Heads. A block is complete when it and all its ancestors are stored; heads are the complete
 * blocks that no complete block links. Completeness is counted per block, so a head with an
 * unfetchable ancestor never delays another, and only blocks that can be served with all their
 * ancestry are announced or linked by own writes. Go's rule that a replica without heads adopts
 * announced ones at once is kept as far as others can see it: such a block is "adopted" when it
 * arrives, own writes get a priority above it, and it is linked and announced once complete.
 *
 * Own writes get priority max(heads, adopted, the key's present priority) + 1 and link all heads
 * (at most `links_max`; the others remain heads). At 2^64-1 the priority saturates; then a block
 * before the put removes the key's elements of that priority, so that the new value wins on every
 * replica, Go's included.
 *
 * Deviations, all of them only where Go replicas themselves disagree or do harm: one key twice in a
 * delta gives the greatest value; keys are cleaned as rooted paths (".." cannot leave the root);
 * blocks that are not dag-pb under sha2-256 are never fetched, and what links them never completes;
 * events tell what became of the key (Go's delete hook also fires when another value took over).
 *
 * Memory is bounded by the configuration, not by the history: the table of fetches, the sets of
 * seen and of bad blocks, one block's work. History, heads, what is missing below which block (36+
 * bytes per link in the store) and changes not yet told live in the store. A chain of any length is
 * walked and completed without recursion; completing takes `work_max` blocks per tick.
 *
 * Large turns, and blocks of many thousand elements, are committed in parts of at most about 33,000
 * changed rows; a block that a kill leaves merged in part is merged to its end after the next open.
 *
 * Errors. A call that fails with OCF_ENOMEM or OCF_ELIMIT has rolled back what was not committed
 * (blocks of it are fetched again); the replica goes on. After OCF_EIO (store failed or
 * corrupt) every call fails with OCF_EIO: free it. Malformed input from peers is OCF_EINVAL and
 * changes nothing.
 *
 * One owner, one thread. Times are monotonic ns. Spec: go-ds-crdt; facts and recorded histories in
 * the repository's tests. */
#ifndef OCF_CRDT_MERKLE_MERKLE_H
#define OCF_CRDT_MERKLE_MERKLE_H

#include "base/core/core.h"
#include "base/log/log.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "base/time/time.h"
#include "crdt/kv/kv.h"
#include "multi/cid/cid.h"

enum {
  OCF_MERKLE_ID_SIZE = 32,      /* a block's name inside: its sha2-256 */
  OCF_MERKLE_ANNOUNCER_MAX = 71 /* bytes of a peer id */
};

struct ocf_merkle;

struct ocf_merkle_config {
  struct ocf_alloc *a;
  struct ocf_rng *rng;
  const struct ocf_log *log; /* may be NULL */
  struct ocf_kv *kv;         /* borrowed; nobody else writes to it */

  size_t block_bytes_max;   /* larger blocks are refused, and own ones not written */
  size_t fetches_max;       /* blocks wanted, waiting for a turn or for a retry */
  size_t active_max;        /* of these, asked for at once (FETCH told, no answer yet) */
  size_t per_announcer_max; /* of these, on account of one announcer */
  size_t seen_max;          /* blocks remembered as announced by others since the last round */
  size_t bad_max;           /* malformed blocks remembered, so that they are not fetched again */
  size_t links_max;         /* of an own block */
  size_t round_max;         /* heads in one rebroadcast; the others come in the next rounds */
  size_t work_max;          /* blocks completed, or missing ones looked up, per tick */

  uint64_t rebroadcast_ns; /* +-30 % */
  uint64_t fetch_ns;       /* a fetch is given up after so long */
  uint64_t stall_ns;       /* one that takes longer does not hold SYNCED back */
  uint64_t retry_min_ns, retry_max_ns;
  uint64_t repair_ns;    /* all missing blocks are tried again, whatever their back-off */
  uint32_t ban_failures; /* a block is banned after so many failures … */
  uint64_t ban_age_ns;   /* … spread over at least so long */
};

/* Defaults: 1 MiB blocks, 4,096 fetches, 1,024 active, 512 per announcer, 8,192 seen, 1,024 bad,
 * 1,024 links, 4,096 heads a round, 512 blocks of work; rebroadcast 5 s, fetch 60 s, stall 10 s,
 * retry 5 s to 8 min, repair 1 h, ban after 50 failures over 6 h. Pointers are NULL. */
void ocf_merkle_config_init(struct ocf_merkle_config *cfg);

/* Opens the replica that `cfg->kv` holds, an empty one when it holds none. Copies `cfg`. Blocks
 * that were missing at the last commit are fetched again, those stored are not. 0, OCF_EINVAL (a
 * limit of 0, no store), OCF_ENOMEM, OCF_ELIMIT, OCF_EIO, OCF_EUNSUPP (the store has another
 * layout). */
OCF_NODISCARD int ocf_merkle_open(const struct ocf_merkle_config *cfg, uint64_t now_ns,
                                  struct ocf_merkle **out);
/* Frees the replica; what was not committed is aborted. The store stays the owner's. NULL is fine.
 */
void ocf_merkle_free(struct ocf_merkle *m);

/* ---- inputs ---- */

/* A gossip payload and the peer that signed it (its id bytes; empty when unknown). Heads that are
 * new are fetched. 0 (also when nothing in it was of use), OCF_EINVAL (malformed, dropped whole as
 * in Go), OCF_EIO, OCF_ENOMEM. Heads over the limits are dropped and counted; the next rebroadcast
 * brings them again. */
OCF_NODISCARD int ocf_merkle_broadcast(struct ocf_merkle *m, uint64_t now_ns,
                                       struct ocf_bytes payload, struct ocf_bytes author);

/* The bytes of a block that a FETCH asked for (borrowed). The hash is checked here too. It ends the
 * fetch. 0; OCF_ENOENT: nobody asked, or it is stored already (nothing changed); OCF_ECRYPTO: the
 * bytes are not that block (the fetch goes on); OCF_EINVAL: not a delta in a dag-pb node, or too
 * large: never fetched again while remembered; OCF_ENOMEM, OCF_ELIMIT, OCF_EIO. */
OCF_NODISCARD int ocf_merkle_block(struct ocf_merkle *m, uint64_t now_ns,
                                   const uint8_t cid[OCF_CID_BLOCK_SIZE], struct ocf_bytes bytes);

/* A fetch ended in vain; it is told again by FETCH after a back-off. `permanent`: it cannot succeed
 * (the block is remembered as bad). Unknown ones are ignored. Nobody has to call this: a fetch
 * without an answer is given up after fetch_ns. */
void ocf_merkle_fetch_failed(struct ocf_merkle *m, uint64_t now_ns,
                             const uint8_t cid[OCF_CID_BLOCK_SIZE], bool permanent);

/* Writes `value` under `key` (any text; cleaned as a rooted path, "peer" is "/peer"). It is the
 * key's value on return, and on every replica that merges it, until somebody writes the key
 * concurrently or later. 0; OCF_EINVAL (empty value or key "/"), OCF_ELIMIT (the block would be too
 * large: nothing rolled back), OCF_ENOMEM, OCF_ELIMIT, OCF_EIO. A node that restarts under a known
 * identity waits for SYNCED before its first put. */
OCF_NODISCARD int ocf_merkle_put(struct ocf_merkle *m, uint64_t now_ns, struct ocf_bytes key,
                                 struct ocf_bytes value);
/* Removes what is known of `key`; nothing known: nothing written and 0. A concurrent put survives.
 * Errors as ocf_merkle_put(). A key with a long history may take several blocks. */
OCF_NODISCARD int ocf_merkle_delete(struct ocf_merkle *m, uint64_t now_ns, struct ocf_bytes key);

/* When to call ocf_merkle_tick(); in the past when work waits. Never OCF_TIME_NEVER. */
uint64_t ocf_merkle_deadline(const struct ocf_merkle *m);
/* Rebroadcast, give up, retry, repair, and a bounded share of waiting work. 0, OCF_ENOMEM,
 * OCF_ELIMIT, OCF_EIO. */
OCF_NODISCARD int ocf_merkle_tick(struct ocf_merkle *m, uint64_t now_ns);

/* Ends the turn: one store transaction. Free of cost when nothing changed. 0, or OCF_ENOMEM,
 * OCF_ELIMIT (rolled back) or OCF_EIO. */
OCF_NODISCARD int ocf_merkle_commit(struct ocf_merkle *m, uint64_t now_ns);

/* ---- outputs ---- */

enum ocf_merkle_event_type {
  OCF_MERKLE_PUT,    /* `key` has a new `value` */
  OCF_MERKLE_DELETE, /* `key` has no value any more (perhaps it never was told with one) */
  OCF_MERKLE_SYNCED, /* once: what was announced so far is merged; see ocf_merkle_synced() */
};

/* Views are lent until the next call on the replica. */
struct ocf_merkle_event {
  enum ocf_merkle_event_type type;
  struct ocf_bytes key;              /* with its leading slash */
  struct ocf_bytes value;            /* PUT */
  uint64_t priority;                 /* PUT */
  uint8_t block[OCF_MERKLE_ID_SIZE]; /* PUT: the block that holds the value */
  /* Who signed the gossip message that announced the head through which that block (DELETE: the one
   * that removed the last value) came; empty when unknown (own writes, after a restart, an older
   * value that came back unless its block lost against what is gone now a short while ago). */
  struct ocf_bytes announcer;
  bool direct; /* the block was itself announced, by `announcer` */
  bool local;  /* written here in this run */
};

/* The next change or false. Changes of one key are told once, as they stand now; the order of keys
 * means nothing. Changes that were committed but not told are told after the next open. */
bool ocf_merkle_event(struct ocf_merkle *m, struct ocf_merkle_event *ev);

/* Fetches that fail are told again after a back-off. It ends early when a peer announces a block
 * that needs what is missing: at most every 15 s. */
enum ocf_merkle_effect_type {
  OCF_MERKLE_FETCH,   /* get block `cid`; ask `hint` first */
  OCF_MERKLE_UNFETCH, /* no longer wanted (given up for now, or banned); not told after an answer */
  OCF_MERKLE_STORED,  /* `cid` can be served; lost when more than 4,096 wait */
  OCF_MERKLE_BROADCAST, /* publish `payload` on the topic */
};

/* Views are lent until the next call on the replica. */
struct ocf_merkle_effect {
  enum ocf_merkle_effect_type type;
  uint8_t cid[OCF_CID_BLOCK_SIZE]; /* version 1, dag-pb, sha2-256 */
  struct ocf_bytes hint;           /* FETCH: the announcer's peer id; may be empty */
  struct ocf_bytes payload;        /* BROADCAST */
};

bool ocf_merkle_effect(struct ocf_merkle *m, uint64_t now_ns, struct ocf_merkle_effect *fx);

/* Whether SYNCED has been reached: no fetch is running that is younger than stall_ns, no completion
 * waits, and either there is a head, or something was announced and came to nothing, or nobody
 * announced anything for 1.3 rebroadcast intervals since the open. Stays true. */
bool ocf_merkle_synced(const struct ocf_merkle *m);

/* ---- looking ---- */

/* The value of `key` (cleaned first): 0 and views lent until the next call on the replica;
 * OCF_ENOENT, OCF_EINVAL, OCF_ENOMEM, OCF_EIO. `priority` may be NULL. */
OCF_NODISCARD int ocf_merkle_get(struct ocf_merkle *m, struct ocf_bytes key,
                                 struct ocf_bytes *value, uint64_t *priority);

/* Walks over the rows that have a value; zeroed at the start. A row that lives all the time is
 * visited exactly once, whatever is written meanwhile. */
struct ocf_merkle_cursor {
  uint8_t at[OCF_MERKLE_ID_SIZE];
  bool begun;
};
struct ocf_merkle_row {
  struct ocf_bytes key, value; /* lent until the next call on the replica */
  uint64_t priority;
  uint8_t block[OCF_MERKLE_ID_SIZE];
};
/* 0, OCF_ENOENT at the end, OCF_EIO. */
OCF_NODISCARD int ocf_merkle_next(struct ocf_merkle *m, struct ocf_merkle_cursor *c,
                                  struct ocf_merkle_row *row);

/* A stored block's bytes as they came, by its multihash (as bitswap names it): 0, lent until the
 * next call on the replica; OCF_ENOENT, OCF_EIO. */
OCF_NODISCARD int ocf_merkle_get_block(struct ocf_merkle *m, struct ocf_bytes multihash,
                                       struct ocf_bytes *bytes);

/* Visits heads in the order of their CIDs, then adopted ones. */
struct ocf_merkle_head {
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  uint64_t height;
  bool complete; /* false: adopted, see above */
};
/* 0, OCF_ENOENT at the end, OCF_EIO. `prev` NULL starts; it may be `out`. */
OCF_NODISCARD int ocf_merkle_head_next(struct ocf_merkle *m, const struct ocf_merkle_head *prev,
                                       struct ocf_merkle_head *out);

struct ocf_merkle_stats {
  /* gauges */
  uint64_t blocks, block_bytes;  /* stored */
  uint64_t rows;                 /* keys with a value */
  uint64_t elements, tombstones; /* live (key, block) pairs; removed ones */
  uint64_t heads, adopted;
  uint64_t incomplete;                         /* stored blocks with something missing below */
  size_t fetches, active, retrying, announced; /* wanted in all; asked; in back-off; as heads */
  bool dirty; /* a block below a stored one could not be fetched; ends when all are complete */
  bool synced;
  /* counters since the open */
  uint64_t broadcasts_rx, broadcasts_bad, heads_rx, heads_known, heads_dropped, heads_unsupported;
  uint64_t links_unsupported; /* of stored blocks: not dag-pb under sha2-256 */
  uint64_t broadcasts_tx, heads_tx;
  uint64_t blocks_merged, blocks_bad, blocks_unasked, fetch_failures, bans;
  uint64_t puts, deletes; /* own blocks written */
  uint64_t rollbacks, commits;
};
void ocf_merkle_stats(const struct ocf_merkle *m, struct ocf_merkle_stats *out);

#endif
