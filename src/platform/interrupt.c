/* interrupt.c - interrupt.h for Linux.
 *
 * SIGURG is used, as the Go runtime does: it is ignored by default, few programs have a use for it,
 * and debuggers pass it on.  Its handler lets interrupted system calls go on (SA_RESTART), so that
 * a program does not notice an interrupt that leaves it alone. */
#define _GNU_SOURCE
#include "interrupt.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unwind.h>

#include "../base/assert.h"
#include "machine.h"
#include "sanitizer.h"

enum { MAP_MAX = 256 };

static struct sigaction old_action;
static copi_interrupt_hook *interrupt_hook;
static void (*left_hook)(void);

/* ---- whose code is where ------------------------------------------------------------------ */

enum owner { OWNER_PROGRAM, OWNER_LIBRARY, OWNER_RUNTIME };

struct range { uintptr_t low, high; };

/* The libraries' code.  One thread writes, handlers on others read: a range is written before the
 * count that covers it. */
static struct range libraries[MAP_MAX];
static _Atomic size_t library_count;

extern const char copi_code_begin[], copi_code_end[];

static struct range own_code(void)
{
    return (struct range){ (uintptr_t)copi_code_begin, (uintptr_t)copi_code_end };
}

static bool in_range(struct range range, uintptr_t address)
{
    return address >= range.low && address < range.high;
}

bool copi_is_own_code(uintptr_t address)
{
    return in_range(own_code(), address);
}

static enum owner owner_of(uintptr_t pc)
{
    if (in_range(own_code(), pc))
        return OWNER_RUNTIME;
    size_t count = atomic_load_explicit(&library_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        if (in_range(libraries[i], pc))
            return OWNER_LIBRARY;
    return OWNER_PROGRAM;
}

/* Adds the code of one loaded object; the first one is the program itself.  A library that is
 * unloaded stays in the map: what comes in its place counts as a library's, which is the safe
 * side. */
static int add_object(struct dl_phdr_info *info, size_t size, void *is_first)
{
    (void)size;
    bool program = *(bool *)is_first;
    *(bool *)is_first = false;
    for (int i = 0; i < info->dlpi_phnum && !program; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0)
            continue;
        uintptr_t low = info->dlpi_addr + header->p_vaddr;
        size_t count = atomic_load_explicit(&library_count, memory_order_relaxed);
        if (owner_of(low) == OWNER_LIBRARY || count == MAP_MAX)
            continue;
        libraries[count] = (struct range){ low, low + header->p_memsz };
        atomic_store_explicit(&library_count, count + 1, memory_order_release);
    }
    return 0;
}

void copi_interrupt_map(void)
{
    bool first = true;
    dl_iterate_phdr(add_object, &first);
}

/* ---- where the code can be left ------------------------------------------------------------ */

/* A walk up the frames, and the place to leave that was found: `now`, or a function's return. */
struct walk {
    ucontext_t *user;          /* of the interrupted code: */
    uintptr_t pc, sp, high;    /* its instruction; its stack */
    bool impatient;
    bool begun;                /* the interrupted frame itself has been seen */
    enum owner callee;         /* whose frame the last one was */
    bool now;
    bool found;                /* a return */
    struct machine_return at;
};

/* Whose code a frame runs.  A linkage stub of the program's lies in its own code, but the runtime,
 * where it is linked into the program, calls libraries through them. */
static enum owner owner_of_frame(const struct walk *walk, uintptr_t pc)
{
    if (walk->begun)
        return owner_of(pc - 1);               /* it has called: pc is behind that */
    enum owner owner = owner_of(pc);
    return owner == OWNER_PROGRAM && copi_machine_in_stub(pc) ? OWNER_LIBRARY : owner;
}

static void see_frame(struct walk *walk, uintptr_t pc, struct _Unwind_Context *context)
{
    enum owner owner = owner_of_frame(walk, pc);
    bool decided = walk->now || walk->found;
    if (decided && owner == OWNER_LIBRARY && !walk->impatient)
        walk->now = walk->found = false;
    else if (!decided && owner == OWNER_PROGRAM && !walk->begun)
        walk->now = true;
    else if (!decided && owner == OWNER_PROGRAM && walk->callee != OWNER_PROGRAM)
        walk->found = copi_machine_find_return(context, walk->user, &walk->at);
    walk->callee = owner;
    walk->begun = true;
}

