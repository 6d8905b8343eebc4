/* /v1/dnt/...: the node table and this node's own row, as clients of the Go nodes know them. */
#include <stdio.h>
#include <string.h>

#include "fmt/jscan/jscan.h"
#include "fmt/json/json.h"
#include "registry/record/record.h"
#include "registry/table/table.h"
#include "node/core/node_int.h"

enum { PAGE_MAX = 64 * 1024 * 1024, POST_MAX = 256 * 1024, ADDRS_MAX = 16, DEFAULT_PORT = 43905 };

static void reply(struct ocf_request *rq, struct ocf_buf *b, int err)
{
  struct ocf_h1_edit e = OCF_H1_EDIT(OCF_H1_SET, "Cache-Control", OCF_STR("no-store"));
  if (err == 0)
    ocf_request_reply(rq, 200, "application/json; charset=utf-8", ocf_buf_view(b), &e, 1);
  else
    ocf_request_fail(rq, 503, "out_of_memory", "no memory for the answer", 1);
  ocf_buf_fini(b);
}

/* ---- the table ---- */

/* Go shows who is connected; `all` shows every row that is believed. */
static int write_rows(const struct ocf_snapshot *s, bool all, struct ocf_buf *b)
{
  char key[OCF_PEERID_TEXT_SIZE];
  bool first = true;
  int r = ocf_buf_add(b, "{", 1);
  for (size_t i = 0; i < ocf_snapshot_n_rows(s) && r == 0; i++) {
    const struct ocf_snapshot_row *row = ocf_snapshot_row(s, i);
    if ((!all && !row->alive && !row->self) || row->claims == NULL)
      continue;
    r = ocf_buf_add(b, first ? "\"/" : ",\"/", first ? 2 : 3);
    (void)ocf_peerid_text(&row->peer, key);
    if (r == 0)
      r = ocf_buf_add(b, key, strlen(key));
    if (r == 0)
      r = ocf_buf_add(b, "\":", 2);
    if (r == 0)
      r = ocf_snapshot_write_row(s, row, b);
    first = false;
  }
  return r != 0 ? r : ocf_buf_add(b, "}", 1);
}

void ocf_node_get_table(struct ocf_node *n, struct ocf_request *rq)
{
  bool all = ocf_bytes_eq(ocf_request_head(rq)->query, OCF_STR("all=1"));
  struct ocf_snapshot *s = n->slot == NULL ? NULL : ocf_snapshot_take(n->slot);
  struct ocf_buf b;
  ocf_buf_init(&b, n->loop.alloc, PAGE_MAX);
  int r = s == NULL ? ocf_buf_add(&b, "{}", 2) : write_rows(s, all, &b);
  ocf_snapshot_unref(s);
  reply(rq, &b, r);
}

/* ---- peers ---- */

static void write_addrs(struct ocf_node *n, struct ocf_json *w, const struct ocf_peerid *id)
{
  struct ocf_maddr addrs[ADDRS_MAX];
  char text[OCF_MADDR_TEXT_SIZE];
  size_t count = ocf_swarm_peer_addrs(n->swarm, n->loop.now_ns, id, addrs, ADDRS_MAX);
  ocf_json_array(w);
  for (size_t i = 0; i < count; i++) {
    if (ocf_maddr_text(&addrs[i], text, sizeof(text), NULL) == 0)
      ocf_json_cstr(w, text);
  }
  ocf_json_array_end(w);
}

static void write_connected(struct ocf_node *n, struct ocf_json *w)
{
  const void *cursor = NULL;
  struct ocf_swarm_peer_info info;
  char text[OCF_PEERID_TEXT_SIZE];
  ocf_json_array(w);
  while (ocf_swarm_peer_next(n->swarm, &cursor, &info)) {
    ocf_json_object(w);
    ocf_json_key(w, "ID");
    ocf_json_cstr(w, ocf_peerid_text(info.id, text));
    ocf_json_key(w, "Addrs");
    write_addrs(n, w, info.id);
    ocf_json_object_end(w);
  }
  ocf_json_array_end(w);
}

static void write_status(struct ocf_json *w, const struct ocf_peerid *id, const char *status)
{
  char text[OCF_PEERID_TEXT_SIZE];
  ocf_json_object(w);
  ocf_json_key(w, "id");
  ocf_json_cstr(w, ocf_peerid_text(id, text));
  ocf_json_key(w, "connectedness");
  ocf_json_cstr(w, status);
  ocf_json_object_end(w);
}

