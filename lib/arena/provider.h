/*
 * provider.h - where arenas come from: the operating system, or whatever
 * PyObject_SetArenaAllocator() has put in its place.
 */
#ifndef PM_ARENA_PROVIDER_H
#define PM_ARENA_PROVIDER_H

#include "os/compiler.h"
#include "os/lock.h"

/* The fields of PyObjectArenaAllocator. */
struct pm_provider {
    void *context;
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *start, size_t size);
};

/* Held while a replaced provider runs, so that it is called by one thread at a time. */
extern struct pm_lock pm_provider_lock;

void pm_provider_get(struct pm_provider *provider);
void pm_provider_set(const struct pm_provider *provider);

/* Is it the system itself, whose mappings may be remapped and purged in parts? */
bool pm_provider_is_system(const struct pm_provider *provider);

/* Is the calling thread in a replaced provider right now?  Then the system serves it. */
bool pm_provider_am_inside(void);

/*
 * `size` bytes from the present provider, which is written to
 * `*provider` so that they go back where they came from; NULL when refused.
 * A provider that allocates while it is asked is served by the system.
 */
void *pm_provider_obtain(size_t size, struct pm_provider *provider);
void pm_provider_release(const struct pm_provider *provider, void *start, size_t size);

#endif /* PM_ARENA_PROVIDER_H */
