/*
 * meta.c - see meta.h.  Pieces are cut in cache lines from chunks; a freed
 * piece waits on the list of its size, and is only split when nothing is left to cut.
 */
#include "arena/meta.h"

#include <string.h>

#include "arena/chunks.h"
#include "os/os.h"

enum {
    LISTED_LINES = PM_CHUNK_PIECE_MAX / PM_CACHE_LINE,
    MARKED_AT_ONCE = 4096,     /* pieces, under one lock */
    WORTH_PURGING = 64 * 1024, /* bytes that have come to the lists, */
    WORTH_SHARE = 8,           /* or this part of those that had to stay there */
};

struct piece {
    struct piece *next;
};

struct pm_lock pm_meta_lock = PM_LOCK_INIT;

/* All under pm_meta_lock. */
static struct piece *lists[LISTED_LINES + 1] PM_TABLE; /* by size in lines, last freed first */
static size_t listed;                                  /* bytes, */
static size_t listed_all_along;   /* the least there were since the last tick, */
static size_t listed_in_vain;     /* and of them those that a purge has left over */
static struct pm_chunk_run fresh; /* what is cut from */

static _Atomic size_t mapped;

size_t pm_meta_mapped(void)
{
    return atomic_load_explicit(&mapped, memory_order_relaxed);
}

size_t pm_meta_kept(void)
{
    pm_lock(&pm_meta_lock);
    size_t kept = pm_meta_mapped() - pm_chunks_gone();
    pm_unlock(&pm_meta_lock);
    return kept;
}

void *pm_meta_map_sparse(size_t size, size_t counted)
{
    size = pm_align_up(size, pm_os_page_size());
    void *start = pm_os_memory.map(size);
    if (start == NULL)
        return NULL;
    pm_os_name(start, size, "pymem: metadata");
    atomic_fetch_add_explicit(&mapped, counted, memory_order_relaxed);
    return start;
}

void *pm_meta_map(size_t size)
{
    return pm_meta_map_sparse(size, pm_align_up(size, pm_os_page_size()));
}

void pm_meta_unmap(void *start, size_t size)
{
    size = pm_align_up(size, pm_os_page_size());
    if (size != 0 && pm_os_memory.unmap(start, size))
        atomic_fetch_sub_explicit(&mapped, size, memory_order_relaxed);
}

static void list(void *start, size_t lines)
{
    struct piece *piece = start;
    piece->next = lists[lines];
    lists[lines] = piece;
    listed += lines * PM_CACHE_LINE;
}

static void count_unlisted(size_t bytes)
{
    listed -= bytes;
    if (listed_all_along > listed)
        listed_all_along = listed;
    if (listed_in_vain > listed)
        listed_in_vain = listed;
}

static struct piece *unlist(size_t lines)
{
    struct piece *piece = lists[lines];
    if (piece != NULL) {
        lists[lines] = piece->next;
        count_unlisted(lines * PM_CACHE_LINE);
    }
    return piece;
}

/* Before more is mapped: the front of a larger piece that nobody needs. */
static void *split(size_t lines)
{
    for (size_t larger = lines + 1; larger <= LISTED_LINES; larger++) {
        struct piece *piece = unlist(larger);
        if (piece != NULL) {
            list((char *)piece + lines * PM_CACHE_LINE, larger - lines);
            return piece;
        }
    }
    return NULL;
}

/* What is left serves smaller pieces. */
static void list_rest(void)
{
    if (fresh.bytes != 0)
        list(fresh.start, fresh.bytes / PM_CACHE_LINE);
}

/* A large piece has a mapping of its own; what is left to cut is kept. */
static void *cut(size_t size)
{
    if (size > PM_CHUNK_PIECE_MAX)
        return pm_meta_map(size);
    if (size > fresh.bytes) {
        struct pm_chunk_run run;
        if (!pm_chunks_take(size, &run))
            return NULL;
        list_rest();
        fresh = run;
    }
    void *piece = fresh.start;
    fresh.start += size;
    fresh.bytes -= size;
    return piece;
}

