/* faults.c - faults that the processor, the kernel or the C library notices at once. */
#include "faults.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <coppice/coppice.h>

#include "partner.h"

/* Through volatile, so that the compiler does not see what can only fail and put a trap there. */
static void *hidden(uintptr_t address)
{
    void *volatile pointer = (void *)address;
    return pointer;
}

static volatile int sink;
static const int constant = 1;

/* ---- pointers ---------------------------------------------------------------------------- */

void fault_null_read(void)
{
    sink = *(volatile int *)hidden(0);
}

void fault_null_write(void)
{
    *(volatile int *)hidden(8) = 1;
}

void fault_wild_write(void)
{
    *(volatile int *)hidden(0x123450) = 1;
}

void fault_call_null(void)
{
    ((void (*)(void))hidden(0))();
    sink = 1;                            /* so that the call is not this function's last act */
}

void fault_call_wild(void)
{
    ((void (*)(void))hidden(0x123450))();
    sink = 1;
}

void fault_read_only(void)
{
    *(volatile int *)hidden((uintptr_t)&constant) = 2;
}

void fault_non_canonical(void)
{
    *(volatile int *)hidden(0xdeadbeef00000000) = 1;
}

static void unmap(void *page)
{
    munmap(page, 4096);
}

static void close_file(void *file)
{
    fclose(file);
}

/* Both the mapping and the file are given back by what is deferred. */
void fault_past_file(void)
{
    FILE *file = tmpfile();
    cop_defer(close_file, file);
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    cop_defer(unmap, (void *)page);
    sink = page[0];
}

/* ---- instructions ------------------------------------------------------------------------ */

void fault_divide(void)
{
    volatile int seven = 7, zero = 0;
    sink = seven / zero;
}

void fault_divide_overflow(void)
{
    volatile int least = INT_MIN, minus_one = -1;
    sink = least / minus_one;
}

void fault_illegal(void)
{
    __asm__ volatile(".long 0x0b0f");    /* ud2, or udf on AArch64 */
}

void fault_trap(void)
{
    if (sink != 42) __builtin_trap();
}

void fault_abort(void)
{
    abort();
}

void fault_assert(void)
{
    assert(sink == 42 && "the answer");
}

/* ---- the stack --------------------------------------------------------------------------- */

void fault_recursion(void)
{
    static void (*volatile again)(void) = fault_recursion;
    volatile char frame[100];
    frame[0] = 1;
    again();
    sink = frame[0];
}

void fault_huge_array(void)
{
    volatile char frame[1 << 20];
    volatile size_t at = 0;              /* an index that is known lets clang shrink the array */
    frame[at] = 1;
    sink = frame[at];
}

void fault_huge_alloca(void)
{
    volatile size_t size = 1 << 20;
    volatile char *frame = __builtin_alloca(size);
    frame[0] = 1;
    sink = frame[0];
}

static int allocates_without_end(int depth)
{
    static int (*volatile again)(int) = allocates_without_end;
    void *volatile block = malloc(16);
    free(block);
    return again(depth + 1) + depth;
}

void fault_recursion_malloc(void)
{
    sink = allocates_without_end(0);
}

/* ---- in the C library -------------------------------------------------------------------- */

void fault_in_strlen(void)
{
    static size_t (*volatile length)(const char *) = strlen;
    sink = (int)length(hidden(8));
}

/* In the middle of the stream's lock. */
void fault_in_printf(void)
{
    fprintf(stdout, "%s", (char *)hidden(8));
}

/* ---- the program's end, in the midst of a process ---------------------------------------- */

void fault_exit(void)
{
    exit(7);
}

void fault_exit_well(void)
{
    exit(0);
}

void fault_exit_at_once(void)
{
    _exit(7);
}

void fault_quick_exit(void)
{
    quick_exit(7);
}

/* ---- what grows without bound ------------------------------------------------------------ */

/* Up to the process's limit. */
void fault_leak(void)
{
    cop_limit_memory(200000);
    for (;;) memset(cop_alloc(5000), 1, 5000);
}

/* Up to the mailbox's. */
void fault_mailbox(void)
{
    cop_must(cop_limit_mailbox((cop_mailbox_bound){ .limit = 1000 }));
    for (;;) cop_must(cop_send(cop_self(), flood));
}
