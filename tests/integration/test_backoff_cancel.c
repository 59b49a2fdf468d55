/* test_backoff_cancel.c - restarts that wait: what cancels them, and who waits with them. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "top.h"

static struct worker a, b, c, d;

static int64_t restart_in_ms(const char *id)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, id, &status), COP_OK);
    ck_assert_int_eq(status.state, COP_CHILD_RESTARTING);
    cop_reason_unref(status.last_end);
    return status.restart_in_ms;
}

/* ---- what cancels it --------------------------------------------------------------- */

static void cancelled(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .backoff = { .initial_ms = 100 }), WORKER(b, .backoff = { .initial_ms = 100 }) };
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    crash("a");
    crash("b");
    trace_started("restart a", cop_supervisor_restart_child(TOP, "a"));
    trace_error("delete a", cop_supervisor_delete_child(TOP, "a"));
    trace_started("start a", cop_supervisor_start_child(TOP, &children[0]));
    trace_error("terminate a", cop_supervisor_terminate_child(TOP, "a"));
    trace_error("terminate b", cop_supervisor_terminate_child(TOP, "b"));
    trace_error("delete b", cop_supervisor_delete_child(TOP, "b"));
    wait_until(1000);
    trace_started("restart a", cop_supervisor_restart_child(TOP, "a"));
    wait_until(2000);
}

START_TEST(terminate_child_cancels_a_restart_that_waits_and_other_calls_find_it_under_way)
{
    expect_story(cancelled, "0: a.1 starts\n0: b.1 starts\n--\n"
                            "0: a.1 is gone\n"
                            "0: report: child_terminated a: error:bad\n"
                            "1: b.1 is gone\n"
                            "1: report: child_terminated b: error:bad\n"
                            "restart a: restarting\n"
                            "delete a: restarting\n"
                            "start a: already_present\n"
                            "terminate a: ok\n"
                            "terminate b: ok\n"
                            "delete b: ok\n"
                            "1000: a.2 starts\n"
                            "restart a: ok\n");
}
END_TEST

static void supervisor_ends(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .backoff = { .initial_ms = 100 }), WORKER(b) };
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    crash("a");
    trace_error("stop", cop_supervisor_stop(TOP, COP_SHUTDOWN));
    wait_until(1000);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(the_supervisors_end_cancels_a_restart_that_waits)
{
    expect_story(supervisor_ends, "0: a.1 starts\n0: b.1 starts\n--\n"
                                  "0: a.1 is gone\n"
                                  "0: report: child_terminated a: error:bad\n"
                                  "1: b.1 is gone\n"
                                  "stop: ok\n");
}
END_TEST

static void terminates(void *id)
{
    cop_supervisor_terminate_child(TOP, id);
}

static void restarts(void *id)
{
    trace_started("restart", cop_supervisor_restart_child(TOP, id));
}

static void deletes(void *id)
{
    trace_error("delete", cop_supervisor_delete_child(TOP, id));
}

static void starts(void *worker)
{
    const cop_child_spec spec = WORKER(a, .backoff = { .initial_ms = 100 });
    (void)worker;
    trace_started("start", cop_supervisor_start_child(TOP, &spec));
}

/* a's time comes at 100 while the supervisor waits for b's end, until 200; by then its mailbox
 * has the calls, and behind them the message of the timer, which the first call has made
 * worthless. */
static void hears_too_late(bool deleted)
{
    static const cop_child_spec children[] = {
        WORKER(a, .backoff = { .initial_ms = 100 }), WORKER(b) };
    b.traps = true;
    b.lingers_ms = 199;
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    crash("a");
    cop_spawn(terminates, "b", 0);
    settle();
    cop_spawn(terminates, "a", 0);
    if (deleted) cop_spawn(deletes, "a", 0);
    cop_spawn(deleted ? starts : restarts, "a", 0);
    wait_until(201);
    ck_assert_int_eq(a.count, 2);
    worker_kill("a");
    wait_until(1000);
}

static void restarted_too_late(void *argument)
{
    (void)argument;
    hears_too_late(false);
}

static void deleted_too_late(void *argument)
{
    (void)argument;
    hears_too_late(true);
}

