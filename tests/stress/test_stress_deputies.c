/* test_stress_deputies.c - processes hold all threads, come back, and do so again, while others
 * wait, sleep and talk: each message is answered once and every timer fires, whoever stands in
 * for whom. */
#include <coppice/coppice.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "node.h"
#include "platform/sanitizer.h"
#include "watch.h"

#ifdef COPI_TSAN
enum { ROUNDS = 10 };
#else
enum { ROUNDS = 30 };
#endif
enum { PEERS = 12, HOGS = 5, LONG_MS = 60000 };

COP_MESSAGE(ball, { int number; });
COP_MESSAGE(hold, { int ms; });
COP_MESSAGE(held, COP_EMPTY);

/* Answers each ball with the next number, in the middle of a function, after a short sleep. */
static void peer(void *argument)
{
    (void)argument;
    for (;;) {
        cop_message *message = cop_take(NULL, COP_INFINITY);
        int number = cop_expect(message, ball)->number;
        if (number % 3 == 0) cop_sleep(1);
        cop_send(message->from, ball, .number = number + 1);
        cop_message_free(message);
    }
}

/* Holds its thread for so long, by the clock, and says when it is over. */
static void hog(void *argument)
{
    (void)argument;
    for (;;) {
        cop_message *message = cop_take(NULL, COP_INFINITY);
        int64_t until_ns = cop_now_ns() + cop_expect(message, hold)->ms * INT64_C(1000000);
        while (cop_now_ns() < until_ns) continue;
        cop_send(message->from, held, 0);
        cop_message_free(message);
    }
}

static void play(const cop_pid *peers, int round)
{
    for (int i = 0; i < PEERS; i++) cop_send(peers[i], ball, .number = round * PEERS + i);
    for (int i = 0; i < PEERS; i++) {
        const cop_match from_it = { .type = COP_TYPE(ball), .from = peers[i] };
        cop_message *answer = cop_take(&from_it, LONG_MS);
        expect_that(answer != NULL);
        expect_that(cop_expect(answer, ball)->number == round * PEERS + i + 1);
        cop_message_free(answer);
    }
}

static void first(void *argument)
{
    (void)argument;
    cop_pid peers[PEERS], hogs[HOGS];
    for (int i = 0; i < PEERS; i++) peers[i] = cop_spawn(peer, NULL, 0);
    for (int i = 0; i < HOGS; i++) hogs[i] = cop_spawn(hog, NULL, 0);
    for (int round = 0; round < ROUNDS; round++) {
        int held_now = 1 + (int)cop_random_below(HOGS);
        for (int i = 0; i < held_now; i++)
            cop_send(hogs[i], hold, .ms = 5 + (int)cop_random_below(40));
        for (int i = 0; i < 5; i++) play(peers, round * 5 + i);
        for (int i = 0; i < held_now; i++)
            cop_message_free(cop_take(&(cop_match){ .type = COP_TYPE(held) }, LONG_MS));
    }
    expect_that(cop_mailbox_length() == 0);
}

START_TEST(whoever_stands_in_for_whom_nothing_is_lost_or_done_twice)
{
    ck_assert_int_eq(run_node_threads(first, NULL, 1 + _i), 0);
}
END_TEST

/* ---- chosen, and not yet run ----------------------------------------------------------------
 *
 * One ends, and the next is chosen in the same breath; it wants a larger stack, so the scheduler is
 * to enter it.  But the first has left a message, sent to itself and not received, whose drop
 * function holds the thread: a deputy must find the next one in the queue. */

enum { STACK_BYTES = 1 << 20 };

static _Atomic int entered;             /* rounds in which the next one has run */
static _Atomic int in_vain;             /* drop functions that have given up */
static void waits_for_the_next(void *payload);
COP_MESSAGE_WITH(burden, { int round; }, waits_for_the_next);

