/* Goal: what table.h promises about admission, bounds, views and memory, claim by claim. The rules
 * about time and order are also held against a naive model in model_test.c. */
#include "testing/test.h"

#include "registry/table/table_check.h"
#include "testing/oom.h"

struct fixture {
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_table_options opt;
  struct ocf_table *t;
  uint64_t now_ns;
};

static void setup(struct fixture *f)
{
  ocf_alloc_init(&f->a);
  ocf_rng_seed(&f->rng, 5);
  f->now_ns = 100 * OCF_NS_PER_S;
  f->t = ocf_table_new(&f->a, &f->rng, &f->opt);
  assert_non_null(f->t);
}

static void start(struct fixture *f)
{
  ocf_table_options_default(&f->opt);
  setup(f);
}

static void finish(struct fixture *f)
{
  ocf_table_free(f->t);
  assert_int_equal(f->a.live_bytes, 0);
}

static int put_raw(struct fixture *f, unsigned key_of, const char *json,
                   const struct ocf_table_origin *o)
{
  char key[OCF_PEERID_TEXT_SIZE + 1];
  struct ocf_peerid id = check_peer(key_of);
  return ocf_table_put(f->t, f->now_ns, check_key(&id, key), ocf_bytes(json, strlen(json)), 1, o);
}

/* A record of `p` with the rest of its fields as given: `,"role":[...]`. */
static const char *record(unsigned p, const char *rest)
{
  static char json[8192];
  char id[OCF_PEERID_TEXT_SIZE];
  struct ocf_peerid peer = check_peer(p);
  (void)snprintf(json, sizeof(json), "{\"id\":\"%s\"%s}", ocf_peerid_text(&peer, id), rest);
  return json;
}

static const char llm_a[] = ",\"service\":[{\"name\":\"llm\",\"identity_group\":[\"model=a\"]}]";
static const char llm_b[] = ",\"service\":[{\"name\":\"llm\",\"identity_group\":[\"model=b\"]}]";

static int put(struct fixture *f, unsigned p, const char *rest, const struct ocf_table_origin *o)
{
  return put_raw(f, p, record(p, rest), o);
}

static void connect(struct fixture *f, unsigned p, unsigned n_direct)
{
  struct ocf_peerid id = check_peer(p);
  assert_int_equal(ocf_table_set_conns(f->t, f->now_ns, &id, n_direct, 0), 0);
}

static const struct ocf_table_row *row(struct fixture *f, unsigned p)
{
  struct ocf_peerid id = check_peer(p);
  return ocf_table_find(f->t, &id);
}

static bool routable(struct fixture *f, unsigned p)
{
  const struct ocf_table_row *r = row(f, p);
  return r != NULL && ocf_table_is_routable(f->t, r, f->now_ns, NULL);
}

static bool shows(struct fixture *f, unsigned p, const char *rest)
{
  const struct ocf_table_row *r = row(f, p);
  const char *json = record(p, rest);
  return r != NULL && r->claims.c != NULL &&
         ocf_bytes_eq(r->claims.c->value, ocf_bytes(json, strlen(json)));
}

static unsigned count_events(struct fixture *f, enum ocf_table_event_kind kind)
{
  struct ocf_table_event ev;
  unsigned n = 0;
  while (ocf_table_event(f->t, &ev))
    n += ev.kind == kind;
  return n;
}

/* ---- admission ---- */

static void test_keys_that_are_no_peer_id_are_refused(void **state)
{
  static const char *const keys[] = { "",           "/",  "peer",        "/x",
                                      "/usage/a/b", "//", "/12D3KooW\n", "/Qm" };
  struct fixture f;
  struct ocf_table_event ev;
  struct ocf_table_stats st;
  char text[OCF_PEERID_CID_TEXT_SIZE + 1] = "/";
  struct ocf_peerid id = check_peer(1);
  (void)state;
  start(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(keys); i++) {
    int v =
        ocf_table_put(f.t, f.now_ns, ocf_bytes(keys[i], strlen(keys[i])), OCF_STR("{}"), 1, NULL);
    assert_int_equal(v, OCF_TABLE_BAD_KEY);
    v = ocf_table_delete(f.t, f.now_ns, ocf_bytes(keys[i], strlen(keys[i])), NULL);
    assert_int_equal(v, OCF_TABLE_BAD_KEY);
  }
  /* The same peer in another text would be a second key for one row. */
  assert_int_equal(ocf_peerid_cid_text(&id, 0, text + 1), 0);
  assert_int_equal(
      ocf_table_put(f.t, f.now_ns, ocf_bytes(text, strlen(text)), OCF_STR("{}"), 1, NULL),
      OCF_TABLE_BAD_KEY);
  ocf_table_stats(f.t, &st);
  assert_int_equal(st.n_rows, 0);
  assert_int_equal(st.verdicts[OCF_TABLE_BAD_KEY], 2 * OCF_ARRAY_LEN(keys) + 1);
  assert_true(ocf_table_refusal(f.t, 0, &ev));
  assert_int_equal(ev.verdict, OCF_TABLE_BAD_KEY);
  assert_true(ocf_peerid_is_none(&ev.peer));
  assert_false(ocf_table_refusal(f.t, st.verdicts[OCF_TABLE_BAD_KEY], &ev));
  finish(&f);
}

