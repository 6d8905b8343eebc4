/* Goal: peers find, keep and lose each other as the contract says, whoever dials first and whatever
 * fails. Method: whole swarms with real handshakes on a virtual network with virtual time. */
#include "testing/test.h"

#include "p2p/ping/ping.h"
#include "p2p/swarm/swarm_world.h"

static const struct ocf_bytes ECHO[] = { { (const uint8_t *)"/echo/1", 7 } };

struct order_rec {
  const char *name, *harness, *node;
};
#include "tests/vectors/gen/connection_order.inc"

static struct ocf_swarm_stats stats(struct wnode *n)
{
  struct ocf_swarm_stats st;
  ocf_swarm_stats(n->sw, &st);
  return st;
}

static struct world *pair_up(void)
{
  struct world *w = w_new(2);
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_up, 1);
  assert_int_equal(w->n[1].n_up, 1);
  return w;
}

static void test_a_dial_connects_and_both_sides_identify(void **state)
{
  (void)state;
  struct world *w = pair_up();
  assert_int_equal(w->n[0].n_identified, 1);
  assert_int_equal(w->n[1].n_identified, 1);
  assert_true(ocf_swarm_peer_speaks(w->n[0].sw, &w->n[1].id, ECHO[0]));
  assert_true(ocf_swarm_peer_speaks(w->n[1].sw, &w->n[0].id, OCF_STR("/ipfs/ping/1.0.0")));
  struct ocf_swarm_peer_info info;
  assert_true(ocf_swarm_peer_info(w->n[1].sw, &w->n[0].id, &info));
  assert_true(info.identified && info.inbound);
  assert_true(ocf_bytes_eq(info.agent, OCF_STR("ocf-c/test")));
  assert_int_equal(info.n_conns, 1);
  assert_int_equal(info.n_streams, 0);
  /* the dialler's address is known now, though it was never told */
  struct ocf_maddr m[4], want;
  assert_int_equal(ocf_swarm_peer_addrs(w->n[1].sw, w->now, &w->n[0].id, m, 4), 1);
  ocf_maddr_from_ip(&w->n[0].ip, OCF_MADDR_TCP, &want);
  assert_true(ocf_maddr_eq(&m[0], &want));
  w_free(w);
}

/* The recorded Go nodes and their peers all begin with identify; so do we, on both sides. */
static void test_identify_is_the_first_stream_of_each_side(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(order_recs); i++) {
    assert_string_equal(order_recs[i].harness, "/ipfs/id/1.0.0");
    assert_string_equal(order_recs[i].node, "/ipfs/id/1.0.0");
  }
  struct world *w = pair_up();
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(stats(&w->n[i]).streams_out, 1);
    assert_int_equal(stats(&w->n[i]).streams_in, 1);
    assert_int_equal(stats(&w->n[i]).identify_ok, 1);
  }
  w_free(w);
}

static void test_a_stream_opens_at_once_on_a_connected_peer(void **state)
{
  (void)state;
  struct world *w = pair_up();
  struct ocf_stream *s;
  uint64_t ticket;
  w->n[1].echo = true;
  assert_int_equal(
      ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, OCF_TIME_NEVER, NULL, &s, &ticket),
      0);
  assert_int_equal(ocf_stream_write(s, "0123456789", 10), 10); /* lazily: identify told */
  ocf_stream_fin(s);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_rx, 10);
  assert_int_equal(w->n[0].n_gone, 1);
  assert_int_equal(w->n[1].n_gone, 1);
  assert_int_equal(w->n[0].last_err, 0);
  w_free(w);
}

static void test_an_open_waits_for_the_dial_it_starts(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  struct ocf_stream *s;
  uint64_t ticket;
  w_start_all(w);
  assert_int_equal(
      ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, OCF_TIME_NEVER, NULL, &s, &ticket),
      OCF_EUNREACH);
  w_knows(&w->n[0], &w->n[1]);
  assert_int_equal(ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, w->now + OCF_NS_PER_S,
                                  &w, &s, &ticket),
                   OCF_EAGAIN);
  assert_null(s);
  assert_true(ticket != 0);
  w_run(w, 100 * OCF_NS_PER_MS);
  assert_int_equal(w->n[0].n_opened, 1);
  assert_ptr_equal(ocf_stream_user(w->n[0].stream), &w);
  w_free(w);
}

static void test_an_open_fails_at_its_deadline_and_a_cancelled_one_is_silent(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  struct ocf_stream *s;
  uint64_t ticket, other;
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  w->n[1].silent = true;
  assert_int_equal(ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, w->now + OCF_NS_PER_S,
                                  NULL, &s, &ticket),
                   OCF_EAGAIN);
  assert_int_equal(ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, w->now + OCF_NS_PER_S,
                                  NULL, &s, &other),
                   OCF_EAGAIN);
  ocf_swarm_open_cancel(w->n[0].sw, other);
  w_run(w, 2 * OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_open_failed, 1);
  assert_int_equal(w->n[0].last_err, OCF_ETIME);
  assert_int_equal(stats(&w->n[0]).n_opens, 0);
  w_run(w, 5 * OCF_NS_PER_S); /* the connect itself times out after 5 s */
  assert_int_equal(w->n[0].n_dial_failed, 1);
  assert_int_equal(stats(&w->n[0]).n_dials, 0);
  w_free(w);
}

