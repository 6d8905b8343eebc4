#include "evil.h"

#include <stdio.h>
#include <string.h>

#include "base/core/endian.h"
#include "base/str/str.h"
#include "crdt/merkle/delta.h"
#include "fmt/varint/varint.h"
#include "multi/dagpb/dagpb.h"
#include "p2p/bitswap/msg.h"

enum { BLOCKS_MAX = 1 << 20, BUF_MAX = 64 << 20, SERVE_WANTS_MAX = 100000 };

struct block {
  struct ocf_map_node node;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  uint8_t *p;
  size_t n;
};

static const struct ocf_bytes protos[] = {
  { (const uint8_t *)"/meshsub/1.1.0", 14 },
  { (const uint8_t *)"/ipfs/bitswap/1.2.0", 19 },
};

/* ---- framing ---- */

static void send_framed(struct ocf_sim_peer_stream *s, struct ocf_bytes msg)
{
  uint8_t head[OCF_VARINT_MAX];
  if (s == NULL)
    return;
  ocf_sim_peer_write(s, head, ocf_varint_put(head, msg.n));
  ocf_sim_peer_write(s, msg.p, msg.n);
}

void evil_rpc(struct evil *e, struct ocf_bytes rpc)
{
  send_framed(e->gossip, rpc);
}

/* ---- serving ---- */

static const struct block *find(const struct evil *e, struct ocf_bytes cid)
{
  struct ocf_map_node *n = ocf_map_find(&e->store, cid);
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct block, node);
}

static void put_answer(struct evil *e, struct ocf_pb_writer *w, const struct ocf_bitswap_item *it)
{
  const struct block *b = find(e, it->cid.bytes);
  e->n_wants++;
  if (e->mute)
    return;
  if (b == NULL) {
    if (it->send_dont)
      ocf_bitswap_put_presence(w, it->cid.bytes, true);
    return;
  }
  if (e->lies)
    ocf_bitswap_put_block(w, &it->cid, OCF_STR("something else"), false);
  ocf_bitswap_put_block(w, &it->cid, ocf_bytes(b->p, b->n), false);
  e->n_served++;
}

static void answer(struct evil *e, const struct ocf_peerid *with, struct ocf_bytes msg)
{
  struct ocf_bitswap_walk walk = ocf_bitswap_walk(msg);
  struct ocf_bitswap_item it;
  struct ocf_buf out;
  bool full;
  ocf_buf_init(&out, &e->alloc, BUF_MAX);
  if (ocf_bitswap_msg_check(msg, &full) != 0)
    ocf_sim_fail(&e->st->w, "a node sends a malformed bitswap message");
  struct ocf_pb_writer w = ocf_pb_write_buf(&out);
  while (ocf_bitswap_walk_next(&walk, &it) > 0) {
    if (it.type == OCF_BITSWAP_ITEM_ENTRY && !it.cancel)
      put_answer(e, &w, &it);
  }
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  if (out.n > 0 && e->blocks == NULL)
    e->blocks = ocf_sim_peer_open(e->peer, with, protos[1]);
  if (out.n > 0)
    send_framed(e->blocks, ocf_buf_view(&out));
  ocf_buf_fini(&out);
}

/* ---- what the peer is told ---- */

static void subscribe(struct evil *e)
{
  static const char *const topics[] = { "ocf-crdt", "ocf-crdt-net" };
  ocf_buf_clear(&e->rpc);
  struct ocf_pb_writer w = ocf_pb_write_buf(&e->rpc);
  for (size_t i = 0; i < 2; i++) {
    ocf_pb_put_head(&w, 1, 2 + ocf_pb_size_bytes(2, strlen(topics[i])));
    ocf_pb_put_bool(&w, 1, true);
    ocf_pb_put_str(&w, 2, topics[i]);
  }
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  evil_rpc(e, ocf_buf_view(&e->rpc));
  evil_control(e, 3, topics[0], 0);
}

static void on_up(void *user, const struct ocf_peerid *with)
{
  struct evil *e = user;
  if (e->at == NULL || e->gossip != NULL || !ocf_peerid_eq(with, &e->at->id))
    return;
  e->gossip = ocf_sim_peer_open(e->peer, with, protos[0]);
  subscribe(e);
}

