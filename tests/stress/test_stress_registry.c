/* test_stress_registry.c - registries on several schedulers: many register, look up and die at
 * once. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "trace.h"

enum { SCHEDULERS = 4, KEYS = 16 };

static cop_registry rooms = { .name = "rooms" };
static cop_registry topics = { .name = "topics", .keys = COP_DUPLICATE };

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, COP_EMPTY);

static const char *some_key(void)
{
    static const char *const keys[KEYS] = { "a", "b", "c", "d", "e", "f", "g", "h",
                                            "i", "j", "k", "l", "m", "n", "o", "p" };
    return keys[cop_random_below(KEYS)];
}

static void must_start(const cop_registry *registry)
{
    cop_started started = cop_registry_start_link(registry);
    ck_assert_int_eq(started.error, COP_OK);
}

/* ---- who comes and goes ---------------------------------------------------------------- */

/* Every entry that is seen is whole: its value is its process's pid. */
static void looks(const cop_registry_entry *entry, void *context)
{
    ck_assert_uint_eq((uint64_t)entry->value.number, entry->pid.bits);
    if (context != NULL) cop_send(entry->pid, note, 0);
}

static cop_registry_value own_value(void)
{
    return (cop_registry_value){ .number = (int64_t)cop_self().bits };
}

static void takes_and_gives(void)
{
    const char *key = some_key();
    cop_pid holder = COP_NO_PID;
    int error = cop_registry_register_value(&rooms, key, own_value(), &holder);
    ck_assert(error == COP_OK || error == COP_EALREADY_STARTED);
    ck_assert(error == COP_OK || !cop_pid_is_none(holder));
    if (error == COP_OK) {
        ck_assert(cop_pid_equal(cop_registry_whereis(&rooms, key, NULL), cop_self()));
        cop_must(cop_registry_update_value(&rooms, key, own_value()));
    }
    cop_must(cop_registry_register_value(&topics, some_key(), own_value(), NULL));
    if (cop_random_below(2) == 0) cop_must(cop_registry_unregister(&rooms, key));
    if (cop_random_below(2) == 0) cop_must(cop_registry_unregister(&topics, some_key()));
}

static void asks(void)
{
    cop_registry_value value;
    cop_pid pid = cop_registry_whereis(&rooms, some_key(), &value);
    ck_assert(cop_pid_is_none(pid) || (uint64_t)value.number == pid.bits);
    cop_registry_dispatch(&topics, some_key(), looks, &value);
    cop_registry_keys(&topics, cop_registry_whereis(&rooms, some_key(), NULL), looks, NULL);
    if (cop_random_below(8) == 0) cop_registry_select(&topics, looks, NULL);
    cop_send(cop_via(&rooms, some_key()), note, 0);
    ck_assert_uint_le(cop_registry_count(&rooms), KEYS);
}

/* Lives for some rounds and ends in one of the ways to end. */
static void lives(void *argument)
{
    (void)argument;
    uint64_t rounds = 1 + cop_random_below(20);
    for (uint64_t i = 0; i < rounds; i++) {
        takes_and_gives();
        asks();
        if (cop_random_below(4) == 0) cop_yield();
    }
    switch (cop_random_below(3)) {
    case 0: cop_exit(cop_reason_atom("done"));
    case 1: cop_exit_process(cop_self(), COP_KILL); break;
    default: break;
    }
}

static void populates(void *argument)
{
    (void)argument;
    enum { PROCESSES = 300, AT_ONCE = 30 };
    must_start(&rooms);
    must_start(&topics);
    cop_ref refs[AT_ONCE];
    for (int i = 0; i < PROCESSES + AT_ONCE; i++) {
        if (i >= AT_ONCE) {
            cop_message_free(cop_take(&(cop_match){ .ref = refs[i % AT_ONCE] }, COP_INFINITY));
        }
        if (i < PROCESSES) cop_spawn_monitor(lives, NULL, 0, &refs[i % AT_ONCE]);
    }
    ck_assert_uint_eq(cop_registry_count(&rooms), 0);
    ck_assert_uint_eq(cop_registry_count(&topics), 0);
    ck_assert_uint_eq(cop_registry_select(&topics, looks, NULL), 0);
}

START_TEST(processes_that_come_and_go_see_whole_entries_and_leave_none)
{
    for (unsigned partitions = 1; partitions <= 8; partitions *= 2) {
        rooms.partitions = topics.partitions = partitions;
        ck_assert_int_eq(run_node_threads(populates, NULL, SCHEDULERS), 0);
    }
}
END_TEST

/* ---- one holder at a time -------------------------------------------------------------- */

static _Atomic int inside;

static void enters(void *argument)
{
    cop_pid judge = *(const cop_pid *)argument;
    for (int i = 0; i < 50; i++) {
        if (cop_registry_register(&rooms, "prize") != COP_OK) {
            cop_yield();
            continue;
        }
        ck_assert_int_eq(inside++, 0);
        cop_yield();
        ck_assert_int_eq(inside--, 1);
        if (i % 5 != 4) cop_must(cop_registry_unregister(&rooms, "prize"));
        else break;                            /* gone with the process */
    }
    cop_send(judge, go, 0);
}

