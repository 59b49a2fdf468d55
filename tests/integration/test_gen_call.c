/* test_gen_call.c - the client's side: what a call returns, that nothing of it reaches the mailbox
 * afterwards, answers from elsewhere, casts. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "story.h"
#include "trace.h"

COP_CALL(add, { int amount; }, { int total; });
COP_CALL(order, { const char *what; }, { int total; });
COP_MESSAGE(note, { int n; });
COP_MESSAGE(go, COP_EMPTY);

/* ---- helpers ------------------------------------------------------------------------- */

/* Whatever comes too late has come after this, in virtual time. */
static void expect_empty_mailbox(void)
{
    ck_assert(cop_take(NULL, 10000) == NULL);
}

/* ---- the server of most stories ------------------------------------------------------ */

struct clerk {
    int total;
    cop_from waiting;
};

static void drop_owned(void *payload)
{
    trace("%s dropped", *(const char **)payload);
}
static const cop_message_type owned_type = { "owned", sizeof(const char *), drop_owned };

/* Answers a call from a process of its own. */
struct delegation {
    cop_from from;
    int64_t delay_ms;
};

static void answers_later(void *argument)
{
    const struct delegation *delegation = argument;
    cop_sleep(delegation->delay_ms);
    cop_answer(delegation->from, order, .total = 7);
    cop_answer(delegation->from, order, .total = 8);     /* one too many */
}

static void delegate(cop_from from, int64_t delay_ms)
{
    struct delegation delegation = { from, delay_ms };
    cop_spawn(answers_later, &delegation, sizeof delegation);
}

static cop_next clerk_call(void *state, const cop_message *request, cop_from from)
{
    struct clerk *clerk = state;
    if (cop_is(request, add)) {
        clerk->total += cop_get(request, add)->amount;
        return cop_reply(add, .total = clerk->total);
    }
    const char *what = cop_expect(request, order)->what;
    if (strcmp(what, "sleep") == 0) cop_sleep(100);
    if (strcmp(what, "crash") == 0) cop_raise("crashed");
    if (strcmp(what, "exit") == 0) cop_exit(COP_NORMAL);
    if (strcmp(what, "stop") == 0) return cop_stop(COP_NORMAL);
    if (strcmp(what, "wrong") == 0) return cop_reply(add, .total = 1);
    if (strcmp(what, "owned") == 0)
        return cop_reply_message(cop_message_new(&owned_type, &(const char *){ "reply" }, 0));
    if (strcmp(what, "delegate") == 0) {
        delegate(from, 10);
        return cop_noreply();
    }
    if (strcmp(what, "twice") == 0) {
        cop_answer(from, order, .total = 1);
        return cop_reply(order, .total = 2);
    }
    if (strcmp(what, "answer and exit") == 0) {
        cop_answer(from, order, .total = 1);
        cop_exit(COP_NORMAL);
    }
    if (strcmp(what, "delegate and exit") == 0) {
        delegate(from, 10);
        cop_exit(cop_reason_atom("gone"));
    }
    if (strcmp(what, "keep") == 0) {
        clerk->waiting = from;
        return cop_noreply();
    }
    return cop_reply(order, .total = ++clerk->total);
}

static cop_next clerk_cast(void *state, const cop_message *message)
{
    struct clerk *clerk = state;
    trace("cast: %d", cop_expect(message, note)->n);
    if (clerk->waiting.alias.serial != 0) cop_answer(clerk->waiting, order, .total = 100);
    return cop_noreply();
}

static const cop_gen_server clerk = {
    .name = "clerk", .state_size = sizeof(struct clerk),
    .handle_call = clerk_call, .handle_cast = clerk_cast };

/* Calls the clerk and traces the result. */
static void call(const char *what, int64_t timeout_ms)
{
    order_reply reply = { -1 };
    int error = cop_call_timeout("clerk", timeout_ms, &reply, order, what);
    trace("%s: %s, %d, %d ms", what, cop_error_name(error), reply.total, (int)cop_now_ms());
}

static void restart_clerk(void)
{
    int error = cop_gen_server_start(&clerk).error;
    ck_assert(error == COP_OK || error == COP_EALREADY_STARTED);
}

