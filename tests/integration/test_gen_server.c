/* test_gen_server.c - the server's side: init and its results, callbacks and what they return,
 * continuations, time-outs, every way to end, and what is reported of it. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "trace.h"

COP_CALL(add, { int amount; }, { int total; });
COP_CALL(ask, { const char *what; }, { int total; });
COP_MESSAGE(tell, { const char *what; });
COP_MESSAGE(go, COP_EMPTY);

/* ---- helpers -------------------------------------------------------------------------------- */

static const char *show(const cop_reason *reason)
{
    static char text[128];
    if (reason == NULL) return "none";
    cop_reason_format(reason, text, sizeof text);
    return text;
}

static void trace_started(const char *what, cop_started started)
{
    trace("%s: %s, reason %s", what, cop_error_name(started.error), show(started.reason));
    cop_reason_unref(started.reason);
}

static void trace_down(const char *what, cop_ref ref)
{
    cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
    trace("%s ended: %s", what, show(cop_expect(message, cop_down_message)->reason));
    cop_message_free(message);
}

static void trace_reports(const cop_log_event *event, void *context)
{
    (void)context;
    if (event->kind == COP_LOG_SERVER)
        trace("report: %s had %s: %s", event->name != NULL ? event->name : event->label,
              event->message_type, show(event->reason));
    else if (event->kind == COP_LOG_TEXT)
        trace("note: %s: %s", event->message_type, event->text);
}

/* Runs a story whose reports are part of it, and compares. */
static void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    int status = cop_run(story, NULL, &(cop_run_options){ .deterministic = true,
                                                          .log = trace_reports });
    ck_assert_int_eq(status, 0);
    trace_expect(expected);
}

static cop_pid start(const cop_gen_server *server, cop_ref *ret_ref)
{
    cop_started started = cop_gen_server_start(server);
    ck_assert_int_eq(started.error, COP_OK);
    *ret_ref = cop_monitor(started.pid);
    return started.pid;
}

#define TELL(to_, what_) cop_cast((to_), tell, what_)
#define SAY(to_, what_) cop_send((to_), tell, what_)

/* ---- the server of most stories: does what it is told ------------------------------------------ */

struct obedient {
    int total;
    int64_t padding[3];
};

static cop_next obey(struct obedient *state, const char *what)
{
    state->total++;
    if (strcmp(what, "wait") == 0) return cop_then_timeout(cop_noreply(), 100);
    if (strcmp(what, "poll") == 0) return cop_then_timeout(cop_noreply(), 0);
    if (strcmp(what, "never") == 0) return cop_then_timeout(cop_noreply(), COP_INFINITY);
    if (strcmp(what, "continue") == 0) return cop_then_continue(cop_noreply(), tell, "one more");
    if (strcmp(what, "one more") == 0) return cop_then_continue(cop_noreply(), tell, "the last");
    if (strcmp(what, "continue and stop") == 0)
        return cop_then_continue(cop_noreply(), tell, "stop");
    if (strcmp(what, "stop") == 0) return cop_stop(cop_reason_atom("told_to"));
    if (strcmp(what, "stop normal") == 0) return cop_stop(COP_NORMAL);
    if (strcmp(what, "stop shutdown") == 0)
        return cop_stop(cop_reason_tuple("shutdown", cop_reason_atom("done")));
    if (strcmp(what, "stop for nothing") == 0) return cop_stop(NULL);
    if (strcmp(what, "ok") == 0) return cop_ok();
    if (strcmp(what, "ignore") == 0) return cop_ignore();
    if (strcmp(what, "fail") == 0) return cop_fail(cop_reason_atom("why"));
    if (strcmp(what, "reply") == 0) return cop_reply(ask, .total = state->total);
    if (strcmp(what, "reply nothing") == 0) return cop_reply_message(NULL);
    if (strcmp(what, "nothing") == 0) return cop_next_make(COP_NEXT_NONE, NULL, NULL);
    if (strcmp(what, "stop and reply") == 0)
        return cop_stop_reply(cop_reason_atom("told_to"), ask, .total = state->total);
    if (strcmp(what, "stop and continue") == 0)
        return cop_then_continue(cop_stop(cop_reason_atom("told_to")), tell, "no");
    if (strcmp(what, "raise") == 0) cop_raise("clumsy");
    if (strcmp(what, "exit") == 0) cop_exit(cop_reason_atom("gone"));
    return cop_noreply();
}

static cop_next obedient_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    const char *what = cop_expect(request, ask)->what;
    trace("call: %s", what);
    return obey(state, what);
}

static cop_next obedient_cast(void *state, const cop_message *message)
{
    trace("cast: %s", cop_expect(message, tell)->what);
    return obey(state, cop_get(message, tell)->what);
}

static cop_next obedient_info(void *state, const cop_message *message)
{
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    if (cop_is(message, cop_timeout_message)) trace("timeout at %d ms", (int)cop_now_ms());
    else if (gone != NULL) trace("exit: %s", show(gone->reason));
    else trace("info: %s", cop_expect(message, tell)->what);
    return cop_is(message, tell) ? obey(state, cop_get(message, tell)->what) : cop_noreply();
}

static cop_next obedient_continue(void *state, const cop_message *message)
{
    trace("continue: %s", cop_expect(message, tell)->what);
    return obey(state, cop_get(message, tell)->what);
}

static void obedient_terminate(void *state, const cop_reason *reason)
{
    trace("terminate: %s, %d done", show(reason), ((struct obedient *)state)->total);
}