/* The handler's frames come first; where its stack ends and the interrupted one begins, what is
 * said of the stack pointer differs from processor to processor. */
static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    uintptr_t pc = _Unwind_GetIP(context), cfa = _Unwind_GetCFA(context);
    if (pc == 0)
        return _URC_END_OF_STACK;
    if (!walk->begun && pc != walk->pc)
        return _URC_NO_REASON;
    if (walk->begun && (cfa < walk->sp || cfa > walk->high))
        return _URC_END_OF_STACK;
    see_frame(walk, pc, context);
    return _URC_NO_REASON;
}

/* Where the interrupted thread goes on when a library has returned to a changed address. */
__attribute__((used)) void copi_interrupt_left(void)
{
    left_hook();
    __builtin_trap();
}

/* System calls that may wait for long and may end with EINTR at any time.  Others are made, or made
 * again: to leave one out (a futex's wake-up, a close) would do harm. */
static bool may_be_interrupted(long number)
{
    static const short numbers[] = {
        SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_write, SYS_writev, SYS_recvfrom,
        SYS_recvmsg, SYS_recvmmsg, SYS_sendto, SYS_sendmsg, SYS_accept, SYS_accept4, SYS_connect,
        SYS_wait4, SYS_waitid, SYS_flock, SYS_fcntl, SYS_openat, SYS_msgrcv, SYS_msgsnd,
        SYS_semop, SYS_nanosleep, SYS_clock_nanosleep, SYS_ppoll, SYS_pselect6, SYS_epoll_pwait,
        SYS_ioctl,
#ifdef SYS_poll                /* newer architectures have only those above */
        SYS_open, SYS_poll, SYS_select, SYS_epoll_wait, SYS_pause,
#endif
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (number == numbers[i])
            return true;
    return false;
}

/* One that would be made again, for the signal's sake, ends with EINTR instead. */
static void end_system_call(ucontext_t *user)
{
    if (may_be_interrupted(copi_machine_system_call(user)))
        copi_machine_skip_system_call(user, EINTR);
}

static void leave(ucontext_t *user, const struct fault *where, const struct interruption *what)
{
    struct walk walk = { .user = user,
                         .pc = (uintptr_t)where->pc,
                         .sp = (uintptr_t)where->sp,
                         .high = (uintptr_t)what->high,
                         .impatient = what->impatient };
    _Unwind_Backtrace(walk_frame, &walk);
    if (walk.now) {
        copi_fault_land(user, what->context, what->value);
    } else if (walk.found) {
        *walk.at.slot = walk.at.value;
        end_system_call(user);
    }
}

/* ---- the signal ---------------------------------------------------------------------------- */

COPI_UNCHECKED static void on_interrupt(int signal, siginfo_t *info, void *context)
{
    (void)info;
    int saved = errno;
    ucontext_t *user = context;
    struct fault where = { .signal = signal };
    copi_machine_place(user, &where);
    struct interruption what = { .leave = false };
    interrupt_hook(&where, &what);
    if (what.leave)
        leave(user, &where, &what);
    errno = saved;
}

void copi_interrupt_install(copi_interrupt_hook *hook, void (*left)(void))
{
    COP_ASSERT(interrupt_hook == NULL);
    /* The linker has kept the objects' order; else the runtime would be left in the middle. */
    COP_ASSERT(owner_of((uintptr_t)hook) == OWNER_RUNTIME &&
               owner_of((uintptr_t)copi_interrupt_install) == OWNER_RUNTIME);
    interrupt_hook = hook;
    left_hook = left;
    struct sigaction action = { .sa_sigaction = on_interrupt,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(COPI_INTERRUPT_SIGNAL, &action, &old_action);
    copi_interrupt_map();
}

void copi_interrupt_remove(void)
{
    sigaction(COPI_INTERRUPT_SIGNAL, &old_action, NULL);
    interrupt_hook = NULL;
}

void copi_interrupt_send(pthread_t thread)
{
    pthread_kill(thread, COPI_INTERRUPT_SIGNAL);
}
