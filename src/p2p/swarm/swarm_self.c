#include "p2p/swarm/swarm_int.h"

#include <string.h>

#include "base/core/endian.h"

static const struct ocf_bytes NAMES[] = {
  [JOB_ID_OUT] = { (const uint8_t *)OCF_IDENTIFY_PROTOCOL, sizeof(OCF_IDENTIFY_PROTOCOL) - 1 },
  [JOB_PUSH_OUT] = { (const uint8_t *)OCF_IDENTIFY_PUSH_PROTOCOL,
                     sizeof(OCF_IDENTIFY_PUSH_PROTOCOL) - 1 },
  [JOB_PING_OUT] = { (const uint8_t *)OCF_PING_PROTOCOL, sizeof(OCF_PING_PROTOCOL) - 1 },
};

enum { PUSH_BURST = 10 };
#define PUSH_REFILL_NS (5 * OCF_NS_PER_S)

/* --- jobs --- */

static bool reads_identify(const struct job *j)
{
  return j->kind == JOB_ID_OUT || j->kind == JOB_PUSH_IN;
}

static bool writes_identify(const struct job *j)
{
  return j->kind == JOB_ID_IN || j->kind == JOB_PUSH_OUT;
}

static bool is_inbound(const struct job *j)
{
  return j->kind == JOB_ID_IN || j->kind == JOB_PUSH_IN || j->kind == JOB_PING_IN;
}

static enum ocf_swarm_own own_kind(const struct job *j)
{
  if (j->kind == JOB_PING_OUT || j->kind == JOB_PING_IN)
    return OCF_SWARM_PING;
  return j->kind == JOB_PUSH_OUT || j->kind == JOB_PUSH_IN ? OCF_SWARM_PUSH : OCF_SWARM_IDENTIFY;
}

/* The stream is the caller's to end. */
static void job_free(struct job *j)
{
  struct ocf_link *l = j->l;
  l->sw->st.own_streams[is_inbound(j)][own_kind(j)]--;
  ocf_list_remove(&j->link);
  ocf_wheel_stop(&l->sw->wheel, &j->timer);
  if (reads_identify(j))
    ocf_identify_reader_fini(&j->u.reader);
  else if (writes_identify(j))
    ocf_buf_fini(&j->u.out.buf);
  if (j->kind == JOB_PING_OUT)
    l->ping_busy = false;
  l->n_jobs--;
  l->n_jobs_in -= is_inbound(j) ? 1 : 0;
  OCF_DELETE(l->sw->cfg.a, j);
}

static void job_reset(struct job *j, uint32_t code)
{
  struct ocf_stream *s = j->s;
  job_free(j);
  ocf_stream_reset(s, code);
}

void ocf_swarm_jobs_drop(struct ocf_link *l)
{
  while (!ocf_list_empty(&l->jobs)) {
    struct job *j = OCF_LIST_ENTRY(l->jobs.next, struct job, link);
    ocf_stream_set_user(j->s, NULL);
    job_free(j);
  }
}

static void job_failed(struct job *j)
{
  struct ocf_swarm *sw = j->l->sw;
  if (j->kind == JOB_ID_OUT)
    sw->st.identify_failed++;
  if (j->kind == JOB_PING_OUT) {
    sw->st.pings_failed++;
    ocf_ping_stats_lost(&j->l->peer->ping);
  }
}

static struct job *job_new(struct ocf_link *l, enum job_kind kind, struct ocf_stream *s)
{
  struct ocf_swarm *sw = l->sw;
  struct job *j = OCF_NEW(sw->cfg.a, struct job);
  if (j == NULL)
    return NULL;
  j->l = l;
  j->s = s;
  j->kind = kind;
  j->timer.kind = TIMER_JOB;
  if (reads_identify(j))
    ocf_identify_reader_init(&j->u.reader, sw->cfg.a);
  else if (writes_identify(j))
    ocf_buf_init(&j->u.out.buf, sw->cfg.a, 4 * OCF_IDENTIFY_PART_MAX);
  ocf_list_push_back(&l->jobs, &j->link);
  l->n_jobs++;
  l->n_jobs_in += is_inbound(j) ? 1 : 0;
  sw->st.own_streams[is_inbound(j)][own_kind(j)]++;
  sw->st.own_streams_total[is_inbound(j)][own_kind(j)]++;
  ocf_stream_set_kind(s, (int)kind);
  ocf_stream_set_user(s, j);
  ocf_wheel_start(&sw->wheel, &j->timer, ocf_time_add(sw->now_ns, sw->cfg.identify_ns));
  return j;
}

