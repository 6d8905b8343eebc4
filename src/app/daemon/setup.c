#include "app/daemon/setup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/time/time.h"

static void setup_h1(const struct ocf_conf *c, struct ocf_h1_limits *h)
{
  h->head_bytes_max = (uint32_t)OCF_MIN(c->http_header_bytes_max, OCF_H1_HEAD_BYTES_CAP);
  h->fields_max = (uint32_t)OCF_MIN(c->http_header_lines_max, OCF_H1_FIELDS_MAX);
  h->target_bytes_max = (uint32_t)c->http_target_bytes_max;
  h->cookies_max = (uint32_t)c->http_cookies_max;
  h->query_params_max = (uint32_t)c->http_query_params_max;
  h->drain_bytes_max = c->http_drain_bytes;
  h->body_bytes_max = c->http_body_limit_bytes;
}

static void setup_relay(const struct ocf_conf *c, struct ocf_relay_config *r)
{
  setup_h1(c, &r->h1);
  r->sock.write_stall_ns =
      c->http_write_stall_timeout_ns > 0 ? c->http_write_stall_timeout_ns : OCF_TIME_NEVER / 2;
  r->sock.window_bytes = c->http_stream_buffer_bytes;
  r->header_timeout_ns = c->http_header_timeout_ns;
  r->idle_timeout_ns = c->http_idle_timeout_ns;
  r->stream_idle_timeout_ns = c->p2p_stream_server_idle_ns;
  r->body_min_rate = c->http_body_min_rate;
  r->body_grace_ns = c->http_body_grace_ns;
  r->drain_timeout_ns = c->http_drain_timeout_ns;
  r->response_header_timeout_ns = c->http_response_header_timeout_ns;
  r->chunk_timeout_ns = c->http_chunk_timeout_ns;
  r->request_timeout_ns = c->http_request_timeout_ns;
  r->connect_timeout_ns = c->upstream_connect_timeout_ns;
  r->service_pool_idle_ns = c->upstream_idle_timeout_ns;
  r->peer_pool_idle_ns = c->p2p_stream_client_idle_ns;
  r->service_pool_max = c->upstream_pool_max;
  r->peer_pool_max = c->p2p_stream_pool_max;
  r->retry_enabled = c->retry_enabled;
  r->retry_max = (unsigned)c->retry_max_attempts;
  r->retry_body_hold = c->retry_body_hold_bytes;
  r->retry_budget_percent = (unsigned)c->retry_budget_percent;
  r->clients_max = (c->http_connections_max + c->planes - 1) / c->planes;
  r->streams_max = 16 * c->p2p_streams_in_max; /* of all peers together */
  r->log_requests = c->log_requests;
}

static void setup_swarm(const struct ocf_conf *c, struct ocf_swarm_config *s)
{
  s->conn.upgrade_ns = c->p2p_upgrade_timeout_ns;
  s->conn.negotiate_ns = c->p2p_negotiate_timeout_ns;
  s->conn.keepalive_ns = c->p2p_keepalive_ns;
  s->conn.keepalive_wait_ns = c->p2p_keepalive_timeout_ns;
  s->conn.streams_in_max = c->p2p_streams_in_max;
  s->conn.streams_max = c->p2p_streams_in_max * 2;
  s->conn.rx_window_bytes_max = c->p2p_conn_window_bytes;
  s->conn.rx_stream_bytes_max = c->p2p_stream_window_bytes;
  s->connect_ns = c->p2p_dial_timeout_ns;
  s->static_min_ns = c->p2p_redial_min_ns;
  s->static_max_ns = c->p2p_redial_max_ns;
  s->low_water = c->p2p_conn_low;
  s->high_water = c->p2p_conn_high;
  s->conns_max = c->p2p_conn_high + c->p2p_handshakes_max;
  s->grace_ns = c->p2p_conn_grace_ns;
  s->per_ip_max = c->p2p_ip_conns_max;
  s->ip_burst = (uint32_t)c->p2p_ip_burst;
  s->ip_refill_ns = c->p2p_ip_refill_ns;
  s->handshakes_max = c->p2p_handshakes_max;
  s->ping_every_ns = c->p2p_ping_interval_ns;
}

/* Most peers that a node of small degree pushes to when they ask for it. Of those who know one
 * bootstrap node alone, each that it turned away would hear of a write by the next heartbeat's
 * gossip only, a second later. Nodes with many neighbours still choose 6 themselves. */
