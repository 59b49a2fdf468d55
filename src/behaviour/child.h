/* child.h - what both kinds of supervisor do with a child: check and copy its spec, start it,
 * stop it, report about it. */
#ifndef COPI_CHILD_H
#define COPI_CHILD_H

#include <coppice/log.h>
#include <coppice/supervisor.h>

#include "policy.h"
#include "table.h"

/* The supervisor, as these functions see it. */
struct keeper {
    const char *name;          /* it is registered under, or NULL */
    struct table unheard;      /* see copi_child_stop */
    const cop_deadline *deadline;    /* of the tree, while it is being stopped by one; or NULL */
};

/* In the supervisor's init. */
void copi_keeper_init(struct keeper *keeper);

/* ---- specs ------------------------------------------------------------------------- */

/* One that is set has a period; one that is not has nothing. */
bool copi_intensity_is_wrong(const cop_intensity *intensity);

/* What is wrong with a spec, in OTP's words as far as it has them, or NULL.  The id may be missing.
 * The second one is for children of dynamic supervisors. */
const char *copi_spec_fault(const cop_child_spec *spec, enum cop_strategy strategy,
                            enum cop_auto_shutdown auto_shutdown);
const char *copi_spec_dynamic_fault(const cop_child_spec *spec);

/* What a call that brings such a spec gets: COP_EINVAL and {start_spec, {Fault, Id}}. */
cop_started copi_spec_refused(const char *fault, const char *id);

/* Copies a sound spec, fills in its defaults, and puts its id and its argument into room:
 * copi_spec_room bytes, aligned as cop_alloc does. */
size_t copi_spec_room(const cop_child_spec *spec);
void copi_spec_copy(cop_child_spec *ret_spec, const cop_child_spec *spec, void *room);

/* Specs with what they point to in one block that may be moved.  pack writes it, to room of that
 * many bytes, aligned for any type; unpack, where it is to stay, makes its pointers lead into it.
 * They are as they were given: nothing is checked, no default is filled in. */
size_t copi_specs_room(const cop_child_spec *specs, size_t count);
void copi_specs_pack(void *room, const cop_child_spec *specs, size_t count);
const cop_child_spec *copi_specs_unpack(void *room, size_t count);

/* ---- start and stop ---------------------------------------------------------------- */

/* Runs the spec's start function.  The error is 0 with a pid, COP_EIGNORED,
 * COP_EALREADY_STARTED with a pid, or COP_EFAILED with a reason. */
cop_started copi_child_start(const cop_child_spec *spec);

/* The reason of a start that failed, for reports; takes over what `started` owns. */
const cop_reason *copi_start_failure(const cop_started *started);

/* Stops a child as its spec says, by the tree's deadline if there is one, and waits until it is
 * down; reports a shutdown_error when it did not end as it should.
 *
 * The child stays linked until it is dead, so that it dies with a supervisor that is killed
 * meanwhile; the monitor is for a child that has unlinked itself.  A child that was dead already
 * leaves only `noproc` to its monitor.  Why it ended is in its exit message, somewhere in the
 * mailbox or on its way: it is not searched for but awaited among the others, in `unheard`,
 * and the report follows when it comes. */
void copi_child_stop(struct keeper *keeper, const cop_child_spec *spec, cop_pid pid);

/* The steps of that, for those who stop many at once.
 *
 * asks it to finish what it has begun;
 * asks it to end, or kills it if its spec says so;
 * kills it because its time is over, and tells the watcher of the tree's deadline, if there is one;
 * asked: it had been told to end.
 *
 * By a deadline, a supervisor is killed with all that descends from it. */
void copi_child_drain(cop_pid pid);
void copi_child_ask(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid);
void copi_child_late(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid,
                     bool asked);

/* Kills a process which lives and all that descends from it.  With a path, its own, the watcher is
 * told of those below it. */
void copi_kill_tree(cop_pid top, cop_ref watcher, const char *path);

/* How long a child may take: ms, or what the tree's deadline leaves of it. */
int64_t copi_child_time(const struct keeper *keeper, int64_t ms);

/* What a supervisor may use of the time that is left to whoever stops it, which keeps the rest for
 * killing those who are late. */
int64_t copi_left_for_child(int64_t ms);

/* It was dead before it was stopped: its exit message is awaited among the others. */
void copi_child_await_exit(struct keeper *keeper, const cop_child_spec *spec, cop_pid pid);

/* Hands over the exit message of a process that is not a child, or no longer one. */
void copi_child_heard(struct keeper *keeper, const cop_exit_message *gone);

/* At the supervisor's end: waits for those that were not heard of. */
void copi_child_hear_all(struct keeper *keeper);

/* ---- reports ----------------------------------------------------------------------- */

enum child_end copi_child_end(const cop_reason *reason);

/* context: start_error, shutdown_error, shutdown; ended: child_terminated. */
void copi_report(const struct keeper *keeper, const char *context, const char *id, cop_pid pid,
                 const cop_reason *reason);
void copi_report_ended(const struct keeper *keeper, const char *id, cop_pid pid,
                       const cop_reason *reason, uint64_t restarts);

/* Reports a child that was stopped, unless it ended as it should.  The reason `noproc` is that of a
 * child that was dead and not linked: why it ended, nobody knows. */
void copi_report_stopped(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid,
                         const cop_reason *reason);

/* What a supervisor ends with that gives up: shutdown, with the end of its child as the origin, and
 * so on down to the child at which it began. */
const cop_reason *copi_give_up_reason(const char *id, const cop_reason *last_end);

/* It gives up for want of restarts, the child's own (spent) or its supervisor's. */
void copi_report_give_up(const struct keeper *keeper, const char *id, cop_pid pid, bool spent,
                         const cop_reason *origin);

/* The child has spent its budget and stays down. */
void copi_report_spent(const struct keeper *keeper, const char *id, cop_pid pid,
                       const cop_reason *last_end);

void copi_report_progress(const struct keeper *keeper, enum cop_log_level level, const char *id,
                          cop_pid pid);

/* A restart is complete: the children in ids run again, after `id` had ended with reason. */
void copi_report_restart(const struct keeper *keeper, const char *id, cop_pid pid,
                         const cop_reason *reason, const char *const *ids, size_t count);

void copi_report_unexpected(const cop_message *message);

#endif
