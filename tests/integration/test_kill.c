/* test_kill.c - a kill ends a process that does not come back by itself: in a loop, in a library,
 * in a system call; meanwhile the others go on, those too whose stacks are on its thread.  Real
 * threads. */
#include <coppice/coppice.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "platform/sanitizer.h"
#include "watch.h"

#ifdef COPI_ASAN
/* Who is killed between malloc and free leaves the block behind. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum { ROUNDS = 10, WAITERS = 8, LONG_MS = 60000 };

static volatile unsigned long counter;

/* ---- ways not to come back ------------------------------------------------------------------- */

static void spins(void)
{
    for (;;) counter++;
}

static void allocates(void)
{
    for (;;) free(malloc(100 + counter++ % 1000));
}

static void prints_to_a_string(void)
{
    char text[64];
    for (;;) counter += (unsigned long)snprintf(text, sizeof text, "%lu", counter);
}

static FILE *nowhere;

static void prints_to_a_stream(void)
{
    for (;;) {
        fprintf(nowhere, "%lu\n", counter++);
        fflush(nowhere);
    }
}

static void opens_and_closes(void)
{
    for (;;) {
        FILE *file = fopen("/dev/null", "w");
        if (file != NULL) fclose(file);
    }
}

static void copies(void)
{
    static char from[1 << 20], to[1 << 20];
    for (;;) {
        memcpy(to, from, sizeof to);
        from[counter++ % sizeof from]++;
    }
}

static int by_value(const void *a, const void *b)
{
    counter++;
    return *(const int *)a - *(const int *)b;
}

static void sorts(void)
{
    static int numbers[1000];
    for (;;) {
        for (int i = 0; i < 1000; i++) numbers[i] = (int)(counter * 7919 % 1000);
        qsort(numbers, 1000, sizeof *numbers, by_value);
    }
}

static int never_decides(const void *a, const void *b)
{
    (void)a, (void)b;
    for (;;) counter++;
    return 0;
}

/* The library that is further out never returns: it is left after a while all the same. */
static void sorts_for_ever(void)
{
    int numbers[2] = { 1, 2 };
    qsort(numbers, 2, sizeof *numbers, never_decides);
}

static int ends[2];

static void reads_what_never_comes(void)
{
    char byte;
    ssize_t got = read(ends[0], &byte, 1);
    ck_abort_msg("read gave %zd", got);
}

static void waits_in_the_system(void)
{
    for (;;) poll(NULL, 0, -1);
}

static void sends_to_itself(void)
{
    for (;;) cop_send(cop_parent(), cop_timeout_message, 0);
}

static void (*const ways[])(void) = {
    spins, allocates, prints_to_a_string, prints_to_a_stream, opens_and_closes, copies, sorts,
    sorts_for_ever, reads_what_never_comes, waits_in_the_system, sends_to_itself,
};

/* ---- a process that goes such a way
 * ------------------------------------------------------------ */

static _Atomic int cleaned;

static void clean(void *unused)
{
    (void)unused;
    cleaned++;
}

static void goes_astray(void *argument)
{
    cop_defer(clean, NULL);
    cop_alloc(1000);
    cop_send(cop_parent(), cop_drain_message, 0);      /* it is on its way */
    ways[*(const int *)argument]();
}

/* A process of the same way is killed and gone, and its libraries work. */
static void kill_one(int way)
{
    int before = cleaned;
    cop_ref ref;
    cop_pid pid = cop_spawn_monitor(goes_astray, &way, sizeof way, &ref);
    const cop_match begun = { .type = COP_TYPE(cop_drain_message), .from = pid };
    cop_message_free(cop_take(&begun, LONG_MS));
    cop_exit_process(pid, COP_KILL);
    cop_message *down = cop_take(&(cop_match){ .ref = ref }, LONG_MS);
    ck_assert_msg(down != NULL, "way %d is alive", way);
    ck_assert(cop_reason_is(cop_expect(down, cop_down_message)->reason, "killed"));
    cop_message_free(down);
    ck_assert_int_eq(cleaned, before + 1);

    char *block = malloc(1000);
    ck_assert(fprintf(nowhere, "%p", (void *)block) > 0);
    free(block);
    while (cop_take(&(cop_match){ .type = COP_TYPE(cop_timeout_message) }, 0) != NULL) continue;
}

