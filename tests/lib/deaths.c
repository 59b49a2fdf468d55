/* deaths.c - see deaths.h. */
#include "deaths.h"

#include <check.h>
#include <semaphore.h>
#include <string.h>

#include <coppice/coppice.h>

static void raises(void)
{
    cop_raise("oops");
}

static void exits(void)
{
    cop_exit(cop_reason_atom("boom"));
}

static void kills_itself(void)
{
    cop_exit_process(cop_self(), COP_KILL);
}

static void leaks(void)
{
    for (;;) cop_alloc(1000);
}

static void waits(void)
{
    cop_receive_type(cop_timeout_message, COP_INFINITY);
}

#ifndef __SANITIZE_THREAD__
static void loops(void)
{
    static volatile unsigned long counter;
    for (;;) counter++;
}
#endif

static sem_t gate;

static void blocks_its_thread(void *argument)
{
    (void)argument;
    sem_wait(&gate);
}

static void blocks(void)
{
    sem_init(&gate, 0, 0);
    cop_blocking(blocks_its_thread, NULL, 0);
}

/* Under ThreadSanitizer a signal waits until a function is called that it knows, so there nothing
 * loops. */
#ifdef __SANITIZE_THREAD__
#define LOOPS waits
#else
#define LOOPS loops
#endif

static const struct death deaths[DEATHS - WAYS] = {
    { "returns", "normal", .die = NULL },
    { "raises", "error:oops", .die = raises },
    { "exits", "boom", .die = exits },
    { "kills itself", "killed", .die = kills_itself },
    { "leaks", "error:enomem: max_memory", .die = leaks },
    { "is told to stop", "shutdown", .die = waits, .signal = "shutdown" },
    { "is killed", "killed", .die = waits, .signal = "kill" },
    { "is linked to one that ends", "crashed", .die = waits, .linked = true },
    { "is killed in a blocking function", "killed", true, .die = blocks, .signal = "kill" },
    { "is killed in an endless loop", "killed", true, .die = LOOPS, .signal = "kill" },
};

struct death death_at(int i)
{
    if (i >= WAYS) return deaths[i - WAYS];
    return (struct death){ .name = ways[i].name, .reason = ways[i].reason, .die = ways[i].crash };
}

struct death death_by(const char *name)
{
    int i = 0;
    while (strcmp(death_at(i).name, name) != 0) i++;
    return death_at(i);
}

void death_die(const struct death *death)
{
    if (death->die != NULL) death->die();
}

static void links_and_ends(void *argument)
{
    cop_link(*(const cop_pid *)argument);
    cop_exit(cop_reason_atom("crashed"));
}

void death_strike(const struct death *death, cop_pid victim)
{
    if (death->linked) cop_spawn(links_and_ends, &victim, sizeof victim);
    if (death->signal != NULL) cop_exit_process(victim, cop_reason_atom(death->signal));
}

void death_tidy(const struct death *death)
{
    if (death->die == blocks) sem_post(&gate);
}
