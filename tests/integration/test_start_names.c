/* test_start_names.c - starts under a name: who has it first, and who else wants it. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "story.h"
#include "trace.h"

COP_MESSAGE(go, COP_EMPTY);

static void becomes_ready(void *argument)
{
    (void)argument;
    cop_init_ack();
    cop_receive_type(go, COP_INFINITY);
}

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

COP_MESSAGE(race_result, { int error; cop_pid pid; });

static void races(void *argument)
{
    const cop_pid *judge = argument;
    cop_started started = cop_start(becomes_ready, &(cop_start_options){ .name = "prize" });
    ck_assert_ptr_null(started.reason);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    cop_send(*judge, race_result, .error = started.error, .pid = started.pid);
}

/* All look for the name before the first process has it; so all but one of the processes meet
 * it themselves. */
static void judge_of_race(void *argument)
{
    (void)argument;
    enum { RACERS = 5 };
    cop_pid self = cop_self();
    for (int i = 0; i < RACERS; i++) cop_spawn(races, &self, sizeof self);
    int won = 0;
    for (int i = 0; i < RACERS; i++) {
        const race_result *result = cop_expect(cop_receive(COP_INFINITY), race_result);
        if (result->error == COP_OK) won++;
        else ck_assert_int_eq(result->error, COP_EALREADY_STARTED);
        ck_assert(cop_pid_equal(result->pid, cop_whereis("prize")));
    }
    ck_assert_int_eq(won, 1);
    trace("one won");
}

START_TEST(of_starts_at_once_under_one_name_one_wins_and_the_others_hear_of_it)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        trace_reset();
        ck_assert_int_eq(run_node_seeded(judge_of_race, NULL, seed), 0);
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
