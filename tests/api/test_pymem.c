/*
 * test_pymem.c - the contract of PyMem_Raw*, PyMem_* and PyObject_*: every
 * line of CPython's "Memory Management" chapter, for each domain.
 */
#include "api_test.h"

#include <malloc.h>
#include <pymem/pymem.h>

struct domain {
    const char *name;
    PyMemAllocatorDomain id;
    void *(*allocate)(size_t size);
    void *(*zeroed)(size_t count, size_t size);
    void *(*resize)(void *block, size_t size);
    void (*release)(void *block);
};

static const struct domain domains[] = {
    {"raw", PYMEM_DOMAIN_RAW, PyMem_RawMalloc, PyMem_RawCalloc, PyMem_RawRealloc, PyMem_RawFree},
    {"mem", PYMEM_DOMAIN_MEM, PyMem_Malloc, PyMem_Calloc, PyMem_Realloc, PyMem_Free},
    {"obj", PYMEM_DOMAIN_OBJ, PyObject_Malloc, PyObject_Calloc, PyObject_Realloc, PyObject_Free},
};

#define FOR_EACH_DOMAIN(d)                                                                         \
    for (const struct domain *d = domains; d < domains + COUNT_OF(domains); d++)

static const size_t sizes[] = {1,    8,    16,       17,        100,     512,     513,
                               1000, 4096, 40 * KIB, 300 * KIB, 3 * MIB, 40 * MIB};

START_TEST(zero_bytes_give_a_distinct_block)
{
    FOR_EACH_DOMAIN(d)
    {
        enum { BLOCKS = 60 };
        void *blocks[BLOCKS];
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = i % 3 == 0   ? d->allocate(opaque_size(0))
                        : i % 3 == 1 ? d->zeroed(opaque_size(0), 8)
                                     : d->zeroed(8, opaque_size(0));
            ck_assert_ptr_nonnull(blocks[i]);
            ck_assert(pymem_owns(blocks[i]));
            /* As if one byte had been asked for. */
            ck_assert_uint_ge(pymem_usable_size(blocks[i]), 1);
            if (i % 3 != 0)
                ck_assert_int_eq(*(char *)blocks[i], 0);
            *(char *)blocks[i] = (char)i;
            for (size_t j = 0; j < i; j++)
                ck_assert_ptr_ne(blocks[i], blocks[j]);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            ck_assert_int_eq(*(char *)blocks[i], (char)i);
            d->release(blocks[i]);
        }
    }
}
END_TEST

START_TEST(realloc_to_zero_resizes)
{
    FOR_EACH_DOMAIN(d)
    {
        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            char *block = d->allocate(sizes[s]);
            ck_assert_ptr_nonnull(block);
            block[0] = 42;
            block = d->resize(block, opaque_size(0));
            ck_assert_ptr_nonnull(block);
            ck_assert(pymem_owns(block));
            block = d->resize(block, sizes[s]);
            ck_assert_ptr_nonnull(block);
            block[sizes[s] - 1] = 1;
            d->release(block);
        }
    }
}
END_TEST

START_TEST(realloc_of_null_allocates)
{
    FOR_EACH_DOMAIN(d)
    {
        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            char *block = d->resize(NULL, sizes[s]);
            ck_assert(block != NULL && pymem_owns(block));
            ck_assert_uint_ge(pymem_usable_size(block), sizes[s]);
            block[sizes[s] - 1] = 1;
            d->release(block);
        }
        void *one = d->resize(NULL, opaque_size(0)), *two = d->resize(NULL, opaque_size(0));
        ck_assert(one != NULL && two != NULL && one != two);
        d->release(one);
        d->release(two);
    }
}
END_TEST

START_TEST(realloc_keeps_contents)
{
    FOR_EACH_DOMAIN(d)
    {
        for (size_t from = 0; from < COUNT_OF(sizes); from++) {
            for (size_t to = 0; to < COUNT_OF(sizes); to++) {
                size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
                void *block = d->allocate(sizes[from]);
                ck_assert_ptr_nonnull(block);
                pattern_fill(block, sizes[from] < MIB ? sizes[from] : MIB, 3);
                block = d->resize(block, sizes[to]);
                ck_assert_ptr_nonnull(block);
                ck_assert(pattern_intact(block, kept < MIB ? kept : MIB, 3));
                d->release(block);
            }
        }
    }
}
END_TEST

