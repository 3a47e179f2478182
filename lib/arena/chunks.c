/*
 * chunks.c - see chunks.h.
 */
#include "arena/chunks.h"

#include "arena/bitmap.h"
#include "arena/meta.h"
#include "os/os.h"

#define CHUNK ((size_t)256 * 1024) /* and aligned to that, so that its pieces find it */
#define LINES (CHUNK / PM_CACHE_LINE)

struct pm_chunk {
    struct pm_chunk *next;
    uint64_t gone; /* pages, as bits */
    uint64_t marked[PM_BITMAP_WORDS(LINES)];
} PM_CACHE_ALIGNED;

_Static_assert(CHUNK / 4096 <= 64, "the pages of a chunk, 4 KiB at least, are bits of a word");
_Static_assert(sizeof(struct pm_chunk) + 3 * PM_CHUNK_PIECE_MAX <= CHUNK,
               "what is left of a chunk beside its longest pieces is less than one more");

static struct pm_chunk *newest;
static struct pm_chunk *sought; /* begins the search for pages that have gone; NULL: newest */
static size_t gone;             /* bytes */

size_t pm_chunks_gone(void)
{
    return gone;
}

/* Where twice as much is not to be had: it may be aligned as it comes. */
static struct pm_chunk *map_one(void)
{
    char *start = pm_meta_map(CHUNK);
    if (start == NULL || (uintptr_t)start % CHUNK == 0)
        return (struct pm_chunk *)start;
    pm_meta_unmap(start, CHUNK);
    return NULL;
}

/* Out of twice as much; the last place that is aligned, as the system maps downwards and the one
 * before may begin just behind.  The first keeps what lies around it, untouched: to give that back
 * would be a tenth of what the library costs a process that does next to nothing. */
static struct pm_chunk *map_aligned(void)
{
    char *start = pm_meta_map(2 * CHUNK);
    if (start == NULL)
        return map_one();
    char *aligned = (char *)pm_align_down((uintptr_t)start + CHUNK, CHUNK);
    if (newest != NULL) {
        pm_meta_unmap(start, (size_t)(aligned - start));
        pm_meta_unmap(aligned + CHUNK, (size_t)(start + CHUNK - aligned));
    }
    return (struct pm_chunk *)aligned;
}

/* All of it but its own header. */
static bool add(struct pm_chunk_run *run)
{
    struct pm_chunk *chunk = map_aligned();
    if (chunk == NULL)
        return false;
    chunk->next = newest;
    newest = chunk;
    *run = (struct pm_chunk_run){(char *)(chunk + 1), CHUNK - sizeof *chunk};
    return true;
}

/* The pages from `first` on that have gone. */
static void take_gone(struct pm_chunk *chunk, unsigned first, struct pm_chunk_run *run)
{
    unsigned count = (unsigned)__builtin_ctzll(~(chunk->gone >> first)); /* (page 0 never goes) */
    pm_bitmap_remove(&chunk->gone, first, ~(uint64_t)0 >> (64 - count));
    *run = (struct pm_chunk_run){(char *)chunk + (first << pm_os_page_shift()),
                                 (size_t)count << pm_os_page_shift()};
    gone -= run->bytes;
}

bool pm_chunks_take(size_t bytes, struct pm_chunk_run *run)
{
    unsigned pages = (unsigned)(pm_align_up(bytes, pm_os_page_size()) >> pm_os_page_shift());
    struct pm_chunk *chunk = sought != NULL ? sought : newest;
    for (; gone >= bytes && chunk != NULL; chunk = chunk->next) {
        uint64_t begins = pm_bitmap_run_begins(chunk->gone, pages);
        if (begins != 0) {
            sought = chunk;
            take_gone(chunk, (unsigned)__builtin_ctzll(begins), run);
            return true;
        }
    }
    return add(run);
}

static size_t line_of(const struct pm_chunk *chunk, const void *piece)
{
    return (size_t)((const char *)piece - (const char *)chunk) / PM_CACHE_LINE;
}

void pm_chunks_mark(const void *piece, size_t bytes)
{
    struct pm_chunk *chunk = (struct pm_chunk *)pm_align_down((uintptr_t)piece, CHUNK);
    pm_bitmap_set(chunk->marked, line_of(chunk, piece), bytes / PM_CACHE_LINE);
}

struct pm_chunk *pm_chunks_next(const struct pm_chunk *chunk)
{
    return chunk == NULL ? newest : chunk->next;
}

/* The pages that are marked from end to end, as bits. */
static uint64_t unused_pages(const struct pm_chunk *chunk)
{
    size_t lines = pm_os_page_size() / PM_CACHE_LINE;
    uint64_t unused = 0;
    for (size_t page = 0; page < LINES / lines; page++) {
        if (pm_bitmap_count(chunk->marked, page * lines, lines) == lines)
            unused |= (uint64_t)1 << page;
    }
    return unused;
}

/* Pages side by side.  Where the system refuses they stay marked; where it uses huge pages wherever
 * they fit, it is not to make one of what is left. */
static size_t purge_run(struct pm_chunk *chunk, size_t first, size_t count)
{
    size_t lines = pm_os_page_size() / PM_CACHE_LINE, bytes = count << pm_os_page_shift();
    if (chunk->gone == 0)
        pm_os_memory.advise_huge(chunk, CHUNK, false);
    if (!pm_os_purge_one((char *)chunk + (first << pm_os_page_shift()), bytes))
        return 0;
    pm_bitmap_clear(chunk->marked, first * lines, count * lines);
    pm_bitmap_set(&chunk->gone, first, count);
    gone += bytes;
    sought = NULL;
    return bytes;
}

size_t pm_chunk_purge(struct pm_chunk *chunk)
{
    uint64_t unused = unused_pages(chunk);
    size_t purged = 0, first = pm_bitmap_next(&unused, 0, 64, true);
    while (first != 64) {
        size_t end = pm_bitmap_next(&unused, first, 64, false);
        purged += purge_run(chunk, first, end - first);
        first = pm_bitmap_next(&unused, end, 64, true);
    }
    return purged;
}

bool pm_chunk_unmark(struct pm_chunk *chunk, struct pm_chunk_run *run)
{
    size_t first = pm_bitmap_next(chunk->marked, 0, LINES, true);
    if (first == LINES)
        return false;
    size_t most = first + PM_CHUNK_PIECE_MAX / PM_CACHE_LINE;
    size_t end = pm_bitmap_next(chunk->marked, first, most < LINES ? most : LINES, false);
    pm_bitmap_clear(chunk->marked, first, end - first);
    *run =
        (struct pm_chunk_run){(char *)chunk + first * PM_CACHE_LINE, (end - first) * PM_CACHE_LINE};
    return true;
}