static void test_values_that_are_no_record_of_the_peer_are_refused(void **state)
{
  static const char *const malformed[] = { "", "null", "[]", "\"x\"", "{", "{} x", "{\"id\":" };
  struct fixture f;
  struct ocf_table_event ev;
  (void)state;
  start(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(malformed); i++)
    assert_int_equal(put_raw(&f, 1, malformed[i], NULL), OCF_TABLE_MALFORMED);
  assert_int_equal(put_raw(&f, 1, "{}", NULL), OCF_TABLE_WRONG_ID);
  assert_int_equal(put_raw(&f, 1, "{\"id\":7}", NULL), OCF_TABLE_WRONG_ID);
  assert_int_equal(put_raw(&f, 1, record(2, llm_a), NULL), OCF_TABLE_WRONG_ID);
  assert_null(row(&f, 1));
  struct ocf_peerid id = check_peer(1);
  assert_true(ocf_table_refusal(f.t, 0, &ev));
  assert_true(ocf_peerid_eq(&ev.peer, &id));
  /* A mistyped field spoils nothing else. */
  assert_int_equal(put(&f, 1, ",\"latency\":\"x\",\"service\":[{\"name\":\"llm\"}]", NULL),
                   OCF_TABLE_SHOWN);
  assert_int_equal(row(&f, 1)->claims.c->n_services, 1);
  /* A refused value in its place: the registry no longer says what the row said. */
  assert_int_equal(put_raw(&f, 1, "[]", NULL), OCF_TABLE_MALFORMED);
  assert_null(row(&f, 1));
  finish(&f);
}

static void test_values_over_the_bound_are_refused(void **state)
{
  struct fixture f;
  (void)state;
  ocf_table_options_default(&f.opt);
  f.opt.value_bytes_max = 60;
  setup(&f);
  assert_int_equal(put(&f, 1, "", NULL), OCF_TABLE_SHOWN);
  assert_int_equal(put(&f, 1, llm_a, NULL), OCF_TABLE_TOO_LARGE);
  assert_null(row(&f, 1));
  struct ocf_peerid self = check_peer(2);
  const char *json = record(2, llm_a);
  assert_int_equal(ocf_table_set_self(f.t, f.now_ns, &self, ocf_bytes(json, strlen(json))),
                   OCF_ELIMIT);
  finish(&f);
}

static void test_claims_hold_what_routing_needs(void **state)
{
  struct fixture f;
  struct ocf_peerid relay = check_peer(3);
  char id[OCF_PEERID_TEXT_SIZE], rest[1024];
  (void)state;
  start(&f);
  (void)snprintf(rest, sizeof(rest),
                 ",\"role\":[\"worker\",\"relay\"],\"status\":\"\",\"public_address\":\"10.0.0.7\","
                 "\"public_port\":\"43905\",\"relay_peer\":\"%s\",\"service\":["
                 "{\"name\":\"llm\",\"identity_group\":[\"model=a\",\"model=a\",\"noise\",\"=x\"]},"
                 "{\"name\":\"-bad\"},{\"name\":\"echo\"},"
                 "{\"name\":\"llm\",\"identity_group\":[\"all\",\"model=a\",\"model=*\"]}]",
                 ocf_peerid_text(&relay, id));
  assert_int_equal(put(&f, 1, rest, NULL), OCF_TABLE_SHOWN);
  const struct ocf_claims *c = row(&f, 1)->claims.c;
  assert_int_equal(c->n_services, 2);
  assert_memory_equal(c->services[0].name.p, "llm", 3);
  assert_int_equal(c->services[0].n_groups, 3);
  assert_memory_equal(c->services[1].name.p, "echo", 4);
  assert_int_equal(c->services[1].n_groups, 0);
  assert_true(ocf_bytes_eq(c->public_address, OCF_STR("10.0.0.7")));
  assert_int_equal(c->public_port, 43905);
  assert_true(ocf_peerid_eq(&c->relay_peer, &relay));
  assert_true(c->role_relay && !c->role_head && !c->left && !c->has_evicted_by);
  assert_int_equal(put(&f, 1, ",\"public_port\":\"99999\",\"relay_peer\":\"zz\"", NULL),
                   OCF_TABLE_SHOWN);
  c = row(&f, 1)->claims.c;
  assert_int_equal(c->public_port, 0);
  assert_true(ocf_peerid_is_none(&c->relay_peer));
  assert_int_equal(put(&f, 1, ",\"public_port\":\"80x\"", NULL), OCF_TABLE_SHOWN);
  assert_int_equal(row(&f, 1)->claims.c->public_port, 0);
  finish(&f);
}

static void test_service_names_follow_the_grammar(void **state)
{
  char longest[82];
  (void)state;
  memset(longest, 'a', sizeof(longest));
  assert_true(ocf_service_name_ok(OCF_STR("llm")));
  assert_true(ocf_service_name_ok(OCF_STR("9.A_b-c")));
  assert_true(ocf_service_name_ok(ocf_bytes(longest, 80)));
  assert_false(ocf_service_name_ok(ocf_bytes(longest, 81)));
  assert_false(ocf_service_name_ok(OCF_STR("")));
  assert_false(ocf_service_name_ok(OCF_STR(".a")));
  assert_false(ocf_service_name_ok(OCF_STR("a/b")));
  assert_false(ocf_service_name_ok(OCF_STR("a b")));
  assert_false(ocf_service_name_ok(OCF_STR("\xc3\xa9")));
}

/* ---- whose word counts ---- */

/* Peer 1's row, announced by itself while directly connected: the case that is guarded. */
static void start_guarded(struct fixture *f)
{
  static struct ocf_peerid owner;
  owner = check_peer(1);
  struct ocf_table_origin o = { &owner, true };
  start(f);
  connect(f, 1, 1);
  assert_int_equal(put(f, 1, llm_a, &o), OCF_TABLE_SHOWN);
  assert_true(row(f, 1)->claims.vouched);
  (void)count_events(f, OCF_TABLE_CHANGED);
}

