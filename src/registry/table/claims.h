/* What one registry row claims, in the form that routing needs: an immutable value made from a
 * record's bytes, shared by the table and by every snapshot that shows it.
 *
 * The parsed record itself is not kept (it is many times larger); whoever needs a field that is not
 * here parses `value` again. Services whose name is not one that a request can carry (see
 * ocf_service_name_ok) and identity groups of other services of that name are folded or left out
 * as told below; `value` and the row text keep everything. Reference-counted on the control loop
 * only: a snapshot holds its claims for as long as it lives, so readers on other threads need no
 * count of their own. */
#ifndef OCF_REGISTRY_TABLE_CLAIMS_H
#define OCF_REGISTRY_TABLE_CLAIMS_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "multi/peerid/peerid.h"

enum {
  OCF_SERVICE_NAME_MAX = 80, /* bytes of a service name that can be asked for */
  OCF_GROUP_MAX = 512,       /* bytes of an identity group, "key=value" */
};

/* Whether `name` matches ^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$ (ocf-network.md 2.3). */
bool ocf_service_name_ok(struct ocf_bytes name);

/* An identity group, interned: equal texts are one object. Opaque outside the table. */
struct ocf_group;

/* One service name of a peer. Services of one name are one entry with the groups of all, each group
 * once; groups that no request can match (no '=' and not "all") are left out. */
struct ocf_claims_service {
  struct ocf_bytes name;
  struct ocf_group *atom; /* the table's: the interned name */
  struct ocf_group *const *groups;
  uint32_t n_groups;
};

/* Read-only; lent by the row or the snapshot it was found in. */
struct ocf_claims {
  uint32_t refs;                   /* the table's: rows and snapshots */
  uint32_t alloc_bytes;            /* the table's */
  uint64_t priority;               /* of the CRDT; 0 for our own row */
  uint64_t since_ns;               /* when the table took it */
  struct ocf_bytes value;          /* the registry's bytes, verbatim */
  struct ocf_bytes json;           /* the row as /v1/dnt/table shows it, with "connected":false */
  size_t connected_at;             /* offset of that `false` in `json` */
  struct ocf_bytes public_address; /* "" when none */
  uint16_t public_port;            /* 0 when none */
  struct ocf_peerid relay_peer;    /* none when absent or malformed */
  struct ocf_peerid evicted_by;    /* none when absent */
  bool has_evicted_by;             /* the field is there, well-formed or not */
  bool left;                       /* status "left" */
  bool role_head, role_relay;
  const struct ocf_claims_service *services;
  uint32_t n_services;
};

/* Appends the row's JSON object with `connected` as given. 0, OCF_ENOMEM, OCF_ELIMIT. */
OCF_NODISCARD int ocf_claims_write(const struct ocf_claims *c, bool connected, struct ocf_buf *to);

#endif
