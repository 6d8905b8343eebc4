/* Names, rights, the lock, and where damaged stores go. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "store/lmdb/lmdb_int.h"

#define ASIDE ".corrupt-"
enum { SUFFIX_MAX = 32 };

int ocf_lmdb_os_error(struct ocf_err *err, int e, const char *what, const char *path)
{
  switch (e) {
  case EACCES:
  case EPERM:
  case EROFS:
    return ocf_err_set(err, OCF_EPERM, "let the user that runs ocf own and write that folder",
                       "cannot %s %s: %s", what, path, strerror(e));
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
    return ocf_err_set(err, OCF_ELIMIT, "make room on that disk", "cannot %s %s: %s", what, path,
                       strerror(e));
  case ENOMEM:
    return ocf_err_set(err, OCF_ENOMEM, "raise the limit of address space (ulimit -v)",
                       "cannot %s %s: %s", what, path, strerror(e));
  default:
    return ocf_err_set(err, OCF_EIO, "check the disk and its file system", "cannot %s %s: %s", what,
                       path, strerror(e));
  }
}

int ocf_lmdb_check_path(const char *path, struct ocf_err *err)
{
  size_t n = strlen(path);
  if (n == 0 || n + SUFFIX_MAX >= OCF_LMDB_PATH_MAX || path[n - 1] == '/')
    return ocf_err_set(err, OCF_EINVAL, "name a folder, without a slash at the end",
                       "\"%s\" cannot be a store's folder", path);
  return 0;
}

/* Says in the lock who has it; of use to people only. */
static void write_pid(int fd)
{
  char text[24];
  int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
  if (ftruncate(fd, 0) == 0)
    (void)!pwrite(fd, text, (size_t)n, 0);
}

static int lock_taken(int fd, const char *path, struct ocf_err *err)
{
  char text[24] = { 0 };
  long pid = pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
  if (pid > 0)
    return ocf_err_set(err, OCF_EINUSE, "stop that process, or give this one another data folder",
                       "the store %s is in use by process %ld", path, pid);
  return ocf_err_set(err, OCF_EINUSE, "stop that process, or give this one another data folder",
                     "the store %s is in use by another process", path);
}

int ocf_lmdb_lock(const char *path, struct ocf_err *err)
{
  char name[OCF_LMDB_PATH_MAX];
  (void)snprintf(name, sizeof(name), "%s.lock", path);
  int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return ocf_lmdb_os_error(err, errno, "open", name);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    write_pid(fd);
    return fd;
  }
  int r = errno == EWOULDBLOCK ? lock_taken(fd, path, err)
                               : ocf_lmdb_os_error(err, errno, "lock", name);
  (void)close(fd);
  return r;
}

int ocf_lmdb_open_dir(const char *path, struct ocf_err *err)
{
  struct stat st;
  if (mkdir(path, 0700) != 0 && errno != EEXIST)
    return ocf_lmdb_os_error(err, errno, "make", path);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return ocf_lmdb_os_error(err, errno, "open", path);
  bool ok = fstat(fd, &st) == 0 && ((st.st_mode & 077) == 0 || fchmod(fd, 0700) == 0);
  int e = errno;
  if (ok && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0)
    return fd;
  e = ok ? errno : e;
  (void)close(fd);
  return ocf_lmdb_os_error(err, e, "use", path);
}

/* ---- removing ---- */

static int remove_folder(const char *path)
{
  char name[OCF_LMDB_PATH_MAX + 256];
  DIR *d = opendir(path);
  if (d == NULL)
    return errno == ENOENT ? 0 : errno;
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    int n = snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && n > 0 &&
        (size_t)n < sizeof(name))
      (void)unlink(name); /* what stays shows in the rmdir */
  }
  (void)closedir(d);
  return rmdir(path) == 0 ? 0 : errno;
}

int ocf_lmdb_remove_files(const char *path, struct ocf_err *err)
{
  int e = remove_folder(path);
  return e == 0 ? 0 : ocf_lmdb_os_error(err, e, "remove", path);
}

