/* test_exit_signals.c - what an exit signal does, by reason, form, sender and trap_exit: each row
 * of OTP's table; when a signal takes effect, and what happens to those behind it. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect_story.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

/* ---- the table ------------------------------------------------------------------------
 *
 * A sender sends the victim one exit signal and then `go`.  A victim that gets to see `go` has
 * survived. */

enum form {
    LINKED,      /* the sender is linked to the victim and ends with the reason */
    EXPLICIT,    /* the sender calls cop_exit_process */
    TO_SELF      /* the victim itself calls it */
};

struct row {
    enum form form;
    const char *reason;
    bool traps;
};

struct sender {
    struct row row;
    cop_pid victim;
};

static void sends(void *argument)
{
    const struct sender *sender = argument;
    const cop_reason *reason = cop_reason_atom(sender->row.reason);
    if (sender->row.form == LINKED) {
        ck_assert_int_eq(cop_link(sender->victim), COP_OK);
        cop_send(sender->victim, go);
        cop_exit(reason);
    }
    cop_exit_process(sender->victim, reason);
    cop_send(sender->victim, go);
}

static void is_victim(void *argument)
{
    const struct row *row = argument;
    if (row->form == TO_SELF) {
        cop_exit_process(cop_self(), cop_reason_atom(row->reason));
        cop_send(cop_self(), go);
    }
    bool went = false, got = false;
    while (!went || (row->form == LINKED && row->traps && !got)) {
        const cop_message *message = cop_receive(100);
        ck_assert(message != NULL);
        went = went || cop_is(message, go);
        if (cop_is(message, cop_exit_message)) {
            const cop_exit_message *exit = cop_get(message, cop_exit_message);
            ck_assert(cop_pid_equal(exit->from, message->from));
            trace("    message {'EXIT', %s, %s}",
                  cop_pid_equal(exit->from, cop_self()) ? "self" : "sender",
                  reason_text(exit->reason));
            got = true;
        }
    }
    cop_sleep(1);                /* a linked sender has ended by now */
    trace("    lives on");
    cop_exit(cop_reason_atom("its own end"));
}

static void try_row(enum form form, const char *reason, bool traps)
{
    static const char *const forms[] = { "linked", "explicit", "to itself" };
    struct row row = { form, reason, traps };
    trace("%s, %s, %s", reason, forms[form], traps ? "trapping" : "not trapping");
    cop_ref ref;
    struct sender sender = { row, cop_spawn_opt(is_victim, &row, sizeof row,
                                                &(cop_spawn_options){ .monitor = true,
                                                                      .ret_ref = &ref,
                                                                      .trap_exit = traps }) };
    if (form != TO_SELF) {
        cop_yield();
        cop_spawn(sends, &sender, sizeof sender);
    }
    trace_down("    the victim", ref);
}

static void tries_normal(void *argument)
{
    (void)argument;
    for (int traps = 0; traps <= 1; traps++) {
        try_row(LINKED, "normal", traps);
        try_row(EXPLICIT, "normal", traps);
        try_row(TO_SELF, "normal", traps);
    }
}

START_TEST(normal_is_ignored_but_by_oneself_and_is_a_message_when_trapping)
{
    expect_story(tries_normal,
                 "normal, linked, not trapping\n"
                 "    lives on\n"
                 "    the victim down: its own end\n"
                 "normal, explicit, not trapping\n"
                 "    lives on\n"
                 "    the victim down: its own end\n"
                 "normal, to itself, not trapping\n"
                 "    the victim down: normal\n"
                 "normal, linked, trapping\n"
                 "    message {'EXIT', sender, normal}\n"
                 "    lives on\n"
                 "    the victim down: its own end\n"
                 "normal, explicit, trapping\n"
                 "    message {'EXIT', sender, normal}\n"
                 "    lives on\n"
                 "    the victim down: its own end\n"
                 "normal, to itself, trapping\n"
                 "    message {'EXIT', self, normal}\n"
                 "    lives on\n"
                 "    the victim down: its own end\n");
}
END_TEST

static void tries_kill(void *argument)
{
    (void)argument;
    for (int traps = 0; traps <= 1; traps++) {
        try_row(EXPLICIT, "kill", traps);
        try_row(TO_SELF, "kill", traps);
        try_row(LINKED, "kill", traps);
    }
}

