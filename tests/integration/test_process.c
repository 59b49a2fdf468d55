/* test_process.c - the life of a process: how it ends, its pid, turns and sleep. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "expect_story.h"
#include "node.h"
#include "runtime/message.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static void returns(void *argument)
{
    (void)argument;
}

/* ---- how a process ends -------------------------------------------------------------- */

static void exits_with_atom(void *argument)
{
    cop_exit(cop_reason_atom(argument));
    trace("goes on after its exit");
}

static void exits_with_tuple(void *argument)
{
    (void)argument;
    cop_exit(cop_reason_tuple("shutdown", cop_reason_tuple("failed", cop_reason_atom("disk"))));
}

static void raises(void *argument)
{
    (void)argument;
    cop_raise("bad input: %d", 42);
}

static void ends_of_all_kinds(void *argument)
{
    (void)argument;
    trace_end_of("returns", returns, NULL);
    trace_end_of("exits", exits_with_atom, "boom");
    trace_end_of("exits normal", exits_with_atom, "normal");
    trace_end_of("exits kill", exits_with_atom, "kill");
    trace_end_of("exits with a tuple", exits_with_tuple, NULL);
    trace_end_of("raises", raises, NULL);
    expect_empty_mailbox();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_process_ends_normally_when_it_returns_else_with_the_reason_it_gives)
{
    expect_story(ends_of_all_kinds, "returns down: normal\n"
                                    "exits down: boom\n"
                                    "exits normal down: normal\n"
                                    "exits kill down: kill\n"
                                    "exits with a tuple down: shutdown:failed:disk\n"
                                    "raises down: error:bad input: 42\n");
}
END_TEST

START_TEST(only_an_end_of_its_own_that_is_abnormal_is_reported)
{
    node_trace_log(true);
    expect_story(ends_of_all_kinds, "returns down: normal\n"
                                    "0.000 crash <1.2>: boom\n"
                                    "exits down: boom\n"
                                    "exits normal down: normal\n"
                                    "0.000 crash <1.4>: kill\n"
                                    "exits kill down: kill\n"
                                    "exits with a tuple down: shutdown:failed:disk\n"
                                    "0.000 crash <1.6>: error:bad input: 42\n"
                                    "raises down: error:bad input: 42\n");
}
END_TEST

static void deep_exit(int depth)
{
    cop_function *volatile leave = exits_with_atom;     /* so that no compiler sees the end */
    if (depth == 0)
        leave("deep");
    else
        deep_exit(depth - 1);
    trace("came back");
}

static void exits_deep_down(void *argument)
{
    (void)argument;
    deep_exit(20);
}

static void watches_a_deep_exit(void *argument)
{
    (void)argument;
    trace_end_of("it", exits_deep_down, NULL);
    trace_end_of("the next on the same stack", returns, NULL);
}

START_TEST(an_exit_deep_in_calls_leaves_the_stack_usable_for_the_next)
{
    expect_story(watches_a_deep_exit, "it down: deep\n"
                                      "the next on the same stack down: normal\n");
}
END_TEST

/* ---- pids ---------------------------------------------------------------------------- */

enum { PIDS = 3000 };

static int compare_pids(const void *a, const void *b)
{
    uint64_t x = ((const cop_pid *)a)->bits, y = ((const cop_pid *)b)->bits;
    return x < y ? -1 : x > y;
}

static void collects_pids(void *argument)
{
    cop_pid *pids = argument;
    for (int i = 0; i < PIDS; i++) {
        cop_ref ref;
        pids[i] = cop_spawn_monitor(returns, NULL, 0, &ref);
        ck_assert(cop_is_alive(pids[i]));
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
        ck_assert(!cop_is_alive(pids[i]));
    }
}

START_TEST(no_two_processes_have_one_pid)
{
    static cop_pid pids[PIDS];
    ck_assert_int_eq(run_node(collects_pids, pids), 0);
    qsort(pids, PIDS, sizeof *pids, compare_pids);
    ck_assert(!cop_pid_is_none(pids[0]));
    for (int i = 1; i < PIDS; i++)
        ck_assert(!cop_pid_equal(pids[i - 1], pids[i]));
}
END_TEST

static void outlives_its_predecessor(void *argument)
{
    (void)argument;
    ck_assert(cop_take(NULL, 10) == NULL);
    trace("the successor got nothing");
}

static void talks_to_the_dead(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_pid dead = cop_spawn(returns, NULL, 0);
    settle();
    cop_pid successor = cop_spawn(outlives_its_predecessor, NULL, 0);
    ck_assert_uint_eq(dead.bits & 0xffffff, successor.bits & 0xffffff);   /* in its very place */
    ck_assert_int_eq(cop_send(dead, go), COP_OK);
    cop_exit_process(dead, COP_KILL);
    ck_assert_int_eq(cop_link(dead), COP_OK);
    trace_exit_from("the dead", dead);
    trace_down("the dead", cop_monitor(dead));
    trace("the dead is alive: %d, the successor: %d", cop_is_alive(dead), cop_is_alive(successor));
    cop_sleep(20);
}

START_TEST(what_is_sent_to_a_dead_pid_does_not_reach_its_successor)
{
    expect_story(talks_to_the_dead, "exit from the dead: noproc\n"
                                    "the dead down: noproc\n"
                                    "the dead is alive: 0, the successor: 1\n"
                                    "the successor got nothing\n");
}
END_TEST

/* A sender that found its receiver alive and was then held up until after its end pushes onto the
 * stack of whoever has its place by then.  Here that is done by hand. */
