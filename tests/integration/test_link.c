/* test_link.c - links: made, taken away, made again; with the dead, with oneself, and with both
 * sides at it at once. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>

#include "expect_story.h"
#include "node.h"
#include "runtime/mailbox.h"
#include "runtime/scheduler.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(link_to, { cop_pid pid; });
COP_MESSAGE(unlink_from, { cop_pid pid; });
COP_MESSAGE(end_with, { char reason[16]; });

static void waits(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
}

/* Does as it is told; a puppet that traps says what comes to it. */
static void is_puppet(void *argument)
{
    const char *name = argument;
    for (;;) {
        const cop_message *message = cop_receive(COP_INFINITY);
        if (cop_is(message, link_to)) {
            int error = cop_link(cop_get(message, link_to)->pid);
            if (error != COP_OK)
                trace("%s cannot link: %s", name, cop_error_name(error));
        } else if (cop_is(message, unlink_from)) {
            cop_unlink(cop_get(message, unlink_from)->pid);
        } else if (cop_is(message, end_with)) {
            cop_exit(cop_reason_atom(cop_get(message, end_with)->reason));
        } else if (cop_is(message, cop_exit_message)) {
            trace("%s got exit %s", name, reason_text(cop_get(message, cop_exit_message)->reason));
        }
    }
}

static cop_pid puppet(const char *name, bool traps)
{
    return cop_spawn_opt(is_puppet, name, 0, &(cop_spawn_options){ .trap_exit = traps });
}

static void end(cop_pid pid, const char *reason)
{
    end_with message;
    snprintf(message.reason, sizeof message.reason, "%s", reason);
    cop_send_message(cop_to(pid), cop_message_new(COP_TYPE(end_with), &message, 0));
    settle();
}

/* ---- one link ------------------------------------------------------------------------ */

static void links_in_both_directions(void *argument)
{
    (void)argument;
    for (int first = 0; first <= 1; first++) {
        cop_pid pair[2] = { puppet("left", true), puppet("right", true) };
        cop_send(pair[0], link_to, .pid = pair[1]);
        settle();
        end(pair[first], first == 0 ? "left_ends" : "right_ends");
        ck_assert(!cop_is_alive(pair[first]) && cop_is_alive(pair[1 - first]));
    }
}

START_TEST(a_link_works_in_both_directions)
{
    expect_story(links_in_both_directions, "right got exit left_ends\n"
                                           "left got exit right_ends\n");
}
END_TEST

static void links_often(void *argument)
{
    (void)argument;
    cop_pid left = puppet("left", true), right = puppet("right", true);
    for (int i = 0; i < 3; i++) {
        cop_send(left, link_to, .pid = right);
        cop_send(right, link_to, .pid = left);
    }
    settle();
    end(left, "boom");
    end(right, "done");
    left = puppet("left", true), right = puppet("right", true);
    for (int i = 0; i < 3; i++) cop_send(left, link_to, .pid = right);
    settle();
    cop_send(right, unlink_from, .pid = left);
    settle();
    end(left, "boom");
    trace("one unlink was enough");
}

START_TEST(there_is_at_most_one_link_between_two_processes)
{
    expect_story(links_often, "right got exit boom\n"
                              "one unlink was enough\n");
}
END_TEST

static void links_to_itself(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_link(cop_self()), COP_OK);
    cop_trap_exit(true);
    ck_assert_int_eq(cop_link(cop_self()), COP_OK);
    cop_unlink(cop_self());
    cop_unlink(COP_NO_PID);
    expect_empty_mailbox();
    trace("nothing happened");
}

START_TEST(a_link_to_itself_is_none)
{
    expect_story(links_to_itself, "nothing happened\n");
}
END_TEST

