/* 01_manual_monitoring.c - Manual process monitoring: a monitor tells of a crash; restarting
 * is the caller's business. */
#include "cast.h"

enum task { OK_TASK, CRASH_TASK, ENDLESS_TASK };
COP_MESSAGE(result, { int value; });
struct job { cop_pid parent; enum task task; };
struct outcome { int error, value; const cop_reason *reason; };   /* until the next receive */

static void perform_task(void *argument)
{
    const struct job *job = argument;
    if (job->task == CRASH_TASK)
        cop_raise("Task failed");
    if (job->task == ENDLESS_TASK)
        cop_sleep(COP_INFINITY);
    cop_send(job->parent, result, .value = 42);
}

static struct outcome start_worker(enum task task)
{
    struct job job = { cop_self(), task };
    cop_ref ref;                                     /* of the monitor: no link, no exit signal */
    cop_pid pid = cop_spawn_monitor(perform_task, &job, sizeof job, &ref);
    struct outcome outcome = { .error = COP_ETIMEOUT };

    /* Its result or its down message; what others send waits, and does not prolong the wait. */
    const cop_message *message = cop_receive_match(&(cop_match){ .from = pid }, 5000);
    if (message == NULL)
        cop_exit_process(pid, COP_KILL);
    else if (cop_is(message, result))
        outcome = (struct outcome){ COP_OK, cop_get(message, result)->value, NULL };
    else
        outcome = (struct outcome){ COP_EDOWN, 0, cop_expect(message, cop_down_message)->reason };
    cop_demonitor_flush(ref);
    return outcome;
}

/* ---- on stage ---- */

COP_MESSAGE(gossip, COP_EMPTY);

static void try_it(const char *title, enum task task)
{
    int64_t start = cop_now_ms();
    struct outcome outcome = start_worker(task);
    printf("%s: ", title);
    if (outcome.error == COP_OK)
        printf("ok, %d\n", outcome.value);
    else if (outcome.error == COP_EDOWN)
        printf("crashed, %s\n", reason_text(outcome.reason));
    else
        printf("timeout, killed after %lld ms\n", (long long)(cop_now_ms() - start));
}

static void story(void *argument)
{
    (void)argument;
    try_it("ok task", OK_TASK);
    try_it("crash task", CRASH_TASK);
    cop_send_after(cop_self(), 3000, gossip);
    try_it("endless task", ENDLESS_TASK);
}

PLAY(story)