static void test_a_refused_address_is_left_alone_for_its_back_off(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  w->n[1].listening = false;
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, 100 * OCF_NS_PER_MS);
  assert_int_equal(w->n[0].n_dial_failed, 1);
  assert_int_equal(w->n[0].last_err, OCF_EREFUSED);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), OCF_EUNREACH);
  w_run(w, 5 * OCF_NS_PER_S);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, 100 * OCF_NS_PER_MS);
  assert_int_equal(stats(&w->n[0]).dials, 2);
  assert_int_equal(stats(&w->n[0]).dial_results[OCF_SWARM_RES_REFUSED], 2);
  w_free(w);
}

static void test_a_wrong_peer_at_the_address_fails_the_dial_and_does_not_connect(void **state)
{
  (void)state;
  struct world *w = w_new(3);
  struct ocf_maddr m;
  w_start_all(w);
  ocf_maddr_from_ip(&w->n[2].ip, OCF_MADDR_TCP, &m);
  assert_int_equal(
      ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &m, OCF_SWARM_SRC_OTHER, OCF_TIME_NEVER),
      0);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_dial_failed, 1);
  assert_int_equal(w->n[0].last_err, OCF_EAUTH);
  assert_int_equal(w->n[2].n_up, 0);
  assert_int_equal(stats(&w->n[2]).n_conns, 0);
  assert_int_equal(stats(&w->n[0]).dial_results[OCF_SWARM_RES_OK], 1);
  assert_int_equal(stats(&w->n[0]).handshake_results[0][OCF_SWARM_RES_IDENTITY], 1);
  assert_int_equal(stats(&w->n[2]).handshake_results[1][OCF_SWARM_RES_OK], 0);
  w_free(w);
}

static void test_the_second_address_is_tried_when_the_first_hangs(void **state)
{
  (void)state;
  struct world *w = w_new(3);
  struct ocf_maddr m;
  w_start_all(w);
  w->n[2].silent = true; /* 10.0.0.3: the same rank, and listed first */
  ocf_maddr_from_ip(&w->n[2].ip, OCF_MADDR_TCP, &m);
  assert_int_equal(
      ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &m, OCF_SWARM_SRC_OTHER, OCF_TIME_NEVER),
      0);
  w_knows(&w->n[0], &w->n[1]);
  uint64_t start = w->now;
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  while (w->n[0].n_up == 0 && w->now < start + 10 * OCF_NS_PER_S)
    w_run(w, 10 * OCF_NS_PER_MS);
  assert_int_equal(w->n[0].n_up, 1);
  assert_true(w->now - start >= 250 * OCF_NS_PER_MS);
  assert_true(w->now - start <= 400 * OCF_NS_PER_MS);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(stats(&w->n[0]).n_dials, 0); /* the hanging one was given up */
  struct ocf_swarm_stats st = stats(&w->n[0]);
  assert_int_equal(st.dial_results[OCF_SWARM_RES_OK], 1);
  assert_int_equal(st.dial_results[OCF_SWARM_RES_CANCELLED] +
                       st.handshake_results[0][OCF_SWARM_RES_CANCELLED],
                   1);
  w_free(w);
}

static void test_a_name_is_resolved_by_the_driver(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  struct ocf_maddr m;
  w_start_all(w);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/dns4/node.example/tcp/4000"), &m), 0);
  assert_int_equal(
      ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &m, OCF_SWARM_SRC_CONFIG, OCF_TIME_NEVER),
      0);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_up, 1);
  w_free(w);
  w = w_new(2);
  w_start_all(w);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/dns/none/tcp/4000"), &m), 0);
  assert_int_equal(
      ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &m, OCF_SWARM_SRC_CONFIG, OCF_TIME_NEVER),
      0);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_dial_failed, 1);
  assert_int_equal(w->n[0].last_err, OCF_ENOENT);
  assert_int_equal(stats(&w->n[0]).dial_results[OCF_SWARM_RES_NAME], 1);
  w_free(w);
}

static void test_simultaneous_dials_leave_both_and_agree_on_the_one_to_use(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  w_knows(&w->n[1], &w->n[0]);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  assert_int_equal(ocf_swarm_dial(w->n[1].sw, w->now, &w->n[0].id), 0);
  w_run(w, OCF_NS_PER_S);
  struct ocf_swarm_peer_info a, b;
  assert_true(ocf_swarm_peer_info(w->n[0].sw, &w->n[1].id, &a));
  assert_true(ocf_swarm_peer_info(w->n[1].sw, &w->n[0].id, &b));
  assert_int_equal(a.n_conns, 2);
  assert_int_equal(b.n_conns, 2);
  assert_true(a.inbound != b.inbound); /* one connection, seen from its two ends */
  assert_int_equal(w->n[0].n_up, 1);
  w_run(w, 40 * OCF_NS_PER_S);
  assert_true(ocf_swarm_peer_info(w->n[0].sw, &w->n[1].id, &a));
  assert_true(ocf_swarm_peer_info(w->n[1].sw, &w->n[0].id, &b));
  assert_int_equal(a.n_conns, 1); /* the surplus one was idle */
  assert_int_equal(b.n_conns, 1);
  assert_int_equal(w->n[0].n_down + w->n[1].n_down, 0);
  w_free(w);
}

static void test_a_surplus_connection_in_use_is_not_closed(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  w_knows(&w->n[1], &w->n[0]);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, 3500 * OCF_NS_PER_US); /* the dialler is up, the other side not yet */
  assert_int_equal(ocf_swarm_dial(w->n[1].sw, w->now, &w->n[0].id), 0);
  struct ocf_stream *s[2];
  uint64_t ticket;
  w_run(w, OCF_NS_PER_S);
  for (int i = 0; i < 2; i++) {
    int err = ocf_swarm_open(w->n[i].sw, w->now, &w->n[1 - i].id, ECHO, 1, OCF_TIME_NEVER, NULL,
                             &s[i], &ticket);
    assert_int_equal(err, 0);
    assert_non_null(s[i]);
  }
  w_run(w, 60 * OCF_NS_PER_S);
  assert_non_null(w->n[0].in);
  assert_non_null(w->n[1].in);
  w_free(w);
}