/* ---- results ------------------------------------------------------------------------- */

static void story_of_calls(void *argument)
{
    (void)argument;
    cop_pid pid = cop_gen_server_start(&clerk).pid;
    add_reply sum;
    cop_must(cop_call("clerk", &sum, add, .amount = 40));
    cop_must(cop_call(pid, &sum, add, .amount = 2));
    trace("%d", sum.total);
    cop_must(cop_call(cop_to("clerk"), NULL, add, .amount = 1));
    cop_message *reply;
    cop_must(cop_call_message(cop_to(pid), cop_new(add, 0), 100, &reply, NULL));
    trace("%d from the clerk: %d", cop_expect(reply, add_reply)->total,
          cop_pid_equal(reply->from, pid));
    cop_message_free(reply);
    expect_empty_mailbox();
}

START_TEST(a_call_returns_the_reply)
{
    expect_story(story_of_calls, "42\n" "43 from the clerk: 1\n");
}
END_TEST

static void story_of_absence(void *argument)
{
    (void)argument;
    call("nobody", 100);
    cop_pid dead = cop_spawn(answers_later, &(struct delegation){ { COP_NO_REF }, 0 },
                             sizeof(struct delegation));
    cop_ref ref = cop_monitor(dead);
    trace_down("it", ref);
    const cop_reason *reason = COP_KILL;
    cop_message *reply = NULL;
    int error = cop_call_message(cop_to(dead), cop_new(add, 1), COP_INFINITY, &reply, &reason);
    trace("dead: %s", cop_error_name(error));
    ck_assert(reply == NULL && reason == COP_KILL);       /* untouched */
    trace("self: %s", cop_error_name(cop_call(cop_self(), NULL, add, 1)));
    cop_register("me");
    trace("me: %s", cop_error_name(cop_call("me", NULL, add, 1)));
    trace("no request: %s",
          cop_error_name(cop_call_message(cop_to("me"), NULL, 0, &reply, &reason)));
    expect_empty_mailbox();
}

START_TEST(a_call_to_nobody_and_one_to_oneself_fail_at_once)
{
    ck_assert_int_eq(cop_call("clerk", NULL, add, 1), COP_EOUTSIDE);
    expect_story(story_of_absence, "nobody: noproc, -1, 0 ms\n"
                                   "it ended: normal\n"
                                   "dead: noproc\n"
                                   "self: calling_self\n"
                                   "me: calling_self\n"
                                   "no request: badarg\n");
    ck_assert_int_eq(cop_call("clerk", NULL, add, 1), COP_EOUTSIDE);
    ck_assert_int_eq(cop_cast("clerk", note, 1), COP_OK);
}
END_TEST

static void story_of_deaths(void *argument)
{
    (void)argument;
    static const char *const ways[] = { "crash", "exit", "stop", "delegate and exit" };
    for (int i = 0; i < 4; i++) {
        restart_clerk();
        const cop_reason *reason = NULL;
        cop_message *reply = NULL;
        int error = cop_call_message(cop_to("clerk"), cop_new(order, ways[i]), 1000, &reply,
                                     &reason);
        trace("%s: %s, %s", ways[i], cop_error_name(error), show(reason));
        ck_assert_ptr_null(reply);
        cop_reason_unref(reason);
    }
    restart_clerk();
    call("crash", COP_INFINITY);
    restart_clerk();
    call("answer and exit", COP_INFINITY);
    expect_empty_mailbox();
}

START_TEST(when_the_server_ends_first_the_call_says_so_and_why)
{
    expect_story(story_of_deaths, "crash: down, error:crashed\n"
                                  "exit: down, normal\n"
                                  "stop: down, normal\n"
                                  "delegate and exit: down, gone\n"
                                  "crash: down, -1, 0 ms\n"
                                  "answer and exit: ok, 1, 0 ms\n");
}
END_TEST

static void story_of_types(void *argument)
{
    (void)argument;
    restart_clerk();
    call("wrong", 100);
    trace("owned, not wanted:");
    cop_call_typed(cop_to("clerk"), cop_new(order, "owned"), 100, &owned_type, NULL);
    trace("owned, of another type:");
    call("owned", 100);
    const char *name = NULL;
    cop_must(cop_call_typed(cop_to("clerk"), cop_new(order, "owned"), 100, &owned_type, &name));
    trace("owned by the caller: %s", name);
    expect_empty_mailbox();
}

