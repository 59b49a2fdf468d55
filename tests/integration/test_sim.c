/* test_sim.c - simulation: the same seed makes the same run, faults strike, failures shrink. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/coppice.h>

#include <check.h>

#include "platform/sanitizer.h"

#ifdef COPI_ASAN
#include <sanitizer/lsan_interface.h>

/* A crash that strikes while a reason is in a frame alone leaves it: frames are not unwound
 * (docs/containment.md).  Simulated ones strike there often. */
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

static const cop_sim_options any_order = { .chance = { COP_SIM_ANY_ORDER } };

/* ---- a program with a mistake: it looks, and does later --------------------------------- */

static int leaders;

static void candidate(void *argument)
{
    (void)argument;
    if (leaders == 0) {
        cop_whereis("anybody");      /* where another one may come in between */
        leaders++;
    }
}

static bool one_leader(void *context, char *detail, size_t size)
{
    (void)context;
    snprintf(detail, size, "there are %d", leaders);
    return leaders <= 1;
}

static void election(void *argument)
{
    (void)argument;
    leaders = 0;
    cop_sim_check("one leader", one_leader, NULL);
    for (int i = 0; i < 5; i++) cop_spawn(candidate, NULL, 0);
    cop_sleep(3600 * 1000);
}

/* The first seed that fails, which there must be. */
static void find_failure(cop_function *story, const cop_sim_options *options,
                         cop_sim_report *ret_report)
{
    for (uint64_t seed = 1; seed <= 10000; seed++) {
        if (cop_sim_run(seed, story, NULL, options, ret_report) != COP_OK)
            return;
        cop_sim_report_free(ret_report);
    }
    ck_abort_msg("no seed fails");
}

START_TEST(a_race_is_found_and_its_plan_shrinks_to_the_interruption_that_matters)
{
    cop_sim_report report, shortest;
    find_failure(election, &any_order, &report);
    ck_assert_str_eq(report.failure, "one leader");
    ck_assert_str_eq(report.detail, "there are 2");
    ck_assert_int_eq(cop_sim_shrink(&report, election, NULL, &any_order, &shortest), COP_OK);
    ck_assert_uint_eq(shortest.plan_count, 1);
    ck_assert_int_eq(shortest.plan[0].kind, COP_SIM_INTERRUPT);

    char text[256];
    cop_sim_format(&shortest, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "\"one leader\" failed at step"));
    ck_assert_ptr_nonnull(strstr(text, "there are 2\nplan: 1 decisions\n  interrupt at "));
    cop_sim_report_free(&report);
    cop_sim_report_free(&shortest);
}
END_TEST

START_TEST(without_interruptions_the_race_is_not_there)
{
    cop_sim_report report;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        const cop_sim_options options = { .chance = { [COP_SIM_ORDER] = 500000 } };
        ck_assert_int_eq(cop_sim_run(seed, election, NULL, &options, &report), COP_OK);
        ck_assert_int_eq(report.virtual_ns / 1000000, 3600 * 1000);
        cop_sim_report_free(&report);
    }
}
END_TEST

/* ---- a tree, struck by everything ------------------------------------------------------- */

typedef struct work { int n; } work;
COP_MESSAGE(work);

static cop_next worker_init(void *state, const void *argument)
{
    (void)argument;
    *(void **)state = cop_alloc(100);
    return cop_ok();
}

static cop_next worker_info(void *state, const cop_message *message)
{
    *(void **)state = cop_realloc(*(void **)state, 100 + cop_random_below(100));
    if (cop_is(message, work) && cop_random_below(50) == 0) cop_raise("had enough");
    return cop_noreply();
}

static const cop_gen_server worker = { .state_size = sizeof(void *), .init = worker_init,
                                       .handle_info = worker_info };
static const cop_child_spec workers[] = {
    { .id = "a", .start = cop_child_server, .module = &worker },
    { .id = "b", .start = cop_child_server, .module = &worker, .restart = COP_TRANSIENT },
    { .id = "c", .start = cop_child_server, .module = &worker },
};
static const cop_supervisor lower = { .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(workers),
                                      .intensity = COP_MAX_RESTARTS(20, 5) };
