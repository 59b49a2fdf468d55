/* test_stress_limit.c - bounded mailboxes on several scheduler threads: processes and plain threads
 * send to receivers that are full in all four ways, look when they like, change their bound, and
 * are killed, as the senders are.  No sender waits for ever, each sender's messages stay in order,
 * each message is freed once, no count is left over. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "node.h"
#include "platform/sanitizer.h"
#include "runtime/limit.h"
#include "watch.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SENDS = 300, LIVES = 10, KILLS = 60 };
#else
enum { SENDS = 3000, LIVES = 20, KILLS = 400 };
#endif
enum { RECEIVERS = 4, SENDERS = 10, THREADS = 2, ALL_SENDERS = SENDERS + THREADS };

static _Atomic int64_t made, freed;
static _Atomic uint64_t taken, refused, dropped, waits_seen;
static _Atomic uint64_t receivers[RECEIVERS];
static _Atomic int last_sent[ALL_SENDERS];
static _Atomic bool over;

static void counts_freed(void *payload)
{
    (void)payload;
    atomic_fetch_add(&freed, 1);
}

COP_MESSAGE_WITH(parcel, { int sender; int n; }, counts_freed);
COP_MESSAGE(done, COP_EMPTY);
COP_CALL(add_one, { int n; }, { int n; });

/* ---- the receivers ------------------------------------------------------------------------- */

static cop_mailbox_bound any_bound(void)
{
    cop_mailbox_bound bound = { 1 + cop_random_below(6), (enum cop_when_full)cop_random_below(4) };
    return bound;
}

static bool is_odd(const cop_message *message, void *context)
{
    (void)context;
    const parcel *got = cop_get(message, parcel);
    return got == NULL || got->sender % 2 == 1;
}

static void answer(const cop_message *request)
{
    cop_from from = { { request->from, request->ref } };
    cop_answer(from, add_one, .n = cop_get(request, add_one)->n + 1);
}

/* What one sender sent comes in the order in which it was sent, whatever was taken before. */
static void note_order(int *last, const parcel *got)
{
    expect_that(got->n > last[got->sender]);
    last[got->sender] = got->n;
    atomic_fetch_add(&taken, 1);
}

static void pause_a_while(void)
{
    uint64_t what = cop_random_below(60);
    if (what == 0) cop_sleep(1);
    if (what == 1) cop_yield();
    if (what == 2)
        for (volatile int i = 0; i < 100000; i++) {}
    if (what == 3) cop_limit_mailbox(any_bound());
}

static void receives(void *argument)
{
    (void)argument;
    int last[ALL_SENDERS] = { 0 };
    const struct limits *limits = copi_limits(copi_process_slot(cop_self()));
    uint64_t dropped_before = 0;
    for (;;) {
        const cop_match odd = { .accept = is_odd };
        int64_t time = cop_random_below(2) == 0 ? 1 : COP_INFINITY;
        bool choosy = cop_random_below(3) == 0;
        cop_message *message = choosy ? cop_take(&odd, 1) : cop_take(NULL, time);
        if (cop_is(message, parcel)) note_order(last, cop_get(message, parcel));
        else if (message != NULL) answer(message);
        cop_message_free(message);
        if (limits->waiting > 0) atomic_fetch_add(&waits_seen, 1);
        atomic_fetch_add(&dropped, cop_mailbox_dropped() - dropped_before);
        dropped_before = cop_mailbox_dropped();
        pause_a_while();
    }
}

static cop_pid start_receiver(int i, cop_ref *ret_ref)
{
    cop_pid pid = cop_spawn_opt(receives, NULL, 0, &(cop_spawn_options){
        .monitor = true, .ret_ref = ret_ref, .mailbox = any_bound() });
    atomic_store(&receivers[i], pid.bits);
    return pid;
}

static cop_pid any_receiver(void)
{
    cop_pid pid = { atomic_load(&receivers[cop_random_below(RECEIVERS)]) };
    return pid;
}

/* Kills the receivers now and then, until all else is over; then for good. */
static void keeps_receivers(void *argument)
{
    (void)argument;
    cop_pid pids[RECEIVERS];
    cop_ref refs[RECEIVERS];
    for (int i = 0; i < RECEIVERS; i++) pids[i] = start_receiver(i, &refs[i]);
    cop_send(cop_parent(), done, 0);
    for (int n = 0; n < KILLS || !atomic_load(&over); n++) {
        int i = (int)cop_random_below(RECEIVERS);
        cop_sleep(1);
        cop_exit_process(pids[i], COP_KILL);
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
        pids[i] = start_receiver(i, &refs[i]);
    }
    for (int i = 0; i < RECEIVERS; i++) {
        cop_exit_process(pids[i], COP_KILL);
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
    }
    cop_send(cop_parent(), done, 0);
}

/* ---- the senders --------------------------------------------------------------------------- */

static void send_one(int sender, cop_pid to)
{
    int n = atomic_fetch_add(&last_sent[sender], 1) + 1;
    cop_message *message = cop_new(parcel, .sender = sender, .n = n);
    atomic_fetch_add(&made, 1);
    int error = cop_send_message(cop_to(to), message);
    expect_that(error == COP_OK || error == COP_EFULL);
    if (error == COP_EFULL) atomic_fetch_add(&refused, 1);
}

