/* test_drain.c - a child that is given time to finish before it is stopped. */
#include "drainer.h"

/* ---- one child ------------------------------------------------------------------------- */

static const struct plan a = { .name = "a", .finishes_ms = 300 };

static void asks_a(void *unused)
{
    (void)unused;
    cop_pid server = pid_of("a");
    cop_sleep(100);
    ck_assert_int_eq(cop_call(server, NULL, ask, 0), COP_OK);
}

static void finishes_in_time(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { DRAINER(a, .drain_ms = 1000) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    aside(asks_a);
    settle();
    stop_child("a");
    trace_children(TOP);
}

START_TEST(a_server_that_drains_goes_on_until_it_has_finished_and_is_never_told_to_end)
{
    expect_story(finishes_in_time, "    1: a drains\n"
                                   "  100: a answers\n"
                                   "  301: a has finished\n"
                                   "  301: a stops: normal\n"
                                   "  301: a: ok\n"
                                   "children: a down; 1 specs, 0 active, 0 supervisors, "
                                   "1 workers\n");
}
END_TEST

static void ends_in_many_ways(void *argument)
{
    (void)argument;
    static struct plan b = { .name = "b" };
    static const cop_child_spec children[] = { DRAINER(b, .drain_ms = 1000) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    const cop_reason *const reasons[] = {
        COP_SHUTDOWN, cop_reason_tuple("shutdown", cop_reason_atom("done")),
        cop_reason_atom("boom") };
    for (size_t i = 0; i < 3; i++) {
        b.with = reasons[i];
        stop_child("b");
        ck_assert_int_eq(cop_supervisor_restart_child(TOP, "b").error, COP_OK);
    }
    b.with = NULL;
}

START_TEST(a_drained_child_may_end_with_normal_or_shutdown_and_only_a_failure_is_reported)
{
    expect_story(ends_in_many_ways, "    0: b drains\n"
                                    "    0: b stops: shutdown\n"
                                    "    0: b: ok\n"
                                    "    0: b drains\n"
                                    "    0: b stops: shutdown:done\n"
                                    "    0: b: ok\n"
                                    "    0: b drains\n"
                                    "    0: b stops: boom\n"
                                    "report: shutdown_error b: boom\n"
                                    "    0: b: ok\n");
}
END_TEST

static const struct plan c = { .name = "c", .finishes_ms = COP_INFINITY, .lingers_ms = 1000 };

static void does_not_finish(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        DRAINER(c, .drain_ms = 200, .shutdown = COP_SHUTDOWN_MS(50)) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_child("c");
}

START_TEST(a_child_that_has_not_finished_in_time_is_stopped_with_its_full_shutdown_time)
{
    expect_story(does_not_finish, "    0: c drains\n"
                                  "  200: c stops: shutdown\n"
                                  "report: shutdown_error c: killed\n"
                                  "  250: c: ok\n");
}
END_TEST

static void is_killed_brutally(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        DRAINER(a, .drain_ms = 1000, .shutdown = COP_BRUTAL_KILL),
        DRAINER(c, .drain_ms = 200, .shutdown = COP_BRUTAL_KILL) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_child("c");
    stop_child("a");
}

START_TEST(a_child_to_be_killed_brutally_is_drained_first_and_killed_when_its_time_is_over)
{
    expect_story(is_killed_brutally, "    0: c drains\n"
                                     "  200: c: ok\n"
                                     "  200: a drains\n"
                                     "  500: a has finished\n"
                                     "  500: a stops: normal\n"
                                     "  500: a: ok\n");
}
END_TEST

static const struct plan slow = { .name = "slow", .finishes_ms = 3600000 };

static void has_no_limit(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { DRAINER(slow, .drain_ms = COP_INFINITY) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_child("slow");
}

START_TEST(a_drain_without_limit_lasts_until_the_child_has_finished)
{
    expect_story(has_no_limit, "    0: slow drains\n"
                               "3600000: slow has finished\n"
                               "3600000: slow stops: normal\n"
                               "3600000: slow: ok\n");
}
END_TEST

/* ---- servers without handle_drain, functions ------------------------------------------- */

static void sends_too_late(void *server)
{
    cop_sleep(150);
    cop_send(*(cop_pid *)server, job, .ms = 1);
}

static void has_a_queue(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { SIMPLE(a, .drain_ms = 1000) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_pid server = pid_of("a");
    for (int i = 0; i < 3; i++) cop_send(server, job, .ms = 100);
    cop_spawn_link(sends_too_late, &server, sizeof server);
    stop_child("a");
}

START_TEST(a_server_without_handle_drain_handles_what_came_before_and_nothing_that_comes_after)
{
    expect_story(has_a_queue, "  100: a did a job\n"
                              "  200: a did a job\n"
                              "  300: a did a job\n"
                              "  300: a stops: shutdown\n"
                              "  300: a: ok\n");
}
END_TEST

static void works_250_ms(void *argument)
{
    (void)argument;
    cop_init_ack();
    cop_sleep(250);
    tell("the function returns");
}

static void listens(void *argument)
{
    (void)argument;
    cop_init_ack();
    const cop_message *message = cop_receive(COP_INFINITY);
    ck_assert(cop_is(message, cop_drain_message));
    ck_assert_int_eq(message->kind, COP_SYSTEM);
    ck_assert(cop_pid_equal(message->from, cop_parent()));
    tell("the listener hears of it");
    cop_sleep(50);
}

static void are_functions(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        { .id = "deaf", .start = cop_child_function, .module = (const void *)works_250_ms,
          .drain_ms = 150, .restart = COP_TEMPORARY },
        { .id = "works", .start = cop_child_function, .module = (const void *)works_250_ms,
          .drain_ms = 1000 },
        { .id = "listens", .start = cop_child_function, .module = (const void *)listens,
          .drain_ms = 1000 } };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_child("deaf");
    stop_child("works");
    stop_child("listens");
}

START_TEST(a_plain_function_gets_a_message_or_simply_comes_to_its_end)
{
    expect_story(are_functions, "  150: deaf: ok\n"
                                "  250: the function returns\n"
                                "  250: works: ok\n"
                                "  250: the listener hears of it\n"
                                "  300: listens: ok\n");
}
END_TEST

/* ---- suspended servers, servers that time out ------------------------------------------ */

static void resumes(void *server)
{
    cop_sleep(100);
    tell("it is resumed");
    ck_assert_int_eq(cop_sys_resume(cop_to(*(cop_pid *)server), COP_SYS_TIMEOUT_MS), COP_OK);
}

static void is_suspended(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { DRAINER(c, .drain_ms = 200),
                                               SIMPLE(a, .drain_ms = 1000) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_pid server = pid_of("a");
    ck_assert_int_eq(cop_sys_suspend(cop_to(server), COP_SYS_TIMEOUT_MS), COP_OK);
    ck_assert_int_eq(cop_sys_suspend(cop_to(pid_of("c")), COP_SYS_TIMEOUT_MS), COP_OK);
    cop_send(server, job, .ms = 20);
    cop_spawn_link(resumes, &server, sizeof server);
    end_top();
}

START_TEST(a_suspended_server_drains_when_it_is_resumed_or_is_stopped_after_its_time)
{
    expect_story(is_suspended, "  100: it is resumed\n"
                               "  120: a did a job\n"
                               "  120: a stops: shutdown\n"
                               "  320: c stops: shutdown\n"
                               " 1320: top stopped: ok\n");
}
END_TEST

static const struct plan idle = { .name = "idle", .finishes_ms = 500, .timeout_ms = 100 };
static const struct plan busy = { .name = "busy", .finishes_ms = 500, .timeout_ms = 100,
                                  .new_timeout_ms = 200 };
static const struct plan quiet = { .name = "quiet", .finishes_ms = 500, .timeout_ms = 100,
                                   .new_timeout_ms = COP_INFINITY };

static void has_a_timeout(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { DRAINER(idle, .drain_ms = 1000),
                                               DRAINER(busy, .drain_ms = 1000),
                                               DRAINER(quiet, .drain_ms = 1000) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    for (size_t i = 0; i < 3; i++) {
        const char *id = children[i].id;
        cop_send(pid_of(id), job, .ms = 1);
        cop_sleep(41);
        stop_child(id);
        cop_sleep(1000 - cop_now_ms() % 1000);
    }
}

START_TEST(a_servers_own_timeout_lasts_over_a_drain_unless_the_drain_sets_another)
{
    expect_story(has_a_timeout, "    1: idle did a job\n"
                                "   41: idle drains\n"
                                "  100: busy times out\n"
                                "  100: quiet times out\n"
                                "  101: idle times out\n"
                                "  541: idle has finished\n"
                                "  541: idle stops: normal\n"
                                "  541: idle: ok\n"
                                " 1001: busy did a job\n"
                                " 1041: busy drains\n"
                                " 1241: busy times out\n"
                                " 1541: busy has finished\n"
                                " 1541: busy stops: normal\n"
                                " 1541: busy: ok\n"
                                " 2001: quiet did a job\n"
                                " 2041: quiet drains\n"
                                " 2541: quiet has finished\n"
                                " 2541: quiet stops: normal\n"
                                " 2541: quiet: ok\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *drain_suite(void)
{
    Suite *suite = suite_create("drain");
    TCase *tests = tcase_create("drain");
    tcase_add_test(tests,
                   a_server_that_drains_goes_on_until_it_has_finished_and_is_never_told_to_end);
    tcase_add_test(tests,
                   a_drained_child_may_end_with_normal_or_shutdown_and_only_a_failure_is_reported);
    tcase_add_test(tests,
                   a_child_that_has_not_finished_in_time_is_stopped_with_its_full_shutdown_time);
    tcase_add_test(tests,
                   a_child_to_be_killed_brutally_is_drained_first_and_killed_when_its_time_is_over);
    tcase_add_test(tests, a_drain_without_limit_lasts_until_the_child_has_finished);
    tcase_add_test(
        tests, a_server_without_handle_drain_handles_what_came_before_and_nothing_that_comes_after);
    tcase_add_test(tests, a_plain_function_gets_a_message_or_simply_comes_to_its_end);
    tcase_add_test(tests,
                   a_suspended_server_drains_when_it_is_resumed_or_is_stopped_after_its_time);
    tcase_add_test(tests, a_servers_own_timeout_lasts_over_a_drain_unless_the_drain_sets_another);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(drain_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
