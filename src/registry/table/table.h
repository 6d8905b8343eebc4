/* The node table: what the registry says about each peer, what we know of its life, and what we
 * measured ourselves, in three columns that never overwrite one another (design.md point 9).
 *
 *   claims    only from the registry (or, for our own row, from ourselves): the record
 *   liveness  only from evidence: connections, pings by the peer itself, answered pings
 *   local     only ours: round trip, requests in flight, whether we could dial it
 *
 * One owner, the control loop; not thread-safe. What other threads read is the snapshot
 * (snapshot.h). No clock: `now_ns` is monotonic and passed in. Facts: ocf-network.md 1.6, 1.9,
 * 1.10, 2.5; libp2p.md 2.7.
 *
 * ADMISSION. The CRDT stays as the Go nodes have it; the table decides what of it we believe. A
 * value is *refused* (never shown, counted, and told as an event) when its key is not "/<peer id>"
 * with the id in its canonical text, when it is longer than value_bytes_max, when it is no JSON
 * object, or when the record's `id` is not the key's peer.
 * A value is *held* when a row that its owner has vouched for would be replaced by one that did not
 * come from its owner while we are directly connected to the owner: then the old value stays
 * visible until
 *   - the owner vouches for the new one (announces it, or confirms it when asked): it is shown;
 *   - the owner vouches for another one, the old one included: the held one is dropped (refused);
 *   - the last direct connection to the owner ends, or hold_ns passes since the first value that
 *     was held: the latest held one is shown.
 * A delete by somebody else is held in the same way. It makes no difference whether the value stood
 * in the announced block or in an ancestor of it: a forger could choose either.
 * A row counts as vouched when its visible value was announced by its owner as a head, or
 * confirmed.
 *
 * HIDDEN. A record of status "left" hides its row: without evicted_by when its owner vouched for
 * it, or when we have no direct connection to the peer and no evidence of life that is more than
 * left_grace_ns younger than the record; with evicted_by when we are not directly connected to the
 * peer and the evictor's own visible row has the role "head" (or is ours). Otherwise the word is
 * ignored and the row counts as if it had no status.
 *
 * ALIVE, ROUTABLE. A row is *direct* when we hold at least one direct (not relayed) connection to
 * the peer. It is *alive* when it is ourselves, when it is direct or has a relayed connection, or
 * when evidence that only the peer itself can give (a gossip message it signed, an answered ping)
 * is younger than alive_ns. It is *routable* when it has visible claims with at least one service,
 * is not hidden, and
 *   - is ourselves, or direct, or has a relayed connection, or
 *   - is alive and can be reached: we could dial it (ocf_table_set_dialable), or the relay that its
 *     record names is directly connected to us (`relay` is then set in the snapshot).
 * Go nodes route to rows with connected=true: connections, and for OpenTela pings of the author;
 * ours is the same without the ways to be wrong (a forwarder's credit, one of two connections
 * closing).
 *
 * BOUNDS. At most rows_max rows and bytes_max bytes of claims (values, row texts, groups). When
 * full, a new or larger row takes the place of the oldest row of the worst class that is strictly
 * worse than its own, else it is refused (OCF_TABLE_FULL). Classes, best first: our own row and
 * directly connected peers (never evicted; at the very worst a connected peer's claims are not
 * taken); alive with services; services without a sign of life; the rest. So a peer that writes ten
 * thousand keys displaces nobody who is alive. When we connect to a peer whose row has no claims,
 * OCF_TABLE_WANTED asks the caller to put the registry's value again, in case there had been no
 * room for it. */
#ifndef OCF_REGISTRY_TABLE_TABLE_H
#define OCF_REGISTRY_TABLE_TABLE_H

#include "base/core/core.h"
#include "base/ds/map.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "multi/peerid/peerid.h"
#include "registry/table/claims.h"
#include "registry/table/snapshot.h"

struct ocf_table;

struct ocf_table_options {
  size_t rows_max;        /* 16,384 */
  size_t bytes_max;       /* 48 MiB */
  size_t value_bytes_max; /* 256 KiB */
  uint64_t hold_ns;       /* 60 s */
  uint64_t alive_ns;      /* 120 s: six gossip pings of the Go nodes */
  uint64_t left_grace_ns; /* 10 s: pings that were under way when the peer left */
};

void ocf_table_options_default(struct ocf_table_options *o);

/* Copies the options; borrows `a` for its life; draws hash seeds from `rng` now. NULL when out of
 * memory. */
struct ocf_table *ocf_table_new(struct ocf_alloc *a, struct ocf_rng *rng,
                                const struct ocf_table_options *o);
