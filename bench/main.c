/* main.c - the benchmark program: `bench list`, `bench SCHEDULERS CASE`, `bench growth`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <coppice/coppice.h>

#include "cases.h"
#include "growth.h"

static const struct {
    const char *name;
    void (*run)(void);
    const char *what;
} cases[] = {
    { "spawn_exit", case_spawn_exit, "1,000,000 processes started and ended" },
    { "idle_plain", case_idle_plain, "memory of 1,000,000 processes that wait in a receive" },
    { "idle_handler", case_idle_handler, "memory of 1,000,000 idle handlers, without a stack" },
    { "idle_gen_server", case_idle_gen_server, "memory of 1,000,000 idle gen_servers" },
    { "idle_supervised", case_idle_supervised, "the same under one dynamic supervisor" },
    { "pingpong", case_pingpong, "1,000,000 round trips between two processes" },
    { "pingpong_cross", case_pingpong_cross, "30,000 round trips between two schedulers" },
    { "gen_call", case_gen_call, "300,000 calls to one gen_server, from 1 caller and from 100" },
    { "fan_in", case_fan_in, "2,000,000 messages from 100 senders to one receiver" },
    { "ring", case_ring, "1,000,000 hops of a token round 1,000 processes" },
    { "threadring", case_threadring, "5,000,000 hops of a token round 503 processes" },
    { "crash_sib0", case_crash_sib0, "20,000 crashes of one supervised child" },
    { "crash_sib1000", case_crash_sib1000, "the same among 1,000 siblings" },
    { "crash_dyn100k", case_crash_dyn100k, "2,000 crashes among 100,000 dynamic children" },
    { "crash_hist_sib0", case_crash_hist_sib0, "crash_sib0 with the whole restart history" },
    { "crash_hist_sib1000", case_crash_hist_sib1000, "crash_sib1000 with it" },
    { "one_for_all", case_one_for_all, "a crash that restarts 1,000 children" },
    { "rest_for_one", case_rest_for_one, "a crash that restarts the last 500 of 1,000 children" },
    { "dyn_start_c1", case_dyn_start_c1, "200,000 dynamic children, by 1 client" },
    { "dyn_start_c8", case_dyn_start_c8, "the same by 8 clients" },
    { "dyn_start_part_c1", case_dyn_start_part_c1, "the same, a supervisor a scheduler" },
    { "dyn_start_part_c8", case_dyn_start_part_c8, "the same by 8 clients" },
    { "dyn_stop", case_dyn_stop, "a supervisor with 20,000 and 100,000 children stops" },
    { "tree_start", case_tree_start, "a tree of 10,000 workers and 111 supervisors, up and down" },
    { "tasks", case_tasks, "100,000 tasks, awaited in three ways" },
    { "timers", case_timers, "1,000,000 timers set and cancelled" },
    { "timers_fire", case_timers_fire, "200,000 timers that fire" },
    { "registry", case_registry, "names and keys looked up and registered" },
    { "selective", case_selective, "calls and receives past 10,000 other messages" },
    { "payload", case_payload, "bytes in messages, shared and copied" },
    { "skynet", case_skynet, "1,000,000 processes that add their numbers up" },
    { "latency", case_latency, "calls beside idle, saturated and hogged schedulers" },
};
enum { CASES = sizeof cases / sizeof *cases };

static int usage(FILE *file, int status)
{
    fprintf(file, "usage: bench list\n"
                  "       bench SCHEDULERS CASE\n"
                  "       bench growth\n"
                  "Runs one case and prints a line for each figure: name, value, unit, operations\n"
                  "in one repetition, separated by tabs.  The spread goes to stderr.\n"
                  "`growth` shows what each of 1,000, 100,000 and 1,000,000 things costs, and\n"
                  "fails if that grows with their number.\n\n");
    for (int i = 0; i < CASES; i++)
        fprintf(file, "  %-18s %s\n", cases[i].name, cases[i].what);
    return status;
}

static void run_growth(void *argument)
{
    (void)argument;
    bench_growth();
}

static void run_case(void *argument)
{
    cases[*(const int *)argument].run();
}

/* The command line, all that it asks for done but the last flush; the exit status. */
static int obey(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "list") == 0) {
        for (int i = 0; i < CASES; i++)
            puts(cases[i].name);
        return 0;
    }
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0))
        return usage(stdout, 0);
    if (count == 2 && strcmp(arguments[1], "growth") == 0)
        return cop_run(run_growth, NULL, &(cop_run_options){ .schedulers = 1 }) == 0 ? 0 : 1;
    if (count != 3)
        return usage(stderr, 2);
    char *end;
    long schedulers = strtol(arguments[1], &end, 10);
    if (*end != '\0' || schedulers < 1 || schedulers > 64) {
        fprintf(stderr, "bench: SCHEDULERS is a number from 1 to 64, not '%s'\n", arguments[1]);
        return 2;
    }
    for (int i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, arguments[2]) != 0)
            continue;
        int error = cop_run(run_case, &i, &(cop_run_options){ .schedulers = (int)schedulers });
        if (error != 0)
            fprintf(stderr, "FAILED %s: %s\n", arguments[2], cop_error_text(error));
        return error == 0 ? 0 : 1;
    }
    fprintf(stderr, "bench: no case is called '%s'; `bench list` names them\n", arguments[2]);
    return 2;
}

/* A closed one of the descriptors 0 to 2 would go to a file that a case opens.  What is opened
 * instead fails when it is used, as the closed one would. */
static void occupy_standard_descriptors(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1 &&
            open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor)
            exit(1);
    }
}

int main(int count, char **arguments)
{
    occupy_standard_descriptors();
    int status = obey(count, arguments);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "bench: standard output: %s\n",
            errno != 0 ? strerror(errno) : "a write failed");
    return 1;
}
