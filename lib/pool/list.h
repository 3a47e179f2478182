/*
 * list.h - pools in the order in which they came.
 *
 * The places form a ring that the list's own closes, so that the first and the last pool are no
 * special cases: where a pool stands is as good as random, and a branch on it would be foreseen
 * as badly.
 */
#ifndef PM_POOL_LIST_H
#define PM_POOL_LIST_H

#include "pool/pool.h"

struct pm_pool_list {
    struct pm_pool_place ends; /* the first pool is next, the last one before */
};

PM_INLINE void pm_list_clear(struct pm_pool_list *list)
{
    list->ends.next = list->ends.prev = &list->ends;
}

PM_INLINE bool pm_list_is_empty(const struct pm_pool_list *list)
{
    return list->ends.next == &list->ends;
}

/* The pool that stands there; NULL if that is the list's own place. */
PM_INLINE struct pm_pool *pm_list_at(const struct pm_pool_list *list, struct pm_pool_place *place)
{
    if (place == &list->ends)
        return NULL;
    return (struct pm_pool *)((char *)place - offsetof(struct pm_pool, place));
}

/* NULL when there is none. */
PM_INLINE struct pm_pool *pm_list_first(const struct pm_pool_list *list)
{
    return pm_list_at(list, list->ends.next);
}

PM_INLINE struct pm_pool *pm_list_last(const struct pm_pool_list *list)
{
    return pm_list_at(list, list->ends.prev);
}

PM_INLINE struct pm_pool *pm_list_next(const struct pm_pool_list *list, const struct pm_pool *pool)
{
    return pm_list_at(list, pool->place.next);
}

PM_INLINE struct pm_pool *pm_list_before(const struct pm_pool_list *list,
                                         const struct pm_pool *pool)
{
    return pm_list_at(list, pool->place.prev);
}

PM_INLINE void pm_list_put_behind(struct pm_pool_place *before, struct pm_pool *pool)
{
    pool->place.prev = before;
    pool->place.next = before->next;
    before->next->prev = &pool->place;
    before->next = &pool->place;
}

PM_INLINE void pm_list_prepend(struct pm_pool_list *list, struct pm_pool *pool)
{
    pm_list_put_behind(&list->ends, pool);
}

PM_INLINE void pm_list_append(struct pm_pool_list *list, struct pm_pool *pool)
{
    pm_list_put_behind(list->ends.prev, pool);
}

/* The pools before `pool` come after all others from now on. */
PM_INLINE void pm_list_begin_with(struct pm_pool_list *list, struct pm_pool *pool)
{
    struct pm_pool_place *ends = &list->ends;
    ends->prev->next = ends->next;
    ends->next->prev = ends->prev;
    ends->prev = pool->place.prev;
    ends->next = &pool->place;
    pool->place.prev->next = ends;
    pool->place.prev = ends;
}

/* Those of `more` come after all others, and `more` is to be cleared before it is used again. */
PM_INLINE void pm_list_join(struct pm_pool_list *list, struct pm_pool_list *more)
{
    if (pm_list_is_empty(more))
        return;
    more->ends.next->prev = list->ends.prev;
    more->ends.prev->next = &list->ends;
    list->ends.prev->next = more->ends.next;
    list->ends.prev = more->ends.prev;
}

/* Of whichever list it is in. */
PM_INLINE void pm_list_take_out(struct pm_pool *pool)
{
    pool->place.prev->next = pool->place.next;
    pool->place.next->prev = pool->place.prev;
}

#endif /* PM_POOL_LIST_H */
