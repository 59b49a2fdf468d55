/* sanitizer.h - what AddressSanitizer and ThreadSanitizer must be told; nothing in other builds. */
#ifndef COPI_SANITIZER_H
#define COPI_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define COPI_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COPI_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define COPI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COPI_TSAN 1
#endif
#endif

#if defined(COPI_ASAN) || defined(COPI_TSAN)
#define COPI_FIBERS 1       /* they must be told of each switch between stacks */
#endif

#ifdef COPI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef COPI_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* For code that reads other stacks or runs between two of them. */
#define COPI_UNCHECKED __attribute__((noinline, no_sanitize("address", "thread", "undefined")))

#endif