/* A stream of ours for `kind`; NULL when it cannot be opened now. */
static struct job *job_open(struct ocf_link *l, enum job_kind kind)
{
  struct ocf_stream *s;
  bool lazy = ocf_swarm_entry_speaks(l->peer, NAMES[kind]);
  if (ocf_conn_open(l->conn, l->sw->now_ns, &NAMES[kind], 1, lazy, NULL, &s) != 0)
    return NULL;
  struct job *j = job_new(l, kind, s);
  if (j == NULL)
    ocf_stream_reset(s, OCF_STREAM_RESOURCE_LIMIT);
  return j;
}

/* --- what we say --- */

static struct ocf_bytes our_record(struct ocf_swarm *sw, bool loopback)
{
  struct ocf_buf *b = &sw->record[loopback ? 1 : 0];
  if (b->n == 0 && ocf_identify_record_seal(sw->cfg.key, &sw->self, sw->seq, sw->addrs, sw->n_addrs,
                                            loopback, b) != 0)
    ocf_buf_clear(b); /* without it the plain addresses count */
  return ocf_buf_view(b);
}

static int encode(struct ocf_link *l, struct ocf_buf *out)
{
  struct ocf_swarm *sw = l->sw;
  struct ocf_maddr observed;
  ocf_maddr_from_ip(&l->remote, OCF_MADDR_TCP, &observed);
  struct ocf_identify_self self = {
    .key = ocf_pubkey_bytes(ocf_key_public(sw->cfg.key)),
    .addrs = sw->addrs,
    .n_addrs = sw->n_addrs,
    .loopback = l->loopback,
    .protos = sw->told != NULL ? sw->told : sw->protos,
    .n_protos = sw->told != NULL ? sw->n_told : sw->n_protos,
    .observed = l->remote.family != 0 ? &observed : NULL,
    .agent = ocf_bytes(sw->cfg.agent, strlen(sw->cfg.agent)),
    .record = our_record(sw, l->loopback),
  };
  return ocf_identify_encode(&self, out);
}

/* Sends on; after the last byte our end is closed. */
static void job_write(struct job *j)
{
  struct ocf_buf *b = &j->u.out.buf;
  if (j->written)
    return;
  j->u.out.at += ocf_stream_write(j->s, b->p + j->u.out.at, b->n - j->u.out.at);
  if (j->u.out.at < b->n)
    return;
  j->written = true;
  ocf_buf_reset(b);
  ocf_stream_fin(j->s);
}

static void job_speak(struct job *j)
{
  if (encode(j->l, &j->u.out.buf) != 0)
    job_reset(j, OCF_STREAM_RESOURCE_LIMIT);
  else
    job_write(j);
}

void ocf_swarm_self_link_up(struct ocf_link *l)
{
  struct ocf_swarm *sw = l->sw;
  l->push_tokens = PUSH_BURST;
  l->push_refill_ns = sw->now_ns;
  l->next_ping_ns =
      sw->cfg.ping_every_ns == 0
          ? OCF_TIME_NEVER
          : ocf_time_add(sw->now_ns, ocf_rng_below(sw->cfg.rng, sw->cfg.ping_every_ns));
  if (job_open(l, JOB_ID_OUT) == NULL)
    sw->st.identify_failed++;
}

