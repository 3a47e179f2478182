/*
 * sizeclass.h - from a size to its class and back, by arithmetic.
 *
 * Classes 0..7 are the multiples of 16 up to 128.  Above, every doubling is
 * cut in eight equal steps, so a block is at most 12.5 % larger than what was
 * asked for:
 *
 *   class   0  1 ... 7 | 8   9  ... 15 | 16  17 ... 23 | ... | 64 ... 71
 *   size   16 32 ..128 |144 160 .. 256 |288 320 .. 512 | ... | ... 32768
 *
 * Larger requests are large blocks (heap/large.h).
 *
 * An interpreter's objects of up to 128 bytes have classes of their own, one for each word of
 * what is asked for, so that those of one type lie side by side (doc/design.md):
 *
 *   class      72   73   74   75   76 ...  86
 *   requests ..16 ..24 ..32 ..40 ..48 ...128
 *   size       16   32   32   48   48 ... 128
 */
#ifndef PM_POOL_SIZECLASS_H
#define PM_POOL_SIZECLASS_H

#include "os/compiler.h"

#define PM_GRANULE ((size_t)16)
#define PM_CLASS_OBJECTS 72 /* the first of those for objects */
#define PM_CLASS_COUNT 87
#define PM_POOL_SIZE_MAX ((size_t)32768)
#define PM_OBJECT_MAX ((size_t)128)
#define PM_OBJECT_STEP ((size_t)8)

/* The class of a size from 129 to PM_POOL_SIZE_MAX: a doubling has eight. */
PM_INLINE unsigned pm_class_by_eighths(size_t size)
{
    unsigned log2 = 63 - (unsigned)__builtin_clzll(size - 1); /* 2^log2 <= size - 1 */
    unsigned step = (unsigned)((size - 1) >> (log2 - 3));     /* 8 to 15 */
    return (log2 - 7) * 8 + step;
}

/* The class of a size from 0 to PM_POOL_SIZE_MAX. */
PM_INLINE unsigned pm_class_of(size_t size)
{
    if (size > 128)
        return pm_class_by_eighths(size);
    return size == 0 ? 0 : (unsigned)((size - 1) / PM_GRANULE);
}

/* The class for an object, of a size from 0 to PM_OBJECT_MAX. */
PM_INLINE unsigned pm_class_of_object(size_t size)
{
    return PM_CLASS_OBJECTS +
           (size <= PM_GRANULE ? 0 : (unsigned)((size - 1) / PM_OBJECT_STEP) - 1);
}

/* The bytes in a block of the class. */
PM_INLINE uint32_t pm_class_size(unsigned class)
{
    if (class >= PM_CLASS_OBJECTS)
        return ((class - PM_CLASS_OBJECTS + 1) / 2 + 1) * (uint32_t)PM_GRANULE;
    if (class < 8)
        return (class + 1) * (uint32_t)PM_GRANULE;
    return (9 + (class - 8) % 8) << ((class - 8) / 8 + 4);
}

/* How many multiples of PM_GRANULE, other than 0, are of the class (not one for objects). */
PM_INLINE uint32_t pm_class_granules(unsigned class)
{
    return class < 8 ? 1 : (uint32_t)1 << (class - 8) / 8;
}

/* The smallest class whose blocks hold `size` and lie at multiples of `align`,
 * given that the first block does; PM_CLASS_OBJECTS when there is none. */
PM_INLINE unsigned pm_class_of_aligned(size_t size, size_t align)
{
    if (size > PM_POOL_SIZE_MAX)
        return PM_CLASS_OBJECTS;
    unsigned class = pm_class_of(size);
    while (class < PM_CLASS_OBJECTS && pm_class_size(class) % align != 0)
        class += 1;
    return class;
}

#endif /* PM_POOL_SIZECLASS_H */
