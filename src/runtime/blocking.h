/* blocking.h - the node's blocking threads. */
#ifndef COPI_BLOCKING_H
#define COPI_BLOCKING_H

#include <stdbool.h>

enum { COPI_BLOCKING_DEFAULT = 64, COPI_BLOCKING_MAX = 4096, COPI_BLOCKING_WAIT_MS = 5000 };

/* Whether the calling thread is one.  Async-signal-safe. */
bool copi_blocking_here(void);

/* How many there are. */
int copi_blocking_threads(void);

/* By the end of the node, when no process is left: ends the threads, those still in a function
 * after the time for that excepted, which are left to themselves. */
void copi_blocking_end(void);

/* In a child of fork: the calling thread is none any more. */
void copi_blocking_forked(void);

#endif
