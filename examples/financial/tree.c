/* tree.c - the supervision tree, from the top down.
 *
 * How many restarts are too many?  At the usual rate of faults some 200 of a day's 10,000
 * requests crash their worker, within 12 hours: a crash every 3 or 4 minutes, and one in
 * 10 minutes for the busiest child.  That four of them fall into 5 seconds is a matter of
 * 1 day in 100,000 or so; so a subsystem has the default of 3 restarts in 5 seconds, and only a
 * request that crashes its processor at every try makes its supervisor give up.
 *
 * The top restarts the database and whole subsystems, some 10 times a day.  When it gives up
 * there is nobody left, so it has more patience, 30 restarts in a minute: enough for a day
 * on which every request meets a fault.  The database has a budget of its own: each attempt to
 * open it waits twice as long as the one before, so that a disk which is away for some seconds is
 * waited for, and after ten attempts in a minute it is really broken and all ends.
 *
 * At closing time NotificationService is let finish: receipts that wait are sent first. */
#include "tree.h"

static const cop_supervisor PaymentSupervisor, DonationSupervisor, NotificationSupervisor;

static const cop_child_spec app_children[] = {
    /* infrastructure */
    COP_CHILD_SERVER(DatabasePool, .backoff = { .initial_ms = 100, .max_ms = 5000 },
                     .budget = COP_MAX_RESTARTS(10, 60)),
    /* subsystems, each of which may die without those before it */
    COP_CHILD_SUPERVISOR(PaymentSupervisor),
    COP_CHILD_SUPERVISOR(DonationSupervisor),
    COP_CHILD_SUPERVISOR(NotificationSupervisor),
};
const cop_supervisor FinancialApp_Supervisor = {
    .name = "FinancialApp.Supervisor",
    .strategy = COP_REST_FOR_ONE,
    .intensity = COP_MAX_RESTARTS(30, 60),
    COP_CHILDREN(app_children),
};

/* Payments: the processor, and a task for each payment. */
const cop_task_supervisor PaymentTaskSupervisor = { .name = "PaymentTaskSupervisor" };

static const cop_child_spec payment_children[] = {
    COP_CHILD_SERVER(PaymentProcessor),
    COP_CHILD_TASK_SUPERVISOR(PaymentTaskSupervisor),
};
static const cop_supervisor PaymentSupervisor = {
    .name = "PaymentSupervisor",
    .strategy = COP_ONE_FOR_ONE,
    COP_CHILDREN(payment_children),
};

/* Donations: the worker is of no use without the processor it works for. */
static const cop_child_spec donation_children[] = {
    COP_CHILD_SERVER(DonationProcessor),
    COP_CHILD_SERVER(DonationWorker),
};
static const cop_supervisor DonationSupervisor = {
    .name = "DonationSupervisor",
    .strategy = COP_REST_FOR_ONE,
    COP_CHILDREN(donation_children),
};

/* Notifications: nothing depends on them. */
static const cop_child_spec notification_children[] = {
    COP_CHILD_SERVER(NotificationService, .drain_ms = 5000),
};
static const cop_supervisor NotificationSupervisor = {
    .name = "NotificationSupervisor",
    .strategy = COP_ONE_FOR_ONE,
    COP_CHILDREN(notification_children),
};
