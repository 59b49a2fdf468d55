/* 16_appropriate_strategies.c - Best practice 2: the strategy follows from who depends on
 * whom. */
#include "cast.h"

/* Independent workers. */
static const cop_child_spec apis[] = { COP_CHILD_SERVER(payment_api),
                                       COP_CHILD_SERVER(donation_api) };
static const cop_supervisor independent = { .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(apis) };

/* Sequential dependencies: the cache is nothing without the database. */
static const cop_child_spec steps[] = { COP_CHILD_SERVER(database),
                                        COP_CHILD_SERVER(query_cache) };
static const cop_supervisor sequence = { .strategy = COP_REST_FOR_ONE, COP_CHILDREN(steps) };

/* Shared state. */
static const cop_child_spec peers[] = { COP_CHILD_SERVER(connection_pool),
                                        COP_CHILD_SERVER(connection_monitor) };
static const cop_supervisor shared = { .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(peers) };

/* ---- on stage ---- */

static void try_it(const char *title, const cop_supervisor *supervisor, const char *victim)
{
    cop_pid pid = cop_supervisor_start_link(supervisor).pid;
    crash(victim);
    show(title, pid);
    end_scene(pid);
}

static void story(void *argument)
{
    (void)argument;
    try_it("one_for_one: payment_api crashed", &independent, "payment_api");
    try_it("rest_for_one: database crashed", &sequence, "database");
    try_it("one_for_all: connection_monitor crashed", &shared, "connection_monitor");
}

PLAY(story)
