/* test_registry_life.c - a registry's own life: its start and end, those linked to it, its
 * listeners, its metadata. */
#include "residents.h"

static void takes_lobby(void *argument)
{
    (void)argument;
    cop_must(cop_registry_register(&rooms, "lobby", .number = 7));
}

static void takes_hall(void *argument)
{
    (void)argument;
    cop_must(cop_registry_register(&rooms, "hall", .number = 8));
}

static void gives_lobby(void *argument)
{
    (void)argument;
    cop_must(cop_registry_unregister(&rooms, "lobby"));
}

static void gives_hall(void *argument)
{
    (void)argument;
    cop_must(cop_registry_unregister(&rooms, "hall"));
}

static void finds_lobby_taken(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_registry_register(&rooms, "lobby"), COP_EALREADY_STARTED);
}

static void traps(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
}

/* ---- links ----------------------------------------------------------------------------- */

static void registry_dies(void *argument)
{
    (void)argument;
    cop_pid registry = open_registry(&rooms);
    cop_pid has_one = resident(), had_two = resident(), has_none = resident();
    in(has_one, takes_lobby);
    in(has_one, takes_hall);
    in(has_one, gives_hall);
    in(had_two, takes_hall);
    in(had_two, gives_hall);
    in(has_none, finds_lobby_taken);
    cop_ref ref = cop_monitor(has_one);
    leaves(registry, cop_reason_atom("boom"));
    trace_down("who has an entry", ref);
    settle();
    ck_assert(cop_is_alive(had_two) && cop_is_alive(has_none));
    ck_assert(cop_pid_is_none(cop_registry_whereis(&rooms, "lobby", NULL)));
}

START_TEST(a_process_is_linked_to_the_registry_from_its_first_entry_to_its_last)
{
    partitioned(_i);
    expect_story(registry_dies, "who has an entry down: boom\n");
}
END_TEST

static void registry_returns(void *argument)
{
    (void)argument;
    cop_pid ann = resident();
    cop_pid bob = resident();
    in(ann, traps);
    for (int i = 0; i < 3; i++) {
        cop_pid registry = open_registry(&rooms);
        in(ann, takes_lobby);
        in(ann, takes_hall);
        leaves(registry, i == 1 ? COP_NORMAL : cop_reason_atom("boom"));
        expect_no_entries();
        if (i == 1) leaves(registry, COP_KILL);
        ck_assert(cop_is_alive(ann));
        expect_no_entries();
        ck_assert_uint_eq(cop_registry_keys(&rooms, ann, trace_entry, NULL), 0);
    }
    open_registry(&rooms);
    in(bob, takes_lobby);
    leaves(ann, COP_KILL);
    ck_assert_uint_eq(cop_registry_count(&rooms), 1);
    expect_pid(cop_registry_whereis(&rooms, "lobby", NULL), bob);
}

START_TEST(who_survives_the_end_of_the_registry_has_lost_its_entries_and_may_register_with_the_next)
{
    partitioned(_i);
    expect_story(registry_returns, "");
}
END_TEST

static void parent_registers(void *argument)
{
    (void)argument;
    cop_pid registry = open_registry(&rooms);
    takes_lobby(NULL);
    gives_lobby(NULL);
    leaves(registry, cop_reason_atom("boom"));
    trace_exit_from("registry", registry);
    expect_empty_mailbox();
}

START_TEST(the_registrys_parent_stays_linked_to_it_after_its_last_entry)
{
    partitioned(_i);
    expect_story(parent_registers, "exit from registry: boom\n");
}
END_TEST

static void many_come_and_go(void *argument)
{
    (void)argument;
    cop_pid registry = open_registry(&rooms);
    for (int i = 0; i < 10; i++) {
        cop_pid ann = resident();
        in(ann, takes_lobby);
        leaves(ann, cop_reason_atom("boom"));
    }
    settle();
    ck_assert(cop_is_alive(registry));
    expect_empty_mailbox();
}

START_TEST(the_end_of_its_processes_does_not_touch_the_registry)
{
    partitioned(_i);
    expect_story(many_come_and_go, "");
}
END_TEST

/* ---- start and end --------------------------------------------------------------------- */

static void supervised(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = { COP_CHILD_REGISTRY(rooms) };
    const cop_supervisor house = { COP_CHILDREN(children) };
    cop_started top = cop_supervisor_start_link(&house);
    trace_started("top", top);
    trace_started("again", cop_registry_start_link(&rooms));
    trace_children(cop_to(top.pid));
    cop_pid ann = resident();
    in(ann, takes_lobby);
    leaves(cop_whereis("rooms"), COP_KILL);
    settle();
    ck_assert(!cop_is_alive(ann));
    expect_no_entries();
    takes_lobby(NULL);
    ck_assert_uint_eq(cop_registry_count(&rooms), 1);
    cop_unlink(cop_whereis("rooms"));
    cop_supervisor_stop(cop_to(top.pid), COP_SHUTDOWN);
    ck_assert_int_eq(cop_registry_register(&rooms, "hall"), COP_ENOPROC);
}

