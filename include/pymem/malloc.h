/*
 * pymem/malloc.h - the heap under names of its own: for programs that keep
 * their malloc, and for allocators of other languages, which know the size and
 * the alignment of what they free.
 *
 * The contracts are C23's (7.24.3) for the functions of the same names; where
 * that leaves a choice:
 *   - a size of zero is served as if one byte had been asked for: the result
 *     is a distinct, non-NULL block, and resizing to zero does not free;
 *   - blocks are aligned to 16 bytes at least; an alignment that is no power
 *     of two is refused with errno EINVAL;
 *   - a size above PTRDIFF_MAX, or a product that overflows, is refused;
 *   - failure is NULL with errno ENOMEM, and nothing else changes;
 *   - the functions that free preserve errno;
 *   - any thread may call any of them at any time, without any lock held;
 *   - a pointer that is not the start of a live block of this heap ends the
 *     process with one line on standard error (unless libc's own heap knows it,
 *     in a process where both are in use).
 *
 * Blocks may cross freely between these functions, and in libpymem.so between
 * them and libc's names.
 */
#ifndef PYMEM_MALLOC_H
#define PYMEM_MALLOC_H

#include <stddef.h>

#include <pymem/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* pymem_free: gives `block` back; NULL does nothing. */
void pymem_free(void *block);

/*
 * pymem_free_sized: pymem_free() for a block that was asked for with `size`
 *   bytes (or resized to so many), aligned to no more than 16.
 * pymem_free_aligned_sized: the same with the alignment it was asked for with.
 *   In both a `size` larger than the block (as its usable size says) ends the
 *   process with one line on standard error: whoever believes in it has written
 *   past the end, or will.
 */
void pymem_free_sized(void *block, size_t size);
void pymem_free_aligned_sized(void *block, size_t align, size_t size);

/* pymem_malloc: `size` bytes, uninitialised. */
void *pymem_malloc(size_t size) PYMEM_ATTR(malloc, alloc_size(1), warn_unused_result);

/*
 * pymem_calloc: `count` elements of `size` bytes each, all bytes zero.  Pages
 *   that come from the operating system are not zeroed again.
 */
void *pymem_calloc(size_t count, size_t size)
    PYMEM_ATTR(malloc, alloc_size(1, 2), warn_unused_result);

/*
 * pymem_realloc: the block at `block` resized to `size` bytes; contents are
 *   kept up to the smaller of the two sizes.  NULL as `block` allocates.  On
 *   failure NULL is returned and `block` stays valid and unchanged.  Blocks
 *   from 1 MiB on grow by remapping their pages, without copying, unless
 *   resident free memory has room for them, their alignment is above a page or
 *   their arenas are somebody else's.
 */
void *pymem_realloc(void *block, size_t size) PYMEM_ATTR(alloc_size(2), warn_unused_result);

/*
 * pymem_aligned_alloc, pymem_aligned_calloc, pymem_aligned_realloc: as the
 *   three above, at a multiple of `align` bytes.  The alignment given when a
 *   block is resized counts from then on, whatever the block had before.
 */
void *pymem_aligned_alloc(size_t align, size_t size)
    PYMEM_ATTR(malloc, alloc_align(1), alloc_size(2), warn_unused_result);
void *pymem_aligned_calloc(size_t align, size_t count, size_t size)
    PYMEM_ATTR(malloc, alloc_align(1), alloc_size(2, 3), warn_unused_result);
void *pymem_aligned_realloc(void *block, size_t align, size_t size)
    PYMEM_ATTR(alloc_align(2), alloc_size(3), warn_unused_result);

#ifdef __cplusplus
}
#endif

#endif /* PYMEM_MALLOC_H */
