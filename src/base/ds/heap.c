#include "base/ds/heap.h"

void ocf_heap_init(struct ocf_heap *h,
                   bool (*less)(const struct ocf_heap_node *a, const struct ocf_heap_node *b))
{
  *h = (struct ocf_heap){ .less = less };
}

/* Joins two trees (either may be NULL); the root of the later one becomes a child. */
static struct ocf_heap_node *meld(struct ocf_heap *h, struct ocf_heap_node *a,
                                  struct ocf_heap_node *b)
{
  if (a == NULL || b == NULL)
    return a == NULL ? b : a;
  if (h->less(b, a)) {
    struct ocf_heap_node *t = a;
    a = b;
    b = t;
  }
  b->next = a->child;
  if (b->next != NULL)
    b->next->prev = b;
  b->prev = a;
  a->child = b;
  return a;
}

/* Takes the first tree off a list of siblings. */
static struct ocf_heap_node *shift(struct ocf_heap_node **list)
{
  struct ocf_heap_node *n = *list;
  if (n == NULL)
    return NULL;
  *list = n->next;
  n->next = n->prev = NULL;
  return n;
}

/* Two passes over siblings: melds them in pairs from the front, then the pairs from the back. */
static struct ocf_heap_node *meld_siblings(struct ocf_heap *h, struct ocf_heap_node *list)
{
  struct ocf_heap_node *pairs = NULL, *root = NULL;
  while (list != NULL) {
    struct ocf_heap_node *a = shift(&list), *b = shift(&list);
    struct ocf_heap_node *pair = meld(h, a, b);
    pair->next = pairs;
    pairs = pair;
  }
  while (pairs != NULL) {
    struct ocf_heap_node *pair = shift(&pairs);
    root = meld(h, root, pair);
  }
  return root;
}

void ocf_heap_push(struct ocf_heap *h, struct ocf_heap_node *node)
{
  *node = (struct ocf_heap_node){ .child = NULL };
  h->root = meld(h, h->root, node);
  h->n++;
}

struct ocf_heap_node *ocf_heap_pop(struct ocf_heap *h)
{
  struct ocf_heap_node *top = h->root;
  if (top != NULL)
    ocf_heap_remove(h, top);
  return top;
}

void ocf_heap_remove(struct ocf_heap *h, struct ocf_heap_node *node)
{
  OCF_ASSERT(h->n > 0);
  struct ocf_heap_node *below = meld_siblings(h, node->child);
  h->n--;
  if (node == h->root) {
    h->root = below;
  } else {
    OCF_ASSERT(node->prev != NULL);
    if (node->prev->child == node)
      node->prev->child = node->next;
    else
      node->prev->next = node->next;
    if (node->next != NULL)
      node->next->prev = node->prev;
    h->root = meld(h, h->root, below);
  }
  *node = (struct ocf_heap_node){ .child = NULL };
}
