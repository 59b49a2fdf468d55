/* recorder.h - one server that sees all that happens in a scenario, in order.
 *
 * Every process asks it in its init, as in the reference, so that starts, terminates and
 * ends fall into one order.  A run is deterministic and on one thread: the driver may read the
 * recorder's state directly, after recorder_look. */
#ifndef CONFORMANCE_RECORDER_H
#define CONFORMANCE_RECORDER_H

#include "../common/lines.h"
#include "scenario.h"

/* A process that has begun and not ended. */
struct life {
    struct life *next;
    struct place *place;
    int n;
    enum node_kind kind;
    cop_pid pid;
    cop_ref monitor;
    bool told;                 /* its end belongs in the trace: its start was ok */
    bool late;                 /* it takes its time to terminate */
};

/* A path at which a process was started. */
struct place {
    struct place *next;        /* in the order of their paths */
    const char *path;
    int starts;
    bool live;                 /* pid is the newest process there and has not ended */
    bool hangs;                /* in its terminate callback */
    cop_pid pid;
    enum node_kind kind;
};

struct recorder {
    struct pool *pool;
    struct place *places;
    struct life *lives;        /* the processes that have not ended */
    struct lines happened;     /* starts and terminates since recorder_take */
    struct lines downs;
    size_t events;             /* all that ever happened */
    size_t limit;              /* more events end the run */
};

/* Starts the recorder, linked to the caller. */
void recorder_start(struct recorder *recorder);

/* What the recorder says to a process in its init: it is the n-th at its place. */
struct begun {
    int n;
    enum outcome outcome;
};
struct begun recorder_starting(const struct node *node);

/* In a worker's terminate; how: the way it is going to end. */
void recorder_terminating(const struct node *node, int n, const cop_reason *reason,
                          enum ending how);

/* Waits until the recorder has seen what was sent to it before; returns the events so far. */
size_t recorder_look(void);

/* The live process at a path, or NULL. */
const struct place *recorder_live(const struct recorder *recorder, const char *path);

/* Moves what happened to the trace: starts and terminates in order, then the ends, sorted. */
void recorder_take(struct recorder *recorder, struct lines *trace);

#endif
