/* test_supervisor_restarts.c - which children are restarted, what happens when that fails, and when
 * the end of a child is the supervisor's. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "abc.h"

/* ---- restart types ----------------------------------------------------------------- */

static void restart_types(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .restart = COP_PERMANENT), WORKER(b, .restart = COP_TRANSIENT),
        WORKER(c, .restart = COP_TEMPORARY) };
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(10, 5), COP_CHILDREN(children) });
    const cop_reason *clean[] = { COP_NORMAL, COP_SHUTDOWN,
                                  cop_reason_tuple("shutdown", cop_reason_atom("x")) };
    for (size_t i = 0; i < 3; i++) {
        worker_exit("a", cop_reason_ref(clean[i]));
        settle();
    }
    raise_in("b");
    worker_kill("b");
    settle();
    worker_exit("b", cop_reason_ref(clean[2]));
    settle();
    cop_reason_unref(clean[2]);
    raise_in("c");
    trace_children(TOP);
}

START_TEST(the_restart_type_and_the_reason_decide_whether_a_child_is_started_again)
{
    expect_story(restart_types,
                 ABC_START "a.1 stops: normal\n"
                           "a.1 is gone\n"
                           "report: child_terminated a: normal\n"
                           "a.2 starts\n"
                           "report: a restarted: normal; a\n"
                           "a.2 stops: shutdown\n"
                           "a.2 is gone\n"
                           "report: child_terminated a: shutdown\n"
                           "a.3 starts\n"
                           "report: a restarted: shutdown; a\n"
                           "a.3 stops: shutdown:x\n"
                           "a.3 is gone\n"
                           "report: child_terminated a: shutdown:x\n"
                           "a.4 starts\n"
                           "report: a restarted: shutdown:x; a\n"
                           "b.1 is gone\n"
                           "report: child_terminated b: error:failed\n"
                           "b.2 starts\n"
                           "report: b restarted: error:failed; b\n"
                           "b.2 is gone\n"
                           "report: child_terminated b: killed\n"
                           "b.3 starts\n"
                           "report: b restarted: killed; b\n"
                           "b.3 stops: shutdown:x\n"
                           "b.3 is gone\n"
                           "c.1 is gone\n"
                           "report: child_terminated c: error:failed\n"
                           "children: b down, a up; 2 specs, 1 active, 0 supervisors, 2 workers\n");
}
END_TEST

static void revives_a_group(void *argument)
{
    (void)argument;
    static struct worker e;
    static const cop_child_spec children[] = {
        WORKER(a), WORKER(b), WORKER(c, .restart = COP_TRANSIENT), WORKER(d),
        WORKER(e, .restart = COP_TEMPORARY) };
    d.starts = "io";
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(children) });
    trace_error("terminate b", cop_supervisor_terminate_child(TOP, "b"));
    worker_exit("c", COP_NORMAL);
    settle();
    trace_children(TOP);
    raise_in("a");
    trace_children(TOP);
}

START_TEST(a_group_restart_revives_the_stopped_the_finished_and_the_ignored_and_drops_temporaries)
{
    expect_story(revives_a_group,
                 "a.1 starts\nb.1 starts\nc.1 starts\nd.1 ignores\ne.1 starts\n--\n"
                 "b.1 is gone\n"
                 "terminate b: ok\n"
                 "c.1 stops: normal\n"
                 "c.1 is gone\n"
                 "children: e up, d down, c down, b down, a up; 5 specs, 2 active, "
                 "0 supervisors, 5 workers\n"
                 "a.1 is gone\n"
                 "report: child_terminated a: error:failed\n"
                 "e.1 is gone\n"
                 "a.2 starts\n"
                 "b.2 starts\n"
                 "c.2 starts\n"
                 "d.2 starts\n"
                 "report: a restarted: error:failed; a b c d\n"
                 "children: d up, c up, b up, a up; 4 specs, 4 active, 0 supervisors, "
                 "4 workers\n");
}
END_TEST

/* One restart is allowed, and one it is. */
static void dies_together(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a), WORKER(b), WORKER(c, .restart = COP_TEMPORARY) };
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ALL,
                                 .intensity = COP_MAX_RESTARTS(1, 5), COP_CHILDREN(children) });
    cop_exit_process(cop_whereis("a"), cop_reason_atom("power_cut"));
    cop_exit_process(cop_whereis("b"), cop_reason_atom("power_cut"));
    cop_exit_process(cop_whereis("c"), cop_reason_atom("power_cut"));
    settle();
    trace_children(TOP);
}

