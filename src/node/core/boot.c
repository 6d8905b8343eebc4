/* The bootstrap peers: what the sources have told, all together, as static peers of the swarm, and
 * when the sources are asked again. boot_ask.c asks them, boot_disk.c keeps the last good list. */
#include <string.h>

#include "node/core/node_int.h"

enum { SOURCES_MAX = 64 };
#define AGAIN_MIN_NS (5 * OCF_NS_PER_S)
#define AGAIN_MAX_NS (120 * OCF_NS_PER_S)

/* ---- the lists ---- */

static bool has_addr(const struct ocf_bootlist *l, const struct ocf_maddr *addr)
{
  for (size_t i = 0; i < l->n; i++) {
    if (ocf_maddr_eq(&l->v[i].addr, addr))
      return true;
  }
  return false;
}

static int join(struct ocf_bootlist *to, const struct ocf_bootlist *from)
{
  int r = 0;
  for (size_t i = 0; i < from->n && r == 0; i++)
    r = ocf_bootlist_add_addr(to, &from->v[i].addr);
  return r;
}

/* Everything that counts now, addresses of the configuration first. */
static int gather(struct boot *b, struct ocf_bootlist *out)
{
  int r = join(out, &b->literal);
  OCF_LIST_FOREACH (it, &b->asked) {
    if (r == 0)
      r = join(out, &OCF_LIST_ENTRY(it, struct asked, link)->got);
  }
  return r == 0 && b->from_store ? join(out, &b->stored) : r;
}

static bool was_told(const struct ocf_bootlist *before, const struct ocf_bootlist_error *e)
{
  for (size_t i = 0; i < ocf_bootlist_errors(before); i++) {
    if (strcmp(before->errors[i].text, e->text) == 0)
      return true;
  }
  return false;
}

void ocf_node_boot_log_errors(struct ocf_node *n, const char *source,
                              const struct ocf_bootlist *now, const struct ocf_bootlist *before)
{
  for (size_t i = 0; i < ocf_bootlist_errors(now); i++) {
    if (!was_told(before, &now->errors[i]))
      OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_WARN, "bootstrap entry skipped",
               OCF_LOG_STR("source", source), OCF_LOG_STR("entry", now->errors[i].text));
  }
  if (now->n_errors > OCF_BOOTLIST_ERRORS_MAX && now->n_errors != before->n_errors)
    OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_WARN, "more bootstrap entries skipped",
             OCF_LOG_STR("source", source),
             OCF_LOG_U64("entries", now->n_errors - OCF_BOOTLIST_ERRORS_MAX));
}

/* ---- the swarm ---- */

/* Peers of which an address is not named any more, or all of them: what is left of their addresses
 * is told anew. */
static void drop_old(struct ocf_node *n, const struct ocf_bootlist *next)
{
  struct boot *b = &n->boot;
  for (size_t i = 0; i < b->applied.n; i++) {
    const struct ocf_peerid *peer = &b->applied.v[i].peer;
    if (has_addr(next, &b->applied.v[i].addr))
      continue;
    (void)ocf_swarm_remove_static(n->swarm, n->loop.now_ns, peer);
    for (size_t k = 0; k < b->applied.n; k++) {
      if (ocf_peerid_eq(&b->applied.v[k].peer, peer))
        b->done[k] = false;
    }
  }
}

static bool is_done(const struct boot *b, const struct ocf_maddr *addr)
{
  for (size_t i = 0; i < b->applied.n; i++) {
    if (ocf_maddr_eq(&b->applied.v[i].addr, addr))
      return b->done[i];
  }
  return false;
}

