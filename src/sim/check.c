#include "sim/check.h"

enum { SLACK = 32 * 1024, PEAK_SLACK = 1 << 20 };

void ocf_sim_check_quiet(const struct ocf_sim_host *h)
{
  struct ocf_sim *w = h->net->w;
  struct ocf_swarm_stats st;
  if (h->node == NULL)
    return;
  struct ocf_relay *r = ocf_node_relay(h->node);
  ocf_swarm_stats(ocf_node_swarm(h->node), &st);
  if (ocf_relay_n_requests(r) != 0 || ocf_relay_n_sessions(r) != 0)
    ocf_sim_fail(w, "%s is not quiet: %zu requests, %zu sessions", h->name, ocf_relay_n_requests(r),
                 ocf_relay_n_sessions(r));
  if (ocf_sim_host_n_streams(h) > 2 * st.n_peers)
    ocf_sim_fail(w, "%s is not quiet: %zu streams with %zu peers", h->name,
                 ocf_sim_host_n_streams(h), st.n_peers);
  if (h->proc.n_socks != st.n_conns + st.n_handshakes + st.n_dials)
    ocf_sim_fail(w, "%s is not quiet: %zu sockets, %zu connections, %zu handshakes, %zu dials",
                 h->name, h->proc.n_socks, st.n_conns, st.n_handshakes, st.n_dials);
  if (st.n_opens != 0)
    ocf_sim_fail(w, "%s is not quiet: %zu opens wait", h->name, st.n_opens);
}

void ocf_sim_check_memory(const struct ocf_sim_host *h, size_t baseline)
{
  size_t most = baseline + baseline / 20 + SLACK;
  size_t least = baseline - baseline / 20;
  least = least > SLACK ? least - SLACK : 0;
  if (h->node != NULL && (h->alloc.live_bytes > most || h->alloc.live_bytes < least))
    ocf_sim_fail(h->net->w, "%s: %zu live bytes, the baseline is %zu", h->name, h->alloc.live_bytes,
                 baseline);
}

bool ocf_sim_within(const struct ocf_sim_host *h, size_t baseline, size_t n, size_t each)
{
  return h->alloc.live_bytes <= baseline + n * each + PEAK_SLACK;
}
