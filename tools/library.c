/*
 * library.c - finds libpymem.so.0 for the verbs that preload it.  Knows the
 * layout of an installation and of a build tree, nothing about commands.
 */
#include "config.h"

#include "library.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_file.h"
#include "verb.h"

#define LIBRARY_NAME "libpymem.so.0"

enum { PLACES = 3 };

/* Zero for a regular file that can be read, else errno. */
static int file_error(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || access(path, R_OK) != 0)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    return S_ISREG(st.st_mode) ? 0 : EINVAL;
}

/*
 * The path that the user gave, made absolute: the loader of a grandchild would
 * look for a relative one from wherever that process is.
 */
static char *named_library(const char *verb, const char *path, const char *origin)
{
    int error = file_error(path);
    struct pm_elf_file elf;
    char *cwd, *absolute;

    if (error != 0 || !pm_elf_file_read(path, &elf)) {
        pm_message(verb, "cannot use the library %s (given by %s): %s", path, origin,
                   error != 0 ? strerror(error) : "not an ELF file");
        return NULL;
    }
    if (path[0] == '/') {
        absolute = strdup(path);
    } else {
        cwd = getcwd(NULL, 0);
        if (cwd == NULL || asprintf(&absolute, "%s/%s", cwd, path) < 0)
            absolute = NULL;
        free(cwd);
    }
    if (absolute == NULL)
        pm_message(verb, "%s: %s", path, strerror(errno));
    return absolute;
}

/* Cuts the last component off `path`; false at the root. */
static bool cut_last(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash == NULL || path[0] == '\0')
        return false;
    *slash = '\0';
    return true;
}

static void add_place(char *places[PLACES], size_t *count, const char *parent, const char *folder)
{
    char *path;

    if (asprintf(&path, "%s%s/" LIBRARY_NAME, parent, folder) < 0)
        return;
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(places[i], path) == 0) {
            free(path);
            return;
        }
    }
    places[(*count)++] = path;
}

/*
 * The places beside the command come before the configured directory, so that
 * an installation may be moved or unpacked anywhere.  Of those, .libs comes
 * first: for a build tree in /usr/x, ../lib is the system's.
 */
static size_t list_places(char *places[PLACES])
{
    char folder[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    size_t count = 0;

    if (length > 0) {
        folder[length] = '\0';
        if (cut_last(folder)) {
            add_place(places, &count, folder, "/.libs");
            if (cut_last(folder))
                add_place(places, &count, folder, "/lib");
        }
    }
    add_place(places, &count, PM_LIBDIR, "");
    return count;
}

static char *search(const char *verb)
{
    char *places[PLACES], *found = NULL;
    size_t count = list_places(places);

    for (size_t i = 0; i < count && found == NULL; i++) {
        if (file_error(places[i]) == 0)
            found = strdup(places[i]);
    }
    if (found == NULL) {
        pm_message(verb, "cannot find the library " LIBRARY_NAME "; looked at:");
        for (size_t i = 0; i < count; i++)
            fprintf(stderr, "  %s\n", places[i]);
        fputs("Name it with --library=PATH or in the environment variable PYMEM_LIBRARY.\n",
              stderr);
    }
    for (size_t i = 0; i < count; i++)
        free(places[i]);
    return found;
}

char *pm_library_find(const char *verb, const char *option)
{
    const char *variable = getenv("PYMEM_LIBRARY");

    if (option != NULL)
        return named_library(verb, option, "--library");
    if (variable != NULL && variable[0] != '\0')
        return named_library(verb, variable, "PYMEM_LIBRARY");
    return search(verb);
}
