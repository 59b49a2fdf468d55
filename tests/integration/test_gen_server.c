/* test_gen_server.c - a server's life: init and its results, messages, continuations, time-outs. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "obedient.h"
#include "story.h"
#include "trace.h"

COP_CALL(add, { int amount; }, { int total; });

/* ---- init ---------------------------------------------------------------------------- */

struct settings {
    int first;
    char text[17];
};

static cop_next copying_init(void *state, const void *argument)
{
    const struct settings **kept = state;
    *kept = argument;
    trace("init: %d, %s", (*kept)->first, (*kept)->text);
    return cop_ok();
}

static cop_next copying_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    const struct settings **kept = state;
    int amount = cop_expect(request, add)->amount;
    return cop_reply(add, .total = (*kept)->first + amount);
}

static const cop_gen_server copying = {
    .state_size = 24, .init = copying_init, .handle_call = copying_call };

static void story_of_arguments(void *argument)
{
    (void)argument;
    struct settings settings = { 40, "sixteen letters!" };
    cop_started copied = cop_gen_server_start(&copying, .argument = &settings,
                                              .argument_size = sizeof settings);
    settings.first = 0;
    cop_started shared = cop_gen_server_start(&copying, .argument = &settings);
    settings.first = 50;
    cop_started named = cop_gen_server_start(&copying, .argument = &settings, .name = "named",
                                             .argument_size = sizeof settings);
    settings.first = 60;
    add_reply reply;
    const cop_pid pids[] = { copied.pid, shared.pid, named.pid };
    for (int i = 0; i < 3; i++) {
        cop_must(cop_call(pids[i], &reply, add, .amount = 2));
        trace("%d", reply.total);
    }
    trace_started("no bytes", cop_gen_server_start(&copying, .argument_size = 4));
    trace_started("no server", cop_gen_server_start(NULL));
}

START_TEST(an_argument_is_copied_for_the_whole_life_of_the_server_or_passed)
{
    expect_story(story_of_arguments, "init: 40, sixteen letters!\n"
                                     "init: 0, sixteen letters!\n"
                                     "init: 50, sixteen letters!\n"
                                     "42\n" "62\n" "52\n"
                                     "no bytes: badarg, reason none\n"
                                     "no server: badarg, reason none\n");
}
END_TEST

static cop_next measured_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    const unsigned char *bytes = state;
    for (int i = 0; i < 100; i++) ck_assert_int_eq(bytes[i], 0);
    ck_assert_uint_eq((uintptr_t)state % 16, 0);
    (void)cop_expect(request, add);
    return cop_reply(add, .total = (int)cop_memory_used());
}

static const cop_gen_server measured = { .state_size = 100, .handle_call = measured_call };

static void story_of_memory(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&measured, &ref);
    add_reply used;
    cop_must(cop_call(server, &used, add, .amount = 0));
    ck_assert_int_ge(used.total, 100);
    ck_assert_int_le(used.total, 100 + 96);
}

START_TEST(a_server_without_init_has_a_zeroed_state_and_little_memory_beside_it)
{
    expect_story(story_of_memory, "");
}
END_TEST

static cop_next crashing_init(void *state, const void *argument)
{
    (void)state;
    cop_raise("cannot %s", (const char *)argument);
}

static cop_next refusing_init(void *state, const void *argument)
{
    char name[32];
    ck_assert(cop_name_of(cop_self(), name, sizeof name));
    ck_assert_str_eq(name, "refusing");
    trace("init: %s", (const char *)argument);
    if (strcmp(argument, "raise") == 0) return crashing_init(state, "start");
    if (strcmp(argument, "sleep") == 0) cop_sleep(COP_INFINITY);
    return obey(state, argument);
}

static const cop_gen_server refusing = {
    .name = "refusing",
    .state_size = sizeof(struct obedient),
    .init = refusing_init,
    .handle_info = obedient_info,
    .terminate = obedient_terminate,
};

static const char *const refusals[] = { "ignore", "fail", "stop", "stop normal", "nothing",
                                        "reply", "wrong kind", "stop and reply",
                                        "stop and continue", "raise", "exit", "sleep" };

static void story_of_refusals(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        /* Again and again: the name must be free, the process dead, the mailbox empty. */
        for (int times = 0; times < 5; times++) {
            cop_started started = cop_gen_server_start_link(&refusing, .argument = refusals[i],
                                                            .timeout_ms = 20);
            ck_assert(cop_pid_is_none(cop_whereis("refusing")));
            ck_assert_uint_eq(cop_process_count(), 1);
            ck_assert_uint_eq(cop_mailbox_length(), 0);
            if (times == 4) trace_started(refusals[i], started);
            else cop_reason_unref(started.reason);
        }
    }
}

