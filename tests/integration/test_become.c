/* test_become.c - serving: a handler gets each message in order, may block, keep its message,
 * become another handler; its timeouts. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static int dropped;
static void count_drop(void *payload)
{
    (void)payload;
    dropped++;
}
COP_MESSAGE_WITH(owned, { int n; }, count_drop);

static void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    dropped = 0;
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
}

static int number_in(const cop_message *message)
{
    return cop_is(message, owned) ? cop_get(message, owned)->n : cop_expect(message, note)->n;
}

/* ---- messages in order --------------------------------------------------------------- */

static void trace_message(void *state, cop_message *message)
{
    (void)state;
    trace("handler got %d", number_in(message));
}

static void becomes_with_mail(void *argument)
{
    (void)argument;
    trace("takes %d first", cop_receive_type(note, COP_INFINITY)->n);
    cop_become(trace_message, NULL);
    trace("goes on behind become");
}

static void sends_to_a_server(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(becomes_with_mail, NULL, 0);
    for (int i = 1; i <= 3; i++) cop_send(server, note, .n = i);
    settle();
    cop_send(server, note, .n = 4);
    settle();
    cop_send(server, note, .n = 5);
    cop_send(server, note, .n = 6);
    settle();
    ck_assert(cop_is_alive(server));
}

START_TEST(a_handler_gets_each_message_in_order_those_that_waited_first)
{
    expect_story(sends_to_a_server, "takes 1 first\n"
                                    "handler got 2\n"
                                    "handler got 3\n"
                                    "handler got 4\n"
                                    "handler got 5\n"
                                    "handler got 6\n");
}
END_TEST

struct counter {
    int count;
    int *result;
};

static void count_message(void *state, cop_message *message)
{
    struct counter *counter = state;
    ck_assert_int_eq(number_in(message), counter->count++);
    *counter->result = counter->count;
}

static void counts_messages(void *argument)
{
    struct counter *counter = cop_alloc(sizeof *counter);
    counter->result = argument;
    cop_become(count_message, counter);
}

enum { MANY = 10000 };

static void floods_a_server(void *argument)
{
    (void)argument;
    int count = 0;
    cop_pid server = cop_spawn(counts_messages, &count, 0);
    for (int i = 0; i < MANY; i++) cop_send(server, note, .n = i);
    for (int turns = 0; count < MANY; turns++) {
        int before = count;
        cop_yield();
        ck_assert_int_gt(count, before);
        ck_assert_int_lt(count - before, MANY / 2);    /* others have a turn in between */
    }
}

START_TEST(a_server_with_much_to_do_lets_others_have_a_turn)
{
    expect_story(floods_a_server, "");
}
END_TEST

/* ---- blocking in a handler ----------------------------------------------------------- */

static void block_in_handler(void *state, cop_message *message)
{
    (void)state;
    int n = number_in(message);
    trace("begins %d", n);
    cop_sleep(10);
    if (n == 1)
        trace("takes %d in between", cop_receive_type(note, COP_INFINITY)->n);
    trace("ends %d, still has %d", n, number_in(message));
}

static void blocks(void *argument)
{
    (void)argument;
    cop_become(block_in_handler, NULL);
}

static void sends_to_a_blocking_server(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(blocks, NULL, 0);
    for (int i = 1; i <= 4; i++) cop_send(server, owned, .n = i);
    cop_send(server, note, .n = 5);
    cop_sleep(100);
    trace("dropped %d", dropped);
}

START_TEST(a_handler_may_block_and_receive_while_the_other_messages_wait)
{
    expect_story(sends_to_a_blocking_server, "begins 1\n"
                                             "takes 5 in between\n"
                                             "ends 1, still has 1\n"
                                             "begins 2\n"
                                             "ends 2, still has 2\n"
                                             "begins 3\n"
                                             "ends 3, still has 3\n"
                                             "begins 4\n"
                                             "ends 4, still has 4\n"
                                             "dropped 4\n");
}
END_TEST

/* ---- keeping a message --------------------------------------------------------------- */

static void keep_message(void *state, cop_message *message)
{
    cop_message **kept = state;
    if (number_in(message) == 1) {
        cop_message_keep(message);
        *kept = message;
        return;
    }
    trace("kept %d, has %d, dropped %d", number_in(*kept), number_in(message), dropped);
    if (number_in(message) == 2)
        cop_message_free(*kept);
    else
        cop_send_message(cop_to(cop_parent()), *kept);
}