START_TEST(a_reply_of_another_type_is_an_error_and_what_a_reply_owns_moves_to_the_caller)
{
    expect_story(story_of_types, "wrong: bad_reply, -1, 0 ms\n"
                                 "owned, not wanted:\n" "reply dropped\n"
                                 "owned, of another type:\n" "reply dropped\n"
                                 "owned: bad_reply, -1, 0 ms\n"
                                 "owned by the caller: reply\n");
}
END_TEST

/* ---- late and superfluous answers ---------------------------------------------------- */

static void story_of_timeouts(void *argument)
{
    (void)argument;
    restart_clerk();
    call("sleep", 50);                   /* until 50; the clerk until 100 */
    call("count", COP_INFINITY);         /* after it: it handled the first request too */
    call("delegate", 5);
    expect_empty_mailbox();
    call("count", 0);
    expect_empty_mailbox();
    call("count", 1);
}

START_TEST(a_call_that_runs_out_of_time_is_handled_and_its_reply_never_arrives)
{
    expect_story(story_of_timeouts, "sleep: timeout, -1, 50 ms\n"
                                    "count: ok, 2, 100 ms\n"
                                    "delegate: timeout, -1, 105 ms\n"
                                    "count: timeout, -1, 10105 ms\n"
                                    "count: ok, 4, 20105 ms\n");
}
END_TEST

static void story_of_default_timeout(void *argument)
{
    (void)argument;
    restart_clerk();
    trace("%s", cop_error_name(cop_call("clerk", NULL, order, "keep")));
    trace("after %d ms", (int)cop_now_ms());
}

START_TEST(a_call_waits_five_seconds_unless_told_otherwise)
{
    expect_story(story_of_default_timeout, "timeout\n" "after 5000 ms\n");
}
END_TEST

static void story_of_delegation(void *argument)
{
    (void)argument;
    restart_clerk();
    call("delegate", COP_INFINITY);
    call("twice", COP_INFINITY);
    expect_empty_mailbox();
}

START_TEST(anybody_may_answer_and_only_the_first_answer_arrives)
{
    expect_story(story_of_delegation, "delegate: ok, 7, 10 ms\n"
                                      "twice: ok, 1, 10 ms\n");
}
END_TEST

static void calls_and_waits(void *argument)
{
    (void)argument;
    call("keep", COP_INFINITY);
    expect_empty_mailbox();
}

static void story_of_kept_callers(void *argument)
{
    (void)argument;
    restart_clerk();
    cop_ref ref;
    cop_spawn_monitor(calls_and_waits, NULL, 0, &ref);
    cop_sleep(1);
    cop_cast("clerk", note, 1);
    cop_cast("clerk", note, 2);          /* answers once more */
    trace_down("caller", ref);
}

START_TEST(a_caller_may_be_kept_and_answered_from_another_callback)
{
    expect_story(story_of_kept_callers, "cast: 1\n" "cast: 2\n" "keep: ok, 100, 1 ms\n"
                                        "caller ended: normal\n");
}
END_TEST

static void story_of_dead_callers(void *argument)
{
    (void)argument;
    restart_clerk();
    cop_ref ref;
    cop_pid caller = cop_spawn_monitor(calls_and_waits, NULL, 0, &ref);
    cop_sleep(1);
    cop_exit_process(caller, COP_KILL);
    trace_down("caller", ref);
    cop_cast("clerk", note, 1);
    call("count", 100);
}

START_TEST(an_answer_to_a_caller_that_has_ended_is_dropped)
{
    expect_story(story_of_dead_callers, "caller ended: killed\n" "cast: 1\n"
                                        "count: ok, 1, 1 ms\n");
}
END_TEST

/* ---- what else is in the mailbox ----------------------------------------------------- */

