/* Joining by bootstrap lists: what sources say, when they fail, and what is kept of it. */
#include "basic.h"

#include <stdio.h>
#include <string.h>

#define SECOND OCF_NS_PER_S

/* The disk: one file. Jobs run on the world's thread. */
struct disk {
  struct ocf_node_boot_store store;
  char text[8192];
  size_t n;
  unsigned n_loads, n_saves;
  int err;
};

static int load(struct ocf_node_boot_store *s, uint8_t *p, size_t cap, size_t *n)
{
  struct disk *d = OCF_CONTAINER_OF(s, struct disk, store);
  d->n_loads++;
  if (d->err != 0)
    return d->err;
  OCF_ASSERT(d->n <= cap);
  memcpy(p, d->text, d->n);
  *n = d->n;
  return 0;
}

static int save(struct ocf_node_boot_store *s, struct ocf_bytes text)
{
  struct disk *d = OCF_CONTAINER_OF(s, struct disk, store);
  d->n_saves++;
  if (d->err != 0)
    return d->err;
  OCF_ASSERT(text.n < sizeof(d->text));
  memcpy(d->text, text.p, text.n);
  d->n = text.n;
  d->text[d->n] = '\0';
  return 0;
}

/* Counts the lines that hold a word, and passes them on. */
struct watch {
  const char *word;
  unsigned n;
  void (*log)(void *ctx, const char *host, const char *line, size_t n);
  void *ctx;
};

static void on_line(void *ctx, const char *host, const char *line, size_t n)
{
  struct watch *x = ctx;
  char copy[4096];
  (void)snprintf(copy, sizeof(copy), "%.*s", (int)n, line);
  x->n += strstr(copy, x->word) != NULL ? 1 : 0;
  if (x->log != NULL)
    x->log(x->ctx, host, line, n);
}

static void watch_begin(struct stage *st, struct watch *x, const char *word)
{
  *x = (struct watch){ .word = word, .log = st->w.log, .ctx = st->w.log_ctx };
  st->w.log = on_line;
  st->w.log_ctx = x;
}

static void watch_end(struct stage *st, const struct watch *x)
{
  st->w.log = x->log;
  st->w.log_ctx = x->ctx;
}

static const char *addr_of(const struct ocf_sim_host *h, char text[OCF_MADDR_TEXT_SIZE])
{
  struct ocf_endpoint at = ocf_sim_host_p2p(h);
  struct ocf_maddr m;
  ocf_maddr_from_ip(&at.ip, OCF_MADDR_TCP, &m);
  OCF_ASSERT(ocf_maddr_add_peer(&m, &h->id) == 0);
  OCF_ASSERT(ocf_maddr_text(&m, text, OCF_MADDR_TEXT_SIZE, NULL) == 0);
  return text;
}

static int boot(struct ocf_sim_host *h, const char *const *sources, size_t n, struct disk *d)
{
  struct ocf_node_boot b = { .sources = sources,
                             .n_sources = n,
                             .timeout_ns = 10 * SECOND,
                             .want = 1,
                             .store = d != NULL ? &d->store : NULL };
  if (d != NULL)
    d->store = (struct ocf_node_boot_store){ load, save };
  int r = ocf_node_bootstrap(h->node, h->net->w->now_ns, &b);
  ocf_sim_proc_touch(&h->proc);
  return r;
}

static struct ocf_node_boot_stats stats(const struct ocf_sim_host *h)
{
  struct ocf_node_boot_stats s;
  ocf_node_boot_stats(h->node, &s);
  return s;
}

static const char *const sources[] = { "http://dead.test/list", "https://a.test/list",
                                       "dnsaddr://d.test", "http://silent.test/list" };
enum { N_SOURCES = 4 };

/* Documents: a.test names host 1 among rubbish and the host 0 itself, the DNS names host 2. */
static void publish(struct stage *st, char doc[4][2048])
{
  char self[OCF_MADDR_TEXT_SIZE], one[OCF_MADDR_TEXT_SIZE], two[OCF_MADDR_TEXT_SIZE];
  (void)snprintf(doc[0], 2048, "{\"bootstraps\":[\"no address\",\"%s\",\"%s\",7]}",
                 addr_of(st->hosts[0], self), addr_of(st->hosts[1], one));
  (void)snprintf(doc[1], 2048, "v=1\ndnsaddr=%s\ndnsaddr=/ip4/10.0.0.9/tcp/1",
                 addr_of(st->hosts[2], two));
  ocf_sim_doc_set(&st->net, "http://dead.test/list", 0, "", OCF_EREFUSED, 3 * OCF_NS_PER_MS);
  ocf_sim_doc_set(&st->net, "https://a.test/list", 200, doc[0], 0, 40 * OCF_NS_PER_MS);
  ocf_sim_doc_set(&st->net, "txt:_dnsaddr.d.test", 200, doc[1], 0, 20 * OCF_NS_PER_MS);
  ocf_sim_doc_set(&st->net, "http://silent.test/list", 200, "", 0, 3600 * SECOND);
}

