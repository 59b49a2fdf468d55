/* test_application.c - applications: started in order of need, stopped in reverse, one request
 * after the other. */
#include "applications.h"

/* ---- one application ------------------------------------------------------------------- */

static const char *const good_phases[] = { "first", "second", NULL };
static const cop_application phased = { .name = "phased", .supervisor = &store_top, TELLING,
                                        .phases = good_phases, .start_phase = told_phase };

static void story_of_one(void *argument)
{
    (void)argument;
    load(&phased);
    trace_states();
    cop_started started = cop_application_start("phased", COP_TEMPORARY);
    ck_assert(cop_pid_equal(started.pid, cop_whereis("store_top")));
    trace_started("start", started);
    trace_states();
    trace_started("again", cop_application_start("phased", COP_TEMPORARY));
    stop("phased");
    trace_states();
    stop("phased");
    ck_assert_uint_eq(cop_process_count(), 2);      /* the controller and this one */
    start("phased");
    ck_assert_int_eq(cop_application_stop_all(), COP_OK);
}

START_TEST(an_application_starts_its_tree_then_its_phases_and_stops_in_three_steps)
{
    expect(story_of_one, "which: phased loaded\n"
                         "a.1 starts\n"
                         "phased: phase first, 1 tell each other\n"
                         "phased: phase second, 1 tell each other\n"
                         "report: phased runs\n" "start: ok\n"
                         "which: phased running\n"
                         "again: already_started\n"
                         "phased: prep_stop\n" "a.1 stops: shutdown\n" "a.1 is gone\n"
                         "phased: stop\n" "stop phased: ok\n"
                         "which: phased loaded\n"
                         "stop phased: not_found\n"
                         "a.2 starts\n"
                         "phased: phase first, 1 tell each other\n"
                         "phased: phase second, 1 tell each other\n"
                         "report: phased runs\n" "phased: ok\n"
                         "phased: prep_stop\n" "a.2 stops: shutdown\n" "a.2 is gone\n"
                         "phased: stop\n");
}
END_TEST

static cop_started start_typed(const cop_application *application, enum cop_restart type)
{
    static const char *const types[] = { "permanent", "transient", "temporary" };
    trace("%s starts, %s, in group %u", application->name, types[type], cop_group());
    ck_assert_uint_ne(cop_group(), 0);
    return cop_supervisor_start_link(&store_top);
}

static const cop_application typed = { .name = "typed", .start = start_typed };

static void story_of_types(void *argument)
{
    (void)argument;
    load(&typed);
    for (enum cop_restart type = COP_PERMANENT; type <= COP_TEMPORARY; type++) {
        trace_started("start", cop_application_start("typed", type));
        stop("typed");
    }
}

START_TEST(a_start_function_learns_the_type_and_stopping_by_request_never_ends_the_node)
{
    expect(story_of_types, "typed starts, permanent, in group 1\n" "a.1 starts\n"
                           "report: typed runs\n" "start: ok\n"
                           "a.1 stops: shutdown\n" "a.1 is gone\n" "stop typed: ok\n"
                           "typed starts, transient, in group 1\n" "a.2 starts\n"
                           "report: typed runs\n" "start: ok\n"
                           "a.2 stops: shutdown\n" "a.2 is gone\n" "stop typed: ok\n"
                           "typed starts, temporary, in group 1\n" "a.3 starts\n"
                           "report: typed runs\n" "start: ok\n"
                           "a.3 stops: shutdown\n" "a.3 is gone\n" "stop typed: ok\n");
}
END_TEST

static void story_of_a_library(void *argument)
{
    (void)argument;
    load(&library);
    cop_started started = cop_application_start("library", COP_PERMANENT);
    ck_assert_int_eq(started.error, COP_OK);
    ck_assert(cop_pid_is_none(started.pid));
    cop_sleep(1000);
    trace_states();
    stop("library");
}

START_TEST(an_application_without_a_tree_runs_until_it_is_stopped)
{
    expect(story_of_a_library, "report: library runs\n" "which: library running\n"
                               "library: prep_stop\n" "library: stop\n" "stop library: ok\n");
}
END_TEST

/* ---- starts that fail ------------------------------------------------------------------ */

static const char *failure;

