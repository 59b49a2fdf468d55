/* registry_lock.c - see registry_lock.h. */
#include "registry_lock.h"

#include <string.h>

#include <coppice/memory.h>
#include <coppice/process.h>

#include "request.h"

struct waiter {
    struct table_node by_monitor;
    struct key_lock *lock;
    struct waiter *next, *previous;
    cop_from from;
    cop_ref monitor;
};

struct key_lock {
    struct table_node by_key;
    struct waiter *first, *last;
    char key[];
};

static struct key_lock *find(const struct locks *locks, const char *key)
{
    struct table_node *node = copi_table_find(&locks->by_key, copi_table_hash(key));
    while (node != NULL && strcmp(((struct key_lock *)node)->key, key) != 0)
        node = copi_table_again(node);
    return (struct key_lock *)node;
}

static struct key_lock *add_lock(struct locks *locks, const char *key)
{
    size_t size = strlen(key) + 1;
    struct key_lock *lock = cop_alloc(sizeof *lock + size);
    memcpy(lock->key, key, size);
    copi_table_insert(&locks->by_key, &lock->by_key, copi_table_hash(key));
    return lock;
}

static void add_waiter(struct locks *locks, struct key_lock *lock, cop_from from)
{
    struct waiter *waiter = cop_alloc(sizeof *waiter);
    waiter->lock = lock;
    waiter->from = from;
    waiter->monitor = cop_monitor(from.alias.owner);
    waiter->previous = lock->last;
    if (lock->last != NULL) lock->last->next = waiter;
    else lock->first = waiter;
    lock->last = waiter;
    copi_table_insert(&locks->by_monitor, &waiter->by_monitor, waiter->monitor.serial);
}

static bool has(const struct key_lock *lock, cop_pid pid)
{
    return lock != NULL && cop_pid_equal(lock->first->from.alias.owner, pid);
}

static void answer(const struct waiter *waiter)
{
    cop_answer_message(waiter->from, cop_new(copi_done, .error = COP_OK));
}

/* Takes a waiter out; if it had the lock, the next one gets it. */
static void remove_waiter(struct locks *locks, struct waiter *waiter)
{
    struct key_lock *lock = waiter->lock;
    bool had_it = lock->first == waiter;
    if (waiter->previous != NULL) waiter->previous->next = waiter->next;
    else lock->first = waiter->next;
    if (waiter->next != NULL) waiter->next->previous = waiter->previous;
    else lock->last = waiter->previous;
    copi_table_remove(&locks->by_monitor, &waiter->by_monitor);
    cop_demonitor_flush(waiter->monitor);
    cop_free(waiter);

    if (lock->first == NULL) {
        copi_table_remove(&locks->by_key, &lock->by_key);
        cop_free(lock);
    } else if (had_it) {
        answer(lock->first);
    }
}

cop_next copi_locks_wait(struct locks *locks, const char *key, cop_from from)
{
    struct key_lock *lock = find(locks, key);
    if (has(lock, from.alias.owner)) return copi_answer_error(COP_ESELF);
    if (lock == NULL) lock = add_lock(locks, key);
    add_waiter(locks, lock, from);
    return lock->first == lock->last ? copi_answer_error(COP_OK) : cop_noreply();
}

void copi_locks_release(struct locks *locks, const char *key, cop_pid pid)
{
    struct key_lock *lock = find(locks, key);
    if (has(lock, pid)) remove_waiter(locks, lock->first);
}

void copi_locks_down(struct locks *locks, const cop_down_message *down)
{
    struct table_node *node = copi_table_find(&locks->by_monitor, down->ref.serial);
    if (node != NULL) remove_waiter(locks, (struct waiter *)node);
}
