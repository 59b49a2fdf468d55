/* pool.c - memory that is all given back at once. */
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
    _Alignas(max_align_t) struct pool_block *next;
};

void pool_exhausted(void)
{
    fputs("out of memory\n", stderr);
    exit(1);
}

void *pool_alloc(struct pool *pool, size_t size)
{
    struct pool_block *block = calloc(1, sizeof *block + size);
    if (block == NULL) pool_exhausted();
    block->next = pool->blocks;
    pool->blocks = block;
    return block + 1;
}

char *pool_copy(struct pool *pool, const char *text, size_t length)
{
    char *copy = pool_alloc(pool, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *pool_strdup(struct pool *pool, const char *text)
{
    return pool_copy(pool, text, strlen(text));
}

void pool_free(struct pool *pool)
{
    while (pool->blocks != NULL) {
        struct pool_block *block = pool->blocks;
        pool->blocks = block->next;
        free(block);
    }
}