static cop_next ignoring_init(struct cop_supervisor *flags, const void *argument)
{
    (void)flags;
    (void)argument;
    return cop_ignore();
}

static cop_started start_badly(const cop_application *application, enum cop_restart type)
{
    static struct worker failing = { .starts = "e" };
    static const cop_child_spec failing_children[] = { WORKER(a), WORKER(failing) };
    static const cop_supervisor failing_top = { COP_CHILDREN(failing_children) };
    static const cop_supervisor ignoring_top = { .init = ignoring_init };
    (void)application;
    (void)type;
    if (strcmp(failure, "top fails") == 0) return cop_supervisor_start_link(&failing_top);
    if (strcmp(failure, "top ignores") == 0) return cop_supervisor_start_link(&ignoring_top);
    if (strcmp(failure, "no pid") == 0) return (cop_started){ COP_OK, COP_NO_PID, NULL };
    if (strcmp(failure, "name taken") == 0) {
        cop_started first = cop_supervisor_start_link(&store_top);
        ck_assert_int_eq(first.error, COP_OK);
        return (cop_started){ COP_EINVAL, COP_NO_PID, cop_reason_atom("second_thoughts") };
    }
    if (strcmp(failure, "raises") == 0) cop_raise("cannot start");
    return (cop_started){ COP_ENOMEM, COP_NO_PID, NULL };
}

static const cop_application bad = { .name = "bad", .start = start_badly, TELLING };

static void story_of_failures(void *argument)
{
    (void)argument;
    static const char *const failures[] = { "top fails", "top ignores", "no pid", "name taken",
                                            "raises", "no memory" };
    load(&bad);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        failure = failures[i];
        trace_started(failure, cop_application_start("bad", COP_PERMANENT));
        ck_assert_uint_eq(cop_process_count(), 2);
        ck_assert_uint_eq(cop_mailbox_length(), 0);
    }
    trace_states();
}

START_TEST(a_start_that_fails_says_why_and_leaves_no_process)
{
    expect(story_of_failures, "a.1 starts\n" "failing.1 fails\n"
                              "a.1 stops: shutdown\n" "a.1 is gone\n"
                              "top fails: start_failed"
                              " shutdown:failed_to_start_child:failing:boom\n"
                              "top ignores: start_failed ignore\n"
                              "no pid: start_failed bad_return_value\n"
                              "a.2 starts\n" "a.2 is gone\n"
                              "name taken: start_failed second_thoughts\n"
                              "raises: start_failed error:cannot start\n"
                              "no memory: start_failed enomem\n"
                              "which: bad loaded\n");
}
END_TEST

static const char *const bad_phases[] = { "good", "bad", "never", NULL };
static const cop_application badly_phased = { .name = "badly", .supervisor = &store_top, TELLING,
                                              .phases = bad_phases, .start_phase = told_phase };

static void story_of_a_bad_phase(void *argument)
{
    (void)argument;
    load(&badly_phased);
    start("badly");
    ck_assert_uint_eq(cop_process_count(), 2);
}

START_TEST(a_phase_that_fails_shuts_the_tree_down_and_fails_the_start)
{
    expect(story_of_a_bad_phase, "a.1 starts\n"
                                 "badly: phase good, 1 tell each other\n"
                                 "badly: phase bad, 1 tell each other\n"
                                 "a.1 stops: shutdown\n" "a.1 is gone\n"
                                 "badly: start_failed start_phase:bad:enomem\n");
}
END_TEST

/* ---- order of need --------------------------------------------------------------------- */

static void story_of_needs(void *argument)
{
    (void)argument;
    load_three();
    start("shop");
    start("store");
    start("site");
    start("shop");
    start("site");
    trace_states();
    ck_assert_int_eq(cop_application_stop_all(), COP_OK);
    trace_states();
    ck_assert_int_eq(cop_application_stop_all(), COP_OK);
}

