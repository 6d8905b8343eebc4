#include "p2p/conn/conn_int.h"

static const struct ocf_bytes SECURITY[] = { { (const uint8_t *)"/noise", 6 } };
static const struct ocf_bytes MUXERS[] = { { (const uint8_t *)"/yamux/1.0.0", 12 } };

static void talk_init(struct ocf_conn *c, const struct ocf_bytes *names)
{
  if (c->role == OCF_CONN_DIALLER)
    ocf_mss_init_initiator(&c->up->mss, c->cfg->a, names, 1);
  else
    ocf_mss_init_responder(&c->up->mss, c->cfg->a, names, 1);
}

/* Queues the negotiation's bytes: in the clear at first, later in the channel. */
static void talk_out(struct ocf_conn *c)
{
  struct ocf_mss *m = &c->up->mss;
  while (!c->doomed && ocf_mss_has_output(m)) {
    size_t cap = 0;
    if (c->phase == CONN_SECURITY) {
      uint8_t *p = ocf_conn_raw(c, &cap);
      if (p != NULL)
        ocf_conn_raw_done(c, ocf_mss_output(m, p, cap));
    } else {
      struct ocf_yamux_out *out = ocf_conn_area(c);
      if (out == NULL)
        return; /* cannot be: nothing else was written yet; the deadline would end it */
      out->n += ocf_mss_output(m, out->p + out->n, out->cap - out->n);
    }
  }
}

static void noise_out(struct ocf_conn *c)
{
  while (!c->doomed && ocf_noise_output_len(&c->up->hs) > 0) {
    size_t cap = 0;
    uint8_t *p = ocf_conn_raw(c, &cap);
    if (p != NULL)
      ocf_conn_raw_done(c, ocf_noise_output(&c->up->hs, p, cap));
  }
}

int ocf_conn_up_start(struct ocf_conn *c)
{
  c->up = OCF_NEW(c->cfg->a, struct conn_up);
  if (c->up == NULL)
    return OCF_ENOMEM;
  c->phase = CONN_SECURITY;
  talk_init(c, SECURITY);
  if (c->role == OCF_CONN_DIALLER)
    talk_out(c); /* a listener says nothing before it hears something */
  return c->doomed ? c->down_err : 0;
}

void ocf_conn_up_free(struct ocf_conn *c)
{
  if (c->up == NULL)
    return;
  ocf_mss_fini(&c->up->mss);
  ocf_noise_fini(&c->up->hs);
  OCF_DELETE(c->cfg->a, c->up);
  c->up = NULL;
}

static void session_start(struct ocf_conn *c)
{
  const struct ocf_conn_config *cfg = c->cfg;
  struct ocf_yamux_config yc;
  ocf_yamux_config_default(&yc, c->role == OCF_CONN_DIALLER);
  yc.max_inbound = (uint32_t)OCF_MIN(cfg->streams_in_max, UINT32_MAX);
  yc.ack_on_call = true; /* when its protocol is agreed: a peer cannot have more under way */
  yc.max_outbound = (uint32_t)OCF_MIN(cfg->streams_max, UINT32_MAX);
  yc.growth_max = cfg->rx_window_bytes_max;
  yc.window_max = (uint32_t)OCF_MIN(OCF_MAX(cfg->rx_stream_bytes_max, (size_t)OCF_YAMUX_WINDOW),
                                    (size_t)UINT32_MAX);
  yc.keepalive_ns = cfg->keepalive_ns;
  yc.ping_timeout_ns = cfg->keepalive_wait_ns;
  ocf_rng_secret(cfg->rng, &yc.seed, sizeof(yc.seed));
  c->y = ocf_yamux_new(cfg->a, &yc, c->now_ns);
  if (c->y == NULL) {
    ocf_conn_doom(c, OCF_ENOMEM, "no memory for the muxer", 0);
    return;
  }
  ocf_conn_up_free(c);
  c->phase = CONN_OPEN;
  c->was_up = c->say_up = true;
  c->phase_deadline_ns = OCF_TIME_NEVER;
}

