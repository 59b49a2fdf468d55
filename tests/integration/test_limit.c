/* test_limit.c - bounded mailboxes: the four ways to be full, what always arrives, senders that
 * wait. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "expect_story.h"
#include "node.h"
#include "runtime/limit.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(note, { int n; });

static cop_pid start(cop_function *function, size_t limit, enum cop_when_full when_full)
{
    cop_pid pid = cop_spawn_opt(function, NULL, 0, &(cop_spawn_options){
        .link = true, .mailbox = { limit, when_full } });
    ck_assert(!cop_pid_is_none(pid));
    settle();
    return pid;
}

static int send_note(cop_pid to, int n)
{
    return cop_send(to, note, .n = n);
}

/* Takes and traces all the notes there are. */
static void read_notes(void)
{
    const note *taken;
    while ((taken = cop_receive_type(note, 0)) != NULL) trace("got %d", taken->n);
    trace("dropped %d", (int)cop_mailbox_dropped());
}

/* Is busy for 10 ms, then reads. */
static void is_slow(void *argument)
{
    (void)argument;
    cop_sleep(10);
    read_notes();
}

/* Counted messages on their way to the process and in its mailbox. */
static unsigned count_at(cop_pid pid)
{
    return atomic_load(&copi_limits(copi_process_slot(pid))->count);
}

/* ---- the ways to be full ----------------------------------------------------------------- */

static void sends_five(enum cop_when_full when_full)
{
    cop_pid reader = start(is_slow, 3, when_full);
    for (int n = 1; n <= 5; n++) trace("%d: %s", n, cop_error_name(send_note(reader, n)));
    ck_assert_uint_eq(count_at(reader), when_full == COP_MAILBOX_DROP_OLDEST ? 5 : 3);
    cop_sleep(20);
    ck_assert(!cop_is_alive(reader));
}

static void fails(void *argument)
{
    (void)argument;
    sends_five(COP_MAILBOX_FAIL);
}

START_TEST(a_full_mailbox_that_fails_refuses_and_says_so)
{
    expect_story(fails, "1: ok\n2: ok\n3: ok\n4: full\n5: full\n"
                        "got 1\ngot 2\ngot 3\ndropped 0\n");
}
END_TEST

static void drops_the_newest(void *argument)
{
    (void)argument;
    sends_five(COP_MAILBOX_DROP_NEWEST);
}

START_TEST(one_that_drops_the_newest_keeps_what_came_first)
{
    expect_story(drops_the_newest, "1: ok\n2: ok\n3: ok\n4: ok\n5: ok\n"
                                   "got 1\ngot 2\ngot 3\ndropped 2\n");
}
END_TEST

static void drops_the_oldest(void *argument)
{
    (void)argument;
    sends_five(COP_MAILBOX_DROP_OLDEST);
}

START_TEST(one_that_drops_the_oldest_keeps_what_came_last)
{
    expect_story(drops_the_oldest, "1: ok\n2: ok\n3: ok\n4: ok\n5: ok\n"
                                   "got 3\ngot 4\ngot 5\ndropped 2\n");
}
END_TEST

static void floods(void *argument)
{
    (void)argument;
    cop_pid reader = start(is_slow, 3, COP_MAILBOX_DROP_OLDEST);
    for (int n = 1; n <= 1000; n++) {
        ck_assert_int_eq(send_note(reader, n), COP_OK);
        ck_assert_uint_lt(count_at(reader), 3 * 3 + 17);
    }
    cop_sleep(20);
}

START_TEST(senders_drop_the_oldest_while_the_receiver_does_not_look)
{
    expect_story(floods, "got 998\ngot 999\ngot 1000\ndropped 997\n");
}
END_TEST

/* ---- senders that wait --------------------------------------------------------------------- */

static cop_pid slow_reader;

static void sends_three(void *argument)
{
    int first = *(int *)argument;
    for (int n = first; n < first + 3; n++) {
        int error = send_note(slow_reader, n);
        trace("sent %d: %s", n, cop_error_name(error));
    }
}

static void reads_one_each_10_ms(void *argument)
{
    (void)argument;
    const note *taken;
    cop_sleep(10);
    while ((taken = cop_receive_type(note, 0)) != NULL) {
        trace("got %d", taken->n);
        cop_sleep(10);
    }
    trace("%d left", (int)cop_mailbox_length());
}

static void waits_for_room(void *argument)
{
    (void)argument;
    slow_reader = start(reads_one_each_10_ms, 2, COP_MAILBOX_BLOCK);
    int from_a = 1, from_b = 11;
    cop_spawn_link(sends_three, &from_a, sizeof from_a);
    settle();
    cop_spawn_link(sends_three, &from_b, sizeof from_b);
    cop_sleep(200);
}

