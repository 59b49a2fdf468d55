/* test_timer.c - the clock and timers: their order, cancelling and reading them, very many. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(tick, { int n; });

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

static void trace_ticks(int count)
{
    for (int i = 0; i < count; i++) {
        int n = cop_receive_type(tick, COP_INFINITY)->n;
        trace("%d at %d", n, (int)cop_now_ms());
    }
}

/* ---- the virtual clock --------------------------------------------------------------- */

static void reads_the_clock(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_now_ns(), 0);
    for (int i = 0; i < 1000; i++) cop_yield();
    ck_assert_int_eq(cop_now_ns(), 0);              /* it stands still while anybody runs */
    cop_sleep(3);
    ck_assert_int_eq(cop_now_ns(), 3000000);
    ck_assert_int_eq(cop_now_ms(), 3);
    cop_sleep((int64_t)365 * 86400 * 1000);
    ck_assert_int_eq(cop_now_ms(), (int64_t)365 * 86400 * 1000 + 3);
}

START_TEST(virtual_time_stands_still_until_nothing_can_run_and_then_jumps)
{
    expect_story(reads_the_clock, "");
}
END_TEST

static void reads_the_real_clock(void *argument)
{
    (void)argument;
    int64_t before = cop_now_ns();
    ck_assert_int_ge(before, 0);
    for (int i = 0; i < 20; i++) {
        int64_t start = cop_now_ns();
        cop_ref timer = cop_send_after(cop_self(), 1, tick, .n = i);
        ck_assert(cop_receive(COP_INFINITY) != NULL);
        ck_assert_int_ge(cop_now_ns() - start, 1000000);           /* none fires early */
        ck_assert_int_eq(cop_cancel_timer(timer), COP_ENOT_FOUND);
        start = cop_now_ns();
        ck_assert(cop_receive(1) == NULL);
        ck_assert_int_ge(cop_now_ns() - start, 1000000);
    }
}

START_TEST(with_the_real_clock_no_timer_fires_early)
{
    ck_assert_int_eq(run_node_threads(reads_the_real_clock, NULL, 2), 0);
}
END_TEST

/* For a while, so that the time comes from all that it can come from (near_clock.h). */
static void asks_what_is_left(void *argument)
{
    (void)argument;
    int64_t end = cop_now_ns() + (int64_t)200 * 1000000;
    for (int64_t before, after = 0; after < end;) {
        before = cop_now_ns();
        cop_ref timer = cop_send_after(cop_self(), 5000, tick, .n = 1);
        int64_t read = cop_read_timer(timer), left = cop_cancel_timer(timer);
        after = cop_now_ns();
        expect_that(read <= 5000 && left <= read);
        expect_that(left >= 5000 - (after - before) / 1000000 - 1);
    }
}

START_TEST(with_the_real_clock_no_more_is_left_than_was_asked_for)
{
    ck_assert_int_eq(run_node_threads(asks_what_is_left, NULL, 2), 0);
}
END_TEST

/* ---- order --------------------------------------------------------------------------- */

static void sends_in_mixed_order(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_send_after(self, 30, tick, .n = 1);
    cop_send_after(self, 10, tick, .n = 2);
    cop_send_after(self, 20, tick, .n = 3);
    cop_send_after(self, 10, tick, .n = 4);
    cop_send_after(self, 0, tick, .n = 5);
    cop_send_after(self, -7, tick, .n = 6);
    cop_send(self, tick, .n = 7);
    trace_ticks(7);
    expect_empty_mailbox();
}

START_TEST(timers_fire_in_the_order_of_their_times_equal_ones_as_they_were_started)
{
    expect_story(sends_in_mixed_order, "7 at 0\n"
                                       "5 at 0\n"
                                       "6 at 0\n"
                                       "2 at 10\n"
                                       "4 at 10\n"
                                       "3 at 20\n"
                                       "1 at 30\n");
}
END_TEST