/* NULL is fine. Every snapshot must have been given back. */
void ocf_table_free(struct ocf_table *t);

/* ---- claims ---- */

/* Who told us: the verified author of the gossip message whose head led to the block, and whether
 * the value stood in the announced block itself. NULL author: history sync, repair, our own replay
 * of the store. */
struct ocf_table_origin {
  const struct ocf_peerid *author;
  bool head;
};

enum ocf_table_verdict {
  OCF_TABLE_SHOWN,     /* the row now shows this value */
  OCF_TABLE_SAME,      /* it already did */
  OCF_TABLE_HELD,      /* waits for its owner's word */
  OCF_TABLE_OWN,       /* the key is ours: our row is local truth */
  OCF_TABLE_BAD_KEY,   /* refused: not "/<peer id>" */
  OCF_TABLE_TOO_LARGE, /* refused: over value_bytes_max */
  OCF_TABLE_MALFORMED, /* refused: not a JSON object */
  OCF_TABLE_WRONG_ID,  /* refused: the record names another peer, or none */
  OCF_TABLE_FOREIGN,   /* refused: the owner spoke for another value */
  OCF_TABLE_FULL,      /* refused: no room for a row of its class */
  OCF_TABLE_N_VERDICTS,
};
/* "shown", "wrong id"; for logs and labels. Never NULL. */
const char *ocf_table_verdict_text(enum ocf_table_verdict v);

/* The registry's current value of `key` became `value`. A refused value that replaces a visible one
 * in the CRDT makes the row bare unless the row is vouched and its owner directly connected (then
 * the old value stays, as for a held one). Returns a verdict (>= 0), or OCF_ENOMEM, and then
 * nothing changed. */
OCF_NODISCARD int ocf_table_put(struct ocf_table *t, uint64_t now_ns, struct ocf_bytes key,
                                struct ocf_bytes value, uint64_t priority,
                                const struct ocf_table_origin *origin);
/* The registry's key is gone. Returns SHOWN, SAME, HELD, OWN or BAD_KEY. */
int ocf_table_delete(struct ocf_table *t, uint64_t now_ns, struct ocf_bytes key,
                     const struct ocf_table_origin *origin);
/* The owner stands by `value`: it announced a block that we already had, or answered when asked.
 * False when the value is neither visible nor held (it still drops a held one): then the caller
 * puts it again with the owner as origin, if it is what the registry says now. */
bool ocf_table_vouch(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer,
                     struct ocf_bytes value);

/* Our own row, from local truth: `value` is our record. Always visible, always routable for its
 * services. To be called again when it changes; `self` must stay the same. 0, OCF_EINVAL (not our
 * record), OCF_ENOMEM, OCF_ELIMIT (over value_bytes_max). */
OCF_NODISCARD int ocf_table_set_self(struct ocf_table *t, uint64_t now_ns,
                                     const struct ocf_peerid *self, struct ocf_bytes value);

/* ---- liveness ---- */

/* The number of connections to `peer` that stand now. A connected peer has a row even without a
 * record. When the last one goes, the evidence of life so far is void: what was killed is out of
 * the routing at once, and back with its next own ping. 0; OCF_ENOMEM or OCF_ELIMIT when there was
 * no room for a new row, and then nothing changed. */
OCF_NODISCARD int ocf_table_set_conns(struct ocf_table *t, uint64_t now_ns,
                                      const struct ocf_peerid *peer, uint32_t n_direct,
                                      uint32_t n_relayed);

/* Where a sign of life came from. Only what the peer itself must have made counts. */
enum ocf_table_evidence {
  OCF_TABLE_DIRECT, /* bytes on a direct connection */
  OCF_TABLE_GOSSIP, /* it is the verified author of a gossip message (the 20 s ping) */
  OCF_TABLE_PING,   /* it answered /ipfs/ping, on any connection */
  OCF_TABLE_N_EVIDENCE,
};
/* Ignored for peers without a row. */
void ocf_table_heard(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer,
                     enum ocf_table_evidence kind);
/* A ping to `peer` over a relay, or a dial, failed: evidence of life up to now is void. Connections
 * count on. */
void ocf_table_failed(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer);

/* ---- local; each is ignored for peers without a row ---- */

/* Smoothed round trip; a change of less than an eighth does not make the table dirty. */
void ocf_table_set_rtt(struct ocf_table *t, const struct ocf_peerid *peer, uint64_t rtt_ns);
/* Whether the address book has an address for it that is worth dialling. */
void ocf_table_set_dialable(struct ocf_table *t, const struct ocf_peerid *peer, bool dialable);
/* Requests of all loops that are under way to it; never makes the table dirty. */
void ocf_table_set_load(struct ocf_table *t, const struct ocf_peerid *peer, uint32_t in_flight);

