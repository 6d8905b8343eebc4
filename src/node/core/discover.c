/* Where peers of the registry can be reached. A record seldom says; whoever is connected to a peer
 * knows its addresses, so connected nodes are asked for theirs (GET /v1/dnt/peers, as all nodes
 * answer it) while somebody in the table can neither be reached nor dialled. A head keeps
 * connections to those who offer something, as heads of the running network must. */
#include <string.h>

#include "fmt/jscan/jscan.h"
#include "node/core/node_int.h"

enum {
  BODY_MAX = 512 * 1024,
  TEXT_MAX = 512,
  TIMEOUT_S = 5,
  SOON_MS = 200,
  LATEST_S = 60,
  DIALS_MAX = 8,
  ROUND_MAX = 8, /* peers that are asked without a pause */
  ADDR_LIFE_S = 600,
  ADDRS_MAX = 16,
};

/* ---- who is looked for ---- */

static bool wanted(const struct ocf_table_row *row)
{
  return row->claims.c != NULL && row->claims.c->n_services > 0 && row->liveness.n_direct == 0 &&
         !row->local.dialable;
}

static bool anybody_wanted(struct ocf_node *n)
{
  struct ocf_table_iter it = { .it = { 0 } };
  const struct ocf_table_row *row;
  while (ocf_table_next(ocf_mesh_table(n->mesh), &it, &row)) {
    if (wanted(row) && !ocf_peerid_eq(&row->peer, ocf_node_id(n)))
      return true;
  }
  return false;
}

/* The connected peer that was asked longest ago: they take turns. */
static bool whom_to_ask(struct ocf_node *n, struct ocf_peerid *out)
{
  struct ocf_swarm_peer_info info;
  const void *cursor = NULL;
  size_t i = 0, n_peers = 0;
  while (ocf_swarm_peer_next(n->swarm, &cursor, &info))
    n_peers += ocf_swarm_peer_speaks(n->swarm, info.id, OCF_STR("/libp2p-http")) ? 1 : 0;
  if (n_peers == 0)
    return false;
  n->discover.asked = OCF_MIN(n->discover.asked + 1, (size_t)ROUND_MAX);
  if (n->discover.asked >= n_peers)
    n->discover.asked = ROUND_MAX;
  size_t pick = n->discover.turn++ % n_peers;
  cursor = NULL;
  while (ocf_swarm_peer_next(n->swarm, &cursor, &info)) {
    if (!ocf_swarm_peer_speaks(n->swarm, info.id, OCF_STR("/libp2p-http")) || i++ != pick)
      continue;
    *out = *info.id;
    return true;
  }
  return false;
}

/* ---- answers ---- */

/* One object of the list; its members come in any order. */
struct entry {
  struct ocf_peerid id;
  struct ocf_maddr addrs[ADDRS_MAX];
  size_t n;
};

static void learn(struct ocf_node *n, const struct entry *e)
{
  struct ocf_table *table = ocf_mesh_table(n->mesh);
  if (e->id.n == 0 || ocf_peerid_eq(&e->id, ocf_node_id(n)) ||
      ocf_table_find(table, &e->id) == NULL)
    return;
  for (size_t i = 0; i < e->n; i++) {
    if (ocf_swarm_add_addr(n->swarm, n->loop.now_ns, &e->id, &e->addrs[i], OCF_SWARM_SRC_OTHER,
                           ADDR_LIFE_S * OCF_NS_PER_S) == 0)
      ocf_table_set_dialable(table, &e->id, true);
  }
}