/* Everybody that is known, ourselves included; returns how many. */
static size_t write_known(struct ocf_node *n, struct ocf_json *w)
{
  const void *cursor = NULL;
  struct ocf_swarm_peer_info info;
  size_t count = 1;
  ocf_json_array(w);
  write_status(w, ocf_node_id(n), "NotConnected"); /* as Go says of the host itself */
  while (ocf_swarm_peer_next(n->swarm, &cursor, &info)) {
    write_status(w, info.id, "Connected");
    count++;
  }
  struct ocf_table_iter it = { .it = { 0 } };
  const struct ocf_table_row *row;
  while (n->mesh != NULL && ocf_table_next(ocf_mesh_table(n->mesh), &it, &row)) {
    if (ocf_swarm_peer_info(n->swarm, &row->peer, &info) ||
        ocf_peerid_eq(&row->peer, ocf_node_id(n)))
      continue;
    write_status(w, &row->peer, row->local.dialable ? "CanConnect" : "NotConnected");
    count++;
  }
  ocf_json_array_end(w);
  return count;
}

void ocf_node_get_peers(struct ocf_node *n, struct ocf_request *rq)
{
  struct ocf_buf b;
  ocf_buf_init(&b, n->loop.alloc, PAGE_MAX);
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
  ocf_json_key(&w, "peers");
  write_connected(n, &w);
  ocf_json_object_end(&w);
  reply(rq, &b, ocf_json_end(&w));
}

void ocf_node_get_peers_status(struct ocf_node *n, struct ocf_request *rq)
{
  struct ocf_buf b;
  ocf_buf_init(&b, n->loop.alloc, PAGE_MAX);
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
  ocf_json_key(&w, "peers");
  (void)write_known(n, &w);
  ocf_json_object_end(&w);
  reply(rq, &b, ocf_json_end(&w));
}

void ocf_node_get_stats(struct ocf_node *n, struct ocf_request *rq)
{
  struct ocf_swarm_stats s;
  struct ocf_buf b;
  ocf_swarm_stats(n->swarm, &s);
  ocf_buf_init(&b, n->loop.alloc, PAGE_MAX);
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
  ocf_json_key(&w, "connected_peers");
  ocf_json_u64(&w, s.n_peers);
  ocf_json_key(&w, "connected_peer_details");
  write_connected(n, &w);
  ocf_json_key(&w, "all_peer_details");
  size_t known = write_known(n, &w);
  ocf_json_key(&w, "total_peers_known");
  ocf_json_u64(&w, known);
  ocf_json_key(&w, "message");
  ocf_json_cstr(&w, "see /metrics for what this node counts");
  ocf_json_object_end(&w);
  reply(rq, &b, ocf_json_end(&w));
}

/* ---- bootstraps ---- */

static void write_multiaddr(struct ocf_json *w, const struct ocf_maddr *addr,
                            const struct ocf_peerid *id)
{
  char text[OCF_MADDR_TEXT_SIZE + OCF_PEERID_TEXT_SIZE + 8];
  char peer[OCF_PEERID_TEXT_SIZE];
  size_t at;
  if (ocf_maddr_text(addr, text, OCF_MADDR_TEXT_SIZE, NULL) != 0)
    return;
  at = strlen(text);
  if (strstr(text, "/p2p/") == NULL)
    (void)snprintf(text + at, sizeof(text) - at, "/p2p/%s", ocf_peerid_text(id, peer));
  ocf_json_cstr(w, text);
}

/* The port that goes with a row's public address: as it says, else of an address of the same IP
 * that we know (OCF nodes tell none, and take their own), else the usual one. */
static uint16_t public_port(struct ocf_node *n, const struct ocf_snapshot_row *row,
                            const struct ocf_ip_addr *ip)
{
  struct ocf_maddr addrs[ADDRS_MAX];
  struct ocf_ip_addr known;
  if (row->claims->public_port != 0)
    return row->claims->public_port;
  size_t count = ocf_swarm_peer_addrs(n->swarm, n->loop.now_ns, &row->peer, addrs, ADDRS_MAX);
  for (size_t i = 0; i < count; i++) {
    if (ocf_maddr_to_ip(&addrs[i], OCF_MADDR_TCP, &known, NULL) == 0 &&
        known.family == ip->family && memcmp(known.ip, ip->ip, sizeof(known.ip)) == 0)
      return known.port;
  }
  return DEFAULT_PORT;
}

