#include "p2p/bitswap/bitswap_int.h"

/* ---- effects ---- */

static void fx_set(struct peer *p, unsigned bit)
{
  p->fx |= bit;
  if (!ocf_list_linked(&p->fx_link))
    ocf_list_push_back(&p->bs->fx_peers, &p->fx_link);
}

static bool has_news(const struct peer *p)
{
  return !ocf_list_empty(&p->to_say) || !ocf_list_empty(&p->ready) || p->say_all;
}

/* Whether the stream ought to be taking bytes. */
static bool is_behind(const struct peer *p)
{
  return p->tx_at < p->tx.n || has_news(p);
}

static void arm(struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  uint64_t at = OCF_TIME_NEVER;
  if (bs->now_ns < p->retry_ns && p->out != OUT_DEAF)
    at = p->retry_ns;
  else if (p->out == OUT_OPEN)
    at = ocf_time_add(p->used_ns, is_behind(p) ? bs->cfg.stuck_ns : bs->cfg.idle_ns);
  if (at == OCF_TIME_NEVER)
    ocf_wheel_stop(&bs->wheel, &p->timer);
  else
    ocf_wheel_start(&bs->wheel, &p->timer, at);
}

void ocf_bitswap_kick(struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  if (!has_news(p))
    return;
  if (bs->now_ns < p->retry_ns) {
    ocf_wheel_start(&bs->wheel, &p->timer, p->retry_ns);
  } else if (p->out == OUT_NONE) {
    p->out = OUT_OPENING;
    bs->stats.opens++;
    fx_set(p, FX_OPEN);
  } else if (p->out == OUT_OPEN && !p->writing) {
    p->fx &= ~(unsigned)FX_CLOSE;
    if ((p->fx & FX_WRITE) == 0)
      p->used_ns = bs->now_ns; /* from here on the stream is expected to take bytes */
    fx_set(p, FX_WRITE);
    arm(p);
  }
}

/* Takes the most urgent bit of `p`: a stream that is done with goes before a new one. */
static enum ocf_bitswap_effect_type fx_take(struct peer *p, void **stream)
{
  if (p->fx & FX_RESET) {
    p->fx &= ~(unsigned)FX_RESET;
    *stream = p->doomed;
    return OCF_BITSWAP_RESET_OUT;
  }
  if (p->fx & FX_OPEN) {
    p->fx &= ~(unsigned)FX_OPEN;
    *stream = NULL;
    return OCF_BITSWAP_OPEN;
  }
  *stream = p->stream;
  if (p->fx & FX_WRITE) {
    p->fx &= ~(unsigned)FX_WRITE;
    p->writing = true;
    return OCF_BITSWAP_WRITE;
  }
  OCF_ASSERT(p->fx == FX_CLOSE && p->out == OUT_OPEN);
  p->fx = 0;
  p->out = OUT_NONE;
  p->stream = NULL;
  ocf_wheel_stop(&p->bs->wheel, &p->timer);
  return OCF_BITSWAP_CLOSE_OUT;
}

bool ocf_bitswap_effect(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_effect *fx)
{
  ocf_bitswap_now(bs, now_ns);
  ocf_bitswap_work(bs);
  struct ocf_list *n = ocf_list_pop_front(&bs->dead_ins);
  if (n != NULL) {
    struct ocf_bitswap_in *in = OCF_LIST_ENTRY(n, struct ocf_bitswap_in, link);
    *fx = (struct ocf_bitswap_effect){ OCF_BITSWAP_RESET_IN, in->id, in->stream };
    ocf_bitswap_in_free(in);
    return true;
  }
  n = ocf_list_pop_front(&bs->fx_peers);
  if (n == NULL)
    return false;
  struct peer *p = OCF_LIST_ENTRY(n, struct peer, fx_link);
  fx->peer = p->id;
  fx->type = fx_take(p, &fx->stream);
  if (p->fx != 0)
    ocf_list_push_back(&bs->fx_peers, &p->fx_link);
  return true;
}

