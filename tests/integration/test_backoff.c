/* test_backoff.c - restarts that wait: for how long, and when they count. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "top.h"

static struct worker a, b, c;

/* Kills it and returns when it runs again. */
static void kill_and_await(const char *name)
{
    cop_pid old = cop_whereis(name);
    worker_kill(name);
    ck_assert_int_eq(cop_supervisor_await_restart(TOP, name, old, COP_INFINITY, NULL), COP_OK);
}

/* ---- how long ---------------------------------------------------------------------- */

static void crashes_at_once(const cop_backoff *backoff, int times)
{
    const cop_child_spec children[] = { WORKER(a, .backoff = *backoff) };
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    for (int i = 0; i < times; i++) kill_and_await("a");
}

static void doubles(void *argument)
{
    (void)argument;
    crashes_at_once(&(cop_backoff){ .initial_ms = 100, .max_ms = 500 }, 5);
}

START_TEST(a_delay_is_twice_the_one_before_up_to_its_maximum)
{
    expect_story(doubles, "0: a.1 starts\n--\n"
                          "0: a.1 is gone\n"
                          "0: report: child_terminated a: killed\n"
                          "100: a.2 starts\n"
                          "100: report: a restarted: killed; a\n"
                          "100: a.2 is gone\n"
                          "100: report: child_terminated a: killed\n"
                          "300: a.3 starts\n"
                          "300: report: a restarted: killed; a\n"
                          "300: a.3 is gone\n"
                          "300: report: child_terminated a: killed\n"
                          "700: a.4 starts\n"
                          "700: report: a restarted: killed; a\n"
                          "700: a.4 is gone\n"
                          "700: report: child_terminated a: killed\n"
                          "1200: a.5 starts\n"
                          "1200: report: a restarted: killed; a\n"
                          "1200: a.5 is gone\n"
                          "1200: report: child_terminated a: killed\n"
                          "1700: a.6 starts\n"
                          "1700: report: a restarted: killed; a\n");
}
END_TEST

static void triples(void *argument)
{
    (void)argument;
    crashes_at_once(&(cop_backoff){ .initial_ms = 10, .factor = 3 }, 8);
    trace_reset();
    trace("%d", story_ms());
    kill_and_await("a");
}

/* 10 + 30 + 90 + 270 + 810 + 2430 + 7290 + 21870 = 32800 */
START_TEST(the_factor_and_the_default_maximum_of_thirty_seconds)
{
    expect_story(triples, "32800\n"
                          "32800: a.9 is gone\n"
                          "32800: report: child_terminated a: killed\n"
                          "62800: a.10 starts\n"
                          "62800: report: a restarted: killed; a\n");
}
END_TEST

/* The times of the story's restarts with that seed. */
static int starts_at[9];

static void draws(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .backoff = { .initial_ms = 1000, .factor = 1, .jitter_percent = 50 }) };
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    for (int i = 0; i < 8; i++) {
        kill_and_await("a");
        starts_at[i + 1] = story_ms();
    }
}

START_TEST(jitter_leaves_a_part_of_the_delay_out_and_is_drawn_from_the_seed)
{
    int first[9];
    run_shuffled(draws, 7);
    int different = 0;
    for (int i = 0; i < 8; i++) {
        int delay = starts_at[i + 1] - starts_at[i];
        ck_assert_int_ge(delay, 500);
        ck_assert_int_le(delay, 1000);
        different += i > 0 && delay != starts_at[1];
    }
    ck_assert_int_gt(different, 0);
    memcpy(first, starts_at, sizeof first);
    run_shuffled(draws, 7);
    ck_assert_mem_eq(first, starts_at, sizeof first);
    run_shuffled(draws, 8);
    ck_assert_mem_ne(first, starts_at, sizeof first);
    trace_reset();
}
END_TEST

static void is_stable(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .backoff = { .initial_ms = 100, .reset_ms = 1000 }) };
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    crash("a");
    crash_at(1099, "a");        /* after 999 */
    crash_at(2299, "a");        /* after 1000 */
    wait_until(2500);
}

START_TEST(a_child_that_has_run_long_enough_begins_with_the_first_delay_again)
{
    expect_story(is_stable, "0: a.1 starts\n--\n"
                            "0: a.1 is gone\n"
                            "0: report: child_terminated a: error:bad\n"
                            "100: a.2 starts\n"
                            "100: report: a restarted: error:bad; a\n"
                            "1099: a.2 is gone\n"
                            "1099: report: child_terminated a: error:bad\n"
                            "1299: a.3 starts\n"
                            "1299: report: a restarted: error:bad; a\n"
                            "2299: a.3 is gone\n"
                            "2299: report: child_terminated a: error:bad\n"
                            "2399: a.4 starts\n"
                            "2399: report: a restarted: error:bad; a\n");
}
END_TEST

static void is_stable_by_default(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .backoff = { .initial_ms = 100, .max_ms = 300 }),
        WORKER(b, .backoff = { .initial_ms = 100, .reset_ms = INT64_MAX }) };
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    worker_kill("a");
    worker_kill("b");
    wait_until(400);
    worker_kill("a");
    wait_until(1000000);
    worker_kill("b");
    wait_until(1001000);
}