START_TEST(an_application_starts_only_when_all_that_it_needs_runs)
{
    expect(story_of_needs, "shop: noproc not_started:store\n"
                           "a.1 starts\n" "report: store runs\n" "store: ok\n"
                           "site: noproc not_started:shop\n"
                           "b.1 starts\n" "report: shop runs\n" "shop: ok\n"
                           "c.1 starts\n" "report: site runs\n" "site: ok\n"
                           "which: store running shop running site running\n"
                           "c.1 stops: shutdown\n" "c.1 is gone\n"
                           "b.1 stops: shutdown\n" "b.1 is gone\n"
                           "a.1 stops: shutdown\n" "a.1 is gone\n"
                           "which: store loaded shop loaded site loaded\n");
}
END_TEST

static void ensure(const char *name)
{
    trace_started(name, cop_application_ensure_all_started(name, COP_TEMPORARY));
}

static void story_of_ensuring(void *argument)
{
    (void)argument;
    load_three();
    ensure("site");
    ensure("site");
    stop("store");                     /* though the others need it */
    trace_states();
    ensure("shop");
    ck_assert_int_eq(cop_application_stop_all(), COP_OK);
}

START_TEST(ensure_all_started_starts_what_is_needed_first_and_stop_all_stops_in_reverse)
{
    expect(story_of_ensuring, "a.1 starts\n" "report: store runs\n"
                              "b.1 starts\n" "report: shop runs\n"
                              "c.1 starts\n" "report: site runs\n"
                              "site: ok\n" "site: ok\n"
                              "a.1 stops: shutdown\n" "a.1 is gone\n" "stop store: ok\n"
                              "which: store loaded shop running site running\n"
                              "a.2 starts\n" "report: store runs\n" "shop: ok\n"
                              "a.2 stops: shutdown\n" "a.2 is gone\n"
                              "c.1 stops: shutdown\n" "c.1 is gone\n"
                              "b.1 stops: shutdown\n" "b.1 is gone\n");
}
END_TEST

static const char *const doomed_needs[] = { "store", "shop", "bad", NULL };
static const cop_application doomed = { .name = "doomed", .applications = doomed_needs };

static void story_of_an_undone_start(void *argument)
{
    (void)argument;
    load_three();
    load(&bad);
    load(&doomed);
    failure = "no memory";
    start("store");
    ensure("doomed");
    trace_states();
    stop("store");
}

START_TEST(when_one_fails_those_that_ensure_all_started_has_started_are_stopped_again)
{
    expect(story_of_an_undone_start, "a.1 starts\n" "report: store runs\n" "store: ok\n"
                                     "b.1 starts\n" "report: shop runs\n"
                                     "b.1 stops: shutdown\n" "b.1 is gone\n"
                                     "doomed: start_failed bad:enomem\n"
                                     "which: site loaded doomed loaded store running shop loaded"
                                     " bad loaded\n"
                                     "a.1 stops: shutdown\n" "a.1 is gone\n"
                                     "stop store: ok\n");
}
END_TEST

static const char *const needs_y[] = { "y", NULL }, *const needs_x[] = { "x", NULL };
static const char *const needs_itself[] = { "z", NULL }, *const needs_nobody[] = { "nobody", NULL };
static const cop_application x = { .name = "x", .applications = needs_y };
static const cop_application y = { .name = "y", .applications = needs_x };
static const cop_application z = { .name = "z", .applications = needs_itself };
static const cop_application lonely = { .name = "lonely", .applications = needs_nobody };

static void story_of_circles(void *argument)
{
    (void)argument;
    ensure("x");
    load(&x);
    ensure("x");
    load(&y);
    load(&z);
    load(&lonely);
    ensure("x");
    ensure("z");
    ensure("lonely");
    start("lonely");
    start("z");
}

START_TEST(needs_that_are_unknown_or_go_round_in_a_circle_are_refused)
{
    expect(story_of_circles, "x: not_found not_loaded:x\n"
                             "x: not_found not_loaded:y\n"
                             "x: badarg circular:x\n"
                             "z: badarg circular:z\n"
                             "lonely: not_found not_loaded:nobody\n"
                             "lonely: noproc not_started:nobody\n"
                             "z: noproc not_started:z\n");
}
END_TEST

/* ---- errors ---------------------------------------------------------------------------- */

