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
    return (struct key_name){ text, strlen(text) + 1, copi_table_hash(text) };
}

/* Other bits than those that choose the chain within. */
static inline struct partition *copi_registry_of_hash(struct registry_table *table, uint64_t hash)
{
    return &table->partitions[(uint32_t)(copi_map_mix(hash) >> 8) % table->record.parts];
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

/* With the shelf's lock held: the key of that name, the member, or NULL. */
static inline struct registry_key *copi_registry_key(const struct shelf *shelf,
                                                     const struct key_name *name)
{
    struct map_node *node = copi_map_find(&shelf->map, name->hash);
    while (node != NULL && strcmp(((struct registry_key *)node)->text, name->text) != 0)
        node = copi_map_again(node);
    return (struct registry_key *)node;
}

static inline struct registry_member *copi_registry_member(const struct shelf *shelf, cop_pid pid)
{
    return (struct registry_member *)copi_map_find(&shelf->map, pid.bits);
}

/* At the registry's end. */
void copi_registry_clear_meta(struct registry_table *table);

#endif
