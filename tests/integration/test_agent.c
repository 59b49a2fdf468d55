/* test_agent.c - Agent: functions run in the agent, one at a time. */
#include <string.h>

#include <coppice/coppice.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

/* ---- functions for agents that hold an int ------------------------------------------- */

static void get(void *state, const void *argument, void *result)
{
    (void)argument;
    memcpy(result, state, sizeof(int));
}

static void add(void *state, const void *argument, void *result)
{
    ck_assert_ptr_null(result);
    *(int *)state += *(const int *)argument;
}

static void swap(void *state, const void *argument, void *result)
{
    memcpy(result, state, sizeof(int));
    memcpy(state, argument, sizeof(int));
}

static void where(void *state, const void *argument, void *result)
{
    (void)state;
    (void)argument;
    *(cop_pid *)result = cop_self();
}

static void crash(void *state, const void *argument, void *result)
{
    (void)state;
    (void)argument;
    (void)result;
    cop_raise("bad function");
}

static void linger(void *state, const void *argument, void *result)
{
    (void)argument;
    (void)result;
    cop_sleep(100);
    *(int *)state += 1;
}

static int value_of(cop_dest agent)
{
    int value;
    ck_assert_int_eq(cop_agent_get(agent, get, NULL, 0, &value, sizeof value, 1000), 0);
    return value;
}

/* ---- tests ---------------------------------------------------------------------------- */

static void functions_main(void *argument)
{
    (void)argument;
    int five = 5, two = 2, old;
    cop_pid agent = cop_agent_start_link(&five, sizeof five, NULL).pid, ran_in;
    trace("get %d", value_of(cop_to(agent)));
    trace("update %d", cop_agent_update(cop_to(agent), add, &two, sizeof two, 1000));
    trace("get %d", value_of(cop_to(agent)));
    ck_assert_int_eq(cop_agent_get_and_update(cop_to(agent), swap, &two, sizeof two, &old,
                                              sizeof old, 1000), 0);
    trace("get_and_update gave %d, left %d", old, value_of(cop_to(agent)));
    trace("cast %d", cop_agent_cast(cop_to(agent), add, &five, sizeof five));
    trace("get %d", value_of(cop_to(agent)));
    ck_assert_int_eq(cop_agent_get(cop_to(agent), where, NULL, 0, &ran_in, sizeof ran_in, 1000), 0);
    trace("ran in the agent: %d", cop_pid_equal(ran_in, agent));
    trace("stop %d", cop_agent_stop(cop_to(agent), COP_NORMAL, 1000));
    trace("then %s", cop_error_name(cop_agent_update(cop_to(agent), add, &two, sizeof two, 1000)));
}

START_TEST(get_update_get_and_update_and_cast_run_in_the_agent)
{
    trace_reset();
    ck_assert_int_eq(run_node(functions_main, NULL), 0);
    trace_expect("get 5\n"
                 "update 0\n"
                 "get 7\n"
                 "get_and_update gave 7, left 2\n"
                 "cast 0\n"
                 "get 7\n"
                 "ran in the agent: 1\n"
                 "stop 0\n"
                 "then noproc\n");
}
END_TEST

static void crash_main(void *argument)
{
    (void)argument;
    int zero = 0;
    cop_pid agent = cop_agent_start(&zero, sizeof zero, "account").pid;
    cop_ref ref = cop_monitor(agent);
    trace("update %s", cop_error_name(cop_agent_update(cop_to("account"), crash, NULL, 0, 1000)));
    trace_down("agent", ref);
    ck_assert(cop_pid_is_none(cop_whereis("account")));
}

START_TEST(a_function_that_crashes_ends_the_agent_and_the_caller_hears)
{
    trace_reset();
    ck_assert_int_eq(run_node(crash_main, NULL), 0);
    trace_expect("update down\n"
                 "agent down: error:bad function\n");
}
END_TEST