static void test_a_static_peer_is_dialled_again_until_it_is_there(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  struct ocf_maddr m;
  w_start_all(w);
  w->n[1].listening = false;
  ocf_maddr_from_ip(&w->n[1].ip, OCF_MADDR_TCP, &m);
  assert_int_equal(ocf_swarm_add_static(w->n[0].sw, w->now, &w->n[1].id, &m), 0);
  w_run(w, 300 * OCF_NS_PER_S);
  size_t n = stats(&w->n[0]).dials;
  assert_in_range(n, 5, 12); /* 5 s doubling to 2 min, with jitter */
  w->n[1].listening = true;
  w_run(w, 121 * OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_up, 1);
  /* and when it is lost, again after about 5 s */
  ocf_swarm_disconnect(w->n[1].sw, w->now, &w->n[0].id, 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_down, 1);
  w_run(w, 6 * OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_up, 2);
  w_free(w);
}

static void test_a_peer_that_is_static_no_more_is_left_alone(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  struct ocf_maddr m;
  w_start_all(w);
  struct ocf_swarm *sw = w->n[0].sw;
  ocf_maddr_from_ip(&w->n[1].ip, OCF_MADDR_TCP, &m);
  assert_int_equal(ocf_swarm_remove_static(sw, w->now, &w->n[1].id), OCF_ENOENT);
  assert_int_equal(ocf_swarm_add_static(sw, w->now, &w->n[1].id, &m), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_up, 1);
  assert_int_equal(ocf_swarm_remove_static(sw, w->now, &w->n[1].id), 0);
  assert_int_equal(ocf_swarm_remove_static(sw, w->now, &w->n[1].id), OCF_ENOENT);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_down, 0); /* the connection stays */
  ocf_swarm_disconnect(w->n[1].sw, w->now, &w->n[0].id, 0);
  w_run(w, 600 * OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_down, 1);
  assert_int_equal(w->n[0].n_up, 1);
  /* taken out while it waits for the next dial: none follows, and in the end it is forgotten */
  w->n[1].listening = false;
  assert_int_equal(ocf_swarm_add_static(sw, w->now, &w->n[1].id, &m), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(ocf_swarm_remove_static(sw, w->now, &w->n[1].id), 0);
  size_t n = stats(&w->n[0]).dials;
  w_run(w, 1000 * OCF_NS_PER_S);
  assert_int_equal(stats(&w->n[0]).dials, n);
  assert_int_equal(ocf_swarm_peer_addrs(sw, w->now, &w->n[1].id, &m, 1), 0);
  w_free(w);
}

