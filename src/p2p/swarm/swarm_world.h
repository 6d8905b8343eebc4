/* Tests only: swarms on a virtual network with virtual time. Bytes arrive one latency after they
 * were sent. Included once per test program. */
#ifndef OCF_P2P_SWARM_SWARM_WORLD_H
#define OCF_P2P_SWARM_SWARM_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/key/key.h"
#include "p2p/noise/noise.h"
#include "p2p/swarm/swarm.h"

enum { W_NODES = 64, W_SOCKS = 2048, W_LOG = 512, W_STREAMS = 256 };

struct world;

struct wnode {
  struct world *w;
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_key key;
  struct ocf_noise_static st;
  struct ocf_swarm_config cfg;
  struct ocf_swarm *sw;
  struct ocf_peerid id;
  struct ocf_ip_addr ip;  /* and the port it listens on */
  bool listening, silent; /* silent: connects to it are never answered */
  size_t n_up, n_down, n_identified, n_dial_failed, n_opened, n_open_failed, n_stream_in, n_gone;
  int last_err;
  struct ocf_stream *stream, *in; /* the last opened, the last inbound */
  size_t n_rx;
  bool echo;
};

struct wsock {
  struct wnode *from, *to; /* the dialler, the listener */
  struct ocf_link *l[2];   /* theirs; NULL once closed by their side */
  bool used, connected, cut;
  bool sent_eof[2];
  uint64_t at_ns; /* when it connects */
  struct {
    uint8_t *p;
    size_t n, cap;
    uint64_t at_ns;
  } q[2]; /* towards from, towards to */
};

struct world {
  uint64_t now, latency;
  struct wnode n[W_NODES];
  size_t n_nodes;
  struct wsock s[W_SOCKS];
  size_t n_socks;
};

static inline struct ocf_ip_addr w_ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
  return (struct ocf_ip_addr){ .family = 4, .port = port, .ip = { a, b, c, d } };
}

static inline struct wnode *w_add(struct world *w, const struct ocf_ip_addr *ip)
{
  static const struct ocf_bytes protos[] = { { (const uint8_t *)"/echo/1", 7 } };
  struct wnode *n = &w->n[w->n_nodes++];
  uint8_t seed[OCF_KEY_ED25519_SEED_LEN] = { (uint8_t)w->n_nodes };
  memset(n, 0, sizeof(*n));
  n->w = w;
  n->ip = *ip;
  n->listening = true;
  ocf_alloc_init(&n->a);
  ocf_rng_seed(&n->rng, w->n_nodes);
  if (ocf_key_from_seed(&n->key, &n->a, seed) != 0 ||
      ocf_noise_static_init(&n->st, &n->a, &n->key, &n->rng) != 0)
    abort();
  ocf_swarm_config_init(&n->cfg);
  n->cfg.a = &n->a;
  n->cfg.rng = &n->rng;
  n->cfg.key = &n->key;
  n->cfg.noise = &n->st;
  n->cfg.agent = "ocf-c/test";
  n->cfg.protos = protos;
  n->cfg.n_protos = 1;
  n->cfg.wall_ns = 1000 + w->now;
  n->cfg.ping_every_ns = 0;
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&n->key)), &n->id);
  return n;
}

static inline void w_start(struct wnode *n)
{
  struct ocf_maddr m;
  if (ocf_swarm_new(&n->cfg, n->w->now, &n->sw) != 0)
    abort();
  ocf_maddr_from_ip(&n->ip, OCF_MADDR_TCP, &m);
  if (ocf_swarm_set_addrs(n->sw, n->w->now, &m, 1, NULL, 0, NULL, 0) != 0)
    abort();
}

/* Nodes 0 .. n-1 at 10.0.0.1, 10.0.0.2, …, port 4000, started. */
static inline struct world *w_new(size_t n)
{
  struct world *w = calloc(1, sizeof(*w));
  if (w == NULL)
    abort();
  w->now = OCF_NS_PER_S;
  w->latency = OCF_NS_PER_MS;
  for (size_t i = 0; i < n; i++) {
    struct ocf_ip_addr ip = w_ip(10, 0, 0, (uint8_t)(i + 1), 4000);
    w_add(w, &ip);
  }
  return w;
}

static inline void w_start_all(struct world *w)
{
  for (size_t i = 0; i < w->n_nodes; i++)
    if (w->n[i].sw == NULL)
      w_start(&w->n[i]);
}

static inline void w_free(struct world *w)
{
  for (size_t i = 0; i < w->n_nodes; i++) {
    struct wnode *n = &w->n[i];
    ocf_swarm_free(n->sw);
    ocf_noise_static_fini(&n->st);
    ocf_key_fini(&n->key);
    if (n->a.live_bytes != 0) {
      fprintf(stderr, "node %zu leaks %zu bytes\n", i, n->a.live_bytes);
      abort();
    }
  }
  for (size_t i = 0; i < w->n_socks; i++) {
    free(w->s[i].q[0].p);
    free(w->s[i].q[1].p);
  }
  free(w);
}

