/* machine_aarch64.c - machine.h for AArch64, AAPCS64. */
#define _GNU_SOURCE
#include "machine.h"

#include <asm/sigcontext.h>
#include <string.h>

#include "sanitizer.h"

/* ---- contexts ------------------------------------------------------------------------------ */

void copi_context_start(void);

/* What copi_context_swap expects to find, as if copi_context_start had called it. */
struct first_frame {
    void *x29, *start, *entry, *argument, *x21_to_x28[8];
    double d8_to_d15[8];
    void *zero[2];               /* a frame record that ends all chains */
};
_Static_assert(sizeof(struct first_frame) == 160 + 16, "as in context_aarch64.S");

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

enum { SYSTEM_CALL_REGISTER = 8, FRAME_REGISTER = 29, LINK_REGISTER = 30, GENERAL = 31 };

static const char *const shown[] = {
    "x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10", "x11",
    "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
    "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",  "pc",  "pstate",
};
enum { SHOWN = sizeof shown / sizeof *shown };
_Static_assert((int)SHOWN <= COPI_REGISTERS_MAX, "there is room for the registers");

COPI_UNCHECKED void copi_machine_place(ucontext_t *user, struct fault *fault)
{
    fault->pc = (void *)(uintptr_t)user->uc_mcontext.pc;
    fault->sp = (void *)(uintptr_t)user->uc_mcontext.sp;
    fault->fp = (void *)(uintptr_t)user->uc_mcontext.regs[FRAME_REGISTER];
    fault->caller = (void *const *)&user->uc_mcontext.regs[LINK_REGISTER];
}

COPI_UNCHECKED void copi_machine_registers(const ucontext_t *user, struct fault *fault)
{
    for (int i = 0; i < GENERAL; i++)
        fault->registers[i] = user->uc_mcontext.regs[i];
    fault->registers[GENERAL] = user->uc_mcontext.sp;
    fault->registers[GENERAL + 1] = user->uc_mcontext.pc;
    fault->registers[GENERAL + 2] = user->uc_mcontext.pstate;
    fault->registers_count = SHOWN;
}

const char *copi_machine_register(unsigned index)
{
    return index < SHOWN ? shown[index] : NULL;
}

/* The record of the floating-point registers, among those that the kernel puts behind the rest. */
static struct fpsimd_context *floating_point(ucontext_t *user)
{
    char *place = (char *)user->uc_mcontext.__reserved;
    const char *end = place + sizeof user->uc_mcontext.__reserved;
    while (place + sizeof(struct fpsimd_context) <= end) {
        struct _aarch64_ctx *head = (struct _aarch64_ctx *)(void *)place;
        if (head->magic == FPSIMD_MAGIC)
            return (struct fpsimd_context *)(void *)head;
        if (head->magic == 0 || head->size == 0)
            break;
        place += head->size;
    }
    return NULL;
}

/* Clears the mark of an indirect jump, for which the instruction there would have to be a landing
 * pad, and the floating-point modes and exceptions. */
void copi_machine_land(ucontext_t *user, void *new_sp, void *value)
{
    const uint64_t indirect_jump = 0xc00;      /* PSTATE.BTYPE */
    user->uc_mcontext.pc = (uintptr_t)copi_context_land;
    user->uc_mcontext.sp = (uintptr_t)new_sp;
    user->uc_mcontext.regs[0] = (uintptr_t)value;
    user->uc_mcontext.pstate &= ~indirect_jump;
    struct fpsimd_context *record = floating_point(user);
    if (record != NULL)
        record->fpcr = record->fpsr = 0;
}

enum { INSTRUCTION = 4 };

static uint32_t instruction_at(uintptr_t pc)
{
    uint32_t instruction;
    memcpy(&instruction, (const void *)pc, sizeof instruction);
    return instruction;
}

long copi_machine_system_call(const ucontext_t *user)
{
    const uint32_t svc_0 = 0xd4000001;
    if (instruction_at((uintptr_t)user->uc_mcontext.pc) != svc_0)
        return -1;
    return (long)user->uc_mcontext.regs[SYSTEM_CALL_REGISTER];
}

void copi_machine_skip_system_call(ucontext_t *user, int error)
{
    user->uc_mcontext.pc += INSTRUCTION;
    user->uc_mcontext.regs[0] = (uint64_t)-(int64_t)error;
}

/* ---- code and frames ----------------------------------------------------------------------- */

/* The end of an entry, from any of its instructions on.  A jump through x17 elsewhere counts too,
 * which is the safe side. */
bool copi_machine_in_stub(uintptr_t pc)
{
    static const struct { uint32_t mask, bits; } entry[] = {
        { 0xffffffff, 0xd503245f },      /* bti  c                    */
        { 0x9f00001f, 0x90000010 },      /* adrp x16, page            */
        { 0xffc003ff, 0xf9400211 },      /* ldr  x17, [x16, #offset]  */
        { 0xffc003ff, 0x91000210 },      /* add  x16, x16, #offset    */
    };
    const uint32_t br_x17 = 0xd61f0220;
    for (size_t i = 0; i < sizeof entry / sizeof *entry; i++)
        if ((instruction_at(pc) & entry[i].mask) == entry[i].bits)
            pc += INSTRUCTION;
    return instruction_at(pc) == br_x17;
}

/* A return address without its signature, and one with it: a function that was compiled for it
 * (-mbranch-protection) has signed its own, with the stack pointer at its entry.  Both do nothing
 * on processors that do not sign. */
static uintptr_t stripped(uintptr_t address)
{
    register uintptr_t x30 __asm__("x30") = address;
    __asm__("hint #7" : "+r"(x30));                                     /* xpaclri */
    return x30;
}

static uintptr_t signed_for(uintptr_t address, uintptr_t entry_sp)
{
    register uintptr_t x17 __asm__("x17") = address;
    register uintptr_t x16 __asm__("x16") = entry_sp;
    __asm__("hint #8" : "+r"(x17) : "r"(x16));                          /* pacia1716 */
    return x17;
}

static uintptr_t *find(uintptr_t value, uintptr_t *x30, uintptr_t low, uintptr_t high)
{
    if (*x30 == value)
        return x30;
    for (uintptr_t *place = (uintptr_t *)low; (uintptr_t)place < high; place++)
        if (*place == value)
            return place;
    return NULL;
}

/* Whether a function still has its return address in x30, or where in its frame, depends on the
 * instruction that it is at, and only the unwinder knows.  libgcc's tells it in one way: a register
 * that is set in a frame is set where it was saved.  So another value is set there and looked
 * for, then put back.  (An unwinder that keeps the value to itself leaves nothing to be found.) */
bool copi_machine_find_return(struct _Unwind_Context *caller, ucontext_t *user,
                              struct machine_return *ret_return)
{
    uintptr_t *x30 = (uintptr_t *)&user->uc_mcontext.regs[LINK_REGISTER];
    uintptr_t pc = _Unwind_GetIP(caller), entry_sp = _Unwind_GetCFA(caller);
    uintptr_t address = _Unwind_GetGR(caller, LINK_REGISTER), probe = ~address;
    if (stripped(address) != pc)
        return false;
    _Unwind_SetGR(caller, LINK_REGISTER, probe);
    uintptr_t *slot = find(probe, x30, (uintptr_t)user->uc_mcontext.sp, entry_sp);
    _Unwind_SetGR(caller, LINK_REGISTER, address);
    if (slot == NULL || *slot != address)
        return false;
    uintptr_t value = (uintptr_t)copi_interrupt_return;
    *ret_return = (struct machine_return){
        slot, address == pc ? value : signed_for(value, entry_sp)
    };
    return true;
}