/* ---- the stream ---- */

static void drop_tx(struct peer *p)
{
  if (p->tx.cap > BS_BUF_KEEP)
    ocf_buf_reset(&p->tx);
  ocf_buf_clear(&p->tx);
  p->tx_at = 0;
}

/* What was said, or not, is not known any more: the next message says all. */
static void lose_track(struct peer *p)
{
  drop_tx(p);
  ocf_bitswap_wishes_unsent(p);
  OCF_LIST_FOREACH (it, &p->asks) {
    const struct ask *a = OCF_LIST_ENTRY(it, struct ask, in_peer);
    p->say_all |= a->told;
  }
}

static void back_off(struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  p->retry_ns = ocf_time_add(bs->now_ns, ocf_backoff_next(&p->backoff, bs->cfg.rng));
}

/* The stream is gone; all asks stand, to be said again on a new one. */
static void lost(struct peer *p)
{
  p->bs->stats.outs_gone++;
  ocf_bitswap_say_debug(p, "outgoing stream lost", 0);
  p->out = OUT_NONE;
  p->stream = NULL;
  p->writing = false;
  p->fx &= FX_RESET;
  if (p->fx == 0)
    ocf_list_remove(&p->fx_link);
  lose_track(p);
  back_off(p);
  arm(p);
}

bool ocf_bitswap_opened(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer,
                        int err, unsigned proto, void *stream)
{
  ocf_bitswap_now(bs, now_ns);
  struct peer *p = ocf_bitswap_peer_find(bs, peer);
  if (p == NULL || p->out != OUT_OPENING || (p->fx & FX_OPEN) != 0)
    return false;
  if (err == 0) {
    OCF_ASSERT(proto < OCF_BITSWAP_N_PROTOCOLS);
    p->out = OUT_OPEN;
    p->proto = proto;
    p->stream = stream;
    p->used_ns = bs->now_ns;
    arm(p);
    ocf_bitswap_kick(p);
    return true;
  }
  bs->stats.opens_failed++;
  ocf_bitswap_say_debug(p, "no stream", err);
  p->out = OUT_NONE;
  lose_track(p);
  back_off(p);
  if (err == OCF_EUNSUPP) {
    p->out = OUT_DEAF;
    bs->n_deaf++;
  }
  ocf_bitswap_asks_drop(p);
  arm(p);
  ocf_bitswap_work(bs);
  return false;
}

void ocf_bitswap_out_gone(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer)
{
  ocf_bitswap_now(bs, now_ns);
  struct peer *p = ocf_bitswap_peer_find(bs, peer);
  if (p == NULL)
    return;
  if (p->fx & FX_RESET) { /* we were about to reset that one ourselves */
    p->fx &= ~(unsigned)FX_RESET;
    if (p->fx == 0)
      ocf_list_remove(&p->fx_link);
  } else if (p->out == OUT_OPEN) {
    lost(p);
  }
}

void ocf_bitswap_heard(struct peer *p)
{
  if (p->out != OUT_DEAF)
    return;
  p->out = OUT_NONE;
  p->retry_ns = 0;
  p->bs->n_deaf--;
  ocf_bitswap_peer_rise(p);
}

void ocf_bitswap_out_timer(struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  if (p->out == OUT_OPEN && bs->now_ns >= p->retry_ns) {
    uint64_t unused_ns = bs->now_ns - p->used_ns;
    if (is_behind(p) && unused_ns >= bs->cfg.stuck_ns) {
      p->doomed = p->stream;
      fx_set(p, FX_RESET);
      lost(p);
      return;
    }
    if (!is_behind(p) && unused_ns >= bs->cfg.idle_ns) {
      fx_set(p, FX_CLOSE);
      return;
    }
  }
  if (p->out == OUT_NONE && bs->n_wants > 0 && bs->now_ns >= p->retry_ns)
    ocf_bitswap_peer_rise(p);
  ocf_bitswap_kick(p);
  arm(p);
}

/* ---- bytes ---- */

