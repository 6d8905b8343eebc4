/* Four swarms on the virtual network, driven by the input: who dials, opens, writes, resets,
 * closes, is cut off, forgets to answer, is told an address or a name, is knocked at by strangers,
 * or is drained; and how time passes.
 *
 * Oracle: the swarm's own assertions; a peer is up at most once and down only after up; an open
 * ends at most once; at the end, with everything healed, drained and given time, no connection is
 * left and all memory comes back. */
#include "p2p/swarm/swarm_world.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NODES = 4, ROUNDS_MAX = 120 };

static const struct ocf_bytes ECHO[] = { { (const uint8_t *)"/echo/1", 7 } };

static void check(const struct world *w)
{
  for (size_t i = 0; i < NODES; i++) {
    const struct wnode *n = &w->n[i];
    struct ocf_swarm_stats st;
    ocf_swarm_stats(n->sw, &st);
    OCF_ASSERT(n->n_up - n->n_down == st.n_peers);
    OCF_ASSERT(st.n_peers < NODES);
    OCF_ASSERT(st.n_handshakes <= st.n_conns);
    OCF_ASSERT(st.n_dials <= n->cfg.dials_max);
    OCF_ASSERT(st.n_opens <= n->cfg.opens_max);
  }
}

static void open_one(struct wnode *a, const struct wnode *b, unsigned x)
{
  struct ocf_stream *s;
  uint64_t ticket;
  int err = ocf_swarm_open(a->sw, a->w->now, &b->id, ECHO, 1,
                           a->w->now + (1 + x) * 20 * OCF_NS_PER_MS, NULL, &s, &ticket);
  if (err == 0)
    a->stream = s;
  else if (err == OCF_EAGAIN && x % 4 == 3)
    ocf_swarm_open_cancel(a->sw, ticket);
}

static void addrs_change(struct wnode *a, unsigned x)
{
  struct ocf_maddr m;
  struct ocf_ip_addr ip = a->ip;
  ip.port = (uint16_t)(ip.port + x % 2); /* the second one leads nowhere */
  ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, &m);
  int err = ocf_swarm_set_addrs(a->sw, a->w->now, &m, 1, NULL, 0, NULL, 0);
  OCF_ASSERT(err == 0 || err == OCF_ENOMEM);
}

static void tell(struct wnode *a, struct wnode *b, unsigned x)
{
  struct ocf_maddr m;
  struct ocf_ip_addr ip = a->w->n[x % NODES].ip; /* mostly somebody else's */
  ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, &m);
  int err = ocf_swarm_add_addr(a->sw, a->w->now, &b->id, &m, (enum ocf_swarm_source)(x / 4 % 4),
                               (1 + x) * OCF_NS_PER_S);
  OCF_ASSERT(err <= 0);
}

static void stream_act(struct wnode *a, unsigned x)
{
  static uint8_t buf[20000];
  struct ocf_stream **s = x % 2 ? &a->stream : &a->in;
  if (*s == NULL)
    return;
  switch (x / 2 % 3) {
  case 0: (void)ocf_stream_write(*s, buf, x * 70u); break;
  case 1: ocf_stream_fin(*s); break;
  case 2:
    ocf_stream_reset(*s, x);
    if (a->stream == a->in)
      a->stream = a->in = NULL;
    *s = NULL;
    break;
  default: break;
  }
}

/* What a node listens on becomes "everything", with two interfaces and an address of the
 * operator's. */
static void listen_on_all(struct wnode *a, unsigned x)
{
  const struct ocf_ip_addr any = w_ip(0, 0, 0, 0, a->ip.port);
  const struct ocf_ip_addr ifaces[] = { a->ip, w_ip(127, 0, 0, 1, 0) };
  struct ocf_maddr listen, extra;
  ocf_maddr_from_ip(&any, OCF_MADDR_TCP, &listen);
  ocf_maddr_from_ip(&a->ip, OCF_MADDR_TCP, &extra);
  int err = ocf_swarm_set_addrs(a->sw, a->w->now, &listen, 1, ifaces, x % 3, &extra, x / 3 % 2);
  OCF_ASSERT(err == 0 || err == OCF_ENOMEM);
}

static void tell_name(struct wnode *a, const struct wnode *b, unsigned x)
{
  const struct ocf_bytes texts[] = { OCF_STR("/dns4/last/tcp/4000"), OCF_STR("/dns/none/tcp/4000"),
                                     OCF_STR("/dns6/last/tcp/1") };
  struct ocf_maddr m;
  OCF_ASSERT(ocf_maddr_parse(texts[x % OCF_ARRAY_LEN(texts)], &m) == 0);
  int err = ocf_swarm_add_addr(a->sw, a->w->now, &b->id, &m, OCF_SWARM_SRC_CONFIG, OCF_TIME_NEVER);
  OCF_ASSERT(err <= 0);
}

/* Sockets that say nothing, from one address or from many. */
static void strangers(struct wnode *a, unsigned x)
{
  for (unsigned i = 0; i < 1 + x / 2 % 32; i++) {
    struct ocf_ip_addr from = w_ip(198, 51, (uint8_t)(x % 2 ? i : 0), (uint8_t)x, 1000);
    struct ocf_link *l;
    if (x % 5 == 0)
      from = (struct ocf_ip_addr){ .family = 6, .port = 1, .ip = { 0x20, 1, (uint8_t)i, x & 3 } };
    int err = ocf_swarm_accept(a->sw, a->w->now, NULL, &from, &a->ip, &l);
    OCF_ASSERT(err == 0 || err == OCF_ELIMIT || err == OCF_ENOMEM || err == OCF_ESTATE);
  }
}

