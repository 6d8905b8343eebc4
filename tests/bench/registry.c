/* Benchmarks only: a store full of records, and how fast the registry's cores are on one core.
 *
 *   bench_registry fill STORE RECORDS PEERS MODELS   makes a store (its parent must exist) that
 * holds a history of one chain bench_registry cores FOLDER SECONDS              prints one JSON
 * object; FOLDER is for stores
 *
 * A merge is what a node does with a block of bitswap: check its hash, merge its delta, store it,
 * one transaction for each block, as when blocks come one by one. A verification is a gossip
 * message from the bytes of its RPC to the event, the forwarding aside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "crdt/merkle/merkle.h"
#include "crypto/key/key.h"
#include "multi/peerid/peerid.h"
#include "p2p/gossipsub/gossipsub.h"
#include "store/lmdb/lmdb.h"

enum { VALUE_BYTES = 715, CHAIN = 2000, BATCH = 128, WIRE_MAX = 1 << 20 };

static struct ocf_alloc heap;
static uint64_t now = 1000 * OCF_NS_PER_S; /* of the cores: moved by hand */

static uint64_t clock_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * OCF_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void must(int err, const char *what)
{
  if (err == 0)
    return;
  (void)fprintf(stderr, "%s: %s\n", what, ocf_strerror(err));
  exit(1);
}

static double per_s(uint64_t n, uint64_t ns)
{
  return (double)n * 1e9 / (double)(ns > 0 ? ns : 1);
}

/* ---- records ---- */

static void peer_text(unsigned i, char text[OCF_PEERID_TEXT_SIZE])
{
  uint8_t seed[OCF_KEY_ED25519_SEED_LEN] = { (uint8_t)i, (uint8_t)(i >> 8), 7 };
  struct ocf_key key;
  struct ocf_peerid id;
  must(ocf_key_from_seed(&key, &heap, seed), "key");
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&key)), &id);
  (void)ocf_peerid_text(&id, text);
  ocf_key_fini(&key);
}

/* A worker with four GPUs and one model; the version fills it up to VALUE_BYTES. */
static struct ocf_bytes record(char buf[VALUE_BYTES + 1], const char *peer, unsigned model,
                               unsigned turn)
{
  static const char gpu[] = "{\"name\":\"NVIDIA GH200 120GB\",\"total_memory\":97871,"
                            "\"used_memory\":88012}";
  int n = snprintf(
      buf, VALUE_BYTES + 1,
      "{\"id\":\"%s\",\"role\":[\"worker\"],\"service\":[{\"name\":\"llm\",\"hardware\":{\"gpus\":"
      "[%s,%s,%s,%s]},\"status\":\"connected\",\"host\":\"localhost\",\"port\":\"8000\","
      "\"identity_group\":[\"model=bench/model-%03u\"]}],\"connected\":true,"
      "\"last_seen\":%u,\"version\":\"",
      peer, gpu, gpu, gpu, gpu, model, 1700000000 + turn);
  if (n < 0 || n > VALUE_BYTES - 2)
    must(OCF_ELIMIT, "record");
  memset(buf + n, 'x', (size_t)(VALUE_BYTES - 2 - n));
  memcpy(buf + VALUE_BYTES - 2, "\"}", 3);
  return ocf_bytes(buf, VALUE_BYTES);
}

/* ---- replicas ---- */

struct replica {
  struct ocf_rng rng;
  struct ocf_lmdb *db; /* NULL: in memory */
  struct ocf_kv *kv;
  struct ocf_merkle *m;
};

static void replica_open(struct replica *r, const char *path, uint64_t seed)
{
  struct ocf_merkle_config cfg;
  struct ocf_err err = { 0 };
  *r = (struct replica){ .db = NULL };
  ocf_rng_seed(&r->rng, seed);
  if (path == NULL) {
    must(ocf_kv_mem_open(&heap, 0, &r->kv), "store");
  } else {
    const struct ocf_lmdb_config db = { .path = path };
    must(ocf_lmdb_open(&db, &heap, &r->db, NULL, &err), err.msg);
    r->kv = ocf_lmdb_kv(r->db);
  }
  ocf_merkle_config_init(&cfg);
  cfg.a = &heap;
  cfg.rng = &r->rng;
  cfg.kv = r->kv;
  must(ocf_merkle_open(&cfg, now, &r->m), "replica");
}

