/*
 * start.h - reads the options and acts on them, once.  Each source file of this
 * layer that a program may link from libpymem.a without the others calls it
 * from a constructor, so that none of them comes without it.  Returns them.
 */
#ifndef PM_API_START_H
#define PM_API_START_H

#include "os/options.h"

const struct pm_options *pm_start(void);

#endif /* PM_API_START_H */
