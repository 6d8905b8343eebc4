/* Goal: the simulated sockets behave as io/uv's on a kernel, so that a node cannot tell them apart.
 * Method: two bare processes that note every callback; each case runs under many seeds. */
#include "testing/test.h"

#include "sim/net.h"
#include "sim/pattern.h"

enum { BUF = 4096, SEEDS = 20 };
#define SECOND OCF_NS_PER_S

struct side {
  struct ocf_sim_proc proc;
  struct ocf_sock *sock;
  uint8_t rx[BUF];
  uint64_t got, sent, want_seed;
  unsigned n_connected, n_eof, n_closed, n_left, n_rx0;
  int err;
  uint64_t end_ns;
  bool close_at_eof;
};

struct fixture {
  struct ocf_sim w;
  struct ocf_sim_net net;
  struct side a, b;
  struct ocf_sim_listener listener;
  struct ocf_endpoint to;
  unsigned n_accepted, n_resolved;
  int resolve_err;
};

static void on_rx_space(void *user, uint8_t **p, size_t *cap)
{
  struct side *s = user;
  *p = s->rx;
  *cap = sizeof(s->rx);
}

static void on_rx(void *user, uint64_t now_ns, size_t n)
{
  struct side *s = user;
  assert_true(ocf_sim_pattern_ok(s->want_seed, s->got, s->rx, n));
  assert_true(now_ns == s->proc.net->w->now_ns);
  s->got += n;
  s->n_rx0 += n == 0 ? 1 : 0;
}

static void on_eof(void *user, uint64_t now_ns)
{
  struct side *s = user;
  s->n_eof++;
  s->end_ns = now_ns;
  if (s->close_at_eof) {
    s->proc.env.ops->close(s->sock, false);
    s->sock = NULL;
  }
}

static void on_connected(void *user, uint64_t now_ns)
{
  struct side *s = user;
  (void)now_ns;
  s->n_connected++;
}

static void on_sent(void *user, uint64_t now_ns, size_t n)
{
  struct side *s = user;
  (void)now_ns;
  s->sent += n;
}

static void on_closed(void *user, uint64_t now_ns, int err)
{
  struct side *s = user;
  s->n_closed++;
  s->err = err;
  s->end_ns = now_ns;
  s->sock = NULL;
}

static void on_left(void *user, uint64_t now_ns)
{
  struct side *s = user;
  (void)now_ns;
  s->n_left++;
}

static const struct ocf_sock_user_ops ops = { on_rx_space, on_rx,     on_eof, on_connected,
                                              on_sent,     on_closed, on_left };

static void on_accept(void *user, uint64_t now_ns, struct ocf_sock *s,
                      const struct ocf_ip_addr *remote)
{
  struct fixture *f = user;
  struct ocf_ip_addr local, other;
  (void)now_ns;
  f->n_accepted++;
  f->b.sock = s;
  f->b.proc.env.ops->adopt(s, &ops, &f->b);
  f->b.proc.env.ops->names(s, &local, &other);
  assert_true(ocf_ip_addr_eq(&other, remote));
  assert_int_equal(local.port, 80);
}

static void begin(struct fixture *f, uint64_t seed)
{
  struct ocf_sim_net_config cfg;
  memset(f, 0, sizeof(*f));
  ocf_sim_init(&f->w, seed);
  ocf_sim_net_config_init(&cfg);
  cfg.sndbuf_min = cfg.sndbuf_max = 8192;
  cfg.rcvbuf_min = cfg.rcvbuf_max = 8192;
  cfg.give_up_ns = 60 * SECOND;
  ocf_sim_net_init(&f->net, &f->w, &cfg);
  ocf_sim_proc_init(&f->a.proc, &f->net, ocf_sim_machine_new(&f->net));
  ocf_sim_proc_init(&f->b.proc, &f->net, ocf_sim_machine_new(&f->net));
  f->to.ip = f->b.proc.machine->ip4;
  f->to.ip.port = 80;
  f->a.want_seed = 1; /* b sends stream 1, a sends stream 2 */
  f->b.want_seed = 2;
  struct ocf_endpoint at = { .ip = { .family = 4, .port = 80 } };
  assert_int_equal(ocf_sim_listen(&f->listener, &f->b.proc, &at, on_accept, f), 0);
}

