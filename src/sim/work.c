/* What a process has done elsewhere: jobs, and documents that it fetches. */
#include "sim/net_int.h"

#include <stdio.h>
#include <string.h>

/* One thing that will end. */
struct work {
  struct ocf_list link; /* in proc->work, owned there */
  struct ocf_sim_event event;
  struct ocf_sim_proc *proc;
  void (*run)(void *arg); /* a job; NULL: a fetch */
  void (*done)(void *arg, uint64_t now_ns);
  ocf_fetched_fn fetched;
  ocf_txt_fn txt; /* the same, a look-up */
  void *arg;
  struct ocf_fetched answer;
};

/* Each line of the document is a record. */
static void tell_txt(const struct work *x, uint64_t now_ns)
{
  struct ocf_bytes records[OCF_TXT_MAX], rest = x->answer.body;
  size_t n = 0;
  while (rest.n > 0 && n < OCF_TXT_MAX) {
    size_t len = 0;
    while (len < rest.n && rest.p[len] != '\n')
      len++;
    records[n++] = ocf_bytes(rest.p, len);
    len += len < rest.n ? 1 : 0;
    rest = ocf_bytes(rest.p + len, rest.n - len);
  }
  int err = x->answer.err == 0 && n == 0 ? OCF_ENOENT : x->answer.err;
  x->txt(x->arg, now_ns, err, records, n);
}

static void work_end(struct work *x)
{
  struct work copy = *x;
  struct ocf_sim *w = x->proc->net->w;
  ocf_sim_cancel(w, &x->event);
  ocf_list_remove(&x->link);
  x->proc->n_work--;
  OCF_DELETE(&w->alloc, x);
  if (copy.run != NULL) {
    copy.run(copy.arg);
    copy.done(copy.arg, w->now_ns);
  } else if (copy.txt != NULL) {
    tell_txt(&copy, w->now_ns);
  } else {
    copy.fetched(copy.arg, w->now_ns, &copy.answer);
  }
}

static void on_work(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct work *x = OCF_CONTAINER_OF(e, struct work, event);
  (void)w;
  ocf_sim_proc_touch(x->proc);
  work_end(x);
}

static struct work *work_new(struct ocf_sim_proc *p, uint64_t after_ns)
{
  struct work *x = OCF_NEW(&p->net->w->alloc, struct work);
  OCF_ASSERT(x != NULL);
  x->proc = p;
  x->event.fn = on_work;
  ocf_list_push_back(&p->work, &x->link);
  p->n_work++;
  ocf_sim_after(p->net->w, &x->event, after_ns);
  return x;
}

void work_freeze(struct ocf_sim_proc *p)
{
  p->ending = true;
  OCF_LIST_FOREACH (it, &p->work) {
    ocf_sim_cancel(p->net->w, &OCF_LIST_ENTRY(it, struct work, link)->event);
  }
}

void work_drop(struct ocf_sim_proc *p)
{
  while (!ocf_list_empty(&p->work)) {
    struct work *x = OCF_LIST_ENTRY(p->work.next, struct work, link);
    x->answer = (struct ocf_fetched){ .err = OCF_ECANCELED, .text = "the process ends" };
    work_end(x);
  }
}

void ocf_sim_proc_end_jobs(struct ocf_sim_proc *p)
{
  p->ending = true;
  OCF_LIST_FOREACH_SAFE (it, &p->work) {
    struct work *x = OCF_LIST_ENTRY(it, struct work, link);
    if (x->run != NULL)
      work_end(x);
  }
}

int work_job(struct ocf_env *env, void (*run)(void *arg), void (*done)(void *arg, uint64_t now_ns),
             void *arg)
{
  struct ocf_sim_proc *p = OCF_CONTAINER_OF(env, struct ocf_sim_proc, env);
  if (p->ending)
    return OCF_ECANCELED;
  if (p->n_work >= OCF_JOBS_MAX)
    return OCF_ELIMIT;
  struct work *x = work_new(p, ocf_sim_between(p->net->w, 50 * OCF_NS_PER_US, 5 * OCF_NS_PER_MS));
  x->run = run;
  x->done = done;
  x->arg = arg;
  return 0;
}

