/* test_arena.c - a process's memory: zeroed, apart, reused, and gone at a stroke. */
#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/poison.h"
#include "base/random.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

static struct slab_cache *cache;
static struct arena *arena;

static void set_up(void)
{
    copi_slab_init();
    cache = copi_slab_cache_new();
    ck_assert_ptr_nonnull(cache);
}

/* Under AddressSanitizer the slab's end also finds out a chunk that was not given back. */
static void tear_down(void)
{
    copi_arena_destroy(&arena, cache);
    ck_assert_ptr_null(arena);
    copi_slab_cache_free(cache);
    copi_slab_deinit();
}

static void *alloc(size_t size)
{
    unsigned char *block = copi_arena_alloc(&arena, cache, size);
    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq((uintptr_t)block % 16, 0);
    for (size_t i = 0; i < size; i++)
        if (block[i] != 0)
            ck_abort_msg("byte %zu of a new block of %zu is not zero", i, size);
    return block;
}

START_TEST(an_arena_without_blocks_has_no_memory)
{
    ck_assert_ptr_null(arena);
    ck_assert_uint_eq(copi_arena_used(arena), 0);
    copi_arena_free(arena, NULL);
    copi_arena_destroy(&arena, cache);
    ck_assert_ptr_null(arena);
}
END_TEST

/* What an idle server costs: with the last block given first out, the block of that class that
 * the slab hands out after the arena's end is the arena's first chunk. */
START_TEST(one_small_block_costs_one_small_block_of_the_slab)
{
    static const struct { size_t block, chunk; } cases[] = {
        { 0, 96 }, { 8, 96 }, { 40, 96 }, { 48, 96 }, { 49, 128 }, { 80, 128 }, { 81, 192 },
        { 100, 192 }, { 144, 192 }, { 145, 256 }, { 208, 256 }, { 209, 384 }, { 300, 384 },
        { 850, 1024 }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        alloc(cases[i].block);
        struct arena *place = arena;
        copi_arena_destroy(&arena, cache);
        uint8_t class;
        void *block = copi_slab_take(cache, cases[i].chunk, &class);
        ck_assert_msg(block == place, "a block of %zu is not in a chunk of %zu", cases[i].block,
                      cases[i].chunk);
        copi_slab_give(cache, block, class);
    }
}
END_TEST

START_TEST(used_counts_the_bytes_that_were_asked_for)
{
    void *small = alloc(10);
    ck_assert_uint_eq(copi_arena_used(arena), 10);
    void *large = alloc(100000);
    ck_assert_uint_eq(copi_arena_used(arena), 100010);
    small = copi_arena_realloc(&arena, cache, small, 15);
    ck_assert_uint_eq(copi_arena_used(arena), 100015);
    large = copi_arena_realloc(&arena, cache, large, 200000);
    ck_assert_uint_eq(copi_arena_used(arena), 200015);
    large = copi_arena_realloc(&arena, cache, large, 5);
    ck_assert_uint_eq(copi_arena_used(arena), 20);
    copi_arena_free(arena, small);
    copi_arena_free(arena, large);
    ck_assert_uint_eq(copi_arena_used(arena), 0);
}
END_TEST

START_TEST(realloc_keeps_the_bytes_and_zeroes_those_beyond)
{
    unsigned char *block = copi_arena_realloc(&arena, cache, NULL, 1);
    size_t old_size = 1;
    static const size_t sizes[] = { 8, 9, 24, 3, 40, 2040, 2041, 9000, 70000, 2041, 2040, 1, 500 };
    memset(block, 0xff, old_size);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        alloc(30);                            /* so that blocks do not end at the cursor */
        block = copi_arena_realloc(&arena, cache, block, sizes[s]);
        ck_assert_ptr_nonnull(block);
        for (size_t i = 0; i < sizes[s]; i++)
            ck_assert_int_eq(block[i], i < old_size ? 0xff : 0);
        memset(block, 0xff, sizes[s]);
        old_size = sizes[s];
    }
}
END_TEST

/* One block in use: filled with its own byte, so that an overlap with another one shows. */
struct held {
    unsigned char *block;
    size_t size;
    unsigned char fill;
};

static void check_held(const struct held *held)
{
    for (size_t i = 0; i < held->size; i++)
        if (held->block[i] != held->fill)
            ck_abort_msg("byte %zu of a block of %zu was overwritten", i, held->size);
}

static size_t some_size(struct random *random)
{
    static const size_t limits[] = { 20, 100, 300, 2100, 20000 };
    return copi_random_below(random, limits[copi_random_below(random, 5)]);
}

