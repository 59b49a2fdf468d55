/* test_registry_via.c - names in a registry, wherever a pid may stand. */
#include "residents.h"

COP_CALL(get, COP_EMPTY, { int value; });
COP_MESSAGE(put, { int value; });
COP_MESSAGE(leave, COP_EMPTY);

static cop_next init(void *state, const void *argument)
{
    if (argument != NULL) *(int *)state = *(const int *)argument;
    return *(int *)state < 0 ? cop_stop(cop_reason_atom("negative")) : cop_ok();
}

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)request;
    (void)from;
    return cop_reply(get, .value = *(int *)state);
}

static cop_next handle_any(void *state, const cop_message *message)
{
    const put *change = cop_get(message, put);
    if (change == NULL) return cop_stop(COP_NORMAL);
    *(int *)state = change->value;
    return cop_noreply();
}

static const cop_gen_server cell = { .name = "not used", .state_size = sizeof(int), .init = init,
                                     .handle_call = handle_call, .handle_cast = handle_any,
                                     .handle_info = handle_any };

static cop_started start_cell(const char *key, int value)
{
    return cop_gen_server_start_link(&cell, .via = COP_VIA(&rooms, key, .number = value + 1),
                                     .argument = &value, .argument_size = sizeof value);
}

/* ---- destinations ---------------------------------------------------------------------- */

static void is_addressed(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    cop_started started = start_cell("a", 1);
    trace_started("a", started);
    ck_assert(cop_pid_is_none(cop_whereis("not used")));
    expect_pid(cop_resolve(cop_via(&rooms, "a")), started.pid);
    cop_registry_value value;
    expect_pid(cop_registry_whereis(&rooms, "a", &value), started.pid);
    ck_assert_int_eq(value.number, 2);

    get_reply reply;
    cop_must(cop_call(cop_via(&rooms, "a"), &reply, get, 0));
    ck_assert_int_eq(reply.value, 1);
    cop_must(cop_cast(cop_via(&rooms, "a"), put, .value = 2));
    cop_must(cop_call(cop_via(&rooms, "a"), &reply, get, 0));
    ck_assert_int_eq(reply.value, 2);
    cop_must(cop_send(cop_via(&rooms, "a"), put, .value = 3));
    cop_must(cop_call(cop_via(&rooms, "a"), &reply, get, 0));
    ck_assert_int_eq(reply.value, 3);
    cop_ref timer = cop_send_after(cop_via(&rooms, "a"), 10, put, .value = 4);
    ck_assert(!cop_ref_equal(timer, COP_NO_REF));
    cop_sleep(11);
    cop_must(cop_call(cop_via(&rooms, "a"), &reply, get, 0));
    ck_assert_int_eq(reply.value, 4);

    cop_ref ref = cop_monitor(cop_via(&rooms, "a"));
    cop_must(cop_stop_process(cop_via(&rooms, "a"), COP_NORMAL, COP_INFINITY));
    trace_down("a", ref);
}

START_TEST(a_name_in_a_registry_stands_wherever_a_pid_may)
{
    partitioned(_i);
    expect_story(is_addressed, "a: ok\n"
                               "a down: normal\n");
}
END_TEST

static void nobody_is_addressed(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    get_reply reply;
    ck_assert(cop_pid_is_none(cop_resolve(cop_via(&rooms, "a"))));
    ck_assert_int_eq(cop_call(cop_via(&rooms, "a"), &reply, get, 0), COP_ENOPROC);
    ck_assert_int_eq(cop_send(cop_via(&rooms, "a"), put, 1), COP_ENOPROC);
    ck_assert_int_eq(cop_cast(cop_via(&rooms, "a"), put, 1), COP_OK);
    ck_assert_int_eq(cop_send(cop_via(&topics, "a"), put, 1), COP_ENOPROC);
    trace_down("a", cop_monitor(cop_via(&rooms, "a")));
    expect_empty_mailbox();
}

START_TEST(a_name_that_nobody_has_is_no_process)
{
    partitioned(_i);
    expect_story(nobody_is_addressed, "a down: noproc\n");
}
END_TEST

static void duplicates_are_addressed(void *argument)
{
    (void)argument;
    open_registry(&topics);
    cop_must(cop_registry_register(&topics, "news"));
    ck_assert(cop_pid_is_none(cop_resolve(cop_via(&topics, "news"))));
    ck_assert_int_eq(cop_send(cop_via(&topics, "news"), put, 1), COP_ENOPROC);
    expect_empty_mailbox();
}

START_TEST(a_duplicate_key_leads_to_no_process)
{
    partitioned(_i);
    expect_story(duplicates_are_addressed, "");
}
END_TEST

/* ---- starts ---------------------------------------------------------------------------- */

