/* story.c - from the library's log events to messages of the story. */
#include "story.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "front.h"
#include "tree.h"

enum { FIRST_PAGE = 4096 };    /* an address below is that of a null pointer's field */

static const char *const ending_names[ENDINGS] = {
    [BY_ERROR] = "error exit",
    [BY_NULL_WRITE] = "null write",
    [BY_ASSERT] = "failed assert",
    [BY_ABORT] = "abort",
    [BY_DIVISION] = "division by zero",
    [BY_RECURSION] = "runaway recursion",
    [BY_LEAK] = "out of memory",
    [BY_OTHER_CRASH] = "another crash",
    [BY_KILL] = "killed",
    [BY_GIVING_UP] = "gave up",
    [BY_OTHER] = "another exit",
};

const char *ending_name(enum ending ending)
{
    return ending_names[ending];
}

static enum ending classify_crash(const cop_crash *crash)
{
    if (crash->stack_overflow) return BY_RECURSION;
    if (crash->assertion != NULL) return BY_ASSERT;
    switch (crash->signal) {
    case SIGSEGV: return (uintptr_t)crash->address < FIRST_PAGE ? BY_NULL_WRITE : BY_OTHER_CRASH;
    case SIGFPE: return BY_DIVISION;
    case SIGABRT: return BY_ABORT;
    default: return BY_OTHER_CRASH;
    }
}

static enum ending classify(const cop_reason *reason)
{
    if (cop_reason_crash(reason) != NULL) return classify_crash(cop_reason_crash(reason));
    if (cop_reason_kind_of(reason) == COP_REASON_ERROR) {
        return strncmp(cop_reason_text(reason), "enomem", 6) == 0 ? BY_LEAK : BY_ERROR;
    }
    if (cop_reason_is(reason, "killed")) return BY_KILL;
    if (cop_reason_is(reason, "shutdown")) return BY_GIVING_UP;
    return BY_OTHER;
}

/* Known endings have a name that fits a column; of an error its own text is what helps. */
enum ending story_explain(const cop_reason *reason, char why[STORY_WHY_BYTES])
{
    enum ending ending = classify(reason);
    switch (ending) {
    case BY_ERROR: snprintf(why, STORY_WHY_BYTES, "error: %s", cop_reason_text(reason)); break;
    case BY_OTHER_CRASH:
    case BY_OTHER: cop_reason_format(reason, why, STORY_WHY_BYTES); break;
    default: snprintf(why, STORY_WHY_BYTES, "%s", ending_name(ending)); break;
    }
    return ending;
}

/* The names of those that were restarted together with the child. */
static void list_restarted(supervision *message, const cop_log_event *event)
{
    size_t used = 0;
    for (size_t i = 0; i < event->restarted_count; i++) {
        const char *name = event->restarted[i];
        if (name == NULL || strcmp(name, message->child) == 0) continue;
        size_t room = sizeof message->restarted_with - used;
        int length = snprintf(message->restarted_with + used, room, "%s%s", used > 0 ? ", " : "",
                              name);
        if (length < 0 || (size_t)length >= room) break;
        used += (size_t)length;
    }
}

static bool is(const char *text, const char *expected)
{
    return text != NULL && strcmp(text, expected) == 0;
}

/* Whether the event belongs to the story, and as what. */
static bool is_event(const cop_log_event *event, enum story_event *ret_event)
{
    if (event->kind == COP_LOG_RESTART) {
        *ret_event = CHILD_RESTARTED;
    } else if (event->kind != COP_LOG_SUPERVISOR) {
        return false;
    } else if (is(event->context, "child_terminated") || is(event->context, "shutdown_error")) {
        bool task = is(event->supervisor_name, PaymentTaskSupervisor.name);
        *ret_event = task ? TASK_ENDED : CHILD_ENDED;
    } else if (is(event->context, "start_error")) {
        *ret_event = CHILD_NOT_STARTED;
    } else {
        *ret_event = SUPERVISOR_GAVE_UP;
    }
    return true;
}

void story_sink(const cop_log_event *event, void *context)
{
    (void)context;
    supervision message = { .time_ns = event->time_ns };
    if (!is_event(event, &message.event)) return;
    if (event->supervisor_name != NULL) {
        snprintf(message.supervisor, sizeof message.supervisor, "%s", event->supervisor_name);
    }
    if (event->child != NULL) {
        snprintf(message.child, sizeof message.child, "%s", event->child);
    }
    if (event->reason != NULL) message.ending = story_explain(event->reason, message.why);
    list_restarted(&message, event);
    cop_send_message(cop_to(FRONT_NAME), cop_message_new(COP_TYPE(supervision), &message, 0));
}
