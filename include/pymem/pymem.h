/*
 * pymem/pymem.h - CPython's memory API for any program, and libpymem's own
 * questions about a block.
 *
 * The PyMem_ and PyObject_ functions follow CPython 3.13's documentation,
 * "Memory Management" (Doc/c-api/memory.rst); the upper-case macros are the
 * older ones of the same chapter, of which PyMem_SetupDebugHooks() is missing:
 * the heap makes its own checks.  When <Python.h> has been included first,
 * its declarations are used and only the pymem_ functions are added.
 *
 * Common to every allocating function here:
 *   - the block is aligned to 16 bytes;
 *   - a size of zero is served as if one byte had been asked for: the result
 *     is a distinct, non-NULL block;
 *   - a size above PY_SSIZE_T_MAX, or a product that overflows, is refused;
 *   - failure is NULL with errno set to ENOMEM, and nothing else changes;
 *   - any thread may call it at any time, without any lock held, unless an
 *     allocator installed by PyMem_SetAllocator() asks for more.
 */
#ifndef PYMEM_PYMEM_H
#define PYMEM_PYMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pymem/attributes.h>
#include <pymem/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef Py_PYTHON_H

/* The largest size that any function here serves (CPython: PY_SSIZE_T_MAX). */
#ifndef PY_SSIZE_T_MAX
#define PY_SSIZE_T_MAX PTRDIFF_MAX
#endif

/*
 * The RAW domain (CPython: "may be called without the GIL").
 *
 * PyMem_RawMalloc: `size` bytes, uninitialised.
 * PyMem_RawCalloc: `count` elements of `size` bytes each, all bytes zero.
 * PyMem_RawRealloc: the block at `block` resized to `size` bytes; contents
 *   are kept up to the smaller of the two sizes.  NULL as `block` allocates.
 *   Zero as `size` resizes (the result is non-NULL) and does not free.  On
 *   failure NULL is returned and `block` stays valid and unchanged.
 * PyMem_RawFree: gives `block` back; NULL does nothing.  errno is preserved.
 *
 * A pointer that is not the start of a live block of this heap ends the
 * process with one line on standard error.
 */
void PyMem_RawFree(void *block);
void *PyMem_RawMalloc(size_t size) PYMEM_ATTR(malloc, alloc_size(1), warn_unused_result);
void *PyMem_RawCalloc(size_t count, size_t size)
    PYMEM_ATTR(malloc, alloc_size(1, 2), warn_unused_result);
void *PyMem_RawRealloc(void *block, size_t size) PYMEM_ATTR(alloc_size(2), warn_unused_result);

/* The MEM domain: buffers.  As the RAW functions above. */
void PyMem_Free(void *block);
void *PyMem_Malloc(size_t size) PYMEM_ATTR(malloc, alloc_size(1), warn_unused_result);
void *PyMem_Calloc(size_t count, size_t size)
    PYMEM_ATTR(malloc, alloc_size(1, 2), warn_unused_result);
void *PyMem_Realloc(void *block, size_t size) PYMEM_ATTR(alloc_size(2), warn_unused_result);

/* The OBJ domain: objects.  As the RAW functions above. */
void PyObject_Free(void *block);
void *PyObject_Malloc(size_t size) PYMEM_ATTR(malloc, alloc_size(1), warn_unused_result);
void *PyObject_Calloc(size_t count, size_t size)
    PYMEM_ATTR(malloc, alloc_size(1, 2), warn_unused_result);
void *PyObject_Realloc(void *block, size_t size) PYMEM_ATTR(alloc_size(2), warn_unused_result);

/*
 * PyMem_New(TYPE, n): room for `n` objects of TYPE, uninitialised; NULL when
 *   the product exceeds PY_SSIZE_T_MAX or memory runs out.
 * PyMem_Resize(p, TYPE, n): the same for a block that exists; assigns the
 *   result to `p`, which is NULL after a failure: keep the old pointer if the
 *   old block must not be lost.
 * PyMem_Del(p): PyMem_Free.
 */
