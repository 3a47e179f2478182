/*
 * start.c - what happens when the library is loaded and when the process ends.
 * Calls before this are served with the defaults.
 */
#include "api/start.h"

#include <dlfcn.h>
#include <stdatomic.h>

#include "arena/hugepages.h"
#include "arena/mapping.h"
#include "arena/purge.h"
#include "heap/background.h"
#include "os/alone.h"
#include "os/os.h"
#include "os/text.h"

#include <pymem/pymem.h>
#include <pymem/stats.h>

enum { STANDARD_ERROR = 2 };

static atomic_bool started;
static struct pm_options options;
static struct pm_os_output report; /* if there is to be one at the end */

static void say_hello(void)
{
    struct pm_text text;
    pm_text_clear(&text);
    pm_text_add(&text, "pymem: version ");
    pm_text_add(&text, pymem_version());
    pm_text_add(&text, ", page size ");
    pm_text_add_number(&text, pm_os_page_size());
    pm_text_add(&text, "\n");
    pm_text_write(&text, STANDARD_ERROR);
}

/*
 * What we have told libc to call, at the end of threads say, must still be there then, so the
 * object that carries the heap is not unloaded: libpymem.so is linked that way.  A heap that is
 * part of the program itself is not found by this, and stays anyway.
 */
static void stay_loaded(void)
{
    Dl_info object;
    if (dladdr(&options, &object) == 0)
        return;
    if (dlopen(object.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == NULL)
        dlerror(); /* gives its message back */
}

PM_AT_START const struct pm_options *pm_start(void)
{
    if (atomic_exchange_explicit(&started, true, memory_order_relaxed))
        return &options;
    if (PM_EMBEDDED)
        stay_loaded();
    pm_options_read(&options);
    pm_purge_set_decay(options.decay_ms);
    pm_mapping_set_arena_max(options.arena_size);
    pm_hugepages_set(options.thp);
    if (!options.map_names)
        pm_os_use_few_calls();
    else if (pm_alone())
        pm_os_prepare_barriers();
    atomic_store_explicit(&pm_background_wanted, options.background_purge, memory_order_relaxed);
    if (options.stats)
        pm_os_keep_output(&report, STANDARD_ERROR);
    if (options.verbose)
        say_hello();
    if (options.confirm_conf)
        pm_options_print(&options);
    return &options;
}

__attribute__((destructor)) static void finish(void)
{
    if (options.stats)
        pymem_stats_print(pm_os_kept_output(&report));
}
