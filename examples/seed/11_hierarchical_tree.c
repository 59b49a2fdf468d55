/* 11_hierarchical_tree.c - A tree of supervisors: failures stay where they happen, and cascade
 * in a known order. */
#include "cast.h"

static const cop_task_supervisor payment_task_supervisor = { .name = "payment_task_supervisor" };

static const cop_child_spec payment_children[] = {
    COP_CHILD_SERVER(payment_processor),             /* core processor */
    COP_CHILD_TASK_SUPERVISOR(payment_task_supervisor),   /* dynamic payment tasks */
};
static const cop_supervisor payment_supervisor = {   /* isolated from the other subsystems */
    .name = "payment_supervisor", .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(payment_children),
};

static const cop_child_spec donation_children[] = {
    COP_CHILD_SERVER(donation_processor),            /* core processor */
    COP_CHILD_SERVER(donation_worker),               /* background worker */
};
static const cop_supervisor donation_supervisor = {  /* a processor crash restarts the worker */
    .name = "donation_supervisor", .strategy = COP_REST_FOR_ONE, COP_CHILDREN(donation_children),
};

static const cop_child_spec notification_children[] = { COP_CHILD_SERVER(notification_service) };
static const cop_supervisor notification_supervisor = {
    .name = "notification_supervisor", COP_CHILDREN(notification_children),
};

static const cop_child_spec children[] = {
    COP_CHILD_SERVER(database_pool),                 /* level 1: infrastructure */
    COP_CHILD_SUPERVISOR(payment_supervisor),        /* level 2: subsystems */
    COP_CHILD_SUPERVISOR(donation_supervisor),
    COP_CHILD_SUPERVISOR(notification_supervisor),
};
static const cop_supervisor financial_app = {        /* a database crash restarts everything */
    .name = "financial_app", .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children),
};

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_pid app = cop_supervisor_start_link(&financial_app).pid;
    show("financial_app", app);
    crash("payment_processor");
    show("Scenario 1: payment_processor crashed", app);
    crash("donation_processor");
    show("Scenario 2: donation_processor crashed", app);
    for (int i = 0; i < 3; i++)
        crash("donation_processor");                 /* once too often: its supervisor gives up */
    show("Scenario 2b: donation_supervisor gave up", app);
    crash("database_pool");
    show("Scenario 3: database_pool crashed", app);
}

PLAY(story)
