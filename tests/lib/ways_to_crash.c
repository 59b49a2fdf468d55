/* ways_to_crash.c - see ways_to_crash.h. */
#include "ways_to_crash.h"

#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Not static, so that a backtrace has their names; not to be seen through by the compiler, which
 * would put a trap in place of what can only fail; and not checked by ThreadSanitizer, so that the
 * fault is in them and not in its library. */

#define CRASHES __attribute__((noinline, no_sanitize("thread"))) void

static void *hidden(uintptr_t address)
{
    void *volatile pointer = (void *)address;
    return pointer;
}

static volatile int sink;
static const int constant = 1;

CRASHES crash_null_read(void);
CRASHES crash_null_write(void);
CRASHES crash_wild_write(void);
CRASHES crash_non_canonical(void);
CRASHES crash_call_null(void);
CRASHES crash_call_wild(void);
CRASHES crash_read_only(void);
CRASHES crash_in_library(void);
CRASHES crash_past_file(void);
CRASHES crash_divide(void);
CRASHES crash_divide_overflow(void);
CRASHES crash_illegal(void);
CRASHES crash_breakpoint(void);
CRASHES crash_abort(void);
CRASHES crash_assert(void);
CRASHES crash_recursion(void);
CRASHES crash_huge_array(void);
CRASHES crash_huge_alloca(void);

CRASHES crash_null_read(void)
{
    sink = *(volatile int *)hidden(0);
}

CRASHES crash_null_write(void)
{
    *(volatile int *)hidden(8) = 1;
}

CRASHES crash_wild_write(void)
{
    *(volatile int *)hidden(0x123450) = 1;
}

CRASHES crash_non_canonical(void)
{
    *(volatile int *)hidden(0xdeadbeef00000000) = 1;
}

CRASHES crash_call_null(void)
{
    ((void (*)(void))hidden(0))();
    sink = 1;                            /* so that the call is not this function's last act */
}

CRASHES crash_call_wild(void)
{
    ((void (*)(void))hidden(0x123450))();
    sink = 1;
}

CRASHES crash_read_only(void)
{
    *(volatile int *)hidden((uintptr_t)&constant) = 2;
}

CRASHES crash_in_library(void)
{
    static char *(*volatile find)(const char *, int) = strrchr;
    sink = *find(hidden(0x123450), 'x');
}

CRASHES crash_past_file(void)
{
    FILE *file = tmpfile();
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    fclose(file);
    sink = page[0];
}

CRASHES crash_divide(void)
{
    volatile int seven = 7, zero = 0;
    sink = seven / zero;
}

#if defined(__clang__)
__attribute__((no_sanitize("signed-integer-overflow")))
#else
__attribute__((no_sanitize("signed-integer-overflow", "integer-divide-by-zero")))
#endif
CRASHES crash_divide_overflow(void)
{
    volatile int least = INT_MIN, minus_one = -1;
    sink = least / minus_one;
}

CRASHES crash_illegal(void)
{
    __asm__ volatile(".long 0x0b0f");    /* ud2, or udf on AArch64 */
}

CRASHES crash_breakpoint(void)
{
#if defined(__x86_64__)
    __asm__ volatile("int3");
#else
    __asm__ volatile("brk #0");
#endif
    sink = 1;
}

CRASHES crash_abort(void)
{
    abort();
}

CRASHES crash_assert(void)
{
    assert(sink == 42 && "the answer");
}

CRASHES crash_recursion(void)
{
    static void (*volatile again)(void) = crash_recursion;
    volatile char frame[100];
    frame[0] = 1;
    again();
    sink = frame[0];
}

CRASHES crash_huge_array(void)
{
    volatile char frame[1 << 20];
    volatile size_t at = 0;              /* an index that is known lets clang shrink the array */
    frame[at] = 1;
    sink = frame[at];
}

CRASHES crash_huge_alloca(void)
{
    volatile size_t size = 1 << 20;
    volatile char *frame = __builtin_alloca(size);
    frame[0] = 1;
    sink = frame[0];
}

/* What the kernel says of some depends on the processor; of an illegal instruction on AArch64 Linux
 * and qemu-user do not say the same.  A guard may be a marker or a mapping. */
#if defined(__x86_64__)
enum { NON_CANONICAL = SI_KERNEL, ILLEGAL = ILL_ILLOPN, BREAKPOINT = SI_KERNEL };
#else
enum { NON_CANONICAL = SEGV_MAPERR, ILLEGAL = ANY_CODE, BREAKPOINT = TRAP_BRKPT };
#endif

const struct way ways[WAYS] = {
    { "crash_null_read", crash_null_read, "crash:SIGSEGV", SIGSEGV, SEGV_MAPERR, 0 },
    { "crash_null_write", crash_null_write, "crash:SIGSEGV", SIGSEGV, SEGV_MAPERR, 8 },
    { "crash_wild_write", crash_wild_write, "crash:SIGSEGV", SIGSEGV, SEGV_MAPERR, 0x123450 },
    { "crash_non_canonical", crash_non_canonical, "crash:SIGSEGV", SIGSEGV, NON_CANONICAL, 0 },
    { "crash_call_null", crash_call_null, "crash:SIGSEGV", SIGSEGV, SEGV_MAPERR, 0 },
    { "crash_call_wild", crash_call_wild, "crash:SIGSEGV", SIGSEGV, SEGV_MAPERR, 0x123450 },
    { "crash_read_only", crash_read_only, "crash:SIGSEGV", SIGSEGV, SEGV_ACCERR,
      (uintptr_t)&constant },
    { "crash_in_library", crash_in_library, "crash:SIGSEGV", SIGSEGV, SEGV_MAPERR, 0x123450 },
    { "crash_past_file", crash_past_file, "crash:SIGBUS", SIGBUS, BUS_ADRERR, 0 },
#if defined(__x86_64__)
    { "crash_divide", crash_divide, "crash:SIGFPE", SIGFPE, FPE_INTDIV, (uintptr_t)crash_divide },
    { "crash_divide_overflow", crash_divide_overflow, "crash:SIGFPE", SIGFPE, FPE_INTDIV,
      (uintptr_t)crash_divide_overflow },
#endif
    { "crash_illegal", crash_illegal, "crash:SIGILL", SIGILL, ILLEGAL, (uintptr_t)crash_illegal },
    { "crash_breakpoint", crash_breakpoint, "crash:SIGTRAP", SIGTRAP, BREAKPOINT, 0 },
    { "crash_abort", crash_abort, "crash:SIGABRT", SIGABRT, 0, 0 },
    { "crash_assert", crash_assert, "crash:assert", SIGABRT, 0, 0 },
    { "crash_recursion", crash_recursion, "crash:stack_overflow", SIGSEGV, ANY_CODE, 0 },
    { "crash_huge_array", crash_huge_array, "crash:stack_overflow", SIGSEGV, ANY_CODE, 0 },
    { "crash_huge_alloca", crash_huge_alloca, "crash:stack_overflow", SIGSEGV, ANY_CODE, 0 },
};
