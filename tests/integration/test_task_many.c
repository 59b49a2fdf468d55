/* test_task_many.c - several tasks waited for together: await_many and yield_many. */
#include <coppice/coppice.h>

#include "tasks.h"

/* ---- await_many -------------------------------------------------------------------- */

/* Awaits them and traces the results on one line, or the error. */
static void trace_await_many(const char *what, const cop_task *tasks, size_t count,
                             int64_t timeout_ms)
{
    static cop_message untouched;
    cop_message *results[8];
    const cop_reason *reason = NULL;
    for (size_t i = 0; i < 8; i++) results[i] = &untouched;
    int error = cop_task_await_many(tasks, count, timeout_ms, results, &reason);
    char line[64] = "";
    for (size_t i = 0, at = 0; error == COP_OK && i < count; i++) {
        int value = results[i] != NULL ? cop_expect(results[i], number)->value : -1;
        at += (size_t)snprintf(line + at, sizeof line - at, " %d", value);
        cop_message_free(results[i]);
        results[i] = &untouched;
    }
    for (size_t i = 0; i < 8; i++) ck_assert_ptr_eq(results[i], &untouched);
    if (error == COP_OK) trace("%s:%s", what, line);
    else trace_outcome(what, error, NULL, reason);
}

static void awaits_in_order(void *argument)
{
    (void)argument;
    cop_send(cop_self(), stray, 0);
    cop_task tasks[] = { start_sleeper(30), start_sleeper(10), start_square(5),
                         cop_task_async(returns_none, NULL, 0), start_sleeper(20) };
    trace_await_many("all", tasks, 5, 100);
    ck_assert_int_eq(cop_now_ms(), 30);
    trace_await_many("again", tasks, 5, COP_INFINITY);
    trace_await_many("none", NULL, 0, COP_INFINITY);
    ck_assert_int_eq(cop_task_await_many((cop_task[]){ start_square(1) }, 1, 10, NULL, NULL),
                     COP_OK);
    ck_assert_ptr_nonnull(cop_receive_type(stray, 0));
    expect_nothing_left(1);
}

START_TEST(await_many_gives_the_results_in_the_tasks_order_and_leaves_other_messages)
{
    expect_story(awaits_in_order, "all: 30 10 25 -1 20\n"
                                  "again: badarg\n"
                                  "none:\n");
}
END_TEST

static void awaits_the_dead(void *argument)
{
    (void)argument;
    cop_task tasks[] = { start_square(2), start_square(3), start_square(4) };
    settle();
    ck_assert_uint_eq(cop_mailbox_length(), 9);    /* of each a result, an exit, a down */
    trace_await_many("long ago", tasks, 3, 0);
    expect_nothing_left(1);
}

START_TEST(await_many_takes_what_came_long_ago)
{
    expect_story(awaits_the_dead, "long ago: 4 9 16\n");
}
END_TEST

static void awaits_failing(void *argument)
{
    (void)argument;
    cop_task failing[] = { start_sleeper(200), start_square(3),
                           cop_task_async(exits_boom, NULL, 0) };
    trace_await_many("failing", failing, 3, 1000);
    ck_assert_int_eq(cop_now_ms(), 0);             /* at once, not when the others are done */
    cop_task slow[] = { start_square(3), start_sleeper(200), start_sleeper(50) };
    trace_await_many("slow", slow, 3, 100);
    trace_await_many("spent", (cop_task[]){ slow[0] }, 1, COP_INFINITY);
    trace_await_many("spent", (cop_task[]){ slow[1] }, 1, COP_INFINITY);
    trace_await_many("not started", (cop_task[]){ start_sleeper(50), { .error = COP_ENOMEM } }, 2,
                     COP_INFINITY);
    ck_assert_int_eq(cop_now_ms(), 100);
    ck_assert(cop_is_alive(failing[0].pid));       /* the others go on */
    cop_sleep(200);
    expect_nothing_left(1);
}

START_TEST(the_first_failure_or_the_time_ends_await_many_and_no_late_result_arrives)
{
    expect_story(awaits_failing, "failing: down: boom\n"
                                 "slow: timeout\n"
                                 "spent: badarg\n"
                                 "spent: badarg\n"
                                 "not started: enomem\n");
}
END_TEST

