/* Our peer of the interoperability tests: start and end, the loop, requests from standard input. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_peer.h"
#include "crypto/hash/hash.h"

const struct ocf_bytes served[N_PROTOS] = {
  [PROTO_HTTP] = { (const uint8_t *)"/libp2p-http", 12 },
  [PROTO_ECHO] = { (const uint8_t *)"/ocf/test/echo/1.0.0", 20 },
  [PROTO_BULK] = { (const uint8_t *)"/ocf/test/bulk/1.0.0", 20 },
  [PROTO_HALFCLOSE] = { (const uint8_t *)"/ocf/test/halfclose/1.0.0", 25 },
  [PROTO_RESET] = { (const uint8_t *)"/ocf/test/reset/1.0.0", 21 },
};

enum { MAX_SOCKS = 256, MAX_FREE_BLOCKS = 16 };

/* The reader outlives the peer: it may wait for a line when the process ends. */
static struct peer the_peer;
static sem_t line_wanted;

_Noreturn static void die(const char *what, const char *why)
{
  (void)fprintf(stderr, "c_peer: %s: %s\n", what, why);
  exit(1);
}

static void must(int err, const char *what)
{
  if (err != 0)
    die(what, ocf_strerror(err));
}

/* ---- standard input ---- */

static void on_line(void *line)
{
  the_peer.loop.now_ns = ocf_uv_now();
  cmd_line(&the_peer, line);
}

/* Posts one line at a time, and NULL at the end of input. */
static void *read_lines(void *arg)
{
  (void)arg;
  for (;;) {
    char *line = NULL;
    size_t cap = 0;
    while (sem_wait(&line_wanted) != 0) {
    }
    if (getline(&line, &cap, stdin) < 0) {
      free(line);
      line = NULL;
    }
    if (ocf_uv_post(the_peer.uv, on_line, line) != 0)
      die("standard input", "out of memory");
    if (line == NULL)
      return NULL;
  }
}

void input_next(void)
{
  if (!the_peer.quitting)
    (void)sem_post(&line_wanted);
}

static void start_reader(void)
{
  pthread_t thread;
  if (sem_init(&line_wanted, 0, 1) != 0 || pthread_create(&thread, NULL, read_lines, NULL) != 0 ||
      pthread_detach(thread) != 0)
    die("standard input", "no thread");
}

/* ---- the loop ---- */

static void on_swarm_event(void *user, const struct ocf_swarm_event *ev)
{
  struct peer *p = user;
  switch (ev->type) {
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN: break;
  case OCF_SWARM_DIAL_FAILED: cmd_dial_failed(p, ev); break;
  case OCF_SWARM_STREAM_IN: strm_in(p, ev); break;
  case OCF_SWARM_OPENED:
  case OCF_SWARM_OPEN_FAILED:
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_DATA:
  case OCF_SWARM_FIN:
  case OCF_SWARM_WRITABLE:
  case OCF_SWARM_STREAM_GONE: break; /* the streams get these */
  }
}

static void on_turn(void *user, uint64_t now_ns)
{
  struct peer *p = user;
  p->loop.now_ns = now_ns;
  ocf_loop_fire(&p->loop);
  if (now_ns >= ocf_swarm_deadline(p->swarm))
    ocf_swarm_tick(p->swarm, now_ns);
  ocf_links_run(&p->links);
  if (p->quitting)
    ocf_uv_stop(p->uv);
}

static uint64_t on_deadline(void *user)
{
  struct peer *p = user;
  return ocf_time_min(ocf_wheel_next(&p->loop.wheel), ocf_swarm_deadline(p->swarm));
}

static const struct ocf_uv_turn_ops turn_ops = { on_turn, on_deadline };

static void on_accept(void *user, uint64_t now_ns, struct ocf_sock *s,
                      const struct ocf_ip_addr *remote)
{
  struct peer *p = user;
  ocf_links_accept(&p->links, now_ns, s, remote);
}

/* ---- the beginning ---- */

static void log_line(void *ctx, const char *line, size_t n)
{
  (void)ctx;
  (void)fwrite(line, 1, n, stderr);
}

static void read_key(struct peer *p, const char *path)
{
  uint8_t raw[OCF_KEY_PRIVATE_MAX];
  FILE *f = fopen(path, "rb");
  if (f == NULL)
    die(path, "cannot be opened");
  size_t n = fread(raw, 1, sizeof(raw), f);
  (void)fclose(f);
  must(ocf_key_unmarshal_private(&p->key, &p->alloc, ocf_bytes(raw, n)), path);
}