static void replica_close(struct replica *r)
{
  struct ocf_err err = { 0 };
  ocf_merkle_free(r->m);
  if (r->db != NULL)
    must(ocf_lmdb_close(r->db, &err), err.msg);
  else
    ocf_kv_mem_close(r->kv);
}

/* Blocks of a chain, oldest first, and the announcement of its head. */
struct chain {
  struct {
    uint8_t *p;
    size_t n;
  } block[CHAIN];
  uint8_t cid[CHAIN][OCF_CID_BLOCK_SIZE];
  size_t n;
  uint8_t cast[1024];
  size_t cast_n;
};

static void keep(struct chain *c, struct replica *r, const struct ocf_merkle_effect *fx)
{
  struct ocf_bytes b;
  if (fx->type == OCF_MERKLE_BROADCAST && fx->payload.n <= sizeof(c->cast)) {
    memcpy(c->cast, fx->payload.p, fx->payload.n);
    c->cast_n = fx->payload.n;
  }
  if (fx->type != OCF_MERKLE_STORED || c->n == CHAIN)
    return;
  memcpy(c->cid[c->n], fx->cid, OCF_CID_BLOCK_SIZE);
  must(ocf_merkle_get_block(r->m, ocf_bytes(fx->cid + 2, OCF_CID_BLOCK_SIZE - 2), &b), "block");
  uint8_t *p = malloc(b.n);
  if (p == NULL)
    must(OCF_ENOMEM, "block");
  memcpy(p, b.p, b.n);
  c->block[c->n].p = p;
  c->block[c->n++].n = b.n;
}

/* The end of a turn. `c` NULL: nothing is kept. */
static void settle(struct replica *r, struct chain *c)
{
  struct ocf_merkle_event ev;
  struct ocf_merkle_effect fx;
  while (ocf_merkle_event(r->m, &ev))
    ;
  must(ocf_merkle_commit(r->m, now), "commit");
  while (ocf_merkle_effect(r->m, now, &fx)) {
    if (c == NULL)
      continue;
    keep(c, r, &fx);
  }
}

/* Writes n records over `peers` rows; a turn ends after each `turn` of them. */
static void write_records(struct replica *r, unsigned n, unsigned peers, unsigned models,
                          unsigned turn, struct chain *c)
{
  static char key[1 + OCF_PEERID_TEXT_SIZE], value[VALUE_BYTES + 1];
  unsigned written = 0;
  key[0] = '/';
  for (unsigned p = 0; p < peers; p++) {
    peer_text(p, key + 1);
    for (unsigned i = p; i < n; i += peers) {
      now += OCF_NS_PER_MS;
      must(ocf_merkle_put(r->m, now, ocf_bytes(key, strlen(key)),
                          record(value, key + 1, p % models, i)),
           "put");
      if (++written % turn == 0)
        settle(r, c);
    }
  }
  settle(r, c);
}

static double bench_puts(const char *path)
{
  struct replica r;
  replica_open(&r, path, 2);
  uint64_t begun = clock_ns();
  write_records(&r, CHAIN, CHAIN / 10, 100, 1, NULL);
  double rate = per_s(CHAIN, clock_ns() - begun);
  replica_close(&r);
  return rate;
}

/* The next blocks that are wanted, given at once; how many there were. */
static size_t give(struct replica *r, const struct chain *c, size_t *at)
{
  struct ocf_merkle_effect fx;
  uint8_t wanted[8][OCF_CID_BLOCK_SIZE];
  size_t n = 0;
  while (n < 8 && ocf_merkle_effect(r->m, now, &fx)) {
    if (fx.type == OCF_MERKLE_FETCH)
      memcpy(wanted[n++], fx.cid, OCF_CID_BLOCK_SIZE);
  }
  for (size_t i = 0; i < n; i++) {
    while (*at > 0 && memcmp(c->cid[*at - 1], wanted[i], OCF_CID_BLOCK_SIZE) != 0)
      --*at; /* the chain is asked for from its head on */
    if (*at == 0)
      must(OCF_ENOENT, "a block that is not of the chain");
    must(ocf_merkle_block(r->m, now, c->cid[*at - 1],
                          ocf_bytes(c->block[*at - 1].p, c->block[*at - 1].n)),
         "merge");
  }
  return n;
}

