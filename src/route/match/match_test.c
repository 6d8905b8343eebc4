/* Goal: requests find the providers that OpenTela's rules name, and where ours go further, that is
 * as match.h says. Method: cases by rule; random worlds against the naive rules. */
#include "testing/test.h"

#include "route/match/match_check.h"

#define VIEW(s)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), sizeof(s) - 1                                                            \
  }
#define FIELD(k, v)                                                                                \
  {                                                                                                \
    .name = VIEW(k), .value = VIEW(v), .is_string = true                                           \
  }

static struct match_world w;
static uint32_t out[MATCH_PEERS];
static struct ocf_match_result res;

static void world(const struct match_offer *offers, size_t n)
{
  memset(w.offers, 0, sizeof(w.offers));
  memcpy(w.offers, offers, n * sizeof(*offers));
  match_world_init(&w);
}

static struct ocf_match_query query(const struct ocf_match_field *f, size_t n, const char *fallback)
{
  return (struct ocf_match_query){
    .service = OCF_STR("llm"),
    .has_body = true,
    .fields = f,
    .n_fields = n,
    .fallback = ocf_bytes(fallback, strlen(fallback)),
  };
}

static enum ocf_match_outcome match(const struct ocf_match_query *q)
{
  return ocf_match(w.s, q, &w.rng, out, MATCH_PEERS, &res);
}

/* Whether the candidates are exactly these peers (bits). */
static bool found(unsigned peers)
{
  unsigned got = 0;
  for (size_t k = 0; k < res.n; k++) {
    for (unsigned i = 0; i < MATCH_PEERS; i++) {
      struct ocf_peerid id = match_peer(i);
      got |= (unsigned)ocf_peerid_eq(&ocf_snapshot_row(w.s, out[k])->peer, &id) << i;
    }
  }
  return got == peers;
}

static const struct ocf_match_field model_a[] = { FIELD("model", "a") };
static const struct ocf_match_field model_z[] = { FIELD("model", "z") };

static void test_tiers_are_never_mixed_and_need_the_clients_leave(void **state)
{
  const struct match_offer offers[] = {
    { true, true, { "model=a" } },
    { true, true, { "model=*" } },
    { true, true, { "all" } },
    { true, true, { "model=b", "all" } },
    { true, true, { "model=*", "model=a" } },
    { true, false, { "model=a" } },
    { true, true, { NULL } },
  };
  struct ocf_match_query q = query(model_a, 1, "2");
  const struct ocf_match_field number = { .name = VIEW("model"), .is_string = false };
  (void)state;
  world(offers, OCF_ARRAY_LEN(offers));
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_int_equal(res.tier, OCF_MATCH_TIER_EXACT);
  assert_true(found(1 | 16)); /* exact, although lesser ones were allowed; 5 is not there */
  q = query(model_z, 1, "0");
  assert_int_equal(match(&q), OCF_MATCH_NO_MATCH);
  assert_int_equal(res.n, 0);
  assert_non_null(res.service);
  q = query(model_z, 1, "1");
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_int_equal(res.tier, OCF_MATCH_TIER_WILDCARD);
  assert_true(found(2 | 16));
  q = query(&number, 1, "1"); /* of any type */
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_true(found(2 | 16));
  q = query(NULL, 0, "1");
  assert_int_equal(match(&q), OCF_MATCH_NO_MATCH);
  q = query(NULL, 0, "2");
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_int_equal(res.tier, OCF_MATCH_TIER_ALL);
  assert_true(found(4 | 8));
  q = query(NULL, 0, "3"); /* anything else is 0 */
  assert_int_equal(match(&q), OCF_MATCH_NO_MATCH);
  match_world_fini(&w);
}

