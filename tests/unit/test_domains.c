/*
 * test_domains.c - the heap as the allocator of each domain: what an
 * interpreter asks of the functions that it is given.
 */
#include "unit.h"

#include "heap/alloc.h"
#include "heap/common.h"
#include "heap/misuse.h"
#include "host/domains.h"

/* The thread's own heap, and the one that all threads have in common: granted, and asked for by all
 * of them. */
static const PyMemAllocatorEx *const kinds[] = {pm_domain_heap, pm_domain_heap_granted,
                                                pm_domain_heap_asked};
enum { ALL = 3 * PM_DOMAINS };

static bool is_turn(void)
{
    return true;
}

/* The allocator of one domain, of one kind. */
static const PyMemAllocatorEx *heap(int which)
{
    static PyMemAllocatorEx allocator;
    if (allocator.malloc == NULL) {
        const PyMemAllocatorEx *kind = kinds[which / PM_DOMAINS];
        allocator = kind[which % PM_DOMAINS];
        if (kind == pm_domain_heap_granted)
            allocator.ctx = pm_common_grant(is_turn);
        else if (kind == pm_domain_heap_asked)
            pm_common_let_ask(is_turn, 0);
    }
    return &allocator;
}

START_TEST(the_heap_serves_every_domain_at_first)
{
    const PyMemAllocatorEx *now = &pm_domain[_i];
    ck_assert_ptr_eq(now->ctx, heap(_i)->ctx);
    ck_assert(now->malloc == heap(_i)->malloc);
    ck_assert(now->calloc == heap(_i)->calloc);
    ck_assert(now->realloc == heap(_i)->realloc);
    ck_assert(now->free == heap(_i)->free);
}
END_TEST

START_TEST(malloc_of_nothing_is_a_block)
{
    const PyMemAllocatorEx *served = heap(_i);
    void *one = served->malloc(served->ctx, 0);
    void *other = served->malloc(served->ctx, 0);
    ck_assert(pm_block_is_live(one));
    ck_assert(pm_block_is_live(other));
    ck_assert_ptr_ne(one, other);
    served->free(served->ctx, one);
    ck_assert(!pm_block_is_live(one));
    ck_assert(pm_block_is_live(other));
    served->free(served->ctx, other);
}
END_TEST

START_TEST(calloc_zeroes_and_refuses_overflow)
{
    const PyMemAllocatorEx *served = heap(_i);
    static const size_t sizes[] = {1, 40, 4000, 400000};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        void *used = served->malloc(served->ctx, sizes[i]);
        unit_fill(used, sizes[i], 1);
        served->free(served->ctx, used);
        void *block = served->calloc(served->ctx, sizes[i], 1);
        ck_assert(pm_block_is_live(block));
        ck_assert(unit_is_zero(block, sizes[i]));
        served->free(served->ctx, block);
    }
    void *nothing = served->calloc(served->ctx, 0, 8);
    ck_assert(pm_block_is_live(nothing));
    served->free(served->ctx, nothing);
    errno = 0;
    ck_assert_ptr_null(served->calloc(served->ctx, SIZE_MAX / 8 + 2, 8));
    ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

START_TEST(realloc_keeps_the_contents)
{
    const PyMemAllocatorEx *served = heap(_i);
    static const size_t sizes[] = {40, 48, 4000, 400000, 5000, 10};
    void *block = served->realloc(served->ctx, NULL, 24);
    size_t size = 24;
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        unit_fill(block, size, (unsigned)i);
        block = served->realloc(served->ctx, block, sizes[i]);
        ck_assert(pm_block_is_live(block));
        ck_assert(unit_holds(block, size, size < sizes[i] ? size : sizes[i], (unsigned)i));
        size = sizes[i];
    }
    block = served->realloc(served->ctx, block, 0);
    ck_assert_msg(pm_block_is_live(block), "a size of zero must not free");
    unit_fill(block, 1, 9);
    ck_assert_ptr_null(served->realloc(served->ctx, block, PTRDIFF_MAX));
    ck_assert_msg(unit_intact(block, 1, 9), "a refused block must stay as it is");
    served->free(served->ctx, block);
}
END_TEST

START_TEST(free_of_null_does_nothing)
{
    const PyMemAllocatorEx *served = heap(_i);
    errno = EBUSY;
    served->free(served->ctx, NULL);
    ck_assert_int_eq(errno, EBUSY);
}
END_TEST

static void free_twice(void *which)
{
    const PyMemAllocatorEx *served = heap(*(int *)which);
    void *volatile block = served->malloc(served->ctx, 100);
    void *keep = served->malloc(served->ctx, 100); /* so that the pool stays */
    fprintf(stderr, "%p\n", block);
    served->free(served->ctx, block);
    served->free(served->ctx, block);
    served->free(served->ctx, keep);
}

static void resize_freed(void *which)
{
    const PyMemAllocatorEx *served = heap(*(int *)which);
    void *volatile block = served->malloc(served->ctx, 100);
    void *keep = served->malloc(served->ctx, 100);
    fprintf(stderr, "%p\n", block);
    served->free(served->ctx, block);
    block = served->realloc(served->ctx, block, 200);
    served->free(served->ctx, keep);
}

/* Runs `body`, which prints an address first, and checks the message about it. */
static void dies_with(void (*body)(void *), int which, const char *call)
{
    char text[1024], address[64], expected[256];
    int status = unit_child(body, &which, text, sizeof text);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    ck_assert_int_eq(sscanf(text, "%63s", address), 1);
    snprintf(expected, sizeof expected, "%s\npymem: %s: %s is already free\n", address, call,
             address);
    ck_assert_str_eq(text, expected);
}

START_TEST(messages_name_the_public_function)
{
    static const char *const releases[] = {"PyMem_RawFree", "PyMem_Free", "PyObject_Free"};
    static const char *const resizes[] = {"PyMem_RawRealloc", "PyMem_Realloc", "PyObject_Realloc"};
    dies_with(free_twice, _i, releases[_i % PM_DOMAINS]);
    dies_with(resize_freed, _i, resizes[_i % PM_DOMAINS]);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, the_heap_serves_every_domain_at_first, 0, PM_DOMAINS);
    tcase_add_loop_test(tests, malloc_of_nothing_is_a_block, 0, ALL);
    tcase_add_loop_test(tests, calloc_zeroes_and_refuses_overflow, 0, ALL);
    tcase_add_loop_test(tests, realloc_keeps_the_contents, 0, ALL);
    tcase_add_loop_test(tests, free_of_null_does_nothing, 0, ALL);
    tcase_add_loop_test(tests, messages_name_the_public_function, 0, ALL);
}

int main(void)
{
    return unit_run("domains", add);
}
