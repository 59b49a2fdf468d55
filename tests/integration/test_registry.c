/* test_registry.c - registries: entries, who has them, and when they go. */
#include <pthread.h>
#include <stdio.h>

#include "residents.h"

/* ---- unique keys ----------------------------------------------------------------------- */

static void takes_lobby(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_registry_register(&rooms, "lobby", .number = 7), COP_OK);
}

static void finds_lobby_taken(void *argument)
{
    const cop_pid *holder = argument;
    cop_pid told = COP_NO_PID;
    int error = cop_registry_register_value(&rooms, "lobby", (cop_registry_value){ 1 }, &told);
    ck_assert_int_eq(error, COP_EALREADY_STARTED);
    expect_pid(told, *holder);
}

static void registers_unique(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    cop_pid ann = resident();
    in(ann, takes_lobby);
    cop_registry_value value;
    expect_pid(cop_registry_whereis(&rooms, "lobby", &value), ann);
    ck_assert_int_eq(value.number, 7);
    finds_lobby_taken(&ann);
    expect_pid(cop_registry_whereis(&rooms, "lobby", &value), ann);
    ck_assert_int_eq(value.number, 7);

    cop_pid self = cop_self();
    ck_assert_int_eq(cop_registry_register(&rooms, "hall"), COP_OK);
    ck_assert_int_eq(cop_registry_register(&rooms, "hall"), COP_EALREADY_STARTED);
    expect_pid(cop_registry_whereis(&rooms, "hall", NULL), self);
    ck_assert_uint_eq(cop_registry_count(&rooms), 2);
    ck_assert_uint_eq(cop_registry_count_key(&rooms, "hall"), 1);
}

START_TEST(a_unique_key_is_one_processs_and_the_second_is_told_whose)
{
    partitioned(_i);
    expect_story(registers_unique, "");
}
END_TEST

static void holder_dies(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    for (int i = 0; i < 20; i++) {
        cop_pid ann = resident();
        in(ann, takes_lobby);
        leaves(ann, cop_reason_atom("boom"));
        ck_assert(cop_pid_is_none(cop_registry_whereis(&rooms, "lobby", NULL)));
    }
    takes_lobby(NULL);
}

START_TEST(a_key_is_free_as_soon_as_its_holders_end_is_known)
{
    partitioned(_i);
    expect_story(holder_dies, "");
}
END_TEST

static void updates(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    open_registry(&topics);
    takes_lobby(NULL);
    const cop_registry_value eight = { .number = 8 };
    ck_assert_int_eq(cop_registry_update_value(&rooms, "lobby", eight), COP_OK);
    cop_registry_value value;
    expect_pid(cop_registry_whereis(&rooms, "lobby", &value), cop_self());
    ck_assert_int_eq(value.number, 8);
    cop_registry_unregister(&rooms, "lobby");
    in(resident(), takes_lobby);
    ck_assert_int_eq(cop_registry_update_value(&rooms, "lobby", eight), COP_ENOT_FOUND);
    ck_assert_int_eq(cop_registry_update_value(&rooms, "cellar", eight), COP_ENOT_FOUND);

    ck_assert_int_eq(cop_registry_register(&topics, "news"), COP_OK);
    ck_assert_int_eq(cop_registry_update_value(&topics, "news", eight), COP_EINVAL);
    cop_registry_dispatch(&topics, "news", trace_entry, NULL);
    cop_registry_dispatch(&rooms, "lobby", trace_entry, NULL);
}

START_TEST(a_value_is_changed_by_the_entrys_own_process_under_a_unique_key_only)
{
    partitioned(_i);
    expect_story(updates, "news: 0\n"
                          "lobby: 7\n");
}
END_TEST

static void tries_again_and_again(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    cop_pid ann = resident();
    in(ann, takes_lobby);
    finds_lobby_taken(&ann);
    size_t used = cop_memory_used();
    for (int i = 0; i < 1000; i++) finds_lobby_taken(&ann);
    ck_assert_uint_eq(cop_memory_used(), used);
    ck_assert_uint_eq(cop_registry_count(&rooms), 1);
    ck_assert_uint_eq(cop_registry_keys(&rooms, cop_self(), trace_entry, NULL), 0);
}

