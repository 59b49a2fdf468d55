/* scarcity.h - where the system may be made to refuse: memory, a descriptor, a thread.
 *
 * Whatever the library asks the system for passes by here first.  Nothing is refused unless there
 * is a hook, which a simulation sets, and tests that let the n-th request fail.
 *
 *     memory        malloc and its like in all of the library's sources: Meson gives them the names
 *                   below; mappings and guards (linux.c, fault.c)
 *     descriptors   those that the library opens for itself (poll.c, linux.c, symbol.c)
 *     threads       schedulers and their spares, the monitor, blocking threads, the poller's
 *
 * What is needed is that without which the node itself ends (copi_no_memory).
 *
 * Threads: any; the hook is set while there is no node, or by the one thread of a deterministic
 * one. */
#ifndef COPI_SCARCITY_H
#define COPI_SCARCITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum scarce { SCARCE_MEMORY, SCARCE_DESCRIPTOR, SCARCE_THREAD, SCARCE_KINDS };

/* Whether this request is refused.  Called on any thread, with locks held: it must call nothing. */
typedef bool copi_scarcity_hook(enum scarce what, bool needed);

extern _Atomic(copi_scarcity_hook *) copi_scarcity;      /* NULL: nothing is refused */

bool copi_scarcity_asks(enum scarce what);

static inline bool copi_is_refused(enum scarce what)
{
    copi_scarcity_hook *hook = atomic_load_explicit(&copi_scarcity, memory_order_relaxed);
    return __builtin_expect(hook != NULL, 0) && copi_scarcity_asks(what);
}

/* Between these two what the calling thread asks for is needed. */
void copi_needed_begin(void);
void copi_needed_end(void);

/* What malloc and its like are called in the library's sources. */
void *copi_malloc(size_t size);
void *copi_calloc(size_t count, size_t size);
void *copi_realloc(void *block, size_t size);
void *copi_aligned_alloc(size_t alignment, size_t size);
char *copi_strdup(const char *text);

#endif
