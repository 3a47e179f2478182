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

static inline void turn_free(struct pm_heap *heap, void *block, const char *call)
{
    pm_turn_free(heap, heap->tlb_at, block, call);
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
    turn_free(serving(), block, "PyObject_Free");
    end_turn();
}

/* A thread that makes an object, and does what else is asked of it. */
struct helper {
    pthread_t thread;
    pthread_barrier_t step;
    void *given, *made;
    struct pm_heap *heap, *common, *without_asking;
};

static inline void *help(void *argument)
{
    struct helper *helper = argument;
    helper->made = object(40);
    if (helper->given != NULL)
        drop(helper->given);
    helper->heap = pm_tls_heap;
    helper->common = pm_tls_heap->common;
    helper->without_asking = pm_tls_common;
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

/* A thread that makes objects after its end as far as its own heap is concerned. */
static pthread_key_t late_key;
static struct pm_pool *late_pool; /* of the last one, which stays */

static inline void call_late(void *times)
{
    if (*(int *)times != 0) {
        --*(int *)times;
        pthread_setspecific(late_key, times);
        return;
    }
    UNIT_CHECK(pm_tls_heap == &pm_heap_ended && pm_tls_common == &pm_heap_none);
    for (size_t size = 8; size < 3000; size += size / 2)
        drop(object(size));
    late_pool = unit_pool_of(object(40));
    UNIT_CHECK(pm_tls_heap == &pm_heap_ended && pm_tls_common == &pm_heap_none);
}

static inline void *live_and_end(void *times)
{
    pm_free(pm_alloc(40), "free");
    drop(object(40));
    pthread_setspecific(late_key, times);
    return NULL;
}

static inline void end_late(void)
{
    int times = 2;
    ck_assert_int_eq(pthread_key_create(&late_key, call_late), 0);
    unit_in_thread(live_and_end, &times);
}

static inline bool late_pool_is_of(const struct pm_heap *heap)
{
    ck_assert_ptr_nonnull(late_pool);
    return pm_pool_is_owned_by(late_pool, heap);
}

enum { HOLED = 400, HOLED_SIZE = 100 };
static void *holed[HOLED]; /* the first one stays */

/* Free pages behind a block in use. */
static inline void make_holes(void)
{
    for (size_t i = 0; i < HOLED; i++)
        holed[i] = object(HOLED_SIZE);
    for (size_t i = 1; i < HOLED; i++)
        drop(holed[i]);
}

#endif /* TESTS_UNIT_TURNS_H */
