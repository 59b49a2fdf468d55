/* test_guardian_signals.c - a guardian and signals: what it hands on, and once, what ends the
 * program; the terminal; its own death. */
#include <coppice/coppice.h>

#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <utmp.h>

#include "guarded.h"
#include "ways_to_crash.h"

static const cop_guardian silent = { .silent = true };

/* The node takes signals in the order of their numbers: it blocks all and waits.  So what would
 * come twice comes twice before a signal of a higher number comes. */
static int take(void)
{
    sigset_t set;
    siginfo_t info;
    int number;
    sigfillset(&set);
    sigdelset(&set, SIGTSTP);        /* the terminal's stop takes its course */
    sigdelset(&set, SIGCONT);
    do number = sigwaitinfo(&set, &info);
    while (number < 0);
    if (info.si_code == SI_QUEUE) says("%d with %d", number, info.si_value.sival_int);
    else says("%d", number);
    return number;
}

static void block_all(void)
{
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, SIGTSTP);
    sigdelset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Says what it gets, until it is SIGTERM. */
static int takes_signals(void *argument)
{
    block_all();
    if (cop_guard(argument) != COP_OK) return 1;
    says("%d", (int)getpid());
    while (take() != SIGTERM) continue;
    return 5;
}

static pid_t node_of(struct program program)
{
    char line[TEXT_MAX];
    read_line(program.said, line);
    pid_t node = (pid_t)strtol(line, NULL, 10);
    ck_assert_int_gt(node, 0);
    ck_assert_int_ne(node, program.pid);
    return node;
}

/* ---- handing on ------------------------------------------------------------------------------ */

START_TEST(what_the_program_is_sent_reaches_the_node_once)
{
    static const int signals[] = {
        SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGUSR1, SIGSEGV,
        SIGUSR2, SIGPIPE, SIGALRM, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO,
        SIGPWR, SIGSYS,
    };
    struct program program = program_start(takes_signals, NULL);
    node_of(program);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", signals[i]);
        kill(program.pid, signals[i]);
        expect_line(program.said, number);
    }
    char line[40];
    snprintf(line, sizeof line, "%d with 1234", SIGRTMIN + 3);
    sigqueue(program.pid, SIGRTMIN + 3, (union sigval){ .sival_int = 1234 });
    expect_line(program.said, line);
    kill(program.pid, SIGTERM);
    expect_rest(program.said, "15\n");
    expect_rest(program.err, "");
    expect_status(program, 5);
}
END_TEST

/* As programs are: a handler notes that the day is over, and the first process ends in order.  Any
 * thread may be the one that the handler runs on: volatile sig_atomic_t would not do. */
static atomic_int over;

static void on_term(int signal) { over = signal; }

static void closes(void *argument) { says("%s", (const char *)argument); }

static void serves_until_the_end(void *argument)
{
    (void)argument;
    cop_defer(closes, "closed");
    says("open");
    while (over == 0) cop_sleep(1);
}

static int serves(void *argument)
{
    signal(SIGTERM, on_term);
    return cop_main(serves_until_the_end, NULL, &(cop_run_options){ .schedulers = 2 }, argument);
}

START_TEST(a_program_that_is_asked_to_end_ends_in_order)
{
    struct program program = program_start(serves, NULL);
    expect_line(program.said, "open");
    kill(program.pid, SIGTERM);
    expect_rest(program.said, "closed\n");
    expect_rest(program.err, "");
    expect_status(program, 0);
}
END_TEST

/* Without a handler. */
static int waits(void *argument)
{
    if (cop_guard(argument) != COP_OK) return 1;
    says("%d", (int)getpid());
    for (;;) pause();
}

START_TEST(who_sends_the_program_its_end_ends_it_whatever_the_signal)
{
    static const int signals[] = { SIGTERM, SIGHUP, SIGUSR1, SIGSEGV, SIGABRT };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct program program = program_start(waits, NULL);
        node_of(program);
        kill(program.pid, signals[i]);
        expect_rest(program.said, "");
        expect_rest(program.err, "");
        expect_signal(program, signals[i]);
    }
}
END_TEST

START_TEST(who_kills_the_node_gets_another_one)
{
    struct program program = program_start(waits, NULL);
    pid_t first = node_of(program);
    kill(first, SIGKILL);
    pid_t second = node_of(program);
    ck_assert_int_ne(first, second);
    kill(second, SIGSEGV);
    pid_t third = node_of(program);
    kill(third, SIGTERM);                              /* no fault: the node's own end */
    expect_rest(program.said, "");
    expect_rest(program.err,
                "coppice: guardian: node N ended by SIGKILL: restart 1 of 3 within 60 s\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 2 of 3 within 60 s\n");
    expect_signal(program, SIGTERM);
}
END_TEST