START_TEST(an_init_that_refuses_is_a_failed_start_and_leaves_nothing_behind)
{
    trace_reset();
    int status = cop_run(story_of_refusals, NULL, &(cop_run_options){ .deterministic = true,
                                                                      .log = trace_reports });
    ck_assert_int_eq(status, 0);
    drop_lines("init: ");
    trace_expect("ignore: ignore, reason none\n"
                 "fail: start_failed, reason why\n"
                 "stop: start_failed, reason told_to\n"
                 "stop normal: start_failed, reason normal\n"
                 "nothing: start_failed, reason error:bad_return_value: init\n"
                 "reply: start_failed, reason error:bad_return_value: init\n"
                 "wrong kind: start_failed, reason error:bad_return_value: init\n"
                 "stop and reply: start_failed, reason error:bad_return_value: init\n"
                 "stop and continue: start_failed, reason error:bad_return_value: init\n"
                 "raise: start_failed, reason error:cannot start\n"
                 "exit: start_failed, reason gone\n"
                 "sleep: timeout, reason none\n");
}
END_TEST

static void starts_refusing(void *argument)
{
    cop_started started = cop_gen_server_start_link(&refusing, .argument = argument);
    ck_assert_int_lt(started.error, 0);
    cop_reason_unref(started.reason);
    cop_exit(cop_reason_atom("survived"));
}

static void story_of_linked_refusals(void *argument)
{
    (void)argument;
    static const char *const kinds[] = { "ignore", "fail", "stop", "stop normal", "nothing" };
    for (int i = 0; i < 5; i++) {
        cop_ref ref;
        cop_spawn_monitor(starts_refusing, kinds[i], 0, &ref);
        trace_down("starter", ref);
    }
}

START_TEST(init_may_end_a_linked_starter_by_stop_but_not_by_fail_or_ignore)
{
    expect_story(story_of_linked_refusals, "init: ignore\n" "starter ended: survived\n"
                                           "init: fail\n" "starter ended: survived\n"
                                           "init: stop\n" "starter ended: told_to\n"
                                           "init: stop normal\n" "starter ended: survived\n"
                                           "init: nothing\n"
                                           "starter ended: error:bad_return_value: init\n");
}
END_TEST

static const cop_gen_server alone = {
    .name = "alone", .label = "the only one", .init = obedient_init,
    .state_size = sizeof(struct obedient), .handle_cast = obedient_cast };

static void story_of_names(void *argument)
{
    (void)argument;
    cop_started first = cop_gen_server_start(&alone);
    cop_started second = cop_gen_server_start(&alone);
    ck_assert(cop_pid_equal(first.pid, second.pid));
    trace_started("second", second);
    cop_started other = cop_gen_server_start(&alone, .name = "another");
    ck_assert(cop_pid_equal(other.pid, cop_whereis("another")));
    trace_started("other", other);
    cop_ref refs[] = { cop_monitor("alone"), cop_monitor("another") };
    TELL("alone", "stop");
    TELL("another", "stop");
    trace_down("first", refs[0]);
    trace_down("other", refs[1]);
    trace_started("third", cop_gen_server_start(&alone));
}

START_TEST(a_server_is_registered_under_its_name_or_the_one_given_at_the_start)
{
    expect_story(story_of_names, "second: already_started, reason none\n"
                                 "other: ok, reason none\n"
                                 "cast: stop\n" "report: alone had tell: told_to\n"
                                 "cast: stop\n" "report: another had tell: told_to\n"
                                 "first ended: told_to\n"
                                 "other ended: told_to\n"
                                 "third: ok, reason none\n");
}
END_TEST

/* ---- messages ------------------------------------------------------------------------ */

static void story_of_messages(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    TELL(server, "a");
    SAY(server, "b");
    TELL(server, "c");
    ask_reply reply;
    cop_must(cop_call(server, &reply, ask, "reply"));
    trace("answer %d", reply.total);
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
    cop_answer((cop_from){ alias }, ask, .total = 7);      /* a reply that nobody waits for */
    trace("%d", cop_expect(cop_receive(0), ask_reply)->total);
}

START_TEST(messages_of_all_kinds_are_handled_in_order_of_arrival)
{
    expect_story(story_of_messages, "cast: a\n" "info: b\n" "cast: c\n" "call: reply\n"
                                    "answer 4\n" "7\n");
}
END_TEST

static cop_next breathless_init(void *state, const void *argument)
{
    (void)state, (void)argument;
    return cop_then_continue(cop_ok(), tell, "go on");
}