START_TEST(a_timer_that_fires_before_it_is_cancelled_restarts_nothing)
{
    expect_story(restarted_too_late, "0: a.1 starts\n0: b.1 starts\n--\n"
                                     "0: a.1 is gone\n"
                                     "0: report: child_terminated a: error:bad\n"
                                     "1: b.1 stops: shutdown\n"
                                     "200: b.1 is gone\n"
                                     "200: a.2 starts\n"
                                     "restart: ok\n"
                                     "201: a.2 is gone\n"
                                     "201: report: child_terminated a: killed\n"
                                     "401: a.3 starts\n"
                                     "401: report: a restarted: killed; a\n");
}
END_TEST

START_TEST(nor_does_it_when_another_child_has_the_id_by_then)
{
    expect_story(deleted_too_late, "0: a.1 starts\n0: b.1 starts\n--\n"
                                   "0: a.1 is gone\n"
                                   "0: report: child_terminated a: error:bad\n"
                                   "1: b.1 stops: shutdown\n"
                                   "200: b.1 is gone\n"
                                   "delete: ok\n"
                                   "200: a.2 starts\n"
                                   "start: ok\n"
                                   "201: a.2 is gone\n"
                                   "201: report: child_terminated a: killed\n"
                                   "301: a.3 starts\n"
                                   "301: report: a restarted: killed; a\n");
}
END_TEST

/* ---- groups ------------------------------------------------------------------------ */

static void start_group(enum cop_strategy strategy)
{
    static const cop_child_spec children[] = {
        WORKER(a), WORKER(b, .backoff = { .initial_ms = 100 }),
        WORKER(c, .backoff = { .initial_ms = 1000 }), WORKER(d, .restart = COP_TEMPORARY) };
    start_top(&(cop_supervisor){ .strategy = strategy, UNLIMITED, COP_CHILDREN(children) });
}

#define GROUP_START "0: a.1 starts\n0: b.1 starts\n0: c.1 starts\n0: d.1 starts\n--\n"

static void rest_waits(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash("b");
    trace_children(TOP);
    ck_assert_int_eq(restart_in_ms("b"), 99);
    wait_until(1000);
}

START_TEST(in_rest_for_one_those_after_it_stop_at_once_and_start_after_its_delay_not_theirs)
{
    expect_story(rest_waits, GROUP_START
                 "0: b.1 is gone\n"
                 "0: report: child_terminated b: error:bad\n"
                 "0: d.1 is gone\n"
                 "0: c.1 is gone\n"
                 "children: c restarting, b restarting, a up; 3 specs, 1 active, 0 supervisors, "
                 "3 workers\n"
                 "100: b.2 starts\n"
                 "100: c.2 starts\n"
                 "100: report: b restarted: error:bad; b c\n");
}
END_TEST

static void all_wait(void *argument)
{
    (void)argument;
    start_group(COP_ONE_FOR_ALL);
    crash("b");
    trace_children(TOP);
    wait_until(1000);
}

START_TEST(in_one_for_all_everyone_stops_at_once_and_starts_after_the_delay)
{
    expect_story(all_wait, GROUP_START
                 "0: b.1 is gone\n"
                 "0: report: child_terminated b: error:bad\n"
                 "0: d.1 is gone\n"
                 "0: c.1 is gone\n"
                 "0: a.1 is gone\n"
                 "children: c restarting, b restarting, a restarting; 3 specs, 0 active, "
                 "0 supervisors, 3 workers\n"
                 "100: a.2 starts\n"
                 "100: b.2 starts\n"
                 "100: c.2 starts\n"
                 "100: report: b restarted: error:bad; a b c\n");
}
END_TEST

static void older_one_crashes(void *argument)
{
    (void)argument;
    start_group(COP_REST_FOR_ONE);
    crash("b");
    crash_at(50, "a");
    wait_until(60);
    worker_kill("b");
    wait_until(1000);
}

/* What the group does at once, it does for all of it; b's restarts are in a row still. */
START_TEST(the_restart_of_a_group_takes_those_along_that_wait)
{
    expect_story(older_one_crashes, GROUP_START
                 "0: b.1 is gone\n"
                 "0: report: child_terminated b: error:bad\n"
                 "0: d.1 is gone\n"
                 "0: c.1 is gone\n"
                 "50: a.1 is gone\n"
                 "50: report: child_terminated a: error:bad\n"
                 "50: a.2 starts\n"
                 "50: b.2 starts\n"
                 "50: c.2 starts\n"
                 "50: report: a restarted: error:bad; a b c\n"
                 "60: b.2 is gone\n"
                 "60: report: child_terminated b: killed\n"
                 "60: c.2 is gone\n"
                 "260: b.3 starts\n"
                 "260: c.3 starts\n"
                 "260: report: b restarted: killed; b c\n");
}
END_TEST