static void step_held(struct held *held, struct random *random, unsigned char fill)
{
    if (!held->block) {
        held->size = some_size(random);
        held->block = alloc(held->size);
    } else {
        check_held(held);
        if (copi_random_below(random, 3) > 0) {
            copi_arena_free(arena, held->block);
            held->block = NULL;
            held->size = 0;
            return;
        }
        size_t kept = held->size;
        held->size = some_size(random);
        held->block = copi_arena_realloc(&arena, cache, held->block, held->size);
        ck_assert_ptr_nonnull(held->block);
        for (size_t i = 0; i < held->size; i++)
            if (held->block[i] != (i < kept ? held->fill : 0))
                ck_abort_msg("byte %zu is wrong after realloc from %zu to %zu", i, kept,
                             held->size);
    }
    held->fill = fill;
    memset(held->block, fill, held->size);
}

START_TEST(a_random_history_never_hands_out_bytes_in_use)
{
    enum { SLOTS = 200, STEPS = 4000 };
    static struct held slots[SLOTS];
    struct random random;
    copi_random_seed(&random, (uint64_t)_i);
    for (int step = 0; step < STEPS; step++) {
        step_held(&slots[copi_random_below(&random, SLOTS)], &random, (unsigned char)(step | 1));
        if (step % 1000 == 0) {
            size_t used = 0;
            for (int i = 0; i < SLOTS; i++)
                used += slots[i].size;
            ck_assert_uint_eq(copi_arena_used(arena), used);
        }
    }
    for (int i = 0; i < SLOTS; i += 2)        /* the others are freed by the arena's end */
        if (slots[i].block)
            check_held(&slots[i]);
}
END_TEST

START_TEST(a_block_freed_last_in_first_out_leaves_no_trace)
{
    alloc(40);
    void *first = alloc(8);
    copi_arena_free(arena, first);
    void *second = alloc(24);                 /* of another class, in the same place */
    ck_assert_ptr_eq(second, first);
}
END_TEST

/* The span of addresses is the measure: a process that frees what it takes must not grow. */
START_TEST(a_process_that_frees_what_it_takes_does_not_grow)
{
    enum { BLOCKS = 100, ROUNDS = 1000 };
    unsigned char *blocks[BLOCKS];
    uintptr_t places[4096] = { 0 };
    size_t count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < BLOCKS; i++)
            blocks[i] = alloc(1 + (i * 37) % 500);
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t p = 0;
            while (p < count && places[p] != (uintptr_t)blocks[i])
                p++;
            if (p == count) {
                ck_assert_msg(round < 10, "a new place in round %d", round);
                places[count++] = (uintptr_t)blocks[i];
            }
        }
        for (size_t i = 0; i < BLOCKS; i++)
            copi_arena_free(arena, blocks[(i * 7) % BLOCKS]);
    }
    ck_assert_uint_eq(copi_arena_used(arena), 0);
}
END_TEST

static bool among(const void *block, void *const *blocks, int count)
{
    for (int i = 0; i < count; i++)
        if (blocks[i] == block)
            return true;
    return false;
}

/* Freed while one list held all free blocks, found when there is one for each class. */
START_TEST(blocks_freed_in_a_small_arena_are_used_again_in_a_large_one)
{
    enum { FEW = 4 };
    void *freed[FEW];
    for (int i = 0; i < FEW; i++)
        freed[i] = alloc(50);
    alloc(50);                                /* so that none of them is the last */
    for (int i = 0; i < FEW; i++)
        copi_arena_free(arena, freed[i]);
    for (int i = 0; i < 20; i++)
        alloc(1000);
    for (int i = 0; i < FEW; i++)
        ck_assert(among(alloc(50), freed, FEW));
}
END_TEST

/* The first chunk has 96 bytes: 40 of its own, 32 for the first block, 24 left over for a block of
 * 8 bytes with its header when a larger one has had to go elsewhere. */
START_TEST(what_is_left_of_a_chunk_is_used_for_a_smaller_block)
{
    char *first = alloc(20);
    char *elsewhere = alloc(150);
    ck_assert(elsewhere < first || elsewhere >= first + 96);
    ck_assert_ptr_eq(alloc(8), first + 32);
}
END_TEST

