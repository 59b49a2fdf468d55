/* sim_run.c - a simulated run from outside: its start, its isolation, its report. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/scarcity.h"
#include "node.h"
#include "sim_state.h"

enum { MAX_STEPS = 1000000, SLOW_MS = 1000, HANG_MS = 3600 * 1000, JUMP_MS = 24 * 3600 * 1000,
       BURST = 100, ISOLATED_SECONDS = 60 };

static const uint64_t DECISIONS = 0x51;    /* makes the decisions' dice others than cop_random's */

struct simulated {
    uint64_t seed;
    cop_function *function;
    void *argument;
    const cop_sim_options *options;
};

/* ---- the run --------------------------------------------------------------------------- */

static void prepare(const struct simulated *run, struct sim_record *record)
{
    memset(&copi_sim, 0, sizeof copi_sim);
    if (run->options != NULL)
        copi_sim.options = *run->options;
    cop_sim_options *options = &copi_sim.options;
    if (options->max_steps == 0)
        options->max_steps = MAX_STEPS;
    if (options->slow_ms == 0)
        options->slow_ms = SLOW_MS;
    if (options->late_ms == 0)
        options->late_ms = SLOW_MS;
    if (options->hang_ms == 0)
        options->hang_ms = HANG_MS;
    if (options->jump_ms == 0)
        options->jump_ms = JUMP_MS;
    if (options->burst == 0)
        options->burst = BURST;
    copi_random_seed(&copi_sim.random, run->seed ^ DECISIONS << 56);
    copi_sim.record = record;
}

static void play(const struct simulated *run, struct sim_record *record)
{
    prepare(run, record);
    const cop_run_options options = { .deterministic = true,
                                      .shuffle = true,
                                      .seed = run->seed,
                                      .max_processes = copi_sim.options.max_processes,
                                      .log = copi_sim.options.log,
                                      .log_context = copi_sim.options.log_context };
    copi_sim_runs = true;
    atomic_store(&copi_scarcity, copi_sim_refuses);
    record->status = cop_run(run->function, run->argument, &options);
    atomic_store(&copi_scarcity, NULL);
    copi_sim_runs = false;
    record->virtual_ns = copi_node.virtual_ns;
    if (record->status == COP_EDOWN && record->failure[0] == '\0')
        snprintf(record->failure, sizeof record->failure, "ended");
    record->ended = true;
}

/* The same in a child; what became of that is a failure of the run if it did not return. */
static int play_isolated(const struct simulated *run, struct sim_record *record)
{
    pid_t child = fork();
    if (child < 0)
        return COP_ENOMEM;
    if (child == 0) {
        int seconds = run->options->isolated_seconds;
        signal(SIGALRM, SIG_DFL);
        alarm((unsigned)(seconds > 0 ? seconds : ISOLATED_SECONDS));
        play(run, record);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {}
    if (record->ended || record->failure[0] != '\0')   /* what failed may keep it from ending */
        return COP_OK;
    snprintf(record->failure, sizeof record->failure, "the node came to a bad end");
    if (WIFSIGNALED(status))
        snprintf(record->detail, sizeof record->detail, "%s", strsignal(WTERMSIG(status)));
    record->failed_step = record->steps;
    return COP_OK;
}

/* ---- the report ------------------------------------------------------------------------ */

static int report(const struct simulated *run, const struct sim_record *record,
                  cop_sim_report *ret_report)
{
    size_t bytes = record->decisions * sizeof record->plan[0];
    cop_sim_decision *plan = malloc(bytes + 1);
    if (plan == NULL)
        return COP_ENOMEM;
    memcpy(plan, record->plan, bytes);
    *ret_report = (cop_sim_report){ .seed = run->seed,
                                    .status = record->status,
                                    .steps = record->steps,
                                    .virtual_ns = record->virtual_ns,
                                    .trace = record->trace,
                                    .failed_step = record->failed_step,
                                    .failed_ns = record->failed_ns,
                                    .plan = plan,
                                    .plan_count = record->decisions };
    memcpy(ret_report->failure, record->failure, sizeof ret_report->failure);
    memcpy(ret_report->detail, record->detail, sizeof ret_report->detail);
    return record->failure[0] == '\0' ? COP_OK : COP_EFAILED;
}

static bool options_are_wrong(const cop_sim_options *options)
{
    if (options == NULL)
        return false;
    for (size_t i = 0; i < COP_SIM_KINDS; i++)
        if (options->chance[i] > 1000000)
            return true;
    return options->slow_ms < 0 || options->late_ms < 0 || options->isolated_seconds < 0 ||
           options->hang_ms < 0 || options->jump_ms < 0 || options->burst > COP_SIM_PLAN_MAX ||
           (options->plan == NULL && options->plan_count > 0);
}

int cop_sim_run(uint64_t seed, cop_function *function, void *argument,
                const cop_sim_options *options, cop_sim_report *ret_report)
{
    const struct simulated run = { seed, function, argument, options };
    if (function == NULL || ret_report == NULL || options_are_wrong(options))
        return COP_EINVAL;
    if (copi_sim_runs || cop_schedulers() > 0)
        return COP_ELIMIT;
    struct sim_record *record = copi_memory_share(sizeof *record);
    if (record == NULL)
        return COP_ENOMEM;
    int error = COP_OK;
    if (options != NULL && options->isolated)
        error = play_isolated(&run, record);
    else
        play(&run, record);
    if (error == COP_OK && record->status < 0 && record->status != COP_EDOWN)
        error = record->status;
    if (error == COP_OK)
        error = report(&run, record, ret_report);
    copi_memory_release(record, sizeof *record);
    return error;
}

void cop_sim_report_free(cop_sim_report *report)
{
    free(report->plan);
    report->plan = NULL;
    report->plan_count = 0;
}
