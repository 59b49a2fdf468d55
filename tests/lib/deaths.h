/* deaths.h - every kind of death of a process: the native crashes of ways_to_crash.h, and the ends
 * that are the runtime's, its own or others'.
 *
 *     struct death death = death_at(i);             // i from 0 to DEATHS - 1
 *     spawn a process that ends with death_die(&death), with .max_memory
 *     death_strike(&death, pid);                    // once it is where it is to die
 *     wait until it is down: its reason is death.reason
 *     death_tidy(&death);
 *
 * Threads: a process. */
#ifndef TEST_DEATHS_H
#define TEST_DEATHS_H

#include <coppice/process.h>

#include "ways_to_crash.h"

struct death {
    const char *name;
    const char *reason;         /* as printed */
    bool threads;               /* needs real ones */
    void (*die)(void);          /* what the process does; NULL: it returns */
    const char *signal;         /* the exit signal that it is sent, or NULL */
    bool linked;                /* a process that it is linked to ends */
};

enum { DEATHS = 10 + WAYS };

struct death death_at(int i);
struct death death_by(const char *name);

/* In the process that is to die. */
void death_die(const struct death *death);

/* In another one: does to it what has to be done for that. */
void death_strike(const struct death *death, cop_pid victim);

/* When it is dead: lets go on what went with it. */
void death_tidy(const struct death *death);

#endif
