/* test_sim_report.c - what a simulation says of itself, and what it refuses. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "trace.h"
#include "watch.h"

enum { TEXT = 2048 };

static void format(const cop_sim_report *report, char text[TEXT])
{
    int length = cop_sim_format(report, text, TEXT);
    ck_assert_int_lt(length, TEXT);
    ck_assert_uint_eq(strlen(text), (size_t)length);
}

/* ---- text ------------------------------------------------------------------------------ */

static void waits(void *argument)
{
    cop_sleep(*(const int *)argument);
}

static void two_wait(void *argument)
{
    (void)argument;
    cop_spawn(waits, &(int){ 10 }, sizeof(int));
    cop_spawn(waits, &(int){ 10 }, sizeof(int));
    cop_sleep(1000);
}

START_TEST(a_run_in_which_nothing_failed_is_told_with_what_was_decided)
{
    static const cop_sim_decision plan[] = { { .kind = COP_SIM_ORDER, .moment = 2, .value = 1 },
                                             { .kind = COP_SIM_SLOW, .moment = 2, .value = 3000 },
                                             { .kind = COP_SIM_LATE, .moment = 1, .value = 500 } };
    const cop_sim_options options = { .plan = plan, .plan_count = 3 };
    cop_sim_report report;
    char text[TEXT];
    ck_assert_int_eq(cop_sim_run(7, two_wait, NULL, &options, &report), COP_OK);
    format(&report, text);
    ck_assert_str_eq(text, "seed 7: nothing failed in 6 steps, 1000 ms\n"
                           "plan: 3 decisions\n"
                           "  slow at 2: 3000 ns\n"
                           "  order at 2: 1\n"
                           "  late at 1: 500 ns");
    cop_sim_report_free(&report);
}
END_TEST

/* ---- faults ---------------------------------------------------------------------------- */

static bool spared;

static void is_struck_or_not(void *argument)
{
    (void)argument;
    if (spared) cop_sim_spare();
    for (int i = 0; i < 100; i++) cop_sleep(1);
}

static void watches_one(void *argument)
{
    (void)argument;
    trace_end_of("one", is_struck_or_not, NULL);
}

START_TEST(faults_pass_by_who_asks_to_be_spared)
{
    const cop_sim_options options = { .chance = { [COP_SIM_KILL] = 100000 } };
    for (int i = 0; i < 2; i++) {
        cop_sim_report report;
        spared = i == 1;
        ck_assert_int_eq(cop_sim_run(1, watches_one, NULL, &options, &report), COP_OK);
        ck_assert_uint_eq(report.plan_count, spared ? 0 : 1);
        cop_sim_report_free(&report);
    }
    trace_expect("one down: killed\n"
                 "one down: normal\n");
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------- */

static void simulates_within(void *argument)
{
    cop_sim_report *report = argument;
    trace("within a run: %s",
          cop_error_name(cop_sim_run(1, two_wait, NULL, NULL, report)));
}

START_TEST(a_run_cannot_be_simulated_within_another)
{
    cop_sim_report report, within;
    ck_assert_int_eq(cop_sim_run(1, simulates_within, &within, NULL, &report), COP_OK);
    cop_sim_report_free(&report);
    const cop_run_options options = { .deterministic = true };
    ck_assert_int_eq(cop_run(simulates_within, &within, &options), 0);
    trace_expect("within a run: system_limit\n"
                 "within a run: system_limit\n");
}
END_TEST

START_TEST(a_run_that_cannot_start_has_no_report)
{
    cop_sim_report report;
    ck_assert_int_eq(cop_sim_run(1, two_wait, NULL,
                                 &(cop_sim_options){ .max_processes = (size_t)1 << 40 }, &report),
                     COP_EINVAL);
}
END_TEST

static void fails_once(void *argument)
{
    bool *failed = argument;
    bool before = *failed;
    *failed = true;
    if (!before) cop_sim_fail("once", "and never again");
    cop_sleep(1);
}

START_TEST(a_failure_that_does_not_come_again_is_not_made_shorter)
{
    bool failed = false;
    cop_sim_report report, shortest;
    ck_assert_int_eq(cop_sim_run(1, fails_once, &failed, NULL, &report), COP_EFAILED);
    ck_assert_int_eq(cop_sim_shrink(&report, fails_once, &failed, NULL, &shortest), COP_EINVAL);
    report.failure[0] = '\0';
    ck_assert_int_eq(cop_sim_shrink(&report, fails_once, &failed, NULL, &shortest), COP_EINVAL);
    ck_assert_int_eq(cop_sim_shrink(NULL, fails_once, &failed, NULL, &shortest), COP_EINVAL);
    cop_sim_report_free(&report);
}
END_TEST

static Suite *sim_report_suite(void)
{
    Suite *suite = suite_create("sim_report");
    TCase *tests = tcase_create("sim_report");
    tcase_add_test(tests, a_run_in_which_nothing_failed_is_told_with_what_was_decided);
    tcase_add_test(tests, faults_pass_by_who_asks_to_be_spared);
    tcase_add_test(tests, a_run_cannot_be_simulated_within_another);
    tcase_add_test(tests, a_run_that_cannot_start_has_no_report);
    tcase_add_test(tests, a_failure_that_does_not_come_again_is_not_made_shorter);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(sim_report_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