START_TEST(kill_is_untrappable_and_gives_killed_but_a_linked_kill_is_like_any_other)
{
    expect_story(tries_kill,
                 "kill, explicit, not trapping\n"
                 "    the victim down: killed\n"
                 "kill, to itself, not trapping\n"
                 "    the victim down: killed\n"
                 "kill, linked, not trapping\n"
                 "    the victim down: kill\n"
                 "kill, explicit, trapping\n"
                 "    the victim down: killed\n"
                 "kill, to itself, trapping\n"
                 "    the victim down: killed\n"
                 "kill, linked, trapping\n"
                 "    message {'EXIT', sender, kill}\n"
                 "    lives on\n"
                 "    the victim down: its own end\n");
}
END_TEST

/* All other reasons behave alike. */
static void tries_the_others(void *argument)
{
    (void)argument;
    static const char *const reasons[] = { "killed", "noproc", "noconnection", "shutdown", "boom" };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        for (enum form form = LINKED; form <= TO_SELF; form++) {
            trace_reset();
            try_row(form, reasons[i], false);
            char expected[200];
            snprintf(expected, sizeof expected, "the victim down: %s\n", reasons[i]);
            ck_assert_msg(strstr(trace_text(), expected) != NULL, "%s", trace_text());
            ck_assert(strstr(trace_text(), "lives on") == NULL);

            trace_reset();
            try_row(form, reasons[i], true);
            snprintf(expected, sizeof expected,
                     "    message {'EXIT', %s, %s}\n"
                     "    lives on\n"
                     "    the victim down: its own end\n",
                     form == TO_SELF ? "self" : "sender", reasons[i]);
            ck_assert_msg(strstr(trace_text(), expected) != NULL, "%s", trace_text());
        }
    }
    trace_reset();
    trace("all tried");
}

START_TEST(every_other_reason_is_passed_on_or_is_a_message_when_trapping)
{
    expect_story(tries_the_others, "all tried\n");
}
END_TEST

static void is_sent_a_tuple(void *argument)
{
    (void)argument;
    cop_receive(COP_INFINITY);
    trace("survived");
}

static void sends_tuples(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid victim = cop_spawn_monitor(is_sent_a_tuple, NULL, 0, &ref);
    cop_exit_process(victim, cop_reason_tuple("kill", cop_reason_atom("me")));
    trace_down("by {kill, me}", ref);
    victim = cop_spawn_monitor(is_sent_a_tuple, NULL, 0, &ref);
    cop_exit_process(victim, cop_reason_tuple("normal", cop_reason_atom("end")));
    trace_down("by {normal, end}", ref);
    victim = cop_spawn_monitor(is_sent_a_tuple, NULL, 0, &ref);
    cop_exit_process(victim, cop_reason_error("kill"));
    trace_down("by an error called kill", ref);
}

START_TEST(only_the_atoms_themselves_are_special)
{
    expect_story(sends_tuples, "by {kill, me} down: kill:me\n"
                               "by {normal, end} down: normal:end\n"
                               "by an error called kill down: error:kill\n");
}
END_TEST

/* ---- a linked process that has been unlinked ----------------------------------------- */

static void ends_on_command(void *argument)
{
    cop_receive_type(go, COP_INFINITY);
    cop_exit(cop_reason_atom(argument));
}

static void unlinks_before(void *argument)
{
    (void)argument;
    for (int traps = 0; traps <= 1; traps++) {
        cop_trap_exit(traps);
        cop_pid child = cop_spawn_link(ends_on_command, "boom", 0);
        cop_unlink(child);
        cop_send(child, go);
        cop_ref ref = cop_monitor(child);
        trace_down("the child", ref);
        expect_empty_mailbox();
    }
    trace("nothing came");
}

START_TEST(a_linked_exit_after_the_link_was_taken_away_is_dropped)
{
    expect_story(unlinks_before, "the child down: boom\n"
                                 "the child down: boom\n"
                                 "nothing came\n");
}
END_TEST

/* ---- when it takes effect ------------------------------------------------------------ */

static void traps_late(void *argument)
{
    (void)argument;
    cop_yield();                         /* the signal has been sent, and is received here */
    cop_trap_exit(true);
    trace("too late");
}

static void traps_in_time(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_yield();
    const cop_exit_message *exit = cop_receive_type(cop_exit_message, COP_INFINITY);
    trace("a message: %s", reason_text(exit->reason));
    cop_trap_exit(false);
    cop_receive(COP_INFINITY);
}

