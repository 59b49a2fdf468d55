/* test_memory.c - what a process owns: its memory, and the actions deferred to its end. */
#include <coppice/coppice.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expect_story.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(go, COP_EMPTY);

/* ---- memory -------------------------------------------------------------------------- */

static bool is_all(const char *bytes, size_t size, char value)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static void allocates(void *argument)
{
    (void)argument;
    static const size_t sizes[] = { 0, 1, 15, 16, 100, 1000, 2040, 2041, 70000, 5000000 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    char *blocks[SIZES];
    size_t before = cop_memory_used(), sum = 0;
    for (int i = 0; i < SIZES; i++) {
        blocks[i] = cop_alloc(sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        ck_assert(is_all(blocks[i], sizes[i], 0));
        memset(blocks[i], 'a' + i, sizes[i]);
        sum += sizes[i];
        ck_assert_uint_eq(cop_memory_used() - before, sum);
    }
    for (int i = 0; i < SIZES; i++) ck_assert(is_all(blocks[i], sizes[i], (char)('a' + i)));
    for (int i = 0; i < SIZES; i += 2) {
        cop_free(blocks[i]);
        sum -= sizes[i];
    }
    cop_free(NULL);
    ck_assert_uint_eq(cop_memory_used() - before, sum);
    for (int i = 1; i < SIZES; i += 2) ck_assert(is_all(blocks[i], sizes[i], (char)('a' + i)));
}

START_TEST(blocks_are_zeroed_aligned_apart_and_counted)
{
    expect_story(allocates, "");
}
END_TEST

static void resizes(void *argument)
{
    (void)argument;
    size_t before = cop_memory_used(), old_size = 0;
    char *block = NULL;
    for (int i = 0; i < 300; i++) {
        size_t size = (size_t)cop_random_below(i % 30 == 0 ? 100000 : 3000);
        block = cop_realloc(block, size);
        size_t kept = size < old_size ? size : old_size;
        ck_assert(is_all(block, kept, 'x'));
        ck_assert(is_all(block + kept, size - kept, 0));
        memset(block, 'x', size);
        ck_assert_uint_eq(cop_memory_used() - before, size);
        old_size = size;
    }
    char text[] = "a text";
    char *copy = cop_strdup(text);
    memset(text, '?', sizeof text - 1);
    ck_assert_str_eq(copy, "a text");
}

START_TEST(a_resized_block_keeps_its_bytes_and_the_new_ones_are_zero)
{
    expect_story(resizes, "");
}
END_TEST

static void allocates_too_much(void *argument)
{
    (void)argument;
    cop_alloc(SIZE_MAX - 100);
    trace("there is that much");
}

static void frees_twice(void *argument)
{
    (void)argument;
    void *block = cop_alloc(100);
    cop_alloc(100);
    cop_free(block);
    cop_free(block);
}

static void frees_anothers(void *argument)
{
    cop_alloc(100);
    cop_free(argument);
}

static void resizes_anothers(void *argument)
{
    cop_realloc(argument, 200);
}

static void frees_inside(void *argument)
{
    (void)argument;
    cop_free((char *)cop_alloc(100) + 16);
}

#define NO_BLOCK ": no block of this process, or freed already\n"

static void uses_memory_badly(void *argument)
{
    (void)argument;
    void *mine = cop_alloc(100);
    trace_end_of("too much", allocates_too_much, NULL);
    trace_end_of("twice", frees_twice, NULL);
    trace_end_of("another's", frees_anothers, mine);
    trace_end_of("another's", resizes_anothers, mine);
    trace_end_of("inside", frees_inside, NULL);
    cop_free(mine);
}

START_TEST(what_cannot_be_allocated_or_freed_is_the_end_of_that_process_alone)
{
    expect_story(uses_memory_badly,
                 "too much down: enomem\n"
                 "twice down: error:badarg: cop_free" NO_BLOCK
                 "another's down: error:badarg: cop_free" NO_BLOCK
                 "another's down: error:badarg: cop_realloc" NO_BLOCK
                 "inside down: error:badarg: cop_free" NO_BLOCK);
}
END_TEST

/* ---- deferred actions ---------------------------------------------------------------- */

static void says(void *argument)
{
    trace("    %s", (const char *)argument);
}

static void ends_somehow(void *argument)
{
    const char *way = argument;
    cop_defer(says, "first deferred");
    cop_defer(says, "second deferred");
    cop_defer(says, "third deferred");
    if (strcmp(way, "returns") == 0)
        return;
    if (strcmp(way, "exits") == 0)
        cop_exit(cop_reason_atom("boom"));
    if (strcmp(way, "raises") == 0)
        cop_raise("oops");
    if (strcmp(way, "crashes") == 0)
        crash_null_write();
    if (strcmp(way, "kills itself") == 0)
        cop_exit_process(cop_self(), COP_KILL);
    cop_receive_type(go, COP_INFINITY);
}

static void ends_in_all_ways(void *argument)
{
    (void)argument;
    static const char *const all[] = { "returns", "exits", "raises", "crashes", "kills itself" };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        trace_end_of(all[i], ends_somehow, (void *)all[i]);
    cop_ref ref;
    cop_pid victim = cop_spawn_monitor(ends_somehow, "is killed", 0, &ref);
    settle();
    cop_exit_process(victim, COP_KILL);
    trace_down("is killed", ref);
    cop_spawn(ends_somehow, "ends with the node", 0);
    settle();
    trace("the node ends");
}

START_TEST(deferred_actions_run_newest_first_at_any_end_and_before_anybody_hears)
{
    expect_story(ends_in_all_ways,
                 "    third deferred\n    second deferred\n    first deferred\n"
                 "returns down: normal\n"
                 "    third deferred\n    second deferred\n    first deferred\n"
                 "exits down: boom\n"
                 "    third deferred\n    second deferred\n    first deferred\n"
                 "raises down: error:oops\n"
                 "    third deferred\n    second deferred\n    first deferred\n"
                 "crashes down: crash:SIGSEGV\n"
                 "    third deferred\n    second deferred\n    first deferred\n"
                 "kills itself down: killed\n"
                 "    third deferred\n    second deferred\n    first deferred\n"
                 "is killed down: killed\n"
                 "the node ends\n"
                 "    third deferred\n    second deferred\n    first deferred\n");
}
END_TEST

static void undefers(void *argument)
{
    (void)argument;
    cop_deferred *oldest = cop_defer(says, "oldest");
    cop_deferred *middle = cop_defer(says, "middle");
    cop_deferred *newest = cop_defer(says, "newest");
    cop_defer(says, "stays");
    cop_undefer(middle, false);
    trace("middle is off");
    cop_undefer(newest, true);
    trace("newest has run");
    cop_undefer(oldest, true);
    trace("oldest has run");
    cop_undefer(cop_defer(says, "at once"), true);
    cop_undefer(cop_defer(says, "never"), false);
}

static void undefers_twice(void *argument)
{
    (void)argument;
    cop_deferred *deferred = cop_defer(says, "once");
    cop_undefer(deferred, true);
    cop_undefer(deferred, true);
}

static void watches_undefers(void *argument)
{
    (void)argument;
    trace_end_of("it", undefers, NULL);
    trace_end_of("twice", undefers_twice, NULL);
}

START_TEST(an_action_that_was_taken_off_does_not_run_at_the_end)
{
    expect_story(watches_undefers,
                 "middle is off\n"
                 "    newest\n"
                 "newest has run\n"
                 "    oldest\n"
                 "oldest has run\n"
                 "    at once\n"
                 "    stays\n"
                 "it down: normal\n"
                 "    once\n"
                 "twice down: error:badarg: cop_undefer" NO_BLOCK);
}
END_TEST

/* ---- what an action may do ----------------------------------------------------------- */

static void raises(void *argument)
{
    trace("    raises");
    cop_raise("%s", (const char *)argument);
}

static void exits(void *argument)
{
    trace("    exits");
    cop_exit(cop_reason_atom(argument));
}

static void crashes(void *argument)
{
    (void)argument;
    trace("    crashes");
    crash_null_write();
}

static void fails_an_assertion(void *argument)
{
    (void)argument;
    trace("    fails");
    crash_assert();
}

static void waits(void *argument)
{
    (void)argument;
    trace("    waits");
    cop_receive(COP_INFINITY);
    trace("    has waited");
}

static void sleeps(void *argument)
{
    (void)argument;
    trace("    sleeps");
    cop_sleep(1);
    trace("    has slept");
}

static void yields(void *argument)
{
    (void)argument;
    trace("    yields");
    cop_yield();
    trace("    has yielded");
}

static void becomes(void *argument)
{
    (void)argument;
    trace("    becomes");
    cop_become((cop_handler *)NULL, NULL);
}

static void kills_itself(void *argument)
{
    (void)argument;
    trace("    kills itself");
    cop_exit_process(cop_self(), COP_KILL);
    trace("    in vain");
}

static void defers_more(void *argument)
{
    (void)argument;
    trace("    defers more");
    cop_defer(says, "deferred in the end");
}

static void misbehaves(void *argument)
{
    (void)argument;
    cop_send(cop_self(), go);
    cop_defer(says, "oldest");
    cop_defer(defers_more, NULL);
    cop_defer(raises, "in vain");
    cop_defer(exits, "in_vain");
    cop_defer(crashes, NULL);
    cop_defer(fails_an_assertion, NULL);
    cop_defer(waits, NULL);
    cop_defer(sleeps, NULL);
    cop_defer(becomes, NULL);
    cop_defer(yields, NULL);
    cop_defer(kills_itself, NULL);
    cop_exit(cop_reason_atom("done"));
}

static void watches_misbehaviour(void *argument)
{
    (void)argument;
    trace_end_of("it", misbehaves, NULL);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(an_action_that_fails_or_waits_ends_and_the_rest_runs)
{
    expect_story(watches_misbehaviour, "    kills itself\n"
                                       "    in vain\n"
                                       "    yields\n"
                                       "    has yielded\n"
                                       "    becomes\n"
                                       "    sleeps\n"
                                       "    waits\n"
                                       "    fails\n"
                                       "    crashes\n"
                                       "    exits\n"
                                       "    raises\n"
                                       "    defers more\n"
                                       "    deferred in the end\n"
                                       "    oldest\n"
                                       "it down: done\n");
}
END_TEST

static void is_linked(void *argument)
{
    (void)argument;
    cop_receive(COP_INFINITY);
}

/* Everything that a process may do in its last moment, and what it then owns goes too. */
static void does_everything(void *argument)
{
    (void)argument;
    ck_assert(cop_pid_equal(cop_whereis("dying"), cop_self()));
    memset(cop_alloc(10000), 1, 10000);
    cop_message *message = cop_new(go);
    ck_assert_ptr_nonnull(message);
    cop_send(cop_parent(), go);
    cop_send_after(cop_parent(), 1, go);             /* won't fire */
    cop_monitor(cop_parent());
    cop_alias(COP_ALIAS_EXPLICIT);
    cop_link(cop_spawn(is_linked, NULL, 0));
    cop_spawn_link(is_linked, NULL, 0);
    cop_trap_exit(true);
    cop_unregister("dying");
    ck_assert_int_eq(cop_register("dead"), COP_OK);
    trace("    did everything");
}

static void ends_busily(void *argument)
{
    (void)argument;
    cop_register("dying");
    cop_defer(does_everything, NULL);
    cop_exit(cop_reason_atom("busy"));
}

static void watches_a_busy_end(void *argument)
{
    (void)argument;
    trace_end_of("it", ends_busily, NULL);
    ck_assert(cop_pid_is_none(cop_whereis("dead")));
    cop_sleep(10);
    ck_assert_uint_eq(cop_mailbox_length(), 1);      /* what it sent */
    ck_assert_uint_eq(cop_process_count(), 1);       /* what it linked has ended with it */
}

START_TEST(an_action_may_use_the_runtime_and_what_it_gets_goes_with_the_process)
{
    expect_story(watches_a_busy_end, "    did everything\n"
                                     "it down: busy\n");
}
END_TEST

/* ---- descriptors --------------------------------------------------------------------- */

static void closes(void *argument)
{
    ck_assert_int_eq(close((int)(intptr_t)argument), 0);
}

static void opens_and_crashes(void *argument)
{
    int *ret_fd = argument;
    *ret_fd = open("/dev/null", O_RDONLY);
    ck_assert_int_ge(*ret_fd, 0);
    cop_defer(closes, (void *)(intptr_t)*ret_fd);
    crash_null_write();
}

static void watches_descriptors(void *argument)
{
    (void)argument;
    int fd = -1;
    trace_end_of("it", opens_and_crashes, &fd);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}

START_TEST(a_descriptor_is_closed_by_its_action_when_the_process_crashes)
{
    expect_story(watches_descriptors, "it down: crash:SIGSEGV\n");
}
END_TEST

static Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, blocks_are_zeroed_aligned_apart_and_counted);
    tcase_add_test(tests, a_resized_block_keeps_its_bytes_and_the_new_ones_are_zero);
    tcase_add_test(tests, what_cannot_be_allocated_or_freed_is_the_end_of_that_process_alone);
    tcase_add_test(tests, deferred_actions_run_newest_first_at_any_end_and_before_anybody_hears);
    tcase_add_test(tests, an_action_that_was_taken_off_does_not_run_at_the_end);
    tcase_add_test(tests, an_action_that_fails_or_waits_ends_and_the_rest_runs);
    tcase_add_test(tests, an_action_may_use_the_runtime_and_what_it_gets_goes_with_the_process);
    tcase_add_test(tests, a_descriptor_is_closed_by_its_action_when_the_process_crashes);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(memory_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
