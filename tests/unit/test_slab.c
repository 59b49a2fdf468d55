/* test_slab.c - blocks of the slab: sizes, reuse, the way between threads, and giving back. */
#include <check.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/poison.h"
#include "base/random.h"
#include "base/slab.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

static const size_t class_sizes[COPI_SLAB_CLASSES] = {
    32, 48, 64, 96, 128, 192, 256, 384, 512, 1024
};

static struct slab_cache *cache;

static void set_up(void)
{
    copi_slab_init();
    cache = copi_slab_cache_new();
    ck_assert_ptr_nonnull(cache);
}

static void tear_down(void)
{
    copi_slab_cache_free(cache);
    copi_slab_deinit();
}

START_TEST(every_size_gets_the_smallest_class_that_holds_it)
{
    for (size_t size = 0; size <= COPI_SLAB_MAX; size++) {
        uint8_t class = 99;
        void *block = copi_slab_take(cache, size, &class);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % 16, 0);
        ck_assert_uint_lt(class, COPI_SLAB_CLASSES);
        ck_assert_uint_eq(copi_slab_class_size(class), class_sizes[class]);
        ck_assert_uint_ge(class_sizes[class], size);
        ck_assert(class == 0 || class_sizes[class - 1] < size);
        memset(block, 0xff, size);
        copi_slab_give(cache, block, class);
    }
}
END_TEST

START_TEST(a_size_above_all_classes_comes_from_malloc)
{
    uint8_t class = 99;
    char *block = copi_slab_take(cache, COPI_SLAB_MAX + 1, &class);
    ck_assert_uint_eq(class, COPI_SLAB_LARGE);
    ck_assert_uint_eq(copi_slab_class_size(class), 0);
    memset(block, 1, COPI_SLAB_MAX + 1);
    copi_slab_give(cache, block, class);
    block = copi_slab_take(NULL, 1 << 20, &class);
    ck_assert_uint_eq(class, COPI_SLAB_LARGE);
    memset(block, 1, 1 << 20);
    copi_slab_give(NULL, block, class);
}
END_TEST

/* One block in use: filled with its own byte, so that an overlap with another one shows. */
struct held {
    unsigned char *block;
    size_t size;
    unsigned char fill;
    uint8_t class;
};

static void hold(struct held *held, struct slab_cache *from, size_t size, unsigned char fill)
{
    held->block = copi_slab_take(from, size, &held->class);
    ck_assert_ptr_nonnull(held->block);
    held->size = size;
    held->fill = fill;
    memset(held->block, fill, size);
}

static void check_held(const struct held *held)
{
    for (size_t i = 0; i < held->size; i++)
        if (held->block[i] != held->fill)
            ck_abort_msg("byte %zu of a block of %zu was overwritten", i, held->size);
}

static void let_go(struct held *held, struct slab_cache *to)
{
    check_held(held);
    copi_slab_give(to, held->block, held->class);
    held->block = NULL;
}

/* Two caches and the depot itself, in any order: a block may be given back anywhere. */
START_TEST(a_random_history_never_hands_out_a_block_in_use)
{
    enum { SLOTS = 3000, STEPS = 100000 };
    static struct held slots[SLOTS];
    struct slab_cache *other = copi_slab_cache_new();
    struct slab_cache *const places[] = { cache, other, NULL };
    struct random random;
    copi_random_seed(&random, 1);
    for (int step = 0; step < STEPS; step++) {
        struct held *held = &slots[copi_random_below(&random, SLOTS)];
        struct slab_cache *place = places[copi_random_below(&random, 3)];
        if (held->block)
            let_go(held, place);
        else
            hold(held, place, 1 + copi_random_below(&random, 1200), (unsigned char)step);
    }
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].block)
            let_go(&slots[i], cache);
    copi_slab_cache_free(other);
}
END_TEST

/* A thousand blocks are taken from one cache and given to another: over and over they are the
 * same ones, where each cache for itself would need new ones each time. */
START_TEST(blocks_given_to_another_cache_come_back_through_the_depot)
{
    enum { BLOCKS = 1000, ROUNDS = 50 };
    static void *blocks[BLOCKS], *low, *high;
    struct slab_cache *other = copi_slab_cache_new();
    uint8_t class;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = copi_slab_take(cache, 64, &class);
            low = !low || blocks[i] < low ? blocks[i] : low;
            high = blocks[i] > high ? blocks[i] : high;
            if (i % 100 == 99)
                for (int j = i - 99; j <= i; j++)
                    copi_slab_give(other, blocks[j], class);
        }
    /* 100 in use and two magazines and a bit in each cache; 64 KiB of the first region. */
    ck_assert_uint_lt((uintptr_t)high - (uintptr_t)low, 64 * 1024);
    copi_slab_cache_free(other);
}
END_TEST

