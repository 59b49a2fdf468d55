/* report.c - what supervisors have to say: the events of log.h. */
#include "child.h"

enum child_end copi_child_end(const cop_reason *reason)
{
    if (cop_reason_is(reason, "normal")) return END_NORMAL;
    if (cop_reason_is(reason, "shutdown")) return END_SHUTDOWN;
    if (cop_reason_is(reason, "killed")) return END_KILLED;
    return cop_reason_abnormal(reason) ? END_OTHER : END_SHUTDOWN_CAUSE;
}

static const char *shown(const char *id)
{
    return id != NULL ? id : "undefined";
}

/* The fields that all reports have. */
static cop_log_event event_of(const struct keeper *keeper, enum cop_log_level level,
                              enum cop_log_kind kind, const char *id, cop_pid pid)
{
    return (cop_log_event){ .level = level,
                            .kind = kind,
                            .process = pid,
                            .supervisor = cop_self(),
                            .supervisor_name = keeper->name,
                            .child = shown(id) };
}

void copi_report(const struct keeper *keeper, const char *context, const char *id, cop_pid pid,
                 const cop_reason *reason)
{
    cop_log_event event = event_of(keeper, COP_LOG_ERROR, COP_LOG_SUPERVISOR, id, pid);
    event.context = context;
    event.reason = reason;
    cop_log(&event);
}

void copi_report_ended(const struct keeper *keeper, const char *id, cop_pid pid,
                       const cop_reason *reason, uint64_t restarts)
{
    cop_log_event event = event_of(keeper, COP_LOG_ERROR, COP_LOG_SUPERVISOR, id, pid);
    event.context = "child_terminated";
    event.reason = reason;
    event.restarts = restarts;
    cop_log(&event);
}

void copi_report_stopped(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid,
                         const cop_reason *reason)
{
    enum child_end end = copi_child_end(reason);
    if (spec->drain_ms != 0 && !cop_reason_abnormal(reason)) return;    /* it has finished */
    if (copi_policy_stopped_well(spec->shutdown.mode, spec->restart, end)) return;
    const cop_reason *shown_reason = cop_reason_is(reason, "noproc")
                                         ? cop_reason_atom("child_process_unlinked")
                                         : cop_reason_ref(reason);
    copi_report(keeper, "shutdown_error", spec->id, pid, shown_reason);
    cop_reason_unref(shown_reason);
}

/* The child's reason, or what is behind it if it gave up itself, or was killed for something. */
static const cop_reason *origin_of(const cop_reason *reason)
{
    const cop_reason *origin = cop_reason_origin(reason);
    bool tells_nothing = !cop_reason_abnormal(reason) || cop_reason_is(reason, "killed");
    return origin != NULL && tells_nothing ? origin : reason;
}

const cop_reason *copi_give_up_reason(const char *id, const cop_reason *last_end)
{
    if (last_end == NULL) return COP_SHUTDOWN;
    const cop_reason *origin = cop_reason_ref(origin_of(last_end));
    return cop_reason_because(COP_SHUTDOWN, cop_reason_tuple(shown(id), origin));
}

static void report_limit(const struct keeper *keeper, const char *context, const char *what,
                         const char *id, cop_pid pid, const cop_reason *origin)
{
    const cop_reason *reason = cop_reason_atom(what);
    if (origin != NULL) reason = cop_reason_because(reason, cop_reason_ref(origin));
    copi_report(keeper, context, id, pid, reason);
    cop_reason_unref(reason);
}

void copi_report_give_up(const struct keeper *keeper, const char *id, cop_pid pid, bool spent,
                         const cop_reason *origin)
{
    report_limit(keeper, "shutdown", spent ? "budget_spent" : "reached_max_restart_intensity", id,
                 pid, origin);
}

void copi_report_spent(const struct keeper *keeper, const char *id, cop_pid pid,
                       const cop_reason *last_end)
{
    const cop_reason *like_giving_up = copi_give_up_reason(id, last_end);
    report_limit(keeper, "stays_down", "budget_spent", id, pid, cop_reason_origin(like_giving_up));
    cop_reason_unref(like_giving_up);
}

void copi_report_progress(const struct keeper *keeper, enum cop_log_level level, const char *id,
                          cop_pid pid)
{
    cop_log_event event = event_of(keeper, level, COP_LOG_PROGRESS, id, pid);
    cop_log(&event);
}

void copi_report_restart(const struct keeper *keeper, const char *id, cop_pid pid,
                         const cop_reason *reason, const char *const *ids, size_t count)
{
    cop_log_event event = event_of(keeper, COP_LOG_INFO, COP_LOG_RESTART, id, pid);
    event.reason = reason;
    event.restarted = ids;
    event.restarted_count = count;
    cop_log(&event);
}

void copi_report_unexpected(const cop_message *message)
{
    cop_log(&(cop_log_event){ .level = COP_LOG_ERROR,
                              .kind = COP_LOG_TEXT,
                              .message_type = message->type->name,
                              .text = "a supervisor received an unexpected message" });
}
