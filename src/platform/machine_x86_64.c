/* machine_x86_64.c - machine.h for x86-64, System V ABI. */
#define _GNU_SOURCE
#include "machine.h"

#include <string.h>

#include "sanitizer.h"

/* ---- contexts ------------------------------------------------------------------------------ */

void copi_context_start(void);

/* What copi_context_swap expects to find, as if copi_context_start had called it. */
struct first_frame {
    void *r15, *r14, *argument, *entry, *rbx, *rbp, *start;
    void *zero[2];               /* keeps rsp 16-byte aligned at the call, ends frame chains */
};

void *copi_machine_first_frame(void *top, void (*entry)(void *), void *argument)
{
    struct first_frame *frame = (struct first_frame *)top - 1;
    void (*start)(void) = copi_context_start;
    memset(frame, 0, sizeof *frame);
    memcpy(&frame->entry, &entry, sizeof entry);
    frame->argument = argument;
    memcpy(&frame->start, &start, sizeof start);
    return frame;
}

/* ---- the interrupted thread ---------------------------------------------------------------- */

/* Those that people look for, in the order in which debuggers show them. */
static const struct { const char *name; int index; } shown[] = {
    { "rax", REG_RAX }, { "rbx", REG_RBX }, { "rcx", REG_RCX }, { "rdx", REG_RDX },
    { "rsi", REG_RSI }, { "rdi", REG_RDI }, { "rbp", REG_RBP }, { "rsp", REG_RSP },
    { "r8", REG_R8 },   { "r9", REG_R9 },   { "r10", REG_R10 }, { "r11", REG_R11 },
    { "r12", REG_R12 }, { "r13", REG_R13 }, { "r14", REG_R14 }, { "r15", REG_R15 },
    { "rip", REG_RIP }, { "eflags", REG_EFL },
};
enum { SHOWN = sizeof shown / sizeof *shown };
_Static_assert((int)SHOWN <= COPI_REGISTERS_MAX, "there is room for the registers");

COPI_UNCHECKED void copi_machine_place(ucontext_t *user, struct fault *fault)
{
    const greg_t *registers = user->uc_mcontext.gregs;
    fault->pc = (void *)(uintptr_t)registers[REG_RIP];
    fault->sp = (void *)(uintptr_t)registers[REG_RSP];
    fault->fp = (void *)(uintptr_t)registers[REG_RBP];
    fault->caller = fault->sp;
}

COPI_UNCHECKED void copi_machine_registers(const ucontext_t *user, struct fault *fault)
{
    for (int i = 0; i < SHOWN; i++)
        fault->registers[i] = (uint64_t)user->uc_mcontext.gregs[shown[i].index];
    fault->registers_count = SHOWN;
}

const char *copi_machine_register(unsigned index)
{
    return index < SHOWN ? shown[index].name : NULL;
}

/* Clears the direction, alignment-check and trap flags and the floating-point state. */
void copi_machine_land(ucontext_t *user, void *new_sp, void *value)
{
    greg_t *registers = user->uc_mcontext.gregs;
    registers[REG_RIP] = (greg_t)(uintptr_t)copi_context_land;
    registers[REG_RSP] = (greg_t)(uintptr_t)new_sp;
    registers[REG_RAX] = (greg_t)(uintptr_t)value;
    registers[REG_EFL] &= ~(greg_t)(0x400 | 0x40000 | 0x100);
    if (user->uc_mcontext.fpregs != NULL) {
        user->uc_mcontext.fpregs->mxcsr = 0x1f80;
        user->uc_mcontext.fpregs->cwd = 0x37f;
        user->uc_mcontext.fpregs->ftw = 0;
    }
}

long copi_machine_system_call(const ucontext_t *user)
{
    const greg_t *registers = user->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)(uintptr_t)registers[REG_RIP];
    bool is_call = code[0] == 0x0f && code[1] == 0x05;                  /* syscall */
    return is_call ? (long)registers[REG_RAX] : -1;
}

void copi_machine_skip_system_call(ucontext_t *user, int error)
{
    user->uc_mcontext.gregs[REG_RIP] += 2;
    user->uc_mcontext.gregs[REG_RAX] = -error;
}

/* ---- code and frames ----------------------------------------------------------------------- */

bool copi_machine_in_stub(uintptr_t pc)
{
    static const unsigned char mark[] = { 0xf3, 0x0f, 0x1e, 0xfa };     /* endbr64 */
    const unsigned char *code = (const unsigned char *)pc;
    if (memcmp(code, mark, sizeof mark) == 0)
        code += sizeof mark;
    if (*code == 0xf2)                                                  /* bnd */
        code++;
    return code[0] == 0xff && code[1] == 0x25;                          /* jmp *(rip + n) */
}

/* A call pushes it: it lies just below the stack pointer that the caller will have then. */
bool copi_machine_find_return(struct _Unwind_Context *caller, ucontext_t *user,
                              struct machine_return *ret_return)
{
    uintptr_t *slot = (uintptr_t *)_Unwind_GetCFA(caller) - 1;
    if ((uintptr_t)slot < (uintptr_t)user->uc_mcontext.gregs[REG_RSP] ||
        *slot != _Unwind_GetIP(caller))
        return false;
    *ret_return = (struct machine_return){ slot, (uintptr_t)copi_interrupt_return };
    return true;
}
