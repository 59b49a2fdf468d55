/* watch.h - waiting for what the runtime tells a process, as lines of the trace.
 *
 * Threads: a process. */
#ifndef TEST_WATCH_H
#define TEST_WATCH_H

#include <check.h>

#include <coppice/process.h>

/* As ck_assert, which writes a note of each call, but free of cost where it holds: for what is
 * checked a million times. */
#define expect_that(condition_)                                                          \
    do {                                                                                 \
        if (!(condition_))                                                               \
            ck_abort_msg("expected: %s", #condition_);                                   \
    } while (0)

/* The reason as text; valid until the calling thread's next call. */
const char *reason_text(const cop_reason *reason);

/* Waits for the down message of that monitor and traces `what down: reason`. */
void trace_down(const char *what, cop_ref ref);

/* Waits for an exit message from that process and traces `exit from what: reason`. */
void trace_exit_from(const char *what, cop_pid pid);

/* Spawns function(argument) with a monitor, waits until it is down, traces `what down: reason`. */
void trace_end_of(const char *what, cop_function *function, void *argument);

/* Sends the message to who spawned the process, by the reference that is its monitor and its alias
 * (cop_parent_alias): as what it waits for.  Takes the message over. */
void tell_spawner(cop_message *message, enum cop_message_kind kind);

/* In a deterministic run: returns when nothing else can go on before a time passes. */
void settle(void);

/* In a deterministic run: the mailbox is empty, and stays so once everything has settled. */
void expect_empty_mailbox(void);

#endif
