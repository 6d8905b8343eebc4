/* Goal: how one instance asks for what it wants, as its peers see it. Method: an instance whose
 * only peers are this file. */
#include "testing/test.h"

#include "p2p/bitswap/bitswap_solo.h"
#include "testing/vectors.h"

static void test_wants_of_one_turn_leave_in_one_message(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  for (uint32_t i = 0; i < 100; i++) {
    (void)world_block(i, 10, cid);
    assert_int_equal(
        ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), peer(&s, 2), 1, NULL), 0);
  }
  pump(&s);
  struct said d = said(&s, 2);
  assert_int_equal(d.n_msgs, 1);
  assert_int_equal(d.n_want_blocks, 100);
  assert_int_equal(said(&s, 0).n_msgs, 0);
  end(&s);
}

static void test_a_have_is_followed_by_a_want_block(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  struct ocf_bytes data = world_block(1, 3000, cid);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), NULL, 0, NULL), 0);
  pump(&s);
  struct said d = said(&s, 0);
  assert_int_equal(d.n_want_blocks, 1); /* the guess; the others are asked whether they have it */
  for (size_t i = 1; i < N_PEERS; i++) {
    d = said(&s, i);
    assert_int_equal(d.n_wants, 1);
    assert_int_equal(d.n_want_blocks, 0);
  }
  send_presence(&s, 2, cid, false); /* it has it, but the guess still has its time */
  assert_int_equal(said(&s, 2).n_wants, 0);
  send_presence(&s, 0, cid, true);
  assert_int_equal(said(&s, 2).n_want_blocks, 1);
  send_block(&s, 2, data);
  assert_int_equal(s.n_blocks, 1);
  assert_int_equal(said(&s, 2).n_cancels, 0); /* its block ended it there */
  for (size_t i = 0; i < N_PEERS; i++)
    assert_int_equal(said(&s, i).n_cancels, i != 2);
  end(&s);
}

static void test_a_silent_peer_is_given_up_after_the_time(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  for (size_t i = 1; i < N_PEERS; i++)
    ocf_bitswap_peer_down(s.bs, s.w.now_ns, peer(&s, i));
  (void)world_block(1, 10, cid);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), peer(&s, 0), 1, NULL),
                   0);
  pump(&s);
  sleep_ns(&s, 4990 * MS);
  assert_int_equal(world_stats(&s.w.nodes[0]).wants_slow, 0);
  sleep_ns(&s, 20 * MS);
  struct ocf_bitswap_stats st = world_stats(&s.w.nodes[0]);
  assert_int_equal(st.asks_timed_out, 1);
  assert_int_equal(st.wants_slow, 1);
  (void)said(&s, 0);
  sleep_ns(&s, 31 * S);
  assert_true(said(&s, 0).n_wants >= 1); /* asked again */
  end(&s);
}

static void test_three_liars_cost_no_more_than_the_time_for_one_ask(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  (void)world_block(1, 3000, cid);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), NULL, 0, NULL), 0);
  pump(&s);
  for (size_t i = 0; i < 3; i++)
    send_presence(&s, i, cid, false);
  sleep_ns(&s, 1 * S);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(said(&s, i).n_want_blocks, 1);
  send_presence(&s, 3, cid, false); /* the honest one waits for one of them to be given up */
  (void)said(&s, 3);
  sleep_ns(&s, 5 * S);
  assert_int_equal(said(&s, 3).n_want_blocks, 1);
  end(&s);
}

static void test_a_want_is_one_whatever_it_is_called(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  int user = 0;
  begin(&s, NULL);
  struct ocf_bytes data = world_block(1, 10, cid);
  struct ocf_bytes v1 = ocf_bytes(cid, CID_N), v0 = ocf_bytes(cid + 2, CID_N - 2);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, v1, NULL, 0, &user), 0);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, v0, peer(&s, 3), 1, NULL), OCF_EEXIST);
  pump(&s);
  ocf_buf_clear(&s.msg);
  struct ocf_pb_writer w = ocf_pb_write_buf(&s.msg);
  struct ocf_cid c;
  assert_int_equal(ocf_cid_cast(v1, &c), 0);
  ocf_bitswap_put_block(&w, &c, data, true); /* the form of 1.0.0, which has no name but this */
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
  uint8_t len = (uint8_t)s.msg.n;
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, s.in[3], ocf_bytes(&len, 1)), 0);
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, s.in[3], ocf_buf_view(&s.msg)), 0);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, v1, NULL, 0, NULL), OCF_EEXIST);
  struct ocf_bitswap_event ev;
  assert_true(ocf_bitswap_event(s.bs, s.w.now_ns, &ev));
  assert_int_equal(ev.type, OCF_BITSWAP_BLOCK);
  assert_true(ocf_bytes_eq(ev.cid, v1) && ocf_bytes_eq(ev.data, data) && ev.user == &user);
  assert_true(ocf_peerid_eq(&ev.peer, peer(&s, 3)));
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, v1, NULL, 0, NULL), 0); /* a new one */
  end(&s);
}

