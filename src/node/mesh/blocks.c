/* bitswap on the swarm's streams. */
#include "node/mesh/mesh_int.h"

enum { MAX_VIEWS = 16 };

static void pump(struct mesh_out *o)
{
  struct mesh_peer *p = o->peer;
  struct ocf_mesh *m = p->mesh;
  struct ocf_bytes v[MAX_VIEWS];
  size_t n;
  while (o->s != NULL && (n = ocf_bitswap_tx(m->blocks, mesh_now(m), &p->id, v, MAX_VIEWS)) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
      total += v[i].n;
    size_t done = ocf_stream_writev(o->s, v, n);
    ocf_bitswap_tx_done(m->blocks, mesh_now(m), &p->id, done);
    if (done < total)
      return; /* WRITABLE comes */
  }
}

static void opened(struct mesh_out *o, int err)
{
  struct mesh_peer *p = o->peer;
  struct ocf_mesh *m = p->mesh;
  o->opening = false;
  if (!ocf_bitswap_opened(m->blocks, mesh_now(m), &p->id, err, o->proto, o))
    ocf_mesh_out_drop(o);
  ocf_mesh_settle_later(m);
}

static void on_out(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct mesh_out *o = OCF_CONTAINER_OF(u, struct mesh_out, user);
  struct ocf_mesh *m = o->peer->mesh;
  switch (ev->type) {
  case OCF_SWARM_OPENED:
    o->s = ev->stream;
    opened(o, 0);
    break;
  case OCF_SWARM_OPEN_FAILED: opened(o, ev->err); break;
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_WRITABLE: pump(o); break;
  case OCF_SWARM_DATA: ocf_stream_consumed(o->s, ev->data.n); break; /* answers come elsewhere */
  case OCF_SWARM_STREAM_GONE:
    o->s = NULL;
    ocf_bitswap_out_gone(m->blocks, mesh_now(m), &o->peer->id);
    ocf_mesh_settle_later(m);
    break;
  case OCF_SWARM_FIN:
  case OCF_SWARM_STREAM_IN:
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN:
  case OCF_SWARM_DIAL_FAILED: break;
  }
}

void ocf_mesh_blocks_init(struct mesh_peer *p)
{
  p->blocks = (struct mesh_out){ .user.on_event = on_out, .peer = p };
}

/* ---- streams of peers ---- */

static void in_end(struct mesh_in *in)
{
  struct ocf_mesh *m = in->mesh;
  if (in->blocks != NULL)
    ocf_bitswap_in_end(m->blocks, mesh_now(m), in->blocks);
  in->blocks = NULL;
  if (in->s != NULL)
    ocf_stream_fin(in->s);
  else
    ocf_mesh_in_free(in);
  ocf_mesh_settle_later(m);
}

static void on_data(struct mesh_in *in, struct ocf_bytes data)
{
  struct ocf_mesh *m = in->mesh;
  int err = in->blocks != NULL ? ocf_bitswap_rx(m->blocks, mesh_now(m), in->blocks, data) : 0;
  ocf_mesh_settle_later(m);
  if (err == 0) {
    ocf_stream_consumed(in->s, data.n);
    return;
  }
  ocf_stream_reset(in->s, OCF_STREAM_PROTOCOL_VIOLATION);
  ocf_mesh_in_free(in);
}

static void on_in(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct mesh_in *in = OCF_CONTAINER_OF(u, struct mesh_in, user);
  if (ev->type == OCF_SWARM_DATA) {
    on_data(in, ev->data);
  } else if (ev->type == OCF_SWARM_FIN) {
    in_end(in);
  } else if (ev->type == OCF_SWARM_STREAM_GONE) {
    in->s = NULL;
    in_end(in);
  }
}

void ocf_mesh_blocks_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev, unsigned proto)
{
  struct mesh_peer *p = ocf_mesh_peer_find(m, ev->peer);
  struct mesh_in *in;
  if (p == NULL) {
    ocf_stream_reset(ev->stream, OCF_STREAM_RESOURCE_LIMIT);
    return;
  }
  p->blocks_up = p->blocks_up ||
                 ocf_bitswap_peer_up(m->blocks, mesh_now(m), ev->peer) == 0; /* before identify */
  in = ocf_mesh_in_new(m, ev, on_in);
  if (in == NULL)
    return;
  if (ocf_bitswap_in_open(m->blocks, mesh_now(m), ev->peer, proto, in, &in->blocks) != 0) {
    ocf_stream_reset(in->s, OCF_STREAM_RESOURCE_LIMIT);
    ocf_mesh_in_free(in);
  }
  ocf_mesh_settle_later(m);
}

/* ---- peers ---- */

void ocf_mesh_blocks_peer(struct mesh_peer *p)
{
  struct ocf_mesh *m = p->mesh;
  bool speaks = false;
  for (size_t i = 0; i < OCF_BITSWAP_N_PROTOCOLS && !speaks; i++)
    speaks = ocf_swarm_peer_speaks(m->swarm, &p->id, ocf_bitswap_protocols[i]);
  if (speaks && !p->blocks_up)
    p->blocks_up = ocf_bitswap_peer_up(m->blocks, mesh_now(m), &p->id) == 0;
}

void ocf_mesh_blocks_peer_down(struct mesh_peer *p)
{
  if (p->blocks_up)
    ocf_bitswap_peer_down(p->mesh->blocks, mesh_now(p->mesh), &p->id);
  ocf_mesh_out_drop(&p->blocks);
}

/* ---- what the core wants ---- */

static void open_out(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  struct mesh_peer *p = ocf_mesh_peer_find(m, id);
  if (p == NULL || p->blocks.s != NULL || p->blocks.opening)
    return;
  int err = ocf_mesh_out_open(&p->blocks, ocf_bitswap_protocols, OCF_BITSWAP_N_PROTOCOLS);
  if (err != OCF_EAGAIN)
    opened(&p->blocks, err);
}

static void close_out(struct mesh_out *o, bool reset)
{
  if (o->s == NULL)
    return;
  ocf_stream_set_user(o->s, NULL); /* it ends by itself when the peer has read to the end */
  if (reset)
    ocf_stream_reset(o->s, 0);
  else
    ocf_stream_fin(o->s);
  o->s = NULL;
}

bool ocf_mesh_blocks_effects(struct ocf_mesh *m)
{
  struct ocf_bitswap_effect fx;
  struct mesh_in *in;
  bool any = false;
  while (ocf_bitswap_effect(m->blocks, mesh_now(m), &fx)) {
    any = true;
    switch (fx.type) {
    case OCF_BITSWAP_OPEN: open_out(m, &fx.peer); break;
    case OCF_BITSWAP_WRITE: pump(fx.stream); break;
    case OCF_BITSWAP_CLOSE_OUT: close_out(fx.stream, false); break;
    case OCF_BITSWAP_RESET_OUT: close_out(fx.stream, true); break;
    case OCF_BITSWAP_RESET_IN:
      in = fx.stream;
      if (in->s != NULL)
        ocf_stream_reset(in->s, OCF_STREAM_RESOURCE_LIMIT);
      ocf_mesh_in_free(in);
      break;
    }
  }
  return any;
}
