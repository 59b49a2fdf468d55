/* test_gate.c - a group that is restarted, and in it a child that is not ready: those after it wait
 * until it is, or is not to run. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "gate.h"

/* ---- who waits --------------------------------------------------------------------- */

static void rest_waits(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(20);
    trace_children(TOP);
    wait_until(1000);
    trace_children(TOP);
}

START_TEST(in_rest_for_one_those_after_it_start_when_it_is_ready)
{
    expect_story(rest_waits,
                 "10: b.1 is gone\n"
                 "10: report: child_terminated b: error:bad\n"
                 "10: d.1 is gone\n"
                 "10: c.1 is gone\n"
                 "10: b.2 starts\n"
                 "10: report: b restarted: error:bad; b\n"
                 "children: d restarting, c restarting, b up, a up; 4 specs, 2 active, "
                 "0 supervisors, 4 workers\n"
                 "60: b.2 is ready\n"
                 "60: c.2 starts\n"
                 "60: d.2 starts\n"
                 "60: report: b restarted: error:bad; c d\n"
                 "children: d up, c up, b up, a up; 4 specs, 4 active, 0 supervisors, "
                 "4 workers\n");
}
END_TEST

static void all_wait(void *argument)
{
    (void)argument;
    start_group(COP_ONE_FOR_ALL);
    crash_at(10, "d");
    wait_until(1000);
}

/* Whoever they wait for, d's end is why. */
START_TEST(in_one_for_all_those_before_it_start_at_once)
{
    expect_story(all_wait, "10: d.1 is gone\n"
                           "10: report: child_terminated d: error:bad\n"
                           "10: c.1 is gone\n"
                           "10: b.1 is gone\n"
                           "10: a.1 is gone\n"
                           "10: a.2 starts\n"
                           "10: b.2 starts\n"
                           "10: report: d restarted: error:bad; a b\n"
                           "60: b.2 is ready\n"
                           "60: c.2 starts\n"
                           "60: d.2 starts\n"
                           "60: report: d restarted: error:bad; c d\n");
}
END_TEST

static void one_after_the_other(void *argument)
{
    (void)argument;
    static const cop_child_spec all[] = {
        WORKER(a, .ready_ms = 100), WORKER(b, .ready_ms = 100), WORKER(c, .ready_ms = 100),
        WORKER(d) };
    a.ready_ms = c.ready_ms = AT_ONCE;
    start_with(&(cop_supervisor){ .strategy = COP_REST_FOR_ONE, COP_CHILDREN(all) });
    a.ready_ms = 30;
    crash_at(10, "a");
    wait_until(1000);
}

START_TEST(each_waits_for_the_one_before_it)
{
    expect_story(one_after_the_other, "10: a.1 is gone\n"
                                      "10: report: child_terminated a: error:bad\n"
                                      "10: d.1 is gone\n"
                                      "10: c.1 is gone\n"
                                      "10: b.1 is gone\n"
                                      "10: a.2 starts\n"
                                      "10: report: a restarted: error:bad; a\n"
                                      "40: a.2 is ready\n"
                                      "40: b.2 starts\n"
                                      "40: report: a restarted: error:bad; b\n"
                                      "90: b.2 is ready\n"
                                      "90: c.2 starts\n"
                                      "90: c.2 is ready\n"
                                      "90: report: a restarted: error:bad; c\n"
                                      "90: d.2 starts\n"
                                      "90: report: a restarted: error:bad; d\n");
}
END_TEST

/* ---- how the wait ends ------------------------------------------------------------- */

#define B_CRASHES                                                                        \
    "10: b.1 is gone\n"                                                                  \
    "10: report: child_terminated b: error:bad\n"                                        \
    "10: d.1 is gone\n"                                                                  \
    "10: c.1 is gone\n"                                                                  \
    "10: b.2 starts\n"                                                                   \
    "10: report: b restarted: error:bad; b\n"