/* ---- time ---- */

/* When ocf_table_tick() has something to do; UINT64_MAX = never. */
uint64_t ocf_table_deadline(const struct ocf_table *t);
/* Lets evidence grow old and held values in; frees retired snapshots. Early calls are harmless. */
void ocf_table_tick(struct ocf_table *t, uint64_t now_ns);

/* ---- views ---- */

struct ocf_table_row {
  struct ocf_peerid peer;
  struct {
    const struct ocf_claims *c; /* visible value; NULL = none */
    bool vouched;
    bool held; /* another value, or a delete, waits for the owner's word */
  } claims;
  struct {
    uint32_t n_direct, n_relayed;
    uint64_t last_ns[OCF_TABLE_N_EVIDENCE]; /* 0 = never */
  } liveness;
  struct {
    uint64_t rtt_ns;
    uint32_t in_flight;
    bool dialable;
  } local;
};

/* Lent until the next call that changes the table; NULL when there is no row. */
const struct ocf_table_row *ocf_table_find(const struct ocf_table *t,
                                           const struct ocf_peerid *peer);
/* Every row, in no stated order: `*it` starts zeroed; false at the end. The table must not change
 * during the walk. */
struct ocf_table_iter {
  struct ocf_map_iter it;
};
bool ocf_table_next(const struct ocf_table *t, struct ocf_table_iter *it,
                    const struct ocf_table_row **row);
/* As defined at the top of this file, now. `*relay` (may be NULL) is the relay to go through, or
 * none. */
bool ocf_table_is_alive(const struct ocf_table *t, const struct ocf_table_row *row,
                        uint64_t now_ns);
bool ocf_table_is_hidden(const struct ocf_table *t, const struct ocf_table_row *row,
                         uint64_t now_ns);
bool ocf_table_is_routable(const struct ocf_table *t, const struct ocf_table_row *row,
                           uint64_t now_ns, struct ocf_peerid *relay);

struct ocf_table_stats {
  size_t n_rows, n_bytes, n_groups, n_held;
  size_t n_snapshots;                      /* alive or waiting to be freed */
  uint64_t verdicts[OCF_TABLE_N_VERDICTS]; /* of every put, delete and held value decided later */
  uint64_t n_evicted, n_events_lost;
};
void ocf_table_stats(const struct ocf_table *t, struct ocf_table_stats *out);

/* ---- news ---- */

enum ocf_table_event_kind {
  OCF_TABLE_CHANGED, /* the visible claims of `peer` are others, or new */
  OCF_TABLE_GONE,    /* the visible claims of `peer` went */
  OCF_TABLE_REFUSED, /* `verdict` says why; `peer` is none for a bad key */
  OCF_TABLE_WAITING, /* a value or delete for `peer` is held */
  OCF_TABLE_EVICTED, /* the row of `peer` made room for a better one */
  OCF_TABLE_WANTED,  /* `peer` got connected and has no claims here: put its registry value again */
  OCF_TABLE_USURPED, /* the registry's value of our own key is not ours: write it again */
};
struct ocf_table_event {
  enum ocf_table_event_kind kind;
  enum ocf_table_verdict verdict;
  struct ocf_peerid peer;   /* whose row */
  struct ocf_peerid author; /* who announced the value; none when not known */
  uint64_t at_ns, priority;
};
/* The oldest untaken event; false when there is none. At most 256 wait: then the oldest are lost
 * and counted. */
bool ocf_table_event(struct ocf_table *t, struct ocf_table_event *out);
/* The i-th latest refusal (0 = the newest), for an admin route; false past the last 64. */
bool ocf_table_refusal(const struct ocf_table *t, size_t i, struct ocf_table_event *out);

/* ---- snapshots ---- */

/* Whether a new snapshot would differ from the newest in what routing or the table view shows
 * (evidence that only got younger does not count). The caller coalesces: publish at most every
 * 20-50 ms. */
bool ocf_table_dirty(const struct ocf_table *t);
/* Makes a snapshot and puts it in the slot. 0, or OCF_ENOMEM, and then the old one stays and the
 * table stays dirty. Costs about a millisecond for 1,000 peers with 100 models each. */
OCF_NODISCARD int ocf_table_publish(struct ocf_table *t, uint64_t now_ns);
/* Where readers find it; lives as long as the table. */
struct ocf_snapshot_slot *ocf_table_slot(struct ocf_table *t);
/* Frees the snapshots that nobody holds any more. Publish and tick do it too. */
void ocf_table_reap(struct ocf_table *t);

#endif
