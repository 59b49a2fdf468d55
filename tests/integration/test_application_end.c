/* test_application_end.c - how applications end: by themselves, late, in a crash, and what is left
 * of them. */
#include "applications.h"

/* ---- the end of a tree ----------------------------------------------------------------- */

static const cop_application telling = { .name = "telling", .supervisor = &shop_top, TELLING };

static void end_top(const char *top, const cop_reason *reason)
{
    trace_error("end of the tree", cop_stop_process(cop_to(top), reason, COP_INFINITY));
}

static void story_of_a_temporary_end(void *argument)
{
    (void)argument;
    load(&store);
    load(&telling);
    start("store");
    start("telling");
    end_top("shop_top", cop_reason_atom("broken"));
    cop_sleep(1);
    trace_states();
    start("telling");
    ck_assert_int_eq(cop_application_stop_all(), COP_OK);
}

START_TEST(a_temporary_application_that_ends_is_reported_and_may_be_started_again)
{
    expect(story_of_a_temporary_end, "a.1 starts\n" "report: store runs\n" "store: ok\n"
                                     "b.1 starts\n" "report: telling runs\n" "telling: ok\n"
                                     "b.1 stops: shutdown\n" "b.1 is gone\n"
                                     "telling: prep_stop\n" "telling: stop\n"
                                     "end of the tree: ok\n"
                                     "report: telling: broken: the application has ended\n"
                                     "which: store running telling loaded\n"
                                     "b.2 starts\n" "report: telling runs\n" "telling: ok\n"
                                     "telling: prep_stop\n"
                                     "b.2 stops: shutdown\n" "b.2 is gone\n"
                                     "telling: stop\n"
                                     "a.1 stops: shutdown\n" "a.1 is gone\n");
}
END_TEST

static void story_of_a_permanent_end(void *argument)
{
    (void)argument;
    a.lingers_ms = 100;
    load_three();
    load(&library);
    start("store");
    trace_started("shop", cop_application_start("shop", COP_PERMANENT));
    start("site");
    end_top("shop_top", COP_NORMAL);
    cop_sleep(50);
    start("library");
    cop_sleep(COP_INFINITY);
}

START_TEST(when_a_permanent_application_ends_the_others_stop_in_order_and_then_the_node)
{
    ck_assert_int_eq(run(story_of_a_permanent_end), 1);
    trace_expect("a.1 starts\n" "report: store runs\n" "store: ok\n"
                 "b.1 starts\n" "report: shop runs\n" "shop: ok\n"
                 "c.1 starts\n" "report: site runs\n" "site: ok\n"
                 "b.1 stops: shutdown\n" "b.1 is gone\n" "end of the tree: ok\n"
                 "report: shop: normal: the application has ended, so the node does\n"
                 "c.1 stops: shutdown\n" "c.1 is gone\n"
                 "a.1 stops: shutdown\n"
                 "library: start_failed terminating\n"
                 "a.1 is gone\n");
}
END_TEST

static void story_of_a_transient_end(void *argument)
{
    (void)argument;
    load(&store);
    for (int i = 0; i < 2; i++) {
        trace_started("store", cop_application_start("store", COP_TRANSIENT));
        end_top("store_top", i == 0 ? COP_NORMAL : COP_SHUTDOWN);
        cop_sleep(50);
    }
    cop_sleep(COP_INFINITY);
}

START_TEST(a_transient_application_takes_the_node_with_it_unless_it_ends_normal)
{
    ck_assert_int_eq(run(story_of_a_transient_end), 1);
    trace_expect("a.1 starts\n" "report: store runs\n" "store: ok\n"
                 "a.1 stops: shutdown\n" "a.1 is gone\n" "end of the tree: ok\n"
                 "report: store: normal: the application has ended\n"
                 "a.2 starts\n" "report: store runs\n" "store: ok\n"
                 "a.2 stops: shutdown\n" "a.2 is gone\n" "end of the tree: ok\n"
                 "report: store: shutdown: the application has ended, so the node does\n");
}
END_TEST

/* ---- strays ---------------------------------------------------------------------------- */

static void stray_gone(void *name)
{
    trace("%s is gone", (const char *)name);
}

static void stray(void *argument)
{
    intptr_t depth = (intptr_t)argument;
    static const char *const names[] = { "grandchild", "child", "stray" };
    cop_trap_exit(true);
    cop_defer(stray_gone, (void *)(uintptr_t)names[depth]);
    if (depth > 0) cop_spawn(stray, (void *)(depth - 1), 0);
    if (depth == 1) return;
    cop_sleep(COP_INFINITY);
}

