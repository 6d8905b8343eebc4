/* libcurl: finding it, and one transfer with the rules of fetch.h. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/fetch/fetch_int.h"

enum { READ_BYTES = 16 * 1024 };

static struct ocf_curl api;
static const char *api_error;
static pthread_once_t api_once = PTHREAD_ONCE_INIT;

/* Never closed again: its dependencies leave at-exit work behind. A function pointer's bits are
 * copied, since C knows no conversion from an object's. */
static void open_library(void)
{
  void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (lib == NULL) {
    api_error = "libcurl.so.4 cannot be opened: install the package libcurl4";
    return;
  }
#define X(name)                                                                                    \
  {                                                                                                \
    void *p = dlsym(lib, #name);                                                                   \
    if (p == NULL)                                                                                 \
      api_error = "libcurl is too old, it lacks " #name ": install libcurl4 of 7.85 or later";     \
    memcpy(&api.name, &p, sizeof(p));                                                              \
  }
  OCF_CURL_API(X)
#undef X
  if (api_error == NULL && api.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    api_error = "libcurl cannot be initialised";
}

const struct ocf_curl *ocf_curl_open(const char **why)
{
  OCF_ASSERT(pthread_once(&api_once, open_library) == 0);
  *why = api_error;
  return api_error == NULL ? &api : NULL;
}

/* Segments that cannot be written hold nothing but what their file has. */
static int forget_object(struct dl_phdr_info *o, size_t size, void *arg)
{
  uintptr_t page = *(const uintptr_t *)arg;
  (void)size;
  for (size_t i = 0; i < o->dlpi_phnum; i++) {
    const ElfW(Phdr) *h = &o->dlpi_phdr[i];
    uintptr_t from = (o->dlpi_addr + h->p_vaddr + page - 1) & ~(page - 1);
    uintptr_t to = (o->dlpi_addr + h->p_vaddr + h->p_memsz) & ~(page - 1);
    if (h->p_type == PT_LOAD && (h->p_flags & PF_W) == 0 && from < to)
      (void)madvise((void *)from, to - from, MADV_DONTNEED);
  }
  return 0;
}

void ocf_curl_forget(void)
{
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  (void)dl_iterate_phdr(forget_object, &page);
}

/* ---- one transfer ---- */

void ocf_fetch_fail(struct ocf_fetch_req *q, int err, const char *text)
{
  q->err = err;
  q->n = 0;
  if (text != q->text)
    (void)snprintf(q->text, sizeof(q->text), "%s", text);
}

/* Doubles, up to the bound. */
static bool grow(struct ocf_fetch_req *q, size_t need)
{
  size_t cap = q->cap > 0 ? q->cap : OCF_MIN((size_t)READ_BYTES, q->max_bytes);
  while (cap < need)
    cap = cap > q->max_bytes / 2 ? q->max_bytes : cap * 2;
  uint8_t *p = realloc(q->body, cap);
  if (p == NULL)
    return false;
  q->body = p;
  q->cap = cap;
  return true;
}

/* Anything but `n` ends the transfer. */
static size_t on_body(char *p, size_t size, size_t n, void *user)
{
  struct ocf_fetch_req *q = user;
  OCF_ASSERT(size == 1);
  q->too_large = n > q->max_bytes - q->n;
  if (q->too_large || n == 0)
    return 0;
  if (n > q->cap - q->n && !grow(q, q->n + n)) {
    q->no_memory = true;
    return 0;
  }
  memcpy(q->body + q->n, p, n);
  q->n += n;
  return n;
}

/* What only our own mistake could make fail is asserted; texts are copied by libcurl. */
static bool set_options(const struct ocf_curl *c, struct ocf_fetch_req *q,
                        const struct ocf_fetch_config *cfg, long timeout_ms)
{
  CURL *e = q->easy;
  bool tls = strncasecmp(q->url, "https:", 6) == 0;
  bool ok = true;
#define SET(option, value) ok = c->curl_easy_setopt(e, (option), (value)) == CURLE_OK && ok
  SET(CURLOPT_URL, q->url);
  SET(CURLOPT_PRIVATE, (void *)q);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_ERRORBUFFER, q->text);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, (void *)q);
  SET(CURLOPT_BUFFERSIZE, (long)READ_BYTES);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
  SET(CURLOPT_FOLLOWLOCATION, 1L);
  SET(CURLOPT_MAXREDIRS, (long)OCF_FETCH_REDIRECTS);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_TIMEOUT_MS, timeout_ms);
  SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  SET(CURLOPT_USERAGENT, cfg->user_agent != NULL ? cfg->user_agent : "ocf-c");
  if (!cfg->env_proxies)
    SET(CURLOPT_PROXY, "");
  if (cfg->ca_file != NULL) {
    SET(CURLOPT_CAINFO, cfg->ca_file);
    SET(CURLOPT_CAPATH, (const char *)NULL);
  }
#undef SET
  /* Since 7.87: an end does not wait for a name look-up. An older one has to. */
  (void)c->curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
  return ok;
}

int ocf_fetch_begin(const struct ocf_curl *c, CURLM *multi, struct ocf_fetch_req *q,
                    const struct ocf_fetch_config *cfg, uint64_t now_ns)
{
  uint64_t left_ms = (q->deadline_ns - now_ns) / 1000000;
  q->easy = c->curl_easy_init();
  bool ok = q->easy != NULL &&
            set_options(c, q, cfg, (long)OCF_MIN(OCF_MAX(left_ms, 1u), (uint64_t)INT32_MAX)) &&
            c->curl_multi_add_handle(multi, q->easy) == CURLM_OK;
  if (ok)
    return 0;
  c->curl_easy_cleanup(q->easy);
  q->easy = NULL;
  ocf_fetch_fail(q, OCF_ENOMEM, "out of memory");
  return OCF_ENOMEM;
}

static int error_of(const struct ocf_fetch_req *q, CURLcode code)
{
  if (q->too_large || code == CURLE_FILESIZE_EXCEEDED)
    return OCF_ELIMIT;
  if (q->no_memory || code == CURLE_OUT_OF_MEMORY)
    return OCF_ENOMEM;
  switch ((int)code) {
  case CURLE_OPERATION_TIMEDOUT: return OCF_ETIME;
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY: return OCF_ENOENT;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM: return OCF_EAUTH;
  case CURLE_TOO_MANY_REDIRECTS:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_URL_MALFORMAT:
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_GOT_NOTHING:
  case CURLE_HTTP2:
  case CURLE_PARTIAL_FILE: return OCF_EPROTO;
  default: return OCF_EIO;
  }
}

void ocf_fetch_finish(const struct ocf_curl *c, CURLM *multi, struct ocf_fetch_req *q,
                      CURLcode code)
{
  long status = 0;
  (void)c->curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
  (void)c->curl_multi_remove_handle(multi, q->easy);
  c->curl_easy_cleanup(q->easy);
  q->easy = NULL;
  q->status = (int)status;
  if (code == CURLE_OK) {
    q->text[0] = '\0';
    return;
  }
  if (q->text[0] == '\0')
    (void)snprintf(q->text, sizeof(q->text), "%s", c->curl_easy_strerror(code));
  int err = error_of(q, code);
  if (q->too_large)
    (void)snprintf(q->text, sizeof(q->text), "the document has more than %zu bytes", q->max_bytes);
  ocf_fetch_fail(q, err, q->text);
}
