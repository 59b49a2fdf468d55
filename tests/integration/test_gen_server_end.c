/* test_gen_server_end.c - every way in which a server ends: what is called then, what is answered,
 * what is reported. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "obedient.h"
#include "story.h"
#include "trace.h"

COP_MESSAGE(go, COP_EMPTY);

/* ---- the end ------------------------------------------------------------------------- */

static void story_of_stops(void *argument)
{
    (void)argument;
    static const char *const ways[] = { "stop", "stop normal", "stop shutdown" };
    for (int i = 0; i < 3; i++) {
        cop_ref ref;
        TELL(start(&obedient, &ref), ways[i]);
        trace_down("cast", ref);
        SAY(start(&obedient, &ref), ways[i]);
        trace_down("info", ref);
    }
}

START_TEST(a_stop_terminates_and_is_reported_only_if_it_is_abnormal)
{
    expect_story(story_of_stops,
                 "cast: stop\n" "terminate: told_to, 1 done\n"
                 "report: obedient had tell: told_to\n" "cast ended: told_to\n"
                 "info: stop\n" "terminate: told_to, 1 done\n"
                 "report: obedient had tell: told_to\n" "info ended: told_to\n"
                 "cast: stop normal\n" "terminate: normal, 1 done\n" "cast ended: normal\n"
                 "info: stop normal\n" "terminate: normal, 1 done\n" "info ended: normal\n"
                 "cast: stop shutdown\n" "terminate: shutdown:done, 1 done\n"
                 "cast ended: shutdown:done\n"
                 "info: stop shutdown\n" "terminate: shutdown:done, 1 done\n"
                 "info ended: shutdown:done\n");
}
END_TEST

static void story_of_nonsense(void *argument)
{
    (void)argument;
    static const char *const casts[] = { "nothing", "ok", "ignore", "fail", "reply",
                                         "stop and reply", "stop and continue",
                                         "stop for nothing" };
    for (size_t i = 0; i < sizeof casts / sizeof *casts; i++) {
        cop_ref ref;
        TELL(start(&obedient, &ref), casts[i]);
        trace_down(casts[i], ref);
    }
    cop_ref ref;
    ask_reply reply;
    cop_pid server = start(&obedient, &ref);
    trace("%s", cop_error_name(cop_call(server, &reply, ask, "reply nothing")));
    trace_down("call", ref);
    SAY(start(&obedient, &ref), "nothing");
    trace_down("info", ref);
    TELL(start(&obedient, &ref), "continue and nothing");
    trace_down("continue", ref);
}

START_TEST(a_return_value_that_makes_no_sense_ends_the_server_with_bad_return_value)
{
    trace_reset();
    ck_assert_int_eq(run_node(story_of_nonsense, NULL), 0);
    drop_lines("cast: ");
    drop_lines("terminate: error:bad_return_value: handle_cast, 1 done");
    trace_expect("nothing ended: error:bad_return_value: handle_cast\n"
                 "ok ended: error:bad_return_value: handle_cast\n"
                 "ignore ended: error:bad_return_value: handle_cast\n"
                 "fail ended: error:bad_return_value: handle_cast\n"
                 "reply ended: error:bad_return_value: handle_cast\n"
                 "stop and reply ended: error:bad_return_value: handle_cast\n"
                 "stop and continue ended: error:bad_return_value: handle_cast\n"
                 "stop for nothing ended: error:bad_return_value: handle_cast\n"
                 "call: reply nothing\n"
                 "terminate: error:bad_return_value: handle_call, 1 done\n" "down\n"
                 "call ended: error:bad_return_value: handle_call\n"
                 "info: nothing\n" "terminate: error:bad_return_value: handle_info, 1 done\n"
                 "info ended: error:bad_return_value: handle_info\n"
                 "continue: nothing\n"
                 "terminate: error:bad_return_value: handle_continue, 2 done\n"
                 "continue ended: error:bad_return_value: handle_continue\n");
}
END_TEST

static void slow_terminate(void *state, const cop_reason *reason)
{
    (void)state;
    cop_sleep(10);
    trace("terminated: %s", show(reason));
}

static void crashing_terminate(void *state, const cop_reason *reason)
{
    (void)state, (void)reason;
    cop_raise("terminate failed");
}

static void faulting_terminate(void *state, const cop_reason *reason)
{
    (void)state, (void)reason;
    static volatile int *volatile nowhere;
    *nowhere = 1;
}

static void story_of_stop_and_reply(void *argument)
{
    (void)argument;
    void (*const ways[])(void *, const cop_reason *) = { slow_terminate, crashing_terminate,
                                                         faulting_terminate, NULL };
    for (int i = 0; i < 4; i++) {
        cop_gen_server server = obedient;
        server.terminate = ways[i];
        cop_ref ref;
        cop_pid pid = start(&server, &ref);
        ask_reply reply = { 0 };
        int error = cop_call(pid, &reply, ask, "stop and reply");
        trace("answer %d: %s", reply.total, cop_error_name(error));
        trace_down("it", ref);
        ck_assert_uint_eq(cop_mailbox_length(), 0);
    }
}

