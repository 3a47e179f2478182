/*
 * large.c - see large.h.
 */
#include "heap/large.h"

#include <string.h>

#include "arena/arena.h"
#include "arena/meta.h"
#include "arena/ownermap.h"
#include "arena/provider.h"
#include "arena/spans.h"
#include "heap/spare.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/alone.h"
#include "os/fatal.h"
#include "os/os.h"
#include "os/tls.h"
#include "pool/sizeclass.h"

/* Usable sizes are multiples of this on every machine, so waste stays below an eighth. */
#define UNIT ((size_t)4096)

/* A hole at an address aligned to more than this is not worth looking for. */
#define SHARED_ALIGN_MAX (4 * PM_MIB)

/*
 * From this size on a block that grows is worth moving to a mapping of its own.  Smaller ones
 * are copied to slices that are resident already: the pages of a mapping are fresh, each
 * a fault, and go back with the block.
 */
#define REMAP_MIN (1 * PM_MIB)

_Static_assert(sizeof(struct pm_large) <= PM_CACHE_LINE, "a descriptor is a line of metadata");

enum { AT_A_TIME = 8 }; /* descriptors under one lock */

/* What a replaced provider allocates here is probably the arena we have asked it for: if that
 * had neighbours, we would make an arena for them that is the system's. */
static bool is_for_arena(size_t usable)
{
    return usable >= PM_MIB && pm_provider_am_inside();
}

/* The thread's own heap, if it has one. */
static struct pm_heap *own_heap(void)
{
    return pm_thread_has_heap(pm_tls_heap) ? pm_tls_heap : NULL;
}

static bool take(struct pm_span *span, size_t usable, size_t align, bool zero)
{
    size_t slices = pm_spans_slices(usable);
    if (usable >= PM_DEDICATED_MIN || align > SHARED_ALIGN_MAX || is_for_arena(usable)) {
        if (pm_spans_take_dedicated(span, pm_align_up(usable, pm_os_page_size()), align, zero))
            return true;
        /* Where no mapping is to be had a hole will do, but not in what a provider has given us. */
        return !pm_provider_am_inside() && pm_spans_take_hole(span, slices, align);
    }
    if (align < PM_SLICE)
        align = PM_SLICE;
    return zero ? pm_spans_take(span, PM_SPAN_LARGE, slices, align)
                : pm_spans_take_resident(span, slices, align);
}

static void enter(struct pm_large *large)
{
    pm_ownermap_set(large->span.start, 1, &large->span);
}

void pm_large_enter(struct pm_large *large)
{
    pm_large_set_usable(large, 0);
    enter(large);
}

void pm_large_leave(struct pm_large *large)
{
    if (PM_UNLIKELY(pm_ownermap_take(large->span.start) != &large->span))
        pm_fatal_broken("a spare block is given back once", large);
}

static void put_descriptor(struct pm_heap *heap, struct pm_large *large)
{
    large->next = heap->descriptor;
    heap->descriptor = large;
    heap->descriptors++;
}

static struct pm_large *take_descriptor(struct pm_heap *heap)
{
    struct pm_large *large = heap->descriptor;
    if (large != NULL) {
        heap->descriptor = large->next;
        heap->descriptors--;
    }
    return large;
}

/* A heap has some descriptors at hand: with other threads about, each of which has its lock, as
 * many as one lock brings. */
struct pm_large *pm_large_new(void)
{
    struct pm_heap *heap = own_heap();
    if (heap == NULL)
        return pm_meta_alloc(sizeof(struct pm_large));
    if (heap->descriptor == NULL) {
        void *pieces[AT_A_TIME];
        size_t count = pm_meta_alloc_lines(pieces, pm_alone() ? 1 : AT_A_TIME);
        for (size_t i = 0; i < count; i++)
            put_descriptor(heap, pieces[i]);
    }
    return take_descriptor(heap);
}

static void free_some(struct pm_heap *heap)
{
    void *pieces[AT_A_TIME];
    size_t count = 0;
    while (count < AT_A_TIME && heap->descriptor != NULL)
        pieces[count++] = take_descriptor(heap);
    pm_meta_free_lines(pieces, count);
}

void pm_large_forget(struct pm_large *large)
{
    struct pm_heap *heap = own_heap();
    if (heap == NULL) {
        pm_meta_free(large, sizeof *large);
        return;
    }
    if (heap->descriptors >= 2 * AT_A_TIME)
        free_some(heap);
    put_descriptor(heap, large);
}

void pm_large_lose(struct pm_heap *heap)
{
    heap->descriptor = NULL;
    heap->descriptors = 0;
}

/* Who takes blocks that may be spare gets a heap, for those and for descriptors at hand: it may be
 * another thread that frees them all. */
static struct pm_heap *heap_for(size_t slices)
{
    if (pm_tls_heap == &pm_heap_none && pm_spare_may_be(slices))
        return pm_thread_begin();
    return own_heap();
}

/* From an arena, after those that the thread has at hand have made room. */
static PM_NOINLINE struct pm_large *take_new(size_t usable, size_t align, bool zero)
{
    size_t slices = pm_spans_slices(usable);
    struct pm_heap *heap = heap_for(slices);
    struct pm_large *large = NULL;
    if (heap == NULL)
        pm_transfer_make_room(slices);
    else if (align <= PM_SLICE)
        large = pm_spare_seek(heap, slices);
    else
        pm_spare_make_room(heap, slices);
    if (large != NULL)
        return large;
    large = pm_large_new();
    if (large == NULL)
        return NULL;
    if (!take(&large->span, usable, align, zero)) {
        pm_large_forget(large);
        return NULL;
    }
    pm_large_enter(large);
    return large;
}

