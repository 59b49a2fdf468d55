/* test_guardian.c - a node under a guardian: which ends start another one, what that is told, and
 * how the program ends.  Signals are in test_guardian_signals.c. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "guarded.h"
#include "base/last_words.h"
#include "runtime/scheduler.h"
#include "ways_to_crash.h"

static const cop_run_options one_thread = { .deterministic = true, .seed = 1 };
static const cop_guardian usual;

static uint32_t restarts(void)
{
    return cop_previous_end() == NULL ? 0 : cop_previous_end()->restarts;
}

/* ---- what starts another node -------------------------------------------------------------- */

static void damage_the_runtime(void)
{
    copi_enter(copi_scheduler);
    crash_null_write();
}

static void crashes_twice(void *argument)
{
    (void)argument;
    const cop_node_end *end = cop_previous_end();
    if (end == NULL) {
        says("the first node");
    } else {
        char report[TEXT_MAX];
        snprintf(report, sizeof report, "%s", end->report);
        without_numbers(report);
        says("restart %u, after signal %d, status %d: %s", end->restarts, end->signal, end->status,
             report);
        if (end->pid == getpid() || end->ended_ms < 1600000000000 || end->ran_ms < 0)
            says("pid %d, ended %lld", end->pid, (long long)end->ended_ms);
    }
    if (restarts() < 2) damage_the_runtime();
}

static int run_crashes_twice(void *argument)
{
    return cop_main(crashes_twice, NULL, &one_thread, argument);
}

#define REPORT "coppice: fatal: SIGSEGV at address 0x8, instruction N, in the runtime's own work" \
               ", process main: not contained, the node ends"

START_TEST(a_node_that_is_not_contained_is_started_again_and_reads_why)
{
    struct program program = program_start(run_crashes_twice, NULL);
    expect_rest(program.said, "the first node\n"
                              "restart 1, after signal 11, status 0: " REPORT "\n"
                              "restart 2, after signal 11, status 0: " REPORT "\n");
    expect_rest(program.err,
                REPORT "\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 1 of 3 within 60 s\n"
                REPORT "\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 2 of 3 within 60 s\n");
    expect_status(program, 0);
}
END_TEST

START_TEST(a_silent_guardian_says_nothing_itself)
{
    struct program program = program_start(run_crashes_twice, &(cop_guardian){ .silent = true });
    expect_rest(program.err, REPORT "\n" REPORT "\n");
    expect_status(program, 0);
    close(program.said);
}
END_TEST

static const struct end_way {
    const char *report;              /* its beginning; "": none at all */
    void (*end)(void);
} *way;

static void misuses(void) { cop_receive(0); }
static void asserts_outside(void) { crash_assert(); }
static void aborts(void) { abort(); }
static void is_killed(void) { kill(getpid(), SIGKILL); }

static void *thread_crashes(void *argument)
{
    (void)argument;
    crash_null_write();
    return NULL;
}

static void crashes_in_a_thread(void *argument)
{
    (void)argument;
    pthread_t thread;
    pthread_create(&thread, NULL, thread_crashes, NULL);
    pthread_join(thread, NULL);
}

static void has_a_thread_crash(void)
{
    cop_run(crashes_in_a_thread, NULL, &(cop_run_options){ .schedulers = 2 });
}

static const struct end_way end_ways[] = {
    { "coppice: cop_receive", misuses },
    { "assertion failed: ", asserts_outside },
    { "", aborts },
    { "", is_killed },
    { "coppice: fatal: SIGSEGV at address 0x8", has_a_thread_crash },
};
enum { END_WAYS = sizeof end_ways / sizeof *end_ways };

static int ends_in_a_way(void *argument)
{
    (void)argument;
    struct rlimit no_core = { 0, 0 };
    setrlimit(RLIMIT_CORE, &no_core);
    if (cop_guard(&usual) != COP_OK) return 1;
    if (restarts() == 0) way->end();
    const char *report = cop_previous_end()->report;
    if (strncmp(report, way->report, strlen(way->report)) != 0 ||
        (*way->report == '\0') != (*report == '\0'))
        says("report: %s", report);
    return 7;
}