static int crashes_when_it_is_to_end(void *argument)
{
    block_all();
    if (cop_guard(argument) != COP_OK) return 1;
    says("%d", (int)getpid());
    take();
    signal(SIGSEGV, SIG_DFL);
    crash_null_write();
    return 1;
}

START_TEST(a_crash_of_a_program_that_was_asked_to_end_is_its_end)
{
    static const int asks[] = { SIGTERM, SIGINT, SIGQUIT };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct program program = program_start(crashes_when_it_is_to_end, NULL);
        node_of(program);
        kill(program.pid, asks[i]);
        expect_signal(program, SIGSEGV);
        expect_rest(program.err, "");
        close(program.said);
    }
}
END_TEST

static int crashes_when_it_is_told(void *argument)
{
    signal(SIGINT, SIG_IGN);                           /* as in the background of a script */
    return crashes_when_it_is_to_end(argument);
}

START_TEST(a_crash_after_a_signal_that_asks_for_nothing_starts_another_node)
{
    static const int signals[] = { SIGHUP, SIGINT };
    struct program program = program_start(crashes_when_it_is_told, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", signals[i]);
        node_of(program);
        kill(program.pid, signals[i]);
        expect_line(program.said, number);
    }
    node_of(program);
    kill(program.pid, SIGKILL);
    expect_signal(program, SIGKILL);
    expect_rest(program.err,
                "coppice: guardian: node N ended by SIGSEGV: restart 1 of 3 within 60 s\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 2 of 3 within 60 s\n");
    expect_rest(program.said, "");
}
END_TEST

/* ---- while no node runs ---------------------------------------------------------------------- */

static int crashes_at_once(void *argument)
{
    if (cop_guard(argument) != COP_OK) return 1;
    crash_null_write();
    return 1;
}

START_TEST(a_program_whose_restart_waits_ends_when_it_is_asked_to_and_not_before)
{
    cop_guardian patient = { .backoff = { .initial_ms = 86400000, .max_ms = 86400000 } };
    static const int asks[] = { SIGTERM, SIGINT, SIGQUIT };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct program program = program_start(crashes_at_once, &patient);
        char line[TEXT_MAX];
        read_line(program.err, line);
        without_numbers(line);
        ck_assert_str_eq(line, "coppice: guardian: node N ended by SIGSEGV: "
                               "restart 1 of 3 within 60 s, in 86400000 ms");
        kill(program.pid, SIGUSR1);
        kill(program.pid, SIGWINCH);
        kill(program.pid, asks[i]);
        expect_signal(program, asks[i]);
        expect_rest(program.err, "");
        close(program.said);
    }
}
END_TEST

/* ---- the guardian's own end, and others' children -------------------------------------------- */

START_TEST(a_guardian_that_is_killed_takes_the_node_along)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);                  /* the orphan's status comes here */
    struct program program = program_start(waits, NULL);
    pid_t node = node_of(program);
    kill(program.pid, SIGKILL);
    expect_signal(program, SIGKILL);
    int status;
    ck_assert_int_eq(waitpid(node, &status, 0), node);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(program.said);
    close(program.err);
}
END_TEST

static int has_older_children(void *argument)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);                  /* as the first process of a container */
    pid_t older = fork();
    if (older == 0) for (;;) pause();
    if (cop_guard(argument) != COP_OK) return 1;
    int end[2];
    if (pipe(end) != 0) return 1;
    pid_t orphan, parent = fork();
    if (parent == 0) {
        orphan = fork();
        if (orphan == 0) for (;;) pause();
        if (write(end[1], &orphan, sizeof orphan) != sizeof orphan) _exit(1);
        _exit(0);
    }
    if (waitpid(parent, NULL, 0) != parent || read(end[0], &orphan, sizeof orphan) < 0) return 1;
    kill(older, SIGKILL);
    kill(orphan, SIGKILL);
    while (kill(older, 0) == 0 || kill(orphan, 0) == 0) sched_yield();   /* until they are reaped */
    return 4;
}

START_TEST(the_end_of_any_other_child_is_taken_note_of)
{
    struct program program = program_start(has_older_children, NULL);
    expect_status(program, 4);
    expect_rest(program.err, "");
    close(program.said);
}
END_TEST

/* ---- the terminal ---------------------------------------------------------------------------- */

/* Its standard input is a terminal of its own, whose foreground it is; typed: the other end. */
static struct program program_on_terminal(program_main *function, void *argument, int *ret_typed)
{
    int said[2], slave;
    ck_assert_int_eq(openpty(ret_typed, &slave, NULL, NULL, NULL), 0);
    ck_assert_int_eq(pipe(said), 0);
    pid_t pid = fork();
    if (pid == 0) {
        begin_program();
        voice = said[1];
        close(said[0]);
        close(*ret_typed);
        login_tty(slave);                              /* leads a session: the shell's place */
        pid_t job = fork();
        if (job == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            setpgid(0, 0);
            signal(SIGTTOU, SIG_IGN);
            tcsetpgrp(0, getpgrp());
            signal(SIGTTOU, SIG_DFL);
            _exit(function(argument) & 255);
        }
        for (int status;;) {
            waitpid(job, &status, WUNTRACED);
            if (!WIFSTOPPED(status)) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
            says("stopped");
            kill(-job, SIGCONT);
        }
    }
    close(slave);
    close(said[1]);
    return (struct program){ .pid = pid, .said = said[0], .err = -1 };
}

