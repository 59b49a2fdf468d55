/* test_name.c - registered names: one process a name, one name a process, free again before anybody
 * hears of the end. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect_story.h"
#include "node.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static void is_named(void *argument)
{
    ck_assert_int_eq(cop_register(argument), COP_OK);
    cop_receive_type(go, COP_INFINITY);
}

static void trace_name_of(const char *what, cop_pid pid)
{
    char name[COP_NAME_MAX + 1] = "untouched";
    bool has = cop_name_of(pid, name, sizeof name);
    trace("%s %s \"%s\"", what, has ? "is" : "has no name", name);
}

/* ---- registering --------------------------------------------------------------------- */

static void registers(void *argument)
{
    (void)argument;
    char text[] = "baker";
    trace_name_of("before", cop_self());
    ck_assert_int_eq(cop_register(text), COP_OK);
    memset(text, 'x', 5);                                  /* it was copied */
    trace_name_of("self", cop_self());
    ck_assert(cop_pid_equal(cop_whereis("baker"), cop_self()));
    ck_assert(cop_pid_equal(cop_resolve(cop_to("baker")), cop_self()));
    ck_assert(cop_pid_is_none(cop_whereis("bake")));
    ck_assert(cop_pid_is_none(cop_whereis("bakery")));
    trace("the same again: %s", cop_error_name(cop_register("baker")));
    trace("a second name: %s", cop_error_name(cop_register("butcher")));
    ck_assert(cop_pid_is_none(cop_whereis("butcher")));
    cop_pid other = cop_spawn(is_named, "butcher", 0);
    settle();
    trace_name_of("other", other);
    trace("unregister: %s", cop_error_name(cop_unregister("baker")));
    trace("again: %s", cop_error_name(cop_unregister("baker")));
    trace_name_of("self", cop_self());
    trace("taken: %s", cop_error_name(cop_register("butcher")));
    trace("another's: %s", cop_error_name(cop_unregister("butcher")));
    trace("free: %s", cop_error_name(cop_register("butcher")));
    trace_name_of("nobody", COP_NO_PID);
    cop_send(other, go);
    settle();
    trace_name_of("the dead", other);
    ck_assert(cop_pid_equal(cop_whereis("butcher"), cop_self()));   /* not released by its end */
}

START_TEST(one_process_has_a_name_and_a_process_has_one_name)
{
    expect_story(registers, "before has no name \"\"\n"
                            "self is \"baker\"\n"
                            "the same again: name_taken\n"
                            "a second name: name_taken\n"
                            "other is \"butcher\"\n"
                            "unregister: ok\n"
                            "again: badarg\n"
                            "self has no name \"\"\n"
                            "taken: name_taken\n"
                            "another's: ok\n"
                            "free: ok\n"
                            "nobody has no name \"\"\n"
                            "the dead has no name \"\"\n");
}
END_TEST

