/* test_crash_report.c - what a crash report says, as text and as JSON; the last ones are kept, and
 * nothing that the crashed process left behind keeps one from being made. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "platform/symbol.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(note, { int n; });

enum { TEXT = 65536 };

static const cop_crash_report *newest(void)
{
    const cop_crash_report *report;
    ck_assert_uint_gt(cop_crash_reports(&report, 1), 0);
    return report;
}

static const char *text_of(const cop_crash_report *report)
{
    static char text[TEXT];
    int length = cop_crash_report_format(report, text, sizeof text);
    ck_assert_int_lt(length, TEXT);
    ck_assert_uint_eq((size_t)length, strlen(text));
    return text;
}

static const char *json_of(const cop_crash_report *report)
{
    static char text[TEXT];
    int length = cop_crash_report_json(report, text, sizeof text);
    ck_assert_int_lt(length, TEXT);
    ck_assert_uint_eq((size_t)length, strlen(text));
    ck_assert_ptr_null(strchr(text, '\n'));
    return text;
}

/* Waits for the end of such a process. */
static void see_end_of(cop_function *function, void *argument)
{
    cop_ref ref;
    cop_spawn_monitor(function, argument, 0, &ref);
    cop_receive_type(cop_down_message, COP_INFINITY);
}

/* ---- what it says ---------------------------------------------------------------------- */

static void ends_in_the_middle_of_things(void *argument)
{
    (void)argument;
    cop_register("clerk");
    cop_set_label("a \"label\"\n");
    cop_alloc(100);
    for (int n = 0; n < 3; n++)
        cop_send(cop_self(), note, .n = n);
    cop_receive_type(note, COP_INFINITY);
    cop_send(cop_self(), note, .n = 3);
    cop_exit(cop_reason_tuple("failed", cop_reason_error("no \xff disk")));
}

static void is_between(void *argument)
{
    (void)argument;
    cop_sleep(1250);
    see_end_of(ends_in_the_middle_of_things, NULL);
}

static void is_first(void *argument)
{
    (void)argument;
    cop_register("top");
    see_end_of(is_between, NULL);
}

START_TEST(a_report_says_who_ended_why_and_in_which_circumstances)
{
    ck_assert_int_eq(run_node(is_first, NULL), 0);
    const cop_crash_report *report = newest();
    ck_assert_str_eq(report->name, "clerk");
    ck_assert_str_eq(report->message_type, "note");
    ck_assert_uint_eq(report->mailbox_length, 3);
    ck_assert_uint_eq(report->ancestors_count, 2);
    ck_assert_str_eq(text_of(report),
                     "1.250 crash clerk <2.1>, handling note: failed:error:no \xff disk\n"
                     "  labelled a \"label\"\n"
                     ", 3 messages in the mailbox, 100 bytes of memory, child of <1.1>, "
                     "of top <0.1>");
    ck_assert_str_eq(json_of(report),
                     "{\"number\":1,\"time_ns\":1250000000,\"process\":\"<2.1>\","
                     "\"name\":\"clerk\",\"label\":\"a \\\"label\\\"\\n\","
                     "\"ancestors\":[{\"process\":\"<1.1>\",\"name\":null},"
                     "{\"process\":\"<0.1>\",\"name\":\"top\"}],"
                     "\"reason\":\"failed:error:no \\ufffd disk\",\"origin\":null,"
                     "\"message_type\":\"note\",\"mailbox_length\":3,\"memory_bytes\":100,"
                     "\"core\":null,\"crash\":null}");
    cop_crash_report_unref(report);
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_cut_off_and_its_length_told)
{
    char buffer[10];
    ck_assert_int_eq(run_node(is_first, NULL), 0);
    const cop_crash_report *report = newest();
    ck_assert_uint_eq((size_t)cop_crash_report_format(report, buffer, sizeof buffer),
                      strlen(text_of(report)));
    ck_assert_str_eq(buffer, "1.250 cra");
    ck_assert_uint_eq((size_t)cop_crash_report_json(report, NULL, 0), strlen(json_of(report)));
    cop_crash_report_unref(report);
}
END_TEST

/* ---- a native crash -------------------------------------------------------------------- */

/* A register that a function keeps, and the one that has the instruction's address. */
#if defined(__x86_64__)
#define KEPT "r12"
#define PC "rip"
#define SET_KEPT "mov $0x5eed, %%r12"
#else
#define KEPT "x19"
#define PC "pc"
#define SET_KEPT "mov x19, #0x5eed"
#endif

static int fatal_line;

/* Static, so that the dynamic linker does not know it; calls a function afterwards, so that it has
 * a frame. */
