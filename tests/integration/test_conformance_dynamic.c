/* test_conformance_dynamic.c - what OTP's and Elixir's own tests pin of supervisors with dynamic or
 * with very many children, and the other tests here do not.  See docs/conformance.md. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node.h"
#include "worker.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static struct worker a, b;

static void start_top(const cop_dynamic_supervisor *supervisor)
{
    ck_assert_int_eq(cop_dynamic_supervisor_start_link(supervisor, .name = "top").error, COP_OK);
}

#define TOP cop_to("top")

/* ---- start ------------------------------------------------------------------------- */

static const cop_dynamic_supervisor one = { .name = "one" }, two = { .name = "two" };

static void has_two(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { COP_CHILD_DYNAMIC_SUPERVISOR(one),
                                               COP_CHILD_DYNAMIC_SUPERVISOR(two) };
    cop_started top = cop_supervisor_start_link(&(cop_supervisor){ COP_CHILDREN(children) });
    static const cop_child_spec leaf = WORKER(a);
    ck_assert_int_eq(cop_dynamic_supervisor_start_child(cop_to("two"), &leaf).error, COP_OK);
    trace_children(cop_to(top.pid));
    trace_children(cop_to("one"));
    trace_children(cop_to("two"));
}

START_TEST(several_dynamic_supervisors_are_children_told_apart_by_name)
{
    expect_story(has_two,
                 "a.1 starts\n"
                 "children: two up, one up; 2 specs, 2 active, 2 supervisors, 0 workers\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n"
                 "children: child up; 1 specs, 1 active, 0 supervisors, 1 workers\n");
}
END_TEST

static cop_started answers(const void *module, const void *argument, size_t argument_size)
{
    (void)argument, (void)argument_size;
    return *(const cop_started *)module;
}

static cop_next crashing_init(void *state, const void *argument)
{
    (void)state, (void)argument;
    cop_raise("no luck");
}

static void asks_for_the_impossible(void *argument)
{
    (void)argument;
    static const cop_gen_server crashing = { .init = crashing_init };
    static const cop_started no_memory = { .error = COP_ENOMEM }, no_process = { .error = COP_OK };
    static const struct {
        const char *what, *whom;
        cop_child_spec spec;
    } starts[] = {
        { "not asked", "nobody", { .id = "no start" } },
        { "not asked", "nobody", WORKER(a, .shutdown = COP_SHUTDOWN_MS(-1)) },
        { "shutdown 0", "top", WORKER(a, .shutdown = COP_SHUTDOWN_MS(0)) },
        { "shutdown 1", "top", WORKER(b, .shutdown = COP_SHUTDOWN_MS(1)) },
        { "crashing", "top", COP_CHILD_SERVER(crashing) },
        { "no memory", "top", { .start = answers, .module = &no_memory } },
        { "no process", "top", { .start = answers, .module = &no_process } },
    };
    start_top(&(cop_dynamic_supervisor){ 0 });
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        trace_started(starts[i].what, cop_dynamic_supervisor_start_child(cop_to(starts[i].whom),
                                                                         &starts[i].spec));
    trace_children(TOP);
}

START_TEST(each_way_in_which_a_start_fails_is_answered_and_a_wrong_spec_before_it_is_sent)
{
    expect_story(asks_for_the_impossible,
                 "not asked: badarg start_spec:missing_start:no start\n"
                 "not asked: badarg start_spec:invalid_shutdown:a\n"
                 "a.1 starts\n"
                 "shutdown 0: ok\n"
                 "b.1 starts\n"
                 "shutdown 1: ok\n"
                 "crashing: start_failed error:no luck\n"
                 "no memory: start_failed enomem\n"
                 "no process: start_failed bad_return_value\n"
                 "children: child up, child up; 2 specs, 2 active, 0 supervisors, 2 workers\n");
}
END_TEST

/* C has nothing to catch it with: what a start function does to itself, it does to the supervisor
 * in which it runs. */
static cop_started raises(const void *module, const void *argument, size_t argument_size)
{
    (void)module, (void)argument, (void)argument_size;
    cop_raise("out of place");
}

