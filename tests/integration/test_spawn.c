/* test_spawn.c - starting processes: the argument, options, limits, from where. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "expect_story.h"
#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static void returns(void *argument)
{
    (void)argument;
}

static void waits(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
}

/* ---- the argument -------------------------------------------------------------------- */

struct order {
    int number;
    char text[3000];
};

static void reads_copy(void *argument)
{
    const struct order *order = argument;
    trace("copy: %d %s, %s", order->number, order->text,
          (uintptr_t)order % _Alignof(max_align_t) == 0 ? "aligned" : "not aligned");
}

static void reads_pointer(void *argument)
{
    struct order *order = argument;
    trace("shared: %d", order->number);
    order->number = 3;
}

static void passes_arguments(void *argument)
{
    (void)argument;
    struct order order = { 1, "tea" };
    cop_spawn(reads_copy, &order, sizeof order);
    order.number = 2;
    memcpy(order.text, "mud", 4);
    cop_spawn(reads_pointer, &order, 0);
    settle();
    trace("afterwards: %d", order.number);
}

START_TEST(an_argument_with_a_size_is_copied_and_one_without_is_passed)
{
    expect_story(passes_arguments, "copy: 1 tea, aligned\n"
                                   "shared: 2\n"
                                   "afterwards: 3\n");
}
END_TEST

static void spawns_with_wild_argument(void *argument)
{
    cop_spawn(returns, argument, 100);
    trace("spawned from nowhere");
}

static void spawns_with_a_hole_in_the_argument(void *argument)
{
    (void)argument;
    char *pages = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_int_eq(mprotect(pages + 4096, 4096, PROT_NONE), 0);
    spawns_with_wild_argument(pages + 3996);
    cop_spawn(returns, pages, 3 * 4096);
    trace("spawned over a hole");
}

static void spawns_with_wild_reference(void *argument)
{
    cop_spawn_monitor(returns, NULL, 0, argument);
    trace("spawned for nowhere");
}

static void watches_wild_spawners(void *argument)
{
    (void)argument;
    trace_end_of("wild argument", spawns_with_wild_argument, (void *)16);
    trace_end_of("hole", spawns_with_a_hole_in_the_argument, NULL);
    trace_end_of("wild reference", spawns_with_wild_reference, (void *)16);
}

START_TEST(what_cannot_be_read_or_written_is_the_spawners_crash)
{
    expect_story(watches_wild_spawners, "wild argument down: crash:SIGSEGV\n"
                                        "spawned from nowhere\n"
                                        "hole down: crash:SIGSEGV\n"
                                        "wild reference down: crash:SIGSEGV\n");
}
END_TEST

/* ---- parents, labels, options -------------------------------------------------------- */

static void tells_its_parent(void *argument)
{
    cop_pid *expected = argument;
    trace("parent is the spawner: %s", cop_pid_equal(cop_parent(), *expected) ? "yes" : "no");
    trace("no alias: %s", cop_ref_equal(cop_parent_alias(), COP_NO_REF) ? "yes" : "no");
}

static void has_children(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    trace("the first has none: %s", cop_pid_is_none(cop_parent()) ? "yes" : "no");
    cop_spawn(tells_its_parent, &self, sizeof self);
    cop_spawn_opt(tells_its_parent, &self, sizeof self, &(cop_spawn_options){ .monitor = true });
    settle();
}

START_TEST(a_process_knows_who_spawned_it)
{
    expect_story(has_children, "the first has none: yes\n"
                               "parent is the spawner: yes\nno alias: yes\n"
                               "parent is the spawner: yes\nno alias: yes\n");
}
END_TEST

static void answers_its_parent(void *argument)
{
    (void)argument;
    cop_ref alias = cop_parent_alias();
    ck_assert(cop_pid_equal(alias.owner, cop_parent()));
    cop_send(alias, note, .n = 1);
    cop_sleep(10);
    cop_send(alias, note, .n = 2);    /* by now the monitor is off, and the alias with it */
}

static void asks_its_child(void *argument)
{
    (void)argument;
    cop_ref ref;
    const cop_spawn_options watched = {
        .monitor = true, .alias_mode = COP_ALIAS_DEMONITOR, .ret_ref = &ref };
    cop_spawn_opt(answers_its_parent, NULL, 0, &watched);
    trace("answer %d", cop_receive_type(note, COP_INFINITY)->n);
    ck_assert(cop_demonitor(ref));
    cop_sleep(20);
    trace("messages left: %zu", cop_mailbox_length());
}

START_TEST(a_child_answers_through_the_alias_of_the_monitor_it_was_spawned_with)
{
    expect_story(asks_its_child, "answer 1\n"
                                 "messages left: 0\n");
}
END_TEST

