/*
 * common.c - see common.h.
 */
#include "heap/common.h"

#include "arena/provider.h"
#include "heap/registry.h"
#include "heap/thread.h"

struct pm_lock pm_common_lock = PM_LOCK_INIT;

__thread struct pm_heap *pm_tls_common PM_TLS = &pm_heap_none;

static bool (*is_turn)(void) PM_READ_MOSTLY; /* written before the interpreter's first call */

/* Written once, if at all. */
static struct pm_heap *_Atomic granted PM_READ_MOSTLY;

/* Where threads ask; under the lock. */
static struct pm_heap *common;     /* NULL as long as nobody uses it */
static size_t owners, owners_most; /* threads that use their own, and how many may */

/* Written under the lock, and looked at without: relaxed. */
static _Atomic size_t users; /* of `common` */

static atomic_bool trim_wanted; /* relaxed: a call sooner or later does no harm */

struct pm_heap *pm_common_grant(bool (*asked)(void))
{
    if (pm_tls_heap == &pm_heap_none && pm_thread_begin() == NULL) /* which sees to forks */
        return NULL;
    struct pm_heap *heap = pm_registry_obtain(NULL);
    is_turn = asked;
    /* release pairs with the acquire in find_granted() */
    atomic_store_explicit(&granted, heap, memory_order_release);
    return heap;
}

/* Any thread may look. */
static struct pm_heap *find_granted(void)
{
    /* acquire pairs with the release in pm_common_grant() */
    return atomic_load_explicit(&granted, memory_order_acquire);
}

bool pm_common_is_granted(const struct pm_heap *heap)
{
    return heap != NULL && heap == find_granted();
}

void pm_common_let_ask(bool (*asked)(void), size_t own_heaps)
{
    pm_lock(&pm_common_lock);
    is_turn = asked;
    owners_most = own_heaps;
    pm_unlock(&pm_common_lock);
}

static size_t users_now(void)
{
    return atomic_load_explicit(&users, memory_order_relaxed);
}

static void change_users(int by)
{
    atomic_store_explicit(&users, users_now() + (size_t)by, memory_order_relaxed);
}

/* Where there is no memory for another heap a thread's own will do. */
static struct pm_heap *choose_locked(struct pm_heap *own)
{
    if (common == NULL && owners >= owners_most) {
        common = pm_registry_obtain(NULL);
        atomic_store_explicit(&trim_wanted, false, memory_order_relaxed);
    }
    if (common == NULL || owners < owners_most) {
        owners++;
        return own;
    }
    change_users(1);
    return common;
}

/* What the calling thread, whose heap is `own`, uses from now on: own->common. */
static void use(struct pm_heap *own)
{
    pm_tls_common = own->common == own ? own : &pm_heap_none;
}

/* At the first call of a thread that asks.  Without memory for a heap nothing changes.  (A heap
 * whose thread has ended unnoticed has a choice already.) */
static PM_COLD void join(void)
{
    struct pm_heap *own = pm_tls_heap;
    if (own == &pm_heap_none)
        own = pm_thread_begin();
    if (own == NULL)
        return;
    if (own->common == &pm_heap_none) {
        pm_lock(&pm_common_lock);
        own->common = choose_locked(own);
        pm_unlock(&pm_common_lock);
    }
    use(own);
}

PM_INLINE bool uses_common(const struct pm_heap *own)
{
    return own->common != own && own->common != &pm_heap_none;
}

/* Not before its first call, nor after its end, and not in a call that has led to another. */
static PM_NOINLINE struct pm_heap *ask_without(struct pm_heap *own)
{
    if (own != &pm_heap_ended && !pm_provider_am_inside())
        join();
    own = pm_tls_heap;
    return uses_common(own) && is_turn() ? own->common : own;
}

struct pm_heap *pm_common_ask(void)
{
    struct pm_heap *own = pm_tls_heap;
    if (PM_UNLIKELY(!uses_common(own)))
        return ask_without(own);
    return is_turn() ? own->common : own;
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
    if (users_now() != 0)
        return NULL;
    common = NULL;
    return left;
}

void pm_common_leave(struct pm_heap *heap)
{
    if (heap->common == &pm_heap_none) /* most threads: they have not asked */
        return;
    pm_lock(&pm_common_lock);
    struct pm_heap *left = leave_locked(heap);
    pm_unlock(&pm_common_lock);
    heap->common = pm_tls_common = &pm_heap_none;
    if (left != NULL) {
        pm_heap_abandon(left);
        pm_registry_return(left);
    }
}

static struct pm_heap *inherit_asked(struct pm_heap *own, bool within)
{
    bool joined = own->common == common && common != NULL, is_only_user = users_now() == 1;
    struct pm_heap *kept = joined && (within || is_only_user) ? common : NULL;
    common = kept;
    atomic_store_explicit(&users, kept != NULL, memory_order_relaxed);
    if (kept == NULL && own->common != &pm_heap_none)
        own->common = own;
    owners = own->common == own && own != &pm_heap_none;
    use(own);
    return kept;
}

struct pm_heap *pm_common_inherit(struct pm_heap *own, bool was_alone, bool within)
{
    struct pm_heap *heap = find_granted();
    if (heap == NULL)
        return inherit_asked(own, within);
    return was_alone || within || is_turn() ? heap : NULL;
}

/* Can nobody else be at work in it?  (With other threads about there are ways to hold an
 * interpreter's lock, or not, of which it does not know.) */
static bool has_to_oneself(const struct pm_heap *heap)
{
    return heap != NULL && pm_alone() && !pm_lock_held_by_forking_thread() &&
           !pm_provider_am_inside();
}

void pm_common_look(const struct pm_heap *heap, uint64_t now)
{
    struct pm_heap *other = find_granted();
    if (other != heap && has_to_oneself(other))
        pm_heap_tick(other, now);
}

static size_t trim(struct pm_heap *heap)
{
    atomic_store_explicit(&trim_wanted, false, memory_order_relaxed);
    pm_heap_gather(heap);
    return pm_heap_purge(heap, true);
}

void pm_common_entered(struct pm_heap *heap)
{
    if (PM_UNLIKELY(atomic_load_explicit(&trim_wanted, memory_order_relaxed)))
        trim(heap);
}

size_t pm_common_trim(void)
{
    struct pm_heap *heap = find_granted(), *own = pm_tls_heap;
    if (heap == NULL && users_now() == 0)
        return 0;
    if (has_to_oneself(heap))
        return trim(heap);
    if (heap == NULL && uses_common(own) && !pm_provider_am_inside() && is_turn())
        return trim(own->common);
    atomic_store_explicit(&trim_wanted, true, memory_order_relaxed);
    return 0;
}
