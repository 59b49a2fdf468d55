/* main.c - `sim`: simulates random trees, seed after seed, and shrinks what fails.
 *
 * Each seed tells each story once.  They are told in children of this program, so that one
 * that takes the node down is a failure like another.  A history that fails is told on stderr
 * once more, as the model and the run have it. */
#include <coppice/sim.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "story.h"

enum { BATCH = 1000, BATCH_SECONDS = 300, TEXT_MAX = 16384, SEEDS_MAX = 1000000000 };
enum { ALL_WELL, ONE_FAILED, WRONG_USAGE, COULD_NOT };      /* statuses */

struct told {
    const char *name;
    cop_function *function;
    const cop_sim_options *options;
};

static const struct told stories[] = {
    { "history", history, &history_options },
    { "chaos", chaos, &chaos_options },
};
enum { STORIES = sizeof stories / sizeof *stories };

static uint64_t seeds = 10000, first = 1;
static const struct told *only;                             /* NULL: all */

/* What a child has come to. */
struct progress {
    uint64_t seed, story, steps;
    char failure[sizeof ((cop_sim_report *)NULL)->failure];
};
static struct progress *progress;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of `done` seeds: each percent on a terminal, else a line for each tenth. */
static void show_progress(uint64_t done)
{
    bool terminal = isatty(STDERR_FILENO);
    uint64_t parts = terminal ? 100 : 10;
    if (done * parts / seeds == (done - 1) * parts / seeds)
        return;
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " turns%s", done, seeds,
            progress->steps, terminal && done < seeds ? "   \r" : "\n");
}

/* In a child: returns whether nothing failed. */
static bool tell_seed(uint64_t seed)
{
    progress->seed = seed;
    for (progress->story = 0; progress->story < STORIES; progress->story++) {
        const struct told *told = &stories[progress->story];
        if (only != NULL && only != told)
            continue;
        cop_sim_report report;
        int error = cop_sim_run(seed, told->function, NULL, told->options, &report);
        if (error != COP_OK) {
            snprintf(progress->failure, sizeof progress->failure, "%s",
                     error == COP_EFAILED ? report.failure : cop_error_text(error));
            return false;
        }
        progress->steps += report.steps;
        cop_sim_report_free(&report);
    }
    return true;
}

/* Tells what failed, made short, and returns the status: COULD_NOT when a child was killed and
 * nothing in its run says why. */
static int explain(void)
{
    const struct told *told = &stories[progress->story];
    cop_sim_options options = *told->options;
    cop_sim_report report, shortest;
    char text[TEXT_MAX];
    options.isolated = true;
    printf("story %s, seed %" PRIu64 "\n", told->name, progress->seed);
    int error = cop_sim_run(progress->seed, told->function, NULL, &options, &report);
    if (error != COP_EFAILED) {
        printf("\"%s\" failed once and not again: %d\n",
               progress->failure[0] != '\0' ? progress->failure : "the run", error);
        return progress->failure[0] != '\0' ? ONE_FAILED : COULD_NOT;
    }
    if (cop_sim_shrink(&report, told->function, NULL, &options, &shortest) == COP_OK)
        report = shortest;
    cop_sim_format(&report, text, sizeof text);
    printf("%s\n", text);
    fflush(stdout);
    static const cop_sim_decision none;
    options.plan = report.plan_count == 0 ? &none : report.plan;
    options.plan_count = report.plan_count;
    history_told = stderr;
    cop_sim_run(progress->seed, told->function, NULL, &options, &report);
    return ONE_FAILED;
}

/* In a child, which does not outlive this program. */
static int tell_batch(uint64_t done, uint64_t count, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return COULD_NOT;
    alarm(BATCH_SECONDS);
    for (uint64_t end = done + count; done < end; done++) {
        if (!tell_seed(first + done))
            return ONE_FAILED;
        show_progress(done + 1);
    }
    return ALL_WELL;
}