/* It has 48 bytes at 48, up to the chunk's end; freed, its place is one of 40. */
START_TEST(the_first_block_may_have_all_of_its_chunk)
{
    static const size_t smaller[] = { 40, 41, 1 };
    for (size_t size = 41; size <= 48; size++) {
        for (size_t i = 0; i < 3; i++) {
            struct held first = { alloc(size), size, 0xf1 };
            memset(first.block, first.fill, size);
            struct held second = { alloc(30), 30, 0xf2 };
            memset(second.block, second.fill, 30);
            check_held(&first);
            unsigned char *moved = copi_arena_realloc(&arena, cache, first.block, smaller[i]);
            for (size_t j = 0; j < smaller[i] && j < size; j++)
                ck_assert_uint_eq(moved[j], 0xf1);
            memset(moved, 0xf3, smaller[i]);
            copi_arena_free(arena, moved);
            ck_assert_uint_eq(copi_arena_used(arena), 30);
            memset(alloc(40), 0xf4, 40);
            check_held(&second);
            copi_arena_destroy(&arena, cache);
        }
    }
}
END_TEST

/* Out of the list's middle, its end, its head.  One that was unlinked and not freed is a leak,
 * which AddressSanitizer reports; one that was freed and not unlinked is freed again at the end. */
START_TEST(a_large_block_is_given_back_when_it_is_freed)
{
    alloc(1);
    for (int round = 0; round < 10; round++) {
        char *first = alloc(3000), *second = alloc(100000), *third = alloc(4000);
        ck_assert_uint_eq(copi_arena_used(arena), 107001);
        copi_arena_free(arena, second);
        copi_arena_free(arena, first);
        copi_arena_free(arena, third);
        ck_assert_uint_eq(copi_arena_used(arena), 1);
    }
    alloc(5000);
}
END_TEST

START_TEST(an_arena_knows_its_blocks_until_they_are_freed)
{
    struct arena *other = NULL;
    char *small = alloc(64), *large = alloc(5000);
    char *foreign = copi_arena_alloc(&other, cache, 64);
    ck_assert(copi_arena_has(arena, small) && copi_arena_has(arena, large));
    ck_assert(copi_arena_has(other, foreign));
    ck_assert(!copi_arena_has(arena, foreign) && !copi_arena_has(other, small));
    ck_assert(!copi_arena_has(arena, small + 16) && !copi_arena_has(arena, small + 8));
    ck_assert(!copi_arena_has(NULL, small));
    copi_arena_free(arena, small);
    ck_assert(!copi_arena_has(arena, small));
    copi_arena_destroy(&other, cache);
}
END_TEST

START_TEST(a_size_that_no_machine_has_is_refused_and_nothing_changes)
{
    ck_assert_ptr_null(copi_arena_alloc(&arena, cache, SIZE_MAX));
    ck_assert_ptr_null(copi_arena_alloc(&arena, cache, SIZE_MAX - 40));
    char *block = alloc(10);
    block[9] = 'x';
    ck_assert_ptr_null(copi_arena_realloc(&arena, cache, block, SIZE_MAX - 7));
    ck_assert_int_eq(block[9], 'x');
    ck_assert_uint_eq(copi_arena_used(arena), 10);
}
END_TEST

#if !defined(COPI_POISONING) && !defined(UNDER_TSAN)
START_TEST(without_memory_alloc_and_realloc_fail_and_the_arena_stays_whole)
{
    static const size_t sizes[] = { 3000, 1500, 100 };
    struct rlimit none = { 0, 0 };
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    unsigned char *last = NULL;
    for (size_t s = 0; s < 3; s++) {
        unsigned char *block;
        int count = 0;
        while (count < 100000 && (block = copi_arena_alloc(&arena, cache, sizes[s]))) {
            memset(block, 0xff, sizes[s]);
            last = block;
            count++;
        }
        ck_assert_msg(count < 100000, "memory did not end: nothing was tested");
    }
    ck_assert_ptr_nonnull(last);
    size_t used = copi_arena_used(arena);
    ck_assert_ptr_null(copi_arena_realloc(&arena, cache, last, 5000));
    ck_assert_uint_eq(copi_arena_used(arena), used);
    ck_assert_int_eq(last[0], 0xff);
    copi_arena_free(arena, last);
    last = copi_arena_alloc(&arena, cache, sizes[2]);
    ck_assert_ptr_nonnull(last);

    struct arena *second = NULL;              /* nor is there one for a new arena of this size */
    while (copi_arena_alloc(&second, cache, 900))
        ;
    copi_arena_destroy(&second, cache);
    ck_assert_ptr_null(second);
}
END_TEST
#endif

