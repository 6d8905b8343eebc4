#include "base/time/wheel.h"

/* Slots hold timers by deadline in whole ms ("ticks"), counted in base 64. A timer stands on the
 * level of the highest digit in which its tick differs from `w->tick`, in the slot of that digit.
 * So no slot ever wraps around: every set bit of a level lies above the digit of the present, and
 * everything on a lower level comes before everything on a higher one.
 *
 * `due` holds the timers whose tick has come, sorted by ns: no timer fires within its last ms early
 * or late. Ticks that differ above the highest level wait in `far` until the present reaches their
 * span. */
enum { BITS = 6, TOP = BITS * OCF_WHEEL_LEVELS, NO_LEVEL = -1 };

static uint64_t tick_of(uint64_t ns)
{
  return ns / OCF_NS_PER_MS;
}

void ocf_wheel_init(struct ocf_wheel *w, uint64_t now_ns)
{
  for (size_t l = 0; l < OCF_WHEEL_LEVELS; l++) {
    w->bits[l] = 0;
    for (size_t s = 0; s < OCF_WHEEL_SLOTS; s++)
      ocf_list_init(&w->slots[l][s]);
  }
  ocf_list_init(&w->due);
  ocf_list_init(&w->far);
  w->tick = tick_of(now_ns);
}

/* Sorted from the tail: timers mostly come in order, and at equal deadlines the older one leads. */
static void insert_due(struct ocf_wheel *w, struct ocf_timer *t)
{
  struct ocf_list *at = w->due.prev;
  while (at != &w->due && OCF_LIST_ENTRY(at, struct ocf_timer, link)->deadline_ns > t->deadline_ns)
    at = at->prev;
  ocf_list_insert_after(at, &t->link);
}

static void insert(struct ocf_wheel *w, struct ocf_timer *t)
{
  uint64_t tick = tick_of(t->deadline_ns);
  if (tick <= w->tick) {
    insert_due(w, t);
    return;
  }
  unsigned level = (63u - (unsigned)__builtin_clzll(tick ^ w->tick)) / BITS;
  if (level >= OCF_WHEEL_LEVELS) {
    ocf_list_push_back(&w->far, &t->link);
    return;
  }
  size_t slot = tick >> (BITS * level) & (OCF_WHEEL_SLOTS - 1);
  ocf_list_push_back(&w->slots[level][slot], &t->link);
  w->bits[level] |= UINT64_C(1) << slot;
}

void ocf_wheel_start(struct ocf_wheel *w, struct ocf_timer *t, uint64_t deadline_ns)
{
  ocf_wheel_stop(w, t);
  t->deadline_ns = deadline_ns;
  insert(w, t);
}

void ocf_wheel_stop(struct ocf_wheel *w, struct ocf_timer *t)
{
  struct ocf_list *head = t->link.next;
  if (head == NULL)
    return;
  bool last = t->link.prev == head; /* then the only neighbour is the list's head */
  ocf_list_remove(&t->link);
  if (last && head != &w->due && head != &w->far) {
    size_t i = (size_t)(head - &w->slots[0][0]);
    w->bits[i / OCF_WHEEL_SLOTS] &= ~(UINT64_C(1) << i % OCF_WHEEL_SLOTS);
  }
}

/* The earliest tick at which a slot or `far` must be looked at, and its level (OCF_WHEEL_LEVELS for
 * `far`); NO_LEVEL when there is nothing. */
static int next_slot(const struct ocf_wheel *w, uint64_t *tick)
{
  for (unsigned l = 0; l < OCF_WHEEL_LEVELS; l++) {
    if (w->bits[l] == 0)
      continue;
    uint64_t slot = (uint64_t)__builtin_ctzll(w->bits[l]);
    uint64_t above = w->tick >> (BITS * (l + 1)) << (BITS * (l + 1));
    *tick = above | slot << (BITS * l);
    return (int)l;
  }
  if (ocf_list_empty(&w->far))
    return NO_LEVEL;
  *tick = ((w->tick >> TOP) + 1) << TOP;
  return OCF_WHEEL_LEVELS;
}

/* Moves the present to `tick`, where the first slot of `level` (or `far`) begins, and sorts its
 * timers onto lower levels or `due`. */
static void open_slot(struct ocf_wheel *w, int level, uint64_t tick)
{
  struct ocf_list *head = &w->far, all;
  if (level < OCF_WHEEL_LEVELS) {
    size_t slot = tick >> (BITS * (unsigned)level) & (OCF_WHEEL_SLOTS - 1);
    head = &w->slots[level][slot];
    w->bits[level] &= ~(UINT64_C(1) << slot);
  }
  OCF_ASSERT(!ocf_list_empty(head) && tick > w->tick);
  w->tick = tick;
  all.next = head->next; /* `far` may take some of them back, so they are moved away first */
  all.prev = head->prev;
  all.next->prev = all.prev->next = &all;
  ocf_list_init(head);
  for (struct ocf_list *n; (n = ocf_list_pop_front(&all)) != NULL;)
    insert(w, OCF_LIST_ENTRY(n, struct ocf_timer, link));
}

struct ocf_timer *ocf_wheel_pop(struct ocf_wheel *w, uint64_t now_ns)
{
  uint64_t now = tick_of(now_ns), tick = 0;
  while (ocf_list_empty(&w->due)) {
    int level = next_slot(w, &tick);
    if (level == NO_LEVEL || tick > now) {
      w->tick = OCF_MAX(w->tick, now);
      return NULL;
    }
    open_slot(w, level, tick);
  }
  struct ocf_timer *t = OCF_LIST_ENTRY(w->due.next, struct ocf_timer, link);
  if (t->deadline_ns > now_ns)
    return NULL;
  ocf_list_remove(&t->link);
  return t;
}

uint64_t ocf_wheel_next(const struct ocf_wheel *w)
{
  if (!ocf_list_empty(&w->due))
    return OCF_LIST_ENTRY(w->due.next, struct ocf_timer, link)->deadline_ns;
  uint64_t tick = 0;
  return next_slot(w, &tick) == NO_LEVEL ? OCF_TIME_NEVER : tick * OCF_NS_PER_MS;
}
