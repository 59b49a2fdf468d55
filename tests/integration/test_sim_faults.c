/* test_sim_faults.c - a simulation's faults from outside of the program: nothing to be had, calls
 * that do not return, a clock that jumps, floods of messages, clean-up that crashes.  Each strikes
 * at every moment at which it may: a plan of one decision, the n-th, for n = 1, 2, ... */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <coppice/coppice.h>

#include <check.h>

#include "platform/sanitizer.h"
#include "watch.h"

#ifdef COPI_ASAN
/* Who runs out of memory while a reason is in a frame alone leaves it (docs/testing.md). */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

#ifdef COPI_FIBERS
enum { SEEDS = 300 };
#else
enum { SEEDS = 1000 };
#endif
enum { HOUR_MS = 3600 * 1000, MOMENTS_MAX = 5000, IDLE_MAX = 20 };

static void fail_with(const cop_sim_report *report)
{
    char text[1000];
    cop_sim_format(report, text, sizeof text);
    ck_abort_msg("%s", text);
}

/* Until some moments in a row have struck nobody: there are no more.  Returns how many have; each
 * of those runs is seen by `seen`, if it is given. */
static uint64_t walk(cop_function *story, enum cop_sim_kind kind, int64_t value,
                     void (*seen)(const cop_sim_report *report))
{
    cop_sim_report report;
    uint64_t strikes = 0;
    int idle = 0;
    for (uint64_t n = 1; idle < IDLE_MAX; n++) {
        ck_assert_uint_lt(n, MOMENTS_MAX);
        const cop_sim_decision decision = { .moment = n, .kind = kind, .value = value };
        const cop_sim_options options = { .plan = &decision, .plan_count = 1 };
        int error = cop_sim_run(1, story, NULL, &options, &report);
        if (error == COP_EFAILED) fail_with(&report);
        ck_assert_int_eq(error, COP_OK);
        bool struck = report.plan_count > 0;
        if (struck && seen != NULL) seen(&report);
        cop_sim_report_free(&report);
        strikes += struck;
        idle = struck ? 0 : idle + 1;
    }
    return strikes;
}

/* ---- a tree ---------------------------------------------------------------------------- */

COP_CALL(ask, { int n; }, { int n; });

static int held;                            /* by all together */

struct holder {
    bool holds;
    char *text;
};

static void give_back(void *argument)
{
    struct holder *holder = argument;
    if (holder->holds) held--;
    holder->holds = false;
}

/* Between what is held and its clean-up nothing may strike: cop_defer may. */
static cop_next begins(void *state, const void *argument)
{
    (void)argument;
    struct holder *holder = state;
    cop_trap_exit(true);                    /* so that terminate is called */
    cop_defer(give_back, holder);
    holder->holds = true;
    held++;
    holder->text = cop_strdup("state");
    return cop_ok();
}

static cop_next answers(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    expect_that(strcmp(((struct holder *)state)->text, "state") == 0);
    return cop_reply(ask, .n = cop_expect(request, ask)->n + 1);
}

static cop_next ignores(void *state, const cop_message *message)
{
    (void)state;
    (void)message;
    return cop_noreply();
}

static const cop_gen_server server = { .name = "server", .state_size = sizeof(struct holder),
                                       .init = begins, .handle_call = answers,
                                       .handle_info = ignores, .mailbox = { .limit = 10 } };
static const cop_gen_server other = { .state_size = sizeof(struct holder), .init = begins,
                                      .handle_call = answers, .handle_info = ignores };

/* With a time to start in. */
static cop_started start_in_time(const void *module, const void *argument, size_t size)
{
    (void)argument;
    (void)size;
    return cop_gen_server_start_link(module, .timeout_ms = 100);
}

