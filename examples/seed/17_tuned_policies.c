/* 17_tuned_policies.c - Best practice 3: transient failures get more patience than persistent
 * ones. */
#include "cast.h"

static const cop_child_spec children[] = { COP_CHILD_SERVER(payment_api) };
static const cop_supervisor transient = { .intensity = COP_MAX_RESTARTS(10, 60),
                                          COP_CHILDREN(children) };
static const cop_supervisor persistent = { .intensity = COP_MAX_RESTARTS(3, 5),
                                           COP_CHILDREN(children) };

/* ---- on stage ---- */

static void five_crashes(const char *title, const cop_supervisor *supervisor)
{
    cop_pid pid = cop_supervisor_start_link(supervisor).pid;
    for (int i = 0; i < 5 && cop_is_alive(pid); i++)
        crash("payment_api");
    printf("%s: %s after five quick crashes\n", title, cop_is_alive(pid) ? "runs" : "gave up");
    end_scene(pid);
}

static void story(void *argument)
{
    (void)argument;
    cop_trap_exit(true);                             /* to outlive a supervisor that gives up */
    five_crashes("10 in 60 s", &transient);
    five_crashes("3 in 5 s", &persistent);
}

PLAY(story)
