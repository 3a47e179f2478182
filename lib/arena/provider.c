/*
 * provider.c - see provider.h.
 */
#include "arena/provider.h"

#include <errno.h>

#include "os/os.h"
#include "os/tls.h"

static void *system_alloc(void *context, size_t size)
{
    (void)context;
    void *start = pm_os_memory.map(size);
    if (start != NULL)
        pm_os_name(start, size, "pymem: arena");
    return start;
}

static void system_free(void *context, void *start, size_t size)
{
    (void)context;
    /* Refused when the process has too many mappings: then only the pages go. */
    if (!pm_os_memory.unmap(start, size))
        pm_os_purge_one(start, size);
}

static const struct pm_provider system_provider = {NULL, system_alloc, system_free};

struct pm_lock pm_provider_lock = PM_LOCK_INIT;

/* Replaced only while no other thread asks for an arena (the contract in pymem.h). */
static struct pm_provider present = {NULL, system_alloc, system_free};

/* The thread inside a replaced provider; relaxed: each looks only for itself. */
static _Atomic(const void *) inside;

void pm_provider_get(struct pm_provider *provider)
{
    *provider = present;
}

void pm_provider_set(const struct pm_provider *provider)
{
    present = *provider;
}

bool pm_provider_is_system(const struct pm_provider *provider)
{
    return provider->alloc == system_alloc;
}

bool pm_provider_am_inside(void)
{
    return atomic_load_explicit(&inside, memory_order_relaxed) == pm_tls_self();
}

void *pm_provider_obtain(size_t size, struct pm_provider *provider)
{
    pm_provider_get(provider);
    if (pm_provider_am_inside())
        *provider = system_provider;
    if (pm_provider_is_system(provider))
        return provider->alloc(provider->context, size);

    pm_lock(&pm_provider_lock);
    atomic_store_explicit(&inside, pm_tls_self(), memory_order_relaxed);
    void *start = provider->alloc(provider->context, size);
    atomic_store_explicit(&inside, NULL, memory_order_relaxed);
    pm_unlock(&pm_provider_lock);
    return start;
}

void pm_provider_release(const struct pm_provider *provider, void *start, size_t size)
{
    int saved = errno; /* free() keeps it, whatever the provider does */
    if (pm_provider_is_system(provider) || pm_provider_am_inside()) {
        provider->free(provider->context, start, size);
    } else {
        pm_lock(&pm_provider_lock);
        atomic_store_explicit(&inside, pm_tls_self(), memory_order_relaxed);
        provider->free(provider->context, start, size);
        atomic_store_explicit(&inside, NULL, memory_order_relaxed);
        pm_unlock(&pm_provider_lock);
    }
    errno = saved;
}
