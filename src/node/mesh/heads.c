/* /ocf/heads/1.0.0: between nodes of ours, what each replica's heads are is told at once when they
 * meet, instead of at the next rebroadcast. Found through identify; nodes that do not know it are
 * not asked.
 *
 * The one who opens the stream writes its heads and ends its half; the other answers with its own
 * and ends. Both messages have the form of a broadcast on the topic ocf-crdt, without a length. */
#include <string.h>

#include "fmt/pb/pb.h"
#include "node/mesh/mesh_int.h"

enum {
  HEADS_MAX = 1024,
  HEADS_BYTES_MAX = 64 * 1024,
  HEADS_WAIT_S = 10,
  AGAIN_MS = 200,
  AGAIN_WAITS_MAX = 10,
  EXCHANGES_MAX = 256,
  EXCHANGES_PER_PEER = 4
};

const struct ocf_bytes ocf_mesh_heads_protocol = { (const uint8_t *)"/ocf/heads/1.0.0", 16 };

/* One exchange, from either side. */
struct exchange {
  struct ocf_stream_user user;
  struct ocf_list link; /* in mesh.exchanges */
  struct ocf_mesh *mesh;
  struct ocf_peerid peer;
  struct ocf_stream *s; /* NULL while it is being opened */
  uint64_t ticket;
  struct ocf_alarm alarm;
  struct ocf_buf in, out;
  size_t written;
  bool said; /* `out` is made */
};

static void release(struct exchange *x)
{
  struct ocf_mesh *m = x->mesh;
  ocf_alarm_stop(m->loop, &x->alarm);
  ocf_list_remove(&x->link);
  ocf_buf_fini(&x->in);
  ocf_buf_fini(&x->out);
  OCF_DELETE(m->loop->alloc, x);
}

static void give_up(struct exchange *x)
{
  if (x->s != NULL)
    ocf_stream_reset(x->s, OCF_STREAM_PROTOCOL_VIOLATION);
  else
    ocf_swarm_open_cancel(x->mesh->swarm, x->ticket);
  release(x);
}

static void on_alarm(struct ocf_alarm *a)
{
  give_up(OCF_CONTAINER_OF(a, struct exchange, alarm));
}

int ocf_mesh_heads_write(struct ocf_mesh *m, struct ocf_buf *out)
{
  struct ocf_merkle_head h;
  struct ocf_pb_writer w = ocf_pb_write_buf(out);
  const struct ocf_merkle_head *prev = NULL;
  if (m->store_failed)
    return OCF_EIO;
  for (size_t i = 0; i < HEADS_MAX && ocf_merkle_head_next(m->replica, prev, &h) == 0; i++) {
    prev = &h;
    if (!h.complete)
      continue;
    ocf_pb_put_head(&w, 1, ocf_pb_size_bytes(1, OCF_CID_BLOCK_SIZE));
    ocf_pb_put_bytes(&w, 1, ocf_bytes(h.cid, OCF_CID_BLOCK_SIZE));
  }
  return ocf_pb_end(&w, NULL);
}

static uint64_t n_blocks(const struct ocf_mesh *m)
{
  struct ocf_merkle_stats s;
  ocf_merkle_stats(m->replica, &s);
  return s.blocks;
}

/* Writes our heads and ends our half. */
static void say(struct exchange *x)
{
  struct mesh_peer *p = ocf_mesh_peer_find(x->mesh, &x->peer);
  if (!x->said && ocf_mesh_heads_write(x->mesh, &x->out) != 0)
    ocf_buf_clear(&x->out);
  if (!x->said && p != NULL)
    p->told_blocks = n_blocks(x->mesh);
  x->said = true;
  x->written += ocf_stream_write(x->s, x->out.p + x->written, x->out.n - x->written);
  if (x->written == x->out.n)
    ocf_stream_fin(x->s);
}

static void take(struct exchange *x)
{
  struct ocf_mesh *m = x->mesh;
  if (x->in.n == 0 || m->store_failed)
    return;
  m->uncommitted = true;
  int err = ocf_merkle_broadcast(m->replica, mesh_now(m), ocf_buf_view(&x->in),
                                 ocf_peerid_view(&x->peer));
  if (err != 0 && err != OCF_EINVAL)
    ocf_mesh_registry_failed(m, err, "reading a peer's heads");
  ocf_mesh_settle_later(m);
}

static void on_data(struct exchange *x, struct ocf_bytes data)
{
  if (ocf_buf_add(&x->in, data.p, data.n) != 0)
    give_up(x);
  else
    ocf_stream_consumed(x->s, data.n);
}

static void on_event(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct exchange *x = OCF_CONTAINER_OF(u, struct exchange, user);
  switch (ev->type) {
  case OCF_SWARM_OPENED:
    x->s = ev->stream;
    say(x);
    break;
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_WRITABLE:
    if (x->said)
      say(x);
    break;
  case OCF_SWARM_DATA: on_data(x, ev->data); break;
  case OCF_SWARM_FIN:
    take(x);
    ocf_buf_clear(&x->in);
    if (!x->said)
      say(x);
    break;
  case OCF_SWARM_OPEN_FAILED:
  case OCF_SWARM_STREAM_GONE: release(x); break;
  case OCF_SWARM_STREAM_IN:
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN:
  case OCF_SWARM_DIAL_FAILED: break;
  }
}

