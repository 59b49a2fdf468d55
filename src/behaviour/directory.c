/* directory.c - records by name: chains that only grow, at their heads. */
#include "directory.h"

#include <stdlib.h>
#include <string.h>

#include <coppice/process.h>

#include "table.h"

static _Atomic(struct directory_record *) *chain_of(struct directory *directory, uint64_t hash)
{
    return &directory->chains[hash % DIRECTORY_CHAINS];
}

/* Acquire on every step: pairs with the release in add, so that who finds a record sees its name.
 *  */
static struct directory_record *next_named(struct directory_record *record, uint64_t hash,
                                           const char *name)
{
    while (record != NULL && (record->hash != hash || strcmp(record->name, name) != 0))
        record = atomic_load_explicit(&record->next, memory_order_acquire);
    return record;
}

static struct directory_record *first_named(struct directory *directory, uint64_t hash,
                                            const char *name)
{
    _Atomic(struct directory_record *) *chain = chain_of(directory, hash);
    return next_named(atomic_load_explicit(chain, memory_order_acquire), hash, name);
}

static struct directory_record *again(struct directory_record *record)
{
    struct directory_record *next = atomic_load_explicit(&record->next, memory_order_acquire);
    return next_named(next, record->hash, record->name);
}

struct directory_record *copi_directory_find(struct directory *directory, const char *name)
{
    struct directory_record *record = first_named(directory, copi_table_hash(name), name);
    while (record != NULL && cop_pid_is_none(copi_directory_holder(record))) record = again(record);
    return record;
}

/* With the lock held. */
static struct directory_record *add(struct directory *directory, uint64_t hash, const char *name,
                                    unsigned parts,
                                    struct directory_record *(*make)(unsigned parts))
{
    char *copy = strdup(name);
    struct directory_record *record = copy != NULL ? make(parts) : NULL;
    if (record == NULL) {
        free(copy);
        return NULL;
    }
    record->hash = hash;
    record->name = copy;
    record->parts = parts;
    record->taken = false;
    atomic_init(&record->holder, 0);
    _Atomic(struct directory_record *) *chain = chain_of(directory, hash);
    atomic_init(&record->next, atomic_load_explicit(chain, memory_order_relaxed));
    atomic_store_explicit(chain, record, memory_order_release);
    return record;
}

/* With the lock held: a free record of that name with as many parts, if nobody holds the name. */
static int take(struct directory *directory, uint64_t hash, const char *name, unsigned parts,
                struct directory_record *(*make)(unsigned parts),
                struct directory_record **ret_record, cop_pid *ret_holder)
{
    struct directory_record *fitting = NULL;
    for (struct directory_record *record = first_named(directory, hash, name); record != NULL;
         record = again(record)) {
        if (record->taken) {
            *ret_holder = copi_directory_holder(record);
            return COP_EALREADY_STARTED;
        }
        if (record->parts == parts) fitting = record;
    }
    if (fitting == NULL) fitting = add(directory, hash, name, parts, make);
    if (fitting == NULL) return COP_ENOMEM;
    fitting->taken = true;
    *ret_record = fitting;
    return COP_OK;
}

int copi_directory_open(struct directory *directory, const char *name, unsigned parts,
                        struct directory_record *(*make)(unsigned parts),
                        struct directory_record **ret_record, cop_pid *ret_holder)
{
    uint64_t hash = copi_table_hash(name);
    pthread_mutex_lock(&directory->lock);
    int error = take(directory, hash, name, parts, make, ret_record, ret_holder);
    pthread_mutex_unlock(&directory->lock);
    return error;
}

void copi_directory_publish(struct directory_record *record)
{
    atomic_store_explicit(&record->holder, cop_self().bits, memory_order_release);
}

/* Release as in publish; nobody reads more from it than that it is over. */
void copi_directory_withdraw(struct directory_record *record)
{
    atomic_store_explicit(&record->holder, 0, memory_order_release);
}

void copi_directory_close(struct directory *directory, struct directory_record *record)
{
    pthread_mutex_lock(&directory->lock);
    record->taken = false;
    pthread_mutex_unlock(&directory->lock);
}
