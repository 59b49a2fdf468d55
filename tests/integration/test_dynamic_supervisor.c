/* test_dynamic_supervisor.c - children that come and go: their start, their restarts, the
 * template. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "top.h"

static struct worker a, b, c;

/* ---- start ------------------------------------------------------------------------- */

static void starts_on_demand(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    trace_children(TOP);
    ADD(a);
    b.starts = "i";
    trace_started("b", cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec)WORKER(b)));
    c.starts = "e";
    trace_started("c", cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec)WORKER(c)));
    trace_started("a", cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec)WORKER(a)));
    trace_children(TOP);
    end_top();
}

START_TEST(children_start_on_demand_and_nothing_is_kept_of_one_that_ignores_or_fails)
{
    expect_story(starts_on_demand,
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n"
                 "a.1 starts\n"
                 "b.1 ignores\n"
                 "b: ignore\n"
                 "c.1 fails\n"
                 "c: start_failed boom\n"
                 "a: already_started\n"           /* from the start function: the name */
                 "children: child up; 1 specs, 1 active, 0 supervisors, 1 workers\n"
                 "a.1 is gone\n"
                 "top down: shutdown\n");
}
END_TEST

static void is_asked_wrongly(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    trace_started("NULL", cop_dynamic_supervisor_start_child(TOP, NULL));
    trace_started("no start", cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec){ 0 }));
    trace_started("significant", cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec)WORKER(
                                     a, .significant = true, .restart = COP_TRANSIENT)));
    trace_started("no template", cop_dynamic_supervisor_start_from(TOP, "x", 2));
    trace_started("no argument", cop_dynamic_supervisor_start_from(TOP, NULL, 2));
    trace_error("by id", cop_supervisor_terminate_child(TOP, "a"));
    trace_started("by id", cop_supervisor_restart_child(TOP, "a"));
    trace_error("by id", cop_supervisor_delete_child(TOP, "a"));
    trace_started("nobody", cop_dynamic_supervisor_start_child(cop_to("nobody"),
                                                               &(cop_child_spec)WORKER(a)));
    end_top();
    const cop_child_spec template_ = { .id = "t" };
    const cop_dynamic_supervisor wrong = { .template_ = &template_ };
    trace_started("wrong template", cop_dynamic_supervisor_start_link(&wrong));
    const cop_dynamic_supervisor never = { .intensity = COP_MAX_RESTARTS(1, 0) };
    trace_started("period 0", cop_dynamic_supervisor_start_link(&never));
}

START_TEST(wrong_requests_are_refused)
{
    expect_story(is_asked_wrongly, "NULL: badarg\n"
                                   "no start: badarg start_spec:missing_start\n"
                                   "significant: badarg start_spec:bad_combination:a\n"
                                   "no template: badarg\n"
                                   "no argument: badarg\n"
                                   "by id: badarg\n"
                                   "by id: badarg\n"
                                   "by id: badarg\n"
                                   "nobody: noproc\n"
                                   "top down: shutdown\n"
                                   "wrong template: badarg start_spec:missing_start:t\n"
                                   "period 0: badarg supervisor_data:invalid_period\n");
}
END_TEST

static cop_next choose_limit(struct cop_dynamic_supervisor *flags, const void *argument)
{
    int limit = *(const int *)argument;
    if (limit < 0) return cop_ignore();
    flags->max_children = (size_t)limit;
    return cop_ok();
}

static void is_full(void *argument)
{
    (void)argument;
    int limit = -1;
    const cop_dynamic_supervisor supervisor = { .init = choose_limit };
    trace_started("ignored", cop_dynamic_supervisor_start_link(
                                 &supervisor, .argument = &limit, .argument_size = sizeof limit));
    limit = 2;
    cop_started top = cop_dynamic_supervisor_start_link(
        &supervisor, .name = "top", .argument = &limit, .argument_size = sizeof limit);
    ck_assert_int_eq(top.error, COP_OK);
    ADD(a);
    ADD(b);
    trace_started("c", cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec)WORKER(c)));
    ck_assert_int_eq(cop_dynamic_supervisor_terminate_child(TOP, cop_whereis("a")), COP_OK);
    ADD(c);
}

START_TEST(init_may_limit_the_children_and_a_full_supervisor_starts_no_more)
{
    expect_story(is_full, "ignored: ignore\n"
                          "a.1 starts\n"
                          "b.1 starts\n"
                          "c: max_children\n"
                          "a.1 is gone\n"
                          "c.1 starts\n");
}
END_TEST

/* ---- restarts ---------------------------------------------------------------------- */

