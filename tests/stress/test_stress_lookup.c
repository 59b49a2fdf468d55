/* test_stress_lookup.c - texts come and go while three threads look them up without a lock: nobody
 * finds another text's value, misses what was there all the time, or finds what never was.
 *
 * It fails, for it was tried, when copi_lookup_try does not look at the version a second time. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"
#include "base/random.h"
#include "platform/sanitizer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(COPI_TSAN)
enum { WRITINGS = 5000 };
#else
enum { WRITINGS = 40000 };
#endif
enum { READERS = 3, TABLES = 5, STAY = 100, COME_AND_GO = 300, NEVER = 20 };
enum { TEXTS = STAY + COME_AND_GO + NEVER };

static char texts[TEXTS][24];
static struct lookup table;
static _Atomic bool over;
static _Atomic int wrong;
static _Atomic unsigned long settled, torn;

static uint64_t value_of(size_t i)
{
    return i + 1;
}

static void look(size_t i)
{
    struct lookup_text wanted = copi_lookup_text(texts[i], strlen(texts[i]));
    uint64_t value = 0;
    if (!copi_lookup_try(&table, &wanted, &value)) {
        atomic_fetch_add_explicit(&torn, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&settled, 1, memory_order_relaxed);
    bool there = i < STAY, may_be_there = i < STAY + COME_AND_GO;
    if (value == 0 ? there : !may_be_there || value != value_of(i)) atomic_fetch_add(&wrong, 1);
}

static void *looks(void *number)
{
    struct random random;
    copi_random_seed(&random, (uint64_t)(uintptr_t)number);
    while (!atomic_load(&over)) look((size_t)copi_random_below(&random, TEXTS));
    return NULL;
}

static struct lookup_node *insert(size_t i)
{
    struct lookup_text text = copi_lookup_text(texts[i], strlen(texts[i]));
    return copi_lookup_insert(&table, &text, value_of(i), NULL);
}

/* Those that stay are in before anybody looks, and what comes then makes the table grow. */
static void write_one_table(uint64_t seed)
{
    static struct lookup_node *nodes[TEXTS];
    pthread_t threads[READERS];
    struct random random;
    copi_random_seed(&random, seed);
    atomic_store(&over, false);
    for (size_t i = 0; i < STAY; i++) nodes[i] = insert(i);
    for (uintptr_t i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, looks, (void *)(i + 1)), 0);
    for (int n = 0; n < WRITINGS; n++) {
        size_t i = STAY + (size_t)copi_random_below(&random, COME_AND_GO);
        if (nodes[i] != NULL) {
            copi_lookup_remove(&table, nodes[i]);
            nodes[i] = NULL;
        } else {
            ck_assert_ptr_nonnull(nodes[i] = insert(i));
        }
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < TEXTS; i++) {
        if (nodes[i] != NULL) copi_lookup_remove(&table, nodes[i]);
        nodes[i] = NULL;
    }
    copi_lookup_deinit(&table);
}

START_TEST(who_looks_without_a_lock_finds_what_is_there_and_nothing_else)
{
    for (size_t i = 0; i < TEXTS; i++)
        snprintf(texts[i], sizeof texts[i], i % 3 == 0 ? "%zu" : "a longer text %zu", i);
    for (uint64_t seed = 1; seed <= TABLES; seed++) write_one_table(seed);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_uint_gt(atomic_load(&settled), 0);
    ck_assert_uint_gt(atomic_load(&torn), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stress_lookup");
    TCase *tests = tcase_create("stress_lookup");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, who_looks_without_a_lock_finds_what_is_there_and_nothing_else);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
