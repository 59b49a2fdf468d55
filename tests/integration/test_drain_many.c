/* test_drain_many.c - several children are drained: one after the other, or all at once under a
 * dynamic supervisor. */
#include "drainer.h"

static const struct plan a = { .name = "a", .finishes_ms = 300 };

/* ---- several children ------------------------------------------------------------------ */

static const struct plan old = { .name = "old", .finishes_ms = 100 };
static const struct plan middle = { .name = "middle", .finishes_ms = 0 };
static const struct plan young = { .name = "young", .finishes_ms = 300 };

static void asks_the_old(void *server)
{
    cop_sleep(200);
    ck_assert_int_eq(cop_call(*(cop_pid *)server, NULL, ask, 0), COP_OK);
}

static const cop_child_spec three[] = { DRAINER(old, .drain_ms = 1000), DRAINER(middle),
                                        DRAINER(young, .drain_ms = 1000) };

static void are_several(void *argument)
{
    (void)argument;
    start_top(&(cop_supervisor){ COP_CHILDREN(three) });
    cop_pid oldest = pid_of("old");
    cop_spawn_link(asks_the_old, &oldest, sizeof oldest);
    end_top();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(the_youngest_drains_first_and_the_older_ones_serve_it_meanwhile)
{
    expect_story(are_several, "    0: young drains\n"
                              "  200: old answers\n"
                              "  300: young has finished\n"
                              "  300: young stops: normal\n"
                              "  300: middle stops: shutdown\n"
                              "  300: old drains\n"
                              "  400: old has finished\n"
                              "  400: old stops: normal\n"
                              "  400: top stopped: ok\n");
}
END_TEST

static void restarts_as_a_group(void *argument)
{
    (void)argument;
    start_top(&(cop_supervisor){ .strategy = COP_REST_FOR_ONE, COP_CHILDREN(three) });
    cop_pid before = pid_of("middle"), after;
    cop_exit_process(before, COP_KILL);
    ck_assert_int_eq(cop_supervisor_await_restart(TOP, "middle", before, 10000, &after), COP_OK);
    settle();
}

START_TEST(in_a_group_restart_the_others_drain_too)
{
    expect_story(restarts_as_a_group, "report: child_terminated middle: killed\n"
                                      "    0: young drains\n"
                                      "  300: young has finished\n"
                                      "  300: young stops: normal\n"
                                      "report: middle restarted: killed; middle young\n");
}
END_TEST

/* Whatever the order of their ends: a child dies in the moment in which it is to drain. */
static void dies_before(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { DRAINER(a, .drain_ms = 1000),
                                               DRAINER(old, .drain_ms = 1000) };
    cop_pid top = start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_pid pids[] = { pid_of("a"), pid_of("old") };
    cop_exit_process(top, COP_SHUTDOWN);
    cop_exit_process(pids[0], COP_KILL);
    cop_exit_process(pids[1], COP_KILL);
    trace_end("top", top);
    ck_assert_int_eq(cop_now_ms(), 0);
}

static size_t times(const char *line)
{
    size_t count = 0;
    for (const char *at = trace_text(); (at = strstr(at, line)) != NULL; at++) count++;
    return count;
}

START_TEST(a_child_that_was_dead_already_takes_no_time_and_is_reported_once)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        run_shuffled(dies_before, seed);
        ck_assert_uint_eq(times("report: shutdown_error a: killed\n"), 1);
        ck_assert_uint_eq(times("report: shutdown_error old: killed\n"), 1);
        ck_assert_uint_eq(times("report:"), 2);
        ck_assert_uint_eq(times("top down: shutdown\n"), 1);
    }
}
END_TEST

/* ---- dynamic children ------------------------------------------------------------------ */

static const struct plan d1 = { .name = "d1", .finishes_ms = 100 };
static const struct plan d2 = { .name = "d2", .finishes_ms = 500, .lingers_ms = 1000 };
static const struct plan d3 = { .name = "d3", .finishes_ms = 400 };
static const struct plan d4 = { .name = "d4", .finishes_ms = 250 };
static const struct plan d5 = { .name = "d5" };

static void are_dynamic(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    add(&(cop_child_spec)DRAINER(d1, .drain_ms = 1000));
    add(&(cop_child_spec)DRAINER(d2, .drain_ms = 200, .shutdown = COP_SHUTDOWN_MS(70)));
    add(&(cop_child_spec)DRAINER(d3, .drain_ms = COP_INFINITY, .shutdown = COP_BRUTAL_KILL));
    cop_pid fourth = add(&(cop_child_spec)DRAINER(d4, .drain_ms = 300));
    cop_pid fifth = add(&(cop_child_spec)SIMPLE(d5, .drain_ms = 300));
    cop_send(fifth, job, .ms = 210);
    tell_error("d4", cop_dynamic_supervisor_terminate_child(TOP, fourth));
    trace_children(TOP);
    trace("the rest");
    end_top();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(dynamic_children_drain_at_once_each_with_its_own_time)
{
    expect_story(are_dynamic, "    0: d4 drains\n"
                              "  210: d5 did a job\n"
                              "  250: d4 has finished\n"
                              "  250: d4 stops: normal\n"
                              "  250: d4: ok\n"
                              "children: child up, child up, child up, child up; 4 specs, "
                              "4 active, 0 supervisors, 4 workers\n"
                              "the rest\n"
                              "  250: d2 drains\n"
                              "  250: d3 drains\n"
                              "  250: d5 stops: shutdown\n"
                              "  250: d1 drains\n"
                              "  350: d1 has finished\n"
                              "  350: d1 stops: normal\n"
                              "  450: d2 stops: shutdown\n"
                              "report: shutdown_error d2: killed\n"
                              "  650: d3 has finished\n"
                              "  650: d3 stops: normal\n"
                              "  650: top stopped: ok\n");
}
END_TEST

static void task(void *argument)
{
    cop_init_ack();
    cop_sleep(*(int *)argument);
}

static void are_tasks(void *argument)
{
    (void)argument;
    enum { TASKS = 200 };
    const cop_child_spec template_ = { .start = cop_child_function, .module = (const void *)task,
                                       .restart = COP_TEMPORARY, .drain_ms = 150 };
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
    for (int i = 1; i <= TASKS; i++)
        ck_assert_int_eq(cop_dynamic_supervisor_start_from(TOP, &i, sizeof i).error, COP_OK);
    tell("%d tasks", (int)cop_process_count() - 2);
    end_top();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_dynamic_supervisors_tasks_drain_in_parallel_and_the_rest_ends_with_the_time)
{
    expect_story(are_tasks, "    0: 200 tasks\n"
                            "  150: top stopped: ok\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *drain_many_suite(void)
{
    Suite *suite = suite_create("drain_many");
    TCase *tests = tcase_create("drain_many");
    tcase_add_test(tests, the_youngest_drains_first_and_the_older_ones_serve_it_meanwhile);
    tcase_add_test(tests, in_a_group_restart_the_others_drain_too);
    tcase_add_test(tests, a_child_that_was_dead_already_takes_no_time_and_is_reported_once);
    tcase_add_test(tests, dynamic_children_drain_at_once_each_with_its_own_time);
    tcase_add_test(tests,
                   a_dynamic_supervisors_tasks_drain_in_parallel_and_the_rest_ends_with_the_time);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(drain_many_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
