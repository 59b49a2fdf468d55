/* test_limit_calls.c - servers with a bounded mailbox: what casts and calls get when it is full. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "expect_story.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(note, { int n; });
COP_CALL(ask, { int n; }, { int n; });

static cop_next handle_ask(void *state, const cop_message *request, cop_from from)
{
    (void)state;
    (void)from;
    cop_sleep(10);
    return cop_reply(ask, .n = cop_expect(request, ask)->n);
}

static cop_next handle_note(void *state, const cop_message *message)
{
    (void)state;
    trace("got %d", cop_expect(message, note)->n);
    cop_sleep(10);
    return cop_noreply();
}

static cop_gen_server server = { .handle_call = handle_ask, .handle_cast = handle_note };

static void calls_a_full_server(void *argument)
{
    (void)argument;
    ask_reply reply = { 0 };
    cop_started started = cop_gen_server_start_link(&server);
    ck_assert_int_eq(started.error, COP_OK);
    cop_cast(started.pid, note, .n = 1);
    cop_sleep(1);                                    /* it is at it */
    for (int n = 2; n <= 4; n++)
        trace("cast %d: %s", n, cop_error_name(cop_cast(started.pid, note, .n = n)));
    int error = cop_call(started.pid, &reply, ask, .n = 7);
    trace("call: %s, %d", cop_error_name(error), reply.n);
    expect_empty_mailbox();
    cop_sleep(100);
    error = cop_call(started.pid, &reply, ask, .n = 8);
    trace("call: %s, %d", cop_error_name(error), reply.n);
}

START_TEST(a_full_server_that_fails_tells_casts_and_calls)
{
    server.mailbox = (cop_mailbox_bound){ 2, COP_MAILBOX_FAIL };
    expect_story(calls_a_full_server, "got 1\ncast 2: ok\ncast 3: ok\ncast 4: full\n"
                                      "call: full, 0\ngot 2\ngot 3\ncall: ok, 8\n");
}
END_TEST

START_TEST(one_that_drops_the_newest_tells_calls_only)
{
    server.mailbox = (cop_mailbox_bound){ 2, COP_MAILBOX_DROP_NEWEST };
    expect_story(calls_a_full_server, "got 1\ncast 2: ok\ncast 3: ok\ncast 4: ok\n"
                                      "call: full, 0\ngot 2\ngot 3\ncall: ok, 8\n");
}
END_TEST

START_TEST(one_that_drops_the_oldest_tells_calls_only)
{
    server.mailbox = (cop_mailbox_bound){ 2, COP_MAILBOX_DROP_OLDEST };
    expect_story(calls_a_full_server, "got 1\ncast 2: ok\ncast 3: ok\ncast 4: ok\n"
                                      "call: full, 0\ngot 3\ngot 4\ncall: ok, 8\n");
}
END_TEST

START_TEST(one_that_lets_senders_wait_answers_calls)
{
    server.mailbox = (cop_mailbox_bound){ 2, COP_MAILBOX_BLOCK };
    expect_story(calls_a_full_server, "got 1\ncast 2: ok\ncast 3: ok\ngot 2\ncast 4: ok\n"
                                      "got 3\ngot 4\ncall: ok, 7\ncall: ok, 8\n");
}
END_TEST

static void calls_5(void *argument)
{
    ask_reply reply;
    int error = cop_call(*(cop_pid *)argument, &reply, ask, .n = 5);
    trace("call: %s", cop_error_name(error));
}

static void keeps_requests(void *argument)
{
    (void)argument;
    cop_started started = cop_gen_server_start_link(&server);
    cop_cast(started.pid, note, .n = 1);
    settle();
    cop_spawn_link(calls_5, &started.pid, sizeof started.pid);
    settle();
    for (int n = 2; n <= 100; n++) cop_cast(started.pid, note, .n = n);
    cop_sleep(100);
}

START_TEST(a_request_that_was_taken_is_not_dropped_for_later_casts)
{
    server.mailbox = (cop_mailbox_bound){ 2, COP_MAILBOX_DROP_OLDEST };
    expect_story(keeps_requests, "got 1\ngot 100\ncall: ok\n");
}
END_TEST

static Suite *limit_calls_suite(void)
{
    Suite *suite = suite_create("limit_calls");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, a_full_server_that_fails_tells_casts_and_calls);
    tcase_add_test(tcase, one_that_drops_the_newest_tells_calls_only);
    tcase_add_test(tcase, one_that_drops_the_oldest_tells_calls_only);
    tcase_add_test(tcase, one_that_lets_senders_wait_answers_calls);
    tcase_add_test(tcase, a_request_that_was_taken_is_not_dropped_for_later_casts);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(limit_calls_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
