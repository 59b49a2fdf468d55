/* faults.h - the functions behind the kinds: each runs in the victim and does not return. */
#ifndef CRASH_MATRIX_FAULTS_H
#define CRASH_MATRIX_FAULTS_H

#ifdef __cplusplus
extern "C" {
#endif

/* faults.c */
void fault_null_read(void);
void fault_null_write(void);
void fault_wild_write(void);
void fault_call_null(void);
void fault_call_wild(void);
void fault_read_only(void);
void fault_non_canonical(void);
void fault_past_file(void);
void fault_divide(void);
void fault_divide_overflow(void);
void fault_illegal(void);
void fault_trap(void);
void fault_abort(void);
void fault_assert(void);
void fault_recursion(void);
void fault_huge_array(void);
void fault_huge_alloca(void);
void fault_recursion_malloc(void);
void fault_in_strlen(void);
void fault_in_printf(void);
void fault_exit(void);
void fault_exit_well(void);
void fault_exit_at_once(void);
void fault_quick_exit(void);
void fault_leak(void);
void fault_mailbox(void);

/* heap.c */
void fault_double_free(void);
void fault_wild_free(void);
void fault_heap_overrun(void);

/* guarded.c: compiled with the guards that these trip */
void fault_stack_smash(void);
void fault_fortify(void);

/* exception.cc: only with a C++ compiler */
void fault_exception(void);

/* astray.c: these go on for ever; what they all need is opened before */
void astray_prepare(void);
void astray_loop(void);
void astray_snprintf(void);
void astray_fprintf(void);
void astray_malloc(void);
void astray_qsort(void);
void astray_in_callback(void);
void astray_read(void);
void astray_deadlock(void);

#ifdef __cplusplus
}
#endif
#endif
