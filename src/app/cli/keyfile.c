#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2 */
#endif
#include "app/cli/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str/fmt.h"
#include "crypto/hash/hash.h"

/* ---- where ---- */

static bool join(char path[OCF_KEYFILE_PATH_MAX], const char *dir, const char *tail)
{
  struct ocf_fmt f;
  ocf_fmt_init(&f, path, OCF_KEYFILE_PATH_MAX);
  ocf_fmt_str(&f, dir);
  ocf_fmt_str(&f, tail);
  return !f.cut;
}

static bool there(const char *path)
{
  struct stat st;
  return lstat(path, &st) == 0;
}

int ocf_keyfile_find(const struct ocf_conf *c, char path[OCF_KEYFILE_PATH_MAX], bool *exists,
                     struct ocf_err *err)
{
  static const char *const old[] = { "/.ocfcore/keys/id", "/.config/opentela/keys/id" };
  bool fits;
  *exists = true;
  if (c->key_file[0] != '\0') {
    fits = join(path, c->key_file, "");
    *exists = fits && there(path);
    return fits ? 0 : ocf_err_set(err, OCF_ELIMIT, NULL, "the path in key-file is too long");
  }
  if (join(path, c->config_dir, "/keys/id") && there(path))
    return 0;
  for (size_t i = 0; c->home[0] != '\0' && i < OCF_ARRAY_LEN(old); i++)
    if (join(path, c->home, old[i]) && there(path))
      return 0;
  *exists = false;
  fits = join(path, c->config_dir, "/keys/id");
  return fits ? 0 : ocf_err_set(err, OCF_ELIMIT, NULL, "the path in config-dir is too long");
}

/* ---- reading ---- */

static int check_file(const char *path, const struct stat *st, struct ocf_err *err)
{
  if (!S_ISREG(st->st_mode))
    return ocf_err_set(err, OCF_EINVAL, "name a file with --key-file",
                       "the key file %s is not a regular file", path);
  if ((st->st_mode & 077) != 0) {
    char cure[192];
    (void)snprintf(cure, sizeof(cure), "run: chmod 600 %.160s", path);
    return ocf_err_set(err, OCF_EPERM, cure,
                       "the key file %s may be used by others than its owner (mode %04o)", path,
                       (unsigned)st->st_mode & 07777);
  }
  return 0;
}