static void on_down(void *user, const struct ocf_peerid *with)
{
  struct evil *e = user;
  (void)with;
  e->n_downs++;
}

static void on_data(void *user, struct ocf_sim_peer_stream *s, struct ocf_bytes data)
{
  struct evil *e = user;
  uint64_t len;
  if (!s->inbound || !ocf_bytes_eq(s->proto, protos[1]))
    return;
  OCF_ASSERT(ocf_buf_add(&s->in, data.p, data.n) == 0);
  for (;;) {
    int n = ocf_varint_get(s->in.p, s->in.n, &len);
    if (n <= 0 || s->in.n - (size_t)n < len)
      return;
    answer(e, &s->with, ocf_bytes(s->in.p + n, (size_t)len));
    ocf_buf_consume(&s->in, (size_t)n + (size_t)len);
  }
}

static void on_gone(void *user, struct ocf_sim_peer_stream *s)
{
  struct evil *e = user;
  if (s == e->gossip) {
    e->gossip = NULL;
    e->n_gossip_lost++;
  } else if (s == e->blocks) {
    e->blocks = NULL;
    e->n_blocks_lost++;
  }
}

static const struct ocf_sim_peer_ops peer_ops = { on_up, on_down, NULL, on_data, on_gone };

void evil_init(struct evil *e, struct stage *st)
{
  static const uint64_t seed[2] = { 1, 2 };
  *e = (struct evil){ .st = st, .seqno = 1 };
  ocf_alloc_init(&e->alloc);
  ocf_map_init(&e->store, &e->alloc, seed, BLOCKS_MAX);
  ocf_buf_init(&e->rpc, &e->alloc, BUF_MAX);
  e->peer = ocf_sim_peer_new(&st->net, protos, OCF_ARRAY_LEN(protos), &peer_ops, e);
}

void evil_fini(struct evil *e)
{
  struct ocf_map_iter it = { 0 };
  struct ocf_map_node *n;
  ocf_sim_peer_free(e->peer);
  while (ocf_map_next(&e->store, &it, &n)) {
    struct block *b = OCF_CONTAINER_OF(n, struct block, node);
    ocf_map_remove(&e->store, n);
    ocf_alloc_put(&e->alloc, b->p, b->n);
    OCF_DELETE(&e->alloc, b);
  }
  ocf_map_fini(&e->store);
  ocf_buf_fini(&e->rpc);
  OCF_ASSERT(e->alloc.live_bytes == 0);
}

void evil_meet(struct evil *e, size_t i)
{
  struct ocf_gossip_stats g;
  e->at = e->st->hosts[i];
  ocf_sim_peer_dial(e->peer, e->at);
  stage_sleep(e->st, OCF_NS_PER_S);
  ALIVE(e->st);
  g = reg_stats(e->st, i).gossip;
  CLAIM(e->st, e->gossip != NULL && g.n_peers > 0, "the scripted peer is not let in");
}

void evil_return(struct evil *e)
{
  if (e->gossip == NULL && ocf_sim_peer_sees(e->peer, &e->at->id))
    on_up(e, &e->at->id);
}

/* ---- gossip ---- */

static void put_signature(struct evil *e, struct ocf_pb_writer *w, struct ocf_bytes fields,
                          enum evil_fault fault)
{
  uint8_t sig[OCF_KEY_SIG_MAX];
  struct ocf_buf text;
  size_t n = 0;
  ocf_buf_init(&text, &e->alloc, BUF_MAX);
  OCF_ASSERT(ocf_buf_add(&text, "libp2p-pubsub:", 14) == 0);
  OCF_ASSERT(ocf_buf_add(&text, fields.p, fields.n) == 0);
  OCF_ASSERT(ocf_key_sign(&e->peer->key, ocf_buf_view(&text), sig, sizeof(sig), &n) == 0);
  if (fault == EVIL_BAD_SIGNATURE)
    sig[e->seqno % n] ^= 1;
  ocf_pb_put_bytes(w, 5, ocf_bytes(sig, n));
  ocf_buf_fini(&text);
}

