/* refusals.h - a story told again and again, while the n-th thing that the library asks the system
 * for is refused: n = 1, 2, ... until the story comes to its end without a refusal.
 *
 *     refusals_walk(story, &(struct refusals){ .of = SCARCE_MEMORY });
 *
 * Each n has a child of fork, in which the story is told several times.  The child must come to its
 * end in time; afterwards it has as many descriptors, threads, mappings and bytes as before, and
 * tells the story without refusals.  The story finds out for itself that each function returned
 * what its header says; `expect_that` (watch.h) fails the walk.
 *
 * Threads: one walk at a time. */
#ifndef TEST_REFUSALS_H
#define TEST_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scarcity.h"

struct refusals {
    enum scarce of;
    uint64_t every;      /* after the n-th each `every`-th one too; 0: the n-th alone */
    uint64_t most;       /* walk no further than to that n; 0: to the end */
    bool may_end_node;   /* with "no memory for", said on stderr */
};

/* First thing in main: starts the program again with an allocator that counts to the byte. */
void refusals_init(char *arguments[]);

/* Returns the last n at which something was refused, at least 1. */
uint64_t refusals_walk(void (*story)(void), const struct refusals *refusals);

/* In a story: requests count only from here on, and only to there. */
void refusals_begin(void);
void refusals_end(void);

#endif
