/* registry_table.c - a registry's entries: opened, added, taken away, closed.  The locks: see
 * registry_table.h; the order is a member's shelf, then a key's. */
#include "registry_table.h"

#include <stdlib.h>
#include <string.h>

#include "registry_shelf.h"

static struct directory registries = DIRECTORY_INITIALIZER;

/* ---- open and closed ------------------------------------------------------------------- */

static struct directory_record *make(unsigned parts)
{
    size_t size = sizeof(struct registry_table) + parts * sizeof(struct partition);
    struct registry_table *table = aligned_alloc(_Alignof(struct registry_table), size);
    if (table == NULL) return NULL;
    memset(table, 0, size);
    copi_shared_init(&table->meta.lock);
    for (unsigned i = 0; i < parts; i++) {
        copi_shared_init(&table->partitions[i].keys.lock);
        copi_shared_init(&table->partitions[i].members.lock);
    }
    return &table->record;
}

int copi_registry_open(const cop_registry *registry, cop_pid parent,
                       struct registry_table **ret_table, cop_pid *ret_holder)
{
    struct directory_record *record;
    int error = copi_directory_open(&registries, registry->name, registry->partitions, make,
                                    &record, ret_holder);
    if (error != COP_OK) return error;
    struct registry_table *table = (struct registry_table *)record;
    table->keys = registry->keys;
    table->listeners = registry->listeners;
    table->parent = parent;
    copi_directory_publish(record);
    *ret_table = table;
    return COP_OK;
}

/* Touches the pages that are needed below, or faults there: before any lock is held.  The index is
 * one that no compiler knows, else it would do with an array of one byte. */
static __attribute__((noinline)) void have_stack(void)
{
    static const volatile size_t deepest = 0;
    volatile char room[COPI_REGISTRY_STACK_BYTES];
    room[deepest] = 0;
    (void)room[deepest];
}

struct registry_table *copi_registry_find(const cop_registry *registry)
{
    if (registry == NULL || registry->name == NULL) return NULL;
    have_stack();
    return (struct registry_table *)copi_directory_find(&registries, registry->name);
}

/* ---- entries, under both locks --------------------------------------------------------- */

/* Relaxed: the entry itself is handed over by the locks. */
static void append(struct shelf *shelf, struct registry_key *key, struct registry_member *member,
                   struct registry_entry *entry)
{
    atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    entry->key = key;
    entry->key_previous = key->last;
    if (key->last != NULL) key->last->key_next = entry;
    else key->first = entry;
    key->last = entry;
    key->count++;

    entry->own_previous = member->last;
    if (member->last != NULL) member->last->own_next = entry;
    else member->first = entry;
    member->last = entry;
    member->count++;
    shelf->entries++;
}

/* Takes the entry off both lists.  It keeps its key, whose text is still wanted; nobody else finds
 * that if this was its last entry. */
static void detach(struct shelf *shelf, struct registry_member *member,
                   struct registry_entry *entry)
{
    struct registry_key *key = entry->key;
    if (entry->key_previous != NULL) entry->key_previous->key_next = entry->key_next;
    else key->first = entry->key_next;
    if (entry->key_next != NULL) entry->key_next->key_previous = entry->key_previous;
    else key->last = entry->key_previous;
    if (--key->count == 0) copi_map_remove(&shelf->map, &key->node);

    if (entry->own_previous != NULL) entry->own_previous->own_next = entry->own_next;
    else member->first = entry->own_next;
    if (entry->own_next != NULL) entry->own_next->own_previous = entry->own_previous;
    else member->last = entry->own_previous;
    member->count--;
    shelf->entries--;
    entry->own_next = NULL;
}

/* Release and acquire: whoever frees the key does it after all others are done with its text. */
void copi_registry_entry_free(struct registry_entry *entry)
{
    struct registry_key *key = entry->key;
    if (atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) == 1) free(key);
    free(entry);
}

/* ---- adding ---------------------------------------------------------------------------- */

/* All the memory that an entry may need, from before the locks; NULL where it has been used. */
struct parts {
    struct registry_entry *entry;
    struct registry_key *key;
    struct registry_member *member;
};

static void parts_free(struct parts *parts)
{
    free(parts->entry);
    free(parts->key);
    free(parts->member);
}

