/* plan.c - the bytes are the plan of a simulation, decisions in any order and with any value: it is
 * run, what was decided runs to the same end again, and the report can be printed. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "lib/fuzz.h"

enum { DECISIONS = 64, TEXT = 16384 };

COP_CALL(count, COP_EMPTY, { int n; });

static cop_next counter_init(void *state, const void *argument)
{
    (void)argument;
    *(int *)state = 1;
    return cop_register("counter") == COP_OK ? cop_ok() : cop_stop(cop_reason_atom("name"));
}

static cop_next counter_call(void *state, const cop_message *request, cop_from from)
{
    (void)request;
    (void)from;
    char *block = cop_alloc(100);
    cop_free(block);
    return cop_reply(count, .n = ++*(int *)state);
}

static const cop_gen_server counter = { .state_size = sizeof(int), .init = counter_init,
                                        .handle_call = counter_call };

static void asker(void *argument)
{
    (void)argument;
    cop_init_ack();
    for (;;) {
        count_reply reply;
        cop_call("counter", &reply, count, 0);
        cop_sleep(7);
    }
}

static const cop_child_spec children[] = {
    COP_CHILD_SERVER(counter),
    { .id = "a", .start = cop_child_function, .module = COP_FUNCTION(asker),
      .restart = COP_TRANSIENT },
    { .id = "b", .start = cop_child_function, .module = COP_FUNCTION(asker),
      .backoff = { .initial_ms = 5 } },
};
static const cop_supervisor top = { .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children) };

static void story(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_reason_unref(cop_supervisor_start_link(&top).reason);
    cop_sleep(200);
}

static cop_sim_decision decision(struct bytes *bytes)
{
    static const int sizes[] = { 1, 1, 2, 8 };
    uint8_t what = bytes_take(bytes);
    return (cop_sim_decision){ .kind = (enum cop_sim_kind)(what % COP_SIM_KINDS),
                               .moment = bytes_number(bytes, sizes[what >> 4 & 3]),
                               .value = (int64_t)bytes_number(bytes, sizes[what >> 6 & 3]) };
}

static void check_format(const cop_sim_report *report)
{
    char *text = malloc(TEXT);
    FUZZ_CHECK(text != NULL);
    int length = cop_sim_format(report, text, TEXT);
    FUZZ_CHECK(length > 0 && length < TEXT && strlen(text) == (size_t)length);
    FUZZ_CHECK(cop_sim_format(report, NULL, 0) == length);
    FUZZ_CHECK(cop_sim_format(report, text, 10) == length && strlen(text) == 9);
    free(text);
}

/* Decisions that were not met are left out, so the run's own plan is the shorter one. */
static void check_again(const cop_sim_report *report, cop_sim_options options)
{
    static const cop_sim_decision none;
    cop_sim_report again;
    options.plan = report->plan_count == 0 ? &none : report->plan;
    options.plan_count = report->plan_count;
    cop_sim_run(report->seed, story, NULL, &options, &again);
    FUZZ_CHECK(again.trace == report->trace && again.steps == report->steps);
    FUZZ_CHECK(strcmp(again.failure, report->failure) == 0);
    cop_sim_report_free(&again);
}

void fuzz_one(struct bytes *bytes)
{
    cop_sim_decision plan[DECISIONS];
    cop_sim_options options = { .plan = plan };
    cop_sim_report report;
    uint64_t seed = bytes_take(bytes);
    while (bytes_left(bytes) > 0 && options.plan_count < DECISIONS)
        plan[options.plan_count++] = decision(bytes);
    int error = cop_sim_run(seed, story, NULL, &options, &report);
    FUZZ_CHECK(error == COP_OK || error == COP_EFAILED);
    if (error == COP_EFAILED) fuzz_fail("%s: %s", report.failure, report.detail);
    FUZZ_CHECK(report.plan_count <= options.plan_count);
    check_format(&report);
    check_again(&report, options);
    cop_sim_report_free(&report);
}
