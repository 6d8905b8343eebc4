/* A client connection under a hostile server: operations as in server_fuzz.c. Oracle: the machine's
 * own assertions, the documented results, and all memory back at the end. */
#include <string.h>

#include "http/h1/client.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static const struct ocf_h1_limits lim = OCF_H1_LIMITS_DEFAULT;

static void pull(struct ocf_h1_client *c, const uint8_t *p, size_t n)
{
  for (;;) {
    struct ocf_bytes data;
    size_t used;
    const bool was_reusable = ocf_h1_client_reusable(c);
    const enum ocf_h1_event ev = ocf_h1_client_input(c, p, n, &used, &data);
    OCF_ASSERT(used <= n && data.n <= used && ev != OCF_H1_EV_HOLD);
    OCF_ASSERT((data.n > 0) == (ev == OCF_H1_EV_BODY));
    OCF_ASSERT(!was_reusable || n == 0 || ev == OCF_H1_EV_ERROR); /* nothing comes unasked */
    if (ev == OCF_H1_EV_HEAD)
      OCF_ASSERT(ocf_h1_client_head(c)->status >= 200);
    if (ev == OCF_H1_EV_INTERIM)
      OCF_ASSERT(ocf_h1_client_head(c)->status < 200 && c->n_interim <= lim.interim_max);
    if (ev == OCF_H1_EV_ERROR)
      OCF_ASSERT(c->error != OCF_H1_E_NONE && !ocf_h1_client_reusable(c));
    p += used;
    n -= used;
    if (ev == OCF_H1_EV_MORE)
      OCF_ASSERT(n == 0);
    if (ev == OCF_H1_EV_MORE || ev == OCF_H1_EV_CLOSE || ev == OCF_H1_EV_ERROR)
      return;
  }
}

static void start(struct ocf_h1_client *c, unsigned choice)
{
  const bool can = ocf_h1_client_reusable(c);
  const int rc = ocf_h1_client_start(c, (choice & 4) != 0 ? OCF_H1_HEAD : OCF_H1_POST,
                                     (enum ocf_h1_framing)(choice % 4), 5);

  OCF_ASSERT((rc == OCF_ESTATE) == !can);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops o = { d, n };
  struct ocf_alloc a;
  struct ocf_h1_pool pool;
  struct ocf_h1_client c;
  struct ocf_h1_frame f;

  ocf_alloc_init(&a);
  const uint8_t first = ocf_ops_u8(&o);
  a.fail_at = first > 240 ? first - 240u : 0;
  ocf_h1_pool_init(&pool, &a, 1);
  ocf_h1_client_init(&c, &pool, &lim);
  while (ocf_ops_more(&o)) {
    const uint8_t op = ocf_ops_u8(&o);
    switch (op % 8) {
    case 0: start(&c, ocf_ops_u8(&o)); break;
    case 1: (void)!ocf_h1_client_data(&c, ocf_ops_u8(&o) % 8, &f); break;
    case 2: (void)!ocf_h1_client_end(&c, &f); break;
    case 3:
      if (op > 240)
        (void)ocf_h1_client_eof(&c);
      else
        ocf_h1_client_drop_head(&c);
      break;
    default: {
      size_t len = ocf_ops_u8(&o);
      len = OCF_MIN(len, o.n);
      pull(&c, o.p, len);
      o.p += len;
      o.n -= len;
      break;
    }
    }
    (void)ocf_h1_client_phase(&c);
  }
  ocf_h1_client_fini(&c);
  ocf_h1_pool_fini(&pool);
  OCF_ASSERT(a.live_bytes == 0 && a.live_blocks == 0);
  return 0;
}
