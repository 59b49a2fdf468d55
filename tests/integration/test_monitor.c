/* test_monitor.c - monitors: they fire once with the reason, stack, name what they watch, and
 * can be taken off with nothing left behind. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "expect_story.h"
#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static void waits_and_exits(void *argument)
{
    cop_receive_type(go, COP_INFINITY);
    if (argument != NULL)
        cop_exit(cop_reason_atom(argument));
}

static void is_named(void *argument)
{
    ck_assert_int_eq(cop_register(argument), COP_OK);
    waits_and_exits("boom");
}

/* ---- what a down message says -------------------------------------------------------- */

static void reads_a_down_message(void *argument)
{
    (void)argument;
    cop_pid child = cop_spawn(waits_and_exits, "boom", 0);
    cop_ref ref = cop_monitor(child);
    ck_assert(cop_pid_equal(ref.owner, cop_self()));
    ck_assert_uint_ne(ref.serial, 0);
    cop_send(child, go);
    const cop_message *message = cop_receive(COP_INFINITY);
    const cop_down_message *down = cop_expect(message, cop_down_message);
    ck_assert(cop_ref_equal(down->ref, ref));
    ck_assert(cop_pid_equal(down->pid, child));
    ck_assert(cop_pid_equal(message->from, child));
    ck_assert_uint_eq(message->ref, ref.serial);
    ck_assert_ptr_null(down->name);
    trace("down: %s", reason_text(down->reason));
    expect_empty_mailbox();
}

START_TEST(a_down_message_has_the_reference_the_pid_and_the_reason)
{
    expect_story(reads_a_down_message, "down: boom\n");
}
END_TEST

static void is_watched_only(void *argument)
{
    (void)argument;
    cop_exit(cop_reason_atom("watcher_ends"));
}

static void watches_one_way(void *argument)
{
    const cop_pid *other = argument;
    cop_monitor(*other);
    is_watched_only(NULL);
}

static void lives_on_after_its_watcher(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_ref ref;
    cop_spawn_monitor(watches_one_way, &self, sizeof self, &ref);
    trace_down("the watcher", ref);
    expect_empty_mailbox();
}

START_TEST(a_monitor_works_in_one_direction)
{
    expect_story(lives_on_after_its_watcher, "the watcher down: watcher_ends\n");
}
END_TEST

/* ---- by name ------------------------------------------------------------------------- */

static void trace_named_down(cop_ref ref)
{
    cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
    const cop_down_message *down = cop_expect(message, cop_down_message);
    trace("%s %s down: %s", down->name == NULL ? "no name" : down->name,
          cop_pid_is_none(down->pid) ? "nobody" : "somebody", reason_text(down->reason));
    cop_message_free(message);
}

static void monitors_names(void *argument)
{
    (void)argument;
    char name[] = "baker";
    cop_pid baker = cop_spawn(is_named, "baker", 0);
    settle();
    cop_ref by_name = cop_monitor(name), by_pid = cop_monitor(baker);
    memset(name, 'x', sizeof name - 1);              /* the name was copied */
    cop_ref unknown = cop_monitor("butcher");
    trace_named_down(unknown);
    cop_send("baker", go);
    trace_named_down(by_name);
    trace_named_down(by_pid);
    trace_named_down(cop_monitor("baker"));
    expect_empty_mailbox();
}

START_TEST(a_monitor_by_name_says_the_name_and_nobody_is_down_with_noproc_at_once)
{
    expect_story(monitors_names, "butcher nobody down: noproc\n"
                                 "baker somebody down: boom\n"
                                 "no name somebody down: boom\n"
                                 "baker nobody down: noproc\n");
}
END_TEST

static void monitors_a_name_that_moves(void *argument)
{
    (void)argument;
    cop_pid first = cop_spawn(is_named, "baker", 0);
    settle();
    cop_ref ref = cop_monitor("baker");
    ck_assert_int_eq(cop_unregister("baker"), COP_OK);
    cop_pid second = cop_spawn(is_named, "baker", 0);
    settle();
    cop_send(second, go);
    expect_empty_mailbox();                          /* the name was resolved once */
    cop_send(first, go);
    trace_named_down(ref);
}

START_TEST(a_name_is_resolved_when_the_monitor_is_made)
{
    expect_story(monitors_a_name_that_moves, "baker somebody down: boom\n");
}
END_TEST

/* ---- the dead and oneself ------------------------------------------------------------ */

static void monitors_the_dead(void *argument)
{
    (void)argument;
    cop_pid dead = cop_spawn(waits_and_exits, "boom", 0);
    cop_send(dead, go);
    settle();
    trace_down("the dead", cop_monitor(dead));
    trace_down("nobody", cop_monitor(COP_NO_PID));
    cop_ref ref = cop_monitor(dead);
    ck_assert(cop_demonitor(ref));       /* the down message has not been received yet */
    expect_empty_mailbox();
}

