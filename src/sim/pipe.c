/* Bytes on their way: send buffer, link, receive window, and TCP's patience with losses. */
#include "sim/net_int.h"

#include <string.h>

#define RTO_MIN_NS (200 * OCF_NS_PER_MS)
#define RTO_MAX_NS (60 * OCF_NS_PER_S)

static struct ocf_sim *world_of(const struct pipe *p)
{
  return p->conn->net->w;
}

static struct ocf_sock *receiver(struct pipe *p)
{
  return &p->conn->end[1 - p->from];
}

static struct ocf_sim_machine *machine_of(const struct pipe *p, bool sender)
{
  return p->conn->machine[sender ? p->from : 1 - p->from];
}

static void check(const struct pipe *p)
{
  OCF_ASSERT(p->rd <= p->arrived && p->arrived <= p->sent && p->sent <= p->end);
  OCF_ASSERT(ocf_queue_len(&p->bytes) == p->end - p->rd);
  OCF_ASSERT(p->n_segs <= SEGMENTS_MAX);
}

static void on_arrive(struct ocf_sim *w, struct ocf_sim_event *e);
static void on_window(struct ocf_sim *w, struct ocf_sim_event *e);

void pipe_init(struct conn *c, int from)
{
  struct pipe *p = &c->pipe[from];
  const struct ocf_sim_net_config *cfg = &c->net->cfg;
  p->conn = c;
  p->from = from;
  ocf_queue_init(&p->bytes, &c->net->chunks);
  p->snd_cap = (size_t)ocf_sim_between(c->net->w, cfg->sndbuf_min, cfg->sndbuf_max);
  p->rcv_cap = (size_t)ocf_sim_between(c->net->w, cfg->rcvbuf_min, cfg->rcvbuf_max);
  if (cfg->local_buf_max > 0 && c->machine[0] == c->machine[1]) {
    p->snd_cap = OCF_MIN(p->snd_cap, cfg->local_buf_max);
    p->rcv_cap = OCF_MIN(p->rcv_cap, cfg->local_buf_max);
  }
  p->edge = p->rcv_cap;
  p->arrive.fn = on_arrive;
  p->window.fn = on_window;
}

void pipe_fini(struct pipe *p)
{
  ocf_sim_cancel(world_of(p), &p->arrive);
  ocf_sim_cancel(world_of(p), &p->window);
  ocf_queue_clear(&p->bytes);
}

size_t pipe_room(const struct pipe *p)
{
  uint64_t held = p->end - p->sent;
  return p->dead || p->stopped || held >= p->snd_cap ? 0 : (size_t)(p->snd_cap - held);
}

void pipe_put(struct pipe *p, const uint8_t *data, size_t n)
{
  OCF_ASSERT(!p->dead && !p->fin_wanted);
  OCF_ASSERT(ocf_queue_add(&p->bytes, data, n) == 0);
  p->end += n;
  check(p);
}

void pipe_end(struct pipe *p)
{
  if (p->dead || p->stopped)
    return;
  p->fin_wanted = true;
  pipe_transmit(p);
}

/* When `n` bytes that leave now arrive. */
static uint64_t arrival(struct pipe *p, size_t n)
{
  struct ocf_sim *w = world_of(p);
  struct ocf_sim_net *net = p->conn->net;
  struct ocf_sim_machine *m = machine_of(p, true);
  uint64_t leaves = w->now_ns;
  if (m != machine_of(p, false) && net->cfg.bytes_per_s > 0) {
    leaves = OCF_MAX(leaves, m->link_free_ns) + n * OCF_NS_PER_S / net->cfg.bytes_per_s;
    m->link_free_ns = leaves;
  }
  uint64_t at = leaves + path_latency(net, m, machine_of(p, false));
  if (ocf_sim_chance(w, net->cfg.late_permille, 1000))
    at += RTO_MIN_NS;
  p->last_at_ns = OCF_MAX(at, p->last_at_ns);
  return p->last_at_ns;
}

static void push_segment(struct pipe *p, size_t n, bool fin)
{
  struct segment *s = &p->segs[(p->seg_at + p->n_segs) % SEGMENTS_MAX];
  p->sent += n;
  *s = (struct segment){ .upto = p->sent, .at_ns = arrival(p, n + 40), .fin = fin };
  p->n_segs++;
  if (p->n_segs == 1)
    ocf_sim_at(world_of(p), &p->arrive, s->at_ns);
  p->fin_sent = p->fin_sent || fin;
}

void pipe_transmit(struct pipe *p)
{
  size_t max = p->conn->net->cfg.segment_max;
  uint64_t before = p->sent;
  if (p->conn->state != CONN_UP)
    return;
  while (!p->dead && !p->stopped && p->n_segs < SEGMENTS_MAX) {
    uint64_t n = OCF_MIN(OCF_MIN(p->end, p->edge) - p->sent, max);
    if (n > 0)
      push_segment(p, (size_t)n, false);
    else if (p->fin_wanted && !p->fin_sent && p->sent == p->end)
      push_segment(p, 0, true);
    else
      break;
  }
  check(p);
  if (p->sent > before)
    sock_wake_writer(&p->conn->end[p->from]);
}