/* {"peers":[{"ID":"...","Addrs":["/ip4/..."]}]}; what is not so is passed over. */
static void read_peers(struct ocf_node *n, struct ocf_bytes body)
{
  uint8_t text[TEXT_MAX];
  struct ocf_jscan s;
  struct ocf_jscan_token t;
  struct entry e = { .n = 0 };
  bool is_id = false;
  ocf_jscan_init(&s, text, sizeof(text), OCF_JSCAN_DEPTH_DEFAULT);
  while (ocf_jscan_pull(&s, &body, &t) > 0 && t.kind != OCF_JSCAN_END) {
    if (t.kind == OCF_JSCAN_KEY) {
      is_id = ocf_jscan_key_is(t.text, "ID");
    } else if (t.kind == OCF_JSCAN_STRING && t.depth == 3 && is_id && !t.truncated) {
      if (ocf_peerid_parse(t.text, &e.id) != 0)
        e.id.n = 0;
    } else if (t.kind == OCF_JSCAN_STRING && t.depth == 4 && e.n < ADDRS_MAX && !t.truncated) {
      e.n += ocf_maddr_parse(t.text, &e.addrs[e.n]) == 0 ? 1 : 0;
    } else if (t.kind == OCF_JSCAN_OBJECT_END && t.depth == 2) {
      learn(n, &e);
      e.n = 0;
      e.id.n = 0;
    }
  }
}

/* ---- a head's connections ---- */

static void dial_providers(struct ocf_node *n)
{
  struct ocf_table_iter it = { .it = { 0 } };
  const struct ocf_table_row *row;
  unsigned dials = 0;
  if (strcmp(n->cfg.role, "head") != 0)
    return;
  while (dials < DIALS_MAX && ocf_table_next(ocf_mesh_table(n->mesh), &it, &row)) {
    if (row->claims.c == NULL || row->claims.c->n_services == 0 || row->liveness.n_direct > 0 ||
        !row->local.dialable)
      continue;
    dials += ocf_swarm_dial(n->swarm, n->loop.now_ns, &row->peer) == 0 ? 1 : 0;
  }
}

/* ---- in turn ---- */

static void again(struct ocf_node *n)
{
  struct discover *d = &n->discover;
  ocf_alarm_start(&n->loop, &d->alarm, d->wait_ns);
  d->wait_ns = OCF_MIN(d->wait_ns * 2, LATEST_S * OCF_NS_PER_S);
}

static void on_answer(struct ocf_ask *a, unsigned status, struct ocf_bytes body, int err)
{
  struct ocf_node *n = OCF_CONTAINER_OF(a, struct ocf_node, discover.ask);
  if (err == 0 && status == 200)
    read_peers(n, body);
  dial_providers(n);
  if (n->discover.asked < ROUND_MAX && anybody_wanted(n))
    ocf_alarm_start(&n->loop, &n->discover.alarm, 0); /* the next one may know */
  else
    again(n);
}

static void on_alarm(struct ocf_alarm *alarm)
{
  struct ocf_node *n = OCF_CONTAINER_OF(alarm, struct ocf_node, discover.alarm);
  struct ocf_peerid peer;
  dial_providers(n);
  if (n->draining || ocf_ask_busy(&n->discover.ask))
    return;
  if (!anybody_wanted(n) || !whom_to_ask(n, &peer) ||
      ocf_ask_peer(&n->discover.ask, n->relay, &peer, "/v1/dnt/peers", BODY_MAX,
                   TIMEOUT_S * OCF_NS_PER_S) != 0)
    again(n);
}

/* Somebody is new in the table, or connected: what was in vain may work now. */
void ocf_node_discover_soon(struct ocf_node *n)
{
  struct discover *d = &n->discover;
  if (n->mesh == NULL || d->wait_ns == SOON_MS * OCF_NS_PER_MS)
    return;
  d->wait_ns = SOON_MS * OCF_NS_PER_MS;
  d->asked = 0;
  if (!ocf_ask_busy(&d->ask))
    ocf_alarm_start(&n->loop, &d->alarm, d->wait_ns);
}

void ocf_node_discover_init(struct ocf_node *n)
{
  n->discover.alarm.fire = on_alarm;
  n->discover.ask.done = on_answer;
  n->discover.wait_ns = OCF_NS_PER_S;
  again(n);
}

void ocf_node_discover_free(struct ocf_node *n)
{
  ocf_ask_cancel(&n->discover.ask);
  ocf_alarm_stop(&n->loop, &n->discover.alarm);
}
