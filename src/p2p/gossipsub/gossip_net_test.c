/* Goal: many engines make a network: meshes in their bounds, every message everywhere and once,
 * repair after losses, churn and partitions, honest peers never below zero, and all of it the same
 * for the same seed. Method: engines joined by ordered links with latency under virtual time. */
#include "testing/test.h"

#include "base/core/endian.h"
#include "base/ds/heap.h"
#include "fmt/varint/varint.h"
#include "p2p/gossipsub/gossip_int.h"

enum { NODES = 30, MSGS = 2000 };

#define START (500 * OCF_NS_PER_S)

struct packet {
  struct ocf_heap_node node;
  uint64_t at, seq;
  int from, to;
  unsigned epoch;
  bool opens; /* the stream begins */
  size_t n;
  uint8_t b[];
};

struct node {
  struct ocf_alloc heap;
  struct ocf_rng rng;
  struct ocf_key key;
  struct ocf_peerid id;
  struct ocf_gossip *g;
  uint8_t got[MSGS];
  char handles[NODES]; /* their addresses name inbound streams */
};

struct link {
  bool up, stuck;
  unsigned epoch;
  uint64_t latency_ns, last_ns;
};

struct net {
  struct ocf_rng rng;
  uint64_t now, seq, hash;
  unsigned loss_percent; /* of RPCs that carry messages */
  uint32_t n_published;
  struct node nodes[NODES];
  struct link links[NODES][NODES]; /* [from][to]; `up` is symmetric */
  struct ocf_heap queue;
};

static struct net net;

static bool sooner(const struct ocf_heap_node *a, const struct ocf_heap_node *b)
{
  const struct packet *p = OCF_CONTAINER_OF_CONST(a, struct packet, node);
  const struct packet *q = OCF_CONTAINER_OF_CONST(b, struct packet, node);
  return p->at != q->at ? p->at < q->at : p->seq < q->seq;
}

static void send_packet(int from, int to, bool opens, const struct ocf_bytes *iov, size_t n_iov)
{
  struct link *l = &net.links[from][to];
  size_t n = 0;
  for (size_t i = 0; i < n_iov; i++)
    n += iov[i].n;
  struct packet *p = calloc(1, sizeof(*p) + n);
  assert_non_null(p);
  for (size_t i = 0; i < n_iov; i++) {
    memcpy(p->b + p->n, iov[i].p, iov[i].n);
    p->n += iov[i].n;
  }
  l->last_ns = OCF_MAX(l->last_ns, net.now + l->latency_ns);
  p->at = l->last_ns;
  p->seq = net.seq++;
  p->from = from;
  p->to = to;
  p->epoch = l->epoch;
  p->opens = opens;
  ocf_heap_push(&net.queue, &p->node);
}

static int node_of(const struct ocf_peerid *id)
{
  for (int i = 0; i < NODES; i++)
    if (ocf_peerid_eq(&net.nodes[i].id, id))
      return i;
  fail_msg("an unknown peer");
  return -1;
}

/* Whether this RPC is one that may get lost: as Go drops them, whole and silently. */
static bool is_lost(const struct ocf_bytes *iov, size_t n_iov)
{
  uint64_t len = 0;
  if (ocf_rng_below(&net.rng, 100) >= net.loss_percent || n_iov > 1)
    return false;
  int head = ocf_varint_get(iov[0].p, iov[0].n, &len);
  struct ocf_bytes rpc = ocf_bytes(iov[0].p + head, iov[0].n - (size_t)head);
  struct rpc_part part;
  struct rpc_reader subs = ocf_gossip_rpc_read(rpc, PASS_SUBS);
  struct rpc_reader control = ocf_gossip_rpc_read(rpc, PASS_CONTROL);
  return ocf_gossip_rpc_next(&subs, &part) == 0 && ocf_gossip_rpc_next(&control, &part) == 0;
}