__attribute__((noinline)) static void hidden(void)
{
    char *volatile nowhere = (char *)8;
    __asm__ volatile(SET_KEPT ::: KEPT);
    fatal_line = __LINE__ + 1;
    *nowhere = 1;
    trace("goes on");
}

static void is_hidden(void *argument)
{
    (void)argument;
    hidden();
    trace("goes on");
}

static void sees_hidden(void *argument)
{
    (void)argument;
    see_end_of(is_hidden, NULL);
}

static void expect_in(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "%s is not in:\n%s", part, text);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(a_crash_has_address_registers_function_and_line)
{
    ck_assert_int_eq(run_node(sees_hidden, NULL), 0);
    const cop_crash_report *report = newest();
    const cop_crash *crash = cop_reason_crash(report->reason);
    uint64_t kept = 0, pc = 0;
    for (unsigned i = 0; i < crash->registers; i++) {
        if (strcmp(cop_crash_register(i), KEPT) == 0) kept = crash->register_values[i];
        if (strcmp(cop_crash_register(i), PC) == 0) pc = crash->register_values[i];
    }
    ck_assert_uint_eq(kept, 0x5eed);
    ck_assert_uint_eq(pc, (uintptr_t)crash->pc);
    ck_assert_ptr_null(cop_crash_register(crash->registers));

    const char *text = text_of(report);
    expect_in(text, "crash <1.1>: crash:SIGSEGV\n  SIGSEGV (code 1) at address 0x8\n    ");
    expect_in(text, KEPT "    0000000000005eed");
    if (copi_symbol_has_debug()) {
        expect_in(text, "address 0x8\n    hidden+0x");
        char place[80];
        snprintf(place, sizeof place, "integration/test_crash_report.c:%d\n    is_hidden+0x",
                 fatal_line);
        expect_in(text, place);
    } else {
        expect_in(text, "test_crash_report+0x");
    }
    cop_crash_report_unref(report);
}
END_TEST
#endif

/* Python's parser is a strict one; what it found is compared there. */
static const char judge[] =
    "python3 -c '\n"
    "import json, sys\n"
    "for line in sys.stdin:\n"
    "    report = json.loads(line)\n"
    "    crash = report[\"crash\"]\n"
    "    assert report[\"reason\"].startswith(\"crash:\"), report\n"
    "    assert crash[\"signal\"].startswith(\"SIG\"), report\n"
    "    assert crash[\"backtrace\"], report\n"
    "    assert all(int(value, 16) >= 0 for value in crash[\"registers\"].values())\n"
    "    assert all(int(frame[\"address\"], 16) > 0 for frame in crash[\"backtrace\"])\n"
    "    if crash[\"registers\"]:\n"
    "        assert crash[\"registers\"][\"" PC "\"] == crash[\"pc\"], report\n"
    "    named = [frame[\"function\"] for frame in crash[\"backtrace\"]]\n"
    "    assert report[\"label\"] in named or report[\"label\"] == \"crash_in_library\", report\n"
    "'";

static void crashes(void *argument)
{
    const struct way *way = argument;
    cop_set_label(way->name);
    way->crash();
}

static void crashes_in_all_ways(void *argument)
{
    (void)argument;
    for (int i = 0; i < WAYS; i++)
        see_end_of(crashes, (void *)&ways[i]);
}

START_TEST(every_kind_of_crash_is_valid_json_with_the_function_that_crashed)
{
    const cop_crash_report *reports[COP_CRASH_REPORTS_KEPT];
    ck_assert_int_eq(run_node(crashes_in_all_ways, NULL), 0);
    ck_assert_uint_eq(cop_crash_reports(reports, COP_CRASH_REPORTS_KEPT), WAYS);
    FILE *python = popen(judge, "w");
    ck_assert_ptr_nonnull(python);
    for (int i = 0; i < WAYS; i++) {
        ck_assert_str_eq(reports[i]->label, ways[WAYS - 1 - i].name);
        fprintf(python, "%s\n", json_of(reports[i]));
        cop_crash_report_unref(reports[i]);
    }
    ck_assert_int_eq(pclose(python), 0);
}
END_TEST

/* ---- those that are kept --------------------------------------------------------------- */

static void ends_numbered(void *argument)
{
    cop_raise("number %d", *(int *)argument);
}

enum { MANY = 200 };

static void ends_many(void *argument)
{
    const cop_crash_report **third = argument;
    for (int n = 1; n <= MANY; n++) {
        cop_spawn_opt(ends_numbered, &n, sizeof n, &(cop_spawn_options){ .link = false });
        settle();
        if (n == 3) *third = newest();
    }
}

