#include "store/lmdb/check.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ds/map.h"
#include "crdt/kv/kv.h"

enum { HEAD = sizeof(struct ocf_lmdb_page), NODE = sizeof(struct ocf_lmdb_node) };
/* Pages that the newest transaction numbered, freed again and never wrote: beyond the file's end.
 */
enum { UNWRITTEN_MAX = 1 << 18 };

enum kind { TREE_FREE, TREE_MAIN, TREE_ROWS };

struct checker {
  int fd;
  struct ocf_alloc *a;
  size_t page_size, n_pages; /* n_pages: one over the last number in use */
  uint64_t file_bytes;
  uint8_t *seen;                      /* a bit for each page */
  uint8_t *pages[OCF_LMDB_DEPTH_MAX]; /* the way down */
  uint8_t *value;                     /* of an overflow run */
  size_t value_cap;
  struct ocf_lmdb_found *found;
  struct ocf_lmdb_tree rows;
  bool has_rows;
};

/* One tree while it is walked. */
struct tree {
  enum kind kind;
  const struct ocf_lmdb_tree *want;
  size_t n_branch, n_leaf, n_overflow, n_entries;
};

/* Keys that a page may hold: from <= key < to; NULL: no bound. */
struct range {
  const struct ocf_bytes *from, *to;
};

struct node {
  struct ocf_lmdb_node head;
  struct ocf_bytes key;
  const uint8_t *data; /* of a leaf */
  size_t size;         /* of a leaf's value, wherever it is */
  size_t child;        /* of a branch */
  size_t end;          /* offset behind it, even */
};

static int bad(struct checker *c, size_t page, const char *why)
{
  c->found->why = why;
  c->found->page = page;
  return OCF_EINVAL;
}

static bool read_at(int fd, void *p, size_t n, uint64_t at)
{
  uint8_t *to = p;
  while (n > 0) {
    ssize_t r = pread(fd, to, n, (off_t)at);
    if (r <= 0)
      return false;
    to += r;
    n -= (size_t)r;
    at += (uint64_t)r;
  }
  return true;
}

uint64_t ocf_lmdb_tag(struct ocf_bytes key, struct ocf_bytes val)
{
  static const uint64_t seed[2] = { UINT64_C(0x6f63662e6b762e31), UINT64_C(0x9ae16a3b2f90404f) };
  uint64_t inner[2] = { ocf_siphash13(seed, key.p, key.n), val.n };
  return ocf_siphash13(inner, val.p, val.n);
}

/* ---- meta pages ---- */

static bool tree_ok(const struct ocf_lmdb_tree *t, size_t last_page)
{
  if (t->root == OCF_LMDB_NO_PAGE)
    return t->depth == 0 && t->n_entries == 0 && t->n_branch + t->n_leaf + t->n_overflow == 0;
  return t->depth > 0 && t->depth <= OCF_LMDB_DEPTH_MAX && t->root >= 2 && t->root <= last_page;
}

bool ocf_lmdb_meta_ok(const struct ocf_lmdb_meta *m)
{
  size_t psize = ocf_lmdb_page_size(m);
  return m->magic == OCF_LMDB_MAGIC && m->version == OCF_LMDB_DATA_VERSION && psize >= 512 &&
         psize <= OCF_LMDB_PAGE_MAX && (psize & (psize - 1)) == 0 && m->last_page >= 1 &&
         m->last_page < SIZE_MAX / OCF_LMDB_PAGE_MAX / 2 && m->txn < SIZE_MAX / 2 &&
         m->free.flags == OCF_LMDB_T_INTEGER_KEYS && m->main.flags == 0 &&
         tree_ok(&m->free, m->last_page) && tree_ok(&m->main, m->last_page);
}

/* Transactions take the two pages in turn: the id's parity is the slot. A new file has 0 in both.
 */