/* Whether nothing is left to be done for this entry: it is told, or is of no use here. */
static bool add_one(struct ocf_node *n, const struct ocf_bootlist_entry *e)
{
  char text[OCF_MADDR_TEXT_SIZE];
  if (ocf_peerid_eq(&e->peer, ocf_node_id(n)))
    return true; /* a list that is shared by all nodes names this one too */
  int r = ocf_swarm_add_static(n->swarm, n->loop.now_ns, &e->peer, &e->addr);
  if (r == 0)
    return true;
  if (ocf_maddr_text(&e->addr, text, sizeof(text), NULL) != 0)
    text[0] = '\0';
  bool shape = r == OCF_EUNSUPP || r == OCF_EINVAL;
  OCF_LOGF(n->loop.log, "bootstrap", shape ? OCF_LOG_INFO : OCF_LOG_WARN, "bootstrap peer skipped",
           OCF_LOG_STR("entry", text),
           OCF_LOG_STR("why", shape ? "not an address that can be dialled (plain TCP only)"
                                    : ocf_strerror(r)));
  return shape;
}

static void check(struct ocf_node *n);

void ocf_node_boot_apply(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  struct ocf_bootlist next;
  bool done[OCF_BOOTLIST_MAX];
  ocf_bootlist_init(&next, n->loop.alloc);
  if (gather(b, &next) == 0) {
    drop_old(n, &next);
    for (size_t i = 0; i < next.n; i++)
      done[i] = is_done(b, &next.v[i].addr) || add_one(n, &next.v[i]);
    memcpy(b->done, done, next.n * sizeof(*done));
    ocf_node_boot_log_errors(n, "all sources", &next, &b->applied);
    ocf_bootlist_fini(&b->applied);
    b->applied = next;
    b->stale = false;
  } else { /* the old ones stay, until there is memory */
    ocf_bootlist_fini(&next);
    b->stale = true;
  }
  check(n);
}

/* ---- how it stands, and what follows ---- */

static bool is_first(const struct ocf_bootlist *l, size_t i)
{
  for (size_t k = 0; k < i; k++) {
    if (ocf_peerid_eq(&l->v[k].peer, &l->v[i].peer))
      return false;
  }
  return true;
}

void ocf_node_boot_stats(const struct ocf_node *n, struct ocf_node_boot_stats *out)
{
  const struct boot *b = &n->boot;
  struct ocf_swarm_peer_info info;
  *out = (struct ocf_node_boot_stats){ .n_asking = b->n_asking, .from_store = b->from_store };
  OCF_LIST_FOREACH (it, &b->asked) {
    out->n_sources++;
  }
  for (size_t i = 0; i < b->applied.n; i++) {
    const struct ocf_peerid *peer = &b->applied.v[i].peer;
    if (!is_first(&b->applied, i) || ocf_peerid_eq(peer, ocf_node_id(n)))
      continue;
    out->n_peers++;
    out->n_connected += ocf_swarm_peer_info(n->swarm, peer, &info) ? 1 : 0;
  }
}

static bool anything_undone(const struct boot *b)
{
  for (size_t i = 0; i < b->applied.n; i++) {
    if (!b->done[i])
      return true;
  }
  return b->stale;
}

/* Starts or stops the alarm, as it is needed. */
static void check(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  struct ocf_node_boot_stats st;
  ocf_node_boot_stats(n, &st);
  ocf_metric_set3(n->loop.metrics, OCF_METRIC_BOOT_PEERS, 0, 0, 0, (int64_t)st.n_peers);
  ocf_metric_set3(n->loop.metrics, OCF_METRIC_BOOT_CONNECTED, 0, 0, 0, (int64_t)st.n_connected);
  if (st.n_connected > 0)
    ocf_node_boot_save(n);
  bool few = st.n_sources > 0 && st.n_connected < b->want;
  if (n->draining || (!few && !anything_undone(b))) {
    ocf_alarm_stop(&n->loop, &b->alarm);
    ocf_backoff_reset(&b->backoff);
    b->waiting = false;
  } else if (!b->waiting && b->n_asking == 0) {
    b->waiting = true;
    ocf_alarm_start(&n->loop, &b->alarm, ocf_backoff_next(&b->backoff, n->loop.rng));
  }
}

void ocf_node_boot_peer(struct ocf_node *n)
{
  if (n->boot.applied.n > 0 || n->boot.waiting)
    check(n);
}

