/* dictionary.c - see dictionary.h.
 *
 * Entries, keys included, lie in the process's arena; the chains of the hash table, once there are
 * many entries, are malloc's.  User memory is touched outside of the runtime's own work. */
#include "dictionary.h"

#include <string.h>

#include <coppice/dictionary.h>
#include <coppice/memory.h>

#include "../base/assert.h"
#include "reason.h"
#include "scheduler.h"

struct dictionary {
    struct hash entries;
};

struct entry {
    struct hash_node node;       /* first; by the key's hash */
    cop_value value;
    char key[];
};

static struct dictionary *dictionary_of(const struct process *process)
{
    const struct extras *extras = copi_extras(process);
    return extras == NULL ? NULL : extras->dictionary;
}

static struct dictionary *dictionary_made(struct process *self)
{
    copi_enter(copi_scheduler);
    struct extras *extras = copi_extras_made(self);
    copi_leave(copi_scheduler);
    if (extras == NULL)
        copi_exit(&copi_reason_enomem);
    if (extras->dictionary == NULL)
        extras->dictionary = cop_alloc(sizeof *extras->dictionary);
    return extras->dictionary;
}

static struct entry *find(const struct process *self, const char *key, uint64_t hash)
{
    const struct dictionary *dictionary = dictionary_of(self);
    if (dictionary == NULL)
        return NULL;
    struct hash_node *node = copi_hash_find(&dictionary->entries, hash);
    while (node != NULL && strcmp(((struct entry *)node)->key, key) != 0)
        node = copi_hash_again(node);
    return (struct entry *)node;
}

static void add(struct process *self, const char *key, size_t size, uint64_t hash, cop_value value)
{
    struct dictionary *dictionary = dictionary_made(self);
    struct entry *entry = cop_alloc(sizeof *entry + size);
    entry->value = value;
    memcpy(entry->key, key, size);
    copi_enter(copi_scheduler);
    copi_hash_insert(&dictionary->entries, &entry->node, hash);
    copi_leave(copi_scheduler);
}

cop_value cop_dictionary_put(const char *key, cop_value value)
{
    struct process *self = copi_self_checked("cop_dictionary_put");
    size_t length = strlen(key);
    uint64_t hash = copi_hash_bytes(key, length);
    struct entry *entry = find(self, key, hash);
    if (entry == NULL) {
        add(self, key, length + 1, hash, value);
        return cop_number(0);
    }
    cop_value old = entry->value;
    entry->value = value;
    return old;
}

bool cop_dictionary_get(const char *key, cop_value *ret_value)
{
    struct process *self = copi_self_checked("cop_dictionary_get");
    struct entry *entry = find(self, key, copi_hash_bytes(key, strlen(key)));
    if (entry != NULL)
        *ret_value = entry->value;
    return entry != NULL;
}

bool cop_dictionary_erase(const char *key, cop_value *ret_old)
{
    struct process *self = copi_self_checked("cop_dictionary_erase");
    struct entry *entry = find(self, key, copi_hash_bytes(key, strlen(key)));
    if (entry == NULL)
        return false;
    cop_value old = entry->value;
    copi_enter(copi_scheduler);
    copi_hash_remove(&dictionary_of(self)->entries, &entry->node);
    copi_leave(copi_scheduler);
    cop_free(entry);
    if (ret_old != NULL)
        *ret_old = old;
    return true;
}

struct visitor {
    cop_dictionary_visit *visit;
    void *context;
};

static void visit_entry(struct hash_node *node, void *context)
{
    const struct visitor *visitor = context;
    const struct entry *entry = (const struct entry *)node;
    visitor->visit(entry->key, entry->value, visitor->context);
}

size_t cop_dictionary_each(cop_dictionary_visit *visit, void *context)
{
    struct process *self = copi_self_checked("cop_dictionary_each");
    const struct dictionary *dictionary = dictionary_of(self);
    if (dictionary == NULL)
        return 0;
    struct visitor visitor = { visit, context };
    copi_hash_each(&dictionary->entries, visit_entry, &visitor);
    return dictionary->entries.count;
}

void copi_dictionary_deinit(struct process *process)
{
    struct dictionary *dictionary = dictionary_of(process);
    if (dictionary == NULL)
        return;
    while (copi_hash_pop(&dictionary->entries) != NULL) {}
    copi_extras(process)->dictionary = NULL;
}
