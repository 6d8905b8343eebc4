/* Goal: kill -9 at any moment leaves all of a transaction or nothing of it, and never less than was
 * committed. Method: a child commits version after version, tells each, and is killed somewhere. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>

#include "store/lmdb/lmdb_fixture.h"
#include "testing/test.h"

enum { ROUNDS = 60, ROWS = 60 };

static struct fixture fx;

static int setup(void **state)
{
  (void)state;
  fx_begin(&fx);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  fx_end(&fx);
  return 0;
}

static _Noreturn void write_for_ever(uint32_t v, int tell)
{
  struct ocf_lmdb *db = fx_open(&fx);
  for (;;) {
    fx_write(db, 0, ROWS, ++v);
    if (write(tell, &v, sizeof(v)) != sizeof(v))
      _exit(1);
    if (v % 5 == 0 && ocf_lmdb_sync_now(db, NULL) != 0)
      _exit(2);
  }
}

/* The last version that a killed child told. */
static uint32_t run_and_kill(uint32_t from, useconds_t after_us)
{
  int ends[2], status;
  uint32_t v, last = from;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0)
    write_for_ever(from, ends[1]);
  (void)close(ends[1]);
  (void)usleep(after_us);
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  while (read(ends[0], &v, sizeof(v)) == sizeof(v))
    last = v;
  (void)close(ends[0]);
  return last;
}

static void test_a_killed_writer_leaves_whole_transactions(void **state)
{
  struct ocf_rng rng;
  uint32_t v = 0;
  (void)state;
  ocf_rng_seed(&rng, 5);
  for (size_t i = 0; i < ROUNDS; i++) {
    uint32_t told = run_and_kill(v, (useconds_t)ocf_rng_below(&rng, 20000));
    struct ocf_lmdb *db = fx_open(&fx); /* fails when it had to go back */
    if (fx_holds(db, ROWS, told + 1))
      v = told + 1; /* killed between commit and telling */
    else
      v = told;
    assert_true(v == 0 ? fx_holds(db, 0, 0) : fx_holds(db, ROWS, v));
    fx_close(db);
  }
  assert_true(v > ROUNDS);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test_setup_teardown(test_a_killed_writer_leaves_whole_transactions, setup, teardown),
};

OCF_TEST_MAIN(tests)
