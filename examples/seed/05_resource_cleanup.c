/* 05_resource_cleanup.c - Problem 4: a connection that the caller must close leaks when the caller
 * crashes; one that its process owns is closed. */
#include "cast.h"

struct connection { bool open; };
static struct connection *db_connect(void);
static void db_close(void *connection);

COP_MESSAGE(started, { struct connection *connection; });
struct handle { cop_pid pid; struct connection *connection; cop_ref ref; };

static void worker(void *parent)
{
    cop_send(*(const cop_pid *)parent, started, .connection = db_connect());
    cop_sleep(COP_INFINITY);                         /* processes work */
}

static struct handle start_link(void)
{
    cop_pid self = cop_self();
    cop_pid pid = cop_spawn_link(worker, &self, sizeof self);
    const started *news = cop_receive_type(started, COP_INFINITY);
    return (struct handle){ pid, news->connection, cop_monitor(pid) };
}

static void stop(struct handle handle)
{
    cop_demonitor(handle.ref);
    cop_unlink(handle.pid);
    cop_exit_process(handle.pid, COP_SHUTDOWN);
    db_close(handle.connection);                     /* the caller must know it, and be alive */
}

/* Without any of that: closed however this process ends, whoever else has crashed. */
static void owning_worker(void *argument)
{
    (void)argument;
    cop_defer(db_close, db_connect());
    cop_sleep(COP_INFINITY);
}

/* ---- on stage ---- */

static struct connection connections[3];
static int connected;

static struct connection *db_connect(void)
{
    connections[connected].open = true;
    return &connections[connected++];
}

static void db_close(void *connection)
{
    ((struct connection *)connection)->open = false;
}

static void tidy_caller(void *argument)
{
    (void)argument;
    stop(start_link());
}

static void crashing_caller(void *argument)
{
    (void)argument;
    start_link();
    cop_raise("crashed before it could stop the worker");
}

static void caller_of_an_owner(void *argument)
{
    (void)argument;
    cop_spawn_link(owning_worker, NULL, 0);
    cop_sleep(1);
    cop_raise("crashed");
}

static void try_it(const char *title, cop_function *caller)
{
    cop_spawn(caller, NULL, 0);
    cop_sleep(2);
    printf("%s: connection %d %s\n", title, connected,
           connections[connected - 1].open ? "leaked" : "closed");
}

static void story(void *argument)
{
    (void)argument;
    try_it("the caller stops the worker", tidy_caller);
    try_it("the caller crashes before that", crashing_caller);
    try_it("the caller crashes, the worker owns the connection", caller_of_an_owner);
}

PLAY(story)