bool ocf_lmdb_read_meta(int fd, size_t slot, size_t page_size, struct ocf_lmdb_meta *out)
{
  struct ocf_lmdb_meta_page p;
  if (!read_at(fd, &p, sizeof(p), (uint64_t)slot * page_size))
    return false;
  *out = p.meta;
  return (p.head.flags & OCF_LMDB_P_META) != 0 && ocf_lmdb_meta_ok(&p.meta) &&
         ((p.meta.txn & 1) == slot || p.meta.txn == 0) &&
         (page_size == 0 || ocf_lmdb_page_size(&p.meta) == page_size);
}

/* ---- pages ---- */

/* Each page is reached once. */
static bool claim(struct checker *c, size_t page, size_t n)
{
  if (page < 2 || page >= c->n_pages || n > c->n_pages - page)
    return false;
  for (size_t i = page; i < page + n; i++) {
    if ((c->seen[i / 8] >> (i % 8) & 1) != 0)
      return false;
    c->seen[i / 8] |= (uint8_t)(1u << (i % 8));
  }
  return true;
}

static uint8_t *level_page(struct checker *c, size_t level)
{
  OCF_ASSERT(level < OCF_ARRAY_LEN(c->pages));
  if (c->pages[level] == NULL)
    c->pages[level] = ocf_alloc_get(c->a, c->page_size);
  return c->pages[level];
}

static int read_page(struct checker *c, size_t page, size_t level, uint16_t flags, uint8_t **out)
{
  struct ocf_lmdb_page head;
  uint8_t *p = level_page(c, level);
  if (p == NULL)
    return OCF_ENOMEM;
  if (!claim(c, page, 1))
    return bad(c, page, "a page is out of range or used twice");
  if (!read_at(c->fd, p, c->page_size, (uint64_t)page * c->page_size))
    return bad(c, page, "a page lies beyond the end of the file");
  memcpy(&head, p, HEAD);
  if (head.number != page || head.flags != flags)
    return bad(c, page, "a page is not what it should be");
  size_t lower = head.u.space.lower, upper = head.u.space.upper;
  if (lower < HEAD + 2 || lower % 2 != 0 || upper % 2 != 0 || lower > upper || upper > c->page_size)
    return bad(c, page, "a page's bounds are wrong");
  *out = p;
  return 0;
}

static size_t n_nodes(const uint8_t *p)
{
  struct ocf_lmdb_page head;
  memcpy(&head, p, HEAD);
  return ((size_t)head.u.space.lower - HEAD) / 2;
}

static size_t low32(const struct ocf_lmdb_node *n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return n->low[0] | (size_t)n->low[1] << 16;
#else
  return n->low[1] | (size_t)n->low[0] << 16;
#endif
}

static size_t child_of(const struct ocf_lmdb_node *n)
{
#if SIZE_MAX > UINT32_MAX
  return low32(n) | (size_t)n->flags << 32;
#else
  return low32(n);
#endif
}

/* Node `i` of a page; false when it leaves the page. */
static bool get_node(const struct checker *c, const uint8_t *p, size_t i, bool leaf,
                     struct node *out)
{
  uint16_t at;
  memcpy(&at, p + HEAD + 2 * i, 2);
  if (at % 2 != 0 || at > c->page_size - NODE)
    return false;
  memcpy(&out->head, p + at, NODE);
  size_t key_at = (size_t)at + NODE, len = out->head.key_len;
  size_t inside = 0;
  out->size = out->child = 0;
  if (leaf) {
    out->size = low32(&out->head);
    inside = (out->head.flags & OCF_LMDB_F_BIG) != 0 ? sizeof(size_t) : out->size;
  } else {
    out->child = child_of(&out->head);
  }
  if (len > c->page_size - key_at || inside > c->page_size - key_at - len)
    return false;
  out->key = ocf_bytes(p + key_at, len);
  out->data = p + key_at + len;
  out->end = (key_at + len + inside + 1) & ~(size_t)1;
  return true;
}

