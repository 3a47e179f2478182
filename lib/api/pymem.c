/*
 * pymem.c - CPython's memory API for a process without an interpreter: three
 * domains, each served by the heap until an allocator is set for it.
 *
 * The contracts are in <pymem/pymem.h>.
 */
#include <errno.h>

#include "api/start.h"
#include "arena/provider.h"
#include "heap/alloc.h"

#include <pymem/pymem.h>

enum { DOMAINS = 3 };

/* The heap's own allocator, once for each domain: messages name the public function. */
#define HEAP_ALLOCATOR(domain, prefix)                                                             \
    static void *domain##_malloc(void *ctx, size_t size)                                           \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return pm_alloc(size);                                                                     \
    }                                                                                              \
    static void *domain##_calloc(void *ctx, size_t count, size_t size)                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return pm_alloc_zeroed_array(count, size);                                                 \
    }                                                                                              \
    static void *domain##_realloc(void *ctx, void *block, size_t size)                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return pm_realloc(block, size, prefix "Realloc");                                          \
    }                                                                                              \
    static void domain##_free(void *ctx, void *block)                                              \
    {                                                                                              \
        (void)ctx;                                                                                 \
        pm_free(block, prefix "Free");                                                             \
    }

HEAP_ALLOCATOR(raw, "PyMem_Raw")
HEAP_ALLOCATOR(mem, "PyMem_")
HEAP_ALLOCATOR(obj, "PyObject_")

static PyMemAllocatorEx allocators[DOMAINS] = {
    [PYMEM_DOMAIN_RAW] = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    [PYMEM_DOMAIN_MEM] = {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    [PYMEM_DOMAIN_OBJ] = {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

/* Refused here, so that a replaced allocator never sees such a size. */
PM_INLINE bool too_large(size_t count, size_t size)
{
    size_t bytes;
    if (PM_LIKELY(!__builtin_mul_overflow(count, size, &bytes) && bytes <= PY_SSIZE_T_MAX))
        return false;
    errno = ENOMEM;
    return true;
}

PM_INLINE void *domain_malloc(PyMemAllocatorDomain domain, size_t size)
{
    const PyMemAllocatorEx *allocator = &allocators[domain];
    return too_large(size, 1) ? NULL : allocator->malloc(allocator->ctx, size);
}

PM_INLINE void *domain_calloc(PyMemAllocatorDomain domain, size_t count, size_t size)
{
    const PyMemAllocatorEx *allocator = &allocators[domain];
    return too_large(count, size) ? NULL : allocator->calloc(allocator->ctx, count, size);
}

PM_INLINE void *domain_realloc(PyMemAllocatorDomain domain, void *block, size_t size)
{
    const PyMemAllocatorEx *allocator = &allocators[domain];
    return too_large(size, 1) ? NULL : allocator->realloc(allocator->ctx, block, size);
}

PM_INLINE void domain_free(PyMemAllocatorDomain domain, void *block)
{
    const PyMemAllocatorEx *allocator = &allocators[domain];
    allocator->free(allocator->ctx, block);
}

PM_EXPORT void *PyMem_RawMalloc(size_t size)
{
    return domain_malloc(PYMEM_DOMAIN_RAW, size);
}

PM_EXPORT void *PyMem_RawCalloc(size_t count, size_t size)
{
    return domain_calloc(PYMEM_DOMAIN_RAW, count, size);
}

PM_EXPORT void *PyMem_RawRealloc(void *block, size_t size)
{
    return domain_realloc(PYMEM_DOMAIN_RAW, block, size);
}

PM_EXPORT void PyMem_RawFree(void *block)
{
    domain_free(PYMEM_DOMAIN_RAW, block);
}

PM_EXPORT void *PyMem_Malloc(size_t size)
{
    return domain_malloc(PYMEM_DOMAIN_MEM, size);
}

PM_EXPORT void *PyMem_Calloc(size_t count, size_t size)
{
    return domain_calloc(PYMEM_DOMAIN_MEM, count, size);
}

PM_EXPORT void *PyMem_Realloc(void *block, size_t size)
{
    return domain_realloc(PYMEM_DOMAIN_MEM, block, size);
}

PM_EXPORT void PyMem_Free(void *block)
{
    domain_free(PYMEM_DOMAIN_MEM, block);
}

PM_EXPORT void *PyObject_Malloc(size_t size)
{
    return domain_malloc(PYMEM_DOMAIN_OBJ, size);
}

PM_EXPORT void *PyObject_Calloc(size_t count, size_t size)
{
    return domain_calloc(PYMEM_DOMAIN_OBJ, count, size);
}

PM_EXPORT void *PyObject_Realloc(void *block, size_t size)
{
    return domain_realloc(PYMEM_DOMAIN_OBJ, block, size);
}

PM_EXPORT void PyObject_Free(void *block)
{
    domain_free(PYMEM_DOMAIN_OBJ, block);
}

PM_EXPORT void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator)
{
    if ((unsigned)domain < DOMAINS)
        *allocator = allocators[domain];
    else
        *allocator = (PyMemAllocatorEx){0};
}

PM_EXPORT void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator)
{
    if ((unsigned)domain < DOMAINS)
        allocators[domain] = *allocator;
}

PM_EXPORT void PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    struct pm_provider provider;
    pm_provider_get(&provider);
    *allocator = (PyObjectArenaAllocator){provider.context, provider.alloc, provider.free};
}

PM_EXPORT void PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    struct pm_provider provider = {allocator->ctx, allocator->alloc, allocator->free};
    pm_provider_set(&provider);
}

__attribute__((constructor)) static void start(void)
{
    pm_start();
}
