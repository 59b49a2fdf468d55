/* core_file.h - a core file of a thread that crashed and goes on.
 *
 * A copy of the program, made by clone(2) with that thread alone, dies of the crash in its place,
 * and the system writes what it writes of a program that died.  Async-signal-safe. */
#ifndef COPI_CORE_FILE_H
#define COPI_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum core_file_result {
    CORE_FILE_NONE,        /* the system could not or would not */
    CORE_FILE_WRITTEN,     /* it is in the directory, alone */
    CORE_FILE_IN_COPY   /* this is the copy: it is to crash by the default action */
};

/* The directory in which the core file of that number lies: DIRECTORY/crash-PID-NUMBER.  Returns
 * its length, as snprintf does. */
int copi_core_file_path(char *buffer, size_t size, const char *directory, unsigned number);

/* Makes the copy and waits until it is dead.  `path` is made, and removed if nothing lies in it
 * afterwards. */
enum core_file_result copi_core_file_take(const char *path);

/* In the copy, where there is no instruction that would crash again. */
__attribute__((noreturn)) void copi_core_file_die(int signal);

#endif
