/* The file `checkpoint`, the boot's id, and the meta pages of the data file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ds/map.h"
#include "store/lmdb/check.h"
#include "store/lmdb/lmdb_int.h"

#define MAGIC "ocf.checkpoint.1"
enum {
  SLOT_BYTES = 4096
}; /* each record in a block of its own, so that one cannot tear the other */
static const char file_name[] = "checkpoint";

struct record {
  char magic[16];
  struct ocf_lmdb_checkpoint c;
  uint64_t tag;
};

static uint64_t tag_of(const struct record *r)
{
  static const uint64_t seed[2] = { 0x6368656b, 0x706f696e };
  return ocf_siphash13(seed, r, offsetof(struct record, tag));
}

void ocf_lmdb_boot_id(char out[OCF_LMDB_BOOT_LEN])
{
  memset(out, 0, OCF_LMDB_BOOT_LEN);
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  if (read(fd, out, OCF_LMDB_BOOT_LEN - 1) < 0)
    out[0] = '\0';
  out[strcspn(out, "\n")] = '\0';
  (void)close(fd);
}

static bool read_slot(int fd, size_t slot, struct record *r)
{
  return pread(fd, r, sizeof(*r), (off_t)(slot * SLOT_BYTES)) == (ssize_t)sizeof(*r) &&
         memcmp(r->magic, MAGIC, sizeof(r->magic)) == 0 && r->tag == tag_of(r) &&
         ocf_lmdb_meta_ok(&r->c.meta);
}

bool ocf_lmdb_checkpoint_read(int dir_fd, struct ocf_lmdb_checkpoint *out)
{
  struct record r;
  bool any = false;
  int fd = openat(dir_fd, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return false;
  for (size_t i = 0; i < 2; i++) {
    if (!read_slot(fd, i, &r) || (any && r.c.seq < out->seq))
      continue;
    *out = r.c;
    any = true;
  }
  (void)close(fd);
  return any;
}

static int write_all(int fd, const void *p, size_t n, off_t at)
{
  ssize_t r = pwrite(fd, p, n, at);
  return r == (ssize_t)n ? 0 : r < 0 ? errno : ENOSPC;
}

/* Room for both records, once. */
static int make_room(int dir_fd, int fd)
{
  static const uint8_t zeros[2 * SLOT_BYTES];
  struct stat st;
  if (fstat(fd, &st) != 0)
    return errno;
  if (st.st_size >= (off_t)sizeof(zeros))
    return 0;
  int e = write_all(fd, zeros, sizeof(zeros), 0);
  return e == 0 && fsync(dir_fd) != 0 ? errno : e;
}

int ocf_lmdb_checkpoint_write(int dir_fd, int data_fd, const struct ocf_lmdb_checkpoint *c)
{
  struct record r;
  memset(&r, 0, sizeof(r)); /* its padding is under the tag */
  memcpy(r.magic, MAGIC, sizeof(r.magic));
  memcpy(&r.c, c, sizeof(r.c));
  r.tag = tag_of(&r);
  if (fdatasync(data_fd) != 0)
    return errno;
  int fd = openat(dir_fd, file_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return errno;
  int e = make_room(dir_fd, fd);
  e = e != 0 ? e : write_all(fd, &r, sizeof(r), (off_t)(c->seq % 2 * SLOT_BYTES));
  if (e == 0 && fdatasync(fd) != 0)
    e = errno;
  (void)close(fd); /* all that matters has been awaited */
  return e;
}

/* The page with the transaction's parity gets it; the other one the same state under an older id,
 * so that LMDB finds two good pages and chooses this one. */
int ocf_lmdb_write_metas(int data_fd, const struct ocf_lmdb_meta *m)
{
  size_t psize = ocf_lmdb_page_size(m);
  for (size_t i = 0; i < 2; i++) {
    struct ocf_lmdb_meta_page p = { .head = { .number = i, .flags = OCF_LMDB_P_META }, .meta = *m };
    if (i != (m->txn & 1) && m->txn > 0)
      p.meta.txn--;
    int e = write_all(data_fd, &p, sizeof(p), (off_t)(i * psize));
    if (e != 0)
      return e;
  }
  return fdatasync(data_fd) == 0 ? 0 : errno;
}
