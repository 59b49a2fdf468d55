/* 09_rest_for_one.c - Strategy 2, rest_for_one: the one that crashed and those started after
 * it. */
#include "cast.h"

static const cop_child_spec children[] = {
    COP_CHILD_SERVER(donation_processor),            /* started first */
    COP_CHILD_SERVER(notification_service),          /* started second, depends on the first */
};
static const cop_supervisor donation_supervisor = {
    .name = "donation_supervisor", .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children),
};

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_pid supervisor = cop_supervisor_start_link(&donation_supervisor).pid;
    show("Before", supervisor);
    crash("donation_processor");
    show("Scenario 1: donation_processor crashed", supervisor);
    crash("notification_service");
    show("Scenario 2: notification_service crashed", supervisor);
}

PLAY(story)