#ifdef COPI_POISONING
START_TEST(bytes_that_are_nobodys_are_poisoned)
{
    alloc(8);
    char *block = alloc(21);
    char *next = alloc(8);
    ck_assert_int_ne(__asan_address_is_poisoned(block - 1), 0);
    ck_assert_int_eq(__asan_address_is_poisoned(block), 0);
    ck_assert_int_eq(__asan_address_is_poisoned(block + 20), 0);
    ck_assert_int_ne(__asan_address_is_poisoned(block + 21), 0);
    ck_assert_int_ne(__asan_address_is_poisoned(next - 1), 0);
    ck_assert_ptr_eq(copi_arena_realloc(&arena, cache, block, 3), block);
    ck_assert_int_ne(__asan_address_is_poisoned(block + 3), 0);
    copi_arena_free(arena, block);
    ck_assert_int_ne(__asan_address_is_poisoned(block), 0);
    copi_arena_free(arena, next);
    ck_assert_int_ne(__asan_address_is_poisoned(next), 0);
    copi_arena_destroy(&arena, cache);
    ck_assert_int_ne(__asan_address_is_poisoned(block), 0);
}
END_TEST
#endif

/* ---- mistakes, each of which ends the node --------------------------------------------- */

START_TEST(a_block_freed_twice_ends_the_node)
{
    void *block = alloc(32);
    alloc(32);
    copi_arena_free(arena, block);
    copi_arena_free(arena, block);
}
END_TEST

START_TEST(the_newest_block_freed_twice_ends_the_node)
{
    void *block = alloc(32);
    copi_arena_free(arena, block);
    copi_arena_free(arena, block);
}
END_TEST

START_TEST(a_block_of_another_arena_ends_the_node)
{
    struct arena *other = NULL;
    void *block = copi_arena_alloc(&other, cache, 32);
    alloc(32);
    copi_arena_free(arena, block);
    copi_arena_destroy(&other, cache);        /* or the slab's end would abort for it */
}
END_TEST

START_TEST(an_address_inside_a_block_ends_the_node)
{
    char *block = alloc(64);
    copi_arena_free(arena, block + 16);
}
END_TEST

/* As the runtime's own handler, it does not return. */
static void leave(int number)
{
    (void)number;
    _exit(EXIT_SUCCESS);
}

START_TEST(the_node_ends_even_where_sigabrt_is_handled)
{
    signal(SIGABRT, leave);
    char *block = alloc(64);
    copi_arena_realloc(&arena, cache, block + 32, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *tests = tcase_create("arena");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, an_arena_without_blocks_has_no_memory);
    tcase_add_test(tests, one_small_block_costs_one_small_block_of_the_slab);
    tcase_add_test(tests, used_counts_the_bytes_that_were_asked_for);
    tcase_add_test(tests, realloc_keeps_the_bytes_and_zeroes_those_beyond);
    tcase_add_loop_test(tests, a_random_history_never_hands_out_bytes_in_use, 1, 6);
    tcase_add_test(tests, a_block_freed_last_in_first_out_leaves_no_trace);
    tcase_add_test(tests, a_process_that_frees_what_it_takes_does_not_grow);
    tcase_add_test(tests, blocks_freed_in_a_small_arena_are_used_again_in_a_large_one);
    tcase_add_test(tests, what_is_left_of_a_chunk_is_used_for_a_smaller_block);
    tcase_add_test(tests, the_first_block_may_have_all_of_its_chunk);
    tcase_add_test(tests, a_large_block_is_given_back_when_it_is_freed);
    tcase_add_test(tests, an_arena_knows_its_blocks_until_they_are_freed);
    tcase_add_test(tests, a_size_that_no_machine_has_is_refused_and_nothing_changes);
#if !defined(COPI_POISONING) && !defined(UNDER_TSAN)
    tcase_add_test(tests, without_memory_alloc_and_realloc_fail_and_the_arena_stays_whole);
#endif
#ifdef COPI_POISONING
    tcase_add_test(tests, bytes_that_are_nobodys_are_poisoned);
#endif
    tcase_add_test_raise_signal(tests, a_block_freed_twice_ends_the_node, SIGABRT);
    tcase_add_test_raise_signal(tests, the_newest_block_freed_twice_ends_the_node, SIGABRT);
    tcase_add_test_raise_signal(tests, a_block_of_another_arena_ends_the_node, SIGABRT);
    tcase_add_test_raise_signal(tests, an_address_inside_a_block_ends_the_node, SIGABRT);
    tcase_add_test_raise_signal(tests, the_node_ends_even_where_sigabrt_is_handled, SIGABRT);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
