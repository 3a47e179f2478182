/*
 * common.c - see common.h.
 */
#include "heap/common.h"

#include "arena/provider.h"
#include "heap/registry.h"
#include "heap/thread.h"

struct pm_lock pm_common_lock = PM_LOCK_INIT;

/* Under the lock. */
static struct pm_heap *common;     /* NULL as long as nobody uses it */
static size_t owners, owners_most; /* threads that use their own, and how many may */

/* Written under the lock, and looked at without; relaxed, for nothing else hangs on them. */
static _Atomic enum pm_turns turns;
static bool (*_Atomic is_turn)(void);
static _Atomic size_t users; /* of the common heap */

static atomic_bool trim_wanted; /* relaxed: a call sooner or later does no harm */

static enum pm_turns turns_now(void)
{
    return atomic_load_explicit(&turns, memory_order_relaxed);
}

void pm_common_set_turns(enum pm_turns now, bool (*asked)(void), size_t own_heaps)
{
    pm_lock(&pm_common_lock);
    owners_most = own_heaps;
    atomic_store_explicit(&is_turn, asked, memory_order_relaxed);
    atomic_store_explicit(&turns, now, memory_order_relaxed);
    pm_unlock(&pm_common_lock);
}

static bool asked(void)
{
    return atomic_load_explicit(&is_turn, memory_order_relaxed)();
}

struct pm_heap *pm_common_ask(struct pm_heap *own)
{
    bool may_use = own->common == &pm_heap_none || turns_now() == PM_TURNS_TAKEN || asked();
    return may_use ? own->common : own;
}

static size_t users_now(void)
{
    return atomic_load_explicit(&users, memory_order_relaxed);
}

static bool has_users(void)
{
    return users_now() != 0;
}

static void change_users(int by)
{
    atomic_store_explicit(&users, users_now() + (size_t)by, memory_order_relaxed);
}

/* Do the threads that come first use it as well?  Not where they would have to ask each time. */
static bool is_for_all(void)
{
    return has_users() && turns_now() == PM_TURNS_TAKEN;
}

/* Where there is no memory for another heap a thread's own will do. */
static struct pm_heap *choose_locked(struct pm_heap *own)
{
    if (common == NULL && owners >= owners_most) {
        common = pm_registry_obtain(NULL);
        atomic_store_explicit(&trim_wanted, false, memory_order_relaxed);
    }
    if (common == NULL || (owners < owners_most && !is_for_all())) {
        owners++;
        return own;
    }
    change_users(1);
    return common;
}

/* Of a thread that has not ended.  Without memory for a heap nothing changes. */
static PM_COLD void join(void)
{
    struct pm_heap *own = pm_tls_heap;
    if (own == &pm_heap_none)
        own = pm_thread_begin();
    if (own == NULL)
        return;
    if (turns_now() == PM_TURNS_NONE) {
        own->common = own;
        return;
    }
    pm_lock(&pm_common_lock);
    own->common = choose_locked(own);
    pm_unlock(&pm_common_lock);
}

/* Under the lock: the common heap, if its last user goes. */
static struct pm_heap *leave_locked(struct pm_heap *heap)
{
    struct pm_heap *left = common;
    if (heap->common == heap && owners != 0)
        owners--;
    if (heap->common != common || common == NULL)
        return NULL;
    change_users(-1);
    if (has_users())
        return NULL;
    common = NULL;
    return left;
}

void pm_common_leave(struct pm_heap *heap)
{
    if (heap->common == &pm_heap_none) /* most threads: of programs without an interpreter */
        return;
    pm_lock(&pm_common_lock);
    struct pm_heap *left = leave_locked(heap);
    pm_unlock(&pm_common_lock);
    heap->common = &pm_heap_none;
    if (left != NULL) {
        pm_heap_abandon(left);
        pm_registry_return(left);
    }
}

