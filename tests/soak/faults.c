/* faults.c - what strikes a server, and what its supervisor says of it. */
#include "soak.h"

#include <stdlib.h>
#include <string.h>

const char *const fault_names[FAULTS] = {
    [ERROR] = "an error",          [SEGV] = "a null pointer",   [ABORT] = "abort",
    [OVERFLOW] = "stack overflow", [KILLED] = "killed",         [LOOP] = "loops, killed",
};
atomic_long strikes[FAULTS], restarts[FAULTS];

static volatile int sink;

static int (*volatile deeper)(int depth);

static int recurse(int depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    return deeper(depth + 1) + frame[0];       /* not the last act */
}

void fault_do(enum fault fault)
{
    int *volatile nowhere = NULL;
    switch (fault) {
    case ERROR: cop_raise("struck");
    case SEGV: sink = *nowhere; break;
    case ABORT: abort();
    case OVERFLOW:
        deeper = recurse;
        sink = recurse(0);
        break;
    case LOOP: while (sink >= 0) {} break;
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
