/* test_readiness.c - children that say when they are ready: at the start of their supervisor and
 * after a restart alone; test_gate.c has the restarts of groups. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "worker.h"

static struct worker a, b, c;

static cop_pid top_pid;

#define TOP cop_to("top")

static void start_top(const cop_supervisor *supervisor)
{
    cop_started started = cop_supervisor_start_link(supervisor, .name = "top");
    top_pid = started.pid;
    trace_started("top", started);
}

static bool is_ready(const char *id)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, id, &status), COP_OK);
    cop_reason_unref(status.last_end);
    return status.ready;
}

/* ---- at the start ------------------------------------------------------------------ */

static const cop_child_spec three[] = {
    WORKER(a, .ready_ms = 100), WORKER(b, .ready_ms = COP_INFINITY), WORKER(c) };

static void start_three(void *argument)
{
    (void)argument;
    start_top(&(cop_supervisor){ COP_CHILDREN(three) });
}

static void all_get_ready(void *argument)
{
    a.ready_ms = 99;
    b.ready_ms = 100000;
    start_three(argument);
    ck_assert(is_ready("a") && is_ready("b") && is_ready("c"));
}

START_TEST(a_supervisor_starts_a_child_when_those_before_it_are_ready)
{
    expect_story(all_get_ready, "0: a.1 starts\n"
                                "99: a.1 is ready\n"
                                "99: b.1 starts\n"
                                "100099: b.1 is ready\n"
                                "100099: c.1 starts\n"
                                "top: ok\n");
}
END_TEST

static void at_once(void *argument)
{
    a.ready_ms = b.ready_ms = c.ready_ms = AT_ONCE;
    start_three(argument);
    wait_until(1000);
    expect_empty_mailbox();
}

/* c is not asked. */
START_TEST(a_server_may_say_so_in_its_continuation_and_one_that_is_not_asked_too)
{
    expect_story(at_once, "0: a.1 starts\n"
                          "0: a.1 is ready\n"
                          "0: b.1 starts\n"
                          "0: b.1 is ready\n"
                          "0: c.1 starts\n"
                          "0: c.1 is ready\n"
                          "top: ok\n");
}
END_TEST

static void warms_up(void *argument)
{
    (void)argument;
    cop_ready();                /* before its start is answered: that is early enough */
    cop_init_ack();
    cop_sleep(10);
    trace("%d: it is warm", story_ms());
    cop_ready();
    cop_ready();
    cop_message_free(cop_take(NULL, COP_INFINITY));
}

static void warms_up_late(void *argument)
{
    (void)argument;
    cop_init_ack();
    cop_sleep(10);
    trace("%d: it is warm", story_ms());
    cop_ready();
    cop_message_free(cop_take(NULL, COP_INFINITY));
}

#define FUNCTION(function_, ...)                                                         \
    { .id = #function_, .start = cop_child_function,                                     \
      .module = (const void *)(uintptr_t)(function_), __VA_ARGS__ }

static void functions(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = {
        FUNCTION(warms_up_late, .ready_ms = 11), FUNCTION(warms_up, .ready_ms = 5), WORKER(a) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    wait_until(1000);
    trace_children(TOP);
}

START_TEST(a_function_may_say_so_when_it_has_started_or_before_and_more_than_once)
{
    expect_story(functions,
                 "10: it is warm\n"
                 "10: a.1 starts\n"
                 "top: ok\n"
                 "20: it is warm\n"
                 "children: a up, warms_up up, warms_up_late up; 3 specs, 3 active, "
                 "0 supervisors, 3 workers\n");
}
END_TEST

static void one_is_too_slow(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b, .ready_ms = 100), WORKER(c) };
    b.ready_ms = 101;
    b.traps = true;
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_child_that_is_not_ready_in_time_has_failed_to_start)
{
    expect_story(one_is_too_slow,
                 "0: a.1 starts\n"
                 "0: b.1 starts\n"
                 "100: b.1 stops: shutdown\n"
                 "100: b.1 is gone\n"
                 "100: report: start_error b: not_ready\n"
                 "100: a.1 is gone\n"
                 "top: start_failed shutdown:failed_to_start_child:b:not_ready\n");
}
END_TEST

