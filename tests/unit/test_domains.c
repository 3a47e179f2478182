/*
 * test_domains.c - the heap as the allocator of each domain: what an
 * interpreter asks of the functions that it is given.
 */
#include "unit.h"

#include "heap/alloc.h"
#include "heap/misuse.h"
#include "host/domains.h"

static const PyMemAllocatorEx *heap(int domain)
{
    return &pm_domain_heap[domain];
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
    void *one = heap(_i)->malloc(NULL, 0);
    void *other = heap(_i)->malloc(NULL, 0);
    ck_assert(pm_block_is_live(one));
    ck_assert(pm_block_is_live(other));
    ck_assert_ptr_ne(one, other);
    heap(_i)->free(NULL, one);
    ck_assert(!pm_block_is_live(one));
    ck_assert(pm_block_is_live(other));
    heap(_i)->free(NULL, other);
}
END_TEST

START_TEST(calloc_zeroes_and_refuses_overflow)
{
    static const size_t sizes[] = {1, 40, 4000, 400000};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        void *used = heap(_i)->malloc(NULL, sizes[i]);
        unit_fill(used, sizes[i], 1);
        heap(_i)->free(NULL, used);
        void *block = heap(_i)->calloc(NULL, sizes[i], 1);
        ck_assert(pm_block_is_live(block));
        ck_assert(unit_is_zero(block, sizes[i]));
        heap(_i)->free(NULL, block);
    }
    void *nothing = heap(_i)->calloc(NULL, 0, 8);
    ck_assert(pm_block_is_live(nothing));
    heap(_i)->free(NULL, nothing);
    errno = 0;
    ck_assert_ptr_null(heap(_i)->calloc(NULL, SIZE_MAX / 8 + 2, 8));
    ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

START_TEST(realloc_keeps_the_contents)
{
    static const size_t sizes[] = {40, 48, 4000, 400000, 5000, 10};
    void *block = heap(_i)->realloc(NULL, NULL, 24);
    size_t size = 24;
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        unit_fill(block, size, (unsigned)i);
        block = heap(_i)->realloc(NULL, block, sizes[i]);
        ck_assert(pm_block_is_live(block));
        ck_assert(unit_holds(block, size, size < sizes[i] ? size : sizes[i], (unsigned)i));
        size = sizes[i];
    }
    block = heap(_i)->realloc(NULL, block, 0);
    ck_assert_msg(pm_block_is_live(block), "a size of zero must not free");
    unit_fill(block, 1, 9);
    ck_assert_ptr_null(heap(_i)->realloc(NULL, block, PTRDIFF_MAX));
    ck_assert_msg(unit_intact(block, 1, 9), "a refused block must stay as it is");
    heap(_i)->free(NULL, block);
}
END_TEST

START_TEST(free_of_null_does_nothing)
{
    errno = EBUSY;
    heap(_i)->free(NULL, NULL);
    ck_assert_int_eq(errno, EBUSY);
}
END_TEST

static void free_twice(void *domain)
{
    void *volatile block = heap(*(int *)domain)->malloc(NULL, 100);
    void *keep = heap(*(int *)domain)->malloc(NULL, 100); /* so that the pool stays */
    fprintf(stderr, "%p\n", block);
    heap(*(int *)domain)->free(NULL, block);
    heap(*(int *)domain)->free(NULL, block);
    heap(*(int *)domain)->free(NULL, keep);
}

static void resize_freed(void *domain)
{
    void *volatile block = heap(*(int *)domain)->malloc(NULL, 100);
    void *keep = heap(*(int *)domain)->malloc(NULL, 100);
    fprintf(stderr, "%p\n", block);
    heap(*(int *)domain)->free(NULL, block);
    block = heap(*(int *)domain)->realloc(NULL, block, 200);
    heap(*(int *)domain)->free(NULL, keep);
}

/* Runs `body`, which prints an address first, and checks the message about it. */
static void dies_with(void (*body)(void *), int domain, const char *call)
{
    char text[1024], address[64], expected[256];
    int status = unit_child(body, &domain, text, sizeof text);
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
    dies_with(free_twice, _i, releases[_i]);
    dies_with(resize_freed, _i, resizes[_i]);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, the_heap_serves_every_domain_at_first, 0, PM_DOMAINS);
    tcase_add_loop_test(tests, malloc_of_nothing_is_a_block, 0, PM_DOMAINS);
    tcase_add_loop_test(tests, calloc_zeroes_and_refuses_overflow, 0, PM_DOMAINS);
    tcase_add_loop_test(tests, realloc_keeps_the_contents, 0, PM_DOMAINS);
    tcase_add_loop_test(tests, free_of_null_does_nothing, 0, PM_DOMAINS);
    tcase_add_loop_test(tests, messages_name_the_public_function, 0, PM_DOMAINS);
}

int main(void)
{
    return unit_run("domains", add);
}