int ocf_lmdb_remove(const char *path, struct ocf_err *err)
{
  struct stat st;
  int r = ocf_lmdb_check_path(path, err);
  if (r != 0)
    return r;
  if (lstat(path, &st) != 0 && errno == ENOENT)
    return 0;
  int fd = ocf_lmdb_lock(path, err);
  if (fd < 0)
    return fd;
  r = ocf_lmdb_remove_files(path, err);
  (void)close(fd); /* the lock's file stays: to remove it would race with its next taker */
  return r;
}

/* ---- setting aside ---- */

/* The time in "<base>.corrupt-<time>"; 0: another name. */
static uint64_t aside_time(const char *name, const char *base)
{
  size_t n = strlen(base);
  if (strncmp(name, base, n) != 0 || strncmp(name + n, ASIDE, strlen(ASIDE)) != 0)
    return 0;
  char *end;
  const char *digits = name + n + strlen(ASIDE);
  uint64_t t = strtoull(digits, &end, 10);
  return end != digits && *end == '\0' ? t : 0;
}

/* The oldest one when there are more than may be; 0: no more than that. */
static uint64_t one_too_many(const char *parent, const char *base)
{
  uint64_t oldest = UINT64_MAX;
  size_t n = 0;
  DIR *d = opendir(parent);
  if (d == NULL)
    return 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    uint64_t t = aside_time(e->d_name, base);
    n += t > 0 ? 1 : 0;
    if (t > 0)
      oldest = OCF_MIN(oldest, t);
  }
  (void)closedir(d);
  return n > OCF_LMDB_ASIDE_MAX ? oldest : 0;
}

static void trim_aside(const char *path)
{
  char a[OCF_LMDB_PATH_MAX], b[OCF_LMDB_PATH_MAX], name[OCF_LMDB_PATH_MAX];
  (void)snprintf(a, sizeof(a), "%s", path);
  (void)snprintf(b, sizeof(b), "%s", path);
  const char *parent = dirname(a), *base = basename(b);
  for (uint64_t t; (t = one_too_many(parent, base)) != 0;) {
    (void)snprintf(name, sizeof(name), "%s" ASIDE "%llu", path, (unsigned long long)t);
    if (remove_folder(name) != 0)
      return;
  }
}

int ocf_lmdb_set_aside(const char *path, char *aside, size_t cap, struct ocf_err *err)
{
  struct stat st;
  uint64_t t = (uint64_t)time(NULL);
  do
    (void)snprintf(aside, cap, "%s" ASIDE "%llu", path, (unsigned long long)t++);
  while (lstat(aside, &st) == 0);
  if (rename(path, aside) != 0)
    return ocf_lmdb_os_error(err, errno, "set aside", path);
  trim_aside(path);
  return 0;
}

bool ocf_lmdb_is_full(int fd, uint64_t size)
{
  struct statvfs v;
  struct rlimit rl;
  if (fstatvfs(fd, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < (uint64_t)4 << 20)
    return true;
  return getrlimit(RLIMIT_FSIZE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY &&
         size + ((uint64_t)4 << 20) > rl.rlim_cur;
}

/* LMDB does not say where its map is; the kernel does: "<from>-<to> <rights> <offset> <device>
 * <inode> <path>", numbers in hex but the inode's. */
void *ocf_lmdb_find_map(int fd)
{
  struct stat st;
  char line[OCF_LMDB_PATH_MAX + 128];
  void *found = NULL;
  FILE *f = fopen("/proc/self/maps", "re");
  if (f == NULL || fstat(fd, &st) != 0) {
    if (f != NULL)
      (void)fclose(f);
    return NULL;
  }
  while (found == NULL && fgets(line, sizeof(line), f) != NULL) {
    unsigned long from, offset, inode;
    int n = sscanf(line, "%lx-%*x %*s %lx %*s %lu", &from, &offset, &inode);
    if (n == 3 && offset == 0 && inode == st.st_ino && strstr(line, "/data.mdb") != NULL)
      found = (void *)(uintptr_t)from;
  }
  (void)fclose(f);
  return found;
}
