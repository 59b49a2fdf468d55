/* story.h - what the tests of starts and servers tell: results, ends, reports. */
#ifndef TEST_STORY_H
#define TEST_STORY_H

#include <coppice/coppice.h>

#include "node.h"
#include "trace.h"

static inline const char *show(const cop_reason *reason)
{
    static char text[128];
    if (reason == NULL) return "none";
    cop_reason_format(reason, text, sizeof text);
    return text;
}

/* Traces a start's result and gives its reason back. */
static inline void trace_started(const char *what, cop_started started)
{
    bool runs = started.error == COP_OK || started.error == COP_EALREADY_STARTED;
    ck_assert(runs != cop_pid_is_none(started.pid));
    trace("%s: %s, reason %s", what, cop_error_name(started.error), show(started.reason));
    cop_reason_unref(started.reason);
}

/* Waits for a down message and traces it. */
static inline void trace_down(const char *what, cop_ref ref)
{
    cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
    trace("%s ended: %s", what, show(cop_expect(message, cop_down_message)->reason));
    cop_message_free(message);
}

/* A log sink: what servers report, without times and pids. */
static inline void trace_reports(const cop_log_event *event, void *context)
{
    (void)context;
    if (event->kind == COP_LOG_SERVER)
        trace("report: %s had %s: %s", event->name != NULL ? event->name : event->label,
              event->message_type, show(event->reason));
    else if (event->kind == COP_LOG_TEXT)
        trace("note: %s: %s", event->message_type, event->text);
}

/* Runs a story deterministically, whose reports are part of it, and compares. */
static inline void run_story(cop_function *story)
{
    trace_reset();
    int status = cop_run(story, NULL, &(cop_run_options){ .deterministic = true,
                                                          .log = trace_reports });
    ck_assert_int_eq(status, 0);
}

#define expect_story(story_, expected_)                                                  \
    do {                                                                                 \
        run_story(story_);                                                               \
        trace_expect(expected_);                                                         \
    } while (0)

#endif
