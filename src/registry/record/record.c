#include "registry/record/record.h"

#include <string.h>

void ocf_record_init(struct ocf_record *r, struct ocf_alloc *a)
{
  *r = (struct ocf_record){ 0 };
  ocf_arena_init(&r->arena, a, 1024, OCF_RECORD_MEM_MAX);
}

void ocf_record_fini(struct ocf_record *r)
{
  if (r->arena.a != NULL)
    ocf_arena_fini(&r->arena);
  *r = (struct ocf_record){ 0 };
}

/* ---- building ---- */

/* `s` up to the bound, not cutting through a character. */
static struct ocf_bytes bounded(struct ocf_bytes s)
{
  size_t n = OCF_MIN(s.n, (size_t)OCF_RECORD_STR_MAX);
  while (n < s.n && n > 0 && (s.p[n] & 0xc0) == 0x80)
    n--;
  return ocf_bytes(s.p, n);
}

int ocf_record_str(struct ocf_record *r, struct ocf_bytes *field, struct ocf_bytes s)
{
  s = bounded(s);
  char *copy = ocf_arena_str(&r->arena, s);
  if (copy == NULL)
    return OCF_ENOMEM;
  *field = ocf_bytes(copy, s.n);
  return 0;
}

int ocf_record_strs(struct ocf_record *r, struct ocf_record_strs *field, const struct ocf_bytes *v,
                    size_t n)
{
  struct ocf_bytes *copy = NULL;
  if (n > OCF_RECORD_GROUPS_MAX)
    return OCF_ELIMIT;
  if (n > 0 && (copy = ocf_arena_get(&r->arena, n * sizeof(*copy))) == NULL)
    return OCF_ENOMEM;
  for (size_t i = 0; i < n; i++)
    if (ocf_record_str(r, &copy[i], v[i]) != 0)
      return OCF_ENOMEM;
  *field = (struct ocf_record_strs){ .v = copy, .n = (uint32_t)n, .is_set = true };
  return 0;
}

static int copy_hardware(struct ocf_record *r, struct ocf_record_hardware *to,
                         const struct ocf_record_hardware *from)
{
  struct ocf_record_gpu *gpus = NULL;
  *to = *from;
  if (from->n_gpus > OCF_RECORD_LIST_MAX)
    return OCF_ELIMIT;
  if (from->n_gpus > 0 && (gpus = ocf_arena_get(&r->arena, from->n_gpus * sizeof(*gpus))) == NULL)
    return OCF_ENOMEM;
  for (size_t i = 0; i < from->n_gpus; i++) {
    gpus[i] = from->gpus[i];
    if (ocf_record_str(r, &gpus[i].name, from->gpus[i].name) != 0)
      return OCF_ENOMEM;
  }
  to->gpus = gpus;
  return 0;
}

static int copy_service(struct ocf_record *r, struct ocf_record_service *to,
                        const struct ocf_record_service *from)
{
  const struct ocf_record_strs *groups = &from->identity_group;
  *to = *from;
  int rc = copy_hardware(r, &to->hardware, &from->hardware);
  if (rc == 0 && groups->is_set)
    rc = ocf_record_strs(r, &to->identity_group, groups->v, groups->n);
  if (rc == 0)
    rc = ocf_record_str(r, &to->name, from->name);
  if (rc == 0)
    rc = ocf_record_str(r, &to->status, from->status);
  if (rc == 0)
    rc = ocf_record_str(r, &to->host, from->host);
  if (rc == 0)
    rc = ocf_record_str(r, &to->port, from->port);
  return rc;
}

static size_t place_of(const struct ocf_record *r, struct ocf_bytes name)
{
  size_t i = 0;
  while (i < r->n_services && !ocf_bytes_eq(r->service[i].name, name))
    i++;
  return i;
}

int ocf_record_put_service(struct ocf_record *r, const struct ocf_record_service *s)
{
  struct ocf_record_service copy, *all;
  if (s->name.n == 0)
    return OCF_EINVAL;
  size_t at = place_of(r, bounded(s->name));
  bool is_new = at == r->n_services;
  if (is_new && r->n_services >= OCF_RECORD_SERVICES_MAX)
    return OCF_ELIMIT;
  int rc = copy_service(r, &copy, s);
  if (rc != 0)
    return rc;
  if (is_new) {
    if ((all = ocf_arena_get(&r->arena, (at + 1) * sizeof(*all))) == NULL)
      return OCF_ENOMEM;
    if (at > 0)
      memcpy(all, r->service, at * sizeof(*all));
    r->service = all;
    r->n_services++;
    r->has_service = true;
  }
  r->service[at] = copy;
  return 0;
}

size_t ocf_record_drop_service(struct ocf_record *r, struct ocf_bytes name)
{
  uint32_t kept = 0, had = r->n_services;
  for (uint32_t i = 0; i < had; i++)
    if (!ocf_bytes_eq(r->service[i].name, name))
      r->service[kept++] = r->service[i];
  r->n_services = kept;
  return had - kept;
}

const struct ocf_record_service *ocf_record_find_service(const struct ocf_record *r,
                                                         struct ocf_bytes name)
{
  size_t i = place_of(r, name);
  return i < r->n_services ? &r->service[i] : NULL;
}

bool ocf_record_strs_have(const struct ocf_record_strs *list, struct ocf_bytes s)
{
  for (size_t i = 0; i < list->n; i++)
    if (ocf_bytes_eq(list->v[i], s))
      return true;
  return false;
}

/* ---- identity groups ---- */

struct ocf_record_group ocf_record_group(struct ocf_bytes text)
{
  const uint8_t *eq = text.n == 0 ? NULL : memchr(text.p, '=', text.n);
  if (ocf_bytes_eq(text, OCF_STR("all")))
    return (struct ocf_record_group){ .kind = OCF_RECORD_GROUP_ALL };
  if (eq == NULL || eq == text.p)
    return (struct ocf_record_group){ .kind = OCF_RECORD_GROUP_INVALID };
  struct ocf_bytes key = ocf_bytes(text.p, (size_t)(eq - text.p));
  struct ocf_bytes value = ocf_bytes(eq + 1, text.n - key.n - 1);
  if (ocf_bytes_eq(value, OCF_STR("*")))
    return (struct ocf_record_group){ .kind = OCF_RECORD_GROUP_ANY, .key = key };
  return (struct ocf_record_group){ OCF_RECORD_GROUP_EXACT, key, value };
}