static void end(struct fixture *f)
{
  ocf_sim_proc_fini(&f->a.proc);
  ocf_sim_proc_fini(&f->b.proc);
  ocf_sim_net_fini(&f->net);
  ocf_sim_fini(&f->w);
  if (f->w.failed)
    fail_msg("%s", f->w.why);
}

static void dial(struct fixture *f)
{
  int err;
  f->a.sock = f->a.proc.env.ops->connect(&f->a.proc.env, &f->to, &ops, &f->a, &err);
  assert_non_null(f->a.sock);
}

static void up(struct fixture *f, uint64_t seed)
{
  begin(f, seed);
  dial(f);
  assert_true(ocf_sim_run(&f->w, SECOND));
  assert_int_equal(f->a.n_connected, 1);
  assert_int_equal(f->n_accepted, 1);
}

static size_t send_pattern(struct side *s, uint64_t seed, uint64_t at, uint8_t *buf, size_t n,
                           bool background)
{
  ocf_sim_pattern_fill(seed, at, buf, n);
  struct ocf_bytes v[3] = { ocf_bytes(buf, n / 3), ocf_bytes(buf + n / 3, 0),
                            ocf_bytes(buf + n / 3, n - n / 3) };
  return s->proc.env.ops->send(s->sock, v, 3, background);
}

static void test_bytes_arrive_whole_in_order_and_then_the_end(void **state)
{
  static uint8_t buf[100000];
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct fixture f;
    up(&f, seed);
    size_t now = send_pattern(&f.a, 2, 0, buf, sizeof(buf), true);
    assert_in_range(now, 1, 3 * 8192); /* the rest waits for room */
    f.a.proc.env.ops->shutdown(f.a.sock);
    assert_true(ocf_sim_run(&f.w, 10 * SECOND));
    assert_int_equal(f.b.got, sizeof(buf));
    assert_int_equal(f.a.sent, sizeof(buf) - now);
    assert_int_equal(f.b.n_eof, 1);
    assert_int_equal(f.a.n_eof + f.a.n_closed + f.b.n_closed, 0);
    end(&f);
  }
}

static void test_a_paused_reader_stops_the_sender_and_hears_no_end(void **state)
{
  static uint8_t buf[100000];
  struct fixture f;
  (void)state;
  up(&f, 1);
  f.b.proc.env.ops->pause(f.b.sock, true);
  size_t now = send_pattern(&f.a, 2, 0, buf, sizeof(buf), false);
  assert_true(ocf_sim_run(&f.w, 10 * SECOND));
  size_t more = send_pattern(&f.a, 2, now, buf, sizeof(buf), false);
  assert_true(ocf_sim_run(&f.w, 10 * SECOND));
  assert_in_range(now + more, 8192, 3 * 8192);
  assert_int_equal(send_pattern(&f.a, 2, now + more, buf, 10, false), 0);
  f.a.proc.env.ops->shutdown(f.a.sock);
  assert_true(ocf_sim_run(&f.w, 10 * SECOND));
  assert_int_equal(f.b.got + f.b.n_eof, 0);
  assert_int_equal(f.b.n_left, 0); /* the end waits behind the bytes that wait for room */
  f.b.proc.env.ops->pause(f.b.sock, false);
  assert_true(ocf_sim_run(&f.w, 10 * SECOND));
  assert_int_equal(f.b.got, now + more);
  assert_int_equal(f.b.n_eof, 1);
  end(&f);
}

