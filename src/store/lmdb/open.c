/* Finding the newest whole state of a folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/lmdb/check.h"
#include "store/lmdb/lmdb_int.h"

enum { STATES_MAX = 3 };

/* What is there before LMDB looks. */
struct found {
  int fd;
  struct ocf_lmdb_checkpoint ckpt;
  struct ocf_lmdb_meta slots[2];
  bool has_ckpt, slot_ok[2];
  struct ocf_lmdb_meta states[STATES_MAX]; /* to be tried, newest first */
  size_t n_states;
};

static uint64_t clock_ns(void)
{
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void read_slots(struct found *f)
{
  size_t psize = (size_t)sysconf(_SC_PAGESIZE);
  f->slot_ok[0] = ocf_lmdb_read_meta(f->fd, 0, 0, &f->slots[0]);
  if (f->slot_ok[0])
    psize = ocf_lmdb_page_size(&f->slots[0]);
  else if (f->has_ckpt)
    psize = ocf_lmdb_page_size(&f->ckpt.meta);
  f->slot_ok[1] = ocf_lmdb_read_meta(f->fd, 1, psize, &f->slots[1]);
}

static void add_state(struct found *f, const struct ocf_lmdb_meta *m)
{
  size_t i = f->n_states++;
  for (; i > 0 && f->states[i - 1].txn < m->txn; i--)
    f->states[i] = f->states[i - 1];
  f->states[i] = *m;
}

/* In the boot of the checkpoint the kernel still has all that was written; after another one only
 * the checkpoint is known to be on the disk. Without a checkpoint nothing else is left to try. */
static void list_states(struct found *f, const char *boot)
{
  bool same_boot = boot[0] != '\0' && strcmp(f->ckpt.boot, boot) == 0;
  for (size_t i = 0; i < 2 && (!f->has_ckpt || same_boot); i++) {
    if (f->slot_ok[i])
      add_state(f, &f->slots[i]);
  }
  if (f->has_ckpt)
    add_state(f, &f->ckpt.meta);
}

/* Whether LMDB would choose this state by itself. */
static bool chosen(const struct found *f, const struct ocf_lmdb_meta *m)
{
  if (!f->slot_ok[0] || !f->slot_ok[1])
    return false;
  size_t newest = f->slots[0].txn < f->slots[1].txn ? 1 : 0;
  return memcmp(&f->slots[newest], m, sizeof(*m)) == 0;
}

static bool older_than_slots(const struct found *f, const struct ocf_lmdb_meta *m)
{
  return (f->slot_ok[0] && f->slots[0].txn > m->txn) || (f->slot_ok[1] && f->slots[1].txn > m->txn);
}

/* The first whole state becomes the store's. 0, OCF_EINVAL: there is none. */
static int try_states(struct ocf_lmdb *db, struct found *f, struct ocf_lmdb_report *rep,
                      struct ocf_lmdb_found *why, struct ocf_err *err)
{
  *why = (struct ocf_lmdb_found){ .why = f->n_states == 0 ? "no meta page is readable" : "" };
  for (size_t i = 0; i < f->n_states; i++) {
    const struct ocf_lmdb_meta *m = &f->states[i];
    struct ocf_lmdb_found found;
    int r = ocf_lmdb_check(f->fd, m, db->a, &found);
    if (r == OCF_ENOMEM)
      return ocf_err_set(err, r, NULL, "out of memory in the check of the store %s", db->path);
    if (r != 0) {
      *why = i == 0 ? found : *why;
      continue;
    }
    int e = chosen(f, m) ? 0 : ocf_lmdb_write_metas(f->fd, m);
    if (e != 0)
      return ocf_lmdb_os_error(err, e, "repair", db->path);
    rep->rows = found.rows;
    rep->went_back = i > 0 || older_than_slots(f, m);
    return 0;
  }
  return OCF_EINVAL;
}

static void note_back(const struct ocf_lmdb *db, struct ocf_lmdb_report *rep,
                      const struct ocf_lmdb_found *why)
{
  if (why->why[0] != '\0')
    (void)ocf_err_set(&rep->note, OCF_EIO, "nothing to do: the network has what is missing",
                      "the newest state of the store %s is damaged (page %zu: %s); an older one is "
                      "used",
                      db->path, why->page, why->why);
  else
    (void)ocf_err_set(&rep->note, OCF_EIO, "nothing to do: the network has what is missing",
                      "the system has been restarted; the store %s goes back to what was on the "
                      "disk",
                      db->path);
}

static int set_aside(struct ocf_lmdb *db, const struct ocf_lmdb_found *why,
                     struct ocf_lmdb_report *rep, struct ocf_err *err)
{
  char aside[OCF_LMDB_PATH_MAX];
  int r = ocf_lmdb_set_aside(db->path, aside, sizeof(aside), err);
  if (r != 0)
    return r;
  rep->set_aside = true;
  (void)ocf_err_set(&rep->note, OCF_EIO,
                    "check the disk; the network has the contents, the old files may be removed",
                    "the store %.100s was damaged (page %zu: %s), is now %.100s, and begins empty",
                    db->path, why->page, why->why, aside);
  (void)close(db->dir_fd);
  db->dir_fd = ocf_lmdb_open_dir(db->path, err);
  return db->dir_fd < 0 ? db->dir_fd : 0;
}

int ocf_lmdb_recover(struct ocf_lmdb *db, struct ocf_lmdb_report *rep, struct ocf_err *err)
{
  struct found f = { .n_states = 0 };
  struct ocf_lmdb_found why;
  struct stat st;
  uint64_t begun = clock_ns();
  (void)unlinkat(db->dir_fd, "lock.mdb", 0); /* nobody else has the store: no reader to be kept */
  f.fd = openat(db->dir_fd, "data.mdb", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (f.fd < 0 && errno != ENOENT && errno != ELOOP)
    return ocf_lmdb_os_error(err, errno, "open", db->path);
  f.has_ckpt = ocf_lmdb_checkpoint_read(db->dir_fd, &f.ckpt);
  rep->created = f.fd < 0;
  if (f.fd < 0 && !f.has_ckpt)
    return 0;
  if (f.fd >= 0 && fstat(f.fd, &st) == 0)
    rep->file_bytes = (uint64_t)st.st_size;
  read_slots(&f);
  list_states(&f, db->boot);
  int r = try_states(db, &f, rep, &why, err);
  if (f.fd >= 0)
    (void)close(f.fd);
  rep->check_ns = clock_ns() - begun;
  if (r == OCF_EINVAL) {
    rep->created = true;
    r = set_aside(db, &why, rep, err);
  } else if (r == 0 && rep->went_back) {
    note_back(db, rep, &why);
  }
  return r;
}