START_TEST(long_enough_is_the_maximum_unless_told_and_may_be_never)
{
    expect_story(is_stable_by_default, "0: a.1 starts\n0: b.1 starts\n--\n"
                                       "0: a.1 is gone\n"
                                       "0: report: child_terminated a: killed\n"
                                       "0: b.1 is gone\n"
                                       "0: report: child_terminated b: killed\n"
                                       "100: a.2 starts\n"
                                       "100: report: a restarted: killed; a\n"
                                       "100: b.2 starts\n"
                                       "100: report: b restarted: killed; b\n"
                                       "400: a.2 is gone\n"
                                       "400: report: child_terminated a: killed\n"
                                       "500: a.3 starts\n"
                                       "500: report: a restarted: killed; a\n"
                                       "1000000: b.2 is gone\n"
                                       "1000000: report: child_terminated b: killed\n"
                                       "1000200: b.3 starts\n"
                                       "1000200: report: b restarted: killed; b\n");
}
END_TEST

static void fails_to_start(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .backoff = { .initial_ms = 100 }) };
    a.starts = "oeeoo";
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    crash("a");
    wait_until(1000);
    crash("a");
    wait_until(2000);
}

START_TEST(a_start_that_fails_is_tried_again_after_a_longer_delay)
{
    expect_story(fails_to_start, "0: a.1 starts\n--\n"
                                 "0: a.1 is gone\n"
                                 "0: report: child_terminated a: error:bad\n"
                                 "100: a.2 fails\n"
                                 "100: report: start_error a: boom\n"
                                 "300: a.3 fails\n"
                                 "300: report: start_error a: boom\n"
                                 "700: a.4 starts\n"
                                 "700: report: a restarted: error:bad; a\n"
                                 "1000: a.4 is gone\n"
                                 "1000: report: child_terminated a: error:bad\n"
                                 "1800: a.5 starts\n"
                                 "1800: report: a restarted: error:bad; a\n");
}
END_TEST

static void ends_normally(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a, .backoff = { .initial_ms = 100 }),
        WORKER(b, .backoff = { .initial_ms = 100 }, .restart = COP_TRANSIENT),
        WORKER(c, .restart = COP_TEMPORARY) };
    start_top(&(cop_supervisor){ UNLIMITED, COP_CHILDREN(children) });
    worker_exit("a", COP_NORMAL);
    worker_exit("b", COP_NORMAL);
    crash("c");
    trace_children(TOP);
    wait_until(1000);
}

START_TEST(only_what_is_to_be_restarted_waits)
{
    expect_story(ends_normally,
                 "0: a.1 starts\n0: b.1 starts\n0: c.1 starts\n--\n"
                 "0: a.1 stops: normal\n"
                 "0: a.1 is gone\n"
                 "0: report: child_terminated a: normal\n"
                 "0: b.1 stops: normal\n"
                 "0: b.1 is gone\n"
                 "0: c.1 is gone\n"
                 "0: report: child_terminated c: error:bad\n"
                 "children: b down, a restarting; 2 specs, 0 active, 0 supervisors, 2 workers\n"
                 "100: a.2 starts\n"
                 "100: report: a restarted: normal; a\n");
}
END_TEST

/* ---- what counts ------------------------------------------------------------------- */

static void gives_up_later(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a, .backoff = { .initial_ms = 100 }) };
    start_top(&(cop_supervisor){ .intensity = COP_MAX_RESTARTS(1, 5), COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    crash("a");
    crash_at(4900, "a");
    trace_down("top", end);
    trace("%d", story_ms());
}

/* When the second one is tried, the first is just within the period still. */
START_TEST(a_delayed_restart_is_counted_when_it_is_tried)
{
    expect_story(gives_up_later, "0: a.1 starts\n--\n"
                                 "0: a.1 is gone\n"
                                 "0: report: child_terminated a: error:bad\n"
                                 "100: a.2 starts\n"
                                 "100: report: a restarted: error:bad; a\n"
                                 "4900: a.2 is gone\n"
                                 "4900: report: child_terminated a: error:bad\n"
                                 "5100: report: shutdown a: reached_max_restart_intensity\n"
                                 "top down: shutdown\n"
                                 "5100\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *backoff_suite(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tests = tcase_create("backoff");
    tcase_add_test(tests, a_delay_is_twice_the_one_before_up_to_its_maximum);
    tcase_add_test(tests, the_factor_and_the_default_maximum_of_thirty_seconds);
    tcase_add_test(tests, jitter_leaves_a_part_of_the_delay_out_and_is_drawn_from_the_seed);
    tcase_add_test(tests, a_child_that_has_run_long_enough_begins_with_the_first_delay_again);
    tcase_add_test(tests, long_enough_is_the_maximum_unless_told_and_may_be_never);
    tcase_add_test(tests, a_start_that_fails_is_tried_again_after_a_longer_delay);
    tcase_add_test(tests, only_what_is_to_be_restarted_waits);
    tcase_add_test(tests, a_delayed_restart_is_counted_when_it_is_tried);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    trace_times(true);
    SRunner *runner = srunner_create(backoff_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
