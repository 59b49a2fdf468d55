/* 12_default_restart_policy.c - The default: 3 restarts in 5 seconds; the fourth crash within
 * them is one too many. */
#include "cast.h"

static const cop_child_spec children[] = { COP_CHILD_SERVER(worker_1) };
static const cop_supervisor supervisor = { .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(children) };

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_trap_exit(true);                             /* to outlive a supervisor that gives up */
    cop_pid pid = cop_supervisor_start_link(&supervisor).pid;
    printf("0s  Worker starts\n");
    for (int second = 1; second <= 4; second++) {
        cop_sleep(second * 1000 - cop_now_ms());
        crash("worker_1");
        printf("%ds  Crash %d, %s\n", second, second,
               cop_is_alive(pid) ? "restarted" : "the supervisor terminates");
    }
}

PLAY(story)