static const cop_child_spec children[] = {
    { .id = "server", .start = start_in_time, .module = &server,
      .shutdown = COP_SHUTDOWN_MS(500) },
    { .id = "other", .start = start_in_time, .module = &other, .shutdown = COP_SHUTDOWN_MS(500) },
};
static const cop_supervisor top = { .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(children),
                                    .intensity = COP_UNLIMITED_RESTARTS };

static int64_t started_ms, stopped_ms;
static cop_pid top_pid;

/* Starts, calls, sleeps, stops; whatever strikes whom, it comes to its end, and nobody is left. */
static void has_a_tree(void *argument)
{
    (void)argument;
    held = 0;
    cop_trap_exit(true);
    int64_t before = cop_now_ms();
    cop_started tree = cop_supervisor_start_link(&top);
    started_ms = cop_now_ms() - before;
    top_pid = tree.pid;
    cop_reason_unref(tree.reason);
    expect_that((tree.error == COP_OK) == cop_is_alive(tree.pid) || tree.error == COP_OK);
    for (int i = 0; i < 3 && tree.error == COP_OK; i++) {
        ask_reply reply;
        int error = cop_call_timeout("server", 200, &reply, ask, .n = i);
        expect_that(error != COP_OK || reply.n == i + 1);
        cop_sleep(300);
    }
    before = cop_now_ms();
    if (tree.error == COP_OK && cop_is_alive(tree.pid))
        cop_supervisor_stop(cop_to(tree.pid), COP_SHUTDOWN);
    stopped_ms = cop_now_ms() - before;
    while (cop_process_count() > 1) cop_sleep(1000);
    expect_that(held == 0);
}

/* ---- the system refuses ----------------------------------------------------------------- */

START_TEST(a_tree_does_without_memory_of_the_librarys_own_or_starts_again)
{
    ck_assert_uint_gt(walk(has_a_tree, COP_SIM_NO_HEAP, 0, NULL), 3);
}
END_TEST

static int reads, refused_reads;

