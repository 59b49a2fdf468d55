/* test_stop.c - the orderly stop of a process from outside. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "story.h"
#include "trace.h"

COP_MESSAGE(go, COP_EMPTY);

static void traces_its_name(void *argument)
{
    (void)argument;
    char name[COP_NAME_MAX + 1];
    cop_name_of(cop_self(), name, sizeof name);
    trace("I am %s", name);
    cop_init_ack();
    cop_receive_type(go, COP_INFINITY);
}

static void never_answers(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

static void obeys(void *argument)
{
    const char *other = argument;
    const cop_terminate_message *request = cop_receive_type(cop_terminate_message, COP_INFINITY);
    cop_exit(other != NULL ? cop_reason_atom(other) : cop_reason_ref(request->reason));
}

static void obeys_after_ten_ms(void *argument)
{
    cop_sleep(10);
    trace("awake");
    obeys(argument);
}

static int stop(cop_pid pid, const char *reason, int64_t timeout_ms)
{
    return cop_stop_process(cop_to(pid), cop_reason_atom(reason), timeout_ms);
}

static void stopper(void *argument)
{
    (void)argument;
    cop_pid obedient = cop_spawn(obeys, NULL, 0);
    trace("normal: %s", cop_error_name(stop(obedient, "normal", COP_INFINITY)));
    trace("dead: %s", cop_error_name(stop(obedient, "normal", COP_INFINITY)));
    trace("own reason: %s", cop_error_name(stop(cop_spawn(obeys, NULL, 0), "retired", 100)));
    trace("disobeyed: %s", cop_error_name(stop(cop_spawn(obeys, "angry", 6), "retired", 100)));
    trace("nobody: %s", cop_error_name(cop_stop_process(cop_to("nobody"), COP_NORMAL, 0)));
    trace("self: %s", cop_error_name(stop(cop_self(), "retired", 0)));
    trace("no reason: %s", cop_error_name(cop_stop_process(cop_to(obedient), NULL, 0)));

    cop_pid named = cop_start(traces_its_name, &(cop_start_options){ .name = "bob" }).pid;
    cop_ref ref = cop_monitor(named);
    int64_t before = cop_now_ms();
    int error = cop_stop_process(cop_to("bob"), COP_SHUTDOWN, 7);
    trace("deaf: %s after %d ms", cop_error_name(error), (int)(cop_now_ms() - before));
    cop_send(named, go, 0);
    trace_down("deaf", ref);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_stop_asks_the_process_to_end_and_waits_until_it_is_down)
{
    trace_reset();
    ck_assert_int_eq(run_node(stopper, NULL), 0);
    trace_expect("normal: ok\n"
                 "dead: noproc\n"
                 "own reason: ok\n"
                 "disobeyed: down\n"
                 "nobody: noproc\n"
                 "self: calling_self\n"
                 "no reason: badarg\n"
                 "I am bob\n"
                 "deaf: timeout after 7 ms\n"
                 "deaf ended: normal\n");
}
END_TEST

static void impatient_stopper(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid slow = cop_spawn_monitor(obeys_after_ten_ms, NULL, 0, &ref);
    trace("no time: %s", cop_error_name(stop(slow, "retired", 0)));
    trace_down("it", ref);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_stop_without_time_still_ends_the_process)
{
    trace_reset();
    ck_assert_int_eq(run_node(impatient_stopper, NULL), 0);
    trace_expect("no time: timeout\n"
                 "awake\n"
                 "it ended: retired\n");
}
END_TEST

static void stops_for_ever(void *argument)
{
    (void)argument;
    stop(cop_spawn(never_answers, NULL, 0), "retired", COP_INFINITY);
}

static void killer_of_stopper(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid victim = cop_spawn_monitor(stops_for_ever, NULL, 0, &ref);
    cop_sleep(1);
    cop_exit_process(victim, COP_KILL);
    trace_down("stopper", ref);
}

START_TEST(a_process_that_is_killed_while_it_stops_another_leaks_nothing)
{
    trace_reset();                       /* what leaked, the sanitizer tells */
    ck_assert_int_eq(run_node(killer_of_stopper, NULL), 0);
    trace_expect("stopper ended: killed\n");
}
END_TEST

static Suite *stop_suite(void)
{
    Suite *suite = suite_create("stop");
    TCase *tests = tcase_create("stop");
    tcase_add_test(tests, a_stop_asks_the_process_to_end_and_waits_until_it_is_down);
    tcase_add_test(tests, a_stop_without_time_still_ends_the_process);
    tcase_add_test(tests, a_process_that_is_killed_while_it_stops_another_leaks_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(stop_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
