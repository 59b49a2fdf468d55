/* test_dynamic_beyond.c - what dynamic supervisors do beyond OTP: questions about one child,
 * restarts that wait, budgets. */
#include "timed.h"

/* ---- one child, asked about ------------------------------------------------------------ */

static void tell_child(const char *what, cop_pid pid)
{
    static const char *const states[] = { "down", "up", "restarting" };
    cop_child_status status;
    int error = cop_dynamic_supervisor_which_child(TOP, pid, &status);
    if (error != COP_OK) {
        tell_error(what, error);
        return;
    }
    ck_assert_int_eq(status.state == COP_CHILD_UP, !cop_pid_is_none(status.pid));
    ck_assert(cop_pid_is_none(status.pid) || cop_pid_equal(status.pid, pid));
    tell("%s is %s%s%s, %d restarts, %d ms, again in %d ms, ended of %s", what,
         states[status.state], status.ready ? ", ready" : "",
         status.type == COP_SUPERVISOR ? ", a supervisor" : "", (int)status.restarts,
         (int)status.running_ms, (int)status.restart_in_ms,
         status.last_end != NULL ? reason_text(status.last_end) : "nothing");
    cop_reason_unref(status.last_end);
}

static cop_pid only_child(void)
{
    cop_pid pid;
    ck_assert_uint_eq(cop_descendants(cop_whereis("top"), &pid, 1), 1);
    return pid;
}

static struct worker a = { .starts = "oeo" };
static struct worker b;

static void is_asked_about(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ .intensity = COP_UNLIMITED_RESTARTS });
    cop_pid pid = add(&(cop_child_spec)WORKER(a, .backoff = { .initial_ms = 100 }));
    cop_sleep(50);
    tell_child("a", pid);
    worker_raise("a", "boom");
    cop_sleep(30);
    tell_child("a", pid);
    cop_sleep(100);      /* it failed to start at 150 ms */
    tell_child("a", pid);
    cop_sleep(200);
    tell_child("the old one", pid);
    tell_child("a", only_child());
    cop_pid plain = add(&(cop_child_spec)WORKER(b, .type = COP_SUPERVISOR));
    cop_sleep(50);
    tell_child("b", plain);
    tell_child("nobody", cop_self());
}

START_TEST(which_child_tells_of_a_child_how_it_fares_and_of_one_being_restarted_by_its_old_pid)
{
    expect_story(is_asked_about, "a.1 starts\n"
                                 "   50: a is up, ready, 0 restarts, 50 ms, again in 0 ms, "
                                 "ended of nothing\n"
                                 "a.1 is gone\n"
                                 "report: child_terminated a: error:boom\n"
                                 "   80: a is restarting, 0 restarts, 0 ms, again in 70 ms, "
                                 "ended of error:boom\n"
                                 "a.2 fails\n"
                                 "report: start_error a: boom\n"
                                 "  180: a is restarting, 0 restarts, 0 ms, again in 170 ms, "
                                 "ended of error:boom\n"
                                 "a.3 starts\n"
                                 "report: a restarted: error:boom; a\n"
                                 "  380: the old one: not_found\n"
                                 "  380: a is up, ready, 1 restarts, 30 ms, again in 0 ms, "
                                 "ended of error:boom\n"
                                 "b.1 starts\n"
                                 "  430: b is up, ready, a supervisor, 0 restarts, 0 ms, "
                                 "again in 0 ms, ended of nothing\n"
                                 "  430: nobody: not_found\n");
}
END_TEST

static void tell_spec(const char *what, cop_pid pid)
{
    cop_child_spec *spec = (cop_child_spec *)&spec;
    int error = cop_dynamic_supervisor_get_childspec(TOP, pid, &spec);
    if (error != COP_OK) {
        tell_error(what, error);
        ck_assert_ptr_eq(spec, &spec);
        return;
    }
    tell("%s: id %s, argument %s, %d bytes, shutdown %d, drain %d", what,
         spec->id != NULL ? spec->id : "none",
         spec->argument_size > 0 ? (const char *)spec->argument : "none",
         (int)spec->argument_size, (int)spec->shutdown.ms, (int)spec->drain_ms);
    cop_free(spec);
}