static void test_a_new_address_is_pushed_and_replaces_the_old(void **state)
{
  (void)state;
  struct world *w = pair_up();
  struct ocf_maddr m, got[4];
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip4/10.0.0.99/tcp/7"), &m), 0);
  assert_int_equal(ocf_swarm_set_addrs(w->n[0].sw, w->now, &m, 1, NULL, 0, NULL, 0), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(stats(&w->n[0]).push_out, 1);
  assert_int_equal(stats(&w->n[1]).push_in, 1);
  assert_int_equal(w->n[1].n_identified, 2);
  assert_int_equal(ocf_swarm_peer_addrs(w->n[1].sw, w->now, &w->n[0].id, got, 4), 1);
  assert_true(ocf_maddr_eq(&got[0], &m));
  /* the same list again is not news */
  assert_int_equal(ocf_swarm_set_addrs(w->n[0].sw, w->now, &m, 1, NULL, 0, NULL, 0), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(stats(&w->n[0]).push_out, 1);
  w_free(w);
}

static void test_announced_names_are_pushed_and_taken_back(void **state)
{
  (void)state;
  static const struct ocf_bytes names[] = { { (const uint8_t *)"/can/do/1", 9 },
                                            { (const uint8_t *)"/can/do/2", 9 } };
  struct world *w = pair_up();
  struct ocf_swarm *sw = w->n[0].sw, *other = w->n[1].sw;
  for (size_t n = 3; n-- > 0;) { /* two, one, none */
    assert_int_equal(ocf_swarm_announce(sw, w->now, names, n), 0);
    assert_int_equal(ocf_swarm_announce(sw, w->now, names, n), 0); /* is not news */
    w_run(w, OCF_NS_PER_S);
    assert_int_equal(stats(&w->n[1]).push_in, 3 - n);
    for (size_t i = 0; i < 2; i++)
      assert_int_equal(ocf_swarm_peer_speaks(other, &w->n[0].id, names[i]), i < n);
    assert_true(ocf_swarm_peer_speaks(other, &w->n[0].id, ECHO[0]));
  }
  w_free(w);
}

static void test_names_that_no_peer_would_take_are_not_announced(void **state)
{
  (void)state;
  struct world *w = pair_up();
  struct ocf_bytes many[OCF_SWARM_ANNOUNCED_MAX + 1];
  uint8_t longest[OCF_CONN_PROTO_MAX + 1];
  memset(longest, 'x', sizeof(longest));
  for (size_t i = 0; i < OCF_ARRAY_LEN(many); i++)
    many[i] = ocf_bytes(longest, OCF_CONN_PROTO_MAX);
  struct ocf_bytes too_long = ocf_bytes(longest, sizeof(longest)), empty = ocf_bytes(NULL, 0);
  struct ocf_swarm *sw = w->n[0].sw;
  assert_int_equal(ocf_swarm_announce(sw, w->now, many, OCF_ARRAY_LEN(many)), OCF_ELIMIT);
  assert_int_equal(ocf_swarm_announce(sw, w->now, &too_long, 1), OCF_EINVAL);
  assert_int_equal(ocf_swarm_announce(sw, w->now, &empty, 1), OCF_EINVAL);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(stats(&w->n[1]).push_in, 0);
  w_free(w);
}

static void test_pushes_are_limited_to_a_burst_and_a_rate(void **state)
{
  (void)state;
  struct world *w = pair_up();
  struct ocf_maddr m;
  for (unsigned i = 0; i < 30; i++) {
    char text[64];
    (void)snprintf(text, sizeof(text), "/ip4/10.0.0.99/tcp/%u", 100 + i);
    assert_int_equal(ocf_maddr_parse(ocf_bytes(text, strlen(text)), &m), 0);
    assert_int_equal(ocf_swarm_set_addrs(w->n[0].sw, w->now, &m, 1, NULL, 0, NULL, 0), 0);
    w_run(w, 10 * OCF_NS_PER_MS);
  }
  assert_int_equal(stats(&w->n[1]).push_in, 10);
  assert_int_equal(stats(&w->n[1]).push_limited, 20);
  w_free(w);
}

static void test_pings_measure_the_round_trip(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w->n[0].cfg.ping_every_ns = 5 * OCF_NS_PER_S;
  w->latency = 20 * OCF_NS_PER_MS;
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, 60 * OCF_NS_PER_S);
  assert_in_range(stats(&w->n[0]).pings, 8, 12);
  assert_int_equal(stats(&w->n[0]).pings_failed, 0);
  struct ocf_swarm_peer_info info;
  assert_true(ocf_swarm_peer_info(w->n[0].sw, &w->n[1].id, &info));
  assert_in_range(info.rtt_ns, 40 * OCF_NS_PER_MS, 45 * OCF_NS_PER_MS);
  assert_int_equal(stats(&w->n[1]).n_conns, 1);
  assert_int_equal(stats(&w->n[0]).own_streams_total[0][OCF_SWARM_PING], stats(&w->n[0]).pings);
  assert_int_equal(stats(&w->n[1]).own_streams_total[1][OCF_SWARM_PING], stats(&w->n[0]).pings);
  w_free(w);
}

/* What histograms are made of: one time per handshake and per ping, never more than may wait. */
static void test_times_are_told_once_and_what_nobody_takes_is_dropped(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  struct ocf_swarm_sample s;
  w->n[0].cfg.ping_every_ns = 5 * OCF_NS_PER_S;
  w->latency = 20 * OCF_NS_PER_MS;
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  assert_false(ocf_swarm_sample(w->n[0].sw, &s));
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, 2 * OCF_NS_PER_S);
  assert_true(ocf_swarm_sample(w->n[0].sw, &s));
  assert_int_equal(s.type, OCF_SWARM_HANDSHAKE_TIME);
  assert_false(s.inbound);
  assert_in_range(s.ns, 60 * OCF_NS_PER_MS, 250 * OCF_NS_PER_MS); /* a few round trips */
  assert_true(ocf_swarm_sample(w->n[1].sw, &s));
  assert_true(s.inbound);
  for (int i = 0; i < 2; i++) {
    struct ocf_swarm_stats st = stats(&w->n[i]);
    assert_int_equal(st.handshake_results[i][OCF_SWARM_RES_OK], 1);
    assert_int_equal(st.n_up[i], 1);
    assert_int_equal(st.n_up[1 - i], 0);
    assert_int_equal(st.own_streams_total[0][OCF_SWARM_IDENTIFY], 1);
    assert_int_equal(st.own_streams_total[1][OCF_SWARM_IDENTIFY], 1);
    assert_int_equal(st.own_streams[0][OCF_SWARM_IDENTIFY], 0);
    assert_int_equal(st.own_streams[1][OCF_SWARM_IDENTIFY], 0);
  }
  w_run(w, 600 * OCF_NS_PER_S);
  size_t n = 0;
  for (; ocf_swarm_sample(w->n[0].sw, &s); n++) {
    assert_int_equal(s.type, OCF_SWARM_PING_TIME);
    assert_in_range(s.ns, 40 * OCF_NS_PER_MS, 45 * OCF_NS_PER_MS);
  }
  assert_int_equal(n, 64);
  ocf_swarm_disconnect(w->n[0].sw, w->now, &w->n[1].id, 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(stats(&w->n[0]).n_up[0], 0);
  assert_int_equal(stats(&w->n[1]).n_up[1], 0);
  w_free(w);
}

/* What a queue that is full at that moment does not take of a pong goes out when there is room. */
static void test_a_ping_behind_a_burst_is_answered(void **state)
{
  (void)state;
  static uint8_t burst[100 * 1024], rnd[OCF_PING_LEN];
  const struct ocf_bytes ping = OCF_STR(OCF_PING_PROTOCOL);
  struct world *w = w_new(2);
  struct ocf_stream *s, *p;
  uint64_t ticket;
  w->n[1].cfg.conn.tx_bytes_max = 8192;
  w->n[1].echo = true;
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, OCF_NS_PER_S);
  struct ocf_swarm *sw = w->n[0].sw;
  assert_int_equal(
      ocf_swarm_open(sw, w->now, &w->n[1].id, ECHO, 1, OCF_TIME_NEVER, NULL, &s, &ticket), 0);
  assert_int_equal(
      ocf_swarm_open(sw, w->now, &w->n[1].id, &ping, 1, OCF_TIME_NEVER, NULL, &p, &ticket), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(ocf_stream_write(s, burst, sizeof(burst)), sizeof(burst));
  w_run(w, OCF_NS_PER_S);
  size_t echoed = w->n[0].n_rx;
  assert_in_range(echoed, 1,
                  sizeof(burst) - 1); /* the queue was full, and the node lets the rest go */
  assert_int_equal(ocf_stream_write(s, burst, sizeof(burst)), sizeof(burst));
  assert_int_equal(ocf_stream_write(p, rnd, sizeof(rnd)), sizeof(rnd));
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_rx, 2 * echoed + sizeof(rnd));
  w_free(w);
}

