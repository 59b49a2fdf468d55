/* platform.h - the one narrow door to the operating system.
 *
 * Everything that the layers above want from it, with what must hold before the call.
 * linux.c implements it; another system is another file. */
#ifndef COPI_PLATFORM_H
#define COPI_PLATFORM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- time, processors, threads, entropy ------------------------------------------------ */

/* Monotonic nanoseconds from an arbitrary origin. */
int64_t copi_clock_ns(void);

/* Milliseconds since 1970, UTC, as the system's clock has it. */
int64_t copi_wall_clock_ms(void);

/* Processors that this process may run on, at least 1. */
int copi_cpu_count(void);

/* Whether the operating-system process is known to have no more than that many threads. */
bool copi_only_threads(int count);

/* pthread_create with the usual attributes. */
int copi_thread_create(pthread_t *thread, void *(*function)(void *), void *argument);

/* Starts a thread that gets none of the signals that are sent to the operating-system process.
 * Returns an errno value, or 0. */
int copi_thread_start(pthread_t *thread, void *(*function)(void *), void *argument);

/* How long the thread, which must live, has been computing; -1 if the system does not tell. */
int64_t copi_thread_cpu_ns(pthread_t thread);

/* 64 random bits from the system. */
uint64_t copi_entropy(void);

/* ---- memory ---------------------------------------------------------------------------- */

/* Reserves zeroed address space whose pages cost nothing until touched, in huge pages only where
 * that is asked for.  NULL when the system refuses. */
void *copi_memory_reserve(size_t bytes);
void copi_memory_release(void *memory, size_t bytes);

/* Asks for huge pages in what is whole ones of [memory, memory + bytes) and was not touched yet:
 * for much memory that is filled from the front.  Only a hint. */
void copi_memory_prefer_huge(void *memory, size_t bytes);

/* Zeroed memory that children of fork share with their parent; NULL when the system refuses. */
void *copi_memory_share(size_t bytes);

/* Makes [memory, memory + bytes) fault when touched; page-aligned.  Guard markers where the
 * kernel has them (Linux 6.13: no mapping is split), mprotect otherwise (two mappings a
 * guard, so that vm.max_map_count limits their number).  False when it can't. */
bool copi_memory_guard(void *memory, size_t bytes);

size_t copi_page_size(void);

/* ---- the C library --------------------------------------------------------------------- */

/* Gives back the locks of stdin, stdout and stderr that the calling thread holds because it was
 * taken out of the middle of a function that uses them. */
void copi_stdio_release(void);

/* ---- waiting and waking ---------------------------------------------------------------- */

/* One thread parks, any thread unparks; an unpark before the park is not lost: it makes the
 * next park return at once.  Invariant: state is PARKED only between the owner's entry
 * to and return from copi_park. */
struct parker {
    _Atomic uint32_t state;
};

/* Returns whether it was unparked; false: the time is over, or a signal came.  < 0: no limit. */
bool copi_park(struct parker *parker, int64_t timeout_ns);
void copi_unpark(struct parker *parker);

/* In a loop that waits for another thread: the processor does something else meanwhile. */
static inline void copi_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
