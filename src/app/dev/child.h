/* A child process whose output is read line by line, and that never outlives its parent.
 *
 * The kernel kills it when the parent dies (PR_SET_PDEATHSIG), it has a process group of its own,
 * so that Ctrl-C reaches only the parent, an empty standard input, and an environment without the
 * options of this user's own nodes. One thread only: the parent's main one. */
#ifndef OCF_APP_DEV_CHILD_H
#define OCF_APP_DEV_CHILD_H

#include <limits.h>
#include <poll.h>
#include <sys/types.h>

#include "base/core/core.h"
#include "base/core/err.h"

enum {
  OCF_CHILD_ARGS_MAX = 40,
  OCF_CHILD_LINE_MAX = 8192, /* longer ones are cut */
  OCF_CHILD_LAST = 12,       /* lines of standard error that are kept for the post-mortem */
};

/* Reads one pipe as lines. */
struct ocf_child_pipe {
  int fd; /* -1: closed */
  size_t n;
  char buf[OCF_CHILD_LINE_MAX];
};

struct ocf_child {
  const char *name; /* borrowed */
  pid_t pid;        /* 0: not started, or gone and waited for */
  bool started;
  int status; /* as wait() tells, once gone */
  char home[PATH_MAX];
  struct ocf_child_pipe out, err;
  char last[OCF_CHILD_LAST][512];
  size_t n_last; /* lines ever; the newest is last[(n_last - 1) % OCF_CHILD_LAST] */
  int log;       /* where standard error is copied; -1: nowhere */
};

typedef void (*ocf_child_line_fn)(void *user, struct ocf_child *c, bool is_err, char *line);

/* Starts this same program with `args` (NULL-terminated, without the program's name) in c->home,
 * which must exist. 0, or OCF_EIO with `err`. */
OCF_NODISCARD int ocf_child_start(struct ocf_child *c, const char *const *args, bool keep_log,
                                  struct ocf_err *err);
/* Adds the open pipes to p[0..2); returns how many. */
size_t ocf_child_poll(const struct ocf_child *c, struct pollfd *p);
/* Reads what there is and calls `fn` for each line. */
void ocf_child_read(struct ocf_child *c, ocf_child_line_fn fn, void *user);
/* True when the process has ended (it is then waited for). */
bool ocf_child_gone(struct ocf_child *c);
void ocf_child_signal(struct ocf_child *c, int signum);
/* "ended with status 3", "was killed by signal 9". Returns `dst`. */
const char *ocf_child_ending(const struct ocf_child *c, char *dst, size_t cap);
void ocf_child_fini(struct ocf_child *c);

#endif
