/* scarcity.c - see scarcity.h. */
#undef malloc
#undef calloc
#undef realloc
#undef aligned_alloc
#undef strdup

#include "scarcity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Atomic(copi_scarcity_hook *) copi_scarcity;

static _Thread_local unsigned needed __attribute__((tls_model("initial-exec")));

bool copi_scarcity_asks(enum scarce what)
{
    copi_scarcity_hook *hook = atomic_load_explicit(&copi_scarcity, memory_order_relaxed);
    return hook != NULL && hook(what, needed > 0);
}

void copi_needed_begin(void)
{
    needed++;
}

void copi_needed_end(void)
{
    needed--;
}

/* ---- the allocator --------------------------------------------------------------------- */

static bool is_refused(void)
{
    if (!copi_is_refused(SCARCE_MEMORY))
        return false;
    errno = ENOMEM;
    return true;
}

void *copi_malloc(size_t size)
{
    return is_refused() ? NULL : malloc(size);
}

void *copi_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : calloc(count, size);
}

void *copi_realloc(void *block, size_t size)
{
    return is_refused() ? NULL : realloc(block, size);
}

void *copi_aligned_alloc(size_t alignment, size_t size)
{
    return is_refused() ? NULL : aligned_alloc(alignment, size);
}

char *copi_strdup(const char *text)
{
    return is_refused() ? NULL : strdup(text);
}
