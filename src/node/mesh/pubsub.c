/* gossipsub on the swarm's streams: one stream of ours to each peer, and those that peers open. */
#include "node/mesh/mesh_int.h"

static void pump(struct mesh_out *o)
{
  struct mesh_peer *p = o->peer;
  struct ocf_bytes v[OCF_GOSSIP_IOV_MAX];
  size_t n;
  while (o->s != NULL &&
         (n = ocf_gossip_tx(p->mesh->gossip, mesh_now(p->mesh), &p->id, v, OCF_ARRAY_LEN(v))) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
      total += v[i].n;
    size_t done = ocf_stream_writev(o->s, v, n);
    ocf_gossip_tx_done(p->mesh->gossip, mesh_now(p->mesh), &p->id, done);
    if (done < total)
      return; /* WRITABLE comes */
  }
}

static void opened(struct mesh_out *o, int err)
{
  struct mesh_peer *p = o->peer;
  o->opening = false;
  ocf_gossip_opened(p->mesh->gossip, mesh_now(p->mesh), &p->id, err,
                    (enum ocf_gossip_proto)o->proto);
  ocf_mesh_settle_later(p->mesh);
}

static void on_out(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct mesh_out *o = OCF_CONTAINER_OF(u, struct mesh_out, user);
  struct mesh_peer *p = o->peer;
  switch (ev->type) {
  case OCF_SWARM_OPENED:
    o->s = ev->stream;
    opened(o, 0);
    break;
  case OCF_SWARM_OPEN_FAILED: opened(o, ev->err); break;
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_WRITABLE: pump(o); break;
  case OCF_SWARM_DATA: ocf_stream_consumed(o->s, ev->data.n); break; /* nobody may write here */
  case OCF_SWARM_STREAM_GONE:
    o->s = NULL;
    ocf_gossip_out_gone(p->mesh->gossip, mesh_now(p->mesh), &p->id);
    ocf_mesh_settle_later(p->mesh);
    break;
  case OCF_SWARM_FIN:
  case OCF_SWARM_STREAM_IN:
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN:
  case OCF_SWARM_DIAL_FAILED: break;
  }
}

void ocf_mesh_pubsub_init(struct mesh_peer *p)
{
  p->gossip = (struct mesh_out){ .user.on_event = on_out, .peer = p };
}

/* ---- streams of peers ---- */

static void in_gone(struct mesh_in *in)
{
  struct ocf_mesh *m = in->mesh;
  ocf_gossip_in_gone(m->gossip, mesh_now(m), &in->peer, in);
  ocf_mesh_in_free(in);
  ocf_mesh_settle_later(m);
}

static void on_in(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct mesh_in *in = OCF_CONTAINER_OF(u, struct mesh_in, user);
  struct ocf_mesh *m = in->mesh;
  if (ev->type == OCF_SWARM_DATA) {
    ocf_gossip_rx(m->gossip, mesh_now(m), &in->peer, in, ev->data);
    ocf_stream_consumed(in->s, ev->data.n);
    ocf_mesh_settle_later(m);
  } else if (ev->type == OCF_SWARM_FIN) {
    ocf_stream_fin(in->s); /* only now: a half-closed stream reads as our death */
  } else if (ev->type == OCF_SWARM_STREAM_GONE) {
    in->s = NULL;
    in_gone(in);
  }
}

void ocf_mesh_pubsub_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev)
{
  struct mesh_in *in = ocf_mesh_in_new(m, ev, on_in);
  if (in == NULL)
    return;
  if (ocf_gossip_in(m->gossip, mesh_now(m), &in->peer, in) != 0) {
    ocf_stream_reset(in->s, OCF_STREAM_RESOURCE_LIMIT);
    ocf_mesh_in_free(in);
  }
  ocf_mesh_settle_later(m);
}

/* ---- peers ---- */

/* A number that peers on one address share; those on this machine share none. */
static uint64_t ip_key(const struct ocf_ip_addr *ip)
{
  uint64_t h = 14695981039346656037u;
  if (ip->family == 0 || ocf_ip_addr_is_loopback(ip))
    return 0;
  for (size_t i = 0; i < (ip->family == 4 ? 4 : 8); i++)
    h = (h ^ ip->ip[i]) * 1099511628211u;
  return h | 1;
}