static void starts(void *argument)
{
    (void)argument;
    trace_started("without a registry", start_cell("a", 1));
    cop_pid registry = open_registry(&rooms);
    cop_started first = start_cell("a", 1);
    trace_started("first", first);
    cop_started second = start_cell("a", 2);
    expect_pid(second.pid, first.pid);
    trace_started("second", second);
    trace_started("negative", start_cell("b", -1));
    ck_assert(cop_pid_is_none(cop_registry_whereis(&rooms, "b", NULL)));
    trace_started("afterwards", start_cell("b", 1));
    trace_started("empty", start_cell("", 1));
    const cop_via_name incomplete = { .resolve = cop_registry_resolve, .directory = &rooms,
                                      .key = "c" };
    trace_started("incomplete", cop_gen_server_start_link(&cell, .via = &incomplete));
    ck_assert_uint_eq(cop_process_count(), 4);
    expect_empty_mailbox();

    cop_exit_process(registry, COP_SHUTDOWN);
    trace_exit_from("first", first.pid);
}

START_TEST(a_process_starts_under_a_free_key_or_not_at_all_and_ends_with_the_registry)
{
    partitioned(_i);
    expect_story(starts, "without a registry: noproc\n"
                         "first: ok\n"
                         "second: already_started\n"
                         "negative: start_failed negative\n"
                         "afterwards: ok\n"
                         "empty: badarg\n"
                         "incomplete: badarg\n"
                         "exit from first: shutdown\n");
}
END_TEST

enum { RACERS = 20 };

static void races(void *argument)
{
    cop_pid judge = *(const cop_pid *)argument;
    cop_yield();
    cop_started started = cop_gen_server_start(&cell, .via = COP_VIA(&rooms, "prize"));
    ck_assert(started.error == COP_OK || started.error == COP_EALREADY_STARTED);
    expect_pid(started.pid, cop_registry_whereis(&rooms, "prize", NULL));
    cop_send(judge, put, .value = started.error);
}

static void judges(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    cop_pid self = cop_self();
    for (int i = 0; i < RACERS; i++) cop_spawn(races, &self, sizeof self);
    int winners = 0;
    for (int i = 0; i < RACERS; i++)
        winners += cop_receive_type(put, COP_INFINITY)->value == COP_OK;
    ck_assert_int_eq(winners, 1);
}

START_TEST(of_many_that_start_under_one_key_one_wins_and_the_others_are_told_of_it)
{
    partitioned(0);
    for (uint64_t seed = 1; seed <= 40; seed++) run_shuffled(judges, seed);
}
END_TEST

static cop_started start_child(const void *module, const void *argument, size_t argument_size)
{
    (void)module;
    (void)argument_size;
    return start_cell(argument, 5);
}

/* The second time a and b are killed by their links to the registry, before they are shut down. */
static void restarts(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = {
        COP_CHILD_REGISTRY(rooms),
        { .id = "a", .start = start_child, .argument = "a" },
        { .id = "b", .start = start_child, .argument = "b" },
    };
    const cop_supervisor house = { .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children) };
    cop_started top = cop_supervisor_start_link(&house);
    ck_assert_int_eq(top.error, COP_OK);
    cop_pid before = cop_registry_whereis(&rooms, "a", NULL);
    leaves(before, COP_KILL);
    settle();
    get_reply reply;
    cop_must(cop_call(cop_via(&rooms, "a"), &reply, get, 0));
    ck_assert(!cop_pid_equal(cop_registry_whereis(&rooms, "a", NULL), before));
    leaves(cop_whereis("rooms"), COP_KILL);
    settle();
    cop_must(cop_call(cop_via(&rooms, "b"), &reply, get, 0));
    ck_assert_uint_eq(cop_registry_count(&rooms), 2);
}

START_TEST(a_restarted_child_has_its_name_again_and_rest_for_one_restarts_all_with_the_registry)
{
    partitioned(_i);
    expect_story(restarts, "report: child_terminated a: killed\n"
                           "report: a restarted: killed; a b\n"
                           "report: child_terminated rooms: killed\n"
                           "report: rooms restarted: killed; rooms a b\n"
                           "report: shutdown_error b: killed\n"
                           "report: shutdown_error a: killed\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *registry_via_suite(void)
{
    const TTest *const tests[] = {
        a_name_in_a_registry_stands_wherever_a_pid_may,
        a_name_that_nobody_has_is_no_process,
        a_duplicate_key_leads_to_no_process,
        a_process_starts_under_a_free_key_or_not_at_all_and_ends_with_the_registry,
        a_restarted_child_has_its_name_again_and_rest_for_one_restarts_all_with_the_registry,
    };
    Suite *suite = suite_create("registry_via");
    TCase *cases = tcase_create("registry_via");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_loop_test(cases, tests[i], 0, PARTITION_COUNTS);
    tcase_add_test(cases, of_many_that_start_under_one_key_one_wins_and_the_others_are_told_of_it);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(registry_via_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