static void has_the_serial_as_ref(void *argument)
{
    (void)argument;
    cop_ref first = cop_send_after(cop_self(), 10, tick, .n = 1);
    cop_ref second = cop_send_after(cop_self(), 20, tick, .n = 2);
    ck_assert(cop_pid_equal(first.owner, cop_self()) && !cop_ref_equal(first, second));
    cop_message *message = cop_take(&(cop_match){ .ref = second }, COP_INFINITY);
    ck_assert_uint_eq(message->ref, second.serial);
    trace("%d", cop_expect(message, tick)->n);
    cop_message_free(message);
    message = cop_take(&(cop_match){ .ref = first }, 0);
    trace("%d", cop_expect(message, tick)->n);
    cop_message_free(message);
}

START_TEST(a_timers_message_can_be_received_by_the_timer)
{
    expect_story(has_the_serial_as_ref, "2\n1\n");
}
END_TEST

/* ---- cancelling and reading ---------------------------------------------------------- */

static void cancels(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_ref timer = cop_send_after(self, 100, owned, .n = 1);
    cop_ref other = cop_send_after(self, 50, owned, .n = 2);
    trace("left: %d", (int)cop_read_timer(timer));
    cop_sleep(30);
    trace("left: %d, of the other: %d", (int)cop_read_timer(timer), (int)cop_read_timer(other));
    trace("cancelled with %d left", (int)cop_cancel_timer(timer));
    trace("dropped: %d", dropped);
    trace("again: %s", cop_error_name((int)cop_cancel_timer(timer)));
    trace("read: %s", cop_error_name((int)cop_read_timer(timer)));
    cop_sleep(30);
    trace("fired: %s", cop_error_name((int)cop_read_timer(other)));
    trace("too late: %s", cop_error_name((int)cop_cancel_timer(other)));
    trace("it is here: %d", cop_receive_type(owned, 0)->n);
    trace("none: %s", cop_error_name((int)cop_cancel_timer(COP_NO_REF)));
    expect_empty_mailbox();
}

START_TEST(a_timer_can_be_read_and_cancelled_until_it_has_fired)
{
    expect_story(cancels, "left: 100\n"
                          "left: 70, of the other: 20\n"
                          "cancelled with 70 left\n"
                          "dropped: 1\n"
                          "again: not_found\n"
                          "read: not_found\n"
                          "fired: not_found\n"
                          "too late: not_found\n"
                          "it is here: 2\n"
                          "none: not_found\n");
    ck_assert_int_eq(dropped, 2);
}
END_TEST

static void cancels_anothers(void *argument)
{
    const cop_ref *timer = argument;
    cop_ref own = cop_send_after(cop_self(), 10, tick, .n = 2);
    ck_assert_uint_eq(own.serial, timer->serial);    /* told apart by the owner alone */
    trace("another's: %s", cop_error_name((int)cop_cancel_timer(*timer)));
    trace("another's: %s", cop_error_name((int)cop_read_timer(*timer)));
}

static void keeps_its_timer(void *argument)
{
    (void)argument;
    cop_ref timer = cop_send_after(cop_self(), 10, tick, .n = 1);
    cop_spawn(cancels_anothers, &timer, sizeof timer);
    trace_ticks(1);
}

START_TEST(only_who_started_a_timer_can_cancel_it)
{
    expect_story(keeps_its_timer, "another's: not_found\n"
                                  "another's: not_found\n"
                                  "1 at 10\n");
}
END_TEST

static void uses_very_long_times(void *argument)
{
    (void)argument;
    static const int64_t delays[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 1000000,
                                      INT64_MAX / 1000000 + 1, INT64_MAX / 1000000 - 1 };
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        cop_ref timer = cop_send_after(cop_self(), delays[i], owned, .n = 1);
        ck_assert_int_gt(cop_read_timer(timer), INT64_MAX / 1000000 - 10);
        ck_assert_int_gt(cop_cancel_timer(timer), INT64_MAX / 1000000 - 10);
        cop_send_after(cop_self(), delays[i], owned, .n = 2);      /* dies with the process */
    }
    cop_send_after(cop_self(), 10, tick, .n = 1);
    ck_assert(cop_receive_type(tick, INT64_MAX) != NULL);
}