static void push_late(cop_pid meant, struct signal *signal)
{
    struct process *successor = copi_self();
    signal->target = meant.bits;
    signal->next = atomic_load(&successor->incoming);
    ck_assert(atomic_compare_exchange_strong(&successor->incoming, &signal->next, signal));
}

static void is_sent_what_was_meant_for_another(void *argument)
{
    const cop_pid *predecessor = argument;
    ck_assert_uint_eq(predecessor->bits & 0xffffff, cop_self().bits & 0xffffff);
    cop_message *message = cop_new(note, .n = 1);
    copi_message_disown(copi_signal_of(message));
    push_late(*predecessor, copi_signal_of(message));
    push_late(*predecessor, copi_signal_new(SIGNAL_LINK, cop_parent(), 0, NULL));
    push_late(*predecessor, copi_signal_new(SIGNAL_MONITOR, cop_parent(), 123, NULL));
    push_late(*predecessor, copi_signal_new(SIGNAL_EXIT, cop_parent(), 0, COP_KILL));
    cop_yield();
    ck_assert_uint_eq(copi_self()->relations.count, 0);
    trace("still there, messages: %zu", cop_mailbox_length());
}

static void has_a_late_sender(void *argument)
{
    (void)argument;
    cop_pid dead = cop_spawn(returns, NULL, 0);
    settle();
    cop_spawn(is_sent_what_was_meant_for_another, &dead, sizeof dead);
    settle();
}

START_TEST(what_comes_late_for_a_predecessor_is_treated_as_sent_to_the_dead)
{
    expect_story(has_a_late_sender, "still there, messages: 0\n");
}
END_TEST

static void prints_pids(void *argument)
{
    (void)argument;
    char text[32], tiny[4];
    cop_pid child = cop_spawn(returns, NULL, 0);
    cop_pid_format(cop_self(), text, sizeof text);
    trace("first %s", text);
    cop_pid_format(child, text, sizeof text);
    trace("second %s", text);
    ck_assert_int_eq(cop_pid_format(child, tiny, sizeof tiny), 5);
    trace("cut %s", tiny);
    ck_assert(!cop_is_alive(COP_NO_PID));
    ck_assert(!cop_is_alive((cop_pid){ UINT64_MAX }));
}

START_TEST(a_pid_prints_as_index_and_generation)
{
    expect_story(prints_pids, "first <0.1>\n"
                              "second <1.1>\n"
                              "cut <1.\n");
}
END_TEST

/* ---- turns and time ------------------------------------------------------------------ */

static void takes_turns(void *argument)
{
    for (int i = 1; i <= 3; i++) {
        trace("%s %d", (const char *)argument, i);
        cop_yield();
    }
}

static void watches_turns(void *argument)
{
    (void)argument;
    cop_spawn(takes_turns, "left", 0);
    cop_spawn(takes_turns, "right", 0);
    settle();
}

START_TEST(a_yield_gives_the_others_a_turn)
{
    expect_story(watches_turns, "left 1\nright 1\nleft 2\nright 2\nleft 3\nright 3\n");
}
END_TEST

static void sleeps(void *argument)
{
    int ms = (int)(intptr_t)argument;
    cop_sleep(ms);
    trace("slept %d until %d", ms, (int)cop_now_ms());
}

static void sleeps_with_mail(void *argument)
{
    (void)argument;
    cop_send(cop_self(), note, .n = 1);
    cop_send(cop_self(), note, .n = 2);
    int64_t before = cop_now_ns();
    cop_sleep(0);
    ck_assert_int_eq(cop_now_ns(), before);
    cop_sleep(50);
    ck_assert_int_eq(cop_now_ns() - before, 50 * 1000000);
    ck_assert_uint_eq(cop_mailbox_length(), 2);
    trace("first %d", cop_receive_type(note, 0)->n);
}

static void watches_sleepers(void *argument)
{
    (void)argument;
    cop_spawn(sleeps, (void *)30, 0);
    cop_spawn(sleeps, (void *)10, 0);
    cop_spawn(sleeps, (void *)20, 0);
    cop_spawn(sleeps, (void *)10, 0);
    sleeps_with_mail(NULL);
    cop_sleep(86400 * 1000);                   /* a day, at once */
    trace("and now it is %d", (int)cop_now_ms());
}

START_TEST(sleepers_wake_in_the_order_of_their_times_and_leave_the_mail_alone)
{
    expect_story(watches_sleepers, "slept 10 until 10\n"
                                   "slept 10 until 10\n"
                                   "slept 20 until 20\n"
                                   "slept 30 until 30\n"
                                   "first 1\n"
                                   "and now it is 86400050\n");
}
END_TEST

static Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *ends = tcase_create("ends");
    tcase_add_test(ends, a_process_ends_normally_when_it_returns_else_with_the_reason_it_gives);
    tcase_add_test(ends, only_an_end_of_its_own_that_is_abnormal_is_reported);
    tcase_add_test(ends, an_exit_deep_in_calls_leaves_the_stack_usable_for_the_next);
    suite_add_tcase(suite, ends);
    TCase *pids = tcase_create("pids");
    tcase_add_test(pids, no_two_processes_have_one_pid);
    tcase_add_test(pids, what_is_sent_to_a_dead_pid_does_not_reach_its_successor);
    tcase_add_test(pids, what_comes_late_for_a_predecessor_is_treated_as_sent_to_the_dead);
    tcase_add_test(pids, a_pid_prints_as_index_and_generation);
    suite_add_tcase(suite, pids);
    TCase *turns = tcase_create("turns");
    tcase_add_test(turns, a_yield_gives_the_others_a_turn);
    tcase_add_test(turns, sleepers_wake_in_the_order_of_their_times_and_leave_the_mail_alone);
    suite_add_tcase(suite, turns);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(process_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
