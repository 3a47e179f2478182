/*
 * chunks.h - where metadata is cut from, and which pages of that have gone back.
 *
 * A chunk is never unmapped.  Pages on which nothing is in use may be given back: they keep their
 * addresses, read as zero, and are cut up anew before there is another chunk.
 *
 * All under pm_meta_lock.
 */
#ifndef PM_ARENA_CHUNKS_H
#define PM_ARENA_CHUNKS_H

#include "os/compiler.h"

/* The longest piece that is cut from a chunk. */
#define PM_CHUNK_PIECE_MAX ((size_t)64 * 1024)

struct pm_chunk;

/* Memory that nobody uses and that reads as zero: pages that have gone back, or a new chunk. */
struct pm_chunk_run {
    char *start;
    size_t bytes;
};

/* At least `bytes`, up to PM_CHUNK_PIECE_MAX; false when memory runs out. */
bool pm_chunks_take(size_t bytes, struct pm_chunk_run *run);

/* Bytes of pages that have gone back and not been taken since. */
size_t pm_chunks_gone(void);

/* Notes that a piece, a multiple of a cache line, is not in use. */
void pm_chunks_mark(const void *piece, size_t bytes);

/* All chunks: the one after this, or the first after NULL; NULL at the end.  (New ones come
 * first.) */
struct pm_chunk *pm_chunks_next(const struct pm_chunk *chunk);

/* Gives the pages back that are marked from end to end, and returns their bytes; */
size_t pm_chunk_purge(struct pm_chunk *chunk);

/* and unmarks what else is marked, run by run, each up to PM_CHUNK_PIECE_MAX; false: no more. */
bool pm_chunk_unmark(struct pm_chunk *chunk, struct pm_chunk_run *run);

#endif /* PM_ARENA_CHUNKS_H */
