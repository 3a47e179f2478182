/*
 * os_linux.c - os.h for Linux, on glibc and musl.
 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "os/alone.h"
#include "os/vdso.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef PR_SET_VMA_ANON_NAME
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000)
#endif

/* What the system does not know, or is not to be asked for.  Relaxed: to ask once more does no
 * harm. */
static atomic_bool nameless, barred, one_by_one;

static void give_up(atomic_bool *what)
{
    atomic_store_explicit(what, true, memory_order_relaxed);
}

static bool has_given_up(const atomic_bool *what)
{
    return atomic_load_explicit(what, memory_order_relaxed);
}

void pm_os_use_few_calls(void)
{
    give_up(&nameless);
    give_up(&barred);
    give_up(&one_by_one);
}

_Atomic size_t pm_os_page_bytes PM_READ_MOSTLY;

size_t pm_os_read_page_size(void)
{
    size_t size = getauxval(AT_PAGESZ);
    pm_os_set_page_size(size);
    return size;
}

void pm_os_set_page_size(size_t size)
{
    atomic_store_explicit(&pm_os_page_bytes, size, memory_order_relaxed);
}

static void *map(size_t size)
{
    int saved = errno;
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    return start == MAP_FAILED ? NULL : start;
}

static bool unmap(void *start, size_t size)
{
    int saved = errno;
    bool done = munmap(start, size) == 0;
    errno = saved;
    return done;
}

_Static_assert(sizeof(struct pm_os_run) == sizeof(struct iovec) &&
                   offsetof(struct pm_os_run, size) == offsetof(struct iovec, iov_len),
               "runs are what the system takes as a vector");

/* How many of the runs have gone when so many bytes have. */
static size_t whole_runs(const struct pm_os_run *runs, size_t count, size_t bytes)
{
    size_t whole = 0;
    for (; whole < count && bytes >= runs[whole].size; whole++)
        bytes -= runs[whole].size;
    return whole;
}

/* Recent kernels do that for oneself (6.18; not 6.1), and know PIDFD_SELF: a descriptor would name
 * the parent in the child of a fork, and the program may close it. */
static size_t purge_together(const struct pm_os_run *runs, size_t count)
{
    long bytes = syscall(SYS_process_madvise, PIDFD_SELF, runs, count, MADV_DONTNEED, 0);
    return bytes < 0 ? 0 : whole_runs(runs, count, (size_t)bytes);
}

/* MADV_DONTNEED and not MADV_FREE: resident memory shows at once what is free. */
static bool purge_alone(const struct pm_os_run *run)
{
    return madvise(run->start, run->size, MADV_DONTNEED) == 0;
}

static size_t purge(const struct pm_os_run *runs, size_t count)
{
    int saved = errno;
    bool try_together = count > 1 && !pm_alone() && !has_given_up(&one_by_one);
    size_t together = try_together ? purge_together(runs, count) : 0, gone = together;
    while (gone < count && purge_alone(&runs[gone]))
        gone++;
    if (try_together && together == 0 && gone != 0) /* it was not the first run that was refused */
        give_up(&one_by_one);
    errno = saved;
    return gone;
}

uint64_t pm_os_purge(const struct pm_os_run *runs, size_t count)
{
    uint64_t gone = 0;
    for (size_t from = 0; from < count; from++) { /* moves on when one is refused */
        size_t more = pm_os_memory.purge(runs + from, count - from);
        for (; more != 0; more--, from++)
            gone |= (uint64_t)1 << from;
    }
    return gone;
}

static void *resize(void *start, size_t old_size, size_t new_size)
{
    int saved = errno;
    void *moved = mremap(start, old_size, new_size, MREMAP_MAYMOVE);
    errno = saved;
    return moved == MAP_FAILED ? NULL : moved;
}

static void *move(void *start, size_t size)
{
    int saved = errno;
    void *moved = mremap(start, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    errno = saved;
    return moved == MAP_FAILED ? NULL : moved;
}

static bool move_back(void *start, void *from, size_t size)
{
    int saved = errno;
    void *moved = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start);
    errno = saved;
    return moved == start;
}

