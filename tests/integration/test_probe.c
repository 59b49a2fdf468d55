/* test_probe.c - children that are asked whether they answer, and what becomes of those that do
 * not. */
#include "timed.h"

COP_MESSAGE(job, { int64_t ms; });

/* ---- children ------------------------------------------------------------------------ */

static int starts;

/* A server whose jobs take time. */
static cop_next init(void *state, const void *argument)
{
    (void)state;
    tell("server %d starts", ++starts);
    return argument != NULL ? cop_then_timeout(cop_ok(), *(const int *)argument) : cop_ok();
}

static cop_next handle_info(void *state, const cop_message *message)
{
    (void)state;
    if (cop_is(message, cop_timeout_message)) {
        tell("timeout");
        return cop_noreply();
    }
    cop_sleep(cop_expect(message, job)->ms);
    return cop_noreply();
}

static const cop_gen_server server = { .init = init, .handle_info = handle_info };

/* A function that answers each probe so long after it came; an answer more than it has been given
 * times for does not come. */
static int64_t answers_after_ms[8];
static size_t answers;

static void answer_probes(void *argument)
{
    (void)argument;
    tell("function %d starts", ++starts);
    cop_init_ack();
    for (;;) {
        cop_message *probe = cop_take(&(cop_match){ .type = COP_TYPE(cop_probe_message) },
                                      COP_INFINITY);
        tell("is asked");
        if (answers < 8 && answers_after_ms[answers] >= 0) {
            cop_sleep(answers_after_ms[answers++]);
            tell("answers");
            cop_probe_answer(probe);
        }
        cop_message_free(probe);
    }
}

static void answers_for(const int64_t *after_ms, size_t count)
{
    for (size_t i = 0; i < 8; i++) answers_after_ms[i] = i < count ? after_ms[i] : -1;
    answers = 0;
    starts = 0;
}
#define ANSWERS(...)                                                                     \
    answers_for((const int64_t[]){ __VA_ARGS__ },                                        \
                sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

#define SERVER(...)                                                                      \
    { .id = "server", .start = cop_child_server, .module = &server, __VA_ARGS__ }
#define FUNCTION(...)                                                                    \
    { .id = "function", .start = cop_child_function, .module = (const void *)answer_probes, \
      __VA_ARGS__ }
#define EVERY_SECOND .probe = { .interval_ms = 1000, .timeout_ms = 500 }

static cop_pid pid_of(const char *id)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, id, &status), COP_OK);
    ck_assert_int_eq(status.state, COP_CHILD_UP);
    cop_reason_unref(status.last_end);
    return status.pid;
}

static void tell_status(const char *id)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, id, &status), COP_OK);
    tell_last_end(id, &status);
}

static size_t waiting(void)
{
    cop_sys_status status;
    ck_assert_int_eq(cop_sys_get_status(TOP, &status, COP_SYS_TIMEOUT_MS), COP_OK);
    return status.mailbox_length;
}

/* ---- answering ----------------------------------------------------------------------- */

static void answers_in_time(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { FUNCTION(EVERY_SECOND) };
    ANSWERS(0, 300, 499);
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_sleep(4900);
    tell_status("function");
}

START_TEST(the_next_probe_comes_an_interval_after_the_last_answer)
{
    expect_story(answers_in_time, "    0: function 1 starts\n"
                                  " 1000: is asked\n"
                                  " 1000: answers\n"
                                  " 2000: is asked\n"
                                  " 2300: answers\n"
                                  " 3300: is asked\n"
                                  " 3799: answers\n"
                                  " 4799: is asked\n"
                                  " 4900: function ended of nothing, 0 restarts\n");
}
END_TEST

static void does_not_answer(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { FUNCTION(EVERY_SECOND) };
    ANSWERS(0);
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_sleep(2550);
    tell_status("function");
    cop_sleep(1000);
}

