/* test_exits.c - exit and its like: in a process they are its end, elsewhere the program's; and a
 * failed assertion of Check's, which calls one of them, is a failure wherever it was made. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include "guarded.h"
#include "node.h"
#include "platform/sanitizer.h"
#include "trace.h"
#include "watch.h"

#ifdef COPI_ASAN
#include <sanitizer/lsan_interface.h>

/* It looks at the stack on which exit is called: on a process's it takes all that main has for
 * leaked. */
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

/* ---- in a process ------------------------------------------------------------------------ */

struct call {
    void (*function)(int status);
    int status;
};

/* Not static, and with something left to do, so that it is in the backtrace. */
__attribute__((noinline)) void library_that_gives_up(const struct call *call);
__attribute__((noinline)) void library_that_gives_up(const struct call *call)
{
    void (*volatile function)(int) = call->function;
    function(call->status);
    trace("goes on");
}

static void exits(void *argument)
{
    cop_exit_ends_program(false);
    library_that_gives_up(argument);
}

static void thread_exit(int status)
{
    (void)status;
    pthread_exit(NULL);
}

static const struct call calls[] = {
    { exit, 7 }, { _exit, 7 }, { _Exit, 7 }, { quick_exit, 7 },
    { exit, 0 }, { exit, 1 }, { _exit, -1 }, { exit, 255 }, { quick_exit, 256 },
    { thread_exit, 0 }, { thrd_exit, 2 },
};

static void check_what_is_known(const cop_down_message *down)
{
    const cop_crash *crash = cop_reason_crash(down->reason);
    char text[8192];
    const cop_crash_report *report;
    ck_assert(cop_reason_abnormal(down->reason));
    ck_assert_ptr_nonnull(crash);
    ck_assert_ptr_nonnull(crash->exit_function);
    ck_assert_int_eq(crash->signal, 0);
    ck_assert_uint_eq(crash->registers, 0);
    ck_assert_int_gt(cop_reason_format_crash(down->reason, text, sizeof text), 0);
    ck_assert_msg(strncmp(text, "called ", 7) == 0 && strstr(text, "library_that_gives_up+"), "%s",
                  text);
    ck_assert_uint_ge(cop_crash_reports(&report, 1), 1);
    ck_assert_int_gt(cop_crash_report_json(report, text, sizeof text), 0);
    ck_assert_msg(strstr(text, "\"signal\":null,\"code\":0,") &&
                  strstr(text, "\"exit_function\":\"") && strstr(text, "\"exit_status\":"), "%s",
                  text);
    cop_crash_report_unref(report);
}

static void exits_in_all_ways(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        cop_ref ref;
        cop_spawn_monitor(exits, &calls[i], 0, &ref);
        const cop_down_message *down = cop_receive_type(cop_down_message, COP_INFINITY);
        cop_exit_ends_program(true);
        check_what_is_known(down);
        ck_assert_int_eq(cop_reason_crash(down->reason)->exit_status, calls[i].status & 255);
        trace("%s", reason_text(down->reason));
    }
    ck_assert_uint_eq(cop_process_count(), 1);
}

static void is_not_called(void)
{
    trace("an atexit function runs");
}

START_TEST(a_call_of_exit_ends_its_process_abnormally_whatever_the_status)
{
    trace_reset();
    atexit(is_not_called);
    ck_assert_int_eq(run_node(exits_in_all_ways, NULL), 0);
    trace_expect("crash:exit(7)\n"
                 "crash:_exit(7)\n"
                 "crash:_Exit(7)\n"
                 "crash:quick_exit(7)\n"
                 "crash:exit(0)\n"
                 "crash:exit(1)\n"
                 "crash:_exit(255)\n"
                 "crash:exit(255)\n"
                 "crash:quick_exit(0)\n"
                 "crash:pthread_exit(0)\n"
                 "crash:thrd_exit(2)\n");
}
END_TEST

START_TEST(the_first_process_too_and_the_run_returns_that_it_ended_abnormally)
{
    ck_assert_int_eq(run_node(exits, (void *)&calls[4]), COP_EDOWN);
    ck_assert_int_eq(run_node_threads(exits, (void *)&calls[0], 2), COP_EDOWN);
}
END_TEST

COP_MESSAGE(go, COP_EMPTY);

static cop_next starts(void *state, const void *argument)
{
    (void)state, (void)argument;
    trace("starts");
    return cop_ok();
}

static cop_next exits_with_zero(void *state, const cop_message *message)
{
    (void)state, (void)message;
    exits((void *)&calls[4]);
    return cop_noreply();
}

static const cop_gen_server quitter = { .name = "quitter", .init = starts,
                                        .handle_info = exits_with_zero };

static void supervises_a_quitter(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = { COP_CHILD_SERVER(quitter, .restart = COP_TRANSIENT) };
    const cop_supervisor top = { COP_CHILDREN(children) };
    cop_must_start(cop_supervisor_start_link(&top));
    cop_send("quitter", go);
    settle();
    cop_exit_ends_program(true);
    trace("alive: %s", cop_pid_is_none(cop_whereis("quitter")) ? "no" : "yes");
}

