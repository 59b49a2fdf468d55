/* test_blocking.c - functions that block, on threads of their own.
 *
 * A function that is to be seen in the middle waits at the gate; nothing here
 * sleeps. */
#include <coppice/coppice.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(note, { int n; });

static sem_t gate;
static cop_pid story;

static void expect_story_on(int schedulers, cop_function *function, const char *expected)
{
    trace_reset();
    sem_init(&gate, 0, 0);
    ck_assert_int_eq(schedulers == 0 ? run_node(function, NULL)
                                     : run_node_threads(function, NULL, schedulers), 0);
    trace_expect(expected);
}

static void wait_for_note(int n)
{
    const note *next = cop_receive_type(note, COP_INFINITY);
    ck_assert_int_eq(next->n, n);
}

struct job {
    int n, result;
    bool at_gate;
};

/* Tells the story when it begins, and waits at the gate. */
static void doubles(void *argument)
{
    struct job *job = argument;
    ck_assert(cop_pid_is_none(cop_self()));
    cop_send(story, note, .n = job->n);
    if (job->at_gate) sem_wait(&gate);
    job->result = 2 * job->n;
    trace("function %d returns", job->n);
}

static void gives_back(void *argument)
{
    const struct job *job = argument;
    trace("given back: %d", job->result);
    cop_send(story, note, .n = job->result);
}

/* A process that has its job done. */
static void calls(void *argument)
{
    struct job *job = argument;
    int error = cop_blocking_within(doubles, job, sizeof *job, COP_INFINITY, gives_back);
    trace("%d: %s, %d", job->n, cop_error_name(error), job->result);
}

static cop_pid call(int n, bool at_gate, cop_ref *ret_ref)
{
    struct job job = { .n = n, .at_gate = at_gate };
    return cop_spawn_monitor(calls, &job, sizeof job, ret_ref);
}

/* ---- a call ---------------------------------------------------------------------------- */

static void goes_on_meanwhile(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_ref ref;
    call(1, true, &ref);
    wait_for_note(1);
    trace("the function has begun");
    cop_yield();
    trace("others go on");
    sem_post(&gate);
    trace_down("caller", ref);
}

START_TEST(a_function_that_blocks_keeps_its_caller_waiting_and_nobody_else)
{
    expect_story_on(1 + _i, goes_on_meanwhile, "the function has begun\n"
                                               "others go on\n"
                                               "function 1 returns\n"
                                               "1: ok, 2\n"
                                               "caller down: normal\n");
}
END_TEST

static void increments(void *argument)
{
    ++*(int *)argument;
}

static void passes_arguments(void *argument)
{
    (void)argument;
    char big[5000];
    memset(big, 'x', sizeof big);
    static int shared = 5;
    int mine = 10;
    ck_assert_int_eq(cop_blocking(increments, &mine, sizeof mine), 0);
    ck_assert_int_eq(cop_blocking(increments, &shared, 0), 0);
    ck_assert_int_eq(cop_blocking(increments, big, sizeof big), 0);
    trace("%d %d %c%c", mine, shared, big[0], big[sizeof big - 1]);
    ck_assert_int_eq(cop_blocking(NULL, &mine, sizeof mine), COP_EINVAL);
}

static void passes_a_bad_one(void *argument)
{
    (void)argument;
    cop_blocking(increments, (void *)8, 100);
}

static void passes_all_arguments(void *argument)
{
    (void)argument;
    trace_end_of("good", passes_arguments, NULL);
    trace_end_of("bad", passes_a_bad_one, NULL);
}

START_TEST(the_argument_is_copied_there_and_back_or_is_the_callers_own)
{
    expect_story_on(_i, passes_all_arguments, "11 6 yx\n"
                                              "good down: normal\n"
                                              "bad down: crash:SIGSEGV\n");
}
END_TEST

static void calls_in_the_end(void *argument)
{
    trace("    calls");
    cop_blocking(increments, argument, 0);
    trace("    has called");
}