START_TEST(senders_wait_for_room_in_the_order_in_which_they_came)
{
    expect_story(waits_for_room, "sent 1: ok\nsent 2: ok\n"      /* 3 and 11 wait, beyond the two */
                                 "got 1\nsent 3: ok\n"
                                 "got 2\nsent 11: ok\n"
                                 "got 3\nsent 12: ok\n"
                                 "got 11\nsent 13: ok\n"
                                 "got 12\ngot 13\n0 left\n");
}
END_TEST

static void dies_after_10_ms(void *argument)
{
    (void)argument;
    cop_sleep(10);
    cop_exit(COP_NORMAL);
}

static void outlives_its_receiver(void *argument)
{
    (void)argument;
    slow_reader = start(dies_after_10_ms, 1, COP_MAILBOX_BLOCK);
    int first = 1;
    cop_spawn_link(sends_three, &first, sizeof first);
    cop_sleep(5);
    trace("it waits: %d", count_at(slow_reader));
    cop_sleep(20);
}

START_TEST(a_sender_that_waits_goes_on_when_the_receiver_dies)
{
    expect_story(outlives_its_receiver, "sent 1: ok\nit waits: 2\nsent 2: ok\nsent 3: ok\n");
}
END_TEST

static void is_killed_while_it_waits(void *argument)
{
    (void)argument;
    slow_reader = start(is_slow, 1, COP_MAILBOX_BLOCK);
    int first = 1;
    cop_ref ref;
    cop_pid sender = cop_spawn_monitor(sends_three, &first, sizeof first, &ref);
    settle();
    cop_exit_process(sender, COP_KILL);
    trace_down("sender", ref);
    cop_sleep(20);
}

START_TEST(a_sender_that_waits_can_be_killed_and_has_sent)
{
    expect_story(is_killed_while_it_waits,
                 "sent 1: ok\nsender down: killed\ngot 1\ngot 2\ndropped 0\n");
}
END_TEST

static void looks_for_the_last(void *argument)
{
    (void)argument;
    cop_sleep(10);
    const cop_match from_the_parent = { .type = COP_TYPE(note), .from = cop_parent() };
    cop_message *message = cop_take(&from_the_parent, COP_INFINITY);
    trace("found %d", cop_expect(message, note)->n);
    cop_message_free(message);
    read_notes();
}

static void is_looked_for(void *argument)
{
    (void)argument;
    slow_reader = start(looks_for_the_last, 2, COP_MAILBOX_BLOCK);
    int first = 1;
    cop_spawn_link(sends_three, &first, sizeof first);
    settle();
    trace("sent 50: %s", cop_error_name(send_note(slow_reader, 50)));
    cop_sleep(20);
}

START_TEST(a_selective_receive_finds_what_a_waiting_sender_sent)
{
    expect_story(is_looked_for, "sent 1: ok\nsent 2: ok\n"
                                "found 50\ngot 1\ngot 2\ngot 3\ndropped 0\n"
                                "sent 3: ok\nsent 50: ok\n");
}
END_TEST

/* ---- who cannot wait ----------------------------------------------------------------------- */

static void *sends_from_a_thread(void *argument)
{
    *(int *)argument = send_note(slow_reader, 3);
    return NULL;
}

static void sends_when_dropped(void *payload)
{
    (void)payload;
    trace("drop function: %s", cop_error_name(send_note(slow_reader, 4)));
}
COP_MESSAGE_WITH(sender, COP_EMPTY, sends_when_dropped);

static void sends_at_its_end(void *argument)
{
    (void)argument;
    trace("deferred: %s", cop_error_name(send_note(slow_reader, 5)));
}

static void defers(void *argument)
{
    (void)argument;
    cop_defer(sends_at_its_end, NULL);
}

static bool sends_in_accept(const cop_message *message, void *context)
{
    (void)message;
    (void)context;
    trace("accept: %s", cop_error_name(send_note(slow_reader, 6)));
    return true;
}

static void cannot_wait(void *argument)
{
    (void)argument;
    int error = 0;
    pthread_t thread;
    slow_reader = start(is_slow, 1, COP_MAILBOX_BLOCK);
    send_note(slow_reader, 1);
    pthread_create(&thread, NULL, sends_from_a_thread, &error);
    pthread_join(thread, NULL);
    trace("thread: %s", cop_error_name(error));
    cop_message_free(cop_new(sender, 0));
    cop_spawn_link(defers, NULL, 0);
    settle();
    send_note(cop_self(), 7);
    cop_message_free(cop_take(&(cop_match){ .accept = sends_in_accept }, 0));
    ck_assert_int_eq(cop_limit_mailbox((cop_mailbox_bound){ 1, COP_MAILBOX_BLOCK }), COP_OK);
    trace("to itself: %s", cop_error_name(send_note(cop_self(), 8)));
    trace("again: %s", cop_error_name(send_note(cop_self(), 9)));
    cop_sleep(20);
}