static bool parts_make(struct parts *parts, const struct key_name *name, cop_registry_value value,
                       cop_deferred *deferred)
{
    *parts = (struct parts){
        calloc(1, sizeof *parts->entry),
        calloc(1, sizeof *parts->key + name->size),
        deferred != NULL ? calloc(1, sizeof *parts->member) : NULL,
    };
    if (parts->entry == NULL || parts->key == NULL || (deferred != NULL && parts->member == NULL)) {
        parts_free(parts);
        return false;
    }
    parts->entry->pid = cop_self();
    parts->entry->value = value;
    memcpy(parts->key->text, name->text, name->size);
    if (deferred != NULL) parts->member->deferred = deferred;
    return true;
}

static struct registry_key *use_key(struct parts *parts, struct shelf *shelf,
                                    const struct key_name *name, bool unique)
{
    struct registry_key *key = parts->key;
    key->pid = parts->entry->pid;
    key->value = parts->entry->value;
    key->size = (uint32_t)name->size;
    key->unique = unique;
    copi_map_insert(&shelf->map, &key->node, name->hash);
    parts->key = NULL;
    return key;
}

static struct registry_member *use_member(struct parts *parts, struct shelf *shelf)
{
    struct registry_member *member = parts->member;
    copi_map_insert(&shelf->map, &member->node, parts->entry->pid.bits);
    parts->member = NULL;
    return member;
}

/* With both locks held. */
static int add_locked(struct registry_table *table, struct shelf *members, struct shelf *keys,
                      const struct key_name *name, struct parts *parts,
                      struct registry_added *ret_added)
{
    cop_pid holder = copi_directory_holder(&table->record);
    if (cop_pid_is_none(holder)) return COP_ENOPROC;
    cop_pid self = parts->entry->pid;
    bool unique = table->keys == COP_UNIQUE;
    struct registry_key *key = copi_registry_key(keys, name);
    if (key != NULL && unique) {
        ret_added->holder = key->pid;
        return COP_EALREADY_STARTED;
    }
    struct registry_member *member = copi_registry_member(members, self);
    if (member == NULL) member = use_member(parts, members);
    if (key == NULL) key = use_key(parts, keys, name, unique);
    append(keys, key, member, parts->entry);
    parts->entry = NULL;

    bool links = !cop_pid_equal(member->linked, holder) && !cop_pid_equal(table->parent, self);
    if (links) member->linked = holder;
    *ret_added = (struct registry_added){ .link = links ? holder : COP_NO_PID,
                                          .listeners = table->listeners };
    return COP_OK;
}

bool copi_registry_is_member(struct registry_table *table)
{
    cop_pid self = cop_self();
    struct shelf *shelf = &copi_registry_of_pid(table, self)->members;
    struct shared_reader *reader = copi_shared_read(&shelf->lock);
    bool is_member = copi_registry_member(shelf, self) != NULL;
    copi_shared_read_done(&shelf->lock, reader);
    return is_member;
}

int copi_registry_add(struct registry_table *table, const char *key, cop_registry_value value,
                      cop_deferred *deferred, struct registry_added *ret_added)
{
    const struct key_name name = copi_key_name(key);
    struct parts parts;
    if (!parts_make(&parts, &name, value, deferred)) return COP_ENOMEM;
    struct shelf *members = &copi_registry_of_pid(table, parts.entry->pid)->members;
    struct shelf *keys = &copi_registry_of_key(table, &name)->keys;
    copi_shared_write(&members->lock);
    copi_shared_write(&keys->lock);
    int error = add_locked(table, members, keys, &name, &parts, ret_added);
    copi_shared_write_done(&keys->lock);
    copi_shared_write_done(&members->lock);
    parts_free(&parts);
    return error;
}

/* With both locks held. */
static int set_locked(struct registry_table *table, struct shelf *keys,
                      const struct key_name *name, cop_registry_value value)
{
    if (cop_pid_is_none(copi_directory_holder(&table->record))) return COP_ENOPROC;
    if (table->keys != COP_UNIQUE) return COP_EINVAL;
    struct registry_key *key = copi_registry_key(keys, name);
    if (key == NULL || !cop_pid_equal(key->pid, cop_self())) return COP_ENOT_FOUND;
    key->first->value = key->value = value;
    return COP_OK;
}

int copi_registry_set_value(struct registry_table *table, const char *key, cop_registry_value value)
{
    const struct key_name name = copi_key_name(key);
    struct shelf *members = &copi_registry_of_pid(table, cop_self())->members;
    struct shelf *keys = &copi_registry_of_key(table, &name)->keys;
    copi_shared_write(&members->lock);
    copi_shared_write(&keys->lock);
    int error = set_locked(table, keys, &name, value);
    copi_shared_write_done(&keys->lock);
    copi_shared_write_done(&members->lock);
    return error;
}

/* ---- taking away ----------------------------------------------------------------------- */