static void ends_with_a_call(void *argument)
{
    (void)argument;
    static int n;
    cop_defer(calls_in_the_end, &n);
}

static void watches_the_end(void *argument)
{
    (void)argument;
    trace_end_of("it", ends_with_a_call, NULL);
}

START_TEST(a_deferred_action_that_would_wait_for_a_function_ends)
{
    expect_story_on(_i, watches_the_end, "    calls\n"
                                         "it down: normal\n");
}
END_TEST

/* ---- a caller that goes ---------------------------------------------------------------- */

static void is_killed(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_ref ref;
    cop_pid caller = call(1, true, &ref);
    wait_for_note(1);
    cop_exit_process(caller, COP_KILL);
    trace_down("caller", ref);
    sem_post(&gate);
    wait_for_note(2);
}

START_TEST(a_killed_caller_is_down_at_once_and_what_its_function_got_is_given_back)
{
    expect_story_on(1 + _i, is_killed, "caller down: killed\n"
                                       "function 1 returns\n"
                                       "given back: 2\n");
}
END_TEST

static void posts(void *argument)
{
    (void)argument;
    sem_post(&gate);
}

static void times_out(void *argument)
{
    (void)argument;
    story = cop_self();
    struct job job = { .n = 3, .result = -1, .at_gate = true };
    int error = cop_blocking_within(doubles, &job, sizeof job, 100, gives_back);
    trace("%s, %d", cop_error_name(error), job.result);
    wait_for_note(3);
    sem_post(&gate);
    wait_for_note(6);
    ck_assert_int_eq(cop_blocking(posts, NULL, 0), 0);
    error = cop_blocking_within(doubles, &job, sizeof job, 60000, gives_back);
    trace("%s, %d", cop_error_name(error), job.result);
    wait_for_note(3);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_caller_whose_time_is_over_goes_on_without_the_result)
{
    expect_story_on(1 + _i, times_out, "timeout, -1\n"
                                       "function 3 returns\n"
                                       "given back: 6\n"
                                       "function 3 returns\n"
                                       "ok, 6\n");
}
END_TEST

/* ---- the pool -------------------------------------------------------------------------- */

static int run_with(cop_function *function, cop_run_options options)
{
    trace_reset();
    sem_init(&gate, 0, 0);
    return cop_run(function, NULL, &options);
}

/* All but the first wait for the pool's one thread; the third is killed there. */
static void queues(void *argument)
{
    (void)argument;
    story = cop_self();
    enum { CALLERS = 5 };
    cop_pid callers[CALLERS];
    cop_ref refs[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = call(i, i == 0, &refs[i]);
        cop_yield();
    }
    wait_for_note(0);
    cop_exit_process(callers[2], COP_KILL);
    trace_down("third", refs[2]);
    sem_post(&gate);
    for (int i = 0; i < CALLERS; i++)
        if (i != 2) cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
}

START_TEST(when_all_threads_are_busy_calls_wait_in_order_and_the_killed_never_run)
{
    ck_assert_int_eq(run_with(queues, (cop_run_options){ .schedulers = 1,
                                                         .blocking_threads = 1 }), 0);
    char functions[256] = "";
    for (const char *line = trace_text(); *line != '\0'; line = strchr(line, '\n') + 1)
        if (strncmp(line, "function", 8) == 0)
            strncat(functions, line, (size_t)(strchr(line, '\n') + 1 - line));
    ck_assert_str_eq(functions, "function 0 returns\n"
                                "function 1 returns\n"
                                "function 3 returns\n"
                                "function 4 returns\n");
    ck_assert_ptr_nonnull(strstr(trace_text(), "third down: killed\nfunction 0 returns\n"));
}
END_TEST

static pthread_barrier_t barrier;

/* Returns only when all of them are here at the same time. */
static void meets(void *argument)
{
    (void)argument;
    pthread_barrier_wait(&barrier);
}

static void calls_to_meet(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_blocking(meets, NULL, 0), 0);
}

