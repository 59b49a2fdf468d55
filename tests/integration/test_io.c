/* test_io.c - processes that wait for descriptors, read and write.
 *
 * Most stories are told twice: in a deterministic run, and on real threads with the real clock. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"
#include "runtime/poller.h"
#include "trace.h"
#include "watch.h"

/* schedulers 0: deterministic. */
static void expect_story_on(int schedulers, cop_function *function, const char *expected)
{
    trace_reset();
    ck_assert_int_eq(schedulers == 0 ? run_node(function, NULL)
                                     : run_node_threads(function, NULL, schedulers), 0);
    trace_expect(expected);
}

static void make_pipe(int ends[2])
{
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static void make_sockets(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void put(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Until that many wait for descriptors; others go on meanwhile. */
static void until_waiting(size_t count)
{
    while (copi_poller_waiters() != count) cop_yield();
}

/* ---- one waits ------------------------------------------------------------------------- */

struct wait {
    const char *name;
    int fd;
    unsigned events;
    int64_t timeout_ms;
};

static void waits(void *argument)
{
    const struct wait *wait = argument;
    unsigned events = 0;
    int error = cop_wait_fd(wait->fd, wait->events, wait->timeout_ms, &events);
    trace("%s: %s%s%s", wait->name, cop_error_name(error),
          events & COP_READABLE ? ", readable" : "", events & COP_WRITABLE ? ", writable" : "");
}

static cop_pid start_wait(const char *name, int fd, unsigned events, int64_t timeout_ms,
                          cop_ref *ret_ref)
{
    const struct wait wait = { name, fd, events, timeout_ms };
    return cop_spawn_monitor(waits, &wait, sizeof wait, ret_ref);
}

static void wait_down(cop_ref ref)
{
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
}

static void others_go_on(void *argument)
{
    (void)argument;
    int ends[2];
    make_pipe(ends);
    cop_ref ref;
    start_wait("reader", ends[0], COP_READABLE, COP_INFINITY, &ref);
    until_waiting(1);
    trace("others go on");
    put(ends[1], "x");
    wait_down(ref);
    start_wait("at its end", ends[0], COP_READABLE, COP_INFINITY, &ref);
    wait_down(ref);
    char byte;
    ck_assert_int_eq(cop_read(ends[0], &byte, 1, 0), 1);
    start_wait("at its end", ends[0], COP_READABLE, COP_INFINITY, &ref);
    until_waiting(1);
    ck_assert_int_eq(cop_close(ends[1]), 0);
    wait_down(ref);
    ck_assert_int_eq(cop_read(ends[0], &byte, 1, COP_INFINITY), 0);
    ck_assert_uint_eq(copi_poller_waiters(), 0);
    cop_close(ends[0]);
}

START_TEST(a_process_that_waits_for_a_descriptor_keeps_no_other_from_going_on)
{
    expect_story_on(_i, others_go_on, "others go on\n"
                                      "reader: ok, readable\n"
                                      "at its end: ok, readable\n"
                                      "at its end: ok, readable\n");
}
END_TEST

static void ready_at_once(void *argument)
{
    (void)argument;
    int ends[2];
    make_sockets(ends);
    waits(&(struct wait){ "to write", ends[0], COP_READABLE | COP_WRITABLE, COP_INFINITY });
    put(ends[1], "x");
    waits(&(struct wait){ "both", ends[0], COP_READABLE | COP_WRITABLE, COP_INFINITY });
    waits(&(struct wait){ "to read", ends[0], COP_READABLE, 0 });
    waits(&(struct wait){ "looks", ends[1], COP_READABLE, 0 });
    FILE *file = tmpfile();
    waits(&(struct wait){ "plain file", fileno(file), COP_READABLE, COP_INFINITY });
    waits(&(struct wait){ "plain file", fileno(file), COP_READABLE | COP_WRITABLE, 0 });
    fclose(file);
    close(ends[1]);
    waits(&(struct wait){ "hung up", ends[0], COP_READABLE | COP_WRITABLE, 0 });
    close(ends[0]);
    waits(&(struct wait){ "closed", ends[0], COP_READABLE, COP_INFINITY });
    waits(&(struct wait){ "none", -1, COP_READABLE, COP_INFINITY });
    waits(&(struct wait){ "no event", 0, 0, COP_INFINITY });
    waits(&(struct wait){ "wrong event", 0, 4, COP_INFINITY });
    ck_assert_int_eq(cop_close(ends[0]), COP_ECLOSED);
    ck_assert_int_eq(cop_close(-1), COP_ECLOSED);
}

START_TEST(what_is_ready_or_will_never_be_is_told_at_once)
{
    expect_story_on(_i, ready_at_once, "to write: ok, writable\n"
                                       "both: ok, readable, writable\n"
                                       "to read: ok, readable\n"
                                       "looks: timeout\n"
                                       "plain file: ok, readable\n"
                                       "plain file: ok, readable, writable\n"
                                       "hung up: ok, readable, writable\n"
                                       "closed: closed\n"
                                       "none: closed\n"
                                       "no event: badarg\n"
                                       "wrong event: badarg\n");
}
END_TEST

static void ends_with_a_wait(void *argument)
{
    trace("    waits");
    cop_wait_fd(*(int *)argument, COP_READABLE, COP_INFINITY, NULL);
    trace("    has waited");
}

static void defers_a_wait(void *argument)
{
    int *fd = cop_alloc(sizeof *fd);
    *fd = *(int *)argument;
    cop_defer(ends_with_a_wait, fd);
}

static void watches_waits_in_the_end(void *argument)
{
    (void)argument;
    int ends[2];
    make_pipe(ends);
    trace_end_of("not ready", defers_a_wait, &ends[0]);
    put(ends[1], "x");
    trace_end_of("ready", defers_a_wait, &ends[0]);
}

START_TEST(a_deferred_action_may_look_but_not_wait)
{
    expect_story_on(_i, watches_waits_in_the_end, "    waits\n"
                                                  "not ready down: normal\n"
                                                  "    waits\n"
                                                  "    has waited\n"
                                                  "ready down: normal\n");
}
END_TEST

/* ---- several wait for one -------------------------------------------------------------- */

static void fill(int fd)
{
    static const char bytes[4096];
    while (write(fd, bytes, sizeof bytes) > 0) continue;
    ck_assert_int_eq(errno, EAGAIN);
}

static void drain(int fd)
{
    char bytes[4096];
    while (read(fd, bytes, sizeof bytes) > 0) continue;
    ck_assert_int_eq(errno, EAGAIN);
}

static void reads_and_writes(void *argument)
{
    (void)argument;
    int ends[2];
    make_sockets(ends);
    fill(ends[0]);
    cop_ref readers[3], writer, both;
    for (int i = 0; i < 3; i++)
        start_wait("reader", ends[0], COP_READABLE, COP_INFINITY, &readers[i]);
    start_wait("writer", ends[0], COP_WRITABLE, COP_INFINITY, &writer);
    cop_pid last = start_wait("both", ends[0], COP_READABLE | COP_WRITABLE, COP_INFINITY, &both);
    until_waiting(5);
    cop_exit_process(last, COP_KILL);
    trace_down("both", both);
    drain(ends[1]);
    wait_down(writer);
    ck_assert_uint_eq(copi_poller_waiters(), 3);
    put(ends[1], "x");
    for (int i = 0; i < 3; i++) wait_down(readers[i]);
    ck_assert_uint_eq(copi_poller_waiters(), 0);
}

START_TEST(each_of_several_who_wait_for_one_descriptor_is_woken_by_its_own_event)
{
    expect_story_on(_i, reads_and_writes, "both down: killed\n"
                                          "writer: ok, writable\n"
                                          "reader: ok, readable\n"
                                          "reader: ok, readable\n"
                                          "reader: ok, readable\n");
}
END_TEST

static void is_closed(void *argument)
{
    (void)argument;
    int ends[2];
    make_sockets(ends);
    cop_ref refs[2];
    start_wait("waiter", ends[0], COP_READABLE, COP_INFINITY, &refs[0]);
    start_wait("waiter", ends[0], COP_READABLE, COP_INFINITY, &refs[1]);
    until_waiting(2);
    trace("closes");
    ck_assert_int_eq(cop_close(ends[0]), 0);
    wait_down(refs[0]);
    wait_down(refs[1]);
    ck_assert_uint_eq(copi_poller_waiters(), 0);
}

START_TEST(who_waits_for_a_descriptor_that_is_closed_is_told)
{
    expect_story_on(_i, is_closed, "closes\n"
                                   "waiter: closed\n"
                                   "waiter: closed\n");
}
END_TEST

/* ---- time ------------------------------------------------------------------------------ */

static void traces_time(void *argument)
{
    const struct wait *wait = argument;
    waits(argument);
    trace("%s at %d ms", wait->name, (int)cop_now_ms());
}

static void puts_later(void *argument)
{
    const struct wait *wait = argument;
    cop_sleep(wait->timeout_ms);
    put(wait->fd, "x");
}

static void takes_virtual_time(void *argument)
{
    (void)argument;
    int one[2], two[2], three[2];
    make_pipe(one);
    make_pipe(two);
    make_pipe(three);
    const struct wait writes[] = { { "", one[1], 0, 5 }, { "", two[1], 0, 50 } };
    const struct wait reads[] = { { "in time", one[0], COP_READABLE, 1000 },
                                  { "just in time", two[0], COP_READABLE, 50 },
                                  { "never", three[0], COP_READABLE, 3600000 } };
    for (int i = 0; i < 2; i++) cop_spawn(puts_later, &writes[i], sizeof *writes);
    for (int i = 0; i < 3; i++) cop_spawn(traces_time, &reads[i], sizeof *reads);
    cop_sleep(4000000);
    ck_assert_uint_eq(copi_poller_waiters(), 0);
}

START_TEST(in_a_deterministic_run_data_that_is_there_is_in_time_and_time_takes_none)
{
    for (int i = 0; i < 10; i++)
        expect_story_on(0, takes_virtual_time, "in time: ok, readable\n"
                                               "in time at 5 ms\n"
                                               "just in time: ok, readable\n"
                                               "just in time at 50 ms\n"
                                               "never: timeout\n"
                                               "never at 3600000 ms\n");
}
END_TEST

static void times_out(void *argument)
{
    (void)argument;
    int ends[2];
    make_pipe(ends);
    int64_t start_ms = cop_now_ms();
    ck_assert_int_eq(cop_wait_fd(ends[0], COP_READABLE, 20, NULL), COP_ETIMEOUT);
    ck_assert_int_ge(cop_now_ms() - start_ms, 19);
    ck_assert_uint_eq(copi_poller_waiters(), 0);
    trace("timed out");
}

START_TEST(a_wait_is_over_when_its_time_is)
{
    expect_story_on(_i, times_out, "timed out\n");
}
END_TEST

/* A thread of the program's own, which knows nothing of the node, when the node is idle. */
static void *puts_when_idle(void *argument)
{
    while (copi_poller_waiters() == 0) sched_yield();
    put(*(int *)argument, "x");
    return NULL;
}

static void waits_for_the_world(void *argument)
{
    (void)argument;
    int ends[2];
    make_pipe(ends);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, puts_when_idle, &ends[1]), 0);
    waits(&(struct wait){ "reader", ends[0], COP_READABLE, COP_INFINITY });
    pthread_join(thread, NULL);
}

START_TEST(with_nothing_else_to_do_a_run_waits_for_its_descriptors)
{
    node_trace_log(true);        /* no standstill is told */
    expect_story_on(_i, waits_for_the_world, "reader: ok, readable\n");
}
END_TEST

/* ---- nothing is left ------------------------------------------------------------------- */

/* How many descriptors are in the runtime's poll set, without its own bell; -1: there is none. */
static int registered(void)
{
    DIR *descriptors = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = -1;
    while ((entry = readdir(descriptors)) != NULL) {
        char path[300], target[64] = "", line[200];
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, target, sizeof target - 1) < 0 || strstr(target, "eventpoll") == NULL)
            continue;
        snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
        FILE *info = fopen(path, "r");
        while (fgets(line, sizeof line, info) != NULL) count += strncmp(line, "tfd:", 4) == 0;
        fclose(info);
    }
    closedir(descriptors);
    return count;
}