static void test_a_foreign_value_waits_for_its_owner(void **state)
{
  struct fixture f;
  struct ocf_table_event ev;
  struct ocf_peerid owner = check_peer(1), thief = check_peer(2);
  struct ocf_table_origin o = { &owner, true }, other = { &thief, true };
  (void)state;
  start_guarded(&f);
  assert_int_equal(put(&f, 1, llm_b, &other), OCF_TABLE_HELD);
  assert_true(shows(&f, 1, llm_a) && row(&f, 1)->claims.held);
  assert_true(ocf_table_event(f.t, &ev));
  assert_int_equal(ev.kind, OCF_TABLE_WAITING);
  /* Another value of the owner: the thief's is refused, under its name. */
  assert_int_equal(put(&f, 1, "", &o), OCF_TABLE_SHOWN);
  assert_true(shows(&f, 1, "") && !row(&f, 1)->claims.held);
  assert_true(ocf_table_event(f.t, &ev));
  assert_int_equal(ev.kind, OCF_TABLE_REFUSED);
  assert_int_equal(ev.verdict, OCF_TABLE_FOREIGN);
  assert_true(ocf_peerid_eq(&ev.author, &thief));
  /* The same value from the owner: shown. */
  assert_int_equal(put(&f, 1, llm_b, &other), OCF_TABLE_HELD);
  assert_int_equal(put(&f, 1, llm_b, &o), OCF_TABLE_SHOWN);
  assert_true(shows(&f, 1, llm_b));
  finish(&f);
}

static void test_an_ancestor_under_the_owners_head_is_not_its_word(void **state)
{
  struct fixture f;
  struct ocf_peerid owner = check_peer(1);
  struct ocf_table_origin ancestor = { &owner, false };
  (void)state;
  start_guarded(&f);
  assert_int_equal(put(&f, 1, llm_b, &ancestor), OCF_TABLE_HELD);
  assert_int_equal(put(&f, 1, "", NULL), OCF_TABLE_HELD);
  assert_true(shows(&f, 1, llm_a));
  finish(&f);
}

static void test_a_held_value_is_shown_when_nobody_objects_in_time(void **state)
{
  struct fixture f;
  struct ocf_peerid thief = check_peer(2);
  struct ocf_table_origin other = { &thief, true };
  (void)state;
  start_guarded(&f);
  assert_int_equal(ocf_table_deadline(f.t), OCF_TIME_NEVER);
  assert_int_equal(put(&f, 1, llm_b, &other), OCF_TABLE_HELD);
  uint64_t due = f.now_ns + f.opt.hold_ns;
  f.now_ns += f.opt.hold_ns / 2;
  assert_int_equal(put(&f, 1, "", &other), OCF_TABLE_HELD); /* does not put it off */
  assert_int_equal(put(&f, 1, "", &other), OCF_TABLE_HELD);
  assert_int_equal(ocf_table_deadline(f.t), due);
  ocf_table_tick(f.t, due - 1);
  assert_true(shows(&f, 1, llm_a));
  ocf_table_tick(f.t, due);
  assert_true(shows(&f, 1, "") && !row(&f, 1)->claims.vouched);
  assert_int_equal(ocf_table_deadline(f.t), OCF_TIME_NEVER);
  /* It is not vouched for, so the next one replaces it at once. */
  assert_int_equal(put(&f, 1, llm_b, &other), OCF_TABLE_SHOWN);
  finish(&f);
}

static void test_a_held_value_is_shown_when_the_owner_goes(void **state)
{
  struct fixture f;
  (void)state;
  start_guarded(&f);
  connect(&f, 1, 2);
  assert_int_equal(put(&f, 1, llm_b, NULL), OCF_TABLE_HELD);
  connect(&f, 1, 1); /* one of two: still there */
  assert_true(shows(&f, 1, llm_a));
  connect(&f, 1, 0);
  assert_true(shows(&f, 1, llm_b));
  finish(&f);
}

static void test_a_delete_by_others_waits_too(void **state)
{
  struct fixture f;
  char key[OCF_PEERID_TEXT_SIZE + 1];
  struct ocf_peerid owner = check_peer(1);
  struct ocf_table_origin o = { &owner, true };
  struct ocf_bytes k = check_key(&owner, key);
  (void)state;
  start_guarded(&f);
  assert_int_equal(ocf_table_delete(f.t, f.now_ns, k, NULL), OCF_TABLE_HELD);
  assert_int_equal(ocf_table_delete(f.t, f.now_ns, k, NULL), OCF_TABLE_HELD);
  assert_true(shows(&f, 1, llm_a));
  /* The owner confirms what it had: the delete is dropped. */
  const char *json = record(1, llm_a);
  assert_true(ocf_table_vouch(f.t, f.now_ns, &owner, ocf_bytes(json, strlen(json))));
  assert_false(row(&f, 1)->claims.held);
  assert_int_equal(count_events(&f, OCF_TABLE_REFUSED), 1);
  assert_int_equal(ocf_table_delete(f.t, f.now_ns, k, NULL), OCF_TABLE_HELD);
  f.now_ns += f.opt.hold_ns;
  ocf_table_tick(f.t, f.now_ns);
  assert_null(row(&f, 1)->claims.c); /* connected, so the row stays */
  assert_int_equal(put(&f, 1, llm_a, &o), OCF_TABLE_SHOWN);
  assert_int_equal(ocf_table_delete(f.t, f.now_ns, k, &o), OCF_TABLE_SHOWN);
  assert_int_equal(ocf_table_delete(f.t, f.now_ns, k, &o), OCF_TABLE_SAME);
  connect(&f, 1, 0);
  assert_null(row(&f, 1));
  assert_int_equal(count_events(&f, OCF_TABLE_GONE), 2);
  finish(&f);
}

static void test_a_guarded_row_outlives_a_malformed_value_of_others(void **state)
{
  struct fixture f;
  struct ocf_peerid owner = check_peer(1);
  struct ocf_table_origin o = { &owner, true };
  (void)state;
  start_guarded(&f);
  assert_int_equal(put(&f, 1, llm_b, NULL), OCF_TABLE_HELD);
  assert_int_equal(put_raw(&f, 1, "[]", NULL), OCF_TABLE_MALFORMED);
  assert_true(shows(&f, 1, llm_a) && !row(&f, 1)->claims.held);
  assert_int_equal(put_raw(&f, 1, "[]", &o), OCF_TABLE_MALFORMED); /* its own doing */
  assert_null(row(&f, 1)->claims.c);
  finish(&f);
}