/* Merges the chain into an empty replica until all of it is complete; ns. */
static uint64_t merge_chain(const struct chain *c, const char *path, uint64_t seed)
{
  struct replica r;
  struct ocf_merkle_event ev;
  struct ocf_merkle_stats s;
  size_t at = c->n;
  replica_open(&r, path, seed);
  uint64_t begun = clock_ns();
  must(ocf_merkle_broadcast(r.m, now, ocf_bytes(c->cast, c->cast_n), ocf_bytes(NULL, 0)), "cast");
  do {
    while (give(&r, c, &at) > 0) {
      while (ocf_merkle_event(r.m, &ev))
        ;
      must(ocf_merkle_commit(r.m, now), "commit");
    }
    now += OCF_NS_PER_MS;
    must(ocf_merkle_tick(r.m, now), "tick");
    must(ocf_merkle_commit(r.m, now), "commit");
    ocf_merkle_stats(r.m, &s);
  } while (s.incomplete > 0 || s.fetches > 0);
  uint64_t ns = clock_ns() - begun;
  if (s.blocks != c->n)
    must(OCF_EIO, "not the whole chain was merged");
  replica_close(&r);
  return ns;
}

static double bench_merge(const struct chain *c, const char *folder, unsigned seconds)
{
  char path[OCF_LMDB_PATH_MAX];
  uint64_t ns = 0, n = 0;
  do {
    (void)snprintf(path, sizeof(path), "%s/merge%u", folder, (unsigned)n);
    ns += merge_chain(c, folder[0] == '\0' ? NULL : path, 10 + n);
    n++;
  } while (ns < seconds * OCF_NS_PER_S);
  return per_s(n * c->n, ns);
}

/* ---- gossip ---- */

struct side {
  struct ocf_rng rng;
  struct ocf_key key;
  struct ocf_peerid id;
  struct ocf_gossip *g;
  uint8_t *wire; /* what the other side has written to this one */
  size_t n_wire;
  uint64_t messages;
};

static const struct ocf_bytes topic = { (const uint8_t *)"ocf-crdt", 8 };

static void side_init(struct side *s, enum ocf_key_type type, uint64_t seed)
{
  struct ocf_gossip_config cfg;
  *s = (struct side){ .wire = malloc(WIRE_MAX) };
  if (s->wire == NULL)
    must(OCF_ENOMEM, "wire");
  ocf_rng_seed(&s->rng, seed);
  must(ocf_key_generate(&s->key, &heap, type, &s->rng), "key");
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&s->key)), &s->id);
  ocf_gossip_config_init(&cfg);
  cfg.alloc = &heap;
  cfg.rng = &s->rng;
  cfg.key = &s->key;
  cfg.wall_ns = 1700000000 * OCF_NS_PER_S;
  cfg.params.publish_burst = BATCH;
  must(ocf_gossip_new(&cfg, now, &s->g), "gossip");
  must(ocf_gossip_join(s->g, now, topic), "join");
}

static void side_fini(struct side *s)
{
  ocf_gossip_free(s->g);
  ocf_key_fini(&s->key);
  free(s->wire);
}

static void pump(struct side *s, struct side *to)
{
  struct ocf_bytes v[OCF_GOSSIP_IOV_MAX];
  size_t n;
  while ((n = ocf_gossip_tx(s->g, now, &to->id, v, OCF_ARRAY_LEN(v))) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
      if (v[i].n > WIRE_MAX - to->n_wire)
        must(OCF_ELIMIT, "wire");
      memcpy(to->wire + to->n_wire, v[i].p, v[i].n);
      to->n_wire += v[i].n;
      total += v[i].n;
    }
    ocf_gossip_tx_done(s->g, now, &to->id, total);
  }
}

