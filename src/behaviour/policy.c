/* policy.c - what a supervisor decides: the restart window and the table in policy.h. */
#include "policy.h"

#include <assert.h>
#include <string.h>

enum { DEFAULT_RESTARTS = 3, DEFAULT_SECONDS = 5, WINDOW_FIRST_CAPACITY = 4 };
enum { DEFAULT_MAX_MS = 30000, DEFAULT_FACTOR = 2 };

static const int64_t SECOND_NS = 1000000000;

/* ---- the restart window ------------------------------------------------------------ */

void copi_window_init(struct restart_window *window, const cop_intensity *intensity,
                      window_grow *grow)
{
    uint32_t seconds = intensity->set ? intensity->seconds : DEFAULT_SECONDS;
    assert(seconds > 0);
    *window = (struct restart_window){
        .limit = intensity->set ? intensity->restarts : DEFAULT_RESTARTS,
        .whole_seconds = intensity->whole_seconds,
        .period = intensity->whole_seconds ? (int64_t)seconds : (int64_t)seconds * SECOND_NS,
        .grow = grow,
    };
}

static int64_t floor_seconds(int64_t ns)
{
    int64_t seconds = ns / SECOND_NS;
    return ns % SECOND_NS < 0 ? seconds - 1 : seconds;
}

/* Drops what is older than the period.  A restart exactly a period ago still counts. */
static void window_prune(struct restart_window *window, int64_t now)
{
    while (window->count > 0 && window->times[window->first] < now - window->period) {
        window->first = (window->first + 1) % window->capacity;
        window->count--;
    }
}

/* Makes room, at most doubling; what wraps around the end of the ring stays at its end. */
static bool window_make_room(struct restart_window *window)
{
    uint32_t capacity = window->capacity == 0 ? WINDOW_FIRST_CAPACITY
                        : window->capacity > window->limit / 2 ? window->limit
                                                               : window->capacity * 2;
    if (capacity > window->limit) capacity = window->limit;
    int64_t *times = window->grow(window->times, capacity * sizeof *times);
    if (times == NULL) return false;

    uint32_t tail = window->capacity - window->first;
    if (window->first > 0) {
        memmove(times + capacity - tail, times + window->first, tail * sizeof *times);
        window->first = capacity - tail;
    }
    window->times = times;
    window->capacity = capacity;
    return true;
}

bool copi_window_add(struct restart_window *window, int64_t now_ns)
{
    if (window->limit == UINT32_MAX) return true;
    int64_t now = window->whole_seconds ? floor_seconds(now_ns) : now_ns;
    window_prune(window, now);
    if (window->count >= window->limit) return false;
    if (window->count == window->capacity && !window_make_room(window)) return false;

    assert(window->count < window->capacity);
    uint32_t end = (uint32_t)(((uint64_t)window->first + window->count) % window->capacity);
    window->times[end] = now;
    window->count++;
    return true;
}

/* ---- backoff ----------------------------------------------------------------------- */

cop_backoff copi_backoff_filled(cop_backoff backoff)
{
    if (backoff.initial_ms == 0) return backoff;
    if (backoff.max_ms == 0)
        backoff.max_ms = backoff.initial_ms > DEFAULT_MAX_MS ? backoff.initial_ms : DEFAULT_MAX_MS;
    if (backoff.factor == 0) backoff.factor = DEFAULT_FACTOR;
    if (backoff.reset_ms == 0) backoff.reset_ms = backoff.max_ms;
    return backoff;
}

int64_t copi_backoff_ms(const cop_backoff *backoff, uint32_t before, uint64_t chance)
{
    assert(backoff->initial_ms > 0 && backoff->jitter_percent <= 100);
    cop_backoff filled = copi_backoff_filled(*backoff);
    int64_t max = filled.max_ms, factor = filled.factor, delay = filled.initial_ms;
    for (; before > 0 && delay < max && factor > 1; before--)
        delay = delay > max / factor ? max : delay * factor;
    if (delay > max) delay = max;
    int64_t jitter = delay / 100 * backoff->jitter_percent +
                     delay % 100 * backoff->jitter_percent / 100;
    return delay - (int64_t)(chance % ((uint64_t)jitter + 1));
}

int64_t copi_backoff_reset_ms(const cop_backoff *backoff)
{
    return copi_backoff_filled(*backoff).reset_ms;
}

/* ---- decisions --------------------------------------------------------------------- */

static enum restart_scope scope_of(enum cop_strategy strategy)
{
    switch (strategy) {
    case COP_REST_FOR_ONE: return SCOPE_FROM_IT_ON;
    case COP_ONE_FOR_ALL: return SCOPE_ALL;
    case COP_ONE_FOR_ONE: break;
    }
    return SCOPE_ONE;
}

static enum supervisor_fate auto_shutdown(const struct policy *policy,
                                          const struct ended_child *ended)
{
    if (!ended->significant) return GO_ON;
    switch (policy->auto_shutdown) {
    case COP_ANY_SIGNIFICANT: return AUTO_SHUTDOWN;
    case COP_ALL_SIGNIFICANT: return ended->others_significant ? GO_ON : AUTO_SHUTDOWN;
    case COP_NEVER: break;
    }
    return GO_ON;
}

struct decision copi_policy_retry(struct policy *policy, const struct ended_child *ended,
                                  int64_t now_ns)
{
    if (ended->budget != NULL && !copi_window_add(ended->budget, now_ns)) {
        bool stays = ended->when_spent == COP_STAY_DOWN;
        return (struct decision){ .child = FATE_KEEP_DOWN,
                                  .spent = true,
                                  .supervisor = stays ? auto_shutdown(policy, ended) : GIVE_UP };
    }
    if (!copi_window_add(&policy->window, now_ns))
        return (struct decision){ .child = FATE_KEEP_DOWN, .supervisor = GIVE_UP };
    return (struct decision){ .child = FATE_RESTART, .scope = scope_of(policy->strategy) };
}

struct decision copi_policy_ended(struct policy *policy, const struct ended_child *ended,
                                  int64_t now_ns)
{
    bool abnormal = ended->end == END_KILLED || ended->end == END_OTHER;
    bool restart = ended->restart == COP_PERMANENT ||
                   (ended->restart == COP_TRANSIENT && abnormal);
    struct decision decision;
    if (!restart) {
        bool forget = ended->restart == COP_TEMPORARY;
        decision = (struct decision){ .child = forget ? FATE_FORGET : FATE_KEEP_DOWN,
                                      .supervisor = auto_shutdown(policy, ended) };
    } else if (ended->delayed) {
        decision = (struct decision){ .child = FATE_RESTART_LATER,
                                      .scope = scope_of(policy->strategy) };
    } else {
        decision = copi_policy_retry(policy, ended, now_ns);
    }
    decision.report = restart || abnormal;
    return decision;
}

bool copi_policy_stopped_well(enum cop_shutdown_mode mode, enum cop_restart restart,
                              enum child_end end)
{
    switch (end) {
    case END_KILLED: return mode == COP_SHUTDOWN_KILL;
    case END_SHUTDOWN: return mode != COP_SHUTDOWN_KILL || restart != COP_PERMANENT;
    case END_NORMAL:
    case END_SHUTDOWN_CAUSE: return restart != COP_PERMANENT;
    case END_OTHER: break;
    }
    return false;
}
