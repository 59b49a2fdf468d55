/* guarded.c - faults that the compiler's guards notice: this file is compiled with
 * -fstack-protector-all and -D_FORTIFY_SOURCE=2. */
#include "faults.h"

#include <string.h>

static volatile size_t too_much = 64;
static char source[64];
static volatile char sink;

/* Over the end of its frame, guard word and return address included. */
void fault_stack_smash(void)
{
    char buffer[8];
    void *(*volatile unchecked)(void *, int, size_t) = memset;
    unchecked(buffer, 1, too_much);
    sink = buffer[0];
}

void fault_fortify(void)
{
    char buffer[8];
    memcpy(buffer, source, too_much);
    sink = buffer[too_much % 8];
}