static void awaits_strangely(void *argument)
{
    (void)argument;
    cop_task task = start_sleeper(10);
    trace_await_many("twice", (cop_task[]){ task, task }, 2, COP_INFINITY);
    trace_await_many("no array", NULL, 2, COP_INFINITY);
    cop_task spent = start_square(1);
    cop_task_await(spent, 10, NULL, NULL);
    trace_await_many("spent", (cop_task[]){ start_square(2), spent }, 2, COP_INFINITY);
    cop_sleep(10);
    expect_nothing_left(1);
}

START_TEST(a_task_given_twice_or_spent_before_is_not_waited_for)
{
    expect_story(awaits_strangely, "twice: badarg\n"
                                   "no array: badarg\n"
                                   "spent: badarg\n");
}
END_TEST

/* ---- yield_many -------------------------------------------------------------------- */

static void yield_many(const cop_task *tasks, size_t count, int64_t timeout_ms,
                       const cop_yield_options *options)
{
    cop_task_result results[8];
    ck_assert_int_eq(cop_task_yield_many(tasks, count, timeout_ms, options, results), COP_OK);
    trace_results(results, count);
    trace("at %d ms", (int)cop_now_ms());
}

static void yields_many(void *argument)
{
    (void)argument;
    cop_task tasks[] = { start_sleeper(30), start_square(5), cop_task_async(exits_normal, NULL, 0),
                         start_sleeper(10) };
    yield_many(tasks, 4, 20, NULL);
    yield_many(tasks, 4, COP_INFINITY, NULL);
    yield_many(NULL, 0, COP_INFINITY, NULL);
    expect_nothing_left(1);
}

START_TEST(yield_many_tells_who_has_ended_and_the_others_may_be_asked_again)
{
    expect_story(yields_many, "0: timeout\n"
                              "1: 25\n"
                              "2: down: normal\n"
                              "3: 10\n"
                              "at 20 ms\n"
                              "0: 30\n"
                              "1: badarg\n"
                              "2: badarg\n"
                              "3: badarg\n"
                              "at 30 ms\n"
                              "at 30 ms\n");
}
END_TEST

static void yields_some(void *argument)
{
    (void)argument;
    cop_task tasks[] = { start_sleeper(30), start_sleeper(10), start_sleeper(20) };
    yield_many(tasks, 3, 100, &(cop_yield_options){ .limit = 1,
                                                    .on_timeout = COP_YIELD_KILL_TASK });
    cop_task rest[] = { tasks[0], tasks[2] };
    yield_many(rest, 2, 100, &(cop_yield_options){ .limit = 5 });
    expect_nothing_left(1);
}

START_TEST(yield_many_returns_as_soon_as_the_limit_has_ended_and_leaves_the_others_alone)
{
    expect_story(yields_some, "0: timeout\n"
                              "1: 10\n"
                              "2: timeout\n"
                              "at 10 ms\n"
                              "0: 30\n"
                              "1: 20\n"
                              "at 30 ms\n");
}
END_TEST

static void yields_and_kills(void *argument)
{
    (void)argument;
    cop_trap_exit(false);
    cop_task tasks[] = { start_sleeper(30), start_square(3), cop_task_async(traps, NULL, 0) };
    yield_many(tasks, 3, 20, &(cop_yield_options){ .on_timeout = COP_YIELD_KILL_TASK });
    for (size_t i = 0; i < 3; i++) ck_assert(!cop_is_alive(tasks[i].pid));
    TRACE_OUTCOME("later", cop_task_await, tasks[0], COP_INFINITY);
    expect_nothing_left(1);
}

START_TEST(yield_many_kills_those_whose_time_is_over_if_told_to)
{
    expect_story(yields_and_kills, "0: timeout\n"
                                   "1: 9\n"
                                   "2: timeout\n"
                                   "at 20 ms\n"
                                   "later: badarg\n");
}
END_TEST

static void yields_and_ignores(void *argument)
{
    (void)argument;
    cop_task tasks[] = { start_sleeper(30), start_square(3) };
    yield_many(tasks, 2, 20, &(cop_yield_options){ .on_timeout = COP_YIELD_IGNORE });
    ck_assert(cop_is_alive(tasks[0].pid));
    TRACE_OUTCOME("later", cop_task_await, tasks[0], COP_INFINITY);
    cop_sleep(10);
    ck_assert(!cop_is_alive(tasks[0].pid));
    expect_nothing_left(1);
}

