/* Benchmarks only: how many connections a second two of our sides can bring up on one core.
 *
 *   bench_handshakes SECONDS
 *
 * Both sides are in this process and their bytes move through memory: multistream, Noise XX with
 * Ed25519 identities and early muxer choice, yamux; no socket. Prints one JSON object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "crypto/key/key.h"
#include "multi/peerid/peerid.h"
#include "p2p/conn/conn.h"
#include "p2p/noise/noise.h"

enum { WIRE_MAX = 16 * 1024, TURNS_MAX = 32 };

struct side {
  struct ocf_alloc alloc;
  struct ocf_rng rng;
  struct ocf_key key;
  struct ocf_noise_static noise;
  struct ocf_peerid id;
  struct ocf_conn_pool pool;
  struct ocf_conn_config cfg;
  struct ocf_conn *conn;
  uint8_t wire[WIRE_MAX]; /* bytes on their way to this side */
  size_t n_wire;
};

static uint64_t clock_ns(clockid_t which)
{
  struct timespec t;
  (void)clock_gettime(which, &t);
  return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void must(int err, const char *what)
{
  if (err == 0)
    return;
  (void)fprintf(stderr, "%s: %s\n", what, ocf_strerror(err));
  exit(1);
}

static void side_init(struct side *s, uint8_t seed)
{
  static const struct ocf_bytes protos[] = { { (const uint8_t *)"/bench/1", 8 } };
  const uint8_t secret[OCF_KEY_ED25519_SEED_LEN] = { seed };
  ocf_alloc_init(&s->alloc);
  ocf_rng_seed(&s->rng, seed);
  must(ocf_key_from_seed(&s->key, &s->alloc, secret), "key");
  must(ocf_noise_static_init(&s->noise, &s->alloc, &s->key, &s->rng), "noise key");
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&s->key)), &s->id);
  ocf_conn_pool_init(&s->pool, &s->alloc, 4);
  ocf_conn_config_init(&s->cfg);
  s->cfg.a = &s->alloc;
  s->cfg.rng = &s->rng;
  s->cfg.pool = &s->pool;
  s->cfg.noise = &s->noise;
  s->cfg.protos = protos;
  s->cfg.n_protos = 1;
}

static void side_fini(struct side *s)
{
  ocf_conn_pool_fini(&s->pool);
  ocf_noise_static_fini(&s->noise);
  ocf_key_fini(&s->key);
}

static void events(struct side *s, uint64_t now)
{
  struct ocf_conn_event ev;
  while (ocf_conn_event(s->conn, now, &ev))
    if (ev.type == OCF_CONN_DOWN)
      must(ev.err != 0 ? ev.err : OCF_EEOF, ev.why);
}

/* What arrived goes in; what there is to send goes on the other side's wire. */
static void turn(struct side *s, struct side *other, uint64_t now)
{
  struct ocf_bytes v;
  size_t cap;
  if (s->n_wire > 0) {
    uint8_t *space = ocf_conn_rx_space(s->conn, &cap);
    if (space == NULL || cap < s->n_wire)
      must(OCF_ENOMEM, "receive buffer");
    memcpy(space, s->wire, s->n_wire);
    ocf_conn_rx(s->conn, now, s->n_wire);
    s->n_wire = 0;
  }
  events(s, now);
  ocf_conn_flush(s->conn, now);
  while (ocf_conn_tx(s->conn, &v, 1) > 0) {
    if (v.n > WIRE_MAX - other->n_wire)
      must(OCF_ELIMIT, "wire");
    memcpy(other->wire + other->n_wire, v.p, v.n);
    other->n_wire += v.n;
    ocf_conn_tx_done(s->conn, now, v.n);
  }
}

static void handshake(struct side *d, struct side *l)
{
  uint64_t now = clock_ns(CLOCK_MONOTONIC);
  d->n_wire = l->n_wire = 0;
  must(ocf_conn_new(&d->cfg, now, OCF_CONN_DIALLER, &l->id, &d->conn), "dialler");
  must(ocf_conn_new(&l->cfg, now, OCF_CONN_LISTENER, NULL, &l->conn), "listener");
  int n = 0;
  while (n++ < TURNS_MAX && !(ocf_conn_is_up(d->conn) && ocf_conn_is_up(l->conn))) {
    turn(d, l, now);
    turn(l, d, now);
  }
  if (n > TURNS_MAX || !ocf_peerid_eq(ocf_conn_peer(l->conn), &d->id))
    must(OCF_EPROTO, "the connection did not come up");
  ocf_conn_free(d->conn);
  ocf_conn_free(l->conn);
}

int main(int argc, char **argv)
{
  static struct side dialler, listener;
  unsigned long seconds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
  if (seconds == 0) {
    (void)fprintf(stderr, "usage: bench_handshakes SECONDS\n");
    return 2;
  }
  side_init(&dialler, 1);
  side_init(&listener, 2);
  uint64_t begun = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), n = 0;
  while (clock_ns(CLOCK_MONOTONIC) - begun < seconds * 1000000000U) {
    handshake(&dialler, &listener);
    n++;
  }
  double wall_s = (double)(clock_ns(CLOCK_MONOTONIC) - begun) / 1e9;
  double cpu_us = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3;
  side_fini(&dialler);
  side_fini(&listener);
  printf("{\"per_s\":%.0f,\"cpu_us\":%.1f}\n", (double)n / wall_s, cpu_us / (double)n);
  return 0;
}