static void test_the_ninth_connection_from_an_address_is_refused_before_crypto(void **state)
{
  (void)state;
  struct world *w = w_new(1);
  w_start_all(w);
  struct ocf_link *l[20];
  struct ocf_ip_addr far = w_ip(192, 0, 2, 7, 1), other = w_ip(192, 0, 2, 8, 1);
  struct ocf_ip_addr local = w->n[0].ip;
  size_t calls = 0;
  for (size_t i = 0; i < 9; i++) {
    calls = w->n[0].a.n_calls;
    assert_int_equal(ocf_swarm_accept(w->n[0].sw, w->now, NULL, &far, &local, &l[i]),
                     i < 8 ? 0 : OCF_ELIMIT);
  }
  assert_int_equal(w->n[0].a.n_calls, calls); /* a refusal costs nothing */
  assert_int_equal(stats(&w->n[0]).refused_ip, 1);
  assert_int_equal(ocf_swarm_accept(w->n[0].sw, w->now, NULL, &other, &local, &l[9]), 0);
  w_free(w);
}

static void test_seventeen_quick_connections_exceed_the_burst_and_refill_in_time(void **state)
{
  (void)state;
  struct world *w = w_new(1);
  w_start_all(w);
  struct ocf_ip_addr far = w_ip(192, 0, 2, 7, 1), local = w->n[0].ip;
  size_t ok = 0;
  for (size_t i = 0; i < 20; i++) {
    struct ocf_link *l;
    if (ocf_swarm_accept(w->n[0].sw, w->now, NULL, &far, &local, &l) == 0) {
      ok++;
      ocf_link_rx_end(l, w->now, 0);
    }
    w_run(w, OCF_NS_PER_MS);
  }
  assert_int_equal(ok, 16);
  assert_int_equal(stats(&w->n[0]).refused_rate, 4);
  w_run(w, 5 * OCF_NS_PER_S);
  struct ocf_link *l;
  assert_int_equal(ocf_swarm_accept(w->n[0].sw, w->now, NULL, &far, &local, &l), 0);
  w_free(w);
}

static void test_ipv6_counts_by_56_and_48_and_mapped_addresses_as_ipv4(void **state)
{
  (void)state;
  struct world *w = w_new(1);
  w_start_all(w);
  struct ocf_ip_addr local = w->n[0].ip,
                     a = { .family = 6, .port = 1, .ip = { 0x20, 1, 0xd, 0xb8 } };
  struct ocf_link *l;
  size_t ok = 0;
  for (size_t i = 0; i < 12; i++) { /* one /56, other hosts */
    a.ip[15] = (uint8_t)i;
    ok += ocf_swarm_accept(w->n[0].sw, w->now, NULL, &a, &local, &l) == 0;
  }
  assert_int_equal(ok, 8);
  w->n[0].cfg.handshakes_max = 1000;
  for (size_t i = 1; i < 100; i++) { /* other /56s of the same /48 */
    a.ip[6] = (uint8_t)i;
    ok += ocf_swarm_accept(w->n[0].sw, w->now, NULL, &a, &local, &l) == 0;
  }
  assert_int_equal(ok, 64);
  w_free(w);
  w = w_new(1);
  w_start_all(w);
  struct ocf_ip_addr v4 = w_ip(192, 0, 2, 1, 1);
  struct ocf_ip_addr mapped = { .family = 6,
                                .port = 1,
                                .ip = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1 } };
  ok = 0;
  for (size_t i = 0; i < 10; i++)
    ok += ocf_swarm_accept(w->n[0].sw, w->now, NULL, i % 2 ? &v4 : &mapped, &local, &l) == 0;
  assert_int_equal(ok, 8);
  w_free(w);
}

static void test_loopback_is_exempt_from_limits_per_address(void **state)
{
  (void)state;
  struct world *w = w_new(1);
  w_start_all(w);
  struct ocf_ip_addr lo = w_ip(127, 0, 0, 1, 1);
  for (size_t i = 0; i < 200; i++) {
    struct ocf_link *l;
    assert_int_equal(ocf_swarm_accept(w->n[0].sw, w->now, NULL, &lo, &lo, &l), 0);
  }
  struct ocf_ip_addr far = w_ip(192, 0, 2, 7, 1);
  struct ocf_link *l; /* and does not use up the places of others */
  assert_int_equal(ocf_swarm_accept(w->n[0].sw, w->now, NULL, &far, &lo, &l), 0);
  w_free(w);
}

