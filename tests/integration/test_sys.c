/* test_sys.c - sys: looking into a running server, and suspending it. */
#include <coppice/coppice.h>

#include "obedient.h"

enum { SOON = 1000 };

static int total_of(cop_dest server)
{
    struct obedient state = { .total = -1 };
    cop_must(cop_sys_get_state(server, &state, sizeof state, SOON));
    return state.total;
}

static void set_total(void *state, const void *argument)
{
    trace("replace: %d by %d", ((struct obedient *)state)->total, *(const int *)argument);
    ((struct obedient *)state)->total = *(const int *)argument;
}

static void trace_error(const char *what, int error)
{
    trace("%s: %s", what, cop_error_name(error));
}

/* ---- state --------------------------------------------------------------------------- */

static void story_of_get_state(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    trace("%d", total_of(cop_to(server)));
    TELL(server, "hello");
    SAY(server, "hello");
    trace("%d", total_of(cop_to(server)));
    char small[4] = "abc";
    trace("4 bytes: %s, %s", cop_error_name(cop_sys_get_state(cop_to(server), small, 4, SOON)),
          small);
    cop_sys_suspend(cop_to(server), SOON);
    TELL(server, "later");
    trace("suspended: %d", total_of(cop_to(server)));
    cop_sys_resume(cop_to(server), SOON);
    trace("resumed: %d", total_of(cop_to(server)));
}

START_TEST(get_state_copies_the_state_between_two_messages_and_also_while_suspended)
{
    expect_story(story_of_get_state, "0\n"
                                     "cast: hello\n" "info: hello\n" "2\n"
                                     "4 bytes: badarg, abc\n"
                                     "suspended: 2\n"
                                     "cast: later\n"
                                     "resumed: 3\n");
}
END_TEST

static void story_of_replace_state(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    int number = 40;
    cop_must(cop_sys_replace_state(cop_to(server), set_total, &number, sizeof number, SOON));
    TELL(server, "hello");
    trace("%d", total_of(cop_to(server)));
    cop_sys_suspend(cop_to(server), SOON);
    number = 7;
    cop_must(cop_sys_replace_state(cop_to(server), set_total, &number, sizeof number, SOON));
    trace("suspended: %d", total_of(cop_to(server)));
    cop_sys_resume(cop_to(server), SOON);
    TELL(server, "hello");
    trace("%d", total_of(cop_to(server)));
}

START_TEST(replace_state_runs_in_the_server_and_also_while_suspended)
{
    expect_story(story_of_replace_state, "replace: 0 by 40\n" "cast: hello\n" "41\n"
                                         "replace: 41 by 7\n" "suspended: 7\n"
                                         "cast: hello\n" "8\n");
}
END_TEST

static void spoil(void *state, const void *argument)
{
    (void)state;
    ck_assert_ptr_null(argument);
    cop_raise("cannot replace");
}

static void story_of_a_bad_replace(void *argument)
{
    (void)argument;
    cop_ref ref;
    for (int suspended = 0; suspended <= 1; suspended++) {
        cop_pid server = start(&obedient, &ref);
        if (suspended) cop_sys_suspend(cop_to(server), SOON);
        trace("%s", cop_error_name(cop_sys_replace_state(cop_to(server), spoil, NULL, 0, SOON)));
        trace_down("server", ref);
    }
}

START_TEST(a_replace_that_crashes_ends_the_server_and_the_caller_hears)
{
    expect_story(story_of_a_bad_replace, "down\n" "server ended: error:cannot replace\n"
                                         "down\n" "server ended: error:cannot replace\n");
}
END_TEST

/* ---- suspending ---------------------------------------------------------------------- */

