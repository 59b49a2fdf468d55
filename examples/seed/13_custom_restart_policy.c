/* 13_custom_restart_policy.c - How many restarts are tolerated depends on what fails. */
#include "cast.h"

static const cop_child_spec children[] = { COP_CHILD_SERVER(worker_1) };

/* Tolerates temporary trouble: network blips, time-outs of other services. */
static const cop_supervisor tolerant = { .intensity = COP_MAX_RESTARTS(10, 60),
                                         COP_CHILDREN(children) };
/* Fails fast: trouble here does not go away by itself. */
static const cop_supervisor strict = { .intensity = COP_MAX_RESTARTS(1, 10),
                                       COP_CHILDREN(children) };

/* ---- on stage ---- */

static void crash_every_second(const char *title, const cop_supervisor *supervisor)
{
    cop_pid pid = cop_supervisor_start_link(supervisor).pid;
    int crashes = 0;
    for (; cop_is_alive(pid); crashes++) {
        cop_sleep(999);
        crash("worker_1");
    }
    printf("%s: gave up at crash %d\n", title, crashes);
}

static void story(void *argument)
{
    (void)argument;
    cop_trap_exit(true);                             /* to outlive a supervisor that gives up */
    crash_every_second("10 in 60 s", &tolerant);
    crash_every_second("1 in 10 s", &strict);
}

PLAY(story)
