/* Two libp2p connections, a dialler and a listener, talk to each other over plain memory: the whole
 * stack (multistream-select, Noise, yamux, streams) without a socket. Each of the two arrays below
 * stands where a program of yours has a TCP connection.
 *
 *   cc -std=c11 echo_pair.c $(pkg-config --cflags --libs ocf-p2p) -o echo_pair && ./echo_pair
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "base/time/time.h"
#include "crypto/key/key.h"
#include "multi/peerid/peerid.h"
#include "p2p/conn/conn.h"
#include "p2p/noise/noise.h"

enum { WIRE_MAX = 256 * 1024 };

static const struct ocf_bytes protos[] = { { (const uint8_t *)"/echo/1.0.0", 11 } };
static const char greeting[] = "hello over Noise and yamux";

struct node {
  const char *name;
  struct ocf_alloc alloc;
  struct ocf_rng rng;
  struct ocf_key key;
  struct ocf_noise_static noise;
  struct ocf_conn_pool pool;
  struct ocf_conn_config cfg;
  struct ocf_conn *conn;
  uint8_t wire[WIRE_MAX]; /* bytes on their way to this node */
  size_t n_wire, n_echoed;
};

static void must(int err, const char *what)
{
  if (err == 0)
    return;
  (void)fprintf(stderr, "%s: %s\n", what, ocf_strerror(err));
  exit(1);
}

/* A real program takes the seeds of key and generator from the system's random source. */
static void node_init(struct node *n, const char *name, uint8_t seed, enum ocf_conn_role role)
{
  const uint8_t secret[OCF_KEY_ED25519_SEED_LEN] = { seed };
  n->name = name;
  ocf_alloc_init(&n->alloc);
  ocf_rng_seed(&n->rng, seed);
  must(ocf_key_from_seed(&n->key, &n->alloc, secret), "key");
  must(ocf_noise_static_init(&n->noise, &n->alloc, &n->key, &n->rng), "noise key");
  ocf_conn_pool_init(&n->pool, &n->alloc, 1);
  ocf_conn_config_init(&n->cfg);
  n->cfg.a = &n->alloc;
  n->cfg.rng = &n->rng;
  n->cfg.pool = &n->pool;
  n->cfg.noise = &n->noise;
  n->cfg.protos = protos;
  n->cfg.n_protos = 1;
  must(ocf_conn_new(&n->cfg, 0, role, NULL, &n->conn), "connection");
}

static void node_fini(struct node *n)
{
  ocf_conn_free(n->conn);
  ocf_conn_pool_fini(&n->pool);
  ocf_noise_static_fini(&n->noise);
  ocf_key_fini(&n->key);
}

static void on_up(struct node *n, uint64_t now)
{
  char text[OCF_PEERID_TEXT_SIZE];
  printf("%s: connected to %s\n", n->name, ocf_peerid_text(ocf_conn_peer(n->conn), text));
  if (ocf_conn_role(n->conn) == OCF_CONN_LISTENER)
    return;
  struct ocf_stream *s;
  must(ocf_conn_open(n->conn, now, protos, 1, false, NULL, &s), "stream");
}

static void on_data(struct node *n, const struct ocf_conn_event *ev)
{
  if (ocf_stream_is_inbound(ev->stream)) {
    (void)ocf_stream_write(ev->stream, ev->data.p, ev->data.n); /* a short text fits any window */
  } else {
    printf("%s: got \"%.*s\" back\n", n->name, (int)ev->data.n, (const char *)ev->data.p);
    n->n_echoed += ev->data.n;
  }
  ocf_stream_consumed(ev->stream, ev->data.n);
}

static void on_event(struct node *n, uint64_t now, const struct ocf_conn_event *ev)
{
  switch (ev->type) {
  case OCF_CONN_UP: on_up(n, now); break;
  case OCF_CONN_STREAM_UP:
    (void)ocf_stream_write(ev->stream, greeting, sizeof(greeting) - 1);
    ocf_stream_fin(ev->stream);
    break;
  case OCF_CONN_DATA: on_data(n, ev); break;
  case OCF_CONN_FIN: ocf_stream_fin(ev->stream); break;
  case OCF_CONN_DOWN: (void)fprintf(stderr, "%s: down: %s\n", n->name, ev->why); exit(1);
  case OCF_CONN_STREAM_IN:
  case OCF_CONN_WRITABLE:
  case OCF_CONN_CAN_OPEN:
  case OCF_CONN_STREAM_GONE: break;
  }
}

static void events(struct node *n, uint64_t now)
{
  struct ocf_conn_event ev;
  while (ocf_conn_event(n->conn, now, &ev))
    on_event(n, now, &ev);
}

/* One turn: what arrived goes in, what happened comes out as events, what is to be sent is put on
 * the other node's wire. True when any byte moved. */
static bool turn(struct node *n, struct node *other, uint64_t now)
{
  size_t cap, n_in = 0, k;
  struct ocf_bytes v[4];
  bool moved = n->n_wire > 0;
  while (n_in < n->n_wire) {
    uint8_t *space = ocf_conn_rx_space(n->conn, &cap);
    if (space == NULL)
      must(OCF_ENOMEM, "receive");
    cap = OCF_MIN(cap, n->n_wire - n_in);
    memcpy(space, n->wire + n_in, cap);
    n_in += cap;
    ocf_conn_rx(n->conn, now, cap);
    events(n, now);
  }
  n->n_wire = 0;
  events(n, now);
  ocf_conn_flush(n->conn, now);
  while ((k = ocf_conn_tx(n->conn, v, 1)) > 0) {
    size_t room = OCF_MIN(v[0].n, WIRE_MAX - other->n_wire);
    if (room == 0)
      break;
    memcpy(other->wire + other->n_wire, v[0].p, room);
    other->n_wire += room;
    ocf_conn_tx_done(n->conn, now, room);
    moved = true;
  }
  return moved;
}

int main(void)
{
  static struct node a, b;
  uint64_t now = 0;
  node_init(&a, "dialler", 1, OCF_CONN_DIALLER);
  node_init(&b, "listener", 2, OCF_CONN_LISTENER);
  for (bool moved = true; moved; now += OCF_NS_PER_MS) {
    moved = turn(&a, &b, now);
    moved = turn(&b, &a, now) || moved;
  }
  bool whole = a.n_echoed == sizeof(greeting) - 1;
  printf("%s\n", whole ? "every byte came back" : "bytes are missing");
  node_fini(&a);
  node_fini(&b);
  return whole ? 0 : 1;
}