static void has_specs(void *argument)
{
    (void)argument;
    const cop_child_spec template_ = WORKER(b, .drain_ms = 5);
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
    tell_spec("template", add_from("x", 2));
    tell_spec("template, no argument", add_from(NULL, 0));
    tell_spec("own", add(&(cop_child_spec)WORKER(a, .shutdown = COP_SHUTDOWN_MS(9))));
    tell_spec("own, temporary", add(&(cop_child_spec){ .start = worker_start, .module = &b,
                                                       .argument = "y", .argument_size = 2,
                                                       .restart = COP_TEMPORARY }));
    tell_spec("nobody", cop_self());
    cop_child_spec *spec;
    cop_child_status status;
    ck_assert_int_eq(cop_dynamic_supervisor_get_childspec(TOP, cop_self(), NULL), COP_EINVAL);
    ck_assert_int_eq(cop_dynamic_supervisor_which_child(TOP, cop_self(), NULL), COP_EINVAL);
    ck_assert_int_eq(cop_supervisor_get_childspec(TOP, "a", &spec), COP_EINVAL);
    ck_assert_int_eq(cop_supervisor_which_child(TOP, "a", &status), COP_EINVAL);
    ck_assert_int_eq(cop_supervisor_await_restart(TOP, "a", COP_NO_PID, 10, NULL), COP_EINVAL);
    end_top();
    ck_assert_int_eq(cop_supervisor_start_link(&((cop_supervisor){ 0 }), .name = "top").error,
                     COP_OK);
    ck_assert_int_eq(cop_dynamic_supervisor_get_childspec(TOP, cop_self(), &spec), COP_EINVAL);
    ck_assert_int_eq(cop_dynamic_supervisor_which_child(TOP, cop_self(), &status), COP_EINVAL);
}

START_TEST(a_childs_spec_is_its_own_or_the_template_with_its_argument)
{
    expect_story(has_specs, "x.1 starts\n"
                            "    0: template: id b, argument x, 2 bytes, shutdown 5000, "
                            "drain 5\n"
                            "worker.2 starts\n"
                            "    0: template, no argument: id b, argument none, 0 bytes, "
                            "shutdown 5000, drain 5\n"
                            "a.1 starts\n"
                            "    0: own: id a, argument a, 2 bytes, shutdown 9, drain 0\n"
                            "y.3 starts\n"
                            "    0: own, temporary: id none, argument none, 0 bytes, "
                            "shutdown 5000, drain 0\n"
                            "    0: nobody: not_found\n"
                            "worker.2 stops: shutdown\n"
                            "worker.2 is gone\n"
                            "a.1 is gone\n"
                            "y.3 is gone\n"
                            "x.1 stops: shutdown\n"
                            "x.1 is gone\n"
                            "    0: top stopped: ok\n");
}
END_TEST

/* ---- backoff and budget ---------------------------------------------------------------- */

/* Ends by itself so long after its start. */
static void short_lived(void *argument)
{
    const int ms = *(int *)argument;
    tell("starts");
    cop_init_ack();
    cop_sleep(ms);
    cop_exit(cop_reason_atom("boom"));
}

static void waits_longer(void *argument)
{
    (void)argument;
    const cop_child_spec template_ = {
        .id = "child", .start = cop_child_function, .module = (const void *)short_lived,
        .backoff = { .initial_ms = 100, .max_ms = 350, .reset_ms = 10000 } };
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_,
                                                 .intensity = COP_MAX_RESTARTS(5, 60) });
    int ms = 10;
    ck_assert_int_eq(cop_dynamic_supervisor_start_from(TOP, &ms, sizeof ms).error, COP_OK);
    cop_sleep(1000);
    trace_children(TOP);
    cop_exit_message gone = *cop_receive_type(cop_exit_message, COP_INFINITY);
    tell("top gave up, because of %s", reason_text(cop_reason_origin(gone.reason)));
}

START_TEST(a_dynamic_childs_restarts_wait_longer_each_time_and_count_when_they_are_tried)
{
    expect_story(waits_longer, "    0: starts\n"
                               "report: child_terminated child: boom\n"
                               "  110: starts\n"
                               "report: child restarted: boom; child\n"
                               "report: child_terminated child: boom\n"
                               "  320: starts\n"
                               "report: child restarted: boom; child\n"
                               "report: child_terminated child: boom\n"
                               "  680: starts\n"
                               "report: child restarted: boom; child\n"
                               "report: child_terminated child: boom\n"
                               "children: child restarting; 1 specs, 0 active, 0 "
                               "supervisors, 1 workers\n"
                               " 1040: starts\n"
                               "report: child restarted: boom; child\n"
                               "report: child_terminated child: boom\n"
                               " 1400: starts\n"
                               "report: child restarted: boom; child\n"
                               "report: child_terminated child: boom\n"
                               "report: shutdown child: reached_max_restart_intensity\n"
                               " 1760: top gave up, because of child:boom\n");
}
END_TEST