static void test_groups_are_split_at_the_first_equals_sign(void **state)
{
  const struct match_offer offers[] = { { true, true, { "model=a=b" } },
                                        { true, true, { "model=*" } } };
  const struct ocf_match_field ab[] = { FIELD("model", "a=b") }, star[] = { FIELD("model", "*") },
                               odd[] = { FIELD("model=a", "b") };
  struct ocf_match_query q = query(ab, 1, "");
  (void)state;
  world(offers, OCF_ARRAY_LEN(offers));
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_true(found(1));
  q = query(star, 1, ""); /* the value "*" is not the wildcard */
  assert_int_equal(match(&q), OCF_MATCH_NO_MATCH);
  q = query(model_a, 1, "");
  assert_int_equal(match(&q), OCF_MATCH_NO_MATCH);
  q = query(odd, 1, ""); /* a field of that name is no field of the group's */
  assert_int_equal(match(&q), OCF_MATCH_NO_MATCH);
  match_world_fini(&w);
}

static void test_the_identity_header_replaces_the_body(void **state)
{
  const struct match_offer offers[] = { { true, true, { "model=a" } },
                                        { true, true, { "lora=x" } } };
  struct ocf_match_query q = query(model_a, 1, "");
  static const char *const bad[] = { "", "model", "=a", " ", "all" };
  (void)state;
  world(offers, OCF_ARRAY_LEN(offers));
  q.identity_group = OCF_STR(" lora=x ");
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_true(found(2));
  q.has_body = false; /* asked for, body or not */
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_true(found(2));
  q.identity_group = OCF_STR("lora=y");
  assert_int_equal(match(&q), OCF_MATCH_NO_MATCH);
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    q.identity_group = ocf_bytes(bad[i], strlen(bad[i]));
    assert_int_equal(match(&q), OCF_MATCH_BAD_IDENTITY);
  }
  match_world_fini(&w);
}

static void test_without_a_body_every_provider_will_do(void **state)
{
  const struct match_offer offers[] = { { true, true, { "model=a" } },
                                        { true, true, { "all" } },
                                        { true, true, { NULL } },
                                        { true, false, { NULL } } };
  struct ocf_match_query q = query(NULL, 0, "");
  (void)state;
  world(offers, OCF_ARRAY_LEN(offers));
  q.has_body = false;
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_int_equal(res.tier, OCF_MATCH_TIER_OPEN);
  assert_true(found(1 | 2 | 4));
  match_world_fini(&w);
}

static void test_a_service_without_groups_takes_any_request(void **state)
{
  const struct match_offer offers[] = { { true, true, { NULL } },
                                        { true, true, { "no-equals-sign" } },
                                        { true, false, { "model=a" } } };
  struct ocf_match_query q = query(model_a, 1, "");
  (void)state;
  world(offers, OCF_ARRAY_LEN(offers));
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_true(found(1 | 2));
  match_world_fini(&w);
}

static void test_only_allowed_peers_are_left(void **state)
{
  const struct match_offer offers[] = { { true, true, { "model=a" } },
                                        { true, true, { "model=a" } },
                                        { true, true, { "model=b" } } };
  struct ocf_match_query q = query(model_a, 1, "");
  static char list[8000];
  char one[OCF_PEERID_TEXT_SIZE], two[OCF_PEERID_TEXT_SIZE];
  struct ocf_peerid p1 = match_peer(1), p2 = match_peer(2);
  (void)state;
  world(offers, OCF_ARRAY_LEN(offers));
  int n = snprintf(list, sizeof(list), "nonsense,, %s ,%s,%s", ocf_peerid_text(&p1, one),
                   ocf_peerid_text(&p2, two), one);
  q.allowed_peers = ocf_bytes(list, (size_t)n);
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_true(found(2));
  assert_int_equal(res.n_total, 1);
  q.allowed_peers = ocf_bytes(two, strlen(two));
  assert_int_equal(match(&q), OCF_MATCH_NOT_ALLOWED);
  q.allowed_peers = OCF_STR(""); /* the header is there and names nobody */
  assert_int_equal(match(&q), OCF_MATCH_NOT_ALLOWED);
  memset(list, ',', sizeof(list));
  q.allowed_peers = ocf_bytes(list, OCF_MATCH_ALLOWED_MAX);
  assert_int_equal(match(&q), OCF_MATCH_NOT_ALLOWED);
  q.allowed_peers = ocf_bytes(list, OCF_MATCH_ALLOWED_MAX + 1);
  assert_int_equal(match(&q), OCF_MATCH_BAD_ALLOWED);
  match_world_fini(&w);
}

