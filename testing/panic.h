/* Checks that a call ends the process by an assertion of ours, and with which words. Needs fork(),
 * so the test file defines _POSIX_C_SOURCE before its first include. */
#ifndef OCF_TESTING_PANIC_H
#define OCF_TESTING_PANIC_H

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/test.h"

/* Runs `body(ctx)` in a child. Fails the test unless the child aborts after writing `words`, or
 * anything when `words` is NULL, to stderr. */
static inline void ocf_assert_panics(void (*body)(void *ctx), void *ctx, const char *words)
{
  int fds[2], status = 0;
  char text[1024] = "";
  assert_int_equal(pipe(fds), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    (void)dup2(fds[1], 2);
    (void)signal(SIGABRT, SIG_DFL);
    body(ctx);
    _exit(0);
  }
  (void)close(fds[1]);
  for (size_t n = 0; n + 1 < sizeof(text);) {
    ssize_t got = read(fds[0], text + n, sizeof(text) - 1 - n);
    if (got <= 0)
      break;
    n += (size_t)got;
  }
  (void)close(fds[0]);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  if (words != NULL)
    assert_non_null(strstr(text, words));
}

#endif
