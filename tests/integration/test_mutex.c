/* test_mutex.c - who has a mutex, who gets it next, and what becomes of it when its owner dies. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(go, COP_EMPTY);

static cop_mutex mutex = COP_MUTEX_INIT;

static void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
    ck_assert(cop_pid_is_none(cop_mutex_owner(&mutex)));
}

static const char *result(int locked)
{
    return locked == COP_INHERITED ? "inherited" : cop_error_name(locked);
}

static bool is_mine(void)
{
    return cop_pid_equal(cop_mutex_owner(&mutex), cop_self());
}

/* ---- visitors: lock, wait for go, and leave in some way -------------------------------------- */

enum leaving { UNLOCKS, RETURNS, RAISES, CRASHES, BECOMES };

struct visit {
    const char *name;
    int64_t timeout_ms;
    enum leaving then;
};

static void ignores(void *state, cop_message *message)
{
    (void)state, (void)message;
}

static void visits(void *argument)
{
    const struct visit *visit = argument;
    size_t memory = cop_memory_used();
    int locked = cop_mutex_lock(&mutex, visit->timeout_ms);
    trace("%s: %s", visit->name, result(locked));
    if (locked >= 0) {
        ck_assert(is_mine());
        cop_receive_type(go, COP_INFINITY);
        trace("%s leaves", visit->name);
        if (visit->then == RETURNS) return;
        if (visit->then == RAISES) cop_raise("clumsy");
        if (visit->then == CRASHES) crash_null_write();
        if (visit->then == BECOMES) cop_become(ignores, NULL);
        ck_assert_int_eq(cop_mutex_unlock(&mutex), COP_OK);
    }
    ck_assert_int_eq(cop_mutex_unlock(&mutex), COP_EINVAL);
    ck_assert_uint_eq(cop_memory_used(), memory);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

/* One that has the mutex or waits for it when this returns. */
static cop_pid visit_within(const char *name, int64_t timeout_ms, enum leaving then)
{
    const struct visit visit = { name, timeout_ms, then };
    cop_pid pid = cop_spawn(visits, &visit, sizeof visit);
    settle();
    return pid;
}

static cop_pid visit(const char *name)
{
    return visit_within(name, COP_INFINITY, UNLOCKS);
}

static void proceed(cop_pid pid)
{
    cop_send(pid, go);
    settle();
}

static void is_killed(cop_pid pid)
{
    cop_exit_process(pid, COP_KILL);
    settle();
}

/* ---- who has it ------------------------------------------------------------------------ */

static void in_order(void *argument)
{
    (void)argument;
    cop_pid ann = visit("ann"), bob = visit("bob"), eve = visit("eve");
    cop_send(eve, go);
    cop_send(bob, go);
    settle();
    proceed(ann);
    ck_assert(cop_pid_is_none(cop_mutex_owner(&mutex)));
    proceed(visit("ann again"));
}

START_TEST(one_has_it_at_a_time_and_those_who_wait_are_served_in_order)
{
    expect_story(in_order, "ann: ok\n"
                           "ann leaves\n"
                           "bob: ok\n"
                           "bob leaves\n"
                           "eve: ok\n"
                           "eve leaves\n"
                           "ann again: ok\n"
                           "ann again leaves\n");
}
END_TEST

static void goes_on_after_unlocking(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_mutex_lock(&mutex, 0), COP_OK);
    cop_pid bob = visit("bob");
    ck_assert_int_eq(cop_mutex_unlock(&mutex), COP_OK);
    trace("bob has it before he runs: %d", cop_pid_equal(cop_mutex_owner(&mutex), bob));
    trace("again: %s", result(cop_mutex_lock(&mutex, 0)));
    settle();
    proceed(bob);
}

START_TEST(unlocking_hands_it_to_the_next_who_has_it_even_before_it_runs)
{
    expect_story(goes_on_after_unlocking, "bob has it before he runs: 1\n"
                                          "again: timeout\n"
                                          "bob: ok\n"
                                          "bob leaves\n");
}
END_TEST

static void wrong_uses(void *argument)
{
    (void)argument;
    static cop_mutex other;
    cop_mutex_init(&other);
    trace("nobody's: %s", cop_error_name(cop_mutex_unlock(&mutex)));
    trace("first: %s", result(cop_mutex_lock(&mutex, COP_INFINITY)));
    trace("same: %s", result(cop_mutex_lock(&mutex, COP_INFINITY)));
    trace("another: %s", result(cop_mutex_lock(&other, COP_INFINITY)));
    cop_mutex_unlock(&mutex);
    cop_mutex_unlock(&other);
    cop_pid ann = visit("ann");
    trace("ann's: %s", cop_error_name(cop_mutex_unlock(&mutex)));
    proceed(ann);
}