static void test_unknown_unreachable_and_unmatched_are_told_apart(void **state)
{
  const struct match_offer offers[] = { { true, false, { "model=a" } } };
  struct ocf_match_query q = query(model_a, 1, "");
  (void)state;
  world(offers, 1);
  assert_int_equal(match(&q), OCF_MATCH_NO_PROVIDER);
  assert_non_null(res.service);
  q.service = OCF_STR("tts");
  assert_int_equal(match(&q), OCF_MATCH_UNKNOWN_SERVICE);
  assert_null(res.service);
  q.service = OCF_STR("../etc");
  assert_int_equal(match(&q), OCF_MATCH_BAD_SERVICE);
  assert_int_equal(ocf_match_answer(OCF_MATCH_UNKNOWN_SERVICE)->status, 404);
  assert_int_equal(ocf_match_answer(OCF_MATCH_UNKNOWN_SERVICE)->compat_status, 400);
  assert_string_equal(ocf_match_answer(OCF_MATCH_UNKNOWN_SERVICE)->compat_text,
                      "no providers found");
  assert_int_equal(ocf_match_answer(OCF_MATCH_NO_PROVIDER)->status, 503);
  assert_string_equal(ocf_match_answer(OCF_MATCH_NO_MATCH)->compat_text,
                      "No provider found for the requested service.");
  assert_string_equal(ocf_match_answer(OCF_MATCH_NOT_ALLOWED)->compat_text,
                      "no billing-affordable provider for the requested service.");
  for (int o = OCF_MATCH_OK + 1; o < OCF_MATCH_N_OUTCOMES; o++) {
    const struct ocf_match_answer *a = ocf_match_answer((enum ocf_match_outcome)o);
    assert_true(a->status >= 400 && a->compat_status >= 400 && a->compat_text != NULL);
    assert_int_equal(a->retry_after_s > 0, a->status == 503);
  }
  match_world_fini(&w);
}

static void test_a_peer_in_several_lists_is_one_candidate(void **state)
{
  const struct match_offer offers[] = { { true, true, { "model=a", "lora=x" } },
                                        { true, true, { "lora=x" } } };
  const struct ocf_match_field f[] = { FIELD("model", "a"), FIELD("lora", "x"),
                                       FIELD("lora", "x") };
  struct ocf_match_query q = query(f, 3, "");
  (void)state;
  world(offers, OCF_ARRAY_LEN(offers));
  assert_int_equal(match(&q), OCF_MATCH_OK);
  assert_int_equal(res.n, 2);
  assert_int_equal(res.n_total, 2);
  assert_true(out[0] < out[1]);
  match_world_fini(&w);
}

static void test_more_candidates_than_room_are_sampled_fairly(void **state)
{
  struct match_offer offers[MATCH_PEERS];
  struct ocf_match_query q = query(model_a, 1, "");
  unsigned seen[MATCH_PEERS] = { 0 };
  enum { DRAWS = 6000, ROOM = 3 };
  (void)state;
  for (size_t i = 0; i < MATCH_PEERS; i++)
    offers[i] = (struct match_offer){ true, true, { "model=a" } };
  world(offers, MATCH_PEERS);
  for (unsigned i = 0; i < DRAWS; i++) {
    assert_int_equal(ocf_match(w.s, &q, &w.rng, out, ROOM, &res), OCF_MATCH_OK);
    assert_int_equal(res.n, ROOM);
    assert_int_equal(res.n_total, MATCH_PEERS);
    assert_true(out[0] != out[1] && out[1] != out[2] && out[0] != out[2]);
    for (size_t k = 0; k < ROOM; k++)
      seen[out[k]]++;
  }
  for (size_t i = 0; i < MATCH_PEERS; i++) /* 1,500 expected, standard deviation 34 */
    assert_in_range(seen[i], 1500 - 200, 1500 + 200);
  match_world_fini(&w);
}