START_TEST(who_cannot_wait_is_told_that_the_mailbox_is_full)
{
    expect_story(cannot_wait, "thread: full\ndrop function: full\ndeferred: full\naccept: full\n"
                              "to itself: ok\nagain: full\ngot 1\ndropped 0\n");
}
END_TEST

/* ---- what always arrives --------------------------------------------------------------------- */

static void ends(void *argument)
{
    (void)argument;
}

static void gets_all_signals(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
    send_note(cop_self(), 1);
    trace("full: %s", cop_error_name(send_note(cop_self(), 2)));
    cop_send_after(cop_self(), 1, note, .n = 10);
    ck_assert_int_eq(cop_send(alias, note, .n = 11), COP_OK);
    cop_ref ref;
    cop_pid pid = cop_spawn_monitor(ends, NULL, 0, &ref);
    trace_down("child", ref);
    cop_pid linked = cop_spawn_link(ends, NULL, 0);
    trace_exit_from("child", linked);
    cop_send_after(cop_parent(), 1, note, .n = 20);
    (void)pid;
    cop_sleep(5);
    read_notes();
}

static void gets_notes_from_a_timer(void *argument)
{
    (void)argument;
    cop_limit_mailbox((cop_mailbox_bound){ 1, COP_MAILBOX_FAIL });
    send_note(cop_self(), 19);
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(gets_all_signals, NULL, 0, &(cop_spawn_options){
        .monitor = true, .ret_ref = &ref, .mailbox = { 1, COP_MAILBOX_FAIL } });
    (void)pid;
    trace_down("it", ref);
    read_notes();
}

START_TEST(exits_downs_timers_and_what_comes_through_an_alias_always_arrive)
{
    expect_story(gets_notes_from_a_timer, "full: full\n"
                                          "child down: normal\nexit from child: normal\n"
                                          "got 1\ngot 11\ngot 10\ndropped 0\n"
                                          "it down: normal\n"
                                          "got 19\ngot 20\ndropped 0\n");
}
END_TEST

static void is_full(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

static void kills_a_full_one(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(is_full, NULL, 0, &(cop_spawn_options){
        .monitor = true, .ret_ref = &ref, .mailbox = { 1, COP_MAILBOX_DROP_OLDEST } });
    for (int n = 0; n < 100; n++) send_note(pid, n);
    cop_exit_process(pid, cop_reason_error("enough"));
    for (int n = 0; n < 100; n++) send_note(pid, n);
    trace_down("it", ref);
}

START_TEST(an_exit_signal_among_dropped_messages_is_not_lost)
{
    expect_story(kills_a_full_one, "it down: error:enough\n");
}
END_TEST

static int drops;

static void counts_drop(void *payload)
{
    (void)payload;
    drops++;
}
COP_MESSAGE_WITH(heavy, { int n; }, counts_drop);

static void dies_full(void *argument)
{
    (void)argument;
    for (int kind = COP_MAILBOX_FAIL; kind <= COP_MAILBOX_DROP_OLDEST; kind++) {
        cop_pid pid = start(is_full, 2, (enum cop_when_full)kind);
        for (int n = 0; n < 50; n++) cop_send(pid, heavy, .n = n);
        cop_unlink(pid);
        cop_exit_process(pid, COP_KILL);
        settle();
        trace("%d freed", drops);
        drops = 0;
        cop_pid next = start(is_full, 2, (enum cop_when_full)kind);   /* in the same slot */
        ck_assert_uint_eq(count_at(next), 0);
        cop_unlink(next);
        cop_exit_process(next, COP_KILL);
        settle();
    }
}

START_TEST(each_message_is_freed_once_whatever_becomes_of_it)
{
    expect_story(dies_full, "50 freed\n50 freed\n50 freed\n");
}
END_TEST

/* ---- the order of a sender's messages ------------------------------------------------------ */

static void takes_every_other(void *argument)
{
    (void)argument;
    int last = 0;
    for (int round = 0; round < 100; round++) {
        const note *taken = cop_receive_type(note, COP_INFINITY);
        ck_assert_int_gt(taken->n, last);
        last = taken->n;
        if (last == 300) break;
        if (round % 7 == 0) cop_sleep(1);
    }
    trace("in order up to %d", last);
}

static void sends_many(void *argument)
{
    enum cop_when_full when_full = *(enum cop_when_full *)argument;
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(takes_every_other, NULL, 0, &(cop_spawn_options){
        .monitor = true, .ret_ref = &ref, .mailbox = { 5, when_full } });
    for (int n = 1; n <= 300; n++) {
        send_note(pid, n);
        if (n % 4 == 0) cop_yield();
        if (n % 20 == 0) cop_sleep(1);
    }
    while (cop_is_alive(pid)) {
        send_note(pid, 300);
        cop_sleep(1);
    }
    trace_down("it", ref);
}

START_TEST(whatever_is_dropped_the_others_stay_in_order)
{
    enum cop_when_full when_full = (enum cop_when_full)_i;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        trace_reset();
        ck_assert_int_eq(run_node_seeded(sends_many, &when_full, seed), 0);
        ck_assert_ptr_nonnull(strstr(trace_text(), "it down: normal"));
    }
}
END_TEST

