/* test_standstill.c - deterministic runs in which all processes wait and no timer runs. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "node.h"
#include "runtime/node.h"
#include "trace.h"

#if defined(__SANITIZE_THREAD__)
enum { HAS_OWN_THREAD = 1 };      /* ThreadSanitizer brings a thread along */
#else
enum { HAS_OWN_THREAD = 0 };
#endif

COP_MESSAGE(go, COP_EMPTY);

static void waits(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
}

static cop_pid sleeper;

/* Wakes somebody at the first standstill, ends the run at the second. */
static void stirs(const cop_log_event *event, void *standstills)
{
    ck_assert_int_eq(event->kind, COP_LOG_TEXT);
    ck_assert(cop_pid_is_none(cop_self()) && cop_pid_is_none(event->process));
    trace("%d ms: %s", (int)(event->time_ns / 1000000), event->text);
    if (++*(int *)standstills == 1) cop_send(sleeper, go);
    else cop_halt(7);
}

static void stands_still(void *argument)
{
    sleeper = cop_spawn(waits, NULL, 0);
    cop_spawn(waits, NULL, 0);
    cop_sleep(5);
    waits(argument);
}

START_TEST(a_deterministic_run_in_which_nothing_can_happen_says_so_once)
{
    int standstills = 0;
    trace_reset();
    ck_assert_int_eq(cop_run(stands_still, NULL,
                             &(cop_run_options){ .deterministic = true, .log = stirs,
                                                 .log_context = &standstills }), 7);
    trace_expect("5 ms: standstill: 3 processes wait, and nothing can wake them\n"
                 "5 ms: standstill: 2 processes wait, and nothing can wake them\n");
}
END_TEST

static void *wakes_a_parked_node(void *process)
{
    while (!atomic_load(&copi_node.scheduler[0].parked)) sched_yield();
    cop_send(*(cop_pid *)process, go);
    return NULL;
}

static void waits_for_a_thread(void *argument)
{
    (void)argument;
    pthread_t thread;
    cop_pid self = cop_self();
    ck_assert_int_eq(pthread_create(&thread, NULL, wakes_a_parked_node, &self), 0);
    waits(NULL);
    trace("woken");
    pthread_join(thread, NULL);
}

START_TEST(a_deterministic_run_waits_silently_for_a_thread_outside)
{
    node_trace_log(true);
    trace_reset();
    ck_assert_int_eq(run_node(waits_for_a_thread, NULL), 0);
    trace_expect("woken\n");
}
END_TEST

static Suite *standstill_suite(void)
{
    Suite *suite = suite_create("standstill");
    TCase *tests = tcase_create("standstill");
    if (!HAS_OWN_THREAD)
        tcase_add_test(tests, a_deterministic_run_in_which_nothing_can_happen_says_so_once);
    tcase_add_test(tests, a_deterministic_run_waits_silently_for_a_thread_outside);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(standstill_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
