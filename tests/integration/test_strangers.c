/* test_strangers.c - what the library's own servers do with what is not for them, and with callers
 * that come in another way than usual. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(leaflet, COP_EMPTY);
COP_CALL(greeting, { int n; }, { int n; });

static void trace_error(const char *what, int error)
{
    trace("%s: %s", what, cop_error_name(error));
}

/* ---- what is not for them -------------------------------------------------------------- */

static const cop_dynamic_supervisor dynamic = { .name = "dynamic" };
static const cop_supervisor fixed = { .name = "fixed" };
static const cop_registry registry = { .name = "registry", .partitions = 1 };

static cop_pid start(const char *name)
{
    if (strcmp(name, "dynamic") == 0)
        return cop_must_start(cop_dynamic_supervisor_start_link(&dynamic));
    if (strcmp(name, "fixed") == 0) return cop_must_start(cop_supervisor_start_link(&fixed));
    return cop_must_start(cop_registry_start_link(&registry));
}

/* A plain message and a cast leave it as it is, an unknown call ends it as in OTP. */
static void gets_what_is_not_for_it(void *argument)
{
    const char *name = argument;
    cop_trap_exit(true);
    cop_pid pid = start(name);
    cop_send(pid, leaflet, 0);
    settle();
    trace("%s after a message: %s", name, cop_is_alive(pid) ? "alive" : "dead");
    cop_cast(pid, leaflet, 0);
    settle();
    trace("%s after a cast: %s", name, cop_is_alive(pid) ? "alive" : "dead");
    if (!cop_is_alive(pid)) {
        trace_exit_from(name, pid);
        pid = start(name);
    }
    trace_error("a call", cop_call(pid, NULL, greeting, .n = 1));
    trace_exit_from(name, pid);
}

static void tell(const char *name, const char *expected)
{
    trace_reset();
    ck_assert_int_eq(run_node(gets_what_is_not_for_it, (void *)(uintptr_t)name), 0);
    trace_expect(expected);
}

START_TEST(an_unknown_call_ends_a_server_of_the_library_and_a_message_does_not)
{
    tell("dynamic", "dynamic after a message: alive\n"
                    "dynamic after a cast: alive\n"
                    "a call: down\n"
                    "exit from dynamic: error:function_clause: call greeting\n");
    tell("registry", "registry after a message: alive\n"
                     "registry after a cast: alive\n"
                     "a call: down\n"
                     "exit from registry: error:function_clause: call greeting\n");
    tell("fixed", "fixed after a message: alive\n"
                  "fixed after a cast: dead\n"
                  "exit from fixed: error:function_clause: cast leaflet\n"
                  "a call: down\n"
                  "exit from fixed: error:function_clause: call greeting\n");
}
END_TEST

/* ---- by way of an alias ---------------------------------------------------------------- */

static cop_ref door;

static cop_next opens_a_door(void *state, const void *argument)
{
    (void)state;
    door = cop_alias(*(const enum cop_alias_mode *)argument);
    return cop_ok();
}

static cop_next greets(void *state, const cop_message *request, cop_from from)
{
    (void)state;
    (void)from;
    int n = cop_expect(request, greeting)->n;
    if (n == 0) return cop_stop(cop_reason_atom("bored"));
    return cop_reply(greeting, .n = n + 1);
}

static const cop_gen_server doorman = { .init = opens_a_door, .handle_call = greets };

static void greet(const char *what, int n)
{
    greeting_reply reply = { 0 };
    int error = cop_call_timeout(door, 100, &reply, greeting, .n = n);
    if (error == COP_OK) trace("%s: %d", what, reply.n);
    else trace_error(what, error);
}

static void calls_through_doors(void *argument)
{
    (void)argument;
    enum cop_alias_mode mode = COP_ALIAS_EXPLICIT;
    cop_must_start(cop_gen_server_start(&doorman, .argument = &mode, .argument_size = sizeof mode));
    greet("the first", 1);
    greet("the second", 2);
    trace_error("of no interest", cop_call_message(cop_to(door), cop_new(greeting, .n = 3), 100,
                                                   NULL, NULL));
    greet("one too many", 0);
    greet("nobody", 4);
    mode = COP_ALIAS_REPLY;
    cop_must_start(cop_gen_server_start(&doorman, .argument = &mode, .argument_size = sizeof mode));
    greet("once", 5);
    greet("twice", 6);
    expect_empty_mailbox();
}

START_TEST(a_server_is_called_through_an_alias_for_as_long_as_that_lets_messages_in)
{
    ck_assert_int_eq(run_node(calls_through_doors, NULL), 0);
    trace_expect("the first: 2\n"
                 "the second: 3\n"
                 "of no interest: ok\n"
                 "one too many: down\n"
                 "nobody: noproc\n"
                 "once: 6\n"
                 "twice: timeout\n");
}
END_TEST

static void calls_through_a_full_door(void *argument)
{
    (void)argument;
    enum cop_alias_mode mode = COP_ALIAS_EXPLICIT;
    cop_pid pid = cop_must_start(cop_gen_server_start(
        &doorman, .argument = &mode, .argument_size = sizeof mode,
        .mailbox = { .limit = 1, .when_full = COP_MAILBOX_FAIL }));
    cop_sys_suspend(cop_to(pid), COP_INFINITY);
    cop_send(pid, leaflet, 0);
    greet("full", 1);
    cop_exit_process(pid, COP_KILL);
    settle();
    expect_empty_mailbox();         /* no down message of a call that was refused */
}