/* The nodes fill the page from `upper` to its end, without gap and without overlap. Distinct
 * beginnings, the first at `upper`, each ending at the beginning of another or at the end of the
 * page, and sizes that add up: then each ends where the next begins. */
static bool tiles(const struct checker *c, const uint8_t *p, bool leaf)
{
  uint8_t begins[OCF_LMDB_PAGE_MAX / 16] = { 0 };
  struct ocf_lmdb_page head;
  struct node n;
  size_t sum = 0, first = c->page_size;
  memcpy(&head, p, HEAD);
  for (size_t i = 0; i < n_nodes(p); i++) {
    uint16_t at;
    memcpy(&at, p + HEAD + 2 * i, 2);
    if (!get_node(c, p, i, leaf, &n) || (begins[at / 16] >> (at / 2 % 8) & 1) != 0)
      return false;
    begins[at / 16] |= (uint8_t)(1u << (at / 2 % 8));
    first = OCF_MIN(first, at);
    sum += n.end - at;
  }
  for (size_t i = 0; i < n_nodes(p); i++) {
    (void)get_node(c, p, i, leaf, &n);
    if (n.end != c->page_size && (begins[n.end / 16] >> (n.end / 2 % 8) & 1) == 0)
      return false;
  }
  return first == head.u.space.upper && sum == c->page_size - head.u.space.upper;
}

static int compare(enum kind kind, struct ocf_bytes a, struct ocf_bytes b)
{
  if (kind == TREE_FREE) {
    size_t x, y;
    memcpy(&x, a.p, sizeof(x));
    memcpy(&y, b.p, sizeof(y));
    return x < y ? -1 : x > y;
  }
  int r = memcmp(a.p, b.p, OCF_MIN(a.n, b.n));
  return r != 0 ? r : a.n < b.n ? -1 : a.n > b.n;
}

static bool key_ok(const struct tree *t, const struct ocf_bytes *prev, struct ocf_bytes key,
                   const struct range *in)
{
  size_t least = t->kind == TREE_FREE ? sizeof(size_t) : 1;
  size_t most = t->kind == TREE_FREE ? sizeof(size_t) : OCF_KV_KEY_MAX;
  return key.n >= least && key.n <= most && (prev == NULL || compare(t->kind, *prev, key) < 0) &&
         (in->from == NULL || compare(t->kind, *in->from, key) <= 0) &&
         (in->to == NULL || compare(t->kind, key, *in->to) < 0);
}

/* ---- values ---- */

static bool value_room(struct checker *c, size_t n)
{
  if (n <= c->value_cap)
    return true;
  size_t cap = OCF_MAX(n, 2 * c->value_cap);
  uint8_t *p = ocf_alloc_resize(c->a, c->value, c->value_cap, cap);
  if (p == NULL)
    return false;
  c->value = p;
  c->value_cap = cap;
  return true;
}

/* A value on a run of pages of its own, which may be longer than it needs. */
static int read_run(struct checker *c, struct tree *t, const struct node *n, struct ocf_bytes *out)
{
  struct ocf_lmdb_page head;
  size_t page, need = (HEAD - 1 + n->size) / c->page_size + 1;
  memcpy(&page, n->data, sizeof(page));
  if (page < 2 || page >= c->n_pages || !read_at(c->fd, &head, HEAD, (uint64_t)page * c->page_size))
    return bad(c, page, "a value's page is out of range");
  if (head.number != page || head.flags != OCF_LMDB_P_OVERFLOW || head.u.n_pages < need)
    return bad(c, page, "a value's page is not what it should be");
  if (!claim(c, page, head.u.n_pages))
    return bad(c, page, "a value's page is used twice");
  if (!value_room(c, n->size))
    return OCF_ENOMEM;
  if (!read_at(c->fd, c->value, n->size, (uint64_t)page * c->page_size + HEAD))
    return bad(c, page, "a value's page lies beyond the end of the file");
  t->n_overflow += head.u.n_pages;
  *out = ocf_bytes(c->value, n->size);
  return 0;
}