static void story_of_errors(void *argument)
{
    (void)argument;
    static const cop_application nameless = { .name = NULL }, unnamed = { .name = "" };
    static const cop_application phaseless = { .name = "p", .phases = good_phases };
    static const cop_application twin = { .name = "store" };
    stop("store");
    start("store");
    trace_error("unload", cop_application_unload("store"));
    trace_states();
    ck_assert_int_eq(cop_application_stop_all(), COP_OK);
    trace_error("load nothing", cop_application_load(NULL));
    trace_error("load nameless", cop_application_load(&nameless));
    trace_error("load unnamed", cop_application_load(&unnamed));
    trace_error("load phaseless", cop_application_load(&phaseless));
    ck_assert_uint_eq(cop_process_count(), 1);
    load(&store);
    trace_error("load twice", cop_application_load(&store));
    trace_error("load a twin", cop_application_load(&twin));
    start("nobody");
    start("");
    trace_started("wrong type", cop_application_start("store", (enum cop_restart)3));
    start("store");
    trace_error("unload", cop_application_unload("store"));
    stop("store");
    trace_error("unload", cop_application_unload("store"));
    trace_error("unload", cop_application_unload("store"));
    trace_states();
    trace_error("load a twin", cop_application_load(&twin));
}

START_TEST(wrong_names_types_and_states_give_their_errors)
{
    ck_assert_int_eq(cop_application_load(&store), COP_EOUTSIDE);
    ck_assert_int_eq(cop_application_stop_all(), COP_EOUTSIDE);
    expect(story_of_errors, "stop store: not_found\n" "store: not_found\n" "unload: not_found\n"
                            "which:\n"
                            "load nothing: badarg\n" "load nameless: badarg\n"
                            "load unnamed: badarg\n" "load phaseless: badarg\n"
                            "load twice: already_present\n" "load a twin: already_present\n"
                            "nobody: not_found\n" ": badarg\n" "wrong type: badarg\n"
                            "a.1 starts\n" "report: store runs\n" "store: ok\n"
                            "unload: running\n"
                            "a.1 stops: shutdown\n" "a.1 is gone\n" "stop store: ok\n"
                            "unload: ok\n" "unload: not_found\n"
                            "which:\n" "load a twin: ok\n");
}
END_TEST

/* ---- several at once --------------------------------------------------------------------- */

static struct worker late = { .starts = "s", .traps = true };
static const cop_child_spec late_children[] = { WORKER(late) };
static const cop_supervisor late_top = { COP_CHILDREN(late_children) };
static const cop_application tardy = { .name = "tardy", .supervisor = &late_top };

static void start_tardy(void *who)
{
    trace_started(who, cop_application_start("tardy", COP_TEMPORARY));
}

static void stop_tardy(void *who)
{
    trace_error(who, cop_application_stop("tardy"));
}

static void story_of_a_queue(void *argument)
{
    (void)argument;
    load(&tardy);
    load(&store);
    cop_spawn(start_tardy, "first start", 0);
    cop_spawn(start_tardy, "second start", 0);
    cop_spawn(stop_tardy, "first stop", 0);
    cop_spawn(stop_tardy, "second stop", 0);
    cop_spawn(start_tardy, "last start", 0);
    cop_sleep(5);
    trace_states();
    start("store");                      /* the controller waits for nobody */
    cop_sleep(100);
    trace_states();
    cop_application_stop_all();
}

START_TEST(requests_for_one_application_are_served_in_order_and_do_not_hold_up_the_others)
{
    expect(story_of_a_queue, "which: store loaded tardy starting\n"
                             "a.1 starts\n" "report: store runs\n" "store: ok\n"
                             "late.1 starts\n" "report: tardy runs\n"
                             "first start: ok\n" "second start: already_started\n"
                             "late.1 stops: shutdown\n" "late.1 is gone\n"
                             "first stop: ok\n" "second stop: not_found\n"
                             "late.2 starts\n" "report: tardy runs\n" "last start: ok\n"
                             "which: store running tardy running\n"
                             "late.2 stops: shutdown\n" "late.2 is gone\n"
                             "a.1 stops: shutdown\n" "a.1 is gone\n");
}
END_TEST

static cop_started start_another(const cop_application *application, enum cop_restart type)
{
    (void)application;
    trace_started("store from within", cop_application_start("store", type));
    return cop_supervisor_start_link(&shop_top);
}

