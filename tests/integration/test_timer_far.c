/* test_timer_far.c - timers that wait in the wheel: their order among the near ones and the waits,
 * cancelling, far jumps, and the end of who started them. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(tick, { int n; });

static int dropped;
static void count_drop(void *payload)
{
    (void)payload;
    dropped++;
}
COP_MESSAGE_WITH(owned, { int n; }, count_drop);

static const int64_t second = 1000, day = (int64_t)86400 * 1000, year = 365 * (int64_t)86400 * 1000;

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
        trace("%d at %lld", n, (long long)cop_now_ms());
    }
}

/* ---- order --------------------------------------------------------------------------- */

/* All for the same moment: the first when it is far, the others nearer and nearer to it. */
static void arms_for_one_moment(void *argument)
{
    (void)argument;
    static const int64_t waits[] = { 0, 35 * 1000, 24 * 1000, 500, 400, 90, 9, 1 };
    int64_t moment = 60 * second;
    for (int i = 0; i < 8; i++) {
        if (waits[i] > 0)
            cop_sleep(waits[i]);
        cop_send_after(cop_self(), moment - cop_now_ms(), tick, .n = i);
    }
    trace_ticks(8);
}

START_TEST(equal_deadlines_fire_as_they_were_started_however_far_they_were)
{
    expect_story(arms_for_one_moment, "0 at 60000\n1 at 60000\n2 at 60000\n3 at 60000\n"
                                      "4 at 60000\n5 at 60000\n6 at 60000\n7 at 60000\n");
}
END_TEST

static void waits_for_the_moment(void *argument)
{
    int64_t moment = *(const int64_t *)argument;
    cop_sleep(moment - cop_now_ms());
    trace("woken at %lld", (long long)cop_now_ms());
}

static void is_told_the_moment(void *argument)
{
    (void)argument;
    trace_ticks(2);
}

/* A wait's timer goes to the heap at once, what was armed before it may still be in the wheel. */
static void mixes_waits_and_messages(void *argument)
{
    (void)argument;
    int64_t moment = 90 * second;
    cop_pid told = cop_spawn(is_told_the_moment, NULL, 0);
    cop_send_after(told, moment, tick, .n = 1);
    cop_spawn(waits_for_the_moment, &moment, sizeof moment);
    cop_sleep(80 * second);
    cop_spawn(waits_for_the_moment, &moment, sizeof moment);
    cop_send_after(told, moment - cop_now_ms(), tick, .n = 2);
    cop_sleep(20 * second);
}

START_TEST(waits_and_messages_for_one_moment_come_as_they_were_started)
{
    expect_story(mixes_waits_and_messages, "1 at 90000\n"
                                           "2 at 90000\n"
                                           "woken at 90000\n"
                                           "woken at 90000\n");
}
END_TEST

/* ---- far jumps ----------------------------------------------------------------------- */

static void goes_through_the_years(void *argument)
{
    (void)argument;
    cop_send_after(cop_self(), 200 * year, tick, .n = 5);
    cop_send_after(cop_self(), year, tick, .n = 3);
    cop_send_after(cop_self(), year + 1, tick, .n = 4);
    cop_send_after(cop_self(), day, tick, .n = 2);
    cop_ref never = cop_send_after(cop_self(), INT64_MAX, owned, .n = 9);
    cop_send_after(cop_self(), 1, tick, .n = 1);
    trace_ticks(5);
    trace("left: %s", cop_read_timer(never) > 90 * year ? "90 years" : "less");
    trace("cancelled: %s", cop_cancel_timer(never) > 90 * year ? "90 years" : "less");
}

START_TEST(the_clock_jumps_over_years_to_the_very_millisecond)
{
    expect_story(goes_through_the_years, "1 at 1\n"
                                         "2 at 86400000\n"
                                         "3 at 31536000000\n"
                                         "4 at 31536000001\n"
                                         "5 at 6307200000000\n"
                                         "left: 90 years\n"
                                         "cancelled: 90 years\n");
    ck_assert_int_eq(dropped, 1);
}
END_TEST

/* The clock does not jump to what was cancelled, nor to where its bucket began. */
static void cancels_the_first(void *argument)
{
    (void)argument;
    cop_ref first = cop_send_after(cop_self(), 10 * second, owned, .n = 1);
    cop_ref second_one = cop_send_after(cop_self(), 100 * second, owned, .n = 2);
    cop_send_after(cop_self(), 1000 * second, tick, .n = 3);
    trace("left: %lld", (long long)cop_cancel_timer(first));
    cop_spawn(waits_for_the_moment, &(int64_t){ 500 * second }, sizeof(int64_t));
    cop_yield();
    trace("left: %lld", (long long)cop_cancel_timer(second_one));
    trace_ticks(1);
}

