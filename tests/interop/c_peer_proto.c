/* The commands `ping` and `identify`, each on a stream of its own. */
#include <string.h>

#include "c_peer.h"
#include "p2p/identify/identify.h"
#include "p2p/ping/ping.h"

/* Commands run one at a time, so one of each is enough. */
static struct ocf_ping ping;
static struct ocf_identify_reader reader;
static bool reading;

/* ---- ping ---- */

static void ping_round(struct strm *st)
{
  struct peer *p = st->p;
  uint8_t bytes[OCF_PING_LEN];
  ocf_rng_secret(&p->rng, bytes, sizeof(bytes));
  int err = ocf_ping_start(&ping, ocf_uv_now(), bytes);
  OCF_ASSERT(err == 0);
  size_t n = ocf_ping_output(&ping, ocf_uv_now(), bytes, sizeof(bytes));
  strm_send(st, bytes, n);
}

static void ping_data(struct strm *st, struct ocf_bytes data)
{
  struct cmd *c = &st->p->cmd;
  struct ocf_ping_event e;
  if (ocf_ping_input(&ping, ocf_uv_now(), data) != 0) {
    strm_violation(st, "not the bytes that were sent");
    return;
  }
  if (!ocf_ping_event(&ping, &e))
    return;
  c->min_ns = OCF_MIN(c->min_ns, e.rtt_ns);
  c->max_ns = OCF_MAX(c->max_ns, e.rtt_ns);
  c->sum_ns += e.rtt_ns;
  if (++c->total < c->n) {
    ping_round(st);
    return;
  }
  strm_fin(st);
  cmd_done(st->p, json_pack("{s:I, s:I, s:I, s:I}", "n", (json_int_t)c->n, "min_us",
                            (json_int_t)(c->min_ns / 1000), "avg_us",
                            (json_int_t)(c->sum_ns / (uint64_t)c->n / 1000), "max_us",
                            (json_int_t)(c->max_ns / 1000)));
}

static void cmd_ping(struct peer *p)
{
  static const struct strm_ops ops = { .data = ping_data };
  struct cmd *c = &p->cmd;
  c->n = OCF_MAX(cmd_int(c, "n", 1), 1);
  c->min_ns = UINT64_MAX;
  struct strm *st = strm_open(p, OCF_STR(OCF_PING_PROTOCOL), &ops);
  if (st == NULL)
    return;
  ocf_ping_init(&ping, 30 * OCF_NS_PER_S);
  ping_round(st);
}

/* ---- identify ---- */

static json_t *text(struct ocf_bytes b)
{
  json_t *j = json_stringn(b.n > 0 ? (const char *)b.p : "", b.n);
  return j != NULL ? j : json_string("(not UTF-8)");
}

static json_t *address(const struct ocf_maddr *m)
{
  static char s[OCF_MADDR_TEXT_SIZE];
  return json_string(ocf_maddr_text(m, s, sizeof(s), NULL) == 0 ? s : "");
}

static json_t *protocols(const struct ocf_identify_msg *m)
{
  struct ocf_identify_iter it = ocf_identify_iter(m);
  struct ocf_bytes name;
  json_t *list = json_array();
  while (ocf_identify_next_proto(&it, &name))
    (void)json_array_append_new(list, text(name));
  return list;
}

static json_t *addresses(const struct ocf_identify_msg *m)
{
  struct ocf_identify_iter it = ocf_identify_iter(m);
  struct ocf_maddr addr;
  json_t *list = json_array();
  while (ocf_identify_next_addr(&it, &addr))
    (void)json_array_append_new(list, address(&addr));
  return list;
}

static void identify_answer(struct peer *p, const struct ocf_identify_msg *m)
{
  struct ocf_peerid id;
  char id_text[OCF_PEERID_TEXT_SIZE];
  struct ocf_maddr observed = { 0 };
  struct ocf_identify_record rec;
  ocf_peerid_from_key(m->key, &id);
  bool seen = ocf_maddr_from_bytes(m->observed, &observed) == 0;
  bool good =
      ocf_identify_record_open(&p->alloc, m->record, &rec) == 0 && ocf_peerid_eq(&rec.id, &id);
  cmd_done(p, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "peer_id",
                        ocf_peerid_text(&id, id_text), "agent", text(m->agent), "protocol_version",
                        text(m->protocol_version), "protocols", protocols(m), "addrs", addresses(m),
                        "observed", seen ? address(&observed) : json_string(""), "signed_record",
                        (int)good));
}

static void identify_drop(void)
{
  if (reading)
    ocf_identify_reader_fini(&reader);
  reading = false;
}

static void identify_data(struct strm *st, struct ocf_bytes data)
{
  if (ocf_identify_reader_input(&reader, data) != 0)
    strm_violation(st, "malformed identify");
}

static void identify_fin(struct strm *st)
{
  struct ocf_bytes raw;
  struct ocf_identify_msg m;
  if (ocf_identify_reader_end(&reader, &raw) == 0 && ocf_identify_decode(raw, &m) == 0)
    identify_answer(st->p, &m);
  else
    strm_violation(st, "malformed identify");
  identify_drop();
}

static void cmd_identify(struct peer *p)
{
  static const struct strm_ops ops = { .data = identify_data, .fin = identify_fin };
  identify_drop();
  struct strm *st = strm_open(p, OCF_STR(OCF_IDENTIFY_PROTOCOL), &ops);
  if (st == NULL)
    return;
  ocf_identify_reader_init(&reader, &p->alloc);
  reading = true;
  strm_fin(st);
}

cmd_fn proto_cmd(const char *name)
{
  if (strcmp(name, "ping") == 0)
    return cmd_ping;
  return strcmp(name, "identify") == 0 ? cmd_identify : NULL;
}