START_TEST(every_end_that_is_no_end_of_the_programs_own_starts_another_node)
{
    way = &end_ways[_i];
    struct program program = program_start(ends_in_a_way, NULL);
    expect_rest(program.said, "");
    expect_status(program, 7);
    close(program.err);
}
END_TEST

/* ---- what ends the program ----------------------------------------------------------------- */

static void halts(void *argument) { cop_halt(*(int *)argument); }
static void raises(void *argument) { (void)argument; cop_raise("bad luck"); }

static int halts_with(void *argument)
{
    says("node");
    return cop_main(halts, argument, NULL, NULL);
}

static int gives_up(void *argument)
{
    return cop_main(raises, NULL, NULL, argument);
}

START_TEST(an_end_of_the_programs_own_is_the_programs_with_its_status)
{
    for (int status = 0; status < 256; status += 51) {
        struct program program = program_start(halts_with, &status);
        expect_rest(program.said, "node\n");
        expect_rest(program.err, "");
        expect_status(program, status);
    }
    struct program program = program_start(gives_up, NULL);
    expect_rest(program.err, "");
    expect_status(program, COP_EDOWN & 255);
}
END_TEST

static int ends_by(void *argument)
{
    int error = cop_guard(&usual);
    says("node %d", error);
    raise(*(int *)argument);
    return 1;
}

START_TEST(a_signal_that_is_no_fault_ends_the_program_likewise)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGALRM };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int number = signals[i];
        struct program program = program_start(ends_by, &number);
        expect_line(program.said, "node 0");
        expect_rest(program.said, "");
        expect_rest(program.err, "");
        expect_signal(program, number);
    }
}
END_TEST

static int fails_twice(void *argument)
{
    int error = cop_guard(argument);
    says("node %d: %u", error, restarts());
    if (restarts() == 0) return 3;
    if (restarts() == 1) raise(SIGPIPE);
    return 0;
}

START_TEST(every_failure_starts_another_node_if_that_is_wanted)
{
    struct program program = program_start(fails_twice, &(cop_guardian){ .every_failure = true });
    expect_rest(program.err,
                "coppice: guardian: node N ended with status 3: restart 1 of 3 within 60 s\n"
                "coppice: guardian: node N ended by SIGPIPE: restart 2 of 3 within 60 s\n");
    expect_line(program.said, "node 0: 0");
    expect_line(program.said, "node 0: 1");
    expect_line(program.said, "node 0: 2");
    expect_rest(program.said, "");
    expect_status(program, 0);
}
END_TEST

/* ---- budget and backoff ------------------------------------------------------------------ */

static int always_crashes(void *argument)
{
    if (cop_guard(argument) != COP_OK) return 1;
    says("restart %u", restarts());
    crash_null_write();
    return 1;
}

START_TEST(a_spent_budget_ends_the_program_as_the_last_node)
{
    cop_guardian guardian = { .budget = COP_MAX_RESTARTS(2, 600) };
    struct program program = program_start(always_crashes, &guardian);
    expect_rest(program.said, "restart 0\nrestart 1\nrestart 2\n");
    expect_rest(program.err,
                "coppice: guardian: node N ended by SIGSEGV: restart 1 of 2 within 600 s\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 2 of 2 within 600 s\n"
                "coppice: guardian: node N ended by SIGSEGV: no restart, after 2 within 600 s\n");
    expect_signal(program, SIGSEGV);

    guardian = (cop_guardian){ .budget = COP_MAX_RESTARTS(0, 1), .every_failure = true };
    program = program_start(fails_twice, &guardian);
    expect_rest(program.err,
                "coppice: guardian: node N ended with status 3: no restart, after 0 within 1 s\n");
    expect_status(program, 3);
    close(program.said);
}
END_TEST

static int crashes_often(void *argument)
{
    if (cop_guard(argument) != COP_OK) return 1;
    if (restarts() < 50) crash_null_write();
    return (int)restarts();
}

