/*
 * libc_stats.c - glibc's functions about the heap, with true figures: programs
 * and tools (psutil, Dask) read these.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include "os/text.h"

#include <pymem/pymem.h>
#include <pymem/stats.h>

enum { STANDARD_ERROR = 2 };

/*
 * How glibc's fields map to ours: mallinfo(3).  As there, what is in use is uordblks and hblkhd
 * together, and arena is uordblks and fordblks.
 */
PM_EXPORT struct mallinfo2 mallinfo2(void)
{
    struct pymem_stats stats = {.struct_size = sizeof stats};
    pymem_stats_get(&stats);
    return (struct mallinfo2){
        .arena = stats.mapped - stats.large,        /* space not in large blocks */
        .ordblks = stats.pools,                     /* free pieces: one list for each pool */
        .hblks = stats.large_blocks,                /* large blocks */
        .hblkhd = stats.large,                      /* bytes in them */
        .uordblks = stats.allocated - stats.large,  /* bytes in use in other blocks */
        .fordblks = stats.mapped - stats.allocated, /* bytes not in use */
        .keepcost = stats.dirty,                    /* what malloc_trim() gives back at least */
    };
}

static int clamp(size_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

PM_EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 info = mallinfo2();
    return (struct mallinfo){
        .arena = clamp(info.arena),
        .ordblks = clamp(info.ordblks),
        .hblks = clamp(info.hblks),
        .hblkhd = clamp(info.hblkhd),
        .uordblks = clamp(info.uordblks),
        .fordblks = clamp(info.fordblks),
        .keepcost = clamp(info.keepcost),
    };
}

PM_EXPORT void malloc_stats(void)
{
    pymem_stats_print(STANDARD_ERROR);
}

/* Gives back all that is free: `pad` is a wish to keep some, which decay_ms is for. */
PM_EXPORT int malloc_trim(size_t pad)
{
    (void)pad;
    return pymem_trim() != 0;
}

/*
 * glibc's parameters tune a design that is not ours: known ones are accepted
 * without effect, so that programs which insist on success go on.
 */
PM_EXPORT int mallopt(int parameter, int value)
{
    (void)value;
    switch (parameter) {
    case M_MXFAST:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
    case M_NLBLKS: /* and three that glibc does nothing about either */
    case M_GRAIN:
    case M_KEEP:
        return 1;
    default:
        return 0;
    }
}

static void add_element(struct pm_text *text, const char *before, uint64_t value, const char *after)
{
    pm_text_add(text, before);
    pm_text_add_number(text, value);
    pm_text_add(text, after);
}

PM_EXPORT int malloc_info(int options, FILE *stream)
{
    if (options != 0)
        return EINVAL;
    struct pymem_stats stats = {.struct_size = sizeof stats};
    struct pm_text text;
    pymem_stats_get(&stats);
    uint64_t most = stats.peak_active > stats.mapped ? stats.peak_active : stats.mapped;
    pm_text_clear(&text);
    pm_text_add(&text, "<malloc version=\"1\">\n");
    add_element(&text, "<total type=\"rest\" count=\"", stats.live_blocks - stats.large_blocks,
                "\"");
    add_element(&text, " size=\"", stats.allocated - stats.large, "\"/>\n");
    add_element(&text, "<total type=\"mmap\" count=\"", stats.large_blocks, "\"");
    add_element(&text, " size=\"", stats.large, "\"/>\n");
    add_element(&text, "<system type=\"current\" size=\"", stats.mapped, "\"/>\n");
    add_element(&text, "<system type=\"max\" size=\"", most, "\"/>\n");
    add_element(&text, "<aspace type=\"total\" size=\"", stats.mapped, "\"/>\n");
    pm_text_add(&text, "</malloc>\n");
    return fwrite(text.bytes, 1, text.length, stream) == text.length ? 0 : -1;
}
