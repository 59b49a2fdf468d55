/* test_near_clock.c - the time for deadlines: never before the clock's, never back, and what is
 * believed of the processor's counter. */
#include <check.h>
#include <stdlib.h>

#include "platform/platform.h"
#include "runtime/near_clock.h"
#include "runtime/node.h"

static const int64_t millisecond = 1000000, long_enough = 20 * (int64_t)1000000000;

static struct near_clock near;

static void set_up(void)
{
    near = (struct near_clock){ 0 };
}

/* A look at the clock, the near one, and the clock again.  Whether the near one was carried on. */
static bool look(int64_t *last)
{
    uint64_t kept = near.cycles;
    int64_t before = copi_now();
    int64_t now = copi_near_now(&near);
    int64_t after = copi_now();
    ck_assert_int_ge(now, before);
    ck_assert_int_ge(now, *last);
    ck_assert_int_le(now, after + millisecond);
    *last = now;
    return near.window != 0 && near.cycles == kept;
}

/* Looks until the counter's pace is believed. */
static void learn_pace(int64_t *last)
{
    int64_t end = copi_now() + long_enough;
    while (near.window == 0 && copi_now() < end) look(last);
    ck_assert_uint_ne(near.window, 0);
}

START_TEST(the_time_is_never_before_the_clocks_and_does_not_go_back)
{
    int64_t last = 0, carried = 0, end = copi_now() + long_enough;
    while (carried < 100000 && copi_now() < end) carried += look(&last);
    if (COPI_COUNTS_CYCLES)
        ck_assert_int_ge(carried, 100000);
    else
        ck_assert_int_eq(carried, 0);
}
END_TEST

START_TEST(a_reading_is_carried_on_for_a_tenth_of_a_millisecond_at_most)
{
    int64_t last = 0;
    if (!COPI_COUNTS_CYCLES)
        return;
    learn_pace(&last);
    ck_assert_int_le((int64_t)(near.window * near.rate >> 32), millisecond / 10 + 1000);
}
END_TEST

/* The machine has stood still: the counter went on by a second, the clock did not. */
START_TEST(a_pace_is_believed_when_two_measurements_agree)
{
    int64_t last = 0;
    if (!COPI_COUNTS_CYCLES)
        return;
    learn_pace(&last);
    uint64_t right = near.pace, second = (UINT64_C(1000000000) << 32) / right;
    int64_t from = near.from_ns;
    near.from_cycles -= second;
    while (near.from_ns == from) look(&last);
    ck_assert_uint_lt(near.pace, right / 2);
    ck_assert_uint_eq(near.window, 0);
    learn_pace(&last);
    ck_assert_uint_gt(near.pace, right - right / 100);
    ck_assert_uint_lt(near.pace, right + right / 100);
}
END_TEST

START_TEST(in_a_deterministic_run_it_is_the_virtual_clock)
{
    copi_node.options.deterministic = true;
    for (int64_t now = 0; now < 3; now++) {
        copi_node.virtual_ns = now * 10 * millisecond;
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(copi_near_now(&near), copi_node.virtual_ns);
    }
    ck_assert_uint_eq(near.window, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("near_clock");
    TCase *tests = tcase_create("near_clock");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, the_time_is_never_before_the_clocks_and_does_not_go_back);
    tcase_add_test(tests, a_reading_is_carried_on_for_a_tenth_of_a_millisecond_at_most);
    tcase_add_test(tests, a_pace_is_believed_when_two_measurements_agree);
    tcase_add_test(tests, in_a_deterministic_run_it_is_the_virtual_clock);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