void *pm_large_alloc(size_t size, size_t align, bool zero)
{
    if (size > PTRDIFF_MAX - PM_SLICE || align > PTRDIFF_MAX / 2)
        return NULL;
    size_t usable = pm_align_up(size, UNIT);
    struct pm_large *large = NULL;
    if (align <= PM_SLICE) /* (who has no heap has no spare blocks, either) */
        large = pm_spare_take(pm_tls_heap, pm_spans_slices(usable));
    if (large == NULL)
        large = take_new(usable, align, zero);
    if (large == NULL)
        return NULL;
    void *block = (void *)large->span.start;
    if (zero && large->span.clean != PM_SPAN_CLEAN)
        memset(block, 0, size);
    pm_arena_use(&large->span, PM_SPAN_CLEAN);
    pm_large_set_usable(large, usable);
    return block;
}

/* The second of two who free a block finds that there is none, or, if the descriptor has been put
 * to another use since it was found, one elsewhere.  (If they do it at the same moment both may go
 * on: then the process ends when the block is taken, freed, or given back once more.  An exchange
 * here would wait until all that the program has written to its blocks has left the processor,
 * which takes longer than all else.) */
static bool claim(struct pm_large *large, const void *address)
{
    bool is_live = pm_large_usable(large) != 0 && large->span.start == (uintptr_t)address;
    atomic_store_explicit(&large->usable, 0, memory_order_relaxed);
    return is_live;
}

void pm_large_free(struct pm_large *large, void *address, const char *call)
{
    if (!claim(large, address))
        pm_fatal_free(call, address);
    bool kept = pm_spare_keep(large);
    if (!kept) {
        if (pm_ownermap_take((uintptr_t)address) != &large->span)
            pm_fatal_free(call, address);
        pm_spans_give(&large->span);
        pm_large_forget(large);
    }
    if (pm_thread_has_heap(pm_tls_heap)) /* for a program that mostly uses such blocks */
        pm_heap_freed_large(pm_tls_heap, kept);
}

/* Moves the pages to a mapping of their own, which grows without ever copying. */
static void *remap(struct pm_large *large, size_t usable, size_t align)
{
    if (align > pm_os_page_size()) /* what the system chooses is aligned to a page */
        return NULL;
    bool moved = pm_spans_remap(&large->span, pm_align_up(usable, pm_os_page_size()));
    if (moved)
        pm_large_set_usable(large, usable);
    enter(large); /* now whoever counts blocks finds it */
    return moved ? (void *)large->span.start : NULL;
}

/* Slices that are resident already, or what another block that grew has left, serve before the
 * fresh pages of a mapping, which would be more that is resident, and each a fault: that takes
 * longer than copying. */
static bool take_resident(struct pm_span *span, size_t usable, size_t align)
{
    if (align <= PM_SLICE && usable < PM_DEDICATED_MIN &&
        pm_spans_take_resident_only(span, pm_spans_slices(usable)))
        return true;
    size_t page = pm_os_page_size();
    return align <= page && pm_spans_take_roomy(span, pm_align_up(usable, page));
}

static void *copy_to_resident(struct pm_large *large, size_t usable, size_t align)
{
    struct pm_span old = large->span, span;
    if (!take_resident(&span, usable, align))
        return NULL;
    memcpy((void *)span.start, (void *)old.start, pm_large_usable(large));
    pm_arena_use(&span, PM_SPAN_CLEAN);
    pm_spans_move(&large->span, &span);
    pm_large_set_usable(large, usable);
    pm_spans_give(&old);
    return (void *)span.start;
}

/* In its place. */
static bool extend(struct pm_large *large, size_t usable)
{
    size_t slices = pm_spans_slices(usable);
    if (large->span.arena->dedicated)
        return usable <= pm_arena_span_bytes(&large->span);
    return slices <= large->span.slices || pm_spans_extend(&large->span, slices);
}

static void *shrink(struct pm_large *large, size_t usable, size_t align)
{
    if (large->span.arena->dedicated)
        return usable >= REMAP_MIN ? remap(large, usable, align) : NULL;
    pm_spans_cut(&large->span, pm_spans_slices(usable));
    pm_large_set_usable(large, usable);
    return (void *)large->span.start;
}

void *pm_large_resize(struct pm_large *large, size_t size, size_t align)
{
    if (size <= PM_POOL_SIZE_MAX || size > PTRDIFF_MAX - PM_SLICE)
        return NULL;
    size_t usable = pm_align_up(size, UNIT);
    size_t now = pm_large_usable(large);
    if (usable == now)
        return (void *)large->span.start;
    if (usable < now)
        return shrink(large, usable, align);
    if (extend(large, usable)) {
        pm_large_set_usable(large, usable);
        return (void *)large->span.start;
    }
    if (now < REMAP_MIN)
        return NULL;
    void *copy = copy_to_resident(large, usable, align);
    return copy != NULL ? copy : remap(large, usable, align);
}
