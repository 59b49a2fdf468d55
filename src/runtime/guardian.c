/* guardian.c - the node under a guardian: when it is started again, and what it is told.
 *
 * All that the guardian needs is there before the first node starts: nothing is allocated,
 * nothing locked later.  What it knows reaches the next node through fork, as plain memory; what
 * the node says last reaches the guardian through the one block that they share. */
#include <coppice/guardian.h>

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/last_words.h"
#include "../platform/guard.h"
#include "../platform/platform.h"
#include "../platform/sanitizer.h"

enum { DEFAULT_RESTARTS = 3, DEFAULT_SECONDS = 60, DEFAULT_MAX_MS = 30000, DEFAULT_FACTOR = 2 };

static struct guardian {
    bool there;
    cop_guardian options;                /* the budget filled in */
    struct guard guard;
    struct last_words *words;
    int64_t started_ns;                  /* the present node */
    uint32_t count;                      /* restarts within the budget's seconds */
    int64_t times[COP_GUARDIAN_RESTARTS_MAX];   /* theirs, oldest first */
    int64_t delay_ms;                    /* of the last restart in a row, without jitter */
    cop_node_end end;
    char report[COPI_LAST_WORDS_MAX + 1];
} state;

/* ---- the options ----------------------------------------------------------------------- */

static bool is_unlimited(const cop_intensity *budget)
{
    return budget->restarts == UINT32_MAX;
}

static bool options_set(const cop_guardian *guardian)
{
    static const cop_guardian usual;
    cop_guardian *options = &state.options;
    *options = guardian == NULL ? usual : *guardian;
    if (!options->budget.set)
        options->budget = (cop_intensity)COP_MAX_RESTARTS(DEFAULT_RESTARTS, DEFAULT_SECONDS);
    const cop_intensity *budget = &options->budget;
    const cop_backoff *backoff = &options->backoff;
    return budget->seconds > 0 &&
           (budget->restarts <= COP_GUARDIAN_RESTARTS_MAX || is_unlimited(budget)) &&
           backoff->initial_ms >= 0 && backoff->max_ms >= 0 && backoff->reset_ms >= 0 &&
           backoff->jitter_percent <= 100;
}

/* ---- budget and backoff, as a supervisor's ------------------------------------------- */

static bool budget_take(int64_t now_ns)
{
    const cop_intensity *budget = &state.options.budget;
    if (is_unlimited(budget))
        return true;
    int64_t period_ns = (int64_t)budget->seconds * 1000000000;
    uint32_t old = 0;
    while (old < state.count && now_ns - state.times[old] > period_ns)
        old++;
    state.count -= old;
    memmove(state.times, state.times + old, state.count * sizeof *state.times);
    if (state.count >= budget->restarts)
        return false;
    state.times[state.count++] = now_ns;
    return true;
}

static int64_t backoff_ms(int64_t ran_ms)
{
    const cop_backoff *backoff = &state.options.backoff;
    int64_t max = backoff->max_ms > 0 ? backoff->max_ms
                  : backoff->initial_ms > DEFAULT_MAX_MS ? backoff->initial_ms : DEFAULT_MAX_MS;
    int64_t factor = backoff->factor > 0 ? backoff->factor : DEFAULT_FACTOR;
    if (state.delay_ms == 0 || ran_ms >= (backoff->reset_ms > 0 ? backoff->reset_ms : max))
        state.delay_ms = backoff->initial_ms;
    else
        state.delay_ms = state.delay_ms > max / factor ? max : state.delay_ms * factor;
    if (state.delay_ms > max)
        state.delay_ms = max;
    int64_t jitter = state.delay_ms / 100 * backoff->jitter_percent +
                     state.delay_ms % 100 * backoff->jitter_percent / 100;
    return state.delay_ms - (int64_t)(copi_entropy() % ((uint64_t)jitter + 1));
}

/* ---- how a node has ended -------------------------------------------------------------- */

/* Keeps what the next node reads.  The words may be anything: the node had write access to them. */
static void keep_end(const struct guarded_end *end)
{
    size_t size = atomic_load(&state.words->size);
    if (size > COPI_LAST_WORDS_MAX)
        size = COPI_LAST_WORDS_MAX;
    memcpy(state.report, state.words->text, size);
    while (size > 0 && state.report[size - 1] == '\n')
        size--;
    state.report[size] = '\0';
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)state.report[i] < ' ' && state.report[i] != '\n')
            state.report[i] = '?';
    memset(state.words, 0, sizeof *state.words);
    state.end = (cop_node_end){
        .pid = end->pid,
        .signal = end->signal,
        .status = end->status,
        .restarts = state.end.restarts,
        .ended_ms = copi_wall_clock_ms(),
        .ran_ms = (copi_clock_ns() - state.started_ns) / 1000000,
        .report = state.report,
    };
}

