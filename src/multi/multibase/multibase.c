#include "multi/multibase/multibase.h"

int ocf_multibase_lookup(char prefix, enum ocf_basex *base)
{
  static const struct {
    char prefix;
    enum ocf_basex base;
  } rows[] = {
    { 'z', OCF_BASEX_58 },
    { 'b', OCF_BASEX_32 },
    { 'u', OCF_BASEX_64_URL },
    { 'k', OCF_BASEX_36 },
    { 'f', OCF_BASEX_HEX },
    { 'F', OCF_BASEX_HEX_UPPER },
    { 'B', OCF_BASEX_32_UPPER },
    { 'c', OCF_BASEX_32_PAD },
    { 'C', OCF_BASEX_32_PAD_UPPER },
    { 'v', OCF_BASEX_32HEX },
    { 'V', OCF_BASEX_32HEX_UPPER },
    { 't', OCF_BASEX_32HEX_PAD },
    { 'T', OCF_BASEX_32HEX_PAD_UPPER },
    { 'K', OCF_BASEX_36_UPPER },
    { 'Z', OCF_BASEX_58_FLICKR },
    { 'm', OCF_BASEX_64 },
    { 'M', OCF_BASEX_64_PAD },
    { 'U', OCF_BASEX_64_URL_PAD },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    if (rows[i].prefix == prefix) {
      *base = rows[i].base;
      return 0;
    }
  }
  return OCF_EUNSUPP;
}

size_t ocf_multibase_text_size(char prefix, size_t n)
{
  enum ocf_basex base;
  return ocf_multibase_lookup(prefix, &base) == 0 ? 1 + ocf_basex_text_size(base, n) : 0;
}

int ocf_multibase_encode(char prefix, struct ocf_bytes src, char *dst, size_t cap, size_t *n)
{
  enum ocf_basex base;
  size_t len = 0;
  int rc = ocf_multibase_lookup(prefix, &base);
  if (rc == 0 && cap < 2)
    rc = OCF_EAGAIN;
  if (rc == 0)
    rc = ocf_basex_encode(base, src, dst + 1, cap - 1, &len);
  if (rc != 0) {
    if (cap > 0)
      dst[0] = '\0';
    return rc;
  }
  dst[0] = prefix;
  if (n != NULL)
    *n = len + 1;
  return 0;
}

int ocf_multibase_decode(struct ocf_bytes text, uint8_t *dst, size_t cap, size_t *n)
{
  enum ocf_basex base;
  if (text.n == 0)
    return OCF_EINVAL;
  int rc = ocf_multibase_lookup((char)text.p[0], &base);
  if (rc != 0)
    return rc;
  /* A number needs a digit; Go's decoders agree. */
  bool is_number = base == OCF_BASEX_36 || base == OCF_BASEX_36_UPPER || base == OCF_BASEX_58 ||
                   base == OCF_BASEX_58_FLICKR;
  if (text.n == 1 && is_number)
    return OCF_EINVAL;
  return ocf_basex_decode(base, ocf_bytes(text.p + 1, text.n - 1), dst, cap, n);
}