void evil_publish(struct evil *e, const char *topic, struct ocf_bytes data, enum evil_fault fault)
{
  uint8_t seqno[8];
  struct ocf_buf msg, rpc;
  const struct ocf_peerid *from = fault == EVIL_OTHER_AUTHOR ? &e->at->id : &e->peer->id;
  ocf_put_be64(seqno, e->seqno++);
  ocf_buf_init(&msg, &e->alloc, BUF_MAX);
  ocf_buf_init(&rpc, &e->alloc, BUF_MAX);
  struct ocf_pb_writer w = ocf_pb_write_buf(&msg);
  ocf_pb_put_bytes(&w, 1, ocf_peerid_view(from));
  ocf_pb_put_bytes(&w, 2, data);
  if (fault != EVIL_NO_SEQNO)
    ocf_pb_put_bytes(&w, 3, ocf_bytes(seqno, 8));
  ocf_pb_put_str(&w, 4, topic);
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  if (fault != EVIL_UNSIGNED) {
    struct ocf_buf fields;
    ocf_buf_init(&fields, &e->alloc, BUF_MAX);
    OCF_ASSERT(ocf_buf_add(&fields, msg.p, msg.n) == 0);
    w = ocf_pb_write_buf(&msg);
    put_signature(e, &w, ocf_buf_view(&fields), fault);
    OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
    ocf_buf_fini(&fields);
  }
  w = ocf_pb_write_buf(&rpc);
  ocf_pb_put_bytes(&w, 2, ocf_buf_view(&msg));
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  evil_rpc(e, ocf_buf_view(&rpc));
  ocf_buf_fini(&msg);
  ocf_buf_fini(&rpc);
}

static struct ocf_bytes random_id(struct evil *e, uint8_t out[OCF_PEERID_MAX + 8])
{
  size_t n = e->peer->id.n;
  memcpy(out, ocf_peerid_view(&e->peer->id).p, n);
  ocf_put_be64(out + n, ocf_sim_between(&e->st->w, 0, UINT64_MAX - 1));
  return ocf_bytes(out, n + 8);
}

void evil_control(struct evil *e, uint32_t number, const char *topic, size_t n_ids)
{
  uint8_t id[OCF_PEERID_MAX + 8];
  bool bare = number == 2 || number == 5; /* lists of ids alone */
  size_t each = ocf_pb_size_bytes(1, e->peer->id.n + 8), len = n_ids * each;
  ocf_buf_clear(&e->rpc);
  if (!bare)
    len += ocf_pb_size_bytes(1, strlen(topic));
  struct ocf_pb_writer w = ocf_pb_write_buf(&e->rpc);
  ocf_pb_put_head(&w, 3, ocf_pb_size_bytes(number, len));
  ocf_pb_put_head(&w, number, len);
  if (!bare)
    ocf_pb_put_str(&w, 1, topic);
  for (size_t i = 0; i < n_ids; i++)
    ocf_pb_put_bytes(&w, bare ? 1 : 2, random_id(e, id));
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  evil_rpc(e, ocf_buf_view(&e->rpc));
}

void evil_announce(struct evil *e, const uint8_t (*cids)[OCF_CID_BLOCK_SIZE], size_t n)
{
  struct ocf_buf b;
  ocf_buf_init(&b, &e->alloc, BUF_MAX);
  for (size_t i = 0; i < n; i++)
    OCF_ASSERT(ocf_merkle_heads_add(&b, ocf_bytes(cids[i], OCF_CID_BLOCK_SIZE)) == 0);
  evil_publish(e, "ocf-crdt", ocf_buf_view(&b), EVIL_NONE);
  ocf_buf_fini(&b);
}

/* ---- blocks ---- */

void evil_raw_block(struct evil *e, struct ocf_bytes bytes, uint8_t cid[OCF_CID_BLOCK_SIZE])
{
  struct block *b = OCF_NEW(&e->alloc, struct block);
  OCF_ASSERT(b != NULL);
  ocf_dagpb_cid(bytes, cid);
  memcpy(b->cid, cid, OCF_CID_BLOCK_SIZE);
  b->n = bytes.n;
  b->p = bytes.n > 0 ? ocf_alloc_get(&e->alloc, bytes.n) : NULL;
  if (bytes.n > 0)
    memcpy(b->p, bytes.p, bytes.n);
  OCF_ASSERT(ocf_map_insert(&e->store, &b->node, ocf_bytes(b->cid, OCF_CID_BLOCK_SIZE)) == 0);
}

