/* heap.c - faults that damage malloc's heap.  malloc notices and aborts with its lock held and its
 * lists in disorder, so these end the node. */
#include "faults.h"

#include <stdlib.h>

/* Out of the compiler's sight, which warns of what is wrong here. */
static void (*volatile release)(void *) = free;
static void *volatile block;

void fault_double_free(void)
{
    block = malloc(100000);
    void *volatile behind = malloc(16);
    release(block);
    release(block);
    release(behind);
}

void fault_wild_free(void)
{
    static char *volatile nowhere = (char *)8;
    release(nowhere);
}

void fault_heap_overrun(void)
{
    char *behind = malloc(2000);
    do {                        /* until one lies right behind the other: no other is to be hit */
        block = behind;
        behind = malloc(2000);
    } while (behind != (char *)block + 2016);
    for (int i = 2000; i < 2024; i++) ((volatile char *)block)[i] = 'x';
    release(behind);
    release(block);
}
