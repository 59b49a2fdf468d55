/* map.h - an intrusive hash map for memory that processes share: 64-bit keys, nodes of the caller.
 *
 * table.h lives in one process's memory and asserts; this one lives in malloc's and does nothing
 * that could end the process that works on it, because that process holds a lock.  Several nodes
 * may have one key; the caller tells them apart.  An empty map is all zeroes and has no memory.
 * Nothing fails: a map that can't grow has longer chains.
 *
 * Threads: under the lock of its owner. */
#ifndef COPI_MAP_H
#define COPI_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t key;
};

struct map {
    struct map_node **chains;    /* 1 << bits of them; NULL while bits is 0 */
    struct map_node *list;       /* the one chain while bits is 0 */
    size_t count;
    unsigned bits;
};

void copi_map_insert(struct map *map, struct map_node *node, uint64_t key);

/* Takes node out if it is in.  The last one out frees the chains. */
void copi_map_remove(struct map *map, struct map_node *node);

/* All nodes, in no order: the first, and the one after node; or NULL.  A node may be taken out
 * once the one after it is known. */
struct map_node *copi_map_first(const struct map *map);
struct map_node *copi_map_next(const struct map *map, const struct map_node *node);

/* The key's bits mixed, the upper ones best. */
static inline uint64_t copi_map_mix(uint64_t key)
{
    return (key ^ (key >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
}

/* A node with that key, and the next one with the same key; or NULL. */
static inline struct map_node *copi_map_with_key(struct map_node *node, uint64_t key)
{
    while (node != NULL && node->key != key) node = node->next;
    return node;
}

static inline struct map_node *copi_map_find(const struct map *map, uint64_t key)
{
    struct map_node *first = map->bits == 0 ? map->list
                                            : map->chains[copi_map_mix(key) >> (64 - map->bits)];
    return copi_map_with_key(first, key);
}

static inline struct map_node *copi_map_again(const struct map_node *node)
{
    return copi_map_with_key(node->next, node->key);
}

#endif
