/* registry_shelf.h - finding things in a registry's table, for the files that work on it. */
#ifndef COPI_REGISTRY_SHELF_H
#define COPI_REGISTRY_SHELF_H

#include <string.h>

#include "registry_table.h"
#include "table.h"

/* Stack that the work under the locks may need: a few frames, and malloc's. */
enum { COPI_REGISTRY_STACK_BYTES = 8192 };

/* A key that the caller gave, read once, before any lock. */
struct key_name {
    const char *text;
    size_t size;               /* with the final NUL */
    uint64_t hash;
};

static inline struct key_name copi_key_name(const char *text)
{
    size_t length = strlen(text);
    return (struct key_name){ text, length + 1, copi_table_hash_bytes(text, length) };
}

/* Other bits than those that choose the chain within; as many of them for each partition. */
static inline struct partition *copi_registry_of_hash(struct registry_table *table, uint64_t hash)
{
    uint64_t bits = (uint32_t)(copi_map_mix(hash) >> 8);
    return &table->partitions[bits * table->record.parts >> 32];
}

static inline struct partition *copi_registry_of_key(struct registry_table *table,
                                                     const struct key_name *name)
{
    return copi_registry_of_hash(table, name->hash);
}

static inline struct partition *copi_registry_of_pid(struct registry_table *table, cop_pid pid)
{
    return copi_registry_of_hash(table, pid.bits);
}

static inline bool copi_registry_is_key(const struct registry_key *key, const struct key_name *name)
{
    return key->size == name->size && memcmp(key->text, name->text, name->size) == 0;
}

/* With the shelf's lock held: the key of that name, the member, or NULL. */
static inline struct registry_key *copi_registry_key(const struct shelf *shelf,
                                                     const struct key_name *name)
{
    struct map_node *node = copi_map_find(&shelf->map, name->hash);
    while (node != NULL && !copi_registry_is_key(copi_registry_key_of(node), name))
        node = copi_map_again(node);
    return node == NULL ? NULL : copi_registry_key_of(node);
}

static inline struct registry_member *copi_registry_member(const struct shelf *shelf, cop_pid pid)
{
    return (struct registry_member *)copi_map_find(&shelf->map, pid.bits);
}

/* At the registry's end. */
void copi_registry_clear_meta(struct registry_table *table);

#endif