static void test_local_connections_have_places_of_their_own(void **state)
{
  (void)state;
  struct world *w = w_new(1);
  w->n[0].cfg.conns_max = 4;
  w->n[0].cfg.local_conns_max = 6;
  w_start_all(w);
  struct ocf_ip_addr lo = w_ip(127, 0, 0, 1, 1);
  struct ocf_link *l;
  size_t near = 0, far = 0;
  for (uint8_t i = 0; i < 10; i++) {
    struct ocf_ip_addr from = w_ip(192, 0, 2, i, 1);
    near += ocf_swarm_accept(w->n[0].sw, w->now, NULL, &lo, &lo, &l) == 0;
    far += ocf_swarm_accept(w->n[0].sw, w->now, NULL, &from, &lo, &l) == 0;
  }
  assert_int_equal(near, 6);
  assert_int_equal(far, 4);
  w_run(w, 20 * OCF_NS_PER_S); /* all have been given up */
  assert_int_equal(ocf_swarm_accept(w->n[0].sw, w->now, NULL, &lo, &lo, &l), 0);
  w_free(w);
}

/* Attack: thousands of connections that send one byte and wait. */
static void test_a_flood_of_half_open_handshakes_does_not_keep_an_honest_peer_out(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w_start_all(w);
  struct wnode *v = &w->n[1];
  size_t base = v->a.live_bytes, n = 0;
  for (unsigned i = 0; i < 1000; i++) {
    struct ocf_ip_addr far = w_ip(192, (uint8_t)(i / 200), (uint8_t)(i % 200), 1, 1);
    struct ocf_link *l;
    size_t cap;
    if (ocf_swarm_accept(v->sw, w->now, NULL, &far, &v->ip, &l) == 0) {
      uint8_t *p = ocf_link_rx_space(l, &cap);
      assert_true(cap > 0);
      *p = 0x13;
      ocf_link_rx(l, w->now, 1);
      n++;
    }
    w_run(w, 20 * OCF_NS_PER_MS);
    assert_true(stats(v).n_handshakes <= 64);
  }
  assert_true(n > 300);
  assert_true(v->a.live_bytes - base < 64 * (4096 + 4096) + 2000 * 200 + 8 * 230 * 1024);
  w_knows(&w->n[0], v);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &v->id), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(v->n_up, 1);
  w_run(w, 20 * OCF_NS_PER_S);
  assert_int_equal(stats(v).n_handshakes, 0);
  assert_int_equal(stats(v).n_conns, 1);
  w_free(w);
}

static void test_idle_connections_above_high_water_are_trimmed_but_protected_ones_stay(void **state)
{
  (void)state;
  enum { N = 12 };
  struct world *w = w_new(N);
  struct wnode *hub = &w->n[0];
  hub->cfg.low_water = 4;
  hub->cfg.high_water = 8;
  hub->cfg.grace_ns = 5 * OCF_NS_PER_S;
  w_start_all(w);
  ocf_swarm_protect(hub->sw, &w->n[1].id, 1, 0);
  for (size_t i = 1; i < N; i++) {
    w_knows(&w->n[i], hub);
    assert_int_equal(ocf_swarm_dial(w->n[i].sw, w->now, &hub->id), 0);
    w_run(w, 100 * OCF_NS_PER_MS);
  }
  struct ocf_stream *s; /* in use: not idle */
  uint64_t ticket;
  assert_int_equal(
      ocf_swarm_open(w->n[2].sw, w->now, &hub->id, ECHO, 1, OCF_TIME_NEVER, NULL, &s, &ticket), 0);
  assert_int_equal(stats(hub).n_peers, N - 1); /* all within their grace */
  w_run(w, 10 * OCF_NS_PER_S);
  assert_int_equal(stats(hub).n_peers, 4);
  assert_int_equal(stats(hub).trimmed, N - 1 - 4);
  struct ocf_swarm_peer_info info;
  assert_true(ocf_swarm_peer_info(hub->sw, &w->n[1].id, &info));
  assert_true(ocf_swarm_peer_info(hub->sw, &w->n[2].id, &info));
  assert_int_equal(info.n_streams, 1);
  w_free(w);
}

static void test_a_lost_peer_ends_its_streams_and_is_reported_once(void **state)
{
  (void)state;
  struct world *w = pair_up();
  struct ocf_stream *s;
  uint64_t ticket;
  assert_int_equal(
      ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, OCF_TIME_NEVER, NULL, &s, &ticket),
      0);
  w_run(w, OCF_NS_PER_S);
  for (size_t i = 0; i < w->n_socks; i++)
    w->s[i].cut = true; /* the cable is pulled */
  w_run(w, 60 * OCF_NS_PER_S);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(w->n[i].n_gone, 1);
    assert_int_equal(w->n[i].n_down, 1);
    assert_int_equal(stats(&w->n[i]).n_conns, 0);
  }
  w_free(w);
}

static void test_drain_refuses_newcomers_and_ends_when_streams_end(void **state)
{
  (void)state;
  struct world *w = pair_up();
  struct ocf_stream *s;
  uint64_t ticket;
  assert_int_equal(
      ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, OCF_TIME_NEVER, NULL, &s, &ticket),
      0);
  w_run(w, OCF_NS_PER_S);
  w->n[1].echo = true;
  ocf_swarm_drain(w->n[1].sw, w->now, 30 * OCF_NS_PER_S);
  struct ocf_ip_addr far = w_ip(192, 0, 2, 7, 1);
  struct ocf_link *l;
  assert_int_equal(ocf_swarm_accept(w->n[1].sw, w->now, NULL, &far, &w->n[1].ip, &l), OCF_ESTATE);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(stats(&w->n[1]).n_conns, 1);
  assert_int_equal(ocf_stream_write(s, "end", 3), 3);
  ocf_stream_fin(s);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(w->n[0].n_rx, 3);
  assert_int_equal(stats(&w->n[1]).n_conns, 0);
  assert_int_equal(w->n[0].n_down, 1);
  w_free(w);
}

