/*
 * hugepages.h - which arenas use transparent huge pages: dense ones do, sparse ones do not.
 *
 * A process that uses PM_HUGEPAGES_FROM gets arenas for nothing but pools, which use them if
 * those there are have few pages that were never used.  Pools are taken from the lowest free
 * slices, so one huge page is full before the next is touched, and they cost at most that one.
 * Where many threads have a few blocks of many classes each, they would be twice the memory.  Large
 * blocks are kept out, as many are only written in part; what they use is for the system to say.
 * But what a program makes longer it has written to its end: large blocks that grow use them as
 * well.
 *
 * Pools of a small process have none.  An arena gets no more when one comes slowly, as
 * on some virtual machines; nor when free pages inside its pools have been purged:
 * where the system uses huge pages wherever they fit, it would make one of the few small
 * ones that are still in use.
 */
#ifndef PM_ARENA_HUGEPAGES_H
#define PM_ARENA_HUGEPAGES_H

#include "arena/arena.h"

/* Bytes in use, of which one huge page is a sixteenth. */
#define PM_HUGEPAGES_FROM (16 * PM_OS_HUGE_PAGE)

/* Option thp: whether there are any, set once, at the start. */
void pm_hugepages_set(bool use);

/* What a new arena that is to be shared by spans, the first one of this kind, should have. */
enum pm_hugepages pm_hugepages_of_shared(enum pm_span_kind kind);

/* And one that a large block has to itself. */
enum pm_hugepages pm_hugepages_of_dedicated(void);

/* Tells the system what a new arena is to have. */
void pm_hugepages_begin(struct pm_arena *arena);

/* A pool's span has been taken and not been used yet: if it is the first that ends on a huge page,
 * sees how long that takes to come.  Not under pm_arena_lock. */
void pm_hugepages_try(const struct pm_span *span);

/* A dedicated arena has grown, from `fresh` on: if it is large now, it uses them, and this sees
 * how long the first one there takes. */
void pm_hugepages_grow(struct pm_arena *arena, uintptr_t fresh);

/* Has the arena huge pages, or has it had any until they came slowly?  Free pages may be resident
 * then that the books call clean. */
bool pm_hugepages_may_be(const struct pm_arena *arena);

/* A large block goes.  Its program may have advised the system to use huge pages there (numpy does,
 * from 4 MiB on); who comes next has not. */
void pm_hugepages_renew(const struct pm_span *span);

/*
 * Pages inside pools are purged, or any of an arena for pools: it has none from now on, and is open
 * to all spans.  Its free pages go at once, for others than the books say may be resident.
 */
void pm_hugepages_end(struct pm_arena *arena);

/* The same under pm_arena_lock; returns the bytes given back. */
size_t pm_hugepages_end_locked(struct pm_arena *arena);

/* There is no memory for another arena: those there are serve all spans.  Under pm_arena_lock. */
void pm_hugepages_end_all_locked(void);

#endif /* PM_ARENA_HUGEPAGES_H */