static bool is_fault(int signal)
{
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
    case SIGSYS:
    case SIGKILL:             /* the system's, when memory is out, or an operator's */
        return true;
    default:
        return false;
    }
}

/* Whether the next node is wanted; guardian.h has the table. */
static bool is_to_restart(const struct guarded_end *end)
{
    if (state.guard.asked != 0 || end->was_sent)
        return false;
    bool failed = end->signal != 0 || end->status != 0;
    return is_fault(end->signal) || state.report[0] != '\0' ||
           (failed && state.options.every_failure);
}

/* ---- what the guardian says ------------------------------------------------------------ */

/* "node 17 ended by SIGSEGV: " and what follows, on stderr. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char text[256], how[32];
    if (state.options.silent)
        return;
    const char *name = sigabbrev_np(state.end.signal);
    if (state.end.signal == 0)
        snprintf(how, sizeof how, "with status %d", state.end.status);
    else if (name != NULL)
        snprintf(how, sizeof how, "by SIG%s", name);
    else
        snprintf(how, sizeof how, "by signal %d", state.end.signal);
    int length = snprintf(text, sizeof text, "coppice: guardian: node %d ended %s: ",
                          state.end.pid, how);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);
    copi_guard_say(text, (size_t)length);
}

static void say_restart(int64_t delay_ms)
{
    char of[48] = "", in[32] = "";
    const cop_intensity *budget = &state.options.budget;
    if (!is_unlimited(budget))
        snprintf(of, sizeof of, " of %" PRIu32 " within %" PRIu32 " s", budget->restarts,
                 budget->seconds);
    if (delay_ms > 0)
        snprintf(in, sizeof in, ", in %" PRId64 " ms", delay_ms);
    uint32_t number = is_unlimited(budget) ? state.end.restarts : state.count;
    say("restart %" PRIu32 "%s%s\n", number, of, in);
}

/* ---- the guardian ---------------------------------------------------------------------- */

/* Whether a restart is allowed and nobody wants the program to end, which the guardian then does;
 * waits for the restart's time. */
static bool prepare_restart(void)
{
    const cop_intensity *budget = &state.options.budget;
    if (!budget_take(copi_clock_ns())) {
        say("no restart, after %" PRIu32 " within %" PRIu32 " s\n", state.count, budget->seconds);
        return false;
    }
    state.end.restarts++;
    int64_t delay_ms = backoff_ms(state.end.ran_ms);
    say_restart(delay_ms);
    copi_guard_pause(&state.guard, delay_ms);
    if (state.guard.asked != 0)
        copi_guard_end_by(state.guard.asked);
    return true;
}

/* Starts a node, and others in its place; returns true in each node, and false, in the guardian,
 * if there is no first one. */
static bool guard(void)
{
    struct guarded_end end;
    pid_t pid = copi_guard_fork(&state.guard);
    if (pid < 0)
        return false;
    while (pid != 0) {
        if (pid > 0) {
            state.started_ns = copi_clock_ns();
            copi_guard_wait(&state.guard, &end);
            keep_end(&end);
        } else {
            say("the system gives no process\n");   /* a restart that failed, and counts */
            state.end.ran_ms = 0;
        }
        if (!is_to_restart(&end) || !prepare_restart())
            copi_guard_end_like(&end);
        pid = copi_guard_fork(&state.guard);
    }
    copi_last_words_keep(state.words);
    return true;
}

/* One that was joined is listed by the system until it is gone altogether, a moment later.
 * ThreadSanitizer has a thread of its own, which a fork does not harm. */
static bool other_threads(void)
{
#ifndef COPI_TSAN
    enum { LOOKS = 100, MOMENT_NS = 100000 };
    struct parker parker = { 0 };
    for (int i = 0; !copi_only_threads(1); i++) {
        if (i == LOOKS)
            return true;
        copi_park(&parker, MOMENT_NS);
    }
#endif
    return false;
}

int cop_guard(const cop_guardian *guardian)
{
    if (state.there || cop_schedulers() != 0 || other_threads())
        return COP_ELIMIT;
    if (!options_set(guardian))
        return COP_EINVAL;
    state.words = copi_memory_share(sizeof *state.words);
    if (state.words == NULL)
        return COP_ENOMEM;
    fflush(NULL);                        /* what is buffered would be written by each node */
    state.there = true;
    copi_guard_enter(&state.guard);
    if (guard())
        return COP_OK;
    copi_guard_leave(&state.guard);
    state.there = false;
    copi_memory_release(state.words, sizeof *state.words);
    return COP_ENOMEM;
}

int cop_main(cop_function *main_function, void *argument, const cop_run_options *options,
             const cop_guardian *guardian)
{
    int error = cop_guard(guardian);
    return error != COP_OK ? error : cop_run(main_function, argument, options);
}

const cop_node_end *cop_previous_end(void)
{
    return state.end.restarts == 0 ? NULL : &state.end;
}
