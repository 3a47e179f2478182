/*
 * pool_purge.c - giving pages inside a pool back while some of its blocks live.
 *
 * A page goes when every block that lies on it, be it in part, is on the owner's
 * list or was never carved.  The blocks that begin there leave the list and are
 * withheld, so that they are used last; when nothing else is left they come
 * back page by page.  Their links say neither "live" nor anything else: that a free
 * block is withheld is seen from the page it begins on.
 *
 * Free memory inside pools is where all other allocators strand it: a page can go
 * here because nothing of the list is written into it.
 */
#include "pool/pool_purge.h"

#include <string.h>

#include "arena/arena.h"
#include "arena/bitmap.h"
#include "arena/hugepages.h"
#include "os/os.h"

static unsigned page_of(const struct pm_pool *pool, uintptr_t address)
{
    return (unsigned)((address - pool->span.start) >> pm_os_page_shift());
}

/* Bits first to last, at most 63. */
static uint64_t bits(unsigned first, unsigned last)
{
    return (~(uint64_t)0 << first) & (~(uint64_t)0 >> (63 - last));
}

uint64_t pm_pool_pages(const struct pm_pool *pool, uint32_t first, uint32_t end)
{
    return bits(page_of(pool, (uintptr_t)pm_pool_address(pool, first)),
                page_of(pool, (uintptr_t)pm_pool_address(pool, end) - 1));
}

uint64_t pm_pool_all_pages(const struct pm_pool *pool)
{
    return bits(0, page_of(pool, pool->span.start + pm_span_bytes(&pool->span) - 1));
}

uint64_t pm_pool_touched(const struct pm_pool *pool)
{
    size_t page = pm_os_page_size();
    uint64_t touched = ~pool->span.clean;
    if (touched == ~(uint64_t)0 || (page % pool->size == 0 && pool->shape.lead == 0))
        return touched;
    for (size_t reach = 0; reach < pool->size; reach += page)
        touched |= touched << 1;
    return touched;
}

static bool begins_on(const struct pm_pool *pool, uint32_t block, uint64_t pages)
{
    return (pages >> page_of(pool, (uintptr_t)pm_pool_address(pool, block)) & 1) != 0;
}

/*
 * The pages on which no carved block lies that is live, or on another thread's list.
 * `*offered` are those of blocks on the owner's list: resident, perhaps, whatever
 * `clean` says of the second page of a block.
 */
static uint64_t idle_pages(struct pm_pool *pool, uint64_t *offered)
{
    uint64_t listed[PM_BITMAP_WORDS(PM_POOL_LIMIT_MAX)];
    memset(listed, 0, PM_BITMAP_WORDS(pool->limit) * sizeof *listed);
    for (uint32_t block = pool->free; block != PM_LINK_NONE; block = pm_link_get(pool, block))
        pm_bitmap_set(listed, block, 1);
    uint64_t busy = 0;
    unsigned shift = pm_os_page_shift(); /* once: it may be every block of a growing process */
    uint32_t at = pool->shape.lead, size = pool->size;
    for (uint32_t block = pool->shape.first; block < pool->carved; block++, at += size) {
        uint64_t pages = bits(at >> shift, (at + size - 1) >> shift), begins = pages & -pages;
        if ((begins & pool->span.clean) != 0)
            continue;
        if (pm_bitmap_test(listed, block))
            *offered |= pages;
        else
            busy |= pages;
    }
    return ~busy & pm_pool_all_pages(pool);
}

/* The next run of `*pages`, which are not 0, and takes it out of them. */
static uint64_t next_run(const struct pm_pool *pool, uint64_t *pages, struct pm_os_run *run)
{
    size_t page = pm_os_page_size();
    unsigned first = (unsigned)__builtin_ctzll(*pages);
    uint64_t behind = ~(*pages >> first);
    unsigned count = behind == 0 ? 64 - first : (unsigned)__builtin_ctzll(behind);
    *run = (struct pm_os_run){(void *)(pool->span.start + first * page), count * page};
    uint64_t these = bits(first, first + count - 1);
    *pages &= ~these;
    return these;
}

/* Takes the blocks that begin on `pages` off the list; the others keep their order. */
static void withhold(struct pm_pool *pool, uint64_t pages)
{
    uint32_t last = PM_LINK_NONE, next;
    for (uint32_t block = pool->free; block != PM_LINK_NONE; block = next) {
        next = pm_link_get(pool, block);
        if (begins_on(pool, block, pages)) {
            pool->withheld++;
            continue;
        }
        if (last == PM_LINK_NONE)
            pool->free = block;
        else
            pm_link_set(pool, last, (uint16_t)block);
        last = block;
    }
    if (last == PM_LINK_NONE)
        pool->free = PM_LINK_NONE;
    else
        pm_link_set(pool, last, PM_LINK_NONE);
}

/* Withheld blocks that begin on `pages`, which are not 0, are on `free` again. */
static void offer(struct pm_pool *pool, uint64_t pages)
{
    for (uint32_t block = pool->shape.first; block < pool->carved; block++) {
        if (begins_on(pool, block, pages)) {
            pm_link_set(pool, block, (uint16_t)pool->free);
            pool->free = block;
            pool->withheld--;
        }
    }
    pm_arena_use(&pool->span, pages);
}

static uint8_t leave_rest(struct pm_pool *pool)
{
    uint8_t state = pool->state;
    if (state == PM_POOL_PARTIAL)
        pm_pool_leave_rest(pool, PM_POOL_BUSY);
    return state;
}

