/* test_alias.c - aliases: one can send to them while they are active, and once they are not,
 * nothing more comes; alone, with a monitor, and for one answer. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "expect_story.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static void waits(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
}

/* The number of notes in the mailbox, which is empty afterwards. */
static int take_notes(void)
{
    int count = 0;
    settle();
    while (cop_receive_type(note, 0) != NULL) count++;
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    return count;
}

static void send_two(cop_ref alias)
{
    ck_assert_int_eq(cop_send(alias, note, .n = 1), COP_OK);
    ck_assert_int_eq(cop_send(alias, note, .n = 2), COP_OK);
}

/* ---- alone --------------------------------------------------------------------------- */

static void uses_an_explicit_alias(void *argument)
{
    (void)argument;
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT), other = cop_alias(COP_ALIAS_EXPLICIT);
    ck_assert(cop_pid_equal(alias.owner, cop_self()));
    ck_assert(!cop_ref_equal(alias, other));
    ck_assert(cop_pid_equal(cop_resolve(cop_to(alias)), cop_self()));
    send_two(alias);
    trace("active: %d", take_notes());
    send_two(alias);
    trace("unalias: %d", cop_unalias(alias));
    trace("sent before: %d", take_notes());
    send_two(alias);
    trace("sent after: %d", take_notes());
    trace("unalias again: %d", cop_unalias(alias));
    send_two(other);
    trace("the other: %d", take_notes());
}

START_TEST(an_explicit_alias_is_active_until_it_is_taken_away)
{
    expect_story(uses_an_explicit_alias, "active: 2\n"
                                         "unalias: 1\n"
                                         "sent before: 2\n"
                                         "sent after: 0\n"
                                         "unalias again: 0\n"
                                         "the other: 2\n");
}
END_TEST

static void uses_a_reply_alias(void *argument)
{
    (void)argument;
    cop_ref alias = cop_alias(COP_ALIAS_REPLY);
    send_two(alias);
    trace("the first only: %d", take_notes());
    trace("unalias: %d", cop_unalias(alias));
    alias = cop_alias(COP_ALIAS_REPLY);
    trace("unalias unused: %d", cop_unalias(alias));
    send_two(alias);
    trace("then: %d", take_notes());
    alias = cop_alias(COP_ALIAS_REPLY);
    send_two(alias);
    trace("unalias with an answer on its way: %d", cop_unalias(alias));
    trace("it came: %d", take_notes());
}

START_TEST(a_reply_alias_is_good_for_one_message)
{
    expect_story(uses_a_reply_alias, "the first only: 1\n"
                                     "unalias: 0\n"
                                     "unalias unused: 1\n"
                                     "then: 0\n"
                                     "unalias with an answer on its way: 0\n"
                                     "it came: 1\n");
}
END_TEST

static void meddles(void *argument)
{
    const cop_ref *alias = argument;
    cop_ref own = cop_alias(COP_ALIAS_REPLY);
    ck_assert_uint_eq(own.serial, alias->serial);    /* told apart by the owner alone */
    ck_assert(!cop_unalias(*alias));
    ck_assert(cop_unalias(own));
    cop_ref never_was = { alias->owner, alias->serial + 100 };
    cop_ref not_the_owners = { cop_self(), alias->serial };
    trace("another's unalias: %d", cop_unalias(*alias));
    cop_send(*alias, note, .n = 1);
    cop_send(never_was, note, .n = 2);
    cop_send(not_the_owners, note, .n = 3);
    trace("the meddler got %zu", cop_mailbox_length());
}

static void is_meddled_with(void *argument)
{
    (void)argument;
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
    cop_spawn(meddles, &alias, sizeof alias);
    trace("came through: %d", take_notes());
    ck_assert(!cop_unalias(COP_NO_REF));
    cop_send(COP_NO_REF, note, .n = 1);
}

START_TEST(only_its_owner_can_take_an_alias_away_and_no_other_reference_is_one)
{
    expect_story(is_meddled_with, "another's unalias: 0\n"
                                  "the meddler got 0\n"
                                  "came through: 1\n");
}
END_TEST

