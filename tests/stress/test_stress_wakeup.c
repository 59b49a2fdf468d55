/* test_stress_wakeup.c - no wake-up is lost: on real threads with the real clock, whatever wakes
 * a process and however short it waits.  A lost one shows as a test that never ends. */
#include <coppice/coppice.h>

#include <pthread.h>
#include <stdlib.h>

#include "node.h"
#include "watch.h"

COP_MESSAGE(ball, { int n; });
COP_MESSAGE(opponent, { cop_pid pid; });
COP_MESSAGE(numbered, { int sender; int n; });
COP_MESSAGE(done, COP_EMPTY);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SCALE = 1 };
#else
enum { SCALE = 10 };
#endif

/* Each test runs on one scheduler thread, on as many as there are processors here, and on more. */
static const int threads[] = { 1, 2, 5 };
enum { THREADS = sizeof threads / sizeof *threads };

static void wait_for(int count)
{
    for (int i = 0; i < count; i++) ck_assert(cop_receive_type(done, COP_INFINITY) != NULL);
}

/* ---- ping-pong ------------------------------------------------------------------------
 *
 * Players with a stack of their own and players without one, in all pairings. */

enum { PAIRS = 12, RALLY = 1000 * SCALE };

static void hit(cop_pid other, int n)
{
    cop_send(other, ball, .n = n + 1);
    if (n + 1 >= RALLY) {
        cop_send(cop_parent(), done);
        cop_exit(COP_NORMAL);
    }
}

static void plays_on_a_stack(void *argument)
{
    (void)argument;
    cop_pid other = cop_receive_type(opponent, COP_INFINITY)->pid;
    for (int n = -1;;) {
        int next = cop_receive_type(ball, COP_INFINITY)->n;
        expect_that(n == -1 || next == n + 2);
        hit(other, n = next);
    }
}

struct player {
    cop_pid other;
    int n;
};

static void player_gets(void *state, cop_message *message)
{
    struct player *player = state;
    if (cop_is(message, opponent)) {
        player->other = cop_get(message, opponent)->pid;
        return;
    }
    int next = cop_expect(message, ball)->n;
    expect_that(player->n == -1 || next == player->n + 2);
    hit(player->other, player->n = next);
}

static void plays_without_a_stack(void *argument)
{
    (void)argument;
    struct player *player = cop_alloc(sizeof *player);
    player->n = -1;
    cop_become(player_gets, player);
}

static void holds_a_tournament(void *argument)
{
    (void)argument;
    cop_function *const kinds[] = { plays_on_a_stack, plays_without_a_stack };
    for (int i = 0; i < PAIRS; i++) {
        cop_pid left = cop_spawn_link(kinds[i % 2], NULL, 0);
        cop_pid right = cop_spawn_link(kinds[i / 2 % 2], NULL, 0);
        cop_send(left, opponent, .pid = right);
        cop_send(right, opponent, .pid = left);
        cop_send(left, ball, .n = 0);
    }
    wait_for(2 * PAIRS - PAIRS);     /* the one who hits last in each pair */
}

START_TEST(each_ball_is_hit_back)
{
    ck_assert_int_eq(run_node_threads(holds_a_tournament, NULL, threads[_i]), 0);
}
END_TEST

/* ---- a ring: one message under way, everybody else parked ---------------------------- */

enum { RING = 50, LAPS = 20 * SCALE };

static void passes_on(void *argument)
{
    const cop_pid *next = argument;
    for (int lap = 0; lap < LAPS; lap++)
        cop_send(*next, ball, .n = cop_receive_type(ball, COP_INFINITY)->n + 1);
}

static void sends_around(void *argument)
{
    (void)argument;
    cop_pid next = cop_self();
    for (int i = 0; i < RING; i++) next = cop_spawn_link(passes_on, &next, sizeof next);
    for (int lap = 0; lap < LAPS; lap++) {
        cop_send(next, ball, .n = 0);
        ck_assert_int_eq(cop_receive_type(ball, COP_INFINITY)->n, RING);
    }
}

START_TEST(a_message_goes_round_a_ring_of_parked_processes)
{
    ck_assert_int_eq(run_node_threads(sends_around, NULL, threads[_i]), 0);
}
END_TEST

/* ---- many to one --------------------------------------------------------------------- */

enum { SENDERS = 20, EACH = 500 * SCALE };

struct send_to {
    cop_pid to;
    int sender;
};

static void sends_numbers(void *argument)
{
    const struct send_to *order = argument;
    for (int n = 0; n < EACH; n++) {
        cop_send(order->to, numbered, .sender = order->sender, .n = n);
        if (n % 64 == order->sender)
            cop_yield();
    }
}

/* Receives them all; those of one sender come in order. */
static void collect(int senders)
{
    int next[SENDERS] = { 0 };
    for (int i = 0; i < senders * EACH; i++) {
        const numbered *number = cop_receive_type(numbered, COP_INFINITY);
        expect_that(number->n == next[number->sender]++);
    }
}

static void collects(void *argument)
{
    (void)argument;
    for (int i = 0; i < SENDERS; i++) {
        struct send_to order = { cop_self(), i };
        cop_spawn_link(sends_numbers, &order, sizeof order);
    }
    collect(SENDERS);
}

START_TEST(messages_of_many_senders_all_arrive_each_ones_in_order)
{
    ck_assert_int_eq(run_node_threads(collects, NULL, threads[_i]), 0);
}
END_TEST

/* ---- threads of the program's own ---------------------------------------------------- */

