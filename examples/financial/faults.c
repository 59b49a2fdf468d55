/* faults.c - drawing faults, and crashing. */
#include "faults.h"

#undef NDEBUG             /* the failed assert is to fail in every build */
#include <assert.h>
#include <coppice/coppice.h>
#include <signal.h>
#include <stdlib.h>

/* More crashes than a supervisor of a subsystem forgives: see tree.c. */
enum { STUBBORN_STRIKES = 4 };

/* ---- crashing -------------------------------------------------------------------------- */

/* Volatile, so that no compiler sees through what is done with them. */
static int *volatile nowhere = NULL;
static volatile int zero = 0;
static volatile int result;

static void error_exit(void)
{
    cop_raise("no answer");
}

static void null_write(void)
{
    *nowhere = 42;
}

static void failed_assert(void)
{
    int balance = zero - 1;
    assert(balance >= 0);
}

static void divide_by_zero(void)
{
    result = 100 / zero;
    raise(SIGFPE);                       /* for processors that let it pass */
}

static int recurse(int depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    return zero == 0 ? recurse(depth + 1) + frame[0] : 0;
}

static void run_away(void)
{
    result = recurse(0);
}

static void leak(void)
{
    while (zero == 0) cop_alloc(1000);
}

static void (*const crash[FAULT_KINDS])(void) = {
    [ERROR_EXIT] = error_exit,
    [NULL_WRITE] = null_write,
    [FAILED_ASSERT] = failed_assert,
    [ABORT] = abort,
    [DIVISION_BY_ZERO] = divide_by_zero,
    [RUNAWAY_RECURSION] = run_away,
    [LEAK] = leak,
};

void fault_point(struct fault fault, enum fault_place here)
{
    if (fault.place == here) crash[fault.kind]();
}

/* ---- drawing --------------------------------------------------------------------------- */

static bool happens(double probability)
{
    return cop_random_unit() < probability;
}

static struct fault draw_fault(const enum fault_place *places, size_t count)
{
    struct fault fault = {
        .place = places[cop_random_below(count)],
        .kind = (enum fault_kind)cop_random_below(FAULT_KINDS),
    };
    return fault;
}

/* The request crashes the worker that has it, or the one that sends its receipt. */
static struct fault_plan draw_crash(void)
{
    static const enum fault_place places[] = {
        IN_PROCESSOR, IN_PROCESSOR, BEFORE_WRITE, DURING_WRITE, AFTER_WRITE, IN_NOTIFICATION,
    };
    struct fault_plan plan = {
        .fault = draw_fault(places, sizeof places / sizeof *places), .strikes = 1 };
    return plan;
}

/* The request crashes the database; or a subsystem is killed while it comes; or it crashes its
 * processor again and again, until the supervisor gives up and the subsystem starts afresh. */
static struct fault_plan draw_disaster(void)
{
    static const enum fault_place database[] = { IN_DATABASE }, processor[] = { IN_PROCESSOR };
    static const char *const subsystems[] = {
        "PaymentSupervisor", "DonationSupervisor", "NotificationSupervisor",
    };
    struct fault_plan plan = { .strikes = 0 };
    switch (cop_random_below(3)) {
    case 0:
        plan.fault = draw_fault(database, 1);
        plan.strikes = 1;
        break;
    case 1:
        plan.killed = subsystems[cop_random_below(sizeof subsystems / sizeof *subsystems)];
        break;
    default:
        plan.fault = draw_fault(processor, 1);
        plan.strikes = STUBBORN_STRIKES;
        break;
    }
    return plan;
}

struct fault_plan fault_plan_draw(double rate)
{
    if (happens(rate / 20)) return draw_disaster();
    if (happens(rate)) return draw_crash();
    return (struct fault_plan){ .strikes = 0 };
}