static void type(int typed, char key)
{
    ck_assert_int_eq(write(typed, &key, 1), 1);
}

static int reads_and_takes_signals(void *argument)
{
    char byte;
    block_all();
    if (cop_guard(argument) != COP_OK) return 1;
    says("guardian %d", (int)getppid());
    if (read(0, &byte, 1) == 1) says("read %c", byte);
    while (take() != SIGTERM) continue;
    return 6;
}

static pid_t guardian_of(struct program program)
{
    char line[TEXT_MAX];
    read_line(program.said, line);
    ck_assert(strncmp(line, "guardian ", 9) == 0);
    return (pid_t)strtol(line + 9, NULL, 10);
}

START_TEST(what_is_typed_reaches_the_node_once_and_stops_and_continues_both)
{
    int typed;
    struct program program = program_on_terminal(reads_and_takes_signals, (void *)&silent, &typed);
    pid_t guardian = guardian_of(program);
    ck_assert_int_eq(write(typed, "x\n", 2), 2);
    expect_line(program.said, "read x");

    type(typed, 'c' & 31);
    expect_line(program.said, "2");
    kill(guardian, SIGUSR1);                           /* comes after a second SIGINT would */
    expect_line(program.said, "10");
    type(typed, '\\' & 31);
    expect_line(program.said, "3");
    kill(guardian, SIGUSR1);
    expect_line(program.said, "10");
    struct winsize size = { .ws_row = 7, .ws_col = 7 };
    ioctl(typed, TIOCSWINSZ, &size);
    expect_line(program.said, "28");
    kill(guardian, SIGPWR);
    expect_line(program.said, "30");

    type(typed, 'z' & 31);
    expect_line(program.said, "stopped");              /* and continued */
    kill(guardian, SIGTERM);
    expect_rest(program.said, "15\n");
    expect_status(program, 6);
    close(typed);
}
END_TEST

struct terminal { int typed, slave; };

static int leads_a_session(void *argument)
{
    struct terminal *terminal = argument;
    close(terminal->typed);
    dup2(terminal->slave, 0);
    close(terminal->slave);
    setsid();
    ioctl(0, TIOCSCTTY, 1);
    return reads_and_takes_signals((void *)&silent);
}

START_TEST(the_node_hears_of_the_end_of_the_terminal_that_its_guardian_has)
{
    struct terminal terminal;
    ck_assert_int_eq(openpty(&terminal.typed, &terminal.slave, NULL, NULL, NULL), 0);
    struct program program = program_start(leads_a_session, &terminal);
    close(terminal.slave);
    pid_t guardian = guardian_of(program);
    ck_assert_int_eq(guardian, program.pid);
    ck_assert_int_eq(write(terminal.typed, "y\n", 2), 2);
    expect_line(program.said, "read y");
    close(terminal.typed);
    expect_line(program.said, "1");
    kill(guardian, SIGTERM);
    expect_rest(program.said, "15\n");
    expect_status(program, 6);
    close(program.err);
}
END_TEST

static Suite *signals_suite(void)
{
    Suite *suite = suite_create("guardian_signals");
    TCase *passes = tcase_create("handed on");
    tcase_add_test(passes, what_the_program_is_sent_reaches_the_node_once);
    tcase_add_test(passes, a_program_that_is_asked_to_end_ends_in_order);
    tcase_add_test(passes, who_sends_the_program_its_end_ends_it_whatever_the_signal);
    tcase_add_test(passes, who_kills_the_node_gets_another_one);
    tcase_add_test(passes, a_crash_of_a_program_that_was_asked_to_end_is_its_end);
    tcase_add_test(passes, a_crash_after_a_signal_that_asks_for_nothing_starts_another_node);
    tcase_add_test(passes, a_program_whose_restart_waits_ends_when_it_is_asked_to_and_not_before);
    suite_add_tcase(suite, passes);
    TCase *family = tcase_create("family");
    tcase_add_test(family, a_guardian_that_is_killed_takes_the_node_along);
    tcase_add_test(family, the_end_of_any_other_child_is_taken_note_of);
    suite_add_tcase(suite, family);
    TCase *terminal = tcase_create("terminal");
    tcase_add_test(terminal, what_is_typed_reaches_the_node_once_and_stops_and_continues_both);
    tcase_add_test(terminal, the_node_hears_of_the_end_of_the_terminal_that_its_guardian_has);
    suite_add_tcase(suite, terminal);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(signals_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
