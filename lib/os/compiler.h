/*
 * compiler.h - what we ask of the compiler, and arithmetic that every layer
 * uses.  Knows nothing of the allocator.
 */
#ifndef PM_OS_COMPILER_H
#define PM_OS_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PM_LIKELY(x) __builtin_expect(!!(x), 1)
#define PM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PM_INLINE static inline __attribute__((always_inline))
#define PM_NOINLINE __attribute__((noinline))
#define PM_COLD __attribute__((noinline, cold))
#ifndef PM_EXPORT /* a program that carries the library inside itself exports nothing of it */
#define PM_EXPORT __attribute__((visibility("default")))
#endif
/* Another name for a function; gcc wants its attributes repeated, clang does not know how. */
#if __has_attribute(copy)
#define PM_ALIAS(function) alias(#function), copy(function)
#else
#define PM_ALIAS(function) alias(#function)
#endif

/* The compiler forgets what it knows of the variable: so it does not keep what the value was
 * computed from in another register, or share parts of addresses that are free of charge. */
#define PM_OPAQUE(variable) __asm__("" : "+r"(variable))

/* A function with calls in `PM_TAIL_RETURN f(...)` leaves no frame behind by them, also where
 * nothing else is optimized; f takes the same arguments. */
#if __has_attribute(musttail)
#define PM_TAIL_CALLS
#define PM_TAIL_RETURN __attribute__((musttail)) return
#else
#define PM_TAIL_CALLS __attribute__((optimize("O2", "optimize-sibling-calls")))
#define PM_TAIL_RETURN return
#endif

/* Every process pays for each page that is touched when the library is loaded, and for the fifteen
 * that the system maps with one of a file.  So the code that always runs then lies together, what
 * it reads among what the loader writes, and large tables behind the small variables (which
 * PM_LINKER's options see to). */
#define PM_AT_START __attribute__((section(".text.startup")))
#define PM_READ_AT_START __attribute__((section(".data.rel.ro.start")))
#define PM_TABLE __attribute__((section(".bss.zz_tables")))

/* What many calls read and hardly anything writes is kept apart from the counters and locks that
 * take turns in the processors' caches: beside the data that the loader fills in. */
#define PM_READ_MOSTLY __attribute__((section(".data.read_mostly")))

/* Is the heap part of another object, as libpymem.a and the Rust crate make it? */
#ifndef PM_EMBEDDED
#define PM_EMBEDDED 0
#endif

#define PM_CACHE_LINE 64
#define PM_CACHE_ALIGNED __attribute__((aligned(PM_CACHE_LINE)))

/* gcc's word for "what is here stays here"; clang has a weaker one. */
#if __has_attribute(noipa)
#define PM_APART noipa
#else
#define PM_APART noinline
#endif

/* Statistics read other threads' plain counters and accept a torn moment. */
#define PM_RACY_READ __attribute__((no_sanitize("thread"), PM_APART))

#define PM_KIB ((size_t)1 << 10)
#define PM_MIB ((size_t)1 << 20)
#define PM_GIB ((size_t)1 << 30)

PM_INLINE bool pm_is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* `align` is a power of two; the caller has made sure that nothing overflows. */
PM_INLINE size_t pm_align_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

PM_INLINE size_t pm_align_down(size_t n, size_t align)
{
    return n & ~(align - 1);
}

PM_INLINE size_t pm_div_up(size_t n, size_t d)
{
    return (n + d - 1) / d;
}

/* How many bits are set.  Where no instruction counts them the compiler calls a function, which
 * takes longer than to add pairs, nibbles, bytes and all. */
PM_INLINE unsigned pm_count_bits(uint64_t bits)
{
#if defined(__x86_64__) && !defined(__POPCNT__)
    bits -= (bits >> 1) & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + ((bits >> 2) & 0x3333333333333333);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (unsigned)(bits * 0x0101010101010101 >> 56);
#else
    return (unsigned)__builtin_popcountll(bits);
#endif
}

/* The upper half of the product. */
PM_INLINE uint64_t pm_multiply_high(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b >> 64);
}

#endif /* PM_OS_COMPILER_H */