static void meet(void *argument)
{
    (void)argument;
    enum { GUESTS = 10 };
    pthread_barrier_init(&barrier, NULL, GUESTS);
    for (int round = 0; round < 20; round++) {
        cop_ref refs[GUESTS];
        for (int i = 0; i < GUESTS; i++) cop_spawn_monitor(calls_to_meet, NULL, 0, &refs[i]);
        for (int i = 0; i < GUESTS; i++)
            cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
    }
    trace("all have met");
}

START_TEST(as_many_functions_run_at_once_as_there_may_be_threads)
{
    ck_assert_int_eq(run_with(meet, (cop_run_options){ .schedulers = 2,
                                                       .blocking_threads = 10 }), 0);
    trace_expect("all have met\n");
}
END_TEST

static void nothing(void *argument)
{
    (void)argument;
}

START_TEST(a_wrong_number_of_threads_or_time_is_refused)
{
    ck_assert_int_eq(run_with(nothing, (cop_run_options){ .blocking_threads = -1 }), COP_EINVAL);
    ck_assert_int_eq(run_with(nothing, (cop_run_options){ .blocking_threads = 5000 }), COP_EINVAL);
    ck_assert_int_eq(run_with(nothing, (cop_run_options){ .blocking_wait_ms = -2 }), COP_EINVAL);
}
END_TEST

static void looks_at_its_signals(void *argument)
{
    (void)argument;
    sigset_t masked;
    pthread_sigmask(SIG_SETMASK, NULL, &masked);
    trace("SIGUSR1 %d, SIGTERM %d, SIGPROF %d, SIGSEGV %d, SIGABRT %d",
          sigismember(&masked, SIGUSR1), sigismember(&masked, SIGTERM),
          sigismember(&masked, SIGPROF), sigismember(&masked, SIGSEGV),
          sigismember(&masked, SIGABRT));
}

static void has_signals_looked_at(void *argument)
{
    (void)argument;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    cop_blocking(looks_at_its_signals, NULL, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 65; i++)
        expect_that(sigismember(&before, i) == sigismember(&after, i));
}

START_TEST(the_programs_signals_do_not_reach_a_blocking_thread)
{
    expect_story_on(_i, has_signals_looked_at, "SIGUSR1 1, SIGTERM 1, SIGPROF 1, SIGSEGV 0, "
                                               "SIGABRT 0\n");
}
END_TEST

/* ---- a deterministic run --------------------------------------------------------------- */

static void bystander(void *argument)
{
    (void)argument;
    for (int i = 0; i < 4; i++) {
        trace("    bystander's turn");
        cop_yield();
    }
}

static void calls_deterministically(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_spawn(bystander, NULL, 0);
    int64_t start_ns = cop_now_ns();
    struct job job = { .n = 7 };
    trace("calls");
    ck_assert_int_eq(cop_blocking_within(doubles, &job, sizeof job, 1, NULL), 0);
    trace("has %d", job.result);
    ck_assert_int_eq(cop_now_ns() - start_ns, 0);
}

START_TEST(in_a_deterministic_run_others_have_a_turn_before_and_after_the_function)
{
    for (int i = 0; i < 20; i++)
        expect_story_on(0, calls_deterministically, "calls\n"
                                                    "    bystander's turn\n"
                                                    "function 7 returns\n"
                                                    "    bystander's turn\n"
                                                    "has 14\n");
}
END_TEST

static void kills(void *victim)
{
    cop_exit_process(*(cop_pid *)victim, COP_KILL);
}

static void kills_after_a_turn(void *victim)
{
    cop_yield();
    kills(victim);
}

static void is_killed_before_and_after(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_ref ref;
    cop_pid caller = call(1, false, &ref);
    cop_spawn(kills, &caller, sizeof caller);
    trace_down("first", ref);
    caller = call(2, false, &ref);
    cop_spawn(kills_after_a_turn, &caller, sizeof caller);
    trace_down("second", ref);
}

