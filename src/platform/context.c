/* context.c - context.h above the assembly: first frames, and the sanitizers' bookkeeping. */
#define _GNU_SOURCE
#include "context.h"

#include <pthread.h>
#include <string.h>

#include "../base/assert.h"
#include "sanitizer.h"

void copi_context_start(void);

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

/* The frame that copi_context_swap expects to find, as if copi_context_start had called it. */
struct first_frame {
    void *r15, *r14, *argument, *entry, *rbx, *rbp, *start;
    void *zero[2];               /* keeps rsp 16-byte aligned at the call, ends frame chains */
};

void copi_context_make(struct context *context, void *low, size_t size, void (*entry)(void *),
                       void *argument)
{
    COP_ASSERT(((uintptr_t)low | size) % 16 == 0 && size > sizeof(struct first_frame));
#ifdef COPI_ASAN
    __asan_unpoison_memory_region(low, size);   /* frames that were left without returning */
#endif
#ifdef COPI_TSAN
    if (context->fiber != NULL)
        __tsan_destroy_fiber(context->fiber);
    context->fiber = __tsan_create_fiber(0);
#endif
    struct first_frame *frame = (struct first_frame *)((char *)low + size) - 1;
    memset(frame, 0, sizeof *frame);
    memcpy(&frame->entry, &entry, sizeof entry);
    frame->argument = argument;
    void (*start)(void) = copi_context_start;
    memcpy(&frame->start, &start, sizeof start);
    context->sp = frame;
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
