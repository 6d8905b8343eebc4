/* The four test protocols, both sides. */
#include <stdio.h>
#include <string.h>

#include "base/core/endian.h"
#include "c_peer.h"

enum { BULK_HEAD = 13, BULK_TAIL = 8, HALFCLOSE_MAX = 4 << 20, RESET_AFTER = 65536 };
#define WITHOUT_END (UINT64_C(1) << 62)

static void expect_pattern(struct strm *st, uint64_t at, uint64_t n)
{
  st->rx_at = at;
  st->rx_n = 0;
  st->rx_max = n;
}

static void send_pattern(struct strm *st, uint64_t at, uint64_t n)
{
  st->tx_at = at;
  st->tx_left = n;
  strm_pump(st);
}

/* ---- echo, served ---- */

static void echo_data(struct strm *st, struct ocf_bytes data)
{
  strm_send(st, data.p, data.n);
}

/* ---- bulk, served ---- */

static void bulk_data(struct strm *st, struct ocf_bytes data)
{
  bool had = st->n_head == BULK_HEAD;
  if (!strm_take_head(st, &data, BULK_HEAD))
    return;
  if (!had)
    expect_pattern(st, ocf_get_be32(st->head + 9),
                   st->head[0] == 'S' ? ocf_get_be64(st->head + 1) : 0);
  if (!strm_take_pattern(st, data))
    strm_violation(st, "wrong or too many bulk bytes");
}

static void bulk_fin(struct strm *st)
{
  if (st->n_head < BULK_HEAD || st->rx_n < st->rx_max) {
    strm_violation(st, "bulk bytes are missing");
  } else if (st->head[0] == 'S') {
    strm_send(st, st->head + 1, BULK_TAIL);
    strm_fin(st);
  } else if (st->head[0] == 'R') {
    send_pattern(st, ocf_get_be32(st->head + 9), ocf_get_be64(st->head + 1));
    strm_fin(st);
  } else {
    strm_violation(st, "unknown direction");
  }
}

static void bulk_gone(struct strm *st, int err)
{
  int64_t n = st->n_head == BULK_HEAD ? (int64_t)ocf_get_be64(st->head + 1) : 0;
  if (err != 0)
    return;
  if (st->head[0] == 'S')
    st->p->n.bulk_in += n;
  else
    st->p->n.bulk_out += n;
}

/* ---- halfclose, served ---- */

static void halfclose_data(struct strm *st, struct ocf_bytes data)
{
  bool had = st->n_head == 1;
  if (!strm_take_head(st, &data, 1))
    return;
  if (!had) {
    expect_pattern(st, 0, HALFCLOSE_MAX);
    if (st->head[0] == 'R') {
      strm_send(st, "bye\n", 4);
      strm_fin(st);
    }
  }
  if ((st->head[0] != 'R' && st->head[0] != 'I') || !strm_take_pattern(st, data))
    strm_violation(st, "wrong half-close bytes");
}

static void halfclose_fin(struct strm *st)
{
  if (st->n_head < 1) {
    strm_violation(st, "half-close without a mode");
    return;
  }
  st->p->n.halfclose_bytes += (int64_t)st->rx_n;
  if (st->head[0] == 'R')
    return;
  send_pattern(st, 0, st->rx_n);
  strm_fin(st);
}

/* ---- reset, served ---- */

static void reset_data(struct strm *st, struct ocf_bytes data)
{
  bool had = st->n_head == 1;
  if (had || !strm_take_head(st, &data, 1))
    return;
  if (st->head[0] == 'I') {
    send_pattern(st, 0, WITHOUT_END);
  } else {
    send_pattern(st, 0, 1000);
    strm_reset(st);
  }
}

static void reset_gone(struct strm *st, int err)
{
  if (st->n_head == 1 && err == OCF_ERESET)
    st->p->n.reset_seen++;
}

static void echo_fin(struct strm *st)
{
  strm_fin(st);
}

const struct strm_ops test_servers[N_PROTOS] = {
  [PROTO_ECHO] = { .data = echo_data, .fin = echo_fin, .echo = true },
  [PROTO_BULK] = { .data = bulk_data, .fin = bulk_fin, .gone = bulk_gone },
  [PROTO_HALFCLOSE] = { .data = halfclose_data, .fin = halfclose_fin },
  [PROTO_RESET] = { .data = reset_data, .gone = reset_gone },
};

/* ---- the command `streams` ---- */

static void echo_batch(struct peer *p);

static int64_t batch_size(const struct cmd *c)
{
  return OCF_MIN(c->concurrency, c->n - c->first);
}

