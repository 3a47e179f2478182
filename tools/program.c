/*
 * program.c - looks at a command before it is run: which file it is, and
 * whether LD_PRELOAD can have an effect on it.  Runs nothing.
 */
#include "config.h"

#include "program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "elf_file.h"
#include "verb.h"

enum {
    SCRIPT_HEAD = 256,  /* how much of a "#!" line Linux reads */
    SCRIPT_NESTING = 4, /* how many interpreters may themselves be scripts */
    DEFAULT_PATH = 256  /* room for confstr(_CS_PATH) */
};

static bool is_runnable(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *pm_program_find(const char *command)
{
    const char *folders = getenv("PATH");
    char standard[DEFAULT_PATH] = "";
    size_t length;

    if (strchr(command, '/') != NULL)
        return is_runnable(command) ? strdup(command) : NULL;
    if (folders == NULL) {
        confstr(_CS_PATH, standard, sizeof(standard));
        folders = standard;
    }
    for (;; folders += length + 1) {
        char *path;

        length = strcspn(folders, ":");
        /* An empty element of PATH is the current folder. */
        if (asprintf(&path, "%.*s%s%s", (int)length, folders, length > 0 ? "/" : "./", command) < 0)
            return NULL;
        if (command[0] != '\0' && is_runnable(path))
            return path;
        free(path);
        if (folders[length] == '\0')
            return NULL;
    }
}

/* Writes the interpreter named by the "#!" line of `path`; false when there is no such line. */
static bool script_interpreter(const char *path, char interpreter[SCRIPT_HEAD])
{
    char head[SCRIPT_HEAD];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length;
    char *start;

    if (fd < 0)
        return false;
    length = read(fd, head, sizeof(head) - 1);
    close(fd);
    if (length < 3 || memcmp(head, "#!", 2) != 0)
        return false;
    head[length] = '\0';
    start = head + 2 + strspn(head + 2, " \t");
    start[strcspn(start, " \t\n")] = '\0';
    memcpy(interpreter, start, strlen(start) + 1);
    return start[0] != '\0';
}

/* How the loader would know `path` as privileged (and drop LD_PRELOAD), or NULL. */
static const char *privilege(const char *path)
{
    struct statvfs fs;
    struct stat st;

    if (stat(path, &st) != 0 || statvfs(path, &fs) != 0 || (fs.f_flag & ST_NOSUID) != 0)
        return NULL;
    if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
        return "is set-user-ID";
    if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
        return "is set-group-ID";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "has file capabilities";
    return NULL;
}

static void warn_of_program(const char *verb, const char *path, const char *library)
{
    struct pm_elf_file program, shared;
    const char *why = privilege(path);

    if (!pm_elf_file_read(path, &program) || !pm_elf_file_read(library, &shared)) {
        if (why != NULL)
            pm_message(verb, "warning: %s %s: the library cannot be preloaded", path, why);
        return;
    }
    if (program.bits_class != shared.bits_class)
        why = program.bits_class == ELFCLASS32 ? "is a 32-bit program and the library is 64-bit"
                                               : "is a 64-bit program and the library is 32-bit";
    else if (program.byte_order != shared.byte_order || program.machine != shared.machine)
        why = "is made for another kind of machine than the library";
    else if (program.is_static)
        why = "is statically linked";
    if (why != NULL)
        pm_message(verb, "warning: %s %s: the library cannot be preloaded", path, why);
}

void pm_program_warn(const char *verb, const char *path, const char *library)
{
    char current[SCRIPT_HEAD], next[SCRIPT_HEAD];
    int nesting = 0;

    if (!script_interpreter(path, next)) {
        warn_of_program(verb, path, library);
        return;
    }
    do {
        memcpy(current, next, sizeof(current));
    } while (++nesting < SCRIPT_NESTING && script_interpreter(current, next));
    warn_of_program(verb, current, library);
}
