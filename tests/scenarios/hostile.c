/* Peers and clients that break the rules, as raw bytes, and connections that break at every byte.
 */
#include "basic.h"

#include <stdio.h>
#include <string.h>

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS

/* ---- a raw speaker: sends a script, notes what comes and when it ends ---- */

struct raw {
  struct stage *st;
  struct ocf_sim_stream s;
  struct ocf_sim_event timer;
  const uint8_t *script;
  size_t n, at, piece; /* piece 0: all at once */
  uint64_t gap_ns;
  bool fin_after, reset_after;
  bool ended;
  uint64_t end_ns, got_n;
  char got[512];
};

static void raw_send(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct raw *r = OCF_CONTAINER_OF(e, struct raw, timer);
  size_t n = r->piece > 0 ? OCF_MIN(r->piece, r->n - r->at) : r->n - r->at;
  if (r->ended)
    return;
  ocf_sim_stream_write(&r->s, r->script + r->at, n);
  r->at += n;
  if (r->at < r->n)
    ocf_sim_after(w, e, r->gap_ns);
  else if (r->reset_after)
    ocf_sim_stream_close(&r->s, true);
  else if (r->fin_after)
    ocf_sim_stream_fin(&r->s);
}

static void raw_up(void *user)
{
  struct raw *r = user;
  raw_send(&r->st->w, &r->timer);
}

static void raw_end(struct raw *r)
{
  r->ended = true;
  r->end_ns = r->st->w.now_ns;
  ocf_sim_cancel(&r->st->w, &r->timer);
  ocf_sim_stream_close(&r->s, false);
}

static void raw_data(void *user, struct ocf_bytes v)
{
  struct raw *r = user;
  if (r->got_n < sizeof(r->got) - 1)
    memcpy(r->got + r->got_n, v.p, OCF_MIN(v.n, sizeof(r->got) - 1 - (size_t)r->got_n));
  r->got_n += v.n;
}

static void raw_eof(void *user)
{
  raw_end(user);
}

static void raw_drained(void *user)
{
  (void)user;
}

static void raw_gone(void *user, int err)
{
  (void)err;
  raw_end(user);
}

static const struct ocf_sim_stream_ops raw_ops = { raw_up, raw_data, raw_eof, raw_drained,
                                                   raw_gone };

static void raw_start(struct raw *r, struct stage *st, size_t at, const struct ocf_endpoint *to)
{
  r->st = st;
  r->timer.fn = raw_send;
  OCF_ASSERT(ocf_sim_stream_connect(&r->s, &st->people[at], to, &raw_ops, r));
}

static void raw_stop(struct raw *r)
{
  raw_end(r);
}

/* ---- the p2p port ---- */

