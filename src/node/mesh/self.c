/* Our own record: made from what this node offers, written when it changes. */
#include <stdio.h>
#include <string.h>

#include "node/mesh/mesh_int.h"

enum { LEAVE_WAIT_MS = 1500 };
#define USURPED_CALM_NS (600 * OCF_NS_PER_S)

static int64_t unix_s(const struct ocf_mesh *m)
{
  struct ocf_env *env = m->loop->env;
  return (int64_t)(env->ops->wall_ns(env) / OCF_NS_PER_S);
}

static struct ocf_bytes str(const char *s)
{
  return s == NULL ? ocf_bytes(NULL, 0) : ocf_bytes(s, strlen(s));
}

static int write_json(struct ocf_mesh *m)
{
  struct ocf_bytes self;
  int r;
  ocf_buf_clear(&m->json);
  r = ocf_record_write(&m->record, 0, &m->json);
  self = ocf_buf_view(&m->json);
  return r != 0 ? r : ocf_table_set_self(m->table, mesh_now(m), &m->self, self);
}

static int add_service(struct ocf_record *rec, const struct ocf_mesh_service *s)
{
  struct ocf_record_service v = { .name = str(s->name),
                                  .status = OCF_STR("connected"),
                                  .host = str(s->host) };
  char port[8];
  (void)snprintf(port, sizeof(port), "%u", s->port);
  int r = s->port != 0 ? ocf_record_str(rec, &v.port, str(port)) : 0;
  if (r == 0)
    r = ocf_record_strs(rec, &v.identity_group, s->groups, s->n_groups);
  return r != 0 ? r : ocf_record_put_service(rec, &v);
}

static int fill(struct ocf_mesh *m, struct ocf_record *rec, const struct ocf_mesh_service *v,
                size_t n)
{
  struct ocf_bytes role = str(m->cfg.role);
  char port[8];
  (void)snprintf(port, sizeof(port), "%u", m->cfg.public_port);
  rec->id = ocf_bytes(m->key + 1, strlen(m->key) - 1);
  rec->owner = str(m->cfg.owner);
  rec->version = str(m->cfg.version);
  rec->public_address = str(m->cfg.public_address);
  rec->relay_peer = str(m->cfg.relay_peer);
  rec->connected = true;
  int r = role.n > 0 ? ocf_record_strs(rec, &rec->role, &role, 1) : 0;
  if (r == 0 && m->cfg.public_port != 0)
    r = ocf_record_str(rec, &rec->public_port, str(port));
  for (size_t i = 0; i < n && r == 0; i++)
    r = add_service(rec, &v[i]);
  return r;
}

/* Whether two records tell the same but for when they were written. */
static bool same(struct ocf_mesh *m, const struct ocf_record *next)
{
  struct ocf_buf b;
  int64_t seen = m->record.last_seen;
  bool eq = false;
  ocf_buf_init(&b, m->loop->alloc, OCF_RECORD_JSON_MAX);
  m->record.last_seen = next->last_seen;
  ocf_buf_clear(&m->json);
  if (ocf_record_write(&m->record, 0, &m->json) == 0 && ocf_record_write(next, 0, &b) == 0)
    eq = ocf_bytes_eq(ocf_buf_view(&m->json), ocf_buf_view(&b));
  m->record.last_seen = seen;
  ocf_buf_fini(&b);
  return eq;
}

static int take_record(struct ocf_mesh *m, struct ocf_record *next)
{
  ocf_record_fini(&m->record);
  m->record = *next;
  m->withdrawn = false;
  m->dirty = true;
  ocf_mesh_settle_later(m);
  return write_json(m);
}

int ocf_mesh_self_init(struct ocf_mesh *m)
{
  m->record.last_seen = unix_s(m);
  int r = fill(m, &m->record, NULL, 0);
  return r != 0 ? r : write_json(m);
}

int ocf_mesh_offer(struct ocf_mesh *m, const struct ocf_mesh_service *v, size_t n)
{
  struct ocf_record next;
  if (m->leaving)
    return 0;
  ocf_record_init(&next, m->loop->alloc);
  next.last_seen = unix_s(m);
  int r = fill(m, &next, v, n);
  bool first = !m->offered;
  m->offered = true;
  if (r == 0 && !first && !m->withdrawn && same(m, &next)) {
    ocf_record_fini(&next);
    return write_json(m);
  }
  if (r == 0 && m->usurped_wait_ns > 0)
    m->put_after_ns = mesh_now(m); /* what is new does not wait for those who write our key */
  if (r == 0)
    return take_record(m, &next);
  ocf_record_fini(&next);
  return r;
}

struct ocf_bytes ocf_mesh_record(const struct ocf_mesh *m)
{
  return ocf_buf_view(&m->json);
}

/* ---- writing ---- */

/* The first record of a node that was known before waits for what the mesh still has of it. */
static bool due(const struct ocf_mesh *m)
{
  return m->dirty && !m->store_failed && mesh_now(m) >= m->retry_ns &&
         (mesh_now(m) >= m->put_after_ns ||
          (m->usurped_wait_ns == 0 && ocf_merkle_synced(m->replica)));
}

uint64_t ocf_mesh_self_deadline(const struct ocf_mesh *m)
{
  if (!m->dirty || m->store_failed)
    return OCF_TIME_NEVER;
  return mesh_now(m) < m->retry_ns ? m->retry_ns : m->put_after_ns;
}

