#include "app/dev/dev.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "app/dev/dev_int.h"
#include "base/time/time.h"

#define JOIN_WAIT_NS (300 * OCF_NS_PER_MS)
#define STOP_NS (3 * OCF_NS_PER_S)

uint64_t ocf_dev_now(void)
{
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * OCF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* ---- what the processes say ---- */

static void on_row(struct dev *d, const struct ocf_dev_row *row)
{
  bool ours = strncmp(row->path, "/v1/service/", 12) == 0 ||
              strncmp(row->path, "/v1/p2p/", 8) == 0 ||
              strncmp(row->path, "/v1/_service/", 13) == 0;
  if (d->live && ours && strcmp(row->id, d->first_id) != 0)
    ocf_dev_show_row(d, row);
}

static void on_half(struct dev *d, const struct ocf_dev_row *half, bool from_node)
{
  struct ocf_dev_row row;
  bool alone = from_node && (half->to[0] == '\0' || strcmp(half->method, "POST") != 0);
  if (ocf_dev_join_add(&d->join, half, from_node, alone, ocf_dev_now(), &row))
    on_row(d, &row);
}

static void on_line(void *user, struct ocf_child *child, bool is_err, char *line)
{
  struct dev *d = user;
  struct dev_child *c = OCF_CONTAINER_OF(child, struct dev_child, child);
  struct ocf_dev_row half;
  if (is_err && d->opt.verbose)
    ocf_dev_show(d, SHOW_DIM, "%s: %s\n", c->name, line);
  if (!is_err && !c->ready)
    c->ready = ocf_dev_read_ready(line, &c->info);
  else if (!is_err && c < dev_head(d, 0) && ocf_dev_read_mock(line, &half))
    on_half(d, &half, false);
  else if (is_err && dev_is_head(d, c) && ocf_dev_read_node(line, &half))
    on_half(d, &half, true);
}

/* ---- waiting ---- */

static void read_signals(struct dev *d)
{
  struct signalfd_siginfo si;
  while (read(d->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
    if (si.ssi_signo == SIGCHLD)
      continue;
    d->n_signals++;
    if (d->signum == 0)
      d->signum = (int)si.ssi_signo;
  }
}

/* Polls once, at most until `until_ns`, and handles what came. */
static void pump(struct dev *d, uint64_t until_ns)
{
  struct pollfd p[DEV_CHILDREN_MAX * 2 + 2];
  struct ocf_dev_row row;
  size_t n = 0;
  p[n++] = (struct pollfd){ .fd = d->sigfd, .events = POLLIN };
  for (size_t i = 0; i < d->n; i++)
    n += ocf_child_poll(&d->c[i].child, p + n);
  if (d->call != NULL && ocf_call_poll(d->call, p + n))
    n++;
  until_ns = ocf_time_min(until_ns, ocf_dev_join_deadline(&d->join, JOIN_WAIT_NS));
  uint64_t now = ocf_dev_now(), wait = until_ns > now ? until_ns - now : 0;
  struct timespec ts = { .tv_sec = (time_t)(wait / OCF_NS_PER_S),
                         .tv_nsec = (long)(wait % OCF_NS_PER_S) };
  (void)ppoll(p, n, until_ns == OCF_TIME_NEVER ? NULL : &ts, NULL);
  read_signals(d);
  for (size_t i = 0; i < d->n; i++)
    ocf_child_read(&d->c[i].child, on_line, d);
  if (d->call != NULL && d->call_err == 0)
    d->call_err = ocf_call_work(d->call, d->on_body, d);
  while (ocf_dev_join_late(&d->join, ocf_dev_now(), JOIN_WAIT_NS, &row))
    on_row(d, &row);
}

/* Whether the rest can go on without it: that is what a network is for. */
static bool can_spare(const struct dev *d, const struct dev_child *c)
{
  size_t left = 0;
  for (size_t i = d->n_mocks + d->n_heads; i < d->n; i++)
    left += d->c[i].lost ? 0 : 1;
  return d->live && left > 1 && c->model != NULL && c >= d->c + d->n_mocks;
}

/* A process that ended although nobody asked it to. */
static int find_gone(struct dev *d)
{
  char text[64];
  for (size_t i = 0; i < d->n; i++) {
    struct dev_child *c = &d->c[i];
    if (c->lost || !ocf_child_gone(&c->child))
      continue;
    ocf_child_read(&c->child, on_line, d); /* its last words */
    if (can_spare(d, c)) {
      c->lost = true;
      ocf_dev_show(d, SHOW_YELLOW, "the process \"%s\" %s; the others go on\n", c->name,
                   ocf_child_ending(&c->child, text, sizeof(text)));
      (void)fflush(stdout);
      continue;
    }
    d->culprit = c;
    return ocf_err_set(&d->err, OCF_EIO, NULL, "the process \"%s\" %s", c->name,
                       ocf_child_ending(&c->child, text, sizeof(text)));
  }
  return 0;
}

int ocf_dev_wait(struct dev *d, const bool *flag, uint64_t deadline_ns)
{
  d->call_err = 0;
  for (;;) {
    if (flag != NULL && *flag)
      return 0;
    if (d->signum != 0)
      return OCF_ECANCELED;
    int r = find_gone(d);
    if (r == 0)
      r = d->call_err;
    if (r != 0)
      return r;
    if (ferror(stdout) != 0)
      return ocf_err_set(&d->err, OCF_EIO, NULL, "standard output cannot be written");
    if (ocf_dev_now() >= deadline_ns)
      return OCF_ETIME;
    pump(d, deadline_ns);
  }
}

/* ---- beginning and end ---- */

static int open_signals(struct dev *d)
{
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGINT);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGHUP);
  (void)sigaddset(&set, SIGCHLD);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGCHLD,
               SIG_DFL); /* it may have come as ignored, and then nothing could be waited for */
  if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
    d->sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  return d->sigfd >= 0 ? 0 : ocf_err_set(&d->err, OCF_EIO, NULL, "signals cannot be handled");
}

