/* table.h - children found by pid or by id: an intrusive hash table with 64-bit keys.
 *
 * A node is embedded in the caller's record.  Several nodes may have one key; the caller
 * tells them apart.  An empty table is all zeroes and has no memory.  The buckets are the
 * process's memory (cop_alloc), so the table is gone with the process. */
#ifndef COPI_TABLE_H
#define COPI_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
    struct table_node *next;
    uint64_t key;
};

struct table {
    struct table_node **buckets;
    size_t capacity;             /* 0 or a power of two */
    size_t count;
};

/* Makes room for one node: the next insertion takes no memory. */
void copi_table_reserve(struct table *table);

void copi_table_insert(struct table *table, struct table_node *node, uint64_t key);

/* Takes node out; it must be in.  The last one out frees the buckets. */
void copi_table_remove(struct table *table, struct table_node *node);

/* A node with that key, and the next one with the same key; or NULL. */
struct table_node *copi_table_find(const struct table *table, uint64_t key);
struct table_node *copi_table_again(const struct table_node *node);

/* All nodes, in no order: the first, and the one after node; or NULL.  A node may be taken out
 * once the one after it is known. */
struct table_node *copi_table_first(const struct table *table);
struct table_node *copi_table_next(const struct table *table, const struct table_node *node);

/* The key of a name; the second is for who knows its length. */
uint64_t copi_table_hash(const char *name);
uint64_t copi_table_hash_bytes(const char *name, size_t length);

#endif