static void group_fails(enum cop_strategy strategy)
{
    c.starts = "oeo";
    start_group(strategy);
    crash_at(10, "a");
    trace_children(TOP);
    wait_until(2000);
}

static void rest_fails(void *argument)
{
    (void)argument;
    group_fails(COP_REST_FOR_ONE);
}

static void all_fail(void *argument)
{
    (void)argument;
    group_fails(COP_ONE_FOR_ALL);
}

START_TEST(a_start_that_fails_in_a_group_delays_the_rest_of_it)
{
    expect_story(rest_fails, GROUP_START
                 "10: a.1 is gone\n"
                 "10: report: child_terminated a: error:bad\n"
                 "10: d.1 is gone\n"
                 "10: c.1 is gone\n"
                 "10: b.1 is gone\n"
                 "10: a.2 starts\n"
                 "10: b.2 starts\n"
                 "10: c.2 fails\n"
                 "10: report: start_error c: boom\n"
                 "children: c restarting, b up, a up; 3 specs, 2 active, 0 supervisors, "
                 "3 workers\n"
                 "1010: c.3 starts\n"
                 "1010: report: c restarted: boom; c\n");
    a.count = b.count = c.count = d.count = 0;
    expect_story(all_fail, GROUP_START
                 "10: a.1 is gone\n"
                 "10: report: child_terminated a: error:bad\n"
                 "10: d.1 is gone\n"
                 "10: c.1 is gone\n"
                 "10: b.1 is gone\n"
                 "10: a.2 starts\n"
                 "10: b.2 starts\n"
                 "10: c.2 fails\n"
                 "10: report: start_error c: boom\n"
                 "children: c restarting, b up, a up; 3 specs, 2 active, 0 supervisors, "
                 "3 workers\n"
                 "1010: b.2 is gone\n"
                 "1010: a.2 is gone\n"
                 "1010: a.3 starts\n"
                 "1010: b.3 starts\n"
                 "1010: c.3 starts\n"
                 "1010: report: c restarted: boom; a b c\n");
}
END_TEST

static void group_is_let_go(void *argument)
{
    (void)argument;
    start_group(COP_ONE_FOR_ALL);
    crash("b");
    trace_error("terminate b", cop_supervisor_terminate_child(TOP, "b"));
    trace_children(TOP);
    wait_until(1000);
}

START_TEST(when_the_child_that_a_group_waits_for_is_terminated_the_others_start)
{
    expect_story(group_is_let_go, GROUP_START
                 "0: b.1 is gone\n"
                 "0: report: child_terminated b: error:bad\n"
                 "0: d.1 is gone\n"
                 "0: c.1 is gone\n"
                 "0: a.1 is gone\n"
                 "1: a.2 starts\n"
                 "1: c.2 starts\n"
                 "1: report: b restarted: error:bad; a c\n"
                 "terminate b: ok\n"
                 "children: c up, b down, a up; 3 specs, 2 active, 0 supervisors, 3 workers\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *backoff_cancel_suite(void)
{
    Suite *suite = suite_create("backoff_cancel");
    TCase *tests = tcase_create("backoff_cancel");
    tcase_add_test(
        tests,
        terminate_child_cancels_a_restart_that_waits_and_other_calls_find_it_under_way);
    tcase_add_test(tests, the_supervisors_end_cancels_a_restart_that_waits);
    tcase_add_test(tests, a_timer_that_fires_before_it_is_cancelled_restarts_nothing);
    tcase_add_test(tests, nor_does_it_when_another_child_has_the_id_by_then);
    tcase_add_test(
        tests,
        in_rest_for_one_those_after_it_stop_at_once_and_start_after_its_delay_not_theirs);
    tcase_add_test(tests, in_one_for_all_everyone_stops_at_once_and_starts_after_the_delay);
    tcase_add_test(tests, the_restart_of_a_group_takes_those_along_that_wait);
    tcase_add_test(tests, a_start_that_fails_in_a_group_delays_the_rest_of_it);
    tcase_add_test(tests, when_the_child_that_a_group_waits_for_is_terminated_the_others_start);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(backoff_cancel_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