static bool all_gone(struct dev *d)
{
  bool gone = true;
  for (size_t i = 0; i < d->n; i++)
    gone = ocf_child_gone(&d->c[i].child) && gone;
  return gone;
}

static void signal_all(struct dev *d, int signum)
{
  for (size_t i = d->n; i > 0; i--)
    ocf_child_signal(&d->c[i - 1].child, signum);
}

/* Asks all processes to end, then makes them; a further Ctrl-C shortens it. */
static void stop_all(struct dev *d)
{
  uint64_t end = ocf_time_add(ocf_dev_now(), STOP_NS);
  unsigned signals = d->n_signals;
  bool killed = false;
  d->live = false;
  signal_all(d, SIGTERM);
  while (!all_gone(d)) {
    if (!killed && (ocf_dev_now() >= end || d->n_signals > signals)) {
      signal_all(d, SIGKILL);
      killed = true;
    }
    pump(d, ocf_time_add(ocf_dev_now(), 100 * OCF_NS_PER_MS)); /* SIGCHLD wakes it sooner */
  }
  for (size_t i = 0; i < d->n; i++)
    ocf_child_fini(&d->c[i].child);
}

static bool wants_color(const struct ocf_dev_options *o)
{
  const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
  if (strcmp(o->color, "auto") != 0)
    return strcmp(o->color, "always") == 0;
  return isatty(STDOUT_FILENO) == 1 && (no == NULL || no[0] == '\0') &&
         (term == NULL || strcmp(term, "dumb") != 0);
}

static int run(struct dev *d)
{
  bool stay = d->opt.stay || (!d->opt.once && isatty(STDOUT_FILENO) == 1);
  (void)ocf_dev_home_sweep();
  int r = open_signals(d);
  if (r == 0)
    r = ocf_dev_home_make(&d->home, d->opt.keep, &d->err);
  if (r != 0)
    return r;
  ocf_dev_net_plan(d);
  ocf_dev_show(d, SHOW_BOLD, "%s, %s and %s, each a process of its own:\n",
               d->n_heads > 1 ? "Heads" : "A head", d->n_workers > 1 ? "workers" : "a worker",
               d->n_mocks > 1 ? "mock model services" : "a mock model service");
  r = ocf_dev_net_start(d);
  if (r == 0)
    r = ocf_dev_first_answer(d);
  if (r != 0 || !stay)
    return r;
  ocf_dev_show_how_to(d);
  d->live = true;
  r = ocf_dev_wait(d, NULL, OCF_TIME_NEVER);
  if (r == OCF_ECANCELED)
    ocf_dev_show(d, SHOW_DIM, "\nstopping\n");
  return r == OCF_ECANCELED ? 0 : r;
}

static int finish(struct dev *d, int r)
{
  stop_all(d);
  if (r != 0 && d->err.code != 0)
    ocf_dev_show_failure(d);
  if (d->opt.keep && d->home.path[0] != '\0')
    ocf_dev_show(d, SHOW_PLAIN, "kept: %s\n", d->home.path);
  ocf_dev_home_end(&d->home);
  if (d->sigfd >= 0)
    (void)close(d->sigfd);
  bool written = fflush(stdout) == 0 || d->signum != 0; /* a terminal that hung up takes nothing */
  if (r == OCF_ECANCELED)
    return 128 + d->signum;
  return r == 0 && written ? 0 : 1;
}

const char *ocf_dev_help(void)
{
  static char help[OCF_DEV_HELP_SIZE];
  return ocf_dev_options_help(help);
}

int ocf_dev_main(const char *const *args, size_t n_args)
{
  struct dev *d = calloc(1, sizeof(*d));
  if (d == NULL) {
    (void)fputs("ocf dev: out of memory\n", stderr);
    return 1;
  }
  d->sigfd = d->home.lock = -1;
  d->start_ns = ocf_dev_now();
  ocf_alloc_init(&d->alloc);
  int r = ocf_dev_options_parse(&d->opt, args, n_args, &d->err), status = 2;
  if (r == OCF_ECANCELED) {
    (void)fputs(ocf_dev_help(), stdout);
    status = 0;
  } else if (r != 0) {
    ocf_dev_show_failure(d);
  } else {
    d->color = wants_color(&d->opt);
    d->deadline_ns = ocf_time_add(d->start_ns, d->opt.timeout_ns);
    status = finish(d, run(d));
  }
  free(d);
  return status;
}