static void timeout_main(void *argument)
{
    (void)argument;
    int zero = 0;
    cop_pid agent = cop_agent_start_link(&zero, sizeof zero, NULL).pid;
    trace("update %s", cop_error_name(cop_agent_update(cop_to(agent), linger, NULL, 0, 10)));
    trace("at %lld ms", (long long)cop_now_ms());
    trace("get %d", value_of(cop_to(agent)));
    trace("at %lld ms", (long long)cop_now_ms());
    expect_empty_mailbox();
}

START_TEST(a_caller_whose_time_is_over_hears_nothing_later_but_the_function_goes_on)
{
    trace_reset();
    ck_assert_int_eq(run_node(timeout_main, NULL), 0);
    trace_expect("update timeout\n"
                 "at 10 ms\n"
                 "get 1\n"
                 "at 100 ms\n");
}
END_TEST

static const int seven = 7;
static const cop_agent counter = { .name = "counter", .initial = &seven, .size = sizeof seven };
static const cop_child_spec children[] = { COP_CHILD_AGENT(counter) };
static const cop_supervisor supervisor = { COP_CHILDREN(children) };

static void supervised_main(void *argument)
{
    (void)argument;
    int one = 1;
    cop_started top = cop_supervisor_start_link(&supervisor);
    ck_assert_int_eq(top.error, 0);
    cop_agent_update(cop_to("counter"), add, &one, sizeof one, 1000);
    trace("get %d", value_of(cop_to("counter")));
    ck_assert_int_eq(cop_agent_update(cop_to("counter"), crash, NULL, 0, 1000), COP_EDOWN);
    cop_child_counts counts;
    cop_supervisor_count_children(cop_to(top.pid), &counts);    /* answered after the restart */
    trace("get %d", value_of(cop_to("counter")));
}

START_TEST(a_supervised_agent_starts_again_from_its_first_value)
{
    trace_reset();
    ck_assert_int_eq(run_node(supervised_main, NULL), 0);
    trace_expect("get 8\n"
                 "get 7\n");
}
END_TEST

static void errors_main(void *argument)
{
    (void)argument;
    int zero = 0;
    cop_pid agent = cop_agent_start(&zero, sizeof zero, "taken").pid;
    cop_started second = cop_agent_start(&zero, sizeof zero, "taken");
    ck_assert_int_eq(second.error, COP_EALREADY_STARTED);
    ck_assert(cop_pid_equal(second.pid, agent));
    ck_assert_int_eq(cop_agent_start(NULL, 4, NULL).error, COP_EINVAL);
    ck_assert_int_eq(cop_agent_update(cop_to(agent), NULL, NULL, 0, 10), COP_EINVAL);
    ck_assert_int_eq(cop_agent_cast(cop_to(agent), add, NULL, 4), COP_EINVAL);
    ck_assert_int_eq(cop_agent_get(cop_to(agent), get, NULL, 0, NULL, 4, 10), COP_EINVAL);
    ck_assert_int_eq(cop_agent_cast(cop_to("nobody"), add, &zero, sizeof zero), 0);
    trace("done");
}

START_TEST(wrong_arguments_are_refused_and_a_taken_name_gives_its_holder)
{
    trace_reset();
    ck_assert_int_eq(run_node(errors_main, NULL), 0);
    trace_expect("done\n");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("agent");
    tcase_add_test(tests, get_update_get_and_update_and_cast_run_in_the_agent);
    tcase_add_test(tests, a_function_that_crashes_ends_the_agent_and_the_caller_hears);
    tcase_add_test(tests, a_caller_whose_time_is_over_hears_nothing_later_but_the_function_goes_on);
    tcase_add_test(tests, a_supervised_agent_starts_again_from_its_first_value);
    tcase_add_test(tests, wrong_arguments_are_refused_and_a_taken_name_gives_its_holder);
    Suite *suite = suite_create("agent");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