/* ---- documents ---- */

static struct ocf_sim_doc *find_doc(struct ocf_sim_net *n, const char *url)
{
  for (size_t i = 0; i < n->n_docs; i++) {
    if (strcmp(n->docs[i].url, url) == 0)
      return &n->docs[i];
  }
  return NULL;
}

void ocf_sim_doc_set(struct ocf_sim_net *n, const char *url, int status, const char *body, int err,
                     uint64_t after_ns)
{
  struct ocf_sim_doc *d = find_doc(n, url);
  if (d == NULL) {
    OCF_ASSERT(n->n_docs < OCF_SIM_DOCS_MAX);
    d = &n->docs[n->n_docs++];
  }
  int len = snprintf(d->url, sizeof(d->url), "%s", url);
  OCF_ASSERT(len >= 0 && (size_t)len < sizeof(d->url));
  d->status = status;
  d->body = body;
  d->err = err;
  d->after_ns = after_ns;
}

static struct ocf_fetched answer(const struct ocf_sim_doc *d, size_t max_bytes, uint64_t timeout_ns)
{
  if (d == NULL)
    return (struct ocf_fetched){ .err = OCF_ENOENT, .text = "no such name" };
  if (d->after_ns > timeout_ns)
    return (struct ocf_fetched){ .err = OCF_ETIME, .text = "no answer in time" };
  if (d->err != 0)
    return (struct ocf_fetched){ .err = d->err, .text = ocf_strerror(d->err) };
  if (strlen(d->body) > max_bytes)
    return (struct ocf_fetched){ .err = OCF_ELIMIT, .status = d->status, .text = "too large" };
  return (struct ocf_fetched){ 0, d->status, ocf_bytes(d->body, strlen(d->body)), "" };
}

int work_fetch(struct ocf_env *env, const char *url, size_t max_bytes, uint64_t timeout_ns,
               ocf_fetched_fn fn, void *user)
{
  struct ocf_sim_proc *p = OCF_CONTAINER_OF(env, struct ocf_sim_proc, env);
  if (p->ending)
    return OCF_ECANCELED;
  if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
    return OCF_EINVAL;
  if (p->n_work >= OCF_JOBS_MAX)
    return OCF_ELIMIT;
  const struct ocf_sim_doc *d = find_doc(p->net, url);
  uint64_t after_ns = d != NULL ? d->after_ns : 5 * OCF_NS_PER_MS;
  struct work *x = work_new(p, OCF_MIN(after_ns, timeout_ns));
  x->fetched = fn;
  x->arg = user;
  x->answer = answer(d, max_bytes, timeout_ns);
  return 0;
}

int work_txt(struct ocf_env *env, const char *name, uint64_t timeout_ns, ocf_txt_fn fn, void *user)
{
  struct ocf_sim_proc *p = OCF_CONTAINER_OF(env, struct ocf_sim_proc, env);
  char url[OCF_TXT_NAME_MAX + 8];
  if (p->ending)
    return OCF_ECANCELED;
  if (name[0] == '\0' || strlen(name) > OCF_TXT_NAME_MAX)
    return OCF_EINVAL;
  if (p->n_work >= OCF_JOBS_MAX)
    return OCF_ELIMIT;
  (void)snprintf(url, sizeof(url), "txt:%s", name);
  const struct ocf_sim_doc *d = find_doc(p->net, url);
  struct work *x = work_new(p, OCF_MIN(d != NULL ? d->after_ns : 5 * OCF_NS_PER_MS, timeout_ns));
  x->txt = fn;
  x->arg = user;
  x->answer = answer(d, SIZE_MAX, timeout_ns);
  return 0;
}
