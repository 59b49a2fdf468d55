/* test_cause.c - what a supervisor that gives up hands up: why. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "top.h"

static struct worker a, b;

/* ---- the cause --------------------------------------------------------------------- */

/* The story's supervisors: top has high, high has low, low has a; each gives up at once. */
static const cop_child_spec low_children[] = { WORKER(a), WORKER(b) };
static const cop_supervisor low = { .name = "low", .intensity = COP_MAX_RESTARTS(0, 5),
                                    COP_CHILDREN(low_children) };
static const cop_child_spec high_children[] = { COP_CHILD_SUPERVISOR(low) };
static const cop_supervisor high = { .name = "high", .intensity = COP_MAX_RESTARTS(0, 5),
                                     COP_CHILDREN(high_children) };

static char origin_text[256];

static const char *origin_of(const cop_reason *reason)
{
    const cop_reason *origin = cop_reason_origin(reason);
    if (origin == NULL) return "none";
    cop_reason_format(origin, origin_text, sizeof origin_text);
    return origin_text;
}

static void trace_down_and_origin(const char *what, cop_ref end)
{
    cop_message *message = cop_take(&(cop_match){ .ref = end }, COP_INFINITY);
    const cop_reason *reason = cop_expect(message, cop_down_message)->reason;
    trace("%s down: %s, because of %s", what, reason_text(reason), origin_of(reason));
    cop_message_free(message);
}

static void both_give_up(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { COP_CHILD_SUPERVISOR(high) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_ref low_end = cop_monitor("low"), high_end = cop_monitor("high");
    cop_ref top_end = cop_monitor(top_pid);
    worker_exit("a", cop_reason_tuple("disk", cop_reason_atom("full")));
    trace_down_and_origin("low", low_end);
    trace_down_and_origin("high", high_end);
    settle();
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, "high", &status), COP_OK);
    trace("high has ended: %s, because of %s", reason_text(status.last_end),
          origin_of(status.last_end));
    cop_reason_unref(status.last_end);
    trace_error("stop", cop_supervisor_stop(TOP, COP_SHUTDOWN));
    trace_down_and_origin("top", top_end);
}

START_TEST(through_two_supervisors_that_give_up_the_origin_is_told_with_the_way_to_it)
{
    expect_story(both_give_up,
                 "0: a.1 starts\n0: b.1 starts\n--\n"
                 "0: a.1 stops: disk:full\n"
                 "0: a.1 is gone\n"
                 "0: report: child_terminated a: disk:full\n"
                 "0: report: shutdown a: reached_max_restart_intensity\n"
                 "0: b.1 is gone\n"
                 "0: report: child_terminated low: shutdown\n"
                 "0: report: shutdown low: reached_max_restart_intensity\n"
                 "low down: shutdown, because of a:disk:full\n"
                 "high down: shutdown, because of low:a:disk:full\n"
                 "0: report: child_terminated high: shutdown\n"
                 "0: a.2 starts\n0: b.2 starts\n"
                 "0: report: high restarted: shutdown; high\n"
                 "high has ended: shutdown, because of low:a:disk:full\n"
                 "1: b.2 is gone\n"
                 "1: a.2 is gone\n"
                 "stop: ok\n"
                 "top down: shutdown, because of none\n");
}
END_TEST

static void parent_is_transient(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        COP_CHILD_SUPERVISOR(high, .restart = COP_TRANSIENT) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    crash("a");
    trace_children(TOP);
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, "high", &status), COP_OK);
    trace("high has ended: %s, because of %s", reason_text(status.last_end),
          origin_of(status.last_end));
    cop_reason_unref(status.last_end);
}

START_TEST(a_transient_supervisor_that_gave_up_stays_down_whatever_made_it)
{
    expect_story(parent_is_transient,
                 "0: a.1 starts\n0: b.1 starts\n--\n"
                 CRASHES_FOR_GOOD("0", "a", "1")
                 "0: report: shutdown a: reached_max_restart_intensity\n"
                 "0: b.1 is gone\n"
                 "0: report: child_terminated low: shutdown\n"
                 "0: report: shutdown low: reached_max_restart_intensity\n"
                 "children: high down; 1 specs, 0 active, 1 supervisors, 0 workers\n"
                 "high has ended: shutdown, because of low:a:error:bad\n");
}
END_TEST

static void fails_to_restart(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a) };
    a.starts = "oe";
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(1, 5), COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    worker_raise("a", "bad");
    trace_down_and_origin("top", end);
}

START_TEST(of_a_child_that_cannot_be_started_again_its_last_end_is_the_cause)
{
    expect_story(fails_to_restart, "0: a.1 starts\n--\n"
                                   CRASHES_FOR_GOOD("0", "a", "1")
                                   "0: a.2 fails\n"
                                   "0: report: start_error a: boom\n"
                                   "0: report: shutdown a: reached_max_restart_intensity\n"
                                   "top down: shutdown, because of a:error:bad\n");
}
END_TEST

/* What the log prints, without times and pids. */
static void log_line(const cop_log_event *event, void *context)
{
    (void)context;
    if (event->kind != COP_LOG_SUPERVISOR) return;
    cop_log_event plain = *event;
    plain.time_ns = 0;
    plain.process = COP_NO_PID;
    char text[512];
    cop_log_format(&plain, text, sizeof text);
    trace("%s", text);
}

static void is_logged(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    static const cop_child_spec children[] = {
        COP_CHILD_SUPERVISOR(high, .budget = COP_MAX_RESTARTS(0, 5), .when_spent = COP_STAY_DOWN) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    crash("a");
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
}

START_TEST(the_log_says_because_of_what)
{
    trace_times(false);
    const cop_run_options options = { .deterministic = true, .log = log_line };
    ck_assert_int_eq(cop_run(is_logged, NULL, &options), 0);
    trace_expect("a.1 starts\nb.1 starts\n--\n"
                 "a.1 is gone\n"
                 "0.000 supervisor low child_terminated a: error:bad\n"
                 "0.000 supervisor low shutdown a: reached_max_restart_intensity, "
                 "because of a:error:bad\n"
                 "b.1 is gone\n"
                 "0.000 supervisor high child_terminated low: shutdown, because of a:error:bad\n"
                 "0.000 supervisor high shutdown low: reached_max_restart_intensity, "
                 "because of low:a:error:bad\n"
                 "0.000 supervisor top child_terminated high: shutdown, "
                 "because of low:a:error:bad\n"
                 "0.000 supervisor top stays_down high: budget_spent, "
                 "because of high:low:a:error:bad\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *cause_suite(void)
{
    Suite *suite = suite_create("cause");
    TCase *tests = tcase_create("cause");
    tcase_add_test(
        tests,
        through_two_supervisors_that_give_up_the_origin_is_told_with_the_way_to_it);
    tcase_add_test(tests, a_transient_supervisor_that_gave_up_stays_down_whatever_made_it);
    tcase_add_test(tests, of_a_child_that_cannot_be_started_again_its_last_end_is_the_cause);
    tcase_add_test(tests, the_log_says_because_of_what);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(cause_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
