/* stack.h - stacks for processes, guarded and pooled.
 *
 * A stack is a run of pages with a guard below; its descriptor lies at its upper end, so that
 * a pool is just a list.  Sizes are powers of two: class 0 is the default, 64 KiB.  Stacks
 * come from slabs of address space and go back to the pool, never to the system,
 * until the node ends; pages that were touched stay resident.
 *
 * Threads: a scheduler has its own pool; the slabs behind are shared under a lock.  A stack is
 * in a pool only when no code will run on it any more. */
#ifndef COPI_STACK_H
#define COPI_STACK_H

#include <stdbool.h>

#include "../platform/context.h"

enum {
    COPI_STACK_DEFAULT = 64 * 1024,
    COPI_STACK_CLASSES = 11,            /* 64 KiB to 64 MiB */
    COPI_STACK_GUARD = 16 * 1024,
    COPI_STACK_RESERVE = 4 * 1024       /* the runtime asks for this much before it starts */
};

struct stack {
    struct context context;
    struct stack *next;
    char *memory;                       /* the lowest address, where the guard begins */
    size_t size;                        /* guard included */
    uint8_t class;
};

struct stack_pool {
    struct stack *free[COPI_STACK_CLASSES];
};

void copi_stacks_init(void);
size_t copi_stacks_deinit(void);     /* how many were not given back */

/* The class for that many bytes, or -1 if that is too many; 0 bytes: the default. */
int copi_stack_class(size_t bytes);

/* A stack of the class; NULL without memory.  Its context must be made before use. */
struct stack *copi_stack_take(struct stack_pool *pool, uint8_t class);
void copi_stack_give(struct stack_pool *pool, struct stack *stack);

/* The lowest usable address; whether an address lies in the guard below. */
static inline char *copi_stack_low(const struct stack *stack)
{
    return stack->memory + COPI_STACK_GUARD;
}
size_t copi_stack_usable(const struct stack *stack);
bool copi_stack_in_guard(const struct stack *stack, const void *address);

/* What lies below the frames of whoever has left it is nobody's: a page or two of it is filled. */
void copi_stack_wipe(struct stack *stack);

/* A scheduler ends: its contexts are dropped, the memory is the slabs'. */
void copi_stack_pool_deinit(struct stack_pool *pool);

#endif