size_t pipe_readable(const struct pipe *p)
{
  return (size_t)(p->arrived - p->rd);
}

void pipe_take(struct pipe *p, uint8_t *dst, size_t n)
{
  struct ocf_bytes v[8];
  OCF_ASSERT(n <= pipe_readable(p));
  for (size_t left = n; left > 0;) {
    size_t k = ocf_queue_peek(&p->bytes, v, OCF_ARRAY_LEN(v)), done = 0;
    for (size_t i = 0; i < k && left > 0; i++) {
      size_t here = OCF_MIN(v[i].n, left);
      memcpy(dst, v[i].p, here);
      dst += here;
      left -= here;
      done += here;
    }
    ocf_queue_consume(&p->bytes, done);
    p->rd += done;
  }
  check(p);
  if (p->edge - p->sent < p->rcv_cap / 2 && !p->dead && !p->fin_sent && !p->window.pending)
    ocf_sim_after(world_of(p), &p->window,
                  path_latency(p->conn->net, machine_of(p, false), machine_of(p, true)));
}

/* The news of room in the receiver's buffer reaches the sender. */
static void on_window(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct pipe *p = OCF_CONTAINER_OF(e, struct pipe, window);
  if (!path_open(p->conn->net, machine_of(p, false), machine_of(p, true))) {
    ocf_sim_after(w, e, RTO_MIN_NS); /* the sender's probes ask again */
    return;
  }
  p->edge = OCF_MAX(p->edge, p->rd + p->rcv_cap);
  pipe_transmit(p);
}

/* The first segment did not get through: it is sent again, later each time. */
static void lost(struct ocf_sim *w, struct pipe *p)
{
  uint64_t rto = RTO_MIN_NS << OCF_MIN(p->n_lost, 9u);
  if (p->lost_since_ns == 0)
    p->lost_since_ns = w->now_ns;
  p->n_lost++;
  if (w->now_ns - p->lost_since_ns > p->conn->net->cfg.give_up_ns) {
    struct ocf_sock *s = &p->conn->end[p->from];
    pipe_kill(p);
    if (s->open)
      sock_fail(s, OCF_ETIME);
    return;
  }
  p->last_at_ns = w->now_ns + OCF_MIN(rto, RTO_MAX_NS) + ocf_sim_between(w, 0, rto / 4);
  ocf_sim_at(w, &p->arrive, p->last_at_ns);
}

/* Bytes for an end that is not there (any more): its kernel says so. */
static bool refused(struct pipe *p)
{
  struct ocf_sock *s = receiver(p);
  bool there = s->open || p->conn->accept_pending;
  if (there && !s->vanished)
    return false;
  pipe_kill(p);
  sock_send_reset(p->conn, p->from, false);
  return true;
}

static void on_arrive(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct pipe *p = OCF_CONTAINER_OF(e, struct pipe, arrive);
  struct segment *s = &p->segs[p->seg_at];
  OCF_ASSERT(p->n_segs > 0);
  if (!path_open(p->conn->net, machine_of(p, true), machine_of(p, false))) {
    lost(w, p);
    return;
  }
  p->lost_since_ns = 0;
  p->n_lost = 0;
  if ((!s->fin || receiver(p)->vanished) && refused(p))
    return;
  if (!s->fin && ocf_sim_chance(w, p->conn->net->cfg.reset_ppm, 1000000)) {
    sock_send_reset(p->conn, 0, true);
    sock_send_reset(p->conn, 1, true);
    return;
  }
  p->arrived = s->upto;
  p->fin_arrived = s->fin;
  p->seg_at = (p->seg_at + 1) % SEGMENTS_MAX;
  p->n_segs--;
  check(p);
  if (p->n_segs > 0)
    ocf_sim_at(w, &p->arrive, OCF_MAX(p->segs[p->seg_at].at_ns, w->now_ns));
  sock_wake_reader(receiver(p));
  pipe_transmit(p);
}

void pipe_kill(struct pipe *p)
{
  p->dead = true;
  p->n_segs = 0;
  ocf_sim_cancel(world_of(p), &p->arrive);
  ocf_sim_cancel(world_of(p), &p->window);
  /* Unread bytes that had arrived stay readable. */
  uint8_t keep[4096];
  struct ocf_queue rest;
  ocf_queue_init(&rest, p->bytes.pool);
  for (uint64_t left = p->arrived - p->rd; left > 0;) {
    struct ocf_bytes v;
    OCF_ASSERT(ocf_queue_peek(&p->bytes, &v, 1) == 1);
    size_t n = OCF_MIN(OCF_MIN(v.n, sizeof(keep)), (size_t)left);
    memcpy(keep, v.p, n);
    ocf_queue_consume(&p->bytes, n);
    OCF_ASSERT(ocf_queue_add(&rest, keep, n) == 0);
    left -= n;
  }
  ocf_queue_clear(&p->bytes);
  p->bytes = rest;
  p->sent = p->end = p->arrived;
}
