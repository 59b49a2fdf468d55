/* program.h - the command line that the two players have in common: files, played in turn. */
#ifndef CONFORMANCE_PROGRAM_H
#define CONFORMANCE_PROGRAM_H

#include <stdbool.h>

#include <coppice/runtime.h>

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

/* How often each file is played in simulation, with seeds from 1 on; 0: once, as it comes. */
extern long program_seeds;

int program_main(const struct program *program, int argc, char **argv);

/* Writes a trace beside the file it was played from: FILE.scn gives FILE.cop, with a seed
 * FILE.SEED.cop. */
int program_write_trace(const char *path, uint64_t seed, const struct lines *trace);

/* Plays once: from program_play's context, filling in the trace, in the order that the seed makes;
 * seed 0: as it comes. */
typedef int program_play_once(void *context, uint64_t seed, struct lines *trace);

/* Plays as often as program_seeds says and writes each trace that is not one from before. */
int program_play(const char *path, program_play_once *play_once, void *context);

/* Runs function(argument) as cop_run does in virtual time, or in simulation: any order, any
 * interruption.  PLAYED, or says what went wrong; FAILED. */
int program_run(const char *path, uint64_t seed, cop_function *function, void *argument,
                cop_log_sink *log);

#endif
