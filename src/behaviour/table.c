/* table.c - the hash table of children; chains, a power of two of buckets, at most one node a
 * bucket on average; two in a large table, where memory counts for more than a step. */
#include "table.h"

#include <assert.h>

#include <coppice/memory.h>

enum { FIRST_CAPACITY = 8, LARGE_CAPACITY = 1 << 16 };

/* Pids are dense and ids may be hashed badly: a multiplication by 2^64 divided by the golden
 * ratio spreads both (Knuth, The Art of Computer Programming 3, 6.4). */
static size_t slot_of(const struct table *table, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (table->capacity - 1);
}

static void link_node(struct table *table, struct table_node *node)
{
    struct table_node **bucket = &table->buckets[slot_of(table, node->key)];
    node->next = *bucket;
    *bucket = node;
}

/* There may be no memory, which ends the process: what it has deferred finds the table as it
 * was. */
static void grow(struct table *table)
{
    struct table larger = { .capacity = table->capacity == 0 ? FIRST_CAPACITY
                                                             : table->capacity * 2,
                            .count = table->count };
    larger.buckets = cop_alloc(larger.capacity * sizeof(struct table_node *));
    for (size_t i = 0; i < table->capacity; i++) {
        struct table_node *node = table->buckets[i];
        while (node != NULL) {
            struct table_node *next = node->next;
            link_node(&larger, node);
            node = next;
        }
    }
    cop_free(table->buckets);
    *table = larger;
}

void copi_table_reserve(struct table *table)
{
    size_t nodes_a_bucket = table->capacity < LARGE_CAPACITY ? 1 : 2;
    if (table->count >= table->capacity * nodes_a_bucket) grow(table);
}

void copi_table_insert(struct table *table, struct table_node *node, uint64_t key)
{
    copi_table_reserve(table);
    node->key = key;
    link_node(table, node);
    table->count++;
}

void copi_table_remove(struct table *table, struct table_node *node)
{
    assert(table->count > 0);
    struct table_node **place = &table->buckets[slot_of(table, node->key)];
    while (*place != node) {
        assert(*place != NULL);
        place = &(*place)->next;
    }
    *place = node->next;
    table->count--;
    if (table->count > 0) return;

    cop_free(table->buckets);
    table->buckets = NULL;
    table->capacity = 0;
}

static struct table_node *with_key(struct table_node *node, uint64_t key)
{
    while (node != NULL && node->key != key) node = node->next;
    return node;
}

struct table_node *copi_table_find(const struct table *table, uint64_t key)
{
    if (table->count == 0) return NULL;
    return with_key(table->buckets[slot_of(table, key)], key);
}

struct table_node *copi_table_again(const struct table_node *node)
{
    return with_key(node->next, node->key);
}

static struct table_node *first_from(const struct table *table, size_t slot)
{
    for (; slot < table->capacity; slot++) {
        if (table->buckets[slot] != NULL) return table->buckets[slot];
    }
    return NULL;
}

struct table_node *copi_table_first(const struct table *table)
{
    return first_from(table, 0);
}

struct table_node *copi_table_next(const struct table *table, const struct table_node *node)
{
    if (node->next != NULL) return node->next;
    return first_from(table, slot_of(table, node->key) + 1);
}

/* FNV-1a (Fowler, Noll, Vo). */
uint64_t copi_table_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001B3);
    }
    return hash;
}
