/* test_send_request.c - a request that carries its monitor: who answers it, who dies with it, and
 * what is left on either side. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "expect_story.h"
#include "runtime/mailbox.h"
#include "runtime/scheduler.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(question, { int n; });
COP_MESSAGE(answer, { int n; });
COP_MESSAGE(go, COP_EMPTY);

static unsigned watches(const struct signal *signal)
{
    return signal != NULL && (signal->flags & SIGNAL_MONITORS) != 0;
}

/* Monitors of this process or by it: in its table, in its wait_record, and by requests that are
 * their own record. */
static unsigned records(void)
{
    const struct process *self = copi_self();
    unsigned count = self->relations.count + (self->wait != NULL && self->wait->request != 0);
    count += watches(self->current) + watches(self->received);
    for (const struct signal *signal = self->mailbox; signal != NULL; signal = signal->next)
        count += watches(signal);
    return count;
}

static cop_ref ask(cop_pid pid, int n)
{
    cop_ref ref;
    ck_assert_int_eq(cop_send_request(pid, cop_new(question, .n = n), &ref), COP_OK);
    ck_assert(cop_pid_equal(ref.owner, cop_self()));
    return ref;
}

/* What came by that reference, and what it left here. */
static void trace_outcome(const char *what, cop_ref ref)
{
    cop_message *message = cop_take(&(cop_match){ .ref = ref }, 1000);
    if (message == NULL)
        trace("%s: nothing, %u records", what, records());
    else if (cop_is(message, answer))
        trace("%s: answer %d, %u records", what, cop_get(message, answer)->n, records());
    else
        trace("%s: down %s, %u records", what,
              reason_text(cop_expect(message, cop_down_message)->reason), records());
    cop_message_free(message);
}

static void reply(const cop_message *request)
{
    cop_ref alias = { request->from, request->ref };
    cop_message *message = cop_new(answer, .n = cop_expect(request, question)->n * 2);
    message->kind = COP_REPLY;
    message->ref = request->ref;
    cop_send_message(cop_to(alias), message);
}

/* ---- answered ------------------------------------------------------------------------ */

static void answers(void *argument)
{
    (void)argument;
    for (;;) {
        const cop_message *request = cop_receive_match(
            &(cop_match){ .type = COP_TYPE(question) }, COP_INFINITY);
        trace("a question, %u records there", records());
        reply(request);
        trace("answered, %u records there", records());
    }
}

static void asks_one_who_answers(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(answers, NULL, 0);
    trace_outcome("first", ask(server, 1));
    trace_outcome("second", ask(server, 2));
    cop_ref both[] = { ask(server, 3), ask(server, 4) };
    settle();
    trace_outcome("the later of two", both[1]);
    trace_outcome("the earlier", both[0]);
    expect_empty_mailbox();
}

START_TEST(a_reply_ends_the_monitor_on_both_sides)
{
    expect_story(asks_one_who_answers, "a question, 1 records there\n"
                                       "answered, 0 records there\n"
                                       "first: answer 2, 0 records\n"
                                       "a question, 1 records there\n"
                                       "answered, 0 records there\n"
                                       "second: answer 4, 0 records\n"
                                       "a question, 2 records there\n"
                                       "answered, 1 records there\n"
                                       "a question, 1 records there\n"
                                       "answered, 0 records there\n"
                                       "the later of two: answer 8, 0 records\n"
                                       "the earlier: answer 6, 0 records\n");
}
END_TEST

/* ---- answered by another -------------------------------------------------------------- */

static void answers_for_another(void *argument)
{
    (void)argument;
    reply(cop_receive_match(&(cop_match){ .type = COP_TYPE(question) }, COP_INFINITY));
}

static void lets_another_answer(void *argument)
{
    (void)argument;
    cop_pid other = cop_spawn(answers_for_another, NULL, 0);
    cop_message *request = cop_take(&(cop_match){ .type = COP_TYPE(question) }, COP_INFINITY);
    cop_pid asker = request->from;
    request->kind = COP_CALL_REQUEST;          /* so that it keeps its reference */
    cop_send_message(cop_to(other), request);
    trace("passed on, %u records there", records());
    cop_receive_type(go, COP_INFINITY);
    trace("after the answer, %u records there", records());
    cop_send(asker, go);
}