START_TEST(to_be_refused_a_thousand_times_leaves_nothing_behind)
{
    partitioned(_i);
    expect_story(tries_again_and_again, "");
}
END_TEST

/* ---- duplicate keys -------------------------------------------------------------------- */

static void subscribes(void *argument)
{
    (void)argument;
    cop_must(cop_registry_register(&topics, "news", .number = 1));
    cop_must(cop_registry_register(&topics, "sport", .number = 2));
    cop_must(cop_registry_register(&topics, "news", .number = 3));
}

static void registers_duplicates(void *argument)
{
    (void)argument;
    open_registry(&topics);
    cop_pid ann = resident();
    cop_pid bob = resident();
    in(ann, subscribes);
    in(bob, subscribes);
    ck_assert_uint_eq(cop_registry_count(&topics), 6);
    ck_assert_uint_eq(cop_registry_count_key(&topics, "news"), 4);
    ck_assert_uint_eq(cop_registry_count_key(&topics, "sport"), 2);
    ck_assert_uint_eq(cop_registry_count_key(&topics, "weather"), 0);
    trace("of ann");
    ck_assert_uint_eq(cop_registry_keys(&topics, ann, trace_entry, NULL), 3);
    trace("of news");
    ck_assert_uint_eq(cop_registry_dispatch(&topics, "news", trace_entry, NULL), 4);
    ck_assert(cop_pid_is_none(cop_registry_whereis(&topics, "news", NULL)));
}

START_TEST(a_duplicate_key_has_many_entries_of_many_processes_in_order_of_registration)
{
    partitioned(_i);
    expect_story(registers_duplicates, "of ann\n"
                                       "news: 1\n"
                                       "sport: 2\n"
                                       "news: 3\n"
                                       "of news\n"
                                       "news: 1\n"
                                       "news: 3\n"
                                       "news: 1\n"
                                       "news: 3\n");
}
END_TEST

COP_MESSAGE(article, { int number; });

static void publish(const cop_registry_entry *entry, void *context)
{
    cop_send(entry->pid, article, .number = *(int *)context);
}

static void reads(void *argument)
{
    (void)argument;
    trace("article %d", cop_receive_type(article, COP_INFINITY)->number);
}

static void publishes(void *argument)
{
    (void)argument;
    open_registry(&topics);
    cop_pid ann = resident();
    cop_pid bob = resident();
    in(ann, subscribes);
    in(bob, subscribes);
    int number = 42;
    cop_registry_dispatch(&topics, "sport", publish, &number);
    in(ann, reads);
    in(bob, reads);
    ck_assert_uint_eq(cop_registry_dispatch(&topics, "weather", publish, NULL), 0);
}

START_TEST(dispatch_publishes_to_every_subscriber_and_calls_nothing_for_nobody)
{
    partitioned(_i);
    expect_story(publishes, "article 42\n"
                            "article 42\n");
}
END_TEST

static void raises(const cop_registry_entry *entry, void *context)
{
    (void)entry;
    (void)context;
    cop_raise("no news is good news");
}

static void dispatches_badly(void *argument)
{
    (void)argument;
    cop_registry_dispatch(&topics, "news", raises, NULL);
    trace("not reached");
}

static void changes_while_visited(const cop_registry_entry *entry, void *context)
{
    (void)context;
    trace("visits %lld", (long long)entry->value.number);
    cop_registry_unregister(&topics, "news");
    cop_must(cop_registry_register(&topics, "news", .number = 100));
    cop_sleep(1);
}

static void visits(void *argument)
{
    (void)argument;
    open_registry(&topics);
    subscribes(NULL);
    trace_end_of("who dispatches", dispatches_badly, NULL);
    ck_assert_uint_eq(cop_registry_dispatch(&topics, "news", changes_while_visited, NULL), 2);
    cop_registry_dispatch(&topics, "news", trace_entry, NULL);
}

START_TEST(a_visit_holds_no_lock_so_it_may_raise_wait_and_change_what_it_visits)
{
    partitioned(_i);
    expect_story(visits, "who dispatches down: error:no news is good news\n"
                         "visits 1\n"
                         "visits 3\n"
                         "news: 100\n");
}
END_TEST

