/* log.c - handing reports to the sink, and a sink that prints. */
#include <coppice/log.h>

#include <stdarg.h>
#include <stdio.h>

#include <coppice/timer.h>

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

struct text {
    char *buffer;
    size_t size;
    int length;
};

__attribute__((format(printf, 2, 3)))
static void add(struct text *text, const char *format, ...)
{
    size_t at = (size_t)text->length < text->size ? (size_t)text->length : text->size;
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text->size == 0 ? NULL : text->buffer + at, text->size - at, format,
                         arguments);
    va_end(arguments);
    if (more > 0)
        text->length += more;
}

static void add_reason(struct text *text, const cop_log_event *event)
{
    char reason[1024];
    if (event->reason == NULL)
        return;
    cop_reason_format(event->reason, reason, sizeof reason);
    add(text, ": %s", reason);
    if (cop_reason_origin(event->reason) == NULL)
        return;
    cop_reason_format(cop_reason_origin(event->reason), reason, sizeof reason);
    add(text, ", because of %s", reason);
}

static void add_who(struct text *text, const cop_log_event *event)
{
    char pid[40];
    cop_pid_format(event->process, pid, sizeof pid);
    if (event->child != NULL)
        add(text, " %s", event->child);
    else if (event->name != NULL)
        add(text, " %s", event->name);
    else if (event->label != NULL)
        add(text, " %s", event->label);
    if (!cop_pid_is_none(event->process))
        add(text, " %s", pid);
}

int cop_log_format(const cop_log_event *event, char *buffer, size_t size)
{
    struct text text = { buffer, size, 0 };
    char details[4096];
    add(&text, "%lld.%03lld %s", (long long)(event->time_ns / 1000000000),
        (long long)(event->time_ns / 1000000 % 1000), kinds[event->kind]);
    if (event->supervisor_name != NULL)
        add(&text, " %s", event->supervisor_name);
    if (event->context != NULL)
        add(&text, " %s", event->context);
    add_who(&text, event);
    if (event->message_type != NULL)
        add(&text, ", handling %s", event->message_type);
    add_reason(&text, event);
    for (size_t i = 0; i < event->restarted_count; i++)
        add(&text, "%s%s", i == 0 ? "; restarted " : ", ", event->restarted[i]);
    copi_make_printable(buffer, size > 0 ? size - 1 : 0, text.length);
    if (event->text != NULL)
        add(&text, ": %s", event->text);
    if (event->kind == COP_LOG_CRASH && event->reason != NULL &&
        cop_reason_format_crash(event->reason, details, sizeof details) > 0)
        add(&text, "\n  %s", details);
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
