/* The store in memory against an array: the bytes choose calls, the array says what must come of
 * them. Keys are few and close together, so that the tree turns in every way. */
#include <string.h>

#include "crdt/kv/kv.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { KEYS = 64 };

struct row {
  bool live;
  uint8_t n, fill;
};

static struct row now[KEYS], then[KEYS];

/* Keys in rising order: 0, 0 0, 1, 1 0, 2, … */
static struct ocf_bytes key_of(size_t i, uint8_t dst[2])
{
  dst[0] = (uint8_t)(i / 2);
  dst[1] = 0;
  return ocf_bytes(dst, 1 + i % 2);
}

static void check_value(const struct row *r, struct ocf_bytes v)
{
  OCF_ASSERT(r->live && v.n == r->n);
  for (size_t i = 0; i < v.n; i++)
    OCF_ASSERT(v.p[i] == r->fill);
}

static void check_seek(struct ocf_kv *kv, size_t from)
{
  uint8_t key[2];
  struct ocf_bytes k, v;
  int err = ocf_kv_seek(kv, key_of(from, key), &k, &v);
  while (from < KEYS && !now[from].live)
    from++;
  OCF_ASSERT(err == (from < KEYS ? 0 : OCF_ENOENT));
  if (err == 0) {
    OCF_ASSERT(ocf_bytes_eq(k, key_of(from, key)));
    check_value(&now[from], v);
  }
}

static void change(struct ocf_kv *kv, struct ocf_alloc *a, size_t i, struct row r, bool oom)
{
  uint8_t key[2], val[256];
  memset(val, r.fill, sizeof(val));
  a->fail_at = oom ? a->n_calls + 1 : 0;
  int err =
      r.live ? ocf_kv_put(kv, key_of(i, key), ocf_bytes(val, r.n)) : ocf_kv_del(kv, key_of(i, key));
  a->fail_at = 0;
  OCF_ASSERT(err == 0 || (r.live && (err == OCF_ELIMIT || (oom && err == OCF_ENOMEM))));
  if (err == 0)
    now[i] = r;
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops ops = { d, n };
  struct ocf_alloc a;
  struct ocf_kv *kv = NULL;
  ocf_alloc_init(&a);
  memset(now, 0, sizeof(now));
  memset(then, 0, sizeof(then));
  if (ocf_kv_mem_open(&a, 4096, &kv) != 0)
    return 0;
  while (ocf_ops_more(&ops)) {
    uint8_t what = ocf_ops_u8(&ops);
    size_t i = ocf_ops_u8(&ops) % KEYS;
    switch (what % 8) {
    case 0:
    case 1:
    case 2: {
      uint8_t len = ocf_ops_u8(&ops);
      change(kv, &a, i, (struct row){ true, len, what }, (what & 0x80) != 0);
      break;
    }
    case 3:
    case 4: change(kv, &a, i, (struct row){ false, 0, 0 }, (what & 0x80) != 0); break;
    case 5: check_seek(kv, i); break;
    case 6:
      OCF_ASSERT(ocf_kv_commit(kv) == 0);
      memcpy(then, now, sizeof(now));
      break;
    default:
      ocf_kv_abort(kv);
      memcpy(now, then, sizeof(now));
      break;
    }
    OCF_ASSERT(ocf_kv_bytes(kv) <= 4096);
  }
  for (size_t i = 0; i < KEYS; i++)
    check_seek(kv, i);
  ocf_kv_mem_close(kv);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
