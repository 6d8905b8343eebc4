/* Requests and answers, and the commands about connections. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_peer.h"

#define POLL_NS (2 * OCF_NS_PER_MS)

static struct peer *of(struct cmd *c)
{
  return OCF_CONTAINER_OF(c, struct peer, cmd);
}

/* ---- answers ---- */

void say(json_t *j)
{
  if (j == NULL || json_dumpf(j, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF ||
      fflush(stdout) != 0) {
    (void)fprintf(stderr, "c_peer: an answer cannot be written\n");
    exit(1);
  }
  json_decref(j);
}

/* Resets what the command has left open; runs when nobody uses a stream any more. */
static void reap(struct ocf_deferred *d)
{
  struct peer *p = OCF_CONTAINER_OF(d, struct peer, reap);
  OCF_LIST_FOREACH_SAFE (it, &p->streams) {
    struct strm *st = OCF_LIST_ENTRY(it, struct strm, link);
    if (st->ours && !st->fin_sent)
      strm_reset(st);
  }
}

static void answer(struct peer *p, json_t *members)
{
  struct cmd *c = &p->cmd;
  if (json_object_set(members, "id", json_object_get(c->request, "id")) != 0)
    abort();
  ocf_alarm_stop(&p->loop, &c->deadline);
  ocf_alarm_stop(&p->loop, &c->poll);
  json_decref(c->request);
  c->request = NULL;
  OCF_LIST_FOREACH (it, &p->streams) {
    struct strm *st = OCF_LIST_ENTRY(it, struct strm, link);
    st->done = st->done || st->ours;
  }
  p->reap.run = reap;
  ocf_defer(&p->loop, &p->reap);
  say(members);
  input_next();
}

void cmd_done(struct peer *p, json_t *members)
{
  if (p->cmd.request == NULL)
    return;
  if (members == NULL)
    members = json_object();
  if (json_object_set_new(members, "ok", json_true()) != 0)
    abort();
  answer(p, members);
}

void cmd_fail(struct peer *p, const char *fmt, ...)
{
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  if (p->cmd.request != NULL)
    answer(p, json_pack("{s:b, s:s}", "ok", 0, "error", text));
}

/* ---- requests ---- */

int64_t cmd_int(const struct cmd *c, const char *name, int64_t otherwise)
{
  json_t *v = json_object_get(c->request, name);
  return json_is_integer(v) ? (int64_t)json_integer_value(v) : otherwise;
}

bool cmd_bool(const struct cmd *c, const char *name)
{
  return json_is_true(json_object_get(c->request, name));
}

const char *cmd_str(const struct cmd *c, const char *name)
{
  const char *s = json_string_value(json_object_get(c->request, name));
  return s != NULL ? s : "";
}

static void on_deadline(struct ocf_alarm *a)
{
  struct cmd *c = OCF_CONTAINER_OF(a, struct cmd, deadline);
  cmd_fail(of(c), "%s: not done in time", c->name);
}

static void on_poll(struct ocf_alarm *a)
{
  struct cmd *c = OCF_CONTAINER_OF(a, struct cmd, poll);
  if (!c->ready(c))
    ocf_alarm_start(&of(c)->loop, a, POLL_NS);
}

/* Ends the command when `ready` says that it has answered. */
static void wait_until(struct peer *p, bool (*ready)(struct cmd *c))
{
  p->cmd.ready = ready;
  on_poll(&p->cmd.poll);
}

static json_t *waited(const struct peer *p)
{
  return json_pack("{s:I}", "ms", (json_int_t)((ocf_uv_now() - p->cmd.start_ns) / OCF_NS_PER_MS));
}

/* ---- connections ---- */

static bool is_connected(struct cmd *c)
{
  struct peer *p = of(c);
  struct ocf_swarm_peer_info info;
  char id[OCF_PEERID_TEXT_SIZE];
  if (!ocf_swarm_peer_info(p->swarm, &c->peer, &info) || !info.identified)
    return false;
  /* Our stack has no other than these, so that a connection that is up has them. */
  cmd_done(p, json_pack("{s:s, s:s, s:s}", "peer", ocf_peerid_text(&c->peer, id), "security",
                        "/noise", "muxer", "/yamux/1.0.0"));
  return true;
}

static void wait_connected(struct peer *p)
{
  wait_until(p, is_connected);
}

static void dial(struct peer *p)
{
  struct ocf_maddr m;
  const char *addr = cmd_str(&p->cmd, "addr");
  if (ocf_maddr_parse(ocf_bytes(addr, strlen(addr)), &m) != 0 ||
      !ocf_maddr_peer(&m, &p->cmd.peer)) {
    cmd_fail(p, "dial: bad address %s", addr);
    return;
  }
  int err = ocf_swarm_add_addr(p->swarm, p->loop.now_ns, &p->cmd.peer, &m, OCF_SWARM_SRC_CONFIG,
                               OCF_TIME_NEVER);
  if (err == 0)
    err = ocf_swarm_dial(p->swarm, p->loop.now_ns, &p->cmd.peer);
  if (err != 0 && err != OCF_EEXIST)
    cmd_fail(p, "dial: %s", ocf_strerror(err));
  else
    wait_until(p, is_connected);
}

void cmd_dial_failed(struct peer *p, const struct ocf_swarm_event *ev)
{
  if (p->cmd.request != NULL && strcmp(p->cmd.name, "dial") == 0 &&
      ocf_peerid_eq(ev->peer, &p->cmd.peer))
    cmd_fail(p, "dial: %s", ocf_strerror(ev->err));
}

static bool is_gone(struct cmd *c)
{
  struct ocf_swarm_peer_info info;
  if (ocf_swarm_peer_info(of(c)->swarm, &c->peer, &info))
    return false;
  cmd_done(of(c), waited(of(c)));
  return true;
}

static void wait_gone(struct peer *p)
{
  wait_until(p, is_gone);
}

static void disconnect(struct peer *p)
{
  ocf_swarm_disconnect(p->swarm, p->loop.now_ns, &p->cmd.peer, OCF_NS_PER_S);
  cmd_done(p, NULL);
}

static bool protocol_is_known(struct cmd *c)
{
  const char *name = cmd_str(c, "protocol");
  struct ocf_bytes proto = ocf_bytes(name, strlen(name));
  if (ocf_swarm_peer_speaks(of(c)->swarm, &c->peer, proto) == cmd_bool(c, "absent"))
    return false;
  cmd_done(of(c), waited(of(c)));
  return true;
}

static void wait_protocol(struct peer *p)
{
  wait_until(p, protocol_is_known);
}

static void unannounce(struct peer *p, const char *name)
{
  for (size_t i = 0; i < p->n_announced; i++) {
    if (strcmp(p->announced[i], name) != 0)
      continue;
    free(p->announced[i]);
    p->announced[i] = p->announced[--p->n_announced];
    return;
  }
}

static void push(struct peer *p)
{
  struct ocf_bytes names[OCF_SWARM_ANNOUNCED_MAX];
  const char *add = cmd_str(&p->cmd, "add");
  if (add[0] == '\0') {
    unannounce(p, cmd_str(&p->cmd, "remove"));
  } else if (p->n_announced < OCF_SWARM_ANNOUNCED_MAX) {
    p->announced[p->n_announced] = strdup(add);
    if (p->announced[p->n_announced++] == NULL)
      abort();
  }
  for (size_t i = 0; i < p->n_announced; i++)
    names[i] = ocf_bytes(p->announced[i], strlen(p->announced[i]));
  int err = ocf_swarm_announce(p->swarm, p->loop.now_ns, names, p->n_announced);
  if (err != 0)
    cmd_fail(p, "push: %s", ocf_strerror(err));
  else
    cmd_done(p, NULL);
}

static void counters(struct peer *p)
{
  struct counters n = p->n;
  if (cmd_bool(&p->cmd, "reset"))
    p->n = (struct counters){ .echo_now = n.echo_now, .open = n.open };
  cmd_done(p,
           json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", /**/
                     "echo_streams", (json_int_t)n.echo_streams, "echo_max_open",
                     (json_int_t)n.echo_max_open, "open", (json_int_t)n.open, "bulk_in",
                     (json_int_t)n.bulk_in, "bulk_out", (json_int_t)n.bulk_out, "halfclose_bytes",
                     (json_int_t)n.halfclose_bytes, "reset_seen", (json_int_t)n.reset_seen,
                     "sse_cancelled", (json_int_t)n.sse_cancelled, "http_streams",
                     (json_int_t)n.http_streams, "http_requests", (json_int_t)n.http_requests));
}

