/* 05_resource_cleanup.c - Problem 4: a connection that its owner does not own leaks; one that
 * it owns is closed. */
#include "cast.h"

static int open_connections;

static void close_connection(void *connection)
{
    (void)connection;
    open_connections--;
}

static void worker(void *argument)
{
    bool owned = *(const bool *)argument;
    open_connections++;
    if (owned)
        cop_defer(close_connection, NULL);           /* closed however this process ends */
    cop_sleep(COP_INFINITY);
}

static void caller(void *argument)
{
    cop_spawn_link(worker, argument, sizeof(bool));
    cop_sleep(1);
    cop_raise("crashed before it could stop the worker");
}

/* ---- on stage ---- */

static void try_it(const char *title, bool owned)
{
    open_connections = 0;
    cop_spawn(caller, &owned, sizeof owned);
    cop_sleep(2);
    printf("%s: %d left open\n", title, open_connections);
}

static void story(void *argument)
{
    (void)argument;
    try_it("cleaned up by the caller", false);
    try_it("owned by the process", true);
}

PLAY(story)
