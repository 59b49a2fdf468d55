/* application.h - the parts of a system, started in order of dependency, stopped in reverse.
 *
 * Concept.  An application is a supervision tree with a name, a list of the applications that it
 * needs, and a say in what happens when its tree ends by itself: a permanent one takes the node
 * with it, a transient one unless the reason is normal, a temporary one never.  OTP: application.
 *
 *     static const char *const needs[] = { "ledger", NULL };
 *     static const cop_application shop = { .name = "shop", .applications = needs,
 *                                           .supervisor = &shop_supervisor };
 *     cop_application_load(&ledger);
 *     cop_application_load(&shop);
 *     cop_application_ensure_all_started("shop", COP_PERMANENT);
 *     ...
 *     cop_application_stop_all();     // the first process, before it returns
 *
 * Life cycle.  loaded -> starting -> running -> stopping -> loaded.  Starting: the top process and
 * so its tree, then the phases.  Stopping: prep_stop, the tree is shut down, stop, and then every
 * process that descends from the application and still lives is killed.  That is who is in its
 * group (cop_group): whom its processes have spawned, and so on, whoever of them has ended; not a
 * child that another application's supervisor has started for it.  When the top process ends by
 * itself, the same is done without the shutting down, and a report tells the reason; a tree that
 * ends is not started again.
 *
 * The callbacks run in a process of the application's own, the parent of the top process; one that
 * crashes ends the application with its reason.  The controller is a process that the first load
 * starts, linked to nobody, registered as "application_controller"; requests for one
 * application are served one after the other, a stop waits for a start under way.
 *
 * When a permanent one ends, all others are stopped, last started first, and the node ends with
 * status 1 (cop_halt); nothing can be started then (COP_EFAILED with reason terminating).
 *
 * Threads.  [process] [may block] all of it; without a limit of time.  Outside of a process:
 * COP_EOUTSIDE. */
#ifndef COPPICE_APPLICATION_H
#define COPPICE_APPLICATION_H

#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every field but the name may be left out; with neither start nor supervisor there is no tree, and
 * the application runs until it is stopped. */
typedef struct cop_application {
    const char *name;
    const char *const *applications;    /* those that must run first, NULL-terminated; or NULL */
    const cop_supervisor *supervisor;   /* the top of its tree, unless `start` is given */
    /* Starts the top process, linked to the caller; type as given to the start. */
    cop_started (*start)(const struct cop_application *application, enum cop_restart type);
    const char *const *phases;          /* start phases in order, NULL-terminated; or NULL */
    /* Called for each phase when the tree is up; anything but 0 fails the start, and the tree is
     * shut down without prep_stop and stop. */
    int (*start_phase)(const struct cop_application *application, const char *phase);
    void (*prep_stop)(const struct cop_application *application);
    void (*stop)(const struct cop_application *application);
    int64_t shutdown_ms;                /* time for the tree to shut down, then all of the
                                         * application's processes are killed; 0: no limit */
} cop_application;

/* Makes it known.  The struct must stay valid.  0; COP_EALREADY_PRESENT if one of that name is
 * known; COP_EINVAL for one without a name or with phases and no start_phase; COP_ELIMIT for more
 * than COP_GROUP_MAX; COP_ENOMEM. */
int cop_application_load(const cop_application *application);

/* Forgets it.  COP_ERUNNING unless it is stopped; COP_ENOT_FOUND. */
int cop_application_unload(const char *name);

/* Starts one; on success pid is its top process.  type: COP_PERMANENT, COP_TRANSIENT,
 * COP_TEMPORARY.  COP_EALREADY_STARTED with the pid; COP_ENOPROC with reason {not_started, Name} if
 * one that it needs does not run; COP_EFAILED with the reason (of a phase: {start_phase, {Phase,
 * Error}}); COP_ENOT_FOUND; COP_EINVAL. */
cop_started cop_application_start(const char *name, enum cop_restart type);

/* The same, and first, one after the other, whatever it needs and does not run yet.  Error 0 also
 * if all of it runs.  When one fails, those that this call has started are stopped again, and the
 * reason is {Name, Reason}.  COP_ENOT_FOUND with {not_loaded, Name}; COP_EINVAL with {circular,
 * Name} when the needs go round in a circle. */
cop_started cop_application_ensure_all_started(const char *name, enum cop_restart type);

/* Stops one, whether others need it or not, and waits until all its processes are gone.  0;
 * COP_ENOT_FOUND if it does not run. */
int cop_application_stop(const char *name);

/* Stops all, last started first. */
int cop_application_stop_all(void);

enum cop_application_state {
    COP_APPLICATION_LOADED,
    COP_APPLICATION_STARTING,
    COP_APPLICATION_RUNNING,
    COP_APPLICATION_STOPPING
};
typedef struct cop_application_info {
    const cop_application *application;
    enum cop_application_state state;
    enum cop_restart type;     /* of the last start */
    cop_pid top;               /* when it runs, and has one */
    unsigned group;            /* of its processes */
} cop_application_info;

/* All that are known, in one block that the caller frees with cop_free.  Those that are started
 * come in the order of their starts. */
int cop_application_which(cop_application_info **ret_list, size_t *ret_count);

#ifdef __cplusplus
}
#endif
#endif