START_TEST(who_has_it_cannot_lock_it_again_nor_who_has_it_not_unlock_it)
{
    expect_story(wrong_uses, "nobody's: badarg\n"
                             "first: ok\n"
                             "same: calling_self\n"
                             "another: ok\n"
                             "ann: ok\n"
                             "ann's: badarg\n"
                             "ann leaves\n");
}
END_TEST

static void times_out(void *argument)
{
    (void)argument;
    cop_pid ann = visit("ann");
    visit_within("tries", 0, UNLOCKS);
    visit_within("waits", 100, UNLOCKS);
    cop_pid bob = visit_within("in time", 300, UNLOCKS);
    cop_sleep(200);
    proceed(ann);
    proceed(bob);
}

START_TEST(who_has_no_more_time_leaves_the_queue_and_leaves_nothing_behind)
{
    expect_story(times_out, "ann: ok\n"
                            "tries: timeout\n"
                            "waits: timeout\n"
                            "ann leaves\n"
                            "in time: ok\n"
                            "in time leaves\n");
}
END_TEST

/* The mutex comes at the very moment when the time is over, after that or before it: no message is
 * left (visits checks). */
static void comes_as_time_is_over(void *argument)
{
    (void)argument;
    for (int i = 0; i < 2; i++) {
        const struct visit visit = { "bob", 10, UNLOCKS };
        cop_ref ref;
        ck_assert_int_eq(cop_mutex_lock(&mutex, 0), COP_OK);
        cop_pid bob = cop_spawn_monitor(visits, &visit, sizeof visit, &ref);
        if (i == 0) cop_yield();    /* bob's timer is the older one: he looks first */
        cop_sleep(10);
        cop_mutex_unlock(&mutex);
        cop_send(bob, go);
        trace_down("bob", ref);
    }
}

START_TEST(a_mutex_that_comes_in_the_last_moment_is_had_or_left_but_never_lost)
{
    expect_story(comes_as_time_is_over, "bob: timeout\n"
                                        "bob down: normal\n"
                                        "bob: ok\n"
                                        "bob leaves\n"
                                        "bob down: normal\n");
}
END_TEST

/* ---- who dies -------------------------------------------------------------------------- */

static void owners_die(void *argument)
{
    (void)argument;
    static const enum leaving ends[] = { RETURNS, RAISES, CRASHES };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        cop_pid ann = visit_within("ann", COP_INFINITY, ends[i]);
        cop_pid bob = visit("bob");
        proceed(ann);
        proceed(bob);
        proceed(visit("eve"));
    }
    cop_pid ann = visit("ann");
    is_killed(ann);
    proceed(visit("bob"));
    ann = visit_within("ann", COP_INFINITY, BECOMES);
    cop_pid bob = visit("bob");
    proceed(ann);
    trace("ann has it still");
    is_killed(ann);
    proceed(bob);
}

#define TOLD_ONCE                                                                        \
    "ann: ok\nann leaves\nbob: inherited\nbob leaves\neve: ok\neve leaves\n"

START_TEST(whoever_gets_it_after_a_death_is_told_once_at_any_kind_of_end)
{
    expect_story(owners_die, TOLD_ONCE TOLD_ONCE TOLD_ONCE
                             "ann: ok\nbob: inherited\nbob leaves\n"
                             "ann: ok\nann leaves\nann has it still\nbob: inherited\nbob leaves\n");
}
END_TEST

static void heirs_die(void *argument)
{
    (void)argument;
    cop_pid ann = visit("ann"), bob = visit("bob"), eve = visit("eve");
    is_killed(ann);
    is_killed(bob);
    proceed(eve);
}

START_TEST(an_heir_that_dies_too_leaves_it_to_the_next_who_is_told_likewise)
{
    expect_story(heirs_die, "ann: ok\n"
                            "bob: inherited\n"
                            "eve: inherited\n"
                            "eve leaves\n");
}
END_TEST

/* Bob is handed the mutex and dies before he runs: nothing was begun, and eve is not told of
 * a death. */
static void unaware_heirs_die(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_mutex_lock(&mutex, 0), COP_OK);
    cop_pid bob = visit("bob"), eve = visit("eve");
    cop_mutex_unlock(&mutex);
    is_killed(bob);
    proceed(eve);
    cop_pid ann = visit("ann");
    bob = visit("bob");
    eve = visit("eve");
    cop_exit_process(ann, COP_KILL);
    while (cop_pid_equal(cop_mutex_owner(&mutex), ann)) cop_yield();
    is_killed(eve);
    proceed(bob);
}

START_TEST(one_that_dies_before_it_knew_passes_it_on_as_it_came)
{
    expect_story(unaware_heirs_die, "eve: ok\n"
                                    "eve leaves\n"
                                    "ann: ok\n"
                                    "bob: inherited\n"
                                    "bob leaves\n");
}
END_TEST