enum { SMALL_DEGREE_HI = 128 };

static void setup_mesh(const struct ocf_conf *c, struct ocf_mesh_config *m)
{
  static const enum ocf_mesh_leave_style leave[] = {
    [OCF_CONF_LEAVE_DELETE] = OCF_MESH_LEAVE_DELETE,
    [OCF_CONF_LEAVE_LEFT] = OCF_MESH_LEAVE_LEFT,
    [OCF_CONF_LEAVE_NONE] = OCF_MESH_LEAVE_NONE,
  };
  if (c->gossip_degree == OCF_CONF_DEGREE_FULL)
    ocf_gossip_params_ocf(&m->gossip);
  else
    m->gossip.d_hi = SMALL_DEGREE_HI;
  m->ping_ns = c->registry_ping_ns;
  m->replica.rebroadcast_ns = c->registry_rebroadcast_ns;
  m->leave = leave[c->registry_leave];
}

static void setup_routing(const struct ocf_conf *c, struct ocf_node_config *n)
{
  static const enum ocf_policy_kind policy[] = {
    [OCF_CONF_POLICY_RANDOM] = OCF_POLICY_RANDOM,
    [OCF_CONF_POLICY_ROUND_ROBIN] = OCF_POLICY_ROUND_ROBIN,
    [OCF_CONF_POLICY_SHORTEST_QUEUE] = OCF_POLICY_SHORTEST_QUEUE,
  };
  n->policy = policy[c->lb_policy];
  n->body_scan_max = c->route_body_scan_bytes;
}

void ocf_setup_node(const struct ocf_conf *c, struct ocf_node_config *out)
{
  static const char *const roles[] = { "worker", "head", "relay" };
  ocf_node_config_init(out);
  setup_relay(c, &out->relay);
  setup_swarm(c, &out->swarm);
  setup_mesh(c, &out->mesh);
  setup_routing(c, out);
  out->role = (size_t)c->role < OCF_ARRAY_LEN(roles) ? roles[c->role] : "worker";
  out->p2p_route_open = c->p2p_route_open;
  out->metrics_enabled = c->metrics_enabled;
}

/* ---- addresses ---- */

static int bad_value(const struct ocf_conf *c, enum ocf_conf_opt o, const char *value,
                     const char *cure, struct ocf_err *err)
{
  char where[256];
  return ocf_err_set(err, OCF_EINVAL, cure, "%s (from %s): \"%s\" cannot be used",
                     ocf_conf_rows()[o].key, ocf_conf_where(c, o, where, sizeof(where)), value);
}

static int listen_addr(const struct ocf_conf *c, const char *text, struct ocf_ip_addr *out,
                       struct ocf_err *err)
{
  struct ocf_maddr m;
  struct ocf_bytes rest;
  if (ocf_maddr_parse(ocf_bytes(text, strlen(text)), &m) != 0 ||
      ocf_maddr_to_ip(&m, OCF_MADDR_TCP, out, &rest) != 0 || rest.n > 0)
    return bad_value(c, OCF_CONF_OPT_listen, text,
                     "give a TCP multiaddr such as /ip4/0.0.0.0/tcp/43905 or /ip6/::/tcp/43905",
                     err);
  return 0;
}

int ocf_setup_public_addr(const char *text, uint16_t port, struct ocf_maddr *out)
{
  struct ocf_ip_addr ip;
  struct ocf_bytes t = ocf_bytes(text, strlen(text));
  char built[320];
  if (t.n > 0 && text[0] == '/')
    return ocf_maddr_parse(t, out);
  if (ocf_ip_addr_parse_host(t, &ip) == 0) {
    ip.port = port;
    ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, out);
    return 0;
  }
  if (ocf_ip_addr_parse(t, &ip) ==
      0) { /* host:port as the Go nodes take it: their port is dropped */
    ocf_maddr_from_ip(&ip, OCF_MADDR_TCP, out);
    return 0;
  }
  if (t.n > 253 || strchr(text, '/') != NULL)
    return OCF_EINVAL;
  (void)snprintf(built, sizeof(built), "/dns/%s/tcp/%u", text, port);
  return ocf_maddr_parse(ocf_bytes(built, strlen(built)), out);
}