static void story_of_other_messages(void *argument)
{
    (void)argument;
    restart_clerk();
    cop_send(cop_self(), note, 1);
    cop_send_after(cop_to(cop_self()), 5, note, 2);
    call("delegate", 100);
    cop_send(cop_self(), note, 3);
    call("count", 100);
    for (int i = 0; i < 3; i++) trace("note %d", cop_expect(cop_receive(0), note)->n);
    expect_empty_mailbox();
}

START_TEST(a_call_leaves_all_other_messages_in_order)
{
    expect_story(story_of_other_messages, "delegate: ok, 7, 10 ms\n" "count: ok, 1, 10 ms\n"
                                          "note 1\n" "note 2\n" "note 3\n");
}
END_TEST

/* Two servers whose callers' references and own references count alike: a request that arrives
 * during a call is not its answer. */
static cop_next relay_call(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)from;
    int amount = cop_expect(request, add)->amount;
    order_reply reply;
    cop_must(cop_call("clerk", &reply, order, "delegate"));
    return cop_reply(add, .total = amount + reply.total);
}

static void calls_relay(void *argument)
{
    int number = *(int *)argument;
    add_reply reply;
    for (int i = 0; i < 5; i++) {
        cop_must(cop_call_timeout("relay", COP_INFINITY, &reply, add, .amount = number));
        ck_assert_int_eq(reply.total, number + 7);
    }
    expect_empty_mailbox();
}

static void story_of_crossing_calls(void *argument)
{
    (void)argument;
    static const cop_gen_server relay = { .name = "relay", .handle_call = relay_call };
    enum { CALLERS = 20 };
    cop_ref refs[CALLERS];
    restart_clerk();
    cop_gen_server_start_link(&relay);
    for (int i = 0; i < CALLERS; i++) cop_spawn_monitor(calls_relay, &i, sizeof i, &refs[i]);
    for (int i = 0; i < CALLERS; i++) {
        cop_message *message = cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY);
        ck_assert(cop_reason_is(cop_expect(message, cop_down_message)->reason, "normal"));
        cop_message_free(message);
    }
    trace("all answered");
}

START_TEST(a_request_that_arrives_during_a_call_is_not_its_answer)
{
    expect_story(story_of_crossing_calls, "all answered\n");
    for (uint64_t seed = 0; seed < 20; seed++) {
        trace_reset();
        ck_assert_int_eq(run_node_seeded(story_of_crossing_calls, NULL, seed), 0);
        trace_expect("all answered\n");
    }
}
END_TEST

static void passes_on(void *argument)
{
    const cop_pid *to = argument;
    cop_message *reply;
    cop_must(cop_call_message(cop_to("clerk"), cop_new(order, "count"), 100, &reply, NULL));
    cop_send_message(cop_to(*to), reply);
}

static void calls_meanwhile(void *argument)
{
    (void)argument;
    call("delegate", 100);
    trace("passed on: %d", cop_expect(cop_receive(0), order_reply)->total);
    expect_empty_mailbox();
}

static void story_of_passing_on(void *argument)
{
    (void)argument;
    restart_clerk();
    cop_ref ref;
    cop_pid caller = cop_spawn_monitor(calls_meanwhile, NULL, 0, &ref);
    cop_spawn(passes_on, &caller, sizeof caller);
    trace_down("caller", ref);
}

START_TEST(a_reply_that_somebody_else_passes_on_during_a_call_is_not_its_answer)
{
    expect_story(story_of_passing_on, "delegate: ok, 7, 10 ms\n" "passed on: 1\n"
                                      "caller ended: normal\n");
}
END_TEST

/* ---- casts and the rest -------------------------------------------------------------- */

static void story_of_casts(void *argument)
{
    (void)argument;
    trace("to nobody: %s", cop_error_name(cop_cast("clerk", note, 0)));
    cop_pid pid = cop_gen_server_start(&clerk).pid;
    trace("to the clerk: %s", cop_error_name(cop_cast("clerk", note, 1)));
    trace("by pid: %s", cop_error_name(cop_cast(pid, note, 2)));
    call("count", 100);
    trace("stopped: %s", cop_error_name(cop_stop_process(cop_to(pid), COP_NORMAL, 100)));
    trace("to the dead: %s", cop_error_name(cop_cast(pid, note, 3)));
    expect_empty_mailbox();
}