START_TEST(children_that_die_together_are_one_restart_and_each_reason_is_reported)
{
    expect_story(dies_together,
                 ABC_START "a.1 is gone\n"
                           "b.1 is gone\n"
                           "c.1 is gone\n"
                           "report: child_terminated a: power_cut\n"
                           "a.2 starts\n"
                           "b.2 starts\n"
                           "report: a restarted: power_cut; a b\n"
                           "report: shutdown_error b: power_cut\n"
                           "report: shutdown_error c: power_cut\n"
                           "children: b up, a up; 2 specs, 2 active, 0 supervisors, 2 workers\n");
}
END_TEST

/* b ends by itself while c is given its time to stop. */
static void dies_meanwhile(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b), WORKER(c) };
    c.traps = true;
    c.lingers_ms = 100;
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ALL,
                                 .intensity = COP_MAX_RESTARTS(1, 5), COP_CHILDREN(children) });
    raise_in("a");
    raise_in("b");
    cop_sleep(100);
    trace_children(TOP);
}

START_TEST(a_sibling_that_dies_while_the_group_is_taken_down_counts_no_restart)
{
    expect_story(dies_meanwhile,
                 ABC_START "a.1 is gone\n"
                           "report: child_terminated a: error:failed\n"
                           "c.1 stops: shutdown\n"
                           "b.1 is gone\n"
                           "c.1 is gone\n"
                           "a.2 starts\n"
                           "b.2 starts\n"
                           "c.2 starts\n"
                           "report: a restarted: error:failed; a b c\n"
                           "report: shutdown_error b: error:failed\n"
                           "children: c up, b up, a up; 3 specs, 3 active, 0 supervisors, "
                           "3 workers\n");
}
END_TEST

/* ---- restarts that fail ------------------------------------------------------------ */

static void always_fails(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    b.starts = "oe";
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_ref end = cop_monitor("top");
    raise_in("b");
    trace_down("top", end);
}

START_TEST(with_three_restarts_allowed_a_start_that_fails_is_tried_three_times)
{
    expect_story(always_fails, "a.1 starts\nb.1 starts\n--\n"
                               "b.1 is gone\n"
                               "report: child_terminated b: error:failed\n"
                               "b.2 fails\n"
                               "report: start_error b: boom\n"
                               "b.3 fails\n"
                               "report: start_error b: boom\n"
                               "b.4 fails\n"
                               "report: start_error b: boom\n"
                               "report: shutdown b: reached_max_restart_intensity\n"
                               "a.1 is gone\n"
                               "top down: shutdown\n");
}
END_TEST

static void fails_once(void *argument)
{
    (void)argument;
    a.starts = "oeo";
    start_abc(COP_ONE_FOR_ONE);
    raise_in("a");
    b.starts = "oi";
    raise_in("b");
    trace_children(TOP);
}

START_TEST(a_restart_that_fails_is_tried_again_and_one_that_is_ignored_leaves_the_child_down)
{
    expect_story(fails_once,
                 ABC_START "a.1 is gone\n"
                           "report: child_terminated a: error:failed\n"
                           "a.2 fails\n"
                           "report: start_error a: boom\n"
                           "a.3 starts\n"
                           "report: a restarted: error:failed; a\n"
                           "b.1 is gone\n"
                           "report: child_terminated b: error:failed\n"
                           "b.2 ignores\n"
                           "children: c up, b down, a up; 3 specs, 2 active, 0 supervisors, "
                           "3 workers\n");
}
END_TEST

static void sibling_fails(enum cop_strategy strategy)
{
    c.starts = "oeo";
    static const cop_child_spec children[] = { WORKER(a), WORKER(b), WORKER(c), WORKER(d) };
    start_top(&(cop_supervisor){ .strategy = strategy, COP_CHILDREN(children) });
    raise_in("b");
    trace_children(TOP);
}

static void sibling_fails_in_one_for_all(void *argument)
{
    (void)argument;
    sibling_fails(COP_ONE_FOR_ALL);
}

START_TEST(when_a_sibling_fails_in_one_for_all_those_started_again_are_stopped_and_all_start)
{
    expect_story(sibling_fails_in_one_for_all,
                 "a.1 starts\nb.1 starts\nc.1 starts\nd.1 starts\n--\n"
                 "b.1 is gone\n"
                 "report: child_terminated b: error:failed\n"
                 "d.1 is gone\n"
                 "c.1 is gone\n"
                 "a.1 is gone\n"
                 "a.2 starts\n"
                 "b.2 starts\n"
                 "c.2 fails\n"
                 "report: start_error c: boom\n"
                 "b.2 is gone\n"
                 "a.2 is gone\n"
                 "a.3 starts\n"
                 "b.3 starts\n"
                 "c.3 starts\n"
                 "d.2 starts\n"
                 "report: c restarted: boom; a b c d\n"
                 "children: d up, c up, b up, a up; 4 specs, 4 active, 0 supervisors, "
                 "4 workers\n");
}
END_TEST