static void waiters_die(void *argument)
{
    (void)argument;
    cop_pid ann = visit("ann"), first = visit("first"), bob = visit("bob"), last = visit("last");
    is_killed(first);
    is_killed(last);
    proceed(ann);
    proceed(bob);
    proceed(visit("eve"));
}

START_TEST(one_that_dies_while_it_waits_leaves_no_trace)
{
    expect_story(waiters_die, "ann: ok\n"
                              "ann leaves\n"
                              "bob: ok\n"
                              "bob leaves\n"
                              "eve: ok\n"
                              "eve leaves\n");
}
END_TEST

/* ---- in its turn among what was deferred ------------------------------------------------- */

static void says_whose(void *argument)
{
    trace("    %s: %s", (const char *)argument, is_mine() ? "mine" : "not mine");
}

static void defers_around(void *argument)
{
    (void)argument;
    cop_defer(says_whose, "deferred before");
    cop_mutex_lock(&mutex, COP_INFINITY);
    cop_defer(says_whose, "deferred after");
    cop_raise("oops");
}

static void watches_the_turns(void *argument)
{
    (void)argument;
    trace_end_of("owner", defers_around, NULL);
    trace("then: %s", result(cop_mutex_lock(&mutex, 0)));
    cop_mutex_unlock(&mutex);
}

START_TEST(it_is_released_in_its_turn_before_anybody_hears_of_the_end)
{
    expect_story(watches_the_turns, "    deferred after: mine\n"
                                    "    deferred before: not mine\n"
                                    "owner down: error:oops\n"
                                    "then: inherited\n");
}
END_TEST

static void locks_in_the_end(void *argument)
{
    trace("    locks");
    int locked = cop_mutex_lock(&mutex, COP_INFINITY);
    trace("    %s: %s", (const char *)argument, result(locked));
    if (locked >= 0) cop_mutex_unlock(&mutex);
}

static void defers_a_lock(void *argument)
{
    (void)argument;
    cop_defer(locks_in_the_end, "in the end");
}

static void watches_locks_in_the_end(void *argument)
{
    (void)argument;
    trace_end_of("free", defers_a_lock, NULL);
    cop_mutex_lock(&mutex, 0);
    trace_end_of("taken", defers_a_lock, NULL);
    cop_mutex_unlock(&mutex);
    proceed(visit("ann"));
}

START_TEST(a_deferred_action_may_lock_what_is_free_but_not_wait)
{
    expect_story(watches_locks_in_the_end, "    locks\n"
                                           "    in the end: ok\n"
                                           "free down: normal\n"
                                           "    locks\n"
                                           "taken down: normal\n"
                                           "ann: ok\n"
                                           "ann leaves\n");
}
END_TEST

static void ends_with_the_node(void *argument)
{
    (void)argument;
    visit("ann");
    visit("bob");
}

static void looks_after(void *argument)
{
    (void)argument;
    trace("the next node: %s", result(cop_mutex_lock(&mutex, 0)));
    cop_mutex_unlock(&mutex);
}

START_TEST(the_end_of_the_node_is_a_death_like_any_other)
{
    expect_story(ends_with_the_node, "ann: ok\n");
    expect_story(looks_after, "the next node: inherited\n");
}
END_TEST

static Suite *mutex_suite(void)
{
    Suite *suite = suite_create("mutex");
    TCase *tests = tcase_create("mutex");
    tcase_add_test(tests, one_has_it_at_a_time_and_those_who_wait_are_served_in_order);
    tcase_add_test(tests, unlocking_hands_it_to_the_next_who_has_it_even_before_it_runs);
    tcase_add_test(tests, who_has_it_cannot_lock_it_again_nor_who_has_it_not_unlock_it);
    tcase_add_test(tests, who_has_no_more_time_leaves_the_queue_and_leaves_nothing_behind);
    tcase_add_test(tests, a_mutex_that_comes_in_the_last_moment_is_had_or_left_but_never_lost);
    tcase_add_test(tests, whoever_gets_it_after_a_death_is_told_once_at_any_kind_of_end);
    tcase_add_test(tests, an_heir_that_dies_too_leaves_it_to_the_next_who_is_told_likewise);
    tcase_add_test(tests, one_that_dies_before_it_knew_passes_it_on_as_it_came);
    tcase_add_test(tests, one_that_dies_while_it_waits_leaves_no_trace);
    tcase_add_test(tests, it_is_released_in_its_turn_before_anybody_hears_of_the_end);
    tcase_add_test(tests, a_deferred_action_may_lock_what_is_free_but_not_wait);
    tcase_add_test(tests, the_end_of_the_node_is_a_death_like_any_other);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(mutex_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
