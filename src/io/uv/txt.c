/* TXT records, by the system's resolver library on one of libuv's threads. */
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "base/time/time.h"
#include "io/uv/uv_int.h"

enum { ANSWER_MAX = 64 * 1024, TRIES = 2 };

struct txt {
  char name[OCF_TXT_NAME_MAX + 1];
  struct ocf_ip_addr server;
  uint64_t timeout_ns;
  ocf_txt_fn fn;
  void *user;
  int err;
  struct ocf_bytes records[OCF_TXT_MAX]; /* views into `text` */
  size_t n;
  uint8_t answer[ANSWER_MAX], text[ANSWER_MAX];
};

/* ---- on the other thread ---- */

/* The strings of one record, joined; a length that leaves the record ends it. */
static size_t join(const uint8_t *rd, size_t n, uint8_t *out)
{
  size_t len = 0;
  for (size_t at = 0; at < n && rd[at] < n - at; at += (size_t)1 + rd[at]) {
    memcpy(out + len, rd + at + 1, rd[at]);
    len += rd[at];
  }
  return len;
}

static int read_answer(struct txt *q, int n)
{
  ns_msg m;
  ns_rr rr;
  size_t used = 0;
  if (ns_initparse(q->answer, n, &m) != 0)
    return OCF_EIO;
  for (int i = 0; i < ns_msg_count(m, ns_s_an) && q->n < OCF_TXT_MAX; i++) {
    if (ns_parserr(&m, ns_s_an, i, &rr) != 0)
      return OCF_EIO;
    if (ns_rr_type(rr) != ns_t_txt) /* an alias on the way, say */
      continue;
    size_t len = join(ns_rr_rdata(rr), ns_rr_rdlen(rr), q->text + used);
    q->records[q->n++] = ocf_bytes(q->text + used, len);
    used += len; /* at most the answer's length: strings are shorter than their records */
  }
  return q->n > 0 ? 0 : OCF_ENOENT;
}

/* By IPv4 alone: an IPv6 server can only be set in the system's own file. */
static void use_server(struct __res_state *st, const struct ocf_ip_addr *a)
{
  struct sockaddr_in *to = &st->nsaddr_list[0];
  memset(to, 0, sizeof(*to));
  to->sin_family = AF_INET;
  to->sin_port = htons(a->port != 0 ? a->port : NS_DEFAULTPORT);
  memcpy(&to->sin_addr, a->ip, 4);
  st->nscount = 1;
}

static int why_not(const struct __res_state *st)
{
  switch (st->res_h_errno) {
  case HOST_NOT_FOUND:
  case NO_DATA: return OCF_ENOENT;
  case TRY_AGAIN: return OCF_ETIME;
  default: return OCF_EIO;
  }
}

static void run(void *arg)
{
  struct txt *q = arg;
  struct __res_state st;
  memset(&st, 0, sizeof(st));
  q->err = OCF_EIO;
  if (res_ninit(&st) != 0)
    return;
  if (q->server.family == 4)
    use_server(&st, &q->server);
  uint64_t each = q->timeout_ns / OCF_NS_PER_S / TRIES / (uint64_t)OCF_MAX(st.nscount, 1);
  st.retrans = (int)OCF_MIN(OCF_MAX(each, 1u), (uint64_t)30);
  st.retry = TRIES;
  int n = res_nquery(&st, q->name, ns_c_in, ns_t_txt, q->answer, sizeof(q->answer));
  if (n < 0)
    q->err = why_not(&st);
  else
    q->err = read_answer(q, OCF_MIN(n, (int)sizeof(q->answer)));
  res_nclose(&st);
}

/* ---- on the loop's ---- */

static void done(void *arg, uint64_t now_ns)
{
  struct txt *q = arg;
  q->fn(q->user, now_ns, q->err, q->records, q->err == 0 ? q->n : 0);
  free(q);
}

int ocf_uv_txt(struct ocf_env *env, const char *name, uint64_t timeout_ns, ocf_txt_fn fn,
               void *user)
{
  struct ocf_uv *u = (struct ocf_uv *)env;
  size_t n = strnlen(name, OCF_TXT_NAME_MAX + 1);
  if (n == 0 || n > OCF_TXT_NAME_MAX)
    return OCF_EINVAL;
  struct txt *q = calloc(1, sizeof(*q));
  if (q == NULL)
    return OCF_ENOMEM;
  memcpy(q->name, name, n);
  q->server = u->dns;
  q->timeout_ns = timeout_ns;
  q->fn = fn;
  q->user = user;
  int r = ocf_uv_job(env, run, done, q);
  if (r != 0)
    free(q);
  return r;
}

void ocf_uv_set_dns(struct ocf_uv *u, const struct ocf_ip_addr *server)
{
  u->dns = *server;
}
