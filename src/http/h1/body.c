/* Reading and framing message bodies. */
#include "http/h1/body.h"

#include "http/h1/chars.h"

/* One state per place in the chunked grammar where input may stop. */
enum state {
  ST_PLAIN, /* LENGTH and CLOSE */
  ST_SIZE,
  ST_EXT,
  ST_SIZE_LF,
  ST_DATA,
  ST_DATA_CR,
  ST_DATA_LF,
  ST_LINE, /* a trailer line or the last empty line begins */
  ST_NAME,
  ST_VALUE,
  ST_VALUE_LF,
  ST_LAST_LF,
  ST_DONE,
};

enum { EXT_SUM_FACTOR = 64, SIZE_DIGITS_MAX = 16 };

void ocf_h1_body_init(struct ocf_h1_body *b, enum ocf_h1_framing framing, uint64_t length,
                      const struct ocf_h1_limits *lim)
{
  memset(b, 0, sizeof(*b));
  b->framing = framing;
  b->ext_max = lim->chunk_ext_bytes_max;
  b->trailer_max = lim->trailer_bytes_max;
  switch (framing) {
  case OCF_H1_FRAMING_NONE: b->state = ST_DONE; break;
  case OCF_H1_FRAMING_LENGTH:
    b->left = length;
    b->state = length > 0 ? ST_PLAIN : ST_DONE;
    break;
  case OCF_H1_FRAMING_CHUNKED: b->state = ST_SIZE; break;
  case OCF_H1_FRAMING_CLOSE:
    b->left = UINT64_MAX;
    b->state = ST_PLAIN;
    break;
  }
  b->done = b->state == ST_DONE;
}

static enum ocf_h1_error control_error(uint8_t c, enum ocf_h1_error otherwise)
{
  return c == '\n' ? OCF_H1_E_BARE_LF : c == 0 ? OCF_H1_E_NUL : otherwise;
}

static enum ocf_h1_error size_byte(struct ocf_h1_body *b, uint8_t c)
{
  const int digit = ocf_h1_hex(c);

  if (digit >= 0) {
    if (b->n_digits == SIZE_DIGITS_MAX || b->left > (uint64_t)INT64_MAX >> 4)
      return OCF_H1_E_CHUNK_SIZE;
    b->left = b->left << 4 | (uint64_t)digit;
    b->n_digits++;
    return OCF_H1_E_NONE;
  }
  if (b->n_digits == 0)
    return control_error(c, OCF_H1_E_CHUNK_SIZE);
  if (c == '\r') {
    b->state = ST_SIZE_LF;
    return OCF_H1_E_NONE;
  }
  if (c != ';')
    return control_error(c, OCF_H1_E_CHUNK_SIZE);
  b->state = ST_EXT;
  b->ext_n = 0;
  return OCF_H1_E_NONE;
}

static enum ocf_h1_error ext_byte(struct ocf_h1_body *b, uint8_t c)
{
  if (c == '\r') {
    b->state = ST_SIZE_LF;
    return OCF_H1_E_NONE;
  }
  if (!ocf_h1_is(c, OCF_H1_CH_VALUE))
    return control_error(c, OCF_H1_E_CONTROL_CHAR);
  b->ext_n++;
  b->ext_sum++;
  if (b->ext_n > b->ext_max || b->ext_sum / EXT_SUM_FACTOR >= b->ext_max)
    return OCF_H1_E_CHUNK_EXT;
  return OCF_H1_E_NONE;
}

static enum ocf_h1_error line_end(struct ocf_h1_body *b, uint8_t c, enum state next)
{
  if (c != '\n')
    return OCF_H1_E_BARE_CR;
  b->state = (uint8_t)next;
  return OCF_H1_E_NONE;
}

/* A byte of the trailer section; fields are checked as in a head, and dropped. */
static enum ocf_h1_error trailer_byte(struct ocf_h1_body *b, uint8_t c)
{
  if (++b->ext_n > b->trailer_max)
    return OCF_H1_E_TRAILER_TOO_LARGE;
  switch ((enum state)b->state) {
  case ST_LINE:
    if (c == '\r') {
      b->state = ST_LAST_LF;
      return OCF_H1_E_NONE;
    }
    b->state = ST_NAME;
    return ocf_h1_is(c, OCF_H1_CH_TOKEN) ? OCF_H1_E_NONE : control_error(c, OCF_H1_E_TRAILER);
  case ST_NAME:
    if (c == ':')
      b->state = ST_VALUE;
    else if (!ocf_h1_is(c, OCF_H1_CH_TOKEN))
      return control_error(c, OCF_H1_E_TRAILER);
    return OCF_H1_E_NONE;
  case ST_VALUE:
    if (c == '\r')
      b->state = ST_VALUE_LF;
    else if (!ocf_h1_is(c, OCF_H1_CH_VALUE))
      return control_error(c, OCF_H1_E_CONTROL_CHAR);
    return OCF_H1_E_NONE;
  case ST_PLAIN:
  case ST_SIZE:
  case ST_EXT:
  case ST_SIZE_LF:
  case ST_DATA:
  case ST_DATA_CR:
  case ST_DATA_LF:
  case ST_VALUE_LF:
  case ST_LAST_LF:
  case ST_DONE: break;
  }
  OCF_ASSERT(b->state == ST_VALUE_LF || b->state == ST_LAST_LF);
  return line_end(b, c, b->state == ST_VALUE_LF ? ST_LINE : ST_DONE);
}