static inline void w_knows(struct wnode *a, struct wnode *b)
{
  struct ocf_maddr m;
  ocf_maddr_from_ip(&b->ip, OCF_MADDR_TCP, &m);
  if (ocf_swarm_add_addr(a->sw, a->w->now, &b->id, &m, OCF_SWARM_SRC_OTHER, OCF_TIME_NEVER) != 0)
    abort();
}

static inline void w_event(struct wnode *n, const struct ocf_swarm_event *ev)
{
  switch (ev->type) {
  case OCF_SWARM_PEER_UP: n->n_up++; break;
  case OCF_SWARM_PEER_DOWN:
    n->n_down++;
    n->last_err = ev->err;
    break;
  case OCF_SWARM_PEER_IDENTIFIED: n->n_identified++; break;
  case OCF_SWARM_DIAL_FAILED:
    n->n_dial_failed++;
    n->last_err = ev->err;
    break;
  case OCF_SWARM_OPENED:
    n->n_opened++;
    n->stream = ev->stream;
    break;
  case OCF_SWARM_OPEN_FAILED:
    n->n_open_failed++;
    n->last_err = ev->err;
    break;
  case OCF_SWARM_STREAM_IN:
    n->n_stream_in++;
    n->in = ev->stream;
    break;
  case OCF_SWARM_STREAM_UP: break;
  case OCF_SWARM_DATA:
    n->n_rx += ev->data.n;
    if (n->echo)
      (void)ocf_stream_write(ev->stream, ev->data.p, ev->data.n);
    ocf_stream_consumed(ev->stream, ev->data.n);
    break;
  case OCF_SWARM_FIN:
    if (n->echo)
      ocf_stream_fin(ev->stream);
    break;
  case OCF_SWARM_WRITABLE: break;
  case OCF_SWARM_STREAM_GONE:
    n->n_gone++;
    n->last_err = ev->err;
    if (n->stream == ev->stream)
      n->stream = NULL;
    if (n->in == ev->stream)
      n->in = NULL;
    break;
  }
}

static inline struct wnode *w_at(struct world *w, const struct ocf_ip_addr *ip)
{
  for (size_t i = 0; i < w->n_nodes; i++)
    if (w->n[i].sw != NULL && ocf_ip_addr_eq(&w->n[i].ip, ip))
      return &w->n[i];
  return NULL;
}

static inline struct wsock *w_sock(struct world *w)
{
  if (w->n_socks == W_SOCKS)
    abort();
  struct wsock *s = &w->s[w->n_socks++];
  memset(s, 0, sizeof(*s));
  s->used = true;
  return s;
}

static inline void w_effect(struct wnode *n, const struct ocf_swarm_effect *fx)
{
  struct world *w = n->w;
  if (fx->type == OCF_SWARM_CLOSE) {
    struct wsock *s = fx->handle;
    if (s == NULL)
      return;
    int side = s->l[0] == fx->link ? 0 : 1;
    if (s->l[side] != fx->link)
      abort();
    s->l[side] = NULL;
    return;
  }
  if (fx->type == OCF_SWARM_RESOLVE) {
    struct ocf_ip_addr ip = w->n[w->n_nodes - 1].ip; /* every name is the last node */
    ocf_swarm_resolved(n->sw, w->now, fx->ticket, strcmp(fx->host, "none") == 0 ? OCF_ENOENT : 0,
                       &ip, 1);
    return;
  }
  struct wsock *s = w_sock(w);
  s->from = n;
  s->to = w_at(w, &fx->ip);
  s->l[0] = fx->link;
  s->at_ns = w->now + w->latency;
  ocf_link_set_handle(fx->link, s);
}

static inline void w_send(struct world *w, struct wsock *s, int to, const uint8_t *p, size_t n)
{
  if (s->q[to].n + n > s->q[to].cap) {
    s->q[to].cap = 2 * (s->q[to].n + n);
    s->q[to].p = realloc(s->q[to].p, s->q[to].cap);
    if (s->q[to].p == NULL)
      abort();
  }
  if (s->q[to].n == 0)
    s->q[to].at_ns = w->now + w->latency;
  memcpy(s->q[to].p + s->q[to].n, p, n);
  s->q[to].n += n;
}

