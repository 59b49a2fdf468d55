/* sim_shrink.c - the shortest plan that still fails, and a report as text.
 *
 * Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
 * 2002): the plan is cut into n pieces, and each piece is left out in turn.  When the run still
 * fails without one, that piece is gone for good; when it needs them all, the pieces are halved,
 * until each is one decision.  A decision that is left out changes what comes after it, so what is
 * kept of a plan may well do something else than before: only that the same check fails counts. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/sim.h>

#include "../base/text.h"

struct search {
    cop_function *function;
    void *argument;
    cop_sim_options options;
    cop_sim_report best;            /* the shortest so far; its plan is that of the run */
    int error;
};

/* ---- shrinking ------------------------------------------------------------------------- */

/* Runs with a plan; if that fails in the same way, it is the best. */
static bool still_fails(struct search *search, const cop_sim_decision *plan, size_t count)
{
    static const cop_sim_decision none;
    cop_sim_report report;
    search->options.plan = count == 0 ? &none : plan;
    search->options.plan_count = count;
    int error = cop_sim_run(search->best.seed, search->function, search->argument,
                            &search->options, &report);
    if (error == COP_EFAILED && strcmp(report.failure, search->best.failure) == 0) {
        cop_sim_report_free(&search->best);
        search->best = report;
        return true;
    }
    if (error == COP_OK || error == COP_EFAILED)
        cop_sim_report_free(&report);
    else
        search->error = error;
    return false;
}

/* Leaves out one of the best plan's pieces of that size, the last first: later decisions are more
 * often idle.  Whether it could. */
static bool leave_out(struct search *search, size_t size, cop_sim_decision *room)
{
    size_t count = search->best.plan_count;
    for (size_t end = count; end > 0 && search->error == COP_OK;) {
        size_t begin = end > size ? end - size : 0;
        const cop_sim_decision *plan = search->best.plan;
        memcpy(room, plan, begin * sizeof *plan);
        memcpy(room + begin, plan + end, (count - end) * sizeof *plan);
        if (still_fails(search, room, count - (end - begin)))
            return true;
        end = begin;
    }
    return false;
}

static void shrink(struct search *search, cop_sim_decision *room)
{
    size_t size = search->best.plan_count;
    while (size > 0 && search->error == COP_OK) {
        if (!leave_out(search, size, room))
            size /= 2;
        if (size > search->best.plan_count)
            size = search->best.plan_count;
    }
}

int cop_sim_shrink(const cop_sim_report *failed, cop_function *function, void *argument,
                   const cop_sim_options *options, cop_sim_report *ret_shortest)
{
    struct search search = { .function = function, .argument = argument };
    if (failed == NULL || failed->failure[0] == '\0' || ret_shortest == NULL)
        return COP_EINVAL;
    if (options != NULL)
        search.options = *options;
    search.options.isolated = true;
    cop_sim_decision *room = malloc((failed->plan_count + 1) * sizeof *room);
    if (room == NULL)
        return COP_ENOMEM;
    search.best = *failed;
    search.best.plan = NULL;
    if (still_fails(&search, failed->plan, failed->plan_count)) {
        shrink(&search, room);
    } else if (search.error == COP_OK) {
        search.error = COP_EINVAL;
    }
    free(room);
    if (search.error != COP_OK) {
        cop_sim_report_free(&search.best);
        return search.error;
    }
    *ret_shortest = search.best;
    return COP_OK;
}

/* ---- text ------------------------------------------------------------------------------ */

static void add_decision(struct text *text, const cop_sim_decision *decision)
{
    static const char *const names[COP_SIM_KINDS] = {
        [COP_SIM_ORDER] = "order",         [COP_SIM_INTERRUPT] = "interrupt",
        [COP_SIM_CRASH] = "crash",         [COP_SIM_KILL] = "kill",
        [COP_SIM_SLOW] = "slow",           [COP_SIM_LATE] = "late",
        [COP_SIM_NO_MEMORY] = "no memory", [COP_SIM_NO_PROCESS] = "no process",
        [COP_SIM_NO_HEAP] = "no heap",     [COP_SIM_NO_DESCRIPTOR] = "no descriptor",
        [COP_SIM_NO_THREAD] = "no thread", [COP_SIM_HANG] = "hang",
        [COP_SIM_JUMP] = "jump",           [COP_SIM_BURST] = "burst",
        [COP_SIM_CLEANUP] = "cleanup",
    };
    char pid[32] = "";
    if (!cop_pid_is_none(decision->process))
        cop_pid_format(decision->process, pid, sizeof pid);
    copi_text_add(text, "\n  %s at %" PRIu64, names[decision->kind], decision->moment);
    if (decision->kind == COP_SIM_ORDER)
        copi_text_add(text, ": %" PRId64, decision->value);
    else if (decision->kind == COP_SIM_SLOW || decision->kind == COP_SIM_LATE ||
             decision->kind == COP_SIM_HANG || decision->kind == COP_SIM_JUMP)
        copi_text_add(text, ": %" PRId64 " ns", decision->value);
    if (pid[0] != '\0')
        copi_text_add(text, ": %s", pid);
}

int cop_sim_format(const cop_sim_report *report, char *buffer, size_t size)
{
    struct text text = copi_text(buffer, size);
    copi_text_add(&text, "seed %" PRIu64 ": ", report->seed);
    if (report->failure[0] == '\0')
        copi_text_add(&text, "nothing failed in %" PRIu64 " steps, %" PRId64 " ms", report->steps,
                      report->virtual_ns / 1000000);
    else
        copi_text_add(&text, "\"%s\" failed at step %" PRIu64 ", %" PRId64 " ms%s%s",
                      report->failure, report->failed_step, report->failed_ns / 1000000,
                      report->detail[0] == '\0' ? "" : ": ", report->detail);
    copi_text_add(&text, "\nplan: %zu decisions", report->plan_count);
    for (size_t i = 0; i < report->plan_count; i++) add_decision(&text, &report->plan[i]);
    return text.length;
}