START_TEST(a_budget_without_limit_is_never_spent)
{
    cop_guardian guardian = { .budget = COP_UNLIMITED_RESTARTS, .silent = true };
    struct program program = program_start(crashes_often, &guardian);
    expect_status(program, 50);
    expect_rest(program.err, "");
}
END_TEST

START_TEST(restarts_in_a_row_wait_longer_and_longer)
{
    cop_guardian guardian = { .backoff = { .initial_ms = 1, .factor = 3, .max_ms = 5,
                                           .reset_ms = 100000 },
                              .budget = COP_MAX_RESTARTS(4, 600) };
    struct program program = program_start(always_crashes, &guardian);
    expect_rest(program.err,
                "coppice: guardian: node N ended by SIGSEGV: restart 1 of 4 within 600 s, in 1 ms\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 2 of 4 within 600 s, in 3 ms\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 3 of 4 within 600 s, in 5 ms\n"
                "coppice: guardian: node N ended by SIGSEGV: restart 4 of 4 within 600 s, in 5 ms\n"
                "coppice: guardian: node N ended by SIGSEGV: no restart, after 4 within 600 s\n");
    expect_signal(program, SIGSEGV);
    close(program.said);
}
END_TEST

/* ---- what a node begins with ----------------------------------------------------------------- */

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

static void on_signal(int number) { (void)number; }

/* The mask and what is done with each signal, as a number.  The C library adds SA_RESTORER to what
 * it sets. */
static unsigned long signals_hash(void)
{
    sigset_t mask;
    unsigned long hash = 5381;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < SIGRTMAX; number++) {
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigaction(number, NULL, &action);
        hash = hash * 33 + (unsigned long)sigismember(&mask, number);
        hash = hash * 33 + (unsigned long)(uintptr_t)action.sa_handler;
        hash = hash * 33 + ((unsigned long)(unsigned)action.sa_flags & ~0x4000000UL);
    }
    return hash;
}

static int begins_as_before(void *argument)
{
    (void)argument;
    FILE *file = fdopen(dup(voice), "w");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTSTP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGCONT, on_signal);
    signal(SIGTTIN, SIG_IGN);
    unsigned long before = signals_hash();
    int descriptors = count_descriptors();
    int since = 0;
    fprintf(file, "buffered once\n");
    if (cop_guard(&usual) != COP_OK) return 1;
    if (signals_hash() != before) says("other signals");
    if (count_descriptors() != descriptors) says("other descriptors");
    if (since++ != 0) says("other memory");
    if (restarts() < 2) crash_null_write();
    says("restarted");
    return 0;
}

START_TEST(each_node_begins_as_the_program_was_at_the_call)
{
    struct program program = program_start(begins_as_before, NULL);
    expect_rest(program.said, "buffered once\nrestarted\n");
    expect_status(program, 0);
    close(program.err);
}
END_TEST

/* ---- the words of a node that writes wherever it likes --------------------------------------- */

static int leaves_long_words(void *argument)
{
    (void)argument;
    if (cop_guard(&usual) != COP_OK) return 1;
    if (restarts() == 0) {
        char line[100];
        memset(line, 'x', sizeof line);
        line[98] = '\x1b';
        line[99] = '\n';
        for (int i = 0; i < 100; i++) copi_last_words(line, sizeof line);
        _exit(0);                    /* whoever said its last words has not ended well */
    }
    says("%zu, %d", strlen(cop_previous_end()->report), cop_previous_end()->report[98]);
    return 0;
}

START_TEST(words_that_are_too_long_are_cut_and_hold_no_control_characters)
{
    struct program program = program_start(leaves_long_words, NULL);
    char line[TEXT_MAX];
    for (int i = 0; i < 101; i++) read_line(program.err, line);
    expect_rest(program.said, "3999, 63\n");
    expect_status(program, 0);
    close(program.err);
}
END_TEST

/* ---- refused --------------------------------------------------------------------------------- */

static void *calls(void *argument)
{
    *(int *)argument = cop_guard(NULL);
    return NULL;
}

static void calls_in_a_process(void *argument) { calls(argument); }

