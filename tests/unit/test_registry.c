/*
 * test_registry.c - heaps are made once and used again.
 */
#include "unit.h"

#include "heap/registry.h"

START_TEST(a_returned_heap_is_the_next)
{
    struct pm_heap *first = pm_registry_obtain(NULL), *second = pm_registry_obtain(NULL);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_ne(first, second);
    ck_assert(first->in_use && second->in_use);
    ck_assert_uint_eq(pm_registry_count(), 2);
    pm_heap_check(first);
    ck_assert((char *)first->batch + PM_HEAP_BYTES >= (char *)(first->tlb + PM_TLB_SLOTS));
    pm_registry_return(first);
    ck_assert(!first->in_use);
    ck_assert_uint_eq(pm_registry_count(), 1);
    ck_assert_ptr_eq(pm_registry_obtain(NULL), first);
    pm_registry_return(second);
    pm_registry_return(first);
    ck_assert_uint_eq(pm_registry_count(), 0);
    ck_assert_ptr_eq(pm_registry_obtain(NULL), first);
    ck_assert_ptr_eq(pm_registry_obtain(NULL), second);
}
END_TEST

START_TEST(all_heaps_are_listed)
{
    struct pm_heap *heaps[3];
    for (size_t i = 0; i < 3; i++)
        heaps[i] = pm_registry_obtain(NULL);
    pm_registry_return(heaps[1]);
    pm_lock(&pm_registry_lock);
    struct pm_heap *heap = pm_registry_last_locked();
    for (size_t i = 3; i-- > 0; heap = heap->next)
        ck_assert_ptr_eq(heap, heaps[i]);
    ck_assert_ptr_null(heap);
    pm_unlock(&pm_registry_lock);
}
END_TEST

/* Its thread has ended unnoticed, and another lies in the same place. */
START_TEST(a_heap_goes_on_with_its_place)
{
    enum { THREADS = 2000 };
    static char place[THREADS][64];
    static struct pm_heap *heaps[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        heaps[i] = pm_registry_obtain(place[i]);
    for (size_t i = 0; i < THREADS; i += 3)
        pm_registry_return(heaps[i]);
    for (size_t i = 0; i < THREADS; i++) {
        if (i % 3 != 0)
            ck_assert_ptr_eq(pm_registry_obtain(place[i]), heaps[i]);
    }
    ck_assert_uint_eq(pm_registry_count(), THREADS - (THREADS + 2) / 3);
    ck_assert_ptr_ne(pm_registry_obtain(place[0]), NULL);
    ck_assert_uint_eq(pm_registry_count(), THREADS - (THREADS + 2) / 3 + 1);
}
END_TEST

START_TEST(no_memory_no_heap)
{
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    ck_assert_ptr_null(pm_registry_obtain(NULL));
    ck_assert_uint_eq(pm_registry_count(), 0);
    unit_os_heal();
    ck_assert_ptr_nonnull(pm_registry_obtain(NULL));
    ck_assert_uint_eq(pm_registry_count(), 1);
}
END_TEST

static void *come_and_go(void *unused)
{
    for (int i = 0; i < 2000; i++) {
        struct pm_heap *heap = pm_registry_obtain(NULL);
        UNIT_CHECK(heap != NULL && heap->refills == 0);
        heap->refills = 1; /* nobody else's meanwhile */
        sched_yield();
        heap->refills--;
        pm_registry_return(heap);
    }
    return unused;
}

START_TEST(a_heap_has_one_user)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(pm_registry_count(), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_returned_heap_is_the_next);
    tcase_add_test(tests, all_heaps_are_listed);
    tcase_add_test(tests, a_heap_goes_on_with_its_place);
    tcase_add_test(tests, no_memory_no_heap);
    tcase_add_test(tests, a_heap_has_one_user);
}

int main(void)
{
    return unit_run("registry", add);
}
