/*
 * library.h - where the shared library of this installation is.
 */
#ifndef PM_TOOLS_LIBRARY_H
#define PM_TOOLS_LIBRARY_H

/*
 * pm_library_find: the absolute path of libpymem.so.0, for the caller to free.
 *   `option` is the argument of --library, or NULL.  The places, in order:
 *   `option`; $PYMEM_LIBRARY; .libs beside the command (a build tree); ../lib
 *   from the command; the configured library directory.  A place that the
 *   user names is not passed over: when nothing is there, that is an error.
 *   Returns NULL after a message in the name of `verb`.
 */
char *pm_library_find(const char *verb, const char *option);

#endif /* PM_TOOLS_LIBRARY_H */
