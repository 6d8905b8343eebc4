#include "sim/peer.h"

enum { PURPOSE_PEER = 1 << 22, OUT_MAX = 256 << 20, OPEN_WAIT_S = 30 };

/* ---- turns ---- */

static void on_turn(void *user)
{
  struct ocf_sim_peer *p = user;
  struct ocf_sim *w = p->net->w;
  p->loop.now_ns = w->now_ns;
  ocf_loop_fire(&p->loop);
  if (w->now_ns >= ocf_swarm_deadline(p->swarm))
    ocf_swarm_tick(p->swarm, w->now_ns);
  ocf_links_run(&p->links);
  uint64_t at = ocf_time_min(ocf_wheel_next(&p->loop.wheel), ocf_swarm_deadline(p->swarm));
  if (at == OCF_TIME_NEVER)
    ocf_sim_cancel(w, &p->timer);
  else
    ocf_sim_at(w, &p->timer, OCF_MAX(at, w->now_ns + OCF_NS_PER_MS));
}

static void on_timer(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sim_peer *p = OCF_CONTAINER_OF(e, struct ocf_sim_peer, timer);
  (void)w;
  ocf_sim_proc_touch(&p->proc);
}

/* ---- streams ---- */

static void stream_free(struct ocf_sim_peer_stream *s)
{
  ocf_list_remove(&s->link);
  ocf_buf_fini(&s->out);
  ocf_buf_fini(&s->in);
  OCF_DELETE(&s->peer->alloc, s);
}

static void gone(struct ocf_sim_peer_stream *s)
{
  struct ocf_sim_peer *p = s->peer;
  if (p->ops->gone != NULL)
    p->ops->gone(p->user, s);
  stream_free(s);
}

static void pump(struct ocf_sim_peer_stream *s)
{
  if (s->s == NULL)
    return;
  size_t n = s->out.n > 0 ? ocf_stream_write(s->s, s->out.p, s->out.n) : 0;
  ocf_buf_consume(&s->out, n);
  s->sent_n += n;
  if (s->fin && s->out.n == 0)
    ocf_stream_fin(s->s);
}

static void on_stream(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct ocf_sim_peer_stream *s = OCF_CONTAINER_OF(u, struct ocf_sim_peer_stream, user);
  struct ocf_sim_peer *p = s->peer;
  switch (ev->type) {
  case OCF_SWARM_OPENED:
    s->s = ev->stream;
    pump(s);
    break;
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_WRITABLE: pump(s); break;
  case OCF_SWARM_DATA:
    s->got_n += ev->data.n;
    ocf_stream_consumed(s->s, ev->data.n);
    if (p->ops->data != NULL)
      p->ops->data(p->user, s, ev->data);
    break;
  case OCF_SWARM_FIN: break;
  case OCF_SWARM_OPEN_FAILED:
  case OCF_SWARM_STREAM_GONE:
    s->s = NULL;
    gone(s);
    break;
  case OCF_SWARM_STREAM_IN:
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN:
  case OCF_SWARM_DIAL_FAILED: break;
  }
}

static struct ocf_sim_peer_stream *stream_new(struct ocf_sim_peer *p, const struct ocf_peerid *with)
{
  struct ocf_sim_peer_stream *s = OCF_NEW(&p->alloc, struct ocf_sim_peer_stream);
  OCF_ASSERT(s != NULL);
  s->peer = p;
  s->with = *with;
  s->user.on_event = on_stream;
  ocf_buf_init(&s->out, &p->alloc, OUT_MAX);
  ocf_buf_init(&s->in, &p->alloc, OUT_MAX);
  ocf_list_push_back(&p->streams, &s->link);
  return s;
}

static void on_event(void *user, const struct ocf_swarm_event *ev)
{
  struct ocf_sim_peer *p = user;
  struct ocf_sim_peer_stream *s;
  if (ev->type == OCF_SWARM_PEER_IDENTIFIED && p->ops->up != NULL)
    p->ops->up(p->user, ev->peer);
  else if (ev->type == OCF_SWARM_PEER_DOWN && p->ops->down != NULL)
    p->ops->down(p->user, ev->peer);
  if (ev->type != OCF_SWARM_STREAM_IN)
    return;
  s = stream_new(p, ev->peer);
  s->s = ev->stream;
  s->inbound = true;
  s->proto = p->protos[ev->proto];
  ocf_stream_set_user(ev->stream, &s->user);
  if (p->ops->stream != NULL)
    p->ops->stream(p->user, s);
}

struct ocf_sim_peer_stream *ocf_sim_peer_open(struct ocf_sim_peer *p, const struct ocf_peerid *with,
                                              struct ocf_bytes proto)
{
  struct ocf_sim_peer_stream *s = stream_new(p, with);
  uint64_t now = p->net->w->now_ns;
  s->proto = proto;
  int r =
      ocf_swarm_open(p->swarm, now, with, &proto, 1, ocf_time_add(now, OPEN_WAIT_S * OCF_NS_PER_S),
                     &s->user, &s->s, &s->ticket);
  ocf_sim_proc_touch(&p->proc);
  if (r == 0 || r == OCF_EAGAIN)
    return s;
  stream_free(s);
  return NULL;
}

void ocf_sim_peer_write(struct ocf_sim_peer_stream *s, const void *p, size_t n)
{
  OCF_ASSERT(ocf_buf_add(&s->out, p, n) == 0);
  pump(s);
  ocf_sim_proc_touch(&s->peer->proc);
}