static void pump(int from, int to)
{
  struct node *n = &net.nodes[from];
  struct ocf_bytes iov[OCF_GOSSIP_IOV_MAX];
  size_t n_iov;
  while (!net.links[from][to].stuck &&
         (n_iov = ocf_gossip_tx(n->g, net.now, &net.nodes[to].id, iov, OCF_ARRAY_LEN(iov))) > 0) {
    size_t total = iov[0].n + (n_iov > 1 ? iov[1].n : 0);
    if (!is_lost(iov, n_iov))
      send_packet(from, to, false, iov, n_iov);
    ocf_gossip_tx_done(n->g, net.now, &net.nodes[to].id, total);
  }
}

static void effect(int i, const struct ocf_gossip_effect *fx)
{
  struct node *n = &net.nodes[i];
  int to = fx->type == OCF_GOSSIP_VERIFY ? -1 : node_of(fx->peer);
  switch (fx->type) {
  case OCF_GOSSIP_OPEN:
    send_packet(i, to, true, NULL, 0);
    ocf_gossip_opened(n->g, net.now, &net.nodes[to].id, 0, OCF_GOSSIP_V12);
    break;
  case OCF_GOSSIP_WRITE: pump(i, to); break;
  case OCF_GOSSIP_RESET_IN:
  case OCF_GOSSIP_DISCONNECT: fail_msg("node %d is displeased with %d", i, to); break;
  case OCF_GOSSIP_VERIFY:
    ocf_gossip_job_run(fx->job);
    ocf_gossip_job_done(n->g, net.now, fx->job);
    break;
  }
}

static void event(int i, const struct ocf_gossip_event *ev)
{
  static const uint64_t seed[2] = { 3, 4 };
  uint64_t trace[4] = { net.hash, net.now, (uint64_t)i, (uint64_t)ev->type };
  net.hash = ocf_siphash13(seed, trace, sizeof(trace));
  if (ev->type != OCF_GOSSIP_MESSAGE)
    return;
  uint32_t k = ocf_get_be32(ev->data.p);
  assert_true(k < net.n_published);
  net.nodes[i].got[k]++;
}

static void settle(int i)
{
  struct ocf_gossip *g = net.nodes[i].g;
  struct ocf_gossip_event ev;
  struct ocf_gossip_effect fx;
  for (bool any = true; any;) {
    any = false;
    while (ocf_gossip_event(g, net.now, &ev)) {
      any = true;
      event(i, &ev);
    }
    while (ocf_gossip_effect(g, net.now, &fx)) {
      any = true;
      effect(i, &fx);
    }
  }
}

static void deliver(struct packet *p)
{
  struct node *n = &net.nodes[p->to];
  const struct ocf_peerid *from = &net.nodes[p->from].id;
  if (p->epoch != net.links[p->from][p->to].epoch)
    return;
  if (p->opens)
    assert_int_equal(ocf_gossip_in(n->g, net.now, from, &n->handles[p->from]), 0);
  else
    ocf_gossip_rx(n->g, net.now, from, &n->handles[p->from], ocf_bytes(p->b, p->n));
  settle(p->to);
}

static uint64_t next_time(void)
{
  const struct ocf_heap_node *h = ocf_heap_peek(&net.queue);
  uint64_t at = h == NULL ? OCF_TIME_NEVER : OCF_CONTAINER_OF_CONST(h, struct packet, node)->at;
  for (int i = 0; i < NODES; i++)
    at = ocf_time_min(at, ocf_gossip_deadline(net.nodes[i].g));
  return at;
}

static void run(uint64_t ns)
{
  uint64_t end = net.now + ns;
  for (uint64_t at = next_time(); at <= end; at = next_time()) {
    net.now = OCF_MAX(net.now, at);
    for (int i = 0; i < NODES; i++) {
      if (ocf_gossip_deadline(net.nodes[i].g) > net.now)
        continue;
      ocf_gossip_tick(net.nodes[i].g, net.now);
      settle(i);
    }
    struct ocf_heap_node *h;
    while ((h = ocf_heap_peek(&net.queue)) != NULL &&
           OCF_CONTAINER_OF(h, struct packet, node)->at <= net.now) {
      struct packet *p = OCF_CONTAINER_OF(ocf_heap_pop(&net.queue), struct packet, node);
      deliver(p);
      free(p);
    }
  }
  net.now = end;
}