static void story_of_undefined(void *argument)
{
    (void)argument;
    static const cop_gen_server deaf = { .label = "deaf", .terminate = obedient_terminate,
                                         .state_size = sizeof(struct obedient) };
    cop_ref ref;
    cop_pid server = start(&deaf, &ref);
    SAY(server, "hello");
    TELL(server, "hello");
    trace_down("cast", ref);

    server = start(&deaf, &ref);
    ask_reply reply;
    trace("%s", cop_error_name(cop_call(server, &reply, ask, "hello")));
    trace_down("call", ref);

    static const cop_gen_server breathless = { .label = "breathless", .init = breathless_init };
    cop_started started = cop_gen_server_start(&breathless);
    trace_started("continue", started);
    trace_down("continue", cop_monitor(started.pid));
}

START_TEST(a_missing_callback_ends_the_server_but_for_handle_info_which_is_noted)
{
    expect_story(story_of_undefined,
                 "note: tell: unexpected message\n"
                 "terminate: error:undef: handle_cast, 0 done\n"
                 "report: deaf had tell: error:undef: handle_cast\n"
                 "cast ended: error:undef: handle_cast\n"
                 "terminate: error:undef: handle_call, 0 done\n"
                 "report: deaf had ask: error:undef: handle_call\n"
                 "down\n"
                 "call ended: error:undef: handle_call\n"
                 "report: breathless had tell: error:undef: handle_continue\n"
                 "continue: ok, reason none\n"
                 "continue ended: noproc\n");
}
END_TEST

static void story_of_continuations(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    TELL(server, "continue");
    TELL(server, "later");
    SAY(server, "continue");
    ask_reply reply;
    cop_must(cop_call(server, &reply, ask, "reply"));
    TELL(server, "continue and stop");
    trace_down("it", ref);
}

START_TEST(a_continuation_is_handled_before_any_message_and_may_have_one_itself)
{
    expect_story(story_of_continuations,
                 "cast: continue\n" "continue: one more\n" "continue: the last\n"
                 "cast: later\n"
                 "info: continue\n" "continue: one more\n" "continue: the last\n"
                 "call: reply\n"
                 "cast: continue and stop\n" "continue: stop\n"
                 "terminate: told_to, 10 done\n"
                 "report: obedient had tell: told_to\n"
                 "it ended: told_to\n");
}
END_TEST

static cop_next loading_init(void *state, const void *argument)
{
    (void)state, (void)argument;
    trace("init");
    return cop_then_continue(cop_ok(), tell, "load");
}

static cop_next loading_continue(void *state, const cop_message *message)
{
    (void)state;
    trace("%s", cop_expect(message, tell)->what);
    cop_sleep(10);
    trace("loaded");
    return cop_then_timeout(cop_noreply(), 5);
}

static const cop_gen_server loading = {
    .label = "loading", .state_size = sizeof(struct obedient), .init = loading_init,
    .handle_continue = loading_continue, .handle_cast = obedient_cast,
    .handle_info = obedient_info };

static void story_of_loading(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&loading, &ref);
    trace("started");
    TELL(server, "after");
    cop_sleep(100);
}

START_TEST(the_start_returns_before_inits_continuation_and_that_runs_before_any_message)
{
    expect_story(story_of_loading, "init\n" "load\n" "started\n" "loaded\n" "cast: after\n");
}
END_TEST

static cop_next answering_call(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)request, (void)from;
    return cop_then_continue(cop_reply(ask, .total = 1), tell, "afterwards");
}

static cop_next answering_continue(void *state, const cop_message *message)
{
    (void)state;
    cop_sleep(10);
    trace("%s", cop_expect(message, tell)->what);
    return cop_noreply();
}

static void story_of_reply_and_continue(void *argument)
{
    (void)argument;
    static const cop_gen_server answering = { .handle_call = answering_call,
                                              .handle_continue = answering_continue };
    cop_ref ref;
    cop_pid server = start(&answering, &ref);
    ask_reply reply;
    cop_must(cop_call(server, &reply, ask, ""));
    trace("answered after %d ms", (int)cop_now_ms());
    cop_sleep(20);
}

START_TEST(a_reply_is_sent_before_the_continuation_that_came_with_it)
{
    expect_story(story_of_reply_and_continue, "answered after 0 ms\n" "afterwards\n");
}
END_TEST

/* ---- time-outs ----------------------------------------------------------------------- */

COP_MESSAGE(system_nonsense, COP_EMPTY);

static void send_system(cop_pid server)
{
    cop_message *message = cop_new(system_nonsense, 0);
    message->kind = COP_SYSTEM;
    cop_send_message(cop_to(server), message);
}

