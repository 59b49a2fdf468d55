/* program.h - the command line that the two players have in common: files, played in turn. */
#ifndef CONFORMANCE_PROGRAM_H
#define CONFORMANCE_PROGRAM_H

#include <stdbool.h>

#include "lines.h"

/* What playing a file came to, and the program's status: the highest of all files. */
enum { PLAYED = 0, FAILED = 1, UNREADABLE = 2 };

struct program {
    const char *name;
    const char *help;                 /* the whole text for --help */
    int (*play)(const char *path);    /* one of the above; says on stderr what went wrong */
    const char *option;               /* that it knows besides --help, or NULL */
    bool *given;                      /* set if the option is */
};

int program_main(const struct program *program, int argc, char **argv);

/* Writes a trace beside the file it was played from: FILE.scn gives FILE.cop. */
int program_write_trace(const char *path, const struct lines *trace);

#endif