static void test_vouching(void **state)
{
  struct fixture f;
  struct ocf_peerid owner = check_peer(1), nobody = check_peer(9);
  struct ocf_bytes b;
  (void)state;
  start_guarded(&f);
  assert_false(ocf_table_vouch(f.t, f.now_ns, &nobody, OCF_STR("{}")));
  assert_int_equal(put(&f, 1, llm_b, NULL), OCF_TABLE_HELD);
  const char *json = record(1, llm_b);
  b = ocf_bytes(json, strlen(json));
  assert_true(ocf_table_vouch(f.t, f.now_ns, &owner, b)); /* the held one */
  assert_true(shows(&f, 1, llm_b) && row(&f, 1)->claims.vouched && !row(&f, 1)->claims.held);
  assert_int_equal(put(&f, 1, llm_a, NULL), OCF_TABLE_HELD);
  assert_false(ocf_table_vouch(f.t, f.now_ns, &owner, OCF_STR("{}"))); /* a third one */
  assert_false(row(&f, 1)->claims.held);
  assert_true(shows(&f, 1, llm_b));
  /* Learnt from history, and confirmed later: from then on it is guarded. */
  connect(&f, 2, 1);
  assert_int_equal(put(&f, 2, llm_a, NULL), OCF_TABLE_SHOWN);
  struct ocf_peerid two = check_peer(2);
  json = record(2, llm_a);
  b = ocf_bytes(json, strlen(json));
  assert_true(ocf_table_vouch(f.t, f.now_ns, &two, b));
  assert_int_equal(put(&f, 2, llm_b, NULL), OCF_TABLE_HELD);
  finish(&f);
}

static void test_our_own_row_is_local_truth(void **state)
{
  struct fixture f;
  struct ocf_peerid self = check_peer(1);
  struct ocf_table_origin forged = { &self, true };
  char key[OCF_PEERID_TEXT_SIZE + 1];
  const char *json;
  (void)state;
  start(&f);
  assert_int_equal(put(&f, 1, llm_b, NULL), OCF_TABLE_SHOWN); /* an old one of ours, from the DAG */
  assert_int_equal(ocf_table_set_self(f.t, f.now_ns, &self, OCF_STR("[]")), OCF_EINVAL);
  assert_int_equal(ocf_table_set_self(f.t, f.now_ns, &self, OCF_STR("{}")), OCF_EINVAL);
  json = record(1, llm_a);
  assert_int_equal(ocf_table_set_self(f.t, f.now_ns, &self, ocf_bytes(json, strlen(json))), 0);
  assert_int_equal(ocf_table_set_self(f.t, f.now_ns, &self, ocf_bytes(json, strlen(json))), 0);
  assert_true(routable(&f, 1));
  (void)count_events(&f, OCF_TABLE_CHANGED);
  assert_int_equal(put(&f, 1, llm_a, &forged), OCF_TABLE_OWN);
  assert_int_equal(count_events(&f, OCF_TABLE_USURPED), 0);
  assert_int_equal(put(&f, 1, llm_b, &forged), OCF_TABLE_OWN);
  assert_int_equal(put(&f, 1, ",\"status\":\"left\"", &forged), OCF_TABLE_OWN);
  assert_int_equal(ocf_table_delete(f.t, f.now_ns, check_key(&self, key), &forged), OCF_TABLE_OWN);
  assert_int_equal(count_events(&f, OCF_TABLE_USURPED), 3);
  assert_true(shows(&f, 1, llm_a) && routable(&f, 1));
  finish(&f);
}

/* ---- life ---- */

static void test_leaving_counts_by_whose_word_it_is(void **state)
{
  static const char left[] = ",\"status\":\"left\",\"service\":[{\"name\":\"llm\"}]";
  struct fixture f;
  struct ocf_peerid one = check_peer(1);
  struct ocf_table_origin o = { &one, true };
  (void)state;
  start(&f);
  connect(&f, 1, 1);
  /* Forged (fault 3 of the Go nodes): the peer is there for all to see. */
  assert_int_equal(put(&f, 1, left, NULL), OCF_TABLE_SHOWN);
  assert_true(routable(&f, 1));
  connect(&f, 1, 0);
  assert_false(routable(&f, 1));
  assert_true(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns));
  /* Not connected, but it speaks well after it is said to have left. */
  f.now_ns += f.opt.left_grace_ns;
  ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_GOSSIP);
  assert_true(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns));
  f.now_ns++;
  ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_GOSSIP);
  assert_false(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns));
  /* Its own word. */
  connect(&f, 1, 1);
  assert_int_equal(put(&f, 1, left, &o), OCF_TABLE_SAME);
  assert_false(routable(&f, 1));
  finish(&f);
}

static void test_only_heads_evict_and_only_whom_we_do_not_see(void **state)
{
  struct fixture f;
  struct ocf_peerid head = check_peer(2);
  char id[OCF_PEERID_TEXT_SIZE], rest[300];
  (void)state;
  start(&f);
  (void)snprintf(rest, sizeof(rest), ",\"status\":\"left\",\"evicted_by\":\"%s\"%s",
                 ocf_peerid_text(&head, id), llm_a);
  assert_int_equal(put(&f, 1, rest, NULL), OCF_TABLE_SHOWN);
  assert_false(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns)); /* the evictor is unknown */
  assert_int_equal(put(&f, 2, "", NULL), OCF_TABLE_SHOWN);
  assert_false(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns)); /* and then no head */
  assert_int_equal(put(&f, 2, ",\"role\":[\"head\"]", NULL), OCF_TABLE_SHOWN);
  assert_true(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns));
  connect(&f, 1, 1);
  assert_true(routable(&f, 1));
  connect(&f, 1, 0);
  assert_int_equal(put(&f, 2, ",\"role\":[\"head\"],\"status\":\"left\"", NULL), OCF_TABLE_SHOWN);
  assert_false(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns));
  assert_int_equal(put(&f, 1, ",\"status\":\"left\",\"evicted_by\":\"?\"", NULL), OCF_TABLE_SHOWN);
  assert_false(ocf_table_is_hidden(f.t, row(&f, 1), f.now_ns));
  finish(&f);
}

