#include "p2p/gossipsub/gossip_int.h"

#include "fmt/varint/varint.h"

/* ---- one RPC ---- */

static int rx_subs(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct ocf_bytes rpc)
{
  int err = 0;
  struct rpc_reader r = ocf_gossip_rpc_read(rpc, PASS_SUBS);
  struct rpc_part part;
  for (unsigned n = 0; n < PARTS_MAX && ocf_gossip_rpc_next(&r, &part) > 0; n++) {
    g->stats.rx[OCF_GOSSIP_K_SUBSCRIBE]++;
    int one = ocf_gossip_subscribe(g, now_ns, p, part.topic, part.on);
    err = err != 0 ? err : one;
  }
  return err;
}

static void rx_messages(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct ocf_bytes rpc)
{
  struct rpc_reader r = ocf_gossip_rpc_read(rpc, PASS_MSGS);
  struct rpc_part part;
  while (!ocf_gossip_is_condemned(g, p) && ocf_gossip_rpc_next(&r, &part) > 0) {
    g->stats.rx[OCF_GOSSIP_K_MESSAGE]++;
    ocf_gossip_rx_message(g, now_ns, p, &part.msg);
  }
}

/* The parts in the order in which Go acts on them; an RPC that does not parse does nothing. What a
 * peer is subscribed to is heard even from those who are not listened to otherwise: they may mend
 * their ways. It is said once on each stream: when there is no memory for it the stream is reset,
 * so that it is said again. */
static int take_rpc(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct ocf_bytes rpc)
{
  g->stats.rx[OCF_GOSSIP_K_RPC]++;
  if (ocf_gossip_rpc_check(rpc) != 0)
    return OCF_EPROTO;
  int err = rx_subs(g, now_ns, p, rpc);
  if (ocf_gossip_score(g, p) < g->cfg.score.graylist_below) {
    g->stats.graylisted_rpcs++;
    return err;
  }
  rx_messages(g, now_ns, p, rpc);
  ocf_gossip_rx_control(g, now_ns, p, rpc);
  return err;
}

/* ---- from bytes to RPCs ---- */

static void add_head_byte(struct peer *p, struct ocf_bytes *in)
{
  p->rx_head[p->n_rx_head++] = in->p[0];
  *in = ocf_bytes(in->p + 1, in->n - 1);
}

/* Reads the length before an RPC. 1 when it is known (*len), 0: more bytes are needed. */
static int take_head(struct peer *p, struct ocf_bytes *in, uint64_t *len)
{
  while (in->n > 0) {
    add_head_byte(p, in);
    int rc = ocf_varint_get(p->rx_head, p->n_rx_head, len);
    if (rc == OCF_EAGAIN && p->n_rx_head < FRAME_LEN_MAX)
      continue;
    p->n_rx_head = 0;
    return rc > 0 && *len <= OCF_GOSSIP_RPC_MAX ? 1 : OCF_EPROTO;
  }
  return 0;
}

/* Adds to the RPC that comes in pieces. Memory grows with what has come, not with what was
 * announced. */
static int collect(struct ocf_gossip *g, struct peer *p, struct ocf_bytes piece)
{
  size_t before = p->rx.cap;
  int err = ocf_buf_add(&p->rx, piece.p, piece.n);
  g->rx_bytes += p->rx.cap - before;
  if (err == 0 && g->rx_bytes > g->cfg.limits.rx_bytes_max)
    err = OCF_ELIMIT;
  return err;
}

static void release(struct ocf_gossip *g, struct peer *p)
{
  if (p->rx.cap <= RX_KEEP) {
    ocf_buf_clear(&p->rx);
    return;
  }
  g->rx_bytes -= p->rx.cap;
  ocf_buf_reset(&p->rx);
}

static int take_piece(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct ocf_bytes *in)
{
  size_t n = OCF_MIN(in->n, p->rx_left);
  struct ocf_bytes piece = ocf_bytes(in->p, n);
  *in = ocf_bytes(in->p + n, in->n - n);
  if (n == p->rx_left && p->rx.n == 0) { /* whole in one piece: read where it lies */
    p->rx_left = 0;
    return take_rpc(g, now_ns, p, piece);
  }
  int err = collect(g, p, piece);
  if (err != 0)
    return err;
  p->rx_left -= n;
  if (p->rx_left > 0)
    return 0;
  err = take_rpc(g, now_ns, p, ocf_buf_view(&p->rx));
  release(g, p);
  return err;
}

static int take(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct ocf_bytes *in)
{
  uint64_t len = 0;
  if (p->rx_left > 0)
    return take_piece(g, now_ns, p, in);
  int rc = take_head(p, in, &len);
  if (rc <= 0)
    return rc;
  p->rx_left = (size_t)len;
  return len == 0 ? take_rpc(g, now_ns, p, ocf_bytes(in->p, 0)) : 0;
}

static void refuse(struct ocf_gossip *g, struct peer *p, int err)
{
  bool bad = err == OCF_EPROTO;
  ocf_gossip_reset_in(g, p, bad ? OCF_GOSSIP_REASON_PROTOCOL : OCF_GOSSIP_REASON_MEMORY);
  if (!bad)
    return;
  g->stats.bad_rpcs++;
  ocf_gossip_penalize(g, p, 0, 1);
}

void ocf_gossip_rx(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                   void *handle, struct ocf_bytes data)
{
  struct peer *p = ocf_gossip_peer_find(g, peer);
  if (p == NULL || p->in == NULL || p->in != handle)
    return;
  g->stats.rx[OCF_GOSSIP_K_BYTES] += data.n;
  while (data.n > 0) {
    int err = take(g, now_ns, p, &data);
    if (err == 0)
      continue;
    refuse(g, p, err);
    return;
  }
}