static void on_alarm(struct ocf_alarm *alarm)
{
  struct ocf_node *n = OCF_CONTAINER_OF(alarm, struct ocf_node, boot.alarm);
  struct ocf_node_boot_stats st;
  n->boot.waiting = false;
  if (n->draining)
    return;
  ocf_node_boot_stats(n, &st);
  if (st.n_connected < n->boot.want)
    ocf_node_boot_ask(n);
  if (anything_undone(&n->boot))
    ocf_node_boot_apply(n);
  else
    check(n);
}

/* What is stored helps while no source has ever answered, and only then. */
void ocf_node_boot_asked_all(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  bool any = ocf_list_empty(&b->asked);
  OCF_LIST_FOREACH (it, &b->asked) {
    any = any || OCF_LIST_ENTRY(it, struct asked, link)->got.n > 0;
  }
  if (any && b->from_store) {
    b->from_store = false;
    ocf_node_boot_apply(n);
  } else {
    if (!any && !b->from_store)
      ocf_node_boot_load(n);
    check(n);
  }
}

/* ---- the configuration ---- */

/* What is made of it before the old is touched. */
struct plan {
  struct ocf_list asked;
  struct ocf_bootlist literal;
  size_t n_asked;
};

/* An entry in `l` of the same source: it is taken over with what it knows. */
static bool same_source(const struct asked *a, const struct asked *b)
{
  return strcmp(a->text, b->text) == 0 && (a->name == NULL) == (b->name == NULL) &&
         ocf_peerid_eq(&a->only, &b->only);
}

static struct asked *find_source(const struct ocf_list *l, const struct asked *like)
{
  OCF_LIST_FOREACH (it, l) {
    struct asked *s = OCF_LIST_ENTRY(it, struct asked, link);
    if (same_source(s, like))
      return s;
  }
  return NULL;
}

static int plan_ask(struct ocf_node *n, struct plan *p, struct ocf_bytes what, bool dns,
                    const struct ocf_peerid *only)
{
  char shown[OCF_BOOTLIST_SHOWN_SIZE];
  if (p->n_asked == SOURCES_MAX) {
    OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_WARN, "bootstrap source skipped",
             OCF_LOG_STR("source", ocf_bootlist_shown(what, shown, sizeof(shown))),
             OCF_LOG_STR("why", "at most 64 of them are asked"));
    return 0;
  }
  struct asked *s = ocf_node_boot_asked_new(n, what, dns, only);
  if (s == NULL)
    return OCF_ENOMEM;
  if (find_source(&p->asked, s) != NULL) {
    ocf_node_boot_asked_free(n, s);
    return 0;
  }
  ocf_list_push_back(&p->asked, &s->link);
  p->n_asked++;
  return 0;
}

/* /dnsaddr/<host>, with or without a peer: a name to be asked for, not a peer. */
static bool is_dnsaddr(const struct ocf_maddr *addr, struct ocf_bytes *host)
{
  struct ocf_maddr_part part;
  if (!ocf_maddr_find(addr, OCF_MADDR_DNSADDR, &part))
    return false;
  *host = part.value;
  return true;
}

/* Addresses, or one dnsaddr without a peer, which no list of peers may hold. */
static int plan_literal(struct ocf_node *n, struct plan *p, struct ocf_bytes text)
{
  struct ocf_bootlist l;
  struct ocf_maddr addr;
  struct ocf_bytes host;
  const struct ocf_peerid any = { .n = 0 };
  if (ocf_maddr_parse(text, &addr) == 0 && !ocf_maddr_peer(&addr, NULL) && is_dnsaddr(&addr, &host))
    return plan_ask(n, p, host, true, &any);
  ocf_bootlist_init(&l, n->loop.alloc);
  int r = ocf_bootlist_add(&l, text);
  for (size_t i = 0; i < l.n && r == 0; i++) {
    r = is_dnsaddr(&l.v[i].addr, &host) ? plan_ask(n, p, host, true, &l.v[i].peer)
                                        : ocf_bootlist_add_addr(&p->literal, &l.v[i].addr);
  }
  for (size_t i = 0; i < ocf_bootlist_errors(&l); i++) {
    if (p->literal.n_errors < OCF_BOOTLIST_ERRORS_MAX)
      p->literal.errors[p->literal.n_errors] = l.errors[i];
    p->literal.n_errors++;
  }
  ocf_bootlist_fini(&l);
  return r;
}