/* ---- making and changing it ---- */

static void connect_nodes(int i, int j)
{
  if (i == j || net.links[i][j].up)
    return;
  net.links[i][j].up = net.links[j][i].up = true;
  assert_int_equal(ocf_gossip_peer_up(net.nodes[i].g, net.now, &net.nodes[j].id, true, 0), 0);
  assert_int_equal(ocf_gossip_peer_up(net.nodes[j].g, net.now, &net.nodes[i].id, false, 0), 0);
  settle(i);
  settle(j);
}

static void disconnect_nodes(int i, int j)
{
  if (!net.links[i][j].up)
    return;
  net.links[i][j].up = net.links[j][i].up = false;
  net.links[i][j].epoch++;
  net.links[j][i].epoch++;
  ocf_gossip_peer_down(net.nodes[i].g, net.now, &net.nodes[j].id);
  ocf_gossip_peer_down(net.nodes[j].g, net.now, &net.nodes[i].id);
  settle(i);
  settle(j);
}

static void make_node(int i, uint64_t seed, void (*tune)(struct ocf_gossip_config *cfg))
{
  struct node *n = &net.nodes[i];
  struct ocf_gossip_config cfg;
  uint8_t bytes[OCF_KEY_ED25519_SEED_LEN] = { 9 };
  ocf_put_be32(bytes + 4, (uint32_t)i);
  ocf_alloc_init(&n->heap);
  ocf_rng_seed(&n->rng, seed * 1000 + (uint64_t)i);
  assert_int_equal(ocf_key_from_seed(&n->key, &n->heap, bytes), 0);
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&n->key)), &n->id);
  ocf_gossip_config_init(&cfg);
  cfg.alloc = &n->heap;
  cfg.rng = &n->rng;
  cfg.key = &n->key;
  cfg.wall_ns = 1;
  if (tune != NULL)
    tune(&cfg);
  assert_int_equal(ocf_gossip_new(&cfg, net.now, &n->g), 0);
  assert_int_equal(ocf_gossip_join(n->g, net.now, OCF_STR("t")), 0);
}

/* Every node dials `degree` others (so that it knows about twice as many), in a connected graph. */
static void begin(uint64_t seed, int degree, void (*tune)(struct ocf_gossip_config *cfg))
{
  memset(&net, 0, sizeof(net));
  ocf_rng_seed(&net.rng, seed);
  ocf_heap_init(&net.queue, sooner);
  net.now = START;
  for (int i = 0; i < NODES; i++) {
    net.now += ocf_rng_below(&net.rng, 50 * OCF_NS_PER_MS); /* heartbeats apart */
    make_node(i, seed, tune);
    for (int j = 0; j < NODES; j++)
      net.links[i][j].latency_ns = (5 + ocf_rng_below(&net.rng, 60)) * OCF_NS_PER_MS;
  }
  for (int i = 0; i < NODES; i++) {
    connect_nodes(i, (i + 1) % NODES);
    for (int k = 1; k < degree; k++)
      connect_nodes(i, (int)ocf_rng_below(&net.rng, NODES));
  }
}

static void end(void)
{
  struct ocf_heap_node *h;
  while ((h = ocf_heap_pop(&net.queue)) != NULL)
    free(OCF_CONTAINER_OF(h, struct packet, node));
  for (int i = 0; i < NODES; i++) {
    ocf_gossip_free(net.nodes[i].g);
    ocf_key_fini(&net.nodes[i].key);
    assert_int_equal(net.nodes[i].heap.live_bytes, 0);
  }
}

static uint32_t publish(int i)
{
  uint8_t data[64] = { 0 };
  uint32_t k = net.n_published++;
  assert_true(k < MSGS);
  ocf_put_be32(data, k);
  net.nodes[i].got[k] = 1;
  assert_int_equal(
      ocf_gossip_publish(net.nodes[i].g, net.now, OCF_STR("t"), ocf_bytes(data, sizeof(data))), 0);
  settle(i);
  return k;
}

/* ---- checks ---- */

