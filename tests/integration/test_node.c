/* test_node.c - running a node: what cop_run returns, halting, running again, wrong options, the
 * log, determinism. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expect_story.h"
#include "node.h"
#include "runtime/scheduler.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static void returns(void *argument)
{
    (void)argument;
}

static void waits(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
}

/* ---- what it returns ----------------------------------------------------------------- */

static void exits(void *argument)
{
    cop_exit(argument);
}

static void crashes(void *argument)
{
    (void)argument;
    crash_null_write();
}

START_TEST(a_run_returns_zero_after_a_normal_end_and_down_after_an_abnormal_one)
{
    ck_assert_int_eq(run_node(returns, NULL), 0);
    ck_assert_int_eq(run_node(exits, (void *)COP_NORMAL), 0);
    ck_assert_int_eq(run_node(exits, (void *)COP_SHUTDOWN), 0);
    const cop_reason *tuple = cop_reason_tuple("shutdown", cop_reason_atom("x"));
    ck_assert_int_eq(run_node(exits, (void *)tuple), 0);
    ck_assert_int_eq(run_node(exits, (void *)cop_reason_atom("boom")), COP_EDOWN);
    ck_assert_int_eq(run_node(exits, (void *)COP_KILL), COP_EDOWN);
    ck_assert_int_eq(run_node(crashes, NULL), COP_EDOWN);
}
END_TEST

START_TEST(an_abnormal_end_of_the_first_process_is_in_the_log)
{
    node_trace_log(true);
    trace_reset();
    ck_assert_int_eq(run_node(exits, (void *)cop_reason_atom("boom")), COP_EDOWN);
    trace_expect("0.000 crash main <0.1>: boom\n");
}
END_TEST

/* ---- options ------------------------------------------------------------------------- */

static void runs_inside(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_run(returns, NULL, NULL), COP_ELIMIT);
    ck_assert_int_eq(cop_schedulers(), 1);
}

START_TEST(wrong_options_are_refused_and_so_is_a_second_node)
{
    cop_run_options options = { .schedulers = -1 };
    ck_assert_int_eq(cop_run(returns, NULL, &options), COP_EINVAL);
    options = (cop_run_options){ .schedulers = 65 };
    ck_assert_int_eq(cop_run(returns, NULL, &options), COP_EINVAL);
    options = (cop_run_options){ .max_processes = (size_t)1 << 24 };
    ck_assert_int_eq(cop_run(returns, NULL, &options), COP_EINVAL);
    options = (cop_run_options){ .shuffle = true };
    ck_assert_int_eq(cop_run(returns, NULL, &options), COP_EINVAL);
    ck_assert_int_eq(cop_run(NULL, NULL, NULL), COP_EINVAL);
    ck_assert_int_eq(run_node(runs_inside, NULL), 0);
    options = (cop_run_options){ .max_processes = 1, .schedulers = 1 };
    ck_assert_int_eq(cop_run(returns, NULL, &options), 0);
}
END_TEST

static void counts_schedulers(void *argument)
{
    *(int *)argument = cop_schedulers();
}

START_TEST(there_are_as_many_schedulers_as_asked_for)
{
    static const int asked[] = { 1, 2, 7, 64 };
    int count = -1;
    ck_assert_int_eq(cop_schedulers(), 0);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        ck_assert_int_eq(run_node_threads(counts_schedulers, &count, asked[i]), 0);
        ck_assert_int_eq(count, asked[i]);
    }
    ck_assert_int_eq(run_node(counts_schedulers, &count), 0);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(cop_run(counts_schedulers, &count, NULL), 0);
    ck_assert_int_ge(count, 1);
    ck_assert_int_eq(cop_schedulers(), 0);
}
END_TEST

/* ---- the end ------------------------------------------------------------------------- */

static void says(void *argument)
{
    trace("%s", (const char *)argument);
}