START_TEST(the_last_64_are_kept_newest_first_and_outlive_the_run)
{
    const cop_crash_report *reports[100], *third = NULL;
    ck_assert_uint_eq(cop_crash_reports(NULL, 0), 0);
    ck_assert_int_eq(run_node(ends_many, &third), 0);
    ck_assert_uint_eq(cop_crash_reports(NULL, 0), 64);
    ck_assert_uint_eq(cop_crash_reports(reports, 100), 64);
    for (int i = 0; i < 64; i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "error:number %d", MANY - i);
        ck_assert_str_eq(reason_text(reports[i]->reason), expected);
        ck_assert_uint_eq(reports[i]->number, (uint64_t)(MANY - i));
        cop_crash_report_unref(reports[i]);
    }
    ck_assert_str_eq(reason_text(third->reason), "error:number 3");   /* who has one keeps it */
    cop_crash_report_unref(third);

    ck_assert_int_eq(run_node(sees_hidden, NULL), 0);        /* another run, other reports */
    ck_assert_uint_eq(cop_crash_reports(reports, 1), 1);
    ck_assert_uint_eq(reports[0]->number, 1);
    cop_crash_report_unref(reports[0]);
}
END_TEST

static void ends_as_it_should(void *argument)
{
    cop_exit(argument);
}

static void is_killed(void *argument)
{
    cop_exit_process(cop_parent(), cop_reason_atom("boom"));
    (void)argument;
}

static void sees_quiet_ends(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    see_end_of(ends_as_it_should, (void *)COP_SHUTDOWN);
    see_end_of(ends_as_it_should, (void *)COP_NORMAL);
    see_end_of(is_killed, NULL);
}

START_TEST(an_end_that_is_normal_or_by_a_signal_makes_no_report)
{
    ck_assert_int_eq(run_node(sees_quiet_ends, NULL), 0);
    ck_assert_uint_eq(cop_crash_reports(NULL, 0), 0);
}
END_TEST

/* ---- whatever the process left behind -------------------------------------------------- */

static void has_a_wild_label(void *argument)
{
    cop_register("wild");
    cop_set_label(argument);
    cop_send(cop_self(), note, .n = 1);
    cop_receive(COP_INFINITY);
    cop_raise("bad luck");
}

/* A type whose name was in a library that is no longer there, say. */
static void has_a_wild_message(void *argument)
{
    static cop_message_type wild = { .size = 1 };
    wild.name = argument;
    cop_register("wild");
    cop_set_label("labelled");
    cop_message *message = cop_message_new(&wild, "", 0);
    ck_assert_int_eq(cop_send_message(cop_to(cop_self()), message), 0);
    cop_receive(COP_INFINITY);
    cop_raise("bad luck");
}

/* It wrote over a message that it had. */
static void has_a_wild_type(void *argument)
{
    cop_register("wild");
    cop_send(cop_self(), note, .n = 1);
    ((cop_message *)(uintptr_t)cop_receive(COP_INFINITY))->type = argument;
    cop_raise("bad luck");
}

static void leave_wild_things(void *argument)
{
    (void)argument;
    see_end_of(has_a_wild_label, (void *)(uintptr_t)16);
    const cop_crash_report *report = newest();
    ck_assert_ptr_null(report->label);
    trace("%s", text_of(report));
    cop_crash_report_unref(report);

    see_end_of(has_a_wild_message, (void *)(uintptr_t)16);
    report = newest();
    ck_assert_str_eq(report->label, "labelled");
    trace("%s", text_of(report));
    cop_crash_report_unref(report);

    see_end_of(has_a_wild_type, (void *)(uintptr_t)16);
    report = newest();
    trace("%s", text_of(report));
    cop_crash_report_unref(report);
}

START_TEST(a_text_that_is_wild_is_missing_and_the_report_is_made)
{
    trace_reset();
    node_trace_log(true);
    ck_assert_int_eq(run_node(leave_wild_things, NULL), 0);
    trace_expect("0.000 crash wild <1.1>, handling note: error:bad luck\n"
                 "0.000 crash wild <1.1>, handling note: error:bad luck\n"
                 "  0 messages in the mailbox, 0 bytes of memory, child of <0.1>\n"
                 "0.000 crash wild <1.2>: error:bad luck\n"
                 "0.000 crash wild <1.2>: error:bad luck\n"
                 "  labelled labelled, 0 messages in the mailbox, 0 bytes of memory, "
                 "child of <0.1>\n"
                 "0.000 crash wild <1.3>: error:bad luck\n"
                 "0.000 crash wild <1.3>: error:bad luck\n"
                 "  0 messages in the mailbox, 0 bytes of memory, child of <0.1>\n");
}
END_TEST

static void crashing_sink(const cop_log_event *event, void *context)
{
    (void)context;
    ck_assert_ptr_nonnull(event->report);
    ck_assert_ptr_eq(event->report->reason, event->reason);
    crash_null_write();
}

