/*
 * deepbind.c - libraries that a program loads with RTLD_DEEPBIND.
 *
 * Such a library prefers the names of the libraries that it needs, so its malloc and free would be
 * libc's; but what the program hands it, and what libc's own strdup() or getline() make for it,
 * comes from our heap.  The first block that is freed on the other side ends the process (PHP loads
 * its extensions that way).  So the flag is left out, as sanitizers ask for too.
 *
 * libc tells from the return address who calls dlopen(), in whose RUNPATH it is to
 * look: the call must leave no frame of ours behind.
 */
#include <dlfcn.h>
#include <stdatomic.h>

#include "heap/misuse.h"
#include "os/compiler.h"

#ifndef RTLD_DEEPBIND /* a libc that has no such thing */
#define RTLD_DEEPBIND 0
#endif

typedef void *dlopen_function(const char *file, int mode);

/* Not by a constructor, as those of others may come first. */
static dlopen_function *next_dlopen(void)
{
    static _Atomic(dlopen_function *) next; /* relaxed: whoever asks finds the same */
    dlopen_function *found = atomic_load_explicit(&next, memory_order_relaxed);
    if (found == NULL) {
        found = (dlopen_function *)dlsym(RTLD_NEXT, "dlopen");
        atomic_store_explicit(&next, found, memory_order_relaxed);
    }
    return found;
}

PM_EXPORT PM_TAIL_CALLS void *dlopen(const char *file, int mode)
{
    dlopen_function *next = next_dlopen();
    if (next == NULL) /* a libc in which nothing comes after us */
        return NULL;
    bool is_others =
        pm_foreign.free != NULL && !pm_foreign.malloc_is_ours; /* as far as known yet */
    if (!is_others)
        mode &= ~RTLD_DEEPBIND;
    PM_TAIL_RETURN next(file, mode);
}