static void asks_one_who_lets_answer(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(lets_another_answer, NULL, 0);
    trace_outcome("by another", ask(server, 5));
    cop_send(server, go);
    cop_receive_type(go, COP_INFINITY);
}

START_TEST(a_reply_of_another_process_ends_the_monitor_too)
{
    expect_story(asks_one_who_lets_answer, "passed on, 1 records there\n"
                                           "by another: answer 10, 0 records\n"
                                           "after the answer, 0 records there\n");
}
END_TEST

/* ---- not answered --------------------------------------------------------------------- */

static void dies_of_a_question(void *argument)
{
    (void)argument;
    cop_receive_type(question, COP_INFINITY);
    cop_raise("too hard");
}

static void never_looks(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
}

static void dies_before_it_looks(void *argument)
{
    (void)argument;
    cop_yield();                               /* the question arrives and is not looked at */
    *(volatile int *)NULL = 1;
}

static void returns(void *argument)
{
    (void)argument;
}

static void asks_the_dying(void *argument)
{
    (void)argument;
    trace_outcome("dies of it", ask(cop_spawn(dies_of_a_question, NULL, 0), 1));
    trace_outcome("dies before it looks", ask(cop_spawn(dies_before_it_looks, NULL, 0), 1));

    cop_pid deaf = cop_spawn(never_looks, NULL, 0);
    cop_ref ref = ask(deaf, 1);
    trace_outcome("never looks", ref);
    cop_exit_process(deaf, COP_KILL);
    trace_outcome("is killed", ref);

    cop_pid dead = cop_spawn(returns, NULL, 0);
    settle();
    trace_outcome("is dead", ask(dead, 1));
    expect_empty_mailbox();
}

START_TEST(who_dies_with_a_request_is_heard_of_by_its_sender)
{
    expect_story(asks_the_dying, "dies of it: down error:too hard, 0 records\n"
                                 "dies before it looks: down crash:SIGSEGV, 0 records\n"
                                 "never looks: nothing, 1 records\n"
                                 "is killed: down killed, 0 records\n"
                                 "is dead: down noproc, 0 records\n");
}
END_TEST

/* ---- the alias goes before the answer ------------------------------------------------- */

static void answers_and_dies(void *argument)
{
    (void)argument;
    reply(cop_receive_match(&(cop_match){ .type = COP_TYPE(question) }, COP_INFINITY));
    cop_receive_type(go, COP_INFINITY);
    trace("goes, %u records there", records());
    cop_raise("later");
}

static void gives_up_the_answer_alone(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(answers_and_dies, NULL, 0);
    cop_ref ref = ask(server, 1);
    trace("unalias: %d", cop_unalias(ref));
    settle();
    trace("is monitoring: %d", cop_is_monitoring(ref));
    cop_send(server, go);
    trace_outcome("the server", ref);
}

START_TEST(a_monitor_whose_alias_was_given_up_goes_on_after_the_answer)
{
    expect_story(gives_up_the_answer_alone, "unalias: 1\n"
                                            "is monitoring: 1\n"
                                            "goes, 1 records there\n"
                                            "the server: down error:later, 0 records\n");
}
END_TEST

/* ---- with and without a record ---------------------------------------------------------- */

static void trace_table(const char *when)
{
    copi_mailbox_drain(copi_self());
    trace("%s: %u records there, %u of them in the table", when, records(),
          copi_self()->relations.count);
}

static void answers_late(void *argument)
{
    (void)argument;
    const cop_message *request = cop_receive_match(
        &(cop_match){ .type = COP_TYPE(question) }, COP_INFINITY);
    cop_from asker = { { request->from, request->ref } };
    trace_table("looked at");
    cop_receive_type(go, COP_INFINITY);
    trace_table("let go of");
    cop_answer_message(asker, cop_new(answer, .n = 7));
    trace_table("answered");
    cop_message *kept = cop_take(&(cop_match){ .type = COP_TYPE(question) }, COP_INFINITY);
    trace_table("the next, taken");
    asker.alias = (cop_ref){ kept->from, kept->ref };
    cop_message_free(kept);
    cop_answer_message(asker, cop_new(answer, .n = 8));
    trace_table("answered");
}

