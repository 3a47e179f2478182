/*
 * tls.h - how a thread finds its heap: a pointer of thread-local storage,
 * and the only place that names a TLS model.
 *
 * initial-exec is one load from the thread pointer; these and those of heap/common.h and
 * heap/thread.h fit in the surplus that the loader keeps for libraries loaded by dlopen().
 */
#ifndef PM_OS_TLS_H
#define PM_OS_TLS_H

#include "config.h"
#include "os/compiler.h"

struct pm_heap;

/* For the declaration and the definition: the compiler takes each at its word. */
#define PM_TLS __attribute__((tls_model(PM_TLS_MODEL), visibility("hidden")))

/* Never NULL: a thread without a heap points at one that is always empty. */
extern __thread struct pm_heap *pm_tls_heap PM_TLS;

/* Where that finds its pools by address, which is what free asks first: heap/tlb.h. */
struct pm_pool;
extern __thread struct pm_pool *const *pm_tls_tlb PM_TLS;

/* An address that no other live thread has. */
PM_INLINE const void *pm_tls_self(void)
{
    return &pm_tls_heap;
}

#endif /* PM_OS_TLS_H */