/* ---- many and odd keys ----------------------------------------------------------------- */

enum { MANY = 2000 };

static void mark(const cop_registry_entry *entry, void *context)
{
    bool *seen = context;
    ck_assert_int_eq(strncmp(entry->key, "key ", 4), 0);
    long number = strtol(entry->key + 4, NULL, 10);
    ck_assert_int_eq(entry->value.number, number);
    ck_assert(!seen[number]);
    seen[number] = true;
}

static void registers_many(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %d", i);
        cop_must(cop_registry_register(&rooms, key, .number = i));
    }
    static bool selected[MANY], owned[MANY];
    memset(selected, 0, sizeof selected);
    memset(owned, 0, sizeof owned);
    ck_assert_uint_eq(cop_registry_select(&rooms, mark, selected), MANY);
    ck_assert_uint_eq(cop_registry_keys(&rooms, cop_self(), mark, owned), MANY);
    ck_assert_uint_eq(cop_registry_count(&rooms), MANY);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %d", i);
        expect_pid(cop_registry_whereis(&rooms, key, NULL), cop_self());
        cop_must(cop_registry_unregister(&rooms, key));
        ck_assert(cop_pid_is_none(cop_registry_whereis(&rooms, key, NULL)));
    }
    expect_no_entries();
}

START_TEST(a_selection_and_a_processs_keys_show_each_of_many_entries_once)
{
    partitioned(_i);
    expect_story(registers_many, "");
}
END_TEST

static void registers_alike(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    char longest[5000];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    const char *const keys[] = { "1", "1.0", "01", "_", "a", "a b", "A", "\xff", longest };
    enum { KEYS = sizeof keys / sizeof *keys };
    for (int i = 0; i < KEYS; i++) cop_must(cop_registry_register(&rooms, keys[i], .number = i));
    for (int i = 0; i < KEYS; i++) {
        cop_registry_value value = { .number = -1 };
        ck_assert(!cop_pid_is_none(cop_registry_whereis(&rooms, keys[i], &value)));
        ck_assert_int_eq(value.number, i);
    }
    ck_assert_uint_eq(cop_registry_keys(&rooms, cop_self(), trace_entry, &longest), KEYS);
    ck_assert_ptr_nonnull(strstr(trace_text(), "xxx"));
    trace_reset();
    longest[sizeof longest - 2] = '\0';
    ck_assert(cop_pid_is_none(cop_registry_whereis(&rooms, longest, NULL)));
}

START_TEST(a_key_may_be_any_text_and_is_compared_to_the_last_byte)
{
    partitioned(_i);
    expect_story(registers_alike, "");
}
END_TEST

/* ---- unregistering --------------------------------------------------------------------- */

static void leaves_news(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_registry_unregister(&topics, "news"), COP_OK);
    ck_assert_int_eq(cop_registry_unregister(&topics, "news"), COP_OK);
}

static void leaves_second(void *argument)
{
    (void)argument;
    const cop_registry_value three = { .number = 3 }, four = { .number = 4 };
    ck_assert_int_eq(cop_registry_unregister_value(&topics, "news", four), COP_OK);
    ck_assert_int_eq(cop_registry_unregister_value(&topics, "news", three), COP_OK);
}

static void unregisters(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    open_registry(&topics);
    cop_pid ann = resident();
    cop_pid bob = resident();
    in(ann, subscribes);
    in(bob, subscribes);
    in(ann, leaves_news);
    trace("of ann");
    cop_registry_keys(&topics, ann, trace_entry, NULL);
    in(bob, leaves_second);
    trace("of bob");
    cop_registry_keys(&topics, bob, trace_entry, NULL);
    ck_assert_uint_eq(cop_registry_count(&topics), 3);

    in(ann, takes_lobby);
    ck_assert_int_eq(cop_registry_unregister(&rooms, "lobby"), COP_OK);
    ck_assert_int_eq(cop_registry_unregister(&rooms, "cellar"), COP_OK);
    expect_pid(cop_registry_whereis(&rooms, "lobby", NULL), ann);
}