static void test_close_is_an_end_for_the_reader_and_a_reset_for_the_writer(void **state)
{
  static uint8_t buf[1000];
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct fixture f;
    up(&f, seed);
    (void)send_pattern(&f.a, 2, 0, buf, sizeof(buf), false);
    f.a.proc.env.ops->close(f.a.sock, false);
    assert_true(ocf_sim_run(&f.w, SECOND));
    assert_int_equal(f.b.got, sizeof(buf));
    assert_int_equal(f.b.n_eof, 1);
    (void)send_pattern(&f.b, 1, 0, buf, sizeof(buf), true); /* met by a reset */
    assert_true(ocf_sim_run(&f.w, SECOND));
    static uint8_t more[50000];
    (void)send_pattern(&f.b, 1, sizeof(buf), more, sizeof(more), true);
    assert_true(ocf_sim_run(&f.w, SECOND));
    assert_int_equal(f.b.n_closed, 1);
    assert_int_equal(f.b.err, OCF_ERESET);
    assert_int_equal(f.a.n_closed, 0); /* nothing after its own close */
    end(&f);
  }
}

static void test_a_reset_comes_after_the_bytes_before_it(void **state)
{
  static uint8_t buf[5000];
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct fixture f;
    up(&f, seed);
    (void)send_pattern(&f.a, 2, 0, buf, sizeof(buf), false);
    f.a.proc.env.ops->close(f.a.sock, true);
    assert_true(ocf_sim_run(&f.w, SECOND));
    assert_int_equal(f.b.got, sizeof(buf));
    assert_int_equal(f.b.n_eof, 0);
    assert_int_equal(f.b.n_closed, 1);
    assert_int_equal(f.b.err, OCF_ERESET);
    end(&f);
  }
}

static void test_closing_with_bytes_unread_resets(void **state)
{
  static uint8_t buf[5000];
  struct fixture f;
  (void)state;
  up(&f, 3);
  f.b.proc.env.ops->pause(f.b.sock, true);
  (void)send_pattern(&f.a, 2, 0, buf, sizeof(buf), false);
  assert_true(ocf_sim_run(&f.w, SECOND));
  f.b.proc.env.ops->close(f.b.sock, false);
  assert_true(ocf_sim_run(&f.w, SECOND));
  assert_int_equal(f.a.n_closed, 1);
  assert_int_equal(f.a.err, OCF_ERESET);
  end(&f);
}

static void test_a_paused_reader_hears_once_that_the_other_side_left(void **state)
{
  static uint8_t buf[1000];
  (void)state;
  for (int reset = 0; reset < 2; reset++) {
    struct fixture f;
    up(&f, 4);
    f.b.proc.env.ops->pause(f.b.sock, true);
    (void)send_pattern(&f.a, 2, 0, buf, sizeof(buf), false);
    f.a.proc.env.ops->close(f.a.sock, reset != 0);
    assert_true(ocf_sim_run(&f.w, SECOND));
    assert_int_equal(f.b.n_left, 1);
    assert_int_equal(f.b.got + f.b.n_eof + f.b.n_closed, 0);
    f.b.proc.env.ops->pause(f.b.sock, false);
    assert_true(ocf_sim_run(&f.w, SECOND));
    assert_int_equal(f.b.n_left, 1);
    assert_int_equal(f.b.got, sizeof(buf));
    assert_int_equal(reset ? f.b.n_closed : f.b.n_eof, 1);
    end(&f);
  }
}