static void links_to_the_dead(void *argument)
{
    (void)argument;
    cop_pid dead = cop_spawn(waits, NULL, 0);
    cop_send(dead, go);
    settle();
    ck_assert_int_eq(cop_link(dead), COP_ENOPROC);
    ck_assert_int_eq(cop_link(COP_NO_PID), COP_ENOPROC);
    expect_empty_mailbox();
    cop_trap_exit(true);
    ck_assert_int_eq(cop_link(dead), COP_OK);
    trace_exit_from("the dead", dead);
    ck_assert_int_eq(cop_link(dead), COP_OK);
    trace_exit_from("the dead", dead);
    cop_unlink(dead);
    expect_empty_mailbox();
}

START_TEST(a_link_to_the_dead_fails_or_is_an_exit_message_when_trapping)
{
    expect_story(links_to_the_dead, "exit from the dead: noproc\n"
                                    "exit from the dead: noproc\n");
}
END_TEST

/* ---- taken away ---------------------------------------------------------------------- */

static void unlinks_from_either_side(void *argument)
{
    (void)argument;
    for (int i = 0; i < 4; i++) {
        cop_pid pair[2] = { puppet("left", true), puppet("right", true) };
        cop_send(pair[0], link_to, .pid = pair[1]);
        settle();
        cop_send(pair[i / 2], unlink_from, .pid = pair[1 - i / 2]);
        settle();
        end(pair[i % 2], "boom");
        ck_assert(!cop_is_alive(pair[i % 2]) && cop_is_alive(pair[1 - i % 2]));
        end(pair[1 - i % 2], "done");
    }
    trace("nobody heard of an end");
}

START_TEST(after_an_unlink_by_either_side_no_exit_passes_in_either_direction)
{
    expect_story(unlinks_from_either_side, "nobody heard of an end\n");
}
END_TEST

static void unlinks_too_late(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_pid child = cop_spawn_link(waits, NULL, 0);
    cop_send(child, go);
    settle();
    cop_unlink(child);
    trace_exit_from("the child", child);
    expect_empty_mailbox();
    cop_unlink(child);
}

START_TEST(an_exit_message_that_is_in_the_mailbox_stays_there_after_an_unlink)
{
    expect_story(unlinks_too_late, "exit from the child: normal\n");
}
END_TEST

static void links_again_at_once(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_pid child = cop_spawn_link(is_puppet, "child", 0);
    cop_unlink(child);
    ck_assert_int_eq(cop_link(child), COP_OK);     /* before the unlink is acknowledged */
    settle();
    end(child, "once");
    trace_exit_from("the child", child);
    expect_empty_mailbox();

    child = cop_spawn_link(is_puppet, "child", 0);
    for (int i = 0; i < 5; i++) {
        cop_unlink(child);
        ck_assert_int_eq(cop_link(child), COP_OK);
    }
    cop_unlink(child);
    cop_unlink(child);
    end(child, "twice");
    expect_empty_mailbox();
}

START_TEST(a_link_made_again_before_the_unlink_has_arrived_holds)
{
    expect_story(links_again_at_once, "exit from the child: once\n");
}
END_TEST

static void links_of_a_spawner(void *argument)
{
    (void)argument;
    cop_spawn_link(waits, NULL, 0);
    cop_spawn_opt(is_puppet, "trapping child", 0, &(cop_spawn_options){ .link = true,
                                                                        .trap_exit = true });
    cop_exit(cop_reason_atom("spawner_ends"));     /* before any of them has made a step */
}

static void spawns_links(void *argument)
{
    (void)argument;
    cop_spawn(links_of_a_spawner, NULL, 0);
    settle();
    ck_assert_uint_eq(cop_process_count(), 2);     /* this and the trapping one */
}

START_TEST(a_link_made_by_spawn_holds_from_the_first_moment)
{
    expect_story(spawns_links, "trapping child got exit spawner_ends\n");
}
END_TEST

/* The table of links, monitors, aliases and timers; nothing else can see that it is empty. */
static unsigned count_records(void)
{
    return copi_self()->relations.count;
}

