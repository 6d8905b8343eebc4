/* The program: the command line with its two long-running commands plugged in. */
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/version.h"
#include "app/daemon/daemon.h"
#include "app/dev/dev.h"
#include "app/mock/mock.h"

static int start(const struct ocf_conf *conf, const struct ocf_key *key, struct ocf_err *err)
{
  const struct ocf_daemon_info info = { ocf_version()->version, ocf_version()->commit };
  return ocf_daemon_run(conf, key, &info, err);
}

int main(int argc, char **argv)
{
  const struct ocf_cli_ops ops = { start, ocf_dev_main, ocf_dev_help() };
  if (argc > 1 && strcmp(argv[1], "mock-openai") == 0) /* for dev and tests: in no help text */
    return ocf_mock_main((const char *const *)argv + 2, (size_t)argc - 2);
  return ocf_cli_main(argc, argv, &ops);
}