static const cop_child_spec both[] = { COP_CHILD_SUPERVISOR(lower), COP_CHILD_SERVER(worker) };
static const cop_supervisor upper = { .strategy = COP_REST_FOR_ONE, COP_CHILDREN(both),
                                      .intensity = COP_UNLIMITED_RESTARTS };

static void send_work(cop_dest supervisor)
{
    cop_child_info *children;
    size_t count;
    if (cop_supervisor_which_children(supervisor, &children, &count) != COP_OK) return;
    for (size_t i = 0; i < count; i++)
        if (children[i].state == COP_CHILD_UP) cop_send(children[i].pid, work, .n = 1);
    for (size_t i = 0; i < count; i++) {
        if (children[i].type == COP_SUPERVISOR && children[i].state == COP_CHILD_UP)
            send_work(cop_to(children[i].pid));
    }
    cop_free(children);
}

static void busy_tree(void *argument)
{
    int rounds = *(const int *)argument;
    cop_trap_exit(true);
    cop_started tree = { .error = COP_EFAILED };
    for (int i = 0; i < rounds; i++) {
        if (!cop_is_alive(tree.pid)) {
            cop_reason_unref(tree.reason);
            tree = cop_supervisor_start_link(&upper);
        }
        if (tree.error == COP_OK) send_work(cop_to(tree.pid));
        cop_sleep(1000);
        while (cop_receive(0) != NULL) {}
    }
    cop_reason_unref(tree.reason);
}

static const cop_sim_options all_faults = {
    .chance = { COP_SIM_ANY_ORDER, [COP_SIM_CRASH] = 200, [COP_SIM_KILL] = 2000,
                [COP_SIM_SLOW] = 10000, [COP_SIM_LATE] = 100000, [COP_SIM_NO_MEMORY] = 5000,
                [COP_SIM_NO_PROCESS] = 20000 },
};

/* A run in which nothing fails. */
static void run_well(uint64_t seed, const cop_sim_options *options, int rounds,
                     cop_sim_report *ret_report)
{
    char text[4000];
    int error = cop_sim_run(seed, busy_tree, &rounds, options, ret_report);
    if (error == COP_EFAILED)
        cop_sim_format(ret_report, text, sizeof text);
    ck_assert_msg(error == COP_OK, "%s: %s", cop_error_name(error), text);
}

START_TEST(the_same_seed_makes_the_same_run_and_so_does_its_plan)
{
    cop_sim_report first, again, replayed, other;
    size_t kinds[COP_SIM_KINDS] = { 0 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run_well(seed, &all_faults, 100, &first);
        cop_sim_options isolated = all_faults;
        isolated.isolated = true;
        run_well(seed, &isolated, 100, &again);
        run_well(seed + 100, &all_faults, 100, &other);
        const cop_sim_options plan = { .plan = first.plan, .plan_count = first.plan_count };
        run_well(seed, &plan, 100, &replayed);
        ck_assert_uint_gt(first.plan_count, 0);
        ck_assert_uint_eq(first.trace, again.trace);
        ck_assert_uint_eq(first.steps, again.steps);
        ck_assert_uint_eq(first.trace, replayed.trace);
        ck_assert_uint_eq(first.plan_count, replayed.plan_count);
        ck_assert_uint_ne(first.trace, other.trace);
        for (size_t i = 0; i < first.plan_count; i++) kinds[first.plan[i].kind]++;
        cop_sim_report_free(&first);
        cop_sim_report_free(&again);
        cop_sim_report_free(&replayed);
        cop_sim_report_free(&other);
    }
    for (size_t i = 0; i < COP_SIM_KINDS; i++)
        ck_assert_int_eq(kinds[i] > 0, all_faults.chance[i] > 0);
}
END_TEST

START_TEST(an_hour_of_a_tree_under_fire_passes_in_one_run)
{
    cop_sim_report report;
    cop_sim_options options = all_faults;
    options.max_steps = 100000000;
    options.chance[COP_SIM_ORDER] = options.chance[COP_SIM_INTERRUPT] = 0;
    options.chance[COP_SIM_CRASH] = 0;      /* a reason that a frame holds goes with the frame */
    run_well(1, &options, 3600, &report);
    ck_assert_int_ge(report.virtual_ns / 1000000, 3600 * 1000);
    cop_sim_report_free(&report);
}
END_TEST

