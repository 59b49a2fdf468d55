/* test_dynamic_supervisor_stop.c - one dynamic child is stopped, and all are at once; and there are
 * many. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "top.h"

static struct worker a, b, c, d;

/* ---- stop -------------------------------------------------------------------------- */

static void terminates_one(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    a.traps = b.traps = true;
    b.lingers_ms = 400;
    cop_pid first = ADD(a);
    cop_pid second = ADD(b, .shutdown = COP_SHUTDOWN_MS(300));
    cop_pid third = ADD(c, .shutdown = COP_BRUTAL_KILL);
    trace_error("a", cop_dynamic_supervisor_terminate_child(TOP, first));
    trace_error("a", cop_dynamic_supervisor_terminate_child(TOP, first));
    int64_t start_ms = cop_now_ms();
    trace_error("b", cop_dynamic_supervisor_terminate_child(TOP, second));
    ck_assert_int_eq(cop_now_ms() - start_ms, 300);
    trace_error("c", cop_dynamic_supervisor_terminate_child(TOP, third));
    trace_error("itself", cop_dynamic_supervisor_terminate_child(TOP, cop_self()));
    trace_children(TOP);
}

START_TEST(terminate_child_stops_a_child_as_its_spec_says_and_knows_no_other_pid)
{
    expect_story(terminates_one,
                 "a.1 starts\nb.1 starts\nc.1 starts\n"
                 "a.1 stops: shutdown\n"
                 "a.1 is gone\n"
                 "a: ok\n"
                 "a: not_found\n"
                 "b.1 stops: shutdown\n"
                 "b.1 is gone\n"
                 "report: shutdown_error b: killed\n"
                 "b: ok\n"
                 "c.1 is gone\n"
                 "c: ok\n"
                 "itself: not_found\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

/* Traces stand in the order of the table, which is of no interest: only what is there counts. */
static size_t times(const char *line)
{
    size_t count = 0;
    for (const char *at = trace_text(); (at = strstr(at, line)) != NULL; at++) count++;
    return count;
}

static cop_pid add_worker(struct worker *worker, cop_shutdown shutdown)
{
    const cop_child_spec spec = { .id = "worker", .start = worker_start, .module = worker,
                                  .shutdown = shutdown };
    return add(&spec);
}

static void stops_in_parallel(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    a.traps = b.traps = c.traps = true;
    a.lingers_ms = 200;
    b.lingers_ms = COP_INFINITY;
    for (int i = 0; i < 5; i++) {
        add_worker(&a, (cop_shutdown){ 0 });
        add_worker(&b, (cop_shutdown)COP_SHUTDOWN_MS(100 + 50 * i));
        add_worker(&c, (cop_shutdown)COP_BRUTAL_KILL);
        add_worker(&d, (cop_shutdown)COP_SHUTDOWN_INFINITY);
    }
    trace_reset();
    int64_t start_ms = cop_now_ms();
    end_top();
    ck_assert_int_eq(cop_now_ms() - start_ms, 300);
    ck_assert_uint_eq(times("is gone\n"), 20);
    ck_assert_uint_eq(times("stops: shutdown\n"), 10);
    ck_assert_uint_eq(times("report: shutdown_error worker: killed\n"), 5);
    ck_assert_uint_eq(times("report:"), 5);
    ck_assert_uint_eq(times("top down: shutdown\n"), 1);
    ck_assert_uint_eq(cop_process_count(), 1);
    trace_reset();
}

START_TEST(at_the_end_all_are_stopped_at_once_and_each_is_killed_at_its_own_time)
{
    expect_story(stops_in_parallel, "");
}
END_TEST

/* They end in the same moment as the supervisor is told to: it hears of some before. */
static void all_die_at_once(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ .intensity = COP_MAX_RESTARTS(0, 5) });
    cop_pid pids[4] = { ADD(a), ADD(b, .restart = COP_TRANSIENT), ADD(c), ADD(d) };
    cop_exit_process(top_pid, COP_SHUTDOWN);
    cop_exit_process(pids[0], COP_SHUTDOWN);
    cop_exit_process(pids[1], cop_reason_tuple("shutdown", cop_reason_atom("x")));
    cop_exit_process(pids[2], cop_reason_tuple("shutdown", cop_reason_atom("x")));
    cop_exit_process(pids[3], cop_reason_atom("boom"));
    trace_end("top", top_pid);
}

START_TEST(the_reason_of_a_child_that_died_before_the_stop_is_not_lost)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        run_shuffled(all_die_at_once, seed);
        ck_assert_uint_eq(times("report: shutdown_error c: shutdown:x\n"), 1);
        ck_assert_uint_eq(times("report: shutdown_error d: boom\n"), 1);
        ck_assert_uint_eq(times("report:"), 2);
        ck_assert_uint_eq(times("top down: shutdown\n"), 1);
    }
}
END_TEST

