/* The sockets that processes see: node/env on the virtual connections. What is told when, and in
 * which order, follows io/uv and the kernel below it. */
#include "sim/net_int.h"

static struct ocf_sim *world_of(const struct ocf_sock *s)
{
  return s->conn->net->w;
}

static struct pipe *in_of(struct ocf_sock *s)
{
  return &s->conn->pipe[1 - s->side];
}

static struct pipe *out_of(struct ocf_sock *s)
{
  return &s->conn->pipe[s->side];
}

static uint64_t trace_id(const struct ocf_sock *s)
{
  return s->conn->id * 2 + (uint64_t)s->side;
}

static void on_read(struct ocf_sim *w, struct ocf_sim_event *e);
static void on_write(struct ocf_sim *w, struct ocf_sim_event *e);
static void on_reset(struct ocf_sim *w, struct ocf_sim_event *e);

void sock_init(struct conn *c, int side)
{
  struct ocf_sock *s = &c->end[side];
  s->conn = c;
  s->side = side;
  s->read.fn = on_read;
  s->write.fn = on_write;
  s->reset.fn = on_reset;
}

void sock_attach(struct ocf_sock *s, struct ocf_sim_proc *p)
{
  s->proc = p;
  s->open = true;
  p->n_socks++;
  ocf_list_push_back(&p->socks, &s->link);
}

/* The handle is not the process's any more. */
void sock_detach(struct ocf_sock *s)
{
  struct ocf_sim *w = world_of(s);
  s->open = false;
  s->ops = NULL;
  s->background = 0;
  ocf_sim_cancel(w, &s->read);
  ocf_sim_cancel(w, &s->write);
  ocf_list_remove(&s->link);
  s->proc->n_socks--;
  if (s->conn->state != CONN_UP) /* nobody waits for the answer any more */
    ocf_sim_cancel(w, &s->conn->step);
  conn_put(s->conn);
}

/* ---- reading ---- */

/* A paused reader whose other side has gone hears of it once. */
static bool can_tell_left(struct ocf_sock *s)
{
  return s->paused && !s->told_left && !s->read_ended && s->ops->left != NULL &&
         (in_of(s)->fin_arrived || s->was_reset);
}

void sock_wake_reader(struct ocf_sock *s)
{
  bool news = pipe_readable(in_of(s)) > 0 || in_of(s)->fin_arrived || s->was_reset;
  if (!s->open || !s->reading || s->read.pending)
    return;
  if (can_tell_left(s) || (!s->paused && !s->read_ended && news))
    ocf_sim_after(world_of(s), &s->read, wake_delay(s->conn->net));
}

void sock_start(struct ocf_sock *s)
{
  s->up = true;
  s->reading = true;
  sock_wake_reader(s);
}

/* How many bytes this read gets: all that fit, or a few, over many magnitudes. */
static size_t choose_size(struct ocf_sock *s, size_t most)
{
  struct ocf_sim *w = world_of(s);
  if (most <= 1 || !ocf_sim_chance(w, s->conn->net->cfg.short_permille, 1000))
    return most;
  uint64_t cap = UINT64_C(1) << ocf_sim_between(w, 0, 16);
  return (size_t)ocf_sim_between(w, 1, OCF_MIN(cap, most));
}

static void read_bytes(struct ocf_sim *w, struct ocf_sock *s)
{
  uint8_t *p = NULL;
  size_t cap = 0;
  uint64_t at = in_of(s)->rd;
  s->ops->rx_space(s->user, &p, &cap);
  if (p == NULL || cap == 0) {
    ocf_sim_fail(w, "connection %llu: a read was given no space", (unsigned long long)s->conn->id);
    return;
  }
  size_t n = choose_size(s, OCF_MIN(cap, pipe_readable(in_of(s))));
  pipe_take(in_of(s), p, n);
  ocf_sim_trace(w, OCF_SIM_TRACE_READ, trace_id(s), at, p, n);
  ocf_sim_proc_touch(s->proc);
  s->ops->rx(s->user, w->now_ns, n);
  /* Now and then the kernel is asked once more in vain, as after a read that filled its buffer. */
  if (s->open && s->ops != NULL && !s->paused && ocf_sim_chance(w, 1, 16)) {
    s->ops->rx_space(s->user, &p, &cap);
    s->ops->rx(s->user, w->now_ns, 0);
  }
  if (s->open)
    sock_wake_reader(s);
}

/* The read gave no bytes: the space goes back first. False when the handle went with it. */
static bool give_space_back(struct ocf_sim *w, struct ocf_sock *s)
{
  uint8_t *p = NULL;
  size_t cap = 0;
  ocf_sim_proc_touch(s->proc);
  s->ops->rx_space(s->user, &p, &cap);
  s->ops->rx(s->user, w->now_ns, 0);
  return s->open && s->ops != NULL;
}