void ocf_swarm_self_push(struct ocf_swarm *sw)
{
  OCF_LIST_FOREACH (it, &sw->links) {
    struct ocf_link *l = LINK_OF(it, all);
    if (l->state != LINK_UP || l->closing || !ocf_swarm_entry_speaks(l->peer, NAMES[JOB_PUSH_OUT]))
      continue;
    struct job *j = job_open(l, JOB_PUSH_OUT);
    if (j == NULL)
      continue; /* it learns on its next identify */
    sw->st.push_out++;
    job_speak(j);
  }
}

static void tell(struct ocf_swarm *sw, struct ocf_bytes *told, size_t n, size_t size)
{
  ocf_alloc_put(sw->cfg.a, sw->told, sw->told_size);
  sw->told = told;
  sw->n_told = n;
  sw->told_size = size;
  ocf_swarm_self_push(sw);
}

static bool announced(const struct ocf_swarm *sw, const struct ocf_bytes *names, size_t n)
{
  if (n != (sw->told != NULL ? sw->n_told - sw->n_protos : 0))
    return false;
  for (size_t i = 0; i < n; i++)
    if (!ocf_bytes_eq(names[i], sw->told[sw->n_protos + i]))
      return false;
  return true;
}

int ocf_swarm_announce(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_bytes *names,
                       size_t n)
{
  size_t text = 0, head = (sw->n_protos + n) * sizeof(*names);
  sw->now_ns = now_ns;
  if (n > OCF_SWARM_ANNOUNCED_MAX)
    return OCF_ELIMIT;
  for (size_t i = 0; i < n; i++) {
    if (names[i].n == 0 || names[i].n > OCF_CONN_PROTO_MAX)
      return OCF_EINVAL;
    text += names[i].n;
  }
  if (announced(sw, names, n))
    return 0;
  if (n == 0) {
    tell(sw, NULL, 0, 0);
    return 0;
  }
  struct ocf_bytes *told = ocf_alloc_get(sw->cfg.a, head + text);
  if (told == NULL)
    return OCF_ENOMEM;
  uint8_t *at = (uint8_t *)told + head;
  memcpy(told, sw->protos, sw->n_protos * sizeof(*told));
  for (size_t i = 0; i < n; i++) {
    memcpy(at, names[i].p, names[i].n);
    told[sw->n_protos + i] = ocf_bytes(at, names[i].n);
    at += names[i].n;
  }
  tell(sw, told, sw->n_protos + n, head + text);
  return 0;
}

/* --- what we hear --- */

static size_t info_size(const struct ocf_identify_msg *m)
{
  size_t n = m->agent.n, protos = 0;
  struct ocf_bytes name;
  struct ocf_identify_iter it = ocf_identify_iter(m);
  while (ocf_identify_next_proto(&it, &name) && protos + 2 + name.n <= SWARM_PROTO_BYTES_MAX)
    protos += 2 + name.n;
  return n + protos;
}

/* Agent and protocols replace what was known. Without memory the old ones stay. */
static void keep_info(struct peer *p, const struct ocf_identify_msg *m)
{
  struct ocf_alloc *a = p->sw->cfg.a;
  size_t n = info_size(m), at = m->agent.n;
  uint8_t *info = n > 0 ? ocf_alloc_get(a, n) : NULL;
  if (n > 0 && info == NULL)
    return;
  if (m->agent.n > 0)
    memcpy(info, m->agent.p, m->agent.n);
  struct ocf_bytes name;
  struct ocf_identify_iter it = ocf_identify_iter(m);
  while (at < n && ocf_identify_next_proto(&it, &name)) {
    ocf_put_be16(info + at, (uint16_t)name.n);
    memcpy(info + at + 2, name.p, name.n);
    at += 2 + name.n;
  }
  OCF_ASSERT(at == n);
  ocf_alloc_put(a, p->info, p->n_info);
  p->info = info;
  p->n_info = n;
  p->n_agent = m->agent.n;
}

