/* A command line and an environment of any bytes: one string per line, those that hold '=' before
 * the first line that begins with '-' are variables. Oracle: success or a message, never both,
 * nothing lost; the same arguments again give the same configuration. */
#include <string.h>

#include "app/conf/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { TEXT_MAX = 65536, STRINGS_MAX = 128 };

static struct ocf_conf_report report[2];

static void split(char *text, size_t n, const char **env, const char **args, size_t *n_args)
{
  size_t n_env = 0;
  *n_args = 0;
  for (size_t at = 0; at < n && n_env + *n_args < STRINGS_MAX;) {
    char *line = text + at;
    at += strlen(line) + 1;
    if (*n_args == 0 && line[0] != '-' && strchr(line, '=') != NULL)
      env[n_env++] = line;
    else
      args[(*n_args)++] = line;
  }
  env[n_env] = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static char text[TEXT_MAX + 1];
  const char *env[STRINGS_MAX + 1], *args[STRINGS_MAX];
  struct ocf_conf_input in = { .env = env, .args = args };
  struct ocf_alloc a;
  struct ocf_conf c[2];
  n = OCF_MIN(n, (size_t)TEXT_MAX);
  memset(text, 0, n + 1);
  for (size_t i = 0; i < n; i++)
    text[i] = (char)(d[i] == '\n' ? 0 : d[i]);
  split(text, n, env, args, &in.n_args);
  ocf_alloc_init(&a);
  int err = ocf_conf_parse(&c[0], &a, &in, &report[0]);
  OCF_ASSERT(err == 0 || err == OCF_EINVAL);
  OCF_ASSERT((err == 0) == (report[0].n_errors == 0));
  OCF_ASSERT(err == ocf_conf_parse(&c[1], &a, &in, &report[1]));
  OCF_ASSERT(strcmp(report[0].errors, report[1].errors) == 0);
  for (int i = 0; err == 0 && i < OCF_CONF_OPT_N; i++)
    OCF_ASSERT(ocf_conf_same(&ocf_conf_rows()[i], &c[0], &c[1]));
  ocf_conf_fini(&c[0]);
  ocf_conf_fini(&c[1]);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
