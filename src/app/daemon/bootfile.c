/* The file of the last good bootstrap list: read with a bound, replaced as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/daemon/daemon_int.h"

static int read_all(int fd, uint8_t *p, size_t cap, size_t *n)
{
  while (*n < cap) {
    ssize_t r = read(fd, p + *n, cap - *n);
    if (r < 0 && errno == EINTR)
      continue;
    if (r < 0)
      return OCF_EIO;
    if (r == 0)
      return 0;
    *n += (size_t)r;
  }
  return OCF_ELIMIT; /* no file of ours is that long */
}

static int load(struct ocf_node_boot_store *s, uint8_t *p, size_t cap, size_t *n)
{
  struct ocf_bootfile *f = OCF_CONTAINER_OF(s, struct ocf_bootfile, store);
  struct stat st;
  *n = 0;
  int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return errno == ENOENT ? 0 : OCF_EIO;
  int r = OCF_EIO;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
    r = read_all(fd, p, cap, n);
  (void)close(fd);
  return r;
}

static int write_all(int fd, struct ocf_bytes text)
{
  while (text.n > 0) {
    ssize_t w = write(fd, text.p, text.n);
    if (w < 0 && errno != EINTR)
      return OCF_EIO;
    size_t n = w > 0 ? (size_t)w : 0;
    text = ocf_bytes(text.p + n, text.n - n);
  }
  return fsync(fd) == 0 ? 0 : OCF_EIO;
}

/* Written beside it and renamed: a crash leaves the old or the new one. */
static int save(struct ocf_node_boot_store *s, struct ocf_bytes text)
{
  struct ocf_bootfile *f = OCF_CONTAINER_OF(s, struct ocf_bootfile, store);
  char tmp[sizeof(f->path) + 8];
  (void)snprintf(tmp, sizeof(tmp), "%s.new", f->path);
  int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return errno == EACCES || errno == EPERM ? OCF_EPERM : OCF_EIO;
  int r = write_all(fd, text);
  if (close(fd) != 0 && r == 0)
    r = OCF_EIO;
  if (r == 0 && rename(tmp, f->path) != 0)
    r = OCF_EIO;
  if (r != 0)
    (void)unlink(tmp);
  return r;
}

struct ocf_node_boot_store *ocf_bootfile_init(struct ocf_bootfile *f, const char *folder,
                                              const struct ocf_peerid *id)
{
  char text[OCF_PEERID_TEXT_SIZE];
  int n =
      snprintf(f->path, sizeof(f->path), "%s/bootstrap.%s.json", folder, ocf_peerid_text(id, text));
  if (n < 0 || (size_t)n >= sizeof(f->path) || ocf_daemon_make_dirs(folder) != 0)
    return NULL;
  f->store = (struct ocf_node_boot_store){ load, save };
  return &f->store;
}
