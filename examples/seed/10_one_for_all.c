/* 10_one_for_all.c - Strategy 3, one_for_all: shared state; any crash restarts all. */
#include "cast.h"

static const cop_child_spec children[] = {
    COP_CHILD_SERVER(connection_manager),            /* manages database connections */
    COP_CHILD_SERVER(query_executor),                /* executes queries on them */
};
static const cop_supervisor database_pool_supervisor = {
    .name = "database_pool_supervisor", .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(children),
};

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_pid supervisor = cop_supervisor_start_link(&database_pool_supervisor).pid;
    show("Before crash", supervisor);
    crash("query_executor");
    show("query_executor crashed", supervisor);
}

PLAY(story)
