/*
 * heap_tables.c - the tables of a heap that has no pools.
 */
#include "heap/tlb.h"

/* Filled in by the compiler, because the first call may come before any code of ours. */
struct pm_heap pm_heap_none = {
    .direct = {[0 ... PM_DIRECT_COUNT - 1] = &pm_pool_none},
    .common = &pm_heap_none,
    .tlb_at = pm_tlb_none,
};

/* Which entries of direct[] are of the class. */
static void bin_set_direct(struct pm_bin *bin, unsigned class)
{
    size_t last, others = 0; /* how many before that */
    if (class >= PM_CLASS_OBJECTS) {
        last = PM_DIRECT_OBJECTS + class - PM_CLASS_OBJECTS + 2;
        others = class == PM_CLASS_OBJECTS ? 2 : 0; /* nothing and half a granule */
    } else if (class >= PM_CLASS_MEDIUM) {
        last = PM_DIRECT_MEDIUM + class - PM_CLASS_MEDIUM;
    } else {
        last = pm_class_size(class) / PM_GRANULE;
        others = class == 0 ? 1 : pm_class_granules(class) - 1; /* nothing */
    }
    bin->direct_first = (uint16_t)(last - others);
    bin->direct_last = (uint16_t)last;
}

static void bin_clear(struct pm_bin *bin, unsigned class)
{
    *bin = (struct pm_bin){.current = &pm_pool_none, .full_kept = PM_FULL_KEPT};
    pm_list_clear(&bin->partial);
    pm_list_clear(&bin->full);
    bin_set_direct(bin, class);
}

void pm_heap_fill_in(struct pm_heap *heap)
{
    heap->tls_direct = NULL; /* its thread is gone, or has it still to come */
    heap->has_batches = false;
    heap->common = &pm_heap_none;
    pm_heap_set_look_ms(heap, 0); /* not as if its next thread had been quiet */
    for (size_t i = 0; i < PM_DIRECT_COUNT; i++)
        heap->direct[i] = &pm_pool_none;
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        bin_clear(&heap->bin[class], class);
}

void pm_heap_clear(struct pm_heap *heap)
{
    pm_heap_fill_in(heap);
    pm_tlb_clear(heap);
}

/* What every program uses lies side by side, behind the batches, which one with a single thread
 * never touches. */
struct pm_heap *pm_heap_in(void *memory)
{
    struct pm_batch *batch = memory;
    struct pm_bin *bin = (struct pm_bin *)(batch + PM_BATCH_SLOTS);
    struct pm_heap *heap = (struct pm_heap *)(bin + PM_CLASS_COUNT);
    heap->batch = batch;
    heap->bin = bin;
    heap->tlb_at = heap->tlb;
    pm_heap_fill_in(heap);
    return heap;
}
