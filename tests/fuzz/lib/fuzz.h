/* fuzz.h - what the fuzzing harnesses have in common.
 *
 * A harness is a function that does with some bytes what the library or a program of this
 * repository would do with them, and fails if what must hold does not.  It is linked with
 * libFuzzer, which looks for such bytes (make fuzz), or with replay.c, which gives it the bytes of
 * files: the corpus, as an ordinary test, or what was found.
 *
 * Whatever ends the program otherwise than by its own return counts as found: a sanitizer's report,
 * a failed assertion of the library, an endless loop.  The bytes that were being tried are then in
 * the file that the environment's FUZZ_INPUT names, however the program has ended. */
#ifndef FUZZ_H
#define FUZZ_H

#include "bytes.h"

/* Each harness has this. */
void fuzz_one(struct bytes *bytes);

/* Says what does not hold and ends the program, also in a process of Coppice. */
__attribute__((noreturn, format(printf, 1, 2))) void fuzz_fail(const char *format, ...);

#define FUZZ_CHECK(condition_)                                                           \
    ((condition_) ? (void)0 : fuzz_fail("%s:%d: %s", __FILE__, __LINE__, #condition_))

/* The rest of the bytes as a file; returns its path, which is good until the next call. */
const char *fuzz_file(struct bytes *bytes);

/* What libFuzzer calls, and replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