void ocf_sim_peer_fin(struct ocf_sim_peer_stream *s)
{
  s->fin = true;
  pump(s);
  ocf_sim_proc_touch(&s->peer->proc);
}

void ocf_sim_peer_reset(struct ocf_sim_peer_stream *s)
{
  struct ocf_sim_peer *p = s->peer;
  if (s->s != NULL)
    ocf_stream_reset(s->s, 0);
  else
    ocf_swarm_open_cancel(p->swarm, s->ticket);
  gone(s);
  ocf_sim_proc_touch(&p->proc);
}

/* ---- the peer ---- */

static void accept(void *user, uint64_t now_ns, struct ocf_sock *s,
                   const struct ocf_ip_addr *remote)
{
  ocf_links_accept(&((struct ocf_sim_peer *)user)->links, now_ns, s, remote);
}

static void make_swarm(struct ocf_sim_peer *p)
{
  struct ocf_swarm_config sc;
  ocf_swarm_config_init(&sc);
  sc.a = &p->alloc;
  sc.rng = &p->rng;
  sc.log = &p->log;
  sc.key = &p->key;
  sc.noise = &p->noise;
  sc.agent = "scripted/sim";
  sc.protos = p->protos;
  sc.n_protos = p->n_protos;
  sc.wall_ns = OCF_SIM_WALL_NS;
  OCF_ASSERT(ocf_swarm_new(&sc, p->net->w->now_ns, &p->swarm) == 0);
  ocf_links_init(&p->links, &p->loop, p->swarm, on_event, p);
}

static void make_key(struct ocf_sim_peer *p)
{
  uint8_t seed[OCF_KEY_ED25519_SEED_LEN];
  ocf_sim_rng(p->net->w, PURPOSE_PEER + p->machine->id, &p->rng);
  ocf_rng_secret(&p->rng, seed, sizeof(seed));
  OCF_ASSERT(ocf_key_from_seed(&p->key, &p->alloc, seed) == 0);
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&p->key)), &p->id);
  (void)ocf_peerid_text(&p->id, p->id_text);
  OCF_ASSERT(ocf_noise_static_init(&p->noise, &p->alloc, &p->key, &p->rng) == 0);
}

struct ocf_sim_peer *ocf_sim_peer_new(struct ocf_sim_net *n, const struct ocf_bytes *protos,
                                      size_t n_protos, const struct ocf_sim_peer_ops *ops,
                                      void *user)
{
  struct ocf_sim_peer *p = OCF_NEW(&n->w->alloc, struct ocf_sim_peer);
  struct ocf_endpoint at = { .ip = { .family = 4, .port = OCF_SIM_P2P_PORT } };
  OCF_ASSERT(p != NULL);
  p->net = n;
  p->machine = ocf_sim_machine_new(n);
  p->ops = ops;
  p->user = user;
  p->protos = protos;
  p->n_protos = n_protos;
  p->timer.fn = on_timer;
  ocf_list_init(&p->streams);
  ocf_alloc_init(&p->alloc);
  ocf_log_init(&p->log);
  ocf_sim_proc_init(&p->proc, n, p->machine);
  p->proc.turn = on_turn;
  p->proc.user = p;
  p->proc.max_socks = 4096;
  make_key(p);
  OCF_ASSERT(
      ocf_loop_init(&p->loop, &p->proc.env, &p->alloc, &p->rng, &p->log, NULL, n->w->now_ns) == 0);
  make_swarm(p);
  OCF_ASSERT(ocf_sim_listen(&p->listener, &p->proc, &at, accept, p) == 0);
  ocf_sim_proc_touch(&p->proc);
  return p;
}

void ocf_sim_peer_free(struct ocf_sim_peer *p)
{
  if (p == NULL)
    return;
  struct ocf_sim *w = p->net->w;
  while (!ocf_list_empty(&p->streams))
    gone(OCF_LIST_ENTRY(p->streams.next, struct ocf_sim_peer_stream, link));
  ocf_swarm_free(p->swarm);
  ocf_links_fini(&p->links);
  ocf_noise_static_fini(&p->noise);
  ocf_loop_fini(&p->loop);
  ocf_sim_cancel(w, &p->timer);
  ocf_sim_proc_fini(&p->proc);
  ocf_key_fini(&p->key);
  if (p->alloc.live_bytes != 0)
    ocf_sim_fail(w, "a scripted peer leaks %zu bytes", p->alloc.live_bytes);
  OCF_DELETE(&w->alloc, p);
}

void ocf_sim_peer_dial(struct ocf_sim_peer *p, const struct ocf_sim_host *h)
{
  struct ocf_maddr m;
  struct ocf_endpoint at = ocf_sim_host_p2p(h);
  ocf_maddr_from_ip(&at.ip, OCF_MADDR_TCP, &m);
  OCF_ASSERT(ocf_swarm_add_static(p->swarm, p->net->w->now_ns, &h->id, &m) == 0);
  ocf_sim_proc_touch(&p->proc);
}

bool ocf_sim_peer_sees(const struct ocf_sim_peer *p, const struct ocf_peerid *with)
{
  struct ocf_swarm_peer_info info;
  return ocf_swarm_peer_info(p->swarm, with, &info);
}
