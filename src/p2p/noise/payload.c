#include "p2p/noise/payload.h"

#include "fmt/pb/pb.h"

enum { FIELD_IDENTITY_KEY = 1, FIELD_IDENTITY_SIG = 2, FIELD_EXTENSIONS = 4 };
enum { EXT_MUXERS = 2 };

/* `*n` counts all entries, also those beyond what is kept. */
static int read_extensions(struct ocf_bytes in, struct ocf_noise_payload *out, size_t *n)
{
  struct ocf_pb_reader r = ocf_pb_read(in);
  struct ocf_pb_field f;
  int rc;

  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (!ocf_pb_is(&f, EXT_MUXERS, OCF_PB_BYTES))
      continue;
    if (*n < OCF_NOISE_MUXERS_MAX)
      out->muxers[*n] = f.bytes;
    ++*n;
  }
  return rc;
}

int ocf_noise_payload_read(struct ocf_bytes in, struct ocf_noise_payload *out)
{
  struct ocf_pb_reader r = ocf_pb_read(in);
  struct ocf_pb_field f;
  size_t n = 0;
  int rc;

  out->identity_key = out->identity_sig = ocf_bytes(NULL, 0);
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, FIELD_IDENTITY_KEY, OCF_PB_BYTES))
      out->identity_key = f.bytes;
    else if (ocf_pb_is(&f, FIELD_IDENTITY_SIG, OCF_PB_BYTES))
      out->identity_sig = f.bytes;
    else if (ocf_pb_is(&f, FIELD_EXTENSIONS, OCF_PB_BYTES) &&
             read_extensions(f.bytes, out, &n) != 0)
      return OCF_EPROTO;
  }
  out->n_muxers = n <= OCF_NOISE_MUXERS_MAX ? n : 0;
  return rc == 0 ? 0 : OCF_EPROTO;
}

int ocf_noise_payload_write(const struct ocf_noise_static *self, const struct ocf_bytes *muxers,
                            size_t n_muxers, struct ocf_buf *out)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(out);
  size_t ext = 0;

  ocf_pb_put_bytes(&w, FIELD_IDENTITY_KEY, ocf_bytes(self->identity, self->n_identity));
  ocf_pb_put_bytes(&w, FIELD_IDENTITY_SIG, ocf_bytes(self->sig, self->n_sig));
  for (size_t i = 0; i < n_muxers; i++)
    ext += ocf_pb_size_bytes(EXT_MUXERS, muxers[i].n);
  if (muxers != NULL)
    ocf_pb_put_head(&w, FIELD_EXTENSIONS, ext);
  for (size_t i = 0; i < n_muxers; i++)
    ocf_pb_put_bytes(&w, EXT_MUXERS, muxers[i]);
  return ocf_pb_end(&w, NULL);
}

static int index_of(const struct ocf_bytes *list, size_t n, struct ocf_bytes name)
{
  for (size_t i = 0; i < n; i++)
    if (ocf_bytes_eq(list[i], name))
      return (int)i;
  return -1;
}

int ocf_noise_match_muxers(enum ocf_noise_role role, const struct ocf_bytes *ours, size_t n_ours,
                           const struct ocf_bytes *theirs, size_t n_theirs)
{
  bool initiator = role == OCF_NOISE_INITIATOR;
  const struct ocf_bytes *first = initiator ? ours : theirs;
  size_t n_first = initiator ? n_ours : n_theirs;

  for (size_t i = 0; i < n_first; i++) {
    int mine = index_of(ours, n_ours, first[i]);
    if (mine >= 0 && index_of(theirs, n_theirs, first[i]) >= 0)
      return mine;
  }
  return -1;
}