static void test_who_is_alive_and_routable(void **state)
{
  struct fixture f;
  struct ocf_peerid one = check_peer(1), two = check_peer(2), relay;
  char id[OCF_PEERID_TEXT_SIZE], rest[300];
  (void)state;
  start(&f);
  (void)snprintf(rest, sizeof(rest), ",\"relay_peer\":\"%s\"%s", ocf_peerid_text(&two, id), llm_a);
  assert_int_equal(put(&f, 1, rest, NULL), OCF_TABLE_SHOWN);
  assert_false(routable(&f, 1));
  ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_GOSSIP);
  assert_true(ocf_table_is_alive(f.t, row(&f, 1), f.now_ns));
  assert_false(routable(&f, 1)); /* alive, but how to get there? */
  connect(&f, 2, 1);
  assert_true(ocf_table_is_routable(f.t, row(&f, 1), f.now_ns, &relay));
  assert_true(ocf_peerid_eq(&relay, &two));
  ocf_table_set_dialable(f.t, &one, true);
  assert_true(ocf_table_is_routable(f.t, row(&f, 1), f.now_ns, &relay));
  assert_true(ocf_peerid_is_none(&relay));
  /* Silence makes it old, at the time that was told, and dirty. */
  assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);
  uint64_t due = ocf_table_deadline(f.t);
  assert_int_equal(due, f.now_ns + f.opt.alive_ns);
  f.now_ns = due;
  ocf_table_tick(f.t, due);
  assert_true(ocf_table_dirty(f.t));
  assert_false(routable(&f, 1));
  /* A killed process is out at once, whatever was heard of it before. */
  connect(&f, 1, 1);
  ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_DIRECT);
  assert_true(routable(&f, 1));
  connect(&f, 1, 0);
  assert_false(routable(&f, 1));
  ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_PING);
  assert_true(routable(&f, 1));
  assert_int_equal(row(&f, 1)->liveness.last_ns[OCF_TABLE_PING], f.now_ns);
  ocf_table_failed(f.t, f.now_ns, &one);
  assert_false(routable(&f, 1));
  /* A relayed connection is one. */
  assert_int_equal(ocf_table_set_conns(f.t, f.now_ns, &one, 0, 1), 0);
  assert_true(routable(&f, 1));
  assert_int_equal(put(&f, 1, "", NULL), OCF_TABLE_SHOWN);
  assert_false(routable(&f, 1)); /* nothing to be had there */
  finish(&f);
}

static void test_a_connected_peer_without_a_record_is_wanted_and_listed(void **state)
{
  struct fixture f;
  struct ocf_table_event ev;
  struct ocf_peerid one = check_peer(1);
  (void)state;
  start(&f);
  ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_GOSSIP); /* unknown: makes no row */
  ocf_table_failed(f.t, f.now_ns, &one);
  ocf_table_set_rtt(f.t, &one, 5);
  ocf_table_set_load(f.t, &one, 5);
  ocf_table_set_dialable(f.t, &one, true);
  assert_int_equal(ocf_table_set_conns(f.t, f.now_ns, &one, 0, 0), 0);
  assert_null(row(&f, 1));
  connect(&f, 1, 1);
  connect(&f, 1, 2);
  assert_true(ocf_table_event(f.t, &ev));
  assert_int_equal(ev.kind, OCF_TABLE_WANTED);
  assert_true(ocf_peerid_eq(&ev.peer, &one));
  assert_false(ocf_table_event(f.t, &ev));
  assert_int_equal(put(&f, 1, llm_a, NULL), OCF_TABLE_SHOWN);
  connect(&f, 1, 0);
  connect(&f, 1, 1);
  assert_int_equal(count_events(&f, OCF_TABLE_WANTED), 0);
  finish(&f);
}

/* ---- bounds ---- */

static void test_ten_thousand_keys_of_a_stranger_displace_nobody_alive(void **state)
{
  struct fixture f;
  struct ocf_table_stats st;
  (void)state;
  ocf_table_options_default(&f.opt);
  f.opt.rows_max = 64;
  setup(&f);
  for (unsigned p = 0; p < 10; p++) {
    assert_int_equal(put(&f, p, llm_a, NULL), OCF_TABLE_SHOWN);
    struct ocf_peerid id = check_peer(p);
    if (p < 5)
      connect(&f, p, 1);
    else
      ocf_table_heard(f.t, f.now_ns, &id, OCF_TABLE_GOSSIP);
  }
  for (unsigned p = 10; p < 20; p++)
    assert_int_equal(put(&f, p, "", NULL), OCF_TABLE_SHOWN); /* without services: the worst class */
  int refused = 0;
  for (unsigned p = 100; p < 900; p++)
    refused += put(&f, p, llm_b, NULL) == OCF_TABLE_FULL;
  ocf_table_stats(f.t, &st);
  assert_int_equal(st.n_rows, 64);
  assert_int_equal(st.n_evicted, 10);
  assert_int_equal(refused, 800 - 54);
  for (unsigned p = 0; p < 10; p++)
    assert_true(shows(&f, p, llm_a));
  for (unsigned p = 10; p < 20; p++)
    assert_null(row(&f, p));
  for (unsigned p = 100; p < 154; p++)
    assert_true(shows(&f, p, llm_b)); /* equals do not displace one another */
  /* Who connects gets in; the worst class goes. When all are connected, nobody else does. */
  for (unsigned p = 1000; p < 1059; p++)
    connect(&f, p, 1);
  struct ocf_peerid late = check_peer(2000);
  assert_int_equal(ocf_table_set_conns(f.t, f.now_ns, &late, 1, 0), OCF_ELIMIT);
  assert_int_equal(put(&f, 2000, llm_a, NULL), OCF_TABLE_FULL);
  ocf_table_stats(f.t, &st);
  assert_int_equal(st.n_rows, 64);
  assert_true(st.n_events_lost > 0); /* nobody pulled them */
  finish(&f);
}

