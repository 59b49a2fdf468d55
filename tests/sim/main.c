/* main.c - `sim`: simulates random trees, seed after seed, and shrinks what fails.
 *
 *     sim [--seeds N] [--first SEED] [--story history|chaos] [--quiet]
 *
 * Each seed tells each story once.  They are told in children of this program, so that one
 * that takes the node down is a failure like another.  A history that fails is told on stderr
 * once more, as the model and the run have it.  Status 1 if one failed. */
#include <coppice/sim.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "story.h"

enum { BATCH = 1000, BATCH_SECONDS = 300, TEXT_MAX = 16384 };

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

/* What a child has come to. */
struct progress { uint64_t seed, story, steps; };
static struct progress *progress;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* In a child: returns whether nothing failed. */
static bool tell_batch(uint64_t first, uint64_t count, const char *only)
{
    for (progress->seed = first; progress->seed < first + count; progress->seed++) {
        for (progress->story = 0; progress->story < STORIES; progress->story++) {
            const struct told *told = &stories[progress->story];
            if (only != NULL && strcmp(only, told->name) != 0)
                continue;
            cop_sim_report report;
            if (cop_sim_run(progress->seed, told->function, NULL, told->options, &report) != COP_OK)
                return false;
            progress->steps += report.steps;
            cop_sim_report_free(&report);
        }
    }
    return true;
}

static void explain(void)
{
    const struct told *told = &stories[progress->story];
    cop_sim_options options = *told->options;
    cop_sim_report report, shortest;
    char text[TEXT_MAX];
    options.isolated = true;
    int error = cop_sim_run(progress->seed, told->function, NULL, &options, &report);
    printf("story %s, seed %llu\n", told->name, (unsigned long long)progress->seed);
    if (error != COP_EFAILED) {
        printf("failed once and not again: %d\n", error);
        return;
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
}

static bool batch_is_well(uint64_t first, uint64_t count, const char *only)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(BATCH_SECONDS);
        _exit(tell_batch(first, count, only) ? 0 : 1);
    }
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0) {}
    return status == 0;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 10000, first = 1, done = 0;
    const char *only = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0) seeds = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0) first = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--story") == 0) only = argv[i + 1];
    }
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    if (progress == MAP_FAILED)
        return 1;
    double begin = seconds_now();
    bool is_well = true;
    while (done < seeds && is_well) {
        uint64_t count = seeds - done < BATCH ? seeds - done : BATCH;
        is_well = batch_is_well(first + done, count, only);
        done += is_well ? count : progress->seed - (first + done) + 1;
    }
    double spent = seconds_now() - begin;
    uint64_t told = done * (only == NULL ? STORIES : 1);
    if (!is_well)
        explain();
    printf("%llu schedules, %llu turns, %.1f s, %.0f schedules per second%s\n",
           (unsigned long long)told, (unsigned long long)progress->steps, spent,
           (double)told / spent, is_well ? "" : ", one FAILED");
    return is_well ? 0 : 1;
}
