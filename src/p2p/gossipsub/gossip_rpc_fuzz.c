/* RPCs of any bytes. Oracle: the check and the passes agree, every view lies in the input, what a
 * signature covers can be made of every message and is stable under re-reading. */
#include "p2p/gossipsub/gossip_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void inside(struct ocf_bytes outer, struct ocf_bytes b)
{
  if (b.p == NULL) {
    OCF_ASSERT(b.n == 0);
    return;
  }
  OCF_ASSERT(b.p >= outer.p && b.p <= outer.p + outer.n);
  OCF_ASSERT(b.n <= (size_t)(outer.p + outer.n - b.p));
}

/* Of the known fields in order and the unknown ones behind, without signature and key: doing it
 * again to the result changes nothing. */
static void check_signed(const struct wire_msg *m)
{
  static const size_t n_prefix = sizeof("libp2p-pubsub:") - 1;
  struct ocf_alloc a;
  struct ocf_buf once, twice;
  struct wire_msg again;
  ocf_alloc_init(&a);
  ocf_buf_init(&once, &a, m->raw.n + 64);
  ocf_buf_init(&twice, &a, m->raw.n + 64);
  OCF_ASSERT(ocf_gossip_msg_signed(m, &once) == 0);
  struct ocf_bytes body = ocf_bytes(once.p + n_prefix, once.n - n_prefix);
  OCF_ASSERT(ocf_gossip_msg_decode(body, &again) == 0);
  OCF_ASSERT(again.signature.p == NULL && again.key.p == NULL);
  OCF_ASSERT(ocf_bytes_eq(again.from, m->from) && ocf_bytes_eq(again.data, m->data));
  OCF_ASSERT(ocf_bytes_eq(again.seqno, m->seqno) && ocf_bytes_eq(again.topic, m->topic));
  OCF_ASSERT(ocf_gossip_msg_signed(&again, &twice) == 0);
  OCF_ASSERT(ocf_bytes_eq(ocf_buf_view(&once), ocf_buf_view(&twice)));
  ocf_buf_fini(&once);
  ocf_buf_fini(&twice);
  OCF_ASSERT(a.live_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_bytes rpc = ocf_bytes(d, n);
  bool failed = false;
  for (enum rpc_pass pass = PASS_SUBS; pass < PASS_N; pass++) {
    struct rpc_reader r = ocf_gossip_rpc_read(rpc, pass);
    struct rpc_part part;
    size_t parts = 0;
    int rc;
    while ((rc = ocf_gossip_rpc_next(&r, &part)) > 0) {
      OCF_ASSERT(++parts <= n);
      inside(rpc, part.topic);
      inside(rpc, part.id);
      inside(rpc, part.msg.raw);
      if (part.kind != PART_MSG)
        continue;
      inside(part.msg.raw, part.msg.from);
      inside(part.msg.raw, part.msg.key);
      check_signed(&part.msg);
    }
    failed |= rc < 0;
  }
  OCF_ASSERT((ocf_gossip_rpc_check(rpc) != 0) == failed);
  return 0;
}
