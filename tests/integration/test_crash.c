/* test_crash.c - native crashes are exit reasons: every kind, wherever in a process it strikes;
 * what the reason says; nothing else dies and nothing is left behind. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* ---- what the reason says ------------------------------------------------------------ */

/* Code addresses are those of the function, or a little behind its start. */
static bool is_in(const void *address, uintptr_t function)
{
    return (uintptr_t)address >= function && (uintptr_t)address < function + 400;
}

static void check_reason(const struct way *way, const cop_reason *reason)
{
    ck_assert_msg(strcmp(reason_text(reason), way->reason) == 0, "%s: %s", way->name,
                  reason_text(reason));
    ck_assert_int_eq(cop_reason_kind_of(reason), COP_REASON_CRASH);
    ck_assert(cop_reason_abnormal(reason));
    const cop_crash *crash = cop_reason_crash(reason);
    ck_assert_ptr_nonnull(crash);
    ck_assert_int_eq(crash->signal, way->signal);
    ck_assert_msg(crash->code == way->code || way->code == ANY_CODE || SANITIZED, "%s: code %d",
                  way->name, crash->code);
    ck_assert_int_eq(crash->stack_overflow, strstr(way->reason, "overflow") != NULL);
    if (way->address == (uintptr_t)way->crash)
        ck_assert_msg(is_in(crash->address, way->address), "%s: %p", way->name, crash->address);
    else if (way->address != 0 && !SANITIZED)
        ck_assert_msg(crash->address == (void *)way->address, "%s: %p", way->name, crash->address);
}

/* The function that crashed is in the backtrace and in its text. */
static void check_backtrace(const struct way *way, const cop_reason *reason)
{
    const cop_crash *crash = cop_reason_crash(reason);
    if (way->crash == crash_in_library)
        return;                      /* the library keeps no frame pointers: it hides its caller */
    ck_assert_uint_ge(crash->frames, 1);
    ck_assert_uint_le(crash->frames, COP_BACKTRACE_MAX);
    bool found = false;
    for (unsigned i = 0; i < crash->frames; i++)
        found = found || is_in(crash->backtrace[i], (uintptr_t)way->crash);
    char text[8192];
    int length = cop_reason_format_crash(reason, text, sizeof text);
    ck_assert(length > 0 && (size_t)length < sizeof text);
    ck_assert_msg(found && strstr(text, way->name) != NULL, "%s is not in:\n%s", way->name, text);
}

static void crashes(void *argument)
{
    const struct way *way = argument;
    way->crash();
    trace("%s: goes on", way->name);
}