static void advise_huge(void *start, size_t size, bool use)
{
    int saved = errno;
    madvise(start, size, use ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    errno = saved;
}

/* This thread's: what others do meanwhile does not count.  The vDSO would ask the kernel, too. */
static uint64_t processor_us(void)
{
    struct timespec now;
    if (syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t touch(void *page)
{
    int saved = errno;
    uint64_t before = processor_us();
    *(volatile char *)page = 0;
    uint64_t took = processor_us() - before;
    errno = saved;
    return took;
}

/* All zero where the system does not say. */
static struct rusage usage(int of)
{
    int saved = errno;
    struct rusage usage = {.ru_maxrss = 0};
    (void)getrusage(of, &usage);
    errno = saved;
    return usage;
}

static size_t peak(void)
{
    return (size_t)usage(RUSAGE_SELF).ru_maxrss * 1024;
}

static size_t faults(void)
{
    return (size_t)usage(RUSAGE_THREAD).ru_minflt;
}

struct pm_os_memory pm_os_memory = {map,       unmap,       purge, resize, move,
                                    move_back, advise_huge, touch, peak,   faults};

/* Not by libc's prctl(): a small process would have the 64 KiB around that resident for nothing
 * else. */
void pm_os_name(void *start, size_t size, const char *name)
{
    int saved = errno;
    if (!has_given_up(&nameless) &&
        syscall(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, size, name) != 0 &&
        errno == EINVAL)
        give_up(&nameless);
    errno = saved;
}

typedef int clock_function(clockid_t clock, struct timespec *now);

/*
 * The kernel's own: libc's may have been replaced by one that stands still, or that allocates
 * while it holds a lock (libfaketime's does both).
 */
static clock_function *find_clock(void)
{
    void *found = pm_vdso_find("__vdso_clock_gettime"); /* x86-64's name */
    if (found == NULL)
        found = pm_vdso_find("__kernel_clock_gettime"); /* aarch64's */
    return found == NULL ? clock_gettime : (clock_function *)found;
}

uint64_t pm_os_clock_ms(void)
{
    static _Atomic(clock_function *) ask; /* relaxed: whoever looks finds the same */
    struct timespec now;
    clock_function *known = atomic_load_explicit(&ask, memory_order_relaxed);
    if (PM_UNLIKELY(known == NULL)) {
        known = find_clock();
        atomic_store_explicit(&ask, known, memory_order_relaxed);
    }
    if (known(CLOCK_MONOTONIC_COARSE, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* <linux/futex.h>, which a compiler for musl may lack. */
enum { WAIT_PRIVATE = 128, WAKE_PRIVATE = 129 };

void pm_os_wait(_Atomic uint32_t *word, uint32_t expected)
{
    int saved = errno;
    syscall(SYS_futex, word, WAIT_PRIVATE, expected, NULL, NULL, 0);
    errno = saved;
}

void pm_os_wake_one(_Atomic uint32_t *word)
{
    int saved = errno;
    syscall(SYS_futex, word, WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

void pm_os_sleep_ms(uint64_t milliseconds)
{
    int saved = errno;
    struct timespec time = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
    nanosleep(&time, NULL);
    errno = saved;
}

/* glibc's, since 2.2; in no header. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));

void pm_os_streams_lock(void)
{
    if (_IO_list_lock != NULL)
        _IO_list_lock();
}

void pm_os_streams_unlock(void)
{
    if (_IO_list_unlock != NULL)
        _IO_list_unlock();
}

void pm_os_streams_reset(void)
{
    if (_IO_list_resetlock != NULL)
        _IO_list_resetlock();
}

size_t pm_os_thread_stack_min(void)
{
    long least = sysconf(_SC_THREAD_STACK_MIN);
    return least > 0 ? (size_t)least : 0;
}

/* <linux/membarrier.h>, which a compiler for musl may lack. */
enum { BARRIER = 1 << 3, BARRIER_REGISTER = 1 << 4 };

static bool membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* A process registers once.  Where it has threads already that takes milliseconds. */
PM_AT_START void pm_os_prepare_barriers(void)
{
    int saved = errno;
    membarrier(BARRIER_REGISTER);
    errno = saved;
}

bool pm_os_barrier(void)
{
    if (has_given_up(&barred))
        return false;
    int saved = errno;
    bool done = membarrier(BARRIER) ||
                (errno == EPERM && membarrier(BARRIER_REGISTER) && membarrier(BARRIER));
    errno = saved;
    return done;
}

void pm_os_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

void pm_os_write(int fd, const char *text, size_t length)
{
    int saved = errno;
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        text += written;
        length -= (size_t)written;
    }
    errno = saved;
}

enum { KEPT_MIN = 100 }; /* lower ones belong to whoever expects the next to be the first free */

void pm_os_keep_output(struct pm_os_output *output, int fd)
{
    int saved = errno;
    struct stat file = {0};
    *output = (struct pm_os_output){.fd = fd, .kept = fcntl(fd, F_DUPFD_CLOEXEC, KEPT_MIN)};
    if (output->kept >= 0 && fstat(output->kept, &file) == 0) {
        output->device = file.st_dev;
        output->inode = file.st_ino;
    }
    errno = saved;
}

/* A program that closes all it finds may have made ours the number of a file of its own. */
static bool leads_there(const struct pm_os_output *output)
{
    struct stat file;
    return output->kept >= 0 && fstat(output->kept, &file) == 0 && file.st_dev == output->device &&
           file.st_ino == output->inode;
}

int pm_os_kept_output(const struct pm_os_output *output)
{
    int saved = errno;
    bool is_open = fcntl(output->fd, F_GETFD) >= 0;
    int fd = is_open ? output->fd : leads_there(output) ? output->kept : -1;
    errno = saved;
    return fd;
}

const char *pm_os_environment(const char *name)
{
    if (getauxval(AT_SECURE) != 0)
        return NULL;
    return getenv(name);
}

/* (By itself: to bind two functions of libc takes as long as to look at 40 variables.) */
PM_AT_START bool pm_os_environment_mentions(const char *prefix)
{
    for (char *const *variable = environ; variable != NULL && *variable != NULL; variable++) {
        size_t same = 0;
        while (prefix[same] != '\0' && (*variable)[same] == prefix[same])
            same++;
        if (prefix[same] == '\0')
            return true;
    }
    return false;
}

static uintptr_t break_at_start;

/* Where we are the process's malloc from its start, libc's heap has not grown yet. */
__attribute__((constructor(101))) static void note_break(void)
{
    break_at_start = (uintptr_t)sbrk(0);
}

void pm_os_break_range(uintptr_t *start, uintptr_t *end)
{
    *start = break_at_start;
    *end = (uintptr_t)sbrk(0);
}

_Noreturn void pm_os_abort(void)
{
    abort();
}
