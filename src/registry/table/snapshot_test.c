/* Goal: snapshots may be taken, shared and given back by any thread while the control loop makes
 * new ones. Method: readers on threads of their own against a publisher; run under the thread
 * sanitizer by the tsan preset. And: making one is cheap and small at the size we promise. */
#define _POSIX_C_SOURCE 200809L
#include "testing/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "registry/table/table_check.h"

enum { READERS = 3, ROUNDS = 400, BIG_PEERS = 1000, BIG_MODELS = 100 };

struct shared {
  struct ocf_snapshot_slot *slot;
  _Atomic bool stop;
  _Atomic uint64_t n_reads;
};

/* Whatever the moment, what is read is whole: rows and lists of one publish. */
static void read_one(const struct ocf_snapshot *s)
{
  const struct ocf_snapshot_service *svc = ocf_snapshot_service(s, OCF_STR("llm"));
  uint64_t parity = ocf_snapshot_made_ns(s) % 2;
  struct ocf_bytes value = parity == 0 ? OCF_STR("a") : OCF_STR("b");
  OCF_ASSERT(svc != NULL && svc->providers.n == 1);
  struct ocf_snapshot_list l = ocf_snapshot_exact(s, svc, OCF_STR("model"), value);
  OCF_ASSERT(l.n == 1);
  const struct ocf_snapshot_row *r = ocf_snapshot_row(s, l.rows[0]);
  OCF_ASSERT(r->claims->value.n > 0 && r->claims->value.p[0] == '{');
}

static void *reader(void *arg)
{
  struct shared *sh = arg;
  struct ocf_snapshot *held = NULL;
  while (!atomic_load(&sh->stop)) {
    if (held == NULL || ocf_snapshot_slot_generation(sh->slot) != ocf_snapshot_generation(held)) {
      ocf_snapshot_unref(held);
      held = ocf_snapshot_take(sh->slot);
    }
    struct ocf_snapshot *twice = ocf_snapshot_ref(held);
    read_one(twice);
    ocf_snapshot_unref(twice);
    atomic_fetch_add(&sh->n_reads, 1);
  }
  ocf_snapshot_unref(held);
  return NULL;
}

/* The record of peer 1 with one model. */
static void put_model(struct ocf_table *t, uint64_t now_ns, const char *model)
{
  char id[OCF_PEERID_TEXT_SIZE], key[OCF_PEERID_TEXT_SIZE + 1], json[300];
  struct ocf_peerid one = check_peer(1);
  int n =
      snprintf(json, sizeof(json),
               "{\"id\":\"%s\",\"service\":[{\"name\":\"llm\",\"identity_group\":[\"model=%s\"]}]}",
               ocf_peerid_text(&one, id), model);
  int v = ocf_table_put(t, now_ns, check_key(&one, key), ocf_bytes(json, (size_t)n), 1, NULL);
  assert_int_equal(v, OCF_TABLE_SHOWN);
}

static void test_readers_on_other_threads_see_whole_snapshots(void **state)
{
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_table_options opt;
  struct ocf_peerid one = check_peer(1);
  struct shared sh = { .n_reads = 0 };
  pthread_t threads[READERS];
  (void)state;
  ocf_alloc_init(&a);
  ocf_rng_seed(&rng, 9);
  ocf_table_options_default(&opt);
  struct ocf_table *t = ocf_table_new(&a, &rng, &opt);
  assert_int_equal(ocf_table_set_conns(t, 1, &one, 1, 0), 0);
  put_model(t, 1, "a");
  assert_int_equal(ocf_table_publish(t, 0), 0);
  sh.slot = ocf_table_slot(t);
  for (size_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, reader, &sh), 0);
  for (uint64_t now = 1; now < ROUNDS || atomic_load(&sh.n_reads) < 1000; now++) {
    put_model(t, now, now % 2 == 0 ? "a" : "b");
    assert_int_equal(ocf_table_publish(t, now), 0);
    if (now % 16 == 0)
      (void)nanosleep(&(struct timespec){ .tv_nsec = 10000 }, NULL);
  }
  atomic_store(&sh.stop, true);
  for (size_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  ocf_table_free(t);
  assert_int_equal(a.live_bytes, 0);
}

static uint64_t cpu_ns(void)
{
  struct timespec ts;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * OCF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Peer `p` offers BIG_MODELS models; `stride` 0: all peers the same ones. */
static void put_big(struct ocf_table *t, unsigned p, unsigned stride)
{
  static char json[BIG_MODELS * 64 + 400];
  char id[OCF_PEERID_TEXT_SIZE], key[OCF_PEERID_TEXT_SIZE + 1];
  struct ocf_peerid peer = check_peer(p);
  int n = snprintf(json, sizeof(json),
                   "{\"id\":\"%s\",\"service\":[{\"name\":\"llm\",\"status\":\"connected\","
                   "\"host\":\"localhost\",\"port\":\"8080\",\"identity_group\":[\"model=x\"",
                   ocf_peerid_text(&peer, id));
  for (unsigned m = 0; m < BIG_MODELS; m++)
    n += snprintf(json + n, sizeof(json) - (size_t)n, ",\"model=organisation/model-%06u\"",
                  p * stride + m);
  n += snprintf(json + n, sizeof(json) - (size_t)n, "]}]}");
  assert_int_equal(ocf_table_set_conns(t, 1, &peer, 1, 0), 0);
  int v = ocf_table_put(t, 1, check_key(&peer, key), ocf_bytes(json, (size_t)n), 1, NULL);
  assert_int_equal(v, OCF_TABLE_SHOWN);
}

/* The limits are loose, as the machine is shared and the build is not optimised; the figures are
 * printed. */
static void fill_and_measure(unsigned stride, size_t bytes_max)
{
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_table_options opt;
  uint64_t best = UINT64_MAX;
  ocf_alloc_init(&a);
  ocf_rng_seed(&rng, 9);
  ocf_table_options_default(&opt);
  struct ocf_table *t = ocf_table_new(&a, &rng, &opt);
  uint64_t begin = cpu_ns();
  for (unsigned p = 0; p < BIG_PEERS; p++)
    put_big(t, p, stride);
  uint64_t filled = cpu_ns();
  for (int i = 0; i < 5; i++) {
    uint64_t at = cpu_ns();
    assert_int_equal(ocf_table_publish(t, 1), 0);
    best = OCF_MIN(best, cpu_ns() - at);
  }
  print_message("%u peers, %u models, %s: filled in %.1f ms, published in %.2f ms, %.1f MiB\n",
                (unsigned)BIG_PEERS, (unsigned)BIG_MODELS, stride == 0 ? "shared" : "distinct",
                (double)(filled - begin) / 1e6, (double)best / 1e6, (double)a.peak_bytes / 1048576);
  assert_true(a.peak_bytes < bytes_max);
  assert_true(best < 250 * OCF_NS_PER_MS);
  ocf_table_free(t);
  assert_int_equal(a.live_bytes, 0);
}

static void test_a_thousand_peers_with_a_hundred_models_fit(void **state)
{
  (void)state;
  fill_and_measure(0, (size_t)16 * 1024 * 1024);
  fill_and_measure(BIG_MODELS, (size_t)48 * 1024 * 1024);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_readers_on_other_threads_see_whole_snapshots),
    cmocka_unit_test(test_a_thousand_peers_with_a_hundred_models_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
