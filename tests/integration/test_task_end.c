/* test_task_end.c - tasks that are asked, stopped or let go: yield, shutdown, ignore; a task is
 * spent once its outcome was taken. */
#include <coppice/coppice.h>

#include "tasks.h"

static const cop_shutdown in_time = { 0 };
static const cop_shutdown brutally = COP_BRUTAL_KILL;

/* ---- yield ------------------------------------------------------------------------- */

static void asks_again(void *argument)
{
    (void)argument;
    cop_task task = start_sleeper(100);
    TRACE_OUTCOME("at once", cop_task_yield, task, 0);
    TRACE_OUTCOME("after 50", cop_task_yield, task, 50);
    TRACE_OUTCOME("after 100", cop_task_yield, task, 50);
    ck_assert_int_eq(cop_now_ms(), 100);
    TRACE_OUTCOME("once more", cop_task_yield, task, COP_INFINITY);
    expect_nothing_left(1);
}

START_TEST(a_task_that_had_no_result_in_time_may_be_asked_again)
{
    expect_story(asks_again, "at once: timeout\n"
                             "after 50: timeout\n"
                             "after 100: 100\n"
                             "once more: badarg\n");
}
END_TEST

static void yields_of_the_dead(void *argument)
{
    (void)argument;
    TRACE_OUTCOME("boom", cop_task_yield, cop_task_async(exits_boom, NULL, 0), 10);
    TRACE_OUTCOME("normal", cop_task_yield, cop_task_async(exits_normal, NULL, 0), COP_INFINITY);
    TRACE_OUTCOME("none", cop_task_yield, cop_task_async(returns_none, NULL, 0), 10);
    TRACE_OUTCOME("not started", cop_task_yield, cop_task_async(NULL, NULL, 0), 10);
    expect_nothing_left(1);
}

START_TEST(yield_says_why_a_task_ended_without_a_result_even_if_normally)
{
    expect_story(yields_of_the_dead, "boom: down: boom\n"
                                     "normal: down: normal\n"
                                     "none: nothing\n"
                                     "not started: badarg\n");
}
END_TEST

/* ---- spent ------------------------------------------------------------------------- */

static void takes_twice(void *argument)
{
    (void)argument;
    cop_task task = start_square(3);
    TRACE_OUTCOME("first", cop_task_await, task, COP_INFINITY);
    TRACE_OUTCOME("second", cop_task_await, task, COP_INFINITY);
    cop_task dead = cop_task_async(exits_boom, NULL, 0);
    settle();
    TRACE_OUTCOME("dead", cop_task_await, dead, COP_INFINITY);
    TRACE_OUTCOME("dead again", cop_task_await, dead, COP_INFINITY);
    cop_task late = start_sleeper(100);
    TRACE_OUTCOME("late", cop_task_await, late, 50);
    TRACE_OUTCOME("late again", cop_task_await, late, COP_INFINITY);
    cop_task dropped = start_square(4);
    TRACE_OUTCOME("dropped", cop_task_ignore, dropped);
    TRACE_OUTCOME("dropped again", cop_task_ignore, dropped);
    TRACE_OUTCOME("and awaited", cop_task_await, dropped, COP_INFINITY);
    cop_sleep(100);
    expect_nothing_left(1);
}

START_TEST(a_task_whose_outcome_was_taken_is_spent_and_nobody_waits_for_it_in_vain)
{
    expect_story(takes_twice, "first: 9\n"
                              "second: badarg\n"
                              "dead: down: boom\n"
                              "dead again: badarg\n"
                              "late: timeout\n"
                              "late again: badarg\n"
                              "dropped: timeout\n"
                              "dropped again: badarg\n"
                              "and awaited: badarg\n");
}
END_TEST

static void takes_anothers(void *argument)
{
    cop_task task = *(cop_task *)argument;
    TRACE_OUTCOME("yield", cop_task_yield, task, 10);
    TRACE_OUTCOME("shutdown", cop_task_shutdown, task, brutally);
    TRACE_OUTCOME("ignore", cop_task_ignore, task);
}

static void is_robbed(void *argument)
{
    (void)argument;
    cop_task task = start_sleeper(5);
    trace_end_of("thief", takes_anothers, &task);
    TRACE_OUTCOME("mine", cop_task_await, task, 10);
    expect_nothing_left(1);
}

START_TEST(only_its_owner_asks_stops_or_ignores_a_task)
{
    expect_story(is_robbed, "yield: badarg\n"
                            "shutdown: badarg\n"
                            "ignore: badarg\n"
                            "thief down: normal\n"
                            "mine: 5\n");
}
END_TEST