static void gives_its_alias(void *argument)
{
    cop_ref *alias = argument;
    *alias = cop_alias(COP_ALIAS_EXPLICIT);
    cop_receive_type(go, COP_INFINITY);
}

static void is_the_successor(void *argument)
{
    (void)argument;
    cop_alias(COP_ALIAS_EXPLICIT);
    trace("the successor got %s", cop_receive(10) == NULL ? "nothing" : "something");
}

static void sends_to_a_dead_alias(void *argument)
{
    (void)argument;
    cop_ref alias = COP_NO_REF;
    cop_pid owner = cop_spawn(gives_its_alias, &alias, 0);
    settle();
    cop_send(owner, go);
    settle();
    cop_spawn(is_the_successor, NULL, 0);
    settle();
    send_two(alias);
    cop_sleep(20);
}

START_TEST(an_alias_dies_with_its_owner_and_means_nothing_to_the_successor)
{
    expect_story(sends_to_a_dead_alias, "the successor got nothing\n");
}
END_TEST

/* ---- with a monitor ------------------------------------------------------------------ */

static const char *const modes[] = { "none", "explicit", "demonitor", "reply" };

static void trace_modes(const char *what, void (*story)(enum cop_alias_mode))
{
    for (enum cop_alias_mode mode = COP_ALIAS_NONE; mode <= COP_ALIAS_REPLY; mode++) {
        trace("%s, %s", modes[mode], what);
        story(mode);
    }
}