static void test_fields_come_from_the_scanned_body(void **state)
{
  const struct ocf_bytes keys[] = { OCF_STR("model"), OCF_STR("lora"), OCF_STR("tag") };
  struct ocf_match_field f[OCF_MATCH_FIELDS_MAX];
  struct ocf_body b;
  (void)state;
  ocf_body_init(&b, keys, 3, OCF_BODY_SCAN_MAX);
  (void)ocf_body_feed(&b, OCF_STR("{\"tag\":[1],\"model\":\"a\"}"));
  assert_int_equal(ocf_match_fields(&b, f), 2);
  assert_true(ocf_bytes_eq(f[0].name, OCF_STR("model")) && f[0].is_string);
  assert_true(ocf_bytes_eq(f[0].value, OCF_STR("a")));
  assert_true(ocf_bytes_eq(f[1].name, OCF_STR("tag")) && !f[1].is_string);
  (void)ocf_body_feed(&b, OCF_STR("x"));
  assert_int_equal(ocf_match_fields(&b, f), 0);
}

static void test_random_worlds_match_the_naive_rules(void **state)
{
  static const char *const groups[] = { NULL,  "model=a", "model=b",   "model=*", "all",
                                        "odd", "lora=x",  "model=a=b", "lora=*" };
  static const struct ocf_match_field all[] = { FIELD("model", "a"),   FIELD("model", "b"),
                                                FIELD("model", "a=b"), FIELD("lora", "x"),
                                                FIELD("lora", "*"),    FIELD("user", "a") };
  static const char *const fallbacks[] = { "", "1", "2" };
  struct ocf_rng rng;
  unsigned n_ok = 0;
  (void)state;
  ocf_rng_seed(&rng, 77);
  for (unsigned run = 0; run < 3000; run++) {
    struct match_offer offers[MATCH_PEERS];
    for (size_t i = 0; i < MATCH_PEERS; i++) {
      offers[i] = (struct match_offer){ .offers = ocf_rng_below(&rng, 4) > 0,
                                        .connected = ocf_rng_below(&rng, 4) > 0 };
      for (size_t g = 0; g < MATCH_GROUPS; g++)
        offers[i].groups[g] = groups[ocf_rng_below(&rng, run % 2 ? 6 : OCF_ARRAY_LEN(groups))];
    }
    world(offers, MATCH_PEERS);
    for (size_t i = 0; i + 1 < OCF_ARRAY_LEN(all); i++) {
      struct ocf_match_query q = query(all + i, i % 2 + 1, fallbacks[ocf_rng_below(&rng, 3)]);
      q.has_body = i != 4;
      n_ok += match_check(&w, &q) == OCF_MATCH_OK;
    }
    match_world_fini(&w);
  }
  assert_in_range(n_ok, 3000, 14999);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_tiers_are_never_mixed_and_need_the_clients_leave),
    cmocka_unit_test(test_groups_are_split_at_the_first_equals_sign),
    cmocka_unit_test(test_the_identity_header_replaces_the_body),
    cmocka_unit_test(test_without_a_body_every_provider_will_do),
    cmocka_unit_test(test_a_service_without_groups_takes_any_request),
    cmocka_unit_test(test_only_allowed_peers_are_left),
    cmocka_unit_test(test_unknown_unreachable_and_unmatched_are_told_apart),
    cmocka_unit_test(test_a_peer_in_several_lists_is_one_candidate),
    cmocka_unit_test(test_more_candidates_than_room_are_sampled_fairly),
    cmocka_unit_test(test_fields_come_from_the_scanned_body),
    cmocka_unit_test(test_random_worlds_match_the_naive_rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
