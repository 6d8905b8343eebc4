/* Any bytes as a body: the first chooses the framing, the second how the rest is cut. Oracle: the
 * same payload, end and error as in one piece, nothing consumed after the end, and what was read,
 * sent again by the sender, reads as the same payload. */
#include <stdlib.h>
#include <string.h>

#include "http/h1/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

struct outcome {
  uint8_t *payload;
  size_t n, used;
  bool done;
  enum ocf_h1_error error;
};

static const struct ocf_h1_limits lim = { .chunk_ext_bytes_max = 16, .trailer_bytes_max = 64 };

static void read_body(struct outcome *o, enum ocf_h1_framing framing, const uint8_t *d, size_t n,
                      size_t step)
{
  struct ocf_h1_body b;

  o->n = o->used = 0;
  ocf_h1_body_init(&b, framing, 40, &lim);
  while (o->used < n && !b.done) {
    const size_t k = OCF_MIN(step, n - o->used);
    struct ocf_bytes data;
    size_t used;
    const int rc = ocf_h1_body_read(&b, d + o->used, k, &used, &data);
    OCF_ASSERT(used <= k && data.n <= used);
    OCF_ASSERT(data.n == 0 || (data.p >= d + o->used && data.p + data.n <= d + o->used + k));
    if (rc != 0)
      break;
    OCF_ASSERT(used > 0);
    if (data.n > 0)
      memcpy(o->payload + o->n, data.p, data.n);
    o->n += data.n;
    o->used += used;
    OCF_ASSERT(b.total == o->n);
  }
  (void)!ocf_h1_body_eof(&b);
  o->done = b.done && b.error == OCF_H1_E_NONE;
  o->error = b.error;
}

static void send_again(const struct outcome *o, size_t step)
{
  struct ocf_h1_sender s;
  struct ocf_h1_frame f;
  struct outcome again = { .payload = malloc(o->n + 1) };
  uint8_t *wire = malloc(o->n * 23 + 64);
  size_t n = 0;

  OCF_ASSERT(wire != NULL && again.payload != NULL);
  ocf_h1_sender_init(&s, OCF_H1_FRAMING_CHUNKED, 0, false);
  for (size_t at = 0; at < o->n; at += step) {
    const size_t k = OCF_MIN(step, o->n - at);
    OCF_ASSERT(ocf_h1_sender_data(&s, k, &f) == 0 && f.n_pre <= sizeof(f.pre));
    memcpy(wire + n, f.pre, f.n_pre);
    memcpy(wire + n + f.n_pre, o->payload + at, k);
    n += f.n_pre + k;
    memcpy(wire + n, OCF_H1_CRLF, f.n_suf);
    n += f.n_suf;
  }
  OCF_ASSERT(ocf_h1_sender_end(&s, &f) == 0);
  memcpy(wire + n, f.pre, f.n_pre);
  n += f.n_pre;
  read_body(&again, OCF_H1_FRAMING_CHUNKED, wire, n, 1 + n / 3);
  OCF_ASSERT(again.done && again.used == n && again.n == o->n);
  OCF_ASSERT(o->n == 0 || memcmp(again.payload, o->payload, o->n) == 0);
  free(wire);
  free(again.payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  if (n < 2)
    return 0;
  const enum ocf_h1_framing framing =
      d[0] >= 32 ? OCF_H1_FRAMING_CHUNKED : (enum ocf_h1_framing)(d[0] % 4);
  const size_t step = 1 + d[1] % 64;
  struct outcome whole = { .payload = malloc(n) }, cut = { .payload = malloc(n) };

  OCF_ASSERT(whole.payload != NULL && cut.payload != NULL);
  read_body(&whole, framing, d + 2, n - 2, n);
  read_body(&cut, framing, d + 2, n - 2, step);
  OCF_ASSERT(whole.error == cut.error && whole.done == cut.done);
  if (whole.error == OCF_H1_E_NONE) {
    OCF_ASSERT(whole.n == cut.n && whole.used == cut.used);
    OCF_ASSERT(whole.n == 0 || memcmp(whole.payload, cut.payload, whole.n) == 0);
    send_again(&whole, step);
  }
  free(whole.payload);
  free(cut.payload);
  return 0;
}
