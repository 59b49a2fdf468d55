/* test_conformance_supervisor.c - what OTP's own tests of supervisors pin and the other tests here
 * do not: all combinations of a kind, and the cases that are rare.  See docs/conformance.md. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "worker.h"

static struct worker a, b, c, d;

static cop_pid top_pid;

static void start_top(const cop_supervisor *supervisor)
{
    cop_started started = cop_supervisor_start_link(supervisor, .name = "top");
    top_pid = started.pid;
    ck_assert_int_eq(started.error, COP_OK);
    trace("--");
}

static void start_dynamic(const cop_dynamic_supervisor *supervisor)
{
    cop_started started = cop_dynamic_supervisor_start_link(supervisor, .name = "top");
    top_pid = started.pid;
    ck_assert_int_eq(started.error, COP_OK);
}

#define TOP cop_to("top")

static void stop_top(void)
{
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    ck_assert_uint_eq(cop_process_count(), 1);
}

static void raise_in(const char *name)
{
    worker_raise(name, "failed");
    settle();
}

static cop_started add(const cop_child_spec *spec)
{
    return cop_dynamic_supervisor_start_child(TOP, spec);
}

/* ---- starts that fail -------------------------------------------------------------- */

static cop_next misbehaves(const void *argument)
{
    if (strcmp(argument, "raise") == 0) cop_raise("no luck");
    return cop_noreply();
}

static cop_next bad_init(struct cop_supervisor *flags, const void *argument)
{
    (void)flags;
    return misbehaves(argument);
}

static cop_next bad_dynamic_init(struct cop_dynamic_supervisor *flags, const void *argument)
{
    (void)flags;
    return misbehaves(argument);
}

static void starts_badly(void *argument)
{
    (void)argument;
    static const cop_supervisor supervisor = { .name = "top", .init = bad_init };
    static const cop_dynamic_supervisor dynamic = { .name = "top", .init = bad_dynamic_init };
    static const char *const ways[] = { "return", "raise" };
    for (size_t i = 0; i < 2; i++) {
        trace_started(ways[i], cop_supervisor_start_link(&supervisor, .argument = ways[i]));
        trace_started(ways[i], cop_dynamic_supervisor_start_link(&dynamic, .argument = ways[i]));
        ck_assert(!is_up("top"));
        ck_assert_uint_eq(cop_process_count(), 1);
        ck_assert_uint_eq(cop_mailbox_length(), 0);
    }
}

START_TEST(an_init_that_fails_is_a_failed_start_and_leaves_nothing_behind)
{
    expect_story(starts_badly, "return: start_failed error:bad_return_value: init\n"
                               "return: start_failed error:bad_return_value: init\n"
                               "raise: start_failed error:no luck\n"
                               "raise: start_failed error:no luck\n");
}
END_TEST

static int births;

static cop_next init_once(void *state, const void *argument)
{
    (void)state, (void)argument;
    if (++births > 1) cop_raise("one is enough");
    return cop_ok();
}

static const cop_gen_server once = { .init = init_once };
static cop_started answer;

static cop_started answers(const void *module, const void *argument, size_t argument_size)
{
    (void)module, (void)argument, (void)argument_size;
    return answer;
}

static void outsider(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

static void fails_to_start(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { COP_CHILD_SERVER(once) };
    static const cop_child_spec strange = { .id = "strange", .start = answers };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "once"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "once"));
    answer = (cop_started){ COP_ENOMEM, COP_NO_PID, NULL };
    trace_started("no memory", cop_supervisor_start_child(TOP, &strange));
    answer = (cop_started){ COP_OK, COP_NO_PID, NULL };
    trace_started("no process", cop_supervisor_start_child(TOP, &strange));
    answer = (cop_started){ COP_EALREADY_STARTED, cop_spawn(outsider, NULL, 0), NULL };
    cop_started started = cop_supervisor_start_child(TOP, &strange);
    ck_assert(cop_pid_equal(started.pid, answer.pid));
    trace_started("outside", started);
    trace_children(TOP);
}

