/* test_starts.c - the start protocol on several schedulers, where the last moments are close. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "name_race.h"
#include "node.h"
#include "trace.h"

COP_MESSAGE(go, COP_EMPTY);

static void acks_about_now(void *argument)
{
    (void)argument;
    cop_sleep((int64_t)cop_random_below(3));
    cop_init_ack();
    cop_receive_type(go, COP_INFINITY);
}

/* Starts whose time runs out when the answer comes: either may win, both are whole. */
static void starts_about_now(void *argument)
{
    const cop_pid *judge = argument;
    cop_trap_exit(true);
    for (int i = 0; i < 100; i++) {
        cop_started started = cop_start(acks_about_now, &(cop_start_options){
            .link = true, .timeout_ms = 1 });
        if (started.error == COP_OK) {
            ck_assert_uint_eq(cop_mailbox_length(), 0);
            cop_unlink(started.pid);
            cop_send(started.pid, go, 0);
        } else {
            ck_assert_int_eq(started.error, COP_ETIMEOUT);
        }
        ck_assert_uint_eq(cop_mailbox_length(), 0);
    }
    cop_send(*judge, go, 0);
}

static void judge_of_timeouts(void *argument)
{
    (void)argument;
    enum { STARTERS = 8 };
    cop_pid self = cop_self();
    for (int i = 0; i < STARTERS; i++) cop_spawn(starts_about_now, &self, sizeof self);
    for (int i = 0; i < STARTERS; i++) cop_receive_type(go, COP_INFINITY);
    trace("all done");
}

START_TEST(an_answer_at_the_last_moment_counts_or_is_dropped)
{
    trace_reset();
    ck_assert_int_eq(run_node_threads(judge_of_timeouts, NULL, 4), 0);
    trace_expect("all done\n");
}
END_TEST

static void fails(void *argument)
{
    (void)argument;
    cop_init_fail(COP_EFAILED, COP_NO_PID, NULL, cop_reason_atom("boom"));
}

static void starts_linked(void *argument)
{
    (void)argument;
    cop_start_link(fails, NULL, 0);
    cop_exit(cop_reason_atom("survived"));
}

static void judge_of_attempts(void *argument)
{
    (void)argument;
    enum { ATTEMPTS = 100 };
    cop_ref refs[ATTEMPTS];
    for (int i = 0; i < ATTEMPTS; i++)
        cop_spawn_monitor(starts_linked, NULL, 0, &refs[i]);
    for (int i = 0; i < ATTEMPTS; i++) {
        cop_message *message = cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY);
        ck_assert(cop_reason_is(cop_expect(message, cop_down_message)->reason, "boom"));
        cop_message_free(message);
    }
    trace("none survived");
}

START_TEST(a_failed_start_ends_its_linked_starter_each_time)
{
    for (int i = 0; i < 3; i++) {
        trace_reset();
        ck_assert_int_eq(run_node_threads(judge_of_attempts, NULL, 4), 0);
        trace_expect("none survived\n");
    }
}
END_TEST

START_TEST(one_of_many_wins_the_name)
{
    for (int i = 0; i < 50; i++) {
        trace_reset();
        ck_assert_int_eq(run_node_threads(race_for_a_name, NULL, 4), 0);
        trace_expect("one won\n");
    }
}
END_TEST

static Suite *starts_suite(void)
{
    Suite *suite = suite_create("starts");
    TCase *tests = tcase_create("starts");
    tcase_add_test(tests, an_answer_at_the_last_moment_counts_or_is_dropped);
    tcase_add_test(tests, a_failed_start_ends_its_linked_starter_each_time);
    tcase_add_test(tests, one_of_many_wins_the_name);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(starts_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