static void call_one(cop_pid to)
{
    add_one_reply reply = { 0 };
    int error = cop_call_timeout(to, 20, &reply, add_one, .n = 41);
    expect_that(error == COP_OK ? reply.n == 42
                                : error == COP_EFULL || error == COP_ENOPROC ||
                                      error == COP_EDOWN || error == COP_ETIMEOUT);
}

static void sends(void *argument)
{
    int sender = *(int *)argument;
    for (int i = 0; i < SENDS; i++) {
        if (cop_random_below(50) == 0) call_one(any_receiver());
        send_one(sender, any_receiver());
        if (cop_random_below(200) == 0) cop_sleep(1);
    }
}

/* One sender after the other under one number; most are killed on the way. */
static void keeps_a_sender(void *argument)
{
    for (int life = 0; life < LIVES; life++) {
        cop_ref ref;
        cop_pid pid = cop_spawn_monitor(sends, argument, sizeof(int), &ref);
        if (life % 4 != 0) {
            cop_sleep((int64_t)cop_random_below(8));
            cop_exit_process(pid, COP_KILL);
        }
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    }
    cop_send(cop_parent(), done, 0);
}

static void *sends_from_a_thread(void *argument)
{
    int sender = *(int *)argument;
    for (int i = 0; i < SENDS * 10; i++) {
        cop_pid to = { atomic_load(&receivers[i % RECEIVERS]) };
        send_one(sender, to);
        if (i % 64 == 0) sched_yield();
    }
    return NULL;
}

/* ---- the story ----------------------------------------------------------------------------- */

static void await_done(int count)
{
    for (int i = 0; i < count; i++) cop_receive_type(done, COP_INFINITY);
}

static void expect_no_count(struct process *process)
{
    struct limits *limits = copi_limits(process);
    expect_that(limits == NULL || atomic_load(&limits->count) == 0);
}

static void plays(void *argument)
{
    (void)argument;
    pthread_t threads[THREADS];
    int numbers[ALL_SENDERS];
    for (int i = 0; i < ALL_SENDERS; i++) numbers[i] = i;
    cop_spawn(keeps_receivers, NULL, 0);
    await_done(1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, sends_from_a_thread, &numbers[SENDERS + i]);
    for (int i = 0; i < SENDERS; i++) cop_spawn(keeps_a_sender, &numbers[i], sizeof numbers[i]);
    await_done(SENDERS);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    atomic_store(&over, true);
    await_done(1);
    for (int i = 0; i < RECEIVERS; i++) {
        cop_pid pid = { atomic_load(&receivers[i]) };
        expect_no_count(copi_process_slot(pid));
    }
}

START_TEST(nobody_waits_for_ever_and_no_message_is_lost_or_freed_twice)
{
    ck_assert_int_eq(run_node_threads(plays, NULL, 3), 0);
    ck_assert_int_eq(atomic_load(&made), atomic_load(&freed));
    ck_assert_uint_gt(atomic_load(&taken), 0);
    ck_assert_uint_gt(atomic_load(&refused), 0);
    ck_assert_uint_gt(atomic_load(&dropped), 0);
    ck_assert_uint_gt(atomic_load(&waits_seen), 0);
}
END_TEST

/* ---- a kill among dropped messages --------------------------------------------------------- */

#ifndef COPI_TSAN      /* there, a signal waits until a function is called */
static void spins(void *argument)
{
    (void)argument;
    for (volatile unsigned long n = 0;; n++) {}
}

static void floods(void *argument)
{
    while (cop_is_alive(*(cop_pid *)argument)) {
        atomic_fetch_add(&made, 1);
        cop_send(*(cop_pid *)argument, parcel, .n = 1);
    }
}

static void kills_who_spins(void *argument)
{
    (void)argument;
    for (int round = 0; round < 20; round++) {
        cop_ref ref, flood;
        cop_pid pid = cop_spawn_opt(spins, NULL, 0, &(cop_spawn_options){
            .monitor = true, .ret_ref = &ref, .mailbox = { 1, COP_MAILBOX_DROP_OLDEST } });
        cop_spawn_monitor(floods, &pid, sizeof pid, &flood);
        cop_sleep(5);
        cop_exit_process(pid, COP_KILL);
        cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
        expect_that(cop_reason_is(cop_get(message, cop_down_message)->reason, "killed"));
        cop_message_free(message);
        cop_message_free(cop_take(&(cop_match){ .ref = flood }, COP_INFINITY));
    }
}

START_TEST(a_kill_is_found_among_messages_that_senders_drop)
{
    ck_assert_int_eq(run_node_threads(kills_who_spins, NULL, 3), 0);
    ck_assert_int_gt(atomic_load(&made), 20 * 100);
    ck_assert_int_eq(atomic_load(&made), atomic_load(&freed));
}
END_TEST
#endif

static Suite *limit_suite(void)
{
    Suite *suite = suite_create("stress_limit");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, nobody_waits_for_ever_and_no_message_is_lost_or_freed_twice);
#ifndef COPI_TSAN
    tcase_add_test(tcase, a_kill_is_found_among_messages_that_senders_drop);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(limit_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
