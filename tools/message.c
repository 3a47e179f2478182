/*
 * message.c - the one form of the command's messages on standard error.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "verb.h"

void pm_message(const char *verb, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    flockfile(stderr);
    fprintf(stderr, "pymem: %s: ", verb);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
}
