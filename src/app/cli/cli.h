/* The command line: `ocf <command> [options]`, its help and its exit codes.
 *
 * Output goes to the given streams and the environment is an argument, so that tests run every
 * command in their own process. `start` and `dev` are the caller's. */
#ifndef OCF_APP_CLI_CLI_H
#define OCF_APP_CLI_CLI_H

#include <stdio.h>

#include "app/conf/conf.h"
#include "base/core/core.h"
#include "base/core/err.h"
#include "crypto/key/key.h"

/* The process's exit codes; docs/cli.md is made from this list. */
#define OCF_EXITS(X)                                                                               \
  X(OCF_EXIT_OK, 0, "all went well; `ocf start` was asked to stop and did")                        \
  X(OCF_EXIT_FAILURE, 1, "something else failed; the message says what")                           \
  X(OCF_EXIT_USAGE, 2, "the command line is wrong: unknown command or argument")                   \
  X(OCF_EXIT_CONFIG, 3, "an option has an unknown name or a bad value, wherever it came from")     \
  X(OCF_EXIT_KEY, 4, "the key file is missing, unreadable, open to others, or no key")             \
  X(OCF_EXIT_IN_USE, 5, "an address to listen on is in use")

enum ocf_exit {
#define X(name, value, text) name = (value),
  OCF_EXITS(X)
#undef X
};

/* What a configuration was loaded from: the arguments of ocf_conf_load(). */
struct ocf_cli_from {
  const char *const *env, *const *args;
  size_t n_args;
  bool fresh_key; /* the key was made for this start */
};

struct ocf_cli_ops {
  /* Runs a node until it is told to stop. `from` says how `conf`, which may be changed, was loaded.
   * 0 or a negative error code with `err` filled. */
  int (*start)(struct ocf_conf *conf, const struct ocf_key *key, const struct ocf_cli_from *from,
               struct ocf_err *err);
  /* Runs a demo network; `args` are what follows the command. An exit code. NULL: not built in. */
  int (*dev)(const char *const *args, size_t n_args);
  const char *dev_help; /* what `ocf dev --help` prints */
};

struct ocf_cli {
  const struct ocf_cli_ops *ops;
  const char *const *env; /* "NAME=value" …, NULL at the end */
  FILE *out, *err;
};

/* Runs one command; `args` without the program's name. Returns the exit code. A failure to write to
 * `out` is OCF_EXIT_FAILURE. */
int ocf_cli_run(const struct ocf_cli *cli, const char *const *args, size_t n_args);

/* The same with the process's own arguments, environment and streams. */
int ocf_cli_main(int argc, char **argv, const struct ocf_cli_ops *ops);

/* docs/cli.md, whole. 0, OCF_ENOMEM, OCF_ELIMIT. */
OCF_NODISCARD int ocf_cli_write_reference(struct ocf_buf *out);

#endif