static void sibling_fails_in_rest_for_one(void *argument)
{
    (void)argument;
    sibling_fails(COP_REST_FOR_ONE);
}

START_TEST(when_a_sibling_fails_in_rest_for_one_the_restart_goes_on_from_there)
{
    expect_story(sibling_fails_in_rest_for_one,
                 "a.1 starts\nb.1 starts\nc.1 starts\nd.1 starts\n--\n"
                 "b.1 is gone\n"
                 "report: child_terminated b: error:failed\n"
                 "d.1 is gone\n"
                 "c.1 is gone\n"
                 "b.2 starts\n"
                 "c.2 fails\n"
                 "report: start_error c: boom\n"
                 "c.3 starts\n"
                 "d.2 starts\n"
                 "report: c restarted: boom; c d\n"
                 "children: d up, c up, b up, a up; 4 specs, 4 active, 0 supervisors, "
                 "4 workers\n");
}
END_TEST

/* A restart that fails for ever, thousands of times; the supervisor answers meanwhile. */
static void loops(enum cop_strategy strategy)
{
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    trace_reset();
    a.starts = "oe";
    a.count = 0;
    const cop_supervisor supervisor = { .strategy = strategy,
                                        .intensity = COP_MAX_RESTARTS(UINT32_MAX, 1),
                                        COP_CHILDREN(children) };
    cop_started top = cop_supervisor_start_link(&supervisor, .name = "top");
    ck_assert_int_eq(top.error, COP_OK);
    worker_kill("a");
    int tries = a.count;
    while (a.count < tries + 100) cop_yield();
    cop_child_counts counts;
    ck_assert_int_eq(cop_supervisor_count_children(TOP, &counts), COP_OK);
    ck_assert_uint_eq(counts.active, strategy == COP_ONE_FOR_ONE ? 1 : 0);
    cop_child_info *infos;
    size_t count;
    ck_assert_int_eq(cop_supervisor_which_children(TOP, &infos, &count), COP_OK);
    ck_assert_str_eq(infos[1].id, "a");
    ck_assert_int_eq(infos[1].state, COP_CHILD_RESTARTING);
    ck_assert_int_eq(cop_supervisor_restart_child(TOP, "a").error, COP_ERESTARTING);
    ck_assert_int_eq(cop_supervisor_delete_child(TOP, "a"), COP_ERESTARTING);
    ck_assert_int_eq(cop_supervisor_start_child(TOP, &children[0]).error, COP_EALREADY_PRESENT);
    ck_assert_int_eq(cop_supervisor_terminate_child(TOP, "a"), COP_OK);
    tries = a.count;
    settle();                          /* comes back: nothing runs any more */
    ck_assert_int_eq(a.count, tries);
    ck_assert_int_eq(cop_supervisor_delete_child(TOP, "a"), COP_OK);
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
}

static void loops_in_every_strategy(void *argument)
{
    (void)argument;
    loops(COP_ONE_FOR_ONE);
    loops(COP_REST_FOR_ONE);
    loops(COP_ONE_FOR_ALL);
    trace_reset();
}

START_TEST(during_an_endless_restart_the_supervisor_answers_and_terminate_child_ends_the_loop)
{
    expect_story(loops_in_every_strategy, "");
}
END_TEST

static void ends_while_restarting(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    a.starts = "oe";
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(UINT32_MAX, 1),
                                 COP_CHILDREN(children) });
    worker_kill("a");
    cop_exit_process(top_pid, COP_SHUTDOWN);
    cop_ref end = cop_monitor("top");
    trace_reset();
    trace_down("top", end);
    ck_assert_ptr_nonnull(strstr(trace_text(), "b.1 is gone\n"));
    ck_assert_uint_eq(cop_process_count(), 1);
    trace_reset();
}

START_TEST(a_supervisor_can_be_shut_down_in_the_middle_of_an_endless_restart)
{
    expect_story(ends_while_restarting, "");
}
END_TEST

/* ---- auto_shutdown ----------------------------------------------------------------- */

static void start_significant(enum cop_auto_shutdown auto_shutdown, enum cop_strategy strategy)
{
    static const cop_child_spec children[] = {
        WORKER(a, .restart = COP_TRANSIENT, .significant = true),
        WORKER(b, .restart = COP_TEMPORARY, .significant = true),
        WORKER(c) };
    start_top(&(cop_supervisor){ .strategy = strategy, .auto_shutdown = auto_shutdown,
                                 COP_CHILDREN(children) });
}

static void any_significant(void *argument)
{
    (void)argument;
    start_significant(COP_ANY_SIGNIFICANT, COP_ONE_FOR_ONE);
    cop_ref end = cop_monitor("top");
    raise_in("a");                    /* is started again */
    worker_exit("a", COP_NORMAL);
    trace_down("top", end);
}