static int is_refused(void *argument)
{
    (void)argument;
    static const cop_guardian wrong[] = {
        { .budget = COP_MAX_RESTARTS(1, 0) },
        { .budget = COP_MAX_RESTARTS(COP_GUARDIAN_RESTARTS_MAX + 1, 5) },
        { .backoff = { .initial_ms = -1 } },
        { .backoff = { .max_ms = -1 } },
        { .backoff = { .reset_ms = -1 } },
        { .backoff = { .jitter_percent = 101 } },
    };
    pid_t pid = getpid();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (cop_guard(&wrong[i]) != COP_EINVAL) says("options %zu", i);

    int error = 0;
    if (cop_run(calls_in_a_process, &error, &one_thread) != 0 || error != COP_ELIMIT)
        says("in a process: %d", error);
#if !defined(__SANITIZE_THREAD__)
    pthread_t thread;
    error = 0;
    pthread_create(&thread, NULL, calls, &error);
    pthread_join(thread, NULL);
    if (error != COP_ELIMIT) says("in a thread: %d", error);
#endif
    if (cop_previous_end() != NULL || getpid() != pid) says("there is a guardian");

    if (cop_guard(NULL) != COP_OK || getpid() == pid) says("there is no guardian");
    if (cop_guard(NULL) != COP_ELIMIT) says("there are two");
    if (cop_main(raises, NULL, NULL, NULL) != COP_ELIMIT) says("there are three");
    return 0;
}

START_TEST(a_guardian_that_is_wrong_or_comes_late_or_second_is_refused)
{
    struct program program = program_start(is_refused, NULL);
    expect_rest(program.said, "");
    expect_rest(program.err, "");
    expect_status(program, 0);
}
END_TEST

static int has_no_process_left(void *argument)
{
    (void)argument;
    unsigned long before = signals_hash();
    struct rlimit none = { 0, 0 };
    if (geteuid() == 0 && setuid(65534) != 0) return 1;
    setrlimit(RLIMIT_NPROC, &none);
    int error = cop_guard(NULL);
    says("%d, %d", error, signals_hash() == before);
    return 0;
}

START_TEST(a_system_that_gives_no_process_leaves_the_program_as_it_was)
{
    struct program program = program_start(has_no_process_left, NULL);
    expect_rest(program.said, "-1, 1\n");
    expect_rest(program.err, "");
    expect_status(program, 0);
}
END_TEST

static Suite *guardian_suite(void)
{
    Suite *suite = suite_create("guardian");
    TCase *ends = tcase_create("ends");
    tcase_add_test(ends, a_node_that_is_not_contained_is_started_again_and_reads_why);
    tcase_add_test(ends, a_silent_guardian_says_nothing_itself);
    tcase_add_loop_test(ends, every_end_that_is_no_end_of_the_programs_own_starts_another_node, 0,
                        END_WAYS);
    tcase_add_test(ends, an_end_of_the_programs_own_is_the_programs_with_its_status);
    tcase_add_test(ends, a_signal_that_is_no_fault_ends_the_program_likewise);
    tcase_add_test(ends, every_failure_starts_another_node_if_that_is_wanted);
    suite_add_tcase(suite, ends);
    TCase *limits = tcase_create("limits");
    tcase_add_test(limits, a_spent_budget_ends_the_program_as_the_last_node);
    tcase_add_test(limits, a_budget_without_limit_is_never_spent);
    tcase_add_test(limits, restarts_in_a_row_wait_longer_and_longer);
    suite_add_tcase(suite, limits);
    TCase *starts = tcase_create("starts");
    tcase_add_test(starts, each_node_begins_as_the_program_was_at_the_call);
    tcase_add_test(starts, words_that_are_too_long_are_cut_and_hold_no_control_characters);
    tcase_add_test(starts, a_guardian_that_is_wrong_or_comes_late_or_second_is_refused);
    tcase_add_test(starts, a_system_that_gives_no_process_leaves_the_program_as_it_was);
    suite_add_tcase(suite, starts);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(guardian_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
