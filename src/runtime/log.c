/* log.c - handing reports to the sink, and a sink that prints. */
#include <coppice/log.h>

#include <stdio.h>

#include <coppice/timer.h>

#include "../base/text.h"
#include "node.h"
#include "reason.h"

static const char *const kinds[] = {
    [COP_LOG_CRASH] = "crash", [COP_LOG_SERVER] = "server", [COP_LOG_SUPERVISOR] = "supervisor",
    [COP_LOG_PROGRESS] = "progress", [COP_LOG_RESTART] = "restart", [COP_LOG_TEXT] = "note",
};

void cop_log(const cop_log_event *event)
{
    if (copi_node.options.log == NULL)
        return;
    cop_log_event full = *event;
    char name[COP_NAME_MAX + 1];
    struct process *self = copi_self();
    full.time_ns = cop_now_ns();
    if (cop_pid_is_none(full.process))
        full.process = cop_self();
    if (full.name == NULL && cop_name_of(full.process, name, sizeof name))
        full.name = name;
    if (full.label == NULL && self != NULL && cop_pid_equal(full.process, cop_self()))
        full.label = self->label;
    copi_node.options.log(&full, copi_node.options.log_context);
}

/* ---- text ------------------------------------------------------------------------------ */

static void add_reason(struct text *text, const cop_log_event *event)
{
    char reason[1024];
    if (event->reason == NULL)
        return;
    cop_reason_format(event->reason, reason, sizeof reason);
    copi_text_add(text, ": %s", reason);
    if (cop_reason_origin(event->reason) == NULL)
        return;
    cop_reason_format(cop_reason_origin(event->reason), reason, sizeof reason);
    copi_text_add(text, ", because of %s", reason);
}

static void add_who(struct text *text, const cop_log_event *event)
{
    char pid[40];
    cop_pid_format(event->process, pid, sizeof pid);
    if (event->child != NULL)
        copi_text_add(text, " %s", event->child);
    else if (event->name != NULL)
        copi_text_add(text, " %s", event->name);
    else if (event->label != NULL)
        copi_text_add(text, " %s", event->label);
    if (!cop_pid_is_none(event->process))
        copi_text_add(text, " %s", pid);
}

int cop_log_format(const cop_log_event *event, char *buffer, size_t size)
{
    if (event->report != NULL)
        return cop_crash_report_format(event->report, buffer, size);
    struct text text = copi_text(buffer, size);
    copi_text_add(&text, "%lld.%03lld %s", (long long)(event->time_ns / 1000000000),
                  (long long)(event->time_ns / 1000000 % 1000), kinds[event->kind]);
    if (event->supervisor_name != NULL)
        copi_text_add(&text, " %s", event->supervisor_name);
    if (event->context != NULL)
        copi_text_add(&text, " %s", event->context);
    add_who(&text, event);
    if (event->message_type != NULL)
        copi_text_add(&text, ", handling %s", event->message_type);
    add_reason(&text, event);
    for (size_t i = 0; i < event->restarted_count; i++)
        copi_text_add(&text, "%s%s", i == 0 ? "; restarted " : ", ", event->restarted[i]);
    if (event->restarts > 0)
        copi_text_add(&text, "; restarted %llu time%s so far", (unsigned long long)event->restarts,
                      event->restarts == 1 ? "" : "s");
    if (event->text != NULL)
        copi_text_add(&text, ": %s", event->text);
    return text.length;
}

void cop_log_stderr(const cop_log_event *event, void *context)
{
    (void)context;
    char text[8192];
    if (event->level == COP_LOG_DEBUG || event->kind == COP_LOG_PROGRESS)
        return;
    cop_log_format(event, text, sizeof text);
    fprintf(stderr, "%s\n", text);
}