static void replies_second(void *argument)
{
    (void)argument;
    tell_spawner(cop_new(note, .n = 1), COP_INFO);
    cop_sleep(10);
    tell_spawner(cop_new(note, .n = 2), COP_REPLY);
    tell_spawner(cop_new(note, .n = 3), COP_REPLY);
}

static void waits_for_a_reply(void *argument)
{
    (void)argument;
    cop_ref ref;
    const cop_spawn_options watched = {
        .monitor = true, .alias_mode = COP_ALIAS_ACK, .ret_ref = &ref };
    cop_spawn_opt(replies_second, NULL, 0, &watched);
    for (int i = 0; i < 2; i++) {
        const cop_message *answer = cop_receive_match(&(cop_match){ .ref = ref }, COP_INFINITY);
        int n = cop_expect(answer, note)->n;
        trace("message %d, monitor on: %d", n, cop_is_monitoring(ref));
    }
    cop_sleep(20);
    trace("messages left: %zu", cop_mailbox_length());
}

START_TEST(an_alias_for_an_acknowledgement_ends_with_a_reply_and_so_does_its_monitor)
{
    expect_story(waits_for_a_reply, "message 1, monitor on: 1\n"
                                    "message 2, monitor on: 0\n"
                                    "messages left: 0\n");
}
END_TEST

static void shows_its_options(void *argument)
{
    (void)argument;
    trace("label %s, trapped before: %d", cop_label(), cop_trap_exit(true));
    cop_set_label("renamed");
    cop_raise("oops");
}

static void spawns_with_options(void *argument)
{
    (void)argument;
    ck_assert_str_eq(cop_label(), "main");
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(shows_its_options, NULL, 0,
                                &(cop_spawn_options){ .monitor = true, .ret_ref = &ref,
                                                      .trap_exit = true, .label = "worker" });
    ck_assert(cop_pid_equal(ref.owner, cop_self()));
    ck_assert(cop_is_alive(pid));
    trace_down("it", ref);
}

START_TEST(options_hold_from_the_first_step_on)
{
    node_trace_log(true);
    expect_story(spawns_with_options, "label worker, trapped before: 1\n"
                                      "0.000 crash renamed <1.1>: error:oops\n"
                                      "it down: error:oops\n");
}
END_TEST

/* Touches that many bytes of stack. */
static __attribute__((noinline)) int dig(size_t bytes)
{
    volatile char hole[1024];
    volatile size_t at = 0;              /* an index that is known lets clang shrink the array */
    hole[at] = (char)bytes;
    return (bytes <= sizeof hole ? 0 : dig(bytes - sizeof hole)) + hole[at];
}

static void digs(void *argument)
{
    dig((size_t)(uintptr_t)argument);
}

static void digs_on(const char *what, size_t stack_bytes, size_t bytes)
{
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(digs, (void *)(uintptr_t)bytes, 0,
                                &(cop_spawn_options){ .monitor = true, .ret_ref = &ref,
                                                      .stack_bytes = stack_bytes });
    ck_assert(!cop_pid_is_none(pid));
    trace_down(what, ref);
}

static void digs_on_stacks(void *argument)
{
    (void)argument;
    digs_on("32 KiB of the default", 0, 16 * 1024);
    digs_on("256 KiB of the default", 0, 256 * 1024);
    digs_on("256 KiB of 1 MiB", 1000 * 1000, 256 * 1024);
    digs_on("1 MiB of 1 MiB", 1024 * 1024, 1024 * 1024);
    digs_on("20 MiB of 64 MiB", 64 * 1024 * 1024, 20 * 1024 * 1024);
    ck_assert(cop_pid_is_none(cop_spawn_opt(digs, NULL, 0,
                                            &(cop_spawn_options){ .stack_bytes = 65 << 20 })));
    ck_assert(cop_pid_is_none(cop_spawn_opt(digs, NULL, 0,
                                            &(cop_spawn_options){ .stack_bytes = SIZE_MAX })));
}

START_TEST(a_process_has_the_stack_that_it_was_given)
{
    expect_story(digs_on_stacks, "32 KiB of the default down: normal\n"
                                 "256 KiB of the default down: crash:stack_overflow\n"
                                 "256 KiB of 1 MiB down: normal\n"
                                 "1 MiB of 1 MiB down: crash:stack_overflow\n"
                                 "20 MiB of 64 MiB down: normal\n");
}
END_TEST

/* ---- what can't be spawned ----------------------------------------------------------- */