START_TEST(whatever_a_start_function_answers_but_a_process_stores_no_child)
{
    expect_story(fails_to_start,
                 "--\n"
                 "terminate: ok\n"
                 "restart: start_failed error:one is enough\n"
                 "no memory: start_failed enomem\n"
                 "no process: start_failed bad_return_value\n"
                 "outside: already_started\n"
                 "children: once down; 1 specs, 0 active, 0 supervisors, 1 workers\n");
}
END_TEST

/* ---- specs and flags --------------------------------------------------------------- */

static void check_combination(int auto_shutdown, int restart, bool significant)
{
    const cop_child_spec children[] = {
        WORKER(a, .restart = (enum cop_restart)restart, .significant = significant) };
    const cop_supervisor supervisor = { .name = "top", COP_CHILDREN(children),
                                        .auto_shutdown = (enum cop_auto_shutdown)auto_shutdown };
    bool legal = !significant || (auto_shutdown != COP_NEVER && restart != COP_PERMANENT);
    cop_started started = cop_supervisor_start_link(&supervisor);
    ck_assert_int_eq(started.error, legal ? COP_OK : COP_EINVAL);
    ck_assert(legal || strcmp(reason_text(started.reason), "start_spec:bad_combination:a") == 0);
    cop_reason_unref(started.reason);
    if (legal) stop_top();

    start_top(&(cop_supervisor){ .auto_shutdown = (enum cop_auto_shutdown)auto_shutdown });
    started = cop_supervisor_start_child(TOP, &children[0]);
    ck_assert_int_eq(started.error, legal ? COP_OK : COP_EINVAL);
    cop_reason_unref(started.reason);
    stop_top();
}

static void check_combinations(void *argument)
{
    (void)argument;
    for (int auto_shutdown = COP_NEVER; auto_shutdown <= COP_ALL_SIGNIFICANT; auto_shutdown++) {
        for (int restart = COP_PERMANENT; restart <= COP_TEMPORARY; restart++) {
            check_combination(auto_shutdown, restart, false);
            check_combination(auto_shutdown, restart, true);
        }
    }
    trace_reset();
}

START_TEST(significant_needs_an_auto_shutdown_and_a_child_that_may_end_for_good)
{
    expect_story(check_combinations, "");
}
END_TEST

static void try_child(const char *what, const cop_child_spec *spec)
{
    const cop_supervisor supervisor = { .children = spec, .child_count = 1 };
    trace_started(what, cop_supervisor_start_link(&supervisor));
}

static void tries_what_is_out_of_range(void *argument)
{
    (void)argument;
    try_child("restart 3", &(cop_child_spec)WORKER(a, .restart = (enum cop_restart)3));
    try_child("type 2", &(cop_child_spec)WORKER(a, .type = (enum cop_child_type)2));
    try_child("mode 4", &(cop_child_spec)WORKER(a, .shutdown = { (enum cop_shutdown_mode)4, 0 }));
    trace_started("auto_shutdown 3", cop_supervisor_start_link(&(cop_supervisor){
                                         .auto_shutdown = (enum cop_auto_shutdown)3 }));
    trace_started("no table", cop_supervisor_start_link(&(cop_supervisor){ .child_count = 1 }));
    ck_assert_uint_eq(cop_process_count(), 1);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    try_child("shutdown 0", &(cop_child_spec)WORKER(a, .shutdown = COP_SHUTDOWN_MS(0)));
}

START_TEST(what_no_spec_and_no_flag_can_be_is_refused_by_name)
{
    expect_story(tries_what_is_out_of_range,
                 "restart 3: badarg start_spec:invalid_restart_type:a\n"
                 "type 2: badarg start_spec:invalid_child_type:a\n"
                 "mode 4: badarg start_spec:invalid_shutdown:a\n"
                 "auto_shutdown 3: badarg supervisor_data:invalid_auto_shutdown\n"
                 "no table: badarg supervisor_data:invalid_children\n"
                 "a.1 starts\n"
                 "shutdown 0: ok\n");
}
END_TEST

/* ---- dynamic children -------------------------------------------------------------- */

static size_t count_workers(void)
{
    cop_child_counts counts;
    ck_assert_int_eq(cop_supervisor_count_children(TOP, &counts), COP_OK);
    ck_assert_uint_eq(counts.active, counts.workers);
    return counts.workers;
}