static unsigned missing(uint32_t from, uint32_t to)
{
  unsigned n = 0;
  for (int i = 0; i < NODES; i++)
    for (uint32_t k = from; k < to; k++) {
      assert_true(net.nodes[i].got[k] <= 1);
      n += net.nodes[i].got[k] == 0;
    }
  return n;
}

static size_t mesh_size(int i)
{
  struct ocf_gossip_stats st;
  ocf_gossip_stats(net.nodes[i].g, &st);
  return st.n_mesh;
}

static void check_meshes(size_t lo, size_t hi)
{
  for (int i = 0; i < NODES; i++)
    if (mesh_size(i) < lo || mesh_size(i) > hi)
      fail_msg("node %d has a mesh of %zu", i, mesh_size(i));
}

/* Nobody here does wrong, so nobody is to be thought of badly. */
static void check_scores(void)
{
  for (int i = 0; i < NODES; i++) {
    const void *at = NULL;
    struct ocf_gossip_peer_info info;
    while (ocf_gossip_peer_next(net.nodes[i].g, &at, &info))
      if (info.score < 0)
        fail_msg("node %d gives node %d %f", i, node_of(info.id), info.score);
  }
}

static void test_meshes_form_and_every_message_reaches_everyone_once(void **state)
{
  (void)state;
  begin(1, 8, NULL);
  run(5 * OCF_NS_PER_S);
  check_meshes(5, 12);
  for (int k = 0; k < 100; k++) {
    (void)publish((int)ocf_rng_below(&net.rng, NODES));
    run(20 * OCF_NS_PER_MS);
  }
  run(OCF_NS_PER_S);
  assert_int_equal(missing(0, net.n_published), 0);
  check_meshes(5, 12);
  check_scores();
  end();
}

static void test_a_burst_of_everyone_is_delivered(void **state)
{
  (void)state;
  begin(2, 5, NULL);
  run(5 * OCF_NS_PER_S);
  for (int k = 0; k < 300; k++)
    (void)publish(k % NODES);
  run(3 * OCF_NS_PER_S);
  assert_int_equal(missing(0, net.n_published), 0);
  check_scores();
  end();
}

static void test_lost_rpcs_are_repaired_by_gossip(void **state)
{
  (void)state;
  struct ocf_gossip_stats st;
  uint64_t asked = 0;
  begin(3, 12, NULL);
  run(5 * OCF_NS_PER_S);
  net.loss_percent = 40;
  for (int k = 0; k < 100; k++) {
    (void)publish((int)ocf_rng_below(&net.rng, NODES));
    run(50 * OCF_NS_PER_MS);
  }
  run(6 * OCF_NS_PER_S);
  for (int i = 0; i < NODES; i++) {
    ocf_gossip_stats(net.nodes[i].g, &st);
    asked += st.tx[OCF_GOSSIP_K_IWANT_IDS];
  }
  assert_true(asked > 0);
  assert_int_equal(missing(0, net.n_published), 0);
  check_scores();
  end();
}

static void churn(int rounds)
{
  for (int k = 0; k < rounds; k++) {
    int i = (int)ocf_rng_below(&net.rng, NODES), j = (int)ocf_rng_below(&net.rng, NODES);
    disconnect_nodes(i, j);
    connect_nodes((int)ocf_rng_below(&net.rng, NODES), (int)ocf_rng_below(&net.rng, NODES));
    (void)publish((int)ocf_rng_below(&net.rng, NODES));
    run(50 * OCF_NS_PER_MS);
  }
}

static void test_churn_loses_little_and_heals(void **state)
{
  (void)state;
  begin(4, 5, NULL);
  run(5 * OCF_NS_PER_S);
  churn(300);
  run(6 * OCF_NS_PER_S);
  uint32_t n = net.n_published;
  unsigned lost = missing(0, n);
  if (lost > n * NODES / 1000)
    fail_msg("%u of %u", lost, n * NODES);
  run(70 * OCF_NS_PER_S); /* back-offs end */
  for (int k = 0; k < 50; k++)
    (void)publish(k % NODES);
  run(2 * OCF_NS_PER_S);
  assert_int_equal(missing(n, net.n_published), 0);
  check_scores();
  end();
}

