/* test_supervisor_calls.c - what can be asked of a supervisor. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "top.h"

static struct worker a, b, c, d;

static void plain_child(void *argument)
{
    trace("plain child has %s", (const char *)argument);
    cop_init_ack();
    cop_sleep(COP_INFINITY);
}

static const cop_supervisor inner = { .name = "inner" };

/* ---- calls ------------------------------------------------------------------------- */

static void adds_children(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a) };
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    c.starts = "e";
    d.starts = "i";
    trace_started("b", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(b)));
    trace_started("b", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(b)));
    trace_started("c", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(c)));
    trace_started("d", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(d)));
    trace_started("d", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(d)));
    trace_children(TOP);
    end_top();
}

START_TEST(start_child_adds_a_child_as_the_youngest)
{
    expect_story(adds_children, "a.1 starts\n"
                                "top: ok\n"
                                "b.1 starts\n"
                                "b: ok\n"
                                "b: already_started\n"
                                "c.1 fails\n"
                                "c: start_failed boom\n"
                                "d.1 ignores\n"
                                "d: ok no process\n"
                                "d: already_present\n"
                                "children: d down, b up, a up; 3 specs, 2 active, "
                                "0 supervisors, 3 workers\n"
                                "b.1 is gone\n"
                                "a.1 is gone\n"
                                "top down: shutdown\n");
}
END_TEST

static void adds_wrong_children(void *argument)
{
    (void)argument;
    try_top(&(cop_supervisor){ 0 });
    trace_started("NULL", cop_supervisor_start_child(TOP, NULL));
    trace_started("no id", cop_supervisor_start_child(TOP, &(cop_child_spec){
                               .start = worker_start }));
    trace_started("no start", cop_supervisor_start_child(TOP, &(cop_child_spec){ .id = "a" }));
    trace_started("significant", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(
                                     a, .significant = true, .restart = COP_TRANSIENT)));
    b.starts = "i";
    trace_started("temporary that ignores", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(
                                                b, .restart = COP_TEMPORARY)));
    trace_started("from a template", cop_dynamic_supervisor_start_from(TOP, NULL, 0));
    trace_children(TOP);
    end_top();
}

START_TEST(start_child_refuses_a_spec_with_a_fault_and_keeps_nothing_of_a_temporary_that_ignores)
{
    expect_story(adds_wrong_children,
                 "top: ok\n"
                 "NULL: badarg\n"
                 "no id: badarg start_spec:missing_id\n"
                 "no start: badarg start_spec:missing_start:a\n"
                 "significant: badarg start_spec:bad_combination:a\n"
                 "b.1 ignores\n"
                 "temporary that ignores: ok no process\n"
                 "from a template: badarg\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n"
                 "top down: shutdown\n");
}
END_TEST

/* The process that adds the child is gone, and its memory, when the child is started again. */
static void adder(void *argument)
{
    (void)argument;
    char *id = cop_strdup("copied"), *words = cop_strdup("words");
    const cop_child_spec spec = { .id = id, .start = cop_child_function,
                                  .module = (const void *)plain_child,
                                  .argument = words, .argument_size = 6 };
    trace_started(id, cop_supervisor_start_child(TOP, &spec));
    memset(id, 'x', 6);
    memset(words, 'y', 5);
}

static void adds_copies(void *argument)
{
    (void)argument;
    try_top(&(cop_supervisor){ 0 });
    cop_spawn(adder, NULL, 0);
    settle();
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "copied"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "copied"));
    end_top();
}

START_TEST(a_childs_id_and_argument_are_copied)
{
    expect_story(adds_copies, "top: ok\n"
                              "plain child has words\n"
                              "copied: ok\n"
                              "terminate: ok\n"
                              "plain child has words\n"
                              "restart: ok\n"
                              "top down: shutdown\n");
}
END_TEST