START_TEST(times_beyond_all_bounds_are_as_good_as_never)
{
    expect_story(uses_very_long_times, "");
    ck_assert_int_eq(dropped, 10);
}
END_TEST

/* ---- where to ------------------------------------------------------------------------ */

static void is_somebody(void *argument)
{
    cop_register(argument);
    trace_ticks(2);
}

static void sends_elsewhere(void *argument)
{
    (void)argument;
    cop_pid pid = cop_spawn(is_somebody, "somebody", 0);
    char name[] = "somebody";
    cop_ref to_pid = cop_send_after(pid, 10, tick, .n = 1);
    cop_ref to_name = cop_send_after(name, 20, tick, .n = 2);
    name[0] = 'x';
    cop_ref later = cop_send_after("somebody", 30, owned, .n = 3);
    cop_send_after("nobody", 30, owned, .n = 4);
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT), off = cop_alias(COP_ALIAS_EXPLICIT);
    cop_send_after(alias, 40, tick, .n = 5);
    cop_send_after(off, 40, owned, .n = 6);
    cop_unalias(off);
    trace("to pid: %d", (int)cop_read_timer(to_pid));
    cop_sleep(15);
    trace("to pid: %s", cop_error_name((int)cop_read_timer(to_pid)));
    trace("to name: %d", (int)cop_read_timer(to_name));
    trace("not to name: %d", (int)cop_cancel_timer(cop_send_after("somebody", 7, tick, .n = 8)));
    cop_sleep(20);
    ck_assert_int_eq(cop_cancel_timer(later), COP_ENOT_FOUND);
    trace_ticks(1);
    cop_sleep(10);
    trace("dropped: %d", dropped);
    expect_empty_mailbox();
}

START_TEST(a_timer_sends_to_a_pid_a_name_or_an_alias)
{
    expect_story(sends_elsewhere, "to pid: 10\n"
                                  "1 at 10\n"
                                  "to pid: not_found\n"
                                  "to name: 5\n"
                                  "not to name: 7\n"
                                  "2 at 20\n"
                                  "5 at 40\n"
                                  "dropped: 3\n");
}
END_TEST

static void resolves_late(void *argument)
{
    (void)argument;
    cop_send_after("late", 10, tick, .n = 1);       /* nobody has the name yet */
    cop_sleep(5);
    cop_register("late");
    trace_ticks(1);
}

START_TEST(a_timers_name_is_looked_up_when_it_fires)
{
    expect_story(resolves_late, "1 at 10\n");
}
END_TEST

/* ---- the end of the owner ------------------------------------------------------------ */

static void starts_timers_and_ends(void *argument)
{
    const cop_pid *to = argument;
    for (int i = 0; i < 10; i++) cop_send_after(*to, 10 + i, owned, .n = i);
    for (int i = 0; i < 10; i++) cop_send_after(cop_self(), 1000, owned, .n = i);
    cop_sleep(13);
}

static void outlives_a_timers_owner(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_spawn(starts_timers_and_ends, &self, sizeof self);
    cop_sleep(100);
    trace("came: %zu, dropped: %d", cop_mailbox_length(), dropped);
}

START_TEST(timers_end_with_who_started_them)
{
    expect_story(outlives_a_timers_owner, "came: 4, dropped: 16\n");
}
END_TEST

