/* near_clock.h - the time, for deadlines: a reading of the clock that is carried on for a moment.
 *
 * Each timer that is set or cancelled, and each wait with a time limit, asks for the time, and the
 * system's clock may cost as much as all the rest of it.  So a scheduler keeps a reading, and
 * for 100 us from then on adds what the processor's counter (cycles.h) has gone on by.
 *
 * What must stay true: no deadline is early.  So the time is never before copi_now's; it is ahead
 * of that by what a reading takes and a thousandth of what was added, some 100 ns.  It does not go
 * back on its scheduler: who sets a timer and cancels it is told no more than was asked for.
 *
 * The counter's pace is measured along the way, from readings that are 10 ms apart, and believed
 * when two measurements in a row agree: one that was interrupted, or that has a standstill of the
 * machine in it, does not.  Until then, and in a deterministic run, each time is the clock's.
 *
 * Threads: its scheduler's. */
#ifndef COPI_NEAR_CLOCK_H
#define COPI_NEAR_CLOCK_H

#include <stdint.h>

#include "../platform/cycles.h"

struct near_clock {
    uint64_t cycles;           /* at the reading that is kept */
    int64_t ns;
    uint64_t window;           /* so many cycles it is good for; 0: for none */
    uint64_t rate;             /* nanoseconds a cycle << 32, and a bit more */

    int64_t furthest;          /* no time that was given is later */
    uint64_t pace;             /* as it was measured last, from: */
    uint64_t from_cycles;
    int64_t from_ns;
};

int64_t copi_near_read(struct near_clock *clock);

static inline int64_t copi_near_now(struct near_clock *clock)
{
    uint64_t passed = copi_cycles() - clock->cycles;
    if (__builtin_expect(passed < clock->window, 1))
        return clock->ns + (int64_t)((passed + 1) * clock->rate >> 32);
    return copi_near_read(clock);
}

#endif
