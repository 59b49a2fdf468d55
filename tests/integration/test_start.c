/* test_start.c - the start protocol: a start returns when the process is ready, or is dead. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "story.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(note, { int n; });
COP_MESSAGE(go, COP_EMPTY);

/* ---- helpers ------------------------------------------------------------------------- */

/* Nothing is left of a start that failed: no process, no name, no message. */
static void expect_no_trace_of_it(const char *name)
{
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    ck_assert(cop_pid_is_none(cop_whereis(name)));
    ck_assert_uint_eq(cop_process_count(), 1);
}

static void trace_released(void *what)
{
    trace("%s released", (char *)what);
}

/* Processes that start well, badly or never. */
static void becomes_ready(void *argument)
{
    (void)argument;
    cop_init_ack();
    cop_receive_type(go, COP_INFINITY);
}

static void returns(void *argument)
{
    (void)argument;
}

static void raises(void *argument)
{
    (void)argument;
    cop_raise("no luck");
}

static void faults(void *argument)
{
    volatile int *nowhere = argument;
    *nowhere = 1;
}

static void ignores(void *argument)
{
    (void)argument;
    cop_init_fail(COP_EIGNORED, COP_NO_PID, NULL, COP_NORMAL);
}

static void fails_silently(void *argument)
{
    (void)argument;
    cop_init_fail(COP_EFAILED, COP_NO_PID, cop_reason_atom("no_disk"), COP_NORMAL);
}

static void fails_loudly(void *argument)
{
    (void)argument;
    cop_init_fail(COP_EFAILED, COP_NO_PID, cop_reason_atom("no_disk"), cop_reason_atom("boom"));
}

static void never_answers(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

/* ---- a start that succeeds ----------------------------------------------------------- */

static void takes_ten_ms(void *argument)
{
    (void)argument;
    trace("it works");
    cop_sleep(10);
    trace("it is ready");
    cop_init_ack();
    cop_sleep(10);
    trace("it ends");
}

static void starter_of_ready(void *argument)
{
    (void)argument;
    cop_started started = cop_start(takes_ten_ms, &(cop_start_options){ .label = "slow" });
    trace("started after %d ms: %s", (int)cop_now_ms(), cop_error_name(started.error));
    cop_ref ref = cop_monitor(started.pid);
    trace_down("it", ref);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_start_returns_when_the_process_says_that_it_is_ready)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_of_ready, NULL), 0);
    trace_expect("it works\n"
                 "it is ready\n"
                 "started after 10 ms: ok\n"
                 "it ends\n"
                 "it ended: normal\n");
}
END_TEST

static void traces_its_argument(void *argument)
{
    trace("argument: %s, aligned: %d", (char *)argument, (uintptr_t)argument % 16 == 0);
    cop_init_ack();
    cop_sleep(1);
    trace("still: %s", (char *)argument);
}

static void starter_with_arguments(void *argument)
{
    (void)argument;
    static const char shared[] __attribute__((aligned(16))) = "shared";
    const char *const names[] = { NULL, "named" };
    for (int i = 0; i < 2; i++) {
        char mine[] = "copied";
        cop_started one = cop_start(traces_its_argument, &(cop_start_options){
            .argument = mine, .argument_size = sizeof mine, .name = names[i] });
        memset(mine, 'x', sizeof mine - 1);
        trace_down("one", cop_monitor(one.pid));
        cop_started two = cop_start(traces_its_argument, &(cop_start_options){
            .argument = shared, .name = names[i] });
        trace_down("two", cop_monitor(two.pid));
    }
    cop_started three = cop_start_link(traces_its_argument, "linked", 7);
    trace_down("three", cop_monitor(three.pid));
}

