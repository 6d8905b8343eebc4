/* First byte: role and chunk size. The rest comes from the peer. Oracle: the module's assertions,
 * and that any chunking gives the same result, output and remainder. */
#include "p2p/mss/mss.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

struct outcome {
  int rc;
  size_t taken, n_out;
  uint8_t out[512];
};

static void run(struct outcome *o, bool responder, const uint8_t *d, size_t n, size_t step)
{
  static const struct ocf_bytes protos[] = { { (const uint8_t *)"/ipfs/ping/1.0.0", 16 },
                                             { (const uint8_t *)"/a", 2 } };
  struct ocf_alloc a;
  struct ocf_mss m;
  *o = (struct outcome){ .rc = OCF_MSS_MORE };
  ocf_alloc_init(&a);
  if (responder)
    ocf_mss_init_responder(&m, &a, protos, 2);
  else
    ocf_mss_init_initiator(&m, &a, protos, 2);
  while (o->rc == OCF_MSS_MORE) {
    /* The initiator's second question needs the first answer, so output follows every byte there.
     */
    o->n_out += ocf_mss_output(&m, o->out + o->n_out, sizeof(o->out) - o->n_out);
    if (o->taken == n)
      break;
    struct ocf_bytes in = ocf_bytes(d + o->taken, OCF_MIN(step, n - o->taken));
    size_t before = in.n;
    o->rc = ocf_mss_input(&m, &in);
    o->taken += before - in.n;
    OCF_ASSERT(o->rc != OCF_MSS_MORE || in.n == 0);
    OCF_ASSERT(a.live_bytes <= OCF_MSS_TOKEN_MAX);
  }
  if (o->rc >= 0)
    o->n_out += ocf_mss_output(&m, o->out + o->n_out, sizeof(o->out) - o->n_out);
  OCF_ASSERT(o->rc < 0 || ocf_mss_is_done(&m) == (o->rc == OCF_MSS_AGREED));
  ocf_mss_fini(&m);
  OCF_ASSERT(a.live_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static struct outcome one, many;
  if (n == 0)
    return 0;
  bool responder = (d[0] & 1) != 0;
  run(&one, responder, d + 1, n - 1, 1);
  run(&many, responder, d + 1, n - 1, responder ? (d[0] >> 1) + 1u : 1);
  OCF_ASSERT(one.rc == many.rc && one.taken == many.taken);
  if (one.rc >= 0) /* after an error the output is dropped with the stream */
    OCF_ASSERT(one.n_out == many.n_out && memcmp(one.out, many.out, one.n_out) == 0);
  return 0;
}
