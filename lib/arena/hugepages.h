/*
 * hugepages.h - option thp: dense arenas use transparent huge pages, sparse ones do not.
 *
 * A large arena begins as a dense one.  While at least half of it is taken, nothing in it is
 * purged but on demand, as that would split its huge pages.  Once less is taken, or free
 * pages inside its pools are worth giving back, it is sparse for good: the system is
 * advised to use small pages there, and it is purged as any other.
 */
#ifndef PM_ARENA_HUGEPAGES_H
#define PM_ARENA_HUGEPAGES_H

#include "arena/arena.h"

/* Off unless set, once, at the start. */
void pm_hugepages_set(bool use);

/* What a new arena of so many bytes should be aligned to. */
size_t pm_hugepages_align(size_t bytes);

/* Gives the advice for a new arena, if it is to have huge pages. */
void pm_hugepages_begin(struct pm_arena *arena);

/* The arena is sparse from now on. */
void pm_hugepages_end(struct pm_arena *arena);

/* Is it better left alone by purging?  Under pm_arena_lock. */
bool pm_hugepages_is_dense_locked(const struct pm_arena *arena);

#endif /* PM_ARENA_HUGEPAGES_H */