static cop_next obedient_init(void *state, const void *argument)
{
    return argument != NULL ? obey(state, argument) : cop_ok();
}

static const cop_gen_server obedient = {
    .label = "obedient",
    .state_size = sizeof(struct obedient),
    .init = obedient_init,
    .handle_call = obedient_call,
    .handle_cast = obedient_cast,
    .handle_info = obedient_info,
    .handle_continue = obedient_continue,
    .terminate = obedient_terminate,
};

/* ---- init ------------------------------------------------------------------------------------- */

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

/* Each init is traced five times; the stories below would be long. */
static void drop_lines(const char *start_of_line)
{
    char *kept = malloc(strlen(trace_text()) + 1);
    ck_assert_ptr_nonnull(kept);
    kept[0] = '\0';
    for (const char *line = trace_text(); *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n") + 1;
        if (strncmp(line, start_of_line, strlen(start_of_line)) != 0) strncat(kept, line, length);
    }
    trace_reset();
    if (kept[0] != '\0') {
        kept[strlen(kept) - 1] = '\0';
        trace("%s", kept);
    }
    free(kept);
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
                 "nothing: start_failed, reason error:bad_return_value\n"
                 "reply: start_failed, reason error:bad_return_value\n"
                 "wrong kind: start_failed, reason error:bad_return_value\n"
                 "stop and reply: start_failed, reason error:bad_return_value\n"
                 "stop and continue: start_failed, reason error:bad_return_value\n"
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
                                           "starter ended: error:bad_return_value\n");
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
                                 "cast: stop\n" "report: another had tell: told_to\n"
                                 "cast: stop\n" "report: alone had tell: told_to\n"
                                 "first ended: told_to\n"
                                 "other ended: told_to\n"
                                 "third: ok, reason none\n");
}
END_TEST

/* ---- messages ------------------------------------------------------------------------------------ */

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

START_TEST(a_continuation_is_handled_before_any_other_message_and_may_have_one_itself)
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

/* ---- time-outs --------------------------------------------------------------------------------------- */

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

/* ---- the end ---------------------------------------------------------------------------------------------- */

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
        trace_down("it", ref);
    }
    cop_ref ref;
    ask_reply reply;
    cop_pid server = start(&obedient, &ref);
    trace("%s", cop_error_name(cop_call(server, &reply, ask, "reply nothing")));
    trace_down("it", ref);
}

START_TEST(a_return_value_that_makes_no_sense_ends_the_server_with_bad_return_value)
{
    trace_reset();
    ck_assert_int_eq(run_node(story_of_nonsense, NULL), 0);
    drop_lines("cast: ");
    drop_lines("terminate: error:bad_return_value, 1 done");
    trace_expect("it ended: error:bad_return_value\n" "it ended: error:bad_return_value\n"
                 "it ended: error:bad_return_value\n" "it ended: error:bad_return_value\n"
                 "it ended: error:bad_return_value\n" "it ended: error:bad_return_value\n"
                 "it ended: error:bad_return_value\n" "it ended: error:bad_return_value\n"
                 "call: reply nothing\n" "down\n" "it ended: error:bad_return_value\n");
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
                 "report: careless had ask: error:bad_return_value\n"
                 "down\n" "bad return ended: error:bad_return_value\n");
}
END_TEST

/* ---- stopping from outside ----------------------------------------------------------------------------- */

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

/* ---- callbacks that block ---------------------------------------------------------------------------------- */

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
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, an_argument_is_copied_for_the_whole_life_of_the_server_or_passed);
    tcase_add_test(tests, a_server_without_init_has_a_zeroed_state_and_little_memory_beside_it);
    tcase_add_test(tests, an_init_that_refuses_is_a_failed_start_and_leaves_nothing_behind);
    tcase_add_test(tests, init_may_end_a_linked_starter_by_stop_but_not_by_fail_or_ignore);
    tcase_add_test(tests, a_server_is_registered_under_its_name_or_the_one_given_at_the_start);
    tcase_add_test(tests, messages_of_all_kinds_are_handled_in_order_of_arrival);
    tcase_add_test(tests, a_missing_callback_ends_the_server_but_for_handle_info_which_is_noted);
    tcase_add_test(tests, a_continuation_is_handled_before_any_other_message_and_may_have_one_itself);
    tcase_add_test(tests,
                   the_start_returns_before_inits_continuation_and_that_runs_before_any_message);
    tcase_add_test(tests, a_reply_is_sent_before_the_continuation_that_came_with_it);
    tcase_add_test(tests, a_timeout_comes_once_when_no_message_comes_first);
    tcase_add_test(tests, init_may_ask_for_a_timeout);
    tcase_add_test(tests, a_stop_terminates_and_is_reported_only_if_it_is_abnormal);
    tcase_add_test(tests, a_return_value_that_makes_no_sense_ends_the_server_with_bad_return_value);
    tcase_add_test(tests, a_reply_with_a_stop_is_sent_after_terminate_even_if_that_crashes);
    tcase_add_test(tests, a_crash_a_kill_and_an_untrapped_signal_end_the_server_without_terminate);
    tcase_add_test(tests, what_a_callback_returned_is_dropped_when_the_server_ends_instead);
    tcase_add_test(tests, a_server_that_is_asked_to_stop_terminates_with_that_reason);
    tcase_add_test(tests, the_end_of_its_parent_terminates_a_server_that_traps_exits);
    tcase_add_test(tests, an_exit_message_from_another_process_than_the_parent_goes_to_handle_info);
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