/* Returns one of the statuses; a child that dies has failed. */
static int run_batch(uint64_t done, uint64_t count)
{
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        _exit(tell_batch(done, count, parent));
    if (child < 0) {
        fprintf(stderr, "sim: fork: %s\n", strerror(errno));
        return COULD_NOT;
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : ONE_FAILED;
}

static int run(void)
{
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    if (progress == MAP_FAILED) {
        fprintf(stderr, "sim: mmap: %s\n", strerror(errno));
        return COULD_NOT;
    }
    double begin = seconds_now();
    uint64_t done = 0;
    int status = ALL_WELL;
    while (done < seeds && status == ALL_WELL) {
        uint64_t count = seeds - done < BATCH ? seeds - done : BATCH;
        status = run_batch(done, count);
        done = status == ALL_WELL ? done + count : progress->seed - first + 1;
    }
    if (status == COULD_NOT)
        return status;
    double spent = seconds_now() - begin;
    uint64_t told = done * (only == NULL ? STORIES : 1);
    if (status == ONE_FAILED)
        status = explain();
    printf("%" PRIu64 " schedules, %" PRIu64 " turns, %.1f s, %.0f schedules per second%s\n", told,
           progress->steps, spent, (double)told / spent,
           status == ALL_WELL ? "" : ", one FAILED");
    if (status == ALL_WELL && progress->steps == 0) {
        fputs("sim: no process had a turn\n", stderr);
        return COULD_NOT;
    }
    return status;
}

/* ---- the command line -------------------------------------------------------------------- */

static int usage(FILE *file, int status)
{
    fputs("usage: sim [--seeds N] [--first SEED] [--story history|chaos]\n"
          "Simulates random trees: each seed tells each story once.  The first one that fails is\n"
          "made short and printed.\n\n"
          "  --seeds N      so many seeds (10000)\n"
          "  --first SEED   from that one on (1)\n"
          "  --story NAME   only this one: history, a random tree and what happens to it, held\n"
          "                 against a model; or chaos, one tree whose processes talk while faults\n"
          "                 strike anywhere\n\n"
          "Status 0: nothing failed; 1: something did; 2: the command line is wrong; 3: could not\n"
          "be run.\n", file);
    return status;
}

static bool number(const char *option, const char *text, uint64_t most, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    bool is_whole = text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
    if (is_whole && value >= 1 && value <= most) {
        *ret_number = value;
        return true;
    }
    fprintf(stderr, "sim: --%s is a whole number from 1 to %" PRIu64 ", not '%s'\n", option, most,
            text);
    return false;
}

static bool story_named(const char *name)
{
    for (int i = 0; i < STORIES; i++) {
        if (strcmp(stories[i].name, name) == 0) {
            only = &stories[i];
            return true;
        }
    }
    fprintf(stderr, "sim: --story is history or chaos, not '%s'\n", name);
    return false;
}

static int obey(int count, char **arguments)
{
    static const struct option options[] = { { "seeds", required_argument, NULL, 's' },
                                             { "first", required_argument, NULL, 'f' },
                                             { "story", required_argument, NULL, 't' },
                                             { "help", no_argument, NULL, 'h' }, { 0 } };
    for (int option; (option = getopt_long(count, arguments, "h", options, NULL)) != -1;) {
        bool well = true;
        switch (option) {
        case 's': well = number("seeds", optarg, SEEDS_MAX, &seeds); break;
        case 'f': well = number("first", optarg, UINT64_MAX - SEEDS_MAX, &first); break;
        case 't': well = story_named(optarg); break;
        case 'h': return usage(stdout, ALL_WELL);
        default: return usage(stderr, WRONG_USAGE);
        }
        if (!well)
            return WRONG_USAGE;
    }
    return optind < count ? usage(stderr, WRONG_USAGE) : run();
}

int main(int count, char **arguments)
{
    int status = obey(count, arguments);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "sim: standard output: %s\n", errno != 0 ? strerror(errno) : "a write failed");
    return COULD_NOT;
}
