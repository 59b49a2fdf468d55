/* main.c - the financial application: a day's business through a supervision tree.
 *
 * Reads the options and the day's requests, makes an empty ledger, runs the day, and then, with
 * no process running any more, checks the ledger against the input. */
#include <coppice/coppice.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "database_pool.h"
#include "front.h"
#include "input.h"
#include "ledger.h"
#include "report.h"
#include "story.h"
#include "tree.h"

/* The exit status; STATUS_SIGNAL plus the number of the signal that ended the day. */
enum { STATUS_HOLDS = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_SIGNAL = 128 };

enum { PACE_MOST_SECONDS = 3600 };

struct options {
    const char *input;
    const char *ledger;
    uint64_t seed;
    double faults;
    double pace;              /* negative: as usual */
    bool guardian;
};

/* ---- options --------------------------------------------------------------------------- */

static const char usage[] =
    "usage: financial [OPTION...]\n"
    "\n"
    "Pushes a day's invoices and donations through a supervision tree into a ledger\n"
    "while faults strike, and checks that each is there exactly once.\n"
    "\n"
    "  --input FILE     the day's business (examples/financial/day.csv)\n"
    "  --ledger FILE    the ledger, an SQLite file; one of an earlier run is replaced\n"
    "                   (build/ledger.db, or ledger.db where there is no build/)\n"
    "  --faults RATE    the share of requests that crash their worker, 0 to 1 (0.02)\n"
    "  --seed N         the same seed tells the same story (1)\n"
    "  --pace SECONDS   how long the day is to last, for those who watch it; 0: no\n"
    "                   longer than it takes (5 on a terminal, 0 elsewhere)\n"
    "  --guardian       a second process starts the program again when something ends it\n"
    "                   that no supervisor can mend; the ledger is kept then\n"
    "  --help           this text\n"
    "\n"
    "The exit status is 0 if every good line of the input is in the ledger exactly\n"
    "once with the right totals, 1 if not, 2 for a wrong command line, and 128 plus\n"
    "the signal's number when a signal stopped the day.\n";

static const char *default_ledger(void)
{
    struct stat build;
    return stat("build", &build) == 0 && S_ISDIR(build.st_mode) ? "build/ledger.db" : "ledger.db";
}

static bool parse_seed(const char *text, uint64_t *ret_seed)
{
    char *end;
    errno = 0;
    uint64_t seed = strtoull(text, &end, 10);
    if (strspn(text, "0123456789") == 0 || *end != '\0' || errno != 0) return false;
    *ret_seed = seed;
    return true;
}

/* A number from 0 to `most`. */
static bool parse_number(const char *text, double most, double *ret_number)
{
    char *end;
    double number = strtod(text, &end);
    if (strspn(text, "0123456789.") == 0 || *end != '\0' || !(number >= 0 && number <= most)) {
        return false;
    }
    *ret_number = number;
    return true;
}

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "financial: %s%s%s\n", what, value != NULL ? ": " : "",
            value != NULL ? value : "");
    fputs("Try financial --help.\n", stderr);
    return STATUS_USAGE;
}

static int fail(const char *path, const char *why)
{
    fprintf(stderr, "financial: %s: %s\n", path, why);
    return STATUS_FAILED;
}

static int print_usage(void)
{
    errno = 0;
    if (fputs(usage, stdout) == EOF || fflush(stdout) != 0)
        return fail("standard output", strerror(errno));
    return STATUS_HOLDS;
}

