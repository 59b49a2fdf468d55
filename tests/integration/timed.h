/* timed.h - for stories of supervision in which the time matters: each line begins with it.
 *
 *      300: a has finished        (virtual milliseconds since the node started) */
#ifndef TEST_TIMED_H
#define TEST_TIMED_H

#include <coppice/coppice.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

#define TOP cop_to("top")

/* One line; the time comes before it. */
__attribute__((format(printf, 1, 2))) static inline void tell(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    trace("%5lld: %s", (long long)cop_now_ms(), text);
}

/* An error's name, after a call that may have taken time. */
static inline void tell_error(const char *what, int error)
{
    tell("%s: %s", what, cop_error_name(error));
}

static inline cop_pid start_top(const cop_supervisor *supervisor)
{
    cop_started started = cop_supervisor_start_link(supervisor, .name = "top");
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

static inline cop_pid start_dynamic_top(const cop_dynamic_supervisor *supervisor)
{
    cop_started started = cop_dynamic_supervisor_start_link(supervisor, .name = "top");
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

/* Starts a dynamic child that is there then. */
static inline cop_pid add(const cop_child_spec *spec)
{
    cop_started started = cop_dynamic_supervisor_start_child(TOP, spec);
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

/* The same from the template. */
static inline cop_pid add_from(const void *argument, size_t argument_size)
{
    cop_started started = cop_dynamic_supervisor_start_from(TOP, argument, argument_size);
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

/* Stops the top in order and tells when it is down. */
static inline void end_top(void)
{
    tell_error("top stopped", cop_supervisor_stop(TOP, COP_SHUTDOWN));
}

/* Why the child ended last, and what was behind it: "killed, because of unresponsive". */
static inline void tell_last_end(const char *id, const cop_child_status *status)
{
    const cop_reason *origin = NULL;
    if (status->last_end != NULL) origin = cop_reason_origin(status->last_end);
    char text[128] = "nothing";
    if (status->last_end != NULL) snprintf(text, sizeof text, "%s", reason_text(status->last_end));
    tell("%s ended of %s%s%s, %d restarts", id, text, origin != NULL ? ", because of " : "",
         origin != NULL ? reason_text(origin) : "", (int)status->restarts);
    cop_reason_unref(status->last_end);
}

/* Runs function(NULL) in a process of its own, so that the story goes on meanwhile. */
static inline cop_pid aside(cop_function *function)
{
    cop_pid pid = cop_spawn_link(function, NULL, 0);
    ck_assert(!cop_pid_is_none(pid));
    return pid;
}

#endif
