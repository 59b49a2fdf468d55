/* name.c - registered names.  See name.h for the lock. */
#include "name.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/lookup.h"
#include "../platform/platform.h"
#include "process.h"
#include "scheduler.h"

/* Looking up is tried so often before it is done under the lock: who writes does so for some tens
 * of instructions, unless the system has taken its processor away. */
enum { TRIES = 3 };

_Static_assert((int)COP_NAME_MAX <= (int)COPI_LOOKUP_TEXT_MAX, "a name fits");

static struct lookup table;                  /* pids; the nodes' owners are the processes */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void copi_names_init(void)
{
    COP_ASSERT(table.count == 0);
}

void copi_names_deinit(void)
{
    COP_ASSERT(table.count == 0);   /* each process has released its own */
    copi_lookup_deinit(&table);
}

/* Whether this can be a name, which is read once. */
static inline bool is_name(const char *text, struct lookup_text *ret_name)
{
    size_t length = text == NULL ? 0 : strlen(text);
    if (length == 0 || length > COP_NAME_MAX)
        return false;
    *ret_name = copi_lookup_text(text, length);
    return true;
}

static struct lookup_node *name_of(struct process *process)
{
    struct extras *extras = copi_extras(process);
    return extras == NULL ? NULL : atomic_load_explicit(&extras->name, memory_order_relaxed);
}

/* With the lock held. */
static void take_out(struct lookup_node *name)
{
    struct process *process = name->owner;
    atomic_store_explicit(&copi_extras(process)->name, NULL, memory_order_relaxed);
    copi_lookup_remove(&table, name);
}

/* The same. */
static int put_in(struct process *self, struct extras *extras, const struct lookup_text *text)
{
    if (name_of(self) != NULL || copi_lookup_find(&table, text) != NULL)
        return COP_ENAME;
    struct lookup_node *name = copi_lookup_insert(&table, text, copi_pid(self).bits, self);
    if (name == NULL)
        return COP_ENOMEM;
    atomic_store_explicit(&extras->name, name, memory_order_relaxed);
    return COP_OK;
}

int cop_register(const char *text)
{
    struct process *self = copi_self_checked("cop_register");
    struct lookup_text name;
    if (!is_name(text, &name))
        return COP_EINVAL;
    copi_enter(copi_scheduler);
    struct extras *extras = copi_extras_made(self);
    int error = COP_ENOMEM;
    if (extras != NULL) {
        pthread_mutex_lock(&lock);
        error = put_in(self, extras, &name);
        pthread_mutex_unlock(&lock);
    }
    copi_leave(copi_scheduler);
    return error;
}

int cop_unregister(const char *text)
{
    struct lookup_text wanted;
    if (!is_name(text, &wanted))
        return COP_EINVAL;
    copi_enter(copi_scheduler);
    pthread_mutex_lock(&lock);
    struct lookup_node *name = copi_lookup_find(&table, &wanted);
    if (name != NULL)
        take_out(name);
    pthread_mutex_unlock(&lock);
    copi_leave(copi_scheduler);
    return name == NULL ? COP_EINVAL : COP_OK;
}

size_t copi_name_count(void)
{
    copi_enter(copi_scheduler);
    pthread_mutex_lock(&lock);
    size_t count = table.count;
    pthread_mutex_unlock(&lock);
    copi_leave(copi_scheduler);
    return count;
}

/* Somebody writes, all the time or just now. */
static __attribute__((noinline)) uint64_t look_again(const struct lookup_text *text)
{
    uint64_t pid = 0;
    for (int i = 1; i < TRIES; i++) {
        copi_pause();
        if (copi_lookup_try(&table, text, &pid))
            return pid;
    }
    copi_enter(copi_scheduler);
    pthread_mutex_lock(&lock);
    const struct lookup_node *name = copi_lookup_find(&table, text);
    if (name != NULL)
        pid = atomic_load_explicit(&name->value, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
    copi_leave(copi_scheduler);
    return pid;
}

cop_pid cop_whereis(const char *text)
{
    copi_have_stack(copi_scheduler);
    struct lookup_text name;
    cop_pid pid = COP_NO_PID;
    if (is_name(text, &name) && !copi_lookup_try(&table, &name, &pid.bits))
        pid.bits = look_again(&name);
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
    pthread_mutex_lock(&lock);
    const struct lookup_node *name = name_of(process);
    if (name != NULL && atomic_load_explicit(&name->value, memory_order_relaxed) == pid.bits) {
        snprintf(buffer, size, "%s", copi_lookup_text_of(name));
        has = true;
    }
    pthread_mutex_unlock(&lock);
    copi_leave(copi_scheduler);
    return has;
}

/* Only the process itself sets its name, another can but clear it, so one without a name needs
 * no lock. */
void copi_name_release(struct process *process)
{
    if (name_of(process) == NULL)
        return;
    pthread_mutex_lock(&lock);
    struct lookup_node *name = name_of(process);
    if (name != NULL)
        take_out(name);
    pthread_mutex_unlock(&lock);
}

const char *copi_names_stale(void)
{
    const struct lookup_node *name = copi_lookup_first(&table);
    while (name != NULL && copi_process_alive((cop_pid){ name->value }) != NULL)
        name = copi_lookup_next(&table, name);
    return name == NULL ? NULL : copi_lookup_text_of(name);
}