START_TEST(a_reply_with_a_stop_is_sent_after_terminate_even_if_that_crashes)
{
    expect_story(story_of_stop_and_reply,
                 "call: stop and reply\n" "terminated: told_to\n"
                 "report: obedient had ask: told_to\n" "answer 1: ok\n" "it ended: told_to\n"
                 "call: stop and reply\n" "answer 1: ok\n" "it ended: error:terminate failed\n"
                 "call: stop and reply\n" "answer 1: ok\n" "it ended: crash:SIGSEGV\n"
                 "call: stop and reply\n"
                 "report: obedient had ask: told_to\n" "answer 1: ok\n" "it ended: told_to\n");
}
END_TEST

static void story_of_crashes(void *argument)
{
    (void)argument;
    cop_ref ref;
    TELL(start(&obedient, &ref), "raise");
    trace_down("raise", ref);
    TELL(start(&obedient, &ref), "exit");
    trace_down("exit", ref);
    cop_pid server = start(&obedient, &ref);
    cop_exit_process(server, COP_KILL);
    trace_down("kill", ref);
    server = start(&obedient, &ref);
    cop_exit_process(server, cop_reason_atom("boom"));
    trace_down("signal", ref);
    ask_reply reply;
    server = start(&obedient, &ref);
    trace("call: %s", cop_error_name(cop_call(server, &reply, ask, "raise")));
    trace_down("call", ref);
}

START_TEST(a_crash_a_kill_and_an_untrapped_signal_end_the_server_without_terminate)
{
    expect_story(story_of_crashes, "cast: raise\n" "raise ended: error:clumsy\n"
                                   "cast: exit\n" "exit ended: gone\n"
                                   "kill ended: killed\n"
                                   "signal ended: boom\n"
                                   "call: raise\n" "call: down\n" "call ended: error:clumsy\n");
}
END_TEST

static void drop_owned(void *payload)
{
    trace("%s dropped", *(const char **)payload);
}
static const cop_message_type owned_type = { "owned", sizeof(const char *), drop_owned };

static cop_message *owned(const char *name)
{
    return cop_message_new(&owned_type, &name, 0);
}

static cop_next careless_continue(void *state, const cop_message *message)
{
    (void)state, (void)message;
    cop_raise("careless");
}

static cop_next careless_cast(void *state, const cop_message *message)
{
    (void)state, (void)message;
    return cop_then_continue_message(cop_noreply(), owned("continuation"));
}

static cop_next careless_call(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)request, (void)from;
    return cop_then_continue_message(cop_next_make(COP_NEXT_STOP, owned("reply"),
                                                   cop_reason_atom("rejected")),
                                     owned("continuation"));
}

static void story_of_ownership(void *argument)
{
    (void)argument;
    static const cop_gen_server careless = { .handle_cast = careless_cast,
                                             .handle_call = careless_call,
                                             .handle_continue = careless_continue,
                                             .label = "careless" };
    cop_ref ref;
    TELL(start(&careless, &ref), "go");
    trace_down("in continue", ref);
    cop_pid server = start(&careless, &ref);
    trace("%s", cop_error_name(cop_call(server, NULL, ask, "")));
    trace_down("bad return", ref);
}

START_TEST(what_a_callback_returned_is_dropped_when_the_server_ends_instead)
{
    expect_story(story_of_ownership,
                 "continuation dropped\n" "in continue ended: error:careless\n"
                 "reply dropped\n" "continuation dropped\n"
                 "report: careless had ask: error:bad_return_value: handle_call\n"
                 "down\n" "bad return ended: error:bad_return_value: handle_call\n");
}
END_TEST

/* ---- stopping from outside ----------------------------------------------------------- */

static void story_of_stop_process(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    TELL(server, "before");
    trace("normal: %s", cop_error_name(cop_stop_process(cop_to(server), COP_NORMAL, 100)));
    trace_down("it", ref);
    server = start(&obedient, &ref);
    const cop_reason *boom = cop_reason_atom("boom");
    trace("boom: %s", cop_error_name(cop_stop_process(cop_to(server), boom, COP_INFINITY)));
    trace_down("it", ref);

    cop_gen_server clumsy = obedient;
    clumsy.terminate = crashing_terminate;
    server = start(&clumsy, &ref);
    trace("crash: %s", cop_error_name(cop_stop_process(cop_to(server), COP_NORMAL, 100)));
    trace_down("it", ref);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_server_that_is_asked_to_stop_terminates_with_that_reason)
{
    expect_story(story_of_stop_process,
                 "cast: before\n" "terminate: normal, 1 done\n" "normal: ok\n"
                 "it ended: normal\n"
                 "terminate: boom, 0 done\n"
                 "report: obedient had cop_terminate_message: boom\n" "boom: ok\n"
                 "it ended: boom\n"
                 "crash: down\n" "it ended: error:terminate failed\n");
}
END_TEST

