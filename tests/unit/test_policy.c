/* test_policy.c - the supervisors' decisions: the restart window, and what follows from an end. */
#include <check.h>
#include <stdlib.h>

#include "behaviour/policy.h"

/* ---- helpers ----------------------------------------------------------------------- */

static const int64_t MS = 1000000;

static struct restart_window window_of(uint32_t restarts, uint32_t seconds, bool whole_seconds)
{
    cop_intensity intensity = { true, restarts, seconds, whole_seconds };
    struct restart_window window;
    copi_window_init(&window, &intensity, realloc);
    return window;
}

static struct policy policy_of(enum cop_strategy strategy, enum cop_auto_shutdown auto_shutdown,
                               uint32_t restarts)
{
    return (struct policy){ strategy, auto_shutdown, window_of(restarts, 5, false) };
}

static struct decision decide(struct policy *policy, struct ended_child ended)
{
    struct decision decision = copi_policy_ended(policy, &ended, 0);
    free(policy->window.times);
    return decision;
}

/* The decision of a patient one_for_one supervisor about a plain child. */
static struct decision decide_for(enum cop_restart restart, enum child_end end)
{
    struct policy policy = policy_of(COP_ONE_FOR_ONE, COP_NEVER, 3);
    return decide(&policy, (struct ended_child){ .restart = restart, .end = end });
}

static const enum child_end all_ends[] = { END_NORMAL, END_SHUTDOWN, END_SHUTDOWN_CAUSE,
                                           END_KILLED, END_OTHER };
enum { ENDS = sizeof all_ends / sizeof *all_ends };

static bool is_abnormal(enum child_end end)
{
    return end == END_KILLED || end == END_OTHER;
}

/* ---- the window -------------------------------------------------------------------- */

START_TEST(a_window_tolerates_its_limit_and_not_one_more)
{
    struct restart_window window = window_of(3, 5, false);
    for (int i = 0; i < 3; i++) ck_assert(copi_window_add(&window, i * 1000 * MS));
    ck_assert(!copi_window_add(&window, 3000 * MS));
    free(window.times);
}
END_TEST

START_TEST(a_window_of_none_tolerates_nothing_and_takes_no_memory)
{
    struct restart_window window = window_of(0, 5, false);
    ck_assert(!copi_window_add(&window, 0));
    ck_assert_ptr_null(window.times);
}
END_TEST

START_TEST(the_zero_intensity_is_three_in_five_seconds)
{
    struct restart_window window;
    copi_window_init(&window, &(cop_intensity){ .set = false }, realloc);
    for (int i = 0; i < 3; i++) ck_assert(copi_window_add(&window, 0));
    ck_assert(!copi_window_add(&window, 5000 * MS));
    ck_assert(copi_window_add(&window, 5000 * MS + 1));
    free(window.times);
}
END_TEST

START_TEST(a_restart_exactly_a_period_ago_still_counts_and_one_a_nanosecond_older_does_not)
{
    struct restart_window window = window_of(1, 2, false);
    ck_assert(copi_window_add(&window, 7));
    ck_assert(!copi_window_add(&window, 2000 * MS + 7));
    ck_assert(copi_window_add(&window, 2000 * MS + 8));
    free(window.times);
}
END_TEST

/* OTP's clock ticks in whole seconds, so a window of 1 s is anything between 1 and 2 s long. */
START_TEST(in_whole_seconds_the_window_is_up_to_a_second_longer)
{
    struct restart_window late = window_of(1, 1, true);
    ck_assert(copi_window_add(&late, 0));
    ck_assert(!copi_window_add(&late, 1999 * MS));
    ck_assert(copi_window_add(&late, 2000 * MS));
    free(late.times);

    struct restart_window early = window_of(1, 1, true);
    ck_assert(copi_window_add(&early, 900 * MS));
    ck_assert(copi_window_add(&early, 2050 * MS));
    free(early.times);

    struct restart_window exact = window_of(1, 1, false);
    ck_assert(copi_window_add(&exact, 0));
    ck_assert(copi_window_add(&exact, 1999 * MS));
    free(exact.times);
}
END_TEST

START_TEST(whole_seconds_are_rounded_down_before_zero_too)
{
    struct restart_window window = window_of(1, 1, true);
    ck_assert(copi_window_add(&window, -1));       /* second -1 */
    ck_assert(!copi_window_add(&window, 999 * MS)); /* second 0 */
    ck_assert(copi_window_add(&window, 1000 * MS));
    free(window.times);
}
END_TEST