/* Its first start ignores, its second runs, and its restart ignores again. */
static void ignore_twice(enum cop_restart restart, bool from_template)
{
    a = (struct worker){ .starts = "ioi" };
    const cop_child_spec spec = WORKER(a, .restart = restart);
    start_dynamic(&(cop_dynamic_supervisor){ .template_ = from_template ? &spec : NULL });
    for (size_t i = 0; i < 2; i++) {
        cop_started started = from_template ? cop_dynamic_supervisor_start_from(TOP, "a", 2)
                                            : add(&spec);
        ck_assert_int_eq(started.error, i == 0 ? COP_EIGNORED : COP_OK);
        ck_assert_uint_eq(count_workers(), i);
    }
    worker_kill("a");
    settle();
    ck_assert_int_eq(a.count, restart == COP_TEMPORARY ? 2 : 3);
    ck_assert_uint_eq(count_workers(), 0);
    stop_top();
}

static void ignores_everywhere(void *argument)
{
    (void)argument;
    for (int restart = COP_PERMANENT; restart <= COP_TEMPORARY; restart++) {
        ignore_twice((enum cop_restart)restart, false);
        ignore_twice((enum cop_restart)restart, true);
    }
    trace_reset();
}

START_TEST(of_a_dynamic_child_that_ignores_nothing_is_kept_whatever_its_type)
{
    expect_story(ignores_everywhere, "");
}
END_TEST

static void crash_in_turn(void *argument)
{
    (void)argument;
    start_dynamic(&(cop_dynamic_supervisor){ .intensity = COP_MAX_RESTARTS(2, 5) });
    cop_ref end = cop_monitor(top_pid);
    static const cop_child_spec specs[] = { WORKER(a), WORKER(b), WORKER(c),
                                            WORKER(d, .type = COP_SUPERVISOR) };
    for (size_t i = 0; i < 4; i++) ck_assert_int_eq(add(&specs[i]).error, COP_OK);
    trace_children(TOP);
    raise_in("a");
    raise_in("b");
    trace_reset();
    raise_in("c");
    ck_assert_ptr_nonnull(strstr(trace_text(), "report: shutdown c: reached_max_restart"));
    trace_reset();
    trace_down("top", end);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(the_intensity_is_shared_by_all_dynamic_children)
{
    expect_story(crash_in_turn, "top down: shutdown\n");
}
END_TEST

static void counts_dynamic_supervisors(void *argument)
{
    (void)argument;
    static const cop_child_spec template_ = WORKER(d, .type = COP_SUPERVISOR);
    start_dynamic(&(cop_dynamic_supervisor){ .template_ = &template_ });
    cop_pid pid = cop_dynamic_supervisor_start_from(TOP, "b", 2).pid;
    cop_dynamic_supervisor_start_from(TOP, "c", 2);
    trace_children(TOP);
    trace_error("terminate", cop_dynamic_supervisor_terminate_child(TOP, pid));
    trace_children(TOP);
}

START_TEST(dynamic_children_that_are_supervisors_are_counted_as_such)
{
    expect_story(counts_dynamic_supervisors,
                 "b.1 starts\n"
                 "c.2 starts\n"
                 "children: child up, child up; 1 specs, 2 active, 2 supervisors, 0 workers\n"
                 "b.1 is gone\n"
                 "terminate: ok\n"
                 "children: child up; 1 specs, 1 active, 1 supervisors, 0 workers\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *conformance_supervisor_suite(void)
{
    Suite *suite = suite_create("conformance_supervisor");
    TCase *tests = tcase_create("conformance_supervisor");
    tcase_add_test(tests, an_init_that_fails_is_a_failed_start_and_leaves_nothing_behind);
    tcase_add_test(tests, whatever_a_start_function_answers_but_a_process_stores_no_child);
    tcase_add_test(tests, significant_needs_an_auto_shutdown_and_a_child_that_may_end_for_good);
    tcase_add_test(tests, what_no_spec_and_no_flag_can_be_is_refused_by_name);
    tcase_add_test(tests, of_a_dynamic_child_that_ignores_nothing_is_kept_whatever_its_type);
    tcase_add_test(tests, the_intensity_is_shared_by_all_dynamic_children);
    tcase_add_test(tests, dynamic_children_that_are_supervisors_are_counted_as_such);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(conformance_supervisor_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
