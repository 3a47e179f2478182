/*
 * vdso.c - see vdso.h.
 *
 * The image is a shared object, mapped whole; its dynamic section tells where the symbols are
 * and, in a table by hash value, how many (some have one of the two kinds, some both).
 */
#include "os/vdso.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

struct image {
    uintptr_t bias; /* what to add to the addresses in it */
    const ElfW(Dyn) * dynamic;
};

/* The segment at offset 0 is the one that everything is in. */
static struct image image_at(const char *start)
{
    struct image image = {0};
    const ElfW(Ehdr) *header = (const void *)start;
    const ElfW(Phdr) *segment = (const void *)(start + header->e_phoff);
    for (size_t i = 0; i < header->e_phnum; i++, segment++) {
        if (segment->p_type == PT_LOAD && segment->p_offset == 0)
            image.bias = (uintptr_t)start - segment->p_vaddr;
        else if (segment->p_type == PT_DYNAMIC)
            image.dynamic = (const void *)(start + segment->p_offset);
    }
    return image;
}

static const void *table(const struct image *image, ElfW(Sxword) tag)
{
    for (const ElfW(Dyn) *entry = image->dynamic; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return (const void *)(image->bias + entry->d_un.d_ptr);
    return NULL;
}

/*
 * The newer table: the numbers of buckets, of the first symbol in it, of the words of a filter,
 * which follow, as do the buckets; each has the number of its first symbol.  Then a hash value for
 * each symbol, odd for the last of a bucket.
 */
static size_t count_in_gnu_hash(const uint32_t *hash)
{
    size_t buckets = hash[0], first = hash[1], last = 0;
    const uint32_t *bucket = hash + 4 + hash[2] * sizeof(ElfW(Addr)) / sizeof *hash;
    const uint32_t *value = bucket + buckets;
    for (size_t i = 0; i < buckets; i++) {
        if (bucket[i] > last)
            last = bucket[i];
    }
    if (last < first)
        return first;
    while ((value[last - first] & 1) == 0)
        last++;
    return last + 1;
}

static size_t count_symbols(const struct image *image)
{
    const uint32_t *gnu_hash = table(image, DT_GNU_HASH);
    const uint32_t *hash = table(image, DT_HASH); /* buckets, symbols, ... */
    if (gnu_hash != NULL)
        return count_in_gnu_hash(gnu_hash);
    return hash != NULL ? hash[1] : 0;
}

/* NULL where there is none, which getauxval() would say in errno. */
static const char *image_start(void)
{
    int saved = errno;
    const char *start = (const char *)getauxval(AT_SYSINFO_EHDR);
    errno = saved;
    return start;
}

void *pm_vdso_find(const char *name)
{
    const char *start = image_start();
    struct image image = start == NULL ? (struct image){0} : image_at(start);
    if (image.dynamic == NULL)
        return NULL;
    const ElfW(Sym) *symbols = table(&image, DT_SYMTAB);
    const char *names = table(&image, DT_STRTAB);
    if (symbols == NULL || names == NULL)
        return NULL;
    size_t count = count_symbols(&image);
    for (size_t i = 0; i < count; i++)
        if (symbols[i].st_shndx != SHN_UNDEF && strcmp(names + symbols[i].st_name, name) == 0)
            return (void *)(image.bias + symbols[i].st_value);
    return NULL;
}
