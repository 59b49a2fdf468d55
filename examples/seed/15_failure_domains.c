/* 15_failure_domains.c - Best practice 1: a failure domain for each subsystem, not one flat
 * list for all. */
#include "cast.h"

static const cop_child_spec payment[] = { COP_CHILD_SERVER(payment_worker) };
static const cop_supervisor payment_supervisor = { COP_CHILDREN(payment) };
static const cop_child_spec donation[] = { COP_CHILD_SERVER(donation_worker) };
static const cop_supervisor donation_supervisor = { COP_CHILDREN(donation) };

/* Good: what all need comes first, then independent subsystems. */
static const cop_child_spec good_children[] = {
    COP_CHILD_SERVER(database_pool),
    COP_CHILD_SUPERVISOR(payment_supervisor),
    COP_CHILD_SUPERVISOR(donation_supervisor),
};
static const cop_supervisor good = { .strategy = COP_REST_FOR_ONE, COP_CHILDREN(good_children) };

/* Bad: any crash restarts everything. */
static const cop_child_spec bad_children[] = {
    COP_CHILD_SERVER(database_pool),
    COP_CHILD_SERVER(payment_worker),
    COP_CHILD_SERVER(donation_worker),
    COP_CHILD_SERVER(notification_worker),
};
static const cop_supervisor bad = { .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(bad_children) };

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_pid app = cop_supervisor_start_link(&good).pid;
    crash("payment_worker");
    show("Good: payment_worker crashed", app);
    end_scene(app);
    app = cop_supervisor_start_link(&bad).pid;
    crash("payment_worker");
    show("Bad: payment_worker crashed", app);
}

PLAY(story)
