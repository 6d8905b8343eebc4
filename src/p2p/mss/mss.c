#include "p2p/mss/mss.h"

#include <string.h>

enum { NEGOTIATING, DONE, FAILED };

static const char HEADER[] = "/multistream/1.0.0";
static const char NA[] = "na";

static struct ocf_bytes header_name(void)
{
  return ocf_bytes(HEADER, sizeof(HEADER) - 1);
}

static struct ocf_bytes na_name(void)
{
  return ocf_bytes(NA, sizeof(NA) - 1);
}

static void init(struct ocf_mss *m, struct ocf_alloc *a, const struct ocf_bytes *protos, size_t n,
                 bool responder)
{
  OCF_ASSERT(n <= UINT16_MAX);
  *m = (struct ocf_mss){ .a = a,
                         .protos = protos,
                         .n_protos = (uint16_t)n,
                         .state = NEGOTIATING,
                         .responder = responder,
                         .header_out = true,
                         .name_out = !responder };
  for (size_t i = 0; i < n; i++)
    OCF_ASSERT(protos[i].n >= 1 && protos[i].n < OCF_MSS_TOKEN_MAX);
}

void ocf_mss_init_initiator(struct ocf_mss *m, struct ocf_alloc *a, const struct ocf_bytes *protos,
                            size_t n)
{
  OCF_ASSERT(n >= 1 && n <= OCF_MSS_ROUNDS_MAX);
  init(m, a, protos, n, false);
}

void ocf_mss_init_responder(struct ocf_mss *m, struct ocf_alloc *a, const struct ocf_bytes *protos,
                            size_t n)
{
  init(m, a, protos, n, true);
}

static void drop_gather(struct ocf_mss *m)
{
  ocf_alloc_put(m->a, m->gather, m->need);
  m->gather = NULL;
  m->need = m->got = 0;
  m->len_byte = 0;
}

void ocf_mss_fini(struct ocf_mss *m)
{
  drop_gather(m);
  m->state = m->state == DONE ? DONE : FAILED;
}

/* ---- tokens -----------------------------------------------------------------------------------
 */

/* Reads the length: one byte, or two for 128 .. OCF_MSS_TOKEN_MAX. 1 known, 0 more input, <0 error.
 */
static int take_length(struct ocf_mss *m, struct ocf_bytes *in)
{
  while (m->need == 0) {
    if (in->n == 0)
      return 0;
    uint8_t b = *in->p;
    in->p++;
    in->n--;
    if (m->len_byte == 0 && b >= 0x80) {
      m->len_byte = b;
      continue;
    }
    if (m->len_byte != 0 && (b == 0 || b >= 0x80))
      return OCF_EPROTO; /* not minimal, or far too long */
    size_t n = m->len_byte != 0 ? (size_t)b << 7 | (m->len_byte & 0x7f) : b;
    if (n == 0 || n > OCF_MSS_TOKEN_MAX)
      return OCF_EPROTO; /* an empty token has no newline */
    m->need = (uint16_t)n;
  }
  return 1;
}

/* Takes one token; `*name` is its text, a view into `in` or into the gather, lent until the next
 * call. 1 complete, 0 more input, <0 error. */
static int take_token(struct ocf_mss *m, struct ocf_bytes *in, struct ocf_bytes *name)
{
  int rc = take_length(m, in);
  if (rc <= 0)
    return rc;
  const uint8_t *p = in->p;
  size_t n = OCF_MIN(in->n, (size_t)m->need - m->got);
  if (m->got + n < m->need || m->got != 0) {
    if (n == 0)
      return 0;
    if (m->gather == NULL && (m->gather = ocf_alloc_get(m->a, m->need)) == NULL)
      return OCF_ENOMEM;
    memcpy(m->gather + m->got, in->p, n);
    p = m->gather;
  }
  m->got = (uint16_t)(m->got + n);
  in->p += n;
  in->n -= n;
  if (m->got < m->need)
    return 0;
  if (p[m->need - 1] != '\n')
    return OCF_EPROTO;
  *name = ocf_bytes(p, m->need - 1u);
  return 1;
}

/* ---- the two ends -----------------------------------------------------------------------------
 */

static int propose_next(struct ocf_mss *m)
{
  OCF_ASSERT(!m->responder);
  if (m->at + 1 >= m->n_protos)
    return OCF_EUNSUPP;
  m->at++;
  m->name_out = true;
  m->out_off = 0;
  return OCF_MSS_MORE;
}