static void quit(struct peer *p)
{
  p->quitting = true;
  cmd_done(p, NULL);
}

/* ---- which command ---- */

struct entry {
  const char *name;
  cmd_fn fn;
};

static cmd_fn find(const struct entry *v, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp(v[i].name, name) == 0)
      return v[i].fn;
  return NULL;
}

static cmd_fn find_for_peer(const char *name)
{
  static const struct entry own[] = { { "wait_connected", wait_connected },
                                      { "wait_gone", wait_gone },
                                      { "disconnect", disconnect },
                                      { "wait_protocol", wait_protocol } };
  cmd_fn fn = find(own, OCF_ARRAY_LEN(own), name);
  if (fn == NULL)
    fn = test_cmd(name);
  if (fn == NULL)
    fn = proto_cmd(name);
  return fn != NULL ? fn : http_cmd(name);
}

static void run(struct peer *p)
{
  static const struct entry alone[] = {
    { "dial", dial }, { "push", push }, { "counters", counters }, { "quit", quit }
  };
  struct cmd *c = &p->cmd;
  const char *id = cmd_str(c, "peer");
  cmd_fn fn = find(alone, OCF_ARRAY_LEN(alone), c->name);
  if (fn != NULL) {
    fn(p);
    return;
  }
  fn = find_for_peer(c->name);
  if (fn == NULL)
    cmd_fail(p, "unknown command %s", c->name);
  else if (ocf_peerid_parse(ocf_bytes(id, strlen(id)), &c->peer) != 0)
    cmd_fail(p, "bad peer id %s", id);
  else
    fn(p);
}

void cmd_line(struct peer *p, char *line)
{
  struct cmd *c = &p->cmd;
  json_error_t bad;
  if (ocf_list_linked(&p->reap.link)) { /* the last command's streams first */
    ocf_defer_cancel(&p->reap);
    reap(&p->reap);
  }
  *c = (struct cmd){ .start_ns = p->loop.now_ns };
  c->deadline.fire = on_deadline;
  c->poll.fire = on_poll;
  if (line == NULL) {
    p->quitting = true;
    return;
  }
  c->request = json_loads(line, JSON_REJECT_DUPLICATES, &bad);
  free(line);
  if (!json_is_object(c->request)) {
    (void)fprintf(stderr, "c_peer: not a request: %s\n", bad.text);
    exit(1);
  }
  c->name = cmd_str(c, "cmd");
  int64_t ms = cmd_int(c, "timeout_ms", strcmp(c->name, "bulk") == 0 ? 600000 : 30000);
  ocf_alarm_start(&p->loop, &c->deadline, (uint64_t)ms * OCF_NS_PER_MS);
  run(p);
}
