/* poison.h - tells AddressSanitizer which bytes nobody may touch.
 *
 * The slab and the arena poison what is free, so that a message or a block used after its end is
 * reported as any other use after free.  Without the sanitizer all of this is nothing. */
#ifndef COPI_POISON_H
#define COPI_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define COPI_POISONING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COPI_POISONING 1
#endif
#endif

#ifdef COPI_POISONING
#include <sanitizer/asan_interface.h>
#define COPI_POISON(bytes_, size_) ASAN_POISON_MEMORY_REGION((bytes_), (size_))
#define COPI_UNPOISON(bytes_, size_) ASAN_UNPOISON_MEMORY_REGION((bytes_), (size_))
/* A function that may read and write poisoned memory: the allocators' own links and headers. */
#define COPI_SEES_POISON __attribute__((no_sanitize_address))
#else
#define COPI_POISON(bytes_, size_) ((void)(bytes_), (void)(size_))
#define COPI_UNPOISON(bytes_, size_) ((void)(bytes_), (void)(size_))
#define COPI_SEES_POISON
#endif

#endif
