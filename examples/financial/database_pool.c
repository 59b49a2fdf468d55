/* database_pool.c - DatabasePool: connections to the ledger, each owned by a process.
 *
 *     worker --post_entry--> DatabasePool --entry_to_write--> connection
 *        ^                                                         |
 *        +------------------------post_entry_reply-----------------+
 *
 * A connection's process closes it when it ends, however it ends, and what was not committed
 * is rolled back.  Pool and connections are linked: when one crashes all of them go, and the
 * supervisor above starts the pool, and what depends on it, again.
 *
 * SQLite has one writer at a time.  The mutex lets the others wait as processes do, where SQLite
 * would keep their thread waiting.  What may wait for the disk, the commit, runs on a blocking
 * thread, to which the connection is lent: a connection killed meanwhile is closed after that. */
#include "database_pool.h"

#include "ledger.h"
#include "tree.h"

enum {
    CONNECTIONS = 4,
    SQLITE_STACK_BYTES = 256 * 1024,    /* SQLite asks for more than the usual 64 KiB */
    DISK_MS = 3                         /* what a write may take, in virtual time */
};

static const char *ledger_path;

void database_pool_use(const char *path)
{
    ledger_path = path;
}

/* ---- a connection ---------------------------------------------------------------------- */

COP_MESSAGE(entry_to_write, { struct order order; cop_from from; });

struct connection {
    struct ledger *ledger;
    cop_deferred *owned;                 /* by the process: closes it */
};

static void close_ledger(void *ledger)
{
    ledger_close(ledger);
}

static cop_next connection_init(void *state, const void *argument)
{
    (void)argument;
    struct connection *connection = state;
    char why[LEDGER_WHY_BYTES];
    connection->ledger = ledger_open(ledger_path, why);
    if (connection->ledger == NULL) return cop_fail(cop_reason_error("the ledger: %s", why));
    connection->owned = cop_defer(close_ledger, connection->ledger);
    return cop_ok();
}

static void must(struct ledger *ledger, int result)
{
    if (result != 0) cop_raise("the ledger: %s", ledger_error(ledger));
}

struct commit {
    struct ledger *ledger;
    int result;
};

/* On a blocking thread. */
static void commit(void *argument)
{
    struct commit *work = argument;
    work->result = ledger_commit(work->ledger);
}

static cop_mutex one_writer = COP_MUTEX_INIT;

/* Who inherits the mutex of a writer that died finds what that one wrote rolled back. */
static enum outcome write_entry(struct connection *connection, const entry_to_write *entry)
{
    struct ledger *ledger = connection->ledger;
    bool is_new = false;
    cop_must(cop_mutex_lock(&one_writer, COP_INFINITY));
    must(ledger, ledger_begin(ledger));
    must(ledger, ledger_insert(ledger, &entry->order.request, &is_new));
    fault_point(entry->order.fault, IN_DATABASE);
    struct commit work = { .ledger = ledger };
    cop_must(cop_blocking_lend(commit, &work, sizeof work, COP_INFINITY, connection->owned));
    must(ledger, work.result);
    cop_mutex_unlock(&one_writer);
    return is_new ? POSTED : POSTED_BEFORE;
}

static cop_next connection_handle_cast(void *state, const cop_message *message)
{
    struct connection *connection = state;
    const entry_to_write *entry = cop_expect(message, entry_to_write);
    cop_sleep(1 + (int64_t)cop_random_below(DISK_MS));
    enum outcome outcome = write_entry(connection, entry);
    if (!cop_ref_equal(entry->from.alias, COP_NO_REF)) {
        cop_answer(entry->from, post_entry, .outcome = outcome);
    }
    return cop_noreply();
}

static const cop_gen_server connection_server = {
    .label = "ledger connection",
    .state_size = sizeof(struct connection),
    .init = connection_init,
    .handle_cast = connection_handle_cast,
    .max_memory = WORKER_MEMORY,
    .stack_bytes = SQLITE_STACK_BYTES,
};

/* ---- the pool -------------------------------------------------------------------------- */

struct pool {
    cop_pid connections[CONNECTIONS];
    unsigned next;                       /* whose turn it is */
};

static cop_next pool_init(void *state, const void *argument)
{
    (void)argument;
    struct pool *pool = state;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        cop_started started = cop_gen_server_start_link(&connection_server);
        if (started.error != 0) return cop_stop(started.reason);
        pool->connections[i] = started.pid;
    }
    return cop_ok();
}

static void hand_on(struct pool *pool, const post_entry *post, cop_from from)
{
    cop_cast(pool->connections[pool->next], entry_to_write, .order = post->order, .from = from);
    pool->next = (pool->next + 1) % CONNECTIONS;
}

static cop_next pool_handle_call(void *state, const cop_message *request, cop_from from)
{
    hand_on(state, cop_expect(request, post_entry), from);
    return cop_noreply();
}

static cop_next pool_handle_cast(void *state, const cop_message *message)
{
    hand_on(state, cop_expect(message, post_entry), (cop_from){ COP_NO_REF });
    return cop_noreply();
}

const cop_gen_server DatabasePool = {
    .name = "DatabasePool",
    .state_size = sizeof(struct pool),
    .init = pool_init,
    .handle_call = pool_handle_call,
    .handle_cast = pool_handle_cast,
    .max_memory = WORKER_MEMORY,
};

/* ---- for the workers ------------------------------------------------------------------- */

enum outcome database_pool_post(const struct order *order)
{
    fault_point(order->fault, BEFORE_WRITE);
    if (order->fault.place == DURING_WRITE) {
        /* Who dies while it waits leaves a request behind that nobody waits for. */
        cop_cast("DatabasePool", post_entry, .order = *order);
        fault_point(order->fault, DURING_WRITE);
    }
    post_entry_reply reply;
    int error = cop_call("DatabasePool", &reply, post_entry, .order = *order);
    if (error != 0) return TRY_AGAIN;
    fault_point(order->fault, AFTER_WRITE);
    return reply.outcome;
}