void evil_block(struct evil *e, const struct evil_entry *v, size_t n, uint64_t priority,
                const uint8_t (*links)[OCF_CID_BLOCK_SIZE], size_t n_links,
                uint8_t cid[OCF_CID_BLOCK_SIZE])
{
  struct ocf_buf delta, block;
  struct ocf_bytes views[16];
  OCF_ASSERT(n_links <= OCF_ARRAY_LEN(views));
  ocf_buf_init(&delta, &e->alloc, BUF_MAX);
  ocf_buf_init(&block, &e->alloc, BUF_MAX);
  for (size_t i = 0; i < n; i++) {
    struct ocf_merkle_element x = { .key = ocf_str(v[i].key) };
    if (v[i].value != NULL)
      x.value = ocf_bytes(v[i].value, v[i].value_n > 0 ? v[i].value_n : strlen(v[i].value));
    OCF_ASSERT(ocf_merkle_delta_add(&delta, OCF_MERKLE_ELEMENTS, &x) == 0);
  }
  OCF_ASSERT(ocf_merkle_delta_end(&delta, priority) == 0);
  for (size_t i = 0; i < n_links; i++)
    views[i] = ocf_bytes(links[i], OCF_CID_BLOCK_SIZE);
  OCF_ASSERT(ocf_dagpb_encode(views, n_links, ocf_buf_view(&delta), &block) == 0);
  evil_raw_block(e, ocf_buf_view(&block), cid);
  ocf_buf_fini(&delta);
  ocf_buf_fini(&block);
}

void evil_put(struct evil *e, const char *key, const char *value, uint64_t priority)
{
  struct evil_entry v = { key, value, 0 };
  uint8_t cid[1][OCF_CID_BLOCK_SIZE];
  evil_block(e, &v, 1, priority, NULL, 0, cid[0]);
  evil_announce(e, (const uint8_t(*)[OCF_CID_BLOCK_SIZE])cid, 1);
}

void evil_want(struct evil *e, size_t n)
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  struct ocf_buf list, msg;
  ocf_buf_init(&list, &e->alloc, BUF_MAX);
  ocf_buf_init(&msg, &e->alloc, BUF_MAX);
  struct ocf_pb_writer w = ocf_pb_write_buf(&list);
  for (size_t i = 0; i < n; i++) {
    uint8_t any[8];
    ocf_put_be64(any, ocf_sim_between(&e->st->w, 0, UINT64_MAX - 1));
    ocf_dagpb_cid(ocf_bytes(any, 8), cid);
    struct ocf_bitswap_entry v = { .cid = ocf_bytes(cid, sizeof(cid)), .send_dont = true };
    ocf_bitswap_put_entry(&w, &v);
  }
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  w = ocf_pb_write_buf(&msg);
  ocf_bitswap_put_wantlist(&w, ocf_buf_view(&list), false);
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  if (e->blocks == NULL)
    e->blocks = ocf_sim_peer_open(e->peer, &e->at->id, protos[1]);
  send_framed(e->blocks, ocf_buf_view(&msg));
  ocf_buf_fini(&list);
  ocf_buf_fini(&msg);
}

/* ---- records ---- */

void evil_record(char *out, size_t cap, const char *id, const char *group, const char *more)
{
  int n = snprintf(out, cap,
                   "{\"id\":\"%s\",\"role\":[\"worker\"],\"service\":[{\"name\":\"svc\","
                   "\"status\":\"connected\",\"host\":\"localhost\",\"port\":\"8000\","
                   "\"identity_group\":[\"%s\"]}],\"last_seen\":1735689600%s}",
                   id, group, more);
  OCF_ASSERT(n > 0 && (size_t)n < cap);
}

void evil_random_id(struct evil *e, char out[OCF_PEERID_TEXT_SIZE])
{
  uint8_t pb[36] = { 0x08, 0x01, 0x12, 0x20 };
  struct ocf_peerid id;
  for (size_t i = 0; i < 4; i++)
    ocf_put_be64(pb + 4 + 8 * i, ocf_sim_between(&e->st->w, 0, UINT64_MAX - 1));
  ocf_peerid_from_key(ocf_bytes(pb, sizeof(pb)), &id);
  (void)ocf_peerid_text(&id, out);
}
