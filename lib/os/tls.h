/*
 * tls.h - how a thread finds its heap and the pools of that: a few words of thread-local storage,
 * and the only place that names a TLS model.
 *
 * initial-exec is one load from the thread pointer; this one and that of heap/common.h fit in
 * the surplus that the loader keeps for libraries loaded by dlopen().
 */
#ifndef PM_OS_TLS_H
#define PM_OS_TLS_H

#include "config.h"
#include "os/compiler.h"

struct pm_heap;
struct pm_pool;

/* Where a heap finds its pools: heap/tlb.h. */
struct pm_tlb_slots {
    struct pm_pool **slot; /* a power of two of them */
    size_t mask;           /* their number, minus one */
};

/* Those of the heap stand here as well: free() would wait for the heap's line to say where they
 * are, and the next malloc() of the class for what free() is to store. */
struct pm_tls {
    struct pm_heap *heap; /* never NULL: a thread without one points at one that is always empty */
    struct pm_tlb_slots tlb;
};

/* For the declaration and the definition: the compiler takes each at its word. */
#define PM_TLS __attribute__((tls_model(PM_TLS_MODEL), visibility("hidden")))

/* Written by pm_thread_use(). */
extern __thread struct pm_tls pm_tls PM_TLS;

/* An address that no other live thread has. */
PM_INLINE const void *pm_tls_self(void)
{
    return &pm_tls;
}

#endif /* PM_OS_TLS_H */