static cop_started start_with_strays(const cop_application *application, enum cop_restart type)
{
    (void)type;
    cop_spawn(stray, (void *)2, 0);
    trace("%s leaves strays", application->name);
    return cop_supervisor_start_link(&store_top);
}

/* Asks another application's supervisor for a child. */
static cop_started start_abroad(const cop_application *application, enum cop_restart type)
{
    static struct worker abroad;
    static const cop_child_spec child = WORKER(abroad);
    cop_started started = cop_supervisor_start_child(cop_to("shop_top"), &child);
    ck_assert_int_eq(started.error, COP_OK);
    return start_with_strays(application, type);
}

static const cop_application straying = { .name = "straying", .start = start_abroad, TELLING };

static void story_of_strays(void *argument)
{
    (void)argument;
    load(&straying);
    load(&telling);
    start("telling");
    start("straying");
    cop_sleep(10);
    stop("straying");
    trace("abroad: %d", is_up("abroad"));
    stop("telling");
    ck_assert_uint_eq(cop_process_count(), 2);
}

START_TEST(stopping_kills_every_process_that_descends_from_the_application_and_no_other)
{
    expect(story_of_strays, "b.1 starts\n" "report: telling runs\n" "telling: ok\n"
                            "abroad.1 starts\n"
                            "straying leaves strays\n" "child is gone\n"
                            "a.1 starts\n" "report: straying runs\n" "straying: ok\n"
                            "straying: prep_stop\n" "a.1 stops: shutdown\n" "a.1 is gone\n"
                            "straying: stop\n"
                            "stray is gone\n" "grandchild is gone\n"
                            "stop straying: ok\n"
                            "abroad: 1\n"
                            "telling: prep_stop\n" "abroad.1 is gone\n"
                            "b.1 stops: shutdown\n" "b.1 is gone\n"
                            "telling: stop\n" "stop telling: ok\n");
}
END_TEST