START_TEST(an_argument_with_a_size_is_copied_and_one_without_is_passed)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_with_arguments, NULL), 0);
    trace_expect("argument: copied, aligned: 1\n" "still: copied\n" "one ended: normal\n"
                 "argument: shared, aligned: 1\n" "still: shared\n" "two ended: normal\n"
                 "argument: copied, aligned: 1\n" "still: copied\n" "one ended: normal\n"
                 "argument: shared, aligned: 1\n" "still: shared\n" "two ended: normal\n"
                 "argument: linked, aligned: 1\n" "still: linked\n" "three ended: normal\n");
}
END_TEST

static void starter_of_linked(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_started started = cop_start(becomes_ready, &(cop_start_options){ .link = true });
    ck_assert_int_eq(started.error, COP_OK);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    cop_exit_process(started.pid, cop_reason_atom("boom"));
    cop_message *message = cop_take(NULL, COP_INFINITY);
    const cop_exit_message *gone = cop_expect(message, cop_exit_message);
    trace("%s from %s", cop_reason_text(gone->reason),
          cop_pid_equal(gone->from, started.pid) ? "it" : "somebody");
    cop_message_free(message);
    ck_assert(cop_take(NULL, 100) == NULL);   /* the start's own monitor is off */
}

START_TEST(after_a_linked_start_the_link_stays_and_the_monitor_is_off)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_of_linked, NULL), 0);
    trace_expect("boom from it\n");
}
END_TEST

static void sends_notes_and_becomes_ready(void *argument)
{
    (void)argument;
    cop_send(cop_parent(), note, .n = 2);
    cop_init_ack();
    cop_send(cop_parent(), note, .n = 3);
}

static void starter_with_a_mailbox(void *argument)
{
    (void)argument;
    cop_send(cop_self(), note, .n = 1);
    trace_started("start", cop_start(sends_notes_and_becomes_ready, &(cop_start_options){ 0 }));
    cop_started failed = cop_start(raises, &(cop_start_options){ 0 });
    cop_reason_unref(failed.reason);
    for (int i = 0; i < 3; i++)
        trace("note %d", cop_expect(cop_receive(COP_INFINITY), note)->n);
}

START_TEST(a_start_leaves_all_other_messages_in_order)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_with_a_mailbox, NULL), 0);
    trace_expect("start: ok, reason none\n" "note 1\n" "note 2\n" "note 3\n");
}
END_TEST

/* ---- a start that fails -------------------------------------------------------------- */

static const struct {
    const char *what;
    cop_function *function;
    int64_t timeout_ms;
} failures[] = {
    { "returns", returns, 0 },
    { "raises", raises, 0 },
    { "faults", faults, 0 },
    { "ignores", ignores, 0 },
    { "fails silently", fails_silently, 0 },
    { "fails loudly", fails_loudly, 0 },
    { "never answers", never_answers, 50 },
};
enum { FAILURES = sizeof failures / sizeof *failures };

/* Every failure, under one name: nothing is left when the start returns, so that the next can
 * begin. */
static void starter_of_failures(void *argument)
{
    bool *link = argument;
    cop_trap_exit(true);
    for (int i = 0; i < FAILURES; i++) {
        cop_started started = cop_start(failures[i].function, &(cop_start_options){
            .name = "unlucky", .link = *link, .timeout_ms = failures[i].timeout_ms });
        expect_no_trace_of_it("unlucky");
        trace_started(failures[i].what, started);
    }
    ck_assert(cop_take(NULL, 1000) == NULL);
}

static const char all_failures[] =
    "returns: start_failed, reason normal\n"
    "raises: start_failed, reason error:no luck\n"
    "faults: start_failed, reason crash:SIGSEGV\n"
    "ignores: ignore, reason none\n"
    "fails silently: start_failed, reason no_disk\n"
    "fails loudly: start_failed, reason no_disk\n"
    "never answers: timeout, reason none\n";

START_TEST(a_failed_start_has_left_nothing_behind_when_it_returns)
{
    for (int link = 0; link < 2; link++) {
        trace_reset();
        ck_assert_int_eq(run_node(starter_of_failures, &(bool){ link }), 0);
        trace_expect(all_failures);
    }
}
END_TEST