START_TEST(failure_leaves_the_block)
{
    static const size_t refused[] = {(size_t)PY_SSIZE_T_MAX, (size_t)PY_SSIZE_T_MAX + 1, SIZE_MAX,
                                     (size_t)1 << 60};
    FOR_EACH_DOMAIN(d)
    {
        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            void *block = d->allocate(sizes[s]);
            ck_assert_ptr_nonnull(block);
            pattern_fill(block, sizes[s], 12);
            size_t usable = pymem_usable_size(block);
            for (size_t i = 0; i < COUNT_OF(refused); i++)
                ck_assert_refused(d->resize(block, opaque_size(refused[i])));
            ck_assert(pymem_owns(block));
            ck_assert_uint_eq(pymem_usable_size(block), usable);
            ck_assert(pattern_intact(block, sizes[s], 12));
            d->release(block);
        }
    }
}
END_TEST

START_TEST(too_big_is_refused)
{
    const size_t most = (size_t)PY_SSIZE_T_MAX;
    FOR_EACH_DOMAIN(d)
    {
        ck_assert_refused(d->allocate(opaque_size(most)));
        ck_assert_refused(d->allocate(opaque_size(most + 1)));
        ck_assert_refused(d->allocate(opaque_size(SIZE_MAX)));
        ck_assert_refused(d->resize(NULL, opaque_size(most + 1)));
        ck_assert_refused(d->zeroed(1, opaque_size(most + 1)));
        ck_assert_refused(d->zeroed(opaque_size(most + 1), 1));
        ck_assert_refused(d->zeroed(opaque_size(most / 2 + 1), 2));
        ck_assert_refused(d->zeroed(opaque_size(SIZE_MAX / 2 + 1), 2));
        ck_assert_refused(d->zeroed(opaque_size((size_t)1 << 32), opaque_size((size_t)1 << 32)));
        ck_assert_refused(d->zeroed(opaque_size(SIZE_MAX), opaque_size(SIZE_MAX)));
    }
}
END_TEST

START_TEST(calloc_is_zero)
{
    FOR_EACH_DOMAIN(d)
    {
        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            void *dirty = d->allocate(sizes[s]);
            ck_assert_ptr_nonnull(dirty);
            memset(dirty, 0xdb, sizes[s]);
            d->release(dirty);
            unsigned char *clean = d->zeroed(sizes[s], 1);
            ck_assert(clean != NULL && all_zero(clean, sizes[s]));
            d->release(clean);
            clean = d->zeroed(3, sizes[s]);
            ck_assert(clean != NULL && all_zero(clean, 3 * sizes[s]));
            d->release(clean);
        }
    }
}
END_TEST

START_TEST(blocks_are_aligned_to_16)
{
    FOR_EACH_DOMAIN(d)
    {
        for (size_t size = 0; size <= 3000; size++) {
            void *first = d->allocate(size), *second = d->zeroed(1, size);
            ck_assert(aligned_to(first, 16) && aligned_to(second, 16));
            first = d->resize(first, size * 2);
            ck_assert(first != NULL && aligned_to(first, 16));
            d->release(first);
            d->release(second);
        }
    }
}
END_TEST

START_TEST(free_of_null_and_errno)
{
    FOR_EACH_DOMAIN(d)
    {
        errno = 4711;
        d->release(NULL);
        for (size_t s = 0; s < COUNT_OF(sizes); s++)
            d->release(d->allocate(sizes[s]));
        ck_assert_int_eq(errno, 4711);
    }
}
END_TEST

/* One heap: a block of one domain, or of malloc, may go through any other's calls. */
START_TEST(domains_and_malloc_share_the_heap)
{
    FOR_EACH_DOMAIN(d)
    {
        FOR_EACH_DOMAIN(other)
        {
            void *block = d->allocate(100);
            ck_assert_ptr_nonnull(block);
            pattern_fill(block, 100, 1);
            block = other->resize(block, 5000);
            ck_assert(block != NULL && pattern_intact(block, 100, 1));
            ck_assert_uint_eq(malloc_usable_size(block), pymem_usable_size(block));
            free(block);
            block = malloc(64);
            ck_assert(block != NULL && pymem_owns(block));
            other->release(block);
        }
    }
}
END_TEST

struct odd {
    char bytes[24];
};