static void test_connects_fail_as_the_network_does(void **state)
{
  struct fixture f;
  (void)state;
  begin(&f, 1); /* no listener */
  f.to.ip.port = 81;
  dial(&f);
  assert_true(ocf_sim_run(&f.w, SECOND));
  assert_int_equal(f.a.err, OCF_EREFUSED);
  end(&f);
  begin(&f, 1); /* no machine */
  f.to.ip.ip[3] = 200;
  dial(&f);
  assert_true(ocf_sim_run(&f.w, SECOND));
  assert_int_equal(f.a.err, OCF_EUNREACH);
  end(&f);
  begin(&f, 1); /* nobody answers */
  ocf_sim_machine_swallow(&f.net, f.b.proc.machine, true);
  dial(&f);
  assert_true(ocf_sim_run(&f.w, 60 * SECOND));
  assert_int_equal(f.a.n_closed + f.a.n_connected, 0);
  assert_true(ocf_sim_run(&f.w, 100 * SECOND));
  assert_int_equal(f.a.err, OCF_ETIME);
  end(&f);
  begin(&f, 1); /* the answer comes at a later try */
  ocf_sim_cut(&f.net, f.b.proc.machine, f.a.proc.machine, true);
  dial(&f);
  assert_true(ocf_sim_run(&f.w, 2 * SECOND));
  ocf_sim_cut(&f.net, f.b.proc.machine, f.a.proc.machine, false);
  assert_true(ocf_sim_run(&f.w, 5 * SECOND));
  assert_int_equal(f.a.n_connected, 1);
  end(&f);
}

static void test_too_many_sockets_are_refused_at_once(void **state)
{
  struct fixture f;
  int err = 0;
  (void)state;
  begin(&f, 1);
  f.a.proc.max_socks = 0;
  assert_null(f.a.proc.env.ops->connect(&f.a.proc.env, &f.to, &ops, &f.a, &err));
  assert_int_equal(err, OCF_ELIMIT);
  end(&f);
}

static void test_a_cut_path_delays_and_in_the_end_kills(void **state)
{
  static uint8_t buf[1000];
  struct fixture f;
  (void)state;
  for (int heal = 0; heal < 2; heal++) {
    up(&f, 5);
    ocf_sim_cut(&f.net, f.a.proc.machine, f.b.proc.machine, true);
    (void)send_pattern(&f.a, 2, 0, buf, sizeof(buf), false);
    assert_true(ocf_sim_run(&f.w, 10 * SECOND));
    assert_int_equal(f.b.got, 0);
    if (heal)
      ocf_sim_cut(&f.net, f.a.proc.machine, f.b.proc.machine, false);
    assert_true(ocf_sim_run(&f.w, 200 * SECOND));
    assert_int_equal(f.b.got, heal ? sizeof(buf) : 0);
    assert_int_equal(f.a.n_closed, heal ? 0 : 1);
    assert_int_equal(f.a.err, heal ? 0 : OCF_ETIME);
    end(&f);
  }
}

static void test_a_killed_process_is_heard_and_a_power_cut_is_not(void **state)
{
  static uint8_t buf[1000];
  struct fixture f;
  (void)state;
  up(&f, 5);
  ocf_sim_proc_kill(&f.b.proc, false);
  assert_true(ocf_sim_run(&f.w, SECOND));
  assert_int_equal(f.a.n_eof, 1);
  assert_int_equal(f.b.n_closed + f.b.n_eof, 0);
  f.b.proc.env.ops->close(f.b.sock, true); /* a dead process's calls do nothing */
  end(&f);
  up(&f, 5);
  ocf_sim_machine_power(&f.net, f.b.proc.machine, false);
  ocf_sim_proc_kill(&f.b.proc, true);
  assert_true(ocf_sim_run(&f.w, 100 * SECOND));
  assert_int_equal(f.a.n_eof + f.a.n_closed, 0);
  ocf_sim_machine_power(&f.net, f.b.proc.machine, true); /* half open: the next byte tells */
  (void)send_pattern(&f.a, 2, 0, buf, sizeof(buf), false);
  assert_true(ocf_sim_run(&f.w, SECOND));
  assert_int_equal(f.a.err, OCF_ERESET);
  end(&f);
}

static void on_resolved(void *user, uint64_t now_ns, int err, const struct ocf_ip_addr *ips,
                        size_t n)
{
  struct fixture *f = user;
  (void)now_ns;
  f->n_resolved++;
  f->resolve_err = err;
  assert_true(err != 0 || (n == 1 && ips[0].port == 443));
}