static void has_naughty_children(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    a.unlinks = b.unlinks = true;
    ADD(a);
    ADD(b);
    worker_kill("b");
    end_top();
}

START_TEST(children_that_have_unlinked_themselves_are_stopped_all_the_same)
{
    expect_story(has_naughty_children,
                 "a.1 starts\nb.1 starts\n"
                 "b.1 is gone\n"
                 "report: shutdown_error b: child_process_unlinked\n"
                 "a.1 is gone\n"
                 "top down: shutdown\n");
}
END_TEST

static void is_killed(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    for (int i = 0; i < 100; i++) add_worker(&a, (cop_shutdown){ 0 });
    cop_exit_process(top_pid, COP_KILL);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
    trace_reset();
}

START_TEST(the_children_of_a_killed_supervisor_die_by_their_links)
{
    expect_story(is_killed, "");
}
END_TEST

/* ---- many -------------------------------------------------------------------------- */

static cop_started start_idle(const void *module, const void *argument, size_t argument_size)
{
    static const cop_gen_server idle = { .state_size = 8 };
    (void)module;
    (void)argument;
    (void)argument_size;
    return cop_gen_server_start_link(&idle);
}

static void stops_many(void *argument)
{
    enum { ROUNDS = 2 };
    int children = *(int *)argument;
    const cop_child_spec template_ = { .start = start_idle, .restart = COP_TEMPORARY };
    for (int round = 0; round < ROUNDS; round++) {
        start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
        for (int i = 0; i < children; i++)
            ck_assert_int_eq(cop_dynamic_supervisor_start_from(TOP, NULL, 0).error, COP_OK);
        ck_assert_uint_eq(cop_process_count(), (size_t)children + 2);
        cop_supervisor_stop(TOP, COP_SHUTDOWN);
        ck_assert_uint_eq(cop_process_count(), 1);
    }
}

START_TEST(a_thousand_children_come_and_go)
{
    int children = 1000;
    ck_assert_int_eq(run_node(stops_many, &children), 0);
}
END_TEST

/* On several threads: clients start, terminate and kill children of one supervisor. */
static void client(void *argument)
{
    unsigned long seed = *(unsigned long *)argument;
    for (int i = 0; i < 300; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        cop_started started = cop_dynamic_supervisor_start_from(TOP, NULL, 0);
        ck_assert_int_eq(started.error, COP_OK);
        if (seed >> 62 == 0) continue;
        if (seed >> 62 == 1)
            cop_exit_process(started.pid, cop_reason_atom("boom"));
        else
            ck_assert_int_eq(cop_dynamic_supervisor_terminate_child(TOP, started.pid), COP_OK);
    }
}

static void serves_clients(void *argument)
{
    (void)argument;
    enum { CLIENTS = 4 };
    cop_ref ends[CLIENTS];
    cop_trap_exit(true);
    const cop_child_spec template_ = { .start = start_idle };
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_,
                                         .intensity = COP_MAX_RESTARTS(UINT32_MAX, 1) });
    for (unsigned long i = 0; i < CLIENTS; i++)
        cop_spawn_monitor(client, &(unsigned long){ i + 1 }, sizeof i, &ends[i]);
    for (int i = 0; i < CLIENTS; i++)
        cop_message_free(cop_take(&(cop_match){ .ref = ends[i] }, COP_INFINITY));
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    while (cop_process_count() > 1) cop_yield();   /* what has ended is put away */
}

START_TEST(on_several_schedulers_clients_start_end_and_kill_children_and_none_is_left)
{
    ck_assert_int_eq(run_node_threads(serves_clients, NULL, 3), 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *dynamic_supervisor_stop_suite(void)
{
    Suite *suite = suite_create("dynamic_supervisor_stop");
    TCase *tests = tcase_create("dynamic_supervisor_stop");
    tcase_add_test(tests, terminate_child_stops_a_child_as_its_spec_says_and_knows_no_other_pid);
    tcase_add_test(tests, at_the_end_all_are_stopped_at_once_and_each_is_killed_at_its_own_time);
    tcase_add_test(tests, the_reason_of_a_child_that_died_before_the_stop_is_not_lost);
    tcase_add_test(tests, children_that_have_unlinked_themselves_are_stopped_all_the_same);
    tcase_add_test(tests, the_children_of_a_killed_supervisor_die_by_their_links);
    tcase_add_test(tests, a_thousand_children_come_and_go);
    tcase_add_test(tests,
                   on_several_schedulers_clients_start_end_and_kill_children_and_none_is_left);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(dynamic_supervisor_stop_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