static void test_a_cancelled_want_has_no_event(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  struct ocf_bytes data = world_block(1, 10, cid);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), NULL, 0, NULL), 0);
  pump(&s);
  uint8_t head[] = { 24, 0x1a, 22, 0x0a, 4, 1, 0x70, 0x12, 0x20, 0x12, 10 };
  head[0] = (uint8_t)(sizeof(head) - 1 + 10);
  head[2] = (uint8_t)(sizeof(head) - 3 + 10);
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, s.in[0], ocf_bytes(head, sizeof(head))), 0);
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, s.in[0], data), 0);
  assert_int_equal(world_stats(&s.w.nodes[0]).blocks_in, 1);
  assert_true(ocf_bitswap_cancel(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N)));
  pump(&s);
  assert_int_equal(s.n_blocks, 0);
  assert_int_equal(world_stats(&s.w.nodes[0]).wants, 0);
  assert_int_equal(world_stats(&s.w.nodes[0]).event_bytes, 0);
  end(&s);
}

static void few_wants(struct ocf_bitswap_config *c)
{
  c->wants_max = 2;
  c->asks_max = 6;
  c->events_bytes_max = 1000;
  c->peers_max = 5;
}

static void test_bad_wants_are_refused(void **state)
{
  (void)state;
  static const struct {
    const char *cid;
    int err;
  } bad[] = {
    { "", OCF_EINVAL },
    { "0155", OCF_EINVAL },
    { "01550003616263", OCF_EINVAL },     /* an identity hash */
    { "0155110161", OCF_EUNSUPP },        /* sha1 */
    { "0155120161", OCF_EUNSUPP },        /* a shortened sha2-256 */
    { "015512046162636400", OCF_EINVAL }, /* and a byte */
  };
  struct solo s;
  uint8_t cid[CID_N], b[256] = { 1, 0x55, 0x12, 0xa5, 1 };
  begin(&s, few_wants);
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    uint8_t x[64];
    size_t n = ocf_test_hex(bad[i].cid, x, sizeof(x));
    assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(x, n), NULL, 0, NULL),
                     bad[i].err);
    assert_false(ocf_bitswap_cancel(s.bs, s.w.now_ns, ocf_bytes(x, n)));
  }
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(b, 170), NULL, 0, NULL),
                   OCF_EINVAL);
  for (uint32_t i = 0; i < 3; i++) {
    (void)world_block(i, 10, cid);
    assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), NULL, 0, NULL),
                     i < 2 ? 0 : OCF_ELIMIT);
  }
  pump(&s);
  assert_true(world_stats(&s.w.nodes[0]).asks <= 6);
  struct ocf_peerid one_more = *peer(&s, 0);
  one_more.b[5] = 'x';
  assert_int_equal(ocf_bitswap_peer_up(s.bs, s.w.now_ns, &one_more), 0);
  one_more.b[5] = 'y';
  assert_int_equal(ocf_bitswap_peer_up(s.bs, s.w.now_ns, &one_more), OCF_ELIMIT);
  ocf_bitswap_peer_down(s.bs, s.w.now_ns, &one_more);
  one_more.b[5] = 'x';
  ocf_bitswap_peer_down(s.bs, s.w.now_ns, &one_more);
  end(&s);
}

/* With no room for its event a block is dropped, and asked for again. */
static void test_a_block_without_room_comes_later(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[2][CID_N];
  begin(&s, few_wants);
  for (uint32_t i = 0; i < 2; i++) {
    (void)world_block(i, 700, cid[i]);
    assert_int_equal(
        ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid[i], CID_N), peer(&s, 0), 1, NULL), 0);
  }
  pump(&s);
  ocf_buf_clear(&s.msg);
  struct ocf_pb_writer w = ocf_pb_write_buf(&s.msg);
  for (uint32_t i = 0; i < 2; i++) {
    struct ocf_cid c;
    struct ocf_bytes data = world_block(i, 700, cid[i]);
    assert_int_equal(ocf_cid_cast(ocf_bytes(cid[i], CID_N), &c), 0);
    ocf_bitswap_put_block(&w, &c, data, false);
  }
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
  assert_int_equal(feed_body(&s, 0, ocf_buf_view(&s.msg)), 0);
  assert_int_equal(s.n_blocks, 1);
  assert_int_equal(world_stats(&s.w.nodes[0]).dropped, 1);
  sleep_ns(&s, 31 * S);
  send_block(&s, 0, world_block(1, 700, cid[1]));
  assert_int_equal(s.n_blocks, 2);
  end(&s);
}

static int failing_get(void *ctx, struct ocf_bytes hash, struct ocf_bytes *block)
{
  (void)ctx, (void)hash, (void)block;
  return OCF_EIO;
}

