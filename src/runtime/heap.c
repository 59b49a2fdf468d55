/* heap.c - the C library's allocator counts as the runtime's own work.
 *
 * A fault inside malloc leaves its lock held and its lists half changed: the next one to allocate,
 * the runtime itself for the reason of the crash, would wait for ever.  So a program's calls, and
 * the C library's own, come here first.  Entering makes sure that there is enough stack, so that
 * a recursion that allocates overflows before the lock is taken and is contained; any other
 * fault inside ends the node with a report.
 *
 * Nothing else changes: the memory is the C library's.  A program that brings an allocator of its
 * own, and the sanitizers, which do, have theirs called, without this protection. */
#undef malloc
#undef calloc
#undef realloc
#undef aligned_alloc

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "../platform/sanitizer.h"
#include "scheduler.h"

#if defined(__GLIBC__) && !defined(COPI_ASAN) && !defined(COPI_TSAN)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static struct scheduler *enter(void)
{
    struct scheduler *scheduler = copi_scheduler;
    if (scheduler != NULL)
        scheduler->allocating++;
    copi_enter(scheduler);
    return scheduler;
}

static void *leave(struct scheduler *scheduler, void *block)
{
    if (scheduler != NULL)
        scheduler->allocating--;
    copi_leave(scheduler);
    return block;
}

void *malloc(size_t size)
{
    struct scheduler *scheduler = enter();
    return leave(scheduler, __libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    struct scheduler *scheduler = enter();
    return leave(scheduler, __libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    struct scheduler *scheduler = enter();
    return leave(scheduler, __libc_realloc(block, size));
}

void free(void *block)
{
    struct scheduler *scheduler = enter();
    __libc_free(block);
    leave(scheduler, NULL);
}

void *memalign(size_t alignment, size_t size)
{
    struct scheduler *scheduler = enter();
    return leave(scheduler, __libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    int saved = errno;
    void *block = memalign(alignment, size);
    errno = saved;
    if (block == NULL)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

#endif