static void test_wildcards_expand_to_interfaces_and_loopback_stays_local(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w_start_all(w);
  struct ocf_maddr listen[2], extra, got[8];
  const struct ocf_maddr *all;
  struct ocf_ip_addr ifaces[] = { w_ip(127, 0, 0, 1, 0),
                                  w_ip(10, 0, 0, 1, 0),
                                  { .family = 6, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
                                  { .family = 6, .ip = { 0xfe, 0x80, [15] = 1 }, .zone = "eth0" } };
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip4/0.0.0.0/tcp/4000"), &listen[0]), 0);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip6/::/tcp/4000"), &listen[1]), 0);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/dns4/me.example/tcp/443"), &extra), 0);
  assert_int_equal(ocf_swarm_set_addrs(w->n[0].sw, w->now, listen, 2, ifaces, 4, &extra, 1), 0);
  assert_int_equal(ocf_swarm_addrs(w->n[0].sw, &all), 4);
  w_knows(&w->n[0], &w->n[1]);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, OCF_NS_PER_S);
  size_t n = ocf_swarm_peer_addrs(w->n[1].sw, w->now, &w->n[0].id, got, 8);
  assert_int_equal(n, 3);
  for (size_t i = 0; i < n; i++)
    assert_false(ocf_maddr_is_loopback(&got[i]));
  w_free(w);
}

static void test_the_book_is_bounded_and_the_best_source_stays(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w->n[0].cfg.addrs_per_peer_max = 4;
  w->n[0].cfg.book_peers_max = 8;
  w_start_all(w);
  struct ocf_maddr m, keep;
  char text[64];
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip4/10.1.1.1/tcp/9"), &keep), 0);
  assert_int_equal(ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &keep, OCF_SWARM_SRC_CONFIG,
                                      OCF_TIME_NEVER),
                   0);
  for (unsigned i = 0; i < 20; i++) {
    (void)snprintf(text, sizeof(text), "/ip4/10.2.2.2/tcp/%u", i + 1);
    assert_int_equal(ocf_maddr_parse(ocf_bytes(text, strlen(text)), &m), 0);
    int err = ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &m, OCF_SWARM_SRC_OTHER,
                                 OCF_TIME_NEVER);
    assert_int_equal(err, 0);
  }
  struct ocf_maddr got[8];
  assert_int_equal(ocf_swarm_peer_addrs(w->n[0].sw, w->now, &w->n[1].id, got, 8), 4);
  assert_true(ocf_maddr_eq(&got[0], &keep));
  for (unsigned i = 0; i < 100; i++) { /* strangers push each other out */
    struct ocf_peerid id;
    uint8_t fake[] = { 0x12, 0x20, [33] = (uint8_t)i };
    assert_int_equal(ocf_peerid_from_bytes(ocf_bytes(fake, sizeof(fake)), &id), 0);
    assert_int_equal(
        ocf_swarm_add_addr(w->n[0].sw, w->now, &id, &keep, OCF_SWARM_SRC_OTHER, OCF_NS_PER_S), 0);
  }
  assert_int_equal(stats(&w->n[0]).n_book_peers, 8);
  w_free(w);
}

static void test_bad_addresses_are_not_taken_into_the_book(void **state)
{
  (void)state;
  struct world *w = w_new(2);
  w_start_all(w);
  static const struct {
    const char *text;
    int err;
  } bad[] = { { "/ip4/10.0.0.1/udp/1/quic-v1", OCF_EUNSUPP },
              { "/ip4/0.0.0.0/tcp/1", OCF_EINVAL },
              { "/ip4/10.0.0.1/tcp/0", OCF_EINVAL },
              { "/ip4/10.0.0.1/tcp/1/ws", OCF_EUNSUPP } };
  struct ocf_maddr m;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    assert_int_equal(ocf_maddr_parse(ocf_bytes(bad[i].text, strlen(bad[i].text)), &m), 0);
    assert_int_equal(ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &m, OCF_SWARM_SRC_OTHER,
                                        OCF_TIME_NEVER),
                     bad[i].err);
  }
  ocf_maddr_from_ip(&w->n[1].ip, OCF_MADDR_TCP, &m);
  assert_int_equal(ocf_maddr_add_peer(&m, &w->n[0].id), 0); /* names somebody else */
  assert_int_equal(
      ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[1].id, &m, OCF_SWARM_SRC_OTHER, OCF_TIME_NEVER),
      OCF_EINVAL);
  assert_int_equal(stats(&w->n[0]).n_book_peers, 0);
  w_free(w);
}

static void test_we_do_not_connect_to_ourselves(void **state)
{
  (void)state;
  struct world *w = w_new(1);
  w_start_all(w);
  struct ocf_maddr m;
  ocf_maddr_from_ip(&w->n[0].ip, OCF_MADDR_TCP, &m);
  assert_int_equal(ocf_swarm_add_addr(w->n[0].sw, w->now, &w->n[0].id, &m, OCF_SWARM_SRC_OTHER, 1),
                   OCF_EINVAL);
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[0].id), OCF_EINVAL);
  w_free(w);
}