static void killer(void *way)
{
    for (int round = 0; round < ROUNDS; round++) kill_one(*(const int *)way);
}

START_TEST(a_kill_ends_a_process_wherever_it_is)
{
    int way = _i;
    nowhere = fopen("/dev/null", "w");
    ck_assert(nowhere != NULL && pipe(ends) == 0);
    ck_assert_int_eq(run_node_threads(killer, &way, 2), 0);
    fclose(nowhere);
}
END_TEST

/* ---- what came before the kill
 * ------------------------------------------------------------------ */

static cop_pid spawn_astray(int way, bool bounded)
{
    cop_spawn_options options = { .link = false };
    if (bounded) options.mailbox = (cop_mailbox_bound){ .limit = 2 };
    cop_pid pid = cop_spawn_opt(goes_astray, &way, sizeof way, &options);
    const cop_match begun = { .type = COP_TYPE(cop_drain_message), .from = pid };
    cop_message_free(cop_take(&begun, LONG_MS));
    return pid;
}

static void expect_down(cop_ref ref, const char *reason)
{
    cop_message *down = cop_take(&(cop_match){ .ref = ref }, LONG_MS);
    ck_assert(down != NULL);
    ck_assert_str_eq(reason_text(cop_expect(down, cop_down_message)->reason), reason);
    cop_message_free(down);
}

static void expect_exit(cop_pid pid, const char *reason)
{
    const cop_match match = { .type = COP_TYPE(cop_exit_message), .from = pid };
    cop_message *end = cop_take(&match, LONG_MS);
    ck_assert(end != NULL);
    ck_assert_str_eq(reason_text(cop_expect(end, cop_exit_message)->reason), reason);
    cop_message_free(end);
}

/* The one that is astray receives nothing by itself; what it was sent has its effect all the same,
 * in the order in which it was sent, as in OTP. */
static void sends_before_the_kill(void *argument)
{
    int way = *(const int *)argument;
    cop_trap_exit(true);
    for (int bounded = 0; bounded <= 1; bounded++) {
        cop_pid pid = spawn_astray(way, bounded);
        cop_ref off = cop_monitor(pid), on = cop_monitor(pid);
        cop_demonitor(off);
        ck_assert_int_eq(cop_link(pid), 0);
        for (int i = 0; i < 4; i++) cop_send(pid, cop_timeout_message, 0);
        cop_exit_process(pid, COP_KILL);
        expect_exit(pid, "killed");
        expect_down(on, "killed");
        ck_assert_ptr_null(cop_take(&(cop_match){ .ref = off }, 0));

        pid = spawn_astray(way, bounded);
        on = cop_monitor(pid);
        cop_exit_process(pid, COP_SHUTDOWN);     /* did not end it: the kill does */
        cop_ref late = cop_monitor(pid);
        cop_exit_process(pid, COP_KILL);
        expect_down(on, "killed");
        expect_down(late, "killed");
    }
}

/* Left at once, and on the return of a library. */
START_TEST(what_was_sent_before_a_kill_is_received_before_it)
{
    for (int way = 0; ways[way] != prints_to_a_stream; way++)
        ck_assert_int_eq(run_node_threads(sends_before_the_kill, &way, 2), 0);
}
END_TEST

/* ---- the thread that it leaves
 * ------------------------------------------------------------------ */

static _Atomic bool mask_is_back;

/* On a spare scheduler's thread it is blocked as a rule. */
static void looks_at_the_mask(void *before)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    mask_is_back = sigismember(&set, SIGTERM) == sigismember(before, SIGTERM);
}