START_TEST(a_call_through_an_alias_to_a_full_mailbox_is_refused_and_leaves_no_monitor)
{
    ck_assert_int_eq(run_node(calls_through_a_full_door, NULL), 0);
    trace_expect("full: full\n");
}
END_TEST

/* ---- many that wait for one child ------------------------------------------------------ */

enum { PATIENT_MS = 500, HASTY = 40 };

static void is_there(void *argument)
{
    (void)argument;
    cop_init_ack();
    cop_sleep(COP_INFINITY);
}

static const cop_child_spec children[] = { COP_CHILD_FUNCTION(is_there) };
static const cop_supervisor top = { .name = "top", COP_CHILDREN(children) };

static cop_pid first_child;

static void waits_for_the_next(void *argument)
{
    cop_pid next = COP_NO_PID;
    int64_t ms = *(const int *)argument;
    int error = cop_supervisor_await_restart(cop_to("top"), "is_there", first_child, ms, &next);
    if (ms != PATIENT_MS) expect_that(error == COP_ETIMEOUT);
    else trace("%s after %d ms", cop_error_name(error), (int)cop_now_ms());
}

/* Those whose time is over are forgotten as more of them come, the patient one is not. */
static void many_wait(void *argument)
{
    (void)argument;
    cop_must_start(cop_supervisor_start_link(&top));
    cop_child_status status;
    cop_must(cop_supervisor_which_child(cop_to("top"), "is_there", &status));
    first_child = status.pid;
    cop_spawn(waits_for_the_next, &(int){ PATIENT_MS }, sizeof(int));
    for (int i = 0; i < HASTY; i++) {
        cop_spawn(waits_for_the_next, &(int){ 2 }, sizeof(int));
        cop_sleep(5);
    }
    cop_exit_process(first_child, COP_KILL);
    settle();
}

START_TEST(who_waits_for_a_restart_is_told_though_many_others_have_given_up_waiting)
{
    ck_assert_int_eq(run_node(many_wait, NULL), 0);
    trace_expect("ok after 200 ms\n");
}
END_TEST

/* ---- starts that are somebody else's --------------------------------------------------- */

static cop_pid resident;

static cop_started is_there_already(const void *module, const void *argument, size_t size)
{
    (void)module;
    (void)argument;
    (void)size;
    return (cop_started){ COP_EALREADY_STARTED, resident, NULL };
}

static void starts_what_is_there(void *argument)
{
    static const cop_child_spec taken[] = { { .id = "taken", .start = is_there_already } };
    static const cop_supervisor of_taken = { COP_CHILDREN(taken) };
    (void)argument;
    cop_trap_exit(true);
    resident = cop_spawn_link(is_there, NULL, 0);
    cop_started started = cop_supervisor_start_link(&of_taken);
    trace("%s: %s", cop_error_name(started.error), reason_text(started.reason));
    cop_reason_unref(started.reason);
}

START_TEST(a_child_that_runs_elsewhere_fails_its_supervisors_start_which_says_where)
{
    ck_assert_int_eq(run_node(starts_what_is_there, NULL), 0);
    trace_expect("start_failed: shutdown:failed_to_start_child:taken:already_started:<1.1>\n");
}
END_TEST

static cop_next wants_a_timeout(cop_supervisor *flags, const void *argument)
{
    (void)flags;
    (void)argument;
    return cop_then_timeout(cop_ok(), 5);
}

static void starts_an_impatient_supervisor(void *argument)
{
    static const cop_supervisor impatient = { .init = wants_a_timeout };
    (void)argument;
    cop_trap_exit(true);
    cop_started started = cop_supervisor_start_link(&impatient);
    trace("%s: %s", cop_error_name(started.error), reason_text(started.reason));
    cop_reason_unref(started.reason);
}

START_TEST(an_init_of_a_supervisor_may_not_ask_for_a_timeout)
{
    ck_assert_int_eq(run_node(starts_an_impatient_supervisor, NULL), 0);
    trace_expect("start_failed: error:bad_return_value: init\n");
}
END_TEST

START_TEST(an_agent_starts_in_a_process_only)
{
    int zero = 0;
    ck_assert_int_eq(cop_agent_start(&zero, sizeof zero, NULL).error, COP_EOUTSIDE);
}
END_TEST

static Suite *strangers_suite(void)
{
    Suite *suite = suite_create("strangers");
    TCase *tests = tcase_create("strangers");
    tcase_add_test(tests, an_unknown_call_ends_a_server_of_the_library_and_a_message_does_not);
    tcase_add_test(tests, a_server_is_called_through_an_alias_for_as_long_as_that_lets_messages_in);
    tcase_add_test(tests,
                   a_call_through_an_alias_to_a_full_mailbox_is_refused_and_leaves_no_monitor);
    tcase_add_test(tests, who_waits_for_a_restart_is_told_though_many_others_have_given_up_waiting);
    tcase_add_test(tests,
                   a_child_that_runs_elsewhere_fails_its_supervisors_start_which_says_where);
    tcase_add_test(tests, an_init_of_a_supervisor_may_not_ask_for_a_timeout);
    tcase_add_test(tests, an_agent_starts_in_a_process_only);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(strangers_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