/* The parts of a message in their order: wantlist, blocks, presences. Returns how many items. */
static size_t compose(struct peer *p, struct ocf_pb_writer *tx)
{
  struct ocf_bitswap *bs = p->bs;
  struct ocf_buf *scratch = &bs->scratch;
  ocf_buf_clear(scratch);
  struct ocf_pb_writer list = ocf_pb_write_buf(scratch);
  bool full = p->say_all;
  size_t n = ocf_bitswap_asks_say(p, &list) + full;
  ocf_bitswap_put_wantlist(tx, ocf_buf_view(scratch), full);
  ocf_buf_clear(scratch);
  struct ocf_pb_writer presences = ocf_pb_write_buf(scratch);
  n += ocf_bitswap_wishes_answer(p, tx, &presences);
  ocf_pb_put_raw(tx, ocf_buf_view(scratch));
  if (tx->err == 0)
    tx->err = list.err != 0 ? list.err : presences.err;
  return n;
}

/* Puts the length before the message, which stands behind OCF_VARINT_MAX bytes of room. */
static void finish(struct peer *p)
{
  uint8_t len[OCF_VARINT_MAX];
  size_t body = p->tx.n - OCF_VARINT_MAX, n = ocf_varint_put(len, body);
  p->tx_at = OCF_VARINT_MAX - n;
  memcpy(p->tx.p + p->tx_at, len, n);
  p->say_all = false;
  p->used_ns = p->bs->now_ns;
  p->bs->stats.msgs_out++;
  p->bs->stats.bytes_out += n + body;
}

/* 0 and a message in `tx`; OCF_EAGAIN when there is nothing to say; OCF_ENOMEM. */
static int build_one(struct peer *p)
{
  static const uint8_t room[OCF_VARINT_MAX];
  ocf_buf_clear(&p->tx);
  int err = ocf_buf_add(&p->tx, room, sizeof(room));
  if (err != 0)
    return err;
  struct ocf_pb_writer tx = ocf_pb_write_buf(&p->tx);
  size_t n = compose(p, &tx);
  err = ocf_pb_end(&tx, NULL);
  if (err != 0)
    return err;
  if (n == 0)
    return OCF_EAGAIN;
  finish(p);
  return 0;
}

static bool build(struct peer *p)
{
  int err = OCF_EAGAIN;
  if (p->bs->now_ns < p->retry_ns)
    return false;
  while (err == OCF_EAGAIN && has_news(p))
    err = build_one(p);
  if (err == 0)
    return true;
  if (err != OCF_EAGAIN) { /* nothing was said, for lack of memory: all of it later */
    p->bs->stats.dropped++;
    p->say_all = true;
    lose_track(p);
    back_off(p);
  }
  drop_tx(p);
  return false;
}

size_t ocf_bitswap_tx(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer,
                      struct ocf_bytes *iov, size_t cap)
{
  ocf_bitswap_now(bs, now_ns);
  struct peer *p = ocf_bitswap_peer_find(bs, peer);
  if (p == NULL || p->out != OUT_OPEN || cap == 0)
    return 0;
  bool has_bytes = p->tx_at < p->tx.n || build(p);
  p->writing = has_bytes;
  arm(p);
  if (!has_bytes)
    return 0;
  iov[0] = ocf_bytes(p->tx.p + p->tx_at, p->tx.n - p->tx_at);
  return 1;
}

void ocf_bitswap_tx_done(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer,
                         size_t n)
{
  ocf_bitswap_now(bs, now_ns);
  struct peer *p = ocf_bitswap_peer_find(bs, peer);
  if (p == NULL || p->out != OUT_OPEN || n == 0)
    return;
  OCF_ASSERT(n <= p->tx.n - p->tx_at);
  p->tx_at += n;
  p->used_ns = bs->now_ns;
  if (p->tx_at == p->tx.n) {
    drop_tx(p);
    ocf_bitswap_wishes_sent(p);
    ocf_backoff_reset(&p->backoff);
  }
  arm(p);
}
