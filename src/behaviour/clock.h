/* clock.h - milliseconds from now, on the clock of cop_now_ns. */
#ifndef COPI_CLOCK_H
#define COPI_CLOCK_H

#include <coppice/timer.h>

enum { COPI_MS_NS = 1000000 };

/* The time so many ms from now; COP_INFINITY, or longer than the clock can tell: its last moment.
 * */
static inline int64_t copi_after_ms(int64_t ms)
{
    int64_t now_ns = cop_now_ns();
    return ms < 0 || ms > (INT64_MAX - now_ns) / COPI_MS_NS ? INT64_MAX : now_ns + ms * COPI_MS_NS;
}

/* Milliseconds until then, a part of one counting as one; 0 when it has passed. */
static inline int64_t copi_ms_until(int64_t ns)
{
    int64_t left_ns = ns - cop_now_ns();
    return left_ns > 0 ? (left_ns - 1) / COPI_MS_NS + 1 : 0;
}

#endif