static void waits_for_the_next(void *payload)
{
    const burden *self = payload;
    int64_t until_ns = cop_now_ns() + LONG_MS / 20 * INT64_C(1000000);
    while (atomic_load(&entered) < self->round)
        if (cop_now_ns() > until_ns) {
            atomic_fetch_add(&in_vain, 1);
            break;
        }
}

static void leaves_a_burden(void *argument)
{
    cop_send(cop_self(), burden, .round = *(const int *)argument);
}

static void is_next(void *argument)
{
    atomic_store(&entered, *(const int *)argument);
}

/* Now and then the way leads through the scheduler anyhow: hence several rounds. */
static void ends_one_after_the_other(void *argument)
{
    (void)argument;
    for (int round = 1; round <= 5; round++) {
        cop_spawn(leaves_a_burden, &round, sizeof round);
        cop_ref ref;
        cop_spawn_opt(is_next, &round, sizeof round,
                      &(cop_spawn_options){ .stack_bytes = STACK_BYTES, .monitor = true,
                                            .ret_ref = &ref });
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    }
}

START_TEST(one_that_was_chosen_runs_though_the_end_before_it_takes_long)
{
    ck_assert_int_eq(run_node_threads(ends_one_after_the_other, NULL, 1), 0);
    ck_assert_int_eq(atomic_load(&entered), 5);
    ck_assert_int_eq(atomic_load(&in_vain), 0);
}
END_TEST

/* ---- left, and not yet settled ----------------------------------------------------------------
 *
 * One waits for a message, and the next one, to which it has switched, does not come back before
 * that message was received.  It is sent by another thread: at that moment the first is neither
 * queued nor known to wait. */

static _Atomic bool computes;           /* the next one is at it */
static _Atomic int received;            /* rounds in which the first has had its message */

static void computes_until_it_is_received(void *argument)
{
    (void)argument;
    for (;;) {
        int round = cop_expect(cop_receive(COP_INFINITY), ball)->number;
        int64_t until_ns = cop_now_ns() + LONG_MS / 20 * INT64_C(1000000);
        atomic_store(&computes, true);
        while (atomic_load(&received) < round && cop_now_ns() < until_ns) continue;
        if (atomic_load(&received) < round) atomic_fetch_add(&in_vain, 1);
    }
}

/* On a thread of its own. */
static void sends_when_it_computes(void *argument)
{
    while (!atomic_load(&computes)) continue;
    cop_send(*(const cop_pid *)argument, ball, 0);
}

static void helps(void *argument)
{
    cop_pid waiting = *(const cop_pid *)argument;
    cop_blocking(sends_when_it_computes, &waiting, sizeof waiting);
}

static void waits_before_one_that_computes(void *argument)
{
    (void)argument;
    cop_pid next = cop_spawn(computes_until_it_is_received, NULL, 0), self = cop_self();
    for (int round = 1; round <= 5; round++) {
        atomic_store(&computes, false);
        cop_spawn(helps, &self, sizeof self);
        cop_yield();                                  /* it is on the other thread */
        cop_send(next, ball, .number = round);
        expect_that(cop_receive_type(ball, LONG_MS) != NULL);
        atomic_store(&received, round);
    }
}

START_TEST(one_that_was_left_is_found_though_the_next_one_takes_long)
{
    ck_assert_int_eq(run_node_threads(waits_before_one_that_computes, NULL, 1), 0);
    ck_assert_int_eq(atomic_load(&received), 5);
    ck_assert_int_eq(atomic_load(&in_vain), 0);
}
END_TEST

static Suite *deputies_suite(void)
{
    Suite *suite = suite_create("stress_deputies");
    TCase *deputies = tcase_create("deputies");
    tcase_add_loop_test(deputies, whoever_stands_in_for_whom_nothing_is_lost_or_done_twice, 0, 3);
    tcase_add_test(deputies, one_that_was_chosen_runs_though_the_end_before_it_takes_long);
    tcase_add_test(deputies, one_that_was_left_is_found_though_the_next_one_takes_long);
    suite_add_tcase(suite, deputies);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(deputies_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