/* All have half of their bytes back: the rest of all of them. */
static void send_second_halves(struct peer *p)
{
  const struct cmd *c = &p->cmd;
  OCF_LIST_FOREACH (it, &p->streams) {
    struct strm *st = OCF_LIST_ENTRY(it, struct strm, link);
    if (!st->ours || st->done || st->fin_wanted)
      continue;
    st->tx_left = (uint64_t)(c->bytes - c->bytes / 2);
    strm_fin(st);
  }
}

static void half_is_back(struct strm *st)
{
  struct cmd *c = &st->p->cmd;
  st->half = true;
  if (++c->n_half == batch_size(c))
    send_second_halves(st->p);
}

static void our_echo_data(struct strm *st, struct ocf_bytes data)
{
  uint64_t half = (uint64_t)(st->p->cmd.bytes / 2);
  if (!strm_take_pattern(st, data) || (!st->fin_wanted && st->rx_n > half))
    strm_violation(st, "wrong or too many bytes came back");
  else if (!st->half && st->rx_n == half)
    half_is_back(st);
}

static void our_echo_fin(struct strm *st)
{
  if (st->rx_n < st->rx_max)
    strm_violation(st, "the echo ended early");
}

static void our_echo_gone(struct strm *st, int err)
{
  struct peer *p = st->p;
  struct cmd *c = &p->cmd;
  if (err != 0 || st->rx_n < st->rx_max) {
    cmd_fail(p, "streams: number %lld after %llu bytes: %s", (long long)st->k,
             (unsigned long long)st->rx_n, ocf_strerror(err));
    return;
  }
  st->done = true;
  c->total += c->bytes;
  if (++c->n_done < batch_size(c))
    return;
  c->first += c->n_done;
  echo_batch(p);
}

static void echo_batch(struct peer *p)
{
  static const struct strm_ops ops = { .data = our_echo_data,
                                       .fin = our_echo_fin,
                                       .gone = our_echo_gone };
  struct cmd *c = &p->cmd;
  c->n_half = c->n_done = 0;
  if (c->first >= c->n) {
    cmd_done(p, json_pack("{s:I, s:I}", "n", (json_int_t)c->n, "bytes", (json_int_t)c->total));
    return;
  }
  int64_t n = batch_size(c);
  for (int64_t k = 0; k < n; k++) {
    struct strm *st = strm_open(p, served[PROTO_ECHO], &ops);
    if (st == NULL)
      return;
    st->k = c->first + k;
    expect_pattern(st, (uint64_t)st->k * 4099, (uint64_t)c->bytes);
    send_pattern(st, st->rx_at, (uint64_t)(c->bytes / 2));
    if (c->bytes / 2 == 0)
      half_is_back(st);
  }
}

static void cmd_streams(struct peer *p)
{
  struct cmd *c = &p->cmd;
  c->n = cmd_int(c, "n", 1);
  c->concurrency = OCF_MAX(cmd_int(c, "concurrency", 1), 1);
  c->bytes = cmd_int(c, "bytes", 0);
  echo_batch(p);
}

/* ---- the command `bulk` ---- */

static void bulk_answer(struct peer *p)
{
  cmd_done(p, json_pack("{s:I, s:I}", "bytes", (json_int_t)p->cmd.bytes, "ms",
                        (json_int_t)((p->loop.now_ns - p->cmd.start_ns) / OCF_NS_PER_MS)));
}

static void bulk_sent_data(struct strm *st, struct ocf_bytes data)
{
  uint8_t want[BULK_TAIL];
  ocf_put_be64(want, (uint64_t)st->p->cmd.bytes);
  bool whole = strm_take_head(st, &data, BULK_TAIL);
  if (data.n > 0 || (whole && memcmp(st->head, want, BULK_TAIL) != 0))
    strm_violation(st, "the responder counted other bytes");
}

static void bulk_received_data(struct strm *st, struct ocf_bytes data)
{
  if (!strm_take_pattern(st, data))
    strm_violation(st, "wrong or too many bulk bytes");
}

static void bulk_end(struct strm *st, int err)
{
  bool whole =
      cmd_str(&st->p->cmd, "dir")[0] == 's' ? st->n_head == BULK_TAIL : st->rx_n == st->rx_max;
  if (err == 0 && whole)
    bulk_answer(st->p);
  else
    cmd_fail(st->p, "bulk: ended after %llu bytes: %s", (unsigned long long)st->rx_n,
             ocf_strerror(err));
}

