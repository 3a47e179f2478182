/*
 * turns.h - threads whose calls come one at a time, as under an interpreter's lock: what the tests
 * of the heap that they have in common share.
 */
#ifndef TESTS_UNIT_TURNS_H
#define TESTS_UNIT_TURNS_H

#include "pools.h"

#include "arena/purge.h"
#include "heap/common.h"
#include "heap/thread.h"
#include "heap/turns.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* the interpreter's lock */
static __thread bool has_turn;
static struct pm_heap *granted; /* NULL: threads ask */

static inline bool is_turn(void)
{
    return has_turn;
}

static inline void take_turn(void)
{
    pthread_mutex_lock(&turn);
    has_turn = true;
}

static inline void end_turn(void)
{
    has_turn = false;
    pthread_mutex_unlock(&turn);
}

static inline void setup(void)
{
    pm_purge_set_decay(-1);
}

/* Whoever calls has the lock. */
static inline void grant(void)
{
    granted = pm_common_grant(is_turn);
    ck_assert_ptr_nonnull(granted);
}

/* Threads ask, all but the first; */
static inline void let_ask(void)
{
    pm_common_let_ask(is_turn, 1);
}

/* some tests are made with both. */
static inline void set_up(int ask)
{
    if (ask)
        let_ask();
    else
        grant();
}

/* As the domains' functions find it. */
static inline struct pm_heap *serving(void)
{
    return granted != NULL ? granted : pm_tls_common;
}

/* The heap that has what this thread takes in its turn. */
static inline struct pm_heap *used(void)
{
    return granted != NULL ? granted : pm_tls_heap->common;
}

static inline void *object(size_t size)
{
    take_turn();
    void *block = pm_turn_alloc_object(serving(), size);
    end_turn();
    UNIT_CHECK(block != NULL);
    return block;
}

static inline void drop(void *block)
{
    take_turn();
    pm_turn_free(serving(), block, "PyObject_Free");
    end_turn();
}

/* A thread that makes an object, and does what else is asked of it. */
struct helper {
    pthread_t thread;
    pthread_barrier_t step;
    void *given, *made;
    struct pm_heap *heap, *common;
};

static inline void *help(void *argument)
{
    struct helper *helper = argument;
    helper->made = object(40);
    if (helper->given != NULL)
        drop(helper->given);
    helper->heap = pm_tls_heap;
    helper->common = pm_tls_heap->common;
    pthread_barrier_wait(&helper->step);
    pthread_barrier_wait(&helper->step);
    return NULL;
}

static inline void begin(struct helper *helper, void *given)
{
    *helper = (struct helper){.given = given};
    ck_assert_int_eq(pthread_barrier_init(&helper->step, NULL, 2), 0);
    ck_assert_int_eq(pthread_create(&helper->thread, NULL, help, helper), 0);
    pthread_barrier_wait(&helper->step);
}

static inline void end(struct helper *helper)
{
    pthread_barrier_wait(&helper->step);
    ck_assert_int_eq(pthread_join(helper->thread, NULL), 0);
}

#endif /* TESTS_UNIT_TURNS_H */
