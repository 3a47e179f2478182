/*
 * own.c - the pymem_ functions of <pymem/pymem.h> and <pymem/stats.h>.
 */
#include <errno.h>
#include <string.h>

#include "api/start.h"
#include "arena/arena.h"
#include "arena/meta.h"
#include "arena/purge.h"
#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/common.h"
#include "heap/misuse.h"
#include "heap/registry.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/text.h"

#include <pymem/pymem.h>
#include <pymem/stats.h>

PM_EXPORT bool pymem_owns(const void *p)
{
    return pm_block_is_live(p);
}

PM_EXPORT size_t pymem_usable_size(const void *p)
{
    return p == NULL ? 0 : pm_usable_size(p, "pymem_usable_size");
}

PM_EXPORT size_t pymem_trim(void)
{
    size_t inside = 0;
    if (pm_thread_has_heap(pm_tls_heap)) {
        pm_heap_gather(pm_tls_heap);
        inside = pm_heap_purge(pm_tls_heap, true);
    }
    pm_transfer_give_back(SIZE_MAX);
    inside += pm_common_trim();
    inside += pm_heap_purge_floating(true);
    return inside + pm_purge_all();
}

PM_EXPORT const char *pymem_version(void)
{
    return PYMEM_VERSION;
}

static void fill(struct pymem_stats *stats)
{
    struct pm_census census;
    pm_census_take(&census);
    stats->version = PYMEM_STATS_VERSION;
    stats->allocated = census.allocated;
    stats->active = census.arenas.taken;
    stats->dirty = census.arenas.dirty;
    stats->mapped = census.arenas.mapped;
    stats->metadata = pm_meta_kept();
    stats->large = census.large;
    stats->live_blocks = census.live_blocks;
    stats->large_blocks = census.large_blocks;
    stats->pools = census.pools;
    stats->arenas = census.arenas.arenas;
    stats->heaps = pm_registry_count();
    stats->peak_active = census.arenas.peak_taken;
    stats->purged = pm_purge_total();
}

PM_EXPORT int pymem_stats_get(struct pymem_stats *stats)
{
    if (stats == NULL || stats->struct_size < sizeof *stats) {
        errno = EINVAL;
        return -1;
    }
    struct pymem_stats now = {.struct_size = stats->struct_size};
    fill(&now);
    memcpy(stats, &now, sizeof now);
    return 0;
}

static void add_bytes(struct pm_text *text, const char *name, uint64_t bytes)
{
    pm_text_add(text, name);
    pm_text_add_column(text, bytes / 1024, 14);
    pm_text_add(text, " KiB\n");
}

static void add_count(struct pm_text *text, const char *name, uint64_t count)
{
    pm_text_add(text, name);
    pm_text_add_column(text, count, 14);
    pm_text_add(text, "\n");
}

PM_EXPORT void pymem_stats_print(int fd)
{
    struct pymem_stats stats = {.struct_size = sizeof stats};
    struct pm_text text;
    fill(&stats);
    pm_text_clear(&text);
    pm_text_add(&text, "pymem: heap statistics\n");
    add_bytes(&text, "  allocated    ", stats.allocated);
    add_bytes(&text, "  active       ", stats.active);
    add_bytes(&text, "  peak active  ", stats.peak_active);
    add_bytes(&text, "  dirty        ", stats.dirty);
    add_bytes(&text, "  mapped       ", stats.mapped);
    add_bytes(&text, "  metadata     ", stats.metadata);
    add_bytes(&text, "  purged       ", stats.purged);
    add_count(&text, "  live blocks  ", stats.live_blocks);
    add_count(&text, "  large blocks ", stats.large_blocks);
    add_count(&text, "  pools        ", stats.pools);
    add_count(&text, "  arenas       ", stats.arenas);
    add_count(&text, "  heaps        ", stats.heaps);
    pm_text_write(&text, fd);
}

__attribute__((constructor)) static void start(void)
{
    pm_start();
}
