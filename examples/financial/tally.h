/* tally.h - what is counted during the day. */
#ifndef FINANCIAL_TALLY_H
#define FINANCIAL_TALLY_H

#include "story.h"

enum { TALLY_SUPERVISORS = 8 };

struct supervisor_tally {
    char name[STORY_NAME_BYTES];
    size_t restarts;
};

struct tally {
    size_t came;                     /* requests that came in */
    size_t served;                   /* that are confirmed */
    size_t tries;                    /* how often they were sent, all together */
    size_t posted_before;            /* confirmed by an entry that an earlier try had made */
    size_t receipts;                 /* sent by the notification service */
    size_t endings[ENDINGS];         /* children that ended and should not have */
    struct supervisor_tally supervisors[TALLY_SUPERVISORS];
};

/* The supervisor's own, which is made when there is none. */
struct supervisor_tally *tally_supervisor(struct tally *tally, const char *name);

/* All endings by an error or a native crash; all restarts. */
size_t tally_crashes(const struct tally *tally);
size_t tally_restarts(const struct tally *tally);

#endif