static void unlinks_and_ends(void *argument)
{
    const cop_pid *other = argument;
    cop_unlink(*other);                  /* at the same time as the other */
}

static void lets_go_of_the_dead(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_pid child = cop_spawn_link(unlinks_and_ends, &self, sizeof self);
    cop_unlink(child);                   /* it has not run yet, and ends without an answer */
    cop_exit_process(child, COP_KILL);
    settle();
    ck_assert_uint_eq(count_records(), 0);

    child = cop_spawn_link(waits, NULL, 0);
    settle();
    cop_exit_process(child, COP_NORMAL); /* no effect */
    cop_exit_process(child, COP_SHUTDOWN);
    cop_unlink(child);                   /* behind a deadly signal */
    cop_link(child);
    cop_unlink(child);
    settle();
    ck_assert(!cop_is_alive(child));
    ck_assert_uint_eq(count_records(), 0);

    cop_trap_exit(true);
    for (int i = 0; i < 20; i++) {
        child = cop_spawn_link(waits, NULL, 0);
        cop_monitor_opt(cop_to(child), COP_ALIAS_REPLY);
        cop_monitor(child);
        cop_unlink(child);
        if (i % 2 == 0)
            cop_link(child);
        cop_send(child, go);
    }
    settle();
    ck_assert_uint_eq(count_records(), 0);
    trace("no record is left");
}

START_TEST(of_links_to_the_dead_no_record_stays)
{
    expect_story(lets_go_of_the_dead, "no record is left\n");
}
END_TEST

/* An answer to an unlink that has been followed by a link and another unlink: by hand, since in
 * a deterministic run nothing is ever under way for so long. */
static void gets_a_late_answer(void *argument)
{
    (void)argument;
    struct process *self = copi_self();
    cop_pid child = cop_spawn_link(waits, NULL, 0);
    cop_unlink(child);
    uint64_t first = self->last_serial;
    ck_assert_int_eq(cop_link(child), COP_OK);
    cop_unlink(child);
    ck_assert_uint_ne(self->last_serial, first);
    copi_signal_send(cop_self(), copi_signal_new(SIGNAL_UNLINK_ACK, child, first, NULL));
    ck_assert_uint_eq(cop_mailbox_length(), 0);        /* receives it */
    ck_assert_uint_eq(count_records(), 1);
    settle();
    ck_assert_uint_eq(count_records(), 0);
    trace("the late answer did nothing");
}

START_TEST(a_late_answer_to_an_older_unlink_does_nothing)
{
    expect_story(gets_a_late_answer, "the late answer did nothing\n");
}
END_TEST

/* ---- both sides at once -------------------------------------------------------------- */

struct quarrel {
    int ends_first;               /* 0: left, 1: right */
    bool heard;                   /* the other side got an exit message */
};

COP_MESSAGE(opponent, { cop_pid pid; });

/* Links, unlinks and gives the other a turn, all at random; then waits for its end. */
static void quarrels(void *argument)
{
    struct quarrel *quarrel = argument;
    cop_pid other = cop_receive_type(opponent, COP_INFINITY)->pid;
    for (int i = 0; i < 12; i++) {
        switch (cop_random_below(4)) {
        case 0: ck_assert_int_eq(cop_link(other), COP_OK); break;
        case 1: cop_unlink(other); break;
        default: cop_yield(); break;
        }
    }
    for (;;) {
        const cop_message *message = cop_receive(COP_INFINITY);
        if (cop_is(message, cop_exit_message))
            quarrel->heard = true;
        else
            cop_exit(cop_reason_atom("end_of_quarrel"));
    }
}

static void stages_a_quarrel(void *argument)
{
    struct quarrel *quarrel = argument;
    cop_pid pair[2];
    for (int i = 0; i < 2; i++)
        pair[i] = cop_spawn_opt(quarrels, quarrel, 0, &(cop_spawn_options){ .trap_exit = true });
    for (int i = 0; i < 2; i++) cop_send(pair[i], opponent, .pid = pair[1 - i]);
    settle();
    cop_send(pair[quarrel->ends_first], go);
    settle();
}