static void lives_its_life(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a) };
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace_error("delete", cop_supervisor_delete_child(TOP, "a"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_children(TOP);
    a.starts = "ooieo";
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    trace_error("delete", cop_supervisor_delete_child(TOP, "a"));
    trace_error("delete", cop_supervisor_delete_child(TOP, "a"));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    end_top();
}

START_TEST(a_child_is_terminated_restarted_and_deleted_by_its_id)
{
    expect_story(lives_its_life,
                 "a.1 starts\n"
                 "top: ok\n"
                 "delete: running\n"
                 "restart: running\n"
                 "a.1 is gone\n"
                 "terminate: ok\n"
                 "terminate: ok\n"
                 "children: a down; 1 specs, 0 active, 0 supervisors, 1 workers\n"
                 "a.2 starts\n"
                 "restart: ok\n"
                 "a.2 is gone\n"
                 "terminate: ok\n"
                 "a.3 ignores\n"
                 "restart: ok no process\n"
                 "a.4 fails\n"
                 "restart: start_failed boom\n"
                 "delete: ok\n"
                 "delete: not_found\n"
                 "terminate: not_found\n"
                 "restart: not_found\n"
                 "top down: shutdown\n");
}
END_TEST

static void terminates_a_temporary(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .restart = COP_TEMPORARY) };
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    end_top();
}

START_TEST(a_temporary_child_that_is_terminated_is_forgotten)
{
    expect_story(terminates_a_temporary, "a.1 starts\n"
                                         "top: ok\n"
                                         "a.1 is gone\n"
                                         "terminate: ok\n"
                                         "terminate: not_found\n"
                                         "top down: shutdown\n");
}
END_TEST

static void trace_spec(const char *id)
{
    static const char *const restarts[] = { "permanent", "transient", "temporary" };
    static const char *const modes[] = { "default", "kill", "wait", "forever" };
    cop_child_spec *spec;
    int error = cop_supervisor_get_childspec(TOP, id, &spec);
    if (error != COP_OK) {
        trace_error(id, error);
        return;
    }
    trace("%s: %s, %s %lld ms, %s%s, argument %s", spec->id, restarts[spec->restart],
          modes[spec->shutdown.mode], (long long)spec->shutdown.ms,
          spec->type == COP_WORKER ? "worker" : "supervisor",
          spec->significant ? ", significant" : "",
          spec->argument_size > 0 ? (const char *)spec->argument : "none");
    cop_free(spec);
}

static void shows_specs(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = {
        WORKER(a), COP_CHILD_SUPERVISOR(inner),
        WORKER(b, .restart = COP_TRANSIENT, .shutdown = COP_BRUTAL_KILL, .significant = true),
        WORKER(c, .restart = COP_TEMPORARY, .shutdown = COP_SHUTDOWN_MS(70)) };
    try_top(&(cop_supervisor){ .auto_shutdown = COP_ALL_SIGNIFICANT, COP_CHILDREN(children) });
    trace_spec("a");
    trace_spec("inner");
    trace_spec("b");
    trace_spec("c");
    trace_spec("d");
    size_t used = cop_memory_used();
    trace_spec("a");
    ck_assert_uint_eq(cop_memory_used(), used);
}

START_TEST(get_childspec_fills_in_the_defaults)
{
    expect_story(shows_specs, "a.1 starts\n"
                              "b.1 starts\n"
                              "c.1 starts\n"
                              "top: ok\n"
                              "a: permanent, wait 5000 ms, worker, argument a\n"
                              "inner: permanent, forever 0 ms, supervisor, argument none\n"
                              "b: transient, kill 0 ms, worker, significant, argument b\n"
                              "c: temporary, wait 70 ms, worker, argument c\n"
                              "d: not_found\n"
                              "a: permanent, wait 5000 ms, worker, argument a\n");
}
END_TEST

static void asks_nobody(void *argument)
{
    (void)argument;
    cop_child_counts counts;
    cop_child_info *children;
    size_t count;
    trace_started("start", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(a)));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_error("which", cop_supervisor_which_children(TOP, &children, &count));
    trace_error("count", cop_supervisor_count_children(TOP, &counts));
    trace_error("stop", cop_supervisor_stop(TOP, COP_SHUTDOWN));
}