static void keeps(void *argument)
{
    (void)argument;
    cop_become(keep_message, cop_alloc(sizeof(cop_message *)));
}

static void sends_what_is_kept(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(keeps, NULL, 0);
    cop_send(server, owned, .n = 1);
    cop_send(server, owned, .n = 2);
    settle();
    trace("freed: dropped %d", dropped);
    cop_send(server, owned, .n = 1);
    cop_send(server, owned, .n = 3);
    settle();
    trace("it came back: %d, dropped %d", cop_receive_type(owned, 0)->n, dropped);
    cop_send(server, owned, .n = 1);
    settle();
    cop_exit_process(server, COP_KILL);
    settle();
    trace("died with one: dropped %d", dropped);
}

START_TEST(a_message_that_is_kept_lives_until_freed_or_sent_or_its_keeper_ends)
{
    expect_story(sends_what_is_kept, "kept 1, has 2, dropped 0\n"
                                     "freed: dropped 2\n"
                                     "kept 1, has 3, dropped 2\n"
                                     "it came back: 1, dropped 3\n"
                                     "died with one: dropped 4\n");
    ck_assert_int_eq(dropped, 5);
}
END_TEST

static void keep_the_wrong_one(void *state, cop_message *message)
{
    (void)state;
    (void)message;
    cop_message_keep(cop_new(note, .n = 1));
}

static void keeps_the_wrong_one(void *argument)
{
    (void)argument;
    cop_send(cop_self(), go);
    cop_become(keep_the_wrong_one, NULL);
}

static void keeps_outside(void *argument)
{
    (void)argument;
    cop_message_keep(cop_new(note, .n = 1));
}

static void watches_wrong_keepers(void *argument)
{
    (void)argument;
    trace_end_of("one", keeps_the_wrong_one, NULL);
    trace_end_of("two", keeps_outside, NULL);
}

START_TEST(keeping_another_message_than_the_handlers_is_an_error)
{
    expect_story(watches_wrong_keepers,
                 "one down: error:badarg: cop_message_keep: not the message of this handler\n"
                 "two down: error:badarg: cop_message_keep: not the message of this handler\n");
}
END_TEST

/* ---- becoming another ---------------------------------------------------------------- */

static void second_handler(void *state, cop_message *message);

static void first_handler(void *state, cop_message *message)
{
    trace("first got %d, dropped %d", number_in(message), dropped);
    if (number_in(message) % 10 == 2)
        cop_sleep(1);                 /* with a stack of its own */
    cop_become(second_handler, state);
}

static void second_handler(void *state, cop_message *message)
{
    trace("second got %d, dropped %d", number_in(message), dropped);
    cop_become(first_handler, state);
}

static void becomes_again(void *argument)
{
    (void)argument;
    cop_become(first_handler, NULL);
}

static void sends_to_a_changeling(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(becomes_again, NULL, 0);
    for (int i = 0; i < 5; i++) cop_send(server, owned, .n = i);
    cop_sleep(10);
    trace("dropped %d", dropped);
    cop_exit_process(server, COP_KILL);
    settle();
    trace("dropped %d", dropped);
}

START_TEST(a_handler_that_becomes_another_has_done_with_its_message)
{
    expect_story(sends_to_a_changeling, "first got 0, dropped 0\n"
                                        "second got 1, dropped 1\n"
                                        "first got 2, dropped 2\n"
                                        "second got 3, dropped 3\n"
                                        "first got 4, dropped 4\n"
                                        "dropped 5\n"
                                        "dropped 5\n");
}
END_TEST

/* ---- timeouts ------------------------------------------------------------------------ */

static void handle_with_timeout(void *state, cop_message *message)
{
    (void)state;
    if (message == NULL) {
        trace("%d: nothing came", (int)cop_now_ms());
        return;                        /* the wait has no end now */
    }
    int n = number_in(message);
    trace("%d: got %d", (int)cop_now_ms(), n);
    if (n > 0)
        cop_become_timeout(n);
}

static void waits_with_timeouts(void *argument)
{
    (void)argument;
    cop_become_timeout(10);
    cop_become(handle_with_timeout, NULL);
}

static void sends_at_times(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(waits_with_timeouts, NULL, 0);
    cop_sleep(5);
    cop_send(server, note, .n = 20);      /* before the 10 ms are over; the next 20 begin */
    cop_sleep(50);
    cop_send(server, note, .n = 20);      /* and here they are cut short by a message */
    cop_sleep(19);
    cop_send(server, note, .n = 0);
    cop_sleep(100);
}

