/* test_stop_within.c - a supervisor is stopped by a deadline: who is killed, who is told of, what
 * the caller gets. */
#include "leaf.h"

/* ---- one level ------------------------------------------------------------------------- */

static void all_in_time(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        LEAF(quick), LEAF(second, .shutdown = COP_SHUTDOWN_MS(150)), LEAF(slow) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_tree("top", 1600);
}

START_TEST(when_all_stop_in_time_the_answer_is_ok_and_each_knows_how_long_it_has)
{
    expect_story(all_in_time, "    0: slow: shutdown, top/slow has 1406 ms\n"
                              "  100: second: shutdown, top/second has 150 ms\n"
                              "  200: quick: shutdown, top/quick has 1218 ms\n"
                              "  200: stopped: ok\n");
}
END_TEST

static void one_is_too_late(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(quick), LEAF(stuck), LEAF(slow) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_tree("top", 1600);
}

START_TEST(one_that_is_stuck_is_killed_in_time_for_those_after_it_to_be_asked)
{
    expect_story(one_is_too_late, "    0: slow: shutdown, top/slow has 1406 ms\n"
                                  "  100: stuck: shutdown, top/stuck has 1312 ms\n"
                                  "report: shutdown_error stuck: killed\n"
                                  " 1412: quick: shutdown, top/quick has 82 ms\n"
                                  " 1412: stopped: timeout\n"
                                  " 1412: straggler top/stuck, asked\n");
}
END_TEST

static void has_its_own_time(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        LEAF(quick), LEAF(stuck, .shutdown = COP_SHUTDOWN_MS(200)), LEAF(slow),
        LEAF(second, .shutdown = COP_BRUTAL_KILL) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_tree("top", 1600);
}

START_TEST(one_that_misses_its_own_time_is_a_straggler_too_but_not_one_that_is_killed_brutally)
{
    expect_story(has_its_own_time, "    0: slow: shutdown, top/slow has 1406 ms\n"
                                   "  100: stuck: shutdown, top/stuck has 200 ms\n"
                                   "report: shutdown_error stuck: killed\n"
                                   "  300: quick: shutdown, top/quick has 1125 ms\n"
                                   "  300: stopped: timeout\n"
                                   "  300: straggler top/stuck, asked\n");
}
END_TEST

static void has_no_limit_of_its_own(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(stuck, .shutdown = COP_SHUTDOWN_INFINITY) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_tree("top", 16000);
}

START_TEST(a_shutdown_without_limit_is_limited_by_the_deadline)
{
    expect_story(has_no_limit_of_its_own, "    0: stuck: shutdown, top/stuck has 14062 ms\n"
                                          "report: shutdown_error stuck: killed\n"
                                          "14062: stopped: timeout\n"
                                          "14062: straggler top/stuck, asked\n");
}
END_TEST

static void has_no_time(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(quick), LEAF(stuck) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace("%d processes", (int)cop_process_count());
    stop_tree("top", 0);
}

START_TEST(without_any_time_all_are_killed_at_once)
{
    expect_story(has_no_time, "4 processes\n"
                              "    0: stopped: timeout\n"
                              "    0: straggler top, asked\n"
                              "    0: straggler top/PID\n"
                              "    0: straggler top/PID\n");
}
END_TEST

static void drains(void *argument)
{
    cop_init_ack();
    cop_sleep(*(int64_t *)argument);
    tell("drained");
}

#define DRAINS(id_, ms_, drain_ms_)                                                      \
    { .id = id_, .start = cop_child_function, .module = (const void *)drains,            \
      .argument = &(int64_t){ ms_ }, .argument_size = sizeof(int64_t), .drain_ms = (drain_ms_) }

static void some_drain(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = { LEAF(quick), DRAINS("drains too long", 3000, COP_INFINITY),
                                        DRAINS("drains", 400, 5000) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_tree("top", 1600);
}

START_TEST(the_deadline_limits_drains_too)
{
    expect_story(some_drain, "  400: drained\n"
                             " 1431: quick: shutdown, top/quick has 64 ms\n"
                             " 1431: stopped: ok\n");
}
END_TEST

/* ---- the caller ------------------------------------------------------------------------ */

static void stops_the_top(void *argument)
{
    (void)argument;
    cop_straggler *stragglers;
    size_t count;
    cop_supervisor_stop_within(TOP, cop_reason_tuple("shutdown", cop_reason_atom("owned")), 1600,
                               &stragglers, &count);
    tell("never comes here");
}

static void caller_is_killed(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(quick), LEAF(stuck),
                                               COP_CHILD_SUPERVISOR(payments) };
    cop_pid top = start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_pid caller = cop_spawn(stops_the_top, NULL, 0);
    cop_sleep(1450);
    cop_exit_process(caller, COP_KILL);
    trace_end("top", top);
    tell("%d left", (int)cop_process_count());
}