START_TEST(the_last_block_given_is_the_first_taken)
{
    uint8_t class;
    void *first = copi_slab_take(cache, 100, &class);
    void *second = copi_slab_take(cache, 100, &class);
    copi_slab_give(cache, first, class);
    copi_slab_give(cache, second, class);
    ck_assert_ptr_eq(copi_slab_take(cache, 100, &class), second);
    ck_assert_ptr_eq(copi_slab_take(cache, 100, &class), first);
    copi_slab_give(cache, first, class);
    copi_slab_give(cache, second, class);
}
END_TEST

/* The block is one of them, once. */
static void strike_out(void *blocks[], int count, void *block)
{
    int i = 0;
    while (i < count && blocks[i] != block) i++;
    ck_assert_int_lt(i, count);
    blocks[i] = NULL;
}

START_TEST(a_cache_that_ends_leaves_its_blocks_to_others)
{
    enum { BLOCKS = 64 };
    void *blocks[BLOCKS], *again[BLOCKS];
    uint8_t class;
    struct slab_cache *other = copi_slab_cache_new();
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = copi_slab_take(other, 32, &class);
    for (int i = 0; i < BLOCKS; i++)
        copi_slab_give(other, blocks[i], class);
    copi_slab_cache_free(other);
    for (int i = 0; i < BLOCKS; i++)
        again[i] = copi_slab_take(NULL, 32, &class);
    for (int i = 0; i < BLOCKS; i++) {
        strike_out(blocks, BLOCKS, again[i]);
        copi_slab_give(NULL, again[i], class);
    }
}
END_TEST

#if defined(__GLIBC__) && !defined(COPI_POISONING) && !defined(UNDER_TSAN)
static size_t bytes_of_malloc(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Malloc's count includes some kilobytes of freed blocks that it keeps for the thread, and what
 * the test program itself takes.  A cache has 256 bytes and a region 64 KiB: lost in each of
 * 500 rounds, even the cache would come to twice the bound. */
START_TEST(the_end_gives_all_memory_back)
{
    enum { BLOCKS = 1000, ROUNDS = 500, BOUND = 64 * 1024 };
    static void *blocks[BLOCKS];
    uint8_t class;
    tear_down();
    size_t before = bytes_of_malloc();
    for (int round = 0; round < ROUNDS; round++) {
        set_up();
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = copi_slab_take(cache, 200, &class);
        ck_assert_uint_gt(bytes_of_malloc(), before + BLOCKS * 200);
        for (int i = 0; i < BLOCKS; i++)
            copi_slab_give(cache, blocks[i], class);
        tear_down();
    }
    ck_assert_uint_lt(bytes_of_malloc(), before + BOUND);
    set_up();
}
END_TEST

START_TEST(without_memory_take_fails_and_what_is_given_can_be_taken_again)
{
    enum { BLOCKS = 100000 };
    static void *blocks[BLOCKS];
    struct rlimit none = { 0, 0 };
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    uint8_t class = 99;
    int count = 0;
    while (count < BLOCKS && (blocks[count] = copi_slab_take(cache, 1000, &class)))
        count++;
    ck_assert_msg(count < BLOCKS, "memory did not end: nothing was tested");
    uint8_t untouched = 99;
    ck_assert_ptr_null(copi_slab_take(cache, 1000, &untouched));
    ck_assert_ptr_null(copi_slab_take(NULL, 1000, &untouched));
    ck_assert_ptr_null(copi_slab_take(cache, 1 << 26, &untouched));
    ck_assert_uint_eq(untouched, 99);
    void *spare[16];
    int spares = 0;
    for (; spares < 16 && (spare[spares] = malloc(4096)); spares++)
        ;                                   /* the rest of the heap: no cache fits either */
    for (int i = 0; i < count; i++)
        copi_slab_give(cache, blocks[i], class);
    for (int i = 0; i < count; i++) {
        blocks[i] = copi_slab_take(cache, 1000, &class);
        ck_assert_ptr_nonnull(blocks[i]);
    }
    for (int i = 0; i < count; i++)
        copi_slab_give(NULL, blocks[i], class);
    while (spares > 0)
        free(spare[--spares]);
}
END_TEST
#endif

#ifdef COPI_POISONING
START_TEST(bytes_that_are_nobodys_are_poisoned)
{
    uint8_t class;
    char *block = copi_slab_take(cache, 70, &class);
    ck_assert_int_eq(__asan_address_is_poisoned(block), 0);
    ck_assert_int_eq(__asan_address_is_poisoned(block + 69), 0);
    ck_assert_int_ne(__asan_address_is_poisoned(block + 70), 0);
    ck_assert_int_ne(__asan_address_is_poisoned(block + 95), 0);
    copi_slab_give(cache, block, class);
    for (size_t i = 0; i < class_sizes[class]; i++)
        ck_assert_int_ne(__asan_address_is_poisoned(block + i), 0);
}
END_TEST
#endif

START_TEST(blocks_taken_before_init_or_after_deinit_are_mallocs)
{
    uint8_t before_class = 99, after_class = 99;
    tear_down();
    char *before = copi_slab_take(NULL, 100, &before_class);
    ck_assert_ptr_nonnull(before);
    ck_assert_uint_eq(before_class, COPI_SLAB_LARGE);
    memset(before, 1, 100);
    set_up();
    copi_slab_give(cache, before, before_class);
    char *between = copi_slab_take(cache, 100, &after_class);
    ck_assert_uint_lt(after_class, COPI_SLAB_CLASSES);
    copi_slab_give(cache, between, after_class);
    tear_down();
    char *after = copi_slab_take(NULL, 100, &after_class);
    ck_assert_uint_eq(after_class, COPI_SLAB_LARGE);
    copi_slab_give(NULL, after, after_class);
    set_up();
}
END_TEST

START_TEST(an_end_with_a_cache_left_ends_the_node)
{
    copi_slab_deinit();
}
END_TEST

/* ---- threads ------------------------------------------------------------------------- */

/* A queue of messages from one thread to another, as a mailbox would be. */
enum { QUEUE = 500, MESSAGES = 60000 };

struct message {
    uint64_t number;
    size_t size;
    uint8_t class;
    unsigned char payload[];
};

struct pipe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct message *messages[QUEUE];
    size_t first, count;
    uint64_t seed;
};

