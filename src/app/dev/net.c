/* The processes: the mock first, then the workers in front of it, then the head that dials them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/dev/dev_int.h"
#include "base/time/time.h"

#define LISTEN "/ip4/127.0.0.1/tcp/0"

uint16_t ocf_dev_net_port(const char *http_url)
{
  const char *colon = strrchr(http_url, ':');
  long port = colon != NULL ? strtol(colon + 1, NULL, 10) : 0;
  return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

void ocf_dev_net_base_path(struct dev *d, char *dst, size_t cap)
{
  (void)snprintf(dst, cap, "/v1/p2p/%s/v1/_service/llm/v1", d->c[1].info.peer_id);
}

/* Starts the next process and waits until it says that it listens. */
static int start_one(struct dev *d, const char *name, const char *const *args)
{
  struct dev_child *c = &d->c[d->n];
  (void)snprintf(c->name, sizeof(c->name), "%s", name);
  c->child.name = c->name;
  int r = ocf_dev_home_add(&d->home, name, c->child.home, sizeof(c->child.home), &d->err);
  if (r == 0)
    r = ocf_child_start(&c->child, args, d->opt.keep, &d->err);
  if (r != 0)
    return r;
  d->n++;
  r = ocf_dev_wait(d, &c->ready, d->deadline_ns);
  if (r == OCF_ETIME) {
    d->culprit = c;
    return ocf_err_set(&d->err, r, "see its last lines", "%s did not say that it is ready", name);
  }
  if (r == 0)
    ocf_dev_show_process(d, c);
  return r;
}

static int start_mock(struct dev *d)
{
  char delay[32];
  (void)snprintf(delay, sizeof(delay), "%lluns", (unsigned long long)d->opt.token_delay_ns);
  const char *const args[] = { "mock-openai",   "--model", d->opt.model,
                               "--token-delay", delay,     "--first-token-delay",
                               delay,           NULL };
  return start_one(d, "mock", args);
}

static int start_worker(struct dev *d, size_t i)
{
  char name[16], port[8];
  (void)snprintf(port, sizeof(port), "%u", (unsigned)ocf_dev_net_port(dev_mock(d)->info.http));
  (void)snprintf(name, sizeof(name), d->opt.n_nodes > 2 ? "worker-%zu" : "worker", i);
  const char *const args[] = {
    "start", "--role",       "worker", "--host",           "127.0.0.1", "--port",
    "0",     "--listen",     LISTEN,   "--service.name",   "llm",       "--service.port",
    port,    "--log.format", "json",   "--shutdown.grace", "1s",        NULL
  };
  return start_one(d, name, args);
}

/* The port that the head is to use: the wanted one, or any when the default is taken. */
static int choose_port(struct dev *d, uint16_t *port)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons(d->opt.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool is_free = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                 bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
  int e = errno;
  if (fd >= 0)
    (void)close(fd);
  *port = d->opt.port;
  if (is_free)
    return 0;
  if (d->opt.port_given)
    return ocf_err_set(&d->err, OCF_EINUSE, "choose another one, or --port 0 for any",
                       "port %u cannot be used: %s", (unsigned)d->opt.port, strerror(e));
  *port = 0;
  ocf_dev_show(d, SHOW_YELLOW, "  port %u is taken: the head uses another one\n",
               (unsigned)d->opt.port);
  return 0;
}

static int start_head(struct dev *d)
{
  char port_text[8], peers[OCF_DEV_NODES_MAX * OCF_DEV_TEXT_MAX] = "";
  uint16_t port;
  int r = choose_port(d, &port);
  if (r != 0)
    return r;
  (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
  for (size_t i = 1, n = 0; i < d->opt.n_nodes; i++)
    n += (size_t)snprintf(peers + n, sizeof(peers) - n, "%s%s", i > 1 ? "," : "", d->c[i].info.p2p);
  const char *const args[] = { "start",     "--role",
                               "head",      "--host",
                               "127.0.0.1", "--port",
                               port_text,   "--listen",
                               LISTEN,      "--bootstrap.static",
                               peers,       "--log.format",
                               "json",      "--shutdown.grace",
                               "1s",        NULL };
  return start_one(d, "head", args);
}

int ocf_dev_net_start(struct dev *d)
{
  int r = start_mock(d);
  for (size_t i = 1; r == 0 && i < d->opt.n_nodes; i++)
    r = start_worker(d, i);
  return r == 0 ? start_head(d) : r;
}