START_TEST(a_failed_start_leaves_nothing_behind_in_any_order_of_processes)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        trace_reset();
        ck_assert_int_eq(run_node_seeded(starter_of_failures, &(bool){ true }, seed), 0);
        trace_expect(all_failures);
    }
}
END_TEST

static void links_itself_and_fails(void *argument)
{
    (void)argument;
    cop_link(cop_parent());
    cop_init_fail(COP_EFAILED, COP_NO_PID, NULL, cop_reason_atom("boom"));
}

static void starter_of_self_linking(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    trace_started("start", cop_start(links_itself_and_fails, &(cop_start_options){ 0 }));
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(the_exit_message_of_a_link_that_the_process_made_itself_is_consumed_too)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_of_self_linking, NULL), 0);
    trace_expect("start: start_failed, reason none\n");
}
END_TEST

/* Starts one failure, linked or not, as a process that does not trap exits. */
struct attempt {
    int failure;
    bool link;
};

static void attempts(void *argument)
{
    const struct attempt *attempt = argument;
    cop_started started = cop_start(failures[attempt->failure].function, &(cop_start_options){
        .link = attempt->link, .timeout_ms = failures[attempt->failure].timeout_ms });
    ck_assert_int_ne(started.error, COP_OK);
    cop_reason_unref(started.reason);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    cop_sleep(10);
    cop_exit(cop_reason_atom("survived"));
}

static void starter_of_attempts(void *argument)
{
    bool *link = argument;
    for (int i = 0; i < FAILURES; i++) {
        cop_ref ref;
        cop_spawn_monitor(attempts, &(struct attempt){ i, *link }, sizeof(struct attempt), &ref);
        trace_down(failures[i].what, ref);
    }
}

START_TEST(a_linked_starter_that_does_not_trap_ends_as_the_process_does_unless_normally)
{
    static const char expected[] = "returns ended: survived\n"
                                   "raises ended: error:no luck\n"
                                   "faults ended: crash:SIGSEGV\n"
                                   "ignores ended: survived\n"
                                   "fails silently ended: survived\n"
                                   "fails loudly ended: boom\n"
                                   "never answers ended: survived\n";
    trace_reset();
    ck_assert_int_eq(run_node(starter_of_attempts, &(bool){ true }), 0);
    trace_expect(expected);
    for (uint64_t seed = 0; seed < 50; seed++) {
        trace_reset();
        ck_assert_int_eq(run_node_seeded(starter_of_attempts, &(bool){ true }, seed), 0);
        trace_expect(expected);
    }
}
END_TEST

START_TEST(a_starter_that_is_not_linked_survives_every_failure)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_of_attempts, &(bool){ false }), 0);
    for (const char *line = trace_text(); *line != '\0'; line = strchr(line, '\n') + 1)
        ck_assert_ptr_nonnull(strstr(line, "ended: survived"));
}
END_TEST

static void linked_and_watching(void *argument)
{
    (void)argument;
    enum { TIMES = 20 };
    cop_trap_exit(true);
    cop_ref ref;
    cop_pid pid = cop_spawn_opt(raises, NULL, 0, &(cop_spawn_options){
        .link = true, .monitor = true, .ret_ref = &ref });
    for (int i = 1; i < TIMES; i++) cop_monitor(pid);
    cop_message *first = cop_take(NULL, COP_INFINITY);
    trace("first: %s", first->type->name);
    cop_message_free(first);
    for (int i = 0; i < TIMES; i++) cop_message_free(cop_take(NULL, COP_INFINITY));
}

START_TEST(a_process_tells_its_links_before_its_monitors)
{
    trace_reset();                       /* what the start protocol builds on */
    ck_assert_int_eq(run_node(linked_and_watching, NULL), 0);
    trace_expect("first: cop_exit_message\n");
}
END_TEST

/* ---- time-outs ----------------------------------------------------------------------- */

static void acks(void *argument)
{
    (void)argument;
    cop_init_ack();
}