static void fill_script(struct stage *st, unsigned kind, uint8_t *buf, size_t cap, struct raw *r)
{
  static const char hello[] = "\x13/multistream/1.0.0\n\x07/noise\n";
  r->script = buf;
  memset(buf, 0, cap);
  memcpy(buf, hello, sizeof(hello) - 1);
  size_t n = sizeof(hello) - 1;
  switch (kind) {
  case 0: r->n = 0; break; /* says nothing */
  case 1:                  /* garbage */
    for (size_t i = 0; i < cap; i++)
      buf[i] = (uint8_t)ocf_sim_between(&st->w, 0, 255);
    r->n = cap;
    break;
  case 2: /* one byte a second */
    r->n = n;
    r->piece = 1;
    r->gap_ns = SECOND;
    break;
  case 3: /* stops after the hello */ r->n = n; break;
  case 4: /* a Noise message of garbage */
    buf[n] = 0;
    buf[n + 1] = 200;
    r->n = n + 202;
    break;
  case 5: /* a token without end */
    memset(buf + 20, 0xff, cap - 20);
    r->n = cap;
    break;
  case 6: /* leaves at once */
    r->n = 0;
    r->reset_after = true;
    break;
  case 7: /* an empty Noise message */ r->n = n + 2; break;
  case 8: /* HTTP on the wrong port */
    r->n = (size_t)snprintf((char *)buf, cap, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    break;
  case 9: /* says the hello and ends in order */
    r->n = n;
    r->fin_after = true;
    break;
  default: OCF_ASSERT(false);
  }
}

enum { KINDS = 10, EACH = 4, SPEAKERS = KINDS * EACH };

static void speakers(struct stage *st, struct raw *raws, uint8_t (*scripts)[4096])
{
  struct ocf_endpoint to = ocf_sim_host_p2p(st->hosts[1]);
  uint64_t begin = st->w.now_ns;
  for (unsigned i = 0; i < SPEAKERS; i++) {
    raws[i] = (struct raw){ .n = 0 };
    fill_script(st, i % KINDS, scripts[i], sizeof(scripts[i]), &raws[i]);
    to.ip = i < KINDS ? st->hosts[1]->machine->ip4
                      : (struct ocf_ip_addr){ .family = 4, .ip = { 127, 0, 0, 1 } };
    to.ip.port = OCF_SIM_P2P_PORT;
    raw_start(&raws[i], st, i < KINDS ? 0 : 1, &to); /* from afar, and from the same machine */
  }
  struct ocf_sim_plan p = stage_plan(st, 1, "/sse/100/100000");
  p.expect = OCF_SIM_EVENTS;
  p.want_n = 100;
  struct ocf_sim_client *c = stage_ask(st, &p, 30 * SECOND);
  stage_sleep(st, 10 * SECOND);
  ALIVE(st);
  stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  for (unsigned i = 0; i < SPEAKERS; i++) {
    if (raws[i].reset_after)
      continue;
    CLAIM(st, raws[i].ended, "kind %u is kept", i % KINDS);
    CLAIM(st, raws[i].end_ns - begin <= 16 * SECOND, "kind %u was kept %.3f s", i % KINDS,
          (double)(raws[i].end_ns - begin) / 1e9);
  }
}

/* Speakers of every bad kind at the p2p port are let go within the 15 s of an upgrade; the real
 * peer does not notice, and nothing is kept. */
void scenario_hostile_p2p(struct stage *st)
{
  static struct raw raws[SPEAKERS];
  static uint8_t scripts[SPEAKERS][4096];
  stage_pair(st);
  stage_sleep(st, 3 * SECOND); /* what the beginning needed has been given back */
  size_t base = st->hosts[1]->alloc.live_bytes;
  for (unsigned round = 0; round < 3; round++) {
    stage_sleep(st, 100 * SECOND); /* the limits per address refill */
    ALIVE(st);
    speakers(st, raws, scripts);
    for (unsigned i = 0; i < SPEAKERS; i++)
      raw_stop(&raws[i]);
    stage_forget_clients(st);
    stage_settle(st);
    ALIVE(st);
    stage_check_memory(st, st->hosts[1], base);
  }
}

/* ---- the HTTP port ---- */

/* Raw requests that must be refused with this status, or dropped (0), in time. */
void scenario_hostile_http(struct stage *st)
{
  static const struct {
    const char *text;
    unsigned status;
    size_t piece;
    uint64_t gap_ns;
    double most_s;
  } cases[] = {
    { "", 0, 0, 0, 61 },
    { "GET /v1/health HTTP/1.1\r\nHost: a\r\n", 408, 1, 900 * MS, 11 },
    { "GET /v1/health HTTP/1.1\nHost: a\n\n", 400, 0, 0, 1 },
    { "GET /v1/health HTTP/1.1\r\n Host: a\r\n\r\n", 400, 0, 0, 1 },
    { "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
      0, 0, 1 },
    { "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde", 400, 0, 0, 1 },
    { "GET /v1/health HTTP/9.9\r\nHost: a\r\n\r\n", 505, 0, 0, 1 },
    { "\x16\x03\x01\x02", 400, 0, 0, 1 },
  };
  static struct raw raws[OCF_ARRAY_LEN(cases) + 1];
  static uint8_t dribble[400];
  memset(raws, 0, sizeof(raws));
  stage_pair(st);
  ALIVE(st);
  struct ocf_endpoint to = ocf_sim_host_http(st->hosts[0], true);
  uint64_t begin = st->w.now_ns;
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    raws[i].script = (const uint8_t *)cases[i].text;
    raws[i].n = strlen(cases[i].text);
    raws[i].piece = cases[i].piece;
    raws[i].gap_ns = cases[i].gap_ns;
    raw_start(&raws[i], st, 0, &to);
  }
  /* A body that drips, a byte per 2 s: below the least rate after the grace. */
  struct raw *slow = &raws[OCF_ARRAY_LEN(cases)];
  int n = snprintf((char *)dribble, sizeof(dribble),
                   "POST /v1/p2p/%s/v1/_service/svc/sum/1 HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: 1000\r\n\r\nabcdefghijklmnopqrstuvwxyz",
                   st->hosts[1]->id_text);
  slow->script = dribble;
  slow->n = (size_t)n;
  slow->piece = (size_t)n - 25;
  slow->gap_ns = 2 * SECOND;
  raw_start(slow, st, 0, &to);
  stage_sleep(st, 100 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    double took = (double)(raws[i].end_ns - begin) / 1e9;
    unsigned status = 0;
    (void)sscanf(raws[i].got, "HTTP/1.1 %3u", &status);
    CLAIM(st, raws[i].ended, "case %zu is kept", i);
    CLAIM(st, status == cases[i].status, "case %zu: status %u", i, status);
    CLAIM(st, took <= cases[i].most_s + 2.5, "case %zu was kept %.3f s", i, took);
  }
  CLAIM(st, slow->ended, "a dripping body is kept");
  CLAIM(st, st->services[1]->n_active == 0, "the service still waits for a dripping body");
  for (size_t i = 0; i <= OCF_ARRAY_LEN(cases); i++)
    raw_stop(&raws[i]);
  stage_settle(st);
}