START_TEST(a_handler_gets_null_when_no_message_came_in_time)
{
    expect_story(sends_at_times, "5: got 20\n"
                                 "25: nothing came\n"
                                 "55: got 20\n"
                                 "74: got 0\n");
}
END_TEST

static void handle_with_no_time(void *state, cop_message *message)
{
    int *nulls = state;
    if (message == NULL) {
        trace("nothing there");
        if (++*nulls == 2)
            return;
    } else {
        trace("got %d", number_in(message));
    }
    cop_become_timeout(0);
}

static void looks_without_waiting(void *argument)
{
    (void)argument;
    cop_send(cop_self(), note, .n = 1);
    cop_send(cop_self(), note, .n = 2);
    cop_become_timeout(0);
    cop_become(handle_with_no_time, cop_alloc(sizeof(int)));
}

static void watches_a_looker(void *argument)
{
    (void)argument;
    cop_spawn(looks_without_waiting, NULL, 0);
    settle();
    trace("%d ms", (int)cop_now_ms());
}

START_TEST(a_timeout_of_zero_looks_once_and_messages_go_first)
{
    expect_story(watches_a_looker, "got 1\n"
                                   "got 2\n"
                                   "nothing there\n"
                                   "nothing there\n"
                                   "1 ms\n");
}
END_TEST

static void signal_is_no_message(void *state, cop_message *message)
{
    (void)state;
    trace("%d: %s", (int)cop_now_ms(), message == NULL ? "nothing came" : message->type->name);
}

static void is_watched_while_it_waits(void *argument)
{
    (void)argument;
    cop_become_timeout(10);
    cop_become(signal_is_no_message, NULL);
}

static void sends_signals_only(void *argument)
{
    (void)argument;
    cop_pid server = cop_spawn(is_watched_while_it_waits, NULL, 0);
    cop_sleep(5);
    ck_assert_int_eq(cop_link(server), COP_OK);
    ck_assert(cop_demonitor(cop_monitor(server)));
    cop_unlink(server);
    cop_exit_process(server, COP_NORMAL);
    cop_sleep(100);
}

START_TEST(signals_that_are_no_messages_do_not_end_the_wait_nor_begin_it_anew)
{
    expect_story(sends_signals_only, "10: nothing came\n");
}
END_TEST

/* ---- at the end ------------------------------------------------------------------------ */

static void says_first(void *argument)
{
    (void)argument;
    trace("the oldest action");
}

/* What it begins here needs memory for its waits once more. */
static void becomes_in_vain(void *argument)
{
    (void)argument;
    cop_monitor(cop_parent());
    cop_become_timeout(10);
    trace("becomes");
    cop_become(trace_message, NULL);
    trace("goes on behind become");
}

static void ends_with_actions(void *argument)
{
    (void)argument;
    cop_defer(says_first, NULL);
    cop_defer(becomes_in_vain, NULL);
    cop_exit(cop_reason_atom("done"));
}

static void watches_the_end(void *argument)
{
    (void)argument;
    trace_end_of("it", ends_with_actions, NULL);
}

START_TEST(a_deferred_action_that_becomes_a_server_ends_there_and_the_others_run)
{
    expect_story(watches_the_end, "becomes\n"
                                  "the oldest action\n"
                                  "it down: done\n");
}
END_TEST

static Suite *become_suite(void)
{
    Suite *suite = suite_create("become");
    TCase *tests = tcase_create("become");
    tcase_add_test(tests, a_handler_gets_each_message_in_order_those_that_waited_first);
    tcase_add_test(tests, a_server_with_much_to_do_lets_others_have_a_turn);
    tcase_add_test(tests, a_handler_may_block_and_receive_while_the_other_messages_wait);
    tcase_add_test(tests, a_message_that_is_kept_lives_until_freed_or_sent_or_its_keeper_ends);
    tcase_add_test(tests, keeping_another_message_than_the_handlers_is_an_error);
    tcase_add_test(tests, a_handler_that_becomes_another_has_done_with_its_message);
    tcase_add_test(tests, a_handler_gets_null_when_no_message_came_in_time);
    tcase_add_test(tests, a_timeout_of_zero_looks_once_and_messages_go_first);
    tcase_add_test(tests, signals_that_are_no_messages_do_not_end_the_wait_nor_begin_it_anew);
    tcase_add_test(tests, a_deferred_action_that_becomes_a_server_ends_there_and_the_others_run);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(become_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