START_TEST(a_child_that_does_not_answer_in_time_is_killed_as_unresponsive_and_restarted)
{
    expect_story(does_not_answer, "    0: function 1 starts\n"
                                  " 1000: is asked\n"
                                  " 1000: answers\n"
                                  " 2000: is asked\n"
                                  "report: child_terminated function: killed\n"
                                  " 2500: function 2 starts\n"
                                  "report: function restarted: killed; function\n"
                                  " 2550: function ended of killed, because of unresponsive, "
                                  "1 restarts\n"
                                  " 3500: is asked\n");
}
END_TEST

static void answers_late(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        FUNCTION(.probe = { .interval_ms = 400 }, .restart = COP_TEMPORARY) };
    ANSWERS(399, 401);
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_sleep(3000);
    trace_children(TOP);
}

START_TEST(the_time_to_answer_is_the_interval_if_none_is_given_and_a_later_answer_is_too_late)
{
    expect_story(answers_late, "    0: function 1 starts\n"
                               "  400: is asked\n"
                               "  799: answers\n"
                               " 1199: is asked\n"
                               "report: child_terminated function: killed\n"
                               "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

static void gives_up(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { FUNCTION(EVERY_SECOND) };
    ANSWERS(-1);
    cop_pid top = start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(0, 1),
                                               COP_CHILDREN(children) });
    cop_message *message = cop_take(&(cop_match){ .from = top }, COP_INFINITY);
    const cop_reason *origin =
        cop_reason_origin(cop_expect(message, cop_exit_message)->reason);
    tell("top gave up because of %s", reason_text(origin));
    cop_message_free(message);
}

START_TEST(a_supervisor_that_gives_up_for_it_says_that_the_child_did_not_answer)
{
    expect_story(gives_up, "    0: function 1 starts\n"
                           " 1000: is asked\n"
                           "report: child_terminated function: killed\n"
                           "report: shutdown function: reached_max_restart_intensity\n"
                           " 1500: top gave up because of function:unresponsive\n");
}
END_TEST

/* ---- servers ------------------------------------------------------------------------- */

static void is_a_server(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { SERVER(EVERY_SECOND) };
    starts = 0;
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_pid pid = pid_of("server");
    cop_sleep(10000);
    ck_assert_int_eq(cop_sys_suspend(cop_to(pid), COP_SYS_TIMEOUT_MS), COP_OK);
    cop_sleep(10000);
    ck_assert_int_eq(cop_sys_resume(cop_to(pid), COP_SYS_TIMEOUT_MS), COP_OK);
    ck_assert(cop_pid_equal(pid, pid_of("server")));
    cop_send(pid, job, .ms = COP_INFINITY);
    tell("it is stuck");
    cop_sleep(10000);
}

START_TEST(a_server_answers_by_itself_also_suspended_until_a_callback_does_not_return)
{
    expect_story(is_a_server, "    0: server 1 starts\n"
                              "20000: it is stuck\n"
                              "report: child_terminated server: killed\n"
                              "21500: server 2 starts\n"
                              "report: server restarted: killed; server\n");
}
END_TEST

/* Its turn among the messages comes within the time, or it does not. */
static void has_a_queue(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        SERVER(.probe = { .interval_ms = 1000, .timeout_ms = 1001 }) };
    starts = 0;
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    for (int i = 0; i < 20; i++) cop_send(pid_of("server"), job, .ms = 100);
    cop_sleep(2500);
    for (int i = 0; i < 21; i++) cop_send(pid_of("server"), job, .ms = 100);
    cop_sleep(3000);
}

START_TEST(a_probe_waits_in_the_queue_of_a_busy_server_and_its_time_includes_the_wait)
{
    expect_story(has_a_queue, "    0: server 1 starts\n"
                              "report: child_terminated server: killed\n"
                              " 4001: server 2 starts\n"
                              "report: server restarted: killed; server\n");
}
END_TEST

static void has_a_timeout(void *argument)
{
    (void)argument;
    static const int timeout_ms = 2500;
    static const cop_child_spec children[] = { SERVER(EVERY_SECOND, .argument = &timeout_ms) };
    starts = 0;
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_sleep(5000);
}

