/*
 * mapping.h - makes arenas out of mappings and unmakes them.  An arena made
 * here is in no list yet; its descriptor and bitmaps are metadata.
 */
#ifndef PM_ARENA_MAPPING_H
#define PM_ARENA_MAPPING_H

#include "arena/arena.h"

/* The largest arena taken at one time, in bytes (option arena_size). */
void pm_mapping_set_arena_max(size_t bytes);

/*
 * An arena with at least `bytes` in whole slices, for a first span of that kind; larger the more is
 * mapped already (`mapped`), so that their number stays small, but never larger than the system
 * grants.  NULL when not even `bytes` are granted.
 */
struct pm_arena *pm_mapping_new(enum pm_span_kind kind, size_t bytes, size_t mapped);

/* A dedicated arena of just `bytes` (whole pages), aligned to `align`. */
struct pm_arena *pm_mapping_new_dedicated(size_t bytes, size_t align);

/*
 * A dedicated arena of `bytes` that begins with the pages now at `span`, moved;
 * those addresses read as zero afterwards.  NULL: nothing has happened.
 */
struct pm_arena *pm_mapping_new_from(const struct pm_span *span, size_t bytes);

/* Grows or shrinks a dedicated arena, which may move.  False: nothing has happened. */
bool pm_mapping_resize(struct pm_arena *arena, size_t bytes);

/* Unmaps what is free in a shared arena that is in the list, where that is much in one piece; under
 * pm_arena_lock.  Returns the bytes. */
size_t pm_mapping_unmap_free_locked(struct pm_arena *arena);

/* Gives the mapping back where it came from, and the descriptor with it. */
void pm_mapping_delete(struct pm_arena *arena);

#endif /* PM_ARENA_MAPPING_H */
