/* registry.c - registries: their process, and what others do on their tables.
 *
 * The process opens the table, closes it when it ends, and keeps the keys' locks, for which
 * somebody has to wait; all else is done by whoever asks, in registry_table.c and
 * registry_read.c. */
#include <coppice/registry.h>

#include <stdlib.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/runtime.h>

#include "child.h"
#include "registry_lock.h"
#include "registry_table.h"
#include "request.h"

const cop_message_type cop_type_cop_registry_event = {
    "cop_registry_event", sizeof(cop_registry_event), NULL };

/* A call for a key's lock, and the cast that gives it back. */
typedef copi_by_id lock_key, unlock_key;
static const cop_message_type cop_type_lock_key = { "lock_key", sizeof(lock_key), NULL };
static const cop_message_type cop_type_unlock_key = { "unlock_key", sizeof(unlock_key), NULL };

/* ---- the registry's process ------------------------------------------------------------ */

struct server {
    struct locks locks;
};

struct server_argument {
    cop_registry registry;
    cop_pid parent;              /* or none, if not linked to it */
};

static void close_table(void *table)
{
    copi_registry_close(table);
}

static cop_next init(void *state, const void *argument)
{
    (void)state;
    const struct server_argument *start = argument;
    cop_registry registry = start->registry;
    if (registry.partitions == 0) registry.partitions = (unsigned)cop_schedulers();
    struct registry_table *table;
    cop_pid holder = COP_NO_PID;
    int error = copi_registry_open(&registry, start->parent, &table, &holder);
    if (error != COP_OK) cop_init_fail(error, holder, NULL, NULL);
    cop_defer(close_table, table);
    return cop_ok();
}

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    struct server *server = state;
    const lock_key *lock = cop_get(request, lock_key);
    if (lock != NULL) return copi_locks_wait(&server->locks, lock->id, from);
    return cop_stop(cop_reason_error("function_clause: call %s", request->type->name));
}

static cop_next handle_cast(void *state, const cop_message *message)
{
    struct server *server = state;
    const unlock_key *unlock = cop_get(message, unlock_key);
    if (unlock != NULL) copi_locks_release(&server->locks, unlock->id, message->from);
    else copi_report_unexpected(message);
    return cop_noreply();
}

/* The exits are those of processes that had entries; they took them away themselves. */
static cop_next handle_info(void *state, const cop_message *message)
{
    struct server *server = state;
    const cop_down_message *down = cop_get(message, cop_down_message);
    if (down != NULL) copi_locks_down(&server->locks, down);
    else if (!cop_is(message, cop_exit_message)) copi_report_unexpected(message);
    return cop_noreply();
}

static const cop_gen_server registry_server = {
    .label = "registry",
    .state_size = sizeof(struct server),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};

static bool is_sound(const cop_registry *registry)
{
    return registry != NULL && registry->name != NULL && registry->keys >= COP_UNIQUE &&
           registry->keys <= COP_DUPLICATE && registry->partitions <= COP_REGISTRY_PARTITIONS_MAX;
}

cop_started cop_registry_start_opt(const cop_registry *registry, const cop_start_options *options)
{
    if (!is_sound(registry) || options == NULL)
        return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    const struct server_argument argument = {
        *registry, options->link ? cop_self() : COP_NO_PID };
    cop_start_options start = *options;
    start.argument = &argument;
    start.argument_size = sizeof argument;
    start.trap_exit = true;
    if (start.name == NULL) start.name = registry->name;
    return cop_gen_server_start_opt(&registry_server, &start);
}

cop_started cop_child_registry(const void *module, const void *argument, size_t argument_size)
{
    return cop_registry_start_link(module, .argument = argument, .argument_size = argument_size);
}

/* ---- what every function checks -------------------------------------------------------- */

static bool is_key(const char *key)
{
    return key != NULL && key[0] != '\0';
}

/* 0 and the table; COP_EINVAL, COP_ENOPROC. */
static int find(const cop_registry *registry, const char *key, struct registry_table **ret_table)
{
    if (registry == NULL || !is_key(key)) return COP_EINVAL;
    struct registry_table *table = copi_registry_find(registry);
    if (table == NULL) return COP_ENOPROC;
    *ret_table = table;
    return COP_OK;
}

/* The same for what only processes do; COP_EOUTSIDE. */
static int find_here(const cop_registry *registry, const char *key,
                     struct registry_table **ret_table)
{
    if (cop_pid_is_none(cop_self())) return COP_EOUTSIDE;
    return find(registry, key, ret_table);
}

