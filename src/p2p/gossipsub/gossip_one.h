/* Words for tests of one engine: the file's rig, its topics, and what is done to it most often. */
#ifndef OCF_P2P_GOSSIPSUB_GOSSIP_ONE_H
#define OCF_P2P_GOSSIPSUB_GOSSIP_ONE_H

#include "p2p/gossipsub/gossip_rig.h"

static struct rig rig;
static struct rig *const r = &rig;
static const char topic[] = "ocf-crdt", other[] = "ocf-crdt-net";

static inline void begin(void (*tune)(struct ocf_gossip_config *cfg))
{
  assert_int_equal(rig_init(r, NULL, tune), 0);
}

static inline void end(void)
{
  rig_fini(r);
}

static inline void join(const char *name)
{
  assert_int_equal(ocf_gossip_join(r->g, r->now, ocf_bytes(name, strlen(name))), 0);
  rig_settle(r);
}

static inline void leave(const char *name)
{
  ocf_gossip_leave(r->g, r->now, ocf_bytes(name, strlen(name)));
  rig_settle(r);
}

static inline bool in_mesh(unsigned i)
{
  return ocf_gossip_in_mesh(r->g, &r->peers[i].id, OCF_STR("ocf-crdt"));
}

static inline int publish(const char *text)
{
  int err = ocf_gossip_publish(r->g, r->now, OCF_STR("ocf-crdt"), ocf_bytes(text, strlen(text)));
  rig_settle(r);
  return err;
}

/* `n` peers from `first` on, subscribed. */
static inline void crowd(unsigned first, unsigned n, bool outbound)
{
  for (unsigned i = first; i < first + n; i++) {
    rig_up(r, i, outbound);
    rig_send_sub(r, i, topic, true);
  }
}

#endif
