/* context_x86_64.S - the context switch for x86-64, System V ABI.
 *
 * The frame on a stack that has been left, from its saved sp upwards:
 *      sp + 0   r15
 *      sp + 8   r14
 *      sp + 16  r13
 *      sp + 24  r12
 *      sp + 32  rbx
 *      sp + 40  rbp
 *      sp + 48  return address
 *
 * It is left with a jump, not a return: the processor's return predictor would be wrong every
 * time, which triples the cost. */

        .text

/* void *copi_context_swap(void **save_sp, void *new_sp, void *value)
 *                         rdi             rsi           rdx          */
        .globl  copi_context_swap
        .hidden copi_context_swap
        .type   copi_context_swap, @function
        .p2align 4
copi_context_swap:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        movq    %rsp, (%rdi)            /* leave: the old stack is complete */
        movq    %rsi, %rsp              /* enter */
        movq    %rdx, %rax              /* what the other side's call returns */

/* A fault handler lands here with rsp = a saved sp and rax = the value. */
        .globl  copi_context_land
        .hidden copi_context_land
copi_context_land:
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        popq    %rcx                    /* the return address */
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        jmp     *%rcx
        .cfi_endproc
        .size   copi_context_swap, .-copi_context_swap

/* The first code on a new stack: r12 = entry, r13 = its argument.  There is no caller, which
 * .cfi_undefined tells every unwinder and rbp = 0 those that follow frame pointers. */
        .globl  copi_context_start
        .hidden copi_context_start
        .type   copi_context_start, @function
        .p2align 4
copi_context_start:
        .cfi_startproc
        .cfi_undefined %rip
        xorl    %ebp, %ebp
        movq    %r13, %rdi
        call    *%r12                   /* rsp is 16-byte aligned here */
        ud2                             /* entry must not return */
        .cfi_endproc
        .size   copi_context_start, .-copi_context_start

/* A library's function returns here instead of to its caller (interrupt.c). */
        .globl  copi_interrupt_return
        .hidden copi_interrupt_return
        .type   copi_interrupt_return, @function
        .p2align 4
copi_interrupt_return:
        .cfi_startproc
        .cfi_undefined %rip
        xorl    %ebp, %ebp
        andq    $-16, %rsp
        cld
        call    copi_interrupt_left
        ud2
        .cfi_endproc
        .size   copi_interrupt_return, .-copi_interrupt_return

        .section .note.GNU-stack, "", @progbits
