/* test_dynamic_extra.c - an argument that all children of a dynamic supervisor get; specs that it
 * does not take. */
#include "timed.h"

/* ---- the extra argument ---------------------------------------------------------------- */

/* What all children of a pool have in common, and what is each one's own. */
struct shared {
    const char *pool;
    int64_t number;
};
struct own {
    struct shared shared;
    double weight;
    char name[8];
};

static size_t last_size;

/* A child that tells its argument. */
static void shows(void *argument)
{
    const struct own *own = argument;
    ck_assert_uint_eq((uintptr_t)argument % 16, 0);
    if (last_size == 0) tell("no argument");
    else if (last_size == sizeof(struct shared))
        tell("%s %d", own->shared.pool, (int)own->shared.number);
    else
        tell("%s %d: %s %.1f", own->shared.pool, (int)own->shared.number, own->name, own->weight);
    cop_init_ack();
    cop_sleep(COP_INFINITY);
}

static cop_started start_shows(const void *module, const void *argument, size_t argument_size)
{
    (void)module;
    last_size = argument_size;
    ck_assert_uint_eq((uintptr_t)argument % 16, 0);
    return cop_start_link(shows, argument, argument_size);
}

static const struct shared common = { "pool", 7 };
static const struct { double weight; char name[8]; } first = { 1.5, "first" },
                                                     second = { 2.5, "second" };
#define WITH_COMMON .extra = &common, .extra_size = sizeof common

static void has_extra(void *argument)
{
    (void)argument;
    const cop_child_spec template_ = { .id = "shows", .start = start_shows };
    struct shared mine = common;
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_, .extra = &mine,
                                                 .extra_size = sizeof mine });
    memset(&mine, 0, sizeof mine);      /* it was copied */
    cop_pid pid = add_from(&first, sizeof first);
    add_from(&second, sizeof second);
    add_from(NULL, 0);
    worker_kill_pid(pid);
    settle();
    end_top();
}

START_TEST(all_children_of_a_template_get_the_extra_bytes_before_their_own_also_at_a_restart)
{
    expect_story(has_extra, "    0: pool 7: first 1.5\n"
                            "    0: pool 7: second 2.5\n"
                            "    0: pool 7\n"
                            "report: child_terminated shows: killed\n"
                            "    0: pool 7: first 1.5\n"
                            "report: shows restarted: killed; shows\n"
                            "    1: top stopped: ok\n");
}
END_TEST

static void has_extra_and_specs(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ WITH_COMMON });
    char bytes[sizeof second];
    memcpy(bytes, &second, sizeof second);
    cop_pid pid = add(&(cop_child_spec){ .id = "shows", .start = start_shows, .argument = bytes,
                                         .argument_size = sizeof bytes });
    memset(bytes, 0, sizeof bytes);
    add(&(cop_child_spec){ .id = "bare", .start = start_shows });
    worker_kill_pid(pid);
    settle();
    end_top();
}

START_TEST(children_with_specs_of_their_own_get_them_too)
{
    expect_story(has_extra_and_specs, "    0: pool 7: second 2.5\n"
                                      "    0: pool 7\n"
                                      "report: child_terminated shows: killed\n"
                                      "    0: pool 7: second 2.5\n"
                                      "report: shows restarted: killed; shows\n"
                                      "    1: top stopped: ok\n");
}
END_TEST

static cop_next chooses_extra(struct cop_dynamic_supervisor *flags, const void *argument)
{
    struct shared *shared = cop_alloc(sizeof *shared);
    *shared = (struct shared){ "chosen", *(const int *)argument };
    flags->extra = shared;
    flags->extra_size = sizeof *shared;
    return cop_ok();
}

static void is_chosen_by_init(void *argument)
{
    (void)argument;
    const cop_child_spec template_ = { .start = start_shows };
    const cop_dynamic_supervisor flags = { .template_ = &template_, .init = chooses_extra };
    int number = 42;
    cop_started started = cop_dynamic_supervisor_start_link(
        &flags, .name = "top", .argument = &number, .argument_size = sizeof number);
    ck_assert_int_eq(started.error, COP_OK);
    add_from(NULL, 0);
}