/* ---- registering ----------------------------------------------------------------------- */

static void tell(const char *const *listeners, const cop_registry_event *event)
{
    for (; listeners != NULL && *listeners != NULL; listeners++) {
        cop_message *message = cop_message_new(COP_TYPE(cop_registry_event), event, 0);
        cop_send_message(cop_to(*listeners), message);
    }
}

static cop_registry_event event_of(const struct registry_table *table, const char *key,
                                   cop_registry_value value)
{
    cop_registry_event event = {
        .registry = table->record.name, .pid = cop_self(), .value = value };
    size_t length = strnlen(key, sizeof event.key - 1);
    memcpy(event.key, key, length);
    return event;
}

/* Tells the listeners and frees the entries.  Without memory for a message the caller ends, and
 * what is left is lost; the table knows nothing of it any more. */
static void tell_and_free(const struct registry_table *table, const struct registry_taken *taken,
                          bool owner_ended)
{
    struct registry_entry *entry = taken->first;
    while (entry != NULL) {
        struct registry_entry *next = entry->own_next;
        cop_registry_event event = event_of(table, entry->key->text, entry->value);
        event.owner_ended = owner_ended;
        copi_registry_entry_free(entry);
        tell(taken->listeners, &event);
        entry = next;
    }
}

/* The last act of a process that has entries. */
static void leave(void *argument)
{
    struct registry_table *table = argument;
    const struct registry_taken taken = copi_registry_take_all(table);
    tell_and_free(table, &taken, true);
}

int cop_registry_register_value(const cop_registry *registry, const char *key,
                                cop_registry_value value, cop_pid *ret_holder)
{
    struct registry_table *table;
    int error = find_here(registry, key, &table);
    if (error != COP_OK) return error;
    cop_deferred *deferred = copi_registry_is_member(table) ? NULL : cop_defer(leave, table);
    struct registry_added added;
    error = copi_registry_add(table, key, value, deferred, &added);
    if (error != COP_OK) {
        if (deferred != NULL) cop_undefer(deferred, false);
        if (error == COP_EALREADY_STARTED && ret_holder != NULL) *ret_holder = added.holder;
        return error;
    }
    /* If the registry has just ended, so have its entries. */
    if (!cop_pid_is_none(added.link)) error = cop_link(added.link);
    if (error != COP_OK) return error;
    cop_registry_event event = event_of(table, key, value);
    event.registered = true;
    tell(added.listeners, &event);
    return COP_OK;
}

static int unregister(const cop_registry *registry, const char *key, const cop_registry_value *only)
{
    struct registry_table *table;
    int error = find_here(registry, key, &table);
    if (error != COP_OK) return error;
    const struct registry_taken taken = copi_registry_take(table, key, only);
    if (taken.left) cop_undefer(taken.deferred, false);
    tell_and_free(table, &taken, false);
    if (taken.left && !cop_pid_is_none(taken.linked)) cop_unlink(taken.linked);
    return COP_OK;
}

int cop_registry_unregister(const cop_registry *registry, const char *key)
{
    return unregister(registry, key, NULL);
}

int cop_registry_unregister_value(const cop_registry *registry, const char *key,
                                  cop_registry_value value)
{
    return unregister(registry, key, &value);
}

int cop_registry_update_value(const cop_registry *registry, const char *key,
                              cop_registry_value value)
{
    struct registry_table *table;
    int error = find_here(registry, key, &table);
    return error != COP_OK ? error : copi_registry_set_value(table, key, value);
}

/* ---- locks ----------------------------------------------------------------------------- */

int cop_registry_lock(const cop_registry *registry, const char *key, cop_function *function,
                      void *argument)
{
    struct registry_table *table;
    int error = function == NULL ? COP_EINVAL : find_here(registry, key, &table);
    if (error != COP_OK) return error;
    cop_dest process = cop_to_pid(copi_directory_holder(&table->record));
    error = copi_request_done(process, copi_request_by_id(COP_TYPE(lock_key), key));
    if (error != COP_OK) return error == COP_EDOWN ? COP_ENOPROC : error;
    cop_message *unlock = copi_request_by_id(COP_TYPE(unlock_key), key);
    function(argument);
    cop_cast_message(process, unlock);
    return COP_OK;
}

/* ---- asking ---------------------------------------------------------------------------- */

/* What a visit is over. */
struct reader {
    struct registry_table *table;
    const char *key;
    cop_pid pid;
    unsigned partition;
    void (*read)(const struct reader *reader, struct snapshot *room);
};