static void put_off(struct ocf_mesh *m, int err)
{
  m->dirty = true;
  m->retry_ns = ocf_time_add(mesh_now(m), OCF_NS_PER_S);
  ocf_mesh_registry_failed(m, err, "writing our record");
}

/* Somebody else wrote our key. Two nodes with one key would go on for ever, so each time takes
 * longer. */
void ocf_mesh_self_usurped(struct ocf_mesh *m)
{
  uint64_t now = mesh_now(m);
  if (m->withdrawn || m->leaving)
    return;
  if (now > ocf_time_add(m->usurped_ns, USURPED_CALM_NS))
    m->usurped_wait_ns = 0;
  m->usurped_ns = now;
  m->put_after_ns = ocf_time_add(now, m->usurped_wait_ns);
  m->usurped_wait_ns = OCF_MIN(m->usurped_wait_ns * 2 + OCF_NS_PER_S, 60 * OCF_NS_PER_S);
  m->dirty = true;
}

/* Whether the registry's value of our key says what our record says. */
static bool told_already(struct ocf_mesh *m, struct ocf_bytes key)
{
  struct ocf_bytes value;
  struct ocf_record old;
  if (ocf_merkle_get(m->replica, key, &value, NULL) != 0 ||
      ocf_record_parse(&old, m->loop->alloc, value) != 0)
    return false;
  bool eq = same(m, &old);
  ocf_record_fini(&old);
  return eq;
}

static bool nobody_listens(const struct ocf_mesh *m)
{
  struct ocf_gossip_stats s;
  ocf_gossip_stats(m->gossip, &s);
  return s.n_mesh == 0;
}

static int write_record(struct ocf_mesh *m, struct ocf_bytes key)
{
  m->record.last_seen = unix_s(m);
  int err = write_json(m);
  if (err == 0)
    err = ocf_merkle_put(m->replica, mesh_now(m), key, ocf_buf_view(&m->json));
  mesh_commit_now(m);
  return err;
}

bool ocf_mesh_self_write(struct ocf_mesh *m)
{
  struct ocf_bytes key = ocf_bytes(m->key, strlen(m->key));
  if (!due(m))
    return false;
  m->dirty = false;
  bool told = told_already(m, key);
  int err = write_json(m);
  if (err == 0 && !told)
    err = write_record(m, key);
  if (err != 0) {
    put_off(m, err);
    return false;
  }
  m->put_after_ns = 0;
  if (told)
    return false;
  m->unheard = nobody_listens(m);
  OCF_LOGF(m->loop->log, "registry", OCF_LOG_INFO, "our record is written",
           OCF_LOG_U64("services", m->record.n_services));
  return true;
}

/* A turn that was rolled back, for want of memory or room, may have taken our record with it. */
void ocf_mesh_self_look(struct ocf_mesh *m)
{
  if (m->dirty || !m->offered || m->withdrawn || m->leaving || m->store_failed)
    return;
  m->dirty = !told_already(m, ocf_bytes(m->key, strlen(m->key)));
  if (write_json(m) != 0) /* it was overwritten by the comparison */
    m->dirty = true;
}

/* ---- leaving ---- */

static uint64_t blocks_out(const struct ocf_mesh *m)
{
  struct ocf_bitswap_stats s;
  ocf_bitswap_stats(m->blocks, &s);
  return s.blocks_out;
}

static int say_left(struct ocf_mesh *m)
{
  struct ocf_bytes key = ocf_bytes(m->key, strlen(m->key));
  int r;
  if (m->cfg.leave == OCF_MESH_LEAVE_DELETE)
    return ocf_merkle_delete(m->replica, mesh_now(m), key);
  m->record.n_services = 0;
  m->record.has_service = false;
  m->record.status = OCF_STR("left");
  m->record.connected = false;
  m->record.last_seen = unix_s(m);
  r = write_json(m);
  return r != 0 ? r : ocf_merkle_put(m->replica, mesh_now(m), key, ocf_buf_view(&m->json));
}

void ocf_mesh_withdraw(struct ocf_mesh *m)
{
  if (m->leaving || m->store_failed)
    return;
  m->withdrawn = true;
  m->dirty = false;
  int err = ocf_merkle_delete(m->replica, mesh_now(m), ocf_bytes(m->key, strlen(m->key)));
  mesh_commit_now(m);
  if (err != 0)
    ocf_mesh_registry_failed(m, err, "withdrawing our record");
  ocf_mesh_settle_later(m);
}

void ocf_mesh_leave(struct ocf_mesh *m)
{
  if (m->leaving)
    return;
  m->leaving = true;
  m->dirty = false;
  m->left_at_ns = mesh_now(m);
  m->left_blocks_out = blocks_out(m);
  if (m->cfg.leave == OCF_MESH_LEAVE_NONE || m->store_failed)
    return;
  int err = say_left(m);
  mesh_commit_now(m);
  if (err != 0)
    ocf_mesh_registry_failed(m, err, "leaving");
  ocf_mesh_settle_later(m);
}

bool ocf_mesh_left(struct ocf_mesh *m)
{
  bool nobody = m->peers.n == 0;
  if (!m->leaving)
    return false;
  if (nobody || m->store_failed || m->cfg.leave == OCF_MESH_LEAVE_NONE)
    return true;
  return blocks_out(m) > m->left_blocks_out ||
         mesh_now(m) >= ocf_time_add(m->left_at_ns, LEAVE_WAIT_MS * OCF_NS_PER_MS);
}
