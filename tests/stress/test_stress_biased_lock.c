/* test_stress_biased_lock.c - a biased lock's owner and three others hammer it: one at a time is
 * in, and what one wrote the next one reads; with membarrier, and without.
 *
 * It fails, for it was tried, when copi_biased_lock does not wait for `busy`, and when owner_wait
 * goes in without the mutex.  A copi_fence_heavy that does nothing it did not find, the window is
 * that of a store buffer: tests/models/biased_lock.pml finds that. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "platform/sanitizer.h"
#include "runtime/biased_lock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(COPI_TSAN)
enum { ROUNDS = 5000 };
#else
enum { ROUNDS = 200000 };
#endif
enum { OTHERS = 3, WORDS = 16 };

static struct biased_lock lock;
static unsigned long counted[WORDS];        /* plain: the lock alone keeps them equal */
static _Atomic int others_left;
static _Atomic unsigned long owner_rounds;
static _Atomic int torn;

/* In the lock. */
static void count(void)
{
    for (int i = 1; i < WORDS; i++)
        if (counted[i] != counted[0])
            atomic_fetch_add(&torn, 1);
    for (int i = 0; i < WORDS; i++) counted[i]++;
}

/* Mostly when the owner has been in again, and so has its bias back. */
static void *others(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        copi_biased_lock(&lock);
        count();
        copi_biased_unlock(&lock);
        unsigned long before = atomic_load(&owner_rounds);
        for (int look = 0; i % 4 != 0 && look < 300 && atomic_load(&owner_rounds) == before;)
            look++;
    }
    atomic_fetch_sub(&others_left, 1);
    return NULL;
}

static void hammer(void)
{
    pthread_t threads[OTHERS];
    unsigned long sum = OTHERS * ROUNDS;
    copi_biased_init(&lock);
    atomic_store(&others_left, OTHERS);
    for (int i = 0; i < OTHERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, others, NULL), 0);
    while (atomic_load(&others_left) > 0) {
        copi_biased_owner_lock(&lock);
        count();
        copi_biased_owner_unlock(&lock);
        atomic_fetch_add_explicit(&owner_rounds, 1, memory_order_relaxed);
        sum++;
    }
    for (int i = 0; i < OTHERS; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&torn), 0);
    for (int i = 0; i < WORDS; i++) ck_assert_uint_eq(counted[i], sum);
    copi_biased_deinit(&lock);
}

START_TEST(one_at_a_time_is_in_where_the_others_pay_for_the_fence)
{
    copi_fence_init();
    hammer();
}
END_TEST

START_TEST(one_at_a_time_is_in_where_the_owner_must_pay_too)
{
    copi_fence_is_full = true;
    hammer();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stress_biased_lock");
    TCase *tests = tcase_create("stress_biased_lock");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, one_at_a_time_is_in_where_the_others_pay_for_the_fence);
    tcase_add_test(tests, one_at_a_time_is_in_where_the_owner_must_pay_too);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
