/*
 * test_lock.c - the mutex: exclusion, sleeping, and the forking thread's way through.
 */
#include "unit.h"

#include "os/lock.h"
#include "os/tls.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct pm_lock lock = PM_LOCK_INIT;
static unsigned long counter; /* plain: only the lock protects it */
static atomic_bool entered;

static void *count(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        pm_lock(&lock);
        counter++;
        pm_unlock(&lock);
    }
    return unused;
}

START_TEST(one_thread_at_a_time)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(counter, (unsigned long)THREADS * ROUNDS);
    ck_assert_uint_eq(atomic_load(&lock.state), 0);
}
END_TEST

static void *enter(void *unused)
{
    pm_lock(&lock);
    atomic_store(&entered, true);
    pm_unlock(&lock);
    return unused;
}

START_TEST(others_sleep_until_it_is_free)
{
    pthread_t threads[2];
    pm_lock(&lock);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, enter, NULL), 0);
    while (atomic_load(&lock.state) != 2)
        unit_sleep_ms(1);
    unit_sleep_ms(20);
    ck_assert(!atomic_load(&entered));
    pm_unlock(&lock);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert(atomic_load(&entered));
    ck_assert_uint_eq(atomic_load(&lock.state), 0);
}
END_TEST

static void *is_not_forking(void *unused)
{
    UNIT_CHECK(!pm_lock_held_by_forking_thread());
    return unused;
}

START_TEST(the_forking_thread_passes)
{
    ck_assert(!pm_lock_held_by_forking_thread());
    pm_lock(&lock);
    pm_lock_set_forking_thread(pm_tls_self());
    ck_assert(pm_lock_held_by_forking_thread());
    unit_in_thread(is_not_forking, NULL);
    pm_lock(&lock); /* would never return otherwise */
    pm_unlock(&lock);
    ck_assert_uint_ne(atomic_load(&lock.state), 0);
    pm_lock_set_forking_thread(NULL);
    pm_unlock(&lock);
    ck_assert_uint_eq(atomic_load(&lock.state), 0);
}
END_TEST

START_TEST(reset_frees_it)
{
    pm_lock(&lock);
    pm_lock_reset(&lock);
    pm_lock(&lock);
    pm_unlock(&lock);
    ck_assert_uint_eq(atomic_load(&lock.state), 0);
    ck_assert_uint_eq(sizeof lock, 4);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, one_thread_at_a_time);
    tcase_add_test(tests, others_sleep_until_it_is_free);
    tcase_add_test(tests, the_forking_thread_passes);
    tcase_add_test(tests, reset_frees_it);
}

int main(void)
{
    return unit_run("lock", add);
}
