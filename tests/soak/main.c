/* main.c - soak: a mixed load for so many seconds, on all processors, and what it leaves behind.
 *
 * A warm-up, a tenth of the time but no more than five seconds, comes before it: the load runs and
 * ends once.  What the program has then, when all is quiet, it may have in the end. */
#include "soak.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 100 };

static volatile sig_atomic_t interrupted;
static double wanted = 60;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* ---- the phases -------------------------------------------------------------------------- */

static void load(double seconds, bool shown)
{
    int64_t begin = clock_ns();
    double spent = 0;
    players_start();
    while (spent < seconds && !interrupted && !atomic_load(&is_wrong)) {
        cop_sleep(LOOK_MS);
        spent = (double)(clock_ns() - begin) / 1e9;
        if (shown) show_progress(spent, seconds);
    }
    if (!players_stop()) note_wrong("there are more processes than before the load");
}

static void forget(void)
{
    for (int i = 0; i < WORKS; i++) {
        atomic_store(&played[i].done, 0);
        atomic_store(&played[i].failed, 0);
    }
    for (int i = 0; i < FAULTS; i++) {
        atomic_store(&strikes[i], 0);
        atomic_store(&restarts[i], 0);
    }
    time_forget();
}

static void run(void *argument)
{
    int *status = argument;
    tree_start();
    load(wanted < 50 ? wanted / 10 : 5, false);
    struct usage before = usage_now();
    forget();
    int64_t begin = clock_ns();
    load(wanted, true);
    double seconds = (double)(clock_ns() - begin) / 1e9;
    struct usage after = usage_now();
    show_results(seconds);
    bool well = show_usage(&before, &after) && !atomic_load(&is_wrong);
    printf("\n%.1f s on %d schedulers%s: %s%s\n", seconds, cop_schedulers(),
           interrupted ? ", interrupted" : "", well ? "nothing is left behind" : "WRONG ", wrong);
    *status = well ? interrupted ? 130 : 0 : 1;
}

/* ---- the command line -------------------------------------------------------------------- */

static int usage(FILE *file, int status)
{
    fputs("usage: soak [--seconds N] [--schedulers N]\n"
          "Loads a supervision tree for N seconds (60): calls, crashes of all kinds, dynamic\n"
          "children, tasks, timers, names, monitors, mutexes, blocking functions, descriptors.\n"
          "Then says how long calls took, what was started again, and what is left behind;\n"
          "status 1 if that is more than a bound that it names.\n\n"
          "  --seconds N      so long\n"
          "  --schedulers N   threads that run processes; 0, one for each processor\n\n"
          "Ctrl-C ends it in order, with the results so far.\n", file);
    return status;
}

static bool number(const char *option, const char *text, double most, double *ret_number)
{
    char *end;
    double value = strtod(text, &end);
    if (end != text && *end == '\0' && value >= 0 && value <= most) {
        *ret_number = value;
        return true;
    }
    fprintf(stderr, "soak: --%s is a number from 0 to %.0f, not '%s'\n", option, most, text);
    return false;
}

static int obey(int count, char **arguments)
{
    static const struct option options[] = { { "seconds", required_argument, NULL, 's' },
                                             { "schedulers", required_argument, NULL, 'n' },
                                             { "help", no_argument, NULL, 'h' }, { 0 } };
    double schedulers = 0;
    for (int option; (option = getopt_long(count, arguments, "h", options, NULL)) != -1;) {
        bool well = true;
        switch (option) {
        case 's': well = number("seconds", optarg, 1e7, &wanted); break;
        case 'n': well = number("schedulers", optarg, 64, &schedulers); break;
        case 'h': return usage(stdout, 0);
        default: return usage(stderr, 2);
        }
        if (!well) return 2;
    }
    if (optind < count) return usage(stderr, 2);
    int status = 1;
    const cop_run_options run_options = { .schedulers = (int)schedulers, .hog_ms = -1,
                                          .blocking_threads = 4, .log = count_restarts };
    int ended = cop_run(run, &status, &run_options);
    if (ended == COP_OK) return status;
    fprintf(stderr, "soak: %s\n", ended < 0 ? cop_error_text(ended) : "the node ended");
    return 1;
}

int main(int count, char **arguments)
{
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    int status = obey(count, arguments);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    fprintf(stderr, "soak: standard output: %s\n", errno != 0 ? strerror(errno) : "a write failed");
    return 1;
}
