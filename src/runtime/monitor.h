/* monitor.h - the thread that watches the schedulers.
 *
 * It looks at each scheduler every COPI_TICK_NS.  A process does not come back if it has computed
 * for a tick in the same turn, or has not ended the turn for much longer: a busy machine may have
 * taken its processor away, which is no reason to do anything.  If so,
 *
 *   - one that is to be killed is interrupted, so that it ends (interrupt.h);
 *   - if others wait for its scheduler (in its queue, by its timers), that gets a deputy, a spare
 *     scheduler with a thread of its own that runs nothing but what the other does not get to,
 *     those with a stack included, until it comes back.
 *
 * Whatever it does, one that holds its thread for longer than options.hog_ms is interrupted once,
 * to see where it is, and reported.
 *
 * There are some spares more than schedulers, but their threads start only when they are needed.
 * While all schedulers are parked the monitor sleeps, and whoever leaves that wakes it.  A
 * deterministic run has no monitor: there is but one thread, and its time stands still.
 *
 * Invariants.  A process is killed from here only by a kill signal that was sent to it and that
 * it has not received: the handler, on the process's own thread, looks for it in `incoming`,
 * where only that thread takes signals out.  `doomed` is no more than a hint that looking is
 * worth while. */
#ifndef COPI_MONITOR_H
#define COPI_MONITOR_H

#include "scheduler.h"

enum { COPI_TICK_NS = 10000000 };

/* Around the schedulers' run; start does nothing in a deterministic one.  Without a thread the node
 * runs unwatched. */
void copi_monitor_start(void);
void copi_monitor_stop(void);

/* After stop, when the spares' threads have ended too: none is in the handler any more. */
void copi_monitor_close(void);

/* A scheduler leaves its parking place: the monitor may be asleep. */
void copi_monitor_wake(void);

#endif