START_TEST(when_the_caller_is_killed_meanwhile_the_tree_keeps_the_deadline_all_the_same)
{
    expect_story(caller_is_killed, "    0: quick: shutdown, top/payments/quick has 1235 ms\n"
                                   "    0: stuck: shutdown, top/payments/stuck has 1235 ms\n"
                                   "report: shutdown_error stuck: killed\n"
                                   " 1235: slow: shutdown, top/payments/slow has 77 ms\n"
                                   "report: shutdown_error slow: killed\n"
                                   " 1312: stuck: shutdown, top/stuck has 176 ms\n"
                                   "report: shutdown_error stuck: killed\n"
                                   " 1488: quick: shutdown, top/quick has 11 ms\n"
                                   "top down: shutdown:owned\n"
                                   " 1488: 1 left\n");
}
END_TEST

static void kills_the_top(void *top)
{
    cop_sleep(50);
    cop_exit_process(*(cop_pid *)top, COP_KILL);
}

static int refused(cop_dest supervisor, const cop_reason *reason, int64_t deadline_ms)
{
    cop_straggler *stragglers = (cop_straggler *)&stragglers;
    size_t count = 42;
    int error = cop_supervisor_stop_within(supervisor, reason, deadline_ms, &stragglers, &count);
    ck_assert_ptr_eq(stragglers, &stragglers);
    ck_assert_uint_eq(count, 42);
    return error;
}

static const cop_reason *owned(void)
{
    return cop_reason_tuple("shutdown", cop_reason_atom("owned"));
}

static void has_errors(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(slow) };
    cop_straggler *stragglers;
    size_t count;
    cop_pid top = start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    tell_error("no reason", refused(TOP, NULL, 100));
    tell_error("no time", refused(TOP, owned(), COP_INFINITY));
    tell_error("nowhere for them", cop_supervisor_stop_within(TOP, owned(), 1, NULL, &count));
    tell_error("nor their count", cop_supervisor_stop_within(TOP, owned(), 1, &stragglers, NULL));
    tell_error("nobody", refused(cop_to("nobody"), owned(), 100));
    tell_error("itself", refused(cop_to(cop_self()), owned(), 100));
    ck_assert(cop_is_alive(top));
    cop_spawn(kills_the_top, &top, sizeof top);
    tell_error("killed by another", refused(TOP, owned(), 1000));
    tell_error("dead", refused(cop_to(top), owned(), 100));
    cop_message_free(cop_take(&(cop_match){ .type = COP_TYPE(cop_exit_message) }, 0));
    expect_empty_mailbox();
}

START_TEST(errors_are_those_of_cop_stop_process_and_leave_the_outputs_alone)
{
    ck_assert_int_eq(refused(cop_to_pid(COP_NO_PID), owned(), 100), COP_EOUTSIDE);
    expect_story(has_errors, "    0: no reason: badarg\n"
                             "    0: no time: badarg\n"
                             "    0: nowhere for them: badarg\n"
                             "    0: nor their count: badarg\n"
                             "    0: nobody: noproc\n"
                             "    0: itself: calling_self\n"
                             "    0: slow: shutdown, top/slow has 878 ms\n"
                             "   50: killed by another: down\n"
                             "   50: dead: noproc\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *stop_within_suite(void)
{
    Suite *suite = suite_create("stop_within");
    TCase *tests = tcase_create("stop_within");
    tcase_add_test(tests, when_all_stop_in_time_the_answer_is_ok_and_each_knows_how_long_it_has);
    tcase_add_test(tests, one_that_is_stuck_is_killed_in_time_for_those_after_it_to_be_asked);
    tcase_add_test(
        tests, one_that_misses_its_own_time_is_a_straggler_too_but_not_one_that_is_killed_brutally);
    tcase_add_test(tests, a_shutdown_without_limit_is_limited_by_the_deadline);
    tcase_add_test(tests, without_any_time_all_are_killed_at_once);
    tcase_add_test(tests, the_deadline_limits_drains_too);
    tcase_add_test(tests,
                   when_the_caller_is_killed_meanwhile_the_tree_keeps_the_deadline_all_the_same);
    tcase_add_test(tests, errors_are_those_of_cop_stop_process_and_leave_the_outputs_alone);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(stop_within_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