static void is_spawned_in_the_end(void *argument)
{
    cop_defer(says, "never runs, so never defers");
    waits(argument);
}

static void spawns(void *argument)
{
    (void)argument;
    cop_pid late = cop_spawn_opt(is_spawned_in_the_end, NULL, 0,
                                 &(cop_spawn_options){ .trap_exit = true });
    trace("spawned in the end: %s", cop_pid_is_none(late) ? "refused" : "killed");
}

static void holds_on(void *argument)
{
    cop_defer(says, argument);
    cop_trap_exit(true);
    for (;;) cop_receive(COP_INFINITY);
}

static void serves(void *state, cop_message *message)
{
    (void)state;
    (void)message;
}

static void holds_on_serving(void *argument)
{
    cop_defer(spawns, NULL);
    cop_defer(says, argument);
    cop_become(serves, NULL);
}

static void leaves_others(void *argument)
{
    (void)argument;
    cop_spawn(holds_on, "released, trapping", 0);
    cop_spawn(holds_on_serving, "released, serving", 0);
    settle();
    cop_spawn(holds_on, "never started", 0);
    cop_defer(says, "main released");
}

START_TEST(when_the_first_process_has_ended_all_others_are_killed_and_released)
{
    expect_story(leaves_others, "main released\n"
                                "released, trapping\n"
                                "released, serving\n"
                                "spawned in the end: killed\n");
}
END_TEST

static void halts(void *argument)
{
    cop_defer(says, "released");
    cop_halt((int)(intptr_t)argument);
    trace("goes on");
    for (;;) cop_sleep(1000);
}

static void lets_halt(void *argument)
{
    cop_defer(says, "main released");
    cop_trap_exit(true);
    cop_spawn(halts, argument, 0);
    for (;;) cop_receive(COP_INFINITY);
}

static void halts_twice(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_spawn(halts, (void *)3, 0);
    cop_spawn(halts, (void *)4, 0);
    for (;;) cop_receive(COP_INFINITY);
}

static void halts_while_ending(void *argument)
{
    cop_halt((int)(intptr_t)argument);
}

static void ends_halting(void *argument)
{
    cop_defer(halts_while_ending, argument);
    cop_raise("abnormal");
}

START_TEST(halt_ends_the_node_with_its_status)
{
    trace_reset();
    ck_assert_int_eq(run_node(halts, (void *)7), 7);
    trace_expect("released\n");
    trace_reset();
    ck_assert_int_eq(run_node(lets_halt, (void *)0), 0);
    trace_expect("goes on\nmain released\nreleased\n");
    trace_reset();
    ck_assert_int_eq(run_node(lets_halt, (void *)255), 255);
    ck_assert_int_eq(run_node(halts_twice, NULL), 3);
    ck_assert_int_eq(run_node(ends_halting, (void *)9), 9);
    cop_halt(5);                                         /* no node runs: nothing happens */
    ck_assert_int_eq(run_node(returns, NULL), 0);
}
END_TEST

static void *halts_from_outside(void *argument)
{
    (void)argument;
    cop_halt(11);
    return NULL;
}

static void waits_for_a_halt(void *argument)
{
    ck_assert_int_eq(pthread_create(argument, NULL, halts_from_outside, NULL), 0);
    waits(NULL);
}

START_TEST(a_thread_outside_can_halt_the_node)
{
    pthread_t thread;
    ck_assert_int_eq(run_node_threads(waits_for_a_halt, &thread, 2), 11);
    pthread_join(thread, NULL);
}
END_TEST

/* ---- again --------------------------------------------------------------------------- */

