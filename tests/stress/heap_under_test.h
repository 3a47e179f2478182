/*
 * heap_under_test.h - the names by which the stress programs call the heap.
 *
 * The same source runs two ways:
 *   - by default hut_*() are the ordinary malloc names: the program is linked
 *     with libpymem (-DHUT_LIBPYMEM then makes it refuse to test another
 *     allocator by accident) or, while a test is being written, with nothing;
 *   - with -DHUT_PYMEM they are PyMem_Raw*() and pymem_*(), for sanitizer
 *     builds, where the malloc names belong to the sanitizer.
 * With -DHUT_CHECK (only when linked with libpymem_core.la) hut_check() walks
 * the whole heap and aborts at a broken invariant; otherwise it does nothing.
 */
#ifndef PM_TESTS_HEAP_UNDER_TEST_H
#define PM_TESTS_HEAP_UNDER_TEST_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(HUT_PYMEM) || defined(HUT_LIBPYMEM)
#include <pymem/pymem.h>
#endif

/* Hides a value from the compiler, which otherwise removes calls whose result
   it knows and warns about the absurd sizes that a test asks for on purpose. */
#define HUT_HIDE(value) __asm__ volatile("" : "+r"(value) : : "memory")

#ifdef HUT_PYMEM

#define HUT_NAME "PyMem_Raw"
#define HUT_HAS_ALIGNED 0
#define HUT_REALLOC_ZERO_FREES 0

static inline void *hut_malloc(size_t size)
{
    HUT_HIDE(size);
    void *p = PyMem_RawMalloc(size);
    HUT_HIDE(p);
    return p;
}

static inline void *hut_calloc(size_t count, size_t size)
{
    HUT_HIDE(size);
    void *p = PyMem_RawCalloc(count, size);
    HUT_HIDE(p);
    return p;
}

static inline void *hut_realloc(void *block, size_t size)
{
    HUT_HIDE(size);
    HUT_HIDE(block); /* or the compiler forbids the caller to look at it again */
    void *p = PyMem_RawRealloc(block, size);
    HUT_HIDE(p);
    return p;
}

static inline void hut_free(void *block)
{
    HUT_HIDE(block);
    PyMem_RawFree(block);
}

/* There is no aligned call in the PyMem API: callers test HUT_HAS_ALIGNED. */
static inline void *hut_aligned(size_t alignment, size_t size)
{
    (void)alignment;
    return hut_malloc(size);
}

static inline size_t hut_usable(void *block)
{
    return pymem_usable_size(block);
}

static inline void hut_trim(void)
{
    pymem_trim();
}

#else /* the malloc names */

#define HUT_NAME "malloc"
#define HUT_HAS_ALIGNED 1
#define HUT_REALLOC_ZERO_FREES 1

#ifndef __GLIBC__
int malloc_trim(size_t pad);
#endif

static inline void *hut_malloc(size_t size)
{
    HUT_HIDE(size);
    void *p = malloc(size);
    HUT_HIDE(p);
    return p;
}

static inline void *hut_calloc(size_t count, size_t size)
{
    HUT_HIDE(size);
    void *p = calloc(count, size);
    HUT_HIDE(p);
    return p;
}

static inline void *hut_realloc(void *block, size_t size)
{
    HUT_HIDE(size);
    HUT_HIDE(block); /* or the compiler forbids the caller to look at it again */
    void *p = realloc(block, size);
    HUT_HIDE(p);
    return p;
}

static inline void hut_free(void *block)
{
    HUT_HIDE(block);
    free(block);
}

static inline void *hut_aligned(size_t alignment, size_t size)
{
    void *p = NULL;
    HUT_HIDE(size);
    return posix_memalign(&p, alignment, size) == 0 ? p : NULL;
}

static inline size_t hut_usable(void *block)
{
    return malloc_usable_size(block);
}

static inline void hut_trim(void)
{
    malloc_trim(0);
}

#endif /* HUT_PYMEM */

/* Whether the heap that answers is the one that the program was built for. */
static inline bool hut_is_expected(void)
{
#if defined(HUT_PYMEM) || defined(HUT_LIBPYMEM)
    void *p = hut_malloc(100);
    bool ours = pymem_owns(p);
    hut_free(p);
    return ours;
#else
    return true;
#endif
}

#ifdef HUT_CHECK
#define HUT_CHECKS 1
extern bool pm_check_heap(void);
static inline void hut_check(void)
{
    if (!pm_check_heap())
        abort();
}
#else
#define HUT_CHECKS 0
static inline void hut_check(void)
{
}
#endif

#endif /* PM_TESTS_HEAP_UNDER_TEST_H */
