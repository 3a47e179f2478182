/*
 * spare.c - see spare.h.  Each place is written at once, as another thread may fork at any moment:
 * what the child finds in a place is a spare block.
 */
#include "heap/spare.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/background.h"
#include "heap/thread.h"
#include "os/tls.h"

#define SPARE_SLICES ((size_t)8) /* in all */

_Static_assert((PM_SPARES + 1) * (PM_POOL_SIZE_MAX / PM_SLICE + 1) > SPARE_SLICES,
               "so many slices have a place");

static bool may_keep(const struct pm_large *large)
{
    return large->span.slices <= SPARE_SLICES && !large->span.arena->dedicated &&
           pm_purge_decay() != 0 && !pm_background_is_wanted();
}

/* With others it would be too much: the others go. */
static void make_place(struct pm_heap *heap, size_t slices)
{
    for (size_t i = 0; i < PM_SPARES; i++)
        slices += heap->spare[i] != NULL ? heap->spare[i]->span.slices : 0;
    if (slices > SPARE_SLICES)
        pm_spare_flush(heap);
}

bool pm_spare_keep(struct pm_large *large)
{
    if (!may_keep(large))
        return false;
    struct pm_heap *heap = pm_tls_heap == &pm_heap_none ? pm_thread_begin() : pm_tls_heap;
    if (heap == NULL || heap == &pm_heap_ended)
        return false;
    make_place(heap, large->span.slices);
    for (size_t i = 0; i < PM_SPARES; i++) {
        if (heap->spare[i] == NULL) {
            heap->spare[i] = large;
            return true;
        }
    }
    return false; /* a replaced provider, called meanwhile, has freed some */
}

struct pm_large *pm_spare_take(struct pm_heap *heap, size_t slices)
{
    for (size_t i = 0; i < PM_SPARES; i++) {
        struct pm_large *large = heap->spare[i];
        if (large != NULL && large->span.slices == slices) {
            heap->spare[i] = NULL;
            return large;
        }
    }
    return NULL;
}

void pm_spare_flush(struct pm_heap *heap)
{
    for (size_t i = 0; i < PM_SPARES; i++) {
        struct pm_large *large = heap->spare[i];
        if (large == NULL)
            continue;
        heap->spare[i] = NULL;
        pm_large_give(large);
    }
}