/* Reads up to `cap` bytes; the count, or -1 with errno. */
static ssize_t read_full(int fd, uint8_t *p, size_t cap)
{
  size_t n = 0;
  while (n < cap) {
    ssize_t got = read(fd, p + n, cap - n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    if (got == 0)
      break;
    n += (size_t)got;
  }
  return (ssize_t)n;
}

static int bad_content(const char *path, int code, struct ocf_err *err)
{
  static const char cure[] =
      "the file was left as it is; restore it from a copy, or name another with --key-file";
  const char *why = "it is not a libp2p private key (protobuf message PrivateKey)";
  if (code == OCF_ENOMEM)
    return ocf_err_set(err, code, NULL, "out of memory");
  if (code == OCF_EUNSUPP)
    why = "its key type is not Ed25519, RSA, ECDSA P-256 or secp256k1";
  else if (code == OCF_ELIMIT)
    why = "it is too large for a key, or an RSA key outside 2048 to 8192 bits";
  else if (code == OCF_EAUTH)
    why = "its public and private halves do not belong together";
  return ocf_err_set(err, OCF_EINVAL, cure, "the key file %s cannot be used: %s", path, why);
}

static int parse_content(const char *path, struct ocf_alloc *a, const uint8_t *p, size_t n,
                         struct ocf_key *key, struct ocf_err *err)
{
  if (n == 0)
    return ocf_err_set(err, OCF_EINVAL,
                       "delete it to have a new key made, or restore it from a copy",
                       "the key file %s is empty", path);
  if (n > OCF_KEY_PRIVATE_MAX)
    return bad_content(path, OCF_ELIMIT, err);
  int code = ocf_key_unmarshal_private(key, a, ocf_bytes(p, n));
  return code == 0 ? 0 : bad_content(path, code, err);
}

static int open_error(const char *path, struct ocf_err *err)
{
  int saved = errno;
  if (saved == ENOENT)
    return ocf_err_set(err, OCF_ENOENT, "make one with `ocf init`, or start the node once",
                       "there is no key file %s", path);
  return ocf_err_set(err, OCF_EIO, NULL, "the key file %s cannot be read: %s", path,
                     strerror(saved));
}

int ocf_keyfile_load(const char *path, struct ocf_alloc *a, struct ocf_key *key,
                     struct ocf_err *err)
{
  uint8_t content[OCF_KEY_PRIVATE_MAX + 1];
  struct stat st;
  /* Not blocking: a FIFO must not hold the start up. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return open_error(path, err);
  int code = fstat(fd, &st) != 0 ? open_error(path, err) : check_file(path, &st, err);
  if (code == 0) {
    ssize_t n = read_full(fd, content, sizeof(content));
    code = n < 0 ? open_error(path, err) : parse_content(path, a, content, (size_t)n, key, err);
    ocf_wipe(content, sizeof(content));
  }
  (void)close(fd); /* only read from */
  return code;
}

/* ---- making ---- */

static int io_error(struct ocf_err *err, const char *what, const char *path)
{
  return ocf_err_set(err, OCF_EIO, "check the directory's owner, mode and free space",
                     "cannot %s %s: %s", what, path, strerror(errno));
}

int ocf_keyfile_mkdirs(const char *dir, struct ocf_err *err)
{
  char path[OCF_KEYFILE_PATH_MAX];
  struct stat st;
  if (!join(path, dir, ""))
    return ocf_err_set(err, OCF_ELIMIT, NULL, "the path of a directory is too long");
  for (char *p = path + 1;; p++) {
    if (*p != '/' && *p != '\0')
      continue;
    char end = *p;
    *p = '\0';
    if (mkdir(path, 0700) != 0 && errno != EEXIST && stat(path, &st) != 0)
      return io_error(err, "make the directory", path);
    *p = end;
    if (end == '\0')
      break;
  }
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
    errno = ENOTDIR;
    return io_error(err, "use the directory", path);
  }
  return 0;
}

/* What stands before the last slash. False when it is too long. */
static bool dir_of(const char *path, char dir[OCF_KEYFILE_PATH_MAX])
{
  if (!join(dir, path, ""))
    return false;
  char *slash = strrchr(dir, '/');
  if (slash == NULL)
    return join(dir, ".", "");
  slash[slash == dir ? 1 : 0] = '\0';
  return true;
}

/* The directory of `path`, made where it is missing; refused when others could swap files in it. */
static int prepare_dir(const char *path, struct ocf_err *err)
{
  char dir[OCF_KEYFILE_PATH_MAX];
  struct stat st;
  if (!dir_of(path, dir))
    return ocf_err_set(err, OCF_ELIMIT, NULL, "the path of the key file is too long");
  int code = ocf_keyfile_mkdirs(dir, err);
  if (code != 0)
    return code;
  if (stat(dir, &st) != 0)
    return io_error(err, "use the directory", dir);
  if ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0) {
    char cure[192];
    (void)snprintf(cure, sizeof(cure), "run: chmod 700 %.160s", dir);
    return ocf_err_set(err, OCF_EPERM, cure,
                       "others may write to %s (mode %04o), where the key would go", dir,
                       (unsigned)st.st_mode & 07777);
  }
  return 0;
}

static bool write_full(int fd, const uint8_t *p, size_t n)
{
  while (n > 0) {
    ssize_t put = write(fd, p, n);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return false;
    p += put;
    n -= (size_t)put;
  }
  return true;
}