START_TEST(whatever_both_sides_do_at_once_they_agree_on_the_link_at_the_end)
{
    int linked = 0, rounds = 1000;
    for (int seed = 1; seed <= rounds; seed++) {
        struct quarrel left = { .ends_first = 0 }, right = { .ends_first = 1 };
        ck_assert_int_eq(run_node_seeded(stages_a_quarrel, &left, (uint64_t)seed), 0);
        ck_assert_int_eq(run_node_seeded(stages_a_quarrel, &right, (uint64_t)seed), 0);
        ck_assert_msg(left.heard == right.heard, "seed %d: left ends: %d, right ends: %d", seed,
                      left.heard, right.heard);
        linked += left.heard;
    }
    ck_assert_int_gt(linked, rounds / 10);
    ck_assert_int_lt(linked, rounds - rounds / 10);
}
END_TEST

/* ---- many ---------------------------------------------------------------------------- */

enum { MANY = 3000 };

static void joins(void *argument)
{
    const cop_pid *centre = argument;
    cop_link(*centre);
    cop_receive(COP_INFINITY);
}

static void unlinks_half(void *argument)
{
    cop_pid *pids = argument;
    cop_receive_type(go, COP_INFINITY);
    for (int i = 0; i < MANY; i += 2) cop_unlink(pids[i]);
    for (int i = 0; i < MANY; i += 4) ck_assert_int_eq(cop_link(pids[i]), COP_OK);
    cop_yield();
    cop_exit(cop_reason_atom("centre"));
}

static void gathers_many(void *argument)
{
    cop_pid *pids = argument;
    cop_pid centre = cop_spawn(unlinks_half, pids, 0);
    for (int i = 0; i < MANY; i++) pids[i] = cop_spawn(joins, &centre, sizeof centre);
    settle();
    ck_assert_uint_eq(cop_process_count(), MANY + 2);
    cop_send(centre, go);
    settle();
    for (int i = 0; i < MANY; i++) ck_assert_int_eq(cop_is_alive(pids[i]), i % 4 == 2);
    ck_assert_uint_eq(cop_process_count(), 1 + MANY / 4);
}

START_TEST(of_thousands_of_links_exactly_those_that_are_there_pass_the_exit_on)
{
    static cop_pid pids[MANY];
    ck_assert_int_eq(run_node(gathers_many, pids), 0);
}
END_TEST

static Suite *link_suite(void)
{
    Suite *suite = suite_create("link");
    TCase *tests = tcase_create("link");
    tcase_add_test(tests, a_link_works_in_both_directions);
    tcase_add_test(tests, there_is_at_most_one_link_between_two_processes);
    tcase_add_test(tests, a_link_to_itself_is_none);
    tcase_add_test(tests, a_link_to_the_dead_fails_or_is_an_exit_message_when_trapping);
    tcase_add_test(tests, after_an_unlink_by_either_side_no_exit_passes_in_either_direction);
    tcase_add_test(tests, an_exit_message_that_is_in_the_mailbox_stays_there_after_an_unlink);
    tcase_add_test(tests, a_link_made_again_before_the_unlink_has_arrived_holds);
    tcase_add_test(tests, a_link_made_by_spawn_holds_from_the_first_moment);
    tcase_add_test(tests, of_links_to_the_dead_no_record_stays);
    tcase_add_test(tests, a_late_answer_to_an_older_unlink_does_nothing);
    tcase_add_test(tests, whatever_both_sides_do_at_once_they_agree_on_the_link_at_the_end);
    tcase_add_test(tests, of_thousands_of_links_exactly_those_that_are_there_pass_the_exit_on);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(link_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