static void read_key(const struct reader *reader, struct snapshot *room)
{
    copi_registry_read_key(reader->table, reader->key, room);
}

static void read_member(const struct reader *reader, struct snapshot *room)
{
    copi_registry_read_member(reader->table, reader->pid, room);
}

static void read_partition(const struct reader *reader, struct snapshot *room)
{
    copi_registry_read_partition(reader->table, reader->partition, room);
}

static void room_free(void *block, bool in_process)
{
    if (in_process) cop_free(block);
    else free(block);
}

/* Reads into a room on the stack, or, as often as it does not fit, into one of twice the bytes that
 * it needed.  In a process the room is the process's, for visit may end it. */
static size_t visit_all(const struct reader *reader, cop_registry_visit *visit, void *context)
{
    cop_registry_entry few[32];
    struct snapshot room = { .entries = few, .size = sizeof few };
    void *block = NULL;
    bool in_process = !cop_pid_is_none(cop_self());
    reader->read(reader, &room);
    while (room.need > room.size) {
        room_free(block, in_process);
        size_t size = room.need * 2;
        block = in_process ? cop_alloc(size) : malloc(size);
        if (block == NULL) return 0;
        room = (struct snapshot){ .entries = block, .size = size };
        reader->read(reader, &room);
    }
    for (size_t i = 0; i < room.count; i++) visit(&room.entries[i], context);
    room_free(block, in_process);
    return room.count;
}

size_t cop_registry_dispatch(const cop_registry *registry, const char *key,
                             cop_registry_visit *visit, void *context)
{
    struct reader reader = { .key = key, .read = read_key };
    if (find(registry, key, &reader.table) != COP_OK) return 0;
    return visit_all(&reader, visit, context);
}

size_t cop_registry_keys(const cop_registry *registry, cop_pid pid, cop_registry_visit *visit,
                         void *context)
{
    struct reader reader = { .pid = pid, .read = read_member };
    reader.table = copi_registry_find(registry);
    return reader.table == NULL ? 0 : visit_all(&reader, visit, context);
}

size_t cop_registry_select(const cop_registry *registry, cop_registry_visit *visit, void *context)
{
    struct reader reader = { .table = copi_registry_find(registry), .read = read_partition };
    if (reader.table == NULL) return 0;
    size_t count = 0;
    for (; reader.partition < reader.table->record.parts; reader.partition++)
        count += visit_all(&reader, visit, context);
    return count;
}

cop_pid cop_registry_whereis(const cop_registry *registry, const char *key,
                             cop_registry_value *ret_value)
{
    struct registry_table *table;
    cop_pid pid = COP_NO_PID;
    cop_registry_value value;
    if (find(registry, key, &table) != COP_OK || !copi_registry_lookup(table, key, &pid, &value))
        return COP_NO_PID;
    if (ret_value != NULL) *ret_value = value;
    return pid;
}

size_t cop_registry_count(const cop_registry *registry)
{
    struct registry_table *table = copi_registry_find(registry);
    return table == NULL ? 0 : copi_registry_count(table);
}

size_t cop_registry_count_key(const cop_registry *registry, const char *key)
{
    struct registry_table *table;
    return find(registry, key, &table) != COP_OK ? 0 : copi_registry_count_key(table, key);
}

cop_pid cop_registry_resolve(const cop_via_name *via)
{
    return cop_registry_whereis(via->directory, via->key, NULL);
}

int cop_registry_take(const cop_via_name *via, cop_pid *ret_holder)
{
    const cop_registry_value value = { .number = via->number };
    return cop_registry_register_value(via->directory, via->key, value, ret_holder);
}

/* ---- metadata -------------------------------------------------------------------------- */

int cop_registry_put_meta(const cop_registry *registry, const char *key, cop_registry_value value)
{
    struct registry_table *table;
    int error = find(registry, key, &table);
    return error != COP_OK ? error : copi_registry_set_meta(table, key, value);
}

int cop_registry_meta(const cop_registry *registry, const char *key, cop_registry_value *ret_value)
{
    struct registry_table *table;
    int error = find(registry, key, &table);
    return error != COP_OK ? error : copi_registry_get_meta(table, key, ret_value);
}

int cop_registry_delete_meta(const cop_registry *registry, const char *key)
{
    struct registry_table *table;
    int error = find(registry, key, &table);
    if (error == COP_OK) copi_registry_remove_meta(table, key);
    return error;
}