static void test_names_are_answered_once_later(void **state)
{
  struct fixture f;
  (void)state;
  begin(&f, 1);
  ocf_sim_name_set(&f.net, "here.sim", &f.to.ip, 1, 0, SECOND);
  const struct ocf_env_ops *env = f.a.proc.env.ops;
  assert_int_equal(env->resolve(&f.a.proc.env, "here.sim", 443, on_resolved, &f), 0);
  assert_int_equal(f.n_resolved, 0);
  assert_true(ocf_sim_run(&f.w, 2 * SECOND));
  assert_int_equal(f.n_resolved, 1);
  assert_int_equal(f.resolve_err, 0);
  assert_int_equal(env->resolve(&f.a.proc.env, "nowhere.sim", 443, on_resolved, &f), 0);
  assert_true(ocf_sim_run(&f.w, 2 * SECOND));
  assert_int_equal(f.resolve_err, OCF_ENOENT);
  assert_int_equal(env->resolve(&f.a.proc.env, "here.sim", 443, on_resolved, &f), 0);
  end(&f); /* forgotten with the process */
}

struct work {
  struct ocf_sim *w;
  unsigned n_run, n_done;
  uint64_t done_ns;
};

static void on_run(void *arg)
{
  ((struct work *)arg)->n_run++;
}

static void on_done(void *arg, uint64_t now_ns)
{
  struct work *x = arg;
  x->n_done++;
  x->done_ns = now_ns;
  assert_int_equal(x->n_run, x->n_done);
}

static void test_jobs_are_done_once_later_or_when_the_process_ends(void **state)
{
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct fixture f;
    begin(&f, seed);
    struct work x = { .w = &f.w }, late = { .w = &f.w };
    struct ocf_env *env = &f.a.proc.env;
    uint64_t t = f.w.now_ns;
    assert_int_equal(env->ops->job(env, on_run, on_done, &x), 0);
    assert_int_equal(x.n_done, 0);
    assert_true(ocf_sim_run(&f.w, SECOND));
    assert_int_equal(x.n_done, 1);
    assert_true(x.done_ns > t);
    for (size_t i = 0; i < OCF_JOBS_MAX; i++)
      assert_int_equal(env->ops->job(env, on_run, on_done, &late), 0);
    assert_int_equal(env->ops->job(env, on_run, on_done, &late), OCF_ELIMIT);
    ocf_sim_proc_kill(&f.a.proc, false);
    assert_true(ocf_sim_run(&f.w, SECOND));
    assert_int_equal(late.n_done, 0); /* the dead do nothing */
    assert_int_equal(env->ops->job(env, on_run, on_done, &x), OCF_ECANCELED);
    end(&f);
    assert_int_equal(late.n_done, OCF_JOBS_MAX);
  }
}

static void on_fetched(void *user, uint64_t now_ns, const struct ocf_fetched *d)
{
  struct fixture *f = user;
  (void)now_ns;
  f->n_resolved++;
  f->resolve_err = d->err;
  f->n_accepted = (unsigned)d->body.n;
  assert_true((d->err == 0) == (d->text[0] == '\0'));
}