START_TEST(time_goes_on_with_the_first_that_was_not_cancelled)
{
    expect_story(cancels_the_first, "left: 10000\n"
                                    "left: 100000\n"
                                    "woken at 500000\n"
                                    "3 at 1000000\n");
    ck_assert_int_eq(dropped, 2);
}
END_TEST

/* ---- a model ------------------------------------------------------------------------- */

enum { TIMERS = 3000, STEPS = 12000 };

static struct armed {
    cop_ref ref;
    int64_t due;
    long number;             /* in the order of arming; 0: not armed */
} armed[TIMERS];

/* Which is to fire next; -1: none. */
static int next_to_fire(void)
{
    int first = -1;
    for (int i = 0; i < TIMERS; i++)
        if (armed[i].number != 0 &&
            (first < 0 || armed[i].due < armed[first].due ||
             (armed[i].due == armed[first].due && armed[i].number < armed[first].number)))
            first = i;
    return first;
}

static void expect_fired(const tick *got)
{
    int first = next_to_fire();
    ck_assert_int_ge(first, 0);
    ck_assert_int_eq(got->n, first);
    ck_assert_int_le(armed[first].due, cop_now_ms());
    armed[first].number = 0;
}

static int64_t some_delay(void)
{
    switch (cop_random_below(5)) {
    case 0: return (int64_t)cop_random_below(3) - 1;
    case 1: return (int64_t)cop_random_below(100);
    case 2: return 1000 * (int64_t)cop_random_below(4);     /* often equal ones */
    case 3: return (int64_t)cop_random_below(200000);
    default: return (int64_t)cop_random_below(10000000);
    }
}

static void arms_and_cancels(void *argument)
{
    long number = 0, fired = 0, cancelled = 0;
    (void)argument;
    for (int i = 0; i < TIMERS; i++) armed[i].number = 0;
    for (int step = 0; step < STEPS; step++) {
        int i = (int)cop_random_below(TIMERS);
        int64_t delay = some_delay(), now = cop_now_ms();
        if (armed[i].number == 0) {
            armed[i].ref = cop_send_after(cop_self(), delay, tick, .n = i);
            armed[i].due = delay < 0 ? now : now + delay;
            armed[i].number = ++number;
        } else if (armed[i].due > now) {
            expect_that(cop_read_timer(armed[i].ref) == armed[i].due - now);
            expect_that(cop_cancel_timer(armed[i].ref) == armed[i].due - now);
            expect_that(cop_cancel_timer(armed[i].ref) == COP_ENOT_FOUND);
            armed[i].number = 0;
            cancelled++;
        }
        if (cop_random_below(20) != 0)
            continue;
        int64_t until = now + (int64_t)cop_random_below(cop_random_below(5) == 0 ? 300000 : 3000);
        for (int next; (next = next_to_fire()) >= 0 && armed[next].due <= until; fired++) {
            int64_t due = armed[next].due;
            expect_fired(cop_receive_type(tick, COP_INFINITY));
            expect_that(cop_now_ms() == (due > now ? due : now));     /* exactly then */
            now = cop_now_ms();
        }
        expect_that(cop_receive_type(tick, until - cop_now_ms()) == NULL);
    }
    for (; next_to_fire() >= 0; fired++)
        expect_fired(cop_receive_type(tick, COP_INFINITY));
    ck_assert_int_gt(fired, 1000);
    ck_assert_int_gt(cancelled, 1000);
    expect_empty_mailbox();
}

START_TEST(a_random_history_of_timers_agrees_with_a_sorted_list)
{
    ck_assert_int_eq(run_node_seeded(arms_and_cancels, NULL, (uint64_t)_i + 1), 0);
}
END_TEST

/* ---- the end, and others' schedulers ---------------------------------------------------- */

static void starts_far_ones(void *argument)
{
    (void)argument;
    for (int i = 0; i < 1000; i++)
        cop_send_after(i % 2 == 0 ? cop_self() : cop_parent(), 50 + i * (int64_t)i * 7, owned,
                       .n = i);
    cop_sleep(300);
}

static void outlives_who_started_them(void *argument)
{
    (void)argument;
    for (int i = 0; i < 5; i++) cop_spawn(starts_far_ones, NULL, 0);
    cop_sleep(year);
    trace("came: %zu", cop_mailbox_length());
    trace("dropped: %d", dropped);
}

START_TEST(far_timers_end_with_who_started_them)
{
    expect_story(outlives_who_started_them, "came: 15\ndropped: 4985\n");
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PLAYERS = 6, ROUNDS = 60, AT_ONCE = 40 };
#else
enum { PLAYERS = 8, ROUNDS = 200, AT_ONCE = 100 };
#endif

/* With the real clock: from the heap's time to the wheel's, on whatever scheduler it runs, some
 * cancelled at once, some on their way into the heap, some too late. */