/* Where a row says that it can be reached from everywhere, an address or a name; false: nowhere. */
static bool public_addr(struct ocf_node *n, const struct ocf_snapshot_row *row,
                        struct ocf_maddr *out)
{
  const struct ocf_claims *c = row->claims;
  uint16_t port = c->public_port != 0 ? c->public_port : DEFAULT_PORT;
  const uint8_t port_bytes[2] = { (uint8_t)(port >> 8), (uint8_t)port };
  struct ocf_ip_addr ip;
  struct ocf_maddr_tcp tcp;
  if (c->public_address.n == 0)
    return false;
  if (ocf_ip_addr_parse_host(c->public_address, &ip) == 0) {
    ip.port = public_port(n, row, &ip);
    ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, out);
    return !ocf_maddr_is_unspecified(out);
  }
  out->n = 0;
  return ocf_maddr_append(out, OCF_MADDR_DNS, c->public_address) == 0 &&
         ocf_maddr_append(out, OCF_MADDR_TCP, ocf_bytes(port_bytes, 2)) == 0 &&
         ocf_maddr_to_tcp(out, &tcp) == 0;
}

/* Readers take only so many, so that in a large mesh each answer begins at another row. */
static void write_public(struct ocf_node *n, struct ocf_json *w, const struct ocf_snapshot *s)
{
  size_t n_rows = ocf_snapshot_n_rows(s), told = n->n_public_addrs;
  size_t first = n_rows > OCF_BOOTLIST_MAX ? (size_t)ocf_rng_below(n->loop.rng, n_rows) : 0;
  struct ocf_maddr addr;
  for (size_t i = 0; i < n_rows && told < OCF_BOOTLIST_MAX; i++) {
    const struct ocf_snapshot_row *row = ocf_snapshot_row(s, (first + i) % n_rows);
    if (row->self || !row->alive || row->claims == NULL || !public_addr(n, row, &addr))
      continue;
    write_multiaddr(w, &addr, &row->peer);
    told++;
  }
}

void ocf_node_get_bootstraps(struct ocf_node *n, struct ocf_request *rq)
{
  struct ocf_snapshot *s = n->slot == NULL ? NULL : ocf_snapshot_take(n->slot);
  struct ocf_buf b;
  ocf_buf_init(&b, n->loop.alloc, PAGE_MAX);
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
  ocf_json_key(&w, "bootstraps");
  ocf_json_array(&w);
  for (size_t i = 0; i < n->n_public_addrs; i++)
    write_multiaddr(&w, &n->public_addrs[i], ocf_node_id(n));
  if (s != NULL)
    write_public(n, &w, s);
  ocf_json_array_end(&w);
  ocf_json_object_end(&w);
  ocf_snapshot_unref(s);
  reply(rq, &b, ocf_json_end(&w));
}

/* ---- what the table did not believe ---- */

void ocf_node_get_refused(struct ocf_node *n, struct ocf_request *rq)
{
  struct ocf_table_event ev;
  struct ocf_buf b;
  char text[OCF_PEERID_TEXT_SIZE];
  ocf_buf_init(&b, n->loop.alloc, PAGE_MAX);
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_object(&w);
  ocf_json_key(&w, "refused");
  ocf_json_array(&w);
  for (size_t i = 0; n->mesh != NULL && ocf_table_refusal(ocf_mesh_table(n->mesh), i, &ev); i++) {
    ocf_json_object(&w);
    ocf_json_key(&w, "peer");
    ocf_json_cstr(&w, ocf_peerid_text(&ev.peer, text));
    ocf_json_key(&w, "announced_by");
    ocf_json_cstr(&w, ocf_peerid_text(&ev.author, text));
    ocf_json_key(&w, "verdict");
    ocf_json_cstr(&w, ocf_table_verdict_text(ev.verdict));
    ocf_json_key(&w, "seconds_ago");
    ocf_json_u64(&w, (n->loop.now_ns - OCF_MIN(ev.at_ns, n->loop.now_ns)) / OCF_NS_PER_S);
    ocf_json_object_end(&w);
  }
  ocf_json_array_end(&w);
  ocf_json_object_end(&w);
  reply(rq, &b, ocf_json_end(&w));
}

