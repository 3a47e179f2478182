/*
 * fake_cpython.c - as much of an interpreter as the library looks for, with an
 * allocator of its own.  FAKE_PARTIAL leaves one of the names out.
 */
#include "fake_cpython.h"

#include <stdlib.h>
#include <string.h>

const char *Py_GetVersion(void);
int Py_IsInitialized(void);
void PyMem_SetupDebugHooks(void);
void *PyThreadState_GetUnchecked(void);
void *PyGILState_GetThisThreadState(void);
void *PyThreadState_GetInterpreter(void *state);
void *PyInterpreterState_Main(void);

static void *own_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *own_calloc(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return calloc(count, size);
}

static void *own_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return realloc(block, size);
}

static void own_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static void own_arena_free(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    (void)size;
    free(arena);
}

#define OWN_ALLOCATOR                                                                              \
    {                                                                                              \
        NULL, own_malloc, own_calloc, own_realloc, own_free                                        \
    }

/* Static: another fake's functions must not come upon it. */
static struct fake_cpython fake = {
    .version = "3.11.2 (main, fake)",
    .domains = {OWN_ALLOCATOR, OWN_ALLOCATOR, OWN_ALLOCATOR},
    .arenas = {NULL, own_malloc, own_arena_free},
};

struct fake_cpython *fake_cpython(void)
{
    return &fake;
}

const char *Py_GetVersion(void)
{
    return fake.version;
}

int Py_IsInitialized(void)
{
    return fake.initialized;
}

void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator)
{
    *allocator = fake.domains[domain];
}

void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator)
{
    fake.domains[domain] = *allocator;
}

void PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    *allocator = fake.arenas;
}

void PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    fake.arenas = *allocator;
}

void PyMem_SetupDebugHooks(void)
{
    memcpy(fake.hooked, fake.domains, sizeof fake.hooked);
}

void *PyThreadState_GetUnchecked(void)
{
    return fake.thread_state;
}

void *PyGILState_GetThisThreadState(void)
{
    return fake.this_thread_state;
}

void *PyThreadState_GetInterpreter(void *state)
{
    return state == fake.thread_state ? fake.interpreter : NULL;
}

void *PyInterpreterState_Main(void)
{
    return &fake;
}

static PyMemAllocatorEx *called(PyMemAllocatorDomain domain)
{
    fake.calls[domain]++;
    return &fake.domains[domain];
}

#define DOMAIN_FUNCTIONS(prefix, domain)                                                           \
    void *prefix##Malloc(size_t size)                                                              \
    {                                                                                              \
        PyMemAllocatorEx *allocator = called(domain);                                              \
        return allocator->malloc(allocator->ctx, size);                                            \
    }                                                                                              \
    void *prefix##Calloc(size_t count, size_t size)                                                \
    {                                                                                              \
        PyMemAllocatorEx *allocator = called(domain);                                              \
        return allocator->calloc(allocator->ctx, count, size);                                     \
    }                                                                                              \
    void prefix##Free(void *block)                                                                 \
    {                                                                                              \
        PyMemAllocatorEx *allocator = called(domain);                                              \
        allocator->free(allocator->ctx, block);                                                    \
    }

#define DOMAIN_REALLOC(prefix, domain)                                                             \
    void *prefix##Realloc(void *block, size_t size)                                                \
    {                                                                                              \
        PyMemAllocatorEx *allocator = called(domain);                                              \
        return allocator->realloc(allocator->ctx, block, size);                                    \
    }

DOMAIN_FUNCTIONS(PyMem_Raw, PYMEM_DOMAIN_RAW)
DOMAIN_REALLOC(PyMem_Raw, PYMEM_DOMAIN_RAW)
DOMAIN_FUNCTIONS(PyMem_, PYMEM_DOMAIN_MEM)
DOMAIN_REALLOC(PyMem_, PYMEM_DOMAIN_MEM)
DOMAIN_FUNCTIONS(PyObject_, PYMEM_DOMAIN_OBJ)
#ifndef FAKE_PARTIAL
DOMAIN_REALLOC(PyObject_, PYMEM_DOMAIN_OBJ)
#endif