static void registers_odd_names(void *argument)
{
    (void)argument;
    char text[COP_NAME_MAX + 2], name[COP_NAME_MAX + 1], tiny[4];
    memset(text, 'n', sizeof text);
    text[COP_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(cop_register(NULL), COP_EINVAL);
    ck_assert_int_eq(cop_register(""), COP_EINVAL);
    ck_assert_int_eq(cop_register(text), COP_EINVAL);
    ck_assert_int_eq(cop_unregister(NULL), COP_EINVAL);
    ck_assert_int_eq(cop_unregister(""), COP_EINVAL);
    ck_assert(cop_pid_is_none(cop_whereis(NULL)));
    ck_assert(cop_pid_is_none(cop_whereis("")));
    text[COP_NAME_MAX] = '\0';
    ck_assert_int_eq(cop_register(text), COP_OK);
    ck_assert(cop_pid_equal(cop_whereis(text), cop_self()));
    ck_assert(cop_name_of(cop_self(), name, sizeof name));
    ck_assert_str_eq(name, text);
    ck_assert(cop_name_of(cop_self(), tiny, sizeof tiny));
    ck_assert_str_eq(tiny, "nnn");
    ck_assert(cop_name_of(cop_self(), NULL, 0));
    ck_assert_int_eq(cop_unregister(text), COP_OK);
    ck_assert_int_eq(cop_register("na\xc3\xafve name, with spaces"), COP_OK);
    ck_assert(cop_pid_equal(cop_whereis("na\xc3\xafve name, with spaces"), cop_self()));
}

START_TEST(a_name_has_one_to_255_bytes)
{
    expect_story(registers_odd_names, "");
}
END_TEST

enum { NAMES = 2000 };

static void has_a_number(void *argument)
{
    char name[32];
    snprintf(name, sizeof name, "number_%d", *(int *)argument);
    is_named(name);
}

static void registers_many(void *argument)
{
    (void)argument;
    cop_pid *pids = cop_alloc(NAMES * sizeof *pids);
    char name[32];
    for (int i = 0; i < NAMES; i++) pids[i] = cop_spawn(has_a_number, &i, sizeof i);
    settle();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < NAMES; i++) {
            snprintf(name, sizeof name, "number_%d", i);
            cop_pid pid = round == 1 && i % 2 == 0 ? COP_NO_PID : pids[i];
            ck_assert(cop_pid_equal(cop_whereis(name), pid));
        }
        for (int i = 0; i < NAMES; i += 2) cop_send(pids[i], go);
        settle();
    }
}

START_TEST(thousands_of_names_are_told_apart)
{
    expect_story(registers_many, "");
}
END_TEST

/* ---- sending by name ----------------------------------------------------------------- */

static void echoes(void *argument)
{
    is_named(argument);
    const cop_message *message;
    while ((message = cop_receive(0)) != NULL) trace("got %d", cop_expect(message, note)->n);
}

static void sends_by_name(void *argument)
{
    (void)argument;
    cop_pid pid = cop_spawn(echoes, "echo", 0);
    settle();
    char name[] = "echo";
    ck_assert_int_eq(cop_send(name, note, .n = 1), COP_OK);
    ck_assert_int_eq(cop_send(pid, note, .n = 2), COP_OK);       /* in order with the other */
    ck_assert_int_eq(cop_send("echo", note, .n = 3), COP_OK);
    ck_assert_int_eq(cop_send(cop_to_name("echo"), note, .n = 4), COP_OK);
    cop_send("echo", go);
    settle();
    trace("now %s", cop_error_name(cop_send("echo", note, .n = 5)));
}

START_TEST(a_message_to_a_name_is_in_order_with_those_to_the_pid)
{
    expect_story(sends_by_name, "got 1\n"
                                "got 2\n"
                                "got 3\n"
                                "got 4\n"
                                "now noproc\n");
}
END_TEST

/* ---- released before signal ---------------------------------------------------------- */

static void ends_in_some_way(void *argument)
{
    const char *way = argument;
    ck_assert_int_eq(cop_register("service"), COP_OK);
    cop_receive_type(go, COP_INFINITY);
    if (strcmp(way, "exits") == 0)
        cop_exit(cop_reason_atom("boom"));
    if (strcmp(way, "crashes") == 0)
        crash_null_write();
}

/* In a handler, at the very moment it hears. */
static void hears_and_takes_over(void *state, cop_message *message)
{
    (void)state;
    bool is_free = cop_pid_is_none(cop_whereis("service"));
    int error = cop_register("service");
    trace("    %s: the name is %s, register: %s", message->type->name, is_free ? "free" : "taken",
          cop_error_name(error));
    cop_exit(COP_NORMAL);
}

static void waits_for_exit(void *argument)
{
    const cop_pid *service = argument;
    cop_trap_exit(true);
    ck_assert_int_eq(cop_link(*service), COP_OK);
    cop_become(hears_and_takes_over, NULL);
}

static void waits_for_down(void *argument)
{
    const cop_pid *service = argument;
    cop_monitor(*service);
    cop_become(hears_and_takes_over, NULL);
}

