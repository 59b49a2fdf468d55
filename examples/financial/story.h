/* story.h - what the supervisors report, as messages to the front.
 *
 * story_sink is the run's log sink.  It is called by whichever process has something to say;
 * it makes a message of what matters for the story and sends it to the process called
 * FRONT_NAME, which alone counts and prints. */
#ifndef FINANCIAL_STORY_H
#define FINANCIAL_STORY_H

#include <coppice/coppice.h>

enum story_event {
    CHILD_ENDED,          /* a supervisor's child ended, and should not have */
    TASK_ENDED,           /* a task did; it is not restarted */
    CHILD_RESTARTED,      /* it runs again, and what was restarted with it */
    CHILD_NOT_STARTED,    /* an attempt to start it failed */
    SUPERVISOR_GAVE_UP    /* the child ended once too often */
};

/* How it ended. */
enum ending {
    BY_ERROR, BY_NULL_WRITE, BY_ASSERT, BY_ABORT, BY_DIVISION, BY_RECURSION, BY_LEAK,
    BY_OTHER_CRASH, BY_KILL, BY_GIVING_UP, BY_OTHER, ENDINGS
};
const char *ending_name(enum ending ending);

enum { STORY_NAME_BYTES = 32, STORY_WHY_BYTES = 96, STORY_LIST_BYTES = 128 };

COP_MESSAGE(supervision, {
    enum story_event event;
    enum ending ending;
    int64_t time_ns;
    char supervisor[STORY_NAME_BYTES];
    char child[STORY_NAME_BYTES];
    char why[STORY_WHY_BYTES];
    char restarted_with[STORY_LIST_BYTES];    /* names, with ", " between them */
});

/* [any thread] How it ended, in a few words for a column; returns its kind. */
enum ending story_explain(const cop_reason *reason, char why[STORY_WHY_BYTES]);

void story_sink(const cop_log_event *event, void *context);

#endif
