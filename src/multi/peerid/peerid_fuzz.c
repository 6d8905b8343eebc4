/* The input is read as text, as bytes and as a key. Oracle: an id comes back from its bytes and
 * from every text form; an id made from a key matches that key and no other. */
#include "multi/peerid/peerid.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_id(const struct ocf_peerid *id)
{
  static const char prefixes[] = "bkzfuM";
  char t[OCF_PEERID_CID_TEXT_SIZE];
  struct ocf_peerid back;
  OCF_ASSERT(id->n >= 2 && id->n <= OCF_PEERID_MAX);
  for (size_t i = id->n; i < sizeof(id->b); i++)
    OCF_ASSERT(id->b[i] == 0);
  OCF_ASSERT(ocf_peerid_from_bytes(ocf_peerid_view(id), &back) == 0);
  OCF_ASSERT(ocf_peerid_eq(id, &back) && ocf_peerid_cmp(id, &back) == 0);
  for (size_t i = 0; i < sizeof(prefixes) - 1; i++) {
    OCF_ASSERT(ocf_peerid_cid_text(id, prefixes[i], t) == 0);
    OCF_ASSERT(ocf_peerid_parse(ocf_bytes(t, strlen(t)), &back) == 0);
    OCF_ASSERT(ocf_peerid_eq(id, &back));
  }
  (void)ocf_peerid_text(id, t);
  /* Only ids that look like one in base58 are read back from it: Go's rule of first letters. */
  if (t[0] == '1' || (t[0] == 'Q' && t[1] == 'm'))
    OCF_ASSERT(ocf_peerid_parse(ocf_bytes(t, strlen(t)), &back) == 0 && ocf_peerid_eq(id, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_peerid id;
  struct ocf_bytes inner;
  if (ocf_peerid_parse(ocf_bytes(d, n), &id) == 0)
    check_id(&id);
  if (ocf_peerid_from_bytes(ocf_bytes(d, n), &id) == 0) {
    check_id(&id);
    if (ocf_peerid_inline_key(&id, &inner))
      OCF_ASSERT(ocf_peerid_matches_key(&id, inner) == 0);
    else
      OCF_ASSERT(ocf_peerid_matches_key(&id, ocf_bytes(d, n)) != 0);
  }
  ocf_peerid_from_key(ocf_bytes(d, n), &id);
  check_id(&id);
  OCF_ASSERT(ocf_peerid_matches_key(&id, ocf_bytes(d, n)) == 0);
  OCF_ASSERT(ocf_peerid_inline_key(&id, &inner) == (n <= OCF_PEERID_INLINE_MAX));
  if (n > 0)
    OCF_ASSERT(ocf_peerid_matches_key(&id, ocf_bytes(d, n - 1)) == OCF_EAUTH);
  return 0;
}
