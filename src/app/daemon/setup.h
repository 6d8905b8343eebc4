/* From the configuration to what the node takes: limits, addresses, services, peers to dial. */
#ifndef OCF_APP_DAEMON_SETUP_H
#define OCF_APP_DAEMON_SETUP_H

#include "app/conf/conf.h"
#include "base/core/err.h"
#include "io/uv/uv.h"
#include "node/core/node.h"

enum { OCF_SETUP_ADDRS_MAX = 64 };

/* Limits, times and switches. */
void ocf_setup_node(const struct ocf_conf *c, struct ocf_node_config *out);

struct ocf_setup_addrs {
  struct ocf_ip_addr p2p[OCF_SETUP_ADDRS_MAX]; /* to listen on */
  size_t n_p2p;
  struct ocf_maddr public_addrs[OCF_SETUP_ADDRS_MAX];
  size_t n_public;
  struct ocf_ip_addr http;
  char public_host[256]; /* what the record says of public-addr's first entry; "" none */
  uint16_t public_port;
  bool p2p_default; /* no `listen` was given: a family that the system lacks is no error */
};

/* 0 or OCF_EINVAL with `err` naming option and value. */
OCF_NODISCARD int ocf_setup_addrs(const struct ocf_conf *c, struct ocf_setup_addrs *out,
                                  struct ocf_err *err);
/* /ip4|ip6|dns…/tcp/<port> for an entry of public-addr. 0 or OCF_EINVAL. */
OCF_NODISCARD int ocf_setup_public_addr(const char *text, uint16_t port, struct ocf_maddr *out);
/* Looks the services' hosts up and adds them. 0, OCF_EINVAL, OCF_ENOMEM. */
OCF_NODISCARD int ocf_setup_services(const struct ocf_conf *c, struct ocf_node *n,
                                     struct ocf_err *err);
/* How the driver fetches documents and asks the DNS. 0, OCF_EINVAL, OCF_ENOMEM. */
OCF_NODISCARD int ocf_setup_driver(const struct ocf_conf *c, const char *agent, struct ocf_uv *u,
                                   struct ocf_err *err);
/* The peers that are dialled and kept: see ocf_node_bootstrap(). In the mode standalone there are
 * none. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_setup_bootstrap(const struct ocf_conf *c, struct ocf_node *n,
                                      struct ocf_node_boot_store *store, const struct ocf_log *log,
                                      uint64_t now_ns);

#endif