struct family {
    const char *reason;      /* why the parent ends */
    bool trap;
    bool link;
    cop_pid watcher;
};

COP_MESSAGE(born, { cop_pid pid; });

static void parent(void *argument)
{
    const struct family *family = argument;
    cop_started child = cop_gen_server_start_opt(&obedient, &(cop_start_options){
        .link = family->link, .trap_exit = family->trap });
    if (!family->link) cop_link(child.pid);
    cop_send(family->watcher, born, child.pid);
    cop_receive_type(go, COP_INFINITY);
    cop_exit(cop_reason_atom(family->reason));
}

/* The child's fate when its parent ends. */
static void trace_family(const char *reason, bool trap, bool link)
{
    struct family family = { reason, trap, link, cop_self() };
    cop_pid pid = cop_spawn(parent, &family, sizeof family);
    cop_pid child = cop_receive_type(born, COP_INFINITY)->pid;
    cop_ref ref = cop_monitor(child);
    trace("parent ends %s, %s, %s:", reason, trap ? "trapped" : "not trapped",
          link ? "started by start_link" : "linked later");
    cop_send(pid, go, 0);
    cop_sleep(1);
    if (cop_is_alive(child)) {
        trace("it goes on");
        cop_demonitor_flush(ref);
        cop_exit_process(child, COP_KILL);
    } else {
        trace_down("it", ref);
    }
}

static void story_of_parents(void *argument)
{
    (void)argument;
    static const char *const reasons[] = { "normal", "shutdown", "boom", "kill" };
    for (int i = 0; i < 4; i++) {
        trace_family(reasons[i], true, true);
        trace_family(reasons[i], false, true);
    }
    trace_family("boom", true, false);
}

START_TEST(the_end_of_its_parent_terminates_a_server_that_traps_exits)
{
    expect_story(story_of_parents,
                 "parent ends normal, trapped, started by start_link:\n"
                 "terminate: normal, 0 done\n" "it ended: normal\n"
                 "parent ends normal, not trapped, started by start_link:\n" "it goes on\n"
                 "parent ends shutdown, trapped, started by start_link:\n"
                 "terminate: shutdown, 0 done\n" "it ended: shutdown\n"
                 "parent ends shutdown, not trapped, started by start_link:\n"
                 "it ended: shutdown\n"
                 "parent ends boom, trapped, started by start_link:\n"
                 "terminate: boom, 0 done\n" "report: obedient had cop_exit_message: boom\n"
                 "it ended: boom\n"
                 "parent ends boom, not trapped, started by start_link:\n" "it ended: boom\n"
                 "parent ends kill, trapped, started by start_link:\n"
                 "terminate: kill, 0 done\n" "report: obedient had cop_exit_message: kill\n"
                 "it ended: kill\n"
                 "parent ends kill, not trapped, started by start_link:\n" "it ended: kill\n"
                 "parent ends boom, trapped, linked later:\n" "exit: boom\n" "it goes on\n");
}
END_TEST

static void links_to(void *argument)
{
    cop_link(*(cop_pid *)argument);
    cop_exit(cop_reason_atom("boom"));
}

static void story_of_other_exits(void *argument)
{
    (void)argument;
    cop_started started = cop_gen_server_start_link(&obedient, .trap_exit = true);
    cop_spawn(links_to, &started.pid, sizeof started.pid);
    cop_sleep(1);
    trace("%s", cop_is_alive(started.pid) ? "it goes on" : "it ended");
    cop_unlink(started.pid);
    cop_ref ref = cop_monitor(started.pid);
    cop_exit_process(started.pid, cop_reason_atom("enough"));   /* from its parent */
    trace_down("it", ref);
}

START_TEST(an_exit_message_from_another_process_than_the_parent_goes_to_handle_info)
{
    expect_story(story_of_other_exits, "exit: boom\n" "it goes on\n"
                                       "terminate: enough, 0 done\n"
                                       "report: obedient had cop_exit_message: enough\n"
                                       "it ended: enough\n");
}
END_TEST

static Suite *gen_server_end_suite(void)
{
    Suite *suite = suite_create("gen_server_end");
    TCase *tests = tcase_create("gen_server_end");
    tcase_add_test(tests, a_stop_terminates_and_is_reported_only_if_it_is_abnormal);
    tcase_add_test(tests, a_return_value_that_makes_no_sense_ends_the_server_with_bad_return_value);
    tcase_add_test(tests, a_reply_with_a_stop_is_sent_after_terminate_even_if_that_crashes);
    tcase_add_test(tests, a_crash_a_kill_and_an_untrapped_signal_end_the_server_without_terminate);
    tcase_add_test(tests, what_a_callback_returned_is_dropped_when_the_server_ends_instead);
    tcase_add_test(tests, a_server_that_is_asked_to_stop_terminates_with_that_reason);
    tcase_add_test(tests, the_end_of_its_parent_terminates_a_server_that_traps_exits);
    tcase_add_test(tests, an_exit_message_from_another_process_than_the_parent_goes_to_handle_info);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(gen_server_end_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