static void on_read(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sock *s = OCF_CONTAINER_OF(e, struct ocf_sock, read);
  OCF_ASSERT(s->open && s->ops != NULL);
  if (can_tell_left(s)) {
    s->told_left = true;
    ocf_sim_proc_touch(s->proc);
    s->ops->left(s->user, w->now_ns);
    return;
  }
  if (s->paused || s->read_ended)
    return;
  if (pipe_readable(in_of(s)) > 0) {
    read_bytes(w, s);
  } else if (in_of(s)->fin_arrived) { /* an end that came in order is told before a later reset */
    if (!give_space_back(w, s))
      return;
    s->read_ended = true;
    ocf_sim_trace(w, OCF_SIM_TRACE_EOF, trace_id(s), in_of(s)->rd, NULL, 0);
    s->ops->eof(s->user, w->now_ns);
  } else if (s->was_reset) {
    if (give_space_back(w, s))
      sock_fail(s, OCF_ERESET);
  }
}

/* ---- writing ---- */

void sock_wake_writer(struct ocf_sock *s)
{
  bool news = s->background > 0 && (s->was_reset || pipe_room(out_of(s)) > 0);
  if (s->open && news && !s->write.pending)
    ocf_sim_after(world_of(s), &s->write, wake_delay(s->conn->net));
}

/* Moves as much of the background send as the kernel takes. */
static void move_background(struct ocf_sock *s)
{
  while (s->background_left > 0) {
    struct ocf_bytes *v = &s->views[s->view_at];
    size_t n = OCF_MIN(v->n, pipe_room(out_of(s)));
    if (v->n > 0 && n == 0)
      break;
    pipe_put(out_of(s), v->p, n);
    *v = ocf_bytes(v->p + n, v->n - n);
    s->background_left -= n;
    s->view_at += v->n == 0 ? 1 : 0;
  }
}

static void on_write(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sock *s = OCF_CONTAINER_OF(e, struct ocf_sock, write);
  OCF_ASSERT(s->open && s->background > 0);
  if (s->was_reset) {
    s->background_left = 0;
  } else {
    move_background(s);
    pipe_transmit(out_of(s));
  }
  if (s->background_left > 0)
    return; /* pipe_transmit() wakes again */
  size_t n = s->background;
  s->background = 0;
  ocf_sim_cancel(w, &s->write); /* pipe_transmit() may have woken us once more */
  ocf_sim_proc_touch(s->proc);
  if (s->was_reset && s->read_ended) {
    sock_fail(s, OCF_ERESET);
    return;
  }
  if (s->shut)
    pipe_end(out_of(s));
  s->ops->sent(s->user, w->now_ns, n);
}

/* A handle after its process was killed does nothing; after its own close it must not be named. */
static bool usable(const struct ocf_sock *s)
{
  OCF_ASSERT(s->open || s->zombie);
  return s->open;
}

static size_t send_now(struct ocf_sock *s, const struct ocf_bytes *views, size_t n)
{
  size_t done = 0;
  for (size_t i = 0; i < n; i++) {
    size_t k = OCF_MIN(views[i].n, pipe_room(out_of(s)));
    if (k > 0)
      pipe_put(out_of(s), views[i].p, k);
    done += k;
    if (k < views[i].n)
      break;
  }
  return done;
}

static void keep_rest(struct ocf_sock *s, const struct ocf_bytes *views, size_t n, size_t done)
{
  s->n_views = s->view_at = s->background = 0;
  for (size_t i = 0; i < n; i++) {
    size_t skip = OCF_MIN(done, views[i].n);
    done -= skip;
    if (skip == views[i].n)
      continue;
    s->views[s->n_views++] = ocf_bytes(views[i].p + skip, views[i].n - skip);
    s->background += views[i].n - skip;
  }
  s->background_left = s->background;
}

static size_t op_send(struct ocf_sock *s, const struct ocf_bytes *views, size_t n, bool background)
{
  size_t total = 0, done = 0;
  OCF_ASSERT(n > 0 && n <= VIEWS_MAX);
  for (size_t i = 0; i < n; i++)
    total += views[i].n;
  if (!usable(s))
    return total;
  OCF_ASSERT(s->up && !s->shut && s->background == 0);
  if (!s->was_reset) {
    done = send_now(s, views, n);
    pipe_transmit(out_of(s));
  }
  if (done == total || !background)
    return done;
  keep_rest(s, views, n, done);
  sock_wake_writer(s);
  return done;
}

static void op_shutdown(struct ocf_sock *s)
{
  if (!usable(s))
    return;
  OCF_ASSERT(s->up && !s->shut);
  s->shut = true;
  if (s->background == 0)
    pipe_end(out_of(s));
}