/* Holds the ring against a plain list, over growth and wrap-around. */
START_TEST(a_window_forgets_the_oldest_first_however_it_has_grown)
{
    enum { LIMIT = 100, EVENTS = 5000 };
    struct restart_window window = window_of(LIMIT, 1, false);
    static int64_t tolerated[EVENTS];
    size_t count = 0, first = 0, refused = 0;
    int64_t now = 0;
    uint32_t noise = 1;
    for (int i = 0; i < EVENTS; i++) {
        noise = noise * 1664525 + 1013904223;
        now += (int64_t)(noise >> 20) % (i % 1000 < 500 ? 9 : 40) * MS;
        while (first < count && tolerated[first] < now - 1000 * MS) first++;
        bool expected = count - first < LIMIT;
        ck_assert_int_eq(copi_window_add(&window, now), expected);
        if (expected) tolerated[count++] = now;
        else refused++;
        ck_assert_uint_eq(window.count, count - first);
        ck_assert_uint_le(window.capacity, LIMIT);
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_gt(first, LIMIT);
    free(window.times);
}
END_TEST

static void *no_memory(void *block, size_t size)
{
    (void)block;
    (void)size;
    return NULL;
}

START_TEST(a_window_that_cannot_grow_tolerates_no_more)
{
    struct restart_window window;
    copi_window_init(&window, &(cop_intensity)COP_MAX_RESTARTS(3, 5), no_memory);
    ck_assert(!copi_window_add(&window, 0));
    ck_assert_uint_eq(window.count, 0);
}
END_TEST

START_TEST(a_huge_limit_takes_memory_only_as_it_is_used)
{
    struct restart_window window = window_of(UINT32_MAX - 1, UINT32_MAX, false);
    for (int i = 0; i < 1000; i++) ck_assert(copi_window_add(&window, i));
    ck_assert_uint_le(window.capacity, 1024);
    free(window.times);
}
END_TEST

/* ---- restart types ----------------------------------------------------------------- */

START_TEST(a_permanent_child_is_reported_and_restarted_however_it_ended)
{
    for (int i = 0; i < ENDS; i++) {
        struct decision decision = decide_for(COP_PERMANENT, all_ends[i]);
        ck_assert(decision.report);
        ck_assert_int_eq(decision.child, FATE_RESTART);
        ck_assert_int_eq(decision.supervisor, GO_ON);
    }
}
END_TEST

START_TEST(a_transient_child_is_restarted_after_an_abnormal_end_and_else_kept_down)
{
    for (int i = 0; i < ENDS; i++) {
        bool abnormal = is_abnormal(all_ends[i]);
        struct decision decision = decide_for(COP_TRANSIENT, all_ends[i]);
        ck_assert_int_eq(decision.report, abnormal);
        ck_assert_int_eq(decision.child, abnormal ? FATE_RESTART : FATE_KEEP_DOWN);
        ck_assert_int_eq(decision.supervisor, GO_ON);
    }
}
END_TEST

START_TEST(a_temporary_child_is_forgotten_and_reported_after_an_abnormal_end)
{
    for (int i = 0; i < ENDS; i++) {
        struct decision decision = decide_for(COP_TEMPORARY, all_ends[i]);
        ck_assert_int_eq(decision.report, is_abnormal(all_ends[i]));
        ck_assert_int_eq(decision.child, FATE_FORGET);
        ck_assert_int_eq(decision.supervisor, GO_ON);
    }
}
END_TEST

START_TEST(only_restarts_are_counted)
{
    struct policy policy = policy_of(COP_ONE_FOR_ONE, COP_NEVER, 1);
    struct ended_child ended = { .restart = COP_TEMPORARY, .end = END_OTHER };
    for (int i = 0; i < 10; i++) copi_policy_ended(&policy, &ended, 0);
    ended = (struct ended_child){ .restart = COP_TRANSIENT, .end = END_NORMAL };
    for (int i = 0; i < 10; i++) copi_policy_ended(&policy, &ended, 0);
    ck_assert_uint_eq(policy.window.count, 0);
}
END_TEST

/* ---- strategies and giving up ------------------------------------------------------ */

START_TEST(the_strategy_says_who_restarts_with_the_child)
{
    static const struct { enum cop_strategy strategy; enum restart_scope scope; } pairs[] = {
        { COP_ONE_FOR_ONE, SCOPE_ONE },
        { COP_REST_FOR_ONE, SCOPE_FROM_IT_ON },
        { COP_ONE_FOR_ALL, SCOPE_ALL },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct policy policy = policy_of(pairs[i].strategy, COP_NEVER, 2);
        struct ended_child ended = { .restart = COP_PERMANENT, .end = END_OTHER };
        ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).scope, pairs[i].scope);
        ck_assert_int_eq(copi_policy_retry(&policy, &ended, 0).scope, pairs[i].scope);
        free(policy.window.times);
    }
}
END_TEST