/* Runs one node until it has nothing to do at this instant. */
static inline void w_node(struct wnode *n)
{
  struct world *w = n->w;
  struct ocf_swarm_event ev;
  struct ocf_swarm_effect fx;
  struct ocf_link *l;
  struct ocf_bytes v[8];
  size_t k;
  do {
    while (ocf_swarm_event(n->sw, w->now, &ev))
      w_event(n, &ev);
    while (ocf_swarm_effect(n->sw, w->now, &fx))
      w_effect(n, &fx);
    while ((l = ocf_swarm_tx_next(n->sw, w->now)) != NULL) {
      struct wsock *s = ocf_link_handle(l);
      while ((k = ocf_link_tx(l, v, 8)) > 0) {
        size_t done = 0;
        for (size_t i = 0; i < k; i++) {
          if (s != NULL && !s->cut) /* a socket that the test made itself has no wire */
            w_send(w, s, s->l[0] == l ? 1 : 0, v[i].p, v[i].n);
          done += v[i].n;
        }
        ocf_link_tx_done(l, w->now, done);
      }
    }
  } while (ocf_swarm_busy(n->sw));
}

static inline void w_connect(struct wsock *s)
{
  struct world *w = s->from->w;
  struct ocf_ip_addr local = s->from->ip;
  local.port = 50000;
  s->connected = true;
  if (s->l[0] == NULL)
    return; /* given up */
  if (s->to == NULL || !s->to->listening) {
    struct ocf_link *l = s->l[0];
    s->l[0] = NULL;
    ocf_swarm_dialled(s->from->sw, w->now, l, OCF_EREFUSED, NULL, NULL);
    return;
  }
  struct ocf_ip_addr to = s->to->ip;
  if (ocf_swarm_accept(s->to->sw, w->now, s, &local, &to, &s->l[1]) != 0)
    s->l[1] = NULL;
  ocf_swarm_dialled(s->from->sw, w->now, s->l[0], 0, &to, &local);
}

static inline void w_deliver(struct world *w, struct wsock *s, int to)
{
  struct wnode *n = to == 0 ? s->from : s->to;
  struct ocf_link *l = s->l[to];
  size_t cap;
  if (s->q[to].n > 0 && s->q[to].at_ns <= w->now) {
    size_t at = 0;
    while (l != NULL && at < s->q[to].n) {
      uint8_t *p = ocf_link_rx_space(l, &cap);
      size_t k = OCF_MIN(cap, s->q[to].n - at);
      if (k == 0)
        break;
      memcpy(p, s->q[to].p + at, k);
      ocf_link_rx(l, w->now, k);
      at += k;
      w_node(n);
      l = s->l[to];
    }
    s->q[to].n = 0;
  }
  if (l != NULL && s->connected && s->l[1 - to] == NULL && s->q[to].n == 0 && !s->sent_eof[to] &&
      !s->cut) {
    s->sent_eof[to] = true;
    ocf_link_rx_end(l, w->now, 0);
    w_node(n);
  }
}

/* Everything that is due now. */
static inline void w_step(struct world *w)
{
  for (size_t i = 0; i < w->n_nodes; i++) {
    if (w->n[i].sw == NULL)
      continue;
    ocf_swarm_tick(w->n[i].sw, w->now);
    w_node(&w->n[i]);
  }
  for (size_t i = 0; i < w->n_socks; i++) {
    struct wsock *s = &w->s[i];
    if (!s->connected && s->at_ns <= w->now && !(s->to != NULL && s->to->silent)) {
      w_connect(s);
      w_node(s->from);
      if (s->to != NULL)
        w_node(s->to);
    }
    if (s->l[0] == NULL && s->l[1] == NULL)
      continue;
    w_deliver(w, s, 0);
    w_deliver(w, s, 1);
  }
}

static inline uint64_t w_next(const struct world *w)
{
  uint64_t t = OCF_TIME_NEVER;
  for (size_t i = 0; i < w->n_nodes; i++)
    if (w->n[i].sw != NULL)
      t = ocf_time_min(t, ocf_swarm_deadline(w->n[i].sw));
  for (size_t i = 0; i < w->n_socks; i++) {
    const struct wsock *s = &w->s[i];
    if (!s->connected && s->l[0] != NULL && !(s->to != NULL && s->to->silent))
      t = ocf_time_min(t, s->at_ns);
    for (int k = 0; k < 2; k++) {
      if (s->q[k].n > 0 && s->l[k] != NULL)
        t = ocf_time_min(t, s->q[k].at_ns);
      if (s->connected && !s->cut && s->l[k] != NULL && s->l[1 - k] == NULL && !s->sent_eof[k])
        t = ocf_time_min(t, w->now);
    }
  }
  return t;
}

/* Runs the world for `ns`. */
static inline void w_run(struct world *w, uint64_t ns)
{
  uint64_t end = w->now + ns;
  for (;;) {
    w_step(w);
    uint64_t t = w_next(w);
    if (t > end) {
      w->now = end;
      w_step(w);
      return;
    }
    w->now = OCF_MAX(t, w->now + 1000);
  }
}

#endif
