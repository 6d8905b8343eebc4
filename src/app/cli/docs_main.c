/* Writes the generated pages and samples into the source tree, or checks that they are current:
 *   ocf_gen_docs write|check <source folder>                                                     */
#include <stdio.h>
#include <string.h>

#include "app/cli/cli.h"

static const struct {
  const char *path;
  int (*make)(struct ocf_buf *out);
} files[] = {
  { "docs/configuration.md", ocf_conf_write_reference },
  { "docs/config.schema.json", ocf_conf_write_schema },
  { "docs/cli.md", ocf_cli_write_reference },
  { "config/cfg.sample.yaml", ocf_conf_write_sample },
};

static int write_file(const char *path, const struct ocf_buf *b)
{
  FILE *f = fopen(path, "wb");
  if (f == NULL)
    return 1;
  size_t n = fwrite(b->p, 1, b->n, f);
  return fclose(f) != 0 || n != b->n;
}

static int check_file(const char *path, const struct ocf_buf *b)
{
  static char have[1 << 20];
  FILE *f = fopen(path, "rb");
  if (f == NULL)
    return 1;
  size_t n = fread(have, 1, sizeof(have), f);
  (void)fclose(f); /* only read from */
  return n != b->n || memcmp(have, b->p, n) != 0;
}

int main(int argc, char **argv)
{
  struct ocf_alloc a;
  int bad = 0;
  bool check = argc == 3 && strcmp(argv[1], "check") == 0;
  if (argc != 3 || (!check && strcmp(argv[1], "write") != 0)) {
    (void)fputs("usage: ocf_gen_docs write|check <source folder>\n", stderr);
    return 2;
  }
  ocf_alloc_init(&a);
  for (size_t i = 0; i < OCF_ARRAY_LEN(files); i++) {
    struct ocf_buf b;
    char path[4096];
    ocf_buf_init(&b, &a, 1 << 20);
    (void)snprintf(path, sizeof(path), "%s/%s", argv[2], files[i].path);
    int failed = files[i].make(&b) != 0 || (check ? check_file(path, &b) : write_file(path, &b));
    if (failed)
      (void)fprintf(stderr, "%s %s\n", files[i].path,
                    check ? "is stale: run tools/gen/docs.sh" : "cannot be written");
    bad += failed;
    ocf_buf_fini(&b);
  }
  return bad > 0;
}
