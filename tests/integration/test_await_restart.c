/* test_await_restart.c - asking after one child: which_child, and waiting for its successor. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "top.h"

static struct worker a, b;

static void start_a(const cop_backoff *backoff, int64_t ready_ms)
{
    const cop_child_spec children[] = {
        WORKER(a, .backoff = *backoff, .ready_ms = ready_ms), WORKER(b) };
    start_top(&(cop_supervisor){ .intensity = COP_UNLIMITED_RESTARTS, COP_CHILDREN(children) });
    trace_reset();
}

/* ---- which_child ------------------------------------------------------------------- */

static const char *state_text(enum cop_child_state state)
{
    static const char *const states[] = { "down", "up", "restarting" };
    return states[state];
}

static void trace_status(const char *id)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, id, &status), COP_OK);
    bool up = status.state == COP_CHILD_UP;
    ck_assert(cop_pid_equal(status.pid, up ? cop_whereis(id) : COP_NO_PID));
    trace("%d: %s is %s%s, restarts %llu, runs %lld, in %lld, ended %s", story_ms(), id,
          state_text(status.state), status.ready ? " and ready" : "",
          (unsigned long long)status.restarts, (long long)status.running_ms,
          (long long)status.restart_in_ms,
          status.last_end != NULL ? reason_text(status.last_end) : "never");
    cop_reason_unref(status.last_end);
}

static void all_states(void *argument)
{
    (void)argument;
    a.ready_ms = 30;
    start_a(&(cop_backoff){ .initial_ms = 100 }, 50);
    wait_until(40);
    trace_status("a");
    worker_raise("a", "bad");
    wait_until(80);
    trace_status("a");
    wait_until(150);
    trace_status("a");
    wait_until(180);
    trace_status("a");
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_status("a");
    wait_until(200);
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    trace_status("a");
    worker_exit("a", cop_reason_tuple("shutdown", cop_reason_atom("done")));
    settle();
    trace_status("a");
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_status("a");
}

/* A restart by a call is none; what terminate_child does is not an end of its own. */
START_TEST(which_child_tells_how_a_child_is_and_was_in_every_state)
{
    expect_story(all_states,
                 "40: a is up and ready, restarts 0, runs 40, in 0, ended never\n"
                 "40: a.1 is gone\n"
                 "40: report: child_terminated a: error:bad\n"
                 "80: a is restarting, restarts 0, runs 0, in 60, ended error:bad\n"
                 "140: a.2 starts\n"
                 "140: report: a restarted: error:bad; a\n"
                 "150: a is up, restarts 1, runs 10, in 0, ended error:bad\n"
                 "170: a.2 is ready\n"
                 "180: a is up and ready, restarts 1, runs 40, in 0, ended error:bad\n"
                 "180: a.2 is gone\n"
                 "terminate: ok\n"
                 "180: a is down, restarts 1, runs 0, in 0, ended error:bad\n"
                 "200: a.3 starts\n"
                 "restart: ok\n"
                 "200: a is up, restarts 1, runs 0, in 0, ended error:bad\n"
                 "200: a.3 stops: shutdown:done\n"
                 "200: a.3 is gone\n"
                 "200: report: child_terminated a: shutdown:done\n"
                 "201: a is restarting, restarts 1, runs 0, in 199, ended shutdown:done\n"
                 "terminate: ok\n"
                 "201: a is down, restarts 1, runs 0, in 0, ended shutdown:done\n");
}
END_TEST

static const cop_supervisor below = { .name = "below" };
static const cop_dynamic_supervisor dynamic = { .name = "dynamic" };