static void dies_again(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    crash_at(40, "b");
    wait_until(1000);
}

START_TEST(when_it_dies_again_they_go_on_waiting)
{
    expect_story(dies_again, B_CRASHES
                 "40: b.2 is gone\n"
                 "40: report: child_terminated b: error:bad\n"
                 "40: b.3 starts\n"
                 "40: report: b restarted: error:bad; b\n"
                 "90: b.3 is ready\n"
                 "90: c.2 starts\n"
                 "90: d.2 starts\n"
                 "90: report: b restarted: error:bad; c d\n");
}
END_TEST

static void is_too_slow(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    cop_ref end = cop_monitor(top_pid);
    b.ready_ms = 0;
    crash_at(10, "b");
    trace_down("top", end);
    trace("%d", story_ms());
}

START_TEST(when_it_is_never_ready_the_supervisor_gives_up)
{
    expect_story(is_too_slow, B_CRASHES
                 "110: b.2 is gone\n"
                 "110: report: child_terminated b: killed\n"
                 "110: b.3 starts\n"
                 "110: report: b restarted: killed; b\n"
                 "210: b.3 is gone\n"
                 "210: report: child_terminated b: killed\n"
                 "210: b.4 starts\n"
                 "210: report: b restarted: killed; b\n"
                 "310: b.4 is gone\n"
                 "310: report: child_terminated b: killed\n"
                 "310: report: shutdown b: reached_max_restart_intensity\n"
                 "310: a.1 is gone\n"
                 "top down: shutdown\n"
                 "310\n");
}
END_TEST

static void is_terminated(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(30);
    trace_error("terminate b", cop_supervisor_terminate_child(TOP, "b"));
    trace_error("delete b", cop_supervisor_delete_child(TOP, "b"));
    wait_until(1000);
    trace_children(TOP);
}

START_TEST(when_it_is_terminated_they_start_without_it)
{
    expect_story(is_terminated, B_CRASHES
                 "30: b.2 is gone\n"
                 "30: c.2 starts\n"
                 "30: d.2 starts\n"
                 "30: report: b restarted: error:bad; c d\n"
                 "terminate b: ok\n"
                 "delete b: ok\n"
                 "children: d up, c up, a up; 3 specs, 3 active, 0 supervisors, 3 workers\n");
}
END_TEST

static void start_transient(enum cop_auto_shutdown auto_shutdown)
{
    bool significant = auto_shutdown != COP_NEVER;
    const cop_child_spec three[] = {
        WORKER(a),
        WORKER(b, .ready_ms = 100, .restart = COP_TRANSIENT, .significant = significant),
        WORKER(c) };
    start_with(&(cop_supervisor){ .strategy = COP_REST_FOR_ONE, .auto_shutdown = auto_shutdown,
                                  COP_CHILDREN(three) });
    crash_at(10, "b");
    wait_until(30);
    worker_exit("b", COP_NORMAL);
}

static void is_done(void *argument)
{
    (void)argument;
    start_transient(COP_NEVER);
    wait_until(1000);
    trace_children(TOP);
}

START_TEST(when_it_ends_for_good_they_start_without_it)
{
    expect_story(is_done, "10: b.1 is gone\n"
                          "10: report: child_terminated b: error:bad\n"
                          "10: c.1 is gone\n"
                          "10: b.2 starts\n"
                          "10: report: b restarted: error:bad; b\n"
                          "30: b.2 stops: normal\n"
                          "30: b.2 is gone\n"
                          "30: c.2 starts\n"
                          "30: report: b restarted: error:bad; c\n"
                          "children: c up, b down, a up; 3 specs, 2 active, 0 supervisors, "
                          "3 workers\n");
}
END_TEST

static void is_significant(void *argument)
{
    (void)argument;
    start_transient(COP_ANY_SIGNIFICANT);
    trace_end("top", top_pid);
}

