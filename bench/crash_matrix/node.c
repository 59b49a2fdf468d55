/* node.c - a node that strikes its victim again and again, and writes what it finds to the board.
 * It is the process of a child program: what ends the node ends nobody else. */
#include "faults.h"
#include "matrix.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <coppice/coppice.h>

struct board *board;

void note_wrong(const char *format, ...)
{
    if (board->wrong[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(board->wrong, sizeof board->wrong, format, arguments);
    va_end(arguments);
}

/* Of a victim that does not survive its init. */
static void keep_reason(const cop_log_event *event, void *unused)
{
    (void)unused;
    if (event->kind != COP_LOG_CRASH || board->kind->place != IN_INIT) return;
    cop_reason_format(event->reason, board->reason, sizeof board->reason);
}

static bool expected(const struct kind *kind)
{
    return strncmp(board->reason, kind->reason, strlen(kind->reason)) == 0;
}

static bool strike_once(const struct kind *kind)
{
    board->kind = kind;
    board->reason[0] = '\0';
    if (!tree_strike(kind)) return false;
    if (!expected(kind)) note_wrong("%s: the reason is \"%s\"", kind->name, board->reason);
    return true;
}

/* Of a soak: one of those that leave nothing behind.  Kills take their time, so they are rare, but
 * not while it warms up: they start the spare schedulers. */
static const struct kind *draw_kind(bool warm)
{
    bool kill = cop_random_below(warm ? 1000 : 50) == 0;
    for (;;) {
        const struct kind *kind = &kinds[cop_random_below(kind_count)];
        enum end end = kill ? BY_KILL : BY_ITSELF;
        if (!kind->ends_node && kind->end == end && kind->stays == 0) return kind;
    }
}

static void measure(struct usage *ret_usage)
{
    tree_pause();
    *ret_usage = usage_now();
    tree_resume();
}

/* The rounds below 0 are to warm up. */
static bool rounds(const struct kind *kind, long from, long to)
{
    for (long i = from; i < to && !board->stop; i++) {
        if (board->soak) kind = draw_kind(i >= 0);
        if (!strike_once(kind)) return false;
        if (i < 0) continue;
        if (!board->soak) board->times[i] = board->init_ns - board->fault_ns;
        board->done = i + 1;
    }
    return true;
}

/* The runtime takes memory by the region.  One more may be due just now; a leak grows each time. */
enum { PARTS = 2 };

static void strikes(void *unused)
{
    (void)unused;
    const struct kind *kind = board->kind;
    board->warm_threads = 2 * cop_schedulers() + MORE_SPARES + 1;
    cop_trap_exit(true);
    astray_prepare();
    tree_start(kind);
    usage_now();                         /* what that needs once is there */
    if (!rounds(kind, -board->warm_up, 0)) return;
    for (int part = 0; part < PARTS; part++) {
        measure(&board->before);
        if (!rounds(kind, 0, board->rounds)) return;
        measure(&board->after);
        if (board->soak || leaves_nothing(kind->stays * board->done)) break;
    }
    board->finished = true;
}

int node_run(void)
{
    cop_run_options options = { .log = keep_reason, .hog_ms = -1, .seed = board->seed };
    int error = cop_run(strikes, NULL, &options);
    if (error != 0) note_wrong("the node: %s", cop_error_text(error));
    return error == 0 ? 0 : 1;
}