static void story_of_a_nested_start(void *argument)
{
    (void)argument;
    static const cop_application outer = { .name = "outer", .start = start_another };
    load(&outer);
    load(&store);
    start("outer");
    stop("outer");
    trace_states();
    stop("store");
}

START_TEST(a_start_function_may_start_another_application_which_does_not_belong_to_it)
{
    expect(story_of_a_nested_start, "a.1 starts\n" "report: store runs\n"
                                    "store from within: ok\n"
                                    "b.1 starts\n" "report: outer runs\n" "outer: ok\n"
                                    "b.1 stops: shutdown\n" "b.1 is gone\n" "stop outer: ok\n"
                                    "which: outer loaded store running\n"
                                    "a.1 stops: shutdown\n" "a.1 is gone\n" "stop store: ok\n");
}
END_TEST

static void load_from_a_group(void *argument)
{
    (void)argument;
    cop_join_group(5);
    load(&store);
}

static void story_of_a_first_load(void *argument)
{
    (void)argument;
    trace_end("loader", cop_spawn(load_from_a_group, NULL, 0));
    trace("%d in the loader's group", (int)cop_group_members(5, NULL, 0));
    trace_states();
}

START_TEST(the_controller_does_not_belong_to_whoever_loads_first)
{
    expect(story_of_a_first_load, "loader down: normal\n" "0 in the loader's group\n"
                                  "which: store loaded\n");
}
END_TEST

/* On real threads, by many at once. */
static void start_and_stop(void *name)
{
    for (int i = 0; i < 50; i++) {
        cop_reason_unref(cop_application_ensure_all_started(name, COP_TEMPORARY).reason);
        int error = cop_application_stop(name);
        ck_assert(error == COP_OK || error == COP_ENOT_FOUND);
    }
}

static void story_of_a_crowd(void *argument)
{
    (void)argument;
    static char *const names[] = { "store", "shop", "site", "store", "shop", "site" };
    cop_ref refs[6];
    load_three();
    for (int i = 0; i < 6; i++) cop_spawn_monitor(start_and_stop, names[i], 0, &refs[i]);
    for (int i = 0; i < 6; i++) {
        cop_message *message = cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY);
        ck_assert(cop_reason_is(cop_expect(message, cop_down_message)->reason, "normal"));
        cop_message_free(message);
    }
    ck_assert_int_eq(cop_application_stop_all(), COP_OK);
    while (cop_process_count() > 2) cop_yield();    /* one that is down is counted a while longer */
}

START_TEST(on_many_threads_starts_and_stops_by_several_processes_leave_nothing_behind)
{
    trace_reset();
    int status = cop_run(story_of_a_crowd, NULL, &(cop_run_options){ .schedulers = 4 });
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("application");
    tcase_add_test(tests, an_application_starts_its_tree_then_its_phases_and_stops_in_three_steps);
    tcase_add_test(tests,
                   a_start_function_learns_the_type_and_stopping_by_request_never_ends_the_node);
    tcase_add_test(tests, an_application_without_a_tree_runs_until_it_is_stopped);
    tcase_add_test(tests, a_start_that_fails_says_why_and_leaves_no_process);
    tcase_add_test(tests, a_phase_that_fails_shuts_the_tree_down_and_fails_the_start);
    tcase_add_test(tests, an_application_starts_only_when_all_that_it_needs_runs);
    tcase_add_test(tests,
                   ensure_all_started_starts_what_is_needed_first_and_stop_all_stops_in_reverse);
    tcase_add_test(tests,
                   when_one_fails_those_that_ensure_all_started_has_started_are_stopped_again);
    tcase_add_test(tests, needs_that_are_unknown_or_go_round_in_a_circle_are_refused);
    tcase_add_test(tests, wrong_names_types_and_states_give_their_errors);
    tcase_add_test(tests,
                   requests_for_one_application_are_served_in_order_and_do_not_hold_up_the_others);
    tcase_add_test(tests,
                   a_start_function_may_start_another_application_which_does_not_belong_to_it);
    tcase_add_test(tests,
                   on_many_threads_starts_and_stops_by_several_processes_leave_nothing_behind);
    tcase_add_test(tests, the_controller_does_not_belong_to_whoever_loads_first);
    Suite *suite = suite_create("application");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
