/* The one file of this module that touches the disk. */
#define _POSIX_C_SOURCE 200809L
#include "app/conf/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Reads at most one byte more than a file may have, so that the parser can say it is too long. 0;
 * OCF_ENOENT; OCF_EIO with errno; OCF_ENOMEM. */
static int read_file(const char *path, struct ocf_buf *out)
{
  char chunk[16384];
  size_t n;
  FILE *f = fopen(path, "rb");
  if (f == NULL)
    return errno == ENOENT || errno == ENOTDIR ? OCF_ENOENT : OCF_EIO;
  int err = 0;
  while (err == 0 && (n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
    n = OCF_MIN(n, out->max - out->n);
    if (n == 0)
      break;
    err = ocf_buf_add(out, chunk, n);
  }
  int saved = errno;
  if (err == 0 && ferror(f))
    err = OCF_EIO;
  (void)fclose(f); /* read only: nothing to lose */
  errno = saved;
  return err;
}

static int load_named(struct ocf_conf *c, struct ocf_alloc *a, struct ocf_conf_input *in,
                      const char *path, bool must_exist, struct ocf_conf_report *r)
{
  struct ocf_buf file;
  ocf_buf_init(&file, a, OCF_CONF_FILE_MAX + 1);
  int err = read_file(path, &file);
  r->n_errors = r->n_notes = 0;
  r->errors[0] = r->notes[0] = '\0';
  if (err == OCF_EIO || (err == OCF_ENOENT && must_exist)) {
    ocf_conf_error(r, NULL, "cannot read the configuration file %s: %s", path, strerror(errno));
    err = OCF_EIO;
  } else if (err == 0 || err == OCF_ENOENT) {
    if (err == 0) {
      in->yaml = ocf_buf_view(&file);
      in->yaml_name = path;
    }
    err = ocf_conf_parse(c, a, in, r);
  }
  ocf_buf_fini(&file);
  return err;
}

int ocf_conf_load(struct ocf_conf *c, struct ocf_alloc *a, const char *const *env,
                  const char *const *args, size_t n_args, struct ocf_conf_report *r)
{
  struct ocf_conf_input in = { .env = env, .args = args, .n_args = n_args };
  struct ocf_conf first;
  memset(c, 0, sizeof(*c));
  /* Once without the file, to learn which one it is. */
  int err = ocf_conf_parse_paths(&first, a, &in, r);
  if (err != 0)
    return err;
  bool named = first.origin[OCF_CONF_OPT_config].source != OCF_CONF_DEFAULT;
  err = load_named(c, a, &in, first.config, named, r);
  ocf_conf_fini(&first);
  return err;
}
