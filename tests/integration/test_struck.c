/* test_struck.c - a process that ends in the midst of a function of the library, at each of the
 * places where it may find too little stack, one after the other: what it owns is given back. */
#include <coppice/coppice.h>
#include <coppice/sim.h>

#include <check.h>
#include <stdlib.h>

enum { MOMENTS_MAX = 5000, PROCESSES = 3 };

/* One run at a time has them. */
static int had_back, takes, finished;
static cop_mutex mutex;

/* Tells the story once for each moment, with a crash there, until there are no more moments.
 * Returns how many crashes struck. */
static int strike_everywhere(cop_function *story)
{
    int strikes = 0, idle = 0;
    for (uint64_t moment = 1; idle < 20; moment++) {
        const cop_sim_decision plan = { .moment = moment, .kind = COP_SIM_CRASH };
        const cop_sim_options options = { .plan = &plan, .plan_count = 1 };
        cop_sim_report report;
        ck_assert_uint_lt(moment, MOMENTS_MAX);
        int error = cop_sim_run(1, story, NULL, &options, &report);
        ck_assert_msg(error == COP_OK, "struck at %d: %s: %s", (int)moment, report.failure,
                      report.detail);
        idle = report.plan_count == 0 ? idle + 1 : 0;
        strikes += report.plan_count > 0;
        cop_sim_report_free(&report);
    }
    return strikes;
}

static void expect(bool holds, const char *what)
{
    if (!holds) cop_sim_fail(what, "taken %d, had back %d", takes, had_back);
}

/* ---- deferred actions -------------------------------------------------------------------- */

static void have_back(void *argument)
{
    (void)argument;
    had_back++;
}

static void takes_things(void *argument)
{
    (void)argument;
    cop_deferred *first = cop_defer(have_back, NULL);
    takes++;
    cop_deferred *second = cop_defer(have_back, NULL);
    takes++;
    cop_undefer(first, true);
    cop_undefer(second, true);
}

static void watches_things(void *argument)
{
    (void)argument;
    takes = had_back = 0;
    cop_spawn(takes_things, NULL, 0);
    cop_sleep(1);
    expect(had_back == takes, "each thing is had back once");
}

START_TEST(an_action_runs_once_wherever_its_process_ends)
{
    ck_assert_int_gt(strike_everywhere(watches_things), 3);
}
END_TEST

/* ---- a mutex ----------------------------------------------------------------------------- */

static void takes_turns(void *argument)
{
    (void)argument;
    for (int i = 0; i < 2; i++) {
        if (cop_mutex_lock(&mutex, COP_INFINITY) < 0) continue;
        cop_sleep(1);
        cop_mutex_unlock(&mutex);
    }
    finished++;
}

static void watches_turns(void *argument)
{
    (void)argument;
    finished = 0;
    cop_mutex_init(&mutex);
    for (int i = 0; i < PROCESSES; i++) cop_spawn(takes_turns, NULL, 0);
    cop_sleep(1000);
    expect(finished >= PROCESSES - 1, "all the others have their turns");
    expect(cop_pid_is_none(cop_mutex_owner(&mutex)), "nobody has the mutex in the end");
}

START_TEST(a_mutex_goes_on_to_the_next_wherever_its_owner_ends)
{
    ck_assert_int_gt(strike_everywhere(watches_turns), 30);
}
END_TEST

/* ---- a tree ------------------------------------------------------------------------------ */

static cop_next init_slowly(void *state, const void *argument)
{
    (void)state, (void)argument;
    cop_trap_exit(true);
    cop_sleep(1);
    return cop_ok();
}

static void end_slowly(void *state, const cop_reason *reason)
{
    (void)state, (void)reason;
    cop_sleep(1);
}

static const cop_gen_server one = { .init = init_slowly, .terminate = end_slowly };
static const cop_gen_server two = { .name = "two" };
static const cop_gen_server many = { .name = "many" };
static const cop_child_spec many_spec = COP_CHILD_SERVER(many, .backoff = { .initial_ms = 5 });
static const cop_dynamic_supervisor crowd = { .name = "crowd", .template_ = &many_spec };
static const cop_child_spec specs[] = { COP_CHILD_SERVER(one), COP_CHILD_SERVER(two),
                                        COP_CHILD_DYNAMIC_SUPERVISOR(crowd) };
static const cop_supervisor tree = { .name = "tree", .strategy = COP_REST_FOR_ONE,
                                     COP_CHILDREN(specs) };

/* What goes wrong here is what the strike has done; only what is left matters. */
static void watches_tree(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_started top = cop_supervisor_start_link(&tree);
    cop_reason_unref(top.reason);
    cop_started child = cop_dynamic_supervisor_start_from(cop_to("crowd"), NULL, 0);
    cop_reason_unref(child.reason);
    cop_exit_process(cop_whereis("two"), COP_KILL);
    cop_exit_process(cop_whereis("many"), COP_KILL);
    cop_sleep(10);
    cop_supervisor_terminate_child(cop_to("tree"), "one");
    cop_reason_unref(cop_supervisor_restart_child(cop_to("tree"), "one").reason);
    if (top.error == COP_OK) cop_supervisor_stop(cop_to(top.pid), COP_SHUTDOWN);
    cop_sleep(100);
    expect(cop_process_count() == 1, "no child survives its supervisor");
}

START_TEST(nothing_is_left_of_a_tree_wherever_one_of_its_processes_ends)
{
    ck_assert_int_gt(strike_everywhere(watches_tree), 200);
}
END_TEST

static Suite *struck_suite(void)
{
    Suite *suite = suite_create("struck");
    TCase *tests = tcase_create("struck");
    tcase_add_test(tests, an_action_runs_once_wherever_its_process_ends);
    tcase_add_test(tests, a_mutex_goes_on_to_the_next_wherever_its_owner_ends);
    tcase_add_test(tests, nothing_is_left_of_a_tree_wherever_one_of_its_processes_ends);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(struck_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
