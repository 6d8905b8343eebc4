#include "app/dev/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "ocf-dev-"

static const char *tmpdir(void)
{
  const char *d = getenv("TMPDIR");
  return d != NULL && d[0] == '/' && strlen(d) < PATH_MAX / 4 ? d : "/tmp";
}

/* The lock appears under its name only once it is held: nobody can find it free in between. */
static int make_lock(const char *dir)
{
  char tmp[PATH_MAX], path[PATH_MAX];
  (void)snprintf(tmp, sizeof(tmp), "%s/lock.new", dir);
  (void)snprintf(path, sizeof(path), "%s/lock", dir);
  int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && rename(tmp, path) == 0)
    return fd;
  (void)close(fd);
  return -1;
}

int ocf_dev_home_make(struct ocf_dev_home *h, bool keep, struct ocf_err *err)
{
  h->lock = -1;
  int n = snprintf(h->path, sizeof(h->path), "%s/" PREFIX "XXXXXX", tmpdir());
  OCF_ASSERT(n > 0 && (size_t)n < sizeof(h->path));
  if (mkdtemp(h->path) == NULL) {
    h->path[0] = '\0';
    return ocf_err_set(err, OCF_EIO, "set TMPDIR to a folder that can be written",
                       "no folder can be made in %s: %s", tmpdir(), strerror(errno));
  }
  if (keep)
    return 0;
  h->lock = make_lock(h->path);
  if (h->lock < 0)
    return ocf_err_set(err, OCF_EIO, NULL, "%s cannot be locked: %s", h->path, strerror(errno));
  return 0;
}

int ocf_dev_home_add(const struct ocf_dev_home *h, const char *name, char *dst, size_t cap,
                     struct ocf_err *err)
{
  int n = snprintf(dst, cap, "%s/%s", h->path, name);
  if (n < 0 || (size_t)n >= cap || mkdir(dst, 0700) != 0)
    return ocf_err_set(err, OCF_EIO, NULL, "%s cannot be made: %s", dst, strerror(errno));
  return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void)st;
  (void)type;
  (void)ftw;
  return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

static void remove_tree(const char *path)
{
  (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void ocf_dev_home_end(struct ocf_dev_home *h)
{
  if (h->path[0] == '\0' || h->lock < 0)
    return;
  remove_tree(h->path);
  (void)close(h->lock);
  h->lock = -1;
  h->path[0] = '\0';
}

/* Removes one folder when it is ours and its lock is free. */
static bool sweep_one(const char *dir, const char *name)
{
  char path[PATH_MAX];
  struct stat st;
  (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
  int at = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (at < 0)
    return false;
  int lock = openat(at, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  bool dead = lock >= 0 && fstat(at, &st) == 0 && st.st_uid == geteuid() &&
              flock(lock, LOCK_EX | LOCK_NB) == 0;
  if (dead)
    remove_tree(path);
  if (lock >= 0)
    (void)close(lock);
  (void)close(at);
  return dead;
}

size_t ocf_dev_home_sweep(void)
{
  DIR *d = opendir(tmpdir());
  size_t n = 0;
  for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
    if (strncmp(e->d_name, PREFIX, sizeof(PREFIX) - 1) == 0)
      n += sweep_one(tmpdir(), e->d_name);
  }
  if (d != NULL)
    (void)closedir(d);
  return n;
}
