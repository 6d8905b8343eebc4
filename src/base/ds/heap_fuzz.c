/* Heap and ring against arrays searched from end to end. */
#include "base/ds/heap.h"
#include "base/ds/ring.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { N = 32 };

struct num {
  struct ocf_heap_node node;
  unsigned v;
  bool inside;
};

static struct num nums[N];

static struct num *num_of(struct ocf_heap_node *n)
{
  return OCF_CONTAINER_OF(n, struct num, node);
}

static bool less(const struct ocf_heap_node *a, const struct ocf_heap_node *b)
{
  return OCF_CONTAINER_OF_CONST(a, struct num, node)->v <
         OCF_CONTAINER_OF_CONST(b, struct num, node)->v;
}

static void check_heap(const struct ocf_heap *h)
{
  const struct num *least = NULL;
  size_t n = 0;
  for (size_t i = 0; i < N; i++) {
    if (!nums[i].inside)
      continue;
    n++;
    if (least == NULL || nums[i].v < least->v)
      least = &nums[i];
  }
  OCF_ASSERT(h->n == n);
  OCF_ASSERT((ocf_heap_peek(h) == NULL) == (least == NULL));
  if (least != NULL)
    OCF_ASSERT(num_of(ocf_heap_peek(h))->inside && num_of(ocf_heap_peek(h))->v == least->v);
}

static void step_heap(struct ocf_heap *h, uint8_t op, uint8_t arg)
{
  struct num *x = &nums[op / 4 % N];
  if (op % 4 == 3) {
    struct ocf_heap_node *n = ocf_heap_pop(h);
    if (n != NULL)
      num_of(n)->inside = false;
  } else if (x->inside) {
    ocf_heap_remove(h, &x->node);
    x->inside = false;
  } else {
    x->v = arg;
    x->inside = true;
    ocf_heap_push(h, &x->node);
  }
  check_heap(h);
}

/* The ring holds first, first + 1, …: its model is two numbers. */
static void step_ring(struct ocf_ring *r, uint8_t op, unsigned *first, unsigned *n)
{
  unsigned next = *first + *n, got = 0;
  bool full = *n == r->cap;
  switch (op % 4) {
  case 0:
    OCF_ASSERT(ocf_ring_push(r, &next) == (full ? OCF_ELIMIT : 0));
    *n += full ? 0 : 1;
    break;
  case 1:
    ocf_ring_push_over(r, &next);
    *first += full ? 1 : 0;
    *n += full ? 0 : 1;
    break;
  case 2:
    OCF_ASSERT(ocf_ring_pop(r, &got) == (*n > 0));
    OCF_ASSERT(*n == 0 || got == *first);
    *first += *n > 0 ? 1 : 0;
    *n -= *n > 0 ? 1 : 0;
    break;
  default: OCF_ASSERT(ocf_ring_full(r) == full); break;
  }
  OCF_ASSERT(r->n == *n);
  for (unsigned i = 0; i < *n; i++)
    OCF_ASSERT(*(unsigned *)ocf_ring_at(r, i) == *first + i);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops o = { d, n };
  struct ocf_alloc a;
  struct ocf_heap h;
  struct ocf_ring r;
  unsigned first = 0, held = 0;
  for (size_t i = 0; i < N; i++)
    nums[i] = (struct num){ .v = 0 };
  ocf_alloc_init(&a);
  ocf_heap_init(&h, less);
  int err = ocf_ring_init(&r, &a, sizeof(unsigned), 1 + ocf_ops_u8(&o) % 9u);
  OCF_ASSERT(err == 0);
  while (ocf_ops_more(&o)) {
    uint8_t op = ocf_ops_u8(&o);
    if (op >= 0x80)
      step_ring(&r, op, &first, &held);
    else
      step_heap(&h, op, ocf_ops_u8(&o));
  }
  ocf_ring_fini(&r);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