static void is_astray_with_a_signal_blocked(void *argument)
{
    sigset_t set, *before = cop_alloc(sizeof *before);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    cop_defer(looks_at_the_mask, before);
    pthread_sigmask(SIG_BLOCK, &set, before);
    goes_astray(argument);
}

static void kills_who_blocks_a_signal(void *unused)
{
    (void)unused;
    for (int way = 0; ways[way] != prints_to_a_stream; way++) {
        mask_is_back = false;
        cop_ref ref;
        cop_pid pid = cop_spawn_monitor(is_astray_with_a_signal_blocked, &way, sizeof way, &ref);
        const cop_match begun = { .type = COP_TYPE(cop_drain_message), .from = pid };
        cop_message_free(cop_take(&begun, LONG_MS));
        cop_exit_process(pid, COP_KILL);
        expect_down(ref, "killed");
        ck_assert(mask_is_back);
    }
}

START_TEST(signals_that_it_had_blocked_are_not_blocked_for_others)
{
    ck_assert_int_eq(run_node_threads(kills_who_blocks_a_signal, NULL, 2), 0);
}
END_TEST

/* ---- the others meanwhile
 * ---------------------------------------------------------------------- */

static void waits_in_the_middle(void *argument)
{
    (void)argument;
    for (;;) {
        cop_message *request = cop_take(NULL, COP_INFINITY);
        cop_send(request->from, cop_drain_message, 0);
        cop_message_free(request);
    }
}

static void spins_for_ever(void *argument)
{
    (void)argument;
    spins();
}

static void expect_answer(cop_pid pid)
{
    cop_send(pid, cop_drain_message, 0);
    cop_message *answer = cop_take(&(cop_match){ .from = pid }, LONG_MS);
    ck_assert(answer != NULL);
    cop_message_free(answer);
}

/* As many hogs as schedulers, and two more: whoever holds a stack on their threads goes on
 * elsewhere, the one that kills them too. */
static void lives_among_hogs(void *argument)
{
    (void)argument;
    cop_pid waiters[WAITERS], hogs[4];
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = cop_spawn(waits_in_the_middle, NULL, 0);
        expect_answer(waiters[i]);
    }
    for (int i = 0; i < 4; i++) hogs[i] = cop_spawn(spins_for_ever, NULL, 0);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < WAITERS; i++) expect_answer(waiters[i]);
        cop_sleep(5);
    }
    for (int i = 0; i < 4; i++) {
        cop_ref ref = cop_monitor(hogs[i]);
        cop_exit_process(hogs[i], COP_KILL);
        ck_assert(cop_take(&(cop_match){ .ref = ref }, LONG_MS) != NULL);
    }
    for (int i = 0; i < WAITERS; i++) expect_answer(waiters[i]);
}

START_TEST(while_processes_hold_all_threads_the_others_go_on)
{
    ck_assert_int_eq(run_node_threads(lives_among_hogs, NULL, 2), 0);
}
END_TEST

/* ---- a supervisor's child
 * ---------------------------------------------------------------------- */

static cop_next loops(void *state, const cop_message *message)
{
    (void)state, (void)message;
    spins();
    return cop_noreply();
}

static const cop_gen_server looper = { .name = "looper", .handle_info = loops };
static const cop_child_spec children[] = {
    COP_CHILD_SERVER(looper, .shutdown = COP_SHUTDOWN_MS(20),
                     .probe = { .interval_ms = 10, .timeout_ms = 10 }),
};
static const cop_supervisor top = { .name = "top", COP_CHILDREN(children) };

static void supervises(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_supervisor_start_link(&top);
    cop_pid stuck = cop_whereis("looper"), fresh;
    cop_send("looper", cop_timeout_message, 0);
    int error = cop_supervisor_await_restart(cop_to("top"), "looper", stuck, LONG_MS, &fresh);
    ck_assert_int_eq(error, 0);
    cop_send("looper", cop_timeout_message, 0);
    ck_assert_int_eq(cop_supervisor_stop(cop_to("top"), COP_SHUTDOWN), 0);
    ck_assert(!cop_is_alive(fresh));
}