static void cut_in_two(void)
{
  for (int i = 0; i < NODES / 2; i++)
    for (int j = NODES / 2; j < NODES; j++)
      disconnect_nodes(i, j);
}

static void test_a_partition_heals(void **state)
{
  (void)state;
  begin(5, 8, NULL);
  run(5 * OCF_NS_PER_S);
  cut_in_two();
  run(3 * OCF_NS_PER_S);
  uint32_t k = publish(0);
  run(OCF_NS_PER_S);
  for (int i = 0; i < NODES; i++)
    assert_int_equal(net.nodes[i].got[k], i < NODES / 2);
  for (int i = 0; i < NODES / 2; i++)
    connect_nodes(i, NODES / 2 + i);
  run(3 * OCF_NS_PER_S); /* what is younger than the cache crosses by gossip */
  assert_int_equal(missing(k, k + 1), 0);
  k = publish(NODES - 1);
  run(OCF_NS_PER_S);
  assert_int_equal(missing(k, k + 1), 0);
  check_scores();
  end();
}

static void short_queues(struct ocf_gossip_config *cfg)
{
  cfg->limits.queue_msgs_max = 200;
}

static void test_a_stuck_link_hurts_nobody_else_and_its_queue_is_bounded(void **state)
{
  (void)state;
  struct ocf_gossip_stats st;
  uint64_t dropped = 0;
  begin(6, 5, short_queues);
  run(5 * OCF_NS_PER_S);
  for (int j = 0; j < NODES; j++)
    net.links[j][7].stuck = true; /* node 7 does not read */
  for (int k = 0; k < 400; k++) {
    (void)publish(10 + k % 20);
    if (k % 10 == 0)
      run(20 * OCF_NS_PER_MS);
  }
  run(3 * OCF_NS_PER_S);
  for (int i = 0; i < NODES; i++) {
    for (uint32_t k = 0; i != 7 && k < net.n_published; k++)
      assert_int_equal(net.nodes[i].got[k], 1);
    ocf_gossip_stats(net.nodes[i].g, &st);
    assert_true(st.queued_msgs <= 200);
    dropped += st.dropped_forward;
  }
  assert_true(dropped > 0);
  end();
}

static void ocf_params(struct ocf_gossip_config *cfg)
{
  ocf_gossip_params_ocf(&cfg->params);
}

static void test_the_parameters_of_ocf_make_a_full_mesh(void **state)
{
  (void)state;
  begin(7, 5, ocf_params);
  for (int i = 0; i < NODES; i++)
    for (int j = 0; j < i; j++)
      connect_nodes(i, j);
  run(3 * OCF_NS_PER_S);
  check_meshes(NODES - 1, NODES - 1);
  for (int k = 0; k < 60; k++)
    (void)publish(k % NODES);
  run(500 * OCF_NS_PER_MS);
  assert_int_equal(missing(0, net.n_published), 0);
  check_scores();
  end();
}

static uint64_t traced(uint64_t seed)
{
  begin(seed, 5, NULL);
  net.loss_percent = 10;
  run(3 * OCF_NS_PER_S);
  churn(100);
  run(3 * OCF_NS_PER_S);
  uint64_t h = net.hash;
  end();
  return h;
}

static void test_the_same_seed_gives_the_same_trace(void **state)
{
  (void)state;
  uint64_t h = traced(8);
  assert_true(traced(8) == h);
  assert_true(traced(9) != h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_meshes_form_and_every_message_reaches_everyone_once),
    cmocka_unit_test(test_a_burst_of_everyone_is_delivered),
    cmocka_unit_test(test_lost_rpcs_are_repaired_by_gossip),
    cmocka_unit_test(test_churn_loses_little_and_heals),
    cmocka_unit_test(test_a_partition_heals),
    cmocka_unit_test(test_a_stuck_link_hurts_nobody_else_and_its_queue_is_bounded),
    cmocka_unit_test(test_the_parameters_of_ocf_make_a_full_mesh),
    cmocka_unit_test(test_the_same_seed_gives_the_same_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
