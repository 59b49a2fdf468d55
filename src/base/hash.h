/* hash.h - an intrusive hash table from 64-bit keys to nodes.
 *
 * A node is embedded in the caller's record and owned by the caller.  Several nodes may have
 * one key; the caller tells them apart.  An empty table is all zeroes and has no memory; up to
 * COPI_HASH_LIST nodes are one plain list, so that the table of a process with one link costs
 * nothing.  Nothing fails: a table that cannot grow has longer chains.
 *
 * Threads: the owner's only. */
#ifndef COPI_HASH_H
#define COPI_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assert.h"
#include "hostile.h"

enum { COPI_HASH_LIST = COPI_LIMIT(8, 1) };

struct hash_node {
    struct hash_node *next;
    uint64_t key;
};

struct hash {
    union {
        struct hash_node *list;       /* bits == 0 */
        struct hash_node **buckets;   /* bits > 0: 1 << bits chains */
    };
    uint32_t count;
    uint32_t bits;
};

/* What the functions below do when the table is more than a list. */
void copi_hash_insert_chained(struct hash *hash, struct hash_node *node);
struct hash_node *copi_hash_find_chained(const struct hash *hash, uint64_t key);
struct hash_node **copi_hash_chain(struct hash *hash, uint64_t key);
void copi_hash_unlink_chained(struct hash *hash, struct hash_node **link);

/* Adds node under its key; newest first among equal keys. */
static inline void copi_hash_insert(struct hash *hash, struct hash_node *node, uint64_t key)
{
    node->key = key;
    if (hash->bits > 0 || hash->count >= COPI_HASH_LIST) {
        copi_hash_insert_chained(hash, node);
        return;
    }
    node->next = hash->list;
    hash->list = node;
    hash->count++;
}

/* The newest node with that key, or NULL; the next older one with the same key, or NULL. */
static inline struct hash_node *copi_hash_find(const struct hash *hash, uint64_t key)
{
    if (hash->bits > 0)
        return copi_hash_find_chained(hash, key);
    struct hash_node *node = hash->list;
    while (node != NULL && node->key != key) node = node->next;
    return node;
}
struct hash_node *copi_hash_again(const struct hash_node *node);

/* What points to the newest node with that key, and so to the next one after a node (&node->next);
 * or to NULL at the end of its chain.  Good until the table changes. */
static inline struct hash_node **copi_hash_where_after(struct hash_node **link, uint64_t key)
{
    while (*link != NULL && (*link)->key != key) link = &(*link)->next;
    return link;
}

static inline struct hash_node **copi_hash_where(struct hash *hash, uint64_t key)
{
    return copi_hash_where_after(hash->bits > 0 ? copi_hash_chain(hash, key) : &hash->list, key);
}

/* Takes out the node that `link`, of copi_hash_where, points to. */
static inline void copi_hash_unlink(struct hash *hash, struct hash_node **link)
{
    if (hash->bits > 0) {
        copi_hash_unlink_chained(hash, link);
        return;
    }
    struct hash_node *node = *link;
    *link = node->next;
    node->next = NULL;
    hash->count--;
}

/* Takes node out; it must be in. */
static inline void copi_hash_remove(struct hash *hash, struct hash_node *node)
{
    struct hash_node **link = hash->bits > 0 ? copi_hash_chain(hash, node->key) : &hash->list;
    while (*link != node) {
        COP_ASSERT(*link);                        /* the node must be in */
        link = &(*link)->next;
    }
    copi_hash_unlink(hash, link);
}

/* Takes any node out, NULL when empty: for draining. Frees the table's memory with the last. */
struct hash_node *copi_hash_pop(struct hash *hash);

/* Takes all nodes out, linked by next, and frees the table's memory: the oldest first while the
 * table is a list. */
struct hash_node *copi_hash_drain(struct hash *hash);

/* Calls visit(node, context) for every node, in no order; visit must not change the table. */
void copi_hash_each(const struct hash *hash, void (*visit)(struct hash_node *, void *),
                    void *context);

/* Hashes bytes: for keys made of names. */
uint64_t copi_hash_bytes(const void *bytes, size_t size);

#endif
