/* fault.c - fault.h for Linux on x86-64. */
#define _GNU_SOURCE
#include "fault.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "../base/assert.h"
#include "interrupt.h"
#include "sanitizer.h"

enum { FAULTS = 5, ALT_STACK_MIN = 65536 };
static const int fault_signals[FAULTS] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
static struct sigaction old_actions[FAULTS];
static copi_fault_hook *fault_hook;

const char *copi_fault_name(int signal)
{
    switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGABRT: return "SIGABRT";
    default: return "signal";
    }
}

/* Those that people look for, in the order in which debuggers show them. */
static const struct { const char *name; int index; } machine_registers[COPI_REGISTERS] = {
    { "rax", REG_RAX }, { "rbx", REG_RBX }, { "rcx", REG_RCX }, { "rdx", REG_RDX },
    { "rsi", REG_RSI }, { "rdi", REG_RDI }, { "rbp", REG_RBP }, { "rsp", REG_RSP },
    { "r8", REG_R8 },   { "r9", REG_R9 },   { "r10", REG_R10 }, { "r11", REG_R11 },
    { "r12", REG_R12 }, { "r13", REG_R13 }, { "r14", REG_R14 }, { "r15", REG_R15 },
    { "rip", REG_RIP }, { "eflags", REG_EFL },
};

const char *copi_fault_register(unsigned index)
{
    return index < COPI_REGISTERS ? machine_registers[index].name : NULL;
}

/* Makes the interrupted code go on in `context`, with `value` as its switch's result: clears
 * the direction, alignment-check and trap flags and the floating-point state that the faulting
 * code may have left, and unblocks what abort() blocked. */
void copi_fault_land(void *ucontext, struct context *context, void *value)
{
    ucontext_t *user = ucontext;
    greg_t *registers = user->uc_mcontext.gregs;
    registers[REG_RIP] = (greg_t)(uintptr_t)copi_context_land;
    registers[REG_RSP] = (greg_t)(uintptr_t)context->sp;
    registers[REG_RAX] = (greg_t)(uintptr_t)value;
    registers[REG_EFL] &= ~(greg_t)(0x400 | 0x40000 | 0x100);
    if (user->uc_mcontext.fpregs != NULL) {
        user->uc_mcontext.fpregs->mxcsr = 0x1f80;
        user->uc_mcontext.fpregs->cwd = 0x37f;
        user->uc_mcontext.fpregs->ftw = 0;
    }
    for (int i = 0; i < FAULTS; i++)
        sigdelset(&user->uc_sigmask, fault_signals[i]);
    context->landed = true;
}

/* raise() sends to the thread that calls it: that is its own fault, as an instruction's is. */
static bool is_from_outside(const siginfo_t *info)
{
    bool raised = info->si_code == SI_TKILL || info->si_signo == SIGABRT;
    return info->si_code <= 0 && !(raised && info->si_pid == getpid());
}

COPI_UNCHECKED static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    const greg_t *registers = user->uc_mcontext.gregs;
    struct fault fault = {
        .signal = signal,
        .code = info->si_code,
        .from_outside = is_from_outside(info),
        .address = signal == SIGABRT || info->si_code <= 0 ? NULL : info->si_addr,
        .pc = (void *)(uintptr_t)registers[REG_RIP],
        .sp = (void *)(uintptr_t)registers[REG_RSP],
        .fp = (void *)(uintptr_t)registers[REG_RBP],
    };
    for (int i = 0; i < COPI_REGISTERS; i++)
        fault.registers[i] = (uint64_t)registers[machine_registers[i].index];
    void *value = NULL;
    struct context *target = fault_hook == NULL ? NULL : fault_hook(&fault, &value);
    if (target != NULL) {
        copi_fault_land(user, target, value);
        return;
    }
    /* Die of it: the instruction faults again; a signal that was sent is sent again. */
    struct sigaction standard = { .sa_handler = SIG_DFL };
    sigaction(signal, &standard, NULL);
    if (info->si_code <= 0)
        raise(signal);
}

void copi_fault_install(copi_fault_hook *hook)
{
    COP_ASSERT(fault_hook == NULL);
    fault_hook = hook;
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &action, &old_actions[i]);
}

void copi_fault_remove(void)
{
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &old_actions[i], NULL);
    fault_hook = NULL;
}

/* A spare's thread is started by the monitor, which blocks all signals. */
static void unblock(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, COPI_INTERRUPT_SIGNAL);
    for (int i = 0; i < FAULTS; i++)
        sigaddset(&wanted, fault_signals[i]);
    pthread_sigmask(SIG_UNBLOCK, &wanted, NULL);
}

bool copi_fault_enter(struct fault_thread *thread)
{
    size_t size = 4 * getauxval(AT_MINSIGSTKSZ);
    thread->size = size > ALT_STACK_MIN ? size : ALT_STACK_MIN;
    thread->memory = mmap(NULL, thread->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
    if (thread->memory == MAP_FAILED)
        return false;
    stack_t stack = { .ss_sp = thread->memory, .ss_size = thread->size }, old;
    int failed = sigaltstack(&stack, &old);
    COP_ASSERT(failed == 0);
    thread->old_memory = old.ss_sp;
    thread->old_size = old.ss_size;
    thread->old_flags = old.ss_flags;
    unblock();
    return true;
}

void copi_fault_leave(struct fault_thread *thread)
{
    stack_t old = { .ss_sp = thread->old_memory, .ss_size = thread->old_size,
                    .ss_flags = thread->old_flags & SS_DISABLE };
    sigaltstack(&old, NULL);
    munmap(thread->memory, thread->size);
}
