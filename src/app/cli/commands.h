/* The commands behind cli.h; nobody else includes it. */
#ifndef OCF_APP_CLI_COMMANDS_H
#define OCF_APP_CLI_COMMANDS_H

#include "app/cli/cli.h"

/* Each takes what follows the command's name and returns an exit code. */
int ocf_cli_start(const struct ocf_cli *cli, const char *const *args, size_t n_args);
int ocf_cli_init(const struct ocf_cli *cli, const char *const *args, size_t n_args);
int ocf_cli_peer_id(const struct ocf_cli *cli, const char *const *args, size_t n_args);
int ocf_cli_config(const struct ocf_cli *cli, const char *const *args, size_t n_args);
int ocf_cli_version(const struct ocf_cli *cli, const char *const *args, size_t n_args);
int ocf_cli_dev(const struct ocf_cli *cli, const char *const *args, size_t n_args);

#endif