START_TEST(exit_with_zero_is_no_normal_end_a_transient_child_is_started_again)
{
    trace_reset();
    ck_assert_int_eq(run_node(supervises_a_quitter, NULL), 0);
    trace_expect("starts\nstarts\nalive: yes\n");
}
END_TEST

static void exits_deferred(void *argument)
{
    cop_defer(exits, argument);
    cop_raise("first");
}

static void sees_a_deferred_exit(void *argument)
{
    trace_end_of("it", exits_deferred, argument);
    cop_exit_ends_program(true);
}

START_TEST(in_a_deferred_action_it_ends_that_action_and_the_first_reason_stays)
{
    trace_reset();
    ck_assert_int_eq(run_node(sees_a_deferred_exit, (void *)&calls[0]), 0);
    trace_expect("it down: error:first\n");
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------- */

static void *ends_by_pthread_exit(void *argument)
{
    pthread_exit(argument);
}

static int ends_by_thrd_exit(void *argument)
{
    thrd_exit((int)(intptr_t)argument);
}

static void has_threads(void *argument)
{
    pthread_t posix;
    thrd_t c11;
    void *result;
    int status = -5;
    ck_assert_int_eq(pthread_create(&posix, NULL, ends_by_pthread_exit, argument), 0);
    pthread_join(posix, &result);
    ck_assert_ptr_eq(result, argument);
#ifndef COPI_TSAN                        /* which knows nothing of threads of this kind */
    ck_assert_int_eq(thrd_create(&c11, ends_by_thrd_exit, (void *)-5), thrd_success);
    thrd_join(c11, &status);
#else
    (void)c11, (void)ends_by_thrd_exit;
#endif
    ck_assert_int_eq(status, -5);
}

START_TEST(a_thread_of_the_programs_own_ends_itself_as_ever)
{
    ck_assert_int_eq(run_node(has_threads, (void *)calls), 0);
}
END_TEST

/* ---- the program ------------------------------------------------------------------------- */

static void last_act(void)
{
    says("an atexit function ran");
}

static void first_exit(void *argument)
{
    const struct call *call = argument;
    call->function(call->status);
}

static int exits_before(void *argument)
{
    cop_exit_ends_program(false);
    atexit(last_act);
    at_quick_exit(last_act);
    first_exit(argument);
    return 99;
}

static void returns(void *argument)
{
    (void)argument;
}

static int exits_after(void *argument)
{
    if (run_node_threads(returns, NULL, 2) != 0) return 98;
    return exits_before(argument);
}

static void *thread_exits(void *argument)
{
    first_exit(argument);
    return NULL;
}

static void has_a_thread_that_exits(void *argument)
{
    pthread_t thread;
    pthread_create(&thread, NULL, thread_exits, argument);
    cop_receive(COP_INFINITY);
}

static void calls_a_blocking_function_that_exits(void *argument)
{
    cop_blocking(first_exit, argument, 0);
}

static void has_a_handler_that_exits(void *argument);

static void runs(cop_function *function, void *argument)
{
    cop_exit_ends_program(false);
    atexit(last_act);
    at_quick_exit(last_act);
    run_node_threads(function, argument, 2);
}

static int exits_in_a_thread(void *argument)
{
    runs(has_a_thread_that_exits, argument);
    return 99;
}

static int exits_in_a_blocking_function(void *argument)
{
    runs(calls_a_blocking_function_that_exits, argument);
    return 99;
}

static int exits_in_a_handler(void *argument)
{
    runs(has_a_handler_that_exits, argument);
    return 99;
}

static int exits_in_a_process_that_may(void *argument)
{
    cop_exit_ends_program(true);
    atexit(last_act);
    at_quick_exit(last_act);
    run_node_threads(first_exit, argument, 2);
    return 99;
}

static const struct call *handler_call;

static void handle(int signal)
{
    (void)signal;
    handler_call->function(handler_call->status);
}

static void has_a_handler_that_exits(void *argument)
{
    handler_call = argument;
    signal(SIGUSR1, handle);
    raise(SIGUSR1);
}

static void expect_end(program_main *program, const struct call *call, const char *said)
{
    struct program started = program_start(program, (void *)call);
    expect_rest(started.said, said);
    expect_rest(started.err, "");
    expect_status(started, call->status);
}

START_TEST(outside_of_a_process_it_ends_the_program_as_C_says)
{
    static program_main *const places[] = { exits_before, exits_after, exits_in_a_thread,
                                            exits_in_a_blocking_function, exits_in_a_handler,
                                            exits_in_a_process_that_may };
    static const char ran[] = "an atexit function ran\n";
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        expect_end(places[i], &calls[0], ran);
        expect_end(places[i], &calls[1], "");
        expect_end(places[i], &calls[2], "");
        expect_end(places[i], &calls[3], ran);
        expect_end(places[i], &calls[4], ran);
    }
}
END_TEST

