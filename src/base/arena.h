/* arena.h - the memory of one process: allocated piecemeal, freed at a stroke.
 *
 * Bump allocation out of chunks, with free lists by size class so that a process that lives for
 * long and frees what it takes does not grow; blocks above COPI_ARENA_LARGE are malloc's, on
 * a list.  The first chunk is made for the first block (up to 48 bytes: 96 bytes with all that
 * belongs to it; up to 80: 128; up to 144: 192), later ones double.  Without blocks yet an arena
 * is a NULL pointer.
 *
 * Each block has an 8-byte header.  Blocks are 16-byte aligned and zeroed.  A block that is freed
 * twice, is another arena's or is none ends the node.
 *
 * Threads: the owner's only; the slab cache given is the running thread's. */
#ifndef COPI_ARENA_H
#define COPI_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slab.h"

enum { COPI_ARENA_LARGE = 2040 };   /* bytes */

struct arena;                     /* lives inside its own first chunk */

/* *arena is NULL before the first allocation.  NULL without memory. */
void *copi_arena_alloc(struct arena **arena, struct slab_cache *cache, size_t size);
void *copi_arena_realloc(struct arena **arena, struct slab_cache *cache, void *block, size_t size);
void copi_arena_free(struct arena *arena, void *block);   /* NULL block is accepted */

/* Whether it is a block of this arena and not free.  Reads what is before it: a wild pointer
 * faults. */
bool copi_arena_has(const struct arena *arena, const void *block);

/* A block's bytes, as they were asked for; of NULL 0. */
size_t copi_arena_size(const void *block);

/* Bytes in use by blocks, as they were asked for. */
size_t copi_arena_used(const struct arena *arena);

/* Gives all of it back; *arena becomes NULL. */
void copi_arena_destroy(struct arena **arena, struct slab_cache *cache);

#endif
