/* registry_read.c - a registry's entries: looked up, copied, counted; and its metadata. */
#include <stdlib.h>
#include <string.h>

#include "registry_shelf.h"

/* ---- copies ---------------------------------------------------------------------------- */

/* Puts an entry into the room, and with `text` NULL its key too; or only counts what it needs. */
static void copy(struct snapshot *room, const struct registry_entry *entry, const char *text)
{
    size_t text_size = text == NULL ? strlen(entry->key->text) + 1 : 0;
    room->need += sizeof(cop_registry_entry) + text_size;
    if (room->need > room->size) return;
    if (text == NULL) {
        room->texts += text_size;
        char *place = (char *)room->entries + room->size - room->texts;
        text = memcpy(place, entry->key->text, text_size);
    }
    room->entries[room->count++] = (cop_registry_entry){ entry->pid, entry->value, text };
}

void copi_registry_read_key(struct registry_table *table, const char *key, struct snapshot *room)
{
    const struct key_name name = copi_key_name(key);
    struct shelf *shelf = &copi_registry_of_key(table, &name)->keys;
    struct shared_reader *reader = copi_shared_read(&shelf->lock);
    const struct registry_key *found = copi_registry_key(shelf, &name);
    for (const struct registry_entry *entry = found != NULL ? found->first : NULL; entry != NULL;
         entry = entry->key_next)
        copy(room, entry, key);
    copi_shared_read_done(&shelf->lock, reader);
}

void copi_registry_read_member(struct registry_table *table, cop_pid pid, struct snapshot *room)
{
    struct shelf *shelf = &copi_registry_of_pid(table, pid)->members;
    struct shared_reader *reader = copi_shared_read(&shelf->lock);
    const struct registry_member *member = copi_registry_member(shelf, pid);
    for (const struct registry_entry *entry = member != NULL ? member->first : NULL; entry != NULL;
         entry = entry->own_next)
        copy(room, entry, NULL);
    copi_shared_read_done(&shelf->lock, reader);
}

void copi_registry_read_partition(struct registry_table *table, unsigned partition,
                                  struct snapshot *room)
{
    struct shelf *shelf = &table->partitions[partition].keys;
    struct shared_reader *reader = copi_shared_read(&shelf->lock);
    for (struct map_node *node = copi_map_first(&shelf->map); node != NULL;
         node = copi_map_next(&shelf->map, node)) {
        const struct registry_key *key = copi_registry_key_of(node);
        for (const struct registry_entry *entry = key->first; entry != NULL;
             entry = entry->key_next)
            copy(room, entry, NULL);
    }
    copi_shared_read_done(&shelf->lock, reader);
}

/* ---- lookups and counts ---------------------------------------------------------------- */

bool copi_registry_lookup(struct registry_table *table, const char *key, cop_pid *ret_pid,
                          cop_registry_value *ret_value)
{
    const struct key_name name = copi_key_name(key);
    struct shelf *shelf = &copi_registry_of_key(table, &name)->keys;
    struct shared_reader *reader = copi_shared_read(&shelf->lock);
    const struct registry_key *found = copi_registry_key(shelf, &name);
    bool is_there = found != NULL && found->unique;
    if (is_there) {
        *ret_pid = found->pid;
        *ret_value = found->value;
    }
    copi_shared_read_done(&shelf->lock, reader);
    return is_there;
}

size_t copi_registry_count(struct registry_table *table)
{
    size_t count = 0;
    for (unsigned i = 0; i < table->record.parts; i++) {
        struct shelf *shelf = &table->partitions[i].keys;
        struct shared_reader *reader = copi_shared_read(&shelf->lock);
        count += shelf->entries;
        copi_shared_read_done(&shelf->lock, reader);
    }
    return count;
}

size_t copi_registry_count_key(struct registry_table *table, const char *key)
{
    const struct key_name name = copi_key_name(key);
    struct shelf *shelf = &copi_registry_of_key(table, &name)->keys;
    struct shared_reader *reader = copi_shared_read(&shelf->lock);
    const struct registry_key *found = copi_registry_key(shelf, &name);
    size_t count = found != NULL ? found->count : 0;
    copi_shared_read_done(&shelf->lock, reader);
    return count;
}

/* ---- metadata -------------------------------------------------------------------------- */

struct registry_meta {
    struct map_node node;
    cop_registry_value value;
    char text[];
};

static struct registry_meta *find_meta(struct shelf *shelf, const struct key_name *name)
{
    struct map_node *node = copi_map_find(&shelf->map, name->hash);
    while (node != NULL && strcmp(((struct registry_meta *)node)->text, name->text) != 0)
        node = copi_map_again(node);
    return (struct registry_meta *)node;
}

/* Under the lock. */
static int set_meta(struct registry_table *table, const struct key_name *name,
                    cop_registry_value value)
{
    if (cop_pid_is_none(copi_directory_holder(&table->record))) return COP_ENOPROC;
    struct registry_meta *meta = find_meta(&table->meta, name);
    if (meta == NULL) {
        meta = malloc(sizeof *meta + name->size);
        if (meta == NULL) return COP_ENOMEM;
        memcpy(meta->text, name->text, name->size);
        copi_map_insert(&table->meta.map, &meta->node, name->hash);
    }
    meta->value = value;
    return COP_OK;
}

int copi_registry_set_meta(struct registry_table *table, const char *key, cop_registry_value value)
{
    const struct key_name name = copi_key_name(key);
    copi_shared_write(&table->meta.lock);
    int error = set_meta(table, &name, value);
    copi_shared_write_done(&table->meta.lock);
    return error;
}

int copi_registry_get_meta(struct registry_table *table, const char *key,
                           cop_registry_value *ret_value)
{
    const struct key_name name = copi_key_name(key);
    struct shared_reader *reader = copi_shared_read(&table->meta.lock);
    const struct registry_meta *meta = find_meta(&table->meta, &name);
    cop_registry_value value = { 0 };
    if (meta != NULL) value = meta->value;
    copi_shared_read_done(&table->meta.lock, reader);
    if (meta == NULL) return COP_ENOT_FOUND;
    *ret_value = value;
    return COP_OK;
}

void copi_registry_remove_meta(struct registry_table *table, const char *key)
{
    const struct key_name name = copi_key_name(key);
    copi_shared_write(&table->meta.lock);
    struct registry_meta *meta = find_meta(&table->meta, &name);
    if (meta != NULL) copi_map_remove(&table->meta.map, &meta->node);
    copi_shared_write_done(&table->meta.lock);
    free(meta);
}

void copi_registry_clear_meta(struct registry_table *table)
{
    copi_shared_write(&table->meta.lock);
    struct map_node *node = copi_map_first(&table->meta.map);
    while (node != NULL) {
        struct map_node *next = copi_map_next(&table->meta.map, node);
        copi_map_remove(&table->meta.map, node);
        free(node);
        node = next;
    }
    copi_shared_write_done(&table->meta.lock);
}
