/* The program: the command line with its two long-running commands plugged in. */
#include "app/cli/cli.h"
#include "app/cli/version.h"
#include "app/daemon/daemon.h"

static int start(const struct ocf_conf *conf, const struct ocf_key *key, struct ocf_err *err)
{
  const struct ocf_daemon_info info = { ocf_version()->version, ocf_version()->commit };
  return ocf_daemon_run(conf, key, &info, err);
}

int main(int argc, char **argv)
{
  static const struct ocf_cli_ops ops = { start, NULL, NULL };
  return ocf_cli_main(argc, argv, &ops);
}
