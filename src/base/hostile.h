/* hostile.h - the hostile build: what seldom happens happens all the time (`make test-hostile`).
 *
 * With the option `hostile` the limits are the smallest that are still right, so that what they are
 * there for (a cache that runs dry, a batch that is full, a table that grows) happens at once; each
 * is written where it is used, as COPI_LIMIT(the usual one, the hostile one).  On top of that
 *
 *   - a process gives the others a turn at each receive, and at three of four sends, spawns and
 *     exit signals, so that both orders of a race come up (copi_turn, the budget of a turn);
 *   - which of a scheduler's runnable processes is next is drawn from its dice (queue.h);
 *   - memory that is given back is filled with COPI_DEAD and must still be so when it is taken
 *     again; new memory that nobody promised to clear is filled with COPI_NEW (slab.c, arena.c,
 *     stack.c);
 *   - cop_realloc moves each block (arena.c).
 *
 * A run that is deterministic without a shuffle keeps its order and its turns, which is what it
 * promises, and what traces are compared with; the turns of a simulation are its plan's.
 *
 * The behaviours, which include no header of the library's inside, ask COPI_HOSTILE itself; Meson
 * defines it for everything. */
#ifndef COPI_HOSTILE_H
#define COPI_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>

#ifndef COPI_HOSTILE
#define COPI_HOSTILE 0
#endif

#define COPI_LIMIT(usual_, hostile_) (COPI_HOSTILE ? (hostile_) : (usual_))

enum { COPI_DEAD = 0xdf, COPI_NEW = 0xcb };

#endif