static void kill_b(void *argument)
{
    (void)argument;
    cop_sleep(50);
    worker_raise("b", "cold");
}

static void one_dies(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a), WORKER(b, .ready_ms = COP_INFINITY), WORKER(c) };
    cop_spawn(kill_b, NULL, 0);
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
}

START_TEST(a_child_that_ends_before_it_is_ready_has_failed_to_start)
{
    expect_story(one_dies, "0: a.1 starts\n"
                           "0: b.1 starts\n"
                           "50: b.1 is gone\n"
                           "50: report: start_error b: error:cold\n"
                           "50: a.1 is gone\n"
                           "top: start_failed shutdown:failed_to_start_child:b:error:cold\n");
}
END_TEST

static void kill_a(void *argument)
{
    (void)argument;
    cop_sleep(20);
    worker_raise("a", "bad");
}

static void sibling_dies(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b, .ready_ms = 100), WORKER(c) };
    b.ready_ms = 50;
    cop_spawn(kill_a, NULL, 0);
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    settle();
}

START_TEST(a_sibling_that_ends_while_the_supervisor_waits_is_restarted_when_all_have_started)
{
    expect_story(sibling_dies, "0: a.1 starts\n"
                               "0: b.1 starts\n"
                               "20: a.1 is gone\n"
                               "50: b.1 is ready\n"
                               "50: c.1 starts\n"
                               "50: report: child_terminated a: error:bad\n"
                               "top: ok\n"
                               "50: a.2 starts\n"
                               "50: report: a restarted: error:bad; a\n");
}
END_TEST

static void does_not_run(void *argument)
{
    a.starts = "i";
    b.ready_ms = AT_ONCE;
    start_three(argument);
}

START_TEST(nobody_waits_for_a_child_that_ignores_its_start)
{
    expect_story(does_not_run, "0: a.1 ignores\n"
                               "0: b.1 starts\n"
                               "0: b.1 is ready\n"
                               "0: c.1 starts\n"
                               "top: ok\n");
}
END_TEST

/* ---- one child --------------------------------------------------------------------- */

static void restarts_alone(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .ready_ms = 100), WORKER(b) };
    a.ready_ms = AT_ONCE;
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    a.ready_ms = 60;
    worker_raise("a", "bad");
    settle();
    worker_raise("b", "bad");
    wait_until(50);
    ck_assert(!is_ready("a") && is_ready("b"));
    wait_until(1000);
    ck_assert(is_ready("a"));
}

START_TEST(in_one_for_one_nobody_waits_for_a_child_that_is_restarted)
{
    expect_story(restarts_alone, "0: a.1 starts\n"
                                 "0: a.1 is ready\n"
                                 "0: b.1 starts\n"
                                 "top: ok\n"
                                 "0: a.1 is gone\n"
                                 "0: report: child_terminated a: error:bad\n"
                                 "0: a.2 starts\n"
                                 "0: report: a restarted: error:bad; a\n"
                                 "1: b.1 is gone\n"
                                 "1: report: child_terminated b: error:bad\n"
                                 "1: b.2 starts\n"
                                 "1: report: b restarted: error:bad; b\n"
                                 "60: a.2 is ready\n");
}
END_TEST

static void trace_last_end(const char *id)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, id, &status), COP_OK);
    const cop_reason *origin = cop_reason_origin(status.last_end);
    char text[64] = "none";
    if (origin != NULL) cop_reason_format(origin, text, sizeof text);
    trace("%s has ended: %s, because of %s", id, reason_text(status.last_end), text);
    cop_reason_unref(status.last_end);
}

