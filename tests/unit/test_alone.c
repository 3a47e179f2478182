/*
 * test_alone.c - a process with one thread, and with two: what is known of that, and that words
 * change the same way.
 */
#include "unit.h"

#include "os/alone.h"
#include "os/lock.h"

static void change_words(void)
{
    _Atomic uint32_t word = 3;
    ck_assert(!PM_ALONE_CHANGE(&word, 4, 5));
    ck_assert_uint_eq(word, 3);
    ck_assert(PM_ALONE_CHANGE(&word, 3, 5));
    ck_assert_uint_eq(word, 5);
    _Atomic uint64_t longer = (uint64_t)1 << 40;
    ck_assert(!PM_ALONE_CHANGE(&longer, 0, 1));
    ck_assert(PM_ALONE_CHANGE(&longer, (uint64_t)1 << 40, (uint64_t)1 << 41));
    ck_assert_uint_eq(longer, (uint64_t)1 << 41);
}

START_TEST(words_change_if_they_are_what_they_are_said_to_be)
{
    change_words();
}
END_TEST

static void count(void)
{
    static _Atomic size_t counter;
    counter = 7;
    ck_assert_uint_eq(pm_count_up(&counter, 5), 12);
    ck_assert_uint_eq(pm_count_up(&counter, -(size_t)2), 10);
    ck_assert_uint_eq(counter, 10);
}

static void *count_beside_another(void *unused)
{
    ck_assert(!pm_alone());
    count();
    return unused;
}

START_TEST(counters_count_alone_or_not)
{
    count();
    unit_in_thread(count_beside_another, NULL);
}
END_TEST

static struct pm_lock lock = PM_LOCK_INIT;

static void *find_it_held(void *unused)
{
    ck_assert(!pm_trylock(&lock));
    return unused;
}

/* As where a replaced provider starts a thread: it is called with a lock held. */
START_TEST(a_lock_taken_alone_is_held_for_a_thread_that_comes)
{
    pm_lock(&lock);
    ck_assert(!pm_trylock(&lock));
    unit_in_thread(find_it_held, NULL);
    pm_unlock(&lock);
    ck_assert(pm_trylock(&lock));
    pm_unlock(&lock);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, words_change_if_they_are_what_they_are_said_to_be);
    tcase_add_test(tests, counters_count_alone_or_not);
    tcase_add_test(tests, a_lock_taken_alone_is_held_for_a_thread_that_comes);
}

int main(void)
{
    return unit_run("alone", add);
}