/* ---- ways to fail ----------------------------------------------------------------------- */

static void wait_for_ever(void *argument)
{
    (void)argument;
    cop_receive(COP_INFINITY);
}

static void run_for_ever(void *argument)
{
    (void)argument;
    for (;;) cop_yield();
}

static void raise_error(void *argument)
{
    (void)argument;
    cop_raise("boom");
}

static void find_out(void *argument)
{
    (void)argument;
    cop_sim_fail("the sum", "is %d", 7);
    cop_sim_fail("another", "comes too late");
}

static bool has_no_time(void *context, char *detail, size_t size)
{
    (void)context, (void)detail, (void)size;
    return cop_now_ms() < 50;
}

static void sleep_long(void *argument)
{
    (void)argument;
    cop_sim_check_settled("early", has_no_time, NULL);
    for (int i = 0; i < 100; i++) cop_sleep(10);
}

START_TEST(each_way_to_fail_is_told_from_the_others)
{
    static const struct { cop_function *story; const char *failure, *detail; } ways[] = {
        { wait_for_ever, "standstill", "1 processes wait, and nothing can wake them" },
        { run_for_ever, "the run comes to an end", "max_steps are over" },
        { raise_error, "ended", "" },
        { find_out, "the sum", "is 7" },
        { sleep_long, "early", "" },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (int isolated = 0; isolated < 2; isolated++) {
            cop_sim_report report;
            const cop_sim_options options = { .max_steps = 1000, .isolated = isolated };
            ck_assert_int_eq(cop_sim_run(1, ways[i].story, NULL, &options, &report), COP_EFAILED);
            ck_assert_str_eq(report.failure, ways[i].failure);
            ck_assert_str_eq(report.detail, ways[i].detail);
            cop_sim_report_free(&report);
        }
    }
}
END_TEST

static void end_the_node(void *argument)
{
    (void)argument;
    kill(getpid(), SIGKILL);
}

START_TEST(the_nodes_own_end_is_a_failure_of_an_isolated_run)
{
    cop_sim_report report;
    const cop_sim_options options = { .isolated = true };
    ck_assert_int_eq(cop_sim_run(1, end_the_node, NULL, &options, &report), COP_EFAILED);
    ck_assert_str_eq(report.failure, "the node came to a bad end");
    ck_assert_str_eq(report.detail, "Killed");
    cop_sim_report_free(&report);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    cop_sim_report report;
    const cop_sim_options too_often = { .chance = { [COP_SIM_KILL] = 1000001 } };
    ck_assert_int_eq(cop_sim_run(1, NULL, NULL, NULL, &report), COP_EINVAL);
    ck_assert_int_eq(cop_sim_run(1, wait_for_ever, NULL, &too_often, &report), COP_EINVAL);
    int rounds = 1;
    ck_assert_int_eq(cop_sim_run(1, busy_tree, &rounds, NULL, &report), COP_OK);
    cop_sim_report shortest;
    ck_assert_int_eq(cop_sim_shrink(&report, busy_tree, &rounds, NULL, &shortest), COP_EINVAL);
    ck_assert(!cop_simulated());
    cop_sim_report_free(&report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim");
    TCase *tests = tcase_create("sim");
    tcase_add_test(tests, a_race_is_found_and_its_plan_shrinks_to_the_interruption_that_matters);
    tcase_add_test(tests, without_interruptions_the_race_is_not_there);
    tcase_add_test(tests, the_same_seed_makes_the_same_run_and_so_does_its_plan);
    tcase_add_test(tests, an_hour_of_a_tree_under_fire_passes_in_one_run);
    tcase_add_test(tests, each_way_to_fail_is_told_from_the_others);
    tcase_add_test(tests, the_nodes_own_end_is_a_failure_of_an_isolated_run);
    tcase_add_test(tests, what_makes_no_sense_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}
