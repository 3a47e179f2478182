/*
 * hugepages.c - see hugepages.h.
 */
#include "arena/hugepages.h"

#include "arena/bitmap.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "os/os.h"

#define SLOW_US 1000                    /* for the first byte of a huge page */
#define GIVEN_UP SIZE_MAX               /* as `tried` */
#define RENEW_MIN (2 * PM_OS_HUGE_PAGE) /* less is advised by nobody that we know */

enum {
    SAMPLED = 256, /* pools of an arena that are looked at, at most, */
    SAMPLED_MIN = 32,
};

static atomic_bool wanted = true; /* relaxed: set before there is a second thread */

PM_AT_START void pm_hugepages_set(bool use)
{
    atomic_store_explicit(&wanted, use, memory_order_relaxed);
}

static bool are_wanted(void)
{
    return atomic_load_explicit(&wanted, memory_order_relaxed);
}

struct sample {
    size_t pools, pages, used;
};

PM_RACY_READ static void look_at_pool(struct sample *sample, const struct pm_span *span)
{
    size_t pages = pm_arena_pages(span->slices);
    if (span->kind != PM_SPAN_POOL || pages > PM_SPAN_PAGES)
        return;
    sample->pools++;
    sample->pages += pages;
    sample->used += (size_t)pm_count_bits(~span->clean);
}

static void look_at_arena(struct sample *sample, const struct pm_arena *arena)
{
    const struct pm_span *span;
    size_t slice = 0, step = arena->slices / SAMPLED;
    for (; (span = pm_spans_next(arena, &slice)) != NULL; slice += step)
        look_at_pool(sample, span);
}

/* Do pools fill their pages?  It is the youngest that tell what is coming. */
static bool are_pools_dense(void)
{
    struct sample sample = {0};
    struct pm_arena *arena = NULL;
    pm_lock(&pm_arena_lock);
    for (struct pm_arena *next = pm_arena_list; next != NULL && !next->dedicated; next = next->next)
        arena = next;
    for (; arena != NULL && sample.pools < SAMPLED_MIN; arena = arena->prev)
        look_at_arena(&sample, arena);
    pm_unlock(&pm_arena_lock);
    return sample.used >= sample.pages - sample.pages / 8;
}

enum pm_hugepages pm_hugepages_of_shared(enum pm_span_kind kind)
{
    if (!are_wanted())
        return PM_HUGEPAGES_NEVER;
    if (kind != PM_SPAN_POOL)
        return PM_HUGEPAGES_SYSTEM;
    bool use = pm_arena_used() >= PM_HUGEPAGES_FROM && are_pools_dense();
    return use ? PM_HUGEPAGES_ADVISED : PM_HUGEPAGES_NEVER;
}

enum pm_hugepages pm_hugepages_of_dedicated(void)
{
    return are_wanted() ? PM_HUGEPAGES_SYSTEM : PM_HUGEPAGES_NEVER;
}

/* All of the mapping, and nothing behind it: its last slice may be another's. */
static void advise(struct pm_arena *arena)
{
    enum pm_hugepages present = pm_arena_hugepages(arena);
    if (present == PM_HUGEPAGES_SYSTEM || !pm_provider_is_system(&arena->provider))
        return;
    struct pm_arena_piece piece;
    for (size_t slice = 0; pm_arena_next_piece(arena, &slice, &piece);)
        pm_os_memory.advise_huge(piece.start, piece.bytes, present == PM_HUGEPAGES_ADVISED);
}

static void change(struct pm_arena *arena, enum pm_hugepages hugepages)
{
    atomic_store_explicit(&arena->hugepages, hugepages, memory_order_relaxed);
    advise(arena);
}

void pm_hugepages_begin(struct pm_arena *arena)
{
    advise(arena);
}

void pm_hugepages_renew(const struct pm_span *span)
{
    if (pm_arena_hugepages(span->arena) == PM_HUGEPAGES_NEVER && pm_span_bytes(span) >= RENEW_MIN &&
        pm_provider_is_system(&span->arena->provider))
        pm_os_memory.advise_huge((void *)span->start, pm_span_bytes(span), false);
}

/*
 * One takes 0.1 to 0.3 ms.  On a virtual machine whose host takes free memory back it may be 5, as
 * the host has to find it first; small pages, which are at hand for the most part, take 0.7.  And
 * the first ones may be at hand, but not those behind them.
 */
