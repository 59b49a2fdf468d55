/* test_stress_mutex.c - many processes, on several scheduler threads, lock one mutex while others
 * kill them: one is inside at a time, and whoever comes after one that died inside is told,
 * nobody else. */
#include <coppice/coppice.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "node.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(done, { int killed; });

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { VISITORS = 12, KILLERS = 2, KILLS = 300, MOMENTS = 300 };
#else
enum { VISITORS = 40, KILLERS = 4, KILLS = 1500, MOMENTS = 1000 };
#endif

/* What the mutex guards; plain memory, so that ThreadSanitizer watches, too. */
static struct {
    cop_mutex mutex;
    cop_pid inside;
    uint64_t half_done;           /* one has begun to change it */
    uint64_t visits, inherited;
} shop = { .mutex = COP_MUTEX_INIT };

/* Between lock's return and the first line here, and between the last and unlock, nothing waits:
 * so no kill takes effect there, and half_done says exactly whether the one before died inside. */
static void inside(int locked)
{
    expect_that(cop_pid_is_none(shop.inside));
    expect_that((locked == COP_INHERITED) == (shop.half_done != 0));
    shop.inherited += locked == COP_INHERITED;
    shop.half_done = 1;
    shop.inside = cop_self();
    shop.visits++;
    uint64_t dice = cop_random_below(100);
    if (dice < 30) cop_yield();
    if (dice < 4) cop_sleep(1);
    if (dice == 99) cop_raise("clumsy");
    if (dice == 98) crash_null_write();
    expect_that(cop_pid_equal(shop.inside, cop_self()));
    expect_that(cop_pid_equal(cop_mutex_owner(&shop.mutex), cop_self()));
    shop.inside = COP_NO_PID;
    shop.half_done = 0;
}

/* At the end, behind the lock in the order of release: nobody else is inside yet. */
static void leaves(void *argument)
{
    (void)argument;
    if (cop_pid_equal(cop_mutex_owner(&shop.mutex), cop_self())) shop.inside = COP_NO_PID;
}

static void visits(void *argument)
{
    (void)argument;
    static const int64_t times[] = { COP_INFINITY, COP_INFINITY, 0, 1, 2 };
    size_t memory = cop_memory_used();
    for (;;) {
        int locked = cop_mutex_lock(&shop.mutex, times[cop_random_below(5)]);
        if (locked >= 0) {
            cop_deferred *deferred = cop_defer(leaves, NULL);
            inside(locked);
            cop_undefer(deferred, false);
            expect_that(cop_mutex_unlock(&shop.mutex) == COP_OK);
        } else {
            expect_that(locked == COP_ETIMEOUT);
        }
        expect_that(cop_memory_used() == memory && cop_mailbox_length() == 0);
        if (cop_random_below(4) == 0) cop_yield();
    }
}

static void kills(void *argument)
{
    (void)argument;
    cop_pid victims[VISITORS / KILLERS];
    cop_ref refs[VISITORS / KILLERS];
    int killed = 0;
    for (int i = 0; i < VISITORS / KILLERS; i++)
        victims[i] = cop_spawn_monitor(visits, NULL, 0, &refs[i]);
    for (; killed < KILLS; killed++) {
        int i = (int)cop_random_below(VISITORS / KILLERS);
        if (cop_random_below(3) == 0) cop_sleep(1);
        cop_exit_process(victims[i], COP_KILL);
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
        expect_that(!cop_pid_equal(cop_mutex_owner(&shop.mutex), victims[i]));
        victims[i] = cop_spawn_monitor(visits, NULL, 0, &refs[i]);
    }
    cop_send(cop_parent(), done, .killed = killed);
}

static void opens_the_shop(void *argument)
{
    (void)argument;
    int killed = 0;
    for (int i = 0; i < KILLERS; i++) cop_spawn(kills, NULL, 0);
    for (int i = 0; i < KILLERS; i++) killed += cop_receive_type(done, COP_INFINITY)->killed;
    ck_assert_int_eq(killed, KILLERS * KILLS);
}

START_TEST(one_is_inside_at_a_time_and_each_death_inside_is_told_to_exactly_one)
{
    static const int threads[] = { 1, 2, 4 };
    ck_assert_int_eq(run_node_threads(opens_the_shop, NULL, threads[_i]), 0);
    ck_assert(cop_pid_is_none(cop_mutex_owner(&shop.mutex)));
    ck_assert_uint_gt(shop.visits, KILLS);
    ck_assert_uint_gt(shop.inherited, 0);
}
END_TEST

/* ---- in the last moment ---------------------------------------------------------------- */

static struct {
    cop_mutex mutex;
    _Atomic int64_t until_ns;          /* the waiter's deadline; 0: it does not wait */
    uint64_t had, timed_out;
} late = { .mutex = COP_MUTEX_INIT };

static void keeps_busy(void *argument)
{
    (void)argument;
    for (;;) cop_yield();
}

static void waits_one_ms(void *argument)
{
    (void)argument;
    for (int i = 0; i < MOMENTS; i++) {
        while (cop_pid_is_none(cop_mutex_owner(&late.mutex))) cop_yield();
        atomic_store(&late.until_ns, cop_now_ns() + 1000000);
        int locked = cop_mutex_lock(&late.mutex, 1);
        expect_that(locked == COP_OK || locked == COP_ETIMEOUT);
        expect_that(cop_mailbox_length() == 0);
        *(locked == COP_OK ? &late.had : &late.timed_out) += 1;
        if (locked == COP_OK) cop_mutex_unlock(&late.mutex);
        while (atomic_load(&late.until_ns) != 0) cop_yield();
        expect_that(cop_mailbox_length() == 0);
    }
    cop_send(cop_parent(), done, .killed = 0);
}

/* Unlocks as near to the deadline as it can. */
static void unlocks_late(void *argument)
{
    (void)argument;
    for (;;) {
        while (cop_mutex_lock(&late.mutex, 0) != COP_OK) cop_yield();
        while (atomic_load(&late.until_ns) == 0) cop_yield();
        int64_t moment = atomic_load(&late.until_ns) + (int64_t)cop_random_below(20000) - 5000;
        while (cop_now_ns() < moment) continue;
        cop_mutex_unlock(&late.mutex);
        while (!cop_pid_is_none(cop_mutex_owner(&late.mutex))) cop_yield();
        atomic_store(&late.until_ns, 0);
    }
}

static void meet_in_the_last_moment(void *argument)
{
    (void)argument;
    for (int i = 0; i < 3; i++) cop_spawn(keeps_busy, NULL, 0);
    cop_spawn(waits_one_ms, NULL, 0);
    cop_spawn(unlocks_late, NULL, 0);
    cop_receive_type(done, COP_INFINITY);
}

START_TEST(a_mutex_that_comes_in_the_last_moment_leaves_no_message_behind)
{
    ck_assert_int_eq(run_node_threads(meet_in_the_last_moment, NULL, 2), 0);
    ck_assert_uint_eq(late.had + late.timed_out, MOMENTS);
}
END_TEST

static Suite *mutex_suite(void)
{
    Suite *suite = suite_create("stress_mutex");
    TCase *tests = tcase_create("stress_mutex");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, one_is_inside_at_a_time_and_each_death_inside_is_told_to_exactly_one,
                        0, 3);
    tcase_add_test(tests, a_mutex_that_comes_in_the_last_moment_leaves_no_message_behind);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(mutex_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