static enum ocf_h1_error size_line_end(struct ocf_h1_body *b, uint8_t c)
{
  const bool last = b->left == 0;

  b->n_digits = 0;
  b->ext_n = 0;
  return line_end(b, c, last ? ST_LINE : ST_DATA);
}

/* One byte of chunked framing. */
static enum ocf_h1_error framing_byte(struct ocf_h1_body *b, uint8_t c)
{
  switch ((enum state)b->state) {
  case ST_SIZE: return size_byte(b, c);
  case ST_EXT: return ext_byte(b, c);
  case ST_SIZE_LF: return size_line_end(b, c);
  case ST_DATA_CR: b->state = ST_DATA_LF; return c == '\r' ? OCF_H1_E_NONE : OCF_H1_E_CHUNK_END;
  case ST_DATA_LF: b->state = ST_SIZE; return c == '\n' ? OCF_H1_E_NONE : OCF_H1_E_CHUNK_END;
  case ST_LINE:
  case ST_NAME:
  case ST_VALUE:
  case ST_VALUE_LF:
  case ST_LAST_LF: return trailer_byte(b, c);
  case ST_PLAIN:
  case ST_DATA:
  case ST_DONE: break;
  }
  ocf_panic(__FILE__, __LINE__, "no framing in a state with payload or after the end");
}

static void take_payload(struct ocf_h1_body *b, const uint8_t *p, size_t n,
                         struct ocf_bytes *payload)
{
  const size_t k = n < b->left ? n : (size_t)b->left;

  *payload = ocf_bytes(p, k);
  b->total += k;
  if (b->framing == OCF_H1_FRAMING_CLOSE)
    return;
  b->left -= k;
  if (b->left == 0)
    b->state = b->state == ST_DATA ? ST_DATA_CR : ST_DONE;
}

int ocf_h1_body_read(struct ocf_h1_body *b, const uint8_t *p, size_t n, size_t *used,
                     struct ocf_bytes *payload)
{
  size_t i = 0;

  *used = 0;
  *payload = ocf_bytes(NULL, 0);
  if (b->error != OCF_H1_E_NONE)
    return OCF_EPROTO;
  while (i < n && b->state != ST_DONE) {
    if (b->state == ST_DATA || b->state == ST_PLAIN) {
      take_payload(b, p + i, n - i, payload);
      i += payload->n;
      break; /* what follows is looked at in the next call: an error never takes payload with it */
    }
    b->error = framing_byte(b, p[i]);
    if (b->error != OCF_H1_E_NONE)
      return OCF_EPROTO;
    i++;
  }
  b->done = b->state == ST_DONE;
  *used = i;
  return 0;
}

int ocf_h1_body_eof(struct ocf_h1_body *b)
{
  if (b->framing == OCF_H1_FRAMING_CLOSE)
    b->state = ST_DONE;
  b->done = b->state == ST_DONE;
  return b->done && b->error == OCF_H1_E_NONE ? 0 : OCF_EEOF;
}

/* ---- sending ---- */

void ocf_h1_sender_init(struct ocf_h1_sender *s, enum ocf_h1_framing framing, uint64_t length,
                        bool mute)
{
  *s = (struct ocf_h1_sender){ .framing = framing,
                               .left = framing == OCF_H1_FRAMING_LENGTH ? length : 0,
                               .mute = mute || framing == OCF_H1_FRAMING_NONE };
}

static uint8_t hex_line(uint8_t *dst, uint64_t v)
{
  uint8_t n = 1;

  for (uint64_t w = v >> 4; w != 0; w >>= 4)
    n++;
  for (uint8_t i = n; i-- > 0; v >>= 4)
    dst[i] = (uint8_t) "0123456789abcdef"[v & 15];
  dst[n] = '\r';
  dst[n + 1] = '\n';
  return (uint8_t)(n + 2);
}

int ocf_h1_sender_data(struct ocf_h1_sender *s, uint64_t n, struct ocf_h1_frame *f)
{
  if (s->ended)
    return OCF_ESTATE;
  if (!s->mute && s->framing == OCF_H1_FRAMING_LENGTH) {
    if (n > s->left)
      return OCF_ELIMIT;
    s->left -= n;
  }
  f->n_pre = f->n_suf = 0;
  f->drop_payload = s->mute;
  if (!s->mute && n > 0 && s->framing == OCF_H1_FRAMING_CHUNKED) {
    f->n_pre = hex_line(f->pre, n);
    f->n_suf = 2;
  }
  return 0;
}

int ocf_h1_sender_end(struct ocf_h1_sender *s, struct ocf_h1_frame *f)
{
  static const uint8_t last[] = { '0', '\r', '\n', '\r', '\n' };

  if (s->ended || (!s->mute && s->left > 0))
    return OCF_ESTATE;
  s->ended = true;
  f->n_pre = f->n_suf = 0;
  f->drop_payload = s->mute;
  if (!s->mute && s->framing == OCF_H1_FRAMING_CHUNKED) {
    memcpy(f->pre, last, sizeof(last));
    f->n_pre = sizeof(last);
  }
  return 0;
}