/* What a record can say of it: an address or a name, and a port. */
static void public_host(struct ocf_setup_addrs *out, const char *text)
{
  struct ocf_ip_addr ip;
  char host[OCF_IP_ADDR_TEXT_SIZE];
  struct ocf_bytes rest;
  if (ocf_maddr_to_ip(&out->public_addrs[0], OCF_MADDR_TCP, &ip, &rest) == 0) {
    (void)snprintf(out->public_host, sizeof(out->public_host), "%s",
                   ocf_ip_addr_host_text(&ip, host));
    out->public_port = ip.port;
  } else if (text[0] != '/') {
    (void)snprintf(out->public_host, sizeof(out->public_host), "%s", text);
  }
}

int ocf_setup_addrs(const struct ocf_conf *c, struct ocf_setup_addrs *out, struct ocf_err *err)
{
  *out = (struct ocf_setup_addrs){ .n_p2p = 0 };
  for (size_t i = 0; i < c->listen.n && out->n_p2p < OCF_SETUP_ADDRS_MAX; i++) {
    if (listen_addr(c, c->listen.v[i], &out->p2p[out->n_p2p++], err) != 0)
      return OCF_EINVAL;
  }
  out->p2p_default = c->origin[OCF_CONF_OPT_listen].source == OCF_CONF_DEFAULT;
  const char *host = strcmp(c->host, "localhost") == 0 ? "127.0.0.1" : c->host;
  if (ocf_ip_addr_parse_host(ocf_bytes(host, strlen(host)), &out->http) != 0)
    return bad_value(c, OCF_CONF_OPT_host, c->host,
                     "give an IP address such as 127.0.0.1, 0.0.0.0 or ::", err);
  out->http.port = c->port;
  for (size_t i = 0; i < c->public_addrs.n && out->n_public < OCF_SETUP_ADDRS_MAX; i++) {
    if (ocf_setup_public_addr(c->public_addrs.v[i], c->tcpport,
                              &out->public_addrs[out->n_public++]) != 0)
      return bad_value(c, OCF_CONF_OPT_public_addrs, c->public_addrs.v[i],
                       "give an IP address, a host name or a multiaddr", err);
  }
  out->public_port = c->tcpport;
  if (out->n_public > 0)
    public_host(out, c->public_addrs.v[0]);
  return 0;
}

/* ---- services ---- */

static int look_up(const char *host, uint16_t port, struct ocf_ip_addr *out)
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *res = NULL;
  if (strcmp(host, "localhost") == 0)
    host = "127.0.0.1";
  if (ocf_ip_addr_parse_host(ocf_bytes(host, strlen(host)), out) == 0) {
    out->port = port;
    return 0;
  }
  if (getaddrinfo(host, NULL, &hints, &res) != 0 || res == NULL)
    return OCF_ENOENT;
  *out = (struct ocf_ip_addr){ .port = port };
  if (res->ai_family == AF_INET) {
    struct sockaddr_in sin;
    memcpy(&sin, res->ai_addr, sizeof(sin));
    out->family = 4;
    memcpy(out->ip, &sin.sin_addr, 4);
  } else {
    struct sockaddr_in6 sin6;
    memcpy(&sin6, res->ai_addr, sizeof(sin6));
    out->family = 6;
    memcpy(out->ip, &sin6.sin6_addr, 16);
  }
  freeaddrinfo(res);
  return 0;
}

static int service_place(const struct ocf_conf_service *s, struct ocf_endpoint *at, char *host,
                         size_t cap, struct ocf_err *err)
{
  if (s->unix_path[0] != '\0') {
    if (strlen(s->unix_path) >= sizeof(at->unix_path))
      return ocf_err_set(err, OCF_EINVAL, "a unix socket's path has at most 107 bytes",
                         "service \"%s\": %s cannot be used", s->name, s->url);
    (void)snprintf(at->unix_path, sizeof(at->unix_path), "%s", s->unix_path);
    (void)snprintf(host, cap, "localhost");
    return 0;
  }
  if (look_up(s->host, s->port, &at->ip) != 0)
    return ocf_err_set(err, OCF_EINVAL, "check the name, or give the address",
                       "service \"%s\": the host \"%s\" cannot be found", s->name, s->host);
  (void)snprintf(host, cap, strchr(s->host, ':') != NULL ? "[%s]:%u" : "%s:%u", s->host, s->port);
  return 0;
}

