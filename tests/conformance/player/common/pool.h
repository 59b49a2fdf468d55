/* pool.h - memory that is all given back at once: what was read from one file.
 *
 * Without memory the program ends with a message: a player has nobody to report it to. */
#ifndef CONFORMANCE_POOL_H
#define CONFORMANCE_POOL_H

#include <stddef.h>

struct pool_block;

struct pool {
    struct pool_block *blocks;
};

/* `size` zeroed bytes, aligned for any type, until pool_free. */
void *pool_alloc(struct pool *pool, size_t size);

/* A copy of the first `length` bytes of text, with a final NUL; of all of it. */
char *pool_copy(struct pool *pool, const char *text, size_t length);
char *pool_strdup(struct pool *pool, const char *text);

void pool_free(struct pool *pool);

/* Ends the program for lack of memory. */
_Noreturn void pool_exhausted(void);

#endif