static void restarts_some(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ .intensity = COP_MAX_RESTARTS(10, 5) });
    ADD(a);
    ADD(b, .restart = COP_TRANSIENT);
    ADD(c, .restart = COP_TEMPORARY);
    worker_exit("a", COP_NORMAL);
    settle();
    worker_raise("b", "failed");
    settle();
    worker_exit("b", COP_SHUTDOWN);
    worker_kill("c");
    settle();
    trace_children(TOP);
}

START_TEST(a_child_is_restarted_or_forgotten_by_its_type_and_its_reason)
{
    expect_story(restarts_some,
                 "a.1 starts\nb.1 starts\nc.1 starts\n"
                 "a.1 stops: normal\n"
                 "a.1 is gone\n"
                 "report: child_terminated a: normal\n"
                 "a.2 starts\n"
                 "report: a restarted: normal; a\n"
                 "b.1 is gone\n"
                 "report: child_terminated b: error:failed\n"
                 "b.2 starts\n"
                 "report: b restarted: error:failed; b\n"
                 "b.2 stops: shutdown\n"
                 "b.2 is gone\n"
                 "c.1 is gone\n"
                 "report: child_terminated c: killed\n"
                 "children: child up; 1 specs, 1 active, 0 supervisors, 1 workers\n");
}
END_TEST

static void gives_up(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ .intensity = COP_MAX_RESTARTS(2, 5) });
    cop_ref end = cop_monitor("top");
    a.starts = "oe";
    ADD(a);
    ADD(b);
    worker_raise("a", "failed");
    trace_down("top", end);
}

START_TEST(failed_restarts_count_and_too_many_end_the_supervisor_and_all_children)
{
    expect_story(gives_up, "a.1 starts\nb.1 starts\n"
                           "a.1 is gone\n"
                           "report: child_terminated a: error:failed\n"
                           "a.2 fails\n"
                           "report: start_error a: boom\n"
                           "a.3 fails\n"
                           "report: start_error a: boom\n"
                           "report: shutdown a: reached_max_restart_intensity\n"
                           "b.1 is gone\n"
                           "top down: shutdown\n");
}
END_TEST

static void ignores_or_fails_again(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    a.starts = "oi";
    b.starts = "oeo";
    ADD(a);
    cop_pid old = ADD(b);
    worker_kill("a");
    worker_kill("b");
    settle();
    trace_children(TOP);
    trace_error("the old pid", cop_dynamic_supervisor_terminate_child(TOP, old));
    trace_error("the new pid", cop_dynamic_supervisor_terminate_child(TOP, cop_whereis("b")));
    trace_children(TOP);
}

START_TEST(a_child_that_ignores_its_restart_is_forgotten_and_one_that_fails_is_tried_again)
{
    expect_story(ignores_or_fails_again,
                 "a.1 starts\nb.1 starts\n"
                 "a.1 is gone\n"
                 "report: child_terminated a: killed\n"
                 "a.2 ignores\n"
                 "b.1 is gone\n"
                 "report: child_terminated b: killed\n"
                 "b.2 fails\n"
                 "report: start_error b: boom\n"
                 "b.3 starts\n"
                 "report: b restarted: killed; b\n"
                 "children: child up; 1 specs, 1 active, 0 supervisors, 1 workers\n"
                 "the old pid: not_found\n"
                 "b.3 is gone\n"
                 "the new pid: ok\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

/* During an endless restart. */
static void loops(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ .max_children = 2,
                                         .intensity = COP_MAX_RESTARTS(UINT32_MAX, 1) });
    a.starts = "oe";
    cop_pid old = ADD(a);
    ADD(b);
    worker_kill("a");
    while (a.count < 100) cop_yield();
    cop_child_counts counts;
    ck_assert_int_eq(cop_dynamic_supervisor_count_children(TOP, &counts), COP_OK);
    ck_assert_uint_eq(counts.specs, 2);
    ck_assert_uint_eq(counts.active, 1);
    cop_child_info *infos;
    size_t count;
    ck_assert_int_eq(cop_dynamic_supervisor_which_children(TOP, &infos, &count), COP_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(infos[0].state + infos[1].state, COP_CHILD_UP + COP_CHILD_RESTARTING);
    ck_assert_int_eq(cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec)WORKER(c)).error,
                     COP_EMAX_CHILDREN);
    ck_assert_int_eq(cop_dynamic_supervisor_terminate_child(TOP, old), COP_OK);
    int tries = a.count;
    settle();
    ck_assert_int_eq(a.count, tries);
    ck_assert_int_eq(cop_dynamic_supervisor_terminate_child(TOP, old), COP_ENOT_FOUND);
    trace_reset();
    ADD(c);
}