static void send(struct pipe *pipe, struct message *message)
{
    pthread_mutex_lock(&pipe->lock);
    while (pipe->count == QUEUE)
        pthread_cond_wait(&pipe->changed, &pipe->lock);
    pipe->messages[(pipe->first + pipe->count++) % QUEUE] = message;
    pthread_cond_broadcast(&pipe->changed);
    pthread_mutex_unlock(&pipe->lock);
}

static struct message *receive(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    while (pipe->count == 0)
        pthread_cond_wait(&pipe->changed, &pipe->lock);
    struct message *message = pipe->messages[pipe->first];
    pipe->first = (pipe->first + 1) % QUEUE;
    pipe->count--;
    pthread_cond_broadcast(&pipe->changed);
    pthread_mutex_unlock(&pipe->lock);
    return message;
}

static void *produce(void *argument)
{
    struct pipe *pipe = argument;
    struct slab_cache *own = copi_slab_cache_new();
    struct random random;
    copi_random_seed(&random, pipe->seed);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        size_t size = copi_random_below(&random, 200);
        uint8_t class;
        struct message *message = copi_slab_take(own, sizeof *message + size, &class);
        *message = (struct message){ .number = i, .size = size, .class = class };
        memset(message->payload, (int)(i & 0xff), size);
        send(pipe, message);
    }
    copi_slab_cache_free(own);
    return NULL;
}

static void *consume(void *argument)
{
    struct pipe *pipe = argument;
    struct slab_cache *own = copi_slab_cache_new();
    intptr_t wrong = 0;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct message *message = receive(pipe);
        wrong += message->number != i;
        for (size_t j = 0; j < message->size; j++)
            wrong += message->payload[j] != (i & 0xff);
        copi_slab_give(i % 1000 == 0 ? NULL : own, message, message->class);
    }
    copi_slab_cache_free(own);
    return (void *)wrong;
}

START_TEST(messages_made_on_one_thread_and_freed_on_another_stay_whole)
{
    static struct pipe pipes[2];
    pthread_t producers[2], consumers[2];
    for (int i = 0; i < 2; i++) {
        pipes[i].seed = (uint64_t)i;
        pthread_mutex_init(&pipes[i].lock, NULL);
        pthread_cond_init(&pipes[i].changed, NULL);
        ck_assert_int_eq(pthread_create(&producers[i], NULL, produce, &pipes[i]), 0);
        ck_assert_int_eq(pthread_create(&consumers[i], NULL, consume, &pipes[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        void *wrong;
        ck_assert_int_eq(pthread_join(producers[i], NULL), 0);
        ck_assert_int_eq(pthread_join(consumers[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slab");
    TCase *tests = tcase_create("slab");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, every_size_gets_the_smallest_class_that_holds_it);
    tcase_add_test(tests, a_size_above_all_classes_comes_from_malloc);
    tcase_add_test(tests, a_random_history_never_hands_out_a_block_in_use);
    tcase_add_test(tests, blocks_given_to_another_cache_come_back_through_the_depot);
    tcase_add_test(tests, the_last_block_given_is_the_first_taken);
    tcase_add_test(tests, a_cache_that_ends_leaves_its_blocks_to_others);
#if defined(__GLIBC__) && !defined(COPI_POISONING) && !defined(UNDER_TSAN)
    tcase_add_test(tests, the_end_gives_all_memory_back);
    tcase_add_test(tests, without_memory_take_fails_and_what_is_given_can_be_taken_again);
#endif
#ifdef COPI_POISONING
    tcase_add_test(tests, bytes_that_are_nobodys_are_poisoned);
#endif
    tcase_add_test(tests, blocks_taken_before_init_or_after_deinit_are_mallocs);
    tcase_add_test_raise_signal(tests, an_end_with_a_cache_left_ends_the_node, SIGABRT);
    tcase_add_test(tests, messages_made_on_one_thread_and_freed_on_another_stay_whole);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
