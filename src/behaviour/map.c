/* map.c - the hash map of map.h: chains, doubled when there are half as many nodes: a step
 * along a chain is a line of the cache, and who looks up has few others to fetch. */
#include "map.h"

#include <stdlib.h>

enum {
    LIST_MAX = COPI_HOSTILE ? 1 : 8,    /* nodes of a map without an array */
    BITS_FIRST = COPI_HOSTILE ? 1 : 4,
    BITS_MAX = 40
};

static size_t chain_of(const struct map *map, uint64_t key)
{
    return map->bits == 0 ? 0 : (size_t)(copi_map_mix(key) >> (64 - map->bits));
}

static size_t chain_count(const struct map *map)
{
    return (size_t)1 << map->bits;
}

static struct map_node **chain_at(const struct map *map, size_t index)
{
    return map->bits == 0 ? (struct map_node **)&map->list : &map->chains[index];
}

static void push(struct map *map, struct map_node *node)
{
    struct map_node **chain = chain_at(map, chain_of(map, node->key));
    node->next = *chain;
    *chain = node;
}

static void grow(struct map *map)
{
    if (map->bits == BITS_MAX) return;
    struct map larger = { .count = map->count };
    larger.bits = map->bits == 0 ? BITS_FIRST : map->bits + 1;
    larger.chains = calloc(chain_count(&larger), sizeof *larger.chains);
    if (larger.chains == NULL) return;
    for (size_t i = 0; i < chain_count(map); i++) {
        struct map_node *node = *chain_at(map, i);
        while (node != NULL) {
            struct map_node *next = node->next;
            push(&larger, node);
            node = next;
        }
    }
    free(map->chains);
    *map = larger;
}

void copi_map_insert(struct map *map, struct map_node *node, uint64_t key)
{
    size_t full = map->bits == 0 ? LIST_MAX : chain_count(map) / 2;
    if (map->count >= full) grow(map);
    node->key = key;
    push(map, node);
    map->count++;
}

void copi_map_remove(struct map *map, struct map_node *node)
{
    struct map_node **place = chain_at(map, chain_of(map, node->key));
    while (*place != NULL && *place != node) place = &(*place)->next;
    if (*place == NULL) return;
    *place = node->next;
    map->count--;
    if (map->count > 0) return;
    free(map->chains);
    *map = (struct map){ 0 };
}

static struct map_node *first_from(const struct map *map, size_t index)
{
    for (; index < chain_count(map); index++) {
        if (*chain_at(map, index) != NULL) return *chain_at(map, index);
    }
    return NULL;
}

struct map_node *copi_map_first(const struct map *map)
{
    return first_from(map, 0);
}

struct map_node *copi_map_next(const struct map *map, const struct map_node *node)
{
    if (node->next != NULL) return node->next;
    return first_from(map, chain_of(map, node->key) + 1);
}