START_TEST(with_any_significant_the_first_that_ends_for_good_ends_the_supervisor)
{
    expect_story(any_significant, ABC_START "a.1 is gone\n"
                                            "report: child_terminated a: error:failed\n"
                                            "a.2 starts\n"
                                            "report: a restarted: error:failed; a\n"
                                            "a.2 stops: normal\n"
                                            "a.2 is gone\n"
                                            "c.1 is gone\n"
                                            "b.1 is gone\n"
                                            "top down: shutdown\n");
}
END_TEST

static void all_significant(void *argument)
{
    (void)argument;
    start_significant(COP_ALL_SIGNIFICANT, COP_ONE_FOR_ONE);
    cop_ref end = cop_monitor("top");
    raise_in("b");
    trace("--");
    worker_exit("a", COP_SHUTDOWN);
    trace_down("top", end);
}

START_TEST(with_all_significant_the_last_that_ends_for_good_does)
{
    expect_story(all_significant, ABC_START "b.1 is gone\n"
                                            "report: child_terminated b: error:failed\n"
                                            "--\n"
                                            "a.1 stops: shutdown\n"
                                            "a.1 is gone\n"
                                            "c.1 is gone\n"
                                            "top down: shutdown\n");
}
END_TEST

static void terminated_by_call(void *argument)
{
    (void)argument;
    start_significant(COP_ALL_SIGNIFICANT, COP_ONE_FOR_ONE);
    cop_ref end = cop_monitor("top");
    trace_error("terminate a", cop_supervisor_terminate_child(TOP, "a"));
    settle();
    trace("--");
    worker_exit("b", COP_NORMAL);     /* a is gone, so this was the last */
    trace_down("top", end);
}

START_TEST(a_significant_child_terminated_by_a_call_ends_nothing_but_is_gone)
{
    expect_story(terminated_by_call, ABC_START "a.1 is gone\n"
                                               "terminate a: ok\n"
                                               "--\n"
                                               "b.1 stops: normal\n"
                                               "b.1 is gone\n"
                                               "c.1 is gone\n"
                                               "top down: shutdown\n");
}
END_TEST

static void bystander(void *argument)
{
    (void)argument;
    start_significant(COP_ANY_SIGNIFICANT, COP_ONE_FOR_ALL);
    raise_in("c");
    trace_children(TOP);
}

START_TEST(a_significant_child_that_is_stopped_with_its_group_ends_nothing)
{
    expect_story(bystander, ABC_START "c.1 is gone\n"
                                      "report: child_terminated c: error:failed\n"
                                      "b.1 is gone\n"
                                      "a.1 is gone\n"
                                      "a.2 starts\n"
                                      "c.2 starts\n"
                                      "report: c restarted: error:failed; a c\n"
                                      "children: c up, a up; 2 specs, 2 active, 0 supervisors, "
                                      "2 workers\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *supervisor_restarts_suite(void)
{
    Suite *suite = suite_create("supervisor_restarts");
    TCase *tests = tcase_create("supervisor_restarts");
    tcase_add_test(tests, the_restart_type_and_the_reason_decide_whether_a_child_is_started_again);
    tcase_add_test(
        tests,
        a_group_restart_revives_the_stopped_the_finished_and_the_ignored_and_drops_temporaries);
    tcase_add_test(tests, children_that_die_together_are_one_restart_and_each_reason_is_reported);
    tcase_add_test(tests, a_sibling_that_dies_while_the_group_is_taken_down_counts_no_restart);
    tcase_add_test(tests, with_three_restarts_allowed_a_start_that_fails_is_tried_three_times);
    tcase_add_test(
        tests,
        a_restart_that_fails_is_tried_again_and_one_that_is_ignored_leaves_the_child_down);
    tcase_add_test(
        tests,
        when_a_sibling_fails_in_one_for_all_those_started_again_are_stopped_and_all_start);
    tcase_add_test(tests, when_a_sibling_fails_in_rest_for_one_the_restart_goes_on_from_there);
    tcase_add_test(
        tests,
        during_an_endless_restart_the_supervisor_answers_and_terminate_child_ends_the_loop);
    tcase_add_test(tests, a_supervisor_can_be_shut_down_in_the_middle_of_an_endless_restart);
    tcase_add_test(tests, with_any_significant_the_first_that_ends_for_good_ends_the_supervisor);
    tcase_add_test(tests, with_all_significant_the_last_that_ends_for_good_does);
    tcase_add_test(tests, a_significant_child_terminated_by_a_call_ends_nothing_but_is_gone);
    tcase_add_test(tests, a_significant_child_that_is_stopped_with_its_group_ends_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(supervisor_restarts_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
