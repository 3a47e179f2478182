/*
 * mapping.c - see mapping.h.
 */
#include "arena/mapping.h"

#include <stdatomic.h>
#include <string.h>

#include "arena/bitmap.h"
#include "arena/hugepages.h"
#include "arena/meta.h"
#include "arena/ownermap.h"
#include "os/fatal.h"
#include "os/os.h"

#define ARENA_MIN (4 * PM_MIB)
#define SPANS_BESIDE 16

/* Free slices are unmapped where there are so many: each time it may make one mapping more, of
 * which the system allows a process some 65,000. */
#define LOSE_MIN PM_MIB

static _Atomic size_t arena_max = 256 * PM_MIB;

PM_AT_START void pm_mapping_set_arena_max(size_t bytes)
{
    bytes = pm_align_up(bytes, PM_SLICE);
    atomic_store_explicit(&arena_max, bytes < PM_SLICE ? PM_SLICE : bytes, memory_order_relaxed);
}

static size_t descriptor_size(size_t slices, bool dedicated)
{
    if (dedicated)
        return sizeof(struct pm_arena);
    size_t words = 2 * PM_BITMAP_WORDS(slices) + 2 * PM_BITMAP_WORDS(pm_arena_pages(slices));
    return sizeof(struct pm_arena) + words * sizeof(uint64_t) + pm_runs_bytes(slices);
}

/* Unmaps what lies outside [base, base + bytes) of a mapping of the system's. */
static void trim(struct pm_arena *arena, uintptr_t base, size_t bytes)
{
    uintptr_t end = arena->map_start + arena->map_size;
    size_t before = base - arena->map_start, after = end - (base + bytes);
    if (before != 0 && pm_os_memory.unmap((void *)arena->map_start, before)) {
        arena->map_start += before;
        arena->map_size -= before;
    }
    if (after != 0 && pm_os_memory.unmap((void *)(base + bytes), after))
        arena->map_size -= after;
}

static bool obtain_mapping(struct pm_arena *arena, size_t size)
{
    arena->map_start = (uintptr_t)pm_provider_obtain(size, &arena->provider);
    arena->map_size = size;
    return arena->map_start != 0;
}

/* From the system: as it comes, or cut out of a larger mapping. */
static bool obtain_from_system(struct pm_arena *arena, size_t bytes, size_t align)
{
    if (!obtain_mapping(arena, bytes))
        return false;
    if (arena->map_start % align != 0) {
        pm_provider_release(&arena->provider, (void *)arena->map_start, arena->map_size);
        if (bytes > SIZE_MAX - align || !obtain_mapping(arena, bytes + align))
            return false;
    }
    arena->base = pm_align_up(arena->map_start, align);
    trim(arena, arena->base, bytes);
    return true;
}

/*
 * From a replaced provider, whose memory has any alignment and is given back as
 * it came.  It may even be a large block of ours, if the provider calls malloc:
 * then its first slice is taken in the owner map.
 */
static bool obtain_from_other(struct pm_arena *arena, size_t bytes, size_t align)
{
    if (align < pm_os_page_size()) /* no two slices of a page may differ */
        align = pm_os_page_size();
    if (bytes > SIZE_MAX - 2 * align || !obtain_mapping(arena, bytes + 2 * align))
        return false;
    arena->base = pm_align_up(arena->map_start, align);
    if (pm_ownermap_get((void *)arena->base) != NULL)
        arena->base += align;
    return true;
}

/* Finds `bytes` aligned to `align`, with room in the owner map for what is entered there. */
static bool obtain(struct pm_arena *arena, size_t bytes, size_t align)
{
    pm_provider_get(&arena->provider);
    bool system = pm_provider_is_system(&arena->provider) || pm_provider_am_inside();
    if (system && pm_arena_hugepages(arena) == PM_HUGEPAGES_ADVISED && align < PM_OS_HUGE_PAGE)
        align = PM_OS_HUGE_PAGE;
    bool found =
        system ? obtain_from_system(arena, bytes, align) : obtain_from_other(arena, bytes, align);
    if (!found || pm_ownermap_prepare(arena->base, arena->dedicated ? 1 : bytes))
        return found;
    pm_provider_release(&arena->provider, (void *)arena->map_start, arena->map_size);
    return false;
}

static struct pm_arena *new_arena(size_t bytes, size_t align, enum pm_hugepages hugepages,
                                  bool dedicated)
{
    bytes = pm_align_up(bytes, pm_os_page_size());
    size_t slices = pm_div_up(bytes, PM_SLICE);
    size_t size = descriptor_size(slices, dedicated);
    struct pm_arena *arena = pm_meta_alloc(size);
    if (arena == NULL)
        return NULL;
    arena->dedicated = dedicated;
    atomic_init(&arena->hugepages, hugepages);
    arena->slices = slices;
    if (!obtain(arena, bytes, align)) {
        pm_meta_free(arena, size);
        return NULL;
    }
    pm_hugepages_begin(arena);
    arena->no_run = arena->slices + 1;
    if (!dedicated) {
        arena->taken = (uint64_t *)(arena + 1);
        arena->gone = arena->taken + PM_BITMAP_WORDS(slices);
        arena->dirty = arena->gone + PM_BITMAP_WORDS(slices);
        arena->aged = arena->dirty + PM_BITMAP_WORDS(pm_arena_pages(slices));
        pm_runs_begin(arena, arena->aged + PM_BITMAP_WORDS(pm_arena_pages(slices)));
    }
    return arena;
}

