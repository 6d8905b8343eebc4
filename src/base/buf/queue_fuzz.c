/* Byte queue and buffer against positions in an endless known stream: byte i is a function of i, so
 * the model is where the content begins and ends. */
#include <string.h>

#include "base/buf/buf.h"
#include "base/buf/queue.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { STREAM = 1 << 16, HELD_MAX = 1 << 15, BUF_MAX = 3000 };

static uint8_t stream[STREAM]; /* byte i of the endless stream is stream[i % 251] onwards */

struct span {
  size_t from, to;
};

static const uint8_t *bytes_at(size_t i)
{
  return stream + i % 251;
}

static void check_queue(const struct ocf_queue *q, struct span s)
{
  struct ocf_bytes v[HELD_MAX / 4096];
  size_t at = s.from, pieces = ocf_queue_peek(q, v, OCF_ARRAY_LEN(v));
  OCF_ASSERT(ocf_queue_len(q) == s.to - s.from);
  for (size_t i = 0; i < pieces; i++) {
    OCF_ASSERT(v[i].n > 0 && memcmp(v[i].p, bytes_at(at), v[i].n) == 0);
    at += v[i].n;
  }
  OCF_ASSERT(at == s.to);
  OCF_ASSERT((q->pool->n_used == 0) == (s.to == s.from));
}

static void step_queue(struct ocf_queue *q, struct span *s, uint8_t op, size_t n)
{
  if (op % 4 == 0) {
    ocf_queue_consume(q, n = OCF_MIN(n, s->to - s->from));
    s->from += n;
  } else if (op % 16 == 1) {
    ocf_queue_clear(q);
    s->from = s->to;
  } else if (s->to - s->from + n <= HELD_MAX) {
    struct ocf_alloc *a = q->pool->a;
    a->fail_at = op >= 0x60 ? a->n_calls + 1 + op % 3 : 0;
    int err = ocf_queue_add(q, bytes_at(s->to), n);
    OCF_ASSERT(err == 0 || (err == OCF_ENOMEM && a->fail_at != 0));
    a->fail_at = 0;
    s->to += err == 0 ? n : 0;
  }
  check_queue(q, *s);
}

static void step_buf(struct ocf_buf *b, struct span *s, uint8_t op, size_t n)
{
  if (op % 4 == 0) {
    ocf_buf_consume(b, n = OCF_MIN(n, b->n));
    s->from += n;
  } else if (op % 16 == 1) {
    ocf_buf_reset(b);
    s->from = s->to;
  } else {
    bool fits = n <= BUF_MAX - b->n;
    int err = op % 4 == 2 ? ocf_buf_printf(b, "%.*s", (int)n, (const char *)bytes_at(s->to))
                          : ocf_buf_add(b, bytes_at(s->to), n);
    OCF_ASSERT(err == (fits ? 0 : OCF_ELIMIT));
    s->to += fits ? n : 0;
  }
  OCF_ASSERT(b->n == s->to - s->from && b->n <= b->cap && b->cap <= BUF_MAX);
  OCF_ASSERT(b->n == 0 || memcmp(b->p, bytes_at(s->from), b->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops o = { d, n };
  struct ocf_alloc a;
  struct ocf_chunk_pool pool;
  struct ocf_queue q;
  struct ocf_buf b;
  struct span in_q = { 0, 0 }, in_b = { 0, 0 };
  for (size_t i = 0; i < STREAM; i++)
    stream[i] = (uint8_t)(1 + i % 251); /* no NUL, for printf */
  ocf_alloc_init(&a);
  ocf_chunk_pool_init(&pool, &a, ocf_ops_u8(&o) % 4);
  ocf_queue_init(&q, &pool);
  ocf_buf_init(&b, &a, BUF_MAX);
  while (ocf_ops_more(&o)) {
    uint8_t op = ocf_ops_u8(&o);
    size_t len = ocf_ops_u16(&o);
    if (op >= 0x80)
      step_buf(&b, &in_b, op, len % 4096);
    else
      step_queue(&q, &in_q, op, len % HELD_MAX);
  }
  ocf_queue_clear(&q);
  ocf_chunk_pool_fini(&pool);
  ocf_buf_fini(&b);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