static void decides_at_reception(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid late = cop_spawn_monitor(traps_late, NULL, 0, &ref);
    cop_yield();
    cop_exit_process(late, cop_reason_atom("boom"));
    trace_down("late", ref);
    cop_pid in_time = cop_spawn_monitor(traps_in_time, NULL, 0, &ref);
    cop_yield();
    cop_exit_process(in_time, cop_reason_atom("first"));
    settle();
    cop_exit_process(in_time, cop_reason_atom("second"));
    trace_down("in time", ref);
}

START_TEST(whether_it_traps_is_decided_when_the_signal_is_received)
{
    expect_story(decides_at_reception, "late down: boom\n"
                                       "a message: first\n"
                                       "in time down: second\n");
}
END_TEST

/* A thread of the program's own sends the signal while the process runs. */
static void *sends_from_outside(void *argument)
{
    cop_exit_process(*(cop_pid *)argument, cop_reason_atom("boom"));
    return NULL;
}

static void is_sent_a_signal_while_it_runs(bool trapped)
{
    cop_pid self = cop_self();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, sends_from_outside, &self), 0);
    pthread_join(thread, NULL);              /* it has arrived now */
    cop_trap_exit(trapped);
    trace("    message: %s", cop_receive_type(cop_exit_message, 0) == NULL ? "none" : "exit");
}

static void traps_too_late(void *argument)
{
    (void)argument;
    is_sent_a_signal_while_it_runs(true);
}

static void stops_trapping_too_late(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    is_sent_a_signal_while_it_runs(false);
}

static void changes_the_setting_too_late(void *argument)
{
    (void)argument;
    trace_end_of("traps too late", traps_too_late, NULL);
    trace_end_of("stops trapping too late", stops_trapping_too_late, NULL);
}

START_TEST(a_signal_that_has_arrived_is_received_under_the_old_setting)
{
    expect_story(changes_the_setting_too_late, "traps too late down: boom\n"
                                               "    message: exit\n"
                                               "stops trapping too late down: normal\n");
}
END_TEST

static void never_starts(void *argument)
{
    (void)argument;
    trace("started");
}

static void kills_the_unborn(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid child = cop_spawn_monitor(never_starts, NULL, 0, &ref);
    cop_exit_process(child, cop_reason_atom("early"));
    ck_assert(cop_is_alive(child));      /* it has not received it yet */
    trace_down("the child", ref);
}

START_TEST(a_process_sent_a_deadly_signal_before_its_first_step_does_not_start)
{
    expect_story(kills_the_unborn, "the child down: early\n");
}
END_TEST

static void gets_two(void *argument)
{
    (void)argument;
    cop_receive(COP_INFINITY);
}

static void sends_two(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid victim = cop_spawn_monitor(gets_two, NULL, 0, &ref);
    settle();
    cop_exit_process(victim, cop_reason_atom("first"));
    cop_exit_process(victim, COP_KILL);
    cop_exit_process(victim, cop_reason_atom("third"));
    trace_down("the victim", ref);
    cop_exit_process(victim, COP_KILL);
    expect_empty_mailbox();
}

START_TEST(a_process_ends_once_of_the_first_deadly_signal)
{
    expect_story(sends_two, "the victim down: first\n");
}
END_TEST

static void dies_by_itself(void *argument)
{
    (void)argument;
    cop_exit_process(cop_self(), cop_reason_atom("mine"));
    trace("goes on");
}

static void dies_in_the_order_of_sending(void *argument)
{
    const cop_pid *parent = argument;
    cop_send(*parent, note, .n = 1);
    cop_send(*parent, note, .n = 2);
    cop_exit(cop_reason_atom("boom"));
}

static void receives_in_order(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_trap_exit(true);
    trace_end_of("by itself", dies_by_itself, NULL);
    cop_pid child = cop_spawn_opt(dies_in_the_order_of_sending, &self, sizeof self,
                                  &(cop_spawn_options){ .link = true, .monitor = true });
    settle();
    for (int i = 0; i < 4; i++) {
        const cop_message *message = cop_receive(0);
        ck_assert(cop_pid_equal(message->from, child));
        trace("%s", message->type->name);
    }
}

START_TEST(signals_of_one_sender_arrive_in_order_over_all_kinds)
{
    expect_story(receives_in_order, "by itself down: mine\n"
                                    "note\n"
                                    "note\n"
                                    "cop_exit_message\n"
                                    "cop_down_message\n");
}
END_TEST

/* ---- what is behind a deadly signal is for the dead ---------------------------------- */

