/* context.c - context.h above the machine's part: the sanitizers' bookkeeping. */
#define _GNU_SOURCE
#include "context.h"

#include <pthread.h>
#include <string.h>

#include "../base/assert.h"
#include "machine.h"
#include "sanitizer.h"

enum { CONTEXT_SIZE_MIN = 1024 };      /* the first frame has room, and then some */

void copi_context_of_thread(struct context *context)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;
    memset(context, 0, sizeof *context);
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &low, &size);
        pthread_attr_destroy(&attributes);
    }
    context->low = low;
    context->size = size;
#ifdef COPI_TSAN
    context->fiber = __tsan_get_current_fiber();
#endif
}

void copi_context_make(struct context *context, void *low, size_t size, void (*entry)(void *),
                       void *argument)
{
    COP_ASSERT(((uintptr_t)low | size) % 16 == 0 && size >= CONTEXT_SIZE_MIN);
#ifdef COPI_ASAN
    __asan_unpoison_memory_region(low, size);   /* frames that were left without returning */
#endif
#ifdef COPI_TSAN
    if (context->fiber != NULL)
        __tsan_destroy_fiber(context->fiber);
    context->fiber = __tsan_create_fiber(0);
#endif
    context->sp = copi_machine_first_frame((char *)low + size, entry, argument);
    context->low = low;
    context->size = size;
    context->landed = false;
}

void copi_context_drop(struct context *context)
{
#ifdef COPI_TSAN
    if (context->fiber != NULL)
        __tsan_destroy_fiber(context->fiber);
    context->fiber = NULL;
#endif
    context->sp = NULL;
}

#ifdef COPI_FIBERS
COPI_UNCHECKED void *copi_context_switch(struct context *from, struct context *to, void *value,
                                         bool final)
{
    (void)final;
#ifdef COPI_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(final ? NULL : &fake, to->low, to->size);
#endif
#ifdef COPI_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    void *result = copi_context_swap(&from->sp, to->sp, value);
    if (from->landed) {          /* the other side faulted and could not tell them */
        from->landed = false;
#ifdef COPI_ASAN
        __sanitizer_start_switch_fiber(NULL, from->low, from->size);
#endif
#ifdef COPI_TSAN
        __tsan_switch_to_fiber(from->fiber, 0);
#endif
    }
#ifdef COPI_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
    return result;
}
#endif

COPI_UNCHECKED void copi_context_entered(struct context *context)
{
    (void)context;
#ifdef COPI_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}
