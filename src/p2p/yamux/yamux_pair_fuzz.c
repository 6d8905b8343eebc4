/* A pair of sessions driven by operations of four bytes each: what, which stream, how much. Oracle:
 * yamux_pair.h, that is, every byte in order and exactly once. */
#include "p2p/yamux/yamux_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static struct pair p;
  struct ocf_yamux_config c;
  if (n < 1)
    return 0;
  ocf_yamux_config_default(&c, false);
  c.ping_timeout_ns = 3600 * OCF_NS_PER_S;
  c.resets.burst = 0;
  c.max_inbound = 4 + d[0] % 16;
  c.quantum = 256u << (d[0] >> 5);
  OCF_ASSERT(pair_init(&p, &c, 0));
  for (size_t at = 1; at + 4 <= n; at += 4) {
    uint16_t arg = ocf_get_be16(d + at + 2);
    p.may_die = p.may_die || (d[at] % 16 == 15 && arg == 0xdead);
    pair_op(&p, d[at], d[at + 1], arg);
  }
  pair_settle(&p);
  pair_fini(&p);
  return 0;
}
