#include "p2p/gossipsub/gossip_int.h"

/* RPC, Message, SubOpts, ControlMessage and what is inside it */
enum { RPC_SUB = 1, RPC_PUBLISH = 2, RPC_CONTROL = 3 };
enum { MSG_FROM = 1, MSG_DATA = 2, MSG_SEQNO = 3, MSG_TOPIC = 4, MSG_SIGNATURE = 5, MSG_KEY = 6 };
enum { SUB_ON = 1, SUB_TOPIC = 2 };
enum { CTL_IHAVE = 1, CTL_IWANT = 2, CTL_GRAFT = 3, CTL_PRUNE = 4, CTL_IDONTWANT = 5 };
enum { IHAVE_TOPIC = 1, IHAVE_IDS = 2, IDS = 1, GRAFT_TOPIC = 1, PRUNE_BACKOFF = 3 };

static const uint32_t pass_field[PASS_N] = {
  [PASS_SUBS] = RPC_SUB, [PASS_MSGS] = RPC_PUBLISH, [PASS_CONTROL] = RPC_CONTROL
};

struct rpc_reader ocf_gossip_rpc_read(struct ocf_bytes rpc, enum rpc_pass pass)
{
  return (struct rpc_reader){ .pass = pass, .rpc = ocf_pb_read(rpc) };
}

static int read_sub(struct ocf_bytes b, struct rpc_part *part)
{
  struct ocf_pb_reader r = ocf_pb_read(b);
  struct ocf_pb_field f;
  int rc;
  part->kind = PART_SUB;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, SUB_ON, OCF_PB_VARINT))
      part->on = f.value != 0;
    else if (ocf_pb_is(&f, SUB_TOPIC, OCF_PB_BYTES))
      part->topic = f.bytes;
  }
  return rc;
}

int ocf_gossip_msg_decode(struct ocf_bytes raw, struct wire_msg *m)
{
  struct ocf_pb_reader r = ocf_pb_read(raw);
  struct ocf_pb_field f;
  int rc;
  *m = (struct wire_msg){ .raw = raw };
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (f.wire != OCF_PB_BYTES)
      continue;
    switch (f.number) {
    case MSG_FROM: m->from = f.bytes; break;
    case MSG_DATA: m->data = f.bytes; break;
    case MSG_SEQNO: m->seqno = f.bytes; break;
    case MSG_TOPIC: m->topic = f.bytes; break;
    case MSG_SIGNATURE: m->signature = f.bytes; break;
    case MSG_KEY: m->key = f.bytes; break;
    default: break;
    }
  }
  return rc;
}

static bool is_known(const struct ocf_pb_field *f)
{
  return f->wire == OCF_PB_BYTES && f->number <= MSG_KEY;
}

/* Go keeps fields that it does not know and writes them behind the others: they are signed too. */
static void put_unknown(struct ocf_pb_writer *w, struct ocf_bytes raw)
{
  struct ocf_pb_reader r = ocf_pb_read(raw);
  struct ocf_pb_field f;
  const uint8_t *at = raw.p;
  while (ocf_pb_next(&r, &f) > 0) {
    if (!is_known(&f))
      ocf_pb_put_raw(w, ocf_bytes(at, (size_t)(r.rest.p - at)));
    at = r.rest.p;
  }
}

int ocf_gossip_msg_signed(const struct wire_msg *m, struct ocf_buf *out)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(out);
  const struct ocf_bytes fields[] = { m->from, m->data, m->seqno, m->topic };
  ocf_pb_put_raw(&w, OCF_STR("libp2p-pubsub:"));
  for (uint32_t i = 0; i < OCF_ARRAY_LEN(fields); i++)
    if (fields[i].p != NULL)
      ocf_pb_put_bytes(&w, MSG_FROM + i, fields[i]);
  put_unknown(&w, m->raw);
  return ocf_pb_end(&w, NULL);
}

