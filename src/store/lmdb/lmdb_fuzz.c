/* LMDB recovery: any change to the bytes of a store's files. Oracle: opening never crashes or
 * hangs, and gives one of the committed versions, whole, or an empty store with the damaged one set
 * aside; then it can be used.
 *
 * Input, at most 64 edits: a byte of kind, three of place (modulo the file's size), one of value.
 * Kinds: xor a byte, add to a word, zero or copy a page, cut the file, all of these in the
 * checkpoint or after another boot. */
#define _GNU_SOURCE
#include "store/lmdb/lmdb_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { EDIT = 5, EDITS_MAX = 64, PAGE = 4096 };

static struct fixture fx;
static struct left whole;

static void at_exit(void)
{
  img_free(&whole);
  fx_remove(fx.dir);
}

static void begin(void)
{
  if (whole.data.p != NULL)
    return;
  fx_begin(&fx);
  whole = img_make(&fx);
  (void)atexit(at_exit);
}

static void edit_pages(struct image *m, size_t at, uint8_t value)
{
  size_t n_pages = m->n / PAGE, page = n_pages > 0 ? at % n_pages : 0;
  if (n_pages == 0)
    return;
  if (value % 2 == 0)
    memset(m->p + page * PAGE, 0, PAGE);
  else
    memmove(m->p + page * PAGE, m->p + value / 2 % n_pages * PAGE, PAGE);
}

static void edit(struct left *x, const uint8_t *d, const char **boot)
{
  struct image *m = (d[0] & 0x80) != 0 ? &x->ckpt : &x->data;
  size_t at = (size_t)d[1] | (size_t)d[2] << 8 | (size_t)d[3] << 16;
  *boot = (d[0] & 0x40) != 0 ? "boot two" : *boot;
  if (m->n == 0)
    return;
  switch (d[0] % 8) {
  case 0: edit_pages(m, at, d[4]); break;
  case 1: m->n = at % m->n; break;
  case 2: /* a word: offsets and sizes */
    if (m->n >= 2)
      m->p[at % (m->n - 1)] = (uint8_t)(m->p[at % (m->n - 1)] + d[4]);
    break;
  case 3: m->p[at % OCF_MIN(m->n, (size_t)2 * PAGE)] ^= d[4]; break; /* the meta pages */
  case 4:
    m->p[at % m->n / PAGE * PAGE + d[4] % 32 % (m->n - at % m->n / PAGE * PAGE)] ^= d[1];
    break; /* a page's head and its first offsets */
  default: m->p[at % m->n] ^= d[4]; break;
  }
}

static struct image copy(const struct image *m)
{
  struct image c = { malloc(m->n + 1), m->n };
  assert_non_null(c.p);
  memcpy(c.p, m->p, m->n);
  return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_lmdb_report rep;
  const char *boot = IMAGE_BOOT;
  begin();
  struct left x = { copy(&whole.data), copy(&whole.ckpt) };
  for (size_t i = 0; i < OCF_MIN(n / EDIT, (size_t)EDITS_MAX); i++)
    edit(&x, d + i * EDIT, &boot);
  img_save(&fx, &x);
  (void)img_open(&fx, boot, &rep);
  if (fx.alloc.live_blocks != 0)
    abort();
  img_free(&x);
  return 0;
}