static void asks_wrongly(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { COP_CHILD_SUPERVISOR(below) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_child_status status = { .restarts = 77 }, untouched = status;
    cop_pid pid = cop_self();
    ck_assert_int_eq(cop_dynamic_supervisor_start_link(&dynamic).error, COP_OK);
    trace_error("unknown", cop_supervisor_which_child(TOP, "x", &status));
    trace_error("no id", cop_supervisor_which_child(TOP, NULL, &status));
    trace_error("nowhere", cop_supervisor_which_child(TOP, "below", NULL));
    trace_error("nobody", cop_supervisor_which_child(cop_to("nobody"), "x", &status));
    trace_error("dynamic", cop_supervisor_which_child(cop_to("dynamic"), "x", &status));
    ck_assert_mem_eq(&status, &untouched, sizeof status);
    trace_error("unknown", cop_supervisor_await_restart(TOP, "x", COP_NO_PID, 10, &pid));
    trace_error("no id", cop_supervisor_await_restart(TOP, NULL, COP_NO_PID, 10, &pid));
    trace_error("nobody", cop_supervisor_await_restart(cop_to("nobody"), "x", pid, 10, &pid));
    trace_error("dynamic", cop_supervisor_await_restart(cop_to("dynamic"), "x", pid, 10, &pid));
    ck_assert(cop_pid_equal(pid, cop_self()));
    ck_assert_int_eq(cop_supervisor_which_child(TOP, "below", &status), COP_OK);
    ck_assert_int_eq(status.type, COP_SUPERVISOR);
}

START_TEST(wrong_questions_are_answered_with_an_error_and_nothing_else)
{
    expect_story(asks_wrongly, "--\n"
                               "unknown: not_found\n"
                               "no id: badarg\n"
                               "nowhere: badarg\n"
                               "nobody: noproc\n"
                               "dynamic: badarg\n"
                               "unknown: not_found\n"
                               "no id: badarg\n"
                               "nobody: noproc\n"
                               "dynamic: badarg\n");
}
END_TEST

static void outlives(void *argument)
{
    (void)argument;
    start_a(&(cop_backoff){ 0 }, 0);
    worker_exit("a", cop_reason_tuple("disk", cop_reason_atom("full")));
    settle();
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, "a", &status), COP_OK);
    worker_kill("a");
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    trace_reset();
    trace("ended %s", reason_text(status.last_end));
    cop_reason_unref(status.last_end);
}

START_TEST(the_reason_in_a_status_is_the_callers)
{
    expect_story(outlives, "ended disk:full\n");
}
END_TEST

/* ---- await_restart ----------------------------------------------------------------- */

struct waiting {
    const char *who;
    cop_pid old;
    int64_t timeout_ms;
};

static void wait_for_a(void *argument)
{
    const struct waiting *waiting = argument;
    cop_pid pid = COP_NO_PID;
    int error = cop_supervisor_await_restart(TOP, "a", waiting->old, waiting->timeout_ms, &pid);
    if (error == COP_OK) ck_assert(!cop_pid_equal(pid, waiting->old));
    trace("%d: %s has %s%s", story_ms(), waiting->who, cop_error_name(error),
          cop_pid_is_none(pid) ? ""
          : cop_pid_equal(pid, cop_whereis("a")) ? ", a's pid"
                                                 : ", another pid");
}

/* Somebody waits for a to be another than `old`. */
static void waits(const char *who, cop_pid old, int64_t timeout_ms)
{
    struct waiting waiting = { who, old, timeout_ms };
    cop_spawn(wait_for_a, &waiting, sizeof waiting);
    settle();
}

static void is_new_already(void *argument)
{
    (void)argument;
    start_a(&(cop_backoff){ 0 }, 0);
    cop_pid old = cop_whereis("a");
    waits("nobody's heir", COP_NO_PID, 1);
    waits("b's heir", cop_whereis("b"), 1);
    worker_kill("a");
    settle();
    waits("the late", old, 1);
    waits("the wrong", cop_whereis("a"), 10);
    wait_until(100);
}

