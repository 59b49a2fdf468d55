/* test_connections.c - the seed's fourth problem, a connection that leaks when its caller crashes:
 * real SQLite connections, descriptors and what else a process can own, and every kind of death. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deaths.h"
#include "node.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

enum { STACK = 256 * 1024, MEMORY = 100000 };

/* ---- the world outside ----------------------------------------------------------------- */

static char directory[64], database_path[96], file_path[96];

/* Without a mutex of its own, which a crash would leave locked: one process has it. */
static sqlite3 *open_database(void)
{
    sqlite3 *database;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    ck_assert_int_eq(sqlite3_open_v2(database_path, &database, flags, NULL), SQLITE_OK);
    return database;
}

static void run_sql(sqlite3 *database, const char *sql)
{
    ck_assert_msg(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(database));
}

static void make_files(void)
{
    snprintf(directory, sizeof directory, "connections-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(database_path, sizeof database_path, "%s/ledger.db", directory);
    snprintf(file_path, sizeof file_path, "%s/notes.txt", directory);
    sqlite3 *database = open_database();
    run_sql(database, "CREATE TABLE ledger (id)");
    sqlite3_close(database);
}

static void remove_files(void)
{
    unlink(file_path);
    ck_assert_int_eq(unlink(database_path), 0);      /* nobody's transaction left a journal */
    ck_assert_int_eq(rmdir(directory), 0);
}

static int open_descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(list);
    int count = 0;
    while (readdir(list) != NULL) count++;
    closedir(list);
    return count;
}