static int count_entries(const char *directory)
{
    DIR *dir = opendir(directory);
    ck_assert_ptr_nonnull(dir);
    int count = 0;
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

static void is_busy(void *argument)
{
    (void)argument;
    cop_alloc(1000);
    cop_register("busy");
    for (int i = 0;; i++) {
        cop_send_after(cop_self(), i % 3, note, .n = i);
        cop_receive_type(note, COP_INFINITY);
    }
}

static void leaves_everything(void *argument)
{
    (void)argument;
    ck_assert(cop_pid_is_none(cop_whereis("busy")));
    ck_assert_uint_eq(cop_process_count(), 1);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    for (int i = 0; i < 20; i++) cop_spawn(is_busy, NULL, 0);
    cop_send_after(cop_self(), 86400 * 1000, note, .n = 1);
    cop_send(cop_self(), note, .n = 2);
    cop_sleep(2);
}

START_TEST(a_node_can_be_run_again_and_leaves_nothing_behind)
{
    struct sigaction before, after;
    stack_t stack_before, stack_after;
    sigaction(SIGSEGV, NULL, &before);
    sigaltstack(NULL, &stack_before);
    ck_assert_int_eq(run_node_threads(leaves_everything, NULL, 3), 0);
    int files = count_entries("/proc/self/fd"), threads = count_entries("/proc/self/task");
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(i % 3 == 0 ? run_node(leaves_everything, NULL)
                                    : run_node_threads(leaves_everything, NULL, 1 + i % 4), 0);
    ck_assert_int_eq(count_entries("/proc/self/fd"), files);
    ck_assert_int_eq(count_entries("/proc/self/task"), threads);
    sigaction(SIGSEGV, NULL, &after);
    sigaltstack(NULL, &stack_after);
    ck_assert_ptr_eq(before.sa_handler, after.sa_handler);
    ck_assert_int_eq(stack_before.ss_flags, stack_after.ss_flags);
}
END_TEST

/* ---- the log ------------------------------------------------------------------------- */

static void raises(void *argument)
{
    (void)argument;
    cop_register("worker");
    cop_raise("bad luck");
}

static void raise_in_handler(void *state, cop_message *message)
{
    (void)state;
    cop_expect(message, go);
}

static void serves_badly(void *argument)
{
    (void)argument;
    cop_set_label("clerk");
    cop_become(raise_in_handler, NULL);
}

static void logs(void *argument)
{
    (void)argument;
    cop_log(&(cop_log_event){ .level = COP_LOG_INFO, .kind = COP_LOG_TEXT, .text = "all is well" });
    cop_sleep(1234);
    trace_end_of("worker", raises, NULL);
    cop_ref ref;
    cop_send(cop_spawn_monitor(serves_badly, NULL, 0, &ref), note, .n = 1);
    trace_down("clerk", ref);
}

START_TEST(the_sink_gets_the_reports_with_time_name_label_and_message)
{
    node_trace_log(true);
    expect_story(logs, "0.000 note main <0.1>: all is well\n"
                       "1.234 crash worker <1.1>: error:bad luck\n"
                       "worker down: error:bad luck\n"
                       "1.234 crash clerk <1.2>, handling note: "
                       "error:bad_message: expected go, got note\n"
                       "clerk down: error:bad_message: expected go, got note\n");
}
END_TEST

struct sink {
    int calls;
    cop_pid process;
};

static void bad_sink(const cop_log_event *event, void *context)
{
    struct sink *sink = context;
    sink->calls++;
    sink->process = event->process;
    if (cop_pid_equal(event->process, cop_self()))
        crash_null_write();
}

static void has_a_deferred_action(void *argument)
{
    cop_defer(says, "released");
    cop_raise("%s", (const char *)argument);
}

static void reports_to_a_bad_sink(void *argument)
{
    (void)argument;
    trace_end_of("it", has_a_deferred_action, "oops");
    trace_end_of("it", has_a_deferred_action, "again");
}

START_TEST(a_sink_that_crashes_harms_nobody)
{
    struct sink sink = { 0 };
    cop_run_options options = { .deterministic = true, .log = bad_sink, .log_context = &sink };
    trace_reset();
    ck_assert_int_eq(cop_run(reports_to_a_bad_sink, NULL, &options), 0);
    trace_expect("released\nit down: error:oops\nreleased\nit down: error:again\n");
    ck_assert_int_eq(sink.calls, 2);
}
END_TEST

/* ---- determinism --------------------------------------------------------------------- */

static void mingles(void *argument)
{
    const cop_pid *first = argument;
    for (int i = 0; i < 5; i++) {
        int index = (int)(cop_self().bits & 0xff);
        trace("%d says %d, draws %d", index, i, (int)cop_random_below(1000));
        switch (cop_random_below(3)) {
        case 0: cop_yield(); break;
        case 1: cop_sleep((int64_t)cop_random_below(4)); break;
        default: cop_send(*first, note, .n = i); cop_receive(1);
        }
    }
    if (cop_random_below(2) == 0)
        cop_raise("unlucky at %d", (int)cop_now_ms());
}

static void mingle(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    for (int i = 0; i < 10; i++) cop_spawn(mingles, &self, sizeof self);
    for (int i = 0; i < 200; i++) {
        const note *got = cop_receive_type(note, 3);
        trace("%d: %d", (int)cop_now_ms(), got == NULL ? -1 : got->n);
    }
}

static char *story_of(int (*run)(cop_function *, void *, uint64_t), uint64_t seed)
{
    node_trace_log(true);
    trace_reset();
    ck_assert_int_eq(run(mingle, NULL, seed), 0);
    char *story = strdup(trace_text());
    ck_assert_uint_gt(strlen(story), 1000);
    return story;
}

static int run_in_order(cop_function *function, void *argument, uint64_t seed)
{
    return cop_run(function, argument, &(cop_run_options){ .deterministic = true, .seed = seed });
}

START_TEST(the_same_seed_tells_the_same_story_and_another_seed_another)
{
    for (int shuffled = 0; shuffled <= 1; shuffled++) {
        int (*run)(cop_function *, void *, uint64_t) = shuffled ? run_node_seeded : run_in_order;
        char *stories[4];
        for (uint64_t seed = 0; seed < 4; seed++) stories[seed] = story_of(run, seed);
        for (int i = 0; i < 4; i++) {
            char *again = story_of(run, (uint64_t)i);
            ck_assert_str_eq(again, stories[i]);
            free(again);
            for (int j = 0; j < i; j++) ck_assert_str_ne(stories[i], stories[j]);
        }
        for (int i = 0; i < 4; i++) free(stories[i]);
    }
}
END_TEST

static void says_its_number(void *argument)
{
    trace("%d", *(int *)argument);
}

static void spawns_numbers(void *argument)
{
    (void)argument;
    for (int i = 0; i < 8; i++) cop_spawn(says_its_number, &i, sizeof i);
    settle();
}

START_TEST(processes_run_in_the_order_in_which_they_got_ready_unless_shuffled)
{
    expect_story(spawns_numbers, "0\n1\n2\n3\n4\n5\n6\n7\n");
    int different = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        trace_reset();
        ck_assert_int_eq(run_node_seeded(spawns_numbers, NULL, seed), 0);
        different += strcmp(trace_text(), "0\n1\n2\n3\n4\n5\n6\n7\n") != 0;
    }
    ck_assert_int_ge(different, 7);
}
END_TEST