/* ---- very many ----------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { VERY_MANY = 50000 };
#else
enum { VERY_MANY = 1000000 };
#endif

/* A million timers at random times; each third is cancelled; the others come in order of time. */
static void starts_very_many(void *argument)
{
    cop_ref *timers = argument;
    int64_t *due = malloc(VERY_MANY * sizeof *due);
    for (int i = 0; i < VERY_MANY; i++) {
        due[i] = (int64_t)cop_random_below(100000);
        timers[i] = cop_send_after(cop_self(), due[i], tick, .n = i);
    }
    for (int i = 0; i < VERY_MANY; i += 3) expect_that(cop_cancel_timer(timers[i]) == due[i]);
    int64_t last = -1;
    int count = 0;
    for (const tick *got; (got = cop_receive_type(tick, 100000)) != NULL; count++) {
        expect_that(got->n % 3 != 0);
        expect_that(due[got->n] >= last);
        last = due[got->n];
        expect_that(cop_now_ms() >= last);
        due[got->n] = -2;                            /* once */
    }
    ck_assert_int_eq(count, VERY_MANY - (VERY_MANY + 2) / 3);
    ck_assert_int_eq(cop_now_ms(), last + 100000);
    free(due);
}

START_TEST(a_million_timers_fire_in_order)
{
    cop_ref *timers = malloc(VERY_MANY * sizeof *timers);
    ck_assert_int_eq(run_node(starts_very_many, timers), 0);
    free(timers);
}
END_TEST

/* On real threads: a timer that is cancelled in time does not fire, one that is not fires once. */
enum { CANCELLERS = 8, CANCELS = 2000 };

static void cancels_at_random(void *argument)
{
    (void)argument;
    for (int i = 0; i < CANCELS; i++) {
        bool by_alias = i % 4 == 0;
        cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
        cop_dest to = by_alias ? cop_to(alias) : cop_to(cop_self());
        cop_ref timer = cop_send_after(to, (int64_t)cop_random_below(2), tick, .n = i);
        if (cop_random_below(3) == 0)
            cop_sleep((int64_t)cop_random_below(2));
        else
            cop_yield();
        bool in_time = cop_cancel_timer(timer) >= 0;
        const tick *got = cop_receive_type(tick, in_time ? 0 : COP_INFINITY);
        expect_that(in_time == (got == NULL));
        expect_that(got == NULL || got->n == i);
        cop_unalias(alias);
    }
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

static void starts_cancellers(void *argument)
{
    (void)argument;
    cop_ref refs[CANCELLERS];
    for (int i = 0; i < CANCELLERS; i++)
        cop_spawn_monitor(cancels_at_random, NULL, 0, &refs[i]);
    for (int i = 0; i < CANCELLERS; i++) trace_down("it", refs[i]);
}

START_TEST(a_timer_either_fires_once_or_was_cancelled)
{
    trace_reset();
    ck_assert_int_eq(run_node_threads(starts_cancellers, NULL, 3), 0);
    trace_expect("it down: normal\nit down: normal\nit down: normal\nit down: normal\n"
                 "it down: normal\nit down: normal\nit down: normal\nit down: normal\n");
}
END_TEST

static Suite *timer_suite(void)
{
    Suite *suite = suite_create("timer");
    TCase *tests = tcase_create("timer");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, virtual_time_stands_still_until_nothing_can_run_and_then_jumps);
    tcase_add_test(tests, with_the_real_clock_no_timer_fires_early);
    tcase_add_test(tests, with_the_real_clock_no_more_is_left_than_was_asked_for);
    tcase_add_test(tests, timers_fire_in_the_order_of_their_times_equal_ones_as_they_were_started);
    tcase_add_test(tests, a_timers_message_can_be_received_by_the_timer);
    tcase_add_test(tests, a_timer_can_be_read_and_cancelled_until_it_has_fired);
    tcase_add_test(tests, only_who_started_a_timer_can_cancel_it);
    tcase_add_test(tests, times_beyond_all_bounds_are_as_good_as_never);
    tcase_add_test(tests, a_timer_sends_to_a_pid_a_name_or_an_alias);
    tcase_add_test(tests, a_timers_name_is_looked_up_when_it_fires);
    tcase_add_test(tests, timers_end_with_who_started_them);
    tcase_add_test(tests, a_million_timers_fire_in_order);
    tcase_add_test(tests, a_timer_either_fires_once_or_was_cancelled);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(timer_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