/* With the members' lock held: a member without entries ceases to be one. */
static void leave(struct shelf *shelf, struct registry_member *member, struct registry_taken *taken)
{
    taken->left = true;
    taken->linked = member->linked;
    taken->deferred = member->deferred;
    copi_map_remove(&shelf->map, &member->node);
    free(member);
}

static bool has_value(const struct registry_entry *entry, const cop_registry_value *only)
{
    return only == NULL || memcmp(&entry->value, only, sizeof *only) == 0;
}

/* With both locks held.  The entries are in the key's list and in the member's; the shorter one is
 * searched. */
static void take_locked(struct shelf *shelf, struct registry_key *key,
                        struct registry_member *member, const cop_registry_value *only,
                        struct registry_taken *taken)
{
    struct registry_entry **end = &taken->first;
    bool by_key = key->count < member->count;
    struct registry_entry *next = by_key ? key->first : member->first;
    while (next != NULL) {
        struct registry_entry *entry = next;
        next = by_key ? entry->key_next : entry->own_next;
        bool fits = entry->key == key && entry->pid.bits == member->node.key;
        if (!fits || !has_value(entry, only)) continue;
        detach(shelf, member, entry);
        *end = entry;
        end = &entry->own_next;
    }
}

struct registry_taken copi_registry_take(struct registry_table *table, const char *key,
                                         const cop_registry_value *only)
{
    const struct key_name name = copi_key_name(key);
    struct registry_taken taken = { .first = NULL };
    struct shelf *members = &copi_registry_of_pid(table, cop_self())->members;
    struct shelf *keys = &copi_registry_of_key(table, &name)->keys;
    copi_shared_write(&members->lock);
    struct registry_member *member = copi_registry_member(members, cop_self());
    if (member != NULL) {
        copi_shared_write(&keys->lock);
        struct registry_key *found = copi_registry_key(keys, &name);
        if (found != NULL) take_locked(keys, found, member, only, &taken);
        copi_shared_write_done(&keys->lock);
        if (taken.first != NULL) {
            taken.listeners = table->listeners;
            if (member->count == 0) leave(members, member, &taken);
        }
    }
    copi_shared_write_done(&members->lock);
    return taken;
}

/* With the member's lock held: its first entry, taken away; or NULL. */
static struct registry_entry *take_first(struct registry_table *table,
                                         struct registry_member *member)
{
    struct registry_entry *entry = member->first;
    if (entry == NULL) return NULL;
    struct shelf *keys = &copi_registry_of_hash(table, entry->key->node.key)->keys;
    copi_shared_write(&keys->lock);
    detach(keys, member, entry);
    copi_shared_write_done(&keys->lock);
    return entry;
}

/* The lock is given back between two entries: others need not wait for a member of many. */
struct registry_taken copi_registry_take_all(struct registry_table *table)
{
    struct registry_taken taken = { .first = NULL };
    struct registry_entry **end = &taken.first;
    struct shelf *members = &copi_registry_of_pid(table, cop_self())->members;
    bool more = true;
    while (more) {
        copi_shared_write(&members->lock);
        struct registry_member *member = copi_registry_member(members, cop_self());
        struct registry_entry *entry = member != NULL ? take_first(table, member) : NULL;
        if (entry != NULL) taken.listeners = table->listeners;
        else if (member != NULL) leave(members, member, &taken);
        copi_shared_write_done(&members->lock);
        if (entry != NULL) {
            *end = entry;
            end = &entry->own_next;
        }
        more = entry != NULL;
    }
    return taken;
}

/* ---- closing --------------------------------------------------------------------------- */

/* The members stay, without entries: each is linked to the registry and about to end, or
 * has trapped its exit, and takes itself away in its end as ever. */
static void clear_members(struct registry_table *table, struct shelf *members)
{
    copi_shared_write(&members->lock);
    for (struct map_node *node = copi_map_first(&members->map); node != NULL;
         node = copi_map_next(&members->map, node)) {
        struct registry_member *member = (struct registry_member *)node;
        struct registry_entry *entry;
        while ((entry = take_first(table, member)) != NULL) copi_registry_entry_free(entry);
        member->linked = COP_NO_PID;
    }
    copi_shared_write_done(&members->lock);
}

/* Once it is withdrawn, nobody who takes a lock adds anything: see add_locked.  What was added
 * before is under a lock that is taken here. */
void copi_registry_close(struct registry_table *table)
{
    copi_directory_withdraw(&table->record);
    for (unsigned i = 0; i < table->record.parts; i++)
        clear_members(table, &table->partitions[i].members);
    copi_registry_clear_meta(table);
    copi_directory_close(&registries, &table->record);
}
