/* ways_to_crash.h - every kind of native crash, each by a function of its own, with what its reason
 * must say. */
#ifndef TEST_WAYS_TO_CRASH_H
#define TEST_WAYS_TO_CRASH_H

#include <stdint.h>

struct way {
    const char *name;         /* the function's */
    void (*crash)(void);
    const char *reason;       /* as printed */
    int signal, code;
    uintptr_t address;        /* 0: not told, or not always the same */
};

enum { WAYS = 17 };
extern const struct way ways[WAYS];

/* Those that are needed by themselves. */
void crash_null_write(void);
void crash_in_library(void);
void crash_past_file(void);
void crash_assert(void);

#endif
