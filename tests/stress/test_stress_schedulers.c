/* test_stress_schedulers.c - nobody waits while a scheduler has nothing to do, and no scheduler
 * keeps for itself what the others need. */
#include <coppice/coppice.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "node.h"
#include "watch.h"

enum { SCHEDULERS_MAX = 6, ROUNDS = 10, PATIENCE_MS = 10000 };

/* ---- processes that compute ------------------------------------------------------------------ */

static atomic_int started;
static atomic_bool stop;

static void computes(void *argument)
{
    (void)argument;
    atomic_fetch_add(&started, 1);
    while (!atomic_load(&stop)) {}
}

/* Computes itself until each of the others does so on a scheduler of its own. */
static void computes_with_others(int others)
{
    cop_ref refs[SCHEDULERS_MAX];
    atomic_store(&started, 0);
    atomic_store(&stop, false);
    for (int i = 0; i < others; i++)
        cop_spawn_monitor(computes, NULL, 0, &refs[i]);
    int64_t end = cop_now_ms() + PATIENCE_MS;
    while (atomic_load(&started) < others)
        if (cop_now_ms() > end)
            ck_abort_msg("%d of %d started", atomic_load(&started), others);
    atomic_store(&stop, true);
    for (int i = 0; i < others; i++)
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
}

static void computes_in_rounds(void *argument)
{
    (void)argument;
    for (int round = 0; round < ROUNDS; round++) {
        cop_sleep((int64_t)cop_random_below(12));        /* the others are idle, or nearly */
        computes_with_others(cop_schedulers() - 1);
    }
}

START_TEST(every_idle_scheduler_finds_a_process_that_waits_behind_another)
{
    ck_assert_int_eq(run_node_threads(computes_in_rounds, NULL, _i), 0);
}
END_TEST

/* ---- a small limit of processes -------------------------------------------------------------- */

enum { LIMIT = 130, AT_ONCE = 8, BATCHES = 3000 };

static void ends(void *argument)
{
    volatile int *n = argument;
    for (int i = 0; i < 1000; i++) *n += i;
}

static void never_comes_near_the_limit(void *argument)
{
    (void)argument;
    int n = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
        cop_ref refs[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++)
            expect_that(!cop_pid_is_none(cop_spawn_monitor(ends, &n, sizeof n, &refs[i])));
        for (int i = 0; i < AT_ONCE; i++)
            cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
    }
}

START_TEST(free_slots_of_one_scheduler_do_not_count_against_the_limit)
{
    const cop_run_options options = { .schedulers = 4, .max_processes = LIMIT };
    ck_assert_int_eq(cop_run(never_comes_near_the_limit, NULL, &options), 0);
}
END_TEST

static void waits(void *argument)
{
    (void)argument;
    cop_receive(COP_INFINITY);
}

static void comes_to_the_limit(void *argument)
{
    (void)argument;
    for (int round = 0; round < 3; round++) {
        cop_pid pids[LIMIT];
        int count = 0;
        while (!cop_pid_is_none(pids[count] = cop_spawn(waits, NULL, 0))) count++;
        ck_assert_int_eq(count, LIMIT - 1);             /* this process counts too */
        while (count > 0) {
            cop_ref ref = cop_monitor(pids[--count]);
            cop_exit_process(pids[count], COP_KILL);
            cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
        }
        while (cop_process_count() > 1) cop_yield();     /* the last one's slot is free */
    }
}

START_TEST(the_limit_of_processes_is_exact_for_one_that_spawns)
{
    const cop_run_options options = { .schedulers = 2, .max_processes = LIMIT };
    ck_assert_int_eq(cop_run(comes_to_the_limit, NULL, &options), 0);
}
END_TEST

static Suite *schedulers_suite(void)
{
    Suite *suite = suite_create("stress_schedulers");
    TCase *tests = tcase_create("stress_schedulers");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_idle_scheduler_finds_a_process_that_waits_behind_another, 2,
                        SCHEDULERS_MAX + 1);
    tcase_add_test(tests, free_slots_of_one_scheduler_do_not_count_against_the_limit);
    tcase_add_test(tests, the_limit_of_processes_is_exact_for_one_that_spawns);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(schedulers_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