static void noise_start(struct ocf_conn *c)
{
  struct ocf_noise_config nc = {
    .role = c->role == OCF_CONN_DIALLER ? OCF_NOISE_INITIATOR : OCF_NOISE_RESPONDER,
    .self = c->cfg->noise,
    .muxers = MUXERS,
    .n_muxers = OCF_ARRAY_LEN(MUXERS),
    .expected = ocf_peerid_is_none(&c->peer) ? NULL : &c->peer,
  };
  int err = ocf_noise_init(&c->up->hs, c->cfg->a, c->cfg->rng, &nc);
  if (err != 0) {
    ocf_conn_doom(c, err, "no memory for the handshake", 0);
    return;
  }
  c->phase = CONN_NOISE;
  noise_out(c);
}

static void noise_done(struct ocf_conn *c)
{
  struct ocf_noise_result r;
  int err = ocf_noise_take(&c->up->hs, &r);
  OCF_ASSERT(err == 0);
  c->key = r.key;
  c->peer = r.peer;
  c->seal = r.tx;
  c->open = r.rx;
  if (r.muxer >= 0) {
    session_start(c);
    return;
  }
  ocf_mss_fini(&c->up->mss);
  talk_init(c, MUXERS);
  c->phase = CONN_MUXER;
  if (c->role == OCF_CONN_DIALLER)
    talk_out(c);
}

static const char *talk_why(int err, bool muxer)
{
  if (err == OCF_MSS_EBOTHDIAL)
    return "both ends proposed a protocol (simultaneous TCP open)";
  if (err == OCF_EUNSUPP)
    return muxer ? "the peer does not speak /yamux/1.0.0" : "the peer does not speak /noise";
  return muxer ? "the muxer could not be negotiated"
               : "the security protocol could not be negotiated";
}

/* Feeds the negotiation; true when it is complete and `*in` is what follows. */
static bool talk_in(struct ocf_conn *c, struct ocf_bytes *in)
{
  int rc = ocf_mss_input(&c->up->mss, in);
  if (rc < 0) {
    ocf_conn_doom(c, rc, talk_why(rc, c->phase == CONN_MUXER), 0);
    return false;
  }
  talk_out(c);
  return rc == OCF_MSS_AGREED && !c->doomed;
}

static void step_security(struct ocf_conn *c)
{
  struct ocf_bytes in = ocf_bytes(c->rx->p + c->rx_at, c->rx_n - c->rx_at);
  bool agreed = talk_in(c, &in);
  c->rx_at = c->rx_n - in.n;
  if (agreed)
    noise_start(c);
}

static void step_noise(struct ocf_conn *c)
{
  size_t used = 0;
  int err = ocf_noise_input(&c->up->hs, c->rx->p + c->rx_at, c->rx_n - c->rx_at, &used);
  c->rx_at += used;
  if (err != 0) {
    ocf_conn_doom(c, err, ocf_noise_why(&c->up->hs), 0);
    return;
  }
  noise_out(c);
  if (!c->doomed && ocf_noise_is_done(&c->up->hs))
    noise_done(c);
}

static void step_muxer(struct ocf_conn *c)
{
  if (c->plain.n == 0 && !ocf_conn_open_frame(c))
    return;
  if (talk_in(c, &c->plain))
    session_start(c);
}

void ocf_conn_up_step(struct ocf_conn *c)
{
  if (c->rx == NULL && c->n_stash > 0)
    return; /* a piece of a frame, set aside; more bytes will bring it back */
  for (;;) {
    size_t before = c->rx != NULL ? c->rx_n - c->rx_at : 0;
    if (c->doomed || before + c->plain.n == 0)
      return;
    enum conn_phase phase = c->phase;
    if (phase == CONN_SECURITY)
      step_security(c);
    else if (phase == CONN_NOISE)
      step_noise(c);
    else if (phase == CONN_MUXER)
      step_muxer(c);
    else
      return;
    if (c->phase == phase && c->plain.n == 0 && c->rx_n - c->rx_at == before)
      return; /* it wants more */
  }
}