/* ---- a proxy that breaks connections ---- */

enum harm { HARM_FIN, HARM_RESET, HARM_SILENCE, HARM_FLIP, HARM_N };

/* Stands between a dialler and a node and harms the connection at byte `at` of one direction. */
struct leg {
  struct ocf_sim_stream s;
  struct proxy *proxy;
  struct leg *other;
  uint64_t n; /* bytes taken from this leg */
  bool open;
};

struct proxy {
  struct stage *st;
  struct ocf_sim_proc proc;
  struct ocf_sim_listener listener;
  struct ocf_endpoint to;
  struct leg legs[2]; /* the dialler's, the node's; one connection at a time, later ones refused */
  enum harm harm;
  int side; /* whose bytes are counted */
  uint64_t at;
  bool used, done;
};

static void leg_close(struct leg *l, bool reset)
{
  if (!l->open)
    return;
  l->open = false;
  ocf_sim_stream_close(&l->s, reset);
}

static void both_close(struct proxy *p, bool reset)
{
  leg_close(&p->legs[0], reset);
  leg_close(&p->legs[1], reset);
}

static void leg_up(void *user)
{
  (void)user;
}

static void forward(struct leg *l, const uint8_t *p, size_t n)
{
  if (l->other->open && n > 0)
    ocf_sim_stream_write(&l->other->s, p, n);
}

static void leg_data(void *user, struct ocf_bytes v)
{
  struct leg *l = user;
  struct proxy *p = l->proxy;
  bool mine = l == &p->legs[p->side];
  uint64_t before = l->n;
  l->n += v.n;
  if (p->done && p->harm == HARM_SILENCE)
    return;
  if (p->done || !mine || l->n <= p->at) {
    forward(l, v.p, v.n);
    return;
  }
  size_t head = (size_t)(p->at - before);
  uint8_t flipped = (uint8_t)(v.p[head] ^ 0x40);
  p->done = true;
  forward(l, v.p, head);
  switch (p->harm) {
  case HARM_FIN: both_close(p, false); break;
  case HARM_RESET: both_close(p, true); break;
  case HARM_FLIP:
    forward(l, &flipped, 1);
    forward(l, v.p + head + 1, v.n - head - 1);
    break;
  case HARM_SILENCE:
  case HARM_N: break;
  }
}

static void leg_eof(void *user)
{
  both_close(((struct leg *)user)->proxy, false);
}

static void leg_gone(void *user, int err)
{
  struct leg *l = user;
  (void)err;
  l->open = false;
  both_close(l->proxy, true);
}

static const struct ocf_sim_stream_ops leg_ops = { leg_up, leg_data, leg_eof, raw_drained,
                                                   leg_gone };

static void proxy_accept(void *user, uint64_t now_ns, struct ocf_sock *s,
                         const struct ocf_ip_addr *remote)
{
  struct proxy *p = user;
  (void)now_ns;
  (void)remote;
  if (p->used) {
    p->proc.env.ops->close(s, true);
    return;
  }
  p->used = true;
  for (int i = 0; i < 2; i++)
    p->legs[i] = (struct leg){ .proxy = p, .other = &p->legs[1 - i], .open = true };
  ocf_sim_stream_accept(&p->legs[0].s, &p->proc, s, &leg_ops, &p->legs[0]);
  OCF_ASSERT(ocf_sim_stream_connect(&p->legs[1].s, &p->proc, &p->to, &leg_ops, &p->legs[1]));
}