static void offer_refused(struct pm_pool *pool, uint64_t pages)
{
    uint8_t state = leave_rest(pool);
    offer(pool, pages);
    pm_pool_set_state(pool, state);
}

/* Of the runs of its pool, which stand together. */
static bool is_last_of_pool(const struct pm_pool_purge *purge, size_t i)
{
    return i + 1 == purge->count || purge->of[i + 1].pool != purge->of[i].pool;
}

size_t pm_pool_purge_noted(struct pm_pool_purge *purge)
{
    uint64_t gone = pm_os_purge(purge->run, purge->count), refused = 0;
    for (size_t i = 0; i < purge->count; i++) {
        struct pm_pool *pool = purge->of[i].pool;
        if ((gone >> i & 1) != 0)
            purge->bytes += purge->run[i].size;
        else
            refused |= purge->of[i].used;
        if (refused != 0 && is_last_of_pool(purge, i)) {
            offer_refused(pool, refused);
            refused = 0;
        }
    }
    purge->count = 0;
    return purge->bytes;
}

/* Every second page of a pool may be one of its own. */
_Static_assert(PM_POOL_PURGE_RUNS >= PM_SPAN_PAGES / 2, "there is room for all runs of a pool");

static bool has_room(const struct pm_pool_purge *purge, uint64_t pages)
{
    size_t runs = (size_t)pm_count_bits(pages & ~(pages << 1));
    return purge->count + runs <= PM_POOL_PURGE_RUNS;
}

static void note(struct pm_pool_purge *purge, struct pm_pool *pool, uint64_t pages)
{
    if (pages == 0)
        return;
    pm_hugepages_end(pool->span.arena);
    while (pages != 0) {
        uint64_t these = next_run(pool, &pages, &purge->run[purge->count]);
        purge->of[purge->count].pool = pool;
        purge->of[purge->count].used = these & ~pool->span.clean;
        purge->count++;
    }
}

void pm_pool_purge(struct pm_pool_purge *purge, struct pm_pool *pool)
{
    if (!pm_provider_is_system(&pool->span.arena->provider))
        return;
    uint8_t state = leave_rest(pool);
    pm_arena_take_in(&pool->span);
    uint64_t offered = 0, idle = idle_pages(pool, &offered);
    idle &= ~pool->span.clean | offered;
    if (!has_room(purge, idle))
        pm_pool_purge_noted(purge);
    note(purge, pool, idle);
    pm_arena_unuse(&pool->span, idle);
    withhold(pool, idle);
    pm_pool_set_state(pool, state);
}

/* The pages on which a live block lies; its owner may be freeing some of these. */
static PM_RACY_READ uint64_t live_pages(const struct pm_pool *pool)
{
    unsigned shift = pm_os_page_shift();
    uint32_t at = pool->shape.lead, size = pool->size;
    uint64_t busy = 0;
    for (uint32_t block = pool->shape.first; block < pool->carved; block++, at += size) {
        if (pm_link_is_live(pool, block))
            busy |= bits(at >> shift, (at + size - 1) >> shift);
    }
    return busy;
}

/* The pages of a visited pool that may go; 0 where as many as found at the last visit. */
static uint64_t idle_since(const struct pm_pool *pool)
{
    if (!pm_provider_is_system(&pool->span.arena->provider))
        return 0;
    uint64_t idle = ~live_pages(pool) & ~pool->span.clean;
    return (size_t)pm_count_bits(idle) > pool->span.away ? idle : 0;
}

/* Returns the bytes that are away now and were not before. */
static size_t send_noted_away(struct pm_pool_purge *purge)
{
    uint64_t gone = pm_os_purge(purge->run, purge->count);
    size_t bytes = 0, pages = 0; /* of a pool */
    for (size_t i = 0; i < purge->count; i++) {
        pages += (gone >> i & 1) != 0 ? purge->run[i].size >> pm_os_page_shift() : 0;
        if (!is_last_of_pool(purge, i))
            continue;
        struct pm_span *span = &purge->of[i].pool->span;
        bytes += pages > span->away ? (pages - span->away) << pm_os_page_shift() : 0;
        pm_arena_send_away(span, pages);
        pages = 0;
    }
    purge->count = 0;
    return bytes;
}

size_t pm_pool_purge_visited(struct pm_pool *const *pools, size_t count)
{
    struct pm_pool_purge purge;
    size_t bytes = 0;
    pm_pool_purge_begin(&purge);
    for (size_t i = 0; i < count; i++) {
        uint64_t idle = idle_since(pools[i]);
        if (!has_room(&purge, idle))
            bytes += send_noted_away(&purge);
        note(&purge, pools[i], idle);
    }
    return bytes + send_noted_away(&purge);
}

/* The first page that blocks begin on which are withheld; 0: none. */
static uint64_t first_withheld(const struct pm_pool *pool)
{
    for (uint32_t block = pool->shape.first; block < pool->carved; block++) {
        if (begins_on(pool, block, pool->span.clean)) {
            uint64_t pages = pm_pool_pages(pool, block, block + 1);
            return pages & -pages;
        }
    }
    return 0;
}

bool pm_pool_unwithhold(struct pm_pool *pool)
{
    uint64_t page = first_withheld(pool);
    if (page == 0)
        return false;
    offer(pool, page);
    return true;
}
