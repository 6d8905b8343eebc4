/* Intrusive doubly linked list. The owner of the elements is named beside the list head. */
#ifndef OCF_BASE_DS_LIST_H
#define OCF_BASE_DS_LIST_H

#include "base/core/core.h"

struct ocf_list {
  struct ocf_list *prev, *next; /* a head or a linked node; both NULL = an unlinked node */
};

static inline void ocf_list_init(struct ocf_list *head)
{
  head->prev = head->next = head;
}

static inline bool ocf_list_empty(const struct ocf_list *head)
{
  return head->next == head;
}

static inline bool ocf_list_linked(const struct ocf_list *node)
{
  return node->next != NULL;
}

static inline void ocf_list_insert_after(struct ocf_list *at, struct ocf_list *node)
{
  node->prev = at;
  node->next = at->next;
  at->next->prev = node;
  at->next = node;
}

static inline void ocf_list_push_back(struct ocf_list *head, struct ocf_list *node)
{
  ocf_list_insert_after(head->prev, node);
}

static inline void ocf_list_push_front(struct ocf_list *head, struct ocf_list *node)
{
  ocf_list_insert_after(head, node);
}

/* Unlinks; a node that is not linked is left alone. */
static inline void ocf_list_remove(struct ocf_list *node)
{
  if (node->next == NULL)
    return;
  node->prev->next = node->next;
  node->next->prev = node->prev;
  node->prev = node->next = NULL;
}

/* The first node, unlinked; NULL when empty. */
static inline struct ocf_list *ocf_list_pop_front(struct ocf_list *head)
{
  struct ocf_list *n = head->next;
  if (n == head)
    return NULL;
  ocf_list_remove(n);
  return n;
}

#define OCF_LIST_ENTRY(node, type, member) OCF_CONTAINER_OF(node, type, member)

/* `it` is a struct ocf_list *. The loop body must not unlink `it`. */
#define OCF_LIST_FOREACH(it, head)                                                                 \
  for (struct ocf_list *it = (head)->next; it != (head); it = it->next)
/* The loop body may unlink `it`, and nothing else. */
#define OCF_LIST_FOREACH_SAFE(it, head)                                                            \
  for (struct ocf_list *it = (head)->next, *it##_next = it->next; it != (head);                    \
       it = it##_next, it##_next = it->next)

#endif
