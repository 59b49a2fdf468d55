/* test_hostile.c - what the hostile build promises (base/hostile.h): without it the other tests
 * would pass there for nothing. */
#include <coppice/coppice.h>

#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/slab.h"
#include "platform/sanitizer.h"
#include "watch.h"

/* ---- memory ---------------------------------------------------------------------------- */

#ifndef COPI_ASAN                        /* which reports the write itself */
START_TEST(a_block_that_is_written_to_while_it_is_free_ends_the_node)
{
    uint8_t class;
    copi_slab_init();
    struct slab_cache *cache = copi_slab_cache_new();
    char *volatile block = copi_slab_take(cache, 100, &class);
    copi_slab_give(cache, block, class);
    block[50] = 1;
    copi_slab_take(cache, 100, &class);
}
END_TEST

START_TEST(a_block_of_an_arena_that_is_written_to_while_it_is_free_ends_the_node)
{
    struct arena *arena = NULL;
    copi_slab_init();
    struct slab_cache *cache = copi_slab_cache_new();
    char *volatile block = copi_arena_alloc(&arena, cache, 24);
    copi_arena_alloc(&arena, cache, 24);          /* so that the first is not the last */
    copi_arena_free(arena, block);
    block[20] = 1;
    copi_arena_alloc(&arena, cache, 24);
}
END_TEST
#endif

START_TEST(a_block_that_is_taken_is_full_of_nothing)
{
    uint8_t class;
    copi_slab_init();
    struct slab_cache *cache = copi_slab_cache_new();
    for (int i = 0; i < 3; i++) {
        unsigned char *block = copi_slab_take(cache, 100, &class);
        for (int at = 0; at < 100; at++) ck_assert_uint_eq(block[at], COPI_NEW);
        copi_slab_give(cache, block, class);
    }
    copi_slab_cache_free(cache);
    copi_slab_deinit();
}
END_TEST

static void reallocates(void *argument)
{
    (void)argument;
    char *block = cop_alloc(100);
    block[10] = 'x';
    char *moved = cop_realloc(block, 99);
    expect_that(moved != block && moved[10] == 'x');
}

START_TEST(a_block_that_is_resized_moves)
{
    ck_assert_int_eq(cop_run(reallocates, NULL, &(cop_run_options){ .schedulers = 1 }), 0);
}
END_TEST

/* ---- turns ----------------------------------------------------------------------------- */

enum { TRIES = 100 };

static _Atomic int turns;

COP_MESSAGE(stop, COP_EMPTY);

static void takes_turns(void *argument)
{
    (void)argument;
    while (cop_take(&(cop_match){ .type = COP_TYPE(stop) }, 0) == NULL) {
        turns++;
        cop_yield();
    }
}

/* On one thread, so that the other one runs only while this one does not. */
static void sends(void *argument)
{
    int *given = argument;
    cop_pid other = cop_spawn(takes_turns, NULL, 0);
    for (int i = 0; i < TRIES; i++) {
        int before = turns;
        cop_send(cop_self(), stop);
        *given += turns != before;
    }
    cop_send(other, stop);
}

START_TEST(who_sends_gives_the_others_a_turn_now_and_then)
{
    int given = 0;
    ck_assert_int_eq(cop_run(sends, &given, &(cop_run_options){ .schedulers = 1 }), 0);
    ck_assert_int_gt(given, 0);
    ck_assert_int_lt(given, TRIES);      /* and not always, so that both orders come up */
}
END_TEST

static void notes(void *argument)
{
    int (*order)[TRIES] = *(void **)argument;
    (*order)[turns++] = (int)cop_self().bits;
}

static void spawns(void *argument)
{
    for (int i = 0; i < TRIES; i++) cop_spawn(notes, &argument, sizeof argument);
    while (turns < TRIES) cop_yield();
}

START_TEST(processes_run_in_any_order)
{
    int order[TRIES] = { 0 }, younger_first = 0;
    turns = 0;
    ck_assert_int_eq(cop_run(spawns, &order, &(cop_run_options){ .schedulers = 1 }), 0);
    for (int i = 1; i < TRIES; i++) younger_first += order[i] < order[i - 1];
    ck_assert_int_gt(younger_first, 0);
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

int main(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tests = tcase_create("hostile");
#ifndef COPI_ASAN
    tcase_add_test_raise_signal(tests, a_block_that_is_written_to_while_it_is_free_ends_the_node,
                                SIGABRT);
    tcase_add_test_raise_signal(
        tests, a_block_of_an_arena_that_is_written_to_while_it_is_free_ends_the_node, SIGABRT);
#endif
    tcase_add_test(tests, a_block_that_is_taken_is_full_of_nothing);
    tcase_add_test(tests, a_block_that_is_resized_moves);
    tcase_add_test(tests, who_sends_gives_the_others_a_turn_now_and_then);
    tcase_add_test(tests, processes_run_in_any_order);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
