/* 16_appropriate_strategies.c - Best practice 2: the strategy follows from who depends on
 * whom. */
#include "cast.h"

/* Independent workers. */
static const cop_child_spec apis[] = { COP_CHILD_SERVER(payment_api),
                                       COP_CHILD_SERVER(donation_api) };
static const cop_supervisor independent = { .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(apis) };

/* Sequential dependencies: the cache is nothing without the database. */
static const cop_child_spec steps[] = { COP_CHILD_SERVER(database_pool),
                                        COP_CHILD_SERVER(query_executor) };
static const cop_supervisor sequence = { .strategy = COP_REST_FOR_ONE, COP_CHILDREN(steps) };

/* Shared state. */
static const cop_child_spec peers[] = { COP_CHILD_SERVER(connection_manager),
                                        COP_CHILD_SERVER(worker_1) };
static const cop_supervisor shared = { .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(peers) };

/* ---- on stage ---- */

static void try_it(const char *title, const cop_supervisor *supervisor, const char *victim)
{
    cop_pid pid = cop_supervisor_start_link(supervisor).pid;
    crash(victim);
    show(title, pid);
    cop_supervisor_stop(cop_to(pid), COP_NORMAL);
}

static void story(void *argument)
{
    (void)argument;
    try_it("one_for_one: payment_api crashed", &independent, "payment_api");
    try_it("rest_for_one: database_pool crashed", &sequence, "database_pool");
    try_it("one_for_all: worker_1 crashed", &shared, "worker_1");
}

PLAY(story)
