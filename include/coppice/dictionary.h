/* dictionary.h - values that a process keeps for itself, by name.
 *
 * Concept.  Each process has a dictionary of its own, empty at first, from keys (strings) to values
 * (a number or a pointer): for what many functions need and no parameter carries, such as the
 * request that is being served.  It is the process's memory and is gone with it; what a pointer
 * leads to is the program's affair.  OTP: the process dictionary, put/2, get/1, erase/1.
 *
 *     cop_dictionary_put("request", cop_number(17));
 *     cop_value id;
 *     if (cop_dictionary_get("request", &id)) ...
 *
 * Keys that begin with '$' are the library's: "$callers" (task.h).
 *
 * Threads.  [process] all of it. */
#ifndef COPPICE_DICTIONARY_H
#define COPPICE_DICTIONARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef union cop_value {
    int64_t number;
    void *pointer;
} cop_value;

static inline cop_value cop_number(int64_t number)
{
    cop_value value;
    value.number = number;
    return value;
}
static inline cop_value cop_pointer(void *pointer)
{
    cop_value value;
    value.number = 0;
    value.pointer = pointer;
    return value;
}

/* Sets a key's value; the key is copied.  Returns the value that it had, cop_number(0) if it had
 * none.  Without memory the process ends with error enomem. */
cop_value cop_dictionary_put(const char *key, cop_value value);

/* Whether the key has a value; it goes to *ret_value. */
bool cop_dictionary_get(const char *key, cop_value *ret_value);

/* Takes the key away.  Whether it had a value, which goes to *ret_old unless ret_old is NULL. */
bool cop_dictionary_erase(const char *key, cop_value *ret_old);

/* Calls visit for each key, in no order; visit must not put or erase.  Returns how many. */
typedef void cop_dictionary_visit(const char *key, cop_value value, void *context);
size_t cop_dictionary_each(cop_dictionary_visit *visit, void *context);

#ifdef __cplusplus
}
#endif
#endif
