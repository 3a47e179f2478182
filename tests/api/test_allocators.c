/*
 * test_allocators.c - PyMem_GetAllocator and PyMem_SetAllocator: a set
 * allocator is asked by every entry point and macro of its domain, and by
 * nothing else.
 */
#include "api_test.h"

#include <pymem/pymem.h>

/* Calls that an installed allocator received, and the allocator it passes them on to. */
struct counted {
    PyMemAllocatorEx below;
    int mallocs, callocs, reallocs, frees;
    size_t last_size, last_count;
    void *last_block;
};

static void *counted_malloc(void *ctx, size_t size)
{
    struct counted *counted = ctx;
    counted->mallocs++;
    counted->last_size = size;
    return counted->below.malloc(counted->below.ctx, size);
}

static void *counted_calloc(void *ctx, size_t count, size_t size)
{
    struct counted *counted = ctx;
    counted->callocs++;
    counted->last_count = count;
    counted->last_size = size;
    return counted->below.calloc(counted->below.ctx, count, size);
}

static void *counted_realloc(void *ctx, void *block, size_t size)
{
    struct counted *counted = ctx;
    counted->reallocs++;
    counted->last_block = block;
    counted->last_size = size;
    return counted->below.realloc(counted->below.ctx, block, size);
}

static void counted_free(void *ctx, void *block)
{
    struct counted *counted = ctx;
    counted->frees++;
    counted->last_block = block;
    counted->below.free(counted->below.ctx, block);
}

static void install(PyMemAllocatorDomain domain, struct counted *counted)
{
    memset(counted, 0, sizeof *counted);
    PyMem_GetAllocator(domain, &counted->below);
    PyMemAllocatorEx allocator = {counted, counted_malloc, counted_calloc, counted_realloc,
                                  counted_free};
    PyMem_SetAllocator(domain, &allocator);
}

static void remove_from(PyMemAllocatorDomain domain, struct counted *counted)
{
    PyMem_SetAllocator(domain, &counted->below);
}

static void check_counts(const struct counted *counted, int mallocs, int callocs, int reallocs,
                         int frees)
{
    ck_assert_int_eq(counted->mallocs, mallocs);
    ck_assert_int_eq(counted->callocs, callocs);
    ck_assert_int_eq(counted->reallocs, reallocs);
    ck_assert_int_eq(counted->frees, frees);
}

static bool same_allocator(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

static const PyMemAllocatorDomain all_domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM,
                                                   PYMEM_DOMAIN_OBJ};

/* One call of each kind through the entry points of one domain. */
#define USE_ENTRY_POINTS(prefix, counted)                                                          \
    do {                                                                                           \
        void *block_ = prefix##Malloc(100);                                                        \
        ck_assert_ptr_nonnull(block_);                                                             \
        check_counts(counted, 1, 0, 0, 0);                                                         \
        ck_assert_uint_eq((counted)->last_size, 100);                                              \
        void *before_ = opaque_pointer(block_);                                                    \
        block_ = prefix##Realloc(block_, 5000);                                                    \
        ck_assert_ptr_nonnull(block_);                                                             \
        check_counts(counted, 1, 0, 1, 0);                                                         \
        ck_assert_ptr_eq((counted)->last_block, before_);                                          \
        ck_assert_uint_eq((counted)->last_size, 5000);                                             \
        prefix##Free(block_);                                                                      \
        check_counts(counted, 1, 0, 1, 1);                                                         \
        ck_assert_ptr_eq((counted)->last_block, opaque_pointer(block_));                           \
        block_ = prefix##Calloc(3, 70);                                                            \
        ck_assert_ptr_nonnull(block_);                                                             \
        check_counts(counted, 1, 1, 1, 1);                                                         \
        ck_assert_uint_eq((counted)->last_count, 3);                                               \
        ck_assert_uint_eq((counted)->last_size, 70);                                               \
        prefix##Free(block_);                                                                      \
        block_ = prefix##Realloc(NULL, 10);                                                        \
        ck_assert_ptr_nonnull(block_);                                                             \
        prefix##Free(block_);                                                                      \
        check_counts(counted, 1, 1, 2, 3);                                                         \
    } while (0)

