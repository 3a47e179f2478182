/*
 * start_pages: what a process pays for the library before it allocates.  Of the pages that it can
 * write to only three have been: two that the loader fills in, and the one with the end of the
 * data, where all that our start-up code changes is to lie.
 */
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

#include <pymem/pymem.h>

#include "plain_test.h"

enum { WRITTEN_MAX = 3, SKIPPED = 77 };

/* Of the 64 bits that /proc/self/pagemap has for a page (the kernel's documentation). */
#define IN_MEMORY ((uint64_t)1 << 63)
#define OF_A_FILE ((uint64_t)1 << 61)

struct range {
    uintptr_t start, end;
};

static int find_data(struct dl_phdr_info *object, size_t size, void *found)
{
    struct range *data = found;
    (void)size;
    if (strstr(object->dlpi_name, "libpymem.so") == NULL)
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) == 0)
            continue;
        data->start = object->dlpi_addr + segment->p_vaddr;
        data->end = data->start + segment->p_memsz;
    }
    return 1;
}

/* A page of a file that was written to is the process's own. */
static size_t count_written(int pagemap, const struct range *data)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    for (uintptr_t at = data->start / page; at <= (data->end - 1) / page; at++) {
        uint64_t entry;
        CHECK(pread(pagemap, &entry, sizeof entry, (off_t)(at * sizeof entry)) == sizeof entry);
        count += (entry & IN_MEMORY) != 0 && (entry & OF_A_FILE) == 0;
    }
    return count;
}

int main(void)
{
    struct range data = {0, 0};
    int pagemap = open("/proc/self/pagemap", O_RDONLY);
    if (pagemap < 0)
        return SKIPPED;
    CHECK(pymem_version() != NULL);
    CHECK(dl_iterate_phdr(find_data, &data) != 0 && data.start != 0);
    size_t written = count_written(pagemap, &data);
    if (written > WRITTEN_MAX)
        fprintf(stderr, "start_pages: %zu pages of ours are written to at the start\n", written);
    return written <= WRITTEN_MAX ? EXIT_SUCCESS : EXIT_FAILURE;
}
