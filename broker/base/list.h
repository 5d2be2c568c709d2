/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h -- an intrusive doubly linked list. The links live in the objects; the list owns nothing.
 *
 * A head is a link that points to itself. A link that is in no list points to itself too, so that
 * list_remove may be called twice.
 */
#ifndef ACKD_BASE_LIST_H
#define ACKD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* The object around its member. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *self)
{
    self->next = self;
    self->prev = self;
}

static inline bool list_is_empty(const struct list *self)
{
    return self->next == self;
}

static inline void list_append(struct list *head, struct list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_prepend(struct list *head, struct list *link)
{
    list_append(head->next, link);
}

static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* The first link, removed; NULL if there is none. */
static inline struct list *list_take_first(struct list *head)
{
    struct list *first = head->next;

    if (first == head)
        return NULL;
    list_remove(first);
    return first;
}

/* Appends all of `from`, which is empty afterwards. */
static inline void list_append_all(struct list *head, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    list_init(from);
}

#define LIST_EACH(link, head)                                                                      \
    for (struct list *link = (head)->next; link != (head); link = link->next)
/* The same where the body may remove `link`. */
#define LIST_EACH_SAFE(link, head)                                                                 \
    for (struct list *link = (head)->next, *link##_next = link->next; link != (head);              \
         link = link##_next, link##_next = link->next)

#endif