static void never_gets_ready(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .ready_ms = 100) };
    a.ready_ms = AT_ONCE;
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(2, 5), COP_CHILDREN(children) });
    a.ready_ms = 0;
    a.traps = true;
    cop_ref end = cop_monitor(top_pid);
    worker_raise("a", "bad");
    wait_until(150);
    trace_last_end("a");
    trace_down("top", end);
}

START_TEST(a_child_that_is_not_ready_in_time_is_killed_and_restarted_as_often_as_is_allowed)
{
    expect_story(never_gets_ready, "0: a.1 starts\n"
                                   "0: a.1 is ready\n"
                                   "top: ok\n"
                                   "0: a.1 is gone\n"
                                   "0: report: child_terminated a: error:bad\n"
                                   "0: a.2 starts\n"
                                   "0: report: a restarted: error:bad; a\n"
                                   "100: a.2 is gone\n"
                                   "100: report: child_terminated a: killed\n"
                                   "100: a.3 starts\n"
                                   "100: report: a restarted: killed; a\n"
                                   "a has ended: killed, because of not_ready\n"
                                   "200: a.3 is gone\n"
                                   "200: report: child_terminated a: killed\n"
                                   "200: report: shutdown a: reached_max_restart_intensity\n"
                                   "top down: shutdown\n");
}
END_TEST

static void killed_by_others(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .ready_ms = 100) };
    a.ready_ms = AT_ONCE;
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    worker_kill("a");
    settle();
    trace_last_end("a");
    wait_until(1000);
}

START_TEST(one_that_others_kill_is_no_such_case)
{
    expect_story(killed_by_others, "0: a.1 starts\n"
                                   "0: a.1 is ready\n"
                                   "top: ok\n"
                                   "0: a.1 is gone\n"
                                   "0: report: child_terminated a: killed\n"
                                   "0: a.2 starts\n"
                                   "0: a.2 is ready\n"
                                   "0: report: a restarted: killed; a\n"
                                   "a has ended: killed, because of none\n");
}
END_TEST

static void by_call(void *argument)
{
    (void)argument;
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ONE });
    const cop_child_spec spec_a = WORKER(a, .ready_ms = 100), spec_b = WORKER(b);
    a.ready_ms = 60;
    trace_started("start", cop_supervisor_start_child(TOP, &spec_a));
    trace_started("start", cop_supervisor_start_child(TOP, &spec_b));
    ck_assert(!is_ready("a"));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    wait_until(70);
    a.ready_ms = 101;
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    wait_until(200);
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    wait_until(1000);
}

START_TEST(a_child_that_is_started_by_a_call_has_its_time_from_then_on_and_holds_up_nobody)
{
    expect_story(by_call, "top: ok\n"
                          "0: a.1 starts\n"
                          "start: ok\n"
                          "0: b.1 starts\n"
                          "start: ok\n"
                          "0: a.1 is gone\n"
                          "terminate: ok\n"
                          "70: a.2 starts\n"
                          "restart: ok\n"
                          "170: a.2 is gone\n"
                          "170: report: child_terminated a: killed\n"
                          "170: a.3 starts\n"
                          "170: report: a restarted: killed; a\n"
                          "200: a.3 is gone\n"
                          "terminate: ok\n");
}
END_TEST

/* ---- a start that waits for ever --------------------------------------------------- */

static void starts_for_ever(void *unused)
{
    (void)unused;
    static const cop_child_spec children[] = { WORKER(a, .ready_ms = COP_INFINITY) };
    static const cop_supervisor waiting = { .name = "waiting", COP_CHILDREN(children) };
    cop_supervisor_start_link(&waiting);
}

static void ends_its_start(void *unused)
{
    (void)unused;
    cop_pid starter = cop_spawn(starts_for_ever, NULL, 0);
    settle();
    cop_ref supervisor = cop_monitor("waiting");
    cop_exit_process(starter, COP_KILL);
    trace_down("with its parent", supervisor);

    cop_spawn(starts_for_ever, NULL, 0);
    settle();
    supervisor = cop_monitor("waiting");
    trace_error("stop", cop_stop_process(cop_to("waiting"), COP_SHUTDOWN, 100));
    trace_down("when told", supervisor);
    trace("%d processes", (int)cop_process_count());
}

