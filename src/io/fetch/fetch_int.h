/* What the files of io/fetch share: fetch.c has the queue and the thread, curl.c one transfer. */
#ifndef OCF_IO_FETCH_FETCH_INT_H
#define OCF_IO_FETCH_FETCH_INT_H

#define CURL_DISABLE_TYPECHECK /* its macros stand for the linked functions */
#include <curl/curl.h>

#include "base/ds/list.h"
#include "io/fetch/fetch.h"

/* Of libcurl, what is used; the types are checked against its header. */
#define OCF_CURL_API(X)                                                                            \
  X(curl_global_init)                                                                              \
  X(curl_easy_init)                                                                                \
  X(curl_easy_setopt)                                                                              \
  X(curl_easy_getinfo)                                                                             \
  X(curl_easy_strerror)                                                                            \
  X(curl_easy_cleanup)                                                                             \
  X(curl_multi_init)                                                                               \
  X(curl_multi_add_handle)                                                                         \
  X(curl_multi_remove_handle)                                                                      \
  X(curl_multi_perform)                                                                            \
  X(curl_multi_poll)                                                                               \
  X(curl_multi_wakeup)                                                                             \
  X(curl_multi_info_read)                                                                          \
  X(curl_multi_cleanup)

struct ocf_curl {
#define X(name) __typeof__(&(name)) name;
  OCF_CURL_API(X)
#undef X
};

/* One request, from the queue to its answer. The owner's, except while it is in `queued` or
 * `running` of the fetcher: then the thread's. */
struct ocf_fetch_req {
  struct ocf_list link;
  char *url;
  size_t max_bytes;
  uint64_t deadline_ns;
  ocf_fetched_fn fn;
  void *user;
  CURL *easy; /* while it runs */
  uint8_t *body;
  size_t n, cap;
  bool too_large, no_memory;
  int err, status;
  char text[CURL_ERROR_SIZE]; /* of the error */
};

/* libcurl, opened by the first call of the process; NULL when it cannot be, and `why` is set. Any
 * thread. */
const struct ocf_curl *ocf_curl_open(const char **why);

/* Gives back the memory that libcurl's libraries took to be looked at: code and constants, which
 * the kernel reads again from their files when they are needed. Any thread. */
void ocf_curl_forget(void);

/* Begins the transfer in `multi`: 0 or OCF_ENOMEM, and the request has its error. */
OCF_NODISCARD int ocf_fetch_begin(const struct ocf_curl *c, CURLM *multi, struct ocf_fetch_req *q,
                                  const struct ocf_fetch_config *cfg, uint64_t now_ns);
/* Takes it out of `multi` and notes how it ended. */
void ocf_fetch_finish(const struct ocf_curl *c, CURLM *multi, struct ocf_fetch_req *q,
                      CURLcode code);
void ocf_fetch_fail(struct ocf_fetch_req *q, int err, const char *text);

#endif