START_TEST(yield_many_ignores_those_whose_time_is_over_if_told_to)
{
    expect_story(yields_and_ignores, "0: timeout\n"
                                     "1: 9\n"
                                     "at 20 ms\n"
                                     "later: badarg\n");
}
END_TEST

static void yields_strangely(void *argument)
{
    (void)argument;
    cop_task_result result;
    cop_task task = start_square(2);
    ck_assert_int_eq(cop_task_yield_many(NULL, 1, 10, NULL, &result), COP_EINVAL);
    ck_assert_int_eq(cop_task_yield_many(&task, 1, 10, NULL, NULL), COP_EINVAL);
    cop_task tasks[] = { task, task, { .error = COP_EMAX_CHILDREN }, { 0 } };
    yield_many(tasks, 4, 10, NULL);
    cop_task_result full = { 0 };
    task = cop_task_async(exits_boom, NULL, 0);
    ck_assert_int_eq(cop_task_yield_many(&task, 1, 10, NULL, &full), COP_OK);
    cop_task_result_deinit(&full);
    ck_assert_ptr_null(full.reason);
    expect_nothing_left(1);
}

START_TEST(in_yield_many_each_task_has_its_own_error)
{
    expect_story(yields_strangely, "0: 4\n"
                                   "1: badarg\n"
                                   "2: max_children\n"
                                   "3: badarg\n"
                                   "at 0 ms\n");
}
END_TEST

/* ---- on real threads --------------------------------------------------------------- */

enum { TASKS = 400 };

static void awaits_hundreds(void *argument)
{
    (void)argument;
    static cop_task tasks[TASKS];
    static cop_message *results[TASKS];
    static cop_task_result yielded[TASKS];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < TASKS; i++) tasks[i] = start_square(i);
        ck_assert_int_eq(cop_task_await_many(tasks, TASKS, COP_INFINITY, results, NULL), COP_OK);
        for (int i = 0; i < TASKS; i++) {
            expect_that(cop_expect(results[i], number)->value == i * i);
            cop_message_free(results[i]);
        }
        ck_assert_uint_eq(cop_mailbox_length(), 0);
        const cop_yield_options kill = { .on_timeout = COP_YIELD_KILL_TASK };
        for (int i = 0; i < TASKS; i++) tasks[i] = start_square(i);
        ck_assert_int_eq(cop_task_yield_many(tasks, TASKS, 0, &kill, yielded), COP_OK);
        for (int i = 0; i < TASKS; i++) {
            if (yielded[i].error != COP_OK)      /* who has sent a result is about to end */
                expect_that(!cop_is_alive(tasks[i].pid));
            else
                expect_that(cop_expect(yielded[i].message, number)->value == i * i);
            cop_task_result_deinit(&yielded[i]);
        }
        while (cop_process_count() > 1) cop_yield();
        ck_assert_uint_eq(cop_mailbox_length(), 0);
    }
}

START_TEST(on_several_schedulers_hundreds_are_awaited_together_or_killed_in_mid_flight)
{
    ck_assert_int_eq(run_node_threads(awaits_hundreds, NULL, 3), 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *task_many_suite(void)
{
    Suite *suite = suite_create("task_many");
    TCase *tests = tcase_create("task_many");
    tcase_add_test(tests,
                   await_many_gives_the_results_in_the_tasks_order_and_leaves_other_messages);
    tcase_add_test(tests, await_many_takes_what_came_long_ago);
    tcase_add_test(tests,
                   the_first_failure_or_the_time_ends_await_many_and_no_late_result_arrives);
    tcase_add_test(tests, a_task_given_twice_or_spent_before_is_not_waited_for);
    tcase_add_test(tests, yield_many_tells_who_has_ended_and_the_others_may_be_asked_again);
    tcase_add_test(tests,
                   yield_many_returns_as_soon_as_the_limit_has_ended_and_leaves_the_others_alone);
    tcase_add_test(tests, yield_many_kills_those_whose_time_is_over_if_told_to);
    tcase_add_test(tests, yield_many_ignores_those_whose_time_is_over_if_told_to);
    tcase_add_test(tests, in_yield_many_each_task_has_its_own_error);
    tcase_add_test(tests,
                   on_several_schedulers_hundreds_are_awaited_together_or_killed_in_mid_flight);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(task_many_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
