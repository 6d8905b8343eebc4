/* Offers, fields and headers from the input. First bytes: what each peer offers (indexes into a
 * list of groups); then the fallback, fields, and the rest is the headers' text. Oracle: the naive
 * rules of match_check.h; headers of any bytes give an outcome with an answer. */
#include "route/match/match_check.h"

#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static const char *const groups[] = { NULL,  "model=a", "model=b",   "model=*",
                                      "all", "lora=x",  "model=a=b", "noise",
                                      "=a",  "lora=*",  "model=" };

static void offer(struct ocf_ops *o, struct match_offer *to)
{
  uint8_t flags = ocf_ops_u8(o);
  *to = (struct match_offer){ .offers = flags & 3u, .connected = flags & 12u };
  for (unsigned g = 0; g < MATCH_GROUPS; g++)
    to->groups[g] = groups[ocf_ops_u8(o) % OCF_ARRAY_LEN(groups)];
}

static size_t fields(struct ocf_ops *o, struct ocf_match_field *f)
{
  static const char *const names[] = { "model", "lora", "" };
  static const char *const values[] = { "a", "b", "a=b", "*", "x", "" };
  size_t n = ocf_ops_u8(o) % 4u;
  for (size_t i = 0; i < n; i++) {
    uint8_t k = ocf_ops_u8(o), v = ocf_ops_u8(o);
    const char *name = names[k % OCF_ARRAY_LEN(names)], *value = values[v % OCF_ARRAY_LEN(values)];
    f[i] = (struct ocf_match_field){ .name = ocf_bytes(name, strlen(name)),
                                     .value = ocf_bytes(value, strlen(value)),
                                     .is_string = k < 128 };
  }
  return n;
}

/* Peers' ids for the list of allowed ones, and whatever the input says. */
static struct ocf_bytes allowed(struct ocf_ops *o, char *to, size_t cap)
{
  uint8_t mask = ocf_ops_u8(o);
  size_t n = 0;
  if (mask == 0)
    return ocf_bytes(NULL, 0);
  for (unsigned i = 0; i < 8; i++) {
    char id[OCF_PEERID_TEXT_SIZE];
    struct ocf_peerid p = match_peer(i);
    if ((mask & 1u << i) != 0)
      n += (size_t)snprintf(to + n, cap - n, " %s\t,", ocf_peerid_text(&p, id));
  }
  size_t extra = OCF_MIN(o->n, cap - n);
  if (extra > 0)
    memcpy(to + n, o->p, extra);
  return ocf_bytes(to, n + extra);
}

static void match_any_header(struct match_world *w, struct ocf_match_query q, struct ocf_bytes text)
{
  uint32_t out[4];
  struct ocf_match_result res;
  q.identity_group = ocf_bytes(text.p, text.n);
  q.service = text.n % 2 == 0 ? text : q.service;
  enum ocf_match_outcome o = ocf_match(w->s, &q, &w->rng, out, 4, &res);
  if (o == OCF_MATCH_OK) {
    OCF_ASSERT(res.n > 0 && res.n <= 4 && res.n <= res.n_total && res.tier != OCF_MATCH_TIER_NONE);
    for (size_t i = 0; i < res.n; i++)
      OCF_ASSERT(ocf_snapshot_row(w->s, out[i])->routable);
  } else {
    OCF_ASSERT(ocf_match_answer(o)->status >= 400 && res.n == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static struct match_world w;
  static char list[4096];
  struct ocf_match_field f[4];
  struct ocf_ops o = { d, n };
  if (n > 1024)
    return 0;
  for (unsigned i = 0; i < MATCH_PEERS; i++)
    offer(&o, &w.offers[i]);
  match_world_init(&w);
  uint8_t how = ocf_ops_u8(&o);
  struct ocf_match_query q = { .service = OCF_STR("llm"), .has_body = how & 3u, .fields = f };
  q.n_fields = fields(&o, f);
  q.fallback = how & 8u ? OCF_STR("2") : how & 4u ? OCF_STR("1") : OCF_STR("x");
  q.allowed_peers = allowed(&o, list, sizeof(list));
  (void)match_check(&w, &q);
  match_any_header(&w, q, ocf_bytes(o.p, o.n));
  match_world_fini(&w);
  return 0;
}