static void acks_after_ten_ms(void *argument)
{
    cop_sleep(10);
    acks(argument);
}

static void acks_too_late(void *argument)
{
    (void)argument;
    cop_defer(trace_released, (void *)(uintptr_t)"it");
    cop_defer(acks, NULL);             /* when it is killed: the starter waits for its end */
    cop_sleep(COP_INFINITY);
}

static void starter_with_a_timeout(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_started started = cop_start(acks_too_late, &(cop_start_options){
        .name = "late", .link = true, .timeout_ms = 50 });
    trace("%s after %d ms", cop_error_name(started.error), (int)cop_now_ms());
    expect_no_trace_of_it("late");
    ck_assert(cop_take(NULL, 1000) == NULL);

    started = cop_start(acks_after_ten_ms, &(cop_start_options){ .timeout_ms = 11 });
    trace("in time: %s", cop_error_name(started.error));
    started = cop_start(acks_after_ten_ms, &(cop_start_options){ .timeout_ms = COP_INFINITY });
    trace("no limit: %s", cop_error_name(started.error));
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_start_that_takes_too_long_kills_the_process_and_gets_no_late_answer)
{
    trace_reset();
    ck_assert_int_eq(run_node(starter_with_a_timeout, NULL), 0);
    trace_expect("it released\n"
                 "timeout after 50 ms\n"
                 "in time: ok\n"
                 "no limit: ok\n");
}
END_TEST

/* The alias is there for what the starter waits for; the process may use it for more. */
static void talks_first(void *argument)
{
    cop_defer(trace_released, "its memory");
    cop_send(cop_parent_alias(), note, .n = 1);
    tell_spawner(cop_new(note, .n = 2), *(const enum cop_message_kind *)argument);
    cop_init_ack();
    cop_receive_type(go, COP_INFINITY);
}

static void starts_those_who_talk(void *argument)
{
    (void)argument;
    static const enum cop_message_kind kinds[] = { COP_INFO, COP_REPLY, COP_REPLY };
    for (int i = 0; i < 3; i++) {
        cop_started started = cop_start(talks_first, &(cop_start_options){
            .argument = &kinds[i], .name = "talker", .link = i == 2 });
        trace("%s, note %d", cop_error_name(started.error), cop_receive_type(note, 0)->n);
        if (started.error == COP_OK) {
            cop_ref end = cop_monitor(started.pid);
            cop_send(started.pid, go);
            cop_message_free(cop_take(&(cop_match){ .ref = end }, COP_INFINITY));
        }
        expect_no_trace_of_it("talker");
    }
}

START_TEST(a_process_may_talk_before_it_is_ready_but_another_reply_is_an_error)
{
    expect_story(starts_those_who_talk, "ok, note 1\n" "its memory released\n"
                                        "its memory released\n" "bad_reply, note 1\n"
                                        "its memory released\n" "bad_reply, note 1\n");
}
END_TEST

static void never_stops_talking(void *argument)
{
    (void)argument;
    for (;;) {
        tell_spawner(cop_new(note, .n = 1), COP_INFO);
        tell_spawner(cop_new(note, .n = 2), COP_INFO);
        cop_sleep(1);
    }
}

static void starts_one_who_never_stops(void *argument)
{
    (void)argument;
    cop_started started = cop_start(never_stops_talking,
                                    &(cop_start_options){ .name = "talker", .timeout_ms = 60 });
    trace("%s at %d ms", cop_error_name(started.error), (int)cop_now_ms());
    expect_no_trace_of_it("talker");
}

START_TEST(talk_does_not_give_it_more_time)
{
    expect_story(starts_one_who_never_stops, "timeout at 60 ms\n");
}
END_TEST

static void releases_and_never_answers(void *argument)
{
    cop_defer(trace_released, argument);
    never_answers(NULL);
}

static void starts_linked(void *argument)
{
    cop_start(releases_and_never_answers, &(cop_start_options){
        .argument = argument, .link = true });
    trace("not reached");
}

