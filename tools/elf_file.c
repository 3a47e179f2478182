/*
 * elf_file.c - reads the head of an ELF file.  The only file of the command
 * that knows the format.
 */
#include "config.h"

#include "elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

static bool read_at(int fd, uint64_t offset, void *buffer, size_t size)
{
    return pread(fd, buffer, size, (off_t)offset) == (ssize_t)size;
}

/*
 * A file without PT_INTERP is started without a loader; but so is the loader
 * itself (`ld-linux.so.2 PROGRAM`), which does obey LD_PRELOAD.  The linker
 * marks a static position-independent program with DF_1_PIE, a loader not.
 */
static bool is_marked_pie(int fd, const ElfW(Phdr) * segment)
{
    ElfW(Dyn) entry;

    for (uint64_t at = 0; at + sizeof(entry) <= segment->p_filesz; at += sizeof(entry)) {
        if (!read_at(fd, segment->p_offset + at, &entry, sizeof(entry)) || entry.d_tag == DT_NULL)
            return false;
        if (entry.d_tag == DT_FLAGS_1)
            return (entry.d_un.d_val & DF_1_PIE) != 0;
    }
    return false;
}

static bool is_static(int fd, const ElfW(Ehdr) * header)
{
    bool pie = false;

    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;

        if (!read_at(fd, header->e_phoff + (uint64_t)i * header->e_phentsize, &segment,
                     sizeof(segment)))
            return false;
        if (segment.p_type == PT_INTERP)
            return false;
        if (segment.p_type == PT_DYNAMIC)
            pie = is_marked_pie(fd, &segment);
    }
    return header->e_type == ET_EXEC || (header->e_type == ET_DYN && pie);
}

static bool is_native(const ElfW(Ehdr) * header)
{
    return header->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
           header->e_ident[EI_DATA] ==
               (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB);
}

bool pm_elf_file_read(const char *path, struct pm_elf_file *elf)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ElfW(Ehdr) header;
    bool ok;

    if (fd < 0)
        return false;
    /* e_machine lies at the same place in both classes. */
    ok = read_at(fd, 0, &header, sizeof(header)) && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
    if (ok) {
        elf->bits_class = header.e_ident[EI_CLASS];
        elf->byte_order = header.e_ident[EI_DATA];
        elf->machine = header.e_machine;
        elf->is_static = is_native(&header) && is_static(fd, &header);
    }
    close(fd);
    return ok;
}
