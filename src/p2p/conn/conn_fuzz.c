/* A connection of ours against a stranger whose every byte the input chooses.
 *
 * The first byte says how far an honest handshake goes before: 0 raw bytes from the start, 1 after
 * the negotiation, 2 inside the channel before the muxer is chosen, 3 muxed with an open stream. In
 * the channel, the stranger seals what the input says, so that it reaches the muxer.
 *
 * Oracle: nothing is ever shown of an unproved peer; DOWN is the last event; every stream is shown
 * and ended once; queues stay in their bounds; all memory comes back. */
#include <stdio.h>

#include "p2p/conn/conn_pair.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
  struct ocf_alloc a;
  struct pair_side us, them;
  struct ocf_noise hs;
  struct ocf_noise_result ch;
  struct pair_pipe out;
  uint64_t now;
  bool sealed, made;
};

static void check(const struct fuzz *f)
{
  const struct pair_side *s = &f->us;
  OCF_ASSERT(!s->up || f->sealed);
  OCF_ASSERT(s->n_streams == 0 || s->up);
  OCF_ASSERT(s->pool.n_rx_used <= 1);
  OCF_ASSERT(s->pool.n_tx_used <= 5);
  if (s->down) {
    struct ocf_conn_event ev;
    OCF_ASSERT(!ocf_conn_event(s->c, f->now, &ev));
    for (size_t i = 0; i < s->n_streams; i++)
      OCF_ASSERT(s->streams[i].gone);
  }
}

static void say(struct fuzz *f, const void *p, size_t n)
{
  pipe_add(&f->us.rx, p, n);
  f->now += OCF_NS_PER_US;
  (void)side_rx(&f->us, f->now, SIZE_MAX);
  (void)side_tx(&f->us, f->now, &f->out, SIZE_MAX);
  f->out.n = 0;
  check(f);
}

static void say_sealed(struct fuzz *f, const uint8_t *p, size_t n)
{
  static uint8_t frame[OCF_NOISE_FRAME_MAX];
  if (n == 0)
    return;
  memcpy(frame + OCF_NOISE_HEADER_LEN, p, n);
  int err = ocf_noise_seal_frame(&f->ch.tx, frame, n);
  OCF_ASSERT(err == 0);
  say(f, frame, n + OCF_NOISE_OVERHEAD);
}

/* An honest initiator, up to and with message 3. */
static void secure(struct fuzz *f, bool early)
{
  static const struct ocf_bytes muxers[] = { { (const uint8_t *)"/yamux/1.0.0", 12 } };
  static uint8_t buf[OCF_NOISE_HANDSHAKE_MAX];
  struct ocf_noise_config nc = {
    .role = OCF_NOISE_INITIATOR, .self = &f->them.st, .muxers = muxers, .n_muxers = early ? 1 : 0
  };
  size_t used;
  int err = ocf_noise_init(&f->hs, &f->a, &f->them.rng, &nc);
  OCF_ASSERT(err == 0);
  pipe_add(&f->us.rx, buf, ocf_noise_output(&f->hs, buf, sizeof(buf)));
  (void)side_rx(&f->us, f->now, SIZE_MAX);
  (void)side_tx(&f->us, f->now, &f->out, SIZE_MAX);
  err = ocf_noise_input(&f->hs, f->out.p, f->out.n, &used);
  OCF_ASSERT(err == 0);
  f->out.n = 0;
  f->sealed = true;
  err = ocf_noise_take(&f->hs, &f->ch);
  OCF_ASSERT(err == 0);
  f->made = true;
  size_t n = ocf_noise_output(&f->hs, buf, sizeof(buf));
  say(f, buf, n);
  OCF_ASSERT(f->us.up == early);
}

static void prepare(struct fuzz *f, unsigned how)
{
  static const char talk[] = "\x13/multistream/1.0.0\n\x07/noise\n";
  static const uint8_t echo[] = "\0\1\0\1\0\0\0\1\0\0\0\0"
                                "\0\0\0\0\0\0\0\1\0\0\0\x1d"
                                "\x13/multistream/1.0.0\n\x08/echo/1\n";
  if (how == 0)
    return;
  say(f, talk, sizeof(talk) - 1);
  if (how == 1)
    return;
  secure(f, how == 3);
  if (how == 3)
    say_sealed(f, echo, sizeof(echo) - 1);
}

/* What our own user may do. */
static void act(struct fuzz *f, struct ocf_ops *o)
{
  static const struct ocf_bytes name[] = { { (const uint8_t *)"/echo/1", 7 } };
  static uint8_t big[70000];
  struct ocf_stream *s = NULL;
  unsigned what = ocf_ops_u8(o), which = ocf_ops_u8(o);
  struct pair_stream *t = f->us.n_streams > 0 ? &f->us.streams[which % f->us.n_streams] : NULL;
  if (t != NULL && t->s != NULL)
    s = t->s;
  switch (what % 8) {
  case 0:
    if (f->us.n_streams < PAIR_STREAMS - 300 &&
        ocf_conn_open(f->us.c, f->now, name, 1, which % 2 == 0, NULL, &s) == 0)
      side_track(&f->us, s);
    break;
  case 1:
    if (s != NULL)
      (void)ocf_stream_write(s, big, (size_t)which * 257);
    break;
  case 2:
    if (s != NULL)
      ocf_stream_fin(s);
    break;
  case 3:
    if (s != NULL) {
      ocf_stream_reset(s, which);
      t->s = NULL;
      t->gone = true;
    }
    break;
  case 4: f->now += (uint64_t)which * 100 * OCF_NS_PER_MS; break;
  case 5: f->us.hold = which % 2 == 0; break;
  case 6: ocf_conn_close(f->us.c, f->now, OCF_NS_PER_S); break;
  case 7: ocf_conn_rx_end(f->us.c, f->now, which % 2 == 0 ? 0 : OCF_ERESET); break;
  default: break;
  }
  ocf_conn_tick(f->us.c, f->now);
  side_events(&f->us, f->now);
  check(f);
}

static void run(struct fuzz *f, struct ocf_ops *o)
{
  static uint8_t buf[1024];
  while (ocf_ops_more(o) && !f->us.down && f->us.n_streams < PAIR_STREAMS - 100) {
    unsigned n = ocf_ops_u8(o);
    if (n >= 0xf0) {
      act(f, o);
      continue;
    }
    for (unsigned i = 0; i < n; i++)
      buf[i] = ocf_ops_u8(o);
    if (f->sealed)
      say_sealed(f, buf, n);
    else
      say(f, buf, n);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct fuzz f;
  struct ocf_ops o = { data, size };
  memset(&f, 0, sizeof(f));
  if (size > 4096)
    return 0;
  ocf_alloc_init(&f.a);
  f.now = OCF_NS_PER_S;
  int err = side_init(&f.us, &f.a, 1);
  if (err == 0)
    err = side_init(&f.them, &f.a, 2);
  OCF_ASSERT(err == 0);
  f.us.echo = true;
  err = ocf_conn_new(&f.us.cfg, f.now, OCF_CONN_LISTENER, NULL, &f.us.c);
  OCF_ASSERT(err == 0);
  prepare(&f, ocf_ops_u8(&o) % 4);
  run(&f, &o);
  ocf_noise_fini(&f.hs);
  if (f.made)
    ocf_noise_result_fini(&f.ch);
  free(f.out.p);
  side_fini(&f.us);
  side_fini(&f.them);
  OCF_ASSERT(f.a.live_bytes == 0);
  return 0;
}