static int plan_source(struct ocf_node *n, struct plan *p, const char *source)
{
  const struct ocf_peerid any = { .n = 0 };
  struct ocf_bytes what;
  switch (ocf_bootlist_classify(ocf_bytes(source, strlen(source)), &what)) {
  case OCF_BOOTLIST_EMPTY: return 0;
  case OCF_BOOTLIST_URL: return plan_ask(n, p, what, false, &any);
  case OCF_BOOTLIST_DNSADDR: return plan_ask(n, p, what, true, &any);
  case OCF_BOOTLIST_LITERAL: return plan_literal(n, p, what);
  }
  return 0;
}

static void free_asked(struct ocf_node *n, struct ocf_list *l)
{
  OCF_LIST_FOREACH_SAFE (it, l) {
    struct asked *s = OCF_LIST_ENTRY(it, struct asked, link);
    ocf_list_remove(&s->link);
    ocf_node_boot_asked_free(n, s);
  }
}

/* Sources that were there before keep what they know. */
static void take_over(struct ocf_node *n, struct plan *p)
{
  struct boot *b = &n->boot;
  OCF_LIST_FOREACH_SAFE (it, &p->asked) {
    struct asked *s = OCF_LIST_ENTRY(it, struct asked, link);
    struct asked *old = find_source(&b->asked, s);
    if (old == NULL)
      continue;
    ocf_list_remove(&old->link);
    ocf_list_push_back(&s->link, &old->link); /* before it */
    ocf_list_remove(&s->link);
    ocf_node_boot_asked_free(n, s);
  }
  free_asked(n, &b->asked);
  while (!ocf_list_empty(&p->asked))
    ocf_list_push_back(&b->asked, ocf_list_pop_front(&p->asked));
  ocf_node_boot_log_errors(n, "configuration", &p->literal, &b->literal);
  ocf_bootlist_fini(&b->literal);
  b->literal = p->literal;
}

int ocf_node_bootstrap(struct ocf_node *n, uint64_t now_ns, const struct ocf_node_boot *cfg)
{
  struct plan p = { .n_asked = 0 };
  int r = 0;
  n->loop.now_ns = now_ns;
  ocf_list_init(&p.asked);
  ocf_bootlist_init(&p.literal, n->loop.alloc);
  for (size_t i = 0; i < cfg->n_sources && r == 0; i++)
    r = plan_source(n, &p, cfg->sources[i]);
  if (r != 0) {
    free_asked(n, &p.asked);
    ocf_bootlist_fini(&p.literal);
    return r;
  }
  take_over(n, &p);
  n->boot.timeout_ns = cfg->timeout_ns;
  n->boot.want = cfg->want;
  n->boot.store = cfg->store;
  n->boot.from_store = n->boot.from_store && !ocf_list_empty(&n->boot.asked);
  ocf_node_boot_apply(n);
  ocf_node_boot_ask(n);
  return 0;
}

void ocf_node_boot_init(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  ocf_list_init(&b->asked);
  b->alarm.fire = on_alarm;
  ocf_backoff_init(&b->backoff, AGAIN_MIN_NS, AGAIN_MAX_NS, OCF_BACKOFF_PARTIAL);
}

void ocf_node_boot_free(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  free_asked(n, &b->asked);
  ocf_node_boot_disk_free(n);
  ocf_bootlist_fini(&b->literal);
  ocf_bootlist_fini(&b->stored);
  ocf_bootlist_fini(&b->applied);
  if (n->loop.rx != NULL)
    ocf_alarm_stop(&n->loop, &b->alarm);
}
