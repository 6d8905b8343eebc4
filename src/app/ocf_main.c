/* The program: the command line with its two long-running commands plugged in. */
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/version.h"
#include "app/daemon/daemon.h"
#include "app/dev/dev.h"
#include "app/mock/mock.h"

static int start(struct ocf_conf *conf, const struct ocf_key *key, const struct ocf_cli_from *from,
                 struct ocf_err *err)
{
  const struct ocf_version *v = ocf_version();
  const struct ocf_daemon_info info = { .version = v->version,
                                        .commit = v->commit,
                                        .compiler = v->compiler,
                                        .libuv = v->libuv,
                                        .libsodium = v->libsodium,
                                        .openssl = v->openssl,
                                        .libyaml = v->libyaml,
                                        .env = from->env,
                                        .args = from->args,
                                        .n_args = from->n_args,
                                        .fresh_key = from->fresh_key };
  return ocf_daemon_run(conf, key, &info, err);
}

int main(int argc, char **argv)
{
  const struct ocf_cli_ops ops = { start, ocf_dev_main, ocf_dev_help() };
  if (argc > 1 && strcmp(argv[1], "mock-openai") == 0) /* for dev and tests: in no help text */
    return ocf_mock_main((const char *const *)argv + 2, (size_t)argc - 2);
  return ocf_cli_main(argc, argv, &ops);
}