static void asks_one_who_answers_late(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(answers_late, NULL, 0);
    cop_ref first = ask(server, 1);
    settle();
    cop_send(server, go);
    trace_outcome("first", first);
    trace_outcome("second", ask(server, 2));
}

START_TEST(a_request_is_recorded_when_it_goes_without_a_reply)
{
    expect_story(asks_one_who_answers_late,
                 "looked at: 1 records there, 0 of them in the table\n"
                 "let go of: 1 records there, 1 of them in the table\n"
                 "answered: 0 records there, 0 of them in the table\n"
                 "first: answer 7, 0 records\n"
                 "the next, taken: 1 records there, 1 of them in the table\n"
                 "answered: 0 records there, 0 of them in the table\n"
                 "second: answer 8, 0 records\n");
}
END_TEST

enum { MANY = COPI_UNRECORDED + 2 };

static void looks_at_one(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
    trace("%d are there, %d in the table", (int)records() == MANY,
          (int)copi_self()->relations.count == MANY - COPI_UNRECORDED);
    cop_receive_type(question, COP_INFINITY);
    trace("one is looked at, %d in the table",
          (int)copi_self()->relations.count == MANY - COPI_UNRECORDED);
    cop_receive_type(go, COP_INFINITY);
    trace_table("all were taken back");
}

static void asks_and_takes_back(void *argument)
{
    (void)argument;
    static cop_ref refs[MANY];
    cop_pid server = cop_spawn(looks_at_one, NULL, 0);
    for (int i = 0; i < MANY; i++) refs[i] = ask(server, i);
    trace("%d records here", (int)records() == MANY);
    cop_send(server, go);
    settle();
    for (int i = MANY - 1; i >= 0; i--) ck_assert(cop_demonitor(refs[i]));
    trace("%u records here", records());
    cop_send(server, go);
    settle();
}

START_TEST(one_that_is_taken_back_leaves_no_record_wherever_the_request_is)
{
    expect_story(asks_and_takes_back, "1 records here\n"
                                      "1 are there, 1 in the table\n"
                                      "one is looked at, 1 in the table\n"
                                      "0 records here\n"
                                      "all were taken back: 0 records there, 0 of them in the "
                                      "table\n");
}
END_TEST

/* ---- refused -------------------------------------------------------------------------- */

static void asks_nonsense(void *argument)
{
    (void)argument;
    cop_ref ref;
    trace("nothing: %d", cop_send_request(cop_self(), NULL, &ref) == COP_EINVAL);
    int error = cop_send_request(cop_self(), cop_new(question, .n = 1), &ref);
    trace("itself: %d", error == COP_EINVAL);
    error = cop_send_request(COP_NO_PID, cop_new(question, .n = 1), &ref);
    trace("nobody: %d", error == COP_EINVAL);
    cop_spawn_options options = { .mailbox = { .limit = 1, .when_full = COP_MAILBOX_FAIL } };
    cop_pid full = cop_spawn_opt(never_looks, NULL, 0, &options);
    ask(full, 1);
    error = cop_send_request(full, cop_new(question, .n = 2), &ref);
    trace("full: %s, %u records", cop_error_text(error), records());
}

START_TEST(what_is_refused_leaves_no_monitor)
{
    expect_story(asks_nonsense, "nothing: 1\n"
                                "itself: 1\n"
                                "nobody: 1\n"
                                "full: the receiver's mailbox is full, 1 records\n");
}
END_TEST

static Suite *send_request_suite(void)
{
    Suite *suite = suite_create("send_request");
    TCase *tests = tcase_create("send_request");
    tcase_add_test(tests, a_reply_ends_the_monitor_on_both_sides);
    tcase_add_test(tests, a_reply_of_another_process_ends_the_monitor_too);
    tcase_add_test(tests, who_dies_with_a_request_is_heard_of_by_its_sender);
    tcase_add_test(tests, a_monitor_whose_alias_was_given_up_goes_on_after_the_answer);
    tcase_add_test(tests, a_request_is_recorded_when_it_goes_without_a_reply);
    tcase_add_test(tests, one_that_is_taken_back_leaves_no_record_wherever_the_request_is);
    tcase_add_test(tests, what_is_refused_leaves_no_monitor);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(send_request_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
