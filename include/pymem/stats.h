/*
 * pymem/stats.h - what the heap holds at this moment.
 */
#ifndef PYMEM_STATS_H
#define PYMEM_STATS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYMEM_STATS_VERSION 1

/* All sizes in bytes.  allocated <= active <= mapped. */
struct pymem_stats {
    size_t struct_size; /* set by the caller: sizeof(struct pymem_stats) */
    uint32_t version;   /* set by the library: PYMEM_STATS_VERSION */
    uint32_t reserved;  /* zero */

    uint64_t allocated;    /* in live blocks, rounding included */
    uint64_t active;       /* in spans that hold pools or large blocks */
    uint64_t dirty;        /* in free spans whose pages are still resident */
    uint64_t mapped;       /* in arenas: address space, resident or not */
    uint64_t metadata;     /* in the heap's own tables, but for pages gone back */
    uint64_t large;        /* in large blocks (part of allocated) */
    uint64_t live_blocks;  /* count, large ones included */
    uint64_t large_blocks; /* count */
    uint64_t pools;        /* count of pools in use */
    uint64_t arenas;       /* count of arenas */
    uint64_t heaps;        /* count of heaps in use: threads', an interpreter's */
    uint64_t peak_active;  /* highest `active` so far */
    uint64_t purged;       /* bytes given back to the system so far */
};

/*
 * pymem_stats_get: fills `*stats`.  The caller sets `struct_size`; a smaller
 *   struct of an older version is filled as far as it goes.
 *   Returns 0, or -1 with errno EINVAL when `stats` is NULL or `struct_size`
 *   is smaller than the first version's.
 *   Any thread; other threads may change the figures meanwhile.
 */
int pymem_stats_get(struct pymem_stats *stats);

/*
 * pymem_stats_print: writes a short table to the file descriptor `fd`
 *   without allocating.  Any thread.
 */
void pymem_stats_print(int fd);

#ifdef __cplusplus
}
#endif

#endif /* PYMEM_STATS_H */
