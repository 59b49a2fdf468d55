/* fence.c - see fence.h. */
#include "fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../base/assert.h"

/* ThreadSanitizer does not model fences, and gcc says so; what the fences order here are atomics,
 * which it sees. */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

bool copi_fence_is_full = true;

void copi_fence_init(void)
{
    copi_fence_is_full =
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0;
}

void copi_fence_full(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

void copi_fence_heavy(void)
{
    copi_fence_full();
    if (!copi_fence_is_full) {
        long error = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
        COP_ASSERT(error == 0);
    }
}
