/* `ocf dev`: a whole network on this machine to try things on, gone without a trace at the end.
 *
 * Starts separate processes of this same program (mock-openai, worker nodes, a head node), each
 * with a HOME of its own below $TMPDIR, lets them find each other over TCP, sends one streamed chat
 * request head -> worker -> mock and prints the answer as it comes. With a terminal on standard
 * output it then stays up, prints how to send requests and one line for each, until Ctrl-C.
 *
 * No process outlives it: children are told to die with it by the kernel (PR_SET_PDEATHSIG), and at
 * an orderly end they are stopped (SIGTERM, then SIGKILL) and waited for; the folders are removed.
 * Folders that a killed run left are removed by the next one. */
#ifndef OCF_APP_DEV_DEV_H
#define OCF_APP_DEV_DEV_H

#include "base/core/core.h"

/* `args` are what follows `dev`. Returns the exit status:
 *   0        the request was answered (and, when staying up, Ctrl-C, SIGTERM or SIGHUP ended it)
 *   1        something failed; standard error says what and why, with the last log lines of the
 *            process that failed
 *   2        bad usage
 *   128 + n  ended by signal n before the request was answered */
int ocf_dev_main(const char *const *args, size_t n_args);
/* What --help prints. The text lives as long as the process; one thread at a time. */
const char *ocf_dev_help(void);

#endif