struct pm_arena *pm_mapping_new(enum pm_span_kind kind, size_t bytes, size_t mapped)
{
    size_t max = atomic_load_explicit(&arena_max, memory_order_relaxed);
    enum pm_hugepages hugepages = pm_hugepages_of_shared(kind);
    size_t size = pm_align_up(mapped / 4, PM_OS_HUGE_PAGE);
    if (size < ARENA_MIN)
        size = ARENA_MIN;
    /* Holes of neighbouring arenas do not join: large spans want many of their like beside. */
    if (size < bytes * SPANS_BESIDE)
        size = bytes * SPANS_BESIDE;
    if (size > max)
        size = max;
    for (; size > bytes; size = pm_align_up(size / 2, PM_SLICE)) {
        struct pm_arena *arena = new_arena(size, PM_SLICE, hugepages, false);
        if (arena != NULL)
            return arena;
    }
    return new_arena(bytes, PM_SLICE, hugepages, false);
}

struct pm_arena *pm_mapping_new_dedicated(size_t bytes, size_t align)
{
    return new_arena(bytes, align, pm_hugepages_of_dedicated(), true);
}

/* That may be refused as well, when the process has too many mappings; the old addresses are still
 * there, and reading as zero. */
static void undo_move(const struct pm_arena *arena, void *start, void *moved, size_t size)
{
    if (pm_os_memory.move_back(start, moved, size))
        return;
    memcpy(start, moved, size);
    pm_provider_release(&arena->provider, moved, size);
}

/* Moves the span's pages to a mapping of their own and makes that `bytes` long. */
static bool move_and_resize(struct pm_arena *arena, const struct pm_span *span, size_t bytes)
{
    void *start = (void *)span->start;
    void *moved = pm_os_memory.move(start, pm_span_bytes(span));
    if (moved == NULL)
        return false;
    arena->map_start = arena->base = (uintptr_t)moved;
    arena->map_size = pm_span_bytes(span);
    if (pm_mapping_resize(arena, bytes))
        return true;
    undo_move(arena, start, moved, pm_span_bytes(span));
    return false;
}

struct pm_arena *pm_mapping_new_from(const struct pm_span *span, size_t bytes)
{
    size_t size = descriptor_size(0, true);
    struct pm_arena *arena = pm_meta_alloc(size);
    if (arena == NULL)
        return NULL;
    pm_provider_get(&arena->provider);
    arena->dedicated = true;
    atomic_init(&arena->hugepages, pm_arena_hugepages(span->arena)); /* it goes with the pages */
    if (pm_provider_is_system(&arena->provider) && pm_provider_is_system(&span->arena->provider) &&
        move_and_resize(arena, span, bytes))
        return arena;
    pm_meta_free(arena, size);
    return NULL;
}

bool pm_mapping_resize(struct pm_arena *arena, size_t bytes)
{
    /* What could not be trimmed off before the base moves along. */
    size_t before = arena->base - arena->map_start;
    if (bytes > PTRDIFF_MAX - before || !pm_ownermap_reserve())
        return false;
    size_t old_size = arena->map_size;
    void *moved = pm_os_memory.resize((void *)arena->map_start, old_size, before + bytes);
    if (moved == NULL)
        return false;
    arena->map_start = (uintptr_t)moved;
    arena->map_size = before + bytes;
    arena->base = arena->map_start + before;
    arena->slices = pm_div_up(bytes, PM_SLICE);
    pm_os_name(moved, arena->map_size, "pymem: arena");
    if (arena->map_size > old_size)
        pm_hugepages_grow(arena, arena->map_start + old_size);
    if (!pm_ownermap_prepare(arena->base, 1))
        pm_fatal_broken("the owner map has room for a block that was moved", moved);
    return true;
}

static size_t lose(struct pm_arena *arena, size_t first, size_t end)
{
    uintptr_t from = pm_arena_boundary(arena, first), to = pm_arena_boundary(arena, end);
    if (!pm_os_memory.unmap((void *)from, to - from))
        return 0;
    pm_arena_lose_locked(arena, first, end - first, to - from);
    return to - from;
}

size_t pm_mapping_unmap_free_locked(struct pm_arena *arena)
{
    if (arena->dedicated || arena->taken_count == 0 || !pm_provider_is_system(&arena->provider))
        return 0; /* what holds nothing goes as a whole */
    size_t lost = 0, first = pm_bitmap_next(arena->taken, 0, arena->slices, false);
    while (first != arena->slices) {
        size_t end = pm_bitmap_next(arena->taken, first, arena->slices, true);
        if (end - first >= LOSE_MIN >> PM_SLICE_SHIFT)
            lost += lose(arena, first, end);
        first = pm_bitmap_next(arena->taken, end, arena->slices, false);
    }
    return lost;
}

void pm_mapping_delete(struct pm_arena *arena)
{
    struct pm_arena_piece piece;
    for (size_t slice = 0; pm_arena_next_piece(arena, &slice, &piece);)
        pm_provider_release(&arena->provider, piece.start, piece.bytes);
    pm_meta_free(arena, descriptor_size(arena->slices, arena->dedicated));
}