struct pm_heap *pm_common_inherit(struct pm_heap *own, bool within)
{
    bool joined = own->common == common && common != NULL, alone = users_now() == 1;
    struct pm_heap *kept = joined && (within || alone) ? common : NULL;
    common = kept;
    atomic_store_explicit(&users, kept != NULL, memory_order_relaxed);
    if (kept == NULL && own->common != &pm_heap_none)
        own->common = own;
    owners = own->common == own && own != &pm_heap_none;
    return kept;
}

static size_t trim(struct pm_heap *heap)
{
    atomic_store_explicit(&trim_wanted, false, memory_order_relaxed);
    pm_heap_gather(heap);
    return pm_heap_purge(heap, true);
}

size_t pm_common_trim(void)
{
    struct pm_heap *own = pm_tls_heap;
    if (!has_users())
        return 0;
    if (own->common != own && own->common != &pm_heap_none && asked())
        return trim(own->common);
    atomic_store_explicit(&trim_wanted, true, memory_order_relaxed);
    return 0;
}

/* A thread joins at its first call; and one that came first again, when all others may use what it
 * has left.  (Not within a call that has led to an arena allocator.) */
static struct pm_heap *choose(void)
{
    struct pm_heap *own = pm_tls_heap;
    if (PM_UNLIKELY(own == &pm_heap_ended) || pm_provider_am_inside())
        return own;
    if (PM_UNLIKELY(own->common == &pm_heap_none)) {
        join();
    } else if (PM_UNLIKELY(own->common == own && is_for_all())) {
        pm_common_leave(own);
        pm_heap_abandon(own);
        join();
    }
    return pm_common_heap(true);
}

/*
 * For the duration of a call the common heap is the thread's: all that alloc.c does is done there.
 * Returns the thread's own, for leave().
 */
static struct pm_heap *enter(void)
{
    struct pm_heap *heap = choose(), *own = pm_tls_heap;
    if (heap == own)
        return own;
    pm_tls_heap = heap;
    if (PM_UNLIKELY(atomic_load_explicit(&trim_wanted, memory_order_relaxed)))
        trim(heap);
    return own;
}

static void leave(struct pm_heap *own)
{
    pm_tls_heap = own;
}

#define IN_COMMON_HEAP(call)                                                                       \
    struct pm_heap *own = enter();                                                                 \
    void *block = call;                                                                            \
    leave(own);                                                                                    \
    return block

void *pm_common_alloc_slow(size_t size)
{
    IN_COMMON_HEAP(pm_alloc(size));
}

void *pm_common_alloc_object_slow(size_t size)
{
    IN_COMMON_HEAP(pm_alloc_object(size));
}

static PM_NOINLINE void *alloc_zeroed_slow(size_t size)
{
    IN_COMMON_HEAP(pm_alloc_zeroed(size));
}

void *pm_common_alloc_zeroed_array(size_t count, size_t size)
{
    size_t bytes = pm_product(count, size);
    if (bytes > PM_POOL_SIZE_MAX)
        return alloc_zeroed_slow(bytes);
    return pm_zeroed(pm_common_alloc(bytes, true), bytes);
}

void *pm_common_alloc_zeroed_objects(size_t count, size_t size)
{
    size_t bytes = pm_product(count, size);
    if (bytes > PM_OBJECT_MAX)
        return pm_common_alloc_zeroed_array(bytes, 1);
    return pm_zeroed(pm_common_alloc_object(bytes, true), bytes);
}

void *pm_common_realloc(void *address, size_t size, const char *call)
{
    IN_COMMON_HEAP(pm_realloc(address, size, call));
}

void *pm_common_realloc_object(void *address, size_t size, const char *call)
{
    IN_COMMON_HEAP(pm_realloc_object(address, size, call));
}

void pm_common_free_missed(void *address, size_t size, const char *call)
{
    struct pm_heap *own = enter();
    pm_free_missed(address, size, call);
    leave(own);
}

void pm_common_free_slow(struct pm_heap *heap, void *address, size_t size, const char *call)
{
    struct pm_heap *own = pm_tls_heap;
    pm_tls_heap = heap;
    pm_free_slow(heap, address, size, call);
    leave(own);
}
