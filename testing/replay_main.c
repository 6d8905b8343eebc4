/* main() for fuzz targets in ordinary builds: feeds every file of a corpus directory once, so that
 * what a fuzzer found stays fixed. Fails when the directory is missing or empty: a corpus that
 * vanished must not look like a pass. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

int main(int argc, char **argv)
{
  static uint8_t buf[1 << 20];
  DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
  int n_files = 0;

  (void)LLVMFuzzerTestOneInput(buf, 0);
  for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
    FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
    if (f == NULL)
      continue;
    (void)LLVMFuzzerTestOneInput(buf, fread(buf, 1, sizeof(buf), f));
    (void)fclose(f);
    n_files++;
  }
  if (dir != NULL)
    (void)closedir(dir);
  printf("replayed %d files\n", n_files);
  return n_files > 0 ? 0 : 1;
}
