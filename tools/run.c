/*
 * run.c - `pymem run`: runs a command with the library preloaded.
 *
 * The command replaces this process (execvp) instead of being its child.  So
 * the process that was started is the command: signals sent to it arrive
 * there, its exit status or fatal signal is what the parent sees, and it has
 * the terminal, the process group and the descriptors as they were.  A parent
 * that stays would have to imitate each of these, cannot pass on SIGKILL and
 * SIGSTOP, and would be one more process in memory.  All that is to be done is
 * therefore done in the environment, before.
 */
#include "config.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library.h"
#include "program.h"
#include "verb.h"

static const char VERB[] = "run";

struct run_options {
    const char *library; /* of --library, or NULL */
    char *conf;          /* all --conf and --stats, in the order given; NULL when none */
    char **command;      /* the command and its arguments, NULL-terminated */
};

/* Makes `*list` "*list SEPARATOR item", or `item` when the list is empty. */
static bool append(char **list, char separator, const char *item)
{
    char *longer;
    int length;

    if (*list == NULL || (*list)[0] == '\0')
        length = asprintf(&longer, "%s", item);
    else
        length = asprintf(&longer, "%s%c%s", *list, separator, item);
    if (length < 0)
        return false;
    free(*list);
    *list = longer;
    return true;
}

/* Which keys and values there are is the library's to know; only the form is checked here. */
static void check_conf(const char *conf, const struct argp_state *state)
{
    for (size_t length; *conf != '\0'; conf += length + (conf[length] == ',')) {
        length = strcspn(conf, ",");
        if (length > 0 && (conf[0] == ':' || memchr(conf, ':', length) == NULL))
            argp_error(state, "--conf: '%.*s' is not KEY:VALUE", (int)length, conf);
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct run_options *options = state->input;

    switch (key) {
    case 'c':
        check_conf(arg, state);
        return append(&options->conf, ',', arg) ? 0 : ENOMEM;
    case 's':
        return append(&options->conf, ',', "stats:true") ? 0 : ENOMEM;
    case 'l':
        options->library = arg;
        return 0;
    case ARGP_KEY_ARG:
        options->command = state->argv + state->next - 1;
        state->next = state->argc; /* the command's options are not ours */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no COMMAND given");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_command_line(int argc, char **argv, struct run_options *options)
{
    static const struct argp_option list[] = {
        {.name = "conf",
         .key = 'c',
         .arg = "KEY:VALUE,...",
         .doc = "Configure the library; wins over the environment (see pymem.conf(5))"},
        {.name = "stats", .key = 's', .doc = "Print a table of the heap when the command exits"},
        {.name = "library", .key = 'l', .arg = "PATH", .doc = "Preload this libpymem.so.0"},
        {0},
    };
    static const struct argp argp = {
        .options = list,
        .parser = parse_option,
        .args_doc = "[--] COMMAND [ARG...]",
        .doc = "Run COMMAND with its memory served by libpymem."
               "\vThe exit status is COMMAND's; 125 when pymem itself fails, 126 when COMMAND "
               "cannot be run, 127 when it is not found.",
    };
    error_t error = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options);

    if (error != 0) {
        pm_message(VERB, "%s", strerror(error));
        exit(PM_EXIT_FAILED);
    }
}

/*
 * Puts `library` before what LD_PRELOAD holds, unless it is first there already.
 * (strchr also finds the terminating null: an entry may be the last.)
 */
static bool preload(const char *library)
{
    const char *present = getenv("LD_PRELOAD");
    size_t length = strlen(library);
    char *list = strdup(library);
    bool ok = list != NULL;

    if (ok && present != NULL && present[0] != '\0') {
        if (strncmp(present, library, length) == 0 && strchr(": ", present[length]) != NULL)
            present += length + strspn(present + length, ": ");
        if (present[0] != '\0')
            ok = append(&list, ':', present);
    }
    ok = ok && setenv("LD_PRELOAD", list, 1) == 0;
    free(list);
    return ok;
}

/*
 * Removes PYMEM_<KEY> for every key in `conf`: such a variable would win over
 * PYMEM_CONF, and the command line is to win over both.
 */
static bool unset_single_variables(const char *conf)
{
    for (size_t length; *conf != '\0'; conf += length + (conf[length] == ',')) {
        char *name;
        int error;

        length = strcspn(conf, ",");
        if (length == 0)
            continue;
        if (asprintf(&name, "PYMEM_%.*s", (int)strcspn(conf, ":"), conf) < 0)
            return false;
        for (char *c = name; *c != '\0'; c++)
            *c = (char)toupper((unsigned char)*c);
        error = unsetenv(name);
        free(name);
        if (error != 0 && errno != EINVAL) /* EINVAL: a key that no variable can have */
            return false;
    }
    return true;
}

/* Adds `conf` to PYMEM_CONF, at the end: there the last value of a key counts. */
static bool configure(const char *conf)
{
    const char *present = getenv("PYMEM_CONF");
    char *merged = strdup(present != NULL ? present : "");
    bool ok = merged != NULL && append(&merged, ',', conf) && unset_single_variables(conf) &&
              setenv("PYMEM_CONF", merged, 1) == 0;

    free(merged);
    return ok;
}

static bool prepare_environment(const char *library, const char *conf)
{
    /* Both the loader's list separators; musl takes any white space as one. */
    if (library[strcspn(library, ": \t\n\v\f\r")] != '\0') {
        pm_message(VERB,
                   "the path of the library, '%s', holds a space or a colon: these separate the "
                   "entries of LD_PRELOAD; give --library a path without them (a symbolic link "
                   "will do)",
                   library);
        return false;
    }
    if (!preload(library) || (conf != NULL && conf[0] != '\0' && !configure(conf))) {
        pm_message(VERB, "cannot set the environment: %s", strerror(errno));
        return false;
    }
    return true;
}

/* Returns only when the command cannot be run. */
static int execute(char **command, const char *library)
{
    char *path = pm_program_find(command[0]);
    int error;

    if (path != NULL)
        pm_program_warn(VERB, path, library);
    execvp(command[0], command);
    error = errno;
    if (error == ENOENT && path != NULL)
        pm_message(VERB, "%s: its interpreter or loader is missing", path);
    else
        pm_message(VERB, "%s: %s", command[0], strerror(error));
    free(path);
    return error == ENOENT ? PM_EXIT_NOT_FOUND : PM_EXIT_NOT_RUNNABLE;
}

int pm_verb_run(int argc, char **argv)
{
    struct run_options options = {0};
    int status = PM_EXIT_FAILED;
    char *library;

    parse_command_line(argc, argv, &options);
    library = pm_library_find(VERB, options.library);
    if (library != NULL && prepare_environment(library, options.conf))
        status = execute(options.command, library);
    free(library);
    free(options.conf);
    return status;
}