/* ---- ignore ------------------------------------------------------------------------ */

static void ignores(void *argument)
{
    (void)argument;
    cop_task on_time = start_square(3);
    cop_task failed = cop_task_async(exits_boom, NULL, 0);
    cop_task late = start_sleeper(100);
    settle();
    TRACE_OUTCOME("on time", cop_task_ignore, on_time);
    TRACE_OUTCOME("failed", cop_task_ignore, failed);
    TRACE_OUTCOME("late", cop_task_ignore, late);
    TRACE_OUTCOME("not started", cop_task_ignore, cop_task_async(NULL, NULL, 0));
    expect_nothing_left(2);
    cop_sleep(100);
    expect_nothing_left(1);
}

START_TEST(ignore_takes_a_result_that_is_there_and_drops_one_that_comes_later)
{
    expect_story(ignores, "on time: 9\n"
                          "failed: down: boom\n"
                          "late: timeout\n"
                          "not started: badarg\n");
}
END_TEST

static void lets_go(void *argument)
{
    (void)argument;
    cop_trap_exit(false);
    cop_task task = start_sleeper(10);
    TRACE_OUTCOME("ignore", cop_task_ignore, task);
    cop_exit_process(task.pid, cop_reason_atom("boom"));
    expect_nothing_left(1);
    trace("lives");
}

START_TEST(an_ignored_task_is_not_linked_any_more)
{
    expect_story(lets_go, "ignore: timeout\n"
                          "lives\n");
}
END_TEST

/* ---- shutdown ---------------------------------------------------------------------- */

/* Stops the six kinds of task after they have had the time to end by themselves. */
static void stops_all(cop_shutdown how)
{
    cop_task_function *const functions[] = { answers_and_ends_badly, returns_none, exits_boom,
                                             exits_normal, exits_shutdown, sleeps_for_ever };
    static const char *const names[] = { "answered, boom", "none", "boom", "normal", "shutdown",
                                         "runs" };
    for (size_t i = 0; i < 6; i++) {
        cop_task task = cop_task_async(functions[i], NULL, 0);
        settle();
        TRACE_OUTCOME(names[i], cop_task_shutdown, task, how);
        ck_assert(!cop_is_alive(task.pid));
    }
    cop_task killed = cop_task_async(sleeps_for_ever, NULL, 0);
    cop_exit_process(killed.pid, COP_KILL);
    settle();
    TRACE_OUTCOME("killed", cop_task_shutdown, killed, how);
    TRACE_OUTCOME("spent", cop_task_shutdown, killed, how);
    TRACE_OUTCOME("not started", cop_task_shutdown, cop_task_async(NULL, NULL, 0), how);
    expect_nothing_left(1);
}

static void shuts_down(void *argument)
{
    (void)argument;
    stops_all(in_time);
}

START_TEST(shutdown_gives_the_result_that_is_there_or_the_end_that_was_not_asked_for)
{
    expect_story(shuts_down, "answered, boom: 7\n"
                             "none: nothing\n"
                             "boom: down: boom\n"
                             "normal: down: normal\n"
                             "shutdown: timeout\n"
                             "runs: timeout\n"
                             "killed: down: killed\n"
                             "spent: down: noproc\n"
                             "not started: badarg\n");
}
END_TEST

static void kills(void *argument)
{
    (void)argument;
    stops_all(brutally);
}

START_TEST(a_brutal_shutdown_does_so_too_and_expects_the_kill)
{
    expect_story(kills, "answered, boom: 7\n"
                        "none: nothing\n"
                        "boom: down: boom\n"
                        "normal: down: normal\n"
                        "shutdown: down: shutdown\n"
                        "runs: timeout\n"
                        "killed: timeout\n"
                        "spent: down: noproc\n"
                        "not started: badarg\n");
}
END_TEST

static cop_task start_and_settle(cop_task_function *function)
{
    cop_task task = cop_task_async(function, NULL, 0);
    settle();
    return task;
}

