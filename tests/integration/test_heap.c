/* test_heap.c - crashes in the middle of the C library: with a stream's lock held they are
 * contained, and the lock is given back; in the allocator they end the node, for its lists are
 * damaged. */
#include <coppice/coppice.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "node.h"
#include "platform/sanitizer.h"
#include "watch.h"

enum { LONG_MS = 60000 };

/* Out of the compiler's sight, which warns of what is wrong here. */
static char *volatile nowhere = (char *)8;
static void *volatile block;
static void (*volatile release)(void *) = free;

static void expect_end(cop_function *function, const char *reason)
{
    cop_ref ref;
    cop_spawn_options options = { .monitor = true, .ret_ref = &ref };
    cop_spawn_opt(function, NULL, 0, &options);
    cop_message *down = cop_take(&(cop_match){ .ref = ref }, LONG_MS);
    ck_assert(down != NULL);
    ck_assert_str_eq(reason_text(cop_expect(down, cop_down_message)->reason), reason);
    cop_message_free(down);
}

/* ---- streams
 * ----------------------------------------------------------------------------------- */

static void prints_a_wild_pointer(void *argument)
{
    (void)argument;
    fprintf(stdout, "%s", nowhere);
}

static void prints(void *argument)
{
    (void)argument;
    fputs("", stdout);
    fflush(stdout);
}

/* Whichever threads they run on: whoever prints next is not kept waiting. */
static void crash_and_print(void *argument)
{
    (void)argument;
    for (int i = 0; i < 100; i++) {
        expect_end(prints_a_wild_pointer, "crash:SIGSEGV");
        expect_end(prints, "normal");
        prints(NULL);
    }
}

START_TEST(a_crash_in_printf_leaves_no_stream_locked)
{
    ck_assert_int_eq(run_node_threads(crash_and_print, NULL, 2), 0);
}
END_TEST

/* ---- the allocator
 * ----------------------------------------------------------------------------- */

static void frees_a_wild_pointer(void *argument)
{
    (void)argument;
    release(nowhere);
}

static void frees_twice(void *argument)
{
    (void)argument;
    block = malloc(100000);
    void *behind = malloc(16);
    free(block);
    free(block);
    free(behind);
}

static void writes_behind_a_block(void *argument)
{
    (void)argument;
    char *behind = malloc(1000);
    do {                                  /* until one lies right behind the other */
        block = behind;
        behind = malloc(1000);
    } while (behind != (char *)block + 1008);
    for (int i = 1000; i < 1024; i++) ((volatile char *)block)[i] = 'x';
    free(behind);
}

/* A reason of the first process would come back from cop_run; that it does not is the test. */
START_TEST(a_wild_pointer_given_to_free_ends_the_node)
{
    run_node(frees_a_wild_pointer, NULL);
}
END_TEST

START_TEST(a_block_that_is_freed_twice_ends_the_node)
{
    run_node(frees_twice, NULL);
}
END_TEST

START_TEST(a_damaged_heap_ends_the_node)
{
    run_node(writes_behind_a_block, NULL);
}
END_TEST

static volatile int bottom = -1;

__attribute__((noinline)) static int allocates_without_end(int depth)
{
    block = malloc(16);
    free(block);
    return depth == bottom ? depth : allocates_without_end(depth + 1) + bottom;
}

static void recurses(void *argument)
{
    (void)argument;
    allocates_without_end(0);
}

static void overflows(void *argument)
{
    (void)argument;
    for (int i = 0; i < 100; i++) expect_end(recurses, "crash:stack_overflow");
}

START_TEST(a_recursion_that_allocates_overflows_before_it_is_in_the_allocator)
{
    ck_assert_int_eq(run_node(overflows, NULL), 0);
}
END_TEST

static void asks_for_aligned_memory(void *argument)
{
    (void)argument;
    void *aligned = NULL;
    ck_assert_int_eq(posix_memalign(&aligned, 3, 100), EINVAL);
    ck_assert_int_eq(posix_memalign(&aligned, 3 * sizeof(void *), 100), EINVAL);
    ck_assert_ptr_null(aligned);
    for (size_t alignment = sizeof(void *); alignment <= 4096; alignment *= 2) {
        ck_assert_int_eq(posix_memalign(&aligned, alignment, 100), 0);
        ck_assert_uint_eq((uintptr_t)aligned % alignment, 0);
        free(aligned);
    }
}

START_TEST(aligned_memory_is_aligned_and_a_wrong_alignment_is_refused)
{
    ck_assert_int_eq(run_node(asks_for_aligned_memory, NULL), 0);
}
END_TEST

/* ---- the suite
 * --------------------------------------------------------------------------------- */

static Suite *heap_suite(void)
{
    Suite *suite = suite_create("heap");
    TCase *tests = tcase_create("heap");
    tcase_add_test(tests, a_crash_in_printf_leaves_no_stream_locked);
#if !defined(COPI_ASAN) && !defined(COPI_TSAN)    /* these have allocators of their own */
    tcase_add_test(tests, aligned_memory_is_aligned_and_a_wrong_alignment_is_refused);
    tcase_add_test(tests, a_recursion_that_allocates_overflows_before_it_is_in_the_allocator);
    tcase_add_test_raise_signal(tests, a_wild_pointer_given_to_free_ends_the_node, SIGSEGV);
    tcase_add_test_raise_signal(tests, a_block_that_is_freed_twice_ends_the_node, SIGABRT);
    tcase_add_test_raise_signal(tests, a_damaged_heap_ends_the_node, SIGABRT);
#endif
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(heap_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
