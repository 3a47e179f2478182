/*
 * early.c - see early.h.
 *
 * What goes early may be wanted again, and a program that takes and frees the same would
 * pay for it over and over.  So growth pays: it is a quarter of the peak and 8 MiB
 * (milliseconds), at most, in the life of a process, for each of the two reasons.  And what pools
 * have left goes no more once so much of it has come back that this takes a hundredth of the time,
 * unless the process drops most of what it has.
 */
#include "arena/early.h"

#include "arena/arena.h"
#include "os/compiler.h"
#include "os/os.h"

#define ALLOWED_MIN (256 * PM_KIB)
#define PAID_MIN (8 * PM_MIB)
#define REGRETTED_MIN (1 * PM_MIB)
#define REGRETTED_EACH_MS (16 * PM_KIB) /* four faults of some microseconds */
#define SMALL_PROCESS (16 * PM_MIB)

/* Under pm_arena_lock. */
static size_t booked[PM_EARLY_REASONS]; /* bytes so far */
static size_t most_resident;            /* at one time, as far as somebody looked */
static size_t record;                   /* until more is resident, nothing is in the way */

static uint64_t first_ms;    /* when pools' pages went for the first time */
static size_t left_resident; /* when they had gone the last time, */
static size_t gone;          /* so many bytes that have not come back since; */
static size_t back;          /* so many had come back the last time, */
static size_t regretted;     /* and all in all */

static size_t above(size_t bytes, size_t limit)
{
    return bytes > limit ? bytes - limit : 0;
}

static size_t at_most(size_t bytes, size_t limit)
{
    return bytes < limit ? bytes : limit;
}

static size_t paid_for(enum pm_early reason)
{
    return above(pm_arena_peak_used() / 4 + PAID_MIN, booked[reason]);
}

static size_t book(enum pm_early reason, size_t bytes)
{
    booked[reason] += bytes;
    return bytes;
}

/* So much may lie free before any of it goes early. */
static size_t allowed(void)
{
    return pm_arena_peak_used() / 32 + ALLOWED_MIN;
}

static size_t look_at_resident(void)
{
    size_t resident = pm_arena_used() + pm_arena_dirty();
    if (most_resident < resident)
        most_resident = resident;
    return resident;
}

/*
 * When more is resident than ever before, free pages that the program cannot use, as they lie
 * in the wrong places, may exceed what it used at one time by so much; then they
 * go until a half of that is left.  When this is not paid for any more, half of the peak may lie
 * free.
 */
static size_t in_the_way(void)
{
    size_t resident = look_at_resident();
    if (PM_LIKELY(resident <= record))
        return 0;
    record = resident;
    size_t peak = pm_arena_peak_used();
    if (PM_LIKELY(resident <= peak + allowed()))
        return 0;
    size_t excess = at_most(above(resident, peak + allowed() / 2), paid_for(PM_EARLY_GROWTH));
    size_t too_much = above(resident, peak + peak / 2 + ALLOWED_MIN);
    if (excess < too_much)
        excess = too_much;
    record -= excess;
    return book(PM_EARLY_GROWTH, excess);
}

/*
 * What pools have left goes for the sake of what the process touches next (below).  Once some has
 * gone a small process has room for that, and more goes when it is half of what is in use: in
 * longer runs then, that is with fewer system calls.  Larger processes may go on to another phase
 * with a peak of its own.
 */
static bool may_wait(size_t dirty, size_t resident)
{
    return pm_arena_peak_used() <= SMALL_PROCESS && resident + allowed() / 2 <= most_resident &&
           dirty <= pm_arena_used() / 2;
}

static bool would_be_regretted(size_t dirty)
{
    if (PM_LIKELY(regretted <= REGRETTED_MIN) || dirty > pm_arena_used())
        return false;
    return regretted > REGRETTED_MIN + (pm_os_clock_ms() - first_ms) * REGRETTED_EACH_MS;
}

/* What is resident again since the last time was not left out of the peak. */
static void look_back(size_t resident, size_t bytes)
{
    if (first_ms == 0)
        first_ms = pm_os_clock_ms();
    back = at_most(above(resident, left_resident), gone);
    regretted += back;
    left_resident = resident - bytes;
    gone += bytes - back;
}

/* Nor do we know what has come back of what another thread is purging. */
static void forget_look(size_t bytes)
{
    regretted -= back;
    left_resident += bytes;
    gone -= at_most(gone, bytes);
    gone += back;
    back = 0;
}

/*
 * A process that drops what it built, as an interpreter does at its end, still touches code and
 * data that it never touched before: that would be its peak, if all it has dropped
 * stayed.  It is much at a time that goes, lest each pool have its system call.
 */
static size_t left_by_pools(void)
{
    size_t dirty = pm_arena_dirty(), resident = look_at_resident();
    if (PM_LIKELY(dirty <= allowed()) || may_wait(dirty, resident) || would_be_regretted(dirty))
        return 0;
    size_t bytes = at_most(dirty, paid_for(PM_EARLY_POOLS));
    if (bytes < allowed())
        return 0;
    look_back(resident, bytes);
    return book(PM_EARLY_POOLS, bytes);
}

size_t pm_early_excess_locked(enum pm_early reason)
{
    return reason == PM_EARLY_GROWTH ? in_the_way() : left_by_pools();
}

void pm_early_refused_locked(enum pm_early reason, size_t bytes)
{
    if (reason == PM_EARLY_GROWTH)
        record += bytes + allowed();
}

void pm_early_unbook_locked(enum pm_early reason, size_t bytes)
{
    booked[reason] -= bytes;
    if (reason == PM_EARLY_POOLS)
        forget_look(bytes);
}