static int child_status(pid_t child)
{
    int status;
    ck_assert_int_gt(child, 0);
    while (waitpid(child, &status, 0) == -1) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Not to be inlined: what follows vfork must not change its caller's frame. */
__attribute__((noinline)) static pid_t vfork_that_exits(void)
{
    pid_t child = vfork();
    if (child == 0) _exit(5);
    return child;
}

static void has_children(void *argument)
{
    (void)argument;
    cop_exit_ends_program(false);
    pid_t child = fork();
    if (child == 0) _exit(4);
    trace("fork: %d", child_status(child));
    trace("vfork: %d", child_status(vfork_that_exits()));
    cop_exit_ends_program(true);
}

START_TEST(in_a_child_of_fork_or_vfork_it_ends_that_child)
{
    trace_reset();
    ck_assert_int_eq(run_node(has_children, NULL), 0);
    trace_expect("fork: 4\nvfork: 5\n");
}
END_TEST

START_TEST(whether_it_may_is_said_and_returned)
{
    ck_assert(cop_exit_ends_program(false));             /* tests/lib has turned it on */
    ck_assert(!cop_exit_ends_program(false));
    ck_assert(!cop_exit_ends_program(true));
    ck_assert(cop_exit_ends_program(true));
}
END_TEST

/* ---- Check ------------------------------------------------------------------------------- */

static void fails(void *argument)
{
    ck_assert_msg(argument != NULL, "on purpose");
}

static void fails_in_another(void *argument)
{
    trace_end_of("it", fails, argument);
}

static void fails_deferred(void *argument)
{
    cop_defer(fails, argument);
}

/* The tests of the inner program: all of them are to fail with its message. */
START_TEST(fails_in_the_first_process)
{
    run_node(fails, NULL);
}
END_TEST

START_TEST(fails_in_another_process)
{
    run_node(fails_in_another, NULL);
}
END_TEST

START_TEST(fails_in_a_deferred_action)
{
    run_node(fails_deferred, NULL);
}
END_TEST

START_TEST(fails_on_a_scheduler_thread)
{
    run_node_threads(fails_in_another, NULL, 4);
}
END_TEST

START_TEST(does_not_fail)
{
    run_node(fails, (void *)1);
}
END_TEST

/* A program of Check's own; its status says how many failed as they should. */
static int tests_that_fail(void *argument)
{
    (void)argument;
    unsetenv("CK_TAP_LOG_FILE_NAME");
    Suite *suite = suite_create("inner");
    TCase *all = tcase_create("all");
    tcase_add_test(all, fails_in_the_first_process);
    tcase_add_test(all, fails_in_another_process);
    tcase_add_test(all, fails_in_a_deferred_action);
    tcase_add_test(all, fails_on_a_scheduler_thread);
    tcase_add_test(all, does_not_fail);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    int count = srunner_ntests_failed(runner);
    TestResult **failures = srunner_failures(runner);
    for (int i = 0; i < count; i++)
        says("%d %s", tr_rtype(failures[i]), tr_msg(failures[i]));
    int passed = srunner_ntests_run(runner) - count;
    free(failures);
    srunner_free(runner);
    return passed;
}

START_TEST(an_assertion_that_fails_in_a_process_fails_the_test)
{
    char failure[32];
    snprintf(failure, sizeof failure, "%d on purpose", CK_FAILURE);
    struct program program = program_start(tests_that_fail, NULL);
    for (int i = 0; i < 4; i++) expect_line(program.said, failure);
    expect_rest(program.said, "");
    expect_rest(program.err, "");
    expect_status(program, 1);
}
END_TEST

static Suite *exits_suite(void)
{
    Suite *suite = suite_create("exits");
    TCase *processes = tcase_create("in a process");
    tcase_add_test(processes, a_call_of_exit_ends_its_process_abnormally_whatever_the_status);
    tcase_add_test(processes, the_first_process_too_and_the_run_returns_that_it_ended_abnormally);
    tcase_add_test(processes,
                   exit_with_zero_is_no_normal_end_a_transient_child_is_started_again);
    tcase_add_test(processes, in_a_deferred_action_it_ends_that_action_and_the_first_reason_stays);
    tcase_add_test(processes, a_thread_of_the_programs_own_ends_itself_as_ever);
    suite_add_tcase(suite, processes);
    TCase *programs = tcase_create("the program");
    tcase_add_test(programs, outside_of_a_process_it_ends_the_program_as_C_says);
    tcase_add_test(programs, in_a_child_of_fork_or_vfork_it_ends_that_child);
    tcase_add_test(programs, whether_it_may_is_said_and_returned);
    tcase_add_test(programs, an_assertion_that_fails_in_a_process_fails_the_test);
    suite_add_tcase(suite, programs);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(exits_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
