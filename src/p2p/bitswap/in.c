#include "fmt/varint/varint.h"
#include "p2p/bitswap/bitswap_int.h"

int ocf_bitswap_in_open(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer,
                        unsigned proto, void *stream, struct ocf_bitswap_in **out)
{
  OCF_ASSERT(proto < OCF_BITSWAP_N_PROTOCOLS); /* the message is read alike in all of them */
  ocf_bitswap_now(bs, now_ns);
  struct peer *p = ocf_bitswap_peer_find(bs, peer);
  if (p == NULL)
    return OCF_ESTATE;
  if (p->n_ins >= bs->cfg.ins_per_peer_max)
    return OCF_ELIMIT;
  struct ocf_bitswap_in *in = OCF_NEW(bs->cfg.a, struct ocf_bitswap_in);
  if (in == NULL)
    return OCF_ENOMEM;
  in->bs = bs;
  in->p = p;
  in->id = *peer;
  in->stream = stream;
  in->timer.kind = TIMER_IN;
  ocf_buf_init(&in->buf, bs->cfg.a, OCF_BITSWAP_MESSAGE_MAX + OCF_VARINT_MULTI_MAX);
  ocf_list_push_back(&p->ins, &in->link);
  p->n_ins++;
  bs->n_ins++;
  *out = in;
  return 0;
}

/* Forgets what there is of a message. */
static void let_go(struct ocf_bitswap_in *in)
{
  ocf_wheel_stop(&in->bs->wheel, &in->timer);
  in->p->rx_bytes -= in->buf.cap;
  in->bs->rx_bytes -= in->buf.cap;
  ocf_buf_reset(&in->buf);
}

static void detach(struct ocf_bitswap_in *in)
{
  ocf_list_remove(&in->link);
  if (in->p == NULL)
    return;
  let_go(in);
  in->p->n_ins--;
  in->p = NULL;
}

void ocf_bitswap_in_free(struct ocf_bitswap_in *in)
{
  detach(in);
  OCF_ASSERT(in->buf.cap == 0 && !ocf_timer_pending(&in->timer));
  in->bs->n_ins--;
  OCF_DELETE(in->bs->cfg.a, in);
}

void ocf_bitswap_in_end(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_in *in)
{
  ocf_bitswap_now(bs, now_ns);
  ocf_bitswap_in_free(in);
}

void ocf_bitswap_in_timer(struct ocf_bitswap_in *in)
{
  ocf_bitswap_offend(in->p, OCF_BITSWAP_SLOW_MESSAGE);
  detach(in);
  ocf_list_push_back(&in->bs->dead_ins, &in->link);
}

/* ---- messages from bytes ---- */

static int message(struct peer *p, struct ocf_bytes msg)
{
  struct ocf_bitswap *bs = p->bs;
  bool full = false;
  bs->stats.msgs_in++;
  bs->stats.bytes_in += msg.n;
  if (ocf_bitswap_msg_check(msg, &full) != 0) {
    ocf_bitswap_offend(p, OCF_BITSWAP_MALFORMED);
    return OCF_EPROTO;
  }
  ocf_bitswap_heard(p);
  if (full)
    ocf_bitswap_wishes_drop(p);
  struct ocf_bitswap_walk w = ocf_bitswap_walk(msg);
  struct ocf_bitswap_item item;
  size_t n_wants = 0, n_junk = 0;
  while (ocf_bitswap_walk_next(&w, &item) > 0) {
    switch (item.type) {
    case OCF_BITSWAP_ITEM_ENTRY:
      if (item.cancel || n_wants++ < bs->cfg.wants_per_peer_max)
        ocf_bitswap_wish(p, &item);
      else
        ocf_bitswap_offend(p, OCF_BITSWAP_WANT_FLOOD);
      break;
    case OCF_BITSWAP_ITEM_BLOCK:
      if (n_junk < BS_JUNK_MAX) /* each costs a hash */
        n_junk += !ocf_bitswap_got_block(p, &item);
      break;
    case OCF_BITSWAP_ITEM_PRESENCE: ocf_bitswap_got_presence(p, &item); break;
    }
  }
  ocf_bitswap_kick(p);
  return 0;
}

