#include "node/relay/ask.h"

#include <string.h>

#include "node/relay/relay_int.h"

/* Lets go of everything but the body. */
static void leave(struct ocf_ask *a, enum ocf_chan_end how)
{
  struct ocf_upstream *up = a->up;
  struct target *t = a->target;
  a->up = NULL;
  a->target = NULL;
  ocf_alarm_stop(a->relay->loop, &a->alarm);
  if (up != NULL)
    ocf_relay_upstream_drop(up, how);
  t->n_requests--;
  ocf_relay_target_put(t);
}

static void finish(struct ocf_ask *a, int err)
{
  struct ocf_buf body = a->body;
  leave(a, err == 0 ? OCF_CHAN_CLOSE : OCF_CHAN_ABORT);
  ocf_buf_init(&a->body, a->relay->loop->alloc, 0);
  a->done(a, err == 0 ? a->status : 0, err == 0 ? ocf_buf_view(&body) : ocf_bytes(NULL, 0), err);
  ocf_buf_fini(&body);
}

static void on_alarm(struct ocf_alarm *alarm)
{
  finish(OCF_CONTAINER_OF(alarm, struct ocf_ask, alarm), OCF_ETIME);
}

void ocf_relay_ask_ready(struct ocf_ask *a)
{
  struct ocf_buf *b = &a->relay->scratch;
  struct ocf_h1_edit ua = OCF_H1_EDIT(OCF_H1_SET, "User-Agent", OCF_STR("ocf-health"));
  struct ocf_h1_rewrite rw = { .connection = OCF_H1_CONN_CLOSE, .edits = &ua, .n_edits = 1 };
  ocf_buf_clear(b);
  int r = ocf_h1_make_request(b, OCF_H1_GET, ocf_bytes(a->path, strlen(a->path)),
                              ocf_bytes(a->target->host, strlen(a->target->host)), &rw);
  if (r == 0)
    r = ocf_h1_client_start(&a->up->h1, OCF_H1_GET, OCF_H1_FRAMING_NONE, 0);
  struct ocf_bytes v = ocf_buf_view(b);
  if (r == 0)
    r = ocf_chan_write(a->up->chan, &v, 1);
  if (r != 0)
    ocf_alarm_start(a->relay->loop, &a->alarm, 0); /* ends there: the caller may be ocf_ask_*() */
}

void ocf_relay_ask_head(struct ocf_ask *a, unsigned status)
{
  a->status = status;
  if (a->body_max == 0)
    finish(a, 0);
}

void ocf_relay_ask_body(struct ocf_ask *a, struct ocf_bytes data)
{
  int r = ocf_buf_add(&a->body, data.p, data.n);
  if (r != 0)
    finish(a, r);
  else
    ocf_chan_consumed(a->up->chan, data.n);
}

void ocf_relay_ask_end(struct ocf_ask *a)
{
  finish(a, 0);
}

void ocf_relay_ask_failed(struct ocf_ask *a, int err)
{
  a->up = NULL;
  finish(a, err);
}

static int start(struct ocf_ask *a, struct ocf_relay *r, struct target *t, const char *path,
                 size_t body_max, uint64_t timeout_ns)
{
  size_t n = strlen(path);
  if (t == NULL)
    return OCF_ENOMEM;
  int err = n > OCF_ASK_PATH_MAX ? OCF_EINVAL : a->up != NULL ? OCF_EEXIST : 0;
  if (err == 0) {
    a->relay = r;
    a->alarm.fire = on_alarm;
    a->body_max = body_max;
    memcpy(a->path, path, n + 1);
    ocf_buf_init(&a->body, r->loop->alloc, body_max);
    err = ocf_relay_upstream_ask(a, t);
  }
  if (err != 0) {
    ocf_relay_target_put(t);
    return err;
  }
  a->target = t;
  t->n_requests++;
  ocf_alarm_start(r->loop, &a->alarm, timeout_ns);
  if (a->up->state == UP_BUSY)
    ocf_relay_ask_ready(a);
  return 0;
}

int ocf_ask_service(struct ocf_ask *a, struct ocf_relay *r, struct ocf_service *sv,
                    const char *path, size_t body_max, uint64_t timeout_ns)
{
  return start(a, r, &sv->target, path, body_max, timeout_ns);
}

int ocf_ask_peer(struct ocf_ask *a, struct ocf_relay *r, const struct ocf_peerid *peer,
                 const char *path, size_t body_max, uint64_t timeout_ns)
{
  return start(a, r, ocf_relay_target_for_peer(r, peer), path, body_max, timeout_ns);
}

void ocf_ask_cancel(struct ocf_ask *a)
{
  if (a->up == NULL)
    return;
  leave(a, OCF_CHAN_ABORT);
  ocf_buf_fini(&a->body);
}
