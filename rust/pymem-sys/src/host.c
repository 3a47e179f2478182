/*
 * host.c - the RAW and MEM domains of whoever has them in this process.
 *
 * A module that is loaded into a Python interpreter finds the interpreter's
 * PyMem_ functions, or those of a preloaded libpymem, which pass calls on to
 * it.  Where nobody has them, the heap that the crate carries serves.  The
 * loader decides once, when the module is loaded, so a block is always freed
 * by who made it.
 */
#include <stdbool.h>
#include <stddef.h>

#include <pymem/malloc.h>

#define WEAK __attribute__((weak, visibility("default")))

extern void *PyMem_RawMalloc(size_t size) WEAK;
extern void *PyMem_RawCalloc(size_t count, size_t size) WEAK;
extern void *PyMem_RawRealloc(void *block, size_t size) WEAK;
extern void PyMem_RawFree(void *block) WEAK;
extern void *PyMem_Malloc(size_t size) WEAK;
extern void *PyMem_Calloc(size_t count, size_t size) WEAK;
extern void *PyMem_Realloc(void *block, size_t size) WEAK;
extern void PyMem_Free(void *block) WEAK;

/* One stands for all: they come from the same object.  (Python 3.8 is the oldest we serve.) */
bool pymem_host_is_present(void)
{
    return PyMem_RawMalloc != NULL;
}

#define DOMAIN(name, prefix)                                                                       \
    void *pymem_host_##name##_malloc(size_t size)                                                  \
    {                                                                                              \
        return pymem_host_is_present() ? prefix##Malloc(size) : pymem_malloc(size);                \
    }                                                                                              \
    void *pymem_host_##name##_calloc(size_t count, size_t size)                                    \
    {                                                                                              \
        return pymem_host_is_present() ? prefix##Calloc(count, size) : pymem_calloc(count, size);  \
    }                                                                                              \
    void *pymem_host_##name##_realloc(void *block, size_t size)                                    \
    {                                                                                              \
        return pymem_host_is_present() ? prefix##Realloc(block, size)                              \
                                       : pymem_realloc(block, size);                               \
    }                                                                                              \
    void pymem_host_##name##_free(void *block)                                                     \
    {                                                                                              \
        if (pymem_host_is_present())                                                               \
            prefix##Free(block);                                                                   \
        else                                                                                       \
            pymem_free(block);                                                                     \
    }

DOMAIN(raw, PyMem_Raw)
DOMAIN(mem, PyMem_)