/* The topic (and back-off) of an IHAVE, GRAFT or PRUNE. */
static int read_topic(struct ocf_bytes b, struct rpc_part *part)
{
  struct ocf_pb_reader r = ocf_pb_read(b);
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, GRAFT_TOPIC, OCF_PB_BYTES))
      part->topic = f.bytes;
    else if (part->kind == PART_PRUNE && ocf_pb_is(&f, PRUNE_BACKOFF, OCF_PB_VARINT)) {
      part->has_backoff = true;
      part->backoff_s = f.value;
    }
  }
  return rc;
}

/* The next id of the list that was begun; 0 at its end. */
static int next_id(struct rpc_reader *r, struct rpc_part *part)
{
  struct ocf_pb_field f;
  uint32_t number = r->ids_kind == PART_IHAVE_ID ? IHAVE_IDS : IDS;
  int rc;
  while ((rc = ocf_pb_next(&r->ids, &f)) > 0) {
    if (!ocf_pb_is(&f, number, OCF_PB_BYTES))
      continue;
    *part = (struct rpc_part){ .kind = r->ids_kind, .id = f.bytes };
    return 1;
  }
  return rc;
}

static int begin_ids(struct rpc_reader *r, struct ocf_bytes list, enum rpc_part_kind kind,
                     struct rpc_part *part)
{
  *part = (struct rpc_part){ .kind = kind };
  r->ids = ocf_pb_read(list);
  r->ids_kind = kind + 1;
  int rc = kind == PART_IHAVE ? read_topic(list, part) : 0;
  return rc < 0 ? rc : 1;
}

static int next_control(struct rpc_reader *r, struct rpc_part *part)
{
  struct ocf_pb_field f;
  int rc = next_id(r, part);
  if (rc != 0)
    return rc;
  while ((rc = ocf_pb_next(&r->control, &f)) > 0) {
    if (f.wire != OCF_PB_BYTES)
      continue;
    switch (f.number) {
    case CTL_IHAVE: return begin_ids(r, f.bytes, PART_IHAVE, part);
    case CTL_IWANT: return begin_ids(r, f.bytes, PART_IWANT, part);
    case CTL_IDONTWANT: return begin_ids(r, f.bytes, PART_IDONTWANT, part);
    case CTL_GRAFT:
    case CTL_PRUNE:
      *part = (struct rpc_part){ .kind = f.number == CTL_GRAFT ? PART_GRAFT : PART_PRUNE };
      rc = read_topic(f.bytes, part);
      return rc < 0 ? rc : 1;
    default: break; /* extensions and what may come later */
    }
  }
  return rc;
}

int ocf_gossip_rpc_next(struct rpc_reader *r, struct rpc_part *part)
{
  struct ocf_pb_field f;
  int rc = next_control(r, part);
  if (rc != 0)
    return rc;
  while ((rc = ocf_pb_next(&r->rpc, &f)) > 0) {
    if (!ocf_pb_is(&f, pass_field[r->pass], OCF_PB_BYTES))
      continue;
    *part = (struct rpc_part){ 0 };
    if (r->pass == PASS_SUBS) {
      rc = read_sub(f.bytes, part);
    } else if (r->pass == PASS_MSGS) {
      part->kind = PART_MSG;
      rc = ocf_gossip_msg_decode(f.bytes, &part->msg);
    } else {
      r->control = ocf_pb_read(f.bytes);
      rc = next_control(r, part);
      if (rc == 0)
        continue;
      return rc;
    }
    return rc < 0 ? rc : 1;
  }
  return rc;
}

int ocf_gossip_rpc_check(struct ocf_bytes rpc)
{
  for (enum rpc_pass pass = PASS_SUBS; pass < PASS_N; pass++) {
    struct rpc_reader r = ocf_gossip_rpc_read(rpc, pass);
    struct rpc_part part;
    int rc;
    while ((rc = ocf_gossip_rpc_next(&r, &part)) > 0)
      ;
    if (rc < 0)
      return rc;
  }
  return 0;
}
