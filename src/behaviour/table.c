/* table.c - the hash table of children; chains, a power of two of buckets, at most one node a
 * bucket on average; two in a large table, where memory counts for more than a step. */
#include "table.h"

#include <assert.h>
#include <string.h>

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

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 32);
}

/* Eight bytes at a time.  The last ones are taken so that no byte outside of the name is read: of a
 * long name with some that were taken already, of a short one the halves, which may overlap.  The
 * length, mixed in first, tells apart what such words do not. */
uint64_t copi_table_hash_bytes(const char *name, size_t length)
{
    uint64_t hash = length, word = 0;
    uint32_t low, high;
    if (length >= 8) {
        for (size_t i = 0; i + 8 < length; i += 8) {
            memcpy(&word, name + i, 8);
            hash = mixed(hash, word);
        }
        memcpy(&word, name + length - 8, 8);
    } else if (length >= 4) {
        memcpy(&low, name, 4);
        memcpy(&high, name + length - 4, 4);
        word = low | (uint64_t)high << 32;
    } else {
        for (size_t i = 0; i < length; i++) word = word << 8 | (unsigned char)name[i];
    }
    return mixed(mixed(hash, word), 0);
}

uint64_t copi_table_hash(const char *name)
{
    return copi_table_hash_bytes(name, strlen(name));
}
