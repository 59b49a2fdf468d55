/* test_own.c - descriptors and streams that a process owns, and those on their way to another. */
#include <coppice/coppice.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "node.h"
#include "runtime/poller.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

/* schedulers 0: deterministic. */
static void expect_story_on(int schedulers, cop_function *function, const char *expected)
{
    trace_reset();
    ck_assert_int_eq(schedulers == 0 ? run_node(function, NULL)
                                     : run_node_threads(function, NULL, schedulers), 0);
    trace_expect(expected);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int fds[3];

static void is_it_open(void *argument)
{
    (void)argument;
    trace("    %d %d %d", is_open(fds[0]), is_open(fds[1]), is_open(fds[2]));
}

static void owns(void *argument)
{
    const char *way = argument;
    cop_trap_exit(true);
    cop_defer(is_it_open, NULL);
    for (int i = 0; i < 3; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        cop_own_fd(fds[i]);
        cop_defer(is_it_open, NULL);
    }
    if (strcmp(way, "returns") == 0) return;
    if (strcmp(way, "raises") == 0) cop_raise("oops");
    if (strcmp(way, "crashes") == 0) crash_null_write();
    if (strcmp(way, "kills itself") == 0) cop_exit_process(cop_self(), COP_KILL);
    cop_wait_fd(fds[1], COP_READABLE, COP_INFINITY, NULL);
}

#define ONE_BY_ONE "    1 1 1\n    1 1 0\n    1 0 0\n    0 0 0\n"

static void owns_in_all_ways(void *argument)
{
    (void)argument;
    static const char *const all[] = { "returns", "raises", "crashes", "kills itself" };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        trace_end_of(all[i], owns, (void *)all[i]);
    cop_ref ref;
    cop_pid victim = cop_spawn_monitor(owns, "is killed", 0, &ref);
    while (copi_poller_waiters() != 1) cop_yield();
    cop_exit_process(victim, COP_KILL);
    trace_down("is killed", ref);
}

START_TEST(owned_descriptors_are_closed_newest_first_at_any_end_and_before_anybody_hears)
{
    expect_story_on(_i, owns_in_all_ways, ONE_BY_ONE "returns down: normal\n"
                                          ONE_BY_ONE "raises down: error:oops\n"
                                          ONE_BY_ONE "crashes down: crash:SIGSEGV\n"
                                          ONE_BY_ONE "kills itself down: killed\n"
                                          ONE_BY_ONE "is killed down: killed\n");
}
END_TEST

static char *text;
static size_t text_size;

static void owns_streams(void *argument)
{
    (void)argument;
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    FILE *memory = open_memstream(&text, &text_size), *end = fdopen(ends[1], "w");
    fds[0] = ends[0];
    fds[1] = ends[1];
    cop_own_file(memory);
    cop_own_file(end);
    fputs("written to memory", memory);
    fputs("written to a pipe", end);
    crash_null_write();
}

static void watches_streams(void *argument)
{
    (void)argument;
    char bytes[100] = "";
    trace_end_of("owner", owns_streams, NULL);
    ck_assert_int_eq(cop_read(fds[0], bytes, sizeof bytes - 1, 0), 17);
    ck_assert(!is_open(fds[1]));
    trace("%s, %s", text, bytes);
    free(text);
    close(fds[0]);
}

START_TEST(owned_streams_are_written_out_and_closed)
{
    expect_story_on(_i, watches_streams, "owner down: crash:SIGSEGV\n"
                                         "written to memory, written to a pipe\n");
}
END_TEST

static void gives_up_and_closes(void *argument)
{
    (void)argument;
    int closed = eventfd(0, 0), kept = eventfd(0, 0);
    cop_deferred *first = cop_own_fd(closed), *second = cop_own_fd(kept);
    cop_undefer(first, true);
    cop_undefer(second, false);
    trace("%d %d", is_open(closed), is_open(kept));
    fds[0] = kept;
}

static void watches_what_was_given_up(void *argument)
{
    (void)argument;
    trace_end_of("owner", gives_up_and_closes, NULL);
    trace("%d", is_open(fds[0]));
    close(fds[0]);
}

START_TEST(what_is_owned_can_be_closed_before_or_given_up)
{
    expect_story_on(_i, watches_what_was_given_up, "0 1\n"
                                                   "owner down: normal\n"
                                                   "1\n");
}
END_TEST

/* The record of what it owns is memory, too. */
static void owns_with_no_memory_left(void *argument)
{
    (void)argument;
    cop_alloc(100);
    cop_limit_memory(100);
    fds[0] = eventfd(0, 0);
    cop_own_fd(fds[0]);
    trace("goes on");
}

static void watches_no_memory_left(void *argument)
{
    (void)argument;
    trace_end_of("owner", owns_with_no_memory_left, NULL);
    trace("%d", is_open(fds[0]));
}

START_TEST(what_cannot_be_owned_for_lack_of_memory_is_closed_at_once)
{
    expect_story_on(_i, watches_no_memory_left, "owner down: error:enomem: max_memory\n"
                                                "0\n");
}
END_TEST

COP_MESSAGE_WITH(connection, { int fd; }, cop_fd_drop);

static void takes_one(void *argument)
{
    (void)argument;
    cop_message *message = cop_take(&(cop_match){ .type = COP_TYPE(connection) }, COP_INFINITY);
    connection *taken = cop_payload(message);
    fds[2] = taken->fd;
    cop_own_fd(taken->fd);
    taken->fd = -1;
    cop_message_free(message);
    trace("taken: %d", is_open(fds[2]));
}

static void hands_over(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_pid taker = cop_spawn_monitor(takes_one, NULL, 0, &ref);
    for (int i = 0; i < 2; i++) {
        fds[i] = eventfd(0, 0);
        cop_send(taker, connection, .fd = fds[i]);
    }
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    ck_assert_int_eq(fds[2], fds[0]);
    trace("%d %d", is_open(fds[0]), is_open(fds[1]));
    int late = eventfd(0, 0);
    cop_send(taker, connection, .fd = late);
    trace("%d", is_open(late));
}

START_TEST(a_descriptor_on_its_way_is_the_receivers_or_closed)
{
    expect_story_on(_i, hands_over, "taken: 1\n"
                                    "0 0\n"
                                    "0\n");
}
END_TEST

static Suite *own_suite(void)
{
    Suite *suite = suite_create("own");
    TCase *tests = tcase_create("own");
    tcase_add_loop_test(
        tests, owned_descriptors_are_closed_newest_first_at_any_end_and_before_anybody_hears, 0, 2);
    tcase_add_loop_test(tests, owned_streams_are_written_out_and_closed, 0, 2);
    tcase_add_loop_test(tests, what_is_owned_can_be_closed_before_or_given_up, 0, 2);
    tcase_add_loop_test(tests, what_cannot_be_owned_for_lack_of_memory_is_closed_at_once, 0, 2);
    tcase_add_loop_test(tests, a_descriptor_on_its_way_is_the_receivers_or_closed, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(own_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
