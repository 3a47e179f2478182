/*
 * test_provider.c - replaced arena allocators: asked with their context, given
 * back what is theirs, served by the system when they allocate themselves.
 */
#include "unit.h"

#include "arena/arena.h"
#include "arena/provider.h"
#include "arena/purge.h"
#include "arena/spans.h"

static struct pm_provider system_provider;
static int context;
static unsigned long asked, given;
static bool nested, ticks;

static void *take(void *ctx, size_t size)
{
    UNIT_CHECK(ctx == &context);
    asked++;
    if (nested) {
        struct pm_provider inner;
        void *memory = pm_provider_obtain(PM_SLICE, &inner);
        UNIT_CHECK(memory != NULL && pm_provider_is_system(&inner));
        pm_provider_release(&inner, memory, PM_SLICE);
    }
    if (ticks) { /* an empty arena that would go */
        unsigned long before = given;
        UNIT_CHECK(pm_purge_empty_arenas(0) == 0 && given == before);
    }
    return pm_os_memory.map(size);
}

static void give(void *ctx, void *start, size_t size)
{
    UNIT_CHECK(ctx == &context);
    pm_os_memory.unmap(start, size);
    errno = EBUSY;
    if (nested && given == 0) { /* what it frees may give an arena back as well */
        struct pm_provider outer = {&context, take, give};
        given++;
        errno = 0;
        pm_provider_release(&outer, pm_os_memory.map(size), size);
        UNIT_CHECK(errno == 0);
    }
    given++;
}

static void *refuse(void *ctx, size_t size)
{
    (void)ctx;
    (void)size;
    return NULL;
}

static void setup(void)
{
    pm_provider_get(&system_provider);
    struct pm_provider own = {&context, take, give};
    pm_provider_set(&own);
}

START_TEST(the_system_is_known)
{
    struct pm_provider present;
    ck_assert(pm_provider_is_system(&system_provider));
    pm_provider_get(&present);
    ck_assert(!pm_provider_is_system(&present));
    ck_assert_ptr_eq(present.context, &context);
    pm_provider_set(&system_provider);
    pm_provider_get(&present);
    ck_assert(pm_provider_is_system(&present));
}
END_TEST

START_TEST(memory_goes_back_where_it_came_from)
{
    struct pm_provider from;
    void *memory = pm_provider_obtain(PM_MIB, &from);
    ck_assert_ptr_nonnull(memory);
    ck_assert_uint_eq(asked, 1);
    pm_provider_set(&system_provider);
    errno = 0;
    pm_provider_release(&from, memory, PM_MIB);
    ck_assert_int_eq(errno, 0);
    ck_assert_uint_eq(given, 1);

    memory = pm_provider_obtain(PM_MIB, &from);
    ck_assert(unit_is_zero(memory, PM_MIB));
    pm_provider_release(&from, memory, PM_MIB);
    ck_assert_uint_eq(asked + given, 2);
}
END_TEST

START_TEST(a_provider_may_allocate)
{
    struct pm_provider from;
    nested = true;
    void *memory = pm_provider_obtain(PM_MIB, &from);
    ck_assert_ptr_nonnull(memory);
    ck_assert(!pm_provider_is_system(&from));
    errno = 0;
    pm_provider_release(&from, memory, PM_MIB);
    ck_assert_int_eq(errno, 0);
    ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(a_refusal_is_a_refusal)
{
    struct pm_provider none = {NULL, refuse, give}, from;
    struct pm_span span;
    pm_provider_set(&none);
    ck_assert_ptr_null(pm_provider_obtain(PM_MIB, &from));
    ck_assert(!pm_spans_take(&span, PM_SPAN_LARGE, 1, PM_SLICE));
    ck_assert(!pm_spans_take_dedicated(&span, PM_DEDICATED_MIN, PM_SLICE, true));
    pm_provider_set(&system_provider);
    ck_assert(pm_spans_take(&span, PM_SPAN_LARGE, 1, PM_SLICE));
}
END_TEST

START_TEST(arenas_come_from_it_and_are_never_called_zeroed)
{
    struct pm_span span;
    ck_assert(pm_spans_take(&span, PM_SPAN_LARGE, 1, PM_SLICE));
    ck_assert_uint_eq(span.clean, 0);
    ck_assert_ptr_eq(span.arena->provider.context, &context);
    ck_assert(!pm_spans_remap(&span, 40 * PM_MIB));
    pm_spans_give(&span);
    ck_assert_uint_ne(pm_purge_empty_arenas(0), 0);
    ck_assert_uint_gt(asked, 0);
    ck_assert_uint_eq(asked, given);
}
END_TEST

START_TEST(no_arena_goes_while_another_is_asked_for)
{
    struct pm_span span, larger;
    ck_assert(pm_spans_take(&span, PM_SPAN_LARGE, 1, PM_SLICE));
    pm_spans_give(&span);
    ticks = true;
    ck_assert(pm_spans_take(&larger, PM_SPAN_LARGE, 20 * PM_MIB / PM_SLICE, PM_SLICE));
    ck_assert_uint_eq(asked, 2);
    ck_assert_uint_eq(given, 0);
    ck_assert_uint_ne(pm_purge_empty_arenas(0), 0);
    ck_assert_uint_eq(given, 1);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_system_is_known);
    tcase_add_test(tests, memory_goes_back_where_it_came_from);
    tcase_add_test(tests, a_provider_may_allocate);
    tcase_add_test(tests, a_refusal_is_a_refusal);
    tcase_add_test(tests, no_arena_goes_while_another_is_asked_for);
    tcase_add_test(tests, arenas_come_from_it_and_are_never_called_zeroed);
}

int main(void)
{
    return unit_run("provider", add);
}
