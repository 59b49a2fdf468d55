/* fault.c - fault.h for Linux. */
#define _GNU_SOURCE
#include "fault.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "../base/assert.h"
#include "../base/scarcity.h"
#include "interrupt.h"
#include "machine.h"
#include "sanitizer.h"

/* A trap is what __builtin_trap is on some processors; a breakpoint is one too. */
enum { FAULTS = 6, ALT_STACK_MIN = 65536, KERNEL_SIGNALS = 64 };
static const int fault_signals[FAULTS] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
static struct sigaction old_actions[FAULTS];
static copi_fault_hook *fault_hook;

/* The thread's mask when it entered.  A crash may leave another: abort blocks, code that was in the
 * midst of something has blocked what must not disturb it. */
static _Thread_local sigset_t usual_mask __attribute__((tls_model("initial-exec")));

const char *copi_fault_name(int signal)
{
    switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGTRAP: return "SIGTRAP";
    case SIGABRT: return "SIGABRT";
    default: return "signal";
    }
}

const char *copi_fault_register(unsigned index)
{
    return copi_machine_register(index);
}

void copi_fault_mask(void)
{
    pthread_sigmask(SIG_SETMASK, &usual_mask, NULL);
}

/* Makes the interrupted code go on in `context`, with `value` as its switch's result, and with the
 * thread's usual mask: the kernel's part of it, there is no more room. */
void copi_fault_land(void *ucontext, struct context *context, void *value)
{
    ucontext_t *user = ucontext;
    copi_machine_land(user, context->sp, value);
    memcpy(&user->uc_sigmask, &usual_mask, KERNEL_SIGNALS / 8);
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
    struct fault fault = {
        .signal = signal,
        .code = info->si_code,
        .from_outside = is_from_outside(info),
        .address = signal == SIGABRT || info->si_code <= 0 ? NULL : info->si_addr,
    };
    copi_machine_place(user, &fault);
    copi_machine_registers(user, &fault);
    void *value = NULL;
    struct context *target = fault_hook == NULL ? NULL : fault_hook(&fault, &value);
    if (target != NULL) {
        copi_fault_land(user, target, value);
        return;
    }
    /* Die of it: the instruction faults again; a signal that was sent is sent again, and so is that
     * of a trap, which may be over. */
    struct sigaction standard = { .sa_handler = SIG_DFL };
    sigaction(signal, &standard, NULL);
    if (info->si_code <= 0 || signal == SIGTRAP)
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
    if (copi_is_refused(SCARCE_MEMORY))
        return false;
    thread->memory = mmap(NULL, thread->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
    if (thread->memory == MAP_FAILED)
        return false;
    stack_t stack = { .ss_sp = thread->memory, .ss_size = thread->size }, old;
    int failed = sigaltstack(&stack, &old);
    COP_ASSERT(failed == 0);
    unblock();
    pthread_sigmask(SIG_BLOCK, NULL, &usual_mask);
    thread->old_memory = old.ss_sp;
    thread->old_size = old.ss_size;
    thread->old_flags = old.ss_flags;
    return true;
}

void copi_fault_leave(struct fault_thread *thread)
{
    stack_t old = { .ss_sp = thread->old_memory, .ss_size = thread->old_size,
                    .ss_flags = thread->old_flags & SS_DISABLE };
    sigaltstack(&old, NULL);
    munmap(thread->memory, thread->size);
}