static void arms_on_the_move(void *argument)
{
    cop_ref refs[AT_ONCE];
    int64_t due[AT_ONCE];
    (void)argument;
    for (int round = 0; round < ROUNDS; round++) {
        int left = 0;
        for (int i = 0; i < AT_ONCE; i++) {
            int64_t delay = (int64_t)cop_random_below(i % 4 == 0 ? 4 : 70);
            due[i] = cop_now_ns() + delay * 1000000;
            refs[i] = cop_send_after(cop_self(), delay, tick, .n = i);
            if (cop_random_below(16) == 0)
                cop_yield();
        }
        if (round % 8 == 0)
            cop_sleep((int64_t)cop_random_below(50));
        for (int i = 0; i < AT_ONCE; i++)
            if (i % 10 != round % 10 && cop_cancel_timer(refs[i]) >= 0)
                due[i] = 0;
            else
                left++;
        for (; left > 0; left--) {
            const tick *got = cop_receive_type(tick, COP_INFINITY);
            expect_that(due[got->n] != 0);
            expect_that(cop_now_ns() >= due[got->n]);
            due[got->n] = 0;
        }
        expect_that(cop_receive_type(tick, 0) == NULL);
    }
    for (int i = 0; i < AT_ONCE; i++) cop_send_after(cop_self(), 40 + i * 1000, tick, .n = i);
}

static void starts_players(void *argument)
{
    (void)argument;
    cop_ref refs[PLAYERS];
    for (int i = 0; i < PLAYERS; i++) cop_spawn_monitor(arms_on_the_move, NULL, 0, &refs[i]);
    for (int i = 0; i < PLAYERS; i++) {
        const cop_message *message = cop_receive_match(&(cop_match){ .ref = refs[i] },
                                                       COP_INFINITY);
        ck_assert(cop_reason_is(cop_expect(message, cop_down_message)->reason, "normal"));
    }
}

START_TEST(with_many_schedulers_a_timer_fires_once_and_not_early_or_was_cancelled)
{
    ck_assert_int_eq(run_node_threads(starts_players, NULL, 3), 0);
}
END_TEST

static void has_one_far_timer(void *argument)
{
    (void)argument;
    int64_t start = cop_now_ns();
    cop_send_after(cop_self(), 90, tick, .n = 1);
    ck_assert_int_eq(cop_receive_type(tick, COP_INFINITY)->n, 1);
    ck_assert_int_ge(cop_now_ns() - start, 90 * 1000000);
}

START_TEST(a_far_timer_alone_wakes_a_node_that_sleeps)
{
    ck_assert_int_eq(run_node_threads(has_one_far_timer, NULL, 2), 0);
}
END_TEST

/* What a timer is armed by may be ahead of the clock: near_clock.h. */
enum { LATE = 4000, AHEAD_NS = 1000 };

/* The scheduler has no time to look until all are due, most of them still in the wheel. */
static void looks_too_late(void *argument)
{
    int64_t (*due)[2] = argument, latest = 0;      /* between these two */
    for (int i = 0; i < LATE; i++) {
        int64_t delay = 45 + (int64_t)cop_random_below(60);
        due[i][0] = cop_now_ns() + delay * 1000000;
        cop_send_after(cop_self(), delay, tick, .n = i);
        due[i][1] = cop_now_ns() + delay * 1000000 + AHEAD_NS;
        latest = due[i][1] > latest ? due[i][1] : latest;
    }
    while (cop_now_ns() <= latest)
        continue;
    int64_t last = 0;
    for (int i = 0; i < LATE; i++) {
        int n = cop_receive_type(tick, COP_INFINITY)->n;
        expect_that(due[n][1] >= last);             /* or it was due before the one before */
        last = due[n][0] > last ? due[n][0] : last;
    }
}

START_TEST(timers_that_are_late_still_fire_in_their_order)
{
    static int64_t due[LATE][2];
    ck_assert_int_eq(run_node_threads(looks_too_late, due, 1), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer_far");
    TCase *tests = tcase_create("timer_far");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, equal_deadlines_fire_as_they_were_started_however_far_they_were);
    tcase_add_test(tests, waits_and_messages_for_one_moment_come_as_they_were_started);
    tcase_add_test(tests, the_clock_jumps_over_years_to_the_very_millisecond);
    tcase_add_test(tests, time_goes_on_with_the_first_that_was_not_cancelled);
    tcase_add_loop_test(tests, a_random_history_of_timers_agrees_with_a_sorted_list, 0, 5);
    tcase_add_test(tests, far_timers_end_with_who_started_them);
    tcase_add_test(tests, with_many_schedulers_a_timer_fires_once_and_not_early_or_was_cancelled);
    tcase_add_test(tests, a_far_timer_alone_wakes_a_node_that_sleeps);
    tcase_add_test(tests, timers_that_are_late_still_fire_in_their_order);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
