#include "node/loop/loop.h"

#include "base/buf/copy.h"

enum { MAX_FREE_CHUNKS = 256 };

int ocf_loop_init(struct ocf_loop *l, struct ocf_env *env, struct ocf_alloc *alloc,
                  struct ocf_rng *rng, const struct ocf_log *log, struct ocf_metrics *metrics,
                  uint64_t now_ns)
{
  *l = (struct ocf_loop){
    .env = env, .alloc = alloc, .rng = rng, .log = log, .metrics = metrics, .now_ns = now_ns
  };
  ocf_wheel_init(&l->wheel, now_ns);
  ocf_chunk_pool_init(&l->chunks, alloc, MAX_FREE_CHUNKS);
  ocf_list_init(&l->deferred);
  ocf_list_init(&l->closing);
  l->rx_memory = ocf_alloc_get(alloc, OCF_LOOP_RX_SIZE + OCF_COPY_ALIGN);
  if (l->rx_memory == NULL)
    return OCF_ENOMEM;
  l->rx = l->rx_memory + ocf_align_pad(l->rx_memory);
  return 0;
}

void ocf_loop_fini(struct ocf_loop *l)
{
  OCF_ASSERT(ocf_list_empty(&l->deferred) && ocf_list_empty(&l->closing));
  ocf_chunk_pool_fini(&l->chunks);
  ocf_alloc_put(l->alloc, l->rx_memory, OCF_LOOP_RX_SIZE + OCF_COPY_ALIGN);
  l->rx_memory = l->rx = NULL;
}

void ocf_alarm_start(struct ocf_loop *l, struct ocf_alarm *a, uint64_t after_ns)
{
  OCF_ASSERT(a->fire != NULL);
  ocf_wheel_start(&l->wheel, &a->timer, ocf_time_add(l->now_ns, after_ns));
}

void ocf_alarm_stop(struct ocf_loop *l, struct ocf_alarm *a)
{
  ocf_wheel_stop(&l->wheel, &a->timer);
}

void ocf_loop_fire(struct ocf_loop *l)
{
  struct ocf_timer *t;
  while ((t = ocf_wheel_pop(&l->wheel, l->now_ns)) != NULL) {
    struct ocf_alarm *a = OCF_CONTAINER_OF(t, struct ocf_alarm, timer);
    a->fire(a);
  }
}

void ocf_defer(struct ocf_loop *l, struct ocf_deferred *d)
{
  OCF_ASSERT(d->run != NULL);
  if (!ocf_list_linked(&d->link))
    ocf_list_push_back(&l->deferred, &d->link);
}

void ocf_defer_cancel(struct ocf_deferred *d)
{
  ocf_list_remove(&d->link);
}

void ocf_loop_run_deferred(struct ocf_loop *l)
{
  struct ocf_list *n;
  while ((n = ocf_list_pop_front(&l->deferred)) != NULL) {
    struct ocf_deferred *d = OCF_CONTAINER_OF(n, struct ocf_deferred, link);
    d->run(d);
  }
}
