/* registry.h - processes under keys of their own choice.
 *
 * Concept.  A registry maps keys (strings) to processes: unique, one process a key, or duplicate,
 * many processes a key.  A process registers itself, with a value; a lookup is done
 * by the caller, on shared memory, with no process in the way; when a process ends its entries
 * are gone before its links and monitors hear.  Elixir: Registry.
 *
 *     static const cop_registry rooms = { .name = "rooms" };             // a child of a supervisor
 *
 *     cop_registry_register(&rooms, "lobby");
 *     cop_call(cop_via(&rooms, "lobby"), &reply, get);          // usable wherever a pid is
 *
 * Life cycle.  Started under a supervisor, as a child, before those that use it.  A process that
 * has registered is linked to the registry until its last entry is gone: if the registry ends, so
 * does it, unless it traps exits or the registry ends with normal.  Functions on a registry that
 * does not run return COP_ENOPROC or find nothing.  A registry is known by its name, so the
 * struct may be a copy; its name and its listeners must last while it runs.
 *
 * Threads.  Registering, unregistering, locking: [process].  Lookups and metadata: [any thread].  A
 * key is a string of any length but 0, compared byte by byte; COP_EINVAL for an empty one. */
#ifndef COPPICE_REGISTRY_H
#define COPPICE_REGISTRY_H

#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cop_registry_keys { COP_UNIQUE = 0, COP_DUPLICATE };

enum { COP_REGISTRY_PARTITIONS_MAX = 1024 };

typedef struct cop_registry {
    const char *name;                /* required; it is found and registered by it */
    enum cop_registry_keys keys;
    unsigned partitions;             /* locks that the keys are spread over; 0: one a scheduler */
    const char *const *listeners;    /* names that get cop_registry_event, then NULL; or NULL */
} cop_registry;

/* [process] [may block] Start functions, and for spec tables.  COP_EINVAL: no name, unknown keys,
 * more than COP_REGISTRY_PARTITIONS_MAX partitions. */
cop_started cop_registry_start_opt(const cop_registry *registry, const cop_start_options *options);
#define cop_registry_start_link(registry_, ...)                                          \
    cop_registry_start_opt((registry_), &(cop_start_options){ .link = true, __VA_ARGS__ })
cop_started cop_child_registry(const void *module, const void *argument, size_t argument_size);
#define COP_CHILD_REGISTRY(registry_, ...)                                               \
    { .id = #registry_, .start = cop_child_registry,                                     \
      .module = COP_MODULE(cop_registry, registry_),                                     \
      .type = COP_SUPERVISOR, __VA_ARGS__ }

/* ---- registering: the calling process -------------------------------------------------- */

/* A value kept with an entry: an integer or a pointer, the caller's. */
typedef union cop_registry_value { int64_t number; void *pointer; } cop_registry_value;

/* [process] Registers the caller under the key (copied).  0; COP_EALREADY_STARTED if the key is
 * unique and another or the same process has it (then *ret_holder, if not NULL, is its pid);
 * COP_ENOPROC, COP_EINVAL, COP_ENOMEM, COP_EOUTSIDE.
 *
 *     cop_registry_register(&rooms, "lobby");
 *     cop_registry_register(&rooms, "lobby", .number = 7);
 *     cop_registry_register(&rooms, "lobby", .pointer = room); */
int cop_registry_register_value(const cop_registry *registry, const char *key,
                                cop_registry_value value, cop_pid *ret_holder);
#define cop_registry_register(registry_, key_, ...)                                      \
    cop_registry_register_value((registry_), (key_), (cop_registry_value){ __VA_ARGS__ }, NULL)

/* [process] Takes all of the caller's own entries for the key away, or those with that value; 0
 * also if there are none.  COP_ENOPROC, COP_EINVAL, COP_EOUTSIDE.  Elixir: unregister/2,
 * unregister_match/3. */
int cop_registry_unregister(const cop_registry *registry, const char *key);
int cop_registry_unregister_value(const cop_registry *registry, const char *key,
                                  cop_registry_value value);

/* [process] Changes the value of the caller's own entry, unique keys only.  COP_ENOT_FOUND if
 * it has none; COP_EINVAL also for a registry with duplicate keys; COP_ENOPROC, COP_EOUTSIDE. */