static void drop_identify_addrs(struct peer *p)
{
  OCF_LIST_FOREACH_SAFE (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (a->src == OCF_SWARM_SRC_IDENTIFY || a->src == OCF_SWARM_SRC_IDENTIFY_SIGNED)
      a->expires_ns = p->sw->now_ns; /* goes unless it is named again */
  }
}

static void keep_addr(struct ocf_link *l, const struct ocf_maddr *m, enum ocf_swarm_source src)
{
  if (!l->loopback && ocf_maddr_is_loopback(m))
    return;
  int err = ocf_swarm_peer_add_addr(l->peer, m, src, OCF_TIME_NEVER);
  (void)err; /* what cannot be dialled, and what is too much, is left out */
}

/* A correct signed record is all that counts; a broken one counts as none; one that speaks of
 * another peer means that nothing here is to be believed. */
static void keep_addrs(struct ocf_link *l, const struct ocf_identify_msg *m)
{
  struct peer *p = l->peer;
  struct ocf_identify_record rec;
  struct ocf_maddr addr;
  int err = m->record.n > 0 ? ocf_identify_record_open(l->sw->cfg.a, m->record, &rec) : OCF_EINVAL;
  bool other = err == OCF_EAUTH || (err == 0 && !ocf_peerid_eq(&rec.id, &p->id));
  if (err == 0 && !other && rec.seq < p->record_seq)
    return; /* older than what is known */
  drop_identify_addrs(p);
  if (err == 0 && !other) {
    p->record_seq = rec.seq;
    struct ocf_identify_iter it = ocf_identify_record_iter(&rec);
    while (ocf_identify_record_next(&it, &addr))
      keep_addr(l, &addr, OCF_SWARM_SRC_IDENTIFY_SIGNED);
  } else if (!other) {
    struct ocf_identify_iter it = ocf_identify_iter(m);
    while (ocf_identify_next_addr(&it, &addr))
      keep_addr(l, &addr, OCF_SWARM_SRC_IDENTIFY);
  }
  ocf_swarm_peer_expire_addrs(p);
}

/* The peer has said all. True when it was understood. */
static bool hear(struct job *j)
{
  struct ocf_bytes raw;
  struct ocf_identify_msg m;
  if (ocf_identify_reader_end(&j->u.reader, &raw) != 0 || ocf_identify_decode(raw, &m) != 0)
    return false;
  keep_info(j->l->peer, &m);
  keep_addrs(j->l, &m);
  j->l->peer->identified = true;
  return true;
}

static bool push_allowed(struct ocf_link *l)
{
  uint64_t now = l->sw->now_ns;
  uint64_t n = (now - l->push_refill_ns) / PUSH_REFILL_NS;
  l->push_refill_ns += n * PUSH_REFILL_NS;
  l->push_tokens = (uint32_t)OCF_MIN(l->push_tokens + n, (uint64_t)PUSH_BURST);
  if (l->push_tokens == 0)
    return l->loopback;
  l->push_tokens--;
  return true;
}

/* --- ping --- */

void ocf_swarm_self_ping(struct ocf_link *l)
{
  struct ocf_swarm *sw = l->sw;
  uint8_t rnd[OCF_PING_LEN];
  l->next_ping_ns = ocf_time_add(sw->now_ns, sw->cfg.ping_every_ns);
  if (l->ping_busy || l->closing ||
      (l->peer->identified && !ocf_swarm_entry_speaks(l->peer, NAMES[JOB_PING_OUT])))
    return;
  struct job *j = job_open(l, JOB_PING_OUT);
  if (j == NULL)
    return;
  l->ping_busy = true;
  ocf_ping_init(&j->u.ping, sw->cfg.ping_wait_ns);
  ocf_wheel_start(&sw->wheel, &j->timer, ocf_time_add(sw->now_ns, sw->cfg.ping_wait_ns));
  ocf_rng_secret(sw->cfg.rng, rnd, sizeof(rnd));
  int err = ocf_ping_start(&j->u.ping, sw->now_ns, rnd);
  OCF_ASSERT(err == 0);
}