/* Takes every source away, or only their answers. */
static void silence(struct stage *st)
{
  ocf_sim_doc_set(&st->net, "https://a.test/list", 500, "oops", 0, OCF_NS_PER_MS);
  ocf_sim_doc_set(&st->net, "txt:_dnsaddr.d.test", 0, "", OCF_ETIME, OCF_NS_PER_MS);
}

/* Sources are asked side by side; a dead and a silent one and bad entries spoil nothing, and each
 * is told once, however often it is asked. */
void scenario_bootstrap(struct stage *st)
{
  static char doc[4][2048];
  static struct disk d;
  struct watch bad;
  d = (struct disk){ .n = 0 };
  stage_hosts(st, 3);
  publish(st, doc);
  stage_start(st, 0);
  ALIVE(st);
  watch_begin(st, &bad, "no address");
  CLAIM(st, boot(st->hosts[0], sources, N_SOURCES, &d) == 0, "bootstrap refused");
  stage_sleep(st, 300 * SECOND); /* hosts 1 and 2 are not there: sources are asked again */
  watch_end(st, &bad);
  ALIVE(st);
  CLAIM(st, bad.n == 1, "a bad entry was told %u times", bad.n);
  CLAIM(st, d.n_saves == 0, "a list that led nowhere was stored");
  CLAIM(st, stats(st->hosts[0]).n_peers == 2, "%zu peers", stats(st->hosts[0]).n_peers);
  stage_start(st, 1);
  stage_start(st, 2);
  stage_sleep(st, 150 * SECOND);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).n_connected == 2, "not joined");
  CLAIM(st, strstr(d.text, st->hosts[2]->id_text) != NULL, "the list was not stored");
  CLAIM(st, stats(st->hosts[0]).n_asking == 0, "sources are asked though peers are there");
  /* All sources fail: the peers stay, and one that comes back is found again. */
  silence(st);
  ocf_sim_host_stop(st->hosts[1]);
  ocf_sim_host_stop(st->hosts[2]);
  stage_sleep(st, 400 * SECOND);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).n_peers == 2, "peers forgotten when the sources failed");
  stage_start(st, 1);
  stage_sleep(st, 150 * SECOND);
  ALIVE(st);
  CLAIM(st, ocf_sim_host_sees(st->hosts[0], st->hosts[1]), "the peer was not found again");
  /* An address alone: the others are none of ours any more. */
  char text[OCF_MADDR_TEXT_SIZE];
  const char *literal[] = { addr_of(st->hosts[2], text) };
  CLAIM(st, boot(st->hosts[0], literal, 1, &d) == 0, "bootstrap refused");
  CLAIM(st, stats(st->hosts[0]).n_peers == 1 && stats(st->hosts[0]).n_sources == 0, "not replaced");
  stage_start(st, 2);
  stage_sleep(st, 150 * SECOND);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).n_connected == 1, "the new one is not connected");
  ocf_sim_host_stop(st->hosts[1]);
  stage_sleep(st, 5 * SECOND);
  stage_start(st, 1);
  stage_sleep(st, 150 * SECOND);
  ALIVE(st);
  CLAIM(st, !ocf_sim_host_sees(st->hosts[0], st->hosts[1]), "a removed peer is dialled");
}

static void restart(struct stage *st, const char *const *s, size_t n, struct disk *d)
{
  ocf_sim_host_stop(st->hosts[0]);
  stage_sleep(st, SECOND);
  stage_start(st, 0);
  ALIVE(st);
  CLAIM(st, boot(st->hosts[0], s, n, d) == 0, "bootstrap refused");
  stage_sleep(st, 12 * SECOND);
}

/* A restart while no source answers joins by the stored list; one of other sources, a damaged one
 * and one that cannot be read do not count; and the sources win when they are back. */