START_TEST(a_process_takes_all_its_own_entries_for_a_key_away_or_those_with_a_value_and_no_others)
{
    partitioned(_i);
    expect_story(unregisters, "of ann\n"
                              "sport: 2\n"
                              "of bob\n"
                              "news: 1\n"
                              "sport: 2\n");
}
END_TEST

/* ---- the ends of processes ------------------------------------------------------------- */

static void crashes(void *argument)
{
    (void)argument;
    volatile int *nowhere = NULL;
    *nowhere = 1;
}

static void processes_end(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    open_registry(&topics);
    static const char *const reasons[] = { "boom", "shutdown", "kill" };
    for (int i = 0; i < 4; i++) {
        cop_pid ann = resident();
        in(ann, takes_lobby);
        in(ann, subscribes);
        cop_ref ref = cop_monitor(ann);
        if (i < 3) cop_exit_process(ann, cop_reason_atom(reasons[i]));
        else cop_send(ann, act, .function = crashes);
        trace_down("ann", ref);
        expect_no_entries();
        ck_assert_uint_eq(cop_registry_keys(&topics, ann, trace_entry, NULL), 0);
    }
}

START_TEST(whatever_way_a_process_ends_its_entries_are_gone_before_its_monitors_hear)
{
    partitioned(_i);
    expect_story(processes_end, "ann down: boom\n"
                                "ann down: shutdown\n"
                                "ann down: killed\n"
                                "ann down: crash:SIGSEGV\n");
}
END_TEST

/* Metadata: what registers meets the end of the stack in the runtime's own functions first.  Each
 * key is a new one, for which memory is allocated under the lock. */
static void overflows(void *argument)
{
    static void (*volatile again)(void *) = overflows;
    static unsigned calls;
    volatile char room[64];
    room[0] = argument != NULL;
    const char key[] = { (char)('a' + calls % 16), (char)('a' + calls / 16 % 16),
                         (char)('a' + calls / 256 % 16), (char)('a' + calls / 4096), '\0' };
    calls++;
    cop_registry_put_meta(&rooms, key, (cop_registry_value){ 0 });
    again((void *)&room[0]);
    room[1] = 0;
}

static void overflows_after(void *argument)
{
    volatile char room[*(const size_t *)argument];
    room[0] = 0;
    overflows((void *)&room[0]);
}

/* To the thread that holds it a lock that is left behind is no obstacle. */
static void *describes_from_another_thread(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_registry_put_meta(&rooms, "floor", (cop_registry_value){ 0 }), COP_OK);
    return NULL;
}

static void describes_until_the_stack_ends(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    for (size_t offset = 16; offset <= 256; offset += 16) {
        trace_reset();
        trace_end_of("recursion", overflows_after, &offset);
    }
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, describes_from_another_thread, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(a_stack_that_overflows_in_a_call_to_the_registry_does_so_before_any_lock_is_held)
{
    partitioned(_i);
    expect_story(describes_until_the_stack_ends, "recursion down: crash:stack_overflow\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *registry_suite(void)
{
    const TTest *const tests[] = {
        a_unique_key_is_one_processs_and_the_second_is_told_whose,
        a_key_is_free_as_soon_as_its_holders_end_is_known,
        a_value_is_changed_by_the_entrys_own_process_under_a_unique_key_only,
        to_be_refused_a_thousand_times_leaves_nothing_behind,
        a_duplicate_key_has_many_entries_of_many_processes_in_order_of_registration,
        dispatch_publishes_to_every_subscriber_and_calls_nothing_for_nobody,
        a_visit_holds_no_lock_so_it_may_raise_wait_and_change_what_it_visits,
        a_selection_and_a_processs_keys_show_each_of_many_entries_once,
        a_key_may_be_any_text_and_is_compared_to_the_last_byte,
        a_process_takes_all_its_own_entries_for_a_key_away_or_those_with_a_value_and_no_others,
        whatever_way_a_process_ends_its_entries_are_gone_before_its_monitors_hear,
        a_stack_that_overflows_in_a_call_to_the_registry_does_so_before_any_lock_is_held,
    };
    Suite *suite = suite_create("registry");
    TCase *cases = tcase_create("registry");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_loop_test(cases, tests[i], 0, PARTITION_COUNTS);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(registry_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