START_TEST(a_child_being_restarted_keeps_its_place_and_is_terminated_by_its_old_pid)
{
    expect_story(loops, "c.1 starts\n");
}
END_TEST

/* ---- the template ------------------------------------------------------------------ */

static void counts_down(void *argument)
{
    int *left = argument;
    trace("%d left", *left);
    cop_init_ack();
    cop_sleep(COP_INFINITY);
}

static void starts_from_template(void *argument)
{
    (void)argument;
    static const int by_default = 7;
    static const cop_child_spec template_ = {
        .id = "counter", .start = cop_child_function, .module = (const void *)counts_down,
        .argument = &by_default, .argument_size = sizeof by_default };
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
    int left = 3;
    cop_started three = cop_dynamic_supervisor_start_from(TOP, &left, sizeof left);
    ck_assert_int_eq(three.error, COP_OK);
    left = 5;
    ck_assert_int_eq(cop_dynamic_supervisor_start_from(TOP, &left, sizeof left).error, COP_OK);
    left = 0;
    trace_children(TOP);
    worker_kill_pid(three.pid);
    settle();
    trace_children(TOP);
    end_top();
}

START_TEST(children_of_a_template_differ_in_their_argument_and_are_restarted_with_it)
{
    expect_story(starts_from_template,
                 "3 left\n"
                 "5 left\n"
                 "children: child up, child up; 1 specs, 2 active, 0 supervisors, 2 workers\n"
                 "report: child_terminated counter: killed\n"
                 "3 left\n"
                 "report: counter restarted: killed; counter\n"
                 "children: child up, child up; 1 specs, 2 active, 0 supervisors, 2 workers\n"
                 "top down: shutdown\n");
}
END_TEST

/* Runs in the supervisor, so that it sees its memory. */
static size_t supervisor_memory;

static cop_started start_measured(const void *module, const void *argument, size_t argument_size)
{
    (void)module;
    (void)argument;
    (void)argument_size;
    static const cop_gen_server idle = { .state_size = 8 };
    supervisor_memory = cop_memory_used();
    return cop_gen_server_start_link(&idle);
}

static size_t memory_after(int children, const void *argument, size_t size)
{
    for (int i = 0; i < children; i++) {
        cop_started started = cop_dynamic_supervisor_start_from(TOP, argument, size);
        ck_assert_int_eq(started.error, COP_OK);
    }
    return supervisor_memory;
}

/* Its table has up to two pointers a child. */
static void measures(enum cop_restart restart, const void *argument, size_t size, size_t bytes)
{
    enum { COUNT = 512 };
    const cop_child_spec template_ = { .start = start_measured, .restart = restart };
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
    size_t before = memory_after(1, argument, size);
    size_t after = memory_after(COUNT, argument, size);
    ck_assert_uint_le(after - before, COUNT * (bytes + 2 * sizeof(void *)));
    cop_supervisor_stop(TOP, COP_SHUTDOWN);
}

static void measures_all(void *argument)
{
    (void)argument;
    char large[1000] = "";
    measures(COP_PERMANENT, NULL, 0, 80);
    measures(COP_PERMANENT, large, 100, 80 + 100);
    measures(COP_TEMPORARY, large, sizeof large, 80);   /* is never started again */
}

START_TEST(a_child_of_a_template_costs_its_supervisor_80_bytes_at_most_and_its_argument)
{
    expect_story(measures_all, "");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *dynamic_supervisor_suite(void)
{
    Suite *suite = suite_create("dynamic_supervisor");
    TCase *tests = tcase_create("dynamic_supervisor");
    tcase_add_test(tests,
                   children_start_on_demand_and_nothing_is_kept_of_one_that_ignores_or_fails);
    tcase_add_test(tests, wrong_requests_are_refused);
    tcase_add_test(tests, init_may_limit_the_children_and_a_full_supervisor_starts_no_more);
    tcase_add_test(tests, a_child_is_restarted_or_forgotten_by_its_type_and_its_reason);
    tcase_add_test(tests, failed_restarts_count_and_too_many_end_the_supervisor_and_all_children);
    tcase_add_test(tests,
                   a_child_that_ignores_its_restart_is_forgotten_and_one_that_fails_is_tried_again);
    tcase_add_test(tests, a_child_being_restarted_keeps_its_place_and_is_terminated_by_its_old_pid);
    tcase_add_test(tests,
                   children_of_a_template_differ_in_their_argument_and_are_restarted_with_it);
    tcase_add_test(tests,
                   a_child_of_a_template_costs_its_supervisor_80_bytes_at_most_and_its_argument);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(dynamic_supervisor_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
