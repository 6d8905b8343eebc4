#include "crypto/key/der.h"

/* The length octets after a tag. Two of them follow at most: nothing here is longer than 64 KiB. */
static int take_length(struct ocf_bytes *in, size_t *len)
{
  size_t n, v = 0;

  if (in->n < 1)
    return OCF_EINVAL;
  n = in->p[0] < 0x80 ? 0 : in->p[0] & 0x7fu;
  if (in->p[0] == 0x80 || n > 2 || in->n < 1 + n)
    return OCF_EINVAL;
  if (n == 0)
    v = in->p[0];
  for (size_t i = 1; i <= n; i++)
    v = v << 8 | in->p[i];
  if ((n == 1 && v < 0x80) || (n == 2 && v < 0x100))
    return OCF_EINVAL;
  *in = ocf_bytes(in->p + 1 + n, in->n - 1 - n);
  *len = v;
  return 0;
}

int ocf_der_take(struct ocf_bytes *in, uint8_t tag, struct ocf_bytes *body)
{
  struct ocf_bytes rest;
  size_t len;

  if (in->n < 2 || in->p[0] != tag)
    return OCF_EINVAL;
  rest = ocf_bytes(in->p + 1, in->n - 1);
  if (take_length(&rest, &len) != 0 || len > rest.n)
    return OCF_EINVAL;
  *body = ocf_bytes(rest.p, len);
  *in = ocf_bytes(rest.p + len, rest.n - len);
  return 0;
}

int ocf_der_take_uint(struct ocf_bytes *in, struct ocf_bytes *mag)
{
  struct ocf_bytes rest = *in, b;

  if (ocf_der_take(&rest, OCF_DER_INTEGER, &b) != 0 || b.n == 0 || (b.p[0] & 0x80) != 0)
    return OCF_EINVAL;
  if (b.n > 1 && b.p[0] == 0 && (b.p[1] & 0x80) == 0)
    return OCF_EINVAL; /* a zero byte more than the sign needs */
  if (b.p[0] == 0)
    b = ocf_bytes(b.p + 1, b.n - 1);
  *in = rest;
  *mag = b;
  return 0;
}

size_t ocf_der_bits(struct ocf_bytes mag)
{
  if (mag.n == 0)
    return 0;
  return (mag.n - 1) * 8 + (size_t)(32 - __builtin_clz((unsigned)mag.p[0]));
}
