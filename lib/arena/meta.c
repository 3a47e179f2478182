/*
 * meta.c - see meta.h.  Pieces are cut in cache lines from chunks; a freed
 * piece waits on the list of its size, and is only split when the chunk is used up.
 */
#include "arena/meta.h"

#include <string.h>

#include "os/os.h"

enum {
    CHUNK = 256 * 1024,
    MAPPED_ALONE = CHUNK / 4, /* the largest piece of a chunk */
    LISTED_LINES = MAPPED_ALONE / PM_CACHE_LINE,
};

struct piece {
    struct piece *next;
};

struct pm_lock pm_meta_lock = PM_LOCK_INIT;

/* All under pm_meta_lock. */
static struct piece *lists[LISTED_LINES + 1]; /* by size in lines, last freed first */
static char *chunk;
static size_t chunk_left;

static _Atomic size_t mapped;

size_t pm_meta_mapped(void)
{
    return atomic_load_explicit(&mapped, memory_order_relaxed);
}

void *pm_meta_map(size_t size)
{
    size = pm_align_up(size, pm_os_page_size());
    void *start = pm_os_memory.map(size);
    if (start == NULL)
        return NULL;
    pm_os_name(start, size, "pymem: metadata");
    atomic_fetch_add_explicit(&mapped, size, memory_order_relaxed);
    return start;
}

static void list(struct piece *piece, size_t lines)
{
    piece->next = lists[lines];
    lists[lines] = piece;
}

static struct piece *unlist(size_t lines)
{
    struct piece *piece = lists[lines];
    if (piece != NULL)
        lists[lines] = piece->next;
    return piece;
}

/* Before more is mapped: the front of a larger piece that nobody needs. */
static void *split(size_t lines)
{
    for (size_t larger = lines + 1; larger <= LISTED_LINES; larger++) {
        struct piece *piece = unlist(larger);
        if (piece != NULL) {
            list((struct piece *)((char *)piece + lines * PM_CACHE_LINE), larger - lines);
            return piece;
        }
    }
    return NULL;
}

static void unmap(void *piece, size_t size)
{
    size = pm_align_up(size, pm_os_page_size());
    if (pm_os_memory.unmap(piece, size))
        atomic_fetch_sub_explicit(&mapped, size, memory_order_relaxed);
}

/* What is left serves smaller pieces. */
static void list_rest_of_chunk(void)
{
    size_t lines = chunk_left / PM_CACHE_LINE;
    if (lines != 0 && lines <= LISTED_LINES)
        list((struct piece *)chunk, lines);
}

/* A large piece has a mapping of its own; what is left of the chunk is kept. */
static void *cut(size_t size)
{
    if (size > MAPPED_ALONE)
        return pm_meta_map(size);
    if (size > chunk_left) {
        char *fresh = pm_meta_map(CHUNK);
        if (fresh == NULL)
            return NULL;
        list_rest_of_chunk();
        chunk = fresh;
        chunk_left = CHUNK;
    }
    void *piece = chunk;
    chunk += size;
    chunk_left -= size;
    return piece;
}

/* The piece is zero already where none was used before. */
static void *take_locked(size_t lines, bool *is_used)
{
    struct piece *used = lines <= LISTED_LINES ? unlist(lines) : NULL;
    if (used == NULL && lines * PM_CACHE_LINE > chunk_left)
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
    if (lines * PM_CACHE_LINE > MAPPED_ALONE) {
        unmap(piece, lines * PM_CACHE_LINE);
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