START_TEST(one_restart_too_many_keeps_the_child_down_and_gives_up)
{
    struct policy policy = policy_of(COP_ONE_FOR_ALL, COP_NEVER, 1);
    struct ended_child ended = { .restart = COP_PERMANENT, .end = END_NORMAL };
    ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).supervisor, GO_ON);
    struct decision decision = copi_policy_ended(&policy, &ended, 0);
    ck_assert(decision.report);
    ck_assert_int_eq(decision.child, FATE_KEEP_DOWN);
    ck_assert_int_eq(decision.supervisor, GIVE_UP);
    free(policy.window.times);
}
END_TEST

/* With 3 restarts allowed a start function that always fails is tried 3 times. */
START_TEST(failed_restarts_count_like_crashes_and_are_not_reported_as_such)
{
    struct policy policy = policy_of(COP_ONE_FOR_ONE, COP_NEVER, 3);
    struct ended_child ended = { .restart = COP_TRANSIENT, .end = END_OTHER };
    ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).child, FATE_RESTART);
    for (int i = 0; i < 2; i++) {
        struct decision decision = copi_policy_retry(&policy, &ended, 0);
        ck_assert_int_eq(decision.child, FATE_RESTART);
        ck_assert(!decision.report);
    }
    struct decision decision = copi_policy_retry(&policy, &ended, 0);
    ck_assert_int_eq(decision.child, FATE_KEEP_DOWN);
    ck_assert_int_eq(decision.supervisor, GIVE_UP);
    free(policy.window.times);
}
END_TEST

/* ---- auto_shutdown ----------------------------------------------------------------- */

static enum supervisor_fate fate_with(enum cop_auto_shutdown auto_shutdown,
                                      struct ended_child ended)
{
    struct policy policy = policy_of(COP_ONE_FOR_ONE, auto_shutdown, 3);
    return decide(&policy, ended).supervisor;
}

START_TEST(with_any_significant_the_first_significant_end_ends_the_supervisor)
{
    struct ended_child ended = { .restart = COP_TRANSIENT, .significant = true,
                                 .others_significant = true, .end = END_NORMAL };
    ck_assert_int_eq(fate_with(COP_ANY_SIGNIFICANT, ended), AUTO_SHUTDOWN);
    ck_assert_int_eq(fate_with(COP_NEVER, ended), GO_ON);
    ended.significant = false;
    ck_assert_int_eq(fate_with(COP_ANY_SIGNIFICANT, ended), GO_ON);
}
END_TEST

START_TEST(with_all_significant_the_last_significant_end_does)
{
    struct ended_child ended = { .restart = COP_TEMPORARY, .significant = true,
                                 .others_significant = true, .end = END_OTHER };
    ck_assert_int_eq(fate_with(COP_ALL_SIGNIFICANT, ended), GO_ON);
    ended.others_significant = false;
    ck_assert_int_eq(fate_with(COP_ALL_SIGNIFICANT, ended), AUTO_SHUTDOWN);
    ended.significant = false;
    ck_assert_int_eq(fate_with(COP_ALL_SIGNIFICANT, ended), GO_ON);
}
END_TEST

START_TEST(a_significant_child_that_is_restarted_ends_nothing)
{
    struct ended_child ended = { .restart = COP_TRANSIENT, .significant = true, .end = END_KILLED };
    ck_assert_int_eq(fate_with(COP_ANY_SIGNIFICANT, ended), GO_ON);
    ck_assert_int_eq(fate_with(COP_ALL_SIGNIFICANT, ended), GO_ON);
}
END_TEST

/* ---- backoff ----------------------------------------------------------------------- */

START_TEST(a_delay_grows_by_its_factor_up_to_its_maximum_and_stays_there)
{
    const cop_backoff backoff = { .initial_ms = 100, .max_ms = 1000, .factor = 3 };
    static const int64_t delays[] = { 100, 300, 900, 1000, 1000 };
    for (uint32_t i = 0; i < sizeof delays / sizeof *delays; i++)
        ck_assert_int_eq(copi_backoff_ms(&backoff, i, 0), delays[i]);
    ck_assert_int_eq(copi_backoff_ms(&backoff, UINT32_MAX, 0), 1000);
}
END_TEST

