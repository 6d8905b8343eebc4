/* The processes: the mocks first, then a head, which all other nodes have as their bootstrap peer,
 * further heads, and the workers in front of the mocks. */
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

/* Two of five nodes are heads, one of three workers has the second model. */
void ocf_dev_net_plan(struct dev *d)
{
  d->n_heads = d->opt.n_nodes >= 5 ? 2 : 1;
  d->n_workers = d->opt.n_nodes - d->n_heads;
  d->n_mocks = d->n_workers > 1 ? 2 : 1;
  (void)snprintf(d->second_model, sizeof(d->second_model), "%s-2", d->opt.model);
}

/* "worker", or "worker-3" where there are several. */
static void name_it(char dst[16], const char *what, size_t i, size_t n)
{
  if (n > 1)
    (void)snprintf(dst, 16, "%.8s-%u", what, (unsigned)(i + 1) % 1000);
  else
    (void)snprintf(dst, 16, "%s", what);
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

static int start_mock(struct dev *d, size_t i)
{
  char delay[32], name[16];
  const char *model = i == 0 ? d->opt.model : d->second_model;
  name_it(name, "mock", i, d->n_mocks);
  d->c[d->n].model = model;
  (void)snprintf(delay, sizeof(delay), "%lluns", (unsigned long long)d->opt.token_delay_ns);
  const char *const args[] = { "mock-openai",         "--model", model, "--token-delay", delay,
                               "--first-token-delay", delay,     NULL };
  return start_one(d, name, args);
}

static int start_worker(struct dev *d, size_t i)
{
  char name[16], port[8];
  const struct dev_child *mock = dev_mock(d, i % 3 == 2 || (i == 1 && d->n_workers == 2) ? 1 : 0);
  (void)snprintf(port, sizeof(port), "%u", (unsigned)ocf_dev_net_port(mock->info.http));
  name_it(name, "worker", i, d->n_workers);
  d->c[d->n].model = mock->model;
  const char *const args[] = { "start",
                               "--role",
                               "worker",
                               "--host",
                               "127.0.0.1",
                               "--port",
                               "0",
                               "--listen",
                               LISTEN,
                               "--bootstrap.static",
                               dev_head(d, 0)->info.p2p,
                               "--service.name",
                               "llm",
                               "--service.port",
                               port,
                               "--log.format",
                               "json",
                               "--shutdown.grace",
                               "1s",
                               NULL };
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

/* The first head has the wanted port and no bootstrap peer: it is everybody else's. */
static int start_head(struct dev *d, size_t i)
{
  char port_text[8], name[16];
  uint16_t port = 0;
  int r = i == 0 ? choose_port(d, &port) : 0;
  if (r != 0)
    return r;
  (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
  name_it(name, "head", i, d->n_heads);
  const char *const args[] = { "start",
                               "--role",
                               "head",
                               "--host",
                               "127.0.0.1",
                               "--port",
                               port_text,
                               "--listen",
                               LISTEN,
                               "--log.format",
                               "json",
                               "--shutdown.grace",
                               "1s",
                               i > 0 ? "--bootstrap.static" : NULL,
                               dev_head(d, 0)->info.p2p,
                               NULL };
  return start_one(d, name, args);
}

int ocf_dev_net_start(struct dev *d)
{
  int r = 0;
  for (size_t i = 0; r == 0 && i < d->n_mocks; i++)
    r = start_mock(d, i);
  for (size_t i = 0; r == 0 && i < d->n_heads; i++)
    r = start_head(d, i);
  for (size_t i = 0; r == 0 && i < d->n_workers; i++)
    r = start_worker(d, i);
  return r;
}
