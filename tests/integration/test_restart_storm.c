/* test_restart_storm.c - children with delays and readiness, crashed, terminated and started by
 * chance; whatever has happened, the tree comes to rest with everybody in place. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "platform/sanitizer.h"
#include "worker.h"

/* ThreadSanitizer takes a hundred times as long to make a stack. */
#ifdef COPI_TSAN
enum { SEEDS = 20 };
#else
enum { SEEDS = 200 };
#endif
enum { CHILDREN = 5, STEPS = 150 };

static struct worker workers[CHILDREN];
static bool delayed[CHILDREN];
static const char *const ids[CHILDREN] = { "v", "w", "x", "y", "z" };

static cop_child_spec children[CHILDREN];
static enum cop_strategy strategy;
static bool is_called;             /* restart_child is: such a start waits for nobody */
static bool by_call[CHILDREN];     /* they were started so, and nobody waits for them */

#define TOP cop_to("top")

/* In a group nobody is started again while an older one is not ready. */
static cop_started start_watched(const void *module, const void *argument, size_t argument_size)
{
    int i = (int)((const struct worker *)module - workers);
    by_call[i] = is_called;
    bool waits = strategy != COP_ONE_FOR_ONE && !is_called;
    for (int older = 0; waits && older < i; older++) {
        if (children[older].ready_ms > 0 && !by_call[older] && is_up(ids[older]))
            ck_assert_msg(workers[older].is_ready, "%s starts before %s", ids[i], ids[older]);
    }
    return worker_start(module, argument, argument_size);
}

static cop_child_spec random_spec(int i)
{
    cop_child_spec spec = { .id = ids[i], .start = start_watched, .module = &workers[i],
                            .argument = ids[i], .argument_size = 2 };
    workers[i] = (struct worker){ .ready_ms = AT_ONCE };
    if (cop_random_below(2) == 0) spec.restart = COP_TRANSIENT;
    delayed[i] = cop_random_below(2) == 0;
    if (delayed[i])
        spec.backoff = (cop_backoff){ .initial_ms = 20, .max_ms = 200, .jitter_percent = 50 };
    if (cop_random_below(2) == 0) spec.ready_ms = 50;
    return spec;
}

/* Something happens to one of them, or it is asked for something.  Only those with a delay fail to
 * start: the others would try again for ever in no time. */
static void step(void)
{
    int i = (int)cop_random_below(CHILDREN);
    cop_pid pid = cop_whereis(ids[i]);
    workers[i].ready_ms = cop_random_below(8) == 0 ? 51 : 1 + (int64_t)cop_random_below(40);
    workers[i].starts = delayed[i] && cop_random_below(4) == 0 ? "e" : NULL;
    switch (cop_random_below(8)) {
    case 0:
        cop_supervisor_terminate_child(TOP, ids[i]);
        /* fall through */
    case 1:
        is_called = true;
        cop_reason_unref(cop_supervisor_restart_child(TOP, ids[i]).reason);
        is_called = false;
        break;
    case 2:
        cop_supervisor_terminate_child(TOP, ids[i]);
        break;
    case 3:
        if (!cop_pid_is_none(pid)) worker_exit_pid(pid, COP_NORMAL);
        break;
    default:
        cop_exit_process(pid, cop_reason_error("storm %d", i));
        break;
    }
    if (cop_random_below(3) > 0) cop_sleep((int64_t)cop_random_below(60));
}

/* From now on all starts succeed, in time.  Who is down is started, and all must be there. */
static void calm_down(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        workers[i].starts = NULL;
        workers[i].ready_ms = 1;
    }
    cop_sleep(1000);
    cop_pid pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        cop_child_status status;
        ck_assert_int_eq(cop_supervisor_which_child(TOP, ids[i], &status), COP_OK);
        ck_assert_int_ne(status.state, COP_CHILD_RESTARTING);
        ck_assert_int_eq(status.ready, status.state == COP_CHILD_UP);
        cop_reason_unref(status.last_end);
        is_called = true;
        if (status.state == COP_CHILD_DOWN)
            ck_assert_int_eq(cop_supervisor_restart_child(TOP, ids[i]).error, COP_OK);
        is_called = false;
        ck_assert_int_eq(cop_supervisor_await_restart(TOP, ids[i], COP_NO_PID, 1000, &pids[i]),
                         COP_OK);
    }
    ck_assert_uint_eq(cop_process_count(), 2 + CHILDREN);
    cop_sleep(100000);
    for (int i = 0; i < CHILDREN; i++) ck_assert(cop_pid_equal(cop_whereis(ids[i]), pids[i]));
}

static void storm(enum cop_strategy its_strategy)
{
    strategy = its_strategy;
    for (int i = 0; i < CHILDREN; i++) children[i] = random_spec(i);
    const cop_supervisor top = { .strategy = strategy, .intensity = COP_UNLIMITED_RESTARTS,
                                 COP_CHILDREN(children) };
    ck_assert_int_eq(cop_supervisor_start_link(&top, .name = "top").error, COP_OK);
    for (int i = 0; i < STEPS; i++) step();
    calm_down();
    int starts = 0;
    for (int i = 0; i < CHILDREN; i++) starts += workers[i].count;
    ck_assert_int_gt(starts, STEPS / 4);
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    ck_assert_uint_eq(cop_process_count(), 1);
}

static void storms(void *argument)
{
    (void)argument;
    storm(COP_ONE_FOR_ONE);
    storm(COP_REST_FOR_ONE);
    storm(COP_ONE_FOR_ALL);
}

START_TEST(after_a_storm_everybody_is_back_and_nothing_goes_on)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) run_shuffled(storms, seed);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *restart_storm_suite(void)
{
    Suite *suite = suite_create("restart_storm");
    TCase *tests = tcase_create("restart_storm");
    tcase_add_test(tests, after_a_storm_everybody_is_back_and_nothing_goes_on);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(restart_storm_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