START_TEST(init_may_choose_the_extra_bytes)
{
    expect_story(is_chosen_by_init, "    0: chosen 42\n");
}
END_TEST

static void is_wrong(void *argument)
{
    (void)argument;
    trace_started("bytes of nothing",
                  cop_dynamic_supervisor_start_link(
                      &((cop_dynamic_supervisor){ .extra_size = sizeof common })));
    const cop_child_spec template_ = { .start = start_shows };
    start_dynamic_top(&(cop_dynamic_supervisor){ WITH_COMMON, .template_ = &template_ });
    trace_started("a pointer", cop_dynamic_supervisor_start_from(TOP, &first, 0));
    const cop_child_spec pointer = { .start = start_shows, .argument = &first };
    trace_started("a pointer in a spec", cop_dynamic_supervisor_start_child(TOP, &pointer));
    trace_started("nothing of some bytes", cop_dynamic_supervisor_start_from(TOP, NULL, 8));
    trace_children(TOP);
    expect_empty_mailbox();
}

START_TEST(an_argument_that_is_a_pointer_cannot_follow_extra_bytes)
{
    expect_story(is_wrong, "bytes of nothing: badarg supervisor_data:invalid_extra\n"
                           "a pointer: badarg\n"
                           "a pointer in a spec: badarg\n"
                           "nothing of some bytes: badarg\n"
                           "children: none; 1 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

static void is_refused(void *argument)
{
    (void)argument;
    start_dynamic_top(&(cop_dynamic_supervisor){ 0 });
    const struct { const char *what; cop_child_spec spec; } wrong[] = {
        { "ready", { .start = start_shows, .ready_ms = 100 } },
        { "supervisor with probe", { .start = start_shows, .type = COP_SUPERVISOR,
                                     .probe = { .interval_ms = 1 } } },
        { "backoff", { .start = start_shows, .backoff = { .initial_ms = -1 } } },
        { "jitter", { .start = start_shows,
                      .backoff = { .initial_ms = 1, .jitter_percent = 101 } } },
        { "budget", { .start = start_shows, .budget = COP_MAX_RESTARTS(1, 0) } },
        { "drain", { .start = start_shows, .drain_ms = -2 } },
        { "probe", { .start = start_shows, .probe = { .interval_ms = -1 } } },
        { "significant", { .start = start_shows, .significant = true,
                           .restart = COP_TEMPORARY } },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        trace_started(wrong[i].what, cop_dynamic_supervisor_start_child(TOP, &wrong[i].spec));
        const cop_dynamic_supervisor flags = { .template_ = &wrong[i].spec };
        cop_started started = cop_dynamic_supervisor_start_link(&flags);
        ck_assert_int_eq(started.error, COP_EINVAL);
        cop_reason_unref(started.reason);
    }
    expect_empty_mailbox();
}

START_TEST(specs_that_a_dynamic_supervisor_cannot_keep_are_refused_in_both_forms)
{
    expect_story(is_refused, "ready: badarg start_spec:bad_combination\n"
                             "supervisor with probe: badarg start_spec:bad_combination\n"
                             "backoff: badarg start_spec:invalid_backoff\n"
                             "jitter: badarg start_spec:invalid_backoff\n"
                             "budget: badarg start_spec:invalid_budget\n"
                             "drain: badarg start_spec:invalid_drain\n"
                             "probe: badarg start_spec:invalid_probe\n"
                             "significant: badarg start_spec:bad_combination\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *dynamic_extra_suite(void)
{
    Suite *suite = suite_create("dynamic_extra");
    TCase *tests = tcase_create("dynamic_extra");
    tcase_add_test(
        tests, all_children_of_a_template_get_the_extra_bytes_before_their_own_also_at_a_restart);
    tcase_add_test(tests, children_with_specs_of_their_own_get_them_too);
    tcase_add_test(tests, init_may_choose_the_extra_bytes);
    tcase_add_test(tests, an_argument_that_is_a_pointer_cannot_follow_extra_bytes);
    tcase_add_test(tests, specs_that_a_dynamic_supervisor_cannot_keep_are_refused_in_both_forms);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(dynamic_extra_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
