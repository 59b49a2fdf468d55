/* context_aarch64.S - the context switch for AArch64, AAPCS64.
 *
 * The frame on a stack that has been left, from its saved sp upwards:
 *      sp + 0    x29, x30: a frame record, x30 being the return address
 *      sp + 16   x19, x20
 *      sp + 32   x21, x22
 *      sp + 48   x23, x24
 *      sp + 64   x25, x26
 *      sp + 80   x27, x28
 *      sp + 96   d8, d9
 *      sp + 112  d10, d11
 *      sp + 128  d12, d13
 *      sp + 144  d14, d15
 *
 * Of the vector registers a function keeps the low halves of v8 to v15 alone, also where there is
 * SVE.  x18 is the platform's, and Linux does not use it.
 *
 * It is left with a jump, not a return: the processor's return predictor would be wrong every
 * time. */

        .text

        .equ    FRAME, 160

/* void *copi_context_swap(void **save_sp, void *new_sp, void *value)
 *                         x0              x1            x2           */
        .globl  copi_context_swap
        .hidden copi_context_swap
        .type   copi_context_swap, %function
        .p2align 4
copi_context_swap:
        .cfi_startproc
        stp     x29, x30, [sp, #-FRAME]!
        .cfi_adjust_cfa_offset FRAME
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp     x19, x20, [sp, #16]
        .cfi_rel_offset x19, 16
        .cfi_rel_offset x20, 24
        stp     x21, x22, [sp, #32]
        .cfi_rel_offset x21, 32
        .cfi_rel_offset x22, 40
        stp     x23, x24, [sp, #48]
        .cfi_rel_offset x23, 48
        .cfi_rel_offset x24, 56
        stp     x25, x26, [sp, #64]
        .cfi_rel_offset x25, 64
        .cfi_rel_offset x26, 72
        stp     x27, x28, [sp, #80]
        .cfi_rel_offset x27, 80
        .cfi_rel_offset x28, 88
        stp     d8, d9, [sp, #96]
        .cfi_rel_offset d8, 96
        .cfi_rel_offset d9, 104
        stp     d10, d11, [sp, #112]
        .cfi_rel_offset d10, 112
        .cfi_rel_offset d11, 120
        stp     d12, d13, [sp, #128]
        .cfi_rel_offset d12, 128
        .cfi_rel_offset d13, 136
        stp     d14, d15, [sp, #144]
        .cfi_rel_offset d14, 144
        .cfi_rel_offset d15, 152
        mov     x9, sp
        str     x9, [x0]                /* leave: the old stack is complete */
        mov     sp, x1                  /* enter */
        mov     x0, x2                  /* what the other side's call returns */

/* A fault handler lands here with sp = a saved sp and x0 = the value. */
        .globl  copi_context_land
        .hidden copi_context_land
copi_context_land:
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #FRAME
        .cfi_adjust_cfa_offset -FRAME
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        br      x30
        .cfi_endproc
        .size   copi_context_swap, .-copi_context_swap

/* The first code on a new stack: x19 = entry, x20 = its argument.  There is no caller, which
 * .cfi_undefined tells every unwinder and x29 = 0 those that follow frame pointers. */
        .globl  copi_context_start
        .hidden copi_context_start
        .type   copi_context_start, %function
        .p2align 4
copi_context_start:
        .cfi_startproc
        .cfi_undefined x30
        mov     x29, xzr
        mov     x30, xzr
        mov     x0, x20
        blr     x19                     /* sp is 16-byte aligned here */
        brk     #1                      /* entry must not return */
        .cfi_endproc
        .size   copi_context_start, .-copi_context_start

/* A library's function returns here instead of to its caller (interrupt.c). */
        .globl  copi_interrupt_return
        .hidden copi_interrupt_return
        .type   copi_interrupt_return, %function
        .p2align 4
copi_interrupt_return:
        .cfi_startproc
        .cfi_undefined x30
        mov     x29, xzr
        mov     x30, xzr
        bl      copi_interrupt_left     /* sp is 16-byte aligned at every return */
        brk     #1
        .cfi_endproc
        .size   copi_interrupt_return, .-copi_interrupt_return

        .section .note.GNU-stack, "", %progbits
