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

static Suite *deputies_suite(void)
{
    Suite *suite = suite_create("stress_deputies");
    TCase *deputies = tcase_create("deputies");
    tcase_add_loop_test(deputies, whoever_stands_in_for_whom_nothing_is_lost_or_done_twice, 0, 3);
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