static void runs_a_bad_function(void *argument)
{
    (void)argument;
    static const cop_child_spec leaf = WORKER(a), bad = { .start = raises };
    start_top(&(cop_dynamic_supervisor){ 0 });
    ck_assert_int_eq(cop_dynamic_supervisor_start_child(TOP, &leaf).error, COP_OK);
    cop_ref end = cop_monitor("top");
    trace_started("bad", cop_dynamic_supervisor_start_child(TOP, &bad));
    trace_down("top", end);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_start_function_that_raises_itself_ends_the_supervisor_and_its_children)
{
    expect_story(runs_a_bad_function, "a.1 starts\n"
                                      "a.1 is gone\n"
                                      "bad: down error:out of place\n"
                                      "top down: error:out of place\n");
}
END_TEST

/* ---- restarts and ends ------------------------------------------------------------- */

/* How many crashes it survives, a second apart. */
static void crashes_by_default(void *argument)
{
    (void)argument;
    static const cop_child_spec spec = WORKER(a);
    start_top(&(cop_dynamic_supervisor){ 0 });
    ck_assert_int_eq(cop_dynamic_supervisor_start_child(TOP, &spec).error, COP_OK);
    for (int crashes = 1; crashes <= 4; crashes++) {
        ck_assert(is_up("top"));
        worker_kill("a");
        cop_sleep(1000);
    }
    ck_assert(!is_up("top"));
    ck_assert_int_eq(a.count, 4);
    trace_reset();
}

START_TEST(by_default_a_dynamic_supervisor_allows_three_restarts_in_five_seconds)
{
    expect_story(crashes_by_default, "");
}
END_TEST

/* A child that ends in its own way when it is told to. */
static void end_oddly(enum cop_restart restart, cop_shutdown shutdown, const char *last_words)
{
    const cop_child_spec spec = WORKER(a, .restart = restart, .shutdown = shutdown);
    a = (struct worker){ .traps = true, .last_words = last_words };
    start_top(&(cop_dynamic_supervisor){ 0 });
    ck_assert_int_eq(cop_dynamic_supervisor_start_child(TOP, &spec).error, COP_OK);
    trace_reset();
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    bool well = strcmp(last_words, "normal") == 0 && restart != COP_PERMANENT;
    bool reported = strstr(trace_text(), "report: shutdown_error a: ") != NULL;
    ck_assert_int_eq(reported, !well);
    ck_assert(well || strstr(trace_text(), last_words) != NULL);
    ck_assert_ptr_null(strstr(trace_text(), "starts"));
}

static void ends_oddly(void *argument)
{
    (void)argument;
    for (int restart = COP_PERMANENT; restart <= COP_TEMPORARY; restart++) {
        for (int words = 0; words < 2; words++) {
            const char *last_words = words == 0 ? "normal" : "odd";
            end_oddly((enum cop_restart)restart, (cop_shutdown)COP_SHUTDOWN_MS(100), last_words);
            end_oddly((enum cop_restart)restart, (cop_shutdown)COP_SHUTDOWN_INFINITY, last_words);
        }
    }
    trace_reset();
}

START_TEST(a_dynamic_child_that_ends_otherwise_than_told_is_reported)
{
    expect_story(ends_oddly, "");
}
END_TEST

/* ---- memory and scale -------------------------------------------------------------- */

static size_t supervisor_memory;

/* Runs in the supervisor, so that it sees its memory. */
static cop_started start_measured(const void *module, const void *argument, size_t argument_size)
{
    (void)module, (void)argument, (void)argument_size;
    static const cop_gen_server idle = { .state_size = 8 };
    supervisor_memory = cop_memory_used();
    return cop_gen_server_start_link(&idle);
}