/* Returns whether to go on; if not, with what status to end. */
static bool parse_options(int argc, char **argv, struct options *options, int *ret_status)
{
    static char name[] = "financial";           /* for getopt's messages, not the path */
    static const struct option names[] = {
        { "input", required_argument, NULL, 'i' },  { "ledger", required_argument, NULL, 'l' },
        { "seed", required_argument, NULL, 's' },   { "faults", required_argument, NULL, 'f' },
        { "pace", required_argument, NULL, 'p' },   { "guardian", no_argument, NULL, 'g' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    *options = (struct options){ "examples/financial/day.csv", default_ledger(), 1, 0.02, -1,
                                  false };
    if (argc > 0) argv[0] = name;
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        *ret_status = STATUS_USAGE;
        if (option == 'i') {
            options->input = optarg;
        } else if (option == 'l') {
            options->ledger = optarg;
        } else if (option == 's') {
            if (parse_seed(optarg, &options->seed)) continue;
            complain("--seed is not a whole number", optarg);
            return false;
        } else if (option == 'f') {
            if (parse_number(optarg, 1, &options->faults)) continue;
            complain("--faults is not a number from 0 to 1", optarg);
            return false;
        } else if (option == 'p') {
            if (parse_number(optarg, PACE_MOST_SECONDS, &options->pace)) continue;
            complain("--pace is not a number from 0 to 3600", optarg);
            return false;
        } else if (option == 'g') {
            options->guardian = true;
        } else if (option == 'h') {
            *ret_status = print_usage();
            return false;
        } else {
            fputs("Try financial --help.\n", stderr);      /* getopt has said what is wrong */
            return false;
        }
    }
    if (optind == argc) return true;
    *ret_status = complain("unexpected argument", argv[optind]);
    return false;
}

/* ---- signals --------------------------------------------------------------------------- */

/* Any thread may be the one that the handler runs on. */
static atomic_int stop_signal;

static void ask_to_stop(int signal)
{
    stop_signal = signal;
}

/* The first SIGINT or SIGTERM ends the day in order, a second one at once.  A reader of the
 * story who goes away is an error of writing. */
static void handle_signals(void)
{
    struct sigaction stop = { .sa_handler = ask_to_stop,
                              .sa_flags = SA_RESTART | SA_ONSTACK | (int)SA_RESETHAND };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigemptyset(&stop.sa_mask);
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- the run --------------------------------------------------------------------------- */

/* A closed one of the descriptors 0 to 2 would go to the ledger, and the story into it.  What is
 * opened instead fails when it is used, as the closed one would. */
static void occupy_standard_descriptors(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1 &&
            open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor)
            exit(STATUS_FAILED);
    }
}

/* Runs the day.  The story is the same for the same seed because one thread runs all
 * processes and their time is virtual. */
static int run_day(const struct options *options, struct front *front)
{
    cop_run_options run = {
        .deterministic = true,
        .seed = options->seed,
        .log = story_sink,
    };
    database_pool_use(options->ledger);
    const cop_node_end *end = cop_previous_end();
    if (end != NULL) report_restart(front->report, end);
    report_heading(front->report, options->input, front->input, options->ledger, options->faults,
                   options->seed);
    report_tree(front->report, &FinancialApp_Supervisor);
    return cop_run(front_run, front, &run);
}

/* The table, the check, and the status that they make. */
static int conclude(const struct options *options, const struct input *input,
                            struct front *front, int run_error)
{
    struct report *report = front->report;
    struct ledger_check check;
    char why[LEDGER_WHY_BYTES];
    report_table(report, input, &front->tally, &FinancialApp_Supervisor);
    report_last_crashes(report);
    int check_error = ledger_check(options->ledger, input, &check, why);
    if (check_error == 0) report_check(report, input, &check);
    else fail(options->ledger, why);

    int write_error = report->terminal.error;
    if (write_error == EPIPE) return STATUS_SIGNAL + SIGPIPE;
    if (write_error != 0) return fail("standard output", strerror(write_error));
    if (stop_signal != 0) return STATUS_SIGNAL + stop_signal;
    if (front->failure[0] != '\0') return fail("the tree", front->failure);
    if (run_error != 0) return fail("the run", cop_error_text(run_error));
    return check_error == 0 && check.holds ? STATUS_HOLDS : STATUS_FAILED;
}

int main(int argc, char **argv)
{
    struct options options;
    int status;
    occupy_standard_descriptors();
    if (!parse_options(argc, argv, &options, &status)) return status;
    int guarded = options.guardian ? cop_guard(NULL) : COP_OK;
    if (guarded != COP_OK) return fail("--guardian", cop_error_text(guarded));

    struct input input;
    int error = input_read(options.input, stderr, &input);
    if (error != 0) return fail(options.input, strerror(error));
    int lock = -1;
    char why[LEDGER_WHY_BYTES];
    if (input.count == 0) {
        status = fail(options.input, "no line is a request");
    } else if (ledger_create(options.ledger, cop_previous_end() != NULL, &lock, why) != 0) {
        status = fail(options.ledger, why);
    } else {
        struct report report;
        struct front front = { .input = &input, .faults = options.faults,
                               .stop_signal = &stop_signal, .report = &report };
        handle_signals();
        report_open(&report, &input, options.pace);
        int run_error = run_day(&options, &front);
        status = conclude(&options, &input, &front, run_error);
        ledger_release(lock);
    }
    input_free(&input);
    return status;
}