/* Writes what waits of a round. True when all is written; otherwise WRITABLE will come. */
static bool round_written(struct job *j)
{
  if (j->round_at < j->n_round)
    j->round_at +=
        (uint8_t)ocf_stream_write(j->s, j->round + j->round_at, (size_t)(j->n_round - j->round_at));
  return j->round_at == j->n_round;
}

static void round_set(struct job *j, size_t n)
{
  j->round_at = 0;
  j->n_round = (uint8_t)n;
}

static void ping_write(struct job *j)
{
  if (!round_written(j))
    return;
  round_set(j, ocf_ping_output(&j->u.ping, j->l->sw->now_ns, j->round, sizeof(j->round)));
  (void)round_written(j);
}

static void ping_read(struct job *j, struct ocf_bytes data)
{
  struct ocf_swarm *sw = j->l->sw;
  struct ocf_ping_event e;
  int err = ocf_ping_input(&j->u.ping, sw->now_ns, data);
  if (err == 0 && !ocf_ping_event(&j->u.ping, &e))
    return;
  if (err != 0 || e.err != 0) {
    job_failed(j);
    job_reset(j, OCF_STREAM_PROTOCOL_VIOLATION);
    return;
  }
  sw->st.pings++;
  ocf_ping_stats_add(&j->l->peer->ping, e.rtt_ns);
  ocf_swarm_keep_sample(sw, OCF_SWARM_PING_TIME, false, e.rtt_ns);
  j->written = true; /* all is said; the stream ends with the peer's half-close, or the time */
  ocf_stream_fin(j->s);
}

static void pong_arm(struct job *j)
{
  ocf_wheel_start(&j->l->sw->wheel, &j->timer, ocf_pong_deadline(&j->u.pong.core));
}

/* Takes and answers what it can of `*in`. */
static void pong_rounds(struct job *j, struct ocf_bytes *in)
{
  uint64_t now = j->l->sw->now_ns;
  size_t before;
  do {
    before = in->n;
    ocf_pong_input(&j->u.pong.core, now, in);
    while (round_written(j)) {
      round_set(j, ocf_pong_output(&j->u.pong.core, now, j->round, sizeof(j->round)));
      if (j->n_round == 0)
        break;
    }
  } while (in->n > 0 && in->n < before);
}

/* One round may wait behind the one being answered; who sends more at once is not pinging. */
static void pong_step(struct job *j, struct ocf_bytes data)
{
  struct ocf_bytes held = ocf_bytes(j->u.pong.held, j->u.pong.n_held);
  pong_rounds(j, &held);
  memmove(j->u.pong.held, held.p, held.n);
  j->u.pong.n_held = held.n;
  if (held.n == 0)
    pong_rounds(j, &data);
  if (data.n > sizeof(j->u.pong.held) - j->u.pong.n_held) {
    job_reset(j, OCF_STREAM_RATE_LIMITED);
    return;
  }
  if (data.n > 0)
    memcpy(j->u.pong.held + j->u.pong.n_held, data.p, data.n);
  j->u.pong.n_held += data.n;
  if (j->clean && j->u.pong.n_held == 0 && round_written(j) && ocf_pong_is_clear(&j->u.pong.core))
    ocf_stream_fin(j->s);
  pong_arm(j);
}

/* --- events --- */

static void accept_job(struct ocf_link *l, const struct ocf_conn_event *ce)
{
  static const enum job_kind kinds[] = { JOB_ID_IN, JOB_PUSH_IN, JOB_PING_IN };
  struct ocf_swarm *sw = l->sw;
  enum job_kind kind = kinds[ce->proto - sw->cfg.n_protos];
  bool limited = kind == JOB_PUSH_IN && !push_allowed(l);
  struct job *j = NULL;
  if (!limited && l->n_jobs_in < SWARM_JOBS_IN_MAX)
    j = job_new(l, kind, ce->stream);
  if (j == NULL) {
    sw->st.push_limited += limited ? 1 : 0;
    ocf_stream_reset(ce->stream, limited ? OCF_STREAM_RATE_LIMITED : OCF_STREAM_RESOURCE_LIMIT);
    return;
  }
  if (kind == JOB_ID_IN) {
    job_speak(j);
  } else if (kind == JOB_PING_IN) {
    struct ocf_pong_config pc;
    ocf_pong_config_default(&pc);
    ocf_pong_init(&j->u.pong.core, &pc, sw->now_ns);
    pong_arm(j);
  }
}