static void story_of_timeouts(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid server = start(&obedient, &ref);
    TELL(server, "wait");
    cop_sleep(300);                     /* at 100 ms; and only once */
    TELL(server, "wait");
    cop_sleep(60);
    SAY(server, "in between");          /* takes the time-out back */
    cop_sleep(240);
    TELL(server, "wait");               /* at 600 ms */
    cop_sleep(60);
    send_system(server);                /* begins the wait anew */
    cop_sleep(240);
    TELL(server, "poll");
    TELL(server, "first");              /* there is a message: no time-out */
    TELL(server, "poll");
    cop_sleep(10);
    TELL(server, "never");
    cop_sleep(1000000);
}

START_TEST(a_timeout_comes_once_when_no_message_comes_first)
{
    expect_story(story_of_timeouts,
                 "cast: wait\n" "timeout at 100 ms\n"
                 "cast: wait\n" "info: in between\n"
                 "cast: wait\n" "note: system_nonsense: unexpected message\n"
                 "timeout at 760 ms\n"
                 "cast: poll\n" "cast: first\n" "cast: poll\n" "timeout at 900 ms\n"
                 "cast: never\n");
}
END_TEST

static cop_next impatient_init(void *state, const void *argument)
{
    (void)state, (void)argument;
    return cop_then_timeout(cop_ok(), 30);
}

static void story_of_first_timeout(void *argument)
{
    (void)argument;
    static const cop_gen_server impatient = { .init = impatient_init,
                                              .handle_info = obedient_info };
    cop_ref ref;
    start(&impatient, &ref);
    cop_sleep(100);
}

START_TEST(init_may_ask_for_a_timeout)
{
    expect_story(story_of_first_timeout, "timeout at 30 ms\n");
}
END_TEST

/* ---- callbacks that block ------------------------------------------------------------ */

static cop_next middle_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    const cop_pid *next = state;
    add_reply reply = { 0 };
    int amount = cop_expect(request, add)->amount;
    if (!cop_pid_is_none(*next)) cop_must(cop_call(*next, &reply, add, .amount = amount));
    else cop_sleep(1);
    return cop_reply(add, .total = reply.total + amount);
}

static cop_next middle_init(void *state, const void *argument)
{
    if (argument != NULL) *(cop_pid *)state = *(const cop_pid *)argument;
    return cop_ok();
}

static const cop_gen_server middle = { .state_size = sizeof(cop_pid), .init = middle_init,
                                       .handle_call = middle_call };

static void story_of_chains(void *argument)
{
    (void)argument;
    cop_pid last = COP_NO_PID;
    for (int i = 0; i < 50; i++) {
        cop_started started = cop_gen_server_start_link(&middle, .argument = &last,
                                                        .argument_size = sizeof last);
        last = started.pid;
    }
    add_reply reply;
    cop_must(cop_call(last, &reply, add, .amount = 2));
    trace("%d after %d ms", reply.total, (int)cop_now_ms());
}

START_TEST(callbacks_may_call_other_servers)
{
    expect_story(story_of_chains, "100 after 1 ms\n");
}
END_TEST

static Suite *gen_server_suite(void)
{
    Suite *suite = suite_create("gen_server");
    TCase *tests = tcase_create("gen_server");
    tcase_add_test(tests, an_argument_is_copied_for_the_whole_life_of_the_server_or_passed);
    tcase_add_test(tests, a_server_without_init_has_a_zeroed_state_and_little_memory_beside_it);
    tcase_add_test(tests, an_init_that_refuses_is_a_failed_start_and_leaves_nothing_behind);
    tcase_add_test(tests, init_may_end_a_linked_starter_by_stop_but_not_by_fail_or_ignore);
    tcase_add_test(tests, a_server_is_registered_under_its_name_or_the_one_given_at_the_start);
    tcase_add_test(tests, messages_of_all_kinds_are_handled_in_order_of_arrival);
    tcase_add_test(tests, a_missing_callback_ends_the_server_but_for_handle_info_which_is_noted);
    tcase_add_test(tests, a_continuation_is_handled_before_any_message_and_may_have_one_itself);
    tcase_add_test(tests,
                   the_start_returns_before_inits_continuation_and_that_runs_before_any_message);
    tcase_add_test(tests, a_reply_is_sent_before_the_continuation_that_came_with_it);
    tcase_add_test(tests, a_timeout_comes_once_when_no_message_comes_first);
    tcase_add_test(tests, init_may_ask_for_a_timeout);
    tcase_add_test(tests, callbacks_may_call_other_servers);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(gen_server_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