static void shuts_down_the_deaf(void *argument)
{
    (void)argument;
    static const cop_shutdown at_most_100 = COP_SHUTDOWN_MS(100);
    static const cop_shutdown patiently = COP_SHUTDOWN_INFINITY;
    TRACE_OUTCOME("answers", cop_task_shutdown, start_and_settle(answers_at_shutdown), patiently);
    int64_t start = cop_now_ms();
    TRACE_OUTCOME("deaf", cop_task_shutdown, start_and_settle(traps), at_most_100);
    trace("after %d ms", (int)(cop_now_ms() - start));
    start = cop_now_ms();
    TRACE_OUTCOME("deaf", cop_task_shutdown, start_and_settle(traps), in_time);
    trace("after %d ms", (int)(cop_now_ms() - start));
    start = cop_now_ms();
    TRACE_OUTCOME("deaf", cop_task_shutdown, start_and_settle(traps), brutally);
    trace("after %d ms", (int)(cop_now_ms() - start));
    expect_nothing_left(1);
}

START_TEST(a_task_that_is_too_slow_to_shut_down_is_killed)
{
    expect_story(shuts_down_the_deaf, "answers: 99\n"
                                      "deaf: down: killed\n"
                                      "after 101 ms\n"
                                      "deaf: down: killed\n"
                                      "after 5001 ms\n"
                                      "deaf: timeout\n"
                                      "after 1 ms\n");
}
END_TEST

static void stops_without_dying(void *argument)
{
    (void)argument;
    cop_trap_exit(false);
    TRACE_OUTCOME("shutdown", cop_task_shutdown, start_and_settle(sleeps_for_ever), in_time);
    TRACE_OUTCOME("kill", cop_task_shutdown, start_and_settle(sleeps_for_ever), brutally);
    settle();
    trace("lives");
}

START_TEST(a_task_is_stopped_without_its_owner_who_is_linked_to_it)
{
    expect_story(stops_without_dying, "shutdown: timeout\n"
                                      "kill: timeout\n"
                                      "lives\n");
}
END_TEST

/* ---- on real threads --------------------------------------------------------------- */

/* Whether the task is done at the moment it is told to end is chance; every way out is clean. */
static void stops_at_any_moment(void *argument)
{
    (void)argument;
    cop_trap_exit(false);
    int results = 0;
    for (int i = 0; i < 600; i++) {
        cop_task task = start_square(i);
        cop_message *message = NULL;
        const cop_reason *reason = NULL;
        for (int turns = 0; turns < i % 8; turns++) cop_yield();
        int error = i % 3 == 0   ? cop_task_shutdown(task, in_time, &message, &reason)
                    : i % 3 == 1 ? cop_task_shutdown(task, brutally, &message, &reason)
                                 : cop_task_ignore(task, &message, &reason);
        expect_that(error == COP_OK || error == COP_ETIMEOUT || error == COP_EDOWN);
        if (error == COP_OK) {
            expect_that(cop_expect(message, number)->value == i * i);
            results++;
        }
        cop_message_free(message);
        cop_reason_unref(reason);
        ck_assert_int_eq(cop_task_await(task, COP_INFINITY, NULL, NULL), COP_EINVAL);
        ck_assert_uint_eq(cop_mailbox_length(), 0);
    }
    ck_assert_int_ge(results, 1);
}

START_TEST(on_several_schedulers_a_task_that_is_stopped_or_ignored_leaves_nothing_behind)
{
    ck_assert_int_eq(run_node_threads(stops_at_any_moment, NULL, 3), 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *task_end_suite(void)
{
    Suite *suite = suite_create("task_end");
    TCase *tests = tcase_create("task_end");
    tcase_add_test(tests, a_task_that_had_no_result_in_time_may_be_asked_again);
    tcase_add_test(tests, yield_says_why_a_task_ended_without_a_result_even_if_normally);
    tcase_add_test(tests, a_task_whose_outcome_was_taken_is_spent_and_nobody_waits_for_it_in_vain);
    tcase_add_test(tests, only_its_owner_asks_stops_or_ignores_a_task);
    tcase_add_test(tests, ignore_takes_a_result_that_is_there_and_drops_one_that_comes_later);
    tcase_add_test(tests, an_ignored_task_is_not_linked_any_more);
    tcase_add_test(tests,
                   shutdown_gives_the_result_that_is_there_or_the_end_that_was_not_asked_for);
    tcase_add_test(tests, a_brutal_shutdown_does_so_too_and_expects_the_kill);
    tcase_add_test(tests, a_task_that_is_too_slow_to_shut_down_is_killed);
    tcase_add_test(tests, a_task_is_stopped_without_its_owner_who_is_linked_to_it);
    tcase_add_test(tests,
                   on_several_schedulers_a_task_that_is_stopped_or_ignored_leaves_nothing_behind);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(task_end_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