static void reads_from_a_pipe(void *argument)
{
    (void)argument;
    int ends[2];
    char byte;
    expect_that(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    cop_own_fd(ends[0]);
    cop_own_fd(ends[1]);
    int64_t error = cop_read(ends[0], &byte, 1, 10);
    expect_that(error == COP_ETIMEOUT || error == COP_ENOMEM);
    reads++;
    refused_reads += error == COP_ENOMEM;
}

static void doubles(void *argument)
{
    *(int *)argument *= 2;
}

static void has_a_number_doubled(void *argument)
{
    (void)argument;
    int number = 21;
    int error = cop_blocking(doubles, &number, sizeof number);
    expect_that(error == COP_OK ? number == 42 : error == COP_ENOMEM && number == 21);
    reads++;
    refused_reads += error == COP_ENOMEM;
}

static void waits_for(cop_function *function)
{
    for (int i = 0; i < 2; i++) {
        cop_ref ref;
        cop_spawn_monitor(function, NULL, 0, &ref);
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    }
}

static void reads_twice(void *argument)
{
    (void)argument;
    waits_for(reads_from_a_pipe);
}

static void blocks_twice(void *argument)
{
    (void)argument;
    waits_for(has_a_number_doubled);
}

START_TEST(who_waits_for_a_descriptor_or_a_thread_is_told_and_the_next_one_gets_it)
{
    reads = refused_reads = 0;
    uint64_t moments = walk(reads_twice, COP_SIM_NO_DESCRIPTOR, 0, NULL);
    ck_assert_int_eq(refused_reads, (int)moments);
    ck_assert_int_gt(reads, 2 * refused_reads);
    reads = refused_reads = 0;
    moments = walk(blocks_twice, COP_SIM_NO_THREAD, 0, NULL);
    ck_assert_int_eq(refused_reads, (int)moments);
}
END_TEST

/* ---- calls that do not return ------------------------------------------------------------ */

static int late_starts, late_stops;

/* The supervisor itself may be the one that is away: nobody but this story waits for it. */
static void deadlines_were_kept(const cop_sim_report *report)
{
    if (cop_pid_equal(report->plan[0].process, top_pid)) return;
    expect_that(started_ms <= 2 * 100);
    expect_that(stopped_ms <= 2 * 500);
    late_starts += started_ms >= 100;
    late_stops += stopped_ms >= 500;
}

START_TEST(who_hangs_at_its_start_or_its_end_is_killed_in_time)
{
    late_starts = late_stops = 0;
    walk(has_a_tree, COP_SIM_HANG, (int64_t)HOUR_MS * 1000000, deadlines_were_kept);
    ck_assert_int_gt(late_starts, 0);
    ck_assert_int_gt(late_stops, 0);
}
END_TEST

static void notes_the_time(void *argument)
{
    *(int64_t *)argument = cop_now_ms();
}

static void spawns_one(void *argument)
{
    (void)argument;
    int64_t *time_ms = malloc(sizeof *time_ms);
    cop_defer(free, time_ms);
    *time_ms = -1;
    cop_ref ref;
    cop_spawn_opt(notes_the_time, time_ms, 0, &(cop_spawn_options){ .monitor = true,
                                                                    .ret_ref = &ref });
    cop_sleep(HOUR_MS / 2);
    expect_that(*time_ms == -1);
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    expect_that(*time_ms == HOUR_MS);
}

START_TEST(who_hangs_is_away_for_that_long)
{
    cop_sim_report report;
    const cop_sim_decision decision = { .moment = 1, .kind = COP_SIM_HANG,
                                        .value = (int64_t)HOUR_MS * 1000000 };
    const cop_sim_options options = { .plan = &decision, .plan_count = 1 };
    ck_assert_int_eq(cop_sim_run(1, spawns_one, NULL, &options, &report), COP_OK);
    ck_assert_uint_eq(report.plan_count, 1);
    cop_sim_report_free(&report);
}
END_TEST

/* ---- the clock --------------------------------------------------------------------------- */

START_TEST(a_tree_stands_it_when_the_clock_jumps_a_day_at_any_moment)
{
    ck_assert_uint_gt(walk(has_a_tree, COP_SIM_JUMP, (int64_t)24 * HOUR_MS * 1000000, NULL), 10);
}
END_TEST

/* ---- floods ------------------------------------------------------------------------------ */

enum { MANY = 5000, WHOM = 1 << 16 };

START_TEST(a_tree_stands_thousands_of_messages_that_nobody_expects)
{
    for (int64_t whom = 0; whom < 4; whom++)
        ck_assert_uint_gt(walk(has_a_tree, COP_SIM_BURST, (MANY - 1) * WHOM + whom, NULL), 3);
}
END_TEST

static size_t most;

static void counts_its_mail(void *argument)
{
    (void)argument;
    for (int i = 0; i < 10; i++) {
        cop_sleep(1);
        if (cop_mailbox_length() > most) most = cop_mailbox_length();
    }
}

static void has_a_bounded_child(void *argument)
{
    (void)argument;
    cop_ref ref;
    most = 0;
    cop_spawn_opt(counts_its_mail, NULL, 0, &(cop_spawn_options){
        .monitor = true, .ret_ref = &ref,
        .mailbox = { .limit = 7, .when_full = COP_MAILBOX_DROP_OLDEST } });
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    expect_that(most <= 7);
}

static int full;

static void was_full(const cop_sim_report *report)
{
    (void)report;
    full += most == 7;
}

START_TEST(a_bounded_mailbox_stays_bounded_in_a_flood)
{
    full = 0;
    walk(has_a_bounded_child, COP_SIM_BURST, (MANY - 1) * WHOM, was_full);
    ck_assert_int_gt(full, 0);
}
END_TEST

/* ---- clean-up that crashes ---------------------------------------------------------------- */

static int cleaned;

static void clean(void *unused)
{
    (void)unused;
    cleaned++;
}

static void defers_three(void *argument)
{
    cop_defer(clean, NULL);
    cop_own_fd(*(const int *)argument);
    cop_defer(clean, NULL);
    cop_alloc(100);
    cop_defer(clean, NULL);
    cop_raise("boom");
}

static void cleans_up(void *argument)
{
    (void)argument;
    cleaned = 0;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cop_ref ref;
    cop_spawn_monitor(defers_three, &fd, sizeof fd, &ref);
    cop_message *down = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
    expect_that(strcmp(cop_reason_text(cop_expect(down, cop_down_message)->reason), "boom") == 0);
    cop_message_free(down);
    expect_that(fcntl(fd, F_GETFD) < 0);         /* the library's own action has run */
}

static void two_were_run(const cop_sim_report *report)
{
    (void)report;
    expect_that(cleaned == 2);
}

START_TEST(when_a_deferred_action_crashes_the_others_are_run)
{
    ck_assert_uint_eq(walk(cleans_up, COP_SIM_CLEANUP, 0, two_were_run), 3);
    ck_assert_int_eq(cleaned, 3);
}
END_TEST

/* ---- all at once -------------------------------------------------------------------------- */

static const cop_sim_options everything = {
    .chance = { COP_SIM_ANY_ORDER, [COP_SIM_CRASH] = 200, [COP_SIM_KILL] = 2000,
                [COP_SIM_SLOW] = 10000, [COP_SIM_LATE] = 100000, [COP_SIM_NO_MEMORY] = 5000,
                [COP_SIM_NO_PROCESS] = 20000, [COP_SIM_NO_HEAP] = 50000,
                [COP_SIM_NO_DESCRIPTOR] = 100000, [COP_SIM_NO_THREAD] = 100000,
                [COP_SIM_HANG] = 5000, [COP_SIM_JUMP] = 5000, [COP_SIM_BURST] = 5000 },
};

static void has_all(void *argument)
{
    has_a_tree(argument);
    waits_for(reads_from_a_pipe);
    waits_for(has_a_number_doubled);
}

START_TEST(the_same_seed_strikes_the_same_and_the_tree_stands_it)
{
    size_t kinds[COP_SIM_KINDS] = { 0 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        cop_sim_report first, again;
        int error = cop_sim_run(seed, has_all, NULL, &everything, &first);
        if (error == COP_EFAILED) fail_with(&first);
        ck_assert_int_eq(error, COP_OK);
        ck_assert_int_eq(cop_sim_run(seed, has_all, NULL, &everything, &again), COP_OK);
        ck_assert_uint_eq(first.trace, again.trace);
        for (size_t i = 0; i < first.plan_count; i++) kinds[first.plan[i].kind]++;
        cop_sim_report_free(&first);
        cop_sim_report_free(&again);
    }
    for (size_t i = 0; i < COP_SIM_KINDS; i++)
        ck_assert_int_eq(kinds[i] > 0, everything.chance[i] > 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_faults");
    TCase *tests = tcase_create("sim_faults");
    tcase_add_test(tests, a_tree_does_without_memory_of_the_librarys_own_or_starts_again);
    tcase_add_test(tests, who_waits_for_a_descriptor_or_a_thread_is_told_and_the_next_one_gets_it);
    tcase_add_test(tests, who_hangs_at_its_start_or_its_end_is_killed_in_time);
    tcase_add_test(tests, who_hangs_is_away_for_that_long);
    tcase_add_test(tests, a_tree_stands_it_when_the_clock_jumps_a_day_at_any_moment);
    tcase_add_test(tests, a_tree_stands_thousands_of_messages_that_nobody_expects);
    tcase_add_test(tests, a_bounded_mailbox_stays_bounded_in_a_flood);
    tcase_add_test(tests, when_a_deferred_action_crashes_the_others_are_run);
    tcase_add_test(tests, the_same_seed_strikes_the_same_and_the_tree_stands_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
