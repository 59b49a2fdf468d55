/* reason.h - why a process ended.
 *
 * Concept.  An exit reason is an immutable value: an atom such as `normal` or
 * `boom`, an error with a text (what cop_raise makes), a tuple such as
 * {shutdown, x}, or a native crash with signal, address and backtrace.  It
 * travels in exit signals, in down messages and in reports; it can be printed
 * and compared.  OTP: exit reasons (erlang:exit/1, error/1).
 *
 * Ownership.  Reasons are shared by reference count; the common ones are
 * static and counted for free.  One rule holds everywhere: a function that is
 * *given* a reason takes the reference over, whatever it returns, so that
 * cop_exit(cop_reason_atom("boom")) leaks nothing.  A reason that you only
 * *see* (in a message, in a callback's parameter, in a report) is borrowed:
 * call cop_reason_ref() to keep it or to pass it on.
 *
 * Threads.  Everything here may be called from any thread. */
#ifndef COPPICE_REASON_H
#define COPPICE_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_reason cop_reason;

enum cop_reason_kind {
    COP_REASON_ATOM = 1,   /* exit(boom), and the well-known ones below */
    COP_REASON_ERROR,      /* cop_raise: {Reason, Stack} in OTP */
    COP_REASON_TUPLE,      /* an atom with a cause: {shutdown, x} */
    COP_REASON_CRASH       /* a signal, a failed assert, a call of exit; cop_reason_crash() tells */
};

enum {
    COP_BACKTRACE_MAX = 32,       /* frames kept of a crash */
    COP_REGISTERS_MAX = 40
};

/* What is known of a native crash. */
typedef struct cop_crash {
    int signal;                   /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT; a
                                   * failed assert counts as SIGABRT; 0 for a call of exit */
    int code;                     /* si_code of the signal; 0 for a failed assert */
    const char *exit_function;    /* "exit", "_exit", "_Exit", "quick_exit", "pthread_exit" or
                                   * "thrd_exit" if it called that (runtime.h), with exit_status
                                   * (0..255; of pthread_exit 0); else NULL */
    int exit_status;
    unsigned core;                /* the number of its core file (crash_report.h); 0: none */
    bool stack_overflow;          /* the address lies in the guard below the stack */
    const char *assertion;        /* the failed assertion's text with file and line, or NULL */
    const void *address;          /* the address that faulted, or NULL */
    const void *pc;               /* the instruction that faulted */
    unsigned frames;              /* how many of backtrace[] are set */
    const void *backtrace[COP_BACKTRACE_MAX]; /* return addresses, innermost first */
    unsigned registers;           /* how many of register_values[] are set; 0 for what needs no
                                   * signal: a call of abort or exit, a failed assert */
    uint64_t register_values[COP_REGISTERS_MAX];  /* cop_crash_register has their names */
} cop_crash;

/* The well-known reasons: static, never counted, compared by cop_reason_is(). */
extern const cop_reason cop_reason_normal, cop_reason_shutdown, cop_reason_kill,
    cop_reason_killed, cop_reason_noproc, cop_reason_noconnection, cop_reason_timeout;
#define COP_NORMAL (&cop_reason_normal)
#define COP_SHUTDOWN (&cop_reason_shutdown)
#define COP_KILL (&cop_reason_kill)
#define COP_KILLED (&cop_reason_killed)
#define COP_NOPROC (&cop_reason_noproc)
#define COP_NOCONNECTION (&cop_reason_noconnection)
#define COP_TIMEOUT (&cop_reason_timeout)

/* [any thread] New reasons, one reference each, owned by the caller.  None
 * fails: without memory they give the static atom `enomem`.
 *
 * cop_reason_atom    what exit(Atom) ends with; the name of a well-known
 *                    reason gives that reason.  The name is copied.
 * cop_reason_error   what error(Text) ends with; printf-like.
 * cop_reason_tuple   {Atom, Cause}; takes the cause over.  "shutdown" with a
 *                    cause is OTP's {shutdown, Term}: it counts as a shutdown. */
const cop_reason *cop_reason_atom(const char *name);
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
const cop_reason *cop_reason_error(const char *format, ...);
const cop_reason *cop_reason_tuple(const char *atom, const cop_reason *cause);

/* [any thread] The same reason with another one behind it, both taken over: it prints, compares and
 * counts as before, but cop_reason_origin tells what led to it.  A supervisor that gives up ends
 * with `shutdown` and the end of its child as origin. */
const cop_reason *cop_reason_because(const cop_reason *reason, const cop_reason *origin);

/* [any thread] One reference more, one less.  ref returns its argument; unref
 * accepts NULL. */
const cop_reason *cop_reason_ref(const cop_reason *reason);
void cop_reason_unref(const cop_reason *reason);

/* [any thread] What it is.
 *
 * kind      one of enum cop_reason_kind
 * text      the atom's name, the error's text, the tuple's atom, or the crash's
 *           name ("SIGSEGV", "stack_overflow", "assert", "exit(1)"); lives as long as the
 *           reason
 * cause     the tuple's second element, borrowed, or NULL
 * origin    what led to it (cop_reason_because), borrowed, or NULL
 * crash     the crash's details, borrowed, or NULL if it is no crash
 * is        whether it is the atom called `name`, without a cause
 * equal     whether both print the same and are of the same kind
 * abnormal  whether it is anything but normal, shutdown and {shutdown, _}:
 *           what makes a transient child restart and a report be written */
enum cop_reason_kind cop_reason_kind_of(const cop_reason *reason);
const char *cop_reason_text(const cop_reason *reason);
const cop_reason *cop_reason_cause(const cop_reason *reason);
const cop_reason *cop_reason_origin(const cop_reason *reason);
const cop_crash *cop_reason_crash(const cop_reason *reason);
bool cop_reason_is(const cop_reason *reason, const char *name);
bool cop_reason_equal(const cop_reason *a, const cop_reason *b);
bool cop_reason_abnormal(const cop_reason *reason);

/* [any thread] Prints the reason on one line: `boom`, `error:bad input`,
 * `shutdown:x`, `crash:SIGSEGV`.  Like snprintf: returns the length that the whole
 * text has, writes at most size bytes with a final NUL. */
int cop_reason_format(const cop_reason *reason, char *buffer, size_t size);

/* [any thread] The name of register_values[index] on this processor, such as "rax"; NULL behind the
 * last one. */
const char *cop_crash_register(unsigned index);

/* [any thread] Prints a crash's details, several lines: what happened, where, and the backtrace,
 * with functions, files and lines as crash_report.h has them, which may read files.
 * Returns as cop_reason_format does; 0 for a reason that is no crash. */
int cop_reason_format_crash(const cop_reason *reason, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
