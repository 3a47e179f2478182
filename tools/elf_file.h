/*
 * elf_file.h - the few facts about an ELF file that decide whether a library
 * can be preloaded into it.
 */
#ifndef PM_TOOLS_ELF_FILE_H
#define PM_TOOLS_ELF_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct pm_elf_file {
    unsigned char bits_class; /* ELFCLASS32 or ELFCLASS64 */
    unsigned char byte_order; /* ELFDATA2LSB or ELFDATA2MSB */
    uint16_t machine;         /* EM_X86_64, ...; in the file's byte order */
    bool is_static;           /* a program that no loader prepares */
};

/*
 * pm_elf_file_read: false when `path` cannot be read or is no ELF file.
 *   `is_static` is only found out for files of this machine's class and byte
 *   order; it is false for others.
 */
bool pm_elf_file_read(const char *path, struct pm_elf_file *elf);

#endif /* PM_TOOLS_ELF_FILE_H */
