/* The last good bootstrap list on disk, with the sources that told it: a list of other sources may
 * lead into another mesh and is not used. */
#include <string.h>

#include "fmt/json/json.h"
#include "fmt/jscan/jscan.h"
#include "node/core/node_int.h"

enum { FILE_MAX = OCF_BOOTLIST_TEXT_MAX, SOURCE_MAX = 512 };

/* What another thread works on; it outlives the node. */
struct disk_job {
  struct ocf_alloc *a;
  struct ocf_node *n; /* NULL: it is gone */
  struct ocf_node_boot_store *store;
  bool save;
  int err;
  size_t n_text, size;
  uint8_t text[];
};

static void run(void *arg)
{
  struct disk_job *j = arg;
  if (j->save)
    j->err = j->store->save(j->store, ocf_bytes(j->text, j->n_text));
  else
    j->err = j->store->load(j->store, j->text, FILE_MAX, &j->n_text);
}

/* ---- reading ---- */

static bool asks(const struct ocf_node *n, struct ocf_bytes source)
{
  OCF_LIST_FOREACH (it, &n->boot.asked) {
    const char *text = OCF_LIST_ENTRY(it, struct asked, link)->text;
    if (ocf_bytes_eq(ocf_bytes(text, strlen(text)), source))
      return true;
  }
  return false;
}

/* Whether "sources" has one that is asked now. */
static bool is_ours(const struct ocf_node *n, struct ocf_bytes text)
{
  uint8_t buf[SOURCE_MAX];
  struct ocf_jscan s;
  struct ocf_jscan_token t;
  bool sources = false;
  ocf_jscan_init(&s, buf, sizeof(buf), OCF_JSCAN_DEPTH_DEFAULT);
  while (ocf_jscan_pull(&s, &text, &t) > 0 && t.kind != OCF_JSCAN_END) {
    if (t.kind == OCF_JSCAN_KEY && t.depth == 1)
      sources = ocf_jscan_key_is(t.text, "sources");
    else if (t.kind == OCF_JSCAN_STRING && sources && t.depth == 2 && !t.truncated &&
             asks(n, t.text))
      return true;
  }
  return false;
}

static void loaded(struct ocf_node *n, struct disk_job *j)
{
  struct boot *b = &n->boot;
  struct ocf_bytes text = ocf_bytes(j->text, j->n_text);
  if (j->err != 0)
    OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_WARN, "stored bootstrap list cannot be read",
             OCF_LOG_ERR("err", j->err));
  if (j->err != 0 || text.n == 0 || !is_ours(n, text))
    return;
  ocf_bootlist_clear(&b->stored);
  if (ocf_bootlist_add(&b->stored, text) != 0)
    ocf_bootlist_clear(&b->stored);
  if (b->stored.n == 0)
    return;
  OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_INFO, "no source answers: using the stored list",
           OCF_LOG_U64("entries", b->stored.n));
  b->from_store = true;
  ocf_node_boot_apply(n);
}

/* ---- writing ---- */

static int write_list(struct ocf_node *n, struct ocf_buf *out)
{
  const struct ocf_bootlist *l = &n->boot.applied;
  char text[OCF_MADDR_TEXT_SIZE];
  struct ocf_json w = ocf_json_to(out);
  ocf_json_object(&w);
  ocf_json_key(&w, "sources");
  ocf_json_array(&w);
  OCF_LIST_FOREACH (it, &n->boot.asked) {
    ocf_json_cstr(&w, OCF_LIST_ENTRY(it, struct asked, link)->text);
  }
  ocf_json_array_end(&w);
  ocf_json_key(&w, "bootstraps");
  ocf_json_array(&w);
  for (size_t i = 0; i < l->n; i++) {
    if (ocf_maddr_text(&l->v[i].addr, text, sizeof(text), NULL) == 0)
      ocf_json_cstr(&w, text);
  }
  ocf_json_array_end(&w);
  ocf_json_object_end(&w);
  return ocf_json_end(&w);
}

static void saved(struct ocf_node *n, struct disk_job *j)
{
  struct boot *b = &n->boot;
  if (j->err != 0) {
    if (j->err != b->told_save_err)
      OCF_LOGF(n->loop.log, "bootstrap", OCF_LOG_WARN, "bootstrap list cannot be stored",
               OCF_LOG_ERR("err", j->err));
    b->told_save_err = j->err;
    return;
  }
  b->told_save_err = 0;
  uint8_t *copy = ocf_alloc_get(n->loop.alloc, j->n_text);
  if (copy == NULL)
    return; /* it is stored once more, some time */
  memcpy(copy, j->text, j->n_text);
  ocf_alloc_put(n->loop.alloc, (void *)(uintptr_t)b->saved.p, b->saved.n);
  b->saved = ocf_bytes(copy, j->n_text);
}

/* ---- jobs ---- */

static void done(void *arg, uint64_t now_ns)
{
  struct disk_job *j = arg;
  struct ocf_node *n = j->n;
  if (n != NULL) {
    n->loop.now_ns = now_ns;
    n->boot.job = NULL;
    if (j->save)
      saved(n, j);
    else
      loaded(n, j);
  }
  ocf_alloc_put(j->a, j, sizeof(*j) + j->size);
}

static bool start(struct ocf_node *n, bool save, struct ocf_bytes text, size_t size)
{
  struct ocf_env *env = n->loop.env;
  struct disk_job *j = ocf_alloc_zero(n->loop.alloc, sizeof(*j) + size);
  if (j == NULL)
    return false;
  j->a = n->loop.alloc;
  j->n = n;
  j->store = n->boot.store;
  j->save = save;
  j->size = size;
  j->n_text = text.n;
  if (text.n > 0)
    memcpy(j->text, text.p, text.n);
  if (env->ops->job(env, run, done, j) != 0) {
    ocf_alloc_put(n->loop.alloc, j, sizeof(*j) + size);
    return false;
  }
  n->boot.job = j;
  return true;
}

/* Once in the node's life, when no source has answered. */
void ocf_node_boot_load(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  if (b->loaded || b->store == NULL || b->job != NULL)
    return;
  if (b->stored.a == NULL)
    ocf_bootlist_init(&b->stored, n->loop.alloc);
  b->loaded = start(n, false, ocf_bytes(NULL, 0), FILE_MAX);
}

/* What sources have told and has led to a peer; again when it has changed. */
void ocf_node_boot_save(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  bool any = false;
  OCF_LIST_FOREACH (it, &b->asked) {
    any = any || OCF_LIST_ENTRY(it, struct asked, link)->got.n > 0;
  }
  if (!any || b->from_store || b->store == NULL || b->job != NULL)
    return;
  struct ocf_buf out;
  ocf_buf_init(&out, n->loop.alloc, FILE_MAX);
  if (write_list(n, &out) == 0 && !ocf_bytes_eq(ocf_buf_view(&out), b->saved))
    (void)start(n, true, ocf_buf_view(&out), ocf_buf_view(&out).n);
  ocf_buf_fini(&out);
}

void ocf_node_boot_disk_free(struct ocf_node *n)
{
  struct boot *b = &n->boot;
  if (b->job != NULL)
    b->job->n = NULL;
  ocf_alloc_put(n->loop.alloc, (void *)(uintptr_t)b->saved.p, b->saved.n);
}
