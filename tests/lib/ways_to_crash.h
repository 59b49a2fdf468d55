/* ways_to_crash.h - every kind of native crash, each by a function of its own, with what its reason
 * must say. */
#ifndef TEST_WAYS_TO_CRASH_H
#define TEST_WAYS_TO_CRASH_H

#include <stdint.h>

enum { ANY_CODE = -1 };

struct way {
    const char *name;         /* the function's */
    void (*crash)(void);
    const char *reason;       /* as printed */
    int signal, code;         /* code ANY_CODE: one or another */
    uintptr_t address;        /* 0: not told, or not always the same */
};

/* Not every processor notices a division by zero: what a trace has of the two ways to divide. */
#if defined(__x86_64__)
enum { WAYS = 18 };
#define WAYS_TO_DIVIDE "divide: crash:SIGFPE\ndivide_overflow: crash:SIGFPE\n"
#else
enum { WAYS = 16 };
#define WAYS_TO_DIVIDE
#endif
extern const struct way ways[WAYS];

/* Those that are needed by themselves. */
void crash_null_write(void);
void crash_in_library(void);
void crash_past_file(void);
void crash_assert(void);

#endif