static void look(struct wnode *a, const struct wnode *b)
{
  struct ocf_swarm_peer_info info;
  struct ocf_swarm_sample sample;
  struct ocf_swarm_stats st;
  struct ocf_maddr m[4];
  const struct ocf_maddr *ours;
  const void *cursor = NULL;
  size_t n = 0;
  while (ocf_swarm_peer_next(a->sw, &cursor, &info))
    n++;
  ocf_swarm_stats(a->sw, &st);
  OCF_ASSERT(n == st.n_peers);
  OCF_ASSERT(!ocf_swarm_peer_info(a->sw, &b->id, &info) || info.n_conns > 0);
  OCF_ASSERT(!ocf_swarm_peer_speaks(a->sw, &b->id, OCF_STR("/nothing/0")));
  OCF_ASSERT(ocf_swarm_peer_addrs(a->sw, a->w->now, &b->id, m, 4) <= 4);
  OCF_ASSERT(ocf_swarm_addrs(a->sw, &ours) <= 64);
  OCF_ASSERT(ocf_peerid_eq(ocf_swarm_self(a->sw), &a->id));
  while (ocf_swarm_sample(a->sw, &sample))
    n++;
}

static void announce(struct wnode *a, unsigned x)
{
  const struct ocf_bytes names[] = { OCF_STR("/one/1"), OCF_STR("/two/1"), OCF_STR("") };
  int err = ocf_swarm_announce(a->sw, a->w->now, names, x % 4);
  OCF_ASSERT(x % 4 == 3 ? err == OCF_EINVAL : err == 0 || err == OCF_ENOMEM);
}

static void act(struct world *w, struct ocf_ops *o)
{
  unsigned what = ocf_ops_u8(o), who = ocf_ops_u8(o), x = ocf_ops_u8(o);
  struct wnode *a = &w->n[who % NODES], *b = &w->n[who / NODES % NODES];
  int err = 0;
  switch (what % 18) {
  case 0: w_run(w, x * OCF_NS_PER_MS); break;
  case 1: w_run(w, x * OCF_NS_PER_S); break;
  case 2: err = ocf_swarm_dial(a->sw, w->now, &b->id); break;
  case 3: open_one(a, b, x); break;
  case 4: stream_act(a, x); break;
  case 5: ocf_swarm_disconnect(a->sw, w->now, &b->id, x * OCF_NS_PER_MS); break;
  case 6: a->listening = x % 2 == 0; break;
  case 7: a->silent = x % 2 == 1; break;
  case 8: tell(a, b, x); break;
  case 9: addrs_change(a, x); break;
  case 10: ocf_swarm_protect(a->sw, &b->id, x & 3, (x >> 2) & 3); break;
  case 11:
    if (w->n_socks > 0)
      w->s[x % w->n_socks].cut = true;
    break;
  case 12:
    if (a != b) {
      struct ocf_maddr m;
      ocf_maddr_from_ip(&b->ip, OCF_MADDR_TCP, &m);
      err = x % 4 == 3 ? ocf_swarm_remove_static(a->sw, w->now, &b->id)
                       : ocf_swarm_add_static(a->sw, w->now, &b->id, &m);
    }
    break;
  case 13: tell_name(a, b, x); break;
  case 14: listen_on_all(a, x); break;
  case 15: strangers(a, x); break;
  case 16: look(a, b); break;
  case 17: announce(a, x); break;
  default: break;
  }
  OCF_ASSERT(err <= 0);
  w_run(w, 0);
  check(w);
}

static void finish(struct world *w)
{
  for (size_t i = 0; i < NODES; i++) {
    w->n[i].silent = false;
    ocf_swarm_drain(w->n[i].sw, w->now, OCF_NS_PER_S);
  }
  w_run(w, 60 * OCF_NS_PER_S);
  for (size_t i = 0; i < NODES; i++) {
    struct ocf_swarm_stats st;
    ocf_swarm_stats(w->n[i].sw, &st);
    OCF_ASSERT(st.n_conns == 0 && st.n_dials == 0 && st.n_opens == 0 && st.n_peers == 0);
    OCF_ASSERT(st.n_handshakes == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ocf_ops o = { data, size };
  if (size > 3 * ROUNDS_MAX)
    return 0;
  struct world *w = w_new(NODES);
  for (size_t i = 0; i < NODES; i++) {
    w->n[i].cfg.low_water = 1;
    w->n[i].cfg.high_water = 2;
    w->n[i].cfg.per_peer_max = 3;
    w->n[i].cfg.ping_every_ns = 7 * OCF_NS_PER_S;
    w->n[i].echo = i % 2 == 0;
  }
  w->n[3].cfg.handshakes_max = 4;
  w->n[3].cfg.conns_max = 12;
  w->n[3].cfg.addrs_per_peer_max = 2;
  w_start_all(w);
  for (size_t i = 0; i < NODES; i++)
    for (size_t j = 0; j < NODES; j++)
      if (i != j)
        w_knows(&w->n[i], &w->n[j]);
  while (ocf_ops_more(&o) && w->n_socks < W_SOCKS - 512)
    act(w, &o);
  finish(w);
  w_free(w);
  return 0;
}
