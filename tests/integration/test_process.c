/* test_process.c - the life of a process: spawn and its options, exit, pids, yield, sleep. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });

static void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
}

static void returns(void *argument)
{
    (void)argument;
}

static void waits(void *argument)
{
    (void)argument;
    cop_receive_type(go, COP_INFINITY);
}

/* ---- how a process ends ---------------------------------------------------------------- */

static void exits_with_atom(void *argument)
{
    cop_exit(cop_reason_atom(argument));
    trace("goes on after its exit");
}

static void exits_with_tuple(void *argument)
{
    (void)argument;
    cop_exit(cop_reason_tuple("shutdown", cop_reason_tuple("failed", cop_reason_atom("disk"))));
}

static void raises(void *argument)
{
    (void)argument;
    cop_raise("bad input: %d", 42);
}

static void ends_of_all_kinds(void *argument)
{
    (void)argument;
    trace_end_of("returns", returns, NULL);
    trace_end_of("exits", exits_with_atom, "boom");
    trace_end_of("exits normal", exits_with_atom, "normal");
    trace_end_of("exits kill", exits_with_atom, "kill");
    trace_end_of("exits with a tuple", exits_with_tuple, NULL);
    trace_end_of("raises", raises, NULL);
    expect_empty_mailbox();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_process_ends_normally_when_it_returns_else_with_the_reason_it_gives)
{
    expect_story(ends_of_all_kinds, "returns down: normal\n"
                                    "exits down: boom\n"
                                    "exits normal down: normal\n"
                                    "exits kill down: kill\n"
                                    "exits with a tuple down: shutdown:failed:disk\n"
                                    "raises down: error:bad input: 42\n");
}
END_TEST

START_TEST(only_an_end_of_its_own_that_is_abnormal_is_reported)
{
    node_trace_log(true);
    expect_story(ends_of_all_kinds, "returns down: normal\n"
                                    "0.000 crash <1.2>: boom\n"
                                    "exits down: boom\n"
                                    "exits normal down: normal\n"
                                    "0.000 crash <1.4>: kill\n"
                                    "exits kill down: kill\n"
                                    "exits with a tuple down: shutdown:failed:disk\n"
                                    "0.000 crash <1.6>: error:bad input: 42\n"
                                    "raises down: error:bad input: 42\n");
}
END_TEST

static void deep_exit(int depth)
{
    cop_function *volatile leave = exits_with_atom;     /* so that no compiler sees the end */
    if (depth == 0)
        leave("deep");
    else
        deep_exit(depth - 1);
    trace("came back");
}

static void exits_deep_down(void *argument)
{
    (void)argument;
    deep_exit(20);
}

static void watches_a_deep_exit(void *argument)
{
    (void)argument;
    trace_end_of("it", exits_deep_down, NULL);
    trace_end_of("the next on the same stack", returns, NULL);
}

START_TEST(an_exit_deep_in_calls_leaves_the_stack_usable_for_the_next)
{
    expect_story(watches_a_deep_exit, "it down: deep\n"
                                      "the next on the same stack down: normal\n");
}
END_TEST

/* ---- the argument ---------------------------------------------------------------------- */

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

static void watches_a_wild_argument(void *argument)
{
    (void)argument;
    trace_end_of("the spawner", spawns_with_wild_argument, NULL);
}

START_TEST(an_argument_that_cannot_be_read_is_the_spawners_crash)
{
    expect_story(watches_a_wild_argument, "the spawner down: crash:SIGSEGV\n");
}
END_TEST

/* ---- pids ------------------------------------------------------------------------------ */

enum { PIDS = 3000 };

static int compare_pids(const void *a, const void *b)
{
    uint64_t x = ((const cop_pid *)a)->bits, y = ((const cop_pid *)b)->bits;
    return x < y ? -1 : x > y;
}

static void collects_pids(void *argument)
{
    cop_pid *pids = argument;
    for (int i = 0; i < PIDS; i++) {
        cop_ref ref;
        pids[i] = cop_spawn_monitor(returns, NULL, 0, &ref);
        ck_assert(cop_is_alive(pids[i]));
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
        ck_assert(!cop_is_alive(pids[i]));
    }
}

START_TEST(no_two_processes_have_one_pid)
{
    static cop_pid pids[PIDS];
    ck_assert_int_eq(run_node(collects_pids, pids), 0);
    qsort(pids, PIDS, sizeof *pids, compare_pids);
    ck_assert(!cop_pid_is_none(pids[0]));
    for (int i = 1; i < PIDS; i++)
        ck_assert(!cop_pid_equal(pids[i - 1], pids[i]));
}
END_TEST

static void outlives_its_predecessor(void *argument)
{
    (void)argument;
    ck_assert(cop_take(NULL, 10) == NULL);
    trace("the successor got nothing");
}

static void talks_to_the_dead(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_pid dead = cop_spawn(returns, NULL, 0);
    settle();
    cop_pid successor = cop_spawn(outlives_its_predecessor, NULL, 0);
    ck_assert_uint_eq(dead.bits & 0xffffff, successor.bits & 0xffffff);   /* in its very place */
    ck_assert_int_eq(cop_send(dead, go), COP_OK);
    cop_exit_process(dead, COP_KILL);
    ck_assert_int_eq(cop_link(dead), COP_OK);
    trace_exit_from("the dead", dead);
    trace_down("the dead", cop_monitor(dead));
    trace("%s is the successor", cop_is_alive(dead) ? "dead" : cop_is_alive(successor) ? "alive" : "?");
    cop_sleep(20);
}