START_TEST(default_allocators_work_when_called)
{
    for (size_t i = 0; i < COUNT_OF(all_domains); i++) {
        PyMemAllocatorEx own;
        PyMem_GetAllocator(all_domains[i], &own);
        ck_assert(own.malloc != NULL && own.calloc != NULL && own.realloc != NULL);
        ck_assert(own.free != NULL);
        void *block = own.malloc(own.ctx, opaque_size(0));
        ck_assert(block != NULL && pymem_owns(block));
        block = own.realloc(own.ctx, block, 3000);
        ck_assert(block != NULL && pymem_usable_size(block) >= 3000);
        block = own.realloc(own.ctx, block, opaque_size(0));
        ck_assert_ptr_nonnull(block);
        own.free(own.ctx, block);
        unsigned char *zeros = own.calloc(own.ctx, 10, 30);
        ck_assert(zeros != NULL && all_zero(zeros, 300));
        own.free(own.ctx, zeros);
        own.free(own.ctx, NULL);
        ck_assert_refused(own.malloc(own.ctx, opaque_size(SIZE_MAX)));
        ck_assert_refused(own.calloc(own.ctx, opaque_size(SIZE_MAX), 2));
    }
}
END_TEST

START_TEST(raw_entry_points_ask_the_set_allocator)
{
    struct counted counted;
    install(PYMEM_DOMAIN_RAW, &counted);
    USE_ENTRY_POINTS(PyMem_Raw, &counted);
    remove_from(PYMEM_DOMAIN_RAW, &counted);
    PyMem_RawFree(PyMem_RawMalloc(10));
    check_counts(&counted, 1, 1, 2, 3);
}
END_TEST

START_TEST(mem_entry_points_ask_the_set_allocator)
{
    struct counted counted;
    install(PYMEM_DOMAIN_MEM, &counted);
    USE_ENTRY_POINTS(PyMem_, &counted);
    remove_from(PYMEM_DOMAIN_MEM, &counted);
    PyMem_Free(PyMem_Malloc(10));
    check_counts(&counted, 1, 1, 2, 3);
}
END_TEST

START_TEST(obj_entry_points_ask_the_set_allocator)
{
    struct counted counted;
    install(PYMEM_DOMAIN_OBJ, &counted);
    USE_ENTRY_POINTS(PyObject_, &counted);
    remove_from(PYMEM_DOMAIN_OBJ, &counted);
    PyObject_Free(PyObject_Malloc(10));
    check_counts(&counted, 1, 1, 2, 3);
}
END_TEST

START_TEST(macros_ask_the_set_allocator)
{
    struct counted counted;
    install(PYMEM_DOMAIN_MEM, &counted);
    long *numbers = PyMem_New(long, 10);
    check_counts(&counted, 1, 0, 0, 0);
    ck_assert_uint_eq(counted.last_size, 10 * sizeof(long));
    PyMem_Resize(numbers, long, 20);
    check_counts(&counted, 1, 0, 1, 0);
    ck_assert_uint_eq(counted.last_size, 20 * sizeof(long));
    PyMem_Del(numbers);
    check_counts(&counted, 1, 0, 1, 1);

    numbers = PyMem_NEW(long, 30);
    check_counts(&counted, 2, 0, 1, 1);
    PyMem_RESIZE(numbers, long, 40);
    check_counts(&counted, 2, 0, 2, 1);
    PyMem_DEL(numbers);
    check_counts(&counted, 2, 0, 2, 2);

    void *buffer = PyMem_MALLOC(50);
    check_counts(&counted, 3, 0, 2, 2);
    buffer = PyMem_REALLOC(buffer, 60);
    check_counts(&counted, 3, 0, 3, 2);
    PyMem_FREE(buffer);
    check_counts(&counted, 3, 0, 3, 3);
    remove_from(PYMEM_DOMAIN_MEM, &counted);
}
END_TEST

/* As CPython: what exceeds PY_SSIZE_T_MAX does not reach the allocator. */
START_TEST(too_big_never_reaches_the_set_allocator)
{
    for (size_t i = 0; i < COUNT_OF(all_domains); i++) {
        struct counted counted;
        const size_t big = opaque_size((size_t)PY_SSIZE_T_MAX + 1);
        install(all_domains[i], &counted);
        if (all_domains[i] == PYMEM_DOMAIN_RAW) {
            ck_assert_refused(PyMem_RawMalloc(big));
            ck_assert_refused(PyMem_RawCalloc(big, 2));
            ck_assert_refused(PyMem_RawRealloc(NULL, big));
        } else if (all_domains[i] == PYMEM_DOMAIN_MEM) {
            ck_assert_refused(PyMem_Malloc(big));
            ck_assert_refused(PyMem_Calloc(big, 2));
            ck_assert_refused(PyMem_Realloc(NULL, big));
        } else {
            ck_assert_refused(PyObject_Malloc(big));
            ck_assert_refused(PyObject_Calloc(big, 2));
            ck_assert_refused(PyObject_Realloc(NULL, big));
        }
        check_counts(&counted, 0, 0, 0, 0);
        remove_from(all_domains[i], &counted);
    }
}
END_TEST