static void flock(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

static cop_started start_a_flock(const cop_application *application, enum cop_restart type)
{
    (void)application;
    (void)type;
    for (int i = 0; i < 1000; i++) cop_spawn(flock, NULL, 0);
    return cop_supervisor_start_link(&store_top);
}

static void story_of_a_flock(void *argument)
{
    (void)argument;
    static const cop_application application = { .name = "flock", .start = start_a_flock };
    load(&application);
    start("flock");
    trace("%d processes", (int)cop_process_count());
    stop("flock");
    trace("%d processes", (int)cop_process_count());
}

START_TEST(a_thousand_strays_are_killed_too)
{
    /* This one, the controller, master, runner, supervisor and worker. */
    expect(story_of_a_flock, "a.1 starts\n" "report: flock runs\n" "flock: ok\n"
                             "1006 processes\n"
                             "a.1 stops: shutdown\n" "a.1 is gone\n" "stop flock: ok\n"
                             "2 processes\n");
}
END_TEST

/* ---- ends that are late, crash, or come from outside ----------------------------------- */

static struct worker slow = { .traps = true, .lingers_ms = COP_INFINITY };
static const cop_child_spec slow_children[] = { WORKER(slow, .shutdown = COP_SHUTDOWN_INFINITY) };
static const cop_supervisor slow_top = { COP_CHILDREN(slow_children) };
static const cop_application lingering = { .name = "lingering", .supervisor = &slow_top, TELLING,
                                           .shutdown_ms = 200 };

static void story_of_lingering(void *argument)
{
    (void)argument;
    load(&lingering);
    start("lingering");
    stop("lingering");
    trace("at %d ms", (int)cop_now_ms());
    ck_assert_uint_eq(cop_process_count(), 2);
}

START_TEST(a_tree_that_does_not_stop_within_shutdown_ms_is_killed_before_stop_is_called)
{
    expect(story_of_lingering, "slow.1 starts\n" "report: lingering runs\n" "lingering: ok\n"
                               "lingering: prep_stop\n" "slow.1 stops: shutdown\n"
                               "slow.1 is gone\n" "lingering: stop\n"
                               "stop lingering: ok\n" "at 200 ms\n");
}
END_TEST

static void crashing_prep_stop(const cop_application *application)
{
    cop_raise("%s cannot stop", application->name);
}

static const cop_application crashing = { .name = "crashing", .supervisor = &store_top,
                                          .prep_stop = crashing_prep_stop, .stop = told_stop };

static void story_of_a_crashing_stop(void *argument)
{
    (void)argument;
    load(&crashing);
    start("crashing");
    stop("crashing");
    ck_assert_uint_eq(cop_process_count(), 2);
    start("crashing");
    end_top("store_top", cop_reason_atom("broken"));
    cop_sleep(1);
    trace_states();
    ck_assert_uint_eq(cop_process_count(), 2);
}

START_TEST(a_callback_that_crashes_ends_the_application_and_all_its_processes)
{
    expect(story_of_a_crashing_stop, "a.1 starts\n" "report: crashing runs\n" "crashing: ok\n"
                                     "a.1 is gone\n" "stop crashing: ok\n"
                                     "a.2 starts\n" "report: crashing runs\n" "crashing: ok\n"
                                     "a.2 stops: shutdown\n" "a.2 is gone\n"
                                     "end of the tree: ok\n"
                                     "report: crashing: error:crashing cannot stop:"
                                     " the application has ended\n"
                                     "which: crashing loaded\n");
}
END_TEST

/* The ancestors of a worker: its supervisor, the runner, the master, the controller. */
static cop_pid ancestor_of_worker[4];

static cop_started start_looking(const cop_application *application, enum cop_restart type)
{
    (void)application;
    (void)type;
    cop_pid ancestors[4];
    ck_assert_uint_ge(cop_ancestors(ancestors, 4), 3);
    ck_assert(cop_pid_equal(ancestors[1], cop_whereis("application_controller")));
    memcpy(ancestor_of_worker, ancestors, sizeof ancestors);
    return cop_supervisor_start_link(&store_top);
}

static const cop_application looking = { .name = "looking", .start = start_looking, TELLING };

static void story_of_a_killed_master(void *argument)
{
    (void)argument;
    load(&looking);
    start("looking");
    cop_exit_process(ancestor_of_worker[0], COP_KILL);
    cop_sleep(1);
    trace_states();
    ck_assert_uint_eq(cop_process_count(), 2);
}

START_TEST(an_application_whose_master_is_killed_stops)
{
    expect(story_of_a_killed_master, "a.1 starts\n" "report: looking runs\n" "looking: ok\n"
                                     "looking: prep_stop\n"
                                     "report: looking: killed: the application has ended\n"
                                     "a.1 stops: shutdown\n"
                                     "a.1 is gone\n" "looking: stop\n"
                                     "which: looking loaded\n");
}
END_TEST

static void story_of_a_killed_controller(void *argument)
{
    (void)argument;
    load(&telling);
    load(&store);
    start("store");
    start("telling");
    cop_exit_process(cop_whereis("application_controller"), COP_KILL);
    cop_sleep(1);
    ck_assert_uint_eq(cop_process_count(), 1);
    stop("store");
    load(&store);
    trace_states();
}

START_TEST(all_applications_stop_when_the_controller_is_killed)
{
    expect(story_of_a_killed_controller, "a.1 starts\n" "report: store runs\n" "store: ok\n"
                                         "b.1 starts\n" "report: telling runs\n" "telling: ok\n"
                                         "telling: prep_stop\n"
                                         "a.1 stops: shutdown\n" "a.1 is gone\n"
                                         "b.1 stops: shutdown\n" "b.1 is gone\n"
                                         "telling: stop\n"
                                         "stop store: not_found\n" "which: store loaded\n");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("application_end");
    tcase_add_test(tests, a_temporary_application_that_ends_is_reported_and_may_be_started_again);
    tcase_add_test(tests,
                   when_a_permanent_application_ends_the_others_stop_in_order_and_then_the_node);
    tcase_add_test(tests, a_transient_application_takes_the_node_with_it_unless_it_ends_normal);
    tcase_add_test(tests,
                   stopping_kills_every_process_that_descends_from_the_application_and_no_other);
    tcase_add_test(tests, a_thousand_strays_are_killed_too);
    tcase_add_test(tests,
                   a_tree_that_does_not_stop_within_shutdown_ms_is_killed_before_stop_is_called);
    tcase_add_test(tests, a_callback_that_crashes_ends_the_application_and_all_its_processes);
    tcase_add_test(tests, an_application_whose_master_is_killed_stops);
    tcase_add_test(tests, all_applications_stop_when_the_controller_is_killed);
    Suite *suite = suite_create("application_end");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