static void forgets_temporaries(void *argument)
{
    (void)argument;
    static const char large[1000] = "";
    const cop_child_spec spec = { .id = "passing", .start = start_measured, .argument = large,
                                  .argument_size = sizeof large, .restart = COP_TEMPORARY };
    cop_started top = cop_supervisor_start_link(&(cop_supervisor){ .name = "top" });
    ck_assert_int_eq(top.error, COP_OK);
    size_t first = 0;
    for (int i = 0; i < 100; i++) {
        cop_started started = cop_supervisor_start_child(TOP, &spec);
        ck_assert_int_eq(started.error, COP_OK);
        if (i == 1) first = supervisor_memory;     /* its tables have their size */
        cop_exit_process(started.pid, i % 2 == 0 ? COP_SHUTDOWN : COP_KILL);
        settle();
    }
    ck_assert_uint_eq(supervisor_memory, first);
    trace_reset();
}

START_TEST(a_supervisor_keeps_nothing_of_temporary_children_that_have_ended)
{
    expect_story(forgets_temporaries, "");
}
END_TEST

enum { SEVERAL = 500 };

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Ends temporary children one by one: the supervisor finds each by its pid. */
static double terminate_many(int count)
{
    const cop_child_spec template_ = { .start = start_measured, .restart = COP_TEMPORARY };
    start_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
    cop_pid *pids = cop_alloc((size_t)count * sizeof *pids);
    for (int i = 0; i < count; i++)
        pids[i] = cop_dynamic_supervisor_start_from(TOP, NULL, 0).pid;
    double start = cpu_seconds();
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(cop_dynamic_supervisor_terminate_child(TOP, pids[i]), COP_OK);
    double seconds = cpu_seconds() - start;
    cop_free(pids);
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    return seconds;
}

/* Starts a static supervisor of so many children and stops it. */
static double start_and_stop_many(int count)
{
    cop_child_spec *children = cop_alloc((size_t)count * sizeof *children);
    char (*ids)[32] = cop_alloc((size_t)count * sizeof *ids);
    for (int i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "child %d", i);
        children[i] = (cop_child_spec){ .id = ids[i], .start = start_measured };
    }
    const cop_supervisor supervisor = { .name = "top", .children = children,
                                        .child_count = (size_t)count };
    double start = cpu_seconds();
    ck_assert_int_eq(cop_supervisor_start_link(&supervisor).error, COP_OK);
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    double seconds = cpu_seconds() - start;
    cop_free(ids);
    cop_free(children);
    return seconds;
}

static double fastest(double (*work)(int), int count, int times)
{
    double best = work(count);
    while (--times > 0) {
        double seconds = work(count);
        if (seconds < best) best = seconds;
    }
    return best;
}

/* Ten times as many may take ten times as long, and not a hundred times: fifty, for the noise. */
static void compares(double (*work)(int))
{
    work(SEVERAL);
    ck_assert_double_lt(fastest(work, 10 * SEVERAL, 2), 50 * fastest(work, SEVERAL, 5));
}

static void scales(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    compares(terminate_many);
    compares(start_and_stop_many);
}

START_TEST(the_time_for_many_children_grows_with_their_number_and_not_its_square)
{
    ck_assert_int_eq(run_node(scales, NULL), 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *conformance_dynamic_suite(void)
{
    Suite *suite = suite_create("conformance_dynamic");
    TCase *tests = tcase_create("conformance_dynamic");
    tcase_add_test(tests, several_dynamic_supervisors_are_children_told_apart_by_name);
    tcase_add_test(tests,
                   each_way_in_which_a_start_fails_is_answered_and_a_wrong_spec_before_it_is_sent);
    tcase_add_test(tests,
                   a_start_function_that_raises_itself_ends_the_supervisor_and_its_children);
    tcase_add_test(tests, by_default_a_dynamic_supervisor_allows_three_restarts_in_five_seconds);
    tcase_add_test(tests, a_dynamic_child_that_ends_otherwise_than_told_is_reported);
    tcase_add_test(tests, a_supervisor_keeps_nothing_of_temporary_children_that_have_ended);
    if (!SANITIZED)     /* ThreadSanitizer's own time for a process grows with their number */
        tcase_add_test(tests,
                       the_time_for_many_children_grows_with_their_number_and_not_its_square);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(conformance_dynamic_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
