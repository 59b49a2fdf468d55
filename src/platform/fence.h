/* fence.h - a fence whose cost is paid on one side alone.
 *
 * Two threads that look crosswise (each writes its own word and then reads the other's) need a full
 * fence between the write and the read, or both may read old values.  Where one side does so all
 * the time and the other seldom, the seldom one can pay for both: membarrier(2) makes every other
 * running thread of the program pass a full fence before it returns.  So
 *
 *     often:   write A; copi_fence_light(); read B        nothing but an order for the compiler
 *     seldom:  write B; copi_fence_heavy(); read A        a system call, some microseconds
 *
 * and at least one of the two sees the other's write: if the often side's read of B came before the
 * write of B was visible, then its write of A was complete when membarrier had gone past it.
 *
 * Where both sides look equally often, each writes with an atomic_exchange.  By the language a
 * seq_cst store does as well, but qemu-user, which runs the tests of the AArch64 build, lets the
 * read overtake it.
 *
 * Where the system has no membarrier, the light one is a full fence, and all holds just the same.
 *
 * Threads: any.  copi_fence_init is called before there is a second thread that uses them. */
#ifndef COPI_FENCE_H
#define COPI_FENCE_H

#include <stdatomic.h>
#include <stdbool.h>

extern bool copi_fence_is_full;     /* the light one must be; written by init alone */

void copi_fence_init(void);
void copi_fence_full(void);
void copi_fence_heavy(void);

static inline void copi_fence_light(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(copi_fence_is_full, 0))
        copi_fence_full();
}

#endif
