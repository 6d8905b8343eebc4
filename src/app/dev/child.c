#include "app/dev/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENV_MAX = 512 };

/* ---- starting ---- */

static bool inherits(const char *name)
{
  static const char *const not_those[] = { "OCF_", "OF_", "XDG_", "HOME=", "PWD=", "OLDPWD=" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(not_those); i++) {
    if (strncmp(name, not_those[i], strlen(not_those[i])) == 0)
      return false;
  }
  return true;
}

static void make_env(const char *home, char *home_var, size_t cap, char *env[ENV_MAX])
{
  size_t n = 0;
  (void)snprintf(home_var, cap, "HOME=%s", home);
  env[n++] = home_var;
  for (size_t i = 0; environ[i] != NULL && n + 1 < ENV_MAX; i++) {
    if (inherits(environ[i]))
      env[n++] = environ[i];
  }
  env[n] = NULL;
}

/* The program's own file: by its path, so that process lists show its name, unless it was replaced
 * meanwhile. */
static const char *own_path(char dst[PATH_MAX])
{
  ssize_t n = readlink("/proc/self/exe", dst, PATH_MAX - 1);
  if (n <= 0)
    return "/proc/self/exe";
  dst[n] = '\0';
  return access(dst, X_OK) == 0 ? dst : "/proc/self/exe";
}

/* In the child, before exec: only calls that are safe after fork. */
static _Noreturn void become(const char *exe, char *const *argv, char *const *env,
                             const struct ocf_child *c, const int fds[3], pid_t parent)
{
  sigset_t none;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  (void)signal(SIGPIPE, SIG_DFL);
  bool ok = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && setpgid(0, 0) == 0 &&
            dup2(fds[0], 0) == 0 && dup2(fds[1], 1) == 1 && dup2(fds[2], 2) == 2 &&
            chdir(c->home) == 0;
  if (ok)
    (void)execve(exe, argv, env);
  _exit(127);
}

static void close_all(const int *fds, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if (fds[i] >= 0)
      (void)close(fds[i]);
  }
}

/* fds: null for reading; ends for writing of both pipes; ends for reading. */
static int make_pipes(int fds[5])
{
  int out[2] = { -1, -1 }, err[2] = { -1, -1 };
  fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  bool ok = fds[0] >= 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0;
  fds[1] = out[1];
  fds[2] = err[1];
  fds[3] = out[0];
  fds[4] = err[0];
  return ok && fcntl(fds[3], F_SETFL, O_NONBLOCK) == 0 && fcntl(fds[4], F_SETFL, O_NONBLOCK) == 0
             ? 0
             : -1;
}