static void stays_down(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ .intensity = COP_MAX_RESTARTS(2, 60) });
    int ms = 10;
    cop_child_spec spec = { .id = "child", .start = cop_child_function,
                            .module = (const void *)short_lived, .argument = &ms,
                            .argument_size = sizeof ms, .budget = COP_MAX_RESTARTS(1, 60),
                            .when_spent = COP_STAY_DOWN };
    add(&spec);
    cop_sleep(100);
    trace_children(TOP);
    spec.when_spent = COP_GIVE_UP;
    add(&spec);
    cop_exit_message gone = *cop_receive_type(cop_exit_message, COP_INFINITY);
    tell("top gave up: %s", reason_text(gone.reason));
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_dynamic_child_whose_budget_is_spent_is_forgotten_or_its_supervisor_gives_up)
{
    expect_story(stays_down, "    0: starts\n"
                             "report: child_terminated child: boom\n"
                             "   10: starts\n"
                             "report: child restarted: boom; child\n"
                             "report: child_terminated child: boom\n"
                             "report: stays_down child: budget_spent\n"
                             "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n"
                             "  100: starts\n"
                             "report: child_terminated child: boom\n"
                             "  110: starts\n"
                             "report: child restarted: boom; child\n"
                             "report: child_terminated child: boom\n"
                             "report: shutdown child: budget_spent\n"
                             "  120: top gave up: shutdown\n");
}
END_TEST

static void is_terminated_meanwhile(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ .max_children = 1 });
    cop_child_spec spec = WORKER(b, .backoff = { .initial_ms = 1000 });
    cop_pid pid = add(&spec);
    worker_kill_pid(pid);
    settle();
    trace_children(TOP);
    trace_started("one more", cop_dynamic_supervisor_start_child(TOP, &spec));
    tell_error("terminated", cop_dynamic_supervisor_terminate_child(TOP, pid));
    trace_children(TOP);
    cop_sleep(5000);
    pid = add(&spec);
    worker_kill_pid(pid);
    settle();
    end_top();
    cop_sleep(5000);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_restart_that_waits_is_cancelled_by_terminate_child_and_by_the_supervisors_end)
{
    expect_story(is_terminated_meanwhile, "b.1 starts\n"
                                          "b.1 is gone\n"
                                          "report: child_terminated b: killed\n"
                                          "children: child restarting; 1 specs, 0 active, 0 "
                                          "supervisors, 1 workers\n"
                                          "one more: max_children\n"
                                          "    1: terminated: ok\n"
                                          "children: none; 0 specs, 0 active, 0 supervisors, "
                                          "0 workers\n"
                                          "b.2 starts\n"
                                          "b.2 is gone\n"
                                          "report: child_terminated b: killed\n"
                                          " 5002: top stopped: ok\n");
}
END_TEST

static struct worker hangs = { .starts = "os" };

static void is_killed_in_a_restart(void *argument)
{
    (void)argument;
    cop_pid top = start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    cop_child_spec spec = WORKER(hangs);
    add(&spec);
    worker_raise("hangs", "boom");
    cop_sleep(5);        /* its start takes 10 ms */
    cop_ref end = cop_monitor(top);
    cop_exit_process(top, COP_KILL);
    trace_down("top", end);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_dynamic_supervisor_that_is_killed_in_a_restart_leaves_nothing_behind)
{
    expect_story(is_killed_in_a_restart, "hangs.1 starts\n"
                                         "hangs.1 is gone\n"
                                         "report: child_terminated hangs: error:boom\n"
                                         "top down: killed\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *dynamic_beyond_suite(void)
{
    Suite *suite = suite_create("dynamic_beyond");
    TCase *tests = tcase_create("dynamic_beyond");
    tcase_add_test(
        tests, which_child_tells_of_a_child_how_it_fares_and_of_one_being_restarted_by_its_old_pid);
    tcase_add_test(tests, a_childs_spec_is_its_own_or_the_template_with_its_argument);
    tcase_add_test(tests,
                   a_dynamic_childs_restarts_wait_longer_each_time_and_count_when_they_are_tried);
    tcase_add_test(tests,
                   a_dynamic_child_whose_budget_is_spent_is_forgotten_or_its_supervisor_gives_up);
    tcase_add_test(tests,
                   a_restart_that_waits_is_cancelled_by_terminate_child_and_by_the_supervisors_end);
    tcase_add_test(tests, a_dynamic_supervisor_that_is_killed_in_a_restart_leaves_nothing_behind);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(dynamic_beyond_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
