/* faults.c - what strikes a server, and what its supervisor says of it. */
#include "soak.h"

#include <stdlib.h>
#include <string.h>

const char *const fault_names[FAULTS] = {
    [ERROR] = "an error",          [SEGV] = "a null pointer",   [ABORT] = "abort",
    [OVERFLOW] = "stack overflow", [KILLED] = "killed",         [LOOP] = "loops, killed",
};
atomic_long strikes[FAULTS], restarts[FAULTS];

static int recurse(int depth);
static int (*volatile deeper)(int depth) = recurse;

static int recurse(int depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    return deeper(depth + 1) + frame[0];       /* not the last act */
}

void fault_do(enum fault fault)
{
    int *volatile nowhere = NULL;
    volatile int turns = 0;
    switch (fault) {
    case ERROR: cop_raise("struck");
    case SEGV: turns = *nowhere; break;
    case ABORT: abort();
    case OVERFLOW: turns = recurse(0); break;
    case LOOP: while (turns >= 0) turns ^= 1; break;
    case KILLED:
    case FAULTS: break;
    }
}

/* A supervisor has started a child again: of what the one before ended. */
void count_restarts(const cop_log_event *event, void *context)
{
    (void)context;
    if (event->kind != COP_LOG_RESTART || event->reason == NULL) return;
    char text[120];
    cop_reason_format(event->reason, text, sizeof text);
    enum fault fault = ERROR;
    if (strstr(text, "stack_overflow") != NULL) fault = OVERFLOW;
    else if (strstr(text, "SIGSEGV") != NULL) fault = SEGV;
    else if (strstr(text, "SIGABRT") != NULL) fault = ABORT;
    else if (strncmp(text, "killed", 6) == 0) fault = KILLED;
    atomic_fetch_add(&restarts[fault], 1);
}