static void judges(void *argument)
{
    (void)argument;
    enum { PROCESSES = 200 };
    must_start(&rooms);
    cop_pid self = cop_self();
    for (int i = 0; i < PROCESSES; i++) cop_spawn(enters, &self, sizeof self);
    for (int i = 0; i < PROCESSES; i++) cop_receive_type(go, COP_INFINITY);
}

START_TEST(a_unique_key_has_one_holder_at_any_time)
{
    rooms.partitions = 0;
    for (int i = 0; i < 2; i++) ck_assert_int_eq(run_node_threads(judges, NULL, SCHEDULERS), 0);
}
END_TEST

/* ---- a registry that ends while it is used --------------------------------------------- */

/* Uses the registry until it is gone; then says so, and waits for the next one. */
static void insists(void *argument)
{
    cop_pid judge = *(const cop_pid *)argument;
    cop_trap_exit(true);
    for (;;) {
        cop_receive_type(go, COP_INFINITY);
        while (cop_registry_register_value(&topics, some_key(), own_value(), NULL) == COP_OK) {
            cop_registry_put_meta(&topics, some_key(), own_value());
            cop_registry_dispatch(&topics, some_key(), looks, NULL);
            if (cop_random_below(3) == 0) cop_registry_unregister(&topics, some_key());
            if (cop_random_below(10) == 0) cop_yield();
        }
        cop_send(judge, note, 0);
    }
}

static void end_in_use(cop_pid registry, const cop_pid *users, int count)
{
    for (int i = 0; i < count; i++) cop_send(users[i], go, 0);
    cop_sleep((int64_t)cop_random_below(3));
    cop_exit_process(registry, COP_KILL);
    cop_match its_exit = { .type = COP_TYPE(cop_exit_message), .from = registry };
    cop_message_free(cop_take(&its_exit, COP_INFINITY));
    for (int i = 0; i < count; i++) cop_receive_type(note, COP_INFINITY);
}

/* All users know that the registry is gone, and none is told of the next one yet: that is empty,
 * for the same number of partitions is the same table. */
static void goes_on_and_off(void *argument)
{
    (void)argument;
    enum { USERS = 10, TIMES = 40 };
    cop_trap_exit(true);
    cop_pid self = cop_self(), users[USERS];
    for (int i = 0; i < USERS; i++) users[i] = cop_spawn(insists, &self, sizeof self);
    for (int i = 0; i < TIMES; i++) {
        topics.partitions = 1 + (unsigned)cop_random_below(3);
        const cop_registry registry = topics;
        cop_started started = cop_registry_start_link(&registry);
        ck_assert_int_eq(started.error, COP_OK);
        ck_assert_uint_eq(cop_registry_count(&topics), 0);
        cop_registry_value value;
        for (char key[] = "a"; key[0] <= 'p'; key[0]++)
            ck_assert_int_eq(cop_registry_meta(&topics, key, &value), COP_ENOT_FOUND);
        end_in_use(started.pid, users, USERS);
    }
}

START_TEST(a_registry_may_end_and_start_again_while_it_is_used)
{
    ck_assert_int_eq(run_node_threads(goes_on_and_off, NULL, SCHEDULERS), 0);
}
END_TEST

/* ---- locks ----------------------------------------------------------------------------- */

static int unguarded;

static void counts(void *argument)
{
    int seen = unguarded;
    cop_yield();
    unguarded = seen + 1;
    if (argument != NULL) cop_exit(cop_reason_atom("inside"));
}

static void locks(void *argument)
{
    cop_pid judge = *(const cop_pid *)argument;
    for (int i = 0; i < 10; i++) cop_must(cop_registry_lock(&rooms, "count", counts, NULL));
    cop_send(judge, go, 0);
    cop_registry_lock(&rooms, "count", counts, &judge);
}

static void guards(void *argument)
{
    (void)argument;
    enum { PROCESSES = 30 };
    unguarded = 0;
    must_start(&rooms);
    cop_ref refs[PROCESSES];
    cop_pid self = cop_self();
    for (int i = 0; i < PROCESSES; i++)
        refs[i] = cop_monitor(cop_spawn(locks, &self, sizeof self));
    for (int i = 0; i < PROCESSES; i++)
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
    ck_assert_int_eq(unguarded, PROCESSES * 11);
}

START_TEST(what_is_done_under_a_keys_lock_is_done_by_one_at_a_time)
{
    ck_assert_int_eq(run_node_threads(guards, NULL, SCHEDULERS), 0);
}
END_TEST

static Suite *registry_stress_suite(void)
{
    Suite *suite = suite_create("registry_stress");
    TCase *cases = tcase_create("registry_stress");
    tcase_add_test(cases, processes_that_come_and_go_see_whole_entries_and_leave_none);
    tcase_add_test(cases, a_unique_key_has_one_holder_at_any_time);
    tcase_add_test(cases, a_registry_may_end_and_start_again_while_it_is_used);
    tcase_add_test(cases, what_is_done_under_a_keys_lock_is_done_by_one_at_a_time);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(registry_stress_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
