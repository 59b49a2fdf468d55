/* stop_within.c - stopping a whole tree by a deadline: the side of who wants it stopped.
 *
 * The request to the top leads to the deadline, with an alias of the caller's in it: supervisors in
 * the tree send a copi_straggler there for each process that they had to kill (child_stop.c), and
 * since each is down only after those below it, all of these are here before the top's down
 * message.  When the time is over and the top is not down, it is stuck itself: it is killed, and
 * with it all that descends from it. */
#include <string.h>

#include <coppice/memory.h>
#include <coppice/supervisor.h>

#include "child.h"
#include "clock.h"
#include "request.h"
#include "table.h"

enum { KILL_MS = 1000 };    /* how long to wait for the end of those who were killed */

struct told {
    struct table_node by_pid;
    struct told *next;
    cop_message *message;       /* a copi_straggler */
};

/* The stragglers, as they come. */
struct list {
    struct told *first, **end;
    struct table by_pid;
    size_t count;
    size_t path_bytes;
};

/* One that its supervisor told, and killed, when the top is felled may not be gone yet: then it is
 * told again, as one of those below the top. */
static void add(struct list *list, cop_message *message)
{
    cop_pid pid = cop_expect(message, copi_straggler)->pid;
    if (copi_table_find(&list->by_pid, pid.bits) != NULL) {
        cop_message_free(message);
        return;
    }
    struct told *told = cop_alloc(sizeof *told);
    told->message = message;
    copi_table_insert(&list->by_pid, &told->by_pid, pid.bits);
    *list->end = told;
    list->end = &told->next;
    list->count++;
    list->path_bytes += message->size - sizeof(copi_straggler);
}

/* All of them in one block, or NULL for none; the list is spent. */
static cop_straggler *take_all(struct list *list)
{
    if (list->count == 0) return NULL;
    cop_straggler *block = cop_alloc(list->count * sizeof *block + list->path_bytes);
    cop_straggler *place = block;
    char *room = (char *)(block + list->count);
    for (struct told *told = list->first, *next; told != NULL; told = next) {
        const copi_straggler *straggler = cop_expect(told->message, copi_straggler);
        size_t size = told->message->size - sizeof *straggler;
        *place++ = (cop_straggler){ memcpy(room, straggler->path, size), straggler->pid,
                                    straggler->asked };
        room += size;
        next = told->next;
        copi_table_remove(&list->by_pid, &told->by_pid);
        cop_message_free(told->message);
        cop_free(told);
    }
    return block;
}

/* Waits for the top's end and notes the stragglers.  Returns the down message, or NULL when the
 * time is over. */
static cop_message *collect(struct list *list, cop_ref watcher, int64_t until_ns)
{
    const cop_match news = { .ref = watcher };
    for (;;) {
        cop_message *message = cop_take(&news, copi_ms_until(until_ns));
        if (message == NULL || cop_is(message, cop_down_message)) return message;
        if (cop_is(message, copi_straggler)) add(list, message);
        else cop_message_free(message);     /* who has the deadline can send what it likes */
    }
}

/* The top is stuck: ends it and all that descends from it. */
static void fell(cop_pid top, const cop_deadline *deadline)
{
    copi_tell_straggler(deadline->watcher, top, true, deadline->path);
    copi_kill_tree(top, deadline->watcher, deadline->path);
}

static void release_reason(void *reason)
{
    cop_reason_unref(reason);
}

/* The reason is the caller's. */
static int stop_within(cop_pid top, const cop_reason *reason, int64_t deadline_ms,
                       struct list *list)
{
    char path[COP_NAME_MAX + 1];
    if (!cop_name_of(top, path, sizeof path)) cop_pid_format(top, path, sizeof path);
    cop_ref watcher = cop_monitor_opt(cop_to(top), COP_ALIAS_DEMONITOR);
    int64_t until_ns = copi_after_ms(deadline_ms);
    cop_deadline deadline = { copi_after_ms(copi_left_for_child(deadline_ms)), watcher, path, top };
    cop_message *request = cop_new(cop_terminate_message,
                                   .reason = cop_reason_by(cop_reason_ref(reason), &deadline));
    request->kind = COP_SYSTEM;
    cop_send_message(cop_to(top), request);

    cop_message *down = collect(list, watcher, until_ns);
    if (down == NULL) {
        fell(top, &deadline);
        down = collect(list, watcher, copi_after_ms(KILL_MS));
    }
    if (down == NULL) {
        cop_demonitor_flush(watcher);
        cop_message_free(collect(list, watcher, 0));    /* what came at the last moment */
        return COP_ETIMEOUT;
    }
    const cop_reason *end = cop_expect(down, cop_down_message)->reason;
    int error = list->count > 0                ? COP_ETIMEOUT
                : cop_reason_equal(end, reason) ? COP_OK
                : cop_reason_is(end, "noproc")  ? COP_ENOPROC
                                                : COP_EDOWN;
    cop_message_free(down);
    return error;
}

int cop_supervisor_stop_within(cop_dest supervisor, const cop_reason *reason, int64_t deadline_ms,
                               cop_straggler **ret_stragglers, size_t *ret_count)
{
    if (reason == NULL) return COP_EINVAL;
    cop_pid self = cop_self();
    cop_pid top = cop_resolve(supervisor);
    int error = deadline_ms < 0 || (ret_stragglers == NULL) != (ret_count == NULL) ? COP_EINVAL
                : cop_pid_is_none(self)                                        ? COP_EOUTSIDE
                : cop_pid_is_none(top)                                         ? COP_ENOPROC
                : cop_pid_equal(top, self)                                     ? COP_ESELF
                                                                               : COP_OK;
    if (error != COP_OK) {
        cop_reason_unref(reason);
        return error;
    }
    cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)reason);
    struct list list = { .end = &list.first };
    error = stop_within(top, reason, deadline_ms, &list);
    cop_undefer(guard, true);
    size_t count = list.count;
    cop_straggler *stragglers = take_all(&list);
    bool told = (error == COP_OK || error == COP_ETIMEOUT) && ret_stragglers != NULL;
    if (!told) {
        cop_free(stragglers);
        return error;
    }
    *ret_stragglers = stragglers;
    *ret_count = count;
    return error;
}