static void story_of_suspension(void *argument)
{
    (void)argument;
    cop_ref ref;
    ask_reply reply;
    cop_pid server = start(&obedient, &ref);
    trace("suspend: %d", cop_sys_suspend(cop_to(server), SOON));
    trace("again: %d", cop_sys_suspend(cop_to(server), SOON));
    TELL(server, "first");
    SAY(server, "second");
    int error = cop_call_timeout(server, 50, &reply, ask, "reply");
    trace("call: %s at %d ms", cop_error_name(error), (int)cop_now_ms());
    TELL(server, "last");
    cop_sys_status status;
    cop_must(cop_sys_get_status(cop_to(server), &status, SOON));
    trace("suspended %d, %zu wait", status.suspended, status.mailbox_length);
    trace("resume: %d", cop_sys_resume(cop_to(server), SOON));
    trace("again: %d", cop_sys_resume(cop_to(server), SOON));
    cop_must(cop_sys_get_status(cop_to(server), &status, SOON));
    trace("suspended %d, %zu wait", status.suspended, status.mailbox_length);
    cop_must(cop_call(server, &reply, ask, "reply"));
    trace("total %d", reply.total);
    cop_sleep(1);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(what_comes_to_a_suspended_server_waits_in_order_and_callers_run_out_of_time)
{
    expect_story(story_of_suspension, "suspend: 0\n" "again: 0\n"
                                      "call: timeout at 50 ms\n"
                                      "suspended 1, 4 wait\n"
                                      "cast: first\n" "info: second\n"
                                      "call: reply\n" "cast: last\n"
                                      "resume: 0\n" "again: 0\n"
                                      "suspended 0, 0 wait\n"
                                      "call: reply\n" "total 5\n");
}
END_TEST

static void story_of_stopping(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    cop_sys_suspend(cop_to(server), SOON);
    TELL(server, "too late");
    trace_error("stop", cop_stop_process(cop_to(server), cop_reason_atom("enough"), SOON));
    trace_down("server", ref);
    server = start(&obedient, &ref);
    trace_error("terminate", cop_sys_terminate(cop_to(server), COP_SHUTDOWN, SOON));
    trace_down("server", ref);
}

START_TEST(a_suspended_server_can_be_stopped)
{
    expect_story(story_of_stopping, "terminate: enough, 0 done\n"
                                    "report: obedient had cop_terminate_message: enough\n"
                                    "stop: ok\n" "server ended: enough\n"
                                    "terminate: shutdown, 0 done\n"
                                    "terminate: ok\n" "server ended: shutdown\n");
}
END_TEST

COP_MESSAGE(child_is, { cop_pid pid; });

static void suspending_parent(void *argument)
{
    cop_started started = cop_gen_server_start_link(&obedient, .trap_exit = true);
    cop_sys_suspend(cop_to(started.pid), SOON);
    cop_send(cop_parent(), child_is, .pid = started.pid);
    cop_sleep(10);
    cop_exit(cop_reason_ref(argument));
}

static void story_of_the_parents_end(void *argument)
{
    (void)argument;
    const cop_reason *const reasons[] = { COP_NORMAL, COP_SHUTDOWN };
    for (int i = 0; i < 2; i++) {
        cop_spawn(suspending_parent, reasons[i], 0);
        const child_is *child = cop_receive_type(child_is, SOON);
        ck_assert_ptr_nonnull(child);
        cop_ref ref = cop_monitor(child->pid);
        trace_down("server", ref);
    }
}

START_TEST(a_suspended_server_ends_with_its_parent_whatever_the_reason)
{
    expect_story(story_of_the_parents_end, "terminate: normal, 0 done\n"
                                           "server ended: normal\n"
                                           "terminate: shutdown, 0 done\n"
                                           "server ended: shutdown\n");
}
END_TEST

static void story_of_strangers(void *argument)
{
    (void)argument;
    cop_started started = cop_gen_server_start(&obedient, .trap_exit = true);
    cop_sys_suspend(cop_to(started.pid), SOON);
    cop_exit_process(started.pid, cop_reason_atom("from_a_stranger"));
    cop_sleep(10);
    trace("alive: %d", cop_is_alive(started.pid));
    cop_sys_resume(cop_to(started.pid), SOON);
    cop_sleep(10);
}

START_TEST(a_strangers_exit_signal_waits_for_a_suspended_server_like_any_message)
{
    expect_story(story_of_strangers, "alive: 1\n" "exit: from_a_stranger\n");
}
END_TEST

static void story_of_timeouts(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    TELL(server, "wait");
    cop_sleep(60);
    trace("poked at %d ms", (int)cop_now_ms());
    (void)total_of(cop_to(server));
    cop_sleep(200);
    TELL(server, "wait");
    cop_sleep(60);
    cop_sys_suspend(cop_to(server), SOON);
    trace("suspended at %d ms", (int)cop_now_ms());
    cop_sleep(500);
    cop_sys_resume(cop_to(server), SOON);
    trace("resumed at %d ms", (int)cop_now_ms());
    cop_sleep(200);
    TELL(server, "hello");
    (void)total_of(cop_to(server));
    cop_sleep(500);
}

START_TEST(a_system_request_starts_the_timeout_anew_with_its_full_time)
{
    expect_story(story_of_timeouts, "cast: wait\n"
                                    "poked at 60 ms\n" "timeout at 160 ms\n"
                                    "cast: wait\n"
                                    "suspended at 320 ms\n" "resumed at 820 ms\n"
                                    "timeout at 920 ms\n"
                                    "cast: hello\n");
}
END_TEST

/* ---- status and errors --------------------------------------------------------------- */

static const cop_gen_server named = { .name = "the_server", .label = "a label", .state_size = 24 };

static void story_of_status(void *argument)
{
    (void)argument;
    cop_sys_status status;
    cop_started linked = cop_gen_server_start_link(&named);
    cop_must(cop_sys_get_status(cop_to("the_server"), &status, SOON));
    ck_assert(cop_pid_equal(status.pid, linked.pid));
    ck_assert(cop_pid_equal(status.parent, cop_self()));
    trace("%s, %s, suspended %d, %zu bytes, %zu wait", status.name, status.label, status.suspended,
          status.state_size, status.mailbox_length);
    cop_started bare = cop_gen_server_start(&named, .name = "x");
    cop_unregister("x");
    cop_must(cop_sys_get_status(cop_to(bare.pid), &status, SOON));
    ck_assert(cop_pid_is_none(status.parent));
    trace("'%s', %s", status.name, status.label);
}

START_TEST(get_status_tells_who_it_is_and_how_much_waits)
{
    expect_story(story_of_status, "the_server, a label, suspended 0, 24 bytes, 0 wait\n"
                                  "'', a label\n");
}
END_TEST

static void sleep_for_ever(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

static void story_of_errors(void *argument)
{
    (void)argument;
    cop_ref ref;
    size_t count;
    cop_dest server = cop_to(start(&obedient, &ref));
    cop_pid plain = cop_spawn(sleep_for_ever, NULL, 0);
    trace_error("nobody's name", cop_sys_suspend(cop_to("nobody"), SOON));
    trace_error("a plain process", cop_sys_suspend(cop_to(plain), 20));
    trace_error("itself", cop_sys_suspend(cop_to(cop_self()), SOON));
    trace_error("no state", cop_sys_get_state(server, NULL, 8, SOON));
    trace_error("no replacement", cop_sys_replace_state(server, NULL, NULL, 0, SOON));
    trace_error("no argument", cop_sys_replace_state(server, spoil, NULL, 4, SOON));
    trace_error("no status", cop_sys_get_status(server, NULL, SOON));
    trace_error("no counts", cop_sys_statistics(server, NULL, SOON));
    trace_error("no entries", cop_sys_get_log(server, NULL, 1, &count, SOON));
    trace_error("no count", cop_sys_get_log(server, NULL, 0, NULL, SOON));
    trace_error("a long log", cop_sys_log(server, COP_SYS_LOG_MAX + 1, SOON));
    cop_stop_process(server, COP_NORMAL, SOON);
    trace_error("the dead", cop_sys_resume(server, SOON));
}

START_TEST(wrong_arguments_and_processes_that_do_not_answer_give_their_errors)
{
    expect_story(story_of_errors, "nobody's name: noproc\n" "a plain process: timeout\n"
                                  "itself: calling_self\n" "no state: badarg\n"
                                  "no replacement: badarg\n" "no argument: badarg\n"
                                  "no status: badarg\n" "no counts: badarg\n"
                                  "no entries: badarg\n" "no count: badarg\n"
                                  "a long log: badarg\n"
                                  "terminate: normal, 0 done\n" "the dead: noproc\n");
    ck_assert_int_eq(cop_sys_suspend(cop_to(COP_NO_PID), SOON), COP_EOUTSIDE);
}
END_TEST

static void say_nonsense(cop_pid server)
{
    cop_message *message = cop_new(tell, "nonsense");
    message->kind = COP_SYSTEM;
    cop_send_message(cop_to(server), message);
}

static void story_of_nonsense(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    say_nonsense(server);
    trace("%d", total_of(cop_to(server)));
    cop_sys_suspend(cop_to(server), SOON);
    say_nonsense(server);
    TELL(server, "later");
    cop_sys_status status;
    cop_must(cop_sys_get_status(cop_to(server), &status, SOON));
    trace("suspended %d", status.suspended);
}

START_TEST(an_unknown_system_message_is_noted_and_changes_nothing)
{
    expect_story(story_of_nonsense, "note: tell: unexpected message\n" "0\n"
                                    "note: tell: unexpected message\n" "suspended 1\n");
}
END_TEST

/* A server that waits for a reference of its own, while requests come whose callers' references
 * have the same serial. */
enum { COMMON_SERIAL = 10 };

static cop_next waiting_call(void *state, const cop_message *request, cop_from from)
{
    (void)state;
    (void)from;
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
    while (alias.serial < COMMON_SERIAL) alias = cop_alias(COP_ALIAS_EXPLICIT);
    ck_assert_uint_eq(alias.serial, COMMON_SERIAL);
    cop_message *message = cop_take(&(cop_match){ .ref = alias }, 100);
    ck_assert_ptr_null(message);
    (void)cop_expect(request, ask);
    return cop_reply(ask, .total = 1);
}

static void call_waiting(void *server)
{
    ask_reply reply;
    trace_error("call", cop_call((const char *)server, &reply, ask, "wait"));
}

static void story_of_references(void *argument)
{
    static const cop_gen_server waiting = { .name = "waiting", .handle_call = waiting_call };
    (void)argument;
    cop_must(cop_gen_server_start(&waiting).error);
    cop_spawn(call_waiting, "waiting", 0);
    cop_yield();
    ck_assert_uint_lt(cop_alias(COP_ALIAS_EXPLICIT).serial, COMMON_SERIAL);
    for (int i = 0; i < COMMON_SERIAL; i++) (void)cop_sys_suspend(cop_to("waiting"), 1);
    cop_sys_resume(cop_to("waiting"), SOON);
    cop_sleep(1000);
}

START_TEST(a_request_is_never_taken_for_an_answer_that_the_server_waits_for)
{
    expect_story(story_of_references, "call: ok\n");
}
END_TEST

/* ---- on many threads ----------------------------------------------------------------- */

enum { CALLERS = 4, CALLS = 300 };

static cop_next counting_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    (void)cop_expect(request, ask);
    return cop_reply(ask, .total = ++*(int *)state);
}

static void call_often(void *server)
{
    ask_reply reply;
    for (int i = 0; i < CALLS; i++)
        cop_must(cop_call_timeout((const char *)server, COP_INFINITY, &reply, ask, "count"));
}

static void suspend_often(void *argument)
{
    (void)argument;
    static const cop_gen_server counting = { .name = "counting", .state_size = sizeof(int),
                                             .handle_call = counting_call };
    cop_ref refs[CALLERS];
    int before, after, total;
    cop_must(cop_gen_server_start(&counting).error);
    cop_dest server = cop_to("counting");
    for (int i = 0; i < CALLERS; i++) cop_spawn_monitor(call_often, "counting", 0, &refs[i]);
    for (int i = 0; i < 100; i++) {
        cop_must(cop_sys_suspend(server, COP_INFINITY));
        cop_must(cop_sys_get_state(server, &before, sizeof before, COP_INFINITY));
        cop_yield();
        cop_must(cop_sys_get_state(server, &after, sizeof after, COP_INFINITY));
        ck_assert_int_eq(before, after);
        cop_must(cop_sys_resume(server, COP_INFINITY));
    }
    for (int i = 0; i < CALLERS; i++)
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
    cop_must(cop_sys_get_state(server, &total, sizeof total, COP_INFINITY));
    ck_assert_int_eq(total, CALLERS * CALLS);
}

START_TEST(on_many_threads_a_server_that_is_suspended_again_and_again_loses_no_call)
{
    int status = cop_run(suspend_often, NULL, &(cop_run_options){ .schedulers = 4 });
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- supervisors --------------------------------------------------------------------- */

static const cop_gen_server child = { .name = "child", .handle_cast = obedient_cast,
                                      .state_size = sizeof(struct obedient) };
static const cop_child_spec children[] = { COP_CHILD_SERVER(child) };
static const cop_supervisor supervisor = { .name = "top", COP_CHILDREN(children) };

static void story_of_a_supervisor(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_started top = cop_supervisor_start_link(&supervisor);
    cop_must(top.error);
    cop_must(cop_sys_suspend(cop_to("top"), SOON));
    cop_exit_process(cop_whereis("child"), COP_KILL);
    cop_sleep(100);
    trace("child: %d", !cop_pid_is_none(cop_whereis("child")));
    cop_must(cop_sys_resume(cop_to("top"), SOON));
    cop_sleep(100);
    trace("child: %d", !cop_pid_is_none(cop_whereis("child")));
    cop_must(cop_sys_suspend(cop_to("top"), SOON));
    trace_error("stop", cop_supervisor_stop(cop_to("top"), COP_SHUTDOWN));
    trace("child: %d", !cop_pid_is_none(cop_whereis("child")));
}

START_TEST(a_suspended_supervisor_restarts_nobody_and_still_stops_its_children)
{
    expect_story(story_of_a_supervisor, "child: 0\n" "child: 1\n" "stop: ok\n" "child: 0\n");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sys");
    tcase_add_test(tests, get_state_copies_the_state_between_two_messages_and_also_while_suspended);
    tcase_add_test(tests, replace_state_runs_in_the_server_and_also_while_suspended);
    tcase_add_test(tests, a_replace_that_crashes_ends_the_server_and_the_caller_hears);
    tcase_add_test(tests,
                   what_comes_to_a_suspended_server_waits_in_order_and_callers_run_out_of_time);
    tcase_add_test(tests, a_suspended_server_can_be_stopped);
    tcase_add_test(tests, a_suspended_server_ends_with_its_parent_whatever_the_reason);
    tcase_add_test(tests, a_strangers_exit_signal_waits_for_a_suspended_server_like_any_message);
    tcase_add_test(tests, a_system_request_starts_the_timeout_anew_with_its_full_time);
    tcase_add_test(tests, get_status_tells_who_it_is_and_how_much_waits);
    tcase_add_test(tests, wrong_arguments_and_processes_that_do_not_answer_give_their_errors);
    tcase_add_test(tests, an_unknown_system_message_is_noted_and_changes_nothing);
    tcase_add_test(tests, a_request_is_never_taken_for_an_answer_that_the_server_waits_for);
    tcase_add_test(tests, on_many_threads_a_server_that_is_suspended_again_and_again_loses_no_call);
    tcase_add_test(tests, a_suspended_supervisor_restarts_nobody_and_still_stops_its_children);
    Suite *suite = suite_create("sys");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