START_TEST(a_child_that_loops_is_replaced_and_is_stopped_in_its_time)
{
    ck_assert_int_eq(run_node_threads(supervises, NULL, 2), 0);
}
END_TEST

static cop_next loops_in_a_library(void *state, const cop_message *message)
{
    (void)state, (void)message;
    sorts_for_ever();
    return cop_noreply();
}

static const cop_gen_server sorter = { .name = "sorter", .handle_info = loops_in_a_library };
static const cop_child_spec unprobed[] = { COP_CHILD_SERVER(sorter) };
static const cop_supervisor hasty = { .name = "top", COP_CHILDREN(unprobed) };

/* A kill respects the library for a while, which is longer than is left: the top falls too, while
 * the child is not gone yet. */
static void stops_in_a_hurry(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_supervisor_start_link(&hasty);
    cop_pid stuck = cop_whereis("sorter");
    unsigned long before = counter;
    cop_send("sorter", cop_timeout_message, 0);
    while (counter == before) cop_sleep(1);
    cop_straggler *stragglers;
    size_t count;
    int error = cop_supervisor_stop_within(cop_to("top"), COP_SHUTDOWN, 5, &stragglers, &count);
    ck_assert_int_eq(error, COP_ETIMEOUT);
    size_t told = 0;
    for (size_t i = 0; i < count; i++) told += cop_pid_equal(stragglers[i].pid, stuck);
    ck_assert_uint_eq(told, 1);
    ck_assert_uint_eq(count, 2);
}

START_TEST(a_straggler_that_is_killed_and_not_yet_gone_when_the_top_falls_is_told_once)
{
    ck_assert_int_eq(run_node_threads(stops_in_a_hurry, NULL, 2), 0);
}
END_TEST

/* ---- the report
 * -------------------------------------------------------------------------------- */

static char said[4096];
static _Atomic int reports;

static void listen(const cop_log_event *event, void *context)
{
    (void)context;
    if (event->text == NULL || strstr(event->text, "has held its thread") == NULL) return;
    if (reports++ == 0) cop_log_format(event, said, sizeof said);
}

__attribute__((noinline)) void the_hogs_own_function(void)
{
    while (reports == 0) counter++;
}

static void is_a_hog(void *argument)
{
    (void)argument;
    cop_register("hog");
    the_hogs_own_function();
}

START_TEST(who_holds_its_thread_for_long_is_reported_once_with_where_it_is)
{
    cop_run_options options = { .schedulers = 1, .hog_ms = 30, .log = listen };
    ck_assert_int_eq(cop_run(is_a_hog, NULL, &options), 0);
    ck_assert_int_eq(reports, 1);
    ck_assert_msg(strstr(said, "hog") != NULL && strstr(said, "the_hogs_own_function") != NULL,
                  "%s", said);
}
END_TEST

static Suite *kill_suite(void)
{
    Suite *suite = suite_create("kill");
    TCase *kills = tcase_create("kill");
    tcase_set_timeout(kills, 120);
    tcase_add_loop_test(kills, a_kill_ends_a_process_wherever_it_is, 0,
                        (int)(sizeof ways / sizeof *ways));
    tcase_add_test(kills, what_was_sent_before_a_kill_is_received_before_it);
    tcase_add_test(kills, signals_that_it_had_blocked_are_not_blocked_for_others);
    tcase_add_test(kills, while_processes_hold_all_threads_the_others_go_on);
    tcase_add_test(kills, a_child_that_loops_is_replaced_and_is_stopped_in_its_time);
    tcase_add_test(kills,
                   a_straggler_that_is_killed_and_not_yet_gone_when_the_top_falls_is_told_once);
    tcase_add_test(kills, who_holds_its_thread_for_long_is_reported_once_with_where_it_is);
    suite_add_tcase(suite, kills);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(kill_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
