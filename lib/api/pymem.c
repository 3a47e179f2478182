/*
 * pymem.c - CPython's memory API: three domains, each served by the heap until
 * an allocator is set for it; or, inside an interpreter, by the interpreter.
 *
 * The contracts are in <pymem/pymem.h>.
 */
#include <errno.h>

#include "api/start.h"
#include "arena/provider.h"
#include "heap/misuse.h"
#include "host/cpython.h"
#include "host/domains.h"

#include <pymem/pymem.h>

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
    const PyMemAllocatorEx *allocator = &pm_domain[domain];
    return too_large(size, 1) ? NULL : allocator->malloc(allocator->ctx, size);
}

PM_INLINE void *domain_calloc(PyMemAllocatorDomain domain, size_t count, size_t size)
{
    const PyMemAllocatorEx *allocator = &pm_domain[domain];
    return too_large(count, size) ? NULL : allocator->calloc(allocator->ctx, count, size);
}

PM_INLINE void *domain_realloc(PyMemAllocatorDomain domain, void *block, size_t size)
{
    const PyMemAllocatorEx *allocator = &pm_domain[domain];
    return too_large(size, 1) ? NULL : allocator->realloc(allocator->ctx, block, size);
}

PM_INLINE void domain_free(PyMemAllocatorDomain domain, void *block)
{
    const PyMemAllocatorEx *allocator = &pm_domain[domain];
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
    if (pm_cpython != NULL)
        pm_cpython->get_allocator(domain, allocator);
    else if ((unsigned)domain < PM_DOMAINS)
        *allocator = pm_domain[domain];
    else
        *allocator = (PyMemAllocatorEx){0};
}

PM_EXPORT void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator)
{
    if (pm_cpython != NULL)
        pm_cpython->set_allocator(domain, allocator);
    else if ((unsigned)domain < PM_DOMAINS)
        pm_domain[domain] = *allocator;
}

PM_EXPORT void PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    struct pm_provider provider;
    if (pm_cpython != NULL) {
        pm_cpython->get_arena_allocator(allocator);
        return;
    }
    pm_provider_get(&provider);
    *allocator = (PyObjectArenaAllocator){provider.context, provider.alloc, provider.free};
}

PM_EXPORT void PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    struct pm_provider provider = {allocator->ctx, allocator->alloc, allocator->free};
    if (pm_cpython != NULL)
        pm_cpython->set_arena_allocator(allocator);
    else
        pm_provider_set(&provider);
}

__attribute__((constructor)) static void start(void)
{
    pm_cpython_start(pm_foreign.malloc_is_ours, pm_start()->verbose);
}