static void test_claims_are_bounded_in_bytes(void **state)
{
  struct fixture f;
  struct ocf_table_stats st;
  static char rest[6000];
  (void)state;
  ocf_table_options_default(&f.opt);
  f.opt.bytes_max = 100000;
  setup(&f);
  memset(rest, 'x', sizeof(rest) - 1);
  memcpy(rest, ",\"owner\":\"", 10); /* one long string: dropped by the record, kept in the value */
  rest[sizeof(rest) - 2] = '"';
  for (unsigned p = 0; p < 40; p++)
    (void)put(&f, p, rest, NULL);
  ocf_table_stats(f.t, &st);
  assert_in_range(st.n_bytes, 50000, 100000);
  size_t n = st.n_rows;
  assert_in_range(n, 8, 16);
  /* One with a service takes the place of one without. */
  assert_int_equal(put(&f, 100, llm_a, NULL), OCF_TABLE_SHOWN);
  /* A connected peer's growth pushes others out, and a held value does, too. */
  struct ocf_peerid owner = check_peer(200);
  struct ocf_table_origin o = { &owner, true };
  connect(&f, 200, 1);
  assert_int_equal(put(&f, 200, rest, &o), OCF_TABLE_SHOWN);
  rest[100] = 'y';
  assert_int_equal(put(&f, 200, rest, NULL), OCF_TABLE_HELD);
  ocf_table_stats(f.t, &st);
  assert_true(st.n_bytes <= 100000 && st.n_rows < n + 2);
  finish(&f);
}

static void test_a_table_full_of_connected_peers_refuses_claims(void **state)
{
  struct fixture f;
  struct ocf_peerid owner = check_peer(1);
  struct ocf_table_origin o = { &owner, true };
  (void)state;
  ocf_table_options_default(&f.opt);
  f.opt.bytes_max = 1500;
  setup(&f);
  connect(&f, 1, 1);
  assert_int_equal(put(&f, 1, llm_a, &o), OCF_TABLE_SHOWN);
  static char rest[3000];
  memset(rest, ' ', sizeof(rest) - 1);
  rest[0] = ',';
  memcpy(rest + 2900, "\"a\":1", 5);
  assert_int_equal(put(&f, 1, rest, NULL), OCF_TABLE_FULL); /* not even held */
  assert_true(shows(&f, 1, llm_a));
  assert_int_equal(put(&f, 1, rest, &o), OCF_TABLE_FULL);
  assert_null(row(&f, 1)->claims.c);
  assert_int_equal(put(&f, 2, rest, NULL), OCF_TABLE_FULL);
  assert_null(row(&f, 2));
  finish(&f);
}

/* ---- views and snapshots ---- */

static void test_dirty_says_whether_a_snapshot_would_differ(void **state)
{
  struct fixture f;
  struct ocf_peerid one = check_peer(1);
  (void)state;
  start(&f);
  assert_false(ocf_table_dirty(f.t));
  assert_null(ocf_snapshot_take(ocf_table_slot(f.t)));
  assert_int_equal(put(&f, 1, llm_a, NULL), OCF_TABLE_SHOWN);
  assert_true(ocf_table_dirty(f.t));
#define CLEAN(call)                                                                                \
  do {                                                                                             \
    assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);                                         \
    call;                                                                                          \
    assert_false(ocf_table_dirty(f.t));                                                            \
  } while (0)
#define DIRTY(call)                                                                                \
  do {                                                                                             \
    assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);                                         \
    call;                                                                                          \
    assert_true(ocf_table_dirty(f.t));                                                             \
  } while (0)
  CLEAN((void)put(&f, 1, llm_a, NULL));
  DIRTY(ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_GOSSIP));
  CLEAN(ocf_table_heard(f.t, f.now_ns + 5, &one, OCF_TABLE_GOSSIP));
  DIRTY(ocf_table_set_dialable(f.t, &one, true));
  CLEAN(ocf_table_set_dialable(f.t, &one, true));
  DIRTY(ocf_table_set_rtt(f.t, &one, 8000));
  CLEAN(ocf_table_set_rtt(f.t, &one, 8900));
  DIRTY(ocf_table_set_rtt(f.t, &one, 10050));
  CLEAN(ocf_table_set_load(f.t, &one, 3));
  DIRTY(connect(&f, 1, 1));
  CLEAN(connect(&f, 1, 2));
  DIRTY(connect(&f, 1, 0));
  DIRTY((void)put(&f, 1, ",\"status\":\"left\"", NULL));
  DIRTY(ocf_table_heard(f.t, f.now_ns, &one, OCF_TABLE_GOSSIP)); /* it may belie that it left */
  finish(&f);
}

static void test_rows_are_written_as_go_shows_them(void **state)
{
  struct fixture f;
  struct ocf_buf out;
  struct ocf_peerid one = check_peer(1), two = check_peer(2);
  char want[600], id[OCF_PEERID_TEXT_SIZE];
  (void)state;
  start(&f);
  ocf_buf_init(&out, &f.a, 4096);
  assert_int_equal(put(&f, 1,
                       ",\"connected\":true,\"owner\":\"\\\"connected\\\":false\",\"service\":"
                       "[{\"name\":\"llm\",\"status\":\"connected\"}]",
                       NULL),
                   OCF_TABLE_SHOWN);
  connect(&f, 2, 1);
  assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);
  struct ocf_snapshot *s = ocf_snapshot_take(ocf_table_slot(f.t));
  assert_int_equal(ocf_snapshot_made_ns(s), f.now_ns);
  assert_int_equal(ocf_snapshot_write_row(s, ocf_snapshot_find(s, &one), &out), 0);
  (void)ocf_peerid_text(&one, id);
  (void)snprintf(want, sizeof(want),
                 "{\"id\":\"%s\",\"latency\":0,\"privileged\":false,"
                 "\"owner\":\"\\\"connected\\\":false\"",
                 id);
  assert_memory_equal(out.p, want, strlen(want));
  const char tail[] = "\"connected\":false,\"load\":null}";
  assert_memory_equal(out.p + out.n - strlen(tail), tail, strlen(tail));
  size_t n = out.n;
  ocf_buf_clear(&out);
  assert_int_equal(ocf_snapshot_write_row(s, ocf_snapshot_find(s, &two), &out), 0);
  assert_int_equal(ocf_buf_add_u8(&out, 0), 0);
  assert_non_null(strstr((const char *)out.p, "\"connected\":true"));
  ocf_snapshot_unref(s);
  connect(&f, 1, 1);
  assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);
  s = ocf_snapshot_take(ocf_table_slot(f.t));
  ocf_buf_reset(&out);
  out.max = n - 2;
  assert_int_equal(ocf_snapshot_write_row(s, ocf_snapshot_find(s, &one), &out), OCF_ELIMIT);
  assert_int_equal(out.n, 0);
  out.max = n - 1; /* true is shorter than false */
  assert_int_equal(ocf_snapshot_write_row(s, ocf_snapshot_find(s, &one), &out), 0);
  ocf_snapshot_unref(s);
  ocf_buf_fini(&out);
  finish(&f);
}