START_TEST(by_default_a_delay_doubles_up_to_thirty_seconds_or_its_beginning_if_that_is_longer)
{
    const cop_backoff plain = { .initial_ms = 10000 }, slow = { .initial_ms = 60000 };
    ck_assert_int_eq(copi_backoff_ms(&plain, 1, 0), 20000);
    ck_assert_int_eq(copi_backoff_ms(&plain, 2, 0), 30000);
    ck_assert_int_eq(copi_backoff_ms(&slow, 0, 0), 60000);
    ck_assert_int_eq(copi_backoff_ms(&slow, 9, 0), 60000);
    ck_assert_int_eq(copi_backoff_reset_ms(&plain), 30000);
    ck_assert_int_eq(copi_backoff_reset_ms(&slow), 60000);
}
END_TEST

START_TEST(a_maximum_below_the_beginning_holds_from_the_beginning)
{
    const cop_backoff backoff = { .initial_ms = 500, .max_ms = 200 };
    for (uint32_t i = 0; i < 3; i++) ck_assert_int_eq(copi_backoff_ms(&backoff, i, 0), 200);
    ck_assert_int_eq(copi_backoff_reset_ms(&backoff), 200);
}
END_TEST

START_TEST(with_a_factor_of_one_a_delay_does_not_grow)
{
    const cop_backoff backoff = { .initial_ms = 7, .factor = 1 };
    ck_assert_int_eq(copi_backoff_ms(&backoff, 0, 0), 7);
    ck_assert_int_eq(copi_backoff_ms(&backoff, UINT32_MAX, 0), 7);
}
END_TEST

START_TEST(no_delay_overflows)
{
    const cop_backoff slow = { .initial_ms = 1, .max_ms = INT64_MAX };
    for (uint32_t i = 0; i < 63; i++)
        ck_assert_int_eq(copi_backoff_ms(&slow, i, 0), INT64_C(1) << i);
    ck_assert_int_eq(copi_backoff_ms(&slow, 63, 0), INT64_MAX);
    const cop_backoff steep = { .initial_ms = INT64_MAX / 2, .max_ms = INT64_MAX,
                                .factor = UINT32_MAX, .jitter_percent = 100 };
    ck_assert_int_eq(copi_backoff_ms(&steep, 1, 0), INT64_MAX);
    ck_assert_int_eq(copi_backoff_ms(&steep, UINT32_MAX, INT64_MAX), 0);
    ck_assert_int_eq(copi_backoff_ms(&steep, 1, UINT64_MAX), 0);
}
END_TEST

START_TEST(jitter_leaves_out_no_more_than_its_part)
{
    const cop_backoff all = { .initial_ms = 10, .jitter_percent = 100 };
    const cop_backoff fifth = { .initial_ms = 10, .jitter_percent = 20 };
    const cop_backoff none = { .initial_ms = 10 };
    const cop_backoff less_than_one = { .initial_ms = 4, .jitter_percent = 20 };
    for (uint64_t chance = 0; chance < 100; chance++) {
        ck_assert_int_eq(copi_backoff_ms(&all, 0, chance), 10 - (int64_t)(chance % 11));
        ck_assert_int_eq(copi_backoff_ms(&fifth, 0, chance), 10 - (int64_t)(chance % 3));
        ck_assert_int_eq(copi_backoff_ms(&none, 0, chance), 10);
        ck_assert_int_eq(copi_backoff_ms(&less_than_one, 0, chance), 4);
    }
    const cop_backoff capped = { .initial_ms = 10, .max_ms = 15, .jitter_percent = 100 };
    for (uint64_t chance = 0; chance < 100; chance++)
        ck_assert_int_eq(copi_backoff_ms(&capped, 5, chance), 15 - (int64_t)(chance % 16));
}
END_TEST

START_TEST(the_stable_time_may_be_told)
{
    const cop_backoff backoff = { .initial_ms = 10, .max_ms = 100, .reset_ms = 5 };
    ck_assert_int_eq(copi_backoff_reset_ms(&backoff), 5);
}
END_TEST

/* ---- delays and budgets ------------------------------------------------------------ */