static void ends_services(void *argument)
{
    (void)argument;
    static const char *const ways_to_end[] = { "returns", "exits", "crashes", "is killed" };
    for (int i = 0; i < 8; i++) {
        const char *way = ways_to_end[i / 2];
        trace("%s", way);
        cop_pid service = cop_spawn(ends_in_some_way, way, 0);
        cop_spawn(i % 2 == 0 ? waits_for_exit : waits_for_down, &service, sizeof service);
        settle();
        if (strcmp(way, "is killed") == 0)
            cop_exit_process(service, COP_KILL);
        cop_send(service, go);
        settle();
        ck_assert(cop_pid_is_none(cop_whereis("service")));
        ck_assert_uint_eq(cop_process_count(), 1);
    }
}

START_TEST(who_hears_of_the_end_can_have_the_name_at_once)
{
    expect_story(ends_services,
                 "returns\n    cop_exit_message: the name is free, register: ok\n"
                 "returns\n    cop_down_message: the name is free, register: ok\n"
                 "exits\n    cop_exit_message: the name is free, register: ok\n"
                 "exits\n    cop_down_message: the name is free, register: ok\n"
                 "crashes\n    cop_exit_message: the name is free, register: ok\n"
                 "crashes\n    cop_down_message: the name is free, register: ok\n"
                 "is killed\n    cop_exit_message: the name is free, register: ok\n"
                 "is killed\n    cop_down_message: the name is free, register: ok\n");
}
END_TEST

/* On real threads: whoever gets the down message always finds the name free. */
enum { HANDOVERS = 3000 };

static void holds_the_name_once(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_register("service"), COP_OK);
}

static void hands_over(void *argument)
{
    (void)argument;
    for (int i = 0; i < HANDOVERS; i++) {
        cop_ref ref;
        cop_spawn_monitor(holds_the_name_once, NULL, 0, &ref);
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
        expect_that(cop_pid_is_none(cop_whereis("service")));
    }
}

START_TEST(on_several_schedulers_too_the_name_is_free_when_one_hears)
{
    ck_assert_int_eq(run_node_threads(hands_over, NULL, 4), 0);
}
END_TEST

/* Many want one name: never two have it. */
enum { RIVALS = 12, ROUNDS = 300 };

static void is_rival(void *argument)
{
    _Atomic int *holders = argument;
    for (int i = 0; i < ROUNDS; i++) {
        if (cop_register("throne") == COP_OK) {
            expect_that(++*holders == 1);
            expect_that(cop_pid_equal(cop_whereis("throne"), cop_self()));
            cop_yield();
            --*holders;
            expect_that(cop_unregister("throne") == COP_OK);
        }
        cop_yield();
    }
}

static void holds_a_contest(void *argument)
{
    (void)argument;
    _Atomic int holders = 0;
    cop_ref refs[RIVALS];
    trace_reset();
    for (int i = 0; i < RIVALS; i++) cop_spawn_monitor(is_rival, &holders, 0, &refs[i]);
    for (int i = 0; i < RIVALS; i++) trace_down("rival", refs[i]);
}

START_TEST(of_rivals_one_has_the_name)
{
    ck_assert_int_eq(run_node_threads(holds_a_contest, NULL, 4), 0);
    for (const char *line = trace_text(); *line != '\0'; line = strchr(line, '\n') + 1)
        ck_assert(strncmp(line, "rival down: normal\n", 19) == 0);
}
END_TEST

static Suite *name_suite(void)
{
    Suite *suite = suite_create("name");
    TCase *tests = tcase_create("name");
    tcase_add_test(tests, one_process_has_a_name_and_a_process_has_one_name);
    tcase_add_test(tests, a_name_has_one_to_255_bytes);
    tcase_add_test(tests, thousands_of_names_are_told_apart);
    tcase_add_test(tests, a_message_to_a_name_is_in_order_with_those_to_the_pid);
    tcase_add_test(tests, who_hears_of_the_end_can_have_the_name_at_once);
    tcase_add_test(tests, on_several_schedulers_too_the_name_is_free_when_one_hears);
    tcase_add_test(tests, of_rivals_one_has_the_name);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(name_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
