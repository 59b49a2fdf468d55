/* partition_supervisor.c - a supervisor of the same child several times, and the table that leads
 * keys to them.
 *
 * It is an ordinary supervisor whose children are started by start_partition, which writes each new
 * pid into the record of directory.h; everything that others ask of a supervisor, they ask it. */
#include <coppice/partition_supervisor.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/runtime.h>

#include "child.h"
#include "directory.h"
#include "table.h"

/* What is shared.  Each word stands for itself, so relaxed would do, but for two: who reads a pid
 * (acquire) sees what its start had done before (release); and those who resize at once must agree
 * on which of their numbers is the last (seq_cst, in resize). */
struct partition_record {
    struct directory_record record;   /* parts: the children */
    _Atomic unsigned wanted;          /* how many are to run; the rest is not started */
    _Atomic unsigned routed;          /* how many the keys are spread over */
    _Atomic uint64_t pids[];
};

/* In the supervisor's memory: a child's start, and the spec behind all of them. */
struct partition {
    const struct pool *pool;
    unsigned number;
};

struct pool {
    struct partition_record *record;
    cop_child_spec child;
    void (*with_argument)(cop_child_spec *spec, unsigned partition);
    struct partition partitions[];
};

/* The specs that the supervisor's own init gets: the child, and the name as the id of another. */
enum { GIVEN_CHILD, GIVEN_NAME, GIVEN };

static struct directory pools = DIRECTORY_INITIALIZER;

/* ---- the record ------------------------------------------------------------------------ */

static struct directory_record *make(unsigned parts)
{
    struct partition_record *record =
        calloc(1, sizeof *record + parts * sizeof record->pids[0]);
    return record != NULL ? &record->record : NULL;
}

static struct partition_record *find(const cop_partition_supervisor *supervisor)
{
    if (supervisor == NULL || supervisor->name == NULL) return NULL;
    return (struct partition_record *)copi_directory_find(&pools, supervisor->name);
}

static void close_record(void *argument)
{
    struct partition_record *record = argument;
    copi_directory_withdraw(&record->record);
    for (unsigned i = 0; i < record->record.parts; i++)
        atomic_store_explicit(&record->pids[i], 0, memory_order_release);
    copi_directory_close(&pools, &record->record);
}

/* Opens the record for the calling process, or ends its start. */
static struct partition_record *open_record(const char *name, unsigned parts)
{
    struct directory_record *opened;
    cop_pid holder = COP_NO_PID;
    int error = copi_directory_open(&pools, name, parts, make, &opened, &holder);
    if (error != COP_OK) cop_init_fail(error, holder, NULL, NULL);
    struct partition_record *record = (struct partition_record *)opened;
    atomic_store_explicit(&record->wanted, parts, memory_order_relaxed);
    atomic_store_explicit(&record->routed, parts, memory_order_relaxed);
    cop_defer(close_record, record);
    copi_directory_publish(&record->record);
    return record;
}

/* ---- the supervisor's process ---------------------------------------------------------- */

/* A group restart starts the children again that resize has stopped, too: those ignore it. */
static cop_started start_partition(const void *module, const void *argument, size_t argument_size)
{
    (void)argument;
    (void)argument_size;
    const struct partition *partition = module;
    const struct pool *pool = partition->pool;
    struct partition_record *record = pool->record;
    if (partition->number >= atomic_load_explicit(&record->wanted, memory_order_relaxed))
        return (cop_started){ COP_EIGNORED, COP_NO_PID, NULL };

    cop_child_spec spec = pool->child;
    if (pool->with_argument != NULL) pool->with_argument(&spec, partition->number);
    cop_started started = spec.start(spec.module, spec.argument, spec.argument_size);
    if (started.error == COP_OK)
        atomic_store_explicit(&record->pids[partition->number], started.pid.bits,
                              memory_order_release);
    return started;
}

/* The name and the child are those of `given`: the starter, whose they were, may be gone. */
static struct pool *pool_new(const cop_partition_supervisor *supervisor,
                             const cop_child_spec *given, unsigned parts)
{
    struct pool *pool = cop_alloc(sizeof *pool + parts * sizeof pool->partitions[0]);
    pool->record = open_record(given[GIVEN_NAME].id, parts);
    void *room = cop_alloc(copi_spec_room(&given[GIVEN_CHILD]) + 1);   /* it may be 0 */
    copi_spec_copy(&pool->child, &given[GIVEN_CHILD], room);
    pool->with_argument = supervisor->with_argument;
    for (unsigned i = 0; i < parts; i++)
        pool->partitions[i] = (struct partition){ pool, i };
    return pool;
}

/* The children's specs: ids "0", "1", ..., and all else from the one that was given. */
static const cop_child_spec *specs_of(const struct pool *pool, unsigned parts)
{
    enum { ID_BYTES = 12 };
    cop_child_spec *specs = cop_alloc(parts * (sizeof *specs + ID_BYTES));
    char *id = (char *)(specs + parts);
    for (unsigned i = 0; i < parts; i++, id += ID_BYTES) {
        snprintf(id, ID_BYTES, "%u", i);
        specs[i] = pool->child;
        specs[i].id = id;
        specs[i].start = start_partition;
        specs[i].module = &pool->partitions[i];
        specs[i].argument = NULL;
        specs[i].argument_size = 0;
    }
    return specs;
}

static cop_next init(cop_supervisor *flags, const void *argument)
{
    const cop_partition_supervisor *supervisor = argument;
    unsigned parts = supervisor->partitions;
    if (parts == 0) parts = (unsigned)cop_schedulers();
    const struct pool *pool = pool_new(supervisor, flags->children, parts);
    flags->children = specs_of(pool, parts);
    flags->child_count = parts;
    return cop_ok();
}

