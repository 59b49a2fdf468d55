/* test_task_supervisor.c - a supervisor of tasks: its children, how they are stopped and started
 * again, and on whose behalf they run. */
#include <coppice/coppice.h>

#include "tasks.h"

/* ---- helpers ----------------------------------------------------------------------- */

#define TASKS cop_to("tasks")

static const cop_shutdown by_default = { 0 };
static const cop_shutdown brutally = COP_BRUTAL_KILL;
static const cop_shutdown at_most_100 = COP_SHUTDOWN_MS(100);

static cop_pid start_tasks(void)
{
    static const cop_task_supervisor supervisor = { .name = "tasks",
                                                    .intensity = COP_MAX_RESTARTS(2, 5) };
    cop_started started = cop_task_supervisor_start_link(&supervisor);
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

static size_t count_children(void)
{
    cop_pid *pids;
    size_t count;
    ck_assert_int_eq(cop_task_supervisor_children(TASKS, &pids, &count), COP_OK);
    for (size_t i = 0; i < count; i++) ck_assert(cop_is_alive(pids[i]));
    cop_free(pids);
    return count;
}

/* ---- children ---------------------------------------------------------------------- */

static void lists_children(void *argument)
{
    (void)argument;
    start_tasks();
    trace("%zu", count_children());
    cop_task first = cop_task_supervisor_async(TASKS, sleeps_for_ever, NULL, 0);
    cop_task second = cop_task_supervisor_async_nolink(TASKS, sleeps_for_ever, NULL, 0);
    cop_started third = cop_task_supervisor_start_child(TASKS, sleeps_for_ever, NULL, 0);
    cop_pid *pids;
    size_t count;
    ck_assert_int_eq(cop_task_supervisor_children(TASKS, &pids, &count), COP_OK);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += pids[i].bits;
    ck_assert_uint_eq(sum, first.pid.bits + second.pid.bits + third.pid.bits);
    cop_free(pids);
    trace("%zu", count);

    trace_error("first", cop_task_supervisor_terminate_child(TASKS, first.pid));
    trace_error("first again", cop_task_supervisor_terminate_child(TASKS, first.pid));
    TRACE_OUTCOME("first", cop_task_await, first, COP_INFINITY);
    trace_error("third", cop_task_supervisor_terminate_child(TASKS, third.pid));
    trace_error("nobody", cop_task_supervisor_terminate_child(TASKS, COP_NO_PID));
    trace_error("myself", cop_task_supervisor_terminate_child(TASKS, cop_self()));
    trace("%zu", count_children());
    trace_error("elsewhere", cop_task_supervisor_terminate_child(cop_to("nowhere"), third.pid));
    trace_error("elsewhere", cop_task_supervisor_children(cop_to("nowhere"), &pids, &count));
}

START_TEST(a_supervisor_lists_the_tasks_that_run_and_terminates_one_of_them)
{
    expect_story(lists_children, "0\n"
                                 "3\n"
                                 "first: ok\n"
                                 "first again: not_found\n"
                                 "first: down: shutdown\n"
                                 "third: ok\n"
                                 "nobody: not_found\n"
                                 "myself: not_found\n"
                                 "1\n"
                                 "elsewhere: noproc\n"
                                 "elsewhere: noproc\n");
}
END_TEST

/* ---- shutdown ---------------------------------------------------------------------- */

/* Stops the supervisor of one task that traps exits and says when and how that one ended. */
static void trace_stop(const char *what, cop_pid supervisor, cop_pid task)
{
    cop_ref end = cop_monitor(task);
    settle();
    int64_t start = cop_now_ms();
    cop_exit_process(supervisor, COP_SHUTDOWN);
    trace_down(what, end);
    trace("after %d ms", (int)(cop_now_ms() - start));
    settle();
    ck_assert(!cop_is_alive(supervisor));
}

static void stops_with_patience(void *argument)
{
    (void)argument;
    cop_pid top = start_tasks();
    cop_task task = cop_task_supervisor_async(TASKS, traps, NULL, 0);
    trace_stop("async", top, task.pid);
    top = start_tasks();
    task = cop_task_supervisor_async_opt(TASKS, traps, NULL, 0, at_most_100);
    trace_stop("async, 100", top, task.pid);
    top = start_tasks();
    task = cop_task_supervisor_async_nolink_opt(TASKS, traps, NULL, 0, brutally);
    trace_stop("nolink, brutally", top, task.pid);
    top = start_tasks();
    cop_started child = cop_task_supervisor_start_child_opt(TASKS, traps, NULL, 0, COP_TEMPORARY,
                                                            brutally);
    trace_stop("child, brutally", top, child.pid);
}

START_TEST(a_supervisor_that_ends_gives_each_task_the_time_that_its_options_say)
{
    expect_story(stops_with_patience, "async down: killed\n"
                                      "after 5000 ms\n"
                                      "report: shutdown_error task: killed\n"
                                      "async, 100 down: killed\n"
                                      "after 100 ms\n"
                                      "report: shutdown_error task: killed\n"
                                      "nolink, brutally down: killed\n"
                                      "after 0 ms\n"
                                      "child, brutally down: killed\n"
                                      "after 0 ms\n");
}
END_TEST

/* ---- restart ----------------------------------------------------------------------- */

static int runs;

/* Fails in its first runs, as its argument says. */
static cop_message *fails_at_first(void *argument)
{
    const int *plan = argument;
    trace("run %d of %d", ++runs, plan[0]);
    if (runs > plan[0]) cop_sleep(COP_INFINITY);
    cop_exit(plan[1] == 0 ? COP_NORMAL : plan[1] == 1 ? COP_SHUTDOWN : cop_reason_atom("boom"));
}

static void runs_again(const char *what, enum cop_restart restart, int failures, int how)
{
    runs = 0;
    int plan[] = { failures, how };
    trace("%s:", what);
    cop_started child = cop_task_supervisor_start_child_opt(TASKS, fails_at_first, plan,
                                                            sizeof plan, restart, by_default);
    ck_assert_int_eq(child.error, COP_OK);
    plan[0] = 0;                                /* it keeps its own */
    settle();
}

static void restarts(void *argument)
{
    (void)argument;
    cop_pid top = start_tasks();
    runs_again("temporary", COP_TEMPORARY, 1, 2);
    runs_again("transient, normal", COP_TRANSIENT, 1, 0);
    runs_again("transient, boom", COP_TRANSIENT, 1, 2);
    runs_again("permanent, shutdown", COP_PERMANENT, 1, 1);
    trace("%zu", count_children());
    runs_again("permanent, too often", COP_PERMANENT, 1, 0);
    trace_end("tasks", top);
}

START_TEST(a_child_is_started_again_with_its_argument_as_its_options_say)
{
    expect_story(restarts, "temporary:\n"
                           "run 1 of 1\n"
                           "report: child_terminated task: boom\n"
                           "transient, normal:\n"
                           "run 1 of 1\n"
                           "transient, boom:\n"
                           "run 1 of 1\n"
                           "report: child_terminated task: boom\n"
                           "report: task restarted: boom; task\n"
                           "run 2 of 1\n"
                           "permanent, shutdown:\n"
                           "run 1 of 1\n"
                           "report: child_terminated task: shutdown\n"
                           "report: task restarted: shutdown; task\n"
                           "run 2 of 1\n"
                           "2\n"
                           "permanent, too often:\n"
                           "run 1 of 1\n"
                           "report: child_terminated task: normal\n"
                           "report: shutdown task: reached_max_restart_intensity\n"
                           "tasks down: noproc\n");
}
END_TEST

/* ---- links and callers ------------------------------------------------------------- */

static void starts_and_is_killed(void *argument)
{
    (void)argument;
    cop_task linked = cop_task_supervisor_async(TASKS, sleeps_for_ever, NULL, 0);
    cop_task loose = cop_task_supervisor_async_nolink(TASKS, sleeps_for_ever, NULL, 0);
    cop_started child = cop_task_supervisor_start_child(TASKS, sleeps_for_ever, NULL, 0);
    ck_assert(linked.error == COP_OK && loose.error == COP_OK && child.error == COP_OK);
    cop_exit(cop_reason_atom("boom"));
}

static void leaves_tasks(void *argument)
{
    (void)argument;
    start_tasks();
    trace_end_of("owner", starts_and_is_killed, NULL);
    settle();
    trace("%zu", count_children());
}

START_TEST(only_async_links_a_supervised_task_to_who_asked_for_it)
{
    expect_story(leaves_tasks, "owner down: boom\n"
                               "report: child_terminated task: boom\n"
                               "2\n");
}
END_TEST

static cop_pid first_pid, tasks_pid;

static cop_message *tells_its_family(void *argument)
{
    (void)argument;
    cop_pid pids[4];
    size_t count = cop_callers(pids, 4);
    trace("%zu callers, the last %s the first process", count,
          cop_pid_equal(pids[count - 1], first_pid) ? "is" : "is not");
    ck_assert_uint_ge(cop_ancestors(pids, 4), 2);
    ck_assert(cop_pid_equal(pids[0], tasks_pid));
    ck_assert(cop_pid_equal(pids[1], first_pid));
    return NULL;
}

static cop_message *asks_others(void *argument)
{
    tells_its_family(argument);
    TRACE_OUTCOME("nolink", cop_task_await,
                  cop_task_supervisor_async_nolink(TASKS, tells_its_family, NULL, 0),
                  COP_INFINITY);
    cop_started child = cop_task_supervisor_start_child(TASKS, tells_its_family, NULL, 0);
    ck_assert_int_eq(child.error, COP_OK);
    settle();
    return NULL;
}

static void asks_some(void *argument)
{
    (void)argument;
    first_pid = cop_self();
    tasks_pid = start_tasks();
    TRACE_OUTCOME("async", cop_task_await,
                  cop_task_supervisor_async(TASKS, asks_others, NULL, 0), COP_INFINITY);
}

START_TEST(a_supervised_task_knows_its_callers_and_its_ancestor_is_the_supervisor)
{
    expect_story(asks_some, "1 callers, the last is the first process\n"
                            "2 callers, the last is the first process\n"
                            "nolink: nothing\n"
                            "2 callers, the last is the first process\n"
                            "async: nothing\n");
}
END_TEST

/* ---- the ends of supervised tasks -------------------------------------------------- */

static void ends_supervised(void *argument)
{
    (void)argument;
    start_tasks();
    cop_task tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = cop_task_supervisor_async_nolink(TASKS, sleeps_for_ever, NULL, 0);
    TRACE_OUTCOME("yield", cop_task_yield, tasks[0], 10);
    TRACE_OUTCOME("shutdown", cop_task_shutdown, tasks[0], by_default);
    TRACE_OUTCOME("brutally", cop_task_shutdown, tasks[1], brutally);
    TRACE_OUTCOME("ignore", cop_task_ignore, tasks[2]);
    settle();
    trace("%zu", count_children());
    expect_empty_mailbox();
    int n = 6;
    tasks[0] = cop_task_supervisor_async(TASKS, squares, &n, sizeof n);
    tasks[1] = cop_task_supervisor_async_nolink(TASKS, exits_boom, NULL, 0);
    tasks[2] = cop_task_supervisor_async_nolink(TASKS, returns_none, NULL, 0);
    cop_task_result results[3];
    ck_assert_int_eq(cop_task_yield_many(tasks, 3, COP_INFINITY, NULL, results), COP_OK);
    trace_results(results, 3);
    expect_nothing_left(3);
}

START_TEST(supervised_tasks_are_asked_stopped_and_ignored_as_others_are)
{
    expect_story(ends_supervised, "yield: timeout\n"
                                  "shutdown: timeout\n"
                                  "report: child_terminated task: killed\n"
                                  "brutally: timeout\n"
                                  "ignore: timeout\n"
                                  "1\n"
                                  "report: child_terminated task: boom\n"
                                  "0: 36\n"
                                  "1: down: boom\n"
                                  "2: nothing\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *task_supervisor_suite(void)
{
    Suite *suite = suite_create("task_supervisor");
    TCase *tests = tcase_create("task_supervisor");
    tcase_add_test(tests, a_supervisor_lists_the_tasks_that_run_and_terminates_one_of_them);
    tcase_add_test(tests, a_supervisor_that_ends_gives_each_task_the_time_that_its_options_say);
    tcase_add_test(tests, a_child_is_started_again_with_its_argument_as_its_options_say);
    tcase_add_test(tests, only_async_links_a_supervised_task_to_who_asked_for_it);
    tcase_add_test(tests, a_supervised_task_knows_its_callers_and_its_ancestor_is_the_supervisor);
    tcase_add_test(tests, supervised_tasks_are_asked_stopped_and_ignored_as_others_are);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(task_supervisor_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