static void crashes_in_all_ways(void *argument)
{
    (void)argument;
    for (int i = 0; i < WAYS; i++) {
        cop_ref ref;
        cop_spawn_monitor(crashes, &ways[i], 0, &ref);
        const cop_down_message *down = cop_receive_type(cop_down_message, COP_INFINITY);
        check_reason(&ways[i], down->reason);
        check_backtrace(&ways[i], down->reason);
        trace("%s: %s", ways[i].name + strlen("crash_"), reason_text(down->reason));
    }
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(every_kind_of_crash_is_a_reason_that_says_what_and_where)
{
    trace_reset();
    ck_assert_int_eq(run_node(crashes_in_all_ways, NULL), 0);
    trace_expect("null_read: crash:SIGSEGV\n"
                 "null_write: crash:SIGSEGV\n"
                 "wild_write: crash:SIGSEGV\n"
                 "non_canonical: crash:SIGSEGV\n"
                 "call_null: crash:SIGSEGV\n"
                 "call_wild: crash:SIGSEGV\n"
                 "read_only: crash:SIGSEGV\n"
                 "in_library: crash:SIGSEGV\n"
                 "past_file: crash:SIGBUS\n"
                 WAYS_TO_DIVIDE
                 "illegal: crash:SIGILL\n"
                 "breakpoint: crash:SIGTRAP\n"
                 "abort: crash:SIGABRT\n"
                 "assert: crash:assert\n"
                 "recursion: crash:stack_overflow\n"
                 "huge_array: crash:stack_overflow\n"
                 "huge_alloca: crash:stack_overflow\n");
}
END_TEST

static void report_to_trace(const cop_log_event *event, void *context)
{
    (void)context;
    ck_assert_int_eq(event->level, COP_LOG_ERROR);
    ck_assert_int_eq(event->kind, COP_LOG_CRASH);
    trace("%s reported: %s", event->label, reason_text(event->reason));
    char text[8192];
    ck_assert_int_gt(cop_log_format(event, text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, event->label));       /* the label is the function's name */
}

static void crashes_with_label(void *argument)
{
    const struct way *way = argument;
    cop_set_label(way->name);
    crashes(argument);
}

static void crashes_with_reports(void *argument)
{
    (void)argument;
    for (int i = 0; i < WAYS; i++) {
        trace_reset();
        trace_end_of("it", crashes_with_label, (void *)&ways[i]);
        char expected[200];
        snprintf(expected, sizeof expected, "%s reported: %s\nit down: %s\n", ways[i].name,
                 ways[i].reason, ways[i].reason);
        ck_assert_str_eq(trace_text(), expected);
    }
}

START_TEST(every_crash_is_reported_once_before_anybody_hears_of_it)
{
    ck_assert_int_eq(cop_run(crashes_with_reports, NULL,
                             &(cop_run_options){ .deterministic = true, .log = report_to_trace }),
                     0);
}
END_TEST

static void reads_an_assertion(void *argument)
{
    (void)argument;
    cop_ref ref;
    static const struct way way = { .crash = crash_assert };
    cop_spawn_monitor(crashes, &way, 0, &ref);
    const cop_down_message *down = cop_receive_type(cop_down_message, COP_INFINITY);
    const char *text = cop_reason_crash(down->reason)->assertion;
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(strstr(text, "sink == 42 && \"the answer\""));
    ck_assert_ptr_nonnull(strstr(text, "ways_to_crash.c:"));
    ck_assert_ptr_nonnull(strstr(text, "crash_assert"));
    trace("%.26s", text);
}

START_TEST(a_failed_assertion_has_its_text_file_line_and_function)
{
    trace_reset();
    ck_assert_int_eq(run_node(reads_an_assertion, NULL), 0);
    trace_expect("sink == 42 && \"the answer\"\n");
}
END_TEST

/* ---- wherever it strikes ------------------------------------------------------------- */

static void handler_crashes(void *state, cop_message *message)
{
    (void)message;
    crashes(state);
}

static void crashes_in_handler(void *argument)
{
    cop_become(handler_crashes, argument);
}

static void handler_crashes_after_blocking(void *state, cop_message *message)
{
    ck_assert(cop_is(message, go));
    cop_sleep(5);
    crashes(state);
}

static void crashes_in_blocking_handler(void *argument)
{
    cop_become(handler_crashes_after_blocking, argument);
}

static void crashes_after_blocking(void *argument)
{
    cop_sleep(5);
    cop_yield();
    cop_receive_type(go, COP_INFINITY);
    crashes(argument);
}

static void deferred_crashes(void *argument)
{
    crashes(argument);
}

static void trace_deferred(void *argument)
{
    trace("    %s", (const char *)argument);
}

static void crashes_with_deferred(void *argument)
{
    cop_defer(trace_deferred, "older action");
    cop_defer(deferred_crashes, argument);
    cop_defer(trace_deferred, "newer action");
    cop_receive_type(go, COP_INFINITY);
    crashes(argument);
}

static void crashes_in_deferred(void *argument)
{
    cop_defer(trace_deferred, "older action");
    cop_defer(deferred_crashes, argument);
    cop_receive_type(go, COP_INFINITY);
    cop_exit(cop_reason_atom("done"));
}

struct place {
    const char *name;
    cop_function *function;
    bool deferred;           /* the crash is not the first reason */
};

static const struct place places[] = {
    { "in a handler", crashes_in_handler, false },
    { "in a handler that has blocked", crashes_in_blocking_handler, false },
    { "after blocking", crashes_after_blocking, false },
    { "with deferred actions, one of which crashes too", crashes_with_deferred, false },
    { "in a deferred action", crashes_in_deferred, true },
};
enum { PLACES = sizeof places / sizeof *places };

static void is_bystander(void *argument)
{
    (void)argument;
    for (int n = 0;; n++) ck_assert_int_eq(cop_receive_type(note, COP_INFINITY)->n, n);
}

static void crashes_everywhere(void *argument)
{
    const struct way *way = argument;
    cop_pid bystander = cop_spawn_link(is_bystander, NULL, 0);
    for (int i = 0; i < PLACES; i++) {
        trace("%s", places[i].name);
        cop_ref ref;
        cop_pid pid = cop_spawn_monitor(places[i].function, way, 0, &ref);
        cop_send(pid, go);
        const cop_down_message *down = cop_receive_type(cop_down_message, COP_INFINITY);
        if (places[i].deferred)
            ck_assert_str_eq(reason_text(down->reason), "done");
        else
            check_reason(way, down->reason);
        cop_send(bystander, note, .n = i);
        settle();
    }
    ck_assert(cop_is_alive(bystander));
    ck_assert_uint_eq(cop_process_count(), 2);
}

START_TEST(a_crash_is_contained_wherever_in_a_process_it_strikes)
{
    const struct way *way = &ways[_i];
    trace_reset();
    ck_assert_int_eq(run_node(crashes_everywhere, (void *)way), 0);
    trace_expect("in a handler\n"
                 "in a handler that has blocked\n"
                 "after blocking\n"
                 "with deferred actions, one of which crashes too\n"
                 "    newer action\n"
                 "    older action\n"
                 "in a deferred action\n"
                 "    older action\n");
}
END_TEST

/* ---- nothing is left behind ---------------------------------------------------------- */

static int count_entries(const char *directory)
{
    DIR *dir = opendir(directory);
    ck_assert_ptr_nonnull(dir);
    int count = 0;
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    ck_assert_int_gt(kib, 0);
    return kib;
}

/* Owns a bit of everything when it crashes. */
static void owns_and_crashes(void *argument)
{
    memset(cop_alloc(3000), 1, 3000);
    cop_alloc(100000);
    cop_register("victim");
    cop_send_after(cop_self(), 1000, note, .n = 1);
    cop_send(cop_self(), note, .n = 2);
    cop_send(cop_self(), note, .n = 3);
    cop_receive(COP_INFINITY);
    cop_take(NULL, COP_INFINITY);
    cop_message *unsent = cop_new(note, .n = 4);
    ck_assert_ptr_nonnull(unsent);
    cop_monitor(cop_parent());
    cop_alias(COP_ALIAS_EXPLICIT);
    crashes(argument);
}

static void crash_in_a_row(const struct way *way, int count)
{
    for (int i = 0; i < count; i++) {
        cop_ref ref;
        cop_spawn_monitor(owns_and_crashes, way, 0, &ref);
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
        ck_assert(cop_pid_is_none(cop_whereis("victim")));
    }
}

enum { IN_A_ROW = SANITIZED ? 100 : 1000, SLACK_KIB = 512 };

static void crashes_a_thousand_times(void *argument)
{
    const struct way *way = argument;
    int rounds = way->crash == crash_past_file ? 100 : IN_A_ROW;
    crash_in_a_row(way, 50);
    int files = count_entries("/proc/self/fd"), threads = count_entries("/proc/self/task");
    long memory = resident_kib();
    crash_in_a_row(way, rounds);
    ck_assert_int_eq(count_entries("/proc/self/fd"), files);
    ck_assert_int_eq(count_entries("/proc/self/task"), threads);
    ck_assert_uint_eq(cop_process_count(), 1);
    expect_empty_mailbox();
    /* A sanitizer keeps what was freed for a while. */
    if (!SANITIZED)
        ck_assert_msg(resident_kib() <= memory + SLACK_KIB, "%s: %ld KiB, then %ld KiB", way->name,
                      memory, resident_kib());
}

START_TEST(a_thousand_crashes_in_a_row_leave_nothing_behind)
{
    ck_assert_int_eq(run_node(crashes_a_thousand_times, (void *)&ways[_i]), 0);
}
END_TEST

static Suite *crash_suite(void)
{
    Suite *suite = suite_create("crash");
    TCase *tests = tcase_create("crash");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_kind_of_crash_is_a_reason_that_says_what_and_where);
    tcase_add_test(tests, every_crash_is_reported_once_before_anybody_hears_of_it);
    tcase_add_test(tests, a_failed_assertion_has_its_text_file_line_and_function);
    tcase_add_loop_test(tests, a_crash_is_contained_wherever_in_a_process_it_strikes, 0, WAYS);
    tcase_add_loop_test(tests, a_thousand_crashes_in_a_row_leave_nothing_behind, 0, WAYS);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(crash_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