START_TEST(what_is_sent_to_a_dead_pid_does_not_reach_its_successor)
{
    expect_story(talks_to_the_dead, "exit from the dead: noproc\n"
                                    "the dead down: noproc\n"
                                    "alive is the successor\n"
                                    "the successor got nothing\n");
}
END_TEST

static void prints_pids(void *argument)
{
    (void)argument;
    char text[32], tiny[4];
    cop_pid child = cop_spawn(returns, NULL, 0);
    cop_pid_format(cop_self(), text, sizeof text);
    trace("first %s", text);
    cop_pid_format(child, text, sizeof text);
    trace("second %s", text);
    ck_assert_int_eq(cop_pid_format(child, tiny, sizeof tiny), 5);
    trace("cut %s", tiny);
    ck_assert(!cop_is_alive(COP_NO_PID));
    ck_assert(!cop_is_alive((cop_pid){ UINT64_MAX }));
}

START_TEST(a_pid_prints_as_index_and_generation)
{
    expect_story(prints_pids, "first <0.1>\n"
                              "second <1.1>\n"
                              "cut <1.\n");
}
END_TEST

/* ---- parents, labels, options ---------------------------------------------------------- */

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
    cop_spawn_opt(answers_its_parent, NULL, 0,
                  &(cop_spawn_options){ .monitor = true, .alias = true, .ret_ref = &ref });
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
    hole[0] = (char)bytes;
    return (bytes <= sizeof hole ? 0 : dig(bytes - sizeof hole)) + hole[0];
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

/* ---- what can't be spawned ------------------------------------------------------------- */

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

/* ---- turns and time -------------------------------------------------------------------- */

static void takes_turns(void *argument)
{
    for (int i = 1; i <= 3; i++) {
        trace("%s %d", (const char *)argument, i);
        cop_yield();
    }
}

static void watches_turns(void *argument)
{
    (void)argument;
    cop_spawn(takes_turns, "left", 0);
    cop_spawn(takes_turns, "right", 0);
    settle();
}

START_TEST(a_yield_gives_the_others_a_turn)
{
    expect_story(watches_turns, "left 1\nright 1\nleft 2\nright 2\nleft 3\nright 3\n");
}
END_TEST

static void sleeps(void *argument)
{
    int ms = (int)(intptr_t)argument;
    cop_sleep(ms);
    trace("slept %d until %d", ms, (int)cop_now_ms());
}

static void sleeps_with_mail(void *argument)
{
    (void)argument;
    cop_send(cop_self(), note, .n = 1);
    cop_send(cop_self(), note, .n = 2);
    int64_t before = cop_now_ns();
    cop_sleep(0);
    ck_assert_int_eq(cop_now_ns(), before);
    cop_sleep(50);
    ck_assert_int_eq(cop_now_ns() - before, 50 * 1000000);
    ck_assert_uint_eq(cop_mailbox_length(), 2);
    trace("first %d", cop_receive_type(note, 0)->n);
}

static void watches_sleepers(void *argument)
{
    (void)argument;
    cop_spawn(sleeps, (void *)30, 0);
    cop_spawn(sleeps, (void *)10, 0);
    cop_spawn(sleeps, (void *)20, 0);
    cop_spawn(sleeps, (void *)10, 0);
    sleeps_with_mail(NULL);
    cop_sleep(86400 * 1000);                   /* a day, at once */
    trace("and now it is %d", (int)cop_now_ms());
}

START_TEST(sleepers_wake_in_the_order_of_their_times_and_leave_the_mail_alone)
{
    expect_story(watches_sleepers, "slept 10 until 10\n"
                                   "slept 10 until 10\n"
                                   "slept 20 until 20\n"
                                   "slept 30 until 30\n"
                                   "first 1\n"
                                   "and now it is 86400050\n");
}
END_TEST

/* ---- from outside ---------------------------------------------------------------------- */

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

static Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *ends = tcase_create("ends");
    tcase_add_test(ends, a_process_ends_normally_when_it_returns_else_with_the_reason_it_gives);
    tcase_add_test(ends, only_an_end_of_its_own_that_is_abnormal_is_reported);
    tcase_add_test(ends, an_exit_deep_in_calls_leaves_the_stack_usable_for_the_next);
    suite_add_tcase(suite, ends);
    TCase *spawns = tcase_create("spawns");
    tcase_add_test(spawns, an_argument_with_a_size_is_copied_and_one_without_is_passed);
    tcase_add_test(spawns, an_argument_that_cannot_be_read_is_the_spawners_crash);
    tcase_add_test(spawns, no_two_processes_have_one_pid);
    tcase_add_test(spawns, what_is_sent_to_a_dead_pid_does_not_reach_its_successor);
    tcase_add_test(spawns, a_pid_prints_as_index_and_generation);
    tcase_add_test(spawns, a_process_knows_who_spawned_it);
    tcase_add_test(spawns, a_child_answers_through_the_alias_of_the_monitor_it_was_spawned_with);
    tcase_add_test(spawns, options_hold_from_the_first_step_on);
    tcase_add_test(spawns, a_process_has_the_stack_that_it_was_given);
    tcase_add_test(spawns, without_a_function_or_a_node_nothing_is_spawned);
    tcase_add_test(spawns, at_the_limit_of_processes_a_spawn_fails_until_one_has_ended);
    tcase_add_test(spawns, thousands_of_processes_wait_each_on_a_stack_of_its_own);
    tcase_add_test(spawns, a_thread_of_the_programs_own_may_spawn_but_not_link);
    suite_add_tcase(suite, spawns);
    TCase *turns = tcase_create("turns");
    tcase_add_test(turns, a_yield_gives_the_others_a_turn);
    tcase_add_test(turns, sleepers_wake_in_the_order_of_their_times_and_leave_the_mail_alone);
    suite_add_tcase(suite, turns);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(process_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