static int initiator_token(struct ocf_mss *m, struct ocf_bytes name)
{
  /* An answer to a proposal that was not sent answers nothing. */
  bool asked = !m->name_out && !m->header_out;
  if (asked && ocf_bytes_eq(name, m->protos[m->at]))
    return OCF_MSS_AGREED;
  if (asked && ocf_bytes_eq(name, na_name()))
    return propose_next(m);
  if (name.n > 0 && name.p[0] == '/')
    return OCF_MSS_EBOTHDIAL; /* that is a proposal */
  return OCF_EPROTO;
}

static int responder_token(struct ocf_mss *m, struct ocf_bytes name)
{
  for (size_t i = 0; i < m->n_protos; i++) {
    if (!ocf_bytes_eq(name, m->protos[i]))
      continue;
    m->at = (uint16_t)i;
    m->name_out = true;
    return OCF_MSS_AGREED;
  }
  if (++m->n_rounds >= OCF_MSS_ROUNDS_MAX)
    return OCF_ELIMIT;
  m->n_na++;
  return OCF_MSS_MORE;
}

static int token(struct ocf_mss *m, struct ocf_bytes name)
{
  if (!m->header_in) {
    m->header_in = true;
    return ocf_bytes_eq(name, header_name()) ? OCF_MSS_MORE : OCF_EPROTO;
  }
  return m->responder ? responder_token(m, name) : initiator_token(m, name);
}

int ocf_mss_input(struct ocf_mss *m, struct ocf_bytes *in)
{
  OCF_ASSERT(m->state == NEGOTIATING);
  for (;;) {
    struct ocf_bytes name;
    int rc = take_token(m, in, &name);
    if (rc == 0)
      return OCF_MSS_MORE;
    if (rc == 1) {
      rc = token(m, name);
      drop_gather(m);
    }
    if (rc < 0) {
      m->state = FAILED;
      drop_gather(m);
      return rc;
    }
    if (rc == OCF_MSS_AGREED) {
      m->state = DONE;
      return OCF_MSS_AGREED;
    }
  }
}

int ocf_mss_eof(const struct ocf_mss *m)
{
  return m->state == DONE ? 0 : OCF_EPROTO;
}

/* ---- output -----------------------------------------------------------------------------------
 */

/* Copies what fits of the token for `name` from m->out_off on. True when its last byte is out. */
static bool put_token(struct ocf_mss *m, struct ocf_bytes name, uint8_t *dst, size_t cap, size_t *n)
{
  size_t len = name.n + 1; /* with the newline */
  uint8_t prefix[2] = { (uint8_t)len, 0 };
  size_t n_prefix = 1;
  if (len >= 0x80) {
    prefix[0] = (uint8_t)(len | 0x80);
    prefix[1] = (uint8_t)(len >> 7);
    n_prefix = 2;
  }
  while (m->out_off < n_prefix + len && *n < cap) {
    size_t at = m->out_off++;
    dst[(*n)++] = at < n_prefix             ? prefix[at]
                  : at < n_prefix + len - 1 ? name.p[at - n_prefix]
                                            : (uint8_t)'\n';
  }
  if (m->out_off < n_prefix + len)
    return false;
  m->out_off = 0;
  return true;
}

size_t ocf_mss_output(struct ocf_mss *m, uint8_t *dst, size_t cap)
{
  size_t n = 0;
  if (m->state == FAILED)
    return 0;
  if (m->header_out) {
    if (!put_token(m, header_name(), dst, cap, &n))
      return n;
    m->header_out = false;
  }
  for (; m->n_na != 0; m->n_na--) {
    if (!put_token(m, na_name(), dst, cap, &n))
      return n;
  }
  if (m->name_out) {
    if (!put_token(m, m->protos[m->at], dst, cap, &n))
      return n;
    m->name_out = false;
  }
  return n;
}

bool ocf_mss_has_output(const struct ocf_mss *m)
{
  return m->state != FAILED && (m->header_out || m->n_na != 0 || m->name_out);
}

bool ocf_mss_is_done(const struct ocf_mss *m)
{
  return m->state == DONE;
}

size_t ocf_mss_agreed(const struct ocf_mss *m)
{
  OCF_ASSERT(m->state == DONE);
  return m->at;
}