static void killer_of_starter(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid starter = cop_spawn_monitor(starts_linked, "it", 0, &ref);
    cop_sleep(5);
    cop_exit_process(starter, cop_reason_atom("enough"));
    trace_down("starter", ref);
    cop_sleep(5);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(when_a_starter_is_killed_while_it_waits_its_linked_process_ends_too)
{
    trace_reset();
    ck_assert_int_eq(run_node(killer_of_starter, NULL), 0);
    trace_expect("it released\n"
                 "starter ended: enough\n");
}
END_TEST

/* ---- other cases ---------------------------------------------------------------------- */

static void starter_of_nonsense(void *argument)
{
    (void)argument;
    char name[COP_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    trace_started("long name", cop_start(acks, &(cop_start_options){ .name = name }));
    trace_started("longest name", cop_start(acks, &(cop_start_options){ .name = name + 1 }));
    trace_started("empty name", cop_start(acks, &(cop_start_options){ .name = "" }));
    trace_started("no function", cop_start(NULL, &(cop_start_options){ 0 }));
    trace_started("no bytes", cop_start(acks, &(cop_start_options){ .argument_size = 1 }));
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_start_with_wrong_arguments_starts_nothing)
{
    ck_assert_int_eq(cop_start(acks, &(cop_start_options){ 0 }).error, COP_EOUTSIDE);
    trace_reset();
    ck_assert_int_eq(run_node(starter_of_nonsense, NULL), 0);
    trace_expect("long name: badarg, reason none\n"
                 "longest name: ok, reason none\n"
                 "empty name: badarg, reason none\n"
                 "no function: badarg, reason none\n"
                 "no bytes: badarg, reason none\n");
}
END_TEST

static void spawner_of_acking(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_spawn_monitor(acks, NULL, 0, &ref);
    trace_down("acking", ref);
    cop_spawn_monitor(fails_loudly, NULL, 0, &ref);
    trace_down("failing", ref);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(in_a_process_that_was_spawned_the_protocol_says_nothing_to_anybody)
{
    trace_reset();
    ck_assert_int_eq(run_node(spawner_of_acking, NULL), 0);
    trace_expect("acking ended: normal\n"
                 "failing ended: boom\n");
}
END_TEST

static Suite *start_suite(void)
{
    Suite *suite = suite_create("start");
    TCase *tests = tcase_create("start");
    tcase_add_test(tests, a_start_returns_when_the_process_says_that_it_is_ready);
    tcase_add_test(tests, an_argument_with_a_size_is_copied_and_one_without_is_passed);
    tcase_add_test(tests, after_a_linked_start_the_link_stays_and_the_monitor_is_off);
    tcase_add_test(tests, a_start_leaves_all_other_messages_in_order);
    tcase_add_test(tests, a_failed_start_has_left_nothing_behind_when_it_returns);
    tcase_add_test(tests, a_failed_start_leaves_nothing_behind_in_any_order_of_processes);
    tcase_add_test(tests, the_exit_message_of_a_link_that_the_process_made_itself_is_consumed_too);
    tcase_add_test(tests,
                   a_linked_starter_that_does_not_trap_ends_as_the_process_does_unless_normally);
    tcase_add_test(tests, a_starter_that_is_not_linked_survives_every_failure);
    tcase_add_test(tests, a_process_tells_its_links_before_its_monitors);
    tcase_add_test(tests, a_start_that_takes_too_long_kills_the_process_and_gets_no_late_answer);
    tcase_add_test(tests, a_process_may_talk_before_it_is_ready_but_another_reply_is_an_error);
    tcase_add_test(tests, talk_does_not_give_it_more_time);
    tcase_add_test(tests, when_a_starter_is_killed_while_it_waits_its_linked_process_ends_too);
    tcase_add_test(tests, a_start_with_wrong_arguments_starts_nothing);
    tcase_add_test(tests, in_a_process_that_was_spawned_the_protocol_says_nothing_to_anybody);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(start_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