static int count_entries(sqlite3 *database)
{
    sqlite3_stmt *count;
    ck_assert_int_eq(sqlite3_prepare_v2(database, "SELECT COUNT(*) FROM ledger", -1, &count, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(count), SQLITE_ROW);
    int entries = sqlite3_column_int(count, 0);
    sqlite3_finalize(count);
    return entries;
}

/* Another connection can write at once, and finds nothing that was not committed. */
static void expect_rolled_back(void)
{
    sqlite3 *database = open_database();
    run_sql(database, "BEGIN EXCLUSIVE");
    ck_assert_int_eq(count_entries(database), 0);
    run_sql(database, "COMMIT");
    ck_assert_int_eq(sqlite3_close(database), SQLITE_OK);
}

/* ---- a process that owns one of each --------------------------------------------------- */

COP_MESSAGE(has_all, COP_EMPTY);
COP_MESSAGE(late, COP_EMPTY);

static cop_mutex mutex;
static struct { sqlite3 *database; int socket, file; } held;
static int sockets[2];

static void close_database(void *database)
{
    ck_assert_int_eq(sqlite3_close(database), SQLITE_OK);
    held.database = NULL;
}

static void tell_what_is_held(void *argument)
{
    (void)argument;
    bool locked = cop_pid_equal(cop_mutex_owner(&mutex), cop_self());
    bool named = cop_pid_equal(cop_whereis("holder"), cop_self());
    trace("    %s%s%s%s%s", named ? "name" : "", held.database != NULL ? " connection" : "",
          fcntl(held.socket, F_GETFD) >= 0 ? " socket" : "",
          fcntl(held.file, F_GETFD) >= 0 ? " file" : "", locked ? " mutex" : "");
}

static void crashes(void *argument)
{
    (void)argument;
    trace("    an action crashes");
    crash_null_write();
}

static void holds_all(void *argument)
{
    const struct death *death = argument;
    static cop_buffer *buffer;

    cop_register("holder");
    cop_send_after(cop_parent(), 1, late);
    cop_defer(tell_what_is_held, NULL);

    held.database = open_database();
    cop_defer(close_database, held.database);
    run_sql(held.database, "BEGIN IMMEDIATE; INSERT INTO ledger VALUES (1)");
    cop_defer(tell_what_is_held, NULL);

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    cop_own_fd(held.socket = sockets[0]);
    cop_defer(tell_what_is_held, NULL);
    cop_defer(crashes, NULL);

    FILE *file = fopen(file_path, "w");
    cop_own_file(file);
    held.file = fileno(file);
    fputs("kept", file);
    cop_defer(tell_what_is_held, NULL);

    ck_assert_int_eq(cop_mutex_lock(&mutex, COP_INFINITY), 0);
    cop_own_buffer(buffer = cop_buffer_new("shared", 6));     /* a leak: the sanitizer tells */
    cop_defer(tell_what_is_held, NULL);

    cop_send(cop_parent(), has_all);
    death_die(death);
}

#define RELEASES                                                                         \
    "    name connection socket file mutex\n"                                            \
    "    name connection socket file\n"                                                  \
    "    an action crashes\n"                                                            \
    "    name connection socket\n"                                                       \
    "    name connection\n"                                                              \
    "    name\n"

static void expect_file_written(void)
{
    char text[16] = "";
    FILE *file = fopen(file_path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    ck_assert_str_eq(text, "kept");
    fclose(file);
}

/* What is so when the news of the death arrives. */
static void expect_all_released(void)
{
    char byte;
    ck_assert_int_eq(recv(sockets[1], &byte, 1, 0), 0);       /* the peer has hung up */
    ck_assert_int_eq(close(sockets[1]), 0);
    expect_rolled_back();
    expect_file_written();
    ck_assert(cop_pid_is_none(cop_whereis("holder")));
    ck_assert_int_eq(cop_mutex_lock(&mutex, 0), COP_INHERITED);
    cop_mutex_unlock(&mutex);
}

static void dies(const struct death *death)
{
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(holds_all, death, sizeof *death, &(cop_spawn_options){
        .link = true, .monitor = true, .ret_ref = &ref, .stack_bytes = STACK,
        .max_memory = MEMORY });
    cop_receive_type(has_all, COP_INFINITY);
    death_strike(death, pid);
    trace_down(death->name, ref);
    expect_all_released();
    trace_exit_from(death->name, pid);
    death_tidy(death);
}

static void all_die(void *argument)
{
    bool threads = *(const bool *)argument;
    cop_trap_exit(true);
    int before = open_descriptors();
    for (int i = 0; i < DEATHS; i++) {
        struct death death = death_at(i);
        if (death.threads && !threads) continue;
        dies(&death);
        ck_assert_int_eq(open_descriptors(), before);
    }
    if (threads) return;                                      /* there time passes by itself */
    cop_sleep(2);
    ck_assert_ptr_null(cop_receive_type(late, 0));            /* its timers went with it */
}

/* Deterministic, then on two threads. */
START_TEST(at_any_death_all_is_released_newest_first_before_monitors_and_links_hear)
{
    bool threads = _i == 1;
    static char expected[DEATHS * 400];
    size_t used = 0;
    for (int i = 0; i < DEATHS; i++) {
        struct death death = death_at(i);
        if (death.threads && !threads) continue;
        used += (size_t)snprintf(expected + used, sizeof expected - used,
                                 RELEASES "%s down: %s\nexit from %s: %s\n", death.name,
                                 death.reason, death.name, death.reason);
    }
    make_files();
    cop_mutex_init(&mutex);
    trace_reset();
    ck_assert_int_eq(threads ? run_node_threads(all_die, &threads, 2)
                             : run_node(all_die, &threads), 0);
    trace_expect(expected);
    remove_files();
}
END_TEST

static void leaves_a_holder(void *argument)
{
    cop_spawn_opt(holds_all, argument, sizeof(struct death),
                  &(cop_spawn_options){ .stack_bytes = STACK });
    cop_receive_type(has_all, COP_INFINITY);
    trace("the node ends");
}

START_TEST(at_the_nodes_end_all_is_released_too)
{
    struct death waiting = death_by("is killed");
    make_files();
    cop_mutex_init(&mutex);
    int before = open_descriptors();
    trace_reset();
    ck_assert_int_eq(run_node(leaves_a_holder, &waiting), 0);
    trace_expect("the node ends\n" RELEASES);
    ck_assert_int_eq(close(sockets[1]), 0);
    ck_assert_int_eq(open_descriptors(), before);
    expect_rolled_back();
    remove_files();
}
END_TEST

/* ---- in the middle of a query --------------------------------------------------------------- */

static void falls(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)context, (void)count, (void)values;
    crash_null_write();
}

static void finalize(void *statement)
{
    sqlite3_finalize(statement);
}

static void queries(void *argument)
{
    (void)argument;
    sqlite3_stmt *insert;
    held.database = open_database();
    cop_defer(close_database, held.database);
    sqlite3_create_function(held.database, "falls", 0, SQLITE_UTF8, NULL, falls, NULL, NULL);
    run_sql(held.database, "BEGIN IMMEDIATE; INSERT INTO ledger VALUES (1)");
    sqlite3_prepare_v2(held.database, "INSERT INTO ledger VALUES (falls())", -1, &insert, NULL);
    cop_defer(finalize, insert);
    sqlite3_step(insert);
}

static void watches_queries(void *argument)
{
    (void)argument;
    int before = open_descriptors();
    for (int i = 0; i < 3; i++) {
        cop_ref ref;
        cop_spawn_opt(queries, NULL, 0, &(cop_spawn_options){
            .monitor = true, .ret_ref = &ref, .stack_bytes = STACK });
        trace_down("query", ref);
        ck_assert_ptr_null(held.database);
        expect_rolled_back();
        ck_assert_int_eq(open_descriptors(), before);
    }
}

START_TEST(a_crash_in_what_a_query_calls_leaves_a_connection_that_can_be_closed)
{
    make_files();
    trace_reset();
    ck_assert_int_eq(run_node(watches_queries, NULL), 0);
    trace_expect("query down: crash:SIGSEGV\n"
                 "query down: crash:SIGSEGV\n"
                 "query down: crash:SIGSEGV\n");
    remove_files();
}
END_TEST

/* ---- a connection that a caller has borrowed ------------------------------------------- */

/* The seed's DatabaseWorker, which has the connection, and watches whom it works for. */
COP_CALL(insert, { int id; }, { int entries; });

struct worker { sqlite3 *database; };

static cop_next worker_init(void *state, const void *argument)
{
    struct worker *worker = state;
    worker->database = open_database();
    cop_defer(close_database, worker->database);
    run_sql(worker->database, "BEGIN IMMEDIATE");
    cop_monitor(*(const cop_pid *)argument);
    return cop_ok();
}

static cop_next worker_insert(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    struct worker *worker = state;
    char *sql = sqlite3_mprintf("INSERT INTO ledger VALUES (%d)",
                                cop_expect(request, insert)->id);
    run_sql(worker->database, sql);
    sqlite3_free(sql);
    return cop_reply(insert, .entries = count_entries(worker->database));
}

static cop_next worker_info(void *state, const cop_message *message)
{
    (void)state;
    cop_expect(message, cop_down_message);
    return cop_stop(COP_NORMAL);                              /* whom it worked for is gone */
}

static const cop_gen_server worker_server = {
    .name = "worker", .state_size = sizeof(struct worker), .init = worker_init,
    .handle_call = worker_insert, .handle_info = worker_info, .stack_bytes = STACK };

COP_MESSAGE(at_work, { cop_pid worker; });

static void calls_a_worker(void *argument)
{
    const struct death *death = argument;
    cop_pid self = cop_self();
    cop_pid worker = cop_must_start(cop_gen_server_start(&worker_server, .argument = &self,
                                                         .argument_size = sizeof self));
    insert_reply reply;
    cop_must(cop_call(worker, &reply, insert, .id = 1));
    ck_assert_int_eq(reply.entries, 1);
    cop_send(cop_parent(), at_work, .worker = worker);
    cop_receive_type(has_all, COP_INFINITY);
    death_die(death);                                         /* it never says that it has done */
}

static void callers_die(void *argument)
{
    (void)argument;
    int before = open_descriptors();
    for (int i = 0; i < DEATHS; i++) {
        struct death death = death_at(i);
        if (death.threads) continue;
        cop_ref caller_end;
        cop_pid caller = cop_spawn_opt(calls_a_worker, &death, sizeof death, &(cop_spawn_options){
            .monitor = true, .ret_ref = &caller_end, .max_memory = MEMORY });
        cop_ref worker_end = cop_monitor(cop_receive_type(at_work, COP_INFINITY)->worker);
        cop_send(caller, has_all);
        death_strike(&death, caller);
        trace_down(death.name, caller_end);
        trace_down("    its worker", worker_end);
        ck_assert_ptr_null(held.database);
        expect_rolled_back();
        ck_assert_int_eq(open_descriptors(), before);
    }
}

START_TEST(a_caller_that_dies_leaks_no_connection)
{
    static char expected[DEATHS * 100];
    size_t used = 0;
    for (int i = 0; i < DEATHS; i++) {
        struct death death = death_at(i);
        if (death.threads) continue;
        used += (size_t)snprintf(expected + used, sizeof expected - used,
                                 "%s down: %s\n    its worker down: normal\n", death.name,
                                 death.reason);
    }
    make_files();
    trace_reset();
    ck_assert_int_eq(run_node(callers_die, NULL), 0);
    trace_expect(expected);
    remove_files();
}
END_TEST

static Suite *connections_suite(void)
{
    Suite *suite = suite_create("connections");
    TCase *tests = tcase_create("connections");
    tcase_add_loop_test(
        tests, at_any_death_all_is_released_newest_first_before_monitors_and_links_hear, 0, 2);
    tcase_add_test(tests, at_the_nodes_end_all_is_released_too);
    tcase_add_test(tests, a_crash_in_what_a_query_calls_leaves_a_connection_that_can_be_closed);
    tcase_add_test(tests, a_caller_that_dies_leaks_no_connection);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(connections_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
