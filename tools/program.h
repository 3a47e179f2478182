/*
 * program.h - the file behind a command's name, and what would keep a library
 * from being preloaded into it.
 */
#ifndef PM_TOOLS_PROGRAM_H
#define PM_TOOLS_PROGRAM_H

/*
 * pm_program_find: the file that execvp() would run for `command`, for the
 *   caller to free; NULL when there is none.
 */
char *pm_program_find(const char *command);

/*
 * pm_program_warn: one warning in the name of `verb` when the loader would not
 *   take `library` into the program `path`.  For a script its interpreter is
 *   looked at.  Cheap: reads a few hundred bytes.
 */
void pm_program_warn(const char *verb, const char *path, const char *library);

#endif /* PM_TOOLS_PROGRAM_H */