static void cmd_bulk(struct peer *p)
{
  static const struct strm_ops send_ops = { .data = bulk_sent_data, .gone = bulk_end };
  static const struct strm_ops recv_ops = { .data = bulk_received_data, .gone = bulk_end };
  bool send = cmd_str(&p->cmd, "dir")[0] == 's';
  uint64_t n = (uint64_t)cmd_int(&p->cmd, "bytes", 0), at = p->loop.now_ns % PATTERN_PERIOD;
  uint8_t head[BULK_HEAD] = { send ? 'S' : 'R' };
  ocf_put_be64(head + 1, n);
  ocf_put_be32(head + 9, (uint32_t)at);
  p->cmd.bytes = (int64_t)n;
  struct strm *st = strm_open(p, served[PROTO_BULK], send ? &send_ops : &recv_ops);
  if (st == NULL)
    return;
  expect_pattern(st, at, n);
  strm_send(st, head, sizeof(head));
  if (send)
    send_pattern(st, at, n);
  strm_fin(st);
}

/* ---- the command `halfclose` ---- */

static void halfclose_back(struct strm *st, struct ocf_bytes data)
{
  if (!st->fin_sent || !strm_take_pattern(st, data))
    strm_violation(st, "wrong, too many or too early bytes");
}

static void bye_data(struct strm *st, struct ocf_bytes data)
{
  if ((strm_take_head(st, &data, 4) && memcmp(st->head, "bye\n", 4) != 0) || data.n > 0)
    strm_violation(st, "not the goodbye");
}

/* Its direction is closed: only now do we send. */
static void bye_fin(struct strm *st)
{
  if (st->n_head < 4) {
    strm_violation(st, "no goodbye");
    return;
  }
  st->rx_n = st->rx_max;
  send_pattern(st, 0, st->rx_max);
  strm_fin(st);
}

static void halfclose_end(struct strm *st, int err)
{
  if (err == 0 && st->rx_n == st->rx_max)
    cmd_done(st->p, json_pack("{s:I}", "bytes", (json_int_t)st->rx_n));
  else
    cmd_fail(st->p, "halfclose: ended after %llu bytes: %s", (unsigned long long)st->rx_n,
             ocf_strerror(err));
}

static void cmd_halfclose(struct peer *p)
{
  static const struct strm_ops i_ops = { .data = halfclose_back, .gone = halfclose_end };
  static const struct strm_ops r_ops = { .data = bye_data, .fin = bye_fin, .gone = halfclose_end };
  bool initiator = cmd_str(&p->cmd, "mode")[0] == 'i';
  uint64_t n = (uint64_t)cmd_int(&p->cmd, "bytes", 0);
  struct strm *st = strm_open(p, served[PROTO_HALFCLOSE], initiator ? &i_ops : &r_ops);
  if (st == NULL)
    return;
  expect_pattern(st, 0, n);
  strm_send(st, initiator ? "I" : "R", 1);
  if (!initiator)
    return;
  send_pattern(st, 0, n);
  strm_fin(st);
}

/* ---- the command `reset` ---- */

static void endless_data(struct strm *st, struct ocf_bytes data)
{
  if (!strm_take_pattern(st, data)) {
    strm_violation(st, "wrong bytes");
  } else if (st->rx_n >= RESET_AFTER) {
    cmd_done(st->p, json_pack("{s:I}", "bytes", (json_int_t)st->rx_n));
    strm_reset(st);
  }
}

static void until_reset_data(struct strm *st, struct ocf_bytes data)
{
  if (!strm_take_pattern(st, data))
    strm_violation(st, "wrong bytes");
}

static void no_end(struct strm *st)
{
  strm_violation(st, "an end instead of a reset");
}

static void until_reset_gone(struct strm *st, int err)
{
  if (err == OCF_ERESET)
    cmd_done(st->p, json_pack("{s:I}", "bytes", (json_int_t)st->rx_n));
  else
    cmd_fail(st->p, "reset: %s", ocf_strerror(err));
}

static void cmd_reset(struct peer *p)
{
  static const struct strm_ops i_ops = { .data = endless_data, .fin = no_end };
  static const struct strm_ops r_ops = { .data = until_reset_data,
                                         .fin = no_end,
                                         .gone = until_reset_gone };
  bool initiator = cmd_str(&p->cmd, "mode")[0] == 'i';
  struct strm *st = strm_open(p, served[PROTO_RESET], initiator ? &i_ops : &r_ops);
  if (st == NULL)
    return;
  expect_pattern(st, 0, initiator ? WITHOUT_END : 1000);
  strm_send(st, initiator ? "I" : "R", 1);
}

cmd_fn test_cmd(const char *name)
{
  if (strcmp(name, "streams") == 0)
    return cmd_streams;
  if (strcmp(name, "bulk") == 0)
    return cmd_bulk;
  if (strcmp(name, "halfclose") == 0)
    return cmd_halfclose;
  return strcmp(name, "reset") == 0 ? cmd_reset : NULL;
}
