/* slab.h - small blocks by size class, cached for each thread.
 *
 * Blocks of up to COPI_SLAB_MAX bytes come in size classes.  A thread takes them from and gives
 * them to its own cache (no lock, no atomic); a cache that runs dry or over exchanges a whole
 * magazine of blocks with the depot, under the depot's lock, so that a block freed on
 * another thread than it was made on costs a fraction of a lock.  Larger blocks are malloc's.
 *
 * Threads: a cache belongs to one thread.  With cache NULL (a thread that has none) the depot
 * itself is used.  The depot's memory goes back to the system in copi_slab_deinit; blocks taken
 * before init or after deinit are malloc's, whatever their size. */
#ifndef COPI_SLAB_H
#define COPI_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum {
    COPI_SLAB_CLASSES = 10,      /* 32 48 64 96 128 192 256 384 512 1024 bytes */
    COPI_SLAB_MAX = 1024,
    COPI_SLAB_LARGE = 255,       /* the class of a block from malloc */
    COPI_SLAB_MAGAZINE = 64      /* blocks in a magazine */
};

struct slab_cache;               /* a thread's; see slab.c */

/* Prepares the depot; ends it, giving all memory back (every cache freed, no block in use). */
void copi_slab_init(void);
void copi_slab_deinit(void);

/* A thread's cache; NULL without memory.  Free gives its blocks to the depot. */
struct slab_cache *copi_slab_cache_new(void);
void copi_slab_cache_free(struct slab_cache *cache);

/* A block of at least size bytes, 16-byte aligned, not cleared; *ret_class is needed to give it
 * back.  NULL without memory.  Only size bytes are the caller's: under AddressSanitizer what
 * the class has above them is poisoned. */
void *copi_slab_take(struct slab_cache *cache, size_t size, uint8_t *ret_class);
void copi_slab_give(struct slab_cache *cache, void *block, uint8_t class);

/* Bytes that a class's block takes up; 0 for COPI_SLAB_LARGE. */
size_t copi_slab_class_size(uint8_t class);

#endif
