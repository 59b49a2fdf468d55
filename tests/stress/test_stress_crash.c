/* test_stress_crash.c - crashes of all kinds among busy neighbours, on several scheduler threads:
 * each is reported as what it is, and the neighbours neither die nor miscount. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(ball, { uint64_t n; });
COP_MESSAGE(opponent, { cop_pid pid; });
COP_MESSAGE(done, COP_EMPTY);
COP_MESSAGE(stop, COP_EMPTY);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CRASHERS = 4, CRASHES = 60 };
#else
enum { CRASHERS = 8, CRASHES = 1500 };
#endif
enum { NEIGHBOURS = 24, MEMORY = 4000 };

/* ---- the neighbours: each plays with a partner and keeps its memory in order --------- */

struct neighbour {
    cop_pid partner;
    uint64_t rallies;
    uint32_t *memory;
};

static void use_memory(struct neighbour *neighbour)
{
    uint32_t n = (uint32_t)neighbour->rallies;
    for (uint32_t i = 0; i < MEMORY / sizeof n; i++) {
        expect_that(neighbour->memory[i] == n);
        neighbour->memory[i]++;
    }
    neighbour->rallies++;
    cop_free(cop_alloc(n % 5000));
}

static void neighbour_gets(void *state, cop_message *message)
{
    struct neighbour *neighbour = state;
    if (cop_is(message, stop)) {
        cop_send(cop_parent(), done);
        cop_exit(COP_NORMAL);
    }
    if (cop_is(message, opponent)) {
        neighbour->partner = cop_get(message, opponent)->pid;
        return;
    }
    expect_that(cop_expect(message, ball)->n == neighbour->rallies);
    use_memory(neighbour);
    if (neighbour->rallies % 50 == 0)
        cop_yield();                     /* now and then it holds a stack for a while */
    cop_send(neighbour->partner, ball, .n = neighbour->rallies - 1);
}

/* The partner that serves: what it gets back is what it sent. */
static void serves_balls(void *argument)
{
    const cop_pid *partner = argument;
    struct neighbour self = { .partner = *partner, .memory = cop_alloc(MEMORY) };
    for (;;) {
        cop_send(self.partner, ball, .n = self.rallies);
        const cop_message *message = cop_receive(COP_INFINITY);
        if (cop_is(message, stop))
            break;
        expect_that(cop_expect(message, ball)->n == self.rallies);
        use_memory(&self);
    }
    cop_send(cop_parent(), done);
}

static void is_neighbour(void *argument)
{
    (void)argument;
    struct neighbour *neighbour = cop_alloc(sizeof *neighbour);
    neighbour->memory = cop_alloc(MEMORY);
    cop_become(neighbour_gets, neighbour);
}

/* ---- the crashers -------------------------------------------------------------------- */

static void count_down(void *argument)
{
    _Atomic int *owned = argument;
    (*owned)--;
}

struct crash_order {
    const struct way *way;
    _Atomic int *owned;
    uint64_t place;
};

static void crashes_in_handler(void *state, cop_message *message)
{
    (void)message;
    ((struct crash_order *)state)->way->crash();
}

/* Right away, after it has blocked, in a handler, or with a deferred action. */
static void crashes(void *argument)
{
    struct crash_order *order = argument;
    (*order->owned)++;
    cop_defer(count_down, order->owned);
    memset(cop_alloc(500), 1, 500);
    switch (order->place % 4) {
    case 0: break;
    case 1: cop_yield(); break;
    case 2: cop_sleep(1); break;
    default:
        cop_send(cop_self(), stop);
        cop_become(crashes_in_handler, order);
    }
    order->way->crash();
}

static void makes_crash(void *argument)
{
    (void)argument;
    static _Atomic int owned[CRASHERS];
    static _Atomic int crashers;
    _Atomic int *mine = &owned[crashers++ % CRASHERS];
    for (int i = 0; i < CRASHES; i++) {
        struct crash_order order = { &ways[cop_random_below(WAYS)], mine, cop_random() };
        cop_ref ref;
        cop_spawn_monitor(crashes, &order, sizeof order, &ref);
        cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
        const cop_down_message *down = cop_expect(message, cop_down_message);
        ck_assert_str_eq(reason_text(down->reason), order.way->reason);
        ck_assert_int_eq(cop_reason_crash(down->reason)->signal, order.way->signal);
        ck_assert_int_eq(*mine, 0);      /* what was deferred is done before anybody hears */
        cop_message_free(message);
    }
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    cop_send(cop_parent(), done);
}

/* ---- the story ----------------------------------------------------------------------- */

static void wait_for(int count)
{
    for (int i = 0; i < count; i++) ck_assert(cop_receive_type(done, COP_INFINITY) != NULL);
}

static void crashes_among_neighbours(void *argument)
{
    (void)argument;
    cop_pid neighbours[NEIGHBOURS];
    for (int i = 0; i < NEIGHBOURS; i += 2) {
        neighbours[i] = cop_spawn_link(is_neighbour, NULL, 0);
        neighbours[i + 1] = cop_spawn_link(serves_balls, &neighbours[i], sizeof *neighbours);
        cop_send(neighbours[i], opponent, .pid = neighbours[i + 1]);
    }
    for (int i = 0; i < CRASHERS; i++) cop_spawn_link(makes_crash, NULL, 0);
    wait_for(CRASHERS);
    for (int i = 0; i < NEIGHBOURS; i++) ck_assert(cop_is_alive(neighbours[i]));
    for (int i = NEIGHBOURS - 1; i >= 0; i--) {
        cop_send(neighbours[i], stop);
        wait_for(1);
    }
}

START_TEST(crashes_are_told_as_what_they_are_and_no_neighbour_notices)
{
    static const int threads[] = { 1, 2, 4 };
    ck_assert_int_eq(run_node_threads(crashes_among_neighbours, NULL, threads[_i]), 0);
}
END_TEST

/* A node that ends while crashes go on ends all the same. */
static void crashes_for_ever(void *argument)
{
    static _Atomic int owned;
    for (;;) {
        struct crash_order order = { &ways[cop_random_below(WAYS)], &owned, cop_random() };
        cop_spawn(crashes, &order, sizeof order);
        if (argument != NULL)
            cop_sleep(1);
        else
            cop_yield();
    }
}

static void leaves_in_the_middle(void *argument)
{
    (void)argument;
    for (int i = 0; i < CRASHERS; i++)
        cop_spawn(crashes_for_ever, i % 2 == 0 ? NULL : "slowly", 0);
    cop_sleep(20);
}

START_TEST(a_node_ends_in_the_middle_of_crashes)
{
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(run_node_threads(leaves_in_the_middle, NULL, 1 + i % 3), 0);
}
END_TEST

static Suite *crash_suite(void)
{
    Suite *suite = suite_create("stress_crash");
    TCase *tests = tcase_create("stress_crash");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, crashes_are_told_as_what_they_are_and_no_neighbour_notices, 0, 3);
    tcase_add_test(tests, a_node_ends_in_the_middle_of_crashes);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(crash_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