static int check_row(struct checker *c, const struct node *n, struct ocf_bytes val, size_t page)
{
  uint64_t tag;
  if (val.n < OCF_LMDB_TAG_LEN || val.n > OCF_KV_VALUE_MAX + OCF_LMDB_TAG_LEN)
    return bad(c, page, "a row's size is wrong");
  struct ocf_bytes body = ocf_bytes(val.p, val.n - OCF_LMDB_TAG_LEN);
  memcpy(&tag, val.p + body.n, sizeof(tag));
  if (tag != ocf_lmdb_tag(n->key, body))
    return bad(c, page, "a row does not match its checksum");
  return 0;
}

/* A count, then that many page numbers, falling; room behind them may be unused. */
static int check_free(struct checker *c, struct ocf_bytes val, size_t page)
{
  size_t count, before = SIZE_MAX;
  if (val.n < sizeof(size_t) || val.n % sizeof(size_t) != 0)
    return bad(c, page, "a list of free pages has a wrong size");
  memcpy(&count, val.p, sizeof(count));
  if (count > val.n / sizeof(size_t) - 1)
    return bad(c, page, "a list of free pages has a wrong size");
  for (size_t i = 1; i <= count; i++) {
    size_t free_page;
    memcpy(&free_page, val.p + i * sizeof(size_t), sizeof(size_t));
    if (free_page >= before || !claim(c, free_page, 1))
      return bad(c, page, "a list of free pages names a page in use");
    before = free_page;
  }
  c->found->free_pages += count;
  return 0;
}

static int check_table(struct checker *c, const struct node *n, size_t page)
{
  bool ours = ocf_bytes_eq(n->key, OCF_STR(OCF_LMDB_TABLE));
  if (!ours || n->head.flags != OCF_LMDB_F_TABLE || n->size != sizeof(c->rows) || c->has_rows)
    return bad(c, page, "the store is of another version");
  memcpy(&c->rows, n->data, sizeof(c->rows));
  c->has_rows = true;
  if (c->rows.flags != 0 || !tree_ok(&c->rows, c->n_pages - 1))
    return bad(c, page, "the table's root is wrong");
  return 0;
}

static int check_value(struct checker *c, struct tree *t, const struct node *n, size_t page)
{
  struct ocf_bytes val = ocf_bytes(n->data, n->size);
  size_t fits = (((c->page_size - HEAD) / 2) & ~(size_t)1) - 2; /* LMDB keeps two nodes a page */
  bool big = (n->head.flags & OCF_LMDB_F_BIG) != 0;
  if (t->kind == TREE_MAIN)
    return check_table(c, n, page);
  if ((n->head.flags & ~OCF_LMDB_F_BIG) != 0 || (!big && NODE + n->key.n + n->size > fits))
    return bad(c, page, "a row's flags are wrong");
  if (t->kind == TREE_ROWS && n->size > OCF_KV_VALUE_MAX + OCF_LMDB_TAG_LEN)
    return bad(c, page, "a row's size is wrong");
  int r = big ? read_run(c, t, n, &val) : 0;
  if (r != 0)
    return r;
  return t->kind == TREE_FREE ? check_free(c, val, page) : check_row(c, n, val, page);
}

/* ---- trees ---- */

static int check_leaf(struct checker *c, struct tree *t, size_t page, const uint8_t *p,
                      const struct range *in)
{
  struct node n, prev = { .size = 0 };
  t->n_leaf++;
  for (size_t i = 0; i < n_nodes(p); i++) {
    (void)get_node(c, p, i, true, &n);
    if (!key_ok(t, i > 0 ? &prev.key : NULL, n.key, in))
      return bad(c, page, "keys are out of order");
    int r = check_value(c, t, &n, page);
    if (r != 0)
      return r;
    t->n_entries++;
    prev = n;
  }
  return 0;
}

static int walk(struct checker *c, struct tree *t, size_t page, size_t level,
                const struct range *in);