/* Gives the finished file its name without ever replacing one. 0 or -1 with errno. */
static int publish(const char *temp, const char *path)
{
  if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
  /* A file system without that: a hard link does not replace either. */
  return link(temp, path) == 0 ? unlink(temp) : -1;
}

static void sync_dir(const char *dir)
{
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  (void)fsync(fd); /* some file systems cannot; the file itself is safe already */
  (void)close(fd);
}

int ocf_keyfile_write_new(const char *path, struct ocf_bytes content, struct ocf_err *err)
{
  char dir[OCF_KEYFILE_PATH_MAX];
  if (!dir_of(path, dir))
    return ocf_err_set(err, OCF_ELIMIT, NULL, "the path %.200s... is too long", path);
  char temp[OCF_KEYFILE_PATH_MAX + 32];
  (void)snprintf(temp, sizeof(temp), "%s.new-%ld-XXXXXX", path, (long)getpid());
  int fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
  if (fd < 0)
    return io_error(err, "write to", dir);
  bool ok = fchmod(fd, 0600) == 0 && write_full(fd, content.p, content.n) && fsync(fd) == 0;
  int saved = errno;
  if (close(fd) != 0 && ok) {
    ok = false;
    saved = errno;
  }
  if (ok && publish(temp, path) == 0) {
    sync_dir(dir);
    return 0;
  }
  if (ok)
    saved = errno;
  (void)unlink(temp);
  errno = saved;
  if (saved == EEXIST)
    return ocf_err_set(err, OCF_EEXIST, NULL, "the file %s is there already", path);
  return io_error(err, "write", path);
}

int ocf_keyfile_create(const char *path, struct ocf_alloc *a, struct ocf_rng *rng,
                       struct ocf_key *key, struct ocf_err *err)
{
  struct ocf_key made;
  struct ocf_buf content;
  int code = prepare_dir(path, err);
  if (code != 0)
    return code;
  code = ocf_key_generate(&made, a, OCF_KEY_ED25519, rng);
  if (code != 0)
    return ocf_err_set(err, code, NULL, "a key cannot be made: %s", ocf_strerror(code));
  ocf_buf_init(&content, a, OCF_KEY_PRIVATE_MAX);
  code = ocf_buf_reserve(&content, ocf_key_marshal_size(&made));
  if (code == 0)
    code = ocf_key_marshal_private(&made, &content);
  if (code == 0)
    code = ocf_keyfile_write_new(path, ocf_buf_view(&content), err);
  else
    (void)ocf_err_set(err, code, NULL, "a key cannot be made: %s", ocf_strerror(code));
  if (content.n > 0)
    ocf_wipe(content.p, content.n);
  ocf_buf_fini(&content);
  if (code == 0)
    *key = made;
  else
    ocf_key_fini(&made);
  return code;
}

/* ---- both ---- */

/* The kernel's randomness, whatever may interrupt it. */
static void fill_secret(void *ctx, void *p, size_t n)
{
  uint8_t *at = p;
  (void)ctx;
  while (n > 0) {
    ssize_t got = getrandom(at, n, 0);
    if (got < 0 && errno == EINTR)
      continue;
    OCF_ASSERT(got > 0); /* a kernel without getrandom is not one that we run on */
    at += got;
    n -= (size_t)got;
  }
}

int ocf_keyfile_open(const struct ocf_conf *c, struct ocf_alloc *a, bool may_create,
                     struct ocf_key *key, char path[OCF_KEYFILE_PATH_MAX], bool *created,
                     struct ocf_err *err)
{
  struct ocf_rng rng;
  bool exists = false;
  *created = false;
  int code = ocf_keyfile_find(c, path, &exists, err);
  if (code != 0)
    return code;
  if (!exists && may_create) {
    ocf_rng_seed(&rng, 0);
    rng.fill = fill_secret;
    rng.ctx = NULL;
    code = ocf_keyfile_create(path, a, &rng, key, err);
    *created = code == 0;
    if (code != OCF_EEXIST)
      return code;
  }
  return ocf_keyfile_load(path, a, key, err);
}