static void test_a_service_tells_its_keys_and_groups(void **state)
{
  static char rest[4000];
  struct fixture f;
  struct ocf_bytes key, value;
  struct ocf_snapshot_list l;
  size_t it = 0, n = 0;
  (void)state;
  start(&f);
  int at = snprintf(rest, sizeof(rest), ",\"service\":[{\"name\":\"llm\",\"identity_group\":[");
  for (int i = 0; i < 20; i++)
    at += snprintf(rest + at, sizeof(rest) - (size_t)at, "\"key%02d=v\",", i);
  (void)snprintf(rest + at, sizeof(rest) - (size_t)at, "\"model=m=1\",\"key07=*\"]}]");
  assert_int_equal(put(&f, 1, rest, NULL), OCF_TABLE_SHOWN);
  assert_int_equal(
      put(&f, 2, ",\"service\":[{\"name\":\"llm\",\"identity_group\":[\"key19=w\"]}]", NULL),
      OCF_TABLE_SHOWN);
  connect(&f, 1, 1);
  connect(&f, 2, 1);
  assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);
  struct ocf_snapshot *s = ocf_snapshot_take(ocf_table_slot(f.t));
  assert_null(ocf_snapshot_service(s, OCF_STR("")));
  assert_null(ocf_snapshot_service(s, OCF_STR("ll")));
  assert_null(ocf_snapshot_service(s, OCF_STR("zz")));
  const struct ocf_snapshot_service *svc = ocf_snapshot_service(s, OCF_STR("llm"));
  assert_ptr_equal(svc, ocf_snapshot_service_at(s, 0));
  assert_int_equal(svc->n_keys, OCF_SNAPSHOT_KEYS_MAX);
  assert_int_equal(svc->n_keys_more, 5);
  assert_true(ocf_bytes_eq(svc->keys[0], OCF_STR("model")));
  assert_true(ocf_bytes_eq(svc->keys[1], OCF_STR("key19"))); /* two providers */
  assert_true(ocf_bytes_eq(svc->keys[2], OCF_STR("key00")));
  while (ocf_snapshot_next_group(s, svc, &it, &key, &value, &l)) {
    n++;
    assert_int_equal(l.n, 1);
    if (ocf_bytes_eq(key, OCF_STR("model")))
      assert_true(ocf_bytes_eq(value, OCF_STR("m=1")));
  }
  assert_int_equal(n, 22);
  assert_int_equal(ocf_snapshot_exact(s, svc, OCF_STR(""), OCF_STR("v")).n, 0);
  static char big[OCF_GROUP_MAX + 10];
  assert_int_equal(ocf_snapshot_exact(s, svc, OCF_STR("model"), ocf_bytes(big, sizeof(big))).n, 0);
  assert_int_equal(ocf_snapshot_exact(s, svc, ocf_bytes(big, 65), OCF_STR("v")).n, 0);
  ocf_snapshot_unref(s);
  finish(&f);
}

static void test_old_snapshots_keep_what_they_showed(void **state)
{
  struct fixture f;
  struct ocf_table_stats st;
  struct ocf_peerid one = check_peer(1);
  (void)state;
  start(&f);
  connect(&f, 1, 1);
  assert_int_equal(put(&f, 1, llm_a, NULL), OCF_TABLE_SHOWN);
  assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);
  struct ocf_snapshot *old = ocf_snapshot_take(ocf_table_slot(f.t));
  assert_int_equal(put(&f, 1, llm_b, NULL), OCF_TABLE_SHOWN);
  connect(&f, 1, 0);
  assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);
  ocf_table_stats(f.t, &st);
  assert_int_equal(st.n_snapshots, 2);
  const struct ocf_snapshot_service *svc = ocf_snapshot_service(old, OCF_STR("llm"));
  assert_int_equal(ocf_snapshot_exact(old, svc, OCF_STR("model"), OCF_STR("a")).n, 1);
  assert_int_equal(ocf_snapshot_exact(old, svc, OCF_STR("model"), OCF_STR("b")).n, 0);
  assert_true(ocf_snapshot_find(old, &one)->routable);
  ocf_snapshot_unref(ocf_snapshot_ref(old));
  ocf_snapshot_unref(old);
  ocf_snapshot_unref(NULL);
  ocf_table_reap(f.t);
  ocf_table_stats(f.t, &st);
  assert_int_equal(st.n_snapshots, 1);
  finish(&f);
}

static void test_every_row_is_walked_once(void **state)
{
  struct fixture f;
  struct ocf_table_iter it = { 0 };
  const struct ocf_table_row *r;
  size_t n = 0;
  (void)state;
  start(&f);
  for (unsigned p = 0; p < 200; p++)
    assert_int_equal(put(&f, p, "", NULL), OCF_TABLE_SHOWN);
  while (ocf_table_next(f.t, &it, &r)) {
    n++;
    assert_non_null(r->claims.c);
  }
  assert_int_equal(n, 200);
  finish(&f);
}

