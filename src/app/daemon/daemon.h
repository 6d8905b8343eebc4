/* `ocf start`: a node from its configuration, on real sockets, until a signal.
 *
 * One process, `planes` loops: the first runs on the calling thread, the others on their own. */
#ifndef OCF_APP_DAEMON_DAEMON_H
#define OCF_APP_DAEMON_DAEMON_H

#include "app/conf/conf.h"
#include "base/core/core.h"
#include "base/core/err.h"
#include "crypto/key/key.h"

struct ocf_daemon_info {
  const char *version, *commit; /* for identify, /v1/self and ocf_build_info */
  const char *compiler, *libuv, *libsodium, *openssl, *libyaml; /* may be NULL: not told */
  /* Where `conf` came from, as given to ocf_conf_load(): SIGHUP loads it again. */
  const char *const *env, *const *args;
  size_t n_args;
  bool fresh_key; /* `key` was made just now: no registry knows it yet */
};

/* Runs until SIGTERM or SIGINT (drains; a second one ends at once). SIGHUP loads the configuration
 * again and applies the options that are LIVE in config/options.inc to what begins from then on;
 * a configuration with an error changes nothing. `conf` is changed by that, and belongs to this
 * call while it runs. Prints one line of JSON on standard output when it listens:
 * {"event":"ready","peer_id":…,"http":…,"p2p":[…],"pid":…}. Logs go to standard error. 0 after an
 * orderly end; otherwise `err` says what and the cure, with OCF_EINUSE for a port that is taken and
 * OCF_EINVAL for a value of the configuration. */
int ocf_daemon_run(struct ocf_conf *conf, const struct ocf_key *key,
                   const struct ocf_daemon_info *info, struct ocf_err *err);

#endif