START_TEST(calls_to_a_supervisor_that_is_not_there_say_noproc)
{
    expect_story(asks_nobody, "start: noproc\n"
                              "terminate: noproc\n"
                              "which: noproc\n"
                              "count: noproc\n"
                              "stop: noproc\n");
}
END_TEST

COP_CALL(strange, COP_EMPTY, COP_EMPTY);

static void asks_strangely(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a) };
    a.traps = true;
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_send("top", strange, 0);
    settle();
    trace_error("call", cop_call("top", NULL, strange, 0));
}

START_TEST(an_unknown_message_is_noted_and_an_unknown_call_ends_the_supervisor_in_order)
{
    expect_story(asks_strangely,
                 "a.1 starts\n"
                 "top: ok\n"
                 "note: strange: a supervisor received an unexpected message\n"
                 "a.1 stops: shutdown\n"
                 "a.1 is gone\n"
                 "call: down\n");
}
END_TEST

/* The caller is killed while the child that it asked for starts slowly. */
static void impatient(void *argument)
{
    (void)argument;
    cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(a));
    trace("it never comes to this");
}

static void outlives_its_caller(void *argument)
{
    (void)argument;
    a.starts = "s";
    try_top(&(cop_supervisor){ 0 });
    cop_pid caller = cop_spawn(impatient, NULL, 0);
    cop_sleep(5);
    cop_exit_process(caller, COP_KILL);
    trace_children(TOP);
    end_top();
}

START_TEST(a_caller_that_is_killed_meanwhile_does_not_hold_the_supervisor_up)
{
    expect_story(outlives_its_caller,
                 "top: ok\n"
                 "a.1 starts\n"
                 "children: a up; 1 specs, 1 active, 0 supervisors, 1 workers\n"
                 "a.1 is gone\n"
                 "top down: shutdown\n");
}
END_TEST

static void makes_progress(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a) };
    trace_progress(true);
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    worker_raise("a", "bad luck");
    settle();
    trace_started("b", cop_supervisor_start_child(TOP, &(cop_child_spec)WORKER(b)));
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "b"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "b"));
}

START_TEST(progress_is_info_when_the_supervisor_starts_a_child_and_debug_when_a_call_does)
{
    expect_story(makes_progress, "a.1 starts\n"
                                 "progress: a (info)\n"
                                 "top: ok\n"
                                 "a.1 is gone\n"
                                 "report: child_terminated a: error:bad luck\n"
                                 "a.2 starts\n"
                                 "progress: a (info)\n"
                                 "report: a restarted: error:bad luck; a\n"
                                 "b.1 starts\n"
                                 "progress: b (debug)\n"
                                 "b: ok\n"
                                 "b.1 is gone\n"
                                 "terminate: ok\n"
                                 "b.2 starts\n"
                                 "progress: b (debug)\n"
                                 "restart: ok\n");
}
END_TEST

/* ---- memory and threads ------------------------------------------------------------ */

static cop_started start_idle(const void *module, const void *argument, size_t argument_size)
{
    static const cop_gen_server idle = { .state_size = 8 };
    (void)module;
    (void)argument;
    (void)argument_size;
    return cop_gen_server_start_link(&idle);
}

