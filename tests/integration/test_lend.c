/* test_lend.c - what a process lends to a blocking function is given back once, and never while the
 * function uses it: by the process, or by the thread if the process has gone. */
#include <coppice/coppice.h>

#include <semaphore.h>
#include <stdlib.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(has_begun, COP_EMPTY);
COP_MESSAGE(is_given_back, COP_EMPTY);

static sem_t gate;
static cop_pid story;
static bool in_use;
static cop_ref end;

static void gives_back(void *argument)
{
    ck_assert_ptr_eq(argument, &gate);
    bool thread = cop_pid_is_none(cop_self());
    ck_assert(!thread || !in_use);
    trace("given back by %s", thread ? "the thread" : "the process");
    cop_send(story, is_given_back);
}

static void returns(void *argument)
{
    (void)argument;
    trace("the function runs");
}

static void stays_at_the_gate(void *argument)
{
    (void)argument;
    in_use = true;
    cop_send(story, has_begun);
    sem_wait(&gate);
    in_use = false;
    trace("the function returns");
}

static void lends(void *argument)
{
    const bool *at_gate = argument;
    cop_deferred *handle = cop_defer(gives_back, &gate);
    int error = cop_blocking_lend(*at_gate ? stays_at_the_gate : returns, NULL, 0,
                                  *at_gate ? 50 : COP_INFINITY, handle);
    trace("%s", cop_error_name(error));
}

static void lends_for_ever(void *argument)
{
    (void)argument;
    cop_deferred *handle = cop_defer(gives_back, &gate);
    cop_blocking_lend(stays_at_the_gate, NULL, 0, COP_INFINITY, handle);
    trace("goes on");
}

static int run_story(cop_function *function, int schedulers)
{
    trace_reset();
    sem_init(&gate, 0, 0);
    return cop_run(function, NULL, &(cop_run_options){ .deterministic = schedulers == 0,
                                                       .schedulers = schedulers,
                                                       .blocking_threads = 1 });
}

static void lends_and_ends(void *argument)
{
    (void)argument;
    story = cop_self();
    trace_end_of("lender", lends, &(bool){ false });
}

START_TEST(after_the_call_it_is_the_processs_as_before)
{
    ck_assert_int_eq(run_story(lends_and_ends, _i), 0);
    trace_expect("the function runs\n"
                 "ok\n"
                 "given back by the process\n"
                 "lender down: normal\n");
}
END_TEST

static void dies_meanwhile(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_pid lender = cop_spawn_monitor(lends_for_ever, NULL, 0, &end);
    cop_receive_type(has_begun, COP_INFINITY);
    cop_exit_process(lender, COP_KILL);
    trace_down("lender", end);
    sem_post(&gate);
    cop_receive_type(is_given_back, COP_INFINITY);
}

START_TEST(when_the_process_dies_in_the_call_it_is_given_back_after_the_function)
{
    ck_assert_int_eq(run_story(dies_meanwhile, 1 + _i), 0);
    trace_expect("lender down: killed\n"
                 "the function returns\n"
                 "given back by the thread\n");
}
END_TEST

static void waits_no_longer(void *argument)
{
    (void)argument;
    story = cop_self();
    trace_end_of("lender", lends, &(bool){ true });
    sem_post(&gate);
    cop_receive_type(is_given_back, COP_INFINITY);
}

START_TEST(when_the_time_is_over_it_is_given_back_after_the_function_and_not_by_the_process)
{
    ck_assert_int_eq(run_story(waits_no_longer, 1 + _i), 0);
    trace_expect("timeout\n"
                 "lender down: normal\n"
                 "the function returns\n"
                 "given back by the thread\n");
}
END_TEST

/* The pool has one thread, which is at the gate. */
static void dies_in_the_queue(void *argument)
{
    (void)argument;
    story = cop_self();
    cop_ref first_end;
    cop_spawn_monitor(lends_for_ever, NULL, 0, &first_end);
    cop_receive_type(has_begun, COP_INFINITY);
    trace_end_of("second lender", lends, &(bool){ true });
    sem_post(&gate);
    trace_down("first lender", first_end);
}

START_TEST(what_was_lent_to_a_function_that_never_ran_stays_the_processs)
{
    ck_assert_int_eq(run_story(dies_in_the_queue, 1 + _i), 0);
    trace_expect("timeout\n"
                 "given back by the process\n"
                 "second lender down: normal\n"
                 "the function returns\n"
                 "goes on\n"
                 "given back by the process\n"
                 "first lender down: normal\n");
}
END_TEST

static void lends_what_it_has_not(void *argument)
{
    (void)argument;
    cop_deferred *handle = cop_defer(gives_back, &gate);
    cop_undefer(handle, false);
    cop_blocking_lend(returns, NULL, 0, COP_INFINITY, handle);
}

static void lends_nothing(void *argument)
{
    (void)argument;
    trace_end_of("lender", lends_what_it_has_not, NULL);
}

START_TEST(who_lends_what_is_not_its_own_ends_with_an_error_that_says_so)
{
    ck_assert_int_eq(run_story(lends_nothing, _i), 0);
    trace_expect("lender down: error:badarg: cop_blocking_lend: no block of this process, or freed "
                 "already\n");
}
END_TEST

static Suite *lend_suite(void)
{
    Suite *suite = suite_create("lend");
    TCase *tests = tcase_create("lend");
    tcase_add_loop_test(tests, after_the_call_it_is_the_processs_as_before, 0, 3);
    tcase_add_loop_test(
        tests, when_the_process_dies_in_the_call_it_is_given_back_after_the_function, 0, 2);
    tcase_add_loop_test(
        tests, when_the_time_is_over_it_is_given_back_after_the_function_and_not_by_the_process, 0,
        2);
    tcase_add_loop_test(tests, what_was_lent_to_a_function_that_never_ran_stays_the_processs, 0, 2);
    tcase_add_loop_test(tests, who_lends_what_is_not_its_own_ends_with_an_error_that_says_so, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(lend_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