START_TEST(a_delayed_restart_is_decided_and_counted_when_it_is_tried)
{
    struct policy policy = policy_of(COP_REST_FOR_ONE, COP_NEVER, 1);
    struct restart_window budget = window_of(1, 5, false);
    struct ended_child ended = { .restart = COP_PERMANENT, .end = END_OTHER, .delayed = true,
                                 .budget = &budget };
    for (int i = 0; i < 10; i++) {
        struct decision decision = copi_policy_ended(&policy, &ended, 0);
        ck_assert(decision.report);
        ck_assert_int_eq(decision.child, FATE_RESTART_LATER);
        ck_assert_int_eq(decision.scope, SCOPE_FROM_IT_ON);
        ck_assert_int_eq(decision.supervisor, GO_ON);
    }
    ck_assert_uint_eq(policy.window.count + budget.count, 0);
    ck_assert_int_eq(copi_policy_retry(&policy, &ended, 0).child, FATE_RESTART);
    ck_assert_uint_eq(policy.window.count, 1);
    ck_assert_uint_eq(budget.count, 1);
    free(policy.window.times);
    free(budget.times);
}
END_TEST

START_TEST(what_needs_no_restart_needs_no_delay)
{
    struct policy policy = policy_of(COP_ONE_FOR_ONE, COP_NEVER, 1);
    struct ended_child ended = { .restart = COP_TRANSIENT, .end = END_NORMAL, .delayed = true };
    ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).child, FATE_KEEP_DOWN);
    ended = (struct ended_child){ .restart = COP_TEMPORARY, .end = END_OTHER, .delayed = true };
    ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).child, FATE_FORGET);
}
END_TEST

START_TEST(a_spent_budget_gives_up_or_keeps_down_and_costs_the_supervisor_nothing)
{
    for (int stays = 0; stays <= 1; stays++) {
        struct policy policy = policy_of(COP_ONE_FOR_ONE, COP_NEVER, 5);
        struct restart_window budget = window_of(1, 5, false);
        struct ended_child ended = { .restart = COP_PERMANENT, .end = END_OTHER, .budget = &budget,
                                     .when_spent = stays ? COP_STAY_DOWN : COP_GIVE_UP };
        ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).child, FATE_RESTART);
        struct decision decision = copi_policy_ended(&policy, &ended, 5000 * MS);
        ck_assert(decision.report && decision.spent);
        ck_assert_int_eq(decision.child, FATE_KEEP_DOWN);
        ck_assert_int_eq(decision.supervisor, stays ? GO_ON : GIVE_UP);
        ck_assert_uint_eq(policy.window.count, 1);
        decision = copi_policy_ended(&policy, &ended, 5000 * MS + 1);
        ck_assert(!decision.spent);
        ck_assert_int_eq(decision.child, FATE_RESTART);
        free(policy.window.times);
        free(budget.times);
    }
}
END_TEST

START_TEST(with_its_own_budget_left_the_supervisors_limit_holds)
{
    struct policy policy = policy_of(COP_ONE_FOR_ONE, COP_NEVER, 0);
    struct restart_window budget = window_of(1, 5, false);
    struct ended_child ended = { .restart = COP_PERMANENT, .end = END_OTHER, .budget = &budget,
                                 .when_spent = COP_STAY_DOWN };
    struct decision decision = copi_policy_ended(&policy, &ended, 0);
    ck_assert(!decision.spent);
    ck_assert_int_eq(decision.supervisor, GIVE_UP);
    free(budget.times);
}
END_TEST

START_TEST(a_significant_child_that_stays_down_counts_as_ended)
{
    struct policy policy = policy_of(COP_ONE_FOR_ONE, COP_ALL_SIGNIFICANT, 5);
    struct restart_window budget = window_of(0, 5, false);
    struct ended_child ended = { .restart = COP_TRANSIENT, .end = END_OTHER, .significant = true,
                                 .others_significant = true, .budget = &budget,
                                 .when_spent = COP_STAY_DOWN };
    ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).supervisor, GO_ON);
    ended.others_significant = false;
    ck_assert_int_eq(copi_policy_ended(&policy, &ended, 0).supervisor, AUTO_SHUTDOWN);
}
END_TEST

START_TEST(without_a_limit_nothing_is_kept)
{
    struct restart_window window;
    copi_window_init(&window, &(cop_intensity)COP_UNLIMITED_RESTARTS, no_memory);
    for (int i = 0; i < 1000; i++) ck_assert(copi_window_add(&window, 0));
    ck_assert_ptr_null(window.times);
}
END_TEST

/* ---- stopping ---------------------------------------------------------------------- */

