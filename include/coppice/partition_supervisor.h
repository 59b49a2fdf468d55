/* partition_supervisor.h - the same child several times, addressed by key.
 *
 * Concept.  Starts `partitions` children from one spec, numbered from 0, and leads each key to one
 * of them, so that what would be one busy process becomes several.  A lookup is done by the
 * caller on shared memory, without a lock.  Elixir: PartitionSupervisor.
 *
 *     static const cop_child_spec counter_spec = COP_CHILD_SERVER(counter);
 *     static const cop_partition_supervisor counters = { .name = "counters",
 *                                                        .child = &counter_spec };
 *
 *     cop_call(cop_partition(&counters, user_id), &reply, get);
 *
 * Life cycle.  As any supervisor's, restarts and strategies included.  It is known by its name, so
 * the struct may be a copy, of which only the name is used once it runs.
 *
 * Threads.  Routing: [any thread].  The rest: [process] [may block], as supervisor.h. */
#ifndef COPPICE_PARTITION_SUPERVISOR_H
#define COPPICE_PARTITION_SUPERVISOR_H

#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { COP_PARTITIONS_MAX = 65536 };

typedef struct cop_partition_supervisor {
    const char *name;                 /* required; it is found and registered by it */
    const cop_child_spec *child;      /* required, copied; its id is not used */
    unsigned partitions;              /* 0: one a scheduler */
    enum cop_strategy strategy;
    cop_intensity intensity;
    /* NULL: every child gets the spec's argument.  Else called in the supervisor before each start
     * with a copy of the spec; may change the argument in it (to static memory, or to
     * cop_alloc's, which is the supervisor's and stays until it ends).  A name that the children
     * are to have is best made here too. */
    void (*with_argument)(cop_child_spec *spec, unsigned partition);
} cop_partition_supervisor;

/* Start functions, and for spec tables.  As cop_supervisor_start_opt; COP_EINVAL also for no name,
 * no child, or more than COP_PARTITIONS_MAX partitions. */
cop_started cop_partition_supervisor_start_opt(const cop_partition_supervisor *supervisor,
                                               const cop_start_options *options);
#define cop_partition_supervisor_start_link(supervisor_, ...)                            \
    cop_partition_supervisor_start_opt((supervisor_),                                    \
                                       &(cop_start_options){ .link = true, __VA_ARGS__ })
cop_started cop_child_partition_supervisor(const void *module, const void *argument,
                                           size_t argument_size);
#define COP_CHILD_PARTITION_SUPERVISOR(supervisor_, ...)                                 \
    { .id = #supervisor_, .start = cop_child_partition_supervisor,                       \
      .module = COP_MODULE(cop_partition_supervisor, supervisor_),                       \
      .type = COP_SUPERVISOR, __VA_ARGS__ }

/* ---- routing --------------------------------------------------------------------------- */

/* [any thread] The process that a key leads to: the one whose number is the key modulo the
 * partitions that run; COP_NO_PID while that one is being restarted, or if there are none. */
cop_pid cop_partition_supervisor_whereis(const cop_partition_supervisor *supervisor, uint64_t key);

/* cop_partition(supervisor, key): the same as a destination, which may stand wherever a pid may. */
cop_pid cop_partition_resolve(const cop_via_name *via);
#define cop_partition(supervisor_, key_)                                                 \
    cop_to_via(&(cop_via_name){ .resolve = cop_partition_resolve,                        \
                                .directory =                                             \
                                    (const cop_partition_supervisor *){ (supervisor_) }, \
                                .number = (int64_t)(key_) })

/* [any thread] A key made of a text. */
uint64_t cop_partition_key(const char *text);

/* [any thread] How many partitions it was started with; 0 if it does not run. */
unsigned cop_partition_supervisor_partitions(const cop_partition_supervisor *supervisor);

/* ---- the supervisor -------------------------------------------------------------------- */

/* Changes how many run, 0 up to the number that it was started with: stops the highest, or
 * starts them again.  *ret_before, if not NULL, is the number before.  Children must not be
 * temporary: their specs are forgotten with them.  COP_EINVAL: more than it was started with;
 * COP_ENOPROC; COP_EFAILED: one does not start, and the keys stay with those that ran before;
 * COP_ENOT_FOUND: a temporary one.  Elixir: resize!/2. */
int cop_partition_supervisor_resize(const cop_partition_supervisor *supervisor, unsigned partitions,
                                    unsigned *ret_before);

/* As of supervisor.h.  Ids are "0", "1", ... */
int cop_partition_supervisor_which_children(const cop_partition_supervisor *supervisor,
                                            cop_child_info **ret_children, size_t *ret_count);
int cop_partition_supervisor_count_children(const cop_partition_supervisor *supervisor,
                                            cop_child_counts *ret_counts);
int cop_partition_supervisor_stop(const cop_partition_supervisor *supervisor,
                                  const cop_reason *reason);

#ifdef __cplusplus
}
#endif
#endif
