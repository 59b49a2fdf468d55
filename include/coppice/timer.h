/* timer.h - the clock and timers.
 *
 * Concept.  Time is monotonic and starts near zero with the runtime.  Under
 * cop_run_options.deterministic it is virtual: it stands still while any process can
 * run and then jumps to the next timer, so that a run takes no time and repeats exactly.
 *
 * Life cycle.  A timer lives until it fires, is cancelled, or the process that
 * started it ends (OTP's outlive their creator; here what a process owns dies with
 * it).  A message to a dead process is dropped.  None fires early. */
#ifndef COPPICE_TIMER_H
#define COPPICE_TIMER_H

#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [any thread] The runtime's time in nanoseconds, and in whole milliseconds.
 * OTP: erlang:monotonic_time/1. */
int64_t cop_now_ns(void);
int64_t cop_now_ms(void);

/* [process] Sends the message after delay_ms (0 or less: at the next chance); takes it
 * over.  A message that arrives by a timer has the timer's serial as its ref when it
 * goes to the process that started it.  A registered name is looked up when the timer fires, a via
 * name now.  Returns the timer, or COP_NO_REF without
 * memory.  OTP: erlang:send_after/3. */
cop_ref cop_send_after_message(cop_dest to, int64_t delay_ms, cop_message *message);

/* [process] cop_send_after_message of a new message of the type, its payload (type->size bytes)
 * copied, without ever holding it: the cheapest way. */
cop_ref cop_send_after_new(cop_dest to, int64_t delay_ms, const cop_message_type *type,
                           const void *payload);

/* cop_send_after(to, delay_ms, type, .field = value, ...): to a pid, an alias, a name. */
#define cop_send_after(to_, delay_ms_, type_, ...)                                       \
    cop_send_after_new(cop_to(to_), (delay_ms_), COP_TYPE(type_), &(type_){ __VA_ARGS__ })

/* [process] Stops a timer that this process started.  Returns the milliseconds that were
 * left (0 or more), or COP_ENOT_FOUND when it has fired, was cancelled or is not this
 * process's.  OTP: cancel_timer/1. */
int64_t cop_cancel_timer(cop_ref timer);

/* [process] The milliseconds left, as cop_cancel_timer, without stopping it. */
int64_t cop_read_timer(cop_ref timer);

#ifdef __cplusplus
}
#endif
#endif
