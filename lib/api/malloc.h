/*
 * malloc.h - prototypes of the exported libc names that <malloc.h> and
 * <stdlib.h> do not declare, and our own name for malloc.
 */
#ifndef PM_API_MALLOC_H
#define PM_API_MALLOC_H

#include <stddef.h>

/* malloc() here, whoever's malloc the name is bound to. */
void *pm_own_malloc(size_t size);

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t align, size_t size);
void cfree(void *block);

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);
void __libc_cfree(void *block);
void *__libc_memalign(size_t align, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
int __posix_memalign(void **block, size_t align, size_t size);

#endif /* PM_API_MALLOC_H */