START_TEST(how_a_stopped_child_may_end_depends_on_how_it_was_stopped)
{
    static const struct {
        enum cop_shutdown_mode mode;
        enum cop_restart restart;
        bool well[ENDS];     /* normal, shutdown, {shutdown, _}, killed, other */
    } table[] = {
        { COP_SHUTDOWN_KILL, COP_PERMANENT, { false, false, false, true, false } },
        { COP_SHUTDOWN_KILL, COP_TRANSIENT, { true, true, true, true, false } },
        { COP_SHUTDOWN_KILL, COP_TEMPORARY, { true, true, true, true, false } },
        { COP_SHUTDOWN_WAIT, COP_PERMANENT, { false, true, false, false, false } },
        { COP_SHUTDOWN_WAIT, COP_TRANSIENT, { true, true, true, false, false } },
        { COP_SHUTDOWN_FOREVER, COP_PERMANENT, { false, true, false, false, false } },
        { COP_SHUTDOWN_FOREVER, COP_TEMPORARY, { true, true, true, false, false } },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (int end = 0; end < ENDS; end++) {
            ck_assert_int_eq(copi_policy_stopped_well(table[i].mode, table[i].restart,
                                                      all_ends[end]),
                             table[i].well[end]);
        }
    }
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *policy_suite(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("policy");
    tcase_add_test(tests, a_window_tolerates_its_limit_and_not_one_more);
    tcase_add_test(tests, a_window_of_none_tolerates_nothing_and_takes_no_memory);
    tcase_add_test(tests, the_zero_intensity_is_three_in_five_seconds);
    tcase_add_test(tests,
                   a_restart_exactly_a_period_ago_still_counts_and_one_a_nanosecond_older_does_not);
    tcase_add_test(tests, in_whole_seconds_the_window_is_up_to_a_second_longer);
    tcase_add_test(tests, whole_seconds_are_rounded_down_before_zero_too);
    tcase_add_test(tests, a_window_forgets_the_oldest_first_however_it_has_grown);
    tcase_add_test(tests, a_window_that_cannot_grow_tolerates_no_more);
    tcase_add_test(tests, a_huge_limit_takes_memory_only_as_it_is_used);
    tcase_add_test(tests, a_permanent_child_is_reported_and_restarted_however_it_ended);
    tcase_add_test(tests, a_transient_child_is_restarted_after_an_abnormal_end_and_else_kept_down);
    tcase_add_test(tests, a_temporary_child_is_forgotten_and_reported_after_an_abnormal_end);
    tcase_add_test(tests, only_restarts_are_counted);
    tcase_add_test(tests, the_strategy_says_who_restarts_with_the_child);
    tcase_add_test(tests, one_restart_too_many_keeps_the_child_down_and_gives_up);
    tcase_add_test(tests, failed_restarts_count_like_crashes_and_are_not_reported_as_such);
    tcase_add_test(tests, with_any_significant_the_first_significant_end_ends_the_supervisor);
    tcase_add_test(tests, with_all_significant_the_last_significant_end_does);
    tcase_add_test(tests, a_significant_child_that_is_restarted_ends_nothing);
    tcase_add_test(tests, a_delay_grows_by_its_factor_up_to_its_maximum_and_stays_there);
    tcase_add_test(
        tests, by_default_a_delay_doubles_up_to_thirty_seconds_or_its_beginning_if_that_is_longer);
    tcase_add_test(tests, a_maximum_below_the_beginning_holds_from_the_beginning);
    tcase_add_test(tests, with_a_factor_of_one_a_delay_does_not_grow);
    tcase_add_test(tests, no_delay_overflows);
    tcase_add_test(tests, jitter_leaves_out_no_more_than_its_part);
    tcase_add_test(tests, the_stable_time_may_be_told);
    tcase_add_test(tests, a_delayed_restart_is_decided_and_counted_when_it_is_tried);
    tcase_add_test(tests, what_needs_no_restart_needs_no_delay);
    tcase_add_test(tests, a_spent_budget_gives_up_or_keeps_down_and_costs_the_supervisor_nothing);
    tcase_add_test(tests, with_its_own_budget_left_the_supervisors_limit_holds);
    tcase_add_test(tests, a_significant_child_that_stays_down_counts_as_ended);
    tcase_add_test(tests, without_a_limit_nothing_is_kept);
    tcase_add_test(tests, how_a_stopped_child_may_end_depends_on_how_it_was_stopped);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(policy_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