/* ---- setting and taking off ---------------------------------------------------------------- */

static void changes_its_bound(void *argument)
{
    (void)argument;
    cop_mailbox_bound wrong = { 1, (enum cop_when_full)4 };
    ck_assert_int_eq(cop_limit_mailbox(wrong), COP_EINVAL);
    ck_assert(cop_pid_is_none(cop_spawn_opt(ends, NULL, 0,
                                            &(cop_spawn_options){ .mailbox = wrong })));
    for (int n = 0; n < 3; n++) ck_assert_int_eq(send_note(cop_self(), n), COP_OK);
    ck_assert_int_eq(cop_limit_mailbox((cop_mailbox_bound){ 1, COP_MAILBOX_FAIL }), COP_OK);
    ck_assert_int_eq(send_note(cop_self(), 3), COP_OK);
    ck_assert_int_eq(send_note(cop_self(), 4), COP_EFULL);
    ck_assert_int_eq(cop_limit_mailbox((cop_mailbox_bound){ .limit = 0 }), COP_OK);
    ck_assert_int_eq(send_note(cop_self(), 5), COP_OK);
    read_notes();
}

START_TEST(a_bound_can_be_set_and_taken_off_later)
{
    expect_story(changes_its_bound, "got 0\ngot 1\ngot 2\ngot 3\ngot 5\ndropped 0\n");
}
END_TEST

static void takes_its_bound_off(void *argument)
{
    (void)argument;
    cop_sleep(10);
    cop_limit_mailbox((cop_mailbox_bound){ .limit = 0 });
    cop_sleep(10);
    read_notes();
}

static void waits_no_more(void *argument)
{
    (void)argument;
    slow_reader = start(takes_its_bound_off, 1, COP_MAILBOX_BLOCK);
    int first = 1;
    cop_spawn_link(sends_three, &first, sizeof first);
    cop_sleep(50);
}

START_TEST(who_waits_goes_on_when_the_bound_is_taken_off)
{
    expect_story(waits_no_more, "sent 1: ok\nsent 2: ok\nsent 3: ok\n"
                                "got 1\ngot 2\ngot 3\ndropped 0\n");
}
END_TEST

static Suite *limit_suite(void)
{
    Suite *suite = suite_create("limit");
    TCase *bounded = tcase_create("bounded mailboxes");
    tcase_add_test(bounded, a_full_mailbox_that_fails_refuses_and_says_so);
    tcase_add_test(bounded, one_that_drops_the_newest_keeps_what_came_first);
    tcase_add_test(bounded, one_that_drops_the_oldest_keeps_what_came_last);
    tcase_add_test(bounded, senders_drop_the_oldest_while_the_receiver_does_not_look);
    tcase_add_test(bounded, exits_downs_timers_and_what_comes_through_an_alias_always_arrive);
    tcase_add_test(bounded, an_exit_signal_among_dropped_messages_is_not_lost);
    tcase_add_test(bounded, each_message_is_freed_once_whatever_becomes_of_it);
    tcase_add_loop_test(bounded, whatever_is_dropped_the_others_stay_in_order, 0, 4);
    tcase_add_test(bounded, a_bound_can_be_set_and_taken_off_later);
    suite_add_tcase(suite, bounded);
    TCase *waiting = tcase_create("senders that wait");
    tcase_add_test(waiting, senders_wait_for_room_in_the_order_in_which_they_came);
    tcase_add_test(waiting, a_sender_that_waits_goes_on_when_the_receiver_dies);
    tcase_add_test(waiting, a_sender_that_waits_can_be_killed_and_has_sent);
    tcase_add_test(waiting, a_selective_receive_finds_what_a_waiting_sender_sent);
    tcase_add_test(waiting, who_cannot_wait_is_told_that_the_mailbox_is_full);
    tcase_add_test(waiting, who_waits_goes_on_when_the_bound_is_taken_off);
    suite_add_tcase(suite, waiting);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(limit_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