/* The first key of a branch page is not looked at: LMDB does not either. */
static int check_branch(struct checker *c, struct tree *t, size_t page, const uint8_t *p,
                        size_t level, const struct range *in)
{
  size_t count = n_nodes(p);
  struct node n, next = { .size = 0 };
  t->n_branch++;
  if (count < 2 && t->kind != TREE_FREE)
    return bad(c, page, "a branch does not branch");
  (void)get_node(c, p, 0, false, &n);
  for (size_t i = 0; i < count; i++) {
    struct range sub = { i == 0 ? in->from : &n.key, in->to };
    if (i + 1 < count) {
      (void)get_node(c, p, i + 1, false, &next);
      if (!key_ok(t, i > 0 ? &n.key : NULL, next.key, in))
        return bad(c, page, "a branch's keys are out of order");
      sub.to = &next.key;
    }
    int r = walk(c, t, n.child, level + 1, &sub);
    if (r != 0)
      return r;
    n = next;
  }
  return 0;
}

static int walk(struct checker *c, struct tree *t, size_t page, size_t level,
                const struct range *in)
{
  uint8_t *p;
  bool leaf = level + 1 == t->want->depth;
  int r = read_page(c, page, level, leaf ? OCF_LMDB_P_LEAF : OCF_LMDB_P_BRANCH, &p);
  if (r != 0)
    return r;
  if (!tiles(c, p, leaf))
    return bad(c, page, "a page's entries overlap or leave it");
  return leaf ? check_leaf(c, t, page, p, in) : check_branch(c, t, page, p, level, in);
}

static int check_tree(struct checker *c, enum kind kind, const struct ocf_lmdb_tree *want,
                      struct tree *t)
{
  const struct range all = { NULL, NULL };
  *t = (struct tree){ .kind = kind, .want = want };
  int r = want->root == OCF_LMDB_NO_PAGE ? 0 : walk(c, t, want->root, 0, &all);
  if (r != 0)
    return r;
  if (t->n_branch != want->n_branch || t->n_leaf != want->n_leaf ||
      t->n_overflow != want->n_overflow || t->n_entries != want->n_entries)
    return bad(c, want->root, "a tree has more or fewer entries than it says");
  c->found->used_pages += t->n_branch + t->n_leaf + t->n_overflow;
  return 0;
}

static int check_all(struct checker *c, const struct ocf_lmdb_meta *m)
{
  struct tree t;
  c->found->used_pages = 2;
  int r = check_tree(c, TREE_MAIN, &m->main, &t);
  if (r == 0 && c->has_rows)
    r = check_tree(c, TREE_ROWS, &c->rows, &t);
  if (r == 0 && c->has_rows)
    c->found->rows = t.n_entries;
  return r != 0 ? r : check_tree(c, TREE_FREE, &m->free, &t);
}

int ocf_lmdb_check(int fd, const struct ocf_lmdb_meta *m, struct ocf_alloc *a,
                   struct ocf_lmdb_found *found)
{
  struct checker c = { .fd = fd, .a = a, .found = found };
  struct stat st;
  *found = (struct ocf_lmdb_found){ .why = "" };
  c.page_size = ocf_lmdb_page_size(m);
  c.n_pages = m->last_page + 1;
  if (fstat(fd, &st) != 0 || c.n_pages > (uint64_t)st.st_size / c.page_size + UNWRITTEN_MAX)
    return bad(&c, 0, "the file is too short");
  c.seen = ocf_alloc_zero(a, c.n_pages / 8 + 1);
  int r = c.seen != NULL ? check_all(&c, m) : OCF_ENOMEM;
  for (size_t i = 0; i < OCF_ARRAY_LEN(c.pages); i++)
    ocf_alloc_put(a, c.pages[i], c.page_size);
  ocf_alloc_put(a, c.value, c.value_cap);
  ocf_alloc_put(a, c.seen, c.n_pages / 8 + 1);
  return r;
}