int cop_registry_update_value(const cop_registry *registry, const char *key,
                              cop_registry_value value);

/* [process] [may block] Runs function(argument) in the caller while nobody else holds the same
 * key's lock; who waits is served in order; released also when the function ends the process.  The
 * key need not be anybody's.  COP_ESELF if the caller has it already; COP_ENOPROC,
 * also when the registry ends meanwhile; COP_EINVAL, COP_EOUTSIDE.  Elixir: Registry.lock/3. */
int cop_registry_lock(const cop_registry *registry, const char *key, cop_function *function,
                      void *argument);

/* ---- asking ---------------------------------------------------------------------------- */

typedef struct cop_registry_entry {
    cop_pid pid;
    cop_registry_value value;
    const char *key;           /* borrowed for the call */
} cop_registry_entry;

/* [any thread] The process under a unique key, or COP_NO_PID, as for duplicate keys; its value goes
 * to *ret_value if not NULL. */
cop_pid cop_registry_whereis(const cop_registry *registry, const char *key,
                             cop_registry_value *ret_value);

/* [any thread] Calls visit for each entry of the key, in order of registration, in the caller; the
 * entries are those at the time of the call, and no lock is held, so visit may do anything.
 * Returns how many.  This is how to publish: send from visit.  Elixir: dispatch/3, lookup/2. */
typedef void cop_registry_visit(const cop_registry_entry *entry, void *context);
size_t cop_registry_dispatch(const cop_registry *registry, const char *key,
                             cop_registry_visit *visit, void *context);

/* [any thread] The same over all entries of a process, in order of registration, or of the
 * registry, in no order and partition after partition.  Elixir: keys/2, select/2. */
size_t cop_registry_keys(const cop_registry *registry, cop_pid pid, cop_registry_visit *visit,
                         void *context);
size_t cop_registry_select(const cop_registry *registry, cop_registry_visit *visit, void *context);

/* [any thread] How many entries: all, those of one key. */
size_t cop_registry_count(const cop_registry *registry);
size_t cop_registry_count_key(const cop_registry *registry, const char *key);

/* ---- via, metadata, listeners ---------------------------------------------------------- */

/* cop_via(registry, key): a destination that may stand wherever a pid may, for calls, sends and
 * monitors; unique keys only.  COP_VIA(registry, key): the same as a name to start under, unique or
 * not; .number = N after the key is the entry's value:
 *
 *     cop_gen_server_start_link(&room, .via = COP_VIA(&rooms, "lobby"));
 *
 * A start gives COP_EALREADY_STARTED with the holder, or COP_ENOPROC.
 * Elixir: {:via, Registry, _}. */
cop_pid cop_registry_resolve(const cop_via_name *via);
int cop_registry_take(const cop_via_name *via, cop_pid *ret_holder);
#define COP_VIA(registry_, key_, ...)                                                    \
    (&(cop_via_name){ .resolve = cop_registry_resolve, .take = cop_registry_take,        \
                      .directory = (const cop_registry *){ (registry_) }, .key = (key_), \
                      __VA_ARGS__ })
#define cop_via(registry_, key_) cop_to_via(COP_VIA(registry_, key_))

/* [any thread] Values of the registry itself, gone when it ends.  COP_ENOPROC, COP_EINVAL; put
 * COP_ENOMEM; get COP_ENOT_FOUND.  Elixir: put_meta/3, meta/2, delete_meta/2. */
int cop_registry_put_meta(const cop_registry *registry, const char *key, cop_registry_value value);
int cop_registry_meta(const cop_registry *registry, const char *key, cop_registry_value *ret_value);
int cop_registry_delete_meta(const cop_registry *registry, const char *key);

/* What listeners get, sent by the process that registers, unregisters or, beyond Elixir, ends; not
 * when the registry ends.  One who sends it waits for a listener with a bounded mailbox that lets
 * senders wait (process.h), or, at its end, drops the event when that is full. */
typedef struct cop_registry_event {
    const char *registry;      /* the registry's name; lives as long as the program */
    char key[128];             /* cut if longer */
    cop_pid pid;
    cop_registry_value value;
    bool registered;           /* or unregistered */
    bool owner_ended;          /* unregistered because its process ended */
} cop_registry_event;
extern const cop_message_type cop_type_cop_registry_event;

#ifdef __cplusplus
}
#endif
#endif
