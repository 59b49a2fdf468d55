/* near_clock.c - see near_clock.h: reading the clock, and measuring the counter's pace. */
#include "near_clock.h"

#include "../base/hostile.h"
#include "node.h"

enum {
    WINDOW_NS = COPI_LIMIT(100 * 1000, 2 * 1000),   /* a reading is carried on for */
    MEASURE_NS = COPI_LIMIT(10 * 1000 * 1000, 1000 * 1000),
    MEASURE_MAX_NS = 1000 * 1000 * 1000,
    AGREE = 2048                                    /* one part in so many */
};

static void measure(struct near_clock *clock, uint64_t cycles, int64_t ns)
{
    uint64_t passed = cycles - clock->from_cycles;
    int64_t passed_ns = ns - clock->from_ns;
    if (clock->from_cycles != 0 && passed_ns < MEASURE_NS)
        return;
    clock->from_cycles = cycles;
    clock->from_ns = ns;
    if (passed_ns > MEASURE_MAX_NS || passed == cycles || passed == 0)
        return;                                     /* the first, or too long ago */
    uint64_t pace = ((uint64_t)passed_ns << 32) / passed;
    uint64_t off = pace > clock->pace ? pace - clock->pace : clock->pace - pace;
    clock->window = off < pace / AGREE ? ((uint64_t)WINDOW_NS << 32) / pace : 0;
    clock->rate = pace + pace / 1024;
    clock->pace = pace;
}

int64_t copi_near_read(struct near_clock *clock)
{
    if (copi_node.options.deterministic || !COPI_COUNTS_CYCLES)
        return copi_now();
    struct scheduler *scheduler = copi_scheduler;
    copi_enter(scheduler);                          /* no kill in the middle of it */
    uint64_t cycles = copi_cycles();
    int64_t ns = copi_now();
    bool interrupted = clock->window != 0 && copi_cycles() - cycles > clock->window / 32;
    if (!interrupted)
        measure(clock, cycles, ns);
    if (ns < clock->furthest)
        ns = clock->furthest;
    clock->cycles = interrupted ? cycles - clock->window : cycles;
    clock->ns = ns;
    clock->furthest = ns + (interrupted ? 0 : (int64_t)(clock->window * clock->rate >> 32));
    copi_leave(scheduler);
    return ns;
}
