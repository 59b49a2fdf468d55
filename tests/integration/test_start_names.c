/* test_start_names.c - starts under a name: who has it first, and who else wants it. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "name_race.h"
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

static void starter_of_named(void *argument)
{
    (void)argument;
    char name[] = "alice";
    cop_started alice = cop_start(traces_its_name, &(cop_start_options){ .name = name });
    memset(name, 'x', sizeof name - 1);
    ck_assert(cop_pid_equal(cop_whereis("alice"), alice.pid));

    cop_started again = cop_start(traces_its_name, &(cop_start_options){ .name = "alice" });
    ck_assert(cop_pid_equal(again.pid, alice.pid));
    trace_started("again", again);

    cop_ref ref = cop_monitor(alice.pid);
    cop_send("alice", go, 0);
    trace_down("alice", ref);
    trace_started("then", cop_start(traces_its_name, &(cop_start_options){ .name = "alice" }));
}

START_TEST(a_name_is_registered_before_the_function_and_given_back_at_the_end)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_of_named, NULL), 0);
    trace_expect("I am alice\n"
                 "again: already_started, reason none\n"
                 "alice ended: normal\n"
                 "I am alice\n"
                 "then: ok, reason none\n");
}
END_TEST

START_TEST(of_starts_at_once_under_one_name_one_wins_and_the_others_hear_of_it)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        trace_reset();
        ck_assert_int_eq(run_node_seeded(race_for_a_name, NULL, seed), 0);
        trace_expect("one won\n");
    }
}
END_TEST

static Suite *start_names_suite(void)
{
    Suite *suite = suite_create("start_names");
    TCase *tests = tcase_create("start_names");
    tcase_add_test(tests, a_name_is_registered_before_the_function_and_given_back_at_the_end);
    tcase_add_test(tests, of_starts_at_once_under_one_name_one_wins_and_the_others_hear_of_it);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(start_names_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
