#include "base/mem/pool.h"

#include <string.h>

void ocf_pool_init(struct ocf_pool *p, struct ocf_alloc *a, size_t size, size_t max_used,
                   size_t max_free)
{
  OCF_ASSERT(size > 0);
  *p = (struct ocf_pool){
    .a = a, .size = OCF_MAX(size, sizeof(void *)), .max_used = max_used, .max_free = max_free
  };
}

static void *pop_free(struct ocf_pool *p)
{
  void *obj = p->free;
  memcpy(&p->free, obj, sizeof(p->free));
  p->n_free--;
  return obj;
}

void ocf_pool_trim(struct ocf_pool *p)
{
  while (p->free != NULL)
    ocf_alloc_put(p->a, pop_free(p), p->size);
}

void ocf_pool_fini(struct ocf_pool *p)
{
  OCF_ASSERT(p->n_used == 0);
  ocf_pool_trim(p);
}

void *ocf_pool_get(struct ocf_pool *p)
{
  if (p->n_used >= p->max_used)
    return NULL;
  void *obj = p->free != NULL ? pop_free(p) : ocf_alloc_get(p->a, p->size);
  if (obj != NULL)
    p->n_used++;
  return obj;
}

void ocf_pool_put(struct ocf_pool *p, void *obj)
{
  if (obj == NULL)
    return;
  OCF_ASSERT(p->n_used > 0);
  p->n_used--;
  if (p->n_free >= p->max_free) {
    ocf_alloc_put(p->a, obj, p->size);
    return;
  }
  memcpy(obj, &p->free, sizeof(p->free));
  p->free = obj;
  p->n_free++;
}