static void on_data(struct job *j, const struct ocf_conn_event *ce)
{
  size_t n = ce->data.n;
  if (reads_identify(j)) {
    if (ocf_identify_reader_input(&j->u.reader, ce->data) != 0) {
      job_failed(j);
      job_reset(j, OCF_STREAM_PROTOCOL_VIOLATION);
      return;
    }
  } else if (j->kind == JOB_PING_OUT) {
    ocf_stream_consumed(j->s, n);
    ping_read(j, ce->data);
    return;
  } else if (j->kind == JOB_PING_IN) {
    ocf_stream_consumed(j->s, n); /* what is not answered at once is held, and bounded */
    pong_step(j, ce->data);
    return;
  } /* else: bytes where none are due are dropped, within the stream's time */
  ocf_stream_consumed(j->s, n);
}

/* True: an event is to be shown. */
static bool on_fin(struct job *j, struct ocf_swarm_event *ev)
{
  struct ocf_swarm *sw = j->l->sw;
  if (j->kind == JOB_PING_IN) {
    j->clean = true;
    pong_step(j, ocf_bytes(NULL, 0));
    return false;
  }
  if (j->kind == JOB_PING_OUT && !j->written) {
    job_failed(j);
    job_reset(j, 0);
    return false;
  }
  if (!reads_identify(j))
    return false;
  bool push = j->kind == JOB_PUSH_IN;
  if (!hear(j)) {
    job_failed(j);
    job_reset(j, OCF_STREAM_PROTOCOL_VIOLATION);
    return false;
  }
  sw->st.push_in += push ? 1 : 0;
  sw->st.identify_ok += push ? 0 : 1;
  ev->type = OCF_SWARM_PEER_IDENTIFIED;
  ocf_stream_fin(j->s);
  j->written = true;
  return true;
}

static void on_gone(struct job *j, const struct ocf_conn_event *ce)
{
  bool done = ce->err == 0 || j->written;
  if (!done)
    job_failed(j);
  job_free(j);
}

bool ocf_swarm_self_event(struct ocf_link *l, const struct ocf_conn_event *ce,
                          struct ocf_swarm_event *ev)
{
  struct job *j = ocf_stream_user(ce->stream);
  if (ce->type == OCF_CONN_STREAM_IN) {
    accept_job(l, ce);
    return false;
  }
  if (j == NULL)
    return false; /* the link is being closed */
  switch (ce->type) {
  case OCF_CONN_DATA: on_data(j, ce); break;
  case OCF_CONN_FIN: return on_fin(j, ev);
  case OCF_CONN_STREAM_UP:
  case OCF_CONN_WRITABLE:
    if (writes_identify(j))
      job_write(j);
    else if (j->kind == JOB_PING_OUT)
      ping_write(j);
    else if (j->kind == JOB_PING_IN)
      pong_step(j, ocf_bytes(NULL, 0));
    break;
  case OCF_CONN_STREAM_GONE: on_gone(j, ce); break;
  case OCF_CONN_UP:
  case OCF_CONN_STREAM_IN:
  case OCF_CONN_CAN_OPEN:
  case OCF_CONN_DOWN: break;
  }
  return false;
}

void ocf_swarm_job_timer(struct job *j)
{
  if (j->kind == JOB_PING_IN && ocf_pong_tick(&j->u.pong.core, j->l->sw->now_ns) == 0) {
    pong_step(j, ocf_bytes(NULL, 0));
    return;
  }
  if (!j->written && j->kind != JOB_PING_IN)
    job_failed(j);
  job_reset(j, 0);
}
