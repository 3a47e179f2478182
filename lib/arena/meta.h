/*
 * meta.h - memory for the engine's own tables: descriptors of spans and
 * arenas, headers of pools, heaps.  It lies apart from user memory, so a
 * program that overruns its blocks does not reach it.
 *
 * Pieces up to 64 KiB keep their addresses for good, so a stale pointer to one may read nonsense
 * but does not fault; whole pages of them are given back when they have served nobody for a while
 * (of a heap of small blocks a twentieth is metadata, which would stay when all else has gone).
 * Larger pieces, the descriptors of very large arenas, are unmapped.
 */
#ifndef PM_ARENA_META_H
#define PM_ARENA_META_H

#include "os/compiler.h"
#include "os/lock.h"

/* `size` bytes, zeroed, aligned to a cache line; NULL when memory runs out. */
void *pm_meta_alloc(size_t size);

/* `size` as it was asked for. */
void pm_meta_free(void *piece, size_t size);

/* Up to `count` pieces of a cache line each, whatever is in them, under one lock; returns how many
 * there are. */
size_t pm_meta_alloc_lines(void **pieces, size_t count);

/* Pieces of a cache line each. */
void pm_meta_free_lines(void *const *pieces, size_t count);

/* Gives pages back on which no piece is in use, if there may be many; with `rested_only`, if there
 * were as many ever since the last such call.  Returns the bytes.  Under pm_purge_lock. */
size_t pm_meta_purge(bool rested_only);

/* Bytes mapped for metadata so far, the owner map's included; */
size_t pm_meta_mapped(void);

/* and without the pages that have gone back. */
size_t pm_meta_kept(void);

/* `size` bytes mapped for a table that is never given back; NULL when refused. */
void *pm_meta_map(size_t size);

/* The same, where most of it is never touched, so that `counted` bytes are mapped as far as the
 * statistics know. */
void *pm_meta_map_sparse(size_t size, size_t counted);

/* Undoes a part of pm_meta_map(). */
void pm_meta_unmap(void *start, size_t size);

extern struct pm_lock pm_meta_lock;

#endif /* PM_ARENA_META_H */