static bool is_sound(const cop_partition_supervisor *supervisor)
{
    return supervisor != NULL && supervisor->name != NULL && supervisor->child != NULL &&
           copi_spec_fault(supervisor->child, supervisor->strategy, COP_NEVER) == NULL &&
           supervisor->partitions <= COP_PARTITIONS_MAX;
}

cop_started cop_partition_supervisor_start_opt(const cop_partition_supervisor *supervisor,
                                               const cop_start_options *options)
{
    if (!is_sound(supervisor) || options == NULL)
        return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    const cop_child_spec given[GIVEN] = { [GIVEN_CHILD] = *supervisor->child,
                                          [GIVEN_NAME] = { .id = supervisor->name } };
    const cop_supervisor flags = {
        .name = supervisor->name,
        .strategy = supervisor->strategy,
        .intensity = supervisor->intensity,
        .children = given,
        .child_count = GIVEN,
        .init = init,
    };
    cop_start_options start = *options;
    start.argument = supervisor;
    start.argument_size = sizeof *supervisor;
    return cop_supervisor_start_opt(&flags, &start);
}

cop_started cop_child_partition_supervisor(const void *module, const void *argument,
                                           size_t argument_size)
{
    return cop_partition_supervisor_start_link(module, .argument = argument,
                                               .argument_size = argument_size);
}

/* ---- routing --------------------------------------------------------------------------- */

cop_pid cop_partition_supervisor_whereis(const cop_partition_supervisor *supervisor, uint64_t key)
{
    struct partition_record *record = find(supervisor);
    if (record == NULL) return COP_NO_PID;
    unsigned count = atomic_load_explicit(&record->routed, memory_order_relaxed);
    if (count == 0) return COP_NO_PID;
    cop_pid pid = { atomic_load_explicit(&record->pids[key % count], memory_order_acquire) };
    return cop_is_alive(pid) ? pid : COP_NO_PID;
}

cop_pid cop_partition_resolve(const cop_via_name *via)
{
    return cop_partition_supervisor_whereis(via->directory, (uint64_t)via->number);
}

uint64_t cop_partition_key(const char *text)
{
    return copi_table_hash(text);
}

unsigned cop_partition_supervisor_partitions(const cop_partition_supervisor *supervisor)
{
    struct partition_record *record = find(supervisor);
    return record != NULL ? record->record.parts : 0;
}

/* ---- resizing -------------------------------------------------------------------------- */

static int stop_partition(cop_dest process, unsigned number)
{
    char id[12];
    snprintf(id, sizeof id, "%u", number);
    return cop_supervisor_terminate_child(process, id);
}

/* 0 also if it runs, or will. */
static int run_partition(cop_dest process, unsigned number)
{
    char id[12];
    snprintf(id, sizeof id, "%u", number);
    cop_started started = cop_supervisor_restart_child(process, id);
    cop_reason_unref(started.reason);
    bool runs = started.error == COP_ERUNNING || started.error == COP_ERESTARTING;
    return runs ? COP_OK : started.error;
}

/* Makes the partitions be as many as are wanted.  Keys are led to no partition that is about to be
 * stopped, nor to one before it runs. */
static int resize_to(struct partition_record *record, cop_dest process, unsigned wanted)
{
    unsigned routed = atomic_load_explicit(&record->routed, memory_order_relaxed);
    if (wanted < routed) atomic_store_explicit(&record->routed, wanted, memory_order_relaxed);
    int error = COP_OK;
    for (unsigned i = record->record.parts; i > wanted && error == COP_OK; i--)
        error = stop_partition(process, i - 1);
    for (unsigned i = 0; i < wanted && error == COP_OK; i++) error = run_partition(process, i);
    if (error == COP_OK) atomic_store_explicit(&record->routed, wanted, memory_order_relaxed);
    return error;
}

/* Of several who resize at once, the last one's number counts: whoever finds that it has changed
 * meanwhile does it over, so that it holds when all have returned. */
int cop_partition_supervisor_resize(const cop_partition_supervisor *supervisor, unsigned partitions,
                                    unsigned *ret_before)
{
    struct partition_record *record = find(supervisor);
    if (record == NULL) return COP_ENOPROC;
    if (partitions > record->record.parts) return COP_EINVAL;
    cop_dest process = cop_to_pid(copi_directory_holder(&record->record));
    unsigned before = atomic_exchange(&record->wanted, partitions);
    unsigned wanted;
    int error;
    do {
        wanted = atomic_load(&record->wanted);
        error = resize_to(record, process, wanted);
    } while (error == COP_OK && wanted != atomic_load(&record->wanted));
    if (error == COP_OK && ret_before != NULL) *ret_before = before;
    return error == COP_EDOWN ? COP_ENOPROC : error;
}

/* ---- as of any supervisor -------------------------------------------------------------- */

/* Its process, or none: then these functions return COP_ENOPROC. */
static cop_dest process_of(const cop_partition_supervisor *supervisor)
{
    struct partition_record *record = find(supervisor);
    return cop_to_pid(record != NULL ? copi_directory_holder(&record->record) : COP_NO_PID);
}

int cop_partition_supervisor_which_children(const cop_partition_supervisor *supervisor,
                                            cop_child_info **ret_children, size_t *ret_count)
{
    return cop_supervisor_which_children(process_of(supervisor), ret_children, ret_count);
}

int cop_partition_supervisor_count_children(const cop_partition_supervisor *supervisor,
                                            cop_child_counts *ret_counts)
{
    return cop_supervisor_count_children(process_of(supervisor), ret_counts);
}

int cop_partition_supervisor_stop(const cop_partition_supervisor *supervisor,
                                  const cop_reason *reason)
{
    return cop_supervisor_stop(process_of(supervisor), reason);
}