START_TEST(a_monitor_of_the_dead_fires_at_once_with_noproc)
{
    expect_story(monitors_the_dead, "the dead down: noproc\n"
                                    "nobody down: noproc\n");
}
END_TEST

static void monitors_itself(void *argument)
{
    (void)argument;
    cop_ref ref = cop_monitor(cop_self()), other = cop_monitor(cop_self());
    ck_assert(!cop_ref_equal(ref, COP_NO_REF) && !cop_ref_equal(ref, other));
    ck_assert(!cop_demonitor(ref));
    ck_assert(!cop_demonitor_flush(other));
    cop_monitor(cop_self());
    expect_empty_mailbox();
    trace("nothing happened");
}

START_TEST(a_monitor_of_itself_yields_nothing)
{
    expect_story(monitors_itself, "nothing happened\n");
}
END_TEST

/* ---- stacking ------------------------------------------------------------------------ */

enum { STACKED = 500 };

static void stacks_monitors(void *argument)
{
    (void)argument;
    cop_ref refs[STACKED];
    cop_pid child = cop_spawn(waits_and_exits, "boom", 0);
    for (int i = 0; i < STACKED; i++) {
        refs[i] = cop_monitor(child);
        for (int j = 0; j < i; j += 17) ck_assert(!cop_ref_equal(refs[i], refs[j]));
    }
    for (int i = 0; i < STACKED; i += 5) ck_assert(cop_demonitor(refs[i]));
    for (int i = 0; i < STACKED; i += 5) ck_assert(!cop_demonitor(refs[i]));
    cop_send(child, go);
    settle();
    ck_assert_uint_eq(cop_mailbox_length(), STACKED - STACKED / 5);
    for (int i = 0; i < STACKED; i++) {
        cop_message *down = cop_take(&(cop_match){ .ref = refs[i] }, 0);
        ck_assert_int_eq(down == NULL, i % 5 == 0);
        ck_assert(down == NULL || cop_is(down, cop_down_message));
        cop_message_free(down);
    }
    expect_empty_mailbox();
    trace("each fired once");
}

START_TEST(monitors_stack_and_each_that_is_on_fires_once)
{
    expect_story(stacks_monitors, "each fired once\n");
}
END_TEST

/* ---- taken off ----------------------------------------------------------------------- */

static void demonitors(void *argument)
{
    (void)argument;
    cop_pid child = cop_spawn(waits_and_exits, "boom", 0);
    cop_ref on = cop_monitor(child), off = cop_monitor(child);
    trace("demonitor: %d", cop_demonitor(off));
    trace("again: %d", cop_demonitor(off));
    cop_send(child, go);
    settle();
    ck_assert_uint_eq(cop_mailbox_length(), 1);
    trace("after the end: %d", cop_demonitor(on));
    trace("the message is still there: %zu", cop_mailbox_length());
    trace("with flush: %d", cop_demonitor_flush(on));
    trace("and now: %zu", cop_mailbox_length());
    ck_assert(!cop_demonitor_flush(on));
    ck_assert(!cop_demonitor(COP_NO_REF));
    ck_assert(!cop_demonitor_flush((cop_ref){ child, 1 }));
}

START_TEST(demonitor_says_whether_it_was_on_and_flush_removes_the_message)
{
    expect_story(demonitors, "demonitor: 1\n"
                             "again: 0\n"
                             "after the end: 0\n"
                             "the message is still there: 1\n"
                             "with flush: 0\n"
                             "and now: 0\n");
}
END_TEST

static void flushes_only_its_own(void *argument)
{
    (void)argument;
    cop_pid child = cop_spawn(waits_and_exits, "boom", 0);
    cop_ref first = cop_monitor(child);
    cop_send(cop_self(), note, .n = 1);
    cop_ref second = cop_monitor(child);
    cop_send(child, go);
    settle();
    cop_send(cop_self(), note, .n = 2);
    ck_assert(!cop_demonitor_flush(first));
    trace("note %d", cop_expect(cop_receive(0), note)->n);
    trace_down("second", second);
    trace("note %d", cop_expect(cop_receive(0), note)->n);
    expect_empty_mailbox();
}

START_TEST(a_flush_takes_its_own_message_and_leaves_the_others_in_order)
{
    expect_story(flushes_only_its_own, "note 1\n"
                                       "second down: boom\n"
                                       "note 2\n");
}
END_TEST

static void demonitors_for_others(void *argument)
{
    const cop_ref *ref = argument;
    cop_ref own = cop_monitor(ref->owner);
    ck_assert_uint_eq(own.serial, ref->serial);      /* told apart by the owner alone */
    trace("another's: %d", cop_demonitor(*ref));
    ck_assert(!cop_demonitor_flush(*ref));
    trace("its own: %d", cop_demonitor(own));
}

