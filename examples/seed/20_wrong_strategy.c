/* 20_wrong_strategy.c - Pitfall 1: one_for_all for independent workers restarts the innocent. */
#include "cast.h"

static const cop_child_spec children[] = { COP_CHILD_SERVER(payment_api),
                                           COP_CHILD_SERVER(donation_api) };
static const cop_supervisor wrong = { .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(children) };
static const cop_supervisor right = { .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(children) };

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_pid pid = cop_supervisor_start_link(&wrong).pid;
    crash("payment_api");
    show("Wrong: payment_api crashed, donation_api was restarted too", pid);
    end_scene(pid);
    pid = cop_supervisor_start_link(&right).pid;
    crash("payment_api");
    show("Right: payment_api crashed, donation_api is the same", pid);
}

PLAY(story)
