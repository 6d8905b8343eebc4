#include "p2p/swarm/swarm_int.h"

static bool idle(const struct ocf_link *l)
{
  return l->state == LINK_UP && !l->closing && ocf_swarm_link_node_streams(l) == 0;
}

static void close_link(struct ocf_link *l)
{
  l->closing = true;
  ocf_conn_close(l->conn, l->sw->now_ns, OCF_NS_PER_S);
}

static bool trimmable(const struct ocf_link *l)
{
  return idle(l) && l->peer->protect == 0 && !l->peer->is_static && l->peer->n_opens == 0 &&
         l->sw->now_ns - l->since_ns >= l->sw->cfg.grace_ns;
}

static size_t count_open(const struct ocf_swarm *sw)
{
  size_t n = 0;
  OCF_LIST_FOREACH (it, &sw->links) {
    const struct ocf_link *l = LINK_OF(it, all);
    n += l->state == LINK_UP && !l->closing;
  }
  return n;
}

void ocf_swarm_care_trim(struct ocf_swarm *sw)
{
  size_t n = count_open(sw);
  if (n <= sw->cfg.high_water)
    return;
  while (n > sw->cfg.low_water) {
    struct ocf_link *worst = NULL;
    OCF_LIST_FOREACH (it, &sw->links) {
      struct ocf_link *l = LINK_OF(it, all);
      if (trimmable(l) && (worst == NULL || l->used_ns < worst->used_ns))
        worst = l;
    }
    if (worst == NULL)
      return;
    close_link(worst);
    sw->st.trimmed++;
    n--;
  }
}

static void care_link(struct ocf_link *l)
{
  struct ocf_swarm *sw = l->sw;
  struct peer *p = l->peer;
  if (ocf_swarm_link_node_streams(l) > 0)
    l->used_ns = sw->now_ns;
  bool first = p->links.next == &l->peer_link;
  if (!first && idle(l) && sw->now_ns - l->used_ns >= sw->cfg.surplus_idle_ns) {
    sw->st.surplus_closed++;
    close_link(l);
  } else if (first && sw->now_ns >= l->next_ping_ns) {
    ocf_swarm_self_ping(l);
  }
}

void ocf_swarm_care_round(struct ocf_swarm *sw)
{
  OCF_LIST_FOREACH (it, &sw->links) {
    struct ocf_link *l = LINK_OF(it, all);
    if (l->state == LINK_UP)
      care_link(l);
  }
  ocf_swarm_care_trim(sw);
}
