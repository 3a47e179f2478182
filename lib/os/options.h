/*
 * options.h - what a user may set from outside: PYMEM_CONF="key:value,..." and
 * PYMEM_<KEY>, read once at start.  doc/pymem.conf.5 describes each key.
 */
#ifndef PM_OS_OPTIONS_H
#define PM_OS_OPTIONS_H

#include "os/compiler.h"

struct pm_options {
    bool verbose;
    bool confirm_conf;
    bool abort_conf;
    bool stats;
    bool background_purge;
    bool thp;
    bool map_names;
    int64_t decay_ms;
    size_t arena_size; /* bytes */
};

/* Fills in the defaults, then what the environment says; complains on standard error. */
void pm_options_read(struct pm_options *options);

/* Writes every key with its value to standard error. */
void pm_options_print(const struct pm_options *options);

#endif /* PM_OS_OPTIONS_H */
