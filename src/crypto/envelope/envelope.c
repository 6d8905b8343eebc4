#include "crypto/envelope/envelope.h"

#include <string.h>

#include "fmt/pb/pb.h"
#include "fmt/varint/varint.h"

/* message Envelope; field 4 is retired. */
enum { FIELD_KEY = 1, FIELD_TYPE = 2, FIELD_PAYLOAD = 3, FIELD_SIGNATURE = 5 };

static size_t put_part(uint8_t *dst, struct ocf_bytes part)
{
  size_t n = ocf_varint_put(dst, part.n);

  if (part.n > 0)
    memcpy(dst + n, part.p, part.n);
  return n + part.n;
}

/* What is signed: domain, type and payload, each after its length as a uvarint, so that no byte can
 * move from one to the next. Allocates `*out`, which the caller puts back. */
static int signed_bytes(struct ocf_alloc *a, struct ocf_bytes domain, struct ocf_bytes type,
                        struct ocf_bytes payload, uint8_t **out, size_t *n)
{
  uint8_t *p;

  if (domain.n > OCF_ENVELOPE_MAX || type.n > OCF_ENVELOPE_MAX || payload.n > OCF_ENVELOPE_MAX)
    return OCF_ELIMIT;
  *n = ocf_varint_len(domain.n) + domain.n + ocf_varint_len(type.n) + type.n +
       ocf_varint_len(payload.n) + payload.n;
  *out = p = ocf_alloc_get(a, *n);
  if (p == NULL)
    return OCF_ENOMEM;
  p += put_part(p, domain);
  p += put_part(p, type);
  p += put_part(p, payload);
  OCF_ASSERT(p == *out + *n);
  return 0;
}

static int write_envelope(struct ocf_bytes key, struct ocf_bytes type, struct ocf_bytes payload,
                          struct ocf_bytes sig, struct ocf_buf *out)
{
  size_t n = ocf_pb_size_bytes(FIELD_KEY, key.n) + ocf_pb_size_bytes(FIELD_TYPE, type.n) +
             ocf_pb_size_bytes(FIELD_PAYLOAD, payload.n) +
             ocf_pb_size_bytes(FIELD_SIGNATURE, sig.n);
  struct ocf_pb_writer w;

  if (n > OCF_ENVELOPE_MAX)
    return OCF_ELIMIT;
  w = ocf_pb_write_buf(out);
  ocf_pb_put_bytes(&w, FIELD_KEY, key);
  ocf_pb_put_bytes(&w, FIELD_TYPE, type);
  ocf_pb_put_bytes(&w, FIELD_PAYLOAD, payload);
  ocf_pb_put_bytes(&w, FIELD_SIGNATURE, sig);
  return ocf_pb_end(&w, NULL);
}

int ocf_envelope_seal(const struct ocf_key *k, struct ocf_bytes domain, struct ocf_bytes type,
                      struct ocf_bytes payload, struct ocf_buf *out)
{
  uint8_t sig[OCF_KEY_SIG_MAX], *msg;
  size_t n_sig, n_msg;
  int rc = signed_bytes(out->a, domain, type, payload, &msg, &n_msg);

  if (rc != 0)
    return rc;
  rc = ocf_key_sign(k, ocf_bytes(msg, n_msg), sig, sizeof(sig), &n_sig);
  ocf_alloc_put(out->a, msg, n_msg);
  if (rc != 0)
    return rc;
  return write_envelope(ocf_pubkey_bytes(ocf_key_public(k)), type, payload, ocf_bytes(sig, n_sig),
                        out);
}

struct parts {
  struct ocf_bytes key, type, payload, sig;
};

/* The last of a repeated field counts and unknown ones are skipped, as in every protobuf reader:
 * what is verified below is exactly what is handed out. */
static int split(struct ocf_bytes in, struct parts *e)
{
  struct ocf_pb_reader r = ocf_pb_read(in);
  struct ocf_pb_field f;
  int rc;

  memset(e, 0, sizeof(*e));
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, FIELD_KEY, OCF_PB_BYTES))
      e->key = f.bytes;
    else if (ocf_pb_is(&f, FIELD_TYPE, OCF_PB_BYTES))
      e->type = f.bytes;
    else if (ocf_pb_is(&f, FIELD_PAYLOAD, OCF_PB_BYTES))
      e->payload = f.bytes;
    else if (ocf_pb_is(&f, FIELD_SIGNATURE, OCF_PB_BYTES))
      e->sig = f.bytes;
  }
  return rc;
}

static int verify(const struct ocf_pubkey *key, struct ocf_alloc *a, const struct parts *e,
                  struct ocf_bytes domain)
{
  uint8_t *msg;
  size_t n_msg;
  int rc = signed_bytes(a, domain, e->type, e->payload, &msg, &n_msg);

  if (rc != 0)
    return rc;
  rc = ocf_pubkey_verify(key, ocf_bytes(msg, n_msg), e->sig);
  ocf_alloc_put(a, msg, n_msg);
  return rc;
}

int ocf_envelope_open(struct ocf_envelope *e, struct ocf_alloc *a, struct ocf_bytes in,
                      struct ocf_bytes domain, struct ocf_bytes type)
{
  struct parts parts;
  int rc;

  memset(e, 0, sizeof(*e));
  if (in.n > OCF_ENVELOPE_MAX)
    return OCF_ELIMIT;
  rc = split(in, &parts);
  if (rc == 0 && !ocf_bytes_eq(parts.type, type))
    rc = OCF_EINVAL;
  if (rc == 0)
    rc = ocf_pubkey_unmarshal(&e->key, a, parts.key);
  if (rc != 0)
    return rc;
  rc = verify(&e->key, a, &parts, domain);
  if (rc != 0)
    ocf_envelope_fini(e);
  else
    e->payload = parts.payload;
  return rc;
}

void ocf_envelope_fini(struct ocf_envelope *e)
{
  ocf_pubkey_fini(&e->key);
  memset(e, 0, sizeof(*e));
}
