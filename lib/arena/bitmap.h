/*
 * bitmap.h - sets of small numbers: one bit each, 64 to a word.
 */
#ifndef PM_ARENA_BITMAP_H
#define PM_ARENA_BITMAP_H

#include "os/compiler.h"

#define PM_BITMAP_WORDS(bits) (((bits) + 63) / 64)

PM_INLINE bool pm_bitmap_test(const uint64_t *map, size_t bit)
{
    return (map[bit / 64] >> (bit % 64)) & 1;
}

/* The bits of word `word` that lie in [first, end). */
PM_INLINE uint64_t pm_bitmap_mask(size_t word, size_t first, size_t end)
{
    uint64_t mask = ~(uint64_t)0;
    if (word == first / 64)
        mask &= ~(uint64_t)0 << (first % 64);
    if (word == end / 64)
        mask &= ((uint64_t)1 << (end % 64)) - 1;
    return mask;
}

/* Most ranges are not empty and lie in one word: then these are its bits, else 0. */
PM_INLINE uint64_t pm_bitmap_in_word(size_t first, size_t count)
{
    bool is_so = count - 1 < 64 - first % 64;
    return is_so ? ~(uint64_t)0 >> (64 - count) << (first % 64) : 0;
}

PM_INLINE void pm_bitmap_set(uint64_t *map, size_t first, size_t count)
{
    uint64_t bits = pm_bitmap_in_word(first, count);
    if (PM_LIKELY(bits != 0)) {
        map[first / 64] |= bits;
        return;
    }
    size_t end = first + count;
    for (size_t word = first / 64; word * 64 < end; word++)
        map[word] |= pm_bitmap_mask(word, first, end);
}

PM_INLINE void pm_bitmap_clear(uint64_t *map, size_t first, size_t count)
{
    uint64_t bits = pm_bitmap_in_word(first, count);
    if (PM_LIKELY(bits != 0)) {
        map[first / 64] &= ~bits;
        return;
    }
    size_t end = first + count;
    for (size_t word = first / 64; word * 64 < end; word++)
        map[word] &= ~pm_bitmap_mask(word, first, end);
}

/* The `count` bits from `first` on, at most 64, as a word. */
PM_INLINE uint64_t pm_bitmap_read(const uint64_t *map, size_t first, size_t count)
{
    size_t word = first / 64, shift = first % 64;
    uint64_t bits = map[word] >> shift;
    if (shift + count > 64)
        bits |= map[word + 1] << (64 - shift);
    return count == 64 ? bits : bits & (((uint64_t)1 << count) - 1);
}

/* Takes the bits of a word out, from `first` on. */
PM_INLINE void pm_bitmap_remove(uint64_t *map, size_t first, uint64_t bits)
{
    size_t word = first / 64, shift = first % 64;
    map[word] &= ~(bits << shift);
    if (shift != 0 && bits >> (64 - shift) != 0)
        map[word + 1] &= ~(bits >> (64 - shift));
}

/* Adds the bits of a word, from `first` on. */
PM_INLINE void pm_bitmap_add(uint64_t *map, size_t first, uint64_t bits)
{
    size_t word = first / 64, shift = first % 64;
    map[word] |= bits << shift;
    if (shift != 0 && bits >> (64 - shift) != 0)
        map[word + 1] |= bits >> (64 - shift);
}

/* How many of [first, first + count) are in the set. */
PM_INLINE size_t pm_bitmap_count(const uint64_t *map, size_t first, size_t count)
{
    uint64_t bits = pm_bitmap_in_word(first, count);
    if (PM_LIKELY(bits != 0))
        return pm_count_bits(map[first / 64] & bits);
    size_t end = first + count, word = first / 64, found = 0;
    uint64_t mask = ~(uint64_t)0 << (first % 64);
    for (; word < end / 64; word++, mask = ~(uint64_t)0)
        found += pm_count_bits(map[word] & mask);
    if (end % 64 != 0)
        found += pm_count_bits(map[word] & mask & pm_bitmap_mask(word, 0, end));
    return found;
}

/* The first bit in [first, end) that is in the set (`set`) or not in it; else `end`. */
PM_INLINE size_t pm_bitmap_next(const uint64_t *map, size_t first, size_t end, bool set)
{
    uint64_t mask = ~(uint64_t)0 << (first % 64);
    for (size_t word = first / 64; word * 64 < end; word++, mask = ~(uint64_t)0) {
        uint64_t bits = (set ? map[word] : ~map[word]) & mask;
        if (bits == 0)
            continue;
        size_t found = word * 64 + (size_t)__builtin_ctzll(bits);
        return found < end ? found : end;
    }
    return end;
}

/* Behind the last bit of [first, end) that is in the set; `first` when there is none. */
PM_INLINE size_t pm_bitmap_behind(const uint64_t *map, size_t first, size_t end)
{
    for (size_t word = PM_BITMAP_WORDS(end); word-- > first / 64;) {
        uint64_t bits = map[word] & pm_bitmap_mask(word, first, end);
        if (bits != 0)
            return word * 64 + 64 - (size_t)__builtin_clzll(bits);
    }
    return first;
}

/* Of the bits in `word`, those from which on `count` are in it. */
PM_INLINE uint64_t pm_bitmap_run_begins(uint64_t word, unsigned count)
{
    for (unsigned have = 1, step; have < count && word != 0; have += step) {
        step = have < count - have ? have : count - have;
        word &= word >> step;
    }
    return word;
}

/* Where the last `count` bits of [0, end) that are in the set begin, or a little before: a
 * multiple of 64; 0 when there are fewer. */
PM_INLINE size_t pm_bitmap_tail(const uint64_t *map, size_t end, size_t count)
{
    size_t word = PM_BITMAP_WORDS(end), found = 0;
    while (word > 0 && found < count) {
        word--;
        found += pm_count_bits(map[word] & pm_bitmap_mask(word, 0, end));
    }
    return word * 64;
}

#endif /* PM_ARENA_BITMAP_H */
