/* test_stress_shared_lock.c - readers and writers hammer a shared lock: nobody reads what is half
 * written, writers are alone, and threads that end give their words back.
 *
 * It fails, for it was tried, when copi_shared_take_bias does not wait for readers.  A reader that
 * says what it reads with a plain store it did not find, the window is that of a store buffer:
 * tests/models/shared_lock.pml finds that. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "behaviour/shared_lock.h"
#include "platform/platform.h"
#include "platform/sanitizer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(COPI_TSAN)
enum { ROUNDS = 500 };
#else
enum { ROUNDS = 4000 };
#endif
enum { READERS = 2, WRITERS = 2, WORDS = 8, GENERATIONS = 2 * SHARED_LOCK_THREADS };

static struct shared_lock lock, other;
static volatile unsigned long counted[WORDS];     /* plain: the lock alone keeps them equal */
static _Atomic bool over;
static _Atomic int torn;
static _Atomic unsigned long by_word, by_lock;

static void look(void)
{
    struct shared_reader *reader = copi_shared_read(&lock);
    unsigned long first = counted[0];
    for (int i = 1; i < WORDS; i++)
        if (counted[i] != first) atomic_fetch_add(&torn, 1);
    copi_shared_read_done(&lock, reader);
    atomic_fetch_add_explicit(reader != NULL ? &by_word : &by_lock, 1, memory_order_relaxed);
}

static void *reads(void *argument)
{
    while (!atomic_load(&over)) look();
    return argument;
}

/* Mostly when it has its bias back. */
static void *writes(void *argument)
{
    for (int n = 0; n < ROUNDS; n++) {
        for (int i = 0; n % 4 != 0 && i < 10000 && !atomic_load(&lock.biased); i++) copi_pause();
        copi_shared_write(&lock);
        for (int i = 0; i < WORDS; i++) counted[i] = counted[i] + 1;
        copi_shared_write_done(&lock);
    }
    return argument;
}

START_TEST(nobody_reads_what_is_half_written_and_writers_are_alone)
{
    pthread_t readers[READERS], writers[WRITERS];
    copi_shared_init(&lock);
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, reads, NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&writers[i], NULL, writes, NULL), 0);
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    ck_assert_int_eq(atomic_load(&torn), 0);
    for (int i = 0; i < WORDS; i++) ck_assert_uint_eq(counted[i], WRITERS * ROUNDS);
    ck_assert_uint_gt(atomic_load(&by_word), 0);
    ck_assert_uint_gt(atomic_load(&by_lock), 0);
}
END_TEST

/* ---- one thread ------------------------------------------------------------------------ */

static bool reads_by_its_word(struct shared_lock *of)
{
    struct shared_reader *reader = copi_shared_read(of);
    copi_shared_read_done(of, reader);
    return reader != NULL;
}

START_TEST(it_is_biased_after_some_readers_and_no_longer_after_a_writer)
{
    copi_shared_init(&lock);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < SHARED_LOCK_CALM; i++) ck_assert(!reads_by_its_word(&lock));
        for (int i = 0; i < SHARED_LOCK_CALM; i++) ck_assert(reads_by_its_word(&lock));
        copi_shared_write(&lock);
        copi_shared_write_done(&lock);
    }
}
END_TEST

START_TEST(who_reads_one_lock_reads_another_without_its_word)
{
    copi_shared_init(&lock);
    copi_shared_init(&other);
    for (int i = 0; i < SHARED_LOCK_CALM; i++)
        ck_assert(!reads_by_its_word(&lock) && !reads_by_its_word(&other));
    struct shared_reader *reader = copi_shared_read(&lock);
    ck_assert_ptr_nonnull(reader);
    ck_assert(!reads_by_its_word(&other));
    copi_shared_read_done(&lock, reader);
    ck_assert(reads_by_its_word(&other));
}
END_TEST

static void *finds_a_word(void *argument)
{
    return reads_by_its_word(&lock) ? argument : NULL;
}

START_TEST(threads_that_end_give_their_words_back)
{
    copi_shared_init(&lock);
    for (int i = 0; i < SHARED_LOCK_CALM; i++) reads_by_its_word(&lock);
    for (int i = 0; i < GENERATIONS; i++) {
        pthread_t thread;
        void *found;
        ck_assert_int_eq(pthread_create(&thread, NULL, finds_a_word, &lock), 0);
        ck_assert_int_eq(pthread_join(thread, &found), 0);
        ck_assert_ptr_nonnull(found);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stress_shared_lock");
    TCase *tests = tcase_create("stress_shared_lock");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, nobody_reads_what_is_half_written_and_writers_are_alone);
    tcase_add_test(tests, it_is_biased_after_some_readers_and_no_longer_after_a_writer);
    tcase_add_test(tests, who_reads_one_lock_reads_another_without_its_word);
    tcase_add_test(tests, threads_that_end_give_their_words_back);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