START_TEST(in_a_deterministic_run_too_a_caller_may_be_killed_before_and_after)
{
    expect_story_on(0, is_killed_before_and_after, "first down: killed\n"
                                                   "function 2 returns\n"
                                                   "given back: 4\n"
                                                   "second down: killed\n");
}
END_TEST

static void crashes(void *argument)
{
    (void)argument;
    trace("crashes while it gives back");
    *(volatile int *)NULL = 1;
}

static void is_given_back_badly(void *argument)
{
    (void)argument;
    struct job job = { .n = 1 };
    story = cop_parent();
    cop_blocking_within(doubles, &job, sizeof job, COP_INFINITY, crashes);
}

static void kills_one_that_is_given_back_badly(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid caller = cop_spawn_monitor(is_given_back_badly, NULL, 0, &ref);
    cop_spawn(kills_after_a_turn, &caller, sizeof caller);
    trace_down("caller", ref);
}

START_TEST(a_crash_while_a_dead_callers_result_is_given_back_is_contained_in_its_end)
{
    expect_story_on(0, kills_one_that_is_given_back_badly, "function 1 returns\n"
                                                           "crashes while it gives back\n"
                                                           "caller down: killed\n");
}
END_TEST

/* ---- the end of the node --------------------------------------------------------------- */

static void log_text(const cop_log_event *event, void *context)
{
    (void)context;
    trace("%s", event->text);
}

static int pipe_ends[2];

static void reads_to_the_end(void *argument)
{
    (void)argument;
    char byte;
    cop_send(story, note, .n = 1);
    ck_assert_int_eq(read(pipe_ends[0], &byte, 1), 0);
    for (int i = 0; i < 1000; i++) sched_yield();       /* it has still something to do */
    trace("the pipe was closed");
}

static void owns_the_pipe(void *argument)
{
    (void)argument;
    cop_own_fd(pipe_ends[1]);
    cop_blocking(reads_to_the_end, NULL, 0);
}

static void leaves_a_function_behind(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_spawn(owns_the_pipe, NULL, 0);
    wait_for_note(1);
    trace("the node ends");
}

START_TEST(the_end_of_the_node_waits_for_functions_that_return)
{
    static const int64_t waits[] = { 0, COP_INFINITY };
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_eq(run_with(leaves_a_function_behind,
                              (cop_run_options){ .blocking_wait_ms = waits[_i],
                                                 .log = log_text }), 0);
    trace_expect("the node ends\n"
                 "the pipe was closed\n");
    ck_assert_int_eq(fcntl(pipe_ends[1], F_GETFD), -1);
}
END_TEST

static sem_t last_one_done;

static void stays_at_the_gate(void *argument)
{
    *(int *)argument = 5;
    cop_send(story, note, .n = 1);
    sem_wait(&gate);
}

static void is_the_last(void *argument)
{
    trace("given back: %d", *(int *)argument);
    sem_post(&last_one_done);
}

static void never_gets_an_answer(void *argument)
{
    (void)argument;
    int n = 1;
    cop_blocking_within(stays_at_the_gate, &n, sizeof n, COP_INFINITY, is_the_last);
}

static void leaves_one_that_never_returns(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_spawn(never_gets_an_answer, NULL, 0);
    wait_for_note(1);
}

START_TEST(the_node_ends_without_a_function_that_never_returns_and_says_so)
{
    sem_init(&last_one_done, 0, 0);
    ck_assert_int_eq(run_with(leaves_one_that_never_returns,
                              (cop_run_options){ .blocking_wait_ms = 1, .log = log_text }), 0);
    trace_expect("1 blocking function has not returned: the node ends without it\n");

    trace_reset();
    ck_assert_int_eq(run_node_threads(meet, NULL, 2), 0);    /* with the old thread still there */
    sem_post(&gate);
    ck_assert_int_eq(sem_wait(&last_one_done), 0);
    trace_expect("all have met\n"
                 "given back: 5\n");
}
END_TEST

/* ---- what ends the node ---------------------------------------------------------------- */

static void writes_to_null(void *argument)
{
    (void)argument;
    *(volatile int *)NULL = 1;
}