static void draws(void *argument)
{
    int *counts = argument;
    for (int i = 0; i < 60000; i++) {
        expect_that(cop_random_below(1) == 0);
        double unit = cop_random_unit();
        expect_that(unit >= 0 && unit < 1);
        counts[cop_random_below(6)]++;
        counts[6 + (int)(unit * 6)]++;
    }
    cop_random_below(0);
}

START_TEST(random_numbers_are_in_their_bounds_and_even)
{
    int counts[12] = { 0 };
    node_trace_log(true);
    trace_reset();
    ck_assert_int_eq(run_node(draws, counts), COP_EDOWN);
    trace_expect("0.000 crash main <0.1>: error:badarg: cop_random_below: 0\n");
    for (int i = 0; i < 12; i++) {
        ck_assert_int_gt(counts[i], 9500);
        ck_assert_int_lt(counts[i], 10500);
    }
}
END_TEST

/* ---- what a node cannot survive ------------------------------------------------------ */

START_TEST(a_fault_outside_of_a_process_ends_the_program)
{
    crash_null_write();
}
END_TEST

static void *crashes_outside(void *argument)
{
    (void)argument;
    crash_null_write();
    return NULL;
}

static void lets_a_thread_crash(void *argument)
{
    (void)argument;
    pthread_t thread;
    pthread_create(&thread, NULL, crashes_outside, NULL);
    pthread_join(thread, NULL);
}