static void open_log(struct ocf_child *c)
{
  char path[PATH_MAX + 16];
  (void)snprintf(path, sizeof(path), "%s/log", c->home);
  c->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

int ocf_child_start(struct ocf_child *c, const char *const *args, bool keep_log,
                    struct ocf_err *err)
{
  static char home_var[PATH_MAX + 8], exe_buf[PATH_MAX], *env[ENV_MAX];
  char *argv[OCF_CHILD_ARGS_MAX + 2] = { (char *)(uintptr_t) "ocf" };
  int fds[5] = { -1, -1, -1, -1, -1 };
  size_t n = 0;
  for (; args[n] != NULL; n++) {
    OCF_ASSERT(n < OCF_CHILD_ARGS_MAX);
    argv[n + 1] = (char *)(uintptr_t)args[n]; /* execve() promises not to write */
  }
  make_env(c->home, home_var, sizeof(home_var), env);
  const char *exe = own_path(exe_buf);
  pid_t parent = getpid(), pid = -1;
  if (make_pipes(fds) == 0)
    pid = fork();
  if (pid == 0)
    become(exe, argv, env, c, fds, parent);
  int e = errno;
  close_all(fds, pid < 0 ? 5 : 3);
  c->log = c->out.fd = c->err.fd = -1;
  if (pid < 0)
    return ocf_err_set(err, OCF_EIO, NULL, "the process \"%s\" cannot be started: %s", c->name,
                       strerror(e));
  c->pid = pid;
  c->started = true;
  c->out.fd = fds[3];
  c->err.fd = fds[4];
  if (keep_log)
    open_log(c);
  return 0;
}

/* ---- reading ---- */

size_t ocf_child_poll(const struct ocf_child *c, struct pollfd *p)
{
  size_t n = 0;
  if (c->started && c->out.fd >= 0)
    p[n++] = (struct pollfd){ .fd = c->out.fd, .events = POLLIN };
  if (c->started && c->err.fd >= 0)
    p[n++] = (struct pollfd){ .fd = c->err.fd, .events = POLLIN };
  return n;
}

static void keep_line(struct ocf_child *c, const char *line)
{
  char *slot = c->last[c->n_last++ % OCF_CHILD_LAST];
  (void)snprintf(slot, sizeof(c->last[0]), "%.*s", (int)sizeof(c->last[0]) - 1, line);
  if (c->log >= 0)
    (void)!dprintf(c->log, "%s\n", line); /* the log is a convenience */
}

static void take_line(struct ocf_child *c, struct ocf_child_pipe *p, ocf_child_line_fn fn,
                      void *user)
{
  bool is_err = p == &c->err;
  if (is_err)
    keep_line(c, p->buf);
  fn(user, c, is_err, p->buf);
}

/* Splits what is in the buffer; keeps the part after the last newline. */
static void split(struct ocf_child *c, struct ocf_child_pipe *p, ocf_child_line_fn fn, void *user)
{
  char *nl;
  while ((nl = memchr(p->buf, '\n', p->n)) != NULL) {
    size_t used = (size_t)(nl - p->buf) + 1;
    *nl = '\0';
    take_line(c, p, fn, user);
    memmove(p->buf, p->buf + used, p->n - used);
    p->n -= used;
  }
  if (p->n < sizeof(p->buf) - 1)
    return;
  p->buf[p->n] = '\0'; /* a line too long: cut into pieces */
  take_line(c, p, fn, user);
  p->n = 0;
}

static void read_pipe(struct ocf_child *c, struct ocf_child_pipe *p, ocf_child_line_fn fn,
                      void *user)
{
  while (p->fd >= 0) {
    ssize_t r = read(p->fd, p->buf + p->n, sizeof(p->buf) - 1 - p->n);
    if (r < 0 && errno == EINTR)
      continue;
    if (r < 0 && errno == EAGAIN)
      return;
    if (r <= 0) {
      (void)close(p->fd);
      p->fd = -1;
      p->buf[p->n] = '\0';
      if (p->n > 0)
        take_line(c, p, fn, user);
      p->n = 0;
      return;
    }
    p->n += (size_t)r;
    split(c, p, fn, user);
  }
}

void ocf_child_read(struct ocf_child *c, ocf_child_line_fn fn, void *user)
{
  if (!c->started)
    return;
  read_pipe(c, &c->out, fn, user);
  read_pipe(c, &c->err, fn, user);
}

/* ---- the end ---- */

bool ocf_child_gone(struct ocf_child *c)
{
  if (c->pid > 0 && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
    c->pid = 0;
  return c->started && c->pid == 0;
}

void ocf_child_signal(struct ocf_child *c, int signum)
{
  if (c->pid > 0)
    (void)kill(c->pid, signum);
}

const char *ocf_child_ending(const struct ocf_child *c, char *dst, size_t cap)
{
  if (WIFSIGNALED(c->status))
    (void)snprintf(dst, cap, "was killed by signal %d", WTERMSIG(c->status));
  else
    (void)snprintf(dst, cap, "ended with status %d", WEXITSTATUS(c->status));
  return dst;
}

void ocf_child_fini(struct ocf_child *c)
{
  if (!c->started)
    return;
  const int fds[3] = { c->out.fd, c->err.fd, c->log };
  close_all(fds, 3);
  c->started = false;
}