START_TEST(domains_and_malloc_are_independent)
{
    struct counted raw, mem, obj;
    install(PYMEM_DOMAIN_RAW, &raw);
    install(PYMEM_DOMAIN_MEM, &mem);
    install(PYMEM_DOMAIN_OBJ, &obj);
    free(opaque_pointer(malloc(100)));
    free(opaque_pointer(calloc(100, 1)));
    check_counts(&raw, 0, 0, 0, 0);
    PyMem_RawFree(PyMem_RawMalloc(1));
    check_counts(&raw, 1, 0, 0, 1);
    check_counts(&mem, 0, 0, 0, 0);
    PyMem_Free(PyMem_Malloc(1));
    check_counts(&mem, 1, 0, 0, 1);
    check_counts(&obj, 0, 0, 0, 0);
    PyObject_Free(PyObject_Malloc(1));
    check_counts(&obj, 1, 0, 0, 1);
    check_counts(&raw, 1, 0, 0, 1);
    check_counts(&mem, 1, 0, 0, 1);
    remove_from(PYMEM_DOMAIN_OBJ, &obj);
    remove_from(PYMEM_DOMAIN_MEM, &mem);
    remove_from(PYMEM_DOMAIN_RAW, &raw);
}
END_TEST

START_TEST(get_returns_what_was_set)
{
    for (size_t i = 0; i < COUNT_OF(all_domains); i++) {
        PyMemAllocatorEx original, mine, seen;
        PyMem_GetAllocator(all_domains[i], &original);
        struct counted counted = {.below = original};
        mine = (PyMemAllocatorEx){&counted, counted_malloc, counted_calloc, counted_realloc,
                                  counted_free};
        PyMem_SetAllocator(all_domains[i], &mine);
        PyMem_GetAllocator(all_domains[i], &seen);
        ck_assert(same_allocator(&seen, &mine));
        PyMem_SetAllocator(all_domains[i], &original);
        PyMem_GetAllocator(all_domains[i], &seen);
        ck_assert(same_allocator(&seen, &original));
    }
}
END_TEST

START_TEST(the_callers_struct_is_copied)
{
    struct counted counted = {0};
    PyMemAllocatorEx mine;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &counted.below);
    mine =
        (PyMemAllocatorEx){&counted, counted_malloc, counted_calloc, counted_realloc, counted_free};
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &mine);
    memset(&mine, 0, sizeof mine);
    PyMem_Free(PyMem_Malloc(20));
    check_counts(&counted, 1, 0, 0, 1);
    remove_from(PYMEM_DOMAIN_MEM, &counted);
}
END_TEST

START_TEST(unknown_domains_are_ignored)
{
    static const int unknown[] = {-1, 3, 4, 1000, -2147483647 - 1, 2147483647};
    PyMemAllocatorEx before[COUNT_OF(all_domains)], after;
    for (size_t i = 0; i < COUNT_OF(all_domains); i++)
        PyMem_GetAllocator(all_domains[i], &before[i]);
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        PyMemAllocatorDomain domain = (PyMemAllocatorDomain)unknown[i];
        struct counted counted = {.below = before[0]};
        PyMemAllocatorEx mine = {&counted, counted_malloc, counted_calloc, counted_realloc,
                                 counted_free};
        PyMem_SetAllocator(domain, &mine);
        memset(&after, 0x11, sizeof after);
        PyMem_GetAllocator(domain, &after);
        ck_assert_ptr_null(after.ctx);
        ck_assert(after.malloc == NULL && after.calloc == NULL);
        ck_assert(after.realloc == NULL && after.free == NULL);
    }
    for (size_t i = 0; i < COUNT_OF(all_domains); i++) {
        PyMem_GetAllocator(all_domains[i], &after);
        ck_assert(same_allocator(&after, &before[i]));
    }
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"default_allocators_work_when_called", default_allocators_work_when_called},
        {"raw_entry_points_ask_the_set_allocator", raw_entry_points_ask_the_set_allocator},
        {"mem_entry_points_ask_the_set_allocator", mem_entry_points_ask_the_set_allocator},
        {"obj_entry_points_ask_the_set_allocator", obj_entry_points_ask_the_set_allocator},
        {"macros_ask_the_set_allocator", macros_ask_the_set_allocator},
        {"too_big_never_reaches_the_set_allocator", too_big_never_reaches_the_set_allocator},
        {"domains_and_malloc_are_independent", domains_and_malloc_are_independent},
        {"get_returns_what_was_set", get_returns_what_was_set},
        {"the_callers_struct_is_copied", the_callers_struct_is_copied},
        {"unknown_domains_are_ignored", unknown_domains_are_ignored},
    };
    return RUN_TESTS("allocators", tests);
}
