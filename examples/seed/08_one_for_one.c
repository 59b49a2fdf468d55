/* 08_one_for_one.c - Strategy 1, one_for_one: independent workers; only the one that crashed
 * is restarted. */
#include "cast.h"

static const cop_child_spec children[] = {
    COP_CHILD_SERVER(payment_processor),             /* independent payment worker */
    COP_CHILD_SERVER(donation_processor),            /* independent donation worker */
};
static const cop_supervisor financial_supervisor = {
    .name = "financial_supervisor", .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(children),
};

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_pid supervisor = cop_supervisor_start_link(&financial_supervisor).pid;
    show("Before crash", supervisor);
    crash("payment_processor");
    show("payment_processor crashed", supervisor);
}

PLAY(story)