START_TEST(a_registry_is_a_child_like_others_and_is_found_again_after_its_restart)
{
    partitioned(_i);
    expect_story(supervised,
                 "top: ok\n"
                 "again: already_started\n"
                 "children: rooms up; 1 specs, 1 active, 1 supervisors, 0 workers\n"
                 "report: child_terminated rooms: killed\n"
                 "report: rooms restarted: killed; rooms\n");
}
END_TEST

START_TEST(nothing_of_a_registry_outlives_its_node)
{
    for (unsigned i = 1; i < 4; i++) {
        rooms.partitions = i;
        expect_story(supervised,
                     "top: ok\n"
                     "again: already_started\n"
                     "children: rooms up; 1 specs, 1 active, 1 supervisors, 0 workers\n"
                     "report: child_terminated rooms: killed\n"
                     "report: rooms restarted: killed; rooms\n");
    }
}
END_TEST

static void wrong_starts(void *argument)
{
    (void)argument;
    trace_started("none", cop_registry_start_link(NULL));
    trace_started("nameless", cop_registry_start_link(&(cop_registry){ .name = NULL }));
    trace_started("empty name", cop_registry_start_link(&(cop_registry){ .name = "" }));
    const cop_registry odd = { .name = "odd", .keys = (enum cop_registry_keys)7 };
    trace_started("unknown keys", cop_registry_start_link(&odd));
    const cop_registry vast = { .name = "vast", .partitions = COP_REGISTRY_PARTITIONS_MAX + 1 };
    trace_started("too many partitions", cop_registry_start_link(&vast));
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_registry_with_a_wrong_description_is_refused)
{
    expect_story(wrong_starts, "none: badarg\n"
                               "nameless: badarg\n"
                               "empty name: badarg\n"
                               "unknown keys: badarg\n"
                               "too many partitions: badarg\n");
}
END_TEST

static void never(const cop_registry_entry *entry, void *context)
{
    (void)entry;
    (void)context;
    ck_abort_msg("there is no entry");
}

static void unknown(void *argument)
{
    (void)argument;
    const cop_registry_value value = { 0 };
    cop_registry_value got;
    ck_assert_int_eq(cop_registry_register(&rooms, "lobby"), COP_ENOPROC);
    ck_assert_int_eq(cop_registry_unregister(&rooms, "lobby"), COP_ENOPROC);
    ck_assert_int_eq(cop_registry_unregister_value(&rooms, "lobby", value), COP_ENOPROC);
    ck_assert_int_eq(cop_registry_update_value(&rooms, "lobby", value), COP_ENOPROC);
    ck_assert_int_eq(cop_registry_lock(&rooms, "lobby", takes_lobby, NULL), COP_ENOPROC);
    ck_assert_int_eq(cop_registry_put_meta(&rooms, "lobby", value), COP_ENOPROC);
    ck_assert_int_eq(cop_registry_meta(&rooms, "lobby", &got), COP_ENOPROC);
    ck_assert_int_eq(cop_registry_delete_meta(&rooms, "lobby"), COP_ENOPROC);
    ck_assert(cop_pid_is_none(cop_registry_whereis(&rooms, "lobby", &got)));
    ck_assert_uint_eq(cop_registry_dispatch(&rooms, "lobby", never, NULL), 0);
    ck_assert_uint_eq(cop_registry_keys(&rooms, cop_self(), never, NULL), 0);
    ck_assert_uint_eq(cop_registry_select(&rooms, never, NULL), 0);
    ck_assert_uint_eq(cop_registry_count(&rooms), 0);
    ck_assert_uint_eq(cop_registry_count_key(&rooms, "lobby"), 0);

    open_registry(&rooms);
    ck_assert_int_eq(cop_registry_register(&rooms, ""), COP_EINVAL);
    ck_assert_int_eq(cop_registry_register(&rooms, NULL), COP_EINVAL);
    ck_assert_int_eq(cop_registry_register(NULL, "lobby"), COP_EINVAL);
    ck_assert_int_eq(cop_registry_lock(&rooms, "lobby", NULL, NULL), COP_EINVAL);
}

START_TEST(a_registry_that_does_not_run_has_no_process_and_an_empty_key_is_refused)
{
    expect_story(unknown, "");
}
END_TEST

START_TEST(outside_of_a_process_and_of_a_node_nothing_is_found_and_nothing_registered)
{
    ck_assert_int_eq(cop_registry_register(&rooms, "lobby"), COP_EOUTSIDE);
    ck_assert_int_eq(cop_registry_unregister(&rooms, "lobby"), COP_EOUTSIDE);
    ck_assert_int_eq(cop_registry_start_link(&rooms).error, COP_EOUTSIDE);
    ck_assert(cop_pid_is_none(cop_registry_whereis(&rooms, "lobby", NULL)));
    ck_assert_uint_eq(cop_registry_count(&rooms), 0);
}
END_TEST

