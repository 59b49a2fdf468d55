/* kinds.c - the kinds, and what must come of each.  docs/containment.md says why. */
#include "faults.h"
#include "matrix.h"

/* A block that is in the victim's hands when it ends: malloc's memory is nobody's. */
enum { A_BLOCK = 1200, AN_EXCEPTION = 400 };

/* What a compiler puts in place of __builtin_trap. */
#if defined(__x86_64__)
#define TRAP "crash:SIGILL"
#else
#define TRAP "crash:SIGTRAP"
#endif

const struct kind kinds[] = {
    { "null-read", fault_null_read, .reason = "crash:SIGSEGV" },
    { "null-write", fault_null_write, .reason = "crash:SIGSEGV" },
    { "wild-write", fault_wild_write, .reason = "crash:SIGSEGV" },
    { "call-null", fault_call_null, .reason = "crash:SIGSEGV" },
    { "call-wild", fault_call_wild, .reason = "crash:SIGSEGV" },
    { "read-only", fault_read_only, .reason = "crash:SIGSEGV" },
    { "non-canonical", fault_non_canonical, .reason = "crash:SIGSEGV" },
    { "past-file", fault_past_file, .reason = "crash:SIGBUS" },
#if defined(__x86_64__)              /* AArch64 has a result for both */
    { "divide", fault_divide, .reason = "crash:SIGFPE" },
    { "divide-overflow", fault_divide_overflow, .reason = "crash:SIGFPE" },
#endif
    { "illegal", fault_illegal, .reason = "crash:SIGILL" },
    { "trap", fault_trap, .reason = TRAP },
    { "abort", fault_abort, .reason = "crash:SIGABRT" },
    { "assert", fault_assert, .reason = "crash:assert" },
    { "recursion", fault_recursion, .reason = "crash:stack_overflow" },
    { "huge-array", fault_huge_array, .reason = "crash:stack_overflow" },
    { "alloca", fault_huge_alloca, .reason = "crash:stack_overflow" },
    { "recursion-malloc", fault_recursion_malloc, .reason = "crash:stack_overflow" },
    { "in-strlen", fault_in_strlen, .reason = "crash:SIGSEGV" },
    { "in-printf", fault_in_printf, .reason = "crash:SIGSEGV" },
#ifdef WITH_CXX
    { "exception", fault_exception, .reason = "crash:SIGABRT", .stays = AN_EXCEPTION },
#endif
    { "stack-smash", fault_stack_smash, .reason = "crash:SIGABRT" },
    { "fortify", fault_fortify, .reason = "crash:SIGABRT" },

    { "in-init", fault_null_write, .reason = "crash:SIGSEGV", .place = IN_INIT },
    { "in-terminate", fault_null_write, .reason = "crash:SIGSEGV", .place = IN_TERMINATE },
    { "in-deferred", fault_null_write, .reason = "error:the first reason stays",
      .shown = "the first error", .place = IN_DEFERRED },
    { "with-mutex", fault_null_write, .reason = "crash:SIGSEGV", .place = WITH_MUTEX },
    { "deadlock", astray_deadlock, .end = BY_PROBE,
      .reason = "error:cop_call_timeout(\"partner\"", .shown = "error: timeout" },
    { "leak", fault_leak, .reason = "error:enomem: max_memory", .shown = "error: max_memory" },
    { "mailbox", fault_mailbox, .reason = "error:cop_send(cop_self(), flood",
      .shown = "error: full mailbox" },
    { "exit", fault_exit, .reason = "crash:exit(7)" },
    { "exit-0", fault_exit_well, .reason = "crash:exit(0)" },
    { "_exit", fault_exit_at_once, .reason = "crash:_exit(7)" },
    { "quick_exit", fault_quick_exit, .reason = "crash:quick_exit(7)" },

    { "loop", astray_loop, .reason = "killed", .end = BY_KILL },
    { "loop-probe", astray_loop, .reason = "killed", .end = BY_PROBE },
    { "loop-shutdown", astray_loop, .reason = "killed", .end = BY_SHUTDOWN },
    { "loop-snprintf", astray_snprintf, .reason = "killed", .end = BY_KILL },
    { "loop-fprintf", astray_fprintf, .reason = "killed", .end = BY_KILL },
    { "loop-malloc", astray_malloc, .reason = "killed", .end = BY_KILL, .stays = A_BLOCK },
    { "loop-qsort", astray_qsort, .reason = "killed", .end = BY_KILL },
    { "loop-callback", astray_in_callback, .reason = "killed", .end = BY_KILL },
    { "read", astray_read, .reason = "killed", .end = BY_KILL },
    { "read-probe", astray_read, .reason = "killed", .end = BY_PROBE },
    { "read-shutdown", astray_read, .reason = "killed", .end = BY_SHUTDOWN },

    { "double-free", fault_double_free, .reason = "SIGABRT", .ends_node = true, .reported = true },
    { "wild-free", fault_wild_free, .reason = "SIGSEGV", .ends_node = true, .reported = true },
    { "heap-overrun", fault_heap_overrun, .reason = "SIGABRT", .ends_node = true,
      .reported = true },
};
const size_t kind_count = sizeof kinds / sizeof *kinds;