/* Children come and go by the hundred. */
static void churns(void *argument)
{
    (void)argument;
    enum { CHILDREN = 400 };
    try_top(&(cop_supervisor){ 0 });
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CHILDREN; i++) {
            char id[32];
            snprintf(id, sizeof id, "child %d", i);
            const cop_child_spec spec = { .id = id, .start = start_idle,
                                          .restart = i % 2 == 0 ? COP_TEMPORARY : COP_PERMANENT };
            ck_assert_int_eq(cop_supervisor_start_child(TOP, &spec).error, COP_OK);
        }
        ck_assert_uint_eq(cop_process_count(), CHILDREN + 2);
        for (int i = 0; i < CHILDREN; i++) {
            char id[32];
            snprintf(id, sizeof id, "child %d", i);
            ck_assert_int_eq(cop_supervisor_terminate_child(TOP, id), COP_OK);
            ck_assert_int_eq(cop_supervisor_delete_child(TOP, id),
                             i % 2 == 0 ? COP_ENOT_FOUND : COP_OK);
        }
        trace_children(TOP);
    }
}

START_TEST(hundreds_of_children_come_and_go)
{
    expect_story(churns, "top: ok\n"
                         "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n"
                         "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

/* On several threads: workers are killed under the supervisor's hands; all run at the end. */
static void is_beset(void *argument)
{
    (void)argument;
    enum { CHILDREN = 8, KILLS = 400 };
    static cop_child_spec children[CHILDREN];
    static char ids[CHILDREN][8];
    cop_trap_exit(true);
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(ids[i], sizeof ids[i], "c%d", i);
        children[i] = (cop_child_spec){ .id = ids[i], .start = start_idle };
    }
    const cop_supervisor supervisor = { .strategy = COP_ONE_FOR_ALL,
                                        .intensity = COP_MAX_RESTARTS(UINT32_MAX, 3600),
                                        COP_CHILDREN(children) };
    cop_started top = cop_supervisor_start_link(&supervisor);
    ck_assert_int_eq(top.error, COP_OK);
    for (int i = 0; i < KILLS; i++) {
        cop_child_info *infos;
        size_t count;
        ck_assert_int_eq(cop_supervisor_which_children(cop_to(top.pid), &infos, &count), COP_OK);
        ck_assert_uint_eq(count, CHILDREN);
        for (size_t k = 0; k < count; k += 1 + (size_t)i % 3) {
            ck_assert_int_eq(infos[k].state, COP_CHILD_UP);
            cop_exit_process(infos[k].pid, i % 2 == 0 ? COP_KILL : cop_reason_atom("boom"));
        }
        cop_free(infos);
    }
    ck_assert_int_eq(cop_supervisor_stop(cop_to(top.pid), COP_SHUTDOWN), COP_OK);
    while (cop_process_count() > 1) cop_yield();   /* what has ended is put away */
}

START_TEST(on_several_schedulers_a_group_that_is_killed_again_and_again_comes_back)
{
    ck_assert_int_eq(run_node_threads(is_beset, NULL, 3), 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *supervisor_calls_suite(void)
{
    Suite *suite = suite_create("supervisor_calls");
    TCase *tests = tcase_create("supervisor_calls");
    tcase_add_test(tests, start_child_adds_a_child_as_the_youngest);
    tcase_add_test(
        tests,
        start_child_refuses_a_spec_with_a_fault_and_keeps_nothing_of_a_temporary_that_ignores);
    tcase_add_test(tests, a_childs_id_and_argument_are_copied);
    tcase_add_test(tests, a_child_is_terminated_restarted_and_deleted_by_its_id);
    tcase_add_test(tests, a_temporary_child_that_is_terminated_is_forgotten);
    tcase_add_test(tests, get_childspec_fills_in_the_defaults);
    tcase_add_test(tests, calls_to_a_supervisor_that_is_not_there_say_noproc);
    tcase_add_test(tests,
                   an_unknown_message_is_noted_and_an_unknown_call_ends_the_supervisor_in_order);
    tcase_add_test(tests, a_caller_that_is_killed_meanwhile_does_not_hold_the_supervisor_up);
    tcase_add_test(tests,
                   progress_is_info_when_the_supervisor_starts_a_child_and_debug_when_a_call_does);
    tcase_add_test(tests, hundreds_of_children_come_and_go);
    tcase_add_test(tests, on_several_schedulers_a_group_that_is_killed_again_and_again_comes_back);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(supervisor_calls_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