static void watches_the_dying(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_ref before, behind;
    cop_pid victim = cop_spawn(gets_two, NULL, 0);
    settle();
    before = cop_monitor(victim);
    cop_exit_process(victim, cop_reason_atom("boom"));
    cop_send(victim, go);
    behind = cop_monitor(victim);
    ck_assert_int_eq(cop_link(victim), COP_OK);
    trace_down("monitor before", before);
    trace_down("monitor behind", behind);
    trace_exit_from("link behind", victim);
    expect_empty_mailbox();
}

START_TEST(what_arrives_behind_a_deadly_signal_is_answered_with_noproc)
{
    expect_story(watches_the_dying, "monitor before down: boom\n"
                                    "monitor behind down: noproc\n"
                                    "exit from link behind: noproc\n");
}
END_TEST

static void unlinks_and_demonitors_the_dying(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_ref ref;
    cop_pid victim = cop_spawn_monitor(gets_two, NULL, 0, &ref);
    ck_assert_int_eq(cop_link(victim), COP_OK);
    settle();
    cop_exit_process(victim, cop_reason_atom("boom"));
    cop_unlink(victim);
    ck_assert(cop_demonitor(ref));
    expect_empty_mailbox();
    ck_assert(!cop_is_alive(victim));
    trace("nothing came");
}

START_TEST(who_lets_go_behind_a_deadly_signal_hears_nothing)
{
    expect_story(unlinks_and_demonitors_the_dying, "nothing came\n");
}
END_TEST

/* ---- chains -------------------------------------------------------------------------- */

static void is_in_a_chain(void *argument)
{
    int depth = *(int *)argument - 1;
    if (depth > 0)
        cop_spawn_link(is_in_a_chain, &depth, sizeof depth);
    else
        cop_exit(cop_reason_atom("chain"));
    cop_receive(COP_INFINITY);
}

static void watches_a_chain(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    int depth = 1000;
    cop_pid first = cop_spawn_link(is_in_a_chain, &depth, sizeof depth);
    trace_exit_from("the first", first);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(an_exit_passes_on_through_a_chain_of_a_thousand_links)
{
    expect_story(watches_a_chain, "exit from the first: chain\n");
}
END_TEST

enum { LONG = 1000 };

static void raises_at_length(void *argument)
{
    (void)argument;
    cop_raise("%0*d", LONG, 7);
}

static void hears_at_length(void *argument)
{
    (void)argument;
    char text[2 * LONG];
    cop_ref ref;
    cop_spawn_monitor(raises_at_length, NULL, 0, &ref);
    const cop_message *message = cop_receive_match(&(cop_match){ .ref = ref }, COP_INFINITY);
    cop_reason_format(cop_expect(message, cop_down_message)->reason, text, sizeof text);
    trace("%zu characters, the last is %c", strlen(text) - strlen("error:"),
          text[strlen(text) - 1]);
}

START_TEST(a_reasons_text_may_be_long)
{
    expect_story(hears_at_length, "1000 characters, the last is 7\n");
}
END_TEST

static Suite *exit_signals_suite(void)
{
    Suite *suite = suite_create("exit_signals");
    TCase *tests = tcase_create("exit_signals");
    tcase_add_test(tests, normal_is_ignored_but_by_oneself_and_is_a_message_when_trapping);
    tcase_add_test(tests, kill_is_untrappable_and_gives_killed_but_a_linked_kill_is_like_any_other);
    tcase_add_test(tests, every_other_reason_is_passed_on_or_is_a_message_when_trapping);
    tcase_add_test(tests, only_the_atoms_themselves_are_special);
    tcase_add_test(tests, a_linked_exit_after_the_link_was_taken_away_is_dropped);
    tcase_add_test(tests, whether_it_traps_is_decided_when_the_signal_is_received);
    tcase_add_test(tests, a_signal_that_has_arrived_is_received_under_the_old_setting);
    tcase_add_test(tests, a_process_sent_a_deadly_signal_before_its_first_step_does_not_start);
    tcase_add_test(tests, a_process_ends_once_of_the_first_deadly_signal);
    tcase_add_test(tests, signals_of_one_sender_arrive_in_order_over_all_kinds);
    tcase_add_test(tests, what_arrives_behind_a_deadly_signal_is_answered_with_noproc);
    tcase_add_test(tests, who_lets_go_behind_a_deadly_signal_hears_nothing);
    tcase_add_test(tests, an_exit_passes_on_through_a_chain_of_a_thousand_links);
    tcase_add_test(tests, a_reasons_text_may_be_long);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(exit_signals_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
