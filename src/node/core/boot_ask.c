/* The sources that have to be asked: URLs by a fetch, DNS names by their TXT records. Each is asked
 * at the same time as the others, and its answer counts when it comes. */
#include <stdio.h>
#include <string.h>

#include "node/core/node_int.h"

/* What the driver holds while a source is asked; it outlives the source and the node. */
struct boot_call {
  struct ocf_alloc *a;
  struct ocf_node *n;
  struct asked *s; /* NULL: nobody wants the answer any more */
};

struct asked *ocf_node_boot_asked_new(struct ocf_node *n, struct ocf_bytes what, bool dns,
                                      const struct ocf_peerid *only)
{
  static const char prefix[] = "dnsaddr://", label[] = "_dnsaddr.";
  size_t size = what.n + sizeof(prefix) + (dns ? what.n + sizeof(label) : 0);
  struct asked *s = OCF_NEW(n->loop.alloc, struct asked);
  char *text = s == NULL ? NULL : ocf_alloc_get(n->loop.alloc, size);
  if (text == NULL) {
    ocf_alloc_put(n->loop.alloc, s, s != NULL ? sizeof(*s) : 0);
    return NULL;
  }
  int len = snprintf(text, size, "%s%.*s", dns ? prefix : "", (int)what.n, (const char *)what.p);
  if (dns) {
    char *name = text + len + 1;
    (void)snprintf(name, size - (size_t)len - 1, "%s%.*s", label, (int)what.n,
                   (const char *)what.p);
    s->name = name;
  }
  s->text = text;
  s->n_text = size;
  s->only = *only;
  ocf_bootlist_init(&s->got, n->loop.alloc);
  return s;
}

void ocf_node_boot_asked_free(struct ocf_node *n, struct asked *s)
{
  if (s->call != NULL) {
    s->call->s = NULL;
    n->boot.n_asking--;
  }
  ocf_bootlist_fini(&s->got);
  ocf_alloc_put(n->loop.alloc, s->text, s->n_text);
  OCF_DELETE(n->loop.alloc, s);
}

/* ---- answers ---- */

/* The source as the log names it: a URL may hold a password. */
static const char *show(const struct asked *s, char buf[OCF_BOOTLIST_SHOWN_SIZE])
{
  return ocf_bootlist_shown(ocf_bytes(s->text, strlen(s->text)), buf, OCF_BOOTLIST_SHOWN_SIZE);
}

/* Asking has failed: said once, until it ends otherwise. */
static void failed(struct ocf_node *n, struct asked *s, unsigned label, int err, int status,
                   const char *why)
{
  char shown[OCF_BOOTLIST_SHOWN_SIZE];
  ocf_metric_inc1(n->loop.metrics, OCF_METRIC_BOOT_FETCHES, label);
  if (!s->answered || s->err != err || s->status != status)
    OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_WARN, "bootstrap source failed",
             OCF_LOG_STR("source", show(s, shown)), OCF_LOG_ERR("err", err),
             OCF_LOG_I64("status", status), OCF_LOG_STR("why", why));
  s->answered = true;
  s->err = err;
  s->status = status;
}

static unsigned label_of(int err)
{
  switch (err) {
  case OCF_ETIME: return OCF_METRIC_BOOT_TIMEOUT;
  case OCF_ENOENT: return OCF_METRIC_BOOT_NAME;
  case OCF_EAUTH: return OCF_METRIC_BOOT_CERTIFICATE;
  default: return OCF_METRIC_BOOT_OTHER;
  }
}

/* Of a name that was asked for one peer, the addresses of that one. */
static void keep_only(struct ocf_bootlist *l, const struct ocf_peerid *only)
{
  size_t kept = 0;
  for (size_t i = 0; i < l->n; i++) {
    if (ocf_peerid_is_none(only) || ocf_peerid_eq(&l->v[i].peer, only))
      l->v[kept++] = l->v[i];
  }
  l->n = kept;
}

/* `l` is what it told; takes it over. An answer without any good entry changes only what is known
 * to be bad. */