START_TEST(probes_do_not_put_off_a_servers_own_timeout)
{
    expect_story(has_a_timeout, "    0: server 1 starts\n"
                                " 2500: timeout\n");
}
END_TEST

/* ---- when probes stop ---------------------------------------------------------------- */

static void is_stopped_while_asked(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { FUNCTION(EVERY_SECOND) };
    ANSWERS(-1);
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_sleep(1200);
    tell_error("stopped", cop_supervisor_terminate_child(TOP, "function"));
    cop_sleep(5000);
    ck_assert_uint_eq(waiting(), 0);
    ck_assert_int_eq(cop_supervisor_restart_child(TOP, "function").error, COP_OK);
    cop_sleep(1200);
    worker_kill_pid(pid_of("function"));
    settle();
    cop_sleep(1200);
    ck_assert_uint_eq(waiting(), 0);
}

START_TEST(a_child_stopped_or_restarted_while_it_is_asked_leaves_no_probe_to_its_successor)
{
    expect_story(is_stopped_while_asked, "    0: function 1 starts\n"
                                         " 1000: is asked\n"
                                         " 1200: stopped: ok\n"
                                         " 6200: function 2 starts\n"
                                         " 7200: is asked\n"
                                         "report: child_terminated function: killed\n"
                                         " 7400: function 3 starts\n"
                                         "report: function restarted: killed; function\n"
                                         " 8400: is asked\n");
}
END_TEST

/* The time to answer runs out while the child is being stopped. */
static void drains(void *argument)
{
    (void)argument;
    tell("function %d starts", ++starts);
    cop_init_ack();
    cop_sleep(1900);
}

static void is_over_time_while_it_drains(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        { .id = "drains", .start = cop_child_function, .module = (const void *)drains,
          .drain_ms = 10000, EVERY_SECOND } };
    starts = 0;
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_sleep(1200);
    tell_error("stopped", cop_supervisor_terminate_child(TOP, "drains"));
    ck_assert_uint_eq(waiting(), 0);
    trace_children(TOP);
    cop_sleep(3000);
}

START_TEST(a_child_that_drains_is_not_killed_for_not_answering)
{
    expect_story(is_over_time_while_it_drains, "    0: function 1 starts\n"
                                               " 1900: stopped: ok\n"
                                               "children: drains down; 1 specs, 0 active, "
                                               "0 supervisors, 1 workers\n");
}
END_TEST

static cop_started starts_slowly(const void *module, const void *argument, size_t argument_size)
{
    cop_sleep(3000);
    return cop_child_server(module, argument, argument_size);
}

static void adds_a_slow_one(void *argument)
{
    (void)argument;
    const cop_child_spec spec = { .id = "slow", .start = starts_slowly, .module = &server };
    ck_assert_int_eq(cop_supervisor_start_child(TOP, &spec).error, COP_OK);
}

static void supervisor_is_busy(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { FUNCTION(EVERY_SECOND) };
    ANSWERS(100, 100, 100);
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_sleep(1050);
    aside(adds_a_slow_one);
    cop_sleep(4500);
    tell_status("function");
}

START_TEST(an_answer_that_waits_for_a_busy_supervisor_was_in_time)
{
    expect_story(supervisor_is_busy, "    0: function 1 starts\n"
                                     " 1000: is asked\n"
                                     " 1100: answers\n"
                                     " 4050: server 2 starts\n"
                                     " 5050: is asked\n"
                                     " 5150: answers\n"
                                     " 5550: function ended of nothing, 0 restarts\n");
}
END_TEST

/* ---- dynamic children ---------------------------------------------------------------- */

static void tell_dynamic(const char *what, cop_pid pid)
{
    cop_child_status status;
    int error = cop_dynamic_supervisor_which_child(TOP, pid, &status);
    if (error != COP_OK) tell_error(what, error);
    else tell_last_end(what, &status);
}

