/* Stores as a kill would leave them, to be damaged: files of a folder while the store was open.
 * Tests only. */
#ifndef OCF_STORE_LMDB_LMDB_IMAGE_H
#define OCF_STORE_LMDB_LMDB_IMAGE_H

#include "store/lmdb/lmdb_fixture.h"

enum { IMAGE_ROWS = 160 };
#define IMAGE_BOOT "boot one"

struct left {
  struct image data, ckpt;
};

static inline struct left img_load(const struct fixture *f)
{
  return (struct left){ fx_load(f, "data.mdb"), fx_load(f, "checkpoint") };
}

static inline void img_free(struct left *x)
{
  free(x->data.p);
  free(x->ckpt.p);
}

/* Puts the files in place of whatever is there. */
static inline void img_save(const struct fixture *f, const struct left *x)
{
  fx_save(f, "data.mdb", x->data.p, x->data.n);
  fx_save(f, "checkpoint", x->ckpt.p, x->ckpt.n);
}

/* Versions 1 to 3, with the checkpoint at 1; free pages, large values and a deep enough tree among
 * them. */
static inline struct left img_make(struct fixture *f)
{
  uint8_t key[32];
  struct ocf_lmdb *db = fx_open_as(f, IMAGE_BOOT, NULL);
  fx_write(db, 0, IMAGE_ROWS + 60, 9);
  for (uint32_t i = IMAGE_ROWS; i < IMAGE_ROWS + 60; i++)
    assert_int_equal(ocf_kv_del(ocf_lmdb_kv(db), fx_key(i, key)), 0);
  fx_write(db, 0, IMAGE_ROWS, 1);
  assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
  fx_write(db, 0, IMAGE_ROWS, 2);
  fx_write(db, 0, IMAGE_ROWS, 3);
  struct left x = img_load(f);
  fx_close(db);
  return x;
}

/* What is in the folder opens: as one of the versions, whole, or empty because the damaged one was
 * set aside. Returns the version, 0 when empty. Then it can be used. */
static inline uint32_t img_open(struct fixture *f, const char *boot, struct ocf_lmdb_report *rep)
{
  struct ocf_lmdb *db = fx_open_as(f, boot, rep);
  uint32_t v = 3;
  while (v > 0 && !fx_holds(db, IMAGE_ROWS, v))
    v--;
  if (v == 0 && !(fx_holds(db, 0, 0) && rep->set_aside && rep->note.code != 0))
    fail_msg("neither a version nor empty");
  fx_write(db, 0, IMAGE_ROWS, 4);
  assert_true(fx_holds(db, IMAGE_ROWS, 4));
  fx_close(db);
  return v;
}

#endif