static void aborts(void *argument)
{
    (void)argument;
    abort();
}

static int overflow(volatile int depth)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    return depth == -1 ? 0 : overflow(depth + 1) + frame[0];
}

static void overflows(void *argument)
{
    *(int *)argument = overflow(0);
}

static void returns_in_a_child(void *argument)
{
    (void)argument;
    pid_t child = fork();
    if (child == 0) return;
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    _exit(100 + WTERMSIG(status));
}

static const struct last_words {
    cop_blocking_function *function;
    const char *words;
    int signal;                 /* that ends the program; 0: it exits with 100 + SIGABRT */
} last_words[] = {
    { writes_to_null, "on a blocking thread: not contained, the node ends", SIGSEGV },
    { aborts, "on a blocking thread: not contained, the node ends", SIGABRT },
    { overflows, "on a blocking thread: not contained, the node ends", SIGSEGV },
    { returns_in_a_child, "coppice: a blocking function went on in a child of fork(2)", 0 },
};

static void calls_one(void *argument)
{
    int n = 0;
    cop_blocking(((const struct last_words *)argument)->function, &n, sizeof n);
}

START_TEST(a_fault_on_a_blocking_thread_ends_the_node_with_a_report_that_says_so)
{
    const struct last_words *expected = &last_words[_i / 2];
    int report[2];
    ck_assert_int_eq(pipe(report), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(report[1], STDERR_FILENO);
        if (_i % 2 == 0) run_node(calls_one, (void *)expected);
        else run_node_threads(calls_one, (void *)expected, 2);
        _exit(0);
    }
    close(report[1]);
    char text[2048] = "";
    size_t size = 0;
    ssize_t count;
    while ((count = read(report[0], text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)count;
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(strstr(text, expected->words) != NULL, "the report is: %s", text);
    if (expected->signal == 0) ck_assert_int_eq(WEXITSTATUS(status), 100 + SIGABRT);
    else ck_assert_int_eq(WTERMSIG(status), expected->signal);
}
END_TEST

static Suite *blocking_suite(void)
{
    Suite *suite = suite_create("blocking");
    TCase *tests = tcase_create("blocking");
    tcase_add_loop_test(tests, a_function_that_blocks_keeps_its_caller_waiting_and_nobody_else, 0,
                        2);
    tcase_add_loop_test(tests, the_argument_is_copied_there_and_back_or_is_the_callers_own, 0, 2);
    tcase_add_loop_test(tests, a_deferred_action_that_would_wait_for_a_function_ends, 0, 2);
    tcase_add_loop_test(tests,
                        a_killed_caller_is_down_at_once_and_what_its_function_got_is_given_back,
                        0, 2);
    tcase_add_loop_test(tests, a_caller_whose_time_is_over_goes_on_without_the_result, 0, 2);
    tcase_add_test(tests, when_all_threads_are_busy_calls_wait_in_order_and_the_killed_never_run);
    tcase_add_test(tests, as_many_functions_run_at_once_as_there_may_be_threads);
    tcase_add_test(tests, a_wrong_number_of_threads_or_time_is_refused);
    tcase_add_loop_test(tests, the_programs_signals_do_not_reach_a_blocking_thread, 0, 2);
    tcase_add_test(tests, in_a_deterministic_run_others_have_a_turn_before_and_after_the_function);
    tcase_add_test(tests, in_a_deterministic_run_too_a_caller_may_be_killed_before_and_after);
    tcase_add_test(tests,
                   a_crash_while_a_dead_callers_result_is_given_back_is_contained_in_its_end);
    tcase_add_loop_test(tests, the_end_of_the_node_waits_for_functions_that_return, 0, 2);
    tcase_add_test(tests, the_node_ends_without_a_function_that_never_returns_and_says_so);
    tcase_add_loop_test(tests,
                        a_fault_on_a_blocking_thread_ends_the_node_with_a_report_that_says_so, 0,
                        2 * (int)(sizeof last_words / sizeof *last_words));
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(blocking_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