static void spawns_nonsense(void *argument)
{
    (void)argument;
    ck_assert(cop_pid_is_none(cop_spawn(NULL, NULL, 0)));
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(without_a_function_or_a_node_nothing_is_spawned)
{
    ck_assert(cop_pid_is_none(cop_spawn(returns, NULL, 0)));
    ck_assert_int_eq(run_node(spawns_nonsense, NULL), 0);
    ck_assert(cop_pid_is_none(cop_spawn(returns, NULL, 0)));
    ck_assert(cop_pid_is_none(cop_self()));
}
END_TEST

enum { LIMIT = 10 };

static void spawns_to_the_limit(void *argument)
{
    (void)argument;
    cop_pid children[LIMIT - 1];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LIMIT - 1; i++) {
            children[i] = cop_spawn(waits, NULL, 0);
            ck_assert(!cop_pid_is_none(children[i]));
        }
        ck_assert_uint_eq(cop_process_count(), LIMIT);
        ck_assert(cop_pid_is_none(cop_spawn(waits, NULL, 0)));
        ck_assert(cop_pid_is_none(cop_spawn_link(waits, NULL, 0)));
        cop_ref ref = COP_NO_REF;
        ck_assert(cop_pid_is_none(cop_spawn_monitor(waits, NULL, 0, &ref)));
        ck_assert(cop_ref_equal(ref, COP_NO_REF));
        for (int i = 0; i < LIMIT - 1; i++) cop_send(children[i], go);
        settle();
        ck_assert_uint_eq(cop_process_count(), 1);
    }
}

START_TEST(at_the_limit_of_processes_a_spawn_fails_until_one_has_ended)
{
    cop_run_options options = { .deterministic = true, .max_processes = LIMIT };
    ck_assert_int_eq(cop_run(spawns_to_the_limit, NULL, &options), 0);
}
END_TEST

#ifdef __SANITIZE_THREAD__
enum { CROWD = 5000 };       /* the sanitizer has room for 8,128 stacks */
#else
enum { CROWD = 20000 };
#endif

static void spawns_a_crowd(void *argument)
{
    cop_pid *pids = argument;
    for (int i = 0; i < CROWD; i++) {
        pids[i] = cop_spawn(waits, NULL, 0);
        ck_assert(!cop_pid_is_none(pids[i]));
    }
    settle();
    ck_assert_uint_eq(cop_process_count(), CROWD + 1);
    for (int i = 0; i < CROWD; i++) cop_send(pids[i], go);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(thousands_of_processes_wait_each_on_a_stack_of_its_own)
{
    static cop_pid pids[CROWD];
    ck_assert_int_eq(run_node(spawns_a_crowd, pids), 0);
}
END_TEST

/* ---- from outside -------------------------------------------------------------------- */

static void has_no_parent(void *argument)
{
    const cop_pid *first = argument;
    ck_assert(cop_pid_is_none(cop_parent()));
    cop_send(*first, go);
}

static void *spawns_from_a_thread(void *argument)
{
    ck_assert(cop_pid_is_none(cop_self()));
    ck_assert(cop_pid_is_none(cop_spawn_link(returns, NULL, 0)));     /* to whom? */
    ck_assert(!cop_pid_is_none(cop_spawn(has_no_parent, argument, sizeof(cop_pid))));
    return NULL;
}

static void waits_for_a_thread(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, spawns_from_a_thread, &self), 0);
    ck_assert(cop_receive_type(go, COP_INFINITY) != NULL);
    pthread_join(thread, NULL);
}

START_TEST(a_thread_of_the_programs_own_may_spawn_but_not_link)
{
    ck_assert_int_eq(run_node_threads(waits_for_a_thread, NULL, 2), 0);
}
END_TEST

static Suite *spawn_suite(void)
{
    Suite *suite = suite_create("spawn");
    TCase *tests = tcase_create("spawn");
    tcase_add_test(tests, an_argument_with_a_size_is_copied_and_one_without_is_passed);
    tcase_add_test(tests, what_cannot_be_read_or_written_is_the_spawners_crash);
    tcase_add_test(tests, a_process_knows_who_spawned_it);
    tcase_add_test(tests, a_child_answers_through_the_alias_of_the_monitor_it_was_spawned_with);
    tcase_add_test(tests,
                   an_alias_for_an_acknowledgement_ends_with_a_reply_and_so_does_its_monitor);
    tcase_add_test(tests, options_hold_from_the_first_step_on);
    tcase_add_test(tests, a_process_has_the_stack_that_it_was_given);
    tcase_add_test(tests, without_a_function_or_a_node_nothing_is_spawned);
    tcase_add_test(tests, at_the_limit_of_processes_a_spawn_fails_until_one_has_ended);
    tcase_add_test(tests, thousands_of_processes_wait_each_on_a_stack_of_its_own);
    tcase_add_test(tests, a_thread_of_the_programs_own_may_spawn_but_not_link);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(spawn_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