/* ---- POST and DELETE of this node's own row ---- */

/* A body that is read whole. */
struct posted {
  struct ocf_body_reader reader;
  struct ocf_node *node;
  struct ocf_buf body;
};

static void posted_free(struct posted *p)
{
  struct ocf_alloc *a = p->node->loop.alloc;
  ocf_buf_fini(&p->body);
  OCF_DELETE(a, p);
}

static void posted_gone(struct ocf_body_reader *b)
{
  posted_free(OCF_CONTAINER_OF(b, struct posted, reader));
}

static int endpoint_of(const struct ocf_record_service *s, struct ocf_endpoint *at)
{
  struct ocf_bytes host = s->host;
  int64_t port;
  if (host.n == 0 || ocf_bytes_eq(host, OCF_STR("localhost")))
    host = OCF_STR("127.0.0.1");
  if (ocf_ip_addr_parse_host(host, &at->ip) != 0 || ocf_jscan_i64(s->port, &port) != 0 ||
      port < 1 || port > 65535)
    return OCF_EINVAL;
  at->ip.port = (uint16_t)port;
  return 0;
}

static int add_posted(struct ocf_node *n, const struct ocf_record_service *s)
{
  char name[65], host[80], ip[OCF_IP_ADDR_TEXT_SIZE];
  struct ocf_node_service cfg = { .relay = { .name = name,
                                             .host_header = host,
                                             .health_path = "",
                                             .health_interval_ns = 30 * OCF_NS_PER_S,
                                             .health_failures = 3 },
                                  .groups = s->identity_group.v,
                                  .n_groups = s->identity_group.n };
  if (!ocf_service_name_ok(s->name) || s->name.n >= sizeof(name) ||
      endpoint_of(s, &cfg.relay.at) != 0)
    return OCF_EINVAL;
  memcpy(name, s->name.p, s->name.n);
  name[s->name.n] = '\0';
  (void)snprintf(host, sizeof(host), "%s", ocf_ip_addr_text(&cfg.relay.at.ip, ip));
  return ocf_node_add_service(n, &cfg);
}

static void take_posted(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes body)
{
  struct ocf_record rec;
  int r = ocf_record_parse(&rec, n->loop.alloc, body);
  for (size_t i = 0; r == 0 && i < rec.n_services; i++)
    r = add_posted(n, &rec.service[i]);
  ocf_record_fini(&rec);
  if (r == 0)
    ocf_request_reply(rq, 200, NULL, ocf_bytes(NULL, 0), NULL, 0);
  else if (r == OCF_ENOMEM || r == OCF_ELIMIT)
    ocf_request_fail(rq, 503, "overloaded", "no room for another service", 1);
  else
    ocf_request_fail(
        rq, 400, "bad_record",
        "the body must be a peer record as JSON; each service needs a name, a port, and "
        "as its host localhost or an IP address",
        0);
}

static void posted_piece(struct ocf_body_reader *b, struct ocf_request *rq, struct ocf_bytes data,
                         bool end)
{
  struct posted *p = OCF_CONTAINER_OF(b, struct posted, reader);
  if (ocf_buf_add(&p->body, data.p, data.n) != 0)
    ocf_request_fail(rq, 413, "body_too_large", "a record has at most 256 KiB", 0);
  else if (end)
    take_posted(p->node, rq, ocf_buf_view(&p->body));
}

static const struct ocf_body_reader_ops posted_ops = { posted_piece, posted_gone };

void ocf_node_post_node(struct ocf_node *n, struct ocf_request *rq)
{
  struct posted *p = n->mesh == NULL ? NULL : OCF_NEW(n->loop.alloc, struct posted);
  if (p == NULL) {
    ocf_request_fail(rq, 503, "no_registry", "this node takes no part in the registry", 0);
    return;
  }
  p->reader.ops = &posted_ops;
  p->node = n;
  ocf_buf_init(&p->body, n->loop.alloc, POST_MAX);
  ocf_request_read_body(rq, &p->reader);
}

void ocf_node_delete_node(struct ocf_node *n, struct ocf_request *rq)
{
  if (n->mesh != NULL)
    ocf_mesh_withdraw(n->mesh);
  ocf_request_reply(rq, 200, NULL, ocf_bytes(NULL, 0), NULL, 0);
}