/* ---- listeners ------------------------------------------------------------------------- */

static void listens(void *argument)
{
    const char *name = argument;
    cop_register(name);
    cop_init_ack();
    for (;;) {
        const cop_registry_event *event = cop_receive_type(cop_registry_event, COP_INFINITY);
        trace("%s: %s %s %s = %lld%s", name, event->registry,
              event->registered ? "has" : "lost", event->key, (long long)event->value.number,
              event->owner_ended ? ", owner ended" : "");
    }
}

static void is_heard(void *argument)
{
    (void)argument;
    static const char *const listeners[] = { "ear", "nobody", "witness", NULL };
    rooms.listeners = listeners;
    cop_start_link(listens, "ear", 0);
    cop_start_link(listens, "witness", 0);
    cop_pid registry = open_registry(&rooms);
    cop_pid ann = resident();
    in(ann, takes_lobby);
    in(ann, takes_hall);
    in(ann, gives_lobby);
    in(resident(), takes_lobby);
    settle();
    trace("ann ends");
    leaves(ann, cop_reason_atom("boom"));
    settle();
    trace("the registry ends");
    leaves(registry, COP_SHUTDOWN);
    settle();
    rooms.listeners = NULL;
}

START_TEST(listeners_hear_of_what_is_registered_and_unregistered_also_by_the_end_of_its_process)
{
    partitioned(_i);
    expect_story(is_heard, "ear: rooms has lobby = 7\n"
                           "witness: rooms has lobby = 7\n"
                           "ear: rooms has hall = 8\n"
                           "witness: rooms has hall = 8\n"
                           "ear: rooms lost lobby = 7\n"
                           "witness: rooms lost lobby = 7\n"
                           "ear: rooms has lobby = 7\n"
                           "witness: rooms has lobby = 7\n"
                           "ann ends\n"
                           "ear: rooms lost hall = 8, owner ended\n"
                           "witness: rooms lost hall = 8, owner ended\n"
                           "the registry ends\n");
}
END_TEST

/* ---- metadata -------------------------------------------------------------------------- */

static void describes(void *argument)
{
    (void)argument;
    cop_pid registry = open_registry(&rooms);
    cop_registry_value value = { .number = -1 };
    ck_assert_int_eq(cop_registry_meta(&rooms, "floor", &value), COP_ENOT_FOUND);
    ck_assert_int_eq(value.number, -1);
    cop_must(cop_registry_put_meta(&rooms, "floor", (cop_registry_value){ .number = 3 }));
    cop_must(cop_registry_put_meta(&rooms, "floor", (cop_registry_value){ .number = 4 }));
    cop_must(cop_registry_put_meta(&rooms, "house", (cop_registry_value){ .pointer = &value }));
    cop_must(cop_registry_meta(&rooms, "floor", &value));
    ck_assert_int_eq(value.number, 4);
    cop_must(cop_registry_delete_meta(&rooms, "floor"));
    cop_must(cop_registry_delete_meta(&rooms, "floor"));
    ck_assert_int_eq(cop_registry_meta(&rooms, "floor", &value), COP_ENOT_FOUND);
    ck_assert_int_eq(cop_registry_put_meta(&rooms, "", value), COP_EINVAL);
    expect_no_entries();

    leaves(registry, COP_SHUTDOWN);
    open_registry(&rooms);
    ck_assert_int_eq(cop_registry_meta(&rooms, "house", &value), COP_ENOT_FOUND);
}

START_TEST(metadata_are_the_registrys_own_and_gone_with_it)
{
    partitioned(_i);
    expect_story(describes, "");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *registry_life_suite(void)
{
    const TTest *const told_with_each_number_of_partitions[] = {
        a_process_is_linked_to_the_registry_from_its_first_entry_to_its_last,
        who_survives_the_end_of_the_registry_has_lost_its_entries_and_may_register_with_the_next,
        the_registrys_parent_stays_linked_to_it_after_its_last_entry,
        the_end_of_its_processes_does_not_touch_the_registry,
        a_registry_is_a_child_like_others_and_is_found_again_after_its_restart,
        listeners_hear_of_what_is_registered_and_unregistered_also_by_the_end_of_its_process,
        metadata_are_the_registrys_own_and_gone_with_it,
    };
    Suite *suite = suite_create("registry_life");
    TCase *cases = tcase_create("registry_life");
    for (size_t i = 0; i < sizeof told_with_each_number_of_partitions / sizeof(TTest *); i++)
        tcase_add_loop_test(cases, told_with_each_number_of_partitions[i], 0, PARTITION_COUNTS);
    tcase_add_test(cases, nothing_of_a_registry_outlives_its_node);
    tcase_add_test(cases, a_registry_with_a_wrong_description_is_refused);
    tcase_add_test(cases, a_registry_that_does_not_run_has_no_process_and_an_empty_key_is_refused);
    tcase_add_test(cases,
                   outside_of_a_process_and_of_a_node_nothing_is_found_and_nothing_registered);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(registry_life_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
