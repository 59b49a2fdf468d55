/* assert.h - the library's own assertions.
 *
 * A failed assertion means that the runtime is broken: the node ends with one report, it is
 * never taken for a crash of the process that happens to run.
 *   COP_ASSERT  always on, for what is cheap to check
 *   COP_DEBUG   only in builds with -DCOP_DEBUG_CHECKS, for what costs */
#ifndef COPI_ASSERT_H
#define COPI_ASSERT_H

__attribute__((noreturn, cold)) void copi_broken(const char *what, const char *file, int line);

/* Ends the node with "coppice: FUNCTION WHAT": the program called a function as it must not. */
__attribute__((noreturn, cold)) void copi_misused(const char *function, const char *what);

/* Ends the node with "coppice: no memory for WHAT", which it cannot go on without. */
__attribute__((noreturn, cold)) void copi_no_memory(const char *what);

#define COP_ASSERT(condition_)                                                           \
    (__builtin_expect(!!(condition_), 1) ? (void)0                                       \
                                         : copi_broken(#condition_, __FILE__, __LINE__))
#ifdef COP_DEBUG_CHECKS
#define COP_DEBUG(condition_) COP_ASSERT(condition_)
#else
#define COP_DEBUG(condition_) ((void)sizeof(!(condition_)))
#endif

#endif