START_TEST(who_asks_when_there_is_another_process_already_is_answered_at_once)
{
    expect_story(is_new_already, "0: nobody's heir has ok, a's pid\n"
                                 "1: b's heir has ok, a's pid\n"
                                 "2: a.1 is gone\n"
                                 "2: report: child_terminated a: killed\n"
                                 "2: a.2 starts\n"
                                 "2: report: a restarted: killed; a\n"
                                 "3: the late has ok, a's pid\n"
                                 "14: the wrong has timeout\n");
}
END_TEST

static void several_wait(void *argument)
{
    (void)argument;
    start_a(&(cop_backoff){ .initial_ms = 100 }, 0);
    cop_pid old = cop_whereis("a");
    waits("one", old, COP_INFINITY);
    waits("two", old, 50);
    worker_kill("a");
    waits("three", old, 1000);
    waits("four", COP_NO_PID, 1000);
    wait_until(1000);
}

START_TEST(several_may_wait_each_for_so_long)
{
    expect_story(several_wait, "2: a.1 is gone\n"
                               "2: report: child_terminated a: killed\n"
                               "51: two has timeout\n"
                               "102: a.2 starts\n"
                               "102: report: a restarted: killed; a\n"
                               "102: one has ok, a's pid\n"
                               "102: three has ok, a's pid\n"
                               "102: four has ok, a's pid\n");
}
END_TEST

static void must_be_ready(void *argument)
{
    (void)argument;
    a.ready_ms = 50;
    start_a(&(cop_backoff){ 0 }, 100);
    wait_until(100);
    waits("one", cop_whereis("a"), COP_INFINITY);
    worker_kill("a");
    wait_until(120);
    waits("two", COP_NO_PID, COP_INFINITY);
    worker_kill("a");
    wait_until(1000);
}

START_TEST(a_successor_counts_when_it_is_ready)
{
    expect_story(must_be_ready, "101: a.1 is gone\n"
                                "101: report: child_terminated a: killed\n"
                                "101: a.2 starts\n"
                                "101: report: a restarted: killed; a\n"
                                "121: a.2 is gone\n"
                                "121: report: child_terminated a: killed\n"
                                "121: a.3 starts\n"
                                "121: report: a restarted: killed; a\n"
                                "171: a.3 is ready\n"
                                "171: one has ok, a's pid\n"
                                "171: two has ok, a's pid\n");
}
END_TEST

static void is_put_down(void *argument)
{
    (void)argument;
    start_a(&(cop_backoff){ 0 }, 0);
    waits("one", cop_whereis("a"), COP_INFINITY);
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    waits("two", COP_NO_PID, COP_INFINITY);
    waits("three", COP_NO_PID, 50);
    wait_until(100);
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    settle();
    waits("four", cop_whereis("a"), COP_INFINITY);
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_error("delete", cop_supervisor_delete_child(TOP, "a"));
    settle();
}

START_TEST(a_child_that_is_down_may_come_back_and_one_that_is_forgotten_never_does)
{
    expect_story(is_put_down, "1: a.1 is gone\n"
                              "terminate: ok\n"
                              "52: three has timeout\n"
                              "100: a.2 starts\n"
                              "100: one has ok, a's pid\n"
                              "100: two has ok, a's pid\n"
                              "restart: ok\n"
                              "102: a.2 is gone\n"
                              "terminate: ok\n"
                              "102: four has not_found\n"
                              "delete: ok\n");
}
END_TEST

static void is_temporary(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .restart = COP_TEMPORARY) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    waits("one", cop_whereis("a"), COP_INFINITY);
    worker_kill("a");
    settle();
}

START_TEST(a_temporary_child_that_ends_is_not_waited_for)
{
    expect_story(is_temporary, "0: a.1 starts\n--\n"
                               "1: a.1 is gone\n"
                               "1: report: child_terminated a: killed\n"
                               "1: one has not_found\n");
}
END_TEST