START_TEST(a_fault_in_a_thread_of_the_program_ends_it)
{
    run_node_threads(lets_a_thread_crash, NULL, 2);
}
END_TEST

static void faults_in_the_runtimes_work(void *argument)
{
    (void)argument;
    copi_enter(copi_scheduler);
    crash_null_write();
}

START_TEST(a_fault_in_the_runtimes_own_work_ends_the_program)
{
    run_node(faults_in_the_runtimes_work, NULL);
}
END_TEST

static void is_sent_a_fault(void *argument)
{
    (void)argument;
    kill(getpid(), SIGSEGV);
    for (;;) cop_yield();
}

START_TEST(a_fault_signal_sent_from_outside_ends_the_program)
{
    run_node(is_sent_a_fault, NULL);
}
END_TEST

START_TEST(a_function_for_processes_called_outside_ends_the_program)
{
    cop_receive(0);
}
END_TEST

static Suite *node_suite(void)
{
    Suite *suite = suite_create("node");
    TCase *runs = tcase_create("runs");
    tcase_add_test(runs, a_run_returns_zero_after_a_normal_end_and_down_after_an_abnormal_one);
    tcase_add_test(runs, an_abnormal_end_of_the_first_process_is_in_the_log);
    tcase_add_test(runs, wrong_options_are_refused_and_so_is_a_second_node);
    tcase_add_test(runs, there_are_as_many_schedulers_as_asked_for);
    tcase_add_test(runs, when_the_first_process_has_ended_all_others_are_killed_and_released);
    tcase_add_test(runs, halt_ends_the_node_with_its_status);
    tcase_add_test(runs, a_thread_outside_can_halt_the_node);
    tcase_add_test(runs, a_node_can_be_run_again_and_leaves_nothing_behind);
    suite_add_tcase(suite, runs);
    TCase *logs_ = tcase_create("log");
    tcase_add_test(logs_, the_sink_gets_the_reports_with_time_name_label_and_message);
    tcase_add_test(logs_, a_sink_that_crashes_harms_nobody);
    suite_add_tcase(suite, logs_);
    TCase *determinism = tcase_create("determinism");
    tcase_add_test(determinism, the_same_seed_tells_the_same_story_and_another_seed_another);
    tcase_add_test(determinism, processes_run_in_the_order_in_which_they_got_ready_unless_shuffled);
    tcase_add_test(determinism, random_numbers_are_in_their_bounds_and_even);
    suite_add_tcase(suite, determinism);
    TCase *fatal = tcase_create("fatal");
    tcase_add_test_raise_signal(fatal, a_fault_outside_of_a_process_ends_the_program, SIGSEGV);
    tcase_add_test_raise_signal(fatal, a_fault_in_a_thread_of_the_program_ends_it, SIGSEGV);
    tcase_add_test_raise_signal(fatal, a_fault_in_the_runtimes_own_work_ends_the_program, SIGSEGV);
    tcase_add_test_raise_signal(fatal, a_fault_signal_sent_from_outside_ends_the_program, SIGSEGV);
    tcase_add_test_raise_signal(fatal, a_function_for_processes_called_outside_ends_the_program,
                                SIGABRT);
    suite_add_tcase(suite, fatal);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(node_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
