#include "app/cli/cli.h"

#include <string.h>

#include "app/cli/commands.h"

extern char **environ;

struct command {
  const char *name, *args, *summary, *help;
  int (*run)(const struct ocf_cli *cli, const char *const *args, size_t n_args);
  bool options; /* takes the options of the table */
};

static const struct command commands[] = {
  { "start", "[options]", "run a node until SIGTERM or Ctrl-C",
    "Runs a node. Makes its key first if there is none. Prints one line of JSON on standard "
    "output\n"
    "when it listens; logs go to standard error. SIGTERM or Ctrl-C lets requests in flight finish "
    "for\n"
    "shutdown.grace; a second signal ends at once. SIGHUP loads the configuration again and\n"
    "applies the options that docs/configuration.md calls live; the log says what changed.\n",
    ocf_cli_start, true },
  { "init", "[options]", "make the configuration file and the key, where they are missing",
    "Makes a commented configuration file and a key where they are missing, and says what it did.\n"
    "Optional: `ocf start` needs neither. Can be run again at any time; nothing is replaced.\n",
    ocf_cli_init, true },
  { "peer-id", "[options]", "print this node's peer id",
    "Prints the peer id that belongs to the key file, alone on one line.\n", ocf_cli_peer_id,
    true },
  { "config", "[options] | --sample | --schema | --reference",
    "print the configuration that `ocf start` would use",
    "Prints every option's value as a configuration file, and behind each that is not the "
    "default,\n"
    "where it comes from. Checks the configuration on the way.\n"
    "  --sample     a commented sample file that sets nothing\n"
    "  --schema     JSON Schema of the file\n"
    "  --reference  the reference page in Markdown\n",
    ocf_cli_config, true },
  { "dev", "[...]", "run a small network on this machine, with a mock service",
    "Starts a head, a worker and a mock service as processes of their own, connected over TCP.\n",
    ocf_cli_dev, false },
  { "version", "[--json]", "print version, commit, compiler and libraries",
    "Prints what this program was built from.\n", ocf_cli_version, false },
};

static const struct command *find(const char *name)
{
  for (size_t i = 0; i < OCF_ARRAY_LEN(commands); i++)
    if (strcmp(commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

/* ---- help ---- */

static void overview(FILE *f)
{
  (void)fputs("usage: ocf <command> [options]\n\n", f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(commands); i++)
    (void)fprintf(f, "  %-9s %s\n", commands[i].name, commands[i].summary);
  (void)fputs("\n`ocf <command> --help` tells more; `ocf start --help` lists all options.\n", f);
}

static int help_text(const struct ocf_cli *cli, const struct command *c)
{
  struct ocf_alloc a;
  struct ocf_buf b;
  (void)fprintf(cli->out, "usage: ocf %s %s\n\n%s", c->name, c->args, c->help);
  if (c->run == ocf_cli_dev && cli->ops->dev_help != NULL)
    (void)fputs(cli->ops->dev_help, cli->out);
  if (!c->options)
    return OCF_EXIT_OK;
  if (c->run != ocf_cli_start) {
    (void)fputs("\nTakes the options of `ocf start`, which `ocf start --help` lists.\n", cli->out);
    return OCF_EXIT_OK;
  }
  (void)fputs("\nEvery option may also stand in the file ~/.config/ocf/cfg.yaml, or in the\n"
              "environment as OCF_<NAME>.\n",
              cli->out);
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 1 << 20);
  int err = ocf_conf_write_help(&b);
  if (err == 0)
    (void)fwrite(b.p, 1, b.n, cli->out);
  ocf_buf_fini(&b);
  return err == 0 ? OCF_EXIT_OK : OCF_EXIT_FAILURE;
}

static bool is_help(const char *arg)
{
  return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static bool asks_help(const char *const *args, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (is_help(args[i]))
      return true;
  return false;
}

/* ---- dispatch ---- */

/* Whether two short words differ in at most one place, or in two neighbours that are swapped. */
static bool close_to(const char *a, const char *b)
{
  size_t na = strlen(a), nb = strlen(b), head = 0, tail = 0;
  while (head < na && head < nb && a[head] == b[head])
    head++;
  while (tail < na - head && tail < nb - head && a[na - 1 - tail] == b[nb - 1 - tail])
    tail++;
  size_t ra = na - head - tail, rb = nb - head - tail;
  return (ra <= 1 && rb <= 1) ||
         (ra == 2 && rb == 2 && a[head] == b[head + 1] && a[head + 1] == b[head]);
}

static int unknown_command(const struct ocf_cli *cli, const char *name)
{
  (void)fprintf(cli->err, "ocf: unknown command \"%.40s\"", name);
  for (size_t i = 0; i < OCF_ARRAY_LEN(commands); i++)
    if (close_to(name, commands[i].name))
      (void)fprintf(cli->err, "; did you mean \"%s\"?", commands[i].name);
  (void)fputs("\n\n", cli->err);
  overview(cli->err);
  return OCF_EXIT_USAGE;
}

static int dispatch(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  if (n_args == 0) {
    overview(cli->err);
    return OCF_EXIT_USAGE;
  }
  const char *name = args[0];
  if (is_help(name) || (strcmp(name, "help") == 0 && n_args == 1)) {
    overview(cli->out);
    return OCF_EXIT_OK;
  }
  if (strcmp(name, "--version") == 0)
    name = "version";
  bool help = strcmp(name, "help") == 0;
  const struct command *c = find(help ? args[1] : name);
  if (c == NULL)
    return unknown_command(cli, help ? args[1] : name);
  if (help || asks_help(args + 1, n_args - 1))
    return help_text(cli, c);
  return c->run(cli, args + 1, n_args - 1);
}

int ocf_cli_run(const struct ocf_cli *cli, const char *const *args, size_t n_args)
{
  int rc = dispatch(cli, args, n_args);
  if ((fflush(cli->out) != 0 || ferror(cli->out)) && rc == OCF_EXIT_OK) {
    (void)fputs("ocf: standard output cannot be written to\n", cli->err);
    return OCF_EXIT_FAILURE;
  }
  return rc;
}

int ocf_cli_main(int argc, char **argv, const struct ocf_cli_ops *ops)
{
  struct ocf_cli cli = { ops, (const char *const *)environ, stdout, stderr };
  size_t n = argc > 1 ? (size_t)argc - 1 : 0;
  return ocf_cli_run(&cli, (const char *const *)(argv + 1), n);
}

/* ---- docs/cli.md ---- */

int ocf_cli_write_reference(struct ocf_buf *out)
{
  int err = ocf_buf_add_str(
      out,
      "<!-- Made by tools/gen/docs.sh from src/app/cli. Do not edit. -->\n# The command line\n\n"
      "`ocf <command> [options]`; the options are in [configuration.md](configuration.md).\n");
  for (size_t i = 0; err == 0 && i < OCF_ARRAY_LEN(commands); i++)
    err = ocf_buf_printf(out, "\n## `ocf %s`\n\n```\nusage: ocf %s %s\n\n%s```\n", commands[i].name,
                         commands[i].name, commands[i].args, commands[i].help);
  if (err == 0)
    err = ocf_buf_add_str(out, "\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n");
#define X(name, value, text)                                                                       \
  if (err == 0)                                                                                    \
    err = ocf_buf_printf(out, "| %d | %s |\n", value, text);
  OCF_EXITS(X)
#undef X
  return err;
}
