#include "crdt/kv/kv.h"

static bool key_ok(struct ocf_bytes key)
{
  return key.n >= 1 && key.n <= OCF_KV_KEY_MAX;
}

int ocf_kv_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val)
{
  return key_ok(key) ? kv->ops->get(kv, key, val) : OCF_EINVAL;
}

int ocf_kv_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val)
{
  if (!key_ok(key) || val.n > OCF_KV_VALUE_MAX)
    return OCF_EINVAL;
  return kv->ops->put(kv, key, val);
}

int ocf_kv_del(struct ocf_kv *kv, struct ocf_bytes key)
{
  return key_ok(key) ? kv->ops->del(kv, key) : OCF_EINVAL;
}

int ocf_kv_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                struct ocf_bytes *val)
{
  if (from.n > OCF_KV_KEY_MAX + 1)
    return OCF_EINVAL;
  return kv->ops->seek(kv, from, key, val);
}

int ocf_kv_commit(struct ocf_kv *kv)
{
  return kv->ops->commit(kv);
}

void ocf_kv_abort(struct ocf_kv *kv)
{
  kv->ops->abort(kv);
}

uint64_t ocf_kv_bytes(const struct ocf_kv *kv)
{
  return kv->ops->bytes(kv);
}