#define PyMem_New(type, n)                                                                         \
    (((size_t)(n) > PY_SSIZE_T_MAX / sizeof(type))                                                 \
         ? NULL                                                                                    \
         : ((type *)PyMem_Malloc((size_t)(n) * sizeof(type))))
#define PyMem_Resize(p, type, n)                                                                   \
    ((p) = ((size_t)(n) > PY_SSIZE_T_MAX / sizeof(type))                                           \
               ? NULL                                                                              \
               : (type *)PyMem_Realloc((p), (size_t)(n) * sizeof(type)))
#define PyMem_Del(p) PyMem_Free((p))

/* The older spellings; the same functions. */
#define PyMem_MALLOC(n) PyMem_Malloc((n))
#define PyMem_REALLOC(p, n) PyMem_Realloc((p), (n))
#define PyMem_FREE(p) PyMem_Free((p))
#define PyMem_NEW(type, n) PyMem_New(type, (n))
#define PyMem_RESIZE(p, type, n) PyMem_Resize((p), type, (n))
#define PyMem_DEL(p) PyMem_Free((p))

typedef enum {
    PYMEM_DOMAIN_RAW, /* PyMem_RawMalloc() and its kin */
    PYMEM_DOMAIN_MEM, /* PyMem_Malloc() and its kin */
    PYMEM_DOMAIN_OBJ  /* PyObject_Malloc() and its kin */
} PyMemAllocatorDomain;

/* An allocator for one domain; every function receives `ctx` first. */
typedef struct {
    void *ctx;
    void *(*malloc)(void *ctx, size_t size);
    void *(*calloc)(void *ctx, size_t nelem, size_t elsize);
    void *(*realloc)(void *ctx, void *ptr, size_t new_size);
    void (*free)(void *ctx, void *ptr);
} PyMemAllocatorEx;

/*
 * PyMem_GetAllocator: writes the allocator of `domain` to `*allocator` (all
 *   NULL for an unknown domain).
 * PyMem_SetAllocator: installs `*allocator` for `domain`; from then on every
 *   entry point of the domain calls it.  An unknown domain is ignored.
 *   Blocks stay with the allocator that made them: install before the first
 *   allocation, or wrap the allocator read by PyMem_GetAllocator().
 *   Not thread-safe against calls into the same domain.
 */
void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);
void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);

/* Where arenas come from: any alignment, `size` a multiple of the page. */
typedef struct {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *ptr, size_t size);
} PyObjectArenaAllocator;

/*
 * PyObject_SetArenaAllocator: every arena taken from now on comes from
 *   `*allocator`; an arena goes back to the allocator that gave it.  `alloc`
 *   returns memory of any content and alignment, or NULL.  The functions are
 *   called by one thread at a time, under a lock of the library: they must not
 *   wait for another thread that allocates.  They may allocate themselves, and
 *   what they allocate comes from the operating system's arenas.
 * PyObject_GetArenaAllocator: writes the present one to `*allocator`.
 * Not thread-safe against any other call: use them before threads start.
 */
void PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator);
void PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator);

#endif /* Py_PYTHON_H */

/*
 * pymem_owns: true exactly when `p` is the start of a live block of this
 *   heap.  Safe for any value of `p`, which is never followed.  The answer
 *   about a block that another thread frees meanwhile is either.
 */
bool pymem_owns(const void *p);

/*
 * pymem_usable_size: the bytes that may be used at `p`; constant for the
 *   block's life; 0 for NULL.  `p` must be a live block of this heap, else
 *   the process ends with a message.
 */
size_t pymem_usable_size(const void *p);

/*
 * pymem_trim: gives every page of free memory that can be found from this
 *   thread back to the operating system.  Returns the bytes given back.
 *   (Inside the pools that an interpreter's threads have in common that is if it is
 *   certain that no other thread is at work there; else they follow at one of the
 *   interpreter's next calls.)
 *   Any thread.
 */
size_t pymem_trim(void);

/* pymem_version: "MAJOR.MINOR.PATCH" of the library in use; static. */
const char *pymem_version(void);

#ifdef __cplusplus
}
#endif

#endif /* PYMEM_PYMEM_H */