static int open_descriptors(void)
{
    DIR *descriptors = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(descriptors) != NULL) count++;
    closedir(descriptors);
    return count;
}

static void leaves_nothing(void *argument)
{
    (void)argument;
    int one[2], two[2];
    make_pipe(one);
    make_pipe(two);
    cop_ref first, second;
    cop_pid victim = start_wait("killed", one[0], COP_READABLE, COP_INFINITY, &first);
    start_wait("timed out", two[0], COP_READABLE, 30, &second);
    while (registered() != 2) cop_yield();
    cop_exit_process(victim, COP_KILL);
    wait_down(first);
    wait_down(second);
    trace("%d registered", registered());
    ck_assert_uint_eq(copi_poller_waiters(), 0);
    for (int i = 0; i < 2; i++) cop_close(one[i]), cop_close(two[i]);
}

START_TEST(a_process_that_ends_or_times_out_leaves_nothing_behind_nor_does_the_node)
{
    int before = open_descriptors();
    expect_story_on(_i, leaves_nothing, "timed out: timeout\n"
                                        "0 registered\n");
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

static void number_is_used_again(void *argument)
{
    (void)argument;
    int old[2], other[2];
    make_pipe(old);
    make_pipe(other);
    int kept = dup(old[0]), number = old[0];        /* keeps the old file, and its registration */
    cop_ref ref;
    start_wait("waiter", number, COP_READABLE, COP_INFINITY, &ref);
    until_waiting(1);
    close(number);
    ck_assert_int_eq(dup2(other[0], number), number);
    put(old[1], "late");                            /* the report is of the old file */
    cop_sleep(20);
    trace("not woken by a file that is no more its own");
    put(other[1], "x");
    wait_down(ref);
    close(kept);
}

START_TEST(a_report_of_a_file_whose_number_was_given_out_again_wakes_nobody_for_good)
{
    expect_story_on(_i, number_is_used_again, "not woken by a file that is no more its own\n"
                                              "waiter: ok, readable\n");
}
END_TEST

static void reopens(void *argument)
{
    (void)argument;
    int ends[2], again[2];
    make_pipe(ends);
    cop_ref ref;
    start_wait("first", ends[0], COP_READABLE, COP_INFINITY, &ref);
    until_waiting(1);
    put(ends[1], "x");
    wait_down(ref);
    close(ends[0]);
    close(ends[1]);
    make_pipe(again);
    ck_assert_int_eq(again[0], ends[0]);            /* known to the table, not to the system */
    start_wait("second", again[0], COP_READABLE, COP_INFINITY, &ref);
    until_waiting(1);
    put(again[1], "x");
    wait_down(ref);
}

START_TEST(a_number_that_is_given_out_again_is_waited_for_as_a_new_one)
{
    expect_story_on(_i, reopens, "first: ok, readable\n"
                                 "second: ok, readable\n");
}
END_TEST

/* ---- reading and writing --------------------------------------------------------------- */

enum { MUCH = 3000000 };

static void sends_much(void *argument)
{
    int fd = *(int *)argument;
    cop_own_fd(fd);
    unsigned char *bytes = cop_alloc(MUCH);
    for (int i = 0; i < MUCH; i++) bytes[i] = (unsigned char)(i % 251);
    ck_assert_int_eq(cop_write(fd, bytes, MUCH, COP_INFINITY), MUCH);
}

static void receives_much(void *argument)
{
    (void)argument;
    int ends[2];
    make_sockets(ends);
    cop_spawn(sends_much, &ends[1], sizeof *ends);
    unsigned char bytes[10000];
    int64_t size, total = 0;
    while ((size = cop_read(ends[0], bytes, sizeof bytes, COP_INFINITY)) > 0)
        for (int64_t i = 0; i < size; i++, total++) expect_that(bytes[i] == total % 251);
    ck_assert_int_eq(size, 0);
    trace("%d bytes", (int)total);
}

START_TEST(all_that_is_written_is_read_and_then_the_end)
{
    expect_story_on(_i, receives_much, "3000000 bytes\n");
}
END_TEST

static void fails(void *argument)
{
    (void)argument;
    static char bytes[100000];
    int ends[2];
    make_sockets(ends);
    trace("nothing there: %s", cop_error_name((int)cop_read(ends[0], bytes, 1, 1)));
    int64_t size = cop_write(ends[0], bytes, sizeof bytes, 0), more;
    while ((more = cop_write(ends[0], bytes, sizeof bytes, 0)) > 0) size += more;
    ck_assert_int_gt(size, 0);
    trace("full: %s", cop_error_name((int)more));
    int64_t got = 0;
    while ((more = cop_read(ends[1], bytes, sizeof bytes, 0)) > 0) got += more;
    ck_assert_int_eq(got, size);
    close(ends[1]);
    trace("broken: %s", cop_error_name((int)cop_write(ends[0], bytes, 1, COP_INFINITY)));
    ck_assert_int_eq(errno, EPIPE);
    trace("at its end: %d", (int)cop_read(ends[0], bytes, 1, COP_INFINITY));
    fcntl(ends[0], F_SETFL, 0);
    trace("one that blocks: %s", cop_error_name((int)cop_read(ends[0], bytes, 1, 0)));
    close(ends[0]);
    trace("closed: %s", cop_error_name((int)cop_write(ends[0], bytes, 1, 0)));
    make_pipe(ends);
    trace("wrong end: %s", cop_error_name((int)cop_read(ends[1], bytes, 1, 0)));
    ck_assert_int_eq(cop_write(ends[1], bytes, 0, 0), 0);
}

START_TEST(reading_and_writing_fail_with_an_error_that_says_why)
{
    expect_story_on(_i, fails, "nothing there: timeout\n"
                               "full: timeout\n"
                               "broken: eio\n"
                               "at its end: 0\n"
                               "one that blocks: badarg\n"
                               "closed: closed\n"
                               "wrong end: closed\n");
}
END_TEST

static Suite *io_suite(void)
{
    Suite *suite = suite_create("io");
    TCase *tests = tcase_create("io");
    tcase_add_loop_test(tests, a_process_that_waits_for_a_descriptor_keeps_no_other_from_going_on,
                        0, 3);
    tcase_add_loop_test(tests, what_is_ready_or_will_never_be_is_told_at_once, 0, 2);
    tcase_add_loop_test(tests, a_deferred_action_may_look_but_not_wait, 0, 2);
    tcase_add_loop_test(tests,
                        each_of_several_who_wait_for_one_descriptor_is_woken_by_its_own_event, 0,
                        3);
    tcase_add_loop_test(tests, who_waits_for_a_descriptor_that_is_closed_is_told, 0, 2);
    tcase_add_test(tests, in_a_deterministic_run_data_that_is_there_is_in_time_and_time_takes_none);
    tcase_add_loop_test(tests, a_wait_is_over_when_its_time_is, 0, 3);
    tcase_add_loop_test(tests, with_nothing_else_to_do_a_run_waits_for_its_descriptors, 0, 2);
    tcase_add_loop_test(tests,
                        a_process_that_ends_or_times_out_leaves_nothing_behind_nor_does_the_node, 0,
                        2);
    tcase_add_loop_test(tests,
                        a_report_of_a_file_whose_number_was_given_out_again_wakes_nobody_for_good,
                        0, 2);
    tcase_add_loop_test(tests, a_number_that_is_given_out_again_is_waited_for_as_a_new_one, 0, 2);
    tcase_add_loop_test(tests, all_that_is_written_is_read_and_then_the_end, 0, 3);
    tcase_add_loop_test(tests, reading_and_writing_fail_with_an_error_that_says_why, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(io_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
