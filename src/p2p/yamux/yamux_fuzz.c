/* One session against raw bytes from the peer. First byte: role and how the input is cut. Oracle:
 * the module's assertions, bounded memory, a DEAD event exactly once and last, output that is well
 * formed. */
#include "p2p/yamux/yamux.h"

#include "base/core/endian.h"
#include "base/time/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_output(const uint8_t *p, size_t n)
{
  for (size_t at = 0; at < n;) {
    OCF_ASSERT(n - at >= 12);
    OCF_ASSERT(p[at] == 0 && p[at + 1] <= 3);
    at += 12 + (p[at + 1] == 0 ? ocf_get_be32(p + at + 8) : 0);
    OCF_ASSERT(at <= n);
  }
}

/* What a user does with an event, chosen by a byte of the input. */
static void act(struct ocf_yamux *y, uint64_t now, const struct ocf_yamux_event *ev, uint8_t how,
                struct ocf_yamux_out *out)
{
  static const uint8_t reply[200];
  struct ocf_bytes iov = ocf_bytes(reply, how % sizeof(reply));
  if (ev->kind == OCF_YAMUX_EV_DATA && how % 3 != 0)
    ocf_yamux_consumed(y, now, ev->stream, ev->data.n);
  if (ev->kind == OCF_YAMUX_EV_RESET)
    ocf_yamux_close(y, now, ev->stream);
  else if (ev->stream != NULL && how % 7 == 0)
    ocf_yamux_close(y, now, ev->stream);
  else if (ev->stream != NULL && how % 7 == 1)
    ocf_yamux_reset(y, now, ev->stream, how);
  else if (ev->stream != NULL && how % 7 == 2)
    ocf_yamux_finish(y, ev->stream);
  else if (ev->stream != NULL)
    (void)ocf_yamux_write(y, now, ev->stream, &iov, 1, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static uint8_t area[4096];
  struct ocf_yamux_out out = { area, 0, sizeof(area) };
  struct ocf_yamux_config cfg;
  struct ocf_yamux_stream *s;
  struct ocf_alloc a;
  bool told = false;
  uint64_t now = OCF_NS_PER_S;
  if (n < 1)
    return 0;
  ocf_yamux_config_default(&cfg, (d[0] & 1) != 0);
  cfg.max_inbound = 20;
  cfg.pings.burst = cfg.resets.burst = cfg.empty.burst = 100;
  ocf_alloc_init(&a);
  struct ocf_yamux *y = ocf_yamux_new(&a, &cfg, now);
  for (int i = 0; i < 3; i++)
    (void)!ocf_yamux_open(y, now, NULL, &s);
  size_t step = (d[0] >> 1) + 1u;
  for (size_t at = 1; at < n;) {
    struct ocf_bytes in = ocf_bytes(d + at, OCF_MIN(step, n - at));
    struct ocf_yamux_event ev;
    at += in.n;
    uint8_t how = d[at - 1];
    while (ocf_yamux_next(y, now, &in, &ev)) {
      OCF_ASSERT(!told);
      told = ev.kind == OCF_YAMUX_EV_DEAD;
      act(y, now, &ev, how++, &out);
      OCF_ASSERT(a.live_bytes < 16384);
    }
    OCF_ASSERT(in.n == 0);
    OCF_ASSERT(told == ocf_yamux_is_dead(y));
    now += how * OCF_NS_PER_MS;
    if (now >= ocf_yamux_deadline(y))
      ocf_yamux_tick(y, now);
    if (how % 4 == 0) {
      ocf_yamux_output(y, now, &out);
      while ((s = ocf_yamux_next_writable(y, &out)) != NULL)
        (void)ocf_yamux_write(y, now, s, &(struct ocf_bytes){ d, n }, 1, &out);
      check_output(out.p, out.n);
      out.n = 0;
    }
    struct ocf_bytes nothing = { NULL, 0 };
    while (ocf_yamux_next(y, now, &nothing, &ev)) {
      OCF_ASSERT(!told);
      told = ev.kind == OCF_YAMUX_EV_DEAD;
      act(y, now, &ev, how++, &out);
    }
  }
  ocf_yamux_free(y);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
