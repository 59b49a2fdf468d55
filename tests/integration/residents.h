/* residents.h - for stories of registries: processes that do what they are told, one thing after
 * the other, and the registries that they stand in.
 *
 *     cop_pid ann = resident();
 *     in(ann, takes_lobby);          // runs takes_lobby(NULL) in ann; returns when it has returned
 *     leaves(ann, COP_KILL);         // returns when ann is down
 */
#ifndef TEST_RESIDENTS_H
#define TEST_RESIDENTS_H

#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "worker.h"

COP_MESSAGE(act, { cop_function *function; cop_pid from; });
COP_MESSAGE(acted, COP_EMPTY);

static inline void resident_main(void *argument)
{
    (void)argument;
    for (;;) {
        const act *request = cop_receive_type(act, COP_INFINITY);
        cop_pid from = request->from;
        request->function(NULL);
        cop_send(from, acted, 0);
    }
}

static inline cop_pid resident(void)
{
    cop_pid pid = cop_spawn(resident_main, NULL, 0);
    ck_assert(!cop_pid_is_none(pid));
    return pid;
}

static inline void in(cop_pid pid, cop_function *function)
{
    cop_send(pid, act, .function = function, .from = cop_self());
    cop_message *message = cop_take(&(cop_match){ .type = COP_TYPE(acted), .from = pid }, 1000);
    ck_assert_ptr_nonnull(message);
    cop_message_free(message);
}

static inline void await_down(cop_pid pid)
{
    cop_ref ref = cop_monitor(pid);
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
}

static inline void leaves(cop_pid pid, const cop_reason *reason)
{
    cop_exit_process(pid, reason);
    await_down(pid);
}

/* ---- the registries -------------------------------------------------------------------- */

/* Every story is told with few and with many partitions. */
static const unsigned partition_counts[] = { 1, 8, 0 };
enum { PARTITION_COUNTS = 3 };

static cop_registry rooms = { .name = "rooms" };                             /* unique keys */
static cop_registry topics = { .name = "topics", .keys = COP_DUPLICATE };

static inline cop_pid open_registry(const cop_registry *registry)
{
    cop_started started = cop_registry_start_link(registry);
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

static inline void partitioned(int index)
{
    rooms.partitions = topics.partitions = partition_counts[index];
}

#define expect_pid(actual_, expected_) ck_assert(cop_pid_equal((actual_), (expected_)))

static inline void trace_entry(const cop_registry_entry *entry, void *context)
{
    (void)context;
    trace("%s: %lld", entry->key, (long long)entry->value.number);
}

/* Both registries are as if nobody had ever been in them. */
static inline void expect_no_entries(void)
{
    ck_assert_uint_eq(cop_registry_count(&rooms) + cop_registry_count(&topics), 0);
    ck_assert_uint_eq(cop_registry_select(&rooms, trace_entry, NULL), 0);
    ck_assert_uint_eq(cop_registry_select(&topics, trace_entry, NULL), 0);
}

#endif
