/*
 * main.c - the `pymem` command: the table of verbs, the options that come
 * before a verb, and the verb `help`.  What a verb does is its own file's.
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pymem/version.h>

#include "verb.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int verb_help(int argc, char **argv);

static const struct pm_verb verbs[] = {
    {"run", "Run a command with its memory served by libpymem", pm_verb_run},
    {"help", "Explain a verb", verb_help},
};

const char *argp_program_version = "pymem " PYMEM_VERSION;

static int call_verb(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            char title[64];

            snprintf(title, sizeof(title), "pymem %s", name);
            argv[0] = title;
            return verbs[i].function(argc, argv);
        }
    }
    fprintf(stderr, "pymem: unknown verb '%s'\nTry `pymem --help' for the list.\n", name);
    return PM_EXIT_FAILED;
}

static error_t parse_top(int key, char *arg, struct argp_state *state)
{
    int *verb_index = state->input;

    (void)arg;
    switch (key) {
    case ARGP_KEY_ARG:
        *verb_index = state->next - 1;
        state->next = state->argc; /* the rest is the verb's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Puts the list of verbs before the text that follows the options in `pymem --help`. */
static char *list_verbs(int key, const char *text, void *input)
{
    char *list = NULL;
    size_t size;
    FILE *stream;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    stream = open_memstream(&list, &size);
    if (stream == NULL)
        return (char *)text;
    fputs("Verbs:\n", stream);
    for (size_t i = 0; i < COUNT(verbs); i++)
        fprintf(stream, "  %-26s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(stream, "\n%s", text);
    fclose(stream);
    return list; /* argp frees it */
}

/* Returns the index of the verb in argv; does not return for --help and the like. */
static int parse_command_line(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse_top,
        .args_doc = "VERB [ARG...]",
        .doc = "Run programs under libpymem and show what their memory does."
               "\v`pymem help VERB' explains a verb.  See also pymem(1).",
        .help_filter = list_verbs,
    };
    int verb_index = 0;

    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &verb_index);
    return verb_index;
}

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
    const char **verb = state->input;

    if (key != ARGP_KEY_ARG || state->arg_num > 0)
        return ARGP_ERR_UNKNOWN;
    *verb = arg;
    return 0;
}

static int verb_help(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse_help,
        .args_doc = "[VERB]",
        .doc = "Explain VERB, or list the verbs.",
    };
    char name[] = "pymem", option[] = "--help";
    char *ask[] = {name, option, NULL};
    const char *verb = NULL;

    argp_parse(&argp, argc, argv, 0, NULL, &verb);
    if (verb != NULL)
        return call_verb(verb, 2, ask);
    parse_command_line(2, ask);
    return EXIT_SUCCESS;
}

/* `pymem --help >/dev/full` must not look like a success. */
static void check_stdout(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("pymem: standard output");
        _exit(PM_EXIT_FAILED);
    }
}

int main(int argc, char **argv)
{
    char name[] = "pymem";
    int first;

    if (argc < 1) {
        fputs("pymem: started without argv[0]\n", stderr);
        return PM_EXIT_FAILED;
    }
    atexit(check_stdout);
    argp_err_exit_status = PM_EXIT_FAILED;
    argv[0] = name; /* getopt would print the whole path in its messages */
    first = parse_command_line(argc, argv);
    return call_verb(argv[first], argc - first, argv + first);
}