static void test_a_bad_configuration_is_refused(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_bitswap *bs = NULL;
  ocf_alloc_init(&a);
  ocf_rng_seed(&rng, 1);
  for (int k = 0; k < 7; k++) {
    struct ocf_bitswap_config c;
    ocf_bitswap_config_init(&c);
    c.a = k == 0 ? NULL : &a;
    c.rng = k == 1 ? NULL : &rng;
    c.store.get = k == 2 ? NULL : failing_get;
    c.wants_max = k == 3 ? 0 : 1;
    c.ask_ns = k == 4 ? 0 : 1;
    c.stall_max_ns = k == 5 ? 1 : S;
    int err = ocf_bitswap_new(&c, 0, &bs);
    assert_int_equal(err, k == 6 ? 0 : OCF_EINVAL);
  }
  ocf_bitswap_free(bs);
  ocf_bitswap_free(NULL);
  assert_int_equal(a.live_bytes, 0);
}

/* The owner leaves a WRITE alone: the stream counts as stuck from then on, however idle before. */
static void test_a_stream_that_takes_nothing_is_reset(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  (void)world_block(1, 10, cid);
  ask(&s, 0, cid, false, true);
  assert_int_equal(said(&s, 0).n_dont_haves, 1);
  sleep_ns(&s, 50 * S);
  s.stuck = true;
  (void)world_block(2, 10, cid);
  ask(&s, 0, cid, false, true);
  sleep_ns(&s, 29 * S);
  assert_int_equal(s.n_closes, 0);
  sleep_ns(&s, 2 * S);
  assert_int_equal(s.n_closes, 1);
  s.stuck = false;
  sleep_ns(&s, 70 * S);
  assert_int_equal(said(&s, 0).n_dont_haves, 1);
  end(&s);
}

/* The owner's news and our decision cross: the stream is named once, by whoever was first. */
static void test_a_stream_that_is_gone_is_not_reset_too(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  struct ocf_bitswap_effect fx;
  begin(&s, NULL);
  s.stuck = true;
  (void)world_block(2, 10, cid);
  ask(&s, 0, cid, false, true);
  s.w.now_ns += 31 * S;
  ocf_bitswap_tick(s.bs, s.w.now_ns);
  assert_int_equal(world_stats(&s.w.nodes[0]).outs_gone, 1);
  ocf_bitswap_out_gone(s.bs, s.w.now_ns, peer(&s, 0));
  assert_false(ocf_bitswap_effect(s.bs, s.w.now_ns, &fx));
  assert_int_equal(world_stats(&s.w.nodes[0]).outs_gone, 1);
  end(&s);
}

static size_t n_lines;

static void count_line(void *ctx, const char *line, size_t n)
{
  (void)ctx;
  assert_true(n > 0 && strstr(line, "module=bitswap") != NULL && strstr(line, "peer=") != NULL);
  n_lines++;
}

static struct ocf_log debug_log;

static void use_log(struct ocf_bitswap_config *c)
{
  ocf_log_init(&debug_log);
  debug_log.level = OCF_LOG_DEBUG;
  debug_log.write = count_line;
  c->log = &debug_log;
}

/* What a peer can cause at will is one line per event that the owner pulls. */
static void test_debug_lines_name_the_peer(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, use_log);
  n_lines = 0;
  (void)world_block(1, 10, cid);
  ask(&s, 0, cid, false, true);
  ocf_bitswap_out_gone(s.bs, s.w.now_ns, peer(&s, 0));
  assert_int_equal(n_lines, 1);
  s.open[0] = false;
  ocf_buf_clear(&s.msg);
  struct ocf_pb_writer w = ocf_pb_write_buf(&s.msg);
  for (int i = 0; i < 10; i++) {
    struct ocf_cid c;
    assert_int_equal(ocf_cid_cast(ocf_bytes(cid, CID_N), &c), 0);
    ocf_bitswap_put_block(&w, &c, world_block(1, 10, cid), false);
  }
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
  assert_int_equal(feed_body(&s, 1, ocf_buf_view(&s.msg)), 0);
  assert_int_equal(s.offences[OCF_BITSWAP_UNREQUESTED], 10);
  assert_int_equal(n_lines, 2);
  end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_wants_of_one_turn_leave_in_one_message),
  cmocka_unit_test(test_a_have_is_followed_by_a_want_block),
  cmocka_unit_test(test_a_silent_peer_is_given_up_after_the_time),
  cmocka_unit_test(test_three_liars_cost_no_more_than_the_time_for_one_ask),
  cmocka_unit_test(test_a_want_is_one_whatever_it_is_called),
  cmocka_unit_test(test_a_cancelled_want_has_no_event),
  cmocka_unit_test(test_bad_wants_are_refused),
  cmocka_unit_test(test_a_block_without_room_comes_later),
  cmocka_unit_test(test_a_bad_configuration_is_refused),
  cmocka_unit_test(test_a_stream_that_takes_nothing_is_reset),
  cmocka_unit_test(test_a_stream_that_is_gone_is_not_reset_too),
  cmocka_unit_test(test_debug_lines_name_the_peer),
};

OCF_TEST_MAIN(tests)