static void make_swarm(struct peer *p)
{
  struct ocf_swarm_config c;
  ocf_swarm_config_init(&c);
  must(ocf_noise_static_init(&p->noise, &p->alloc, &p->key, &p->rng), "the static key");
  c.a = &p->alloc;
  c.rng = &p->rng;
  c.log = &p->log;
  c.key = &p->key;
  c.noise = &p->noise;
  c.agent = INTEROP_AGENT;
  c.protos = served;
  c.n_protos = N_PROTOS;
  c.wall_ns = p->loop.env->ops->wall_ns(p->loop.env);
  must(ocf_swarm_new(&c, p->loop.now_ns, &p->swarm), "the swarm");
  ocf_links_init(&p->links, &p->loop, p->swarm, on_swarm_event, p);
  (void)ocf_peerid_text(ocf_swarm_self(p->swarm), p->id_text);
}

static void listen_at(struct peer *p, const char *text)
{
  struct ocf_maddr m, at;
  struct ocf_maddr_tcp tcp;
  struct ocf_err err = { 0 };
  must(ocf_maddr_parse(ocf_bytes(text, strlen(text)), &m), text);
  must(ocf_maddr_to_tcp(&m, &tcp), text);
  p->listener = ocf_uv_listen(p->uv, &tcp.ip, false, 5 * OCF_NS_PER_S, on_accept, p, &err);
  if (p->listener == NULL)
    die(text, ocf_strerror(err.code));
  struct ocf_ip_addr ip = ocf_uv_listener_addr(p->listener);
  ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, &at);
  must(ocf_swarm_set_addrs(p->swarm, p->loop.now_ns, &at, 1, NULL, 0, NULL, 0), "our address");
  char addr[OCF_MADDR_TEXT_SIZE];
  must(ocf_maddr_text(&at, addr, sizeof(addr), NULL), "our address");
  say(json_pack("{s:b, s:s, s:s, s:s, s:s, s:[s]}", "ready", 1, "impl", "ocf", "version",
                OCF_INTEROP_VERSION, "peer_id", p->id_text, "agent", INTEROP_AGENT, "addrs", addr));
}

static void start(struct peer *p, const char *key_file, const char *levels)
{
  must(ocf_crypto_init(), "crypto");
  ocf_alloc_init(&p->alloc);
  ocf_uv_rng_init(&p->rng);
  ocf_log_init(&p->log);
  p->log.write = log_line;
  must(ocf_log_set_levels(&p->log, levels), levels);
  ocf_list_init(&p->streams);
  p->uv = ocf_uv_new(MAX_SOCKS);
  if (p->uv == NULL)
    die("the loop", "cannot be made");
  must(ocf_loop_init(&p->loop, ocf_uv_env(p->uv), &p->alloc, &p->rng, &p->log, NULL, ocf_uv_now()),
       "the loop");
  ocf_h1_pool_init(&p->h1, &p->alloc, MAX_FREE_BLOCKS);
  read_key(p, key_file);
  make_swarm(p);
  ocf_uv_set_turn(p->uv, &turn_ops, p);
}

/* Gives everything back, so that a leak checker has something to say. */
static void finish(struct peer *p)
{
  ocf_uv_set_turn(p->uv, NULL, NULL);
  streams_free(p);
  ocf_swarm_free(p->swarm);
  ocf_links_fini(&p->links);
  ocf_noise_static_fini(&p->noise);
  ocf_key_fini(&p->key);
  ocf_h1_pool_fini(&p->h1);
  ocf_loop_fini(&p->loop);
  ocf_uv_free(p->uv);
  for (size_t i = 0; i < p->n_announced; i++)
    free(p->announced[i]);
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 1; i + 1 < argc; i += 2)
    if (strcmp(argv[i], name) == 0)
      return argv[i + 1];
  return otherwise;
}

int main(int argc, char **argv)
{
  const char *key_file = option(argc, argv, "--key-file", NULL);
  const char *listen = option(argc, argv, "--listen", "/ip4/127.0.0.1/tcp/0");
  if (key_file == NULL || strcmp(option(argc, argv, "--security", "noise"), "noise") != 0)
    die("usage", "c_peer --key-file FILE [--listen MULTIADDR] [--log LEVELS]");
  (void)signal(SIGPIPE, SIG_IGN);
  pattern_init();
  start(&the_peer, key_file, option(argc, argv, "--log", "info,swarm=debug"));
  listen_at(&the_peer, listen);
  start_reader();
  ocf_uv_run(the_peer.uv);
  finish(&the_peer);
  return 0;
}