void ocf_mesh_pubsub_peer(struct mesh_peer *p)
{
  struct ocf_mesh *m = p->mesh;
  struct ocf_swarm_peer_info info;
  bool speaks = false;
  for (size_t i = 0; i < OCF_GOSSIP_PROTO_N && !speaks; i++)
    speaks = ocf_swarm_peer_speaks(m->swarm, &p->id, ocf_gossip_protocols()[i]);
  if (!speaks || !ocf_swarm_peer_info(m->swarm, &p->id, &info))
    return;
  p->gossip_up =
      ocf_gossip_peer_up(m->gossip, mesh_now(m), &p->id, !info.inbound, ip_key(&info.remote)) == 0;
}

void ocf_mesh_pubsub_peer_down(struct mesh_peer *p)
{
  ocf_gossip_peer_down(p->mesh->gossip, mesh_now(p->mesh), &p->id);
  ocf_mesh_out_drop(&p->gossip);
}

/* ---- what the core wants ---- */

static void open_out(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  struct mesh_peer *p = ocf_mesh_peer_find(m, id);
  if (p == NULL || p->gossip.s != NULL || p->gossip.opening)
    return;
  int err = ocf_mesh_out_open(&p->gossip, ocf_gossip_protocols(), OCF_GOSSIP_PROTO_N);
  if (err != OCF_EAGAIN)
    opened(&p->gossip, err);
}

struct job {
  struct ocf_mesh *mesh;
  struct ocf_gossip_job *job;
};

static void job_run(void *arg)
{
  ocf_gossip_job_run(((struct job *)arg)->job);
}

static void job_done(void *arg, uint64_t now_ns)
{
  struct job *j = arg;
  struct ocf_mesh *m = j->mesh;
  m->loop->now_ns = now_ns;
  m->n_jobs--;
  ocf_gossip_job_done(m->gossip, now_ns, j->job);
  OCF_DELETE(m->loop->alloc, j);
  ocf_mesh_settle_later(m);
}

static bool verify_elsewhere(struct ocf_mesh *m, struct ocf_gossip_job *job)
{
  struct ocf_env *env = m->loop->env;
  struct job *j = env->ops->job != NULL ? OCF_NEW(m->loop->alloc, struct job) : NULL;
  if (j == NULL)
    return false;
  *j = (struct job){ m, job };
  if (env->ops->job(env, job_run, job_done, j) != 0) {
    OCF_DELETE(m->loop->alloc, j);
    return false;
  }
  m->n_jobs++;
  return true;
}

/* The first batch of a turn costs less here than its way to another thread and back; what comes in
 * floods does not hold up the loop. */
static void verify(struct ocf_mesh *m, struct ocf_gossip_job *job, bool first)
{
  if (!first && verify_elsewhere(m, job))
    return;
  ocf_gossip_job_run(job);
  ocf_gossip_job_done(m->gossip, mesh_now(m), job);
}

static void reset_in(struct mesh_in *in)
{
  if (in->s != NULL)
    ocf_stream_reset(in->s, OCF_STREAM_SUPPLANTED);
  ocf_mesh_in_free(in);
}

static void disconnect(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  char text[OCF_PEERID_TEXT_SIZE];
  OCF_LOGF(m->loop->log, "gossip", OCF_LOG_WARN, "peer misbehaves and is disconnected",
           OCF_LOG_STR("peer", ocf_peerid_text(id, text)));
  ocf_swarm_disconnect(m->swarm, mesh_now(m), id, 0);
}

bool ocf_mesh_pubsub_effects(struct ocf_mesh *m)
{
  struct ocf_gossip_effect fx;
  struct mesh_peer *p;
  bool any = false;
  while (ocf_gossip_effect(m->gossip, mesh_now(m), &fx)) {
    struct ocf_peerid id = fx.peer != NULL ? *fx.peer : (struct ocf_peerid){ .n = 0 };
    any = true;
    switch (fx.type) {
    case OCF_GOSSIP_OPEN: open_out(m, &id); break;
    case OCF_GOSSIP_WRITE:
      p = ocf_mesh_peer_find(m, &id);
      if (p != NULL)
        pump(&p->gossip);
      break;
    case OCF_GOSSIP_RESET_IN: reset_in(fx.handle); break;
    case OCF_GOSSIP_DISCONNECT: disconnect(m, &id); break;
    case OCF_GOSSIP_VERIFY: verify(m, fx.job, m->n_verified++ == 0); break;
    }
  }
  return any;
}