void scenario_bootstrap_disk(struct stage *st)
{
  static char doc[4][2048];
  static struct disk d;
  static const char *const others[] = { "http://other.test/list" };
  static char good[sizeof(d.text)];
  d = (struct disk){ .n = 0 };
  stage_hosts(st, 3);
  publish(st, doc);
  for (size_t i = 0; i < 3; i++)
    stage_start(st, i);
  ALIVE(st);
  CLAIM(st, boot(st->hosts[0], sources, N_SOURCES, &d) == 0, "bootstrap refused");
  stage_sleep(st, 12 * SECOND);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).n_connected == 2 && d.n_saves > 0, "not joined or not stored");
  memcpy(good, d.text, sizeof(good));
  silence(st);
  restart(st, sources, N_SOURCES, &d);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).from_store, "the stored list is not in use");
  CLAIM(st, stats(st->hosts[0]).n_connected == 2, "not joined by the stored list");
  restart(st, others, 1, &d);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).n_peers == 0, "a list of other sources was used");
  d.n = d.n / 2;
  restart(st, sources, N_SOURCES, &d);
  ALIVE(st); /* whatever is whole in it counts */
  memset(d.text, 0xff, sizeof(d.text));
  restart(st, sources, N_SOURCES, &d);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).n_peers == 0, "a damaged list was used");
  d.err = OCF_EIO;
  restart(st, sources, N_SOURCES, &d);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).n_peers == 0, "a list from nowhere");
  d.err = 0;
  memcpy(d.text, good, sizeof(good));
  d.n = strlen(good);
  ocf_sim_host_stop(st->hosts[1]);
  ocf_sim_host_stop(st->hosts[2]);
  restart(st, sources, N_SOURCES, &d);
  ALIVE(st);
  CLAIM(st, stats(st->hosts[0]).from_store, "the stored list is not in use");
  publish(st, doc);
  stage_sleep(st, 300 * SECOND);
  ALIVE(st);
  CLAIM(st, !stats(st->hosts[0]).from_store && stats(st->hosts[0]).n_peers == 2,
        "the sources are back, the stored list is still in use");
}

/* Sources come and go while they are asked, and the node ends meanwhile: late answers find nobody,
 * what stays in the list keeps its answer, and nothing leaks. */
void scenario_bootstrap_change(struct stage *st)
{
  static char doc[4][2048];
  static struct disk d;
  d = (struct disk){ .n = 0 };
  stage_hosts(st, 3);
  publish(st, doc);
  stage_start(st, 1);
  stage_start(st, 2);
  for (unsigned round = 0; round < 20; round++) {
    ALIVE(st);
    stage_start(st, 0);
    ALIVE(st);
    for (unsigned i = 0; i < 10; i++) {
      size_t from = (size_t)ocf_sim_between(&st->w, 0, N_SOURCES - 1);
      size_t n = (size_t)ocf_sim_between(&st->w, 0, N_SOURCES - from);
      CLAIM(st, boot(st->hosts[0], sources + from, n, &d) == 0, "bootstrap refused");
      CLAIM(st, stats(st->hosts[0]).n_sources == n, "%zu sources", stats(st->hosts[0]).n_sources);
      stage_sleep(st, ocf_sim_between(&st->w, 0, 60 * OCF_NS_PER_MS));
      ALIVE(st);
    }
    CLAIM(st, boot(st->hosts[0], sources, N_SOURCES, &d) == 0, "bootstrap refused");
    if (round % 2 == 0) {
      stage_sleep(st, SECOND); /* the silent one is still asked */
      ALIVE(st);
      CLAIM(st, stats(st->hosts[0]).n_connected == 2, "not joined");
      CLAIM(st, stats(st->hosts[0]).n_asking == 1, "the silent source is not waited for");
    }
    ocf_sim_host_stop(st->hosts[0]); /* checks for leaks */
    stage_sleep(st, ocf_sim_between(&st->w, 0, 20 * SECOND));
  }
}

/* Any allocation may fail while a list comes in: nothing breaks or leaks, and with memory again the
 * node joins by itself. */
void scenario_bootstrap_oom(struct stage *st)
{
  static char doc[4][2048];
  static struct disk d;
  d = (struct disk){ .n = 0 };
  stage_hosts(st, 3);
  publish(st, doc);
  stage_start(st, 1);
  stage_start(st, 2);
  ALIVE(st);
  struct ocf_sim_host *h = st->hosts[0];
  h->fail_once = true;
  h->fail_at = 0;
  CLAIM(st, ocf_sim_host_start(h) == 0, "the host does not start");
  uint64_t first = h->alloc.n_calls; /* what a start needs */
  ocf_sim_host_stop(h);
  for (uint64_t k = 1; k <= 150; k++) {
    ALIVE(st);
    d.n = 0;
    h->fail_at = first + k;
    CLAIM(st, ocf_sim_host_start(h) == 0, "the host does not start");
    int r = boot(h, sources, N_SOURCES, &d);
    CLAIM(st, r == 0 || r == OCF_ENOMEM, "bootstrap: %s", ocf_errname(r));
    stage_sleep(st, r == 0 ? 30 * SECOND : SECOND);
    ALIVE(st);
    CLAIM(st, r != 0 || stats(h).n_connected > 0, "not joined after allocation %llu failed",
          (unsigned long long)k);
    ocf_sim_host_stop(h); /* checks for leaks */
  }
}