/* The piece is zero already where none was used before. */
static void *take_locked(size_t lines, bool *is_used)
{
    struct piece *used = lines <= LISTED_LINES ? unlist(lines) : NULL;
    if (used == NULL && lines * PM_CACHE_LINE > fresh.bytes)
        used = split(lines);
    *is_used = used != NULL;
    return used != NULL ? used : cut(lines * PM_CACHE_LINE);
}

void *pm_meta_alloc(size_t size)
{
    size_t lines = pm_div_up(size, PM_CACHE_LINE);
    bool is_used;
    pm_lock(&pm_meta_lock);
    void *piece = take_locked(lines, &is_used);
    pm_unlock(&pm_meta_lock);
    return is_used ? memset(piece, 0, lines * PM_CACHE_LINE) : piece;
}

void pm_meta_free(void *piece, size_t size)
{
    size_t lines = pm_div_up(size, PM_CACHE_LINE);
    if (lines > LISTED_LINES) {
        pm_meta_unmap(piece, lines * PM_CACHE_LINE);
        return;
    }
    pm_lock(&pm_meta_lock);
    list(piece, lines);
    pm_unlock(&pm_meta_lock);
}

size_t pm_meta_alloc_lines(void **pieces, size_t count)
{
    bool is_used;
    pm_lock(&pm_meta_lock);
    for (size_t i = 0; i < count; i++) {
        pieces[i] = take_locked(1, &is_used);
        if (pieces[i] == NULL)
            count = i;
    }
    pm_unlock(&pm_meta_lock);
    return count;
}

void pm_meta_free_lines(void *const *pieces, size_t count)
{
    pm_lock(&pm_meta_lock);
    for (size_t i = 0; i < count; i++)
        list(pieces[i], 1);
    pm_unlock(&pm_meta_lock);
}

/* Takes some pieces off the lists from `*lines` on, and notes that they are not in use; false when
 * there are no more. */
static bool mark_some(size_t *lines)
{
    int marked = 0;
    pm_lock(&pm_meta_lock);
    for (; *lines <= LISTED_LINES && marked < MARKED_AT_ONCE; ++*lines) {
        struct piece *piece;
        for (; marked < MARKED_AT_ONCE && (piece = unlist(*lines)) != NULL; marked++)
            pm_chunks_mark(piece, *lines * PM_CACHE_LINE);
        if (marked == MARKED_AT_ONCE)
            break;
    }
    pm_unlock(&pm_meta_lock);
    return marked == MARKED_AT_ONCE;
}

/* What is left over is listed in longer pieces than before. */
static size_t purge_next(struct pm_chunk **chunk)
{
    struct pm_chunk_run run;
    size_t purged = 0;
    pm_lock(&pm_meta_lock);
    *chunk = pm_chunks_next(*chunk);
    if (*chunk != NULL) {
        purged = pm_chunk_purge(*chunk);
        while (pm_chunk_unmark(*chunk, &run)) {
            list(run.start, run.bytes / PM_CACHE_LINE);
            listed_in_vain += run.bytes;
        }
    }
    pm_unlock(&pm_meta_lock);
    return purged;
}

static size_t purge(void)
{
    size_t lines = 1, purged = 0;
    while (mark_some(&lines))
        continue;
    struct pm_chunk *chunk = NULL;
    do
        purged += purge_next(&chunk);
    while (chunk != NULL);
    return purged;
}

/* Each time goes through all of it: the more had to stay the last time, the more has to come. */
static size_t worth_purging(void)
{
    size_t share = listed_in_vain / WORTH_SHARE;
    return listed_in_vain + (share > WORTH_PURGING ? share : WORTH_PURGING);
}

size_t pm_meta_purge(bool rested_only)
{
    pm_lock(&pm_meta_lock);
    bool is_worth_it = (rested_only ? listed_all_along : listed) >= worth_purging();
    listed_all_along = listed;
    if (is_worth_it)
        listed_in_vain = 0;
    pm_unlock(&pm_meta_lock);
    return is_worth_it ? purge() : 0;
}