/* The place in `in` of the message that begins there: 0; OCF_EAGAIN when its length is not
 * complete; OCF_EPROTO, OCF_ELIMIT. The message itself may be. */
static int frame(struct peer *p, struct ocf_bytes in, size_t *head, size_t *len)
{
  uint64_t v = 0;
  int n = ocf_varint_get(in.p, in.n, &v);
  if (n == OCF_EAGAIN)
    return OCF_EAGAIN;
  if (n <= 0 || v > OCF_BITSWAP_MESSAGE_MAX) {
    ocf_bitswap_offend(p, OCF_BITSWAP_MALFORMED);
    return n <= 0 ? OCF_EPROTO : OCF_ELIMIT;
  }
  *head = (size_t)n;
  *len = (size_t)v;
  return 0;
}

static struct ocf_bytes rest(struct ocf_bytes b, size_t from)
{
  return ocf_bytes(b.p + from, b.n - from);
}

/* Handles the complete messages at the start of `*in` and drops them from it. */
static int whole(struct peer *p, struct ocf_bytes *in)
{
  size_t head = 0, len = 0;
  int err = 0;
  while (in->n > 0 && (err = frame(p, *in, &head, &len)) == 0 && in->n - head >= len) {
    err = message(p, ocf_bytes(in->p + head, len));
    if (err != 0)
      return err;
    *in = rest(*in, head + len);
  }
  return err == OCF_EAGAIN ? 0 : err;
}

/* Keeps `n` more bytes of a message that is not complete, within the bounds. */
static int keep(struct ocf_bitswap_in *in, const uint8_t *p, size_t n)
{
  const struct ocf_bitswap_config *c = &in->bs->cfg;
  size_t before = in->buf.cap;
  int err = ocf_buf_add(&in->buf, p, n);
  in->p->rx_bytes += in->buf.cap - before;
  in->bs->rx_bytes += in->buf.cap - before;
  if (err == 0 && (in->p->rx_bytes > c->rx_per_peer_max || in->bs->rx_bytes > c->rx_max))
    err = OCF_ELIMIT;
  if (!ocf_timer_pending(&in->timer))
    ocf_wheel_start(&in->bs->wheel, &in->timer, ocf_time_add(in->bs->now_ns, c->partial_ns));
  return err;
}

/* Moves bytes from `*bytes` to the message that has begun: its length one by one, then as many as
 * it lacks. Handles it when it is complete. */
static int top_up(struct ocf_bitswap_in *in, struct ocf_bytes *bytes)
{
  size_t head = 0, len = 0, n = 1;
  int err = frame(in->p, ocf_buf_view(&in->buf), &head, &len);
  if (err == 0)
    n = OCF_MIN(head + len - in->buf.n, bytes->n);
  else if (err != OCF_EAGAIN)
    return err;
  err = keep(in, bytes->p, n);
  *bytes = rest(*bytes, n);
  if (err != 0)
    return err;
  err = frame(in->p, ocf_buf_view(&in->buf), &head, &len);
  if (err != 0)
    return err == OCF_EAGAIN ? 0 : err;
  if (in->buf.n < head + len)
    return 0;
  err = message(in->p, ocf_bytes(in->buf.p + head, len));
  if (err == 0)
    let_go(in);
  return err;
}

static int receive(struct ocf_bitswap_in *in, struct ocf_bytes bytes)
{
  int err = 0;
  while (err == 0 && bytes.n > 0) {
    if (in->buf.n > 0) {
      err = top_up(in, &bytes);
      continue;
    }
    err = whole(in->p, &bytes);
    if (err != 0 || bytes.n == 0)
      return err;
    return keep(in, bytes.p, bytes.n);
  }
  return err;
}

int ocf_bitswap_rx(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_in *in,
                   struct ocf_bytes bytes)
{
  ocf_bitswap_now(bs, now_ns);
  int err = in->p == NULL ? OCF_ESTATE : receive(in, bytes);
  if (err != 0)
    ocf_bitswap_in_free(in);
  ocf_bitswap_work(bs);
  return err;
}