enum { OUTSIDERS = 4 };

static void *sends_from_outside(void *argument)
{
    const struct send_to *order = argument;
    for (int n = 0; n < EACH; n++) {
        cop_send(order->to, numbered, .sender = order->sender, .n = n);
        if (n % 100 == 0)
            sched_yield();
    }
    return NULL;
}

static void collects_from_outside(void *argument)
{
    (void)argument;
    pthread_t outsiders[OUTSIDERS];
    struct send_to orders[OUTSIDERS];
    for (int i = 0; i < OUTSIDERS; i++) {
        orders[i] = (struct send_to){ cop_self(), i };
        ck_assert_int_eq(pthread_create(&outsiders[i], NULL, sends_from_outside, &orders[i]), 0);
    }
    collect(OUTSIDERS);
    for (int i = 0; i < OUTSIDERS; i++) pthread_join(outsiders[i], NULL);
}

START_TEST(messages_from_threads_outside_all_arrive)
{
    ck_assert_int_eq(run_node_threads(collects_from_outside, NULL, threads[_i]), 0);
}
END_TEST

/* ---- timeouts against messages --------------------------------------------------------
 *
 * A receiver waits 0 or 1 ms or looks for another type first; each message comes exactly once. */

enum { RACERS = 8, RACE = 200 * SCALE };

static void sends_at_intervals(void *argument)
{
    const struct send_to *order = argument;
    for (int n = 0; n < RACE; n++) {
        cop_send(order->to, numbered, .sender = order->sender, .n = n);
        if (cop_random_below(4) == 0)
            cop_sleep((int64_t)cop_random_below(2));
        else if (cop_random_below(2) == 0)
            cop_yield();
    }
}

static void receives_with_timeouts(void *argument)
{
    (void)argument;
    struct send_to order = { cop_self(), 0 };
    cop_spawn_link(sends_at_intervals, &order, sizeof order);
    for (int n = 0; n < RACE;) {
        if (cop_random_below(8) == 0)
            expect_that(cop_receive_type(ball, 0) == NULL);
        const numbered *number = cop_receive_type(numbered, (int64_t)cop_random_below(2));
        if (number != NULL)
            expect_that(number->n == n++);
    }
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    cop_send(cop_parent(), done);
}

static void server_with_timeouts(void *state, cop_message *message)
{
    int *n = state;
    if (message != NULL)
        expect_that(cop_expect(message, numbered)->n == (*n)++);
    if (*n == RACE) {
        cop_send(cop_parent(), done);
        cop_exit(COP_NORMAL);
    }
    cop_become_timeout((int64_t)cop_random_below(2));
}

static void serves_with_timeouts(void *argument)
{
    (void)argument;
    struct send_to order = { cop_self(), 0 };
    cop_spawn_link(sends_at_intervals, &order, sizeof order);
    cop_become(server_with_timeouts, cop_alloc(sizeof(int)));
}

static void starts_races(void *argument)
{
    (void)argument;
    for (int i = 0; i < RACERS; i++)
        cop_spawn_link(i % 2 == 0 ? receives_with_timeouts : serves_with_timeouts, NULL, 0);
    wait_for(RACERS);
}

START_TEST(a_message_that_races_with_a_timeout_is_received_once)
{
    ck_assert_int_eq(run_node_threads(starts_races, NULL, threads[_i]), 0);
}
END_TEST

/* ---- ends ---------------------------------------------------------------------------- */

enum { PARENTS = 6, CHILDREN = 300 * SCALE };

static void ends(void *argument)
{
    (void)argument;
}

static void awaits_ends(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    for (int i = 0; i < CHILDREN; i++) {
        cop_ref ref;
        cop_pid child = cop_spawn_opt(ends, NULL, 0,
                                      &(cop_spawn_options){ .monitor = true, .ret_ref = &ref,
                                                            .link = i % 2 == 0 });
        if (i % 3 == 0)
            cop_monitor(child);
        if (i % 2 == 0)
            cop_message_free(cop_take(&(cop_match){ .type = COP_TYPE(cop_exit_message),
                                                    .from = child }, COP_INFINITY));
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
        if (i % 3 == 0)
            expect_that(cop_receive_type(cop_down_message, COP_INFINITY) != NULL);
        expect_that(!cop_is_alive(child));
    }
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    cop_send(cop_parent(), done);
}

static void starts_parents(void *argument)
{
    (void)argument;
    for (int i = 0; i < PARENTS; i++) cop_spawn_link(awaits_ends, NULL, 0);
    wait_for(PARENTS);
}

START_TEST(every_end_is_heard)
{
    ck_assert_int_eq(run_node_threads(starts_parents, NULL, threads[_i]), 0);
}
END_TEST

static Suite *wakeup_suite(void)
{
    Suite *suite = suite_create("stress_wakeup");
    TCase *tests = tcase_create("stress_wakeup");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, each_ball_is_hit_back, 0, THREADS);
    tcase_add_loop_test(tests, a_message_goes_round_a_ring_of_parked_processes, 0, THREADS);
    tcase_add_loop_test(tests, messages_of_many_senders_all_arrive_each_ones_in_order, 0, THREADS);
    tcase_add_loop_test(tests, messages_from_threads_outside_all_arrive, 0, THREADS);
    tcase_add_loop_test(tests, a_message_that_races_with_a_timeout_is_received_once, 0, THREADS);
    tcase_add_loop_test(tests, every_end_is_heard, 0, THREADS);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(wakeup_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
