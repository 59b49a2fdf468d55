/* registry_table.h - a registry's entries, in memory that all processes share.
 *
 * An entry stands in two lists: that of its key, which lookups read, and that of its member, the
 * process that made it.  Keys and members are spread over partitions, each with a lock for its
 * keys and one for its members.
 *
 *     keys shelf:     "lobby" -> entry <-> entry <-> entry        in order of registration
 *                                  |                   |
 *     members shelf:  <12.1>  -> entry <-------------> entry      in order of registration
 *
 * Only a process itself makes and takes away its entries; so does the registry's process when it
 * closes, for all.  Whoever changes an entry holds its member's lock and then its key's, in this
 * order; whoever reads one holds either.
 *
 * The locks are such that readers write nothing that others read (shared_lock.h).
 *
 * What must stay true: a process that holds one of these locks can't end, by its own doing or by a
 * fault, or the lock would be held for ever.  Therefore under a lock there is no user code, no
 * assertion, no call into the runtime, and no memory of the caller's that has not been read before;
 * and copi_registry_find, with which every operation begins, makes sure that there is stack
 * enough for it all.  A process is never stopped in the middle of its code by another. */
#ifndef COPI_REGISTRY_TABLE_H
#define COPI_REGISTRY_TABLE_H

#include <stddef.h>

#include <coppice/memory.h>
#include <coppice/registry.h>

#include "directory.h"
#include "map.h"
#include "shared_lock.h"

struct shelf {
    struct shared_lock lock;
    struct map map;                 /* of struct registry_key, or of struct registry_member */
    size_t entries;                 /* of all its keys */
};

struct partition {
    _Alignas(64) struct shelf keys; /* no cache line is shared by two locks */
    _Alignas(64) struct shelf members;
};

/* What a look-up reads lies side by side, from `node` on. */
struct registry_key {
    _Atomic size_t references;      /* one an entry */
    struct registry_entry *first, *last;
    size_t count;
    struct map_node node;           /* under the text's hash */
    cop_pid pid;                    /* unique: those of its entry */
    cop_registry_value value;
    uint32_t size;                  /* of the text, with the final NUL */
    bool unique;
    char text[];
};

static inline struct registry_key *copi_registry_key_of(struct map_node *node)
{
    return (struct registry_key *)(void *)((char *)node - offsetof(struct registry_key, node));
}

struct registry_member {
    struct map_node node;           /* under the pid */
    struct registry_entry *first, *last;
    size_t count;                   /* 0 only once the registry has closed */
    cop_pid linked;                 /* the registry's process that it is linked to */
    cop_deferred *deferred;         /* takes its entries away when it ends */
};

struct registry_entry {
    struct registry_key *key;
    struct registry_entry *key_next, *key_previous;
    struct registry_entry *own_next, *own_previous;
    cop_pid pid;
    cop_registry_value value;
};

struct registry_table {
    struct directory_record record; /* parts: the partitions */
    /* Constant while it is open.  Read under a lock while there is an entry, or once the holder has
     * been seen: closing takes every lock. */
    enum cop_registry_keys keys;
    const char *const *listeners;
    cop_pid parent;                 /* of the registry's process, if linked to it; else none */

    struct shelf meta;              /* of struct registry_meta */
    struct partition partitions[];
};

/* ---- open and closed ------------------------------------------------------------------- */

/* [process] For the registry's own process.  Errors as copi_directory_open's. */
int copi_registry_open(const cop_registry *registry, cop_pid parent,
                       struct registry_table **ret_table, cop_pid *ret_holder);
void copi_registry_close(struct registry_table *table);

/* [any thread] The table of a registry that runs; NULL for none, and for a name or a key that is
 * NULL or empty. */
struct registry_table *copi_registry_find(const cop_registry *registry);

/* ---- the caller's own entries ---------------------------------------------------------- */

/* [process] Whether the caller is a member. */
bool copi_registry_is_member(struct registry_table *table);

/* What register did. */
struct registry_added {
    cop_pid holder;                    /* COP_EALREADY_STARTED: of the key */
    cop_pid link;                      /* 0: the process to link to now, or none */
    const char *const *listeners;
};

/* [process] Adds an entry of the caller's; deferred is used if that makes it a member.
 * 0, COP_EALREADY_STARTED, COP_ENOPROC, COP_ENOMEM. */
int copi_registry_add(struct registry_table *table, const char *key, cop_registry_value value,
                      cop_deferred *deferred, struct registry_added *ret_added);

/* What was taken away: a list by own_next, each to be freed by copi_registry_entry_free. */
struct registry_taken {
    struct registry_entry *first;
    const char *const *listeners;
    bool left;                         /* the last one is gone, and so is the member */
    cop_pid linked;                    /* then: to be unlinked, or none */
    cop_deferred *deferred;            /* then: to be taken off */
};

/* [process] Takes the caller's entries for the key away; with `only`, those with that value. */
struct registry_taken copi_registry_take(struct registry_table *table, const char *key,
                                         const cop_registry_value *only);

/* [process] All of them, and the member, at the process's end. */
struct registry_taken copi_registry_take_all(struct registry_table *table);

void copi_registry_entry_free(struct registry_entry *entry);

/* [process] Changes the value of the caller's entry for a unique key.  COP_ENOT_FOUND. */
int copi_registry_set_value(struct registry_table *table, const char *key,
                            cop_registry_value value);

/* ---- reading --------------------------------------------------------------------------- */

/* Entries are copied under the lock, with their keys' texts, into the reader's room: entries from
 * its start, texts from its end.  If need is larger than the room afterwards, it is incomplete. */
struct snapshot {
    cop_registry_entry *entries;
    size_t size;                       /* bytes of the room */
    size_t need;
    size_t texts;                      /* bytes of them at the end of the room */
    size_t count;
};

/* [any thread] The entries of a key (their `key` is the caller's pointer), of a process, of a
 * partition's keys. */
void copi_registry_read_key(struct registry_table *table, const char *key, struct snapshot *room);
void copi_registry_read_member(struct registry_table *table, cop_pid pid, struct snapshot *room);
void copi_registry_read_partition(struct registry_table *table, unsigned partition,
                                  struct snapshot *room);

/* [any thread] The entry of a unique key. */
bool copi_registry_lookup(struct registry_table *table, const char *key, cop_pid *ret_pid,
                          cop_registry_value *ret_value);

/* [any thread] How many entries: of all keys, of one. */
size_t copi_registry_count(struct registry_table *table);
size_t copi_registry_count_key(struct registry_table *table, const char *key);

/* ---- metadata -------------------------------------------------------------------------- */

/* [any thread] 0; COP_ENOPROC, COP_ENOMEM; COP_ENOT_FOUND. */
int copi_registry_set_meta(struct registry_table *table, const char *key, cop_registry_value value);
int copi_registry_get_meta(struct registry_table *table, const char *key,
                           cop_registry_value *ret_value);
void copi_registry_remove_meta(struct registry_table *table, const char *key);

#endif
