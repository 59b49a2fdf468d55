/* 01_manual_monitoring.c - Manual process monitoring: a monitor tells of a crash; restarting
 * is the caller's business. */
#include "cast.h"

enum task { OK_TASK, CRASH_TASK, ENDLESS_TASK };
COP_MESSAGE(result, { int value; });
struct job { cop_pid parent; enum task task; };

static void perform_task(void *argument)
{
    const struct job *job = argument;
    if (job->task == CRASH_TASK)
        cop_raise("Task failed");
    if (job->task == ENDLESS_TASK)
        cop_sleep(COP_INFINITY);
    cop_send(job->parent, result, .value = 42);
}

static void start_worker(const char *title, enum task task)
{
    struct job job = { cop_self(), task };
    cop_pid pid = cop_spawn_link(perform_task, &job, sizeof job);
    cop_ref ref = cop_monitor(pid);                  /* one down message when it ends */
    printf("%s: ", title);
    const cop_message *message;
    while ((message = cop_receive(5000)) != NULL) {
        const result *value = cop_get(message, result);
        const cop_down_message *down = cop_get(message, cop_down_message);
        if (value != NULL) {
            printf("ok, %d\n", value->value);
            cop_demonitor_flush(ref);
            return;
        }
        if (down != NULL && cop_ref_equal(down->ref, ref)) {
            printf("crashed, %s\n", reason_text(down->reason));
            return;
        }
    }
    cop_exit_process(pid, COP_KILL);
    printf("timeout, killed after %lld ms\n", (long long)cop_now_ms());
}

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    start_worker("ok task", OK_TASK);
    start_worker("crash task", CRASH_TASK);
    start_worker("endless task", ENDLESS_TASK);
}

PLAY(story)
