/* top.h - for stories of workers under one supervisor, which is registered as "top". */
#ifndef TEST_TOP_H
#define TEST_TOP_H

#include "worker.h"

static cop_pid top_pid;

#define TOP cop_to("top")
#define UNLIMITED .intensity = COP_UNLIMITED_RESTARTS

static inline cop_pid start_it(const cop_supervisor *supervisor)
{
    cop_started started = cop_supervisor_start_link(supervisor, .name = "top");
    ck_assert_int_eq(started.error, COP_OK);
    return top_pid = started.pid;
}

/* What comes after the line was not said at its start. */
static inline void start_top(const cop_supervisor *supervisor)
{
    start_it(supervisor);
    trace("--");
}

/* For starts that may fail: tells how it went. */
static inline void try_top(const cop_supervisor *supervisor)
{
    cop_started started = cop_supervisor_start_link(supervisor, .name = "top");
    top_pid = started.pid;
    trace_started("top", started);
}

/* Its parent stops it. */
static inline void end_top(void)
{
    cop_exit_process(top_pid, COP_SHUTDOWN);
    trace_end("top", top_pid);
}

/* ---- crashes --------------------------------------------------------------------------- */

static inline void crash(const char *name)
{
    worker_raise(name, "bad");
    settle();
}

/* At that time. */
static inline void crash_at(int ms, const char *name)
{
    wait_until(ms);
    worker_raise(name, "bad");
}

/* What is traced of one then, with times: the n-th is followed by the next, or by none. */
#define CRASHES(time_, name_, n_, next_)                                                 \
    CRASHES_FOR_GOOD(time_, name_, n_)                                                   \
    time_ ": " name_ "." next_ " starts\n"                                               \
    time_ ": report: " name_ " restarted: error:bad; " name_ "\n"
#define CRASHES_FOR_GOOD(time_, name_, n_)                                               \
    time_ ": " name_ "." n_ " is gone\n"                                                 \
    time_ ": report: child_terminated " name_ ": error:bad\n"

/* ---- a dynamic top --------------------------------------------------------------------- */

static inline void start_dynamic_top(const cop_dynamic_supervisor *supervisor)
{
    cop_started started = cop_dynamic_supervisor_start_link(supervisor, .name = "top");
    top_pid = started.pid;
    ck_assert_int_eq(started.error, COP_OK);
}

/* Starts a child that is there then. */
static inline cop_pid add(const cop_child_spec *spec)
{
    cop_started started = cop_dynamic_supervisor_start_child(TOP, spec);
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

#define ADD(worker_, ...) add(&(cop_child_spec)WORKER(worker_, __VA_ARGS__))

#endif
