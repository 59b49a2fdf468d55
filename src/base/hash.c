/* hash.c - the hash table of hash.h.
 *
 * An array of 1 << bits chains, doubled when there are more nodes than chains; a large one when
 * there are twice as many, for there memory counts for more than a step.  With bits 0 the one
 * chain is the list in the struct itself.  Behind the last chain the array has one word more:
 * the first chain that may have a node, so that draining a table looks at each chain once. */
#include "hash.h"

#include <stdlib.h>
#include <string.h>

#include "assert.h"

enum {
    BITS_FIRST = COPI_LIMIT(4, 1),   /* log2 of the chains of the first array */
    BITS_LARGE = 16,
    BITS_MAX = 30
};

static size_t chain_count(const struct hash *hash)
{
    return (size_t)1 << hash->bits;
}

static struct hash_node **chains(const struct hash *hash)
{
    return hash->bits > 0 ? hash->buckets : (struct hash_node **)&hash->list;
}

static size_t *first_used(const struct hash *hash)
{
    return (size_t *)(void *)(hash->buckets + chain_count(hash));
}

/* Keys that are neighbours go into neighbouring chains: serials, which count up, fill an array
 * without sharing a chain, one line of it after the other, and nodes that were made together move
 * together in grow.  What the key has above the array's size moves its whole block to another
 * place, by multiplicative hashing: the product's high bits depend on every bit of it, so keys that
 * differ in their high half only, such as generations, are spread as well. */
static size_t chain_of(const struct hash *hash, uint64_t key)
{
    if (hash->bits == 0)
        return 0;
    uint64_t block = key >> hash->bits;
    uint64_t place = (block * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - hash->bits);
    return (size_t)((key ^ place) & (chain_count(hash) - 1));
}

static void push(struct hash *hash, struct hash_node *node)
{
    size_t chain = chain_of(hash, node->key);
    struct hash_node **head = &chains(hash)[chain];
    node->next = *head;
    *head = node;
    if (hash->bits > 0 && chain < *first_used(hash))
        *first_used(hash) = chain;
}

static struct hash_node *reversed(struct hash_node *list)
{
    struct hash_node *result = NULL;
    while (list) {
        struct hash_node *next = list->next;
        list->next = result;
        result = list;
        list = next;
    }
    return result;
}

/* Nodes with equal keys stand in one chain; pushed oldest first, they keep their order. */
static void grow(struct hash *hash)
{
    struct hash bigger = { .count = hash->count };
    bigger.bits = hash->bits > 0 ? hash->bits + 1 : BITS_FIRST;
    if (bigger.bits > BITS_MAX)
        return;
    bigger.buckets = calloc(chain_count(&bigger) + 1, sizeof *bigger.buckets);
    if (!bigger.buckets)
        return;                                   /* longer chains, then */
    *first_used(&bigger) = chain_count(&bigger);

    struct hash_node **old = chains(hash);
    for (size_t i = 0; i < chain_count(hash); i++) {
        struct hash_node *node = reversed(old[i]);
        while (node) {
            struct hash_node *next = node->next;
            push(&bigger, node);
            node = next;
        }
    }
    if (hash->bits > 0)
        free(hash->buckets);
    *hash = bigger;
}

static void count_down(struct hash *hash)
{
    hash->count--;
    if (hash->count == 0 && hash->bits > 0) {
        free(hash->buckets);
        hash->buckets = NULL;
        hash->bits = 0;
    }
}

void copi_hash_insert_chained(struct hash *hash, struct hash_node *node)
{
    COP_ASSERT(hash->count < UINT32_MAX);
    size_t full = hash->bits > 0 ? chain_count(hash) : COPI_HASH_LIST;
    if (hash->bits >= BITS_LARGE)
        full *= 2;
    if (hash->count >= full)
        grow(hash);
    push(hash, node);
    hash->count++;
}

struct hash_node *copi_hash_find_chained(const struct hash *hash, uint64_t key)
{
    struct hash_node *node = chains(hash)[chain_of(hash, key)];
    while (node && node->key != key)
        node = node->next;
    return node;
}

struct hash_node *copi_hash_again(const struct hash_node *node)
{
    struct hash_node *next = node->next;
    while (next && next->key != node->key)
        next = next->next;
    return next;
}

struct hash_node **copi_hash_chain(struct hash *hash, uint64_t key)
{
    return &chains(hash)[chain_of(hash, key)];
}

void copi_hash_unlink_chained(struct hash *hash, struct hash_node **link)
{
    struct hash_node *node = *link;
    *link = node->next;
    node->next = NULL;
    count_down(hash);
}

struct hash_node *copi_hash_pop(struct hash *hash)
{
    if (hash->count == 0)
        return NULL;
    struct hash_node **all = chains(hash);
    size_t i = hash->bits > 0 ? *first_used(hash) : 0;
    while (!all[i]) {
        i++;
        COP_ASSERT(i < chain_count(hash));
    }
    if (hash->bits > 0)
        *first_used(hash) = i;
    struct hash_node *node = all[i];
    all[i] = node->next;
    node->next = NULL;
    count_down(hash);
    return node;
}

struct hash_node *copi_hash_drain(struct hash *hash)
{
    struct hash_node *all = NULL, *node;
    if (hash->bits == 0) {
        all = reversed(hash->list);
        hash->list = NULL;
        hash->count = 0;
        return all;
    }
    while ((node = copi_hash_pop(hash)) != NULL) {
        node->next = all;
        all = node;
    }
    return all;
}

void copi_hash_each(const struct hash *hash, void (*visit)(struct hash_node *, void *),
                    void *context)
{
    if (hash->count == 0)
        return;
    struct hash_node **all = chains(hash);
    for (size_t i = 0; i < chain_count(hash); i++)
        for (struct hash_node *node = all[i], *next; node; node = next) {
            next = node->next;
            visit(node, context);
        }
}

/* Eight bytes at a time, each word multiplied in; the length starts it, so that zero bytes at
 * the end count. */
uint64_t copi_hash_bytes(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = (uint64_t)size * UINT64_C(0x9e3779b97f4a7c15);
    while (size > 0) {
        uint64_t word = 0;
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(&word, at, part);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
        at += part;
        size -= part;
    }
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 29);
}
