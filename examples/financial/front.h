/* front.h - the front: the run's first process.
 *
 * It starts the tree, lets the day's customers in when their time has come, hears what the
 * supervisors report, and at closing time stops the tree. */
#ifndef FINANCIAL_FRONT_H
#define FINANCIAL_FRONT_H

#include <stdatomic.h>

#include "input.h"
#include "report.h"

#define FRONT_NAME "Front"

struct front {
    const struct input *input;
    double faults;                              /* the share of requests that meet one */
    const atomic_int *stop_signal;              /* not 0: stop in order */
    struct report *report;
    struct tally tally;                         /* what happened; complete when the run has ended */
    char failure[STORY_WHY_BYTES];              /* why the tree did not start; "": it did */
};

/* [process] The first process's function; argument is a struct front. */
void front_run(void *argument);

#endif