static void proxy_start(struct proxy *p, struct stage *st, struct ocf_sim_machine *m,
                        const struct ocf_sim_host *target)
{
  struct ocf_endpoint at = { .ip = { .family = 4, .port = OCF_SIM_P2P_PORT } };
  memset(p, 0, sizeof(*p));
  p->st = st;
  p->to = ocf_sim_host_p2p(target);
  ocf_sim_proc_init(&p->proc, &st->net, m);
  OCF_ASSERT(ocf_sim_listen(&p->listener, &p->proc, &at, proxy_accept, p) == 0);
}

static void proxy_stop(struct proxy *p)
{
  both_close(p, true);
  ocf_sim_proc_fini(&p->proc);
}

/* One connection from head to worker through the proxy, which harms it. Returns the bytes that were
 * taken from the harmed side. */
static uint64_t harmed_connection(struct stage *st, struct ocf_sim_machine *m, enum harm harm,
                                  int side, uint64_t at)
{
  static struct proxy p;
  struct ocf_maddr addr;
  struct ocf_ip_addr ip = m->ip4;
  proxy_start(&p, st, m, st->hosts[1]);
  p.harm = harm;
  p.side = side;
  p.at = at;
  ip.port = OCF_SIM_P2P_PORT;
  ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, &addr);
  struct ocf_sim_host *h = st->hosts[0];
  struct ocf_swarm *sw = ocf_node_swarm(h->node);
  if (ocf_swarm_add_addr(sw, st->w.now_ns, &st->hosts[1]->id, &addr, OCF_SWARM_SRC_CONFIG,
                         20 * SECOND) != 0)
    ocf_sim_fail(&st->w, "the proxy's address is refused");
  struct ocf_sim_plan plan = stage_plan(st, 1, "/bytes/5000/1");
  plan.expect = OCF_SIM_PATTERN;
  plan.want_n = 5000;
  plan.want_seed = 1;
  struct ocf_sim_client *c = stage_client(st, &plan);
  stage_finish(st, 100 * SECOND);
  /* Whatever the harm: a whole answer, a failure that shows, nothing else. */
  if (!st->w.failed && c->outcome == OCF_SIM_TIMEOUT)
    ocf_sim_fail(&st->w, "harm %d at byte %llu of side %d: the request hangs", (int)harm,
                 (unsigned long long)at, side);
  if (!st->w.failed && p.done && harm == HARM_FLIP && c->outcome == OCF_SIM_COMPLETE &&
      c->status == 200 && p.legs[side].n > at + 200)
    ocf_sim_fail(&st->w, "a flipped bit at byte %llu of side %d went unnoticed",
                 (unsigned long long)at, side);
  stage_forget_clients(st);
  uint64_t n = p.legs[side].n;
  proxy_stop(&p);
  stage_sleep(st, 50 * SECOND);
  return n;
}

/* Cuts, resets, silences or damages a connection at every byte of the handshake and of the first
 * exchange, in either direction. Both nodes stay whole and lose no memory. */
void scenario_truncate(struct stage *st)
{
  uint64_t step = st->steps > 0 ? 1 : 7;
  stage_hosts(st, 2);
  stage_service(st, 1, "");
  stage_start(st, 0);
  stage_start(st, 1);
  ALIVE(st);
  struct ocf_sim_machine *m = ocf_sim_machine_new(&st->net);
  st->hosts[0]->cfg.swarm.backoff_max_ns = SECOND;
  uint64_t n = harmed_connection(st, m, HARM_SILENCE, 0, 1000000); /* none; fills the pools */
  ALIVE(st);
  CLAIM(st, n > 500, "a whole connection has only %llu bytes", (unsigned long long)n);
  size_t base[2] = { st->hosts[0]->alloc.live_bytes, st->hosts[1]->alloc.live_bytes };
  for (int side = 0; side < 2; side++) {
    for (uint64_t at = st->w.seed % step; at < 900; at += step) {
      ALIVE(st);
      (void)harmed_connection(st, m, (enum harm)((at + st->w.seed) / step % HARM_N), side, at);
    }
  }
  stage_settle(st);
  for (unsigned i = 0; i < 2 && !st->w.failed; i++)
    stage_check_memory(st, st->hosts[i], base[i]);
}
