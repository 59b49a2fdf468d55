/* history.h - a signal history: its steps as they were read, and the world while they are played.
 *
 * PROTOCOL.md describes the file.  A run is deterministic and on one thread, so the driver and
 * the processes share the world without a lock. */
#ifndef CONFORMANCE_HISTORY_H
#define CONFORMANCE_HISTORY_H

#include <coppice/process.h>

#include "../common/lines.h"
#include "../common/pool.h"
#include "../common/source.h"

/* ---- the file ---------------------------------------------------------------------------- */

enum step_kind {
    STEP_SPAWN, STEP_SPAWN_LINK, STEP_SPAWN_MONITOR, STEP_LINK, STEP_UNLINK, STEP_MONITOR,
    STEP_MONITOR_NAME, STEP_DEMONITOR, STEP_TRAP, STEP_EXIT, STEP_ERROR, STEP_RETURN, STEP_EXIT2,
    STEP_SEND, STEP_REGISTER, STEP_UNREGISTER, STEP_WHEREIS, STEP_SEND_NAME, STEP_ALIAS,
    STEP_UNALIAS, STEP_SEND_ALIAS, STEP_ALIVE
};

struct step {
    struct step *next;
    enum step_kind kind;
    int line;
    const char *text;        /* as it stands in the file */
    const char *actor;       /* the process that does it; NULL: the runner does (spawn, ...) */
    const char *object;      /* the other process, started or acted on */
    const char *name;        /* a registered name */
    const char *ref;         /* mK or aK */
    const char *word;        /* a reason or a text */
    bool flag;               /* trap, flush, reply; trap P on */
};

/* Reads a file; says what is wrong with it and returns false if anything is. */
bool history_read(struct step **ret_steps, const char *path, struct pool *pool);

/* ---- the world --------------------------------------------------------------------------- */

/* A process of the history. */
struct subject {
    struct subject *next;        /* newest first */
    struct world *world;
    const char *name;
    cop_pid pid;
    bool trap;                   /* it starts trapping exits */
    bool watched;                /* the driver monitors it */
};

/* A monitor or an alias that a process made; the K-th of its kind is mK or aK. */
struct reference {
    struct reference *next;      /* newest first */
    const char *label;           /* "m1" */
    const char *owner;
    cop_ref ref;
};

struct world {
    struct pool pool;
    struct subject *subjects;
    struct reference *monitors, *aliases;
    int monitor_count, alias_count;
    struct lines events;         /* since the step began */
};

/* The newest process of that name, or NULL; the name of a process, or "?". */
struct subject *world_subject(const struct world *world, const char *name);
const char *world_name_of(const struct world *world, cop_pid pid);

/* A new process of the world, not started yet. */
struct subject *world_add(struct world *world, const char *name, bool trap);

/* Gives a monitor or an alias its label, which it returns. */
const char *world_bind_monitor(struct world *world, const char *owner, cop_ref ref);
const char *world_bind_alias(struct world *world, const char *owner, cop_ref ref);

/* The reference with that label, or NULL. */
const struct reference *world_reference(const struct reference *list, const char *label);

/* Notes in the world's events what a process received, or that it died. */
void world_got(struct world *world, const struct subject *subject, const cop_message *message);
void world_died(struct world *world, cop_pid pid, const cop_reason *reason);

/* ---- the processes ----------------------------------------------------------------------- */

/* What a process is told to do, and what came of it. */
struct order {
    const struct step *step;
    const struct subject *object;
    cop_ref ref;                 /* that step->ref means */
    char result[320];
};

/* The function of every process; argument: its struct subject. */
void subject_run(void *argument);

/* Has a process carry out an order; false if it is dead or did not survive it. */
bool subject_order(const struct subject *subject, struct order *order);

/* ---- playing ----------------------------------------------------------------------------- */

/* Plays the steps in a runtime of its own, in the order that the seed makes, and fills in the
 * trace; returns PLAYED, or says what went wrong and returns FAILED. */
int history_play(const char *file, uint64_t seed, const struct step *steps, struct lines *trace);

#endif
