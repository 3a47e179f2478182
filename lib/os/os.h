/*
 * os.h - everything the library asks of the operating system, with what holds
 * before and after each call.  os_linux.c is the only file that makes system
 * calls for memory, time, waiting and output.
 *
 * Nothing here allocates, and nothing here changes errno unless it says so.
 */
#ifndef PM_OS_OS_H
#define PM_OS_OS_H

#include <stdatomic.h>

#include "os/compiler.h"

/*
 * Bytes in a page: 4 KiB to 64 KiB, a power of two.  Read from the system by whichever
 * threads come first: they write the same number, so it needs no order.
 */
extern _Atomic size_t pm_os_page_bytes; /* 0: not yet */
size_t pm_os_read_page_size(void);

PM_INLINE size_t pm_os_page_size(void)
{
    size_t size = atomic_load_explicit(&pm_os_page_bytes, memory_order_relaxed);
    return PM_LIKELY(size != 0) ? size : pm_os_read_page_size();
}

/* Its logarithm to the base of 2. */
PM_INLINE unsigned pm_os_page_shift(void)
{
    return (unsigned)__builtin_ctzll(pm_os_page_size());
}

/* Tests only: pretend another page size.  Before anything has been mapped. */
void pm_os_set_page_size(size_t size);

/* Pages side by side. */
struct pm_os_run {
    void *start;
    size_t size;
};

/*
 * The ways memory comes and goes, in a table so that a test can make any
 * of them fail at any moment.
 *
 * map:    `size` bytes (a multiple of the page) of private zeroed memory,
 *         page-aligned; NULL when refused.
 * unmap:  gives [start, start + size) back, addresses included; false when
 *         refused (the kernel may need a mapping more to split one).
 * purge:  gives the memory of so many runs of pages back and keeps the addresses; they read as
 *         zero afterwards.  Returns how many of them, from the first on, have gone; the next was
 *         refused, though some of its pages may be gone.
 * resize: a whole mapping grown or shrunk by moving page tables; NULL when
 *         refused, the old one intact.
 * move:   the pages of a part of a mapping moved to a mapping of their own;
 *         the old addresses stay and read as zero.  NULL when refused, the old
 *         one intact.
 * move_back: undoes a move: the pages at `from` are at `start` again, and `from`
 *         is unmapped.  False when refused, as there are too many mappings: both intact.
 * advise_huge: huge pages are welcome there, or are not; does nothing where the
 *         system has none.
 * touch:  writes a 0 to fresh memory; the microseconds of processor time that took.
 * peak:   the most bytes that the process had resident at one time; more if its predecessor
 *         before exec() had more; 0 where the system does not say.
 * faults: the page faults of the calling thread so far that nothing had to be read for; 0 where the
 *         system does not say.
 */
struct pm_os_memory {
    void *(*map)(size_t size);
    bool (*unmap)(void *start, size_t size);
    size_t (*purge)(const struct pm_os_run *runs, size_t count);
    void *(*resize)(void *start, size_t old_size, size_t new_size);
    void *(*move)(void *start, size_t size);
    bool (*move_back)(void *start, void *from, size_t size);
    void (*advise_huge)(void *start, size_t size, bool use);
    uint64_t (*touch)(void *page);
    size_t (*peak)(void);
    size_t (*faults)(void);
};

extern struct pm_os_memory pm_os_memory;

/* Purges as many of up to 64 runs as can be, and says which, as bits.  Where the system can it
 * takes one call, as each interrupts all processors on which the process has threads. */
uint64_t pm_os_purge(const struct pm_os_run *runs, size_t count);

/* The same with one. */
PM_INLINE bool pm_os_purge_one(void *start, size_t size)
{
    struct pm_os_run run = {start, size};
    return pm_os_memory.purge(&run, 1) == 1;
}

/* Bytes in a huge page, on most machines. */
#define PM_OS_HUGE_PAGE (2 * PM_MIB)

/* Names a mapping for /proc/PID/maps; does nothing where the kernel cannot, or nobody wants it. */
void pm_os_name(void *start, size_t size, const char *name);

/* Option map_names is false: no names from now on, no barriers and no purges of several runs in one
 * call.  For a sandbox that ends the process for calls it does not know. */
void pm_os_use_few_calls(void);

/* Milliseconds of a clock that never goes back; a few milliseconds coarse. */
uint64_t pm_os_clock_ms(void);

/* Sleeps while *word is `expected`, until woken; may wake without reason. */
void pm_os_wait(_Atomic uint32_t *word, uint32_t expected);
void pm_os_wake_one(_Atomic uint32_t *word);

/* Sleeps about so many milliseconds. */
void pm_os_sleep_ms(uint64_t milliseconds);

/*
 * The lock of libc's list of streams, which fork() takes after all handlers.  Who holds it may
 * wait for a stream, as in fflush(NULL), and the stream's user for a lock of ours: so a fork takes
 * it before those.  It may be taken twice by one thread.  Does nothing where libc has no
 * such function.  pm_os_streams_reset() is for the child.
 */
void pm_os_streams_lock(void);
void pm_os_streams_unlock(void);
void pm_os_streams_reset(void);

/* The least stack of a thread in bytes, with what thread-local storage takes of it. */
size_t pm_os_thread_stack_min(void);

/* Every other thread of the process has executed a full memory barrier when this returns, or will
 * before it runs again; false where the system has no such call, or refuses it. */
bool pm_os_barrier(void);

/* Makes the first one as fast as the others, while the process has one thread. */
void pm_os_prepare_barriers(void);

/* Tells the processor that this is a loop which waits. */
void pm_os_pause(void);

/* Writes all of `text`, interrupted or not; a failing write is let go. */
void pm_os_write(int fd, const char *text, size_t length);

/* Where `fd` leads, for the end of the process: programs close standard error before that. */
struct pm_os_output {
    int fd, kept; /* as given, and another of our own; -1: could not be had */
    uint64_t device, inode;
};

/* Notes where `fd` leads and keeps it open until exec(). */
void pm_os_keep_output(struct pm_os_output *output, int fd);

/* What to write to: `fd` if it is open, else our own if that still leads there; -1: neither. */
int pm_os_kept_output(const struct pm_os_output *output);

/* The value of an environment variable; NULL in a set-user-ID program. */
const char *pm_os_environment(const char *name);

/* Is there a variable whose name begins like this? */
bool pm_os_environment_mentions(const char *prefix);

/* The break since the library was loaded: [start, end) is where libc's own heap grows. */
void pm_os_break_range(uintptr_t *start, uintptr_t *end);

/* Ends the process as abort() does. */
_Noreturn void pm_os_abort(void);

#endif /* PM_OS_OS_H */