static void raises(void *argument)
{
    (void)argument;
    cop_raise("bad luck");
}

static void sees_raise(void *argument)
{
    (void)argument;
    see_end_of(raises, NULL);
}

START_TEST(a_report_is_kept_before_the_sink_gets_it)
{
    cop_run_options options = { .deterministic = true, .log = crashing_sink };
    ck_assert_int_eq(cop_run(sees_raise, NULL, &options), 0);
    const cop_crash_report *report = newest();
    ck_assert_str_eq(reason_text(report->reason), "error:bad luck");
    cop_crash_report_unref(report);
}
END_TEST

/* ---- what its supervisor adds ---------------------------------------------------------- */

static void trace_endings(const cop_log_event *event, void *context)
{
    (void)context;
    char text[8192];
    if (event->kind != COP_LOG_SUPERVISOR) return;
    cop_log_format(event, text, sizeof text);
    trace("%llu: %s", (unsigned long long)event->restarts, text);
}

static cop_started start_raiser(const void *module, const void *argument, size_t size)
{
    (void)module;
    (void)argument;
    (void)size;
    return (cop_started){ .pid = cop_spawn_link(raises, NULL, 0) };
}

static void supervises_raiser(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { { .id = "raiser", .start = start_raiser } };
    static const cop_supervisor top = { .intensity = COP_MAX_RESTARTS(2, 5),
                                        COP_CHILDREN(children) };
    cop_trap_exit(true);
    cop_supervisor_start_link(&top);
    cop_receive_type(cop_exit_message, COP_INFINITY);
}

START_TEST(a_supervisors_report_says_how_often_the_child_was_restarted_so_far)
{
    trace_reset();
    cop_run_options options = { .deterministic = true, .log = trace_endings };
    ck_assert_int_eq(cop_run(supervises_raiser, NULL, &options), 0);
    trace_expect("0: 0.000 supervisor child_terminated raiser <2.1>: error:bad luck\n"
                 "1: 0.000 supervisor child_terminated raiser <2.2>: error:bad luck; "
                 "restarted 1 time so far\n"
                 "2: 0.000 supervisor child_terminated raiser <2.3>: error:bad luck; "
                 "restarted 2 times so far\n"
                 "0: 0.000 supervisor shutdown raiser <2.3>: reached_max_restart_intensity, "
                 "because of raiser:error:bad luck\n");
}
END_TEST

/* ---- many at once ---------------------------------------------------------------------- */

static void formatting_sink(const cop_log_event *event, void *context)
{
    (void)context;
    char text[8192];
    if (event->kind != COP_LOG_CRASH) return;
    cop_log_format(event, text, sizeof text);
    expect_that(strstr(text, "crash_null_write+0x") != NULL);
}

static void crash_at_once(void *argument)
{
    (void)argument;
    static struct way way = { .name = "x", .crash = crash_null_write };
    cop_ref refs[MANY];
    for (int i = 0; i < MANY; i++)
        cop_spawn_monitor(crashes, &way, 0, &refs[i]);
    for (int i = 0; i < MANY; i++)
        cop_receive_type(cop_down_message, COP_INFINITY);
}

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

START_TEST(processes_that_crash_at_once_are_all_reported_and_no_file_stays_open)
{
    int before = count_descriptors();
    cop_run_options options = { .schedulers = 4, .log = formatting_sink };
    ck_assert_int_eq(cop_run(crash_at_once, NULL, &options), 0);
    const cop_crash_report *report = newest();
    ck_assert_uint_eq(report->number, MANY);
    cop_crash_report_unref(report);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crash_report");
    TCase *tests = tcase_create("crash_report");
    tcase_add_test(tests, a_report_says_who_ended_why_and_in_which_circumstances);
    tcase_add_test(tests, a_text_that_does_not_fit_is_cut_off_and_its_length_told);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(tests, a_crash_has_address_registers_function_and_line);
#endif
    tcase_add_test(tests, every_kind_of_crash_is_valid_json_with_the_function_that_crashed);
    tcase_add_test(tests, the_last_64_are_kept_newest_first_and_outlive_the_run);
    tcase_add_test(tests, an_end_that_is_normal_or_by_a_signal_makes_no_report);
    tcase_add_test(tests, a_text_that_is_wild_is_missing_and_the_report_is_made);
    tcase_add_test(tests, a_report_is_kept_before_the_sink_gets_it);
    tcase_add_test(tests, a_supervisors_report_says_how_often_the_child_was_restarted_so_far);
    tcase_add_test(tests, processes_that_crash_at_once_are_all_reported_and_no_file_stays_open);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
