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

#include "hostile.h"
#include "poison.h"

enum {
    COPI_SLAB_CLASSES = 10,      /* 32 48 64 96 128 192 256 384 512 1024 bytes */
    COPI_SLAB_MAX = 1024,
    COPI_SLAB_LARGE = 255,       /* the class of a block from malloc */
    COPI_SLAB_MAGAZINE = COPI_LIMIT(64, 1)      /* blocks in a magazine */
};

/* ---- what the functions below need to see; slab.c's ---- */

struct free_block {
    struct free_block *next;
    struct free_block *next_magazine;   /* this and size: in a magazine's first block on a shelf */
    size_t size;                        /* blocks in the magazine */
};

struct slab_bin {
    struct free_block *head;
    struct free_block *spare;           /* NULL or a full magazine */
    size_t size;                        /* blocks at head */
};

/* A thread's. */
struct slab_cache {
    struct slab_bin bins[COPI_SLAB_CLASSES];
};

/* By the size in units of 16 bytes, rounded up; in sight, so that of a constant size it is one. */
static const uint8_t copi_slab_class_of[COPI_SLAB_MAX / 16 + 1] = {
    0, 0, 0, 1, 2, 3, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8,
    8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
    9
};

void *copi_slab_take_slowly(struct slab_cache *cache, size_t size, uint8_t *ret_class);
void copi_slab_give_slowly(struct slab_cache *cache, void *block, uint8_t class);
void copi_slab_inspect(void *block, size_t size, uint8_t class);

/* ---- life ---- */

/* Prepares the depot; ends it, giving all memory back (every cache freed, no block in use). */
void copi_slab_init(void);
void copi_slab_deinit(void);

/* After init: what is told of each large region of memory before it is touched, of which there are
 * some when there are many blocks; it is used from its beginning. */
typedef void copi_slab_advise(void *region, size_t size);
void copi_slab_set_advise(copi_slab_advise *advise);

/* The blocks that are in use, or in a thread's cache: 0 when all is done; about, while others are
 * at it. */
size_t copi_slab_in_use(void);

/* A thread's cache; NULL without memory.  Free gives its blocks to the depot. */
struct slab_cache *copi_slab_cache_new(void);
void copi_slab_cache_free(struct slab_cache *cache);

/* ---- blocks ----
 *
 * The usual case is in sight of the compiler and calls nothing. */

/* A block of at least size bytes, 16-byte aligned, not cleared; *ret_class is needed to give it
 * back.  NULL without memory.  Only size bytes are the caller's: under AddressSanitizer what
 * the class has above them is poisoned. */
COPI_SEES_POISON static inline void *copi_slab_take_any(struct slab_cache *cache, size_t size,
                                                        uint8_t *ret_class)
{
    if (__builtin_expect(size > COPI_SLAB_MAX || cache == NULL, 0))
        return copi_slab_take_slowly(cache, size, ret_class);
    uint8_t class = copi_slab_class_of[(size + 15) / 16];
    struct slab_bin *bin = &cache->bins[class];
    struct free_block *block = bin->head;
    if (__builtin_expect(block == NULL, 0))
        return copi_slab_take_slowly(cache, size, ret_class);
    bin->head = block->next;
    bin->size--;
    __builtin_prefetch(bin->head, 1);           /* whoever takes next need not wait for it */
    COPI_UNPOISON(block, size > 0 ? size : 1);
    *ret_class = class;
    return block;
}

static inline void *copi_slab_take(struct slab_cache *cache, size_t size, uint8_t *ret_class)
{
    void *block = copi_slab_take_any(cache, size, ret_class);
    if (COPI_HOSTILE && block != NULL)
        copi_slab_inspect(block, size, *ret_class);
    return block;
}

/* Back to whichever thread's cache; the depot's with NULL. */
#if defined(COP_DEBUG_CHECKS) || defined(COPI_POISONING)
#define copi_slab_give copi_slab_give_slowly
#else
static inline void copi_slab_give(struct slab_cache *cache, void *block, uint8_t class)
{
    if (__builtin_expect(class >= COPI_SLAB_CLASSES || cache == NULL ||
                         cache->bins[class].size == COPI_SLAB_MAGAZINE, 0)) {
        copi_slab_give_slowly(cache, block, class);
        return;
    }
    struct slab_bin *bin = &cache->bins[class];
    struct free_block *free = block;
    free->next = bin->head;
    bin->head = free;
    bin->size++;
}
#endif

/* Bytes that a class's block takes up; 0 for COPI_SLAB_LARGE. */
size_t copi_slab_class_size(uint8_t class);

#endif
