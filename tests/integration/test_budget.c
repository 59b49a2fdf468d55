/* test_budget.c - how many restarts a child may have for itself, and what follows when it has had
 * them; restarts without a limit. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "top.h"

static struct worker a, b;

/* ---- giving up --------------------------------------------------------------------- */

static void gives_up(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .budget = COP_MAX_RESTARTS(1, 5)), WORKER(b) };
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(10, 5), COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    crash("b");
    crash("b");
    crash("a");
    crash("a");
    trace_down("top", end);
}

START_TEST(a_supervisor_gives_up_when_one_child_has_spent_its_own_budget)
{
    expect_story(gives_up, "0: a.1 starts\n0: b.1 starts\n--\n"
                           CRASHES("0", "b", "1", "2")
                           CRASHES("1", "b", "2", "3")
                           CRASHES("2", "a", "1", "2")
                           CRASHES_FOR_GOOD("3", "a", "2")
                           "3: report: shutdown a: budget_spent\n"
                           "3: b.3 is gone\n"
                           "top down: shutdown\n");
}
END_TEST

static void is_paid_back(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .budget = COP_MAX_RESTARTS(1, 1)) };
    start_top(&(cop_supervisor){ .intensity = COP_UNLIMITED_RESTARTS, COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    crash_at(100, "a");
    crash_at(1101, "a");
    crash_at(2101, "a");
    trace_down("top", end);
}

START_TEST(a_budget_is_for_its_period)
{
    expect_story(is_paid_back, "0: a.1 starts\n--\n"
                               CRASHES("100", "a", "1", "2")
                               CRASHES("1101", "a", "2", "3")
                               CRASHES_FOR_GOOD("2101", "a", "3")
                               "2101: report: shutdown a: budget_spent\n"
                               "top down: shutdown\n");
}
END_TEST

static void has_none(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .budget = COP_MAX_RESTARTS(0, 5)) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    crash("a");
    trace_down("top", end);
}

START_TEST(a_budget_of_none_is_spent_by_the_first_crash)
{
    expect_story(has_none, "0: a.1 starts\n--\n"
                           CRASHES_FOR_GOOD("0", "a", "1")
                           "0: report: shutdown a: budget_spent\n"
                           "top down: shutdown\n");
}
END_TEST

static void supervisor_is_stricter(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .budget = COP_MAX_RESTARTS(5, 5), .when_spent = COP_STAY_DOWN) };
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(1, 5), COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    crash("a");
    crash("a");
    trace_down("top", end);
}

START_TEST(the_supervisors_own_intensity_holds_besides)
{
    expect_story(supervisor_is_stricter, "0: a.1 starts\n--\n"
                                         CRASHES("0", "a", "1", "2")
                                         CRASHES_FOR_GOOD("1", "a", "2")
                                         "1: report: shutdown a: reached_max_restart_intensity\n"
                                         "top down: shutdown\n");
}
END_TEST

static void in_a_group(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .budget = COP_MAX_RESTARTS(1, 5)), WORKER(b, .budget = COP_MAX_RESTARTS(1, 5)) };
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ALL,
                                 .intensity = COP_UNLIMITED_RESTARTS, COP_CHILDREN(children) });
    crash("a");
    crash("b");
    trace_children(TOP);
}

START_TEST(in_a_group_only_the_one_that_crashed_pays)
{
    expect_story(in_a_group,
                 "0: a.1 starts\n0: b.1 starts\n--\n"
                 "0: a.1 is gone\n"
                 "0: report: child_terminated a: error:bad\n"
                 "0: b.1 is gone\n"
                 "0: a.2 starts\n"
                 "0: b.2 starts\n"
                 "0: report: a restarted: error:bad; a b\n"
                 "1: b.2 is gone\n"
                 "1: report: child_terminated b: error:bad\n"
                 "1: a.2 is gone\n"
                 "1: a.3 starts\n"
                 "1: b.3 starts\n"
                 "1: report: b restarted: error:bad; a b\n"
                 "children: b up, a up; 2 specs, 2 active, 0 supervisors, 2 workers\n");
}
END_TEST

static void fails_to_start(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .budget = COP_MAX_RESTARTS(2, 5), .when_spent = COP_STAY_DOWN,
               .backoff = { .initial_ms = 100 }) };
    a.starts = "oe";
    start_top(&(cop_supervisor){ .intensity = COP_UNLIMITED_RESTARTS, COP_CHILDREN(children) });
    crash("a");
    wait_until(10000);
    trace_children(TOP);
}

START_TEST(each_try_costs_when_it_is_made_those_that_fail_too)
{
    expect_story(fails_to_start,
                 "0: a.1 starts\n--\n"
                 CRASHES_FOR_GOOD("0", "a", "1")
                 "100: a.2 fails\n"
                 "100: report: start_error a: boom\n"
                 "300: a.3 fails\n"
                 "300: report: start_error a: boom\n"
                 "700: report: stays_down a: budget_spent\n"
                 "children: a down; 1 specs, 0 active, 0 supervisors, 1 workers\n");
}
END_TEST

/* ---- staying down ------------------------------------------------------------------ */

static void stays_down(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .budget = COP_MAX_RESTARTS(1, 5), .when_spent = COP_STAY_DOWN), WORKER(b) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    crash("a");
    crash("a");
    trace_children(TOP);
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    crash("a");
    wait_until(5001);
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    crash("a");
    trace_children(TOP);
}

/* restart_child costs nothing and gives nothing back: the budget is full again when its period is
 * over. */
