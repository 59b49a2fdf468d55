/* cycles.h - the processor's counter of its own time.
 *
 * Where there is one it goes at one pace whatever the processor does, is much the same on all
 * processors of a machine (a system whose processors disagree does not keep its clock by it
 * either), and is read in a third of the time that the system's clock takes.  What a count is in
 * nanoseconds is the reader's to find out (near_clock.h). */
#ifndef COPI_CYCLES_H
#define COPI_CYCLES_H

#include <stdint.h>

#if defined(__x86_64__)
enum { COPI_COUNTS_CYCLES = 1 };

static inline uint64_t copi_cycles(void)
{
    return __builtin_ia32_rdtsc();
}
#else
enum { COPI_COUNTS_CYCLES = 0 };     /* the system's clock is asked each time */

static inline uint64_t copi_cycles(void)
{
    return 0;
}
#endif

#endif