START_TEST(a_supervisor_that_waits_for_a_child_hears_its_parents_end_and_orders_to_stop)
{
    expect_story(ends_its_start, "0: a.1 starts\n"
                                 "1: a.1 is gone\n"
                                 "with its parent down: killed\n"
                                 "1: a.2 starts\n"
                                 "2: a.2 is gone\n"
                                 "stop: ok\n"
                                 "when told down: shutdown\n"
                                 "1 processes\n");
}
END_TEST

static const cop_supervisor below = { .name = "below" };
static const cop_dynamic_supervisor dynamic = { .name = "dynamic" };

static void is_refused(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { COP_CHILD_SUPERVISOR(below, .ready_ms = 1) };
    static const cop_child_spec drained[] = { COP_CHILD_SUPERVISOR(below, .drain_ms = 1) };
    static const cop_child_spec wrong[][1] = {
        { WORKER(a, .ready_ms = -2) },
        { WORKER(a, .backoff = { .max_ms = 100 }) },
        { WORKER(a, .probe = { .timeout_ms = 100 }) },
        { WORKER(a, .when_spent = COP_STAY_DOWN) },
    };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    start_top(&(cop_supervisor){ COP_CHILDREN(drained) });
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        start_top(&(cop_supervisor){ COP_CHILDREN(wrong[i]) });
    cop_started started = cop_dynamic_supervisor_start_link(&dynamic);
    ck_assert_int_eq(started.error, COP_OK);
    const cop_child_spec spec = WORKER(a, .ready_ms = 1);
    trace_started("child", cop_dynamic_supervisor_start_child(cop_to("dynamic"), &spec));
}

START_TEST(what_no_supervisor_can_do_is_refused)
{
    expect_story(is_refused, "top: badarg start_spec:bad_combination:below\n"
                             "top: badarg start_spec:bad_combination:below\n"
                             "top: badarg start_spec:invalid_ready:a\n"
                             "top: badarg start_spec:invalid_backoff:a\n"
                             "top: badarg start_spec:invalid_probe:a\n"
                             "top: badarg start_spec:bad_combination:a\n"
                             "child: badarg start_spec:bad_combination:a\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *readiness_suite(void)
{
    Suite *suite = suite_create("readiness");
    TCase *tests = tcase_create("readiness");
    tcase_add_test(tests, a_supervisor_starts_a_child_when_those_before_it_are_ready);
    tcase_add_test(tests, a_server_may_say_so_in_its_continuation_and_one_that_is_not_asked_too);
    tcase_add_test(tests, a_function_may_say_so_when_it_has_started_or_before_and_more_than_once);
    tcase_add_test(tests, a_child_that_is_not_ready_in_time_has_failed_to_start);
    tcase_add_test(tests, a_child_that_ends_before_it_is_ready_has_failed_to_start);
    tcase_add_test(
        tests,
        a_sibling_that_ends_while_the_supervisor_waits_is_restarted_when_all_have_started);
    tcase_add_test(tests, nobody_waits_for_a_child_that_ignores_its_start);
    tcase_add_test(tests, in_one_for_one_nobody_waits_for_a_child_that_is_restarted);
    tcase_add_test(
        tests,
        a_child_that_is_not_ready_in_time_is_killed_and_restarted_as_often_as_is_allowed);
    tcase_add_test(tests, one_that_others_kill_is_no_such_case);
    tcase_add_test(
        tests,
        a_child_that_is_started_by_a_call_has_its_time_from_then_on_and_holds_up_nobody);
    tcase_add_test(tests,
                   a_supervisor_that_waits_for_a_child_hears_its_parents_end_and_orders_to_stop);
    tcase_add_test(tests, what_no_supervisor_can_do_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(readiness_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
