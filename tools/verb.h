/*
 * verb.h - what the verbs of the `pymem` command share: the entry in the verb
 * table, the exit statuses of the command's own failures, and the form of its
 * messages.
 *
 * A new verb is one file tools/VERB.c with one function pm_verb_VERB(),
 * declared here and listed in the table of main.c.
 */
#ifndef PM_TOOLS_VERB_H
#define PM_TOOLS_VERB_H

/* A verb's argv[0] is "pymem VERB", so that argp's messages name both. */
struct pm_verb {
    const char *name;
    const char *summary; /* one line for `pymem --help` */
    int (*function)(int argc, char **argv);
};

/* As env(1) and timeout(1): any other status is the child's. */
enum {
    PM_EXIT_FAILED = 125,       /* pymem itself failed, wrong usage included */
    PM_EXIT_NOT_RUNNABLE = 126, /* the command was found and cannot be run */
    PM_EXIT_NOT_FOUND = 127     /* there is no such command */
};

/* Writes "pymem: VERB: TEXT" as one line on standard error. */
void pm_message(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

int pm_verb_run(int argc, char **argv);

#endif /* PM_TOOLS_VERB_H */