static void gives_up(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a) };
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(0, 5), COP_CHILDREN(children) });
    waits("one", cop_whereis("a"), COP_INFINITY);
    worker_kill("a");
    settle();
}

START_TEST(when_the_supervisor_gives_up_those_who_wait_hear_that_it_is_down)
{
    expect_story(gives_up, "0: a.1 starts\n--\n"
                           "1: a.1 is gone\n"
                           "1: report: child_terminated a: killed\n"
                           "1: report: shutdown a: reached_max_restart_intensity\n"
                           "1: one has down\n");
}
END_TEST

/* A waiter may be killed, or hear of its time-out, before the answer comes: that one is dropped. */
static void hears_nothing(void *argument)
{
    (void)argument;
    start_a(&(cop_backoff){ .initial_ms = 100 }, 0);
    struct waiting waiting = { "one", cop_whereis("a"), COP_INFINITY };
    cop_pid waiter = cop_spawn(wait_for_a, &waiting, sizeof waiting);
    settle();
    cop_exit_process(waiter, COP_KILL);
    cop_pid pid = COP_NO_PID;
    ck_assert_int_eq(cop_supervisor_await_restart(TOP, "a", waiting.old, 5, &pid), COP_ETIMEOUT);
    ck_assert(cop_pid_is_none(pid));
    worker_kill("a");
    wait_until(1000);
    expect_empty_mailbox();
    trace("ok");
}

START_TEST(an_answer_that_comes_too_late_is_nobodys)
{
    expect_story(hears_nothing, "6: a.1 is gone\n"
                                "6: report: child_terminated a: killed\n"
                                "106: a.2 starts\n"
                                "106: report: a restarted: killed; a\n"
                                "ok\n");
}
END_TEST

static void in_a_group(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(b, .ready_ms = 100), WORKER(a) };
    b.ready_ms = 50;
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(children) });
    trace_reset();
    waits("one", cop_whereis("a"), COP_INFINITY);
    worker_kill("b");
    wait_until(60);
    trace_status("a");
    wait_until(1000);
    trace_status("a");
}

START_TEST(a_child_that_is_restarted_with_its_group_counts_when_its_turn_has_come)
{
    expect_story(in_a_group, "51: b.1 is gone\n"
                             "51: report: child_terminated b: killed\n"
                             "51: a.1 is gone\n"
                             "51: b.2 starts\n"
                             "51: report: b restarted: killed; b\n"
                             "60: a is restarting, restarts 0, runs 0, in 0, ended never\n"
                             "101: b.2 is ready\n"
                             "101: a.2 starts\n"
                             "101: report: b restarted: killed; a\n"
                             "101: one has ok, a's pid\n"
                             "1000: a is up and ready, restarts 1, runs 899, in 0, "
                             "ended never\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *await_restart_suite(void)
{
    Suite *suite = suite_create("await_restart");
    TCase *tests = tcase_create("await_restart");
    tcase_add_test(tests, which_child_tells_how_a_child_is_and_was_in_every_state);
    tcase_add_test(tests, wrong_questions_are_answered_with_an_error_and_nothing_else);
    tcase_add_test(tests, the_reason_in_a_status_is_the_callers);
    tcase_add_test(tests, who_asks_when_there_is_another_process_already_is_answered_at_once);
    tcase_add_test(tests, several_may_wait_each_for_so_long);
    tcase_add_test(tests, a_successor_counts_when_it_is_ready);
    tcase_add_test(tests, a_child_that_is_down_may_come_back_and_one_that_is_forgotten_never_does);
    tcase_add_test(tests, a_temporary_child_that_ends_is_not_waited_for);
    tcase_add_test(tests, when_the_supervisor_gives_up_those_who_wait_hear_that_it_is_down);
    tcase_add_test(tests, an_answer_that_comes_too_late_is_nobodys);
    tcase_add_test(tests, a_child_that_is_restarted_with_its_group_counts_when_its_turn_has_come);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(await_restart_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