/* The only child there is. */
static cop_pid only_child(void)
{
    cop_pid self = cop_whereis("top"), pid;
    ck_assert_uint_eq(cop_descendants(self, &pid, 1), 1);
    return pid;
}

static void is_dynamic(void *argument)
{
    (void)argument;
    ANSWERS(0, 600);
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    cop_pid pid = add(&(cop_child_spec)FUNCTION(EVERY_SECOND));
    tell_dynamic("first", pid);
    cop_sleep(2600);
    tell_dynamic("first", pid);
    cop_pid second = only_child();
    tell_dynamic("second", second);
    cop_sleep(1000);
    tell_error("stopped", cop_dynamic_supervisor_terminate_child(TOP, second));
    cop_sleep(5000);
    ck_assert_uint_eq(waiting(), 0);
    trace_children(TOP);
}

START_TEST(a_dynamic_child_that_answers_late_is_killed_and_restarted_and_stopped_in_peace)
{
    expect_story(is_dynamic, "    0: function 1 starts\n"
                             "    0: first ended of nothing, 0 restarts\n"
                             " 1000: is asked\n"
                             " 1000: answers\n"
                             " 2000: is asked\n"
                             "report: child_terminated function: killed\n"
                             " 2500: function 2 starts\n"
                             "report: function restarted: killed; function\n"
                             " 2600: first: not_found\n"
                             " 2600: second ended of killed, because of unresponsive, 1 "
                             "restarts\n"
                             " 3500: is asked\n"
                             " 3600: stopped: ok\n"
                             "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

static void is_of_a_template(void *argument)
{
    (void)argument;
    ANSWERS(-1);
    const cop_child_spec template_ = FUNCTION(EVERY_SECOND, .restart = COP_TEMPORARY);
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
    ck_assert_int_eq(cop_dynamic_supervisor_start_from(TOP, NULL, 0).error, COP_OK);
    cop_sleep(700);
    ck_assert_int_eq(cop_dynamic_supervisor_start_from(TOP, NULL, 0).error, COP_OK);
    cop_sleep(1200);
    tell("%d left", (int)cop_process_count() - 2);
    end_top();
}

START_TEST(the_children_of_a_template_are_probed_each_on_its_own)
{
    expect_story(is_of_a_template, "    0: function 1 starts\n"
                                   "  700: function 2 starts\n"
                                   " 1000: is asked\n"
                                   "report: child_terminated function: killed\n"
                                   " 1700: is asked\n"
                                   " 1900: 1 left\n"
                                   " 1900: top stopped: ok\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *probe_suite(void)
{
    Suite *suite = suite_create("probe");
    TCase *tests = tcase_create("probe");
    tcase_add_test(tests, the_next_probe_comes_an_interval_after_the_last_answer);
    tcase_add_test(tests,
                   a_child_that_does_not_answer_in_time_is_killed_as_unresponsive_and_restarted);
    tcase_add_test(
        tests, the_time_to_answer_is_the_interval_if_none_is_given_and_a_later_answer_is_too_late);
    tcase_add_test(tests, a_supervisor_that_gives_up_for_it_says_that_the_child_did_not_answer);
    tcase_add_test(tests,
                   a_server_answers_by_itself_also_suspended_until_a_callback_does_not_return);
    tcase_add_test(tests,
                   a_probe_waits_in_the_queue_of_a_busy_server_and_its_time_includes_the_wait);
    tcase_add_test(tests, probes_do_not_put_off_a_servers_own_timeout);
    tcase_add_test(tests,
                   a_child_stopped_or_restarted_while_it_is_asked_leaves_no_probe_to_its_successor);
    tcase_add_test(tests, a_child_that_drains_is_not_killed_for_not_answering);
    tcase_add_test(tests, an_answer_that_waits_for_a_busy_supervisor_was_in_time);
    tcase_add_test(tests,
                   a_dynamic_child_that_answers_late_is_killed_and_restarted_and_stopped_in_peace);
    tcase_add_test(tests, the_children_of_a_template_are_probed_each_on_its_own);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(probe_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
