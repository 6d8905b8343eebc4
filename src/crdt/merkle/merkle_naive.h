/* The set and the heads by their definition, computed from all blocks at once: what replicas are
 * compared with. Tests only; include after merkle_harness.h. */
#ifndef OCF_CRDT_MERKLE_MERKLE_NAIVE_H
#define OCF_CRDT_MERKLE_MERKLE_NAIVE_H

#include "crdt/merkle/merkle_harness.h"

struct naive_delta {
  struct ocf_dagpb_node node;
  struct ocf_merkle_delta d;
};

static inline bool naive_read(const struct h_block *b, struct naive_delta *out)
{
  return ocf_dagpb_decode(ocf_bytes(b->p, b->n), &out->node) == 0 &&
         ocf_merkle_delta_parse(out->node.data, &out->d) == 0;
}

/* Without a leading slash. */
static inline struct ocf_bytes naive_name(struct ocf_bytes text)
{
  while (text.n > 0 && text.p[0] == '/')
    text = ocf_bytes(text.p + 1, text.n - 1);
  return text;
}

/* Whether a tombstone of (key, block) is anywhere. */
static inline bool naive_removed(const struct h_world *w, struct ocf_bytes key,
                                 const uint8_t id[ID])
{
  char text[64];
  ocf_merkle_tomb_id(id, text);
  struct ocf_bytes name = naive_name(ocf_bytes(text, strlen(text)));
  for (size_t i = 0; i < w->n; i++) {
    struct naive_delta nd;
    struct ocf_merkle_element e;
    if (!naive_read(&w->b[i], &nd))
      continue;
    struct ocf_merkle_delta_iter it = ocf_merkle_delta_iter(&nd.d, OCF_MERKLE_TOMBSTONES);
    while (ocf_merkle_delta_next(&it, &e))
      if (ocf_bytes_eq(naive_name(e.key), key) && ocf_bytes_eq(naive_name(e.id), name))
        return true;
  }
  return false;
}

static inline bool naive_greater(struct ocf_bytes a, struct ocf_bytes b)
{
  size_t n = OCF_MIN(a.n, b.n);
  int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
  return c > 0 || (c == 0 && a.n > b.n);
}

/* The value of a key: highest priority, then greatest bytes, of the elements that no tombstone
 * names. n 0: none. */
static inline struct ocf_bytes naive_value(const struct h_world *w, const char *key)
{
  struct ocf_bytes best = { NULL, 0 }, k = naive_name(ocf_bytes(key, strlen(key)));
  uint64_t at = 0;
  for (size_t i = 0; i < w->n; i++) {
    struct naive_delta nd;
    struct ocf_merkle_element e;
    if (!naive_read(&w->b[i], &nd))
      continue;
    struct ocf_merkle_delta_iter it = ocf_merkle_delta_iter(&nd.d, OCF_MERKLE_ELEMENTS);
    while (ocf_merkle_delta_next(&it, &e)) {
      bool better = best.n == 0 || nd.d.priority > at ||
                    (nd.d.priority == at && naive_greater(e.value, best));
      if (better && ocf_bytes_eq(naive_name(e.key), k) && !naive_removed(w, k, w->b[i].id)) {
        best = e.value;
        at = nd.d.priority;
      }
    }
  }
  return best;
}

/* Whether `b` links `child` (NULL: anything that is not complete). */
static inline bool naive_links(const struct h_world *w, const struct h_block *b,
                               const uint8_t *child, const bool *complete)
{
  struct naive_delta nd;
  struct ocf_dagpb_link link;
  if (!naive_read(b, &nd))
    return child == NULL;
  struct ocf_dagpb_iter it = ocf_dagpb_iter(&nd.node);
  while (ocf_dagpb_next(&it, &link)) {
    const struct h_block *to = h_find(w, link.cid.hash.digest.p);
    if (child != NULL ? memcmp(link.cid.hash.digest.p, child, ID) == 0
                      : to == NULL || !complete[to - w->b])
      return true;
  }
  return false;
}

/* Complete blocks that no complete block links. */
static inline size_t naive_heads(const struct h_world *w, const struct h_block **out, size_t cap)
{
  bool *complete = calloc(w->n + 1, sizeof(*complete));
  size_t n = 0;
  assert_non_null(complete);
  for (bool more = true; more;) {
    more = false;
    for (size_t i = 0; i < w->n; i++)
      if (!complete[i] && !naive_links(w, &w->b[i], NULL, complete))
        complete[i] = more = true;
  }
  for (size_t i = 0; i < w->n; i++) {
    bool linked = !complete[i];
    for (size_t j = 0; j < w->n && !linked; j++)
      linked = complete[j] && naive_links(w, &w->b[j], w->b[i].id, complete);
    if (!linked) {
      assert_true(n < cap);
      out[n++] = &w->b[i];
    }
  }
  free(complete);
  return n;
}

/* Adds what the replica stores to the world. */
static inline void naive_copy_blocks(struct h_world *w, struct h_node *h)
{
  struct ocf_bytes k, v;
  uint8_t at[ID + 2] = { 'b' };
  for (size_t n = 1; ocf_kv_seek(h->kv, ocf_bytes(at, n), &k, &v) == 0 && k.p[0] == 'b';) {
    if (h_find(w, k.p + 1) == NULL)
      (void)h_add_block(w, v);
    memcpy(at, k.p, k.n);
    at[k.n] = 0;
    n = k.n + 1;
  }
}

/* The replica stores exactly the blocks of the world: its heads and values must be as defined. */
static inline void naive_check(struct h_node *h, const struct h_world *w, const char *const *keys,
                               size_t n_keys)
{
  const struct h_block *heads[256];
  size_t n = naive_heads(w, heads, OCF_ARRAY_LEN(heads));
  h_expect_heads(h, heads, n);
  for (size_t i = 0; i < n_keys; i++) {
    struct ocf_bytes want = naive_value(w, keys[i]), got = { NULL, 0 };
    int err = ocf_merkle_get(h->m, ocf_bytes(keys[i], strlen(keys[i])), &got, NULL);
    assert_int_equal(err, want.n == 0 ? OCF_ENOENT : 0);
    assert_true(ocf_bytes_eq(got, want));
  }
}

#endif