static void test_too_many_services_leave_out_those_with_the_fewest_providers(void **state)
{
  static char rest[8000];
  struct fixture f;
  (void)state;
  start(&f);
  for (unsigned p = 0; p < 70; p++) {
    int at = snprintf(rest, sizeof(rest), ",\"service\":[{\"name\":\"common\"}");
    for (unsigned i = 0; i < 63; i++)
      at += snprintf(rest + at, sizeof(rest) - (size_t)at, ",{\"name\":\"s%u-%u\"}", p, i);
    (void)snprintf(rest + at, sizeof(rest) - (size_t)at, "]");
    assert_int_equal(put(&f, p, rest, NULL), OCF_TABLE_SHOWN);
  }
  connect(&f, 69, 1);
  assert_int_equal(ocf_table_publish(f.t, f.now_ns), 0);
  struct ocf_snapshot *s = ocf_snapshot_take(ocf_table_slot(f.t));
  assert_int_equal(ocf_snapshot_n_services(s), OCF_SNAPSHOT_SERVICES_MAX);
  assert_int_equal(ocf_snapshot_service(s, OCF_STR("common"))->n_known, 70);
  assert_int_equal(ocf_snapshot_service(s, OCF_STR("s69-62"))->providers.n, 1);
  for (size_t i = 1; i < ocf_snapshot_n_services(s); i++) {
    struct ocf_bytes a = ocf_snapshot_service_at(s, i - 1)->name;
    assert_ptr_equal(ocf_snapshot_service(s, a), ocf_snapshot_service_at(s, i - 1));
  }
  ocf_snapshot_unref(s);
  finish(&f);
}

static void test_verdicts_have_texts(void **state)
{
  (void)state;
  for (int v = 0; v < OCF_TABLE_N_VERDICTS; v++)
    assert_true(strlen(ocf_table_verdict_text((enum ocf_table_verdict)v)) > 2);
  assert_string_equal(ocf_table_verdict_text((enum ocf_table_verdict)99), "?");
}

/* ---- out of memory ---- */

static int fill_under_oom(struct ocf_table *t, uint64_t now_ns)
{
  char key[OCF_PEERID_TEXT_SIZE + 1];
  for (unsigned p = 0; p < CHECK_SELF; p++) {
    struct ocf_peerid id = check_peer(p);
    struct ocf_table_origin o = { &id, true };
    struct ocf_bytes k = check_key(&id, key);
    int v = ocf_table_set_conns(t, now_ns, &id, p % 2, 0);
    for (unsigned k2 = 0; k2 < 2 && v >= 0; k2++)
      v = ocf_table_put(t, now_ns, k, check_value(p, p + 5 * k2), 1, k2 == 0 ? &o : NULL);
    if (v < 0)
      return v;
  }
  return ocf_table_publish(t, now_ns);
}

static int oom_body(struct ocf_alloc *a, void *ctx)
{
  struct ocf_rng rng;
  struct ocf_table_options opt;
  struct ocf_peerid self = check_peer(CHECK_SELF);
  (void)ctx;
  ocf_rng_seed(&rng, 3);
  ocf_table_options_default(&opt);
  struct ocf_table *t = ocf_table_new(a, &rng, &opt);
  if (t == NULL)
    return OCF_ENOMEM;
  int err = ocf_table_set_self(t, 5, &self, check_value(CHECK_SELF, 1));
  if (err == 0)
    err = fill_under_oom(t, 5);
  if (err == 0)
    err = fill_under_oom(t, 50 * OCF_NS_PER_S);
  struct ocf_snapshot *s = ocf_snapshot_take(ocf_table_slot(t));
  if (s != NULL)
    assert_int_equal(ocf_snapshot_n_services(s) > 0, 1);
  ocf_snapshot_unref(s);
  ocf_table_free(t);
  return err;
}

static void test_running_out_of_memory_anywhere_changes_nothing(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(oom_body, NULL) > 50);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_keys_that_are_no_peer_id_are_refused),
    cmocka_unit_test(test_values_that_are_no_record_of_the_peer_are_refused),
    cmocka_unit_test(test_values_over_the_bound_are_refused),
    cmocka_unit_test(test_claims_hold_what_routing_needs),
    cmocka_unit_test(test_service_names_follow_the_grammar),
    cmocka_unit_test(test_a_foreign_value_waits_for_its_owner),
    cmocka_unit_test(test_an_ancestor_under_the_owners_head_is_not_its_word),
    cmocka_unit_test(test_a_held_value_is_shown_when_nobody_objects_in_time),
    cmocka_unit_test(test_a_held_value_is_shown_when_the_owner_goes),
    cmocka_unit_test(test_a_delete_by_others_waits_too),
    cmocka_unit_test(test_a_guarded_row_outlives_a_malformed_value_of_others),
    cmocka_unit_test(test_vouching),
    cmocka_unit_test(test_our_own_row_is_local_truth),
    cmocka_unit_test(test_leaving_counts_by_whose_word_it_is),
    cmocka_unit_test(test_only_heads_evict_and_only_whom_we_do_not_see),
    cmocka_unit_test(test_who_is_alive_and_routable),
    cmocka_unit_test(test_a_connected_peer_without_a_record_is_wanted_and_listed),
    cmocka_unit_test(test_ten_thousand_keys_of_a_stranger_displace_nobody_alive),
    cmocka_unit_test(test_claims_are_bounded_in_bytes),
    cmocka_unit_test(test_a_table_full_of_connected_peers_refuses_claims),
    cmocka_unit_test(test_dirty_says_whether_a_snapshot_would_differ),
    cmocka_unit_test(test_rows_are_written_as_go_shows_them),
    cmocka_unit_test(test_a_service_tells_its_keys_and_groups),
    cmocka_unit_test(test_old_snapshots_keep_what_they_showed),
    cmocka_unit_test(test_every_row_is_walked_once),
    cmocka_unit_test(test_too_many_services_leave_out_those_with_the_fewest_providers),
    cmocka_unit_test(test_verdicts_have_texts),
    cmocka_unit_test(test_running_out_of_memory_anywhere_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