static void send_through(enum cop_alias_mode mode)
{
    cop_pid target = cop_spawn(waits, NULL, 0);
    cop_ref ref = cop_monitor_opt(cop_to(target), mode);
    send_two(ref);
    trace("    came: %d", take_notes());
    cop_send(target, go);
    settle();
    trace("    downs: %zu", cop_mailbox_length());
    cop_demonitor_flush(ref);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

static void sends_through_modes(void *argument)
{
    (void)argument;
    trace_modes("two messages and the end", send_through);
}

START_TEST(a_monitors_reply_alias_takes_the_monitor_off_with_the_answer)
{
    expect_story(sends_through_modes, "none, two messages and the end\n"
                                      "    came: 0\n"
                                      "    downs: 1\n"
                                      "explicit, two messages and the end\n"
                                      "    came: 2\n"
                                      "    downs: 1\n"
                                      "demonitor, two messages and the end\n"
                                      "    came: 2\n"
                                      "    downs: 1\n"
                                      "reply, two messages and the end\n"
                                      "    came: 1\n"
                                      "    downs: 0\n");
}
END_TEST

static void take_off(enum cop_alias_mode mode)
{
    cop_pid target = cop_spawn(waits, NULL, 0);
    cop_ref ref = cop_monitor_opt(cop_to(target), mode);
    bool was_on = cop_demonitor(ref);
    send_two(ref);
    int came = take_notes();
    bool was_active = cop_unalias(ref);
    trace("    demonitor: %d, came: %d, unalias: %d", was_on, came, was_active);
    send_two(ref);
    cop_send(target, go);
    expect_empty_mailbox();
}

static void takes_off_modes(void *argument)
{
    (void)argument;
    trace_modes("demonitor first", take_off);
}

START_TEST(an_explicit_alias_outlives_its_monitor_the_others_do_not)
{
    expect_story(takes_off_modes, "none, demonitor first\n"
                                  "    demonitor: 1, came: 0, unalias: 0\n"
                                  "explicit, demonitor first\n"
                                  "    demonitor: 1, came: 2, unalias: 1\n"
                                  "demonitor, demonitor first\n"
                                  "    demonitor: 1, came: 0, unalias: 0\n"
                                  "reply, demonitor first\n"
                                  "    demonitor: 1, came: 0, unalias: 0\n");
}
END_TEST

static void unalias_first(enum cop_alias_mode mode)
{
    cop_pid target = cop_spawn(waits, NULL, 0);
    cop_ref ref = cop_monitor_opt(cop_to(target), mode);
    bool was_active = cop_unalias(ref);
    send_two(ref);
    int came = take_notes();
    cop_send(target, go);
    settle();
    trace("    unalias: %d, came: %d, downs: %zu", was_active, came, cop_mailbox_length());
    ck_assert(!cop_demonitor_flush(ref));
}

static void unaliases_modes(void *argument)
{
    (void)argument;
    trace_modes("unalias first", unalias_first);
}

START_TEST(a_monitor_goes_on_without_its_alias)
{
    expect_story(unaliases_modes, "none, unalias first\n"
                                  "    unalias: 0, came: 0, downs: 1\n"
                                  "explicit, unalias first\n"
                                  "    unalias: 1, came: 0, downs: 1\n"
                                  "demonitor, unalias first\n"
                                  "    unalias: 1, came: 0, downs: 1\n"
                                  "reply, unalias first\n"
                                  "    unalias: 1, came: 0, downs: 1\n");
}
END_TEST

static void end_first(enum cop_alias_mode mode)
{
    cop_pid target = cop_spawn(waits, NULL, 0);
    cop_ref ref = cop_monitor_opt(cop_to(target), mode);
    cop_send(target, go);
    settle();
    ck_assert_uint_eq(cop_mailbox_length(), 1);
    ck_assert(!cop_demonitor_flush(ref));
    send_two(ref);
    trace("    came: %d", take_notes());
}

static void ends_first_modes(void *argument)
{
    (void)argument;
    trace_modes("the end first", end_first);
}

START_TEST(with_the_down_message_the_alias_is_off_unless_it_is_explicit)
{
    expect_story(ends_first_modes, "none, the end first\n"
                                   "    came: 0\n"
                                   "explicit, the end first\n"
                                   "    came: 2\n"
                                   "demonitor, the end first\n"
                                   "    came: 0\n"
                                   "reply, the end first\n"
                                   "    came: 0\n");
}
END_TEST

/* A monitor of oneself has no effect; its alias works all the same. */
static void monitor_itself(enum cop_alias_mode mode)
{
    cop_ref ref = cop_monitor_opt(cop_to(cop_self()), mode);
    send_two(ref);
    int came = take_notes();
    bool was_on = cop_demonitor(ref);
    send_two(ref);
    trace("    came: %d, demonitor: %d, then: %d", came, was_on, take_notes());
    cop_unalias(ref);
}

static void monitors_itself_in_modes(void *argument)
{
    (void)argument;
    trace_modes("of itself", monitor_itself);
}

START_TEST(the_alias_of_a_monitor_of_itself_works)
{
    expect_story(monitors_itself_in_modes, "none, of itself\n"
                                           "    came: 0, demonitor: 0, then: 0\n"
                                           "explicit, of itself\n"
                                           "    came: 2, demonitor: 0, then: 2\n"
                                           "demonitor, of itself\n"
                                           "    came: 2, demonitor: 0, then: 0\n"
                                           "reply, of itself\n"
                                           "    came: 1, demonitor: 0, then: 0\n");
}
END_TEST

static Suite *alias_suite(void)
{
    Suite *suite = suite_create("alias");
    TCase *tests = tcase_create("alias");
    tcase_add_test(tests, an_explicit_alias_is_active_until_it_is_taken_away);
    tcase_add_test(tests, a_reply_alias_is_good_for_one_message);
    tcase_add_test(tests, only_its_owner_can_take_an_alias_away_and_no_other_reference_is_one);
    tcase_add_test(tests, an_alias_dies_with_its_owner_and_means_nothing_to_the_successor);
    tcase_add_test(tests, a_monitors_reply_alias_takes_the_monitor_off_with_the_answer);
    tcase_add_test(tests, an_explicit_alias_outlives_its_monitor_the_others_do_not);
    tcase_add_test(tests, a_monitor_goes_on_without_its_alias);
    tcase_add_test(tests, with_the_down_message_the_alias_is_off_unless_it_is_explicit);
    tcase_add_test(tests, the_alias_of_a_monitor_of_itself_works);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(alias_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
