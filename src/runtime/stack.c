/* stack.c - see stack.h. */
#include "stack.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/hostile.h"
#include "../platform/platform.h"
#include "../platform/sanitizer.h"

/* Of address space; larger stacks: one a slab. */
enum { SLAB_BYTES = COPI_LIMIT(16 * 1024 * 1024, COPI_STACK_DEFAULT) };

/* Slabs are remembered only to be released. */
struct stack_slab {
    struct stack_slab *next;
    char *memory;
    size_t size, used;      /* stacks are cut off from the front */
    uint8_t class;
};

static struct {
    pthread_mutex_t lock;
    struct stack_slab *slabs;
    size_t lent;            /* made, and in no scheduler's pool at its end */
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

void copi_stacks_init(void)
{
    COP_ASSERT(all.slabs == NULL);
}

size_t copi_stacks_deinit(void)
{
    size_t lent = all.lent;
    all.lent = 0;
    while (all.slabs != NULL) {
        struct stack_slab *slab = all.slabs;
        all.slabs = slab->next;
        copi_memory_release(slab->memory, slab->size);
        free(slab);
    }
    return lent;
}

int copi_stack_class(size_t bytes)
{
    for (int class = 0; class < COPI_STACK_CLASSES; class++)
        if (bytes <= (size_t)COPI_STACK_DEFAULT << class)
            return class;
    return -1;
}

/* The newest slab of the class with room, or a new one.  With the lock held. */
static struct stack_slab *slab_with_room(uint8_t class, size_t size)
{
    struct stack_slab *slab = all.slabs;
    while (slab != NULL && (slab->class != class || slab->used == slab->size))
        slab = slab->next;
    if (slab != NULL)
        return slab;
    slab = malloc(sizeof *slab);
    if (slab == NULL)
        return NULL;
    slab->class = class;
    slab->used = 0;
    slab->size = size > SLAB_BYTES ? size : SLAB_BYTES / size * size;
    slab->memory = copi_memory_reserve(slab->size);
    if (slab->memory == NULL) {
        free(slab);
        return NULL;
    }
    slab->next = all.slabs;
    all.slabs = slab;
    return slab;
}

static struct stack *stack_new(uint8_t class)
{
    size_t size = (size_t)COPI_STACK_DEFAULT << class;
    pthread_mutex_lock(&all.lock);
    struct stack_slab *slab = slab_with_room(class, size);
    char *memory = NULL;
    if (slab != NULL && copi_memory_guard(slab->memory + slab->used, COPI_STACK_GUARD)) {
        memory = slab->memory + slab->used;
        slab->used += size;
        all.lent++;
    }
    pthread_mutex_unlock(&all.lock);
    if (memory == NULL)
        return NULL;
    size_t own = (sizeof(struct stack) + 63) / 64 * 64;
    struct stack *stack = (struct stack *)(void *)(memory + size - own);
    memset(stack, 0, sizeof *stack);
    stack->memory = memory;
    stack->size = size;
    stack->class = class;
    return stack;
}

struct stack *copi_stack_take(struct stack_pool *pool, uint8_t class)
{
    struct stack *stack = pool->free[class];
    if (stack == NULL)
        return stack_new(class);
    pool->free[class] = stack->next;
    stack->next = NULL;
    return stack;
}

void copi_stack_give(struct stack_pool *pool, struct stack *stack)
{
    COP_ASSERT(stack->next == NULL);
    stack->next = pool->free[stack->class];
    pool->free[stack->class] = stack;
}

size_t copi_stack_usable(const struct stack *stack)
{
    return (size_t)((const char *)stack - copi_stack_low(stack));
}

bool copi_stack_in_guard(const struct stack *stack, const void *address)
{
    return (const char *)address >= stack->memory && (const char *)address < copi_stack_low(stack);
}

COPI_UNCHECKED void copi_stack_wipe(struct stack *stack)
{
#ifndef COPI_ASAN                        /* it keeps account of these bytes itself */
    enum { WIPED = 8192 };
    char *low = copi_stack_low(stack), *end = stack->context.sp;
    char *begin = end - low > WIPED ? end - WIPED : low;
    memset(begin, COPI_DEAD, (size_t)(end - begin));
#else
    (void)stack;
#endif
}

void copi_stack_pool_deinit(struct stack_pool *pool)
{
    for (int class = 0; class < COPI_STACK_CLASSES; class++) {
        for (struct stack *stack = pool->free[class]; stack != NULL; stack = stack->next) {
            copi_context_drop(&stack->context);
            all.lent--;
        }
        pool->free[class] = NULL;
    }
}
