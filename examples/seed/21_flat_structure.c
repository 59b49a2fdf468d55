/* 21_flat_structure.c - Pitfall 2: in a flat list one bad worker uses up the patience meant
 * for all of them. */
#include "cast.h"

static const cop_child_spec flat[] = {
    COP_CHILD_SERVER(database_pool),
    COP_CHILD_SERVER(payment_worker_1), COP_CHILD_SERVER(payment_worker_2),
    COP_CHILD_SERVER(donation_worker_1), COP_CHILD_SERVER(donation_worker_2),
};
static const cop_supervisor wrong = { .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(flat) };

static const cop_child_spec payment[] = { COP_CHILD_SERVER(payment_worker_1),
                                          COP_CHILD_SERVER(payment_worker_2) };
static const cop_supervisor payment_supervisor = { COP_CHILDREN(payment) };
static const cop_child_spec donation[] = { COP_CHILD_SERVER(donation_worker_1),
                                           COP_CHILD_SERVER(donation_worker_2) };
static const cop_supervisor donation_supervisor = { COP_CHILDREN(donation) };
static const cop_child_spec tree[] = { COP_CHILD_SERVER(database_pool),
                                       COP_CHILD_SUPERVISOR(payment_supervisor),
                                       COP_CHILD_SUPERVISOR(donation_supervisor) };
static const cop_supervisor right = { .strategy = COP_REST_FOR_ONE, COP_CHILDREN(tree) };

/* ---- on stage ---- */

/* The fourth is one too many.  The flat supervisor is all there is; in the tree it is only
 * payment_supervisor that gives up, and the top starts it again, with what comes after it. */
static void four_crashes(const char *title, const cop_supervisor *supervisor)
{
    cop_pid pid = cop_supervisor_start_link(supervisor).pid;
    for (int i = 0; i < 4; i++)
        crash("payment_worker_1");
    show(title, pid);
    end_scene(pid);
}

static void story(void *argument)
{
    (void)argument;
    cop_trap_exit(true);                             /* to outlive a supervisor that gives up */
    four_crashes("Wrong: flat, after four crashes of payment_worker_1", &wrong);
    four_crashes("Right: a tree, after four crashes of payment_worker_1", &right);
}

PLAY(story)