/* An exchange may hold two buffers for ten seconds: a peer has a few at a time, all together some.
 */
static bool has_room(struct ocf_mesh *m, const struct ocf_peerid *peer)
{
  size_t all = 0, its = 0;
  OCF_LIST_FOREACH (it, &m->exchanges) {
    all++;
    its += ocf_peerid_eq(&OCF_LIST_ENTRY(it, struct exchange, link)->peer, peer) ? 1 : 0;
  }
  return all < EXCHANGES_MAX && its < EXCHANGES_PER_PEER;
}

static struct exchange *exchange_new(struct ocf_mesh *m, const struct ocf_peerid *peer)
{
  struct exchange *x = has_room(m, peer) ? OCF_NEW(m->loop->alloc, struct exchange) : NULL;
  if (x == NULL)
    return NULL;
  x->mesh = m;
  x->peer = *peer;
  x->user.on_event = on_event;
  x->alarm.fire = on_alarm;
  ocf_buf_init(&x->in, m->loop->alloc, HEADS_BYTES_MAX);
  ocf_buf_init(&x->out, m->loop->alloc, HEADS_BYTES_MAX);
  ocf_list_push_back(&m->exchanges, &x->link);
  ocf_alarm_start(m->loop, &x->alarm, HEADS_WAIT_S * OCF_NS_PER_S);
  return x;
}

void ocf_mesh_heads_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev)
{
  struct exchange *x = exchange_new(m, ev->peer);
  if (x == NULL) {
    ocf_stream_reset(ev->stream, OCF_STREAM_RESOURCE_LIMIT);
    return;
  }
  x->s = ev->stream;
  ocf_stream_set_user(ev->stream, &x->user);
}

static void ask(struct mesh_peer *p)
{
  struct ocf_mesh *m = p->mesh;
  struct exchange *x = exchange_new(m, &p->id);
  if (x == NULL)
    return;
  uint64_t until = ocf_time_add(mesh_now(m), HEADS_WAIT_S * OCF_NS_PER_S);
  int err = ocf_swarm_open(m->swarm, mesh_now(m), &p->id, &ocf_mesh_heads_protocol, 1, until,
                           &x->user, &x->s, &x->ticket);
  if (err == 0)
    say(x);
  else if (err != OCF_EAGAIN)
    release(x);
}

/* The one who dialled asks. */
void ocf_mesh_heads_peer(struct mesh_peer *p)
{
  struct ocf_mesh *m = p->mesh;
  struct ocf_swarm_peer_info info;
  if (p->asked_heads || !ocf_swarm_peer_speaks(m->swarm, &p->id, ocf_mesh_heads_protocol) ||
      !ocf_swarm_peer_info(m->swarm, &p->id, &info) || info.inbound)
    return;
  p->asked_heads = true;
  ask(p);
}

/* What came between the exchange and its joining was pushed to the mesh, which it was not in, and
 * is not gossiped to mesh peers: it is asked once more, when what was under way has come. */
static void on_again(struct ocf_alarm *a)
{
  struct ocf_mesh *m = OCF_CONTAINER_OF(a, struct ocf_mesh, heads_again);
  struct ocf_map_iter it = { 0 };
  struct ocf_map_node *n;
  struct ocf_merkle_stats s;
  ocf_merkle_stats(m->replica, &s);
  if (s.active > 0 && m->heads_waits++ < AGAIN_WAITS_MAX) {
    ocf_alarm_start(m->loop, a, AGAIN_MS * OCF_NS_PER_MS);
    return;
  }
  m->heads_waits = 0;
  while (ocf_map_next(&m->peers, &it, &n)) {
    struct mesh_peer *p = OCF_CONTAINER_OF(n, struct mesh_peer, node);
    if (p->joined && !p->asked_again && p->told_blocks != s.blocks && !m->store_failed &&
        ocf_swarm_peer_speaks(m->swarm, &p->id, ocf_mesh_heads_protocol)) {
      p->asked_again = true;
      ask(p);
    }
    p->joined = false;
  }
}

void ocf_mesh_heads_joined(struct mesh_peer *p)
{
  struct ocf_mesh *m = p->mesh;
  if (p->asked_again)
    return;
  p->joined = true;
  if (!ocf_timer_pending(&m->heads_again.timer))
    ocf_alarm_start(m->loop, &m->heads_again, AGAIN_MS * OCF_NS_PER_MS);
}

void ocf_mesh_heads_init(struct ocf_mesh *m)
{
  ocf_list_init(&m->exchanges);
  m->heads_again.fire = on_again;
}

void ocf_mesh_heads_free(struct ocf_mesh *m)
{
  ocf_alarm_stop(m->loop, &m->heads_again);
  OCF_LIST_FOREACH_SAFE (it, &m->exchanges) {
    release(OCF_LIST_ENTRY(it, struct exchange, link));
  }
}
