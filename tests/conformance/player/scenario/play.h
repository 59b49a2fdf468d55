/* play.h - playing a scenario: its steps, one after the other, and what each prints. */
#ifndef CONFORMANCE_PLAY_H
#define CONFORMANCE_PLAY_H

#include "../common/lines.h"
#include "recorder.h"
#include "scenario.h"

/* OTP's timers go with a clock of whole milliseconds: one that is armed between two ticks, as all
 * are in a scenario, takes up to one tick longer than it was asked for. */
enum { OTP_TICK_MS = 1 };

struct play {
    const char *file;
    const struct scenario *scenario;
    bool patient;                /* steps wait for orphans, too */
    struct pool pool;            /* of the recorder */
    struct recorder recorder;
    cop_pid driver;
    struct lines trace;
    const struct step *step;     /* that is being played; NULL: the root's start or end */
    uint64_t beats;              /* counts whatever the driver does, for its watchdog */
    bool complete;               /* the last step was played */
};

/* Plays the scenario in a runtime of its own, in the order that the seed makes, and fills in the
 * trace; returns PLAYED, or says what went wrong and returns FAILED. */
int play_scenario(struct play *play, uint64_t seed);

/* calls.c: a step that calls the supervisor at `place`; child: the one dyn_terminate means. */
void call_supervisor(const struct step *step, const struct place *place, cop_pid child,
                     struct lines *result);

/* calls.c: the result of starting a child; takes the reason.  `ignored` is what an ignored start
 * is called. */
void result_of_start(struct lines *result, cop_started started, const char *ignored);

#endif
