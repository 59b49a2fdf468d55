/* test_gate_calls.c - a group of which some wait, for a child that is not ready or whose restart is
 * delayed: calls meanwhile, delays, and what must not pile up. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "gate.h"

/* b's first crash, at 10. */
#define B_CRASHES                                                                        \
    "10: b.1 is gone\n"                                                                  \
    "10: report: child_terminated b: error:bad\n"                                        \
    "10: d.1 is gone\n"                                                                  \
    "10: c.1 is gone\n"                                                                  \
    "10: b.2 starts\n"                                                                   \
    "10: report: b restarted: error:bad; b\n"

/* ---- calls meanwhile --------------------------------------------------------------- */

static void calls(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(20);
    trace_started("restart c", cop_supervisor_restart_child(TOP, "c"));
    trace_started("start c", cop_supervisor_start_child(TOP, &children[2]));
    trace_error("delete c", cop_supervisor_delete_child(TOP, "c"));
    trace_error("terminate c", cop_supervisor_terminate_child(TOP, "c"));
    trace_children(TOP);
    wait_until(100);
    trace_started("restart c", cop_supervisor_restart_child(TOP, "c"));
}

START_TEST(a_child_that_waits_is_being_restarted_and_can_be_terminated)
{
    expect_story(calls, B_CRASHES
                 "restart c: restarting\n"
                 "start c: already_present\n"
                 "delete c: restarting\n"
                 "terminate c: ok\n"
                 "children: d restarting, c down, b up, a up; 4 specs, 2 active, 0 supervisors, "
                 "4 workers\n"
                 "60: b.2 is ready\n"
                 "60: d.2 starts\n"
                 "60: report: b restarted: error:bad; d\n"
                 "100: c.2 starts\n"
                 "restart c: ok\n");
}
END_TEST

static struct worker e;

