/* name.c - registered names.  See name.h for the lock. */
#include "name.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/hash.h"
#include "process.h"
#include "scheduler.h"

struct name {
    struct hash_node node;
    struct process *process;
    cop_pid pid;
    char text[];
};

static struct {
    pthread_rwlock_t lock;
    struct hash table;
} names = { .lock = PTHREAD_RWLOCK_INITIALIZER };

void copi_names_init(void)
{
    COP_ASSERT(names.table.count == 0);
}

void copi_names_deinit(void)
{
    COP_ASSERT(names.table.count == 0);   /* each process has released its own */
}

/* With the lock held. */
static struct name *find(const char *text, size_t length)
{
    struct hash_node *node = copi_hash_find(&names.table, copi_hash_bytes(text, length));
    while (node != NULL && strcmp(((struct name *)node)->text, text) != 0)
        node = copi_hash_again(node);
    return (struct name *)node;
}

static struct name *name_of(struct process *process)
{
    struct extras *extras = copi_extras(process);
    return extras == NULL ? NULL : atomic_load_explicit(&extras->name, memory_order_relaxed);
}

static void take_out(struct name *name)
{
    copi_hash_remove(&names.table, &name->node);
    atomic_store_explicit(&copi_extras(name->process)->name, NULL, memory_order_relaxed);
    free(name);
}

int cop_register(const char *text)
{
    struct process *self = copi_self_checked("cop_register");
    size_t length = text == NULL ? 0 : strlen(text);
    if (length == 0 || length > COP_NAME_MAX)
        return COP_EINVAL;
    copi_enter(copi_scheduler);
    struct extras *extras = copi_extras_made(self);
    struct name *name = malloc(sizeof *name + length + 1);
    int error = COP_ENOMEM;
    if (name != NULL && extras != NULL) {
        memcpy(name->text, text, length + 1);
        name->process = self;
        name->pid = copi_pid(self);
        pthread_rwlock_wrlock(&names.lock);
        error = COP_ENAME;
        if (name_of(self) == NULL && find(text, length) == NULL) {
            copi_hash_insert(&names.table, &name->node, copi_hash_bytes(text, length));
            atomic_store_explicit(&extras->name, name, memory_order_relaxed);
            error = COP_OK;
        }
        pthread_rwlock_unlock(&names.lock);
    }
    if (error != COP_OK)
        free(name);
    copi_leave(copi_scheduler);
    return error;
}

int cop_unregister(const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);
    copi_enter(copi_scheduler);
    pthread_rwlock_wrlock(&names.lock);
    struct name *name = length == 0 ? NULL : find(text, length);
    if (name != NULL)
        take_out(name);
    pthread_rwlock_unlock(&names.lock);
    copi_leave(copi_scheduler);
    return name == NULL ? COP_EINVAL : COP_OK;
}

size_t copi_name_count(void)
{
    copi_enter(copi_scheduler);
    pthread_rwlock_rdlock(&names.lock);
    size_t count = names.table.count;
    pthread_rwlock_unlock(&names.lock);
    copi_leave(copi_scheduler);
    return count;
}

cop_pid cop_whereis(const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);
    copi_enter(copi_scheduler);
    pthread_rwlock_rdlock(&names.lock);
    struct name *name = length == 0 ? NULL : find(text, length);
    cop_pid pid = name == NULL ? COP_NO_PID : name->pid;
    pthread_rwlock_unlock(&names.lock);
    copi_leave(copi_scheduler);
    return pid;
}

cop_pid cop_resolve(cop_dest dest)
{
    return dest.name != NULL  ? cop_whereis(dest.name)
           : dest.via != NULL ? dest.via->resolve(dest.via)
                              : dest.pid;
}

bool cop_name_of(cop_pid pid, char *buffer, size_t size)
{
    bool has = false;
    if (size > 0)
        buffer[0] = '\0';
    struct process *process = copi_process_alive(pid);
    if (process == NULL || name_of(process) == NULL)
        return false;                   /* most have none */
    copi_enter(copi_scheduler);
    pthread_rwlock_rdlock(&names.lock);
    struct name *name = name_of(process);
    if (name != NULL && cop_pid_equal(name->pid, pid)) {
        snprintf(buffer, size, "%s", name->text);
        has = true;
    }
    pthread_rwlock_unlock(&names.lock);
    copi_leave(copi_scheduler);
    return has;
}

/* Only the process itself sets its name, another can but clear it, so one without a name needs
 * no lock. */
void copi_name_release(struct process *process)
{
    if (name_of(process) == NULL)
        return;
    pthread_rwlock_wrlock(&names.lock);
    struct name *name = name_of(process);
    if (name != NULL)
        take_out(name);
    pthread_rwlock_unlock(&names.lock);
}

static void find_stale(struct hash_node *node, void *context)
{
    const struct name *name = (struct name *)node;
    if (copi_process_alive(name->pid) == NULL)
        *(const char **)context = name->text;
}

const char *copi_names_stale(void)
{
    const char *stale = NULL;
    copi_hash_each(&names.table, find_stale, &stale);
    return stale;
}