static bool comes_slowly(uintptr_t fresh)
{
    return pm_os_memory.touch((void *)fresh) > SLOW_US;
}

static bool has_given_up(const struct pm_arena *arena)
{
    return atomic_load_explicit(&arena->tried, memory_order_relaxed) == GIVEN_UP;
}

static void give_up(struct pm_arena *arena)
{
    pm_lock(&pm_arena_lock);
    atomic_store_explicit(&arena->tried, GIVEN_UP, memory_order_relaxed);
    if (pm_arena_hugepages(arena) == PM_HUGEPAGES_ADVISED)
        change(arena, PM_HUGEPAGES_NEVER);
    pm_unlock(&pm_arena_lock);
}

/* True for the first caller whose span ends on a huge page behind those looked at so far. */
static bool is_untried(struct pm_arena *arena, size_t end)
{
    size_t tried = atomic_load_explicit(&arena->tried, memory_order_relaxed);
    size_t now = pm_align_up(end, PM_OS_HUGE_PAGE);
    return end > tried &&
           atomic_compare_exchange_strong_explicit(&arena->tried, &tried, now, memory_order_relaxed,
                                                   memory_order_relaxed);
}

void pm_hugepages_try(const struct pm_span *span)
{
    struct pm_arena *arena = span->arena;
    if (PM_LIKELY(pm_arena_hugepages(arena) != PM_HUGEPAGES_ADVISED) ||
        !pm_provider_is_system(&arena->provider))
        return;
    uintptr_t end = span->start + pm_span_bytes(span);
    uintptr_t last = pm_align_down(end - 1, PM_OS_HUGE_PAGE);
    if (is_untried(arena, end - arena->base) &&
        comes_slowly(last > span->start ? last : span->start))
        give_up(arena);
}

void pm_hugepages_grow(struct pm_arena *arena, uintptr_t fresh)
{
    if (!are_wanted() || arena->map_size < PM_HUGEPAGES_FROM || has_given_up(arena))
        return;
    if (pm_arena_hugepages(arena) != PM_HUGEPAGES_ADVISED)
        change(arena, PM_HUGEPAGES_ADVISED);
    uintptr_t first = pm_align_up(fresh, PM_OS_HUGE_PAGE);
    if (first + PM_OS_HUGE_PAGE <= arena->map_start + arena->map_size && comes_slowly(first))
        give_up(arena);
}

/* Free slices beside others that are in use may be resident, though nobody has ever used them.
 * Returns the bytes that were known to be. */
static size_t purge_free(struct pm_arena *arena)
{
    size_t dirty = arena->dirty_count;
    size_t first = pm_bitmap_next(arena->taken, 0, arena->slices, false);
    while (first != arena->slices) {
        size_t end = pm_bitmap_next(arena->taken, first, arena->slices, true);
        void *start = (void *)(arena->base + (first << PM_SLICE_SHIFT));
        if (pm_os_purge_one(start, (end - first) << PM_SLICE_SHIFT))
            pm_arena_clean_locked(arena, first, end - first);
        first = pm_bitmap_next(arena->taken, end, arena->slices, false);
    }
    return (dirty - arena->dirty_count) * pm_os_page_size();
}

bool pm_hugepages_may_be(const struct pm_arena *arena)
{
    return pm_arena_hugepages(arena) == PM_HUGEPAGES_ADVISED || has_given_up(arena);
}

size_t pm_hugepages_end_locked(struct pm_arena *arena)
{
    bool may_be = pm_hugepages_may_be(arena);
    atomic_store_explicit(&arena->tried, 0, memory_order_relaxed);
    if (pm_arena_hugepages(arena) != PM_HUGEPAGES_NEVER)
        change(arena, PM_HUGEPAGES_NEVER);
    return may_be ? purge_free(arena) : 0;
}

void pm_hugepages_end(struct pm_arena *arena)
{
    if (PM_LIKELY(pm_arena_hugepages(arena) == PM_HUGEPAGES_NEVER && !has_given_up(arena)))
        return;
    pm_lock(&pm_arena_lock);
    size_t purged = pm_hugepages_end_locked(arena);
    pm_unlock(&pm_arena_lock);
    pm_purge_count(purged);
}

void pm_hugepages_end_all_locked(void)
{
    for (struct pm_arena *arena = pm_arena_list; arena != NULL && !arena->dedicated;
         arena = arena->next)
        pm_purge_count(pm_hugepages_end_locked(arena));
}
