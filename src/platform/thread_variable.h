/* thread_variable.h - variables of threads, for code that may stop on one and go on on another.
 *
 *     extern COPI_THREAD_VARIABLE(struct thing *, copi_thing_of_thread);
 *     #define copi_thing COPI_OF_THIS_THREAD(copi_thing_of_thread)
 *
 * `copi_thing` is then the variable of the thread that runs this now.  By its name alone it may
 * be another thread's: on AArch64 compilers take the thread's pointer for a constant and keep it in
 * a register over calls, also over one that switches contexts and comes back on another thread.
 * They must not keep what a volatile asm has given.  On x86-64 each access by name is relative to
 * %fs, which is nothing to keep.
 *
 * Nothing is allocated by the first access (initial-exec), so signal handlers may use them. */
#ifndef COPI_THREAD_VARIABLE_H
#define COPI_THREAD_VARIABLE_H

#define COPI_THREAD_VARIABLE(type, name) \
    _Thread_local __typeof__(type) name __attribute__((tls_model("initial-exec")))

#if defined(__aarch64__)
#define COPI_OF_THIS_THREAD(name)                                                        \
    (*({                                                                                 \
        __typeof__(name) *here_;                                                         \
        void *thread_;                                                                   \
        __asm__ volatile("mrs %1, tpidr_el0\n\t"                                         \
                         "adrp %0, :gottprel:" #name "\n\t"                              \
                         "ldr %0, [%0, #:gottprel_lo12:" #name "]\n\t"                   \
                         "add %0, %0, %1"                                                \
                         : "=&r"(here_), "=&r"(thread_) : : "memory");                   \
        here_;                                                                           \
    }))
#else
#define COPI_OF_THIS_THREAD(name) name
#endif

/* A function of which a compiler knows nothing but its type where it is called. */
#if defined(__clang__)
#define COPI_OPAQUE __attribute__((noinline, optnone))
#else
#define COPI_OPAQUE __attribute__((noipa))
#endif

#endif