START_TEST(new_and_resize_check_the_product)
{
    const size_t most = (size_t)PY_SSIZE_T_MAX / sizeof(struct odd);
    struct odd *block = PyMem_New(struct odd, 10);
    ck_assert(block != NULL && pymem_usable_size(block) >= 10 * sizeof(struct odd));
    pattern_fill(block, 10 * sizeof(struct odd), 2);
    ck_assert_ptr_null(PyMem_New(struct odd, opaque_size(most + 1)));
    ck_assert_ptr_null(PyMem_NEW(struct odd, opaque_size(most + 1)));
    ck_assert_ptr_null(PyMem_New(struct odd, opaque_size(SIZE_MAX)));
    /* The product wraps around to 8. */
    ck_assert_ptr_null(PyMem_New(struct odd, opaque_size(SIZE_MAX / 24 + 1)));
    ck_assert_refused(PyMem_New(struct odd, opaque_size(most)));

    struct odd *kept = block;
    PyMem_Resize(block, struct odd, opaque_size(most + 1));
    ck_assert_ptr_null(block);
    block = kept;
    PyMem_RESIZE(block, struct odd, opaque_size(SIZE_MAX / 24 + 1));
    ck_assert_ptr_null(block);
    ck_assert(pymem_owns(kept) && pattern_intact(kept, 10 * sizeof(struct odd), 2));

    block = kept;
    PyMem_Resize(block, struct odd, 1000);
    ck_assert(block != NULL && pattern_intact(block, 10 * sizeof(struct odd), 2));
    ck_assert_uint_ge(pymem_usable_size(block), 1000 * sizeof(struct odd));
    PyMem_RESIZE(block, struct odd, 3);
    ck_assert(block != NULL && pattern_intact(block, 3 * sizeof(struct odd), 2));
    PyMem_Resize(block, struct odd, opaque_size(0));
    ck_assert_ptr_nonnull(block);
    PyMem_Del(block);
    block = NULL;
    PyMem_Resize(block, struct odd, 2);
    ck_assert_ptr_nonnull(block);
    PyMem_DEL(block);
    block = PyMem_New(struct odd, opaque_size(0));
    ck_assert_ptr_nonnull(block);
    PyMem_Del(block);
}
END_TEST

START_TEST(macros_evaluate_the_block_as_an_expression)
{
    char *buffers[2] = {PyMem_New(char, 10), PyMem_NEW(char, 20)};
    ck_assert(buffers[0] != NULL && buffers[1] != NULL);
    for (int i = 0; i < 2; i++)
        PyMem_Resize(buffers[i], char, 5 + 5);
    char *old = PyMem_MALLOC(1 + 1);
    old = PyMem_REALLOC(old, 100 + 1);
    ck_assert(old != NULL && pymem_usable_size(old) >= 101);
    PyMem_FREE(old);
    PyMem_DEL(buffers[0]);
    PyMem_Del(buffers[1]);
}
END_TEST

/* The documentation's example: a buffer filled, turned into a result, released. */
START_TEST(the_documented_example)
{
    char *buf = (char *)PyMem_Malloc(BUFSIZ);
    ck_assert_ptr_nonnull(buf);
    memset(buf, 'x', BUFSIZ);
    PyMem_Free(buf);
    ck_assert(!pymem_owns(opaque_pointer(buf)));
    buf = PyMem_New(char, BUFSIZ);
    ck_assert_ptr_nonnull(buf);
    PyMem_Del(buf);
    ck_assert(!pymem_owns(opaque_pointer(buf)));
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"zero_bytes_give_a_distinct_block", zero_bytes_give_a_distinct_block},
        {"realloc_to_zero_resizes", realloc_to_zero_resizes},
        {"realloc_of_null_allocates", realloc_of_null_allocates},
        {"realloc_keeps_contents", realloc_keeps_contents},
        {"failure_leaves_the_block", failure_leaves_the_block},
        {"too_big_is_refused", too_big_is_refused},
        {"calloc_is_zero", calloc_is_zero},
        {"blocks_are_aligned_to_16", blocks_are_aligned_to_16},
        {"free_of_null_and_errno", free_of_null_and_errno},
        {"domains_and_malloc_share_the_heap", domains_and_malloc_share_the_heap},
        {"new_and_resize_check_the_product", new_and_resize_check_the_product},
        {"macros_evaluate_the_block_as_an_expression", macros_evaluate_the_block_as_an_expression},
        {"the_documented_example", the_documented_example},
    };
    return RUN_TESTS("pymem", tests);
}