static int add_service(const struct ocf_conf *c, const struct ocf_conf_service *s,
                       struct ocf_node *n, struct ocf_err *err)
{
  enum { GROUPS_MAX = 256 };
  struct ocf_bytes groups[GROUPS_MAX];
  bool single = c->service_name[0] != '\0' && strcmp(s->name, c->service_name) == 0;
  const struct ocf_conf_list *list = single ? &c->service_identity_group : &s->identity_groups;
  struct ocf_node_service v = { .relay = { .name = s->name,
                                           .health_path = s->health_path,
                                           .health_interval_ns = s->health_interval_ns,
                                           .health_failures = (unsigned)s->health_failures },
                                .groups = groups,
                                .n_groups = OCF_MIN(list->n, (size_t)GROUPS_MAX),
                                .ask_models = strcmp(s->name, "llm") == 0 };
  char host[320];
  int rc = service_place(s, &v.relay.at, host, sizeof(host), err);
  if (rc != 0)
    return rc;
  for (size_t i = 0; i < v.n_groups; i++)
    groups[i] = ocf_bytes(list->v[i], strlen(list->v[i]));
  v.relay.host_header = host;
  rc = ocf_node_add_service(n, &v);
  return rc == 0 ? 0 : ocf_err_set(err, rc, NULL, "service \"%s\": %s", s->name, ocf_strerror(rc));
}

int ocf_setup_services(const struct ocf_conf *c, struct ocf_node *n, struct ocf_err *err)
{
  for (size_t i = 0; i < c->n_services; i++) {
    int rc = add_service(c, &c->services[i], n, err);
    if (rc != 0)
      return rc;
  }
  return 0;
}

/* ---- peers ---- */

int ocf_setup_driver(const struct ocf_conf *c, const char *agent, struct ocf_uv *u,
                     struct ocf_err *err)
{
  struct ocf_fetch_config f = { .user_agent = agent,
                                .ca_file = c->fetch_ca_file[0] != '\0' ? c->fetch_ca_file : NULL,
                                .env_proxies = c->fetch_proxies };
  struct ocf_ip_addr dns = { .family = 0 };
  struct ocf_bytes t = ocf_bytes(c->dns_server, strlen(c->dns_server));
  bool ok = t.n == 0 || ocf_ip_addr_parse_host(t, &dns) == 0 || ocf_ip_addr_parse(t, &dns) == 0;
  if (!ok || (t.n > 0 && dns.family != 4))
    return bad_value(c, OCF_CONF_OPT_dns_server, c->dns_server,
                     "give an IPv4 address such as 192.0.2.1 or 192.0.2.1:5353", err);
  ocf_uv_set_dns(u, &dns);
  return ocf_uv_set_fetch(u, &f) == 0 ? 0 : ocf_err_set(err, OCF_ENOMEM, NULL, "out of memory");
}

/* The Go nodes dial an address without a peer id in this mode, which never works; no more is known
 * of it. */
static void explain_local(const struct ocf_log *log)
{
  OCF_LOGF(log, "bootstrap", OCF_LOG_WARN,
           "mode local names no peer: a node cannot be dialled without its id",
           OCF_LOG_STR("cure", "give --bootstrap.static=/ip4/127.0.0.1/tcp/43905/p2p/<id>, the id "
                               "being in the other node's ready line and at its /v1/self"));
}

int ocf_setup_bootstrap(const struct ocf_conf *c, struct ocf_node *n,
                        struct ocf_node_boot_store *store, const struct ocf_log *log,
                        uint64_t now_ns)
{
  const struct ocf_conf_list *lists[] = { &c->bootstrap_source, &c->bootstrap_static,
                                          &c->bootstrap_addr };
  const char *sources[OCF_ARRAY_LEN(lists) * OCF_CONF_LIST_MAX];
  struct ocf_node_boot b = { .sources = sources,
                             .timeout_ns = c->bootstrap_timeout_ns,
                             .want = c->bootstrap_min_peers,
                             .store = store };
  for (size_t i = 0; i < OCF_ARRAY_LEN(lists) && c->mode != OCF_CONF_MODE_STANDALONE; i++) {
    for (size_t k = 0; k < lists[i]->n && b.n_sources < OCF_ARRAY_LEN(sources); k++)
      sources[b.n_sources++] = lists[i]->v[k];
  }
  if (c->mode == OCF_CONF_MODE_LOCAL && b.n_sources == 0)
    explain_local(log);
  return ocf_node_bootstrap(n, now_ns, &b);
}