/* ---- the rest ---- */

static void op_adopt(struct ocf_sock *s, const struct ocf_sock_user_ops *ops, void *user)
{
  if (!usable(s))
    return;
  OCF_ASSERT(s->ops == NULL);
  s->ops = ops;
  s->user = user;
  sock_start(s);
}

static void op_pause(struct ocf_sock *s, bool paused)
{
  if (!usable(s) || !s->up)
    return;
  s->told_left = s->told_left && s->paused;
  s->paused = paused;
  sock_wake_reader(s);
}

void sock_close(struct ocf_sock *s, bool reset)
{
  struct conn *c = s->conn;
  bool unread = pipe_readable(in_of(s)) > 0;
  bool tell = s->up && !s->was_reset;
  struct pipe *out = out_of(s);
  bool shut = s->shut;
  sock_detach(s);
  if (!tell)
    return;
  if (unread || (reset && !shut && c->addr[0].family != 0)) {
    out->stopped = true;
    sock_send_reset(c, 1 - s->side, false);
  } else {
    pipe_end(out);
  }
}

static void op_close(struct ocf_sock *s, bool reset)
{
  if (usable(s))
    sock_close(s, reset);
}

void sock_fail(struct ocf_sock *s, int err)
{
  const struct ocf_sock_user_ops *ops = s->ops;
  void *user = s->user;
  struct ocf_sim *w = world_of(s);
  struct ocf_sim_proc *p = s->proc;
  ocf_sim_trace(w, OCF_SIM_TRACE_CLOSED, trace_id(s), (uint64_t)(int64_t)err, NULL, 0);
  sock_close(s, false);
  ocf_sim_proc_touch(p);
  if (ops != NULL)
    ops->closed(user, w->now_ns, err);
}

void sock_send_reset(struct conn *c, int side, bool at_once)
{
  struct ocf_sock *s = &c->end[side];
  struct ocf_sim *w = c->net->w;
  if (s->was_reset || s->vanished)
    return;
  if (at_once) {
    sock_reset_arrived(s);
    return;
  }
  uint64_t at = w->now_ns + path_latency(c->net, c->machine[1 - side], c->machine[side]);
  if (!s->reset.pending)
    ocf_sim_at(w, &s->reset, OCF_MAX(at, in_of(s)->last_at_ns + 1)); /* behind the last bytes */
}

static void on_reset(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sock *s = OCF_CONTAINER_OF(e, struct ocf_sock, reset);
  (void)w;
  if (path_open(s->conn->net, s->conn->machine[1 - s->side], s->conn->machine[s->side]))
    sock_reset_arrived(s); /* else it is lost, and nobody sends it again */
}

void sock_reset_arrived(struct ocf_sock *s)
{
  struct pipe *in = in_of(s);
  if (s->was_reset)
    return;
  s->was_reset = true;
  bool fin = in->fin_arrived;
  pipe_kill(out_of(s));
  pipe_kill(in);
  in->fin_arrived = fin;
  if (s->conn->net->cfg.reset_drops_unread && !fin) {
    ocf_queue_clear(&in->bytes);
    in->rd = in->arrived;
  }
  sock_wake_reader(s);
  sock_wake_writer(s);
}

static void op_names(struct ocf_sock *s, struct ocf_ip_addr *local, struct ocf_ip_addr *remote)
{
  (void)usable(s);
  *local = s->conn->addr[s->side];
  *remote = s->conn->addr[1 - s->side];
}

static struct ocf_sock *op_connect(struct ocf_env *env, const struct ocf_endpoint *to,
                                   const struct ocf_sock_user_ops *ops, void *user, int *err)
{
  struct ocf_sim_proc *p = OCF_CONTAINER_OF(env, struct ocf_sim_proc, env);
  if (p->n_socks >= p->max_socks) {
    *err = OCF_ELIMIT;
    return NULL;
  }
  struct conn *c = conn_new(p, to);
  c->end[0].ops = ops;
  c->end[0].user = user;
  *err = 0;
  return &c->end[0];
}

static uint64_t op_wall(struct ocf_env *env)
{
  struct ocf_sim_proc *p = OCF_CONTAINER_OF(env, struct ocf_sim_proc, env);
  return OCF_SIM_WALL_NS + (p->net->w->now_ns - OCF_SIM_START_NS) + (uint64_t)p->clock_skew_ns;
}

const struct ocf_env_ops sock_env_ops = {
  .wall_ns = op_wall,
  .connect = op_connect,
  .adopt = op_adopt,
  .send = op_send,
  .pause = op_pause,
  .shutdown = op_shutdown,
  .close = op_close,
  .names = op_names,
  .resolve = net_resolve,
  .job = work_job,
  .fetch = work_fetch,
  .txt = work_txt,
};
