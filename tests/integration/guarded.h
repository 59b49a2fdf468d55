/* guarded.h - a program of its own for a test: forked, with its standard error and what it says in
 * two pipes.  Nothing waits for a time, but for a line of a pipe or the end of a process. */
#ifndef TEST_GUARDED_H
#define TEST_GUARDED_H

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

enum { TEXT_MAX = 8192 };

typedef int program_main(void *argument);

struct program {
    pid_t pid;
    int said, err;                   /* the pipes' ends for reading */
};

/* In the program. */
static int voice;

__attribute__((format(printf, 1, 2))) static void says(const char *format, ...)
{
    char line[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    if (write(voice, line, (size_t)length) != length) _exit(99);
}

/* In a program, first: without Check's own handlers, which would end the test, and ended with the
 * test, also where it leads a session of its own. */
static void begin_program(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

/* Starts a program, whose status is what its main returns. */
static struct program program_start(program_main *function, void *argument)
{
    int said[2], err[2];
    ck_assert_int_eq(pipe(said), 0);
    ck_assert_int_eq(pipe(err), 0);
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(said[0]);
        close(err[0]);
        begin_program();
        voice = said[1];
        dup2(err[1], STDERR_FILENO);
        close(err[1]);
        _exit(function(argument) & 255);
    }
    close(said[1]);
    close(err[1]);
    return (struct program){ .pid = pid, .said = said[0], .err = err[0] };
}

/* One line, or at the end of the pipe what there is, without the newline. */
static void read_line(int descriptor, char line[TEXT_MAX])
{
    size_t length = 0;
    ssize_t got;
    while (length < TEXT_MAX - 1) {
        got = read(descriptor, line + length, 1);
        if (got < 0 && errno == EINTR) continue;
        ck_assert_int_ge(got, 0);
        if (got == 0 || line[length] == '\n') break;
        length++;
    }
    line[length] = '\0';
}

static void expect_line(int descriptor, const char *expected)
{
    char line[TEXT_MAX];
    read_line(descriptor, line);
    ck_assert_str_eq(line, expected);
}

/* What differs from run to run becomes N: the number of a node, and addresses. */
static void without_numbers(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        if (strncmp(from, "node ", 5) == 0 && isdigit((unsigned char)from[5])) {
            for (from += 5; isdigit((unsigned char)*from);) from++;
            memcpy(to, "node N", 6);
            to += 6;
        } else if (strncmp(from, "instruction 0x", 14) == 0) {
            for (from += 14; isxdigit((unsigned char)*from);) from++;
            memcpy(to, "instruction N", 13);
            to += 13;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* All the rest of a pipe: until no process holds its other end. */
static void expect_rest(int descriptor, const char *expected)
{
    char text[TEXT_MAX];
    size_t length = 0;
    ssize_t got;
    while ((got = read(descriptor, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    ck_assert_int_eq(got, 0);
    text[length] = '\0';
    without_numbers(text);
    ck_assert_str_eq(text, expected);
    close(descriptor);
}

static int program_end(struct program program)
{
    int status;
    ck_assert_int_eq(waitpid(program.pid, &status, 0), program.pid);
    return status;
}

#define expect_status(program_, status_) do {                                            \
        int ended = program_end(program_);                                               \
        ck_assert_msg(WIFEXITED(ended), "ended by signal %d", WTERMSIG(ended));          \
        ck_assert_int_eq(WEXITSTATUS(ended), (status_));                                 \
    } while (0)

#define expect_signal(program_, signal_) do {                                            \
        int ended = program_end(program_);                                               \
        ck_assert_msg(WIFSIGNALED(ended), "ended with status %d", WEXITSTATUS(ended));   \
        ck_assert_int_eq(WTERMSIG(ended), (signal_));                                    \
    } while (0)

#endif
