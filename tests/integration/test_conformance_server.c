/* test_conformance_server.c - what OTP's own tests pin of reports and of exit reasons, and the
 * other tests here do not.  See docs/conformance.md. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

/* ---- reports ----------------------------------------------------------------------- */

/* The event as text; in every smaller room it is the beginning of that, and as long. */
static void trace_report(const cop_log_event *event)
{
    char text[256], part[256];
    int length = cop_log_format(event, text, sizeof text);
    ck_assert_uint_eq((size_t)length, strlen(text));
    for (size_t size = 0; size <= (size_t)length; size++) {
        memset(part, '?', sizeof part);
        ck_assert_int_eq(cop_log_format(event, part, size), length);
        if (size > 0) ck_assert_uint_eq(strlen(part), size - 1);
        if (size > 0) ck_assert_int_eq(strncmp(part, text, size - 1), 0);
        ck_assert_int_eq(part[size], '?');
    }
    ck_assert_int_eq(cop_log_format(event, NULL, 0), length);
    trace("%s", text);
}

static void formats_reports(void *argument)
{
    (void)argument;
    static const char *const restarted[] = { "a", "b" };
    const cop_reason *reason = cop_reason_tuple("shutdown", cop_reason_atom("disk"));
    cop_log_event event = { .kind = COP_LOG_SUPERVISOR, .level = COP_LOG_ERROR,
                            .time_ns = 1234567890, .supervisor_name = "top",
                            .context = "child_terminated", .child = "a", .reason = reason };
    trace_report(&event);
    event.kind = COP_LOG_RESTART;
    event.context = NULL;
    event.restarted = restarted;
    event.restarted_count = 2;
    trace_report(&event);
    event = (cop_log_event){ .kind = COP_LOG_PROGRESS, .supervisor_name = "top", .child = "a" };
    trace_report(&event);
    event = (cop_log_event){ .kind = COP_LOG_SERVER, .level = COP_LOG_ERROR, .label = "clerk",
                             .message_type = "order", .reason = reason };
    trace_report(&event);
    event.name = "ann";                            /* says more than the label */
    trace_report(&event);
    event = (cop_log_event){ .kind = COP_LOG_CRASH, .level = COP_LOG_ERROR, .label = "clerk",
                             .reason = COP_KILL };
    trace_report(&event);
    event = (cop_log_event){ .kind = COP_LOG_TEXT, .text = "all is well" };
    trace_report(&event);
    cop_reason_unref(reason);
}

START_TEST(every_kind_of_report_has_a_text_that_can_be_cut_anywhere)
{
    trace_reset();
    ck_assert_int_eq(run_node(formats_reports, NULL), 0);
    trace_expect("1.234 supervisor top child_terminated a: shutdown:disk\n"
                 "1.234 restart top a: shutdown:disk; restarted a, b\n"
                 "0.000 progress top a\n"
                 "0.000 server clerk, handling order: shutdown:disk\n"
                 "0.000 server ann, handling order: shutdown:disk\n"
                 "0.000 crash clerk: kill\n"
                 "0.000 note: all is well\n");
}
END_TEST

/* ---- exit reasons ------------------------------------------------------------------ */

enum { LARGE = 100000 };

static void exits_with(void *argument)
{
    cop_exit(cop_reason_atom(argument));
}

static void hears_much(void *argument)
{
    (void)argument;
    static char name[LARGE + 1];
    memset(name, 'x', LARGE);
    cop_trap_exit(true);
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(exits_with, name, sizeof name, &(cop_spawn_options){
        .link = true, .monitor = true, .ret_ref = &ref });
    cop_message *gone = cop_take(&(cop_match){ .from = pid }, COP_INFINITY);
    ck_assert_str_eq(cop_reason_text(cop_expect(gone, cop_exit_message)->reason), name);
    cop_message *down = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
    ck_assert_str_eq(cop_reason_text(cop_expect(down, cop_down_message)->reason), name);
    cop_message_free(gone);
    cop_message_free(down);
    expect_empty_mailbox();
}

START_TEST(a_large_exit_reason_arrives_whole)
{
    ck_assert_int_eq(run_node(hears_much, NULL), 0);
}
END_TEST

static void times_out(void *argument)
{
    (void)argument;
    ck_assert_ptr_null(cop_take(NULL, 10));
    cop_exit(cop_reason_atom("timeout"));
}

static int signalled, timed_out;

/* The signal is sent in the moment in which the time is over. */
static void meets_a_timeout(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid pid = cop_spawn_monitor(times_out, NULL, 0, &ref);
    cop_sleep(10);
    cop_exit_process(pid, cop_reason_atom("signal"));
    cop_message *down = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
    const cop_reason *reason = cop_expect(down, cop_down_message)->reason;
    signalled += cop_reason_is(reason, "signal");
    timed_out += cop_reason_is(reason, "timeout");
    cop_message_free(down);
    expect_empty_mailbox();
}

START_TEST(an_exit_signal_that_comes_with_a_timeout_ends_the_process_once)
{
    enum { SEEDS = 50 };
    signalled = timed_out = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        ck_assert_int_eq(run_node_seeded(meets_a_timeout, NULL, seed), 0);
    ck_assert_int_eq(signalled + timed_out, SEEDS);
    ck_assert_int_gt(signalled, 0);                /* both orders came up */
    ck_assert_int_gt(timed_out, 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *conformance_server_suite(void)
{
    Suite *suite = suite_create("conformance_server");
    TCase *tests = tcase_create("conformance_server");
    tcase_add_test(tests, every_kind_of_report_has_a_text_that_can_be_cut_anywhere);
    tcase_add_test(tests, a_large_exit_reason_arrives_whole);
    tcase_add_test(tests, an_exit_signal_that_comes_with_a_timeout_ends_the_process_once);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(conformance_server_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
