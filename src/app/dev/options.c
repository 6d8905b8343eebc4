#include "app/dev/options.h"

#include <stdio.h>
#include <string.h>

#include "app/mock/flags.h"
#include "base/str/str.h"
#include "base/time/time.h"

enum { N_FLAGS = 11 };

static void make_flags(struct ocf_dev_options *o, struct ocf_flag rows[N_FLAGS])
{
  const struct ocf_flag all[N_FLAGS] = {
    { .type = OCF_FLAG_BOOL,
      .name = "once",
      .out = &o->once,
      .help = "Send one request and exit; the default without a terminal on standard output." },
    { .type = OCF_FLAG_BOOL,
      .name = "stay",
      .out = &o->stay,
      .help = "Stay up until Ctrl-C; the default with a terminal." },
    { .type = OCF_FLAG_PORT,
      .name = "port",
      .out = &o->port,
      .given = &o->port_given,
      .value = "PORT",
      .help = "HTTP port of the head; 0 for any (8092, any if that is taken)." },
    { .type = OCF_FLAG_U64,
      .name = "nodes",
      .out = &o->n_nodes,
      .min = 2,
      .max = OCF_DEV_NODES_MAX,
      .value = "N",
      .help = "Nodes: one head, from five on two; the others are workers (2)." },
    { .type = OCF_FLAG_STR,
      .name = "model",
      .out = &o->model,
      .value = "NAME",
      .help = "Name of the mock's model (tiny-mock); a second mock's ends in -2." },
    { .type = OCF_FLAG_STR,
      .name = "prompt",
      .out = &o->prompt,
      .value = "TEXT",
      .help = "What the first request asks (\"What is OCF?\")." },
    { .type = OCF_FLAG_DUR,
      .name = "token-delay",
      .out = &o->token_delay_ns,
      .value = "TIME",
      .help = "How long the mock takes for a token (20ms)." },
    { .type = OCF_FLAG_DUR,
      .name = "timeout",
      .out = &o->timeout_ns,
      .value = "TIME",
      .help = "When to give up on the first answer (30s)." },
    { .type = OCF_FLAG_BOOL,
      .name = "keep",
      .out = &o->keep,
      .help = "Keep the nodes' folders, with keys and logs." },
    { .type = OCF_FLAG_BOOL,
      .name = "verbose",
      .out = &o->verbose,
      .help = "Show the nodes' log lines." },
    { .type = OCF_FLAG_STR,
      .name = "color",
      .out = &o->color,
      .value = "WHEN",
      .help = "auto, always or never (auto: with a terminal and without NO_COLOR)." },
  };
  memcpy(rows, all, sizeof(all));
}

/* The names go into JSON and shell text that people paste. */
static bool plain(const char *s)
{
  size_t n = strlen(s);
  for (size_t i = 0; i < n; i++) {
    if (s[i] <= ' ' || s[i] >= 0x7f || strchr("\"'\\`$", s[i]) != NULL)
      return false;
  }
  return n > 0 && n <= 64;
}

static int check(const struct ocf_dev_options *o, struct ocf_err *err)
{
  if (o->once && o->stay)
    return ocf_err_set(err, OCF_EINVAL, "give one of them", "--once and --stay exclude each other");
  if (!plain(o->model))
    return ocf_err_set(err, OCF_EINVAL, "use letters, digits and dashes",
                       "--model: \"%s\" has characters that need quoting, or is too long",
                       o->model);
  if (strlen(o->prompt) > 4096)
    return ocf_err_set(err, OCF_EINVAL, NULL, "--prompt: longer than 4096 bytes");
  if (strcmp(o->color, "auto") != 0 && strcmp(o->color, "always") != 0 &&
      strcmp(o->color, "never") != 0)
    return ocf_err_set(err, OCF_EINVAL, "see --help",
                       "--color: \"%s\" is not auto, always or never", o->color);
  return 0;
}

int ocf_dev_options_parse(struct ocf_dev_options *o, const char *const *args, size_t n_args,
                          struct ocf_err *err)
{
  struct ocf_flag rows[N_FLAGS];
  *o = (struct ocf_dev_options){ .n_nodes = 2,
                                 .port = OCF_DEV_PORT,
                                 .model = "tiny-mock",
                                 .prompt = "What is OCF?",
                                 .token_delay_ns = 20 * OCF_NS_PER_MS,
                                 .timeout_ns = 30 * OCF_NS_PER_S,
                                 .color = "auto" };
  make_flags(o, rows);
  int r = ocf_flags_parse(rows, N_FLAGS, args, n_args, err);
  return r != 0 ? r : check(o, err);
}

const char *ocf_dev_options_help(char dst[OCF_DEV_HELP_SIZE])
{
  struct ocf_dev_options o;
  struct ocf_flag rows[N_FLAGS];
  int n =
      snprintf(dst, OCF_DEV_HELP_SIZE,
               "Usage: ocf dev [options]\n\n"
               "Starts a head node, a worker node and a mock model service as separate\n"
               "processes on this machine, sends one streamed chat request through them and\n"
               "prints the answer. With a terminal it stays up until Ctrl-C.\n\n"
               "With more nodes there are two models: the second is on every third worker\n"
               "(of two, on the second). Heads find the models by themselves, in the registry.\n"
               "A worker that is killed while another is left does not end the rest.\n\n");
  make_flags(&o, rows);
  ocf_flags_help(rows, N_FLAGS, dst + n, OCF_DEV_HELP_SIZE - (size_t)n);
  return dst;
}