START_TEST(a_child_that_stays_down_does_so_until_restart_child_and_others_go_on)
{
    expect_story(stays_down,
                 "0: a.1 starts\n0: b.1 starts\n--\n"
                 CRASHES("0", "a", "1", "2")
                 CRASHES_FOR_GOOD("1", "a", "2")
                 "1: report: stays_down a: budget_spent\n"
                 "children: b up, a down; 2 specs, 1 active, 0 supervisors, 2 workers\n"
                 "2: a.3 starts\n"
                 "restart: ok\n"
                 CRASHES_FOR_GOOD("2", "a", "3")
                 "2: report: stays_down a: budget_spent\n"
                 "5001: a.4 starts\n"
                 "restart: ok\n"
                 CRASHES("5001", "a", "4", "5")
                 "children: b up, a up; 2 specs, 2 active, 0 supervisors, 2 workers\n");
}
END_TEST

static void costs_the_supervisor_nothing(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .budget = COP_MAX_RESTARTS(0, 5), .when_spent = COP_STAY_DOWN), WORKER(b) };
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(1, 5), COP_CHILDREN(children) });
    for (int i = 0; i < 5; i++) {
        worker_kill("a");
        cop_started started = cop_supervisor_restart_child(TOP, "a");
        ck_assert_int_eq(started.error, COP_OK);
    }
    trace_reset();
    crash("b");
}

START_TEST(a_child_that_stays_down_costs_its_supervisor_no_restart)
{
    expect_story(costs_the_supervisor_nothing, CRASHES("0", "b", "1", "2"));
}
END_TEST

static void is_significant(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .restart = COP_TRANSIENT, .significant = true,
               .budget = COP_MAX_RESTARTS(0, 5), .when_spent = COP_STAY_DOWN), WORKER(b) };
    start_top(&(cop_supervisor){ .auto_shutdown = COP_ANY_SIGNIFICANT, COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    crash("a");
    trace_down("top", end);
}

START_TEST(a_significant_child_that_stays_down_ends_its_supervisor_in_order)
{
    expect_story(is_significant, "0: a.1 starts\n0: b.1 starts\n--\n"
                                 CRASHES_FOR_GOOD("0", "a", "1")
                                 "0: report: stays_down a: budget_spent\n"
                                 "0: b.1 is gone\n"
                                 "top down: shutdown\n");
}
END_TEST

static void is_refused(void *argument)
{
    (void)argument;
    const cop_child_spec spec = WORKER(a, .when_spent = COP_STAY_DOWN);
    const cop_child_spec no_period = WORKER(a, .budget = COP_MAX_RESTARTS(1, 0));
    const cop_supervisor rest = { .strategy = COP_REST_FOR_ONE, .children = &spec,
                                  .child_count = 1 };
    const cop_supervisor all = { .strategy = COP_ONE_FOR_ALL, .children = &spec,
                                 .child_count = 1 };
    const cop_supervisor one = { .children = &no_period, .child_count = 1 };
    trace_started("rest", cop_supervisor_start_link(&rest));
    trace_started("all", cop_supervisor_start_link(&all));
    trace_started("one", cop_supervisor_start_link(&one));
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ALL });
    trace_started("child", cop_supervisor_start_child(TOP, &spec));
    trace_started("child", cop_supervisor_start_child(TOP, &no_period));
}

START_TEST(only_in_one_for_one_can_a_child_stay_down_alone)
{
    expect_story(is_refused, "rest: badarg start_spec:bad_combination:a\n"
                             "all: badarg start_spec:bad_combination:a\n"
                             "one: badarg start_spec:invalid_budget:a\n"
                             "--\n"
                             "child: badarg start_spec:bad_combination:a\n"
                             "child: badarg start_spec:invalid_budget:a\n");
}
END_TEST

/* ---- no limit ---------------------------------------------------------------------- */

static void never_ends(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .budget = COP_UNLIMITED_RESTARTS) };
    start_top(&(cop_supervisor){ .intensity = COP_UNLIMITED_RESTARTS, COP_CHILDREN(children) });
    for (int i = 0; i < 10000; i++) {
        cop_pid old = cop_whereis("a");
        cop_exit_process(old, COP_KILL);
        ck_assert_int_eq(cop_supervisor_await_restart(TOP, "a", old, COP_INFINITY, NULL), COP_OK);
    }
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, "a", &status), COP_OK);
    ck_assert_uint_eq(status.restarts, 10000);
    cop_reason_unref(status.last_end);
    ck_assert_int_eq(story_ms(), 0);
    trace_reset();
}

START_TEST(ten_thousand_restarts_in_no_time_are_none_too_many_without_a_limit)
{
    expect_story(never_ends, "");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *budget_suite(void)
{
    Suite *suite = suite_create("budget");
    TCase *tests = tcase_create("budget");
    tcase_add_test(tests, a_supervisor_gives_up_when_one_child_has_spent_its_own_budget);
    tcase_add_test(tests, a_budget_is_for_its_period);
    tcase_add_test(tests, a_budget_of_none_is_spent_by_the_first_crash);
    tcase_add_test(tests, the_supervisors_own_intensity_holds_besides);
    tcase_add_test(tests, in_a_group_only_the_one_that_crashed_pays);
    tcase_add_test(tests, each_try_costs_when_it_is_made_those_that_fail_too);
    tcase_add_test(tests, a_child_that_stays_down_does_so_until_restart_child_and_others_go_on);
    tcase_add_test(tests, a_child_that_stays_down_costs_its_supervisor_no_restart);
    tcase_add_test(tests, a_significant_child_that_stays_down_ends_its_supervisor_in_order);
    tcase_add_test(tests, only_in_one_for_one_can_a_child_stay_down_alone);
    tcase_add_test(tests, ten_thousand_restarts_in_no_time_are_none_too_many_without_a_limit);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(budget_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