START_TEST(when_its_end_is_the_supervisors_they_do_not_start)
{
    expect_story(is_significant, "10: b.1 is gone\n"
                                 "10: report: child_terminated b: error:bad\n"
                                 "10: c.1 is gone\n"
                                 "10: b.2 starts\n"
                                 "10: report: b restarted: error:bad; b\n"
                                 "30: b.2 stops: normal\n"
                                 "30: b.2 is gone\n"
                                 "30: a.1 is gone\n"
                                 "top down: shutdown\n");
}
END_TEST

static void is_stopped(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(30);
    trace_error("stop", cop_supervisor_stop(TOP, COP_SHUTDOWN));
    wait_until(1000);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_supervisor_that_is_stopped_meanwhile_starts_nobody)
{
    expect_story(is_stopped, B_CRASHES
                 "30: b.2 is gone\n"
                 "30: a.1 is gone\n"
                 "stop: ok\n");
}
END_TEST

static void older_one_dies(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    crash_at(40, "a");
    wait_until(1000);
}

START_TEST(a_restart_of_the_whole_group_begins_with_the_oldest_again)
{
    expect_story(older_one_dies, B_CRASHES
                 "40: a.1 is gone\n"
                 "40: report: child_terminated a: error:bad\n"
                 "40: b.2 is gone\n"
                 "40: a.2 starts\n"
                 "40: b.3 starts\n"
                 "40: report: a restarted: error:bad; a b\n"
                 "90: b.3 is ready\n"
                 "90: c.2 starts\n"
                 "90: d.2 starts\n"
                 "90: report: a restarted: error:bad; c d\n");
}
END_TEST

static void ignores(void *argument)
{
    (void)argument;
    b.starts = "oi";
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(1000);
}

START_TEST(nobody_waits_for_a_child_that_ignores_its_start)
{
    expect_story(ignores, "10: b.1 is gone\n"
                          "10: report: child_terminated b: error:bad\n"
                          "10: d.1 is gone\n"
                          "10: c.1 is gone\n"
                          "10: b.2 ignores\n"
                          "10: c.2 starts\n"
                          "10: d.2 starts\n"
                          "10: report: b restarted: error:bad; c d\n");
}
END_TEST

static void one_that_waited_fails(void *argument)
{
    (void)argument;
    c.starts = "oeo";
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(1000);
}

START_TEST(when_one_that_waited_fails_to_start_the_restart_goes_on_from_there)
{
    expect_story(one_that_waited_fails, B_CRASHES
                 "60: b.2 is ready\n"
                 "60: c.2 fails\n"
                 "60: report: start_error c: boom\n"
                 "60: c.3 starts\n"
                 "60: d.2 starts\n"
                 "60: report: c restarted: boom; c d\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *gate_suite(void)
{
    Suite *suite = suite_create("gate");
    TCase *tests = tcase_create("gate");
    tcase_add_test(tests, in_rest_for_one_those_after_it_start_when_it_is_ready);
    tcase_add_test(tests, in_one_for_all_those_before_it_start_at_once);
    tcase_add_test(tests, each_waits_for_the_one_before_it);
    tcase_add_test(tests, when_it_dies_again_they_go_on_waiting);
    tcase_add_test(tests, when_it_is_never_ready_the_supervisor_gives_up);
    tcase_add_test(tests, when_it_is_terminated_they_start_without_it);
    tcase_add_test(tests, when_it_ends_for_good_they_start_without_it);
    tcase_add_test(tests, when_its_end_is_the_supervisors_they_do_not_start);
    tcase_add_test(tests, a_supervisor_that_is_stopped_meanwhile_starts_nobody);
    tcase_add_test(tests, a_restart_of_the_whole_group_begins_with_the_oldest_again);
    tcase_add_test(tests, nobody_waits_for_a_child_that_ignores_its_start);
    tcase_add_test(tests, when_one_that_waited_fails_to_start_the_restart_goes_on_from_there);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(gate_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
