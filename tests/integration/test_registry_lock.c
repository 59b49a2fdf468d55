/* test_registry_lock.c - the locks that a registry keeps for its keys. */
#include "residents.h"

COP_MESSAGE(go, COP_EMPTY);

/* Who locks which key, and what becomes of it inside. */
struct visit {
    const char *name;
    const char *key;
    enum { WAITS, RAISES, CRASHES } then;
};

static void inside(void *argument)
{
    const struct visit *visit = argument;
    trace("%s is in %s", visit->name, visit->key);
    cop_receive_type(go, COP_INFINITY);
    if (visit->then == RAISES) cop_raise("clumsy");
    if (visit->then == CRASHES) *(volatile int *)NULL = 1;
    trace("%s leaves %s", visit->name, visit->key);
}

static void visits(void *argument)
{
    struct visit *visit = argument;
    trace("%s: %s", visit->name,
          cop_error_name(cop_registry_lock(&rooms, visit->key, inside, visit)));
}

/* Starts who locks the key; it is inside or waits when this returns. */
static cop_pid lock(const char *name, const char *key)
{
    const struct visit visit = { name, key, WAITS };
    cop_pid pid = cop_spawn(visits, &visit, sizeof visit);
    settle();
    return pid;
}

static void proceed(cop_pid pid)
{
    cop_send(pid, go, 0);
    settle();
}

/* ---- who may in ------------------------------------------------------------------------ */

static void share(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    cop_pid ann = lock("ann", "lobby");
    cop_pid bob = lock("bob", "hall");
    proceed(bob);
    proceed(ann);
}

START_TEST(different_keys_are_locked_at_the_same_time)
{
    partitioned(_i);
    expect_story(share, "ann is in lobby\n"
                        "bob is in hall\n"
                        "bob leaves hall\n"
                        "bob: ok\n"
                        "ann leaves lobby\n"
                        "ann: ok\n");
}
END_TEST

static void queue(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    cop_pid ann = lock("ann", "lobby");
    cop_pid bob = lock("bob", "lobby");
    cop_pid eve = lock("eve", "lobby");
    cop_send(eve, go, 0);
    cop_send(bob, go, 0);
    settle();
    proceed(ann);
}

START_TEST(one_key_is_one_processs_at_a_time_and_those_who_wait_are_served_in_order)
{
    partitioned(_i);
    expect_story(queue, "ann is in lobby\n"
                        "ann leaves lobby\n"
                        "ann: ok\n"
                        "bob is in lobby\n"
                        "bob leaves lobby\n"
                        "bob: ok\n"
                        "eve is in lobby\n"
                        "eve leaves lobby\n"
                        "eve: ok\n");
}
END_TEST

static void nested(void *argument)
{
    const char *key = argument;
    trace("in %s", key);
    static const char *const lobby = "lobby";
    if (key == lobby) return;
    struct visit visit = { "ann", "hall", WAITS };
    trace_error("again", cop_registry_lock(&rooms, "hall", inside, &visit));
    trace_error("another", cop_registry_lock(&rooms, "lobby", nested, (void *)(uintptr_t)lobby));
}

static void nests(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    trace_error("first", cop_registry_lock(&rooms, "hall", nested, "hall"));
    trace_error("then", cop_registry_lock(&rooms, "hall", nested, "hall"));
}

START_TEST(who_has_a_lock_may_take_another_but_not_the_same)
{
    partitioned(_i);
    expect_story(nests, "in hall\n"
                        "again: calling_self\n"
                        "in lobby\n"
                        "another: ok\n"
                        "first: ok\n"
                        "in hall\n"
                        "again: calling_self\n"
                        "in lobby\n"
                        "another: ok\n"
                        "then: ok\n");
}
END_TEST

/* ---- who ends -------------------------------------------------------------------------- */

static void holders_end(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    for (int i = 0; i < 3; i++) {
        struct visit visit = { "ann", "lobby", i == 1 ? RAISES : i == 2 ? CRASHES : WAITS };
        cop_pid ann = cop_spawn(visits, &visit, sizeof visit);
        cop_ref ref = cop_monitor(ann);
        settle();
        cop_pid bob = lock("bob", "lobby");
        if (i == 0) cop_exit_process(ann, COP_KILL);
        else cop_send(ann, go, 0);
        trace_down("ann", ref);
        settle();
        proceed(bob);
    }
}

START_TEST(a_lock_is_released_by_whatever_end_of_its_holder)
{
    partitioned(_i);
    expect_story(holders_end, "ann is in lobby\n"
                              "ann down: killed\n"
                              "bob is in lobby\n"
                              "bob leaves lobby\n"
                              "bob: ok\n"
                              "ann is in lobby\n"
                              "ann down: error:clumsy\n"
                              "bob is in lobby\n"
                              "bob leaves lobby\n"
                              "bob: ok\n"
                              "ann is in lobby\n"
                              "ann down: crash:SIGSEGV\n"
                              "bob is in lobby\n"
                              "bob leaves lobby\n"
                              "bob: ok\n");
}
END_TEST

static void waiters_end(void *argument)
{
    (void)argument;
    open_registry(&rooms);
    cop_pid ann = lock("ann", "lobby");
    cop_pid first = lock("first", "lobby");
    cop_pid bob = lock("bob", "lobby");
    cop_pid last = lock("last", "lobby");
    leaves(first, COP_KILL);
    leaves(last, COP_KILL);
    settle();
    proceed(ann);
    proceed(bob);
    cop_pid eve = lock("eve", "lobby");
    proceed(eve);
}

START_TEST(who_ends_while_waiting_is_passed_by)
{
    partitioned(_i);
    expect_story(waiters_end, "ann is in lobby\n"
                              "ann leaves lobby\n"
                              "ann: ok\n"
                              "bob is in lobby\n"
                              "bob leaves lobby\n"
                              "bob: ok\n"
                              "eve is in lobby\n"
                              "eve leaves lobby\n"
                              "eve: ok\n");
}
END_TEST

static void registry_ends(void *argument)
{
    (void)argument;
    cop_pid registry = open_registry(&rooms);
    cop_pid ann = lock("ann", "lobby");
    lock("bob", "lobby");
    leaves(registry, COP_SHUTDOWN);
    settle();
    proceed(ann);
}

START_TEST(when_the_registry_ends_those_who_wait_are_told_and_who_is_inside_goes_on)
{
    partitioned(_i);
    expect_story(registry_ends, "ann is in lobby\n"
                                "bob: noproc\n"
                                "ann leaves lobby\n"
                                "ann: ok\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *registry_lock_suite(void)
{
    const TTest *const tests[] = {
        different_keys_are_locked_at_the_same_time,
        one_key_is_one_processs_at_a_time_and_those_who_wait_are_served_in_order,
        who_has_a_lock_may_take_another_but_not_the_same,
        a_lock_is_released_by_whatever_end_of_its_holder,
        who_ends_while_waiting_is_passed_by,
        when_the_registry_ends_those_who_wait_are_told_and_who_is_inside_goes_on,
    };
    Suite *suite = suite_create("registry_lock");
    TCase *cases = tcase_create("registry_lock");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_loop_test(cases, tests[i], 0, PARTITION_COUNTS);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(registry_lock_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