static void test_a_world_of_thirty_connects_fully(void **state)
{
  (void)state;
  enum { N = 30 };
  struct world *w = w_new(N);
  w_start_all(w);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < i; j++) {
      w_knows(&w->n[i], &w->n[j]);
      assert_int_equal(ocf_swarm_dial(w->n[i].sw, w->now, &w->n[j].id), 0);
    }
  w_run(w, 2 * OCF_NS_PER_S);
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(stats(&w->n[i]).n_peers, N - 1);
    assert_int_equal(w->n[i].n_identified, N - 1);
  }
  w_free(w);
}

/* From the k-th allocation on, one side has no memory for half a second; then it has again, and the
 * static peer is found again. */
static void test_a_time_without_memory_is_survived_wherever_it_begins(void **state)
{
  (void)state;
  bool met = true;
  for (uint64_t k = 1; met; k++) {
    assert_true(k < 2000);
    struct world *w = w_new(2);
    struct ocf_maddr m;
    struct ocf_stream *s;
    uint64_t ticket;
    w_start_all(w);
    w->n[1].echo = true;
    struct ocf_alloc *a = &w->n[k % 2].a;
    a->fail_at = a->n_calls + k / 2 + 1;
    ocf_maddr_from_ip(&w->n[1].ip, OCF_MADDR_TCP, &m);
    int err = ocf_swarm_add_static(w->n[0].sw, w->now, &w->n[1].id, &m);
    assert_true(err == 0 || err == OCF_ENOMEM);
    if (ocf_swarm_open(w->n[0].sw, w->now, &w->n[1].id, ECHO, 1, w->now + OCF_NS_PER_S, NULL, &s,
                       &ticket) == 0)
      w->n[0].stream = s;
    w_run(w, 250 * OCF_NS_PER_MS);
    if (w->n[0].stream != NULL)
      (void)ocf_stream_write(w->n[0].stream, "abc", 3);
    err = ocf_swarm_set_addrs(w->n[1].sw, w->now, &m, 1, NULL, 0, &m, 1);
    assert_true(err == 0 || err == OCF_ENOMEM);
    w_run(w, 250 * OCF_NS_PER_MS);
    met = a->n_calls >= a->fail_at || k < 200;
    a->fail_at = 0;
    err = ocf_swarm_add_static(w->n[0].sw, w->now, &w->n[1].id, &m);
    assert_int_equal(err, 0);
    w_run(w, 200 * OCF_NS_PER_S);
    assert_int_equal(stats(&w->n[0]).n_peers, 1);
    assert_int_equal(stats(&w->n[1]).n_peers, 1);
    assert_int_equal(stats(&w->n[0]).n_opens, 0);
    w_free(w);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_dial_connects_and_both_sides_identify),
    cmocka_unit_test(test_identify_is_the_first_stream_of_each_side),
    cmocka_unit_test(test_a_stream_opens_at_once_on_a_connected_peer),
    cmocka_unit_test(test_an_open_waits_for_the_dial_it_starts),
    cmocka_unit_test(test_an_open_fails_at_its_deadline_and_a_cancelled_one_is_silent),
    cmocka_unit_test(test_a_refused_address_is_left_alone_for_its_back_off),
    cmocka_unit_test(test_a_wrong_peer_at_the_address_fails_the_dial_and_does_not_connect),
    cmocka_unit_test(test_the_second_address_is_tried_when_the_first_hangs),
    cmocka_unit_test(test_a_name_is_resolved_by_the_driver),
    cmocka_unit_test(test_simultaneous_dials_leave_both_and_agree_on_the_one_to_use),
    cmocka_unit_test(test_a_surplus_connection_in_use_is_not_closed),
    cmocka_unit_test(test_a_static_peer_is_dialled_again_until_it_is_there),
    cmocka_unit_test(test_a_peer_that_is_static_no_more_is_left_alone),
    cmocka_unit_test(test_a_new_address_is_pushed_and_replaces_the_old),
    cmocka_unit_test(test_announced_names_are_pushed_and_taken_back),
    cmocka_unit_test(test_names_that_no_peer_would_take_are_not_announced),
    cmocka_unit_test(test_pushes_are_limited_to_a_burst_and_a_rate),
    cmocka_unit_test(test_pings_measure_the_round_trip),
    cmocka_unit_test(test_times_are_told_once_and_what_nobody_takes_is_dropped),
    cmocka_unit_test(test_a_ping_behind_a_burst_is_answered),
    cmocka_unit_test(test_the_ninth_connection_from_an_address_is_refused_before_crypto),
    cmocka_unit_test(test_seventeen_quick_connections_exceed_the_burst_and_refill_in_time),
    cmocka_unit_test(test_ipv6_counts_by_56_and_48_and_mapped_addresses_as_ipv4),
    cmocka_unit_test(test_loopback_is_exempt_from_limits_per_address),
    cmocka_unit_test(test_local_connections_have_places_of_their_own),
    cmocka_unit_test(test_a_flood_of_half_open_handshakes_does_not_keep_an_honest_peer_out),
    cmocka_unit_test(test_idle_connections_above_high_water_are_trimmed_but_protected_ones_stay),
    cmocka_unit_test(test_a_lost_peer_ends_its_streams_and_is_reported_once),
    cmocka_unit_test(test_drain_refuses_newcomers_and_ends_when_streams_end),
    cmocka_unit_test(test_wildcards_expand_to_interfaces_and_loopback_stays_local),
    cmocka_unit_test(test_the_book_is_bounded_and_the_best_source_stays),
    cmocka_unit_test(test_bad_addresses_are_not_taken_into_the_book),
    cmocka_unit_test(test_we_do_not_connect_to_ourselves),
    cmocka_unit_test(test_a_world_of_thirty_connects_fully),
    cmocka_unit_test(test_a_time_without_memory_is_survived_wherever_it_begins),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
