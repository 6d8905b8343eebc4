/* The input is a source. Oracle: entries are distinct, end in their peer, and stay within the
 * bound; errors are text; what is written reads back as the same list without an error; failing
 * allocations lose nothing that was there. */
#include <string.h>

#include "registry/bootlist/bootlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

/* A name with bytes that are no UTF-8 has no JSON form of its own. */
static bool is_plain(const struct ocf_maddr *addr)
{
  char text[OCF_MADDR_TEXT_SIZE];
  size_t n = 0;
  OCF_ASSERT(ocf_maddr_text(addr, text, sizeof(text), &n) == 0);
  for (size_t i = 0; i < n; i++)
    if ((uint8_t)text[i] >= 0x80)
      return false;
  return true;
}

static void check_list(const struct ocf_bootlist *b)
{
  OCF_ASSERT(b->n <= OCF_BOOTLIST_MAX && b->n <= b->cap);
  for (size_t i = 0; i < b->n; i++) {
    struct ocf_peerid id;
    OCF_ASSERT(ocf_maddr_peer(&b->v[i].addr, &id) && ocf_peerid_eq(&id, &b->v[i].peer));
    for (size_t k = 0; k < i; k++)
      OCF_ASSERT(!ocf_maddr_eq(&b->v[i].addr, &b->v[k].addr));
  }
  for (size_t i = 0; i < ocf_bootlist_errors(b); i++) {
    OCF_ASSERT(b->errors[i].code < 0);
    OCF_ASSERT(memchr(b->errors[i].text, 0, sizeof(b->errors[i].text)) != NULL);
    for (const char *c = b->errors[i].text; *c != '\0'; c++)
      OCF_ASSERT((uint8_t)*c >= 0x20 && *c != 0x7f);
  }
}

static void check_written(const struct ocf_bootlist *b, struct ocf_alloc *a)
{
  struct ocf_bootlist back;
  struct ocf_buf out;
  ocf_bootlist_init(&back, a);
  ocf_buf_init(&out, a, 4u << 20);
  OCF_ASSERT(ocf_bootlist_write_list(b, &out) == 0);
  if (out.n <= OCF_BOOTLIST_TEXT_MAX) {
    OCF_ASSERT(ocf_bootlist_add(&back, ocf_buf_view(&out)) == 0);
    check_list(&back);
    bool plain = true;
    for (size_t i = 0; i < b->n; i++)
      plain = plain && is_plain(&b->v[i].addr);
    OCF_ASSERT(!plain || (back.n == b->n && back.n_errors == 0));
  }
  ocf_bootlist_fini(&back);
  ocf_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_alloc a;
  struct ocf_bootlist b;
  struct ocf_bytes what, in = ocf_bytes(d, n);
  ocf_alloc_init(&a);
  ocf_bootlist_init(&b, &a);
  enum ocf_bootlist_source kind = ocf_bootlist_classify(in, &what);
  OCF_ASSERT((kind == OCF_BOOTLIST_EMPTY) <= (what.n == 0) && what.n <= n);
  OCF_ASSERT(ocf_bootlist_add(&b, in) == 0 && ocf_bootlist_add_txt(&b, in) == 0);
  check_list(&b);
  check_written(&b, &a);
  size_t had = b.n;
  for (size_t i = 0; i < had; i++) {
    struct ocf_maddr addr = b.v[i].addr;
    OCF_ASSERT(ocf_bootlist_add_addr(&b, &addr) == 0 && b.n == had);
    ocf_maddr_drop_peer(&addr);
    if (addr.n > 0 && !ocf_maddr_peer(&addr, NULL))
      OCF_ASSERT(ocf_bootlist_add_addr(&b, &addr) == 0 && b.n == had);
  }
  ocf_bootlist_clear(&b);
  a.fail_at = a.n_calls + 1;
  int rc = ocf_bootlist_add(&b, in);
  OCF_ASSERT((rc == 0 || rc == OCF_ENOMEM) && b.n <= had);
  ocf_bootlist_fini(&b);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
