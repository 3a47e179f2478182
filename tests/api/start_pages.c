/*
 * start_pages: what a process pays for the library before it allocates.  Of the pages that it can
 * write to only three have been: two that the loader fills in, and the one with the end of the
 * data, where all that our start-up code changes is to lie.  And no more of the file is data than
 * that takes: what lies beside it the system maps along.
 */
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

#include <pymem/pymem.h>

#include "plain_test.h"

enum { WRITTEN_MAX = 3, IN_FILE_MAX = 32 * 1024, SKIPPED = 77 };

/* Of the 64 bits that /proc/self/pagemap has for a page (the kernel's documentation). */
#define IN_MEMORY ((uint64_t)1 << 63)
#define OF_A_FILE ((uint64_t)1 << 61)

/* A page of a file that was written to is the process's own. */
static size_t count_written(int pagemap, uintptr_t start, uintptr_t end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    for (uintptr_t at = start / page; at <= (end - 1) / page; at++) {
        uint64_t entry;
        CHECK(pread(pagemap, &entry, sizeof entry, (off_t)(at * sizeof entry)) == sizeof entry);
        count += (entry & IN_MEMORY) != 0 && (entry & OF_A_FILE) == 0;
    }
    return count;
}

struct search {
    int pagemap;
    bool found;
    size_t written; /* pages */
    size_t in_file; /* bytes */
};

static int look_at(struct dl_phdr_info *object, size_t size, void *argument)
{
    struct search *search = argument;
    (void)size;
    if (strstr(object->dlpi_name, "libpymem.so") == NULL)
        return 0;
    search->found = true;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) == 0)
            continue;
        search->written += count_written(search->pagemap, start, start + segment->p_memsz);
        search->in_file += segment->p_filesz;
    }
    return 1;
}

int main(void)
{
    struct search search = {open("/proc/self/pagemap", O_RDONLY), false, 0, 0};
    if (search.pagemap < 0 || strstr(LINKER_OPTIONS, "sort-section") == NULL)
        return SKIPPED;
    CHECK(pymem_version() != NULL);
    dl_iterate_phdr(look_at, &search);
    CHECK(search.found);
    printf("%zu pages of ours are written to at the start, of %zu bytes of data in the file\n",
           search.written, search.in_file);
    CHECK(search.written <= WRITTEN_MAX);
    CHECK(search.in_file <= IN_FILE_MAX);
    return EXIT_SUCCESS;
}