static void side_settle(struct side *s, struct side *other)
{
  struct ocf_gossip_event ev;
  struct ocf_gossip_effect fx;
  bool any = true;
  while (any) {
    any = false;
    while (ocf_gossip_event(s->g, now, &ev)) {
      any = true;
      s->messages += ev.type == OCF_GOSSIP_MESSAGE;
    }
    while (ocf_gossip_effect(s->g, now, &fx)) {
      any = true;
      if (fx.type == OCF_GOSSIP_OPEN) {
        must(ocf_gossip_in(other->g, now, &s->id, s), "stream");
        ocf_gossip_opened(s->g, now, &other->id, 0, OCF_GOSSIP_V12);
      } else if (fx.type == OCF_GOSSIP_WRITE) {
        pump(s, other);
      } else if (fx.type == OCF_GOSSIP_VERIFY) {
        ocf_gossip_job_run(fx.job);
        ocf_gossip_job_done(s->g, now, fx.job);
      } else {
        must(OCF_EPROTO, "gossip");
      }
    }
  }
}

static void take(struct side *s, struct side *from)
{
  size_t n = s->n_wire;
  s->n_wire = 0;
  if (n > 0)
    ocf_gossip_rx(s->g, now, &from->id, from, ocf_bytes(s->wire, n));
  side_settle(s, from);
}

/* One side publishes, the other verifies; only the latter is timed. */
static double bench_verify(enum ocf_key_type type, unsigned seconds)
{
  static const uint8_t data[48] = { 1 }; /* about one announced head */
  struct side a, b;
  uint64_t ns = 0;
  side_init(&a, type, 1);
  side_init(&b, OCF_KEY_ED25519, 2);
  must(ocf_gossip_peer_up(a.g, now, &b.id, true, 0), "peer");
  must(ocf_gossip_peer_up(b.g, now, &a.id, false, 0), "peer");
  for (int i = 0; i < 4; i++) {
    side_settle(&a, &b);
    take(&b, &a);
    take(&a, &b);
  }
  while (ns < seconds * OCF_NS_PER_S) {
    now += OCF_NS_PER_S; /* the token bucket is full again */
    ocf_gossip_tick(a.g, now);
    ocf_gossip_tick(b.g, now);
    for (int i = 0; i < BATCH; i++)
      must(ocf_gossip_publish(a.g, now, topic, ocf_bytes(data, sizeof(data))), "publish");
    side_settle(&a, &b);
    uint64_t begun = clock_ns(), before = b.messages;
    take(&b, &a);
    ns += clock_ns() - begun;
    if (b.messages != before + BATCH)
      must(OCF_EIO, "messages were lost");
    take(&a, &b);
  }
  double rate = per_s(b.messages, ns);
  side_fini(&a);
  side_fini(&b);
  return rate;
}

/* ---- */

static int fill(char **argv)
{
  struct replica r;
  replica_open(&r, argv[0], 1);
  write_records(&r, (unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), 500,
                NULL);
  replica_close(&r);
  return 0;
}

static int cores(const char *folder, unsigned seconds)
{
  static struct chain chain;
  char path[OCF_LMDB_PATH_MAX];
  struct replica r;
  replica_open(&r, NULL, 1);
  write_records(&r, CHAIN, CHAIN / 10, 100, 1, &chain);
  replica_close(&r);
  (void)snprintf(path, sizeof(path), "%s/puts", folder);
  double puts = bench_puts(path);
  double mem = bench_merge(&chain, "", seconds), disk = bench_merge(&chain, folder, seconds);
  double ed = bench_verify(OCF_KEY_ED25519, seconds), rsa = bench_verify(OCF_KEY_RSA, seconds);
  printf("{\"merge_mem_s\":%.0f,\"merge_lmdb_s\":%.0f,\"put_lmdb_s\":%.0f,"
         "\"verify_ed25519_s\":%.0f,\"verify_rsa_s\":%.0f}\n",
         mem, disk, puts, ed, rsa);
  for (size_t i = 0; i < chain.n; i++)
    free(chain.block[i].p);
  return 0;
}

int main(int argc, char **argv)
{
  ocf_alloc_init(&heap);
  if (argc == 6 && strcmp(argv[1], "fill") == 0)
    return fill(argv + 2);
  if (argc == 4 && strcmp(argv[1], "cores") == 0 && atoi(argv[3]) > 0)
    return cores(argv[2], (unsigned)atoi(argv[3]));
  (void)fprintf(stderr,
                "usage: bench_registry fill STORE RECORDS PEERS MODELS | cores FOLDER SECONDS\n");
  return 2;
}
