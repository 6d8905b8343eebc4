/* Pairs of bytes choose calls on an initiator and a responder that are joined by a small pipe each
 * way, which the fuzzer may damage. Oracle: the module's assertions; while the pipe is undamaged no
 * round fails but by time, and every echo equals its payload. */
#include "p2p/ping/ping.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

struct pipe {
  uint8_t b[256];
  size_t n;
};

static void pipe_put(struct pipe *p, const uint8_t *b, size_t n)
{
  OCF_ASSERT(p->n + n <= sizeof(p->b));
  memcpy(p->b + p->n, b, n);
  p->n += n;
}

static void pipe_drop(struct pipe *p, size_t n)
{
  p->n -= n;
  memmove(p->b, p->b + n, p->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_pong_config cfg = { .idle_ns = 1000, .burst = 3, .per_s = 100000000 };
  struct ocf_ping p;
  struct ocf_pong q;
  struct ocf_ping_event ev;
  struct pipe there = { .n = 0 }, back = { .n = 0 };
  uint8_t buf[OCF_PING_LEN];
  uint64_t now = 0;
  bool damaged = false, timed_out = false;

  ocf_ping_init(&p, 100);
  ocf_pong_init(&q, &cfg, 0);
  for (size_t i = 0; i + 1 < n; i += 2) {
    size_t len = d[i + 1] % (OCF_PING_LEN + 1u), got;
    struct ocf_bytes in;
    switch (d[i] % 8) {
    case 0:
      memset(buf, d[i + 1], sizeof(buf));
      (void)!ocf_ping_start(&p, now, buf);
      break;
    case 1:
      len = OCF_MIN(len, sizeof(there.b) - there.n);
      got = ocf_ping_output(&p, now, buf, len);
      pipe_put(&there, buf, got);
      break;
    case 2:
      in = ocf_bytes(there.b, OCF_MIN(len, there.n));
      got = in.n;
      ocf_pong_input(&q, now, &in);
      pipe_drop(&there, got - in.n);
      break;
    case 3:
      len = OCF_MIN(len, sizeof(back.b) - back.n);
      got = ocf_pong_output(&q, now, buf, len);
      pipe_put(&back, buf, got);
      break;
    case 4:
      len = OCF_MIN(len, back.n);
      if (ocf_ping_input(&p, now, ocf_bytes(back.b, len)) != 0)
        OCF_ASSERT(damaged || timed_out);
      pipe_drop(&back, len);
      break;
    case 5:
      now += d[i + 1];
      ocf_ping_tick(&p, now);
      timed_out = timed_out || p.state == OCF_PING_DEAD;
      (void)!ocf_pong_tick(&q, now);
      break;
    case 6:
      if (ocf_ping_event(&p, &ev))
        OCF_ASSERT(ev.err == 0 || ev.err == OCF_ETIME || damaged || timed_out);
      break;
    default:
      damaged = true;
      if (d[i + 1] == 0xff)
        ocf_ping_eof(&p);
      else if (back.n > 0)
        back.b[d[i + 1] % back.n] ^= 0x40;
      break;
    }
  }
  return 0;
}