static void answered(struct ocf_node *n, struct asked *s, struct ocf_bootlist *l)
{
  char shown[OCF_BOOTLIST_SHOWN_SIZE];
  keep_only(l, &s->only);
  ocf_node_boot_log_errors(n, show(s, shown), l, &s->got);
  if (l->n == 0) {
    memcpy(s->got.errors, l->errors, sizeof(l->errors));
    s->got.n_errors = l->n_errors;
    ocf_bootlist_fini(l);
    failed(n, s, OCF_METRIC_BOOT_EMPTY, OCF_ENOENT, 200, "it names no peer that can be used");
    return;
  }
  ocf_metric_inc1(n->loop.metrics, OCF_METRIC_BOOT_FETCHES, OCF_METRIC_BOOT_OK);
  if (!s->answered || s->err != 0)
    OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_INFO, "bootstrap source answered",
             OCF_LOG_STR("source", show(s, shown)), OCF_LOG_U64("entries", l->n));
  s->answered = true;
  s->err = s->status = 0;
  ocf_bootlist_fini(&s->got);
  s->got = *l;
  ocf_node_boot_apply(n);
}

/* The source that waits for this answer; NULL: none does. The call is over. */
static struct asked *call_end(struct boot_call *c, uint64_t now_ns, struct ocf_node **n)
{
  struct asked *s = c->s;
  *n = c->n;
  OCF_DELETE(c->a, c);
  if (s == NULL)
    return NULL;
  s->call = NULL;
  (*n)->boot.n_asking--;
  (*n)->loop.now_ns = now_ns;
  return s;
}

static void on_fetched(void *user, uint64_t now_ns, const struct ocf_fetched *f)
{
  struct ocf_node *n;
  struct asked *s = call_end(user, now_ns, &n);
  struct ocf_bootlist l;
  char why[32];
  if (s == NULL)
    return;
  ocf_bootlist_init(&l, n->loop.alloc);
  if (f->err != 0) {
    failed(n, s, label_of(f->err), f->err, f->status, f->text);
  } else if (f->status != 200) {
    (void)snprintf(why, sizeof(why), "it answers %d", f->status);
    failed(n, s, OCF_METRIC_BOOT_STATUS, OCF_EPROTO, f->status, why);
  } else if (ocf_bootlist_add(&l, f->body) != 0) {
    ocf_bootlist_fini(&l);
    failed(n, s, OCF_METRIC_BOOT_OTHER, OCF_ENOMEM, 0, "out of memory");
  } else {
    answered(n, s, &l);
  }
  if (n->boot.n_asking == 0)
    ocf_node_boot_asked_all(n);
}

static void on_txt(void *user, uint64_t now_ns, int err, const struct ocf_bytes *records,
                   size_t n_records)
{
  struct ocf_node *n;
  struct asked *s = call_end(user, now_ns, &n);
  struct ocf_bootlist l;
  int r = 0;
  if (s == NULL)
    return;
  ocf_bootlist_init(&l, n->loop.alloc);
  for (size_t i = 0; err == 0 && r == 0 && i < n_records; i++)
    r = ocf_bootlist_add_txt(&l, records[i]);
  if (err != 0 || r != 0) {
    ocf_bootlist_fini(&l);
    failed(n, s, label_of(err != 0 ? err : r), err != 0 ? err : r, 0,
           err == OCF_ENOENT ? "the DNS has no TXT record for _dnsaddr.<host>"
                             : ocf_strerror(err != 0 ? err : r));
  } else {
    answered(n, s, &l);
  }
  if (n->boot.n_asking == 0)
    ocf_node_boot_asked_all(n);
}

/* ---- asking ---- */

static int call(struct ocf_node *n, struct asked *s)
{
  struct ocf_env *env = n->loop.env;
  struct boot_call *c = OCF_NEW(n->loop.alloc, struct boot_call);
  if (c == NULL)
    return OCF_ENOMEM;
  *c = (struct boot_call){ n->loop.alloc, n, s };
  int r = s->name != NULL ? env->ops->txt(env, s->name, n->boot.timeout_ns, on_txt, c)
                          : env->ops->fetch(env, s->text, OCF_BOOTLIST_TEXT_MAX, n->boot.timeout_ns,
                                            on_fetched, c);
  if (r != 0) {
    OCF_DELETE(n->loop.alloc, c);
    return r;
  }
  s->call = c;
  n->boot.n_asking++;
  return 0;
}

/* All of them, but those that are being asked. */
void ocf_node_boot_ask(struct ocf_node *n)
{
  if (ocf_list_empty(&n->boot.asked))
    return;
  OCF_LIST_FOREACH (it, &n->boot.asked) {
    struct asked *s = OCF_LIST_ENTRY(it, struct asked, link);
    int r = s->call != NULL ? 0 : call(n, s);
    if (r != 0)
      failed(n, s, OCF_METRIC_BOOT_OTHER, r, 0,
             r == OCF_EINVAL ? "not a URL or a host name" : ocf_strerror(r));
  }
  if (n->boot.n_asking == 0)
    ocf_node_boot_asked_all(n);
}
