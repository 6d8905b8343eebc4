#include "p2p/swarm/swarm_int.h"

#include <string.h>

/* The prefix that shares a limit: an IPv4 address, an IPv6 /56, or with `net` an IPv6 /48. */
static size_t prefix(const struct ocf_ip_addr *ip, bool net, uint8_t key[8])
{
  static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
  bool v4 = ip->family == 4 || memcmp(ip->ip, mapped, sizeof(mapped)) == 0;
  if (v4 && net)
    return 0;
  key[0] = v4 ? 4 : net ? 48 : 56;
  size_t n = v4 ? 4 : net ? 6 : 7;
  memcpy(key + 1, v4 && ip->family == 6 ? ip->ip + 12 : ip->ip, n);
  return n + 1;
}

static void gate_free(struct ocf_swarm *sw, struct gate *g)
{
  ocf_map_remove(&sw->gates, &g->node);
  ocf_list_remove(&g->link);
  OCF_DELETE(sw->cfg.a, g);
}

/* Makes room by forgetting the least recently used prefix without connections. */
static void gate_evict(struct ocf_swarm *sw)
{
  OCF_LIST_FOREACH (it, &sw->gates_list) {
    struct gate *g = OCF_LIST_ENTRY(it, struct gate, link);
    if (g->n == 0) {
      gate_free(sw, g);
      return;
    }
  }
}

static void refill(struct ocf_swarm *sw, struct gate *g)
{
  uint64_t every = g->net ? sw->cfg.net_refill_ns : sw->cfg.ip_refill_ns;
  uint32_t burst = g->net ? sw->cfg.net_burst : sw->cfg.ip_burst;
  if (every == 0) {
    g->tokens = burst;
    return;
  }
  uint64_t n = (sw->now_ns - g->refill_ns) / every;
  g->refill_ns += n * every;
  g->tokens = n >= burst - g->tokens ? burst : g->tokens + (uint32_t)n;
}

static int gate_get(struct ocf_swarm *sw, const uint8_t *key, size_t n, bool net, struct gate **out)
{
  struct ocf_map_node *found = ocf_map_find(&sw->gates, ocf_bytes(key, n));
  if (found != NULL) {
    *out = OCF_CONTAINER_OF(found, struct gate, node);
    refill(sw, *out);
    return 0;
  }
  if (sw->gates.n >= SWARM_GATES_MAX)
    gate_evict(sw);
  struct gate *g = OCF_NEW(sw->cfg.a, struct gate);
  if (g == NULL)
    return OCF_ENOMEM;
  memcpy(g->key, key, n);
  g->n_key = (uint8_t)n;
  g->net = net;
  g->tokens = net ? sw->cfg.net_burst : sw->cfg.ip_burst;
  g->refill_ns = sw->now_ns;
  int err = ocf_map_insert(&sw->gates, &g->node, ocf_bytes(g->key, n));
  if (err != 0) {
    OCF_DELETE(sw->cfg.a, g);
    return err;
  }
  ocf_list_push_back(&sw->gates_list, &g->link);
  *out = g;
  return 0;
}

static int admit(struct ocf_swarm *sw, const struct gate *g)
{
  if (g->n >= (g->net ? sw->cfg.per_net_max : sw->cfg.per_ip_max)) {
    sw->st.refused_ip++;
    return OCF_ELIMIT;
  }
  if (g->tokens == 0) {
    sw->st.refused_rate++;
    return OCF_ELIMIT;
  }
  return 0;
}

static void enter(struct ocf_swarm *sw, struct gate *g)
{
  g->tokens--;
  g->n++;
  ocf_list_remove(&g->link);
  ocf_list_push_back(&sw->gates_list, &g->link);
}

int ocf_swarm_gate_enter(struct ocf_swarm *sw, const struct ocf_ip_addr *ip)
{
  uint8_t key[8], net_key[8];
  struct gate *g = NULL, *net = NULL;
  size_t n_net = prefix(ip, true, net_key);
  int err = gate_get(sw, key, prefix(ip, false, key), false, &g);
  if (err == 0)
    err = admit(sw, g);
  if (err == 0 && n_net > 0) {
    g->n++; /* counted as in use, so that making the second cannot evict the first */
    err = gate_get(sw, net_key, n_net, true, &net);
    g->n--;
  }
  if (err == 0 && net != NULL)
    err = admit(sw, net);
  if (err != 0)
    return err;
  enter(sw, g);
  if (net != NULL)
    enter(sw, net);
  return 0;
}

static void leave(struct ocf_swarm *sw, const struct ocf_ip_addr *ip, bool net)
{
  uint8_t key[8];
  size_t n = prefix(ip, net, key);
  struct ocf_map_node *found = n > 0 ? ocf_map_find(&sw->gates, ocf_bytes(key, n)) : NULL;
  if (found == NULL)
    return;
  struct gate *g = OCF_CONTAINER_OF(found, struct gate, node);
  OCF_ASSERT(g->n > 0);
  g->n--;
}

void ocf_swarm_gate_leave(struct ocf_swarm *sw, const struct ocf_ip_addr *ip)
{
  leave(sw, ip, false);
  leave(sw, ip, true);
}

void ocf_swarm_gates_free(struct ocf_swarm *sw)
{
  while (!ocf_list_empty(&sw->gates_list))
    gate_free(sw, OCF_LIST_ENTRY(sw->gates_list.next, struct gate, link));
  ocf_map_fini(&sw->gates);
}