static void keeps_its_monitor(void *argument)
{
    (void)argument;
    cop_pid child = cop_spawn(waits_and_exits, "boom", 0);
    cop_ref ref = cop_monitor(child);
    cop_spawn(demonitors_for_others, &ref, sizeof ref);
    settle();
    cop_send(child, go);
    trace_down("the child", ref);
}

START_TEST(only_its_owner_can_take_a_monitor_off)
{
    expect_story(keeps_its_monitor, "another's: 0\n"
                                    "its own: 1\n"
                                    "the child down: boom\n");
}
END_TEST

/* ---- with spawn ---------------------------------------------------------------------- */

static void ends_at_once(void *argument)
{
    cop_exit(cop_reason_atom(argument));
}

static void spawns_with_monitors(void *argument)
{
    (void)argument;
    cop_ref refs[3];
    cop_spawn_monitor(ends_at_once, "one", 0, &refs[0]);
    cop_spawn_monitor(ends_at_once, "two", 0, &refs[1]);
    cop_trap_exit(true);
    cop_pid both = cop_spawn_opt(ends_at_once, "three", 0,
                                 &(cop_spawn_options){ .link = true, .monitor = true,
                                                       .ret_ref = &refs[2] });
    for (int i = 2; i >= 0; i--) trace_down("spawned", refs[i]);
    trace_exit_from("spawned", both);
    cop_spawn_opt(ends_at_once, "unheard", 0, &(cop_spawn_options){ .monitor = true });
    trace("nobody asked for the reference: %s",
          reason_text(cop_receive_type(cop_down_message, COP_INFINITY)->reason));
    expect_empty_mailbox();
}

START_TEST(a_monitor_made_by_spawn_has_the_true_reason_however_soon_the_end)
{
    expect_story(spawns_with_monitors, "spawned down: three\n"
                                       "spawned down: two\n"
                                       "spawned down: one\n"
                                       "exit from spawned: three\n"
                                       "nobody asked for the reference: unheard\n");
}
END_TEST

/* ---- a receive by a fresh reference -------------------------------------------------- */

enum { BACKLOG = 20000, CALLS = 2000 };

COP_MESSAGE(question, { cop_ref from; });

static void answers(void *argument)
{
    (void)argument;
    for (int i = 0; i < CALLS; i++) {
        cop_ref from = cop_receive_type(question, COP_INFINITY)->from;
        cop_message *reply = cop_new(note, .n = i);
        reply->ref = from.serial;
        cop_send_message(cop_to(from), reply);
    }
}

static void calls_with_a_backlog(void *argument)
{
    (void)argument;
    cop_pid self = cop_self(), server = cop_spawn(answers, NULL, 0);
    for (int i = 0; i < BACKLOG; i++) cop_send(self, go);
    for (int i = 0; i < CALLS; i++) {
        cop_ref ref = cop_monitor_opt(cop_to(server), COP_ALIAS_REPLY);
        cop_send(server, question, .from = ref);
        cop_message *reply = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
        ck_assert_int_eq(cop_expect(reply, note)->n, i);
        cop_message_free(reply);
    }
    ck_assert_uint_eq(cop_mailbox_length(), BACKLOG);
}

START_TEST(answers_are_found_behind_a_backlog_and_the_backlog_stays)
{
    ck_assert_int_eq(run_node(calls_with_a_backlog, NULL), 0);
}
END_TEST

static Suite *monitor_suite(void)
{
    Suite *suite = suite_create("monitor");
    TCase *tests = tcase_create("monitor");
    tcase_add_test(tests, a_down_message_has_the_reference_the_pid_and_the_reason);
    tcase_add_test(tests, a_monitor_works_in_one_direction);
    tcase_add_test(tests, a_monitor_by_name_says_the_name_and_nobody_is_down_with_noproc_at_once);
    tcase_add_test(tests, a_name_is_resolved_when_the_monitor_is_made);
    tcase_add_test(tests, a_monitor_of_the_dead_fires_at_once_with_noproc);
    tcase_add_test(tests, a_monitor_of_itself_yields_nothing);
    tcase_add_test(tests, monitors_stack_and_each_that_is_on_fires_once);
    tcase_add_test(tests, demonitor_says_whether_it_was_on_and_flush_removes_the_message);
    tcase_add_test(tests, a_flush_takes_its_own_message_and_leaves_the_others_in_order);
    tcase_add_test(tests, only_its_owner_can_take_a_monitor_off);
    tcase_add_test(tests, a_monitor_made_by_spawn_has_the_true_reason_however_soon_the_end);
    tcase_add_test(tests, answers_are_found_behind_a_backlog_and_the_backlog_stays);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(monitor_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