static void asks_for_more(const cop_backoff *backoff)
{
    start_group(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(20);
    const cop_child_spec spec = WORKER(e, .backoff = *backoff);
    trace_started("start e", cop_supervisor_start_child(TOP, &spec));
    trace_error("terminate c", cop_supervisor_terminate_child(TOP, "c"));
    trace_started("restart c", cop_supervisor_restart_child(TOP, "c"));
    crash_at(30, "e");
    crash_at(40, "c");
    wait_until(50);
    trace_children(TOP);
    wait_until(1000);
}

static void at_once(void *argument)
{
    (void)argument;
    asks_for_more(&(cop_backoff){ 0 });
}

static void delayed(void *argument)
{
    (void)argument;
    asks_for_more(&(cop_backoff){ .initial_ms = 500 });
}

/* e and c run because calls asked for it; once they have to be restarted, they wait as d does,
 * and need no delay besides. */
#define ASKED_FOR_MORE                                                                   \
    B_CRASHES                                                                            \
    "20: e.1 starts\n"                                                                   \
    "start e: ok\n"                                                                      \
    "terminate c: ok\n"                                                                  \
    "20: c.2 starts\n"                                                                   \
    "restart c: ok\n"                                                                    \
    "30: e.1 is gone\n"                                                                  \
    "30: report: child_terminated e: error:bad\n"                                        \
    "40: c.2 is gone\n"                                                                  \
    "40: report: child_terminated c: error:bad\n"                                        \
    "children: e restarting, d restarting, c restarting, b up, a up; 5 specs, 2 active, " \
    "0 supervisors, 5 workers\n"                                                         \
    "60: b.2 is ready\n"                                                                 \
    "60: c.3 starts\n"                                                                   \
    "60: d.2 starts\n"                                                                   \
    "60: e.2 starts\n"                                                                   \
    "60: report: b restarted: error:bad; c d e\n"

START_TEST(one_that_a_call_has_started_meanwhile_waits_with_the_others_once_it_has_ended)
{
    expect_story(at_once, ASKED_FOR_MORE);
    a.count = b.count = c.count = d.count = e.count = 0;
    expect_story(delayed, ASKED_FOR_MORE);
}
END_TEST

/* ---- with a delay ------------------------------------------------------------------ */

static void start_delayed(enum cop_strategy strategy)
{
    static const cop_child_spec three[] = {
        WORKER(a), WORKER(b, .ready_ms = 100, .backoff = { .initial_ms = 200 }), WORKER(c) };
    start_with(&(cop_supervisor){ .strategy = strategy, .intensity = COP_UNLIMITED_RESTARTS,
                                  COP_CHILDREN(three) });
}

static void first_delayed_then_slow(void *argument)
{
    (void)argument;
    start_delayed(COP_REST_FOR_ONE);
    crash_at(10, "b");
    wait_until(200);
    b.ready_ms = 101;           /* too late */
    wait_until(300);
    b.ready_ms = 50;
    wait_until(1000);
}

START_TEST(those_after_it_wait_for_its_delay_and_then_until_it_is_ready)
{
    expect_story(first_delayed_then_slow, "10: b.1 is gone\n"
                                          "10: report: child_terminated b: error:bad\n"
                                          "10: c.1 is gone\n"
                                          "210: b.2 starts\n"
                                          "210: report: b restarted: error:bad; b\n"
                                          "310: b.2 is gone\n"
                                          "310: report: child_terminated b: killed\n"
                                          "710: b.3 starts\n"
                                          "710: report: b restarted: killed; b\n"
                                          "760: b.3 is ready\n"
                                          "760: c.2 starts\n"
                                          "760: report: b restarted: killed; c\n");
}
END_TEST

static void fails_behind_the_gate(void *argument)
{
    (void)argument;
    static const cop_child_spec three[] = {
        WORKER(b, .ready_ms = 100), WORKER(c, .backoff = { .initial_ms = 200 }), WORKER(d) };
    c.starts = "oeo";
    start_with(&(cop_supervisor){ .strategy = COP_REST_FOR_ONE, COP_CHILDREN(three) });
    crash_at(10, "b");
    wait_until(1000);
}

START_TEST(one_that_waited_and_fails_to_start_is_waited_for_in_its_turn)
{
    expect_story(fails_behind_the_gate, "10: b.1 is gone\n"
                                        "10: report: child_terminated b: error:bad\n"
                                        "10: d.1 is gone\n"
                                        "10: c.1 is gone\n"
                                        "10: b.2 starts\n"
                                        "10: report: b restarted: error:bad; b\n"
                                        "60: b.2 is ready\n"
                                        "60: c.2 fails\n"
                                        "60: report: start_error c: boom\n"
                                        "260: c.3 starts\n"
                                        "260: d.2 starts\n"
                                        "260: report: c restarted: boom; c d\n");
}
END_TEST

static void older_dies_during_the_delay(void *argument)
{
    (void)argument;
    start_delayed(COP_ONE_FOR_ALL);
    crash_at(10, "b");
    wait_until(20);
    trace_started("restart a", cop_supervisor_restart_child(TOP, "a"));
    trace_error("terminate a", cop_supervisor_terminate_child(TOP, "a"));
    trace_started("restart a", cop_supervisor_restart_child(TOP, "a"));
    crash_at(30, "a");
    wait_until(1000);
}

/* The group's second restart replaces the first. */
START_TEST(a_group_that_is_restarted_during_a_delay_does_not_wait_for_it)
{
    expect_story(older_dies_during_the_delay, "10: b.1 is gone\n"
                                              "10: report: child_terminated b: error:bad\n"
                                              "10: c.1 is gone\n"
                                              "10: a.1 is gone\n"
                                              "restart a: restarting\n"
                                              "terminate a: ok\n"
                                              "20: a.2 starts\n"
                                              "restart a: ok\n"
                                              "30: a.2 is gone\n"
                                              "30: report: child_terminated a: error:bad\n"
                                              "30: a.3 starts\n"
                                              "30: b.2 starts\n"
                                              "30: report: a restarted: error:bad; a b\n"
                                              "80: b.2 is ready\n"
                                              "80: c.2 starts\n"
                                              "80: report: a restarted: error:bad; c\n");
}
END_TEST

/* ---- what must not pile up --------------------------------------------------------- */

static void older_ones_crash(void *argument)
{
    (void)argument;
    static const cop_child_spec two[] = { WORKER(a), WORKER(d) };
    d.starts = "oe";
    const cop_supervisor top = { .strategy = COP_REST_FOR_ONE,
                                 .intensity = COP_UNLIMITED_RESTARTS, COP_CHILDREN(two) };
    cop_started started = cop_supervisor_start_link(&top, .name = "top");
    ck_assert_int_eq(started.error, COP_OK);
    worker_kill("d");
    for (int i = 2; i <= 50; i++) {
        worker_kill("a");
        while (a.count < i) cop_yield();
        for (int tries = d.count; d.count < tries + 10;) cop_yield();
        int before = d.count;
        cop_child_counts counts;
        ck_assert_int_eq(cop_supervisor_count_children(TOP, &counts), COP_OK);
        ck_assert_int_le(d.count, before + 2);
    }
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    trace_reset();
}

/* Else a call would wait behind ever more tries. */
START_TEST(a_restart_that_is_tried_for_ever_stays_one_when_the_group_is_restarted_meanwhile)
{
    expect_story(older_ones_crash, "");
}
END_TEST

static void stop_forever(struct worker *worker)
{
    worker->traps = true;
    worker->lingers_ms = COP_INFINITY;
}

/* The reasons that it holds then must be given back, which a leak checker can see. */
static void is_killed(void *argument)
{
    (void)argument;
    static const cop_child_spec two[] = {
        WORKER(a), WORKER(b, .ready_ms = 100), WORKER(d, .shutdown = COP_SHUTDOWN_INFINITY) };
    stop_forever(&d);
    start_with(&(cop_supervisor){ .strategy = COP_REST_FOR_ONE, COP_CHILDREN(two) });
    crash_at(10, "b");          /* the supervisor waits for d's end */
    wait_until(20);
    cop_ref end = cop_monitor(top_pid);
    cop_exit_process(top_pid, COP_KILL);
    trace_down("top", end);
    wait_until(1000);
}

START_TEST(a_supervisor_can_be_killed_while_it_stops_a_group)
{
    expect_story(is_killed, "10: b.1 is gone\n"
                            "10: report: child_terminated b: error:bad\n"
                            "10: d.1 stops: shutdown\n"
                            "top down: killed\n"
                            "20: a.1 is gone\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *gate_calls_suite(void)
{
    Suite *suite = suite_create("gate_calls");
    TCase *tests = tcase_create("gate_calls");
    tcase_add_test(tests, a_child_that_waits_is_being_restarted_and_can_be_terminated);
    tcase_add_test(
        tests,
        one_that_a_call_has_started_meanwhile_waits_with_the_others_once_it_has_ended);
    tcase_add_test(tests, those_after_it_wait_for_its_delay_and_then_until_it_is_ready);
    tcase_add_test(tests, one_that_waited_and_fails_to_start_is_waited_for_in_its_turn);
    tcase_add_test(tests, a_group_that_is_restarted_during_a_delay_does_not_wait_for_it);
    tcase_add_test(
        tests,
        a_restart_that_is_tried_for_ever_stays_one_when_the_group_is_restarted_meanwhile);
    tcase_add_test(tests, a_supervisor_can_be_killed_while_it_stops_a_group);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(gate_calls_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