START_TEST(a_cast_is_always_fine)
{
    expect_story(story_of_casts, "to nobody: ok\n" "to the clerk: ok\n" "by pid: ok\n"
                                 "cast: 1\n" "cast: 2\n" "count: ok, 1, 0 ms\n"
                                 "stopped: ok\n" "to the dead: ok\n");
}
END_TEST

static void must_not(void *argument)
{
    (void)argument;
    trace("%d", cop_must(3));
    cop_must(cop_call("clerk", NULL, add, .amount = 1));
    trace("not reached");
}

static void story_of_must(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_spawn_monitor(must_not, NULL, 0, &ref);
    cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
    const cop_reason *reason = cop_expect(message, cop_down_message)->reason;
    ck_assert_int_eq(cop_reason_kind_of(reason), COP_REASON_ERROR);
    trace("raised: %s", strstr(cop_reason_text(reason), "): "));
    ck_assert_ptr_nonnull(strstr(cop_reason_text(reason), "add"));
    cop_message_free(message);
}

START_TEST(must_ends_the_process_with_the_call_and_the_error)
{
    expect_story(story_of_must, "3\n" "raised: ): no such process\n");
}
END_TEST

/* ---- threads ------------------------------------------------------------------------- */

static void calls_under_pressure(void *argument)
{
    const cop_pid *judge = argument;
    int answered = 0;
    for (int i = 0; i < 300; i++) {
        order_reply reply;
        int64_t limit = (int64_t)cop_random_below(3);
        int error = cop_call_timeout("clerk", limit, &reply, order,
                                     cop_random_below(10) == 0 ? "twice" : "count");
        ck_assert(error == COP_OK || error == COP_ETIMEOUT);
        if (error == COP_OK) answered++;
        ck_assert_uint_eq(cop_mailbox_length(), 0);
    }
    ck_assert_int_gt(answered, 0);
    cop_send(*judge, go, 0);
}

static void story_of_pressure(void *argument)
{
    (void)argument;
    enum { CALLERS = 20 };
    cop_pid self = cop_self();
    restart_clerk();
    for (int i = 0; i < CALLERS; i++) cop_spawn_link(calls_under_pressure, &self, sizeof self);
    for (int i = 0; i < CALLERS; i++) cop_receive_type(go, COP_INFINITY);
    trace("all done");
}

START_TEST(on_several_schedulers_a_reply_at_the_last_moment_counts_or_is_dropped)
{
    trace_reset();
    ck_assert_int_eq(run_node_threads(story_of_pressure, NULL, 4), 0);
    trace_expect("all done\n");
}
END_TEST

static Suite *gen_call_suite(void)
{
    Suite *suite = suite_create("gen_call");
    TCase *tests = tcase_create("gen_call");
    tcase_add_test(tests, a_call_returns_the_reply);
    tcase_add_test(tests, a_call_to_nobody_and_one_to_oneself_fail_at_once);
    tcase_add_test(tests, when_the_server_ends_first_the_call_says_so_and_why);
    tcase_add_test(tests,
                   a_reply_of_another_type_is_an_error_and_what_a_reply_owns_moves_to_the_caller);
    tcase_add_test(tests, a_call_that_runs_out_of_time_is_handled_and_its_reply_never_arrives);
    tcase_add_test(tests, a_call_waits_five_seconds_unless_told_otherwise);
    tcase_add_test(tests, anybody_may_answer_and_only_the_first_answer_arrives);
    tcase_add_test(tests, a_caller_may_be_kept_and_answered_from_another_callback);
    tcase_add_test(tests, an_answer_to_a_caller_that_has_ended_is_dropped);
    tcase_add_test(tests, a_call_leaves_all_other_messages_in_order);
    tcase_add_test(tests, a_request_that_arrives_during_a_call_is_not_its_answer);
    tcase_add_test(tests, a_reply_that_somebody_else_passes_on_during_a_call_is_not_its_answer);
    tcase_add_test(tests, a_cast_is_always_fine);
    tcase_add_test(tests, must_ends_the_process_with_the_call_and_the_error);
    tcase_add_test(tests, on_several_schedulers_a_reply_at_the_last_moment_counts_or_is_dropped);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(gen_call_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
