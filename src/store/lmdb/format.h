/* LMDB's file as far as we read and repair it ourselves: data version 1, as written by all LMDB
 * 0.9.x on this machine (sizes and byte order are the machine's). Facts from its lmdb.h and mdb.c.
 *
 *     page 0, page 1   two meta pages; the one with the larger transaction id counts
 *     page 2 ...       trees of branch and leaf pages, and runs of overflow pages
 *
 * Three trees: of free pages (keys: transaction ids; values: lists of page numbers), the main one
 * (here one entry: the name of our table and its root), and ours. */
#ifndef OCF_STORE_LMDB_FORMAT_H
#define OCF_STORE_LMDB_FORMAT_H

#include "base/core/core.h"

#define OCF_LMDB_TABLE "kv.1" /* changes with the meaning of its rows */
#define OCF_LMDB_MAGIC UINT32_C(0xBEEFC0DE)
#define OCF_LMDB_NO_PAGE SIZE_MAX
enum { OCF_LMDB_DATA_VERSION = 1, OCF_LMDB_PAGE_MAX = 32768, OCF_LMDB_DEPTH_MAX = 32 };
enum { OCF_LMDB_TAG_LEN = 8 };

enum ocf_lmdb_page_flag {
  OCF_LMDB_P_BRANCH = 0x01,
  OCF_LMDB_P_LEAF = 0x02,
  OCF_LMDB_P_OVERFLOW = 0x04,
  OCF_LMDB_P_META = 0x08,
};

enum ocf_lmdb_node_flag {
  OCF_LMDB_F_BIG = 0x01,   /* the value stands on overflow pages */
  OCF_LMDB_F_TABLE = 0x02, /* the value is a struct ocf_lmdb_tree */
};
enum { OCF_LMDB_T_INTEGER_KEYS = 0x08 };

struct ocf_lmdb_page {
  size_t number;
  uint16_t pad, flags;
  union {
    struct {
      uint16_t lower, upper; /* the free space between the node offsets and the nodes */
    } space;
    uint32_t n_pages; /* of an overflow run */
  } u;
};

struct ocf_lmdb_node {
  uint16_t low[2]; /* 32 bits in two halves: the value's size, or a child's page number */
  uint16_t flags;  /* of a branch: more bits of the page number */
  uint16_t key_len;
};

struct ocf_lmdb_tree {
  uint32_t pad; /* of the free tree: the page size */
  uint16_t flags, depth;
  size_t n_branch, n_leaf, n_overflow, n_entries;
  size_t root; /* OCF_LMDB_NO_PAGE: empty */
};

struct ocf_lmdb_meta {
  uint32_t magic, version;
  void *address;
  size_t map_bytes;
  struct ocf_lmdb_tree free, main;
  size_t last_page;
  size_t txn;
};

struct ocf_lmdb_meta_page {
  struct ocf_lmdb_page head;
  struct ocf_lmdb_meta meta;
};

/* The page size that a meta page states. */
static inline size_t ocf_lmdb_page_size(const struct ocf_lmdb_meta *m)
{
  return m->free.pad;
}

/* The checksum that stands behind each value of ours. */
uint64_t ocf_lmdb_tag(struct ocf_bytes key, struct ocf_bytes val);

#endif
