/* A server connection under a hostile client and a careless owner: the input is a list of
 * operations, each one byte, some followed by a length byte and bytes from the client. Oracle: the
 * machine's own assertions, the documented results of every call, and all memory back at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "http/h1/server.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static struct ocf_h1_limits lim = OCF_H1_LIMITS_DEFAULT;

struct world {
  struct ocf_h1_server s;
  uint8_t in[4096];
  size_t n; /* bytes that the client sent and the machine has not consumed */
  uint32_t n_heads;
};

static void pull(struct world *w)
{
  for (;;) {
    struct ocf_bytes data;
    size_t used;
    const bool was_closing = ocf_h1_server_closing(&w->s);
    const enum ocf_h1_event ev = ocf_h1_server_input(&w->s, w->in, w->n, &used, &data);
    OCF_ASSERT(used <= w->n && data.n <= used);
    OCF_ASSERT((data.n > 0) == (ev == OCF_H1_EV_BODY));
    OCF_ASSERT(!was_closing || ev == OCF_H1_EV_CLOSE);
    if (ev == OCF_H1_EV_HEAD)
      OCF_ASSERT(ocf_h1_server_head(&w->s)->method != OCF_H1_CONNECT &&
                 w->s.n_requests == ++w->n_heads);
    if (ev == OCF_H1_EV_ERROR)
      OCF_ASSERT(w->s.error != OCF_H1_E_NONE);
    if (ev == OCF_H1_EV_HOLD)
      OCF_ASSERT(used == 0 && w->n > 0);
    memmove(w->in, w->in + used, w->n - used);
    w->n -= used;
    if (ev == OCF_H1_EV_MORE)
      OCF_ASSERT(w->n == 0);
    if (ev == OCF_H1_EV_MORE || ev == OCF_H1_EV_HOLD || ev == OCF_H1_EV_CLOSE ||
        ev == OCF_H1_EV_ERROR)
      return;
  }
}

static void respond(struct world *w, unsigned choice)
{
  static const unsigned statuses[] = { 200, 204, 304, 500, 100, 413 };
  struct ocf_h1_rewrite rw = { .status = (uint16_t)statuses[choice / 8 % OCF_ARRAY_LEN(statuses)] };
  uint8_t bytes[512];
  struct ocf_buf b = ocf_h1_fixed(bytes, sizeof(bytes));
  const bool was = ocf_h1_server_answering(&w->s);
  const int rc =
      ocf_h1_server_respond(&w->s, rw.status, (enum ocf_h1_framing)(choice % 4), choice % 8, &rw);

  OCF_ASSERT(rc == 0 || rc == OCF_ESTATE);
  OCF_ASSERT(rc != 0 || (!was && ocf_h1_server_answering(&w->s)));
  if (rc == 0) /* what it asks for can always be written */
    OCF_ASSERT(ocf_h1_write_response(&b, NULL, &rw) == 0);
}

static void step(struct world *w, struct ocf_ops *o)
{
  struct ocf_h1_frame f;
  const uint8_t op = ocf_ops_u8(o);

  switch (op % 12) {
  case 0: respond(w, ocf_ops_u8(o)); break;
  case 1: (void)!ocf_h1_server_data(&w->s, ocf_ops_u8(o) % 8, &f); break;
  case 2:
    if (ocf_h1_server_end(&w->s, &f) == 0)
      OCF_ASSERT(!ocf_h1_server_answering(&w->s));
    break;
  case 3: (void)ocf_h1_server_take_continue(&w->s); break;
  case 4: ocf_h1_server_drop_head(&w->s); break;
  case 5:
    if (op > 250)
      ocf_h1_server_close_after(&w->s);
    break;
  case 6:
    if (op > 250)
      (void)ocf_h1_server_abort(&w->s);
    break;
  case 7:
    if (op > 250)
      (void)!ocf_h1_server_eof(&w->s);
    break;
  default: {
    size_t len = ocf_ops_u8(o);
    len = OCF_MIN(OCF_MIN(len, o->n), sizeof(w->in) - w->n);
    if (len > 0)
      memcpy(w->in + w->n, o->p, len);
    o->p += len;
    o->n -= len;
    w->n += len;
    break;
  }
  }
  (void)ocf_h1_server_phase(&w->s);
  pull(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops o = { d, n };
  struct ocf_alloc a;
  struct ocf_h1_pool pool;
  struct world w = { .n = 0 };

  ocf_alloc_init(&a);
  const uint8_t first = ocf_ops_u8(&o);
  a.fail_at = first > 240 ? first - 240u : 0;
  lim.body_bytes_max = first % 16 == 1 ? 20 : 0;
  lim.drain_bytes_max = first % 16 == 2 ? 20 : 1000;
  ocf_h1_pool_init(&pool, &a, 1);
  ocf_h1_server_init(&w.s, &pool, &lim);
  while (ocf_ops_more(&o))
    step(&w, &o);
  ocf_h1_server_fini(&w.s);
  ocf_h1_pool_fini(&pool);
  OCF_ASSERT(a.live_bytes == 0 && a.live_blocks == 0);
  return 0;
}
