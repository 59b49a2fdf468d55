/* test_sigpipe.c - whoever writes to a pipe that nobody reads gets EPIPE; the program lives on.
 * What the program itself has said about SIGPIPE holds, and afterwards all is as before. */
#include <coppice/coppice.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

static void trace_write(const char *what, int fd)
{
    errno = 0;
    ssize_t count = write(fd, "x", 1);
    trace("%s: %s", what, count == 1 ? "written" : strerrorname_np(errno));
}

static int pipe_without_reader(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    return ends[1];
}

static int broken_connection(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[0]);
    return ends[1];
}

static void *thread_writes(void *argument)
{
    trace_write("a thread", *(int *)argument);
    return NULL;
}

static void writes(void *argument)
{
    pthread_t thread;
    int pipe = pipe_without_reader(), connection = broken_connection();
    (void)argument;
    trace_write("a pipe", pipe);
    trace_write("a connection", connection);
    ck_assert_int_eq(pthread_create(&thread, NULL, thread_writes, &pipe), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(fcntl(pipe, F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(cop_write(pipe, "x", 1, COP_INFINITY), COP_EIO);
    trace("cop_write: %s", strerrorname_np(errno));
    close(pipe);
    close(connection);
}

static const char told[] = "a pipe: EPIPE\n"
                           "a connection: EPIPE\n"
                           "a thread: EPIPE\n"
                           "cop_write: EPIPE\n";

static void (*handler_now(void))(int)
{
    struct sigaction now;
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &now), 0);
    return now.sa_handler;
}

START_TEST(a_write_to_a_pipe_that_nobody_reads_returns_an_error_and_ends_nothing)
{
    for (int i = 0; i < 3; i++) {
        trace_reset();
        ck_assert_int_eq(i == 2 ? run_node_threads(writes, NULL, 2) : run_node(writes, NULL), 0);
        trace_expect(told);
        ck_assert(handler_now() == SIG_DFL);
    }
}
END_TEST

START_TEST(after_the_run_such_a_write_ends_the_program_again)
{
    run_node(writes, NULL);
    trace_write("goes on", pipe_without_reader());
}
END_TEST

static atomic_int heard;

static void hear(int signal)
{
    (void)signal;
    heard++;
}

START_TEST(what_the_program_has_said_about_the_signal_holds)
{
    trace_reset();
    signal(SIGPIPE, hear);
    ck_assert_int_eq(run_node(writes, NULL), 0);
    ck_assert_int_eq(heard, 4);
    ck_assert(handler_now() == hear);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(run_node(writes, NULL), 0);
    ck_assert(handler_now() == SIG_IGN);
    ck_assert_int_eq(heard, 4);
}
END_TEST

static void says_something_else(void *argument)
{
    (void)argument;
    signal(SIGPIPE, hear);
    writes(NULL);
}

START_TEST(what_a_process_says_about_it_holds_beyond_the_run)
{
    trace_reset();
    ck_assert_int_eq(run_node(says_something_else, NULL), 0);
    trace_expect(told);
    ck_assert_int_eq(heard, 4);
    ck_assert(handler_now() == hear);
}
END_TEST

static void starts_a_program(void *argument)
{
    (void)argument;
    int status;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "kill -PIPE $$; exit 3", (char *)NULL);
        _exit(127);
    }
    while (waitpid(child, &status, 0) == -1) continue;
    trace("it %s", WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE ? "died of it" : "lives");
}

START_TEST(a_program_that_is_started_by_exec_does_not_inherit_any_of_it)
{
    trace_reset();
    ck_assert_int_eq(run_node(starts_a_program, NULL), 0);
    trace_expect("it died of it\n");
}
END_TEST

static Suite *sigpipe_suite(void)
{
    Suite *suite = suite_create("sigpipe");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_write_to_a_pipe_that_nobody_reads_returns_an_error_and_ends_nothing);
    tcase_add_test_raise_signal(all, after_the_run_such_a_write_ends_the_program_again, SIGPIPE);
    tcase_add_test(all, what_the_program_has_said_about_the_signal_holds);
    tcase_add_test(all, what_a_process_says_about_it_holds_beyond_the_run);
    tcase_add_test(all, a_program_that_is_started_by_exec_does_not_inherit_any_of_it);
    suite_add_tcase(suite, all);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(sigpipe_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