static void test_documents_are_canned(void **state)
{
  struct fixture f;
  (void)state;
  begin(&f, 1);
  struct ocf_env *env = &f.a.proc.env;
  ocf_sim_doc_set(&f.net, "https://a.sim/list", 200, "12345", 0, 0);
  ocf_sim_doc_set(&f.net, "https://a.sim/list", 200, "123456", 0, SECOND); /* replaced */
  ocf_sim_doc_set(&f.net, "http://b.sim/", 0, NULL, OCF_EAUTH, SECOND);
  static const struct {
    const char *url;
    size_t max;
    uint64_t timeout_ns;
    int err;
    unsigned n;
  } cases[] = { { "https://a.sim/list", 6, SECOND, 0, 6 },
                { "https://a.sim/list", 5, SECOND, OCF_ELIMIT, 0 },
                { "https://a.sim/list", 6, SECOND / 2, OCF_ETIME, 0 },
                { "http://b.sim/", 6, 2 * SECOND, OCF_EAUTH, 0 },
                { "http://c.sim/", 6, SECOND, OCF_ENOENT, 0 } };
  for (unsigned i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    assert_int_equal(
        env->ops->fetch(env, cases[i].url, cases[i].max, cases[i].timeout_ns, on_fetched, &f), 0);
    assert_int_equal(f.n_resolved, i);
    assert_true(ocf_sim_run(&f.w, 3 * SECOND));
    assert_int_equal(f.n_resolved, i + 1);
    assert_int_equal(f.resolve_err, cases[i].err);
    assert_int_equal(f.n_accepted, cases[i].n);
  }
  assert_int_equal(env->ops->fetch(env, "ftp://c.sim/", 6, SECOND, on_fetched, &f), OCF_EINVAL);
  assert_int_equal(env->ops->fetch(env, "https://a.sim/list", 6, SECOND, on_fetched, &f), 0);
  end(&f);
  assert_int_equal(f.resolve_err, OCF_ECANCELED);
}

static void test_a_port_is_taken_once(void **state)
{
  struct fixture f;
  struct ocf_sim_listener l;
  (void)state;
  begin(&f, 1);
  struct ocf_endpoint at = { .ip = { .family = 4, .port = 80, .ip = { 127, 0, 0, 1 } } };
  assert_int_equal(ocf_sim_listen(&l, &f.b.proc, &at, on_accept, &f), OCF_EINUSE);
  assert_int_equal(ocf_sim_listen(&l, &f.a.proc, &at, on_accept, &f), 0);
  dial(&f); /* 127.0.0.1 of the other machine is not reached from here */
  assert_true(ocf_sim_run(&f.w, SECOND));
  assert_int_equal(f.n_accepted, 1);
  assert_int_equal(f.b.proc.n_socks, 1);
  end(&f);
}

static void test_the_same_seed_takes_the_same_course(void **state)
{
  static uint8_t buf[60000];
  uint8_t hash[3][OCF_SHA256_LEN];
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    struct fixture f;
    up(&f, i < 2 ? 9 : 10);
    (void)send_pattern(&f.a, 2, 0, buf, sizeof(buf), true);
    assert_true(ocf_sim_run(&f.w, SECOND));
    ocf_sim_hash(&f.w, hash[i]);
    end(&f);
  }
  assert_memory_equal(hash[0], hash[1], OCF_SHA256_LEN);
  assert_memory_not_equal(hash[0], hash[2], OCF_SHA256_LEN);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_bytes_arrive_whole_in_order_and_then_the_end),
  cmocka_unit_test(test_a_paused_reader_stops_the_sender_and_hears_no_end),
  cmocka_unit_test(test_close_is_an_end_for_the_reader_and_a_reset_for_the_writer),
  cmocka_unit_test(test_a_reset_comes_after_the_bytes_before_it),
  cmocka_unit_test(test_closing_with_bytes_unread_resets),
  cmocka_unit_test(test_a_paused_reader_hears_once_that_the_other_side_left),
  cmocka_unit_test(test_connects_fail_as_the_network_does),
  cmocka_unit_test(test_too_many_sockets_are_refused_at_once),
  cmocka_unit_test(test_a_cut_path_delays_and_in_the_end_kills),
  cmocka_unit_test(test_a_killed_process_is_heard_and_a_power_cut_is_not),
  cmocka_unit_test(test_names_are_answered_once_later),
  cmocka_unit_test(test_jobs_are_done_once_later_or_when_the_process_ends),
  cmocka_unit_test(test_documents_are_canned),
  cmocka_unit_test(test_a_port_is_taken_once),
  cmocka_unit_test(test_the_same_seed_takes_the_same_course),
};

OCF_TEST_MAIN(tests)
