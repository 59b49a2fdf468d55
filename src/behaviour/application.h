/* application.h - between the parts of an application's life.
 *
 *     application.c              the callers' side: requests to the controller
 *     application_controller.c   the controller: who is loaded, who runs, who waits for it
 *     application_master.c       two processes for each application that runs
 *
 *     controller                runs no code of a program's, waits for nobody
 *       master                  runs none either; last of its group, kills what is left of it
 *         runner                the callbacks; parent of the top process
 *           top ...
 *
 * The runner tells the master, and the master the controller: up, when the start is done; over, as
 * the last word.  stop goes the other way. */
#ifndef COPI_APPLICATION_H
#define COPI_APPLICATION_H

#include <coppice/application.h>

#define COPI_APPLICATION_CONTROLLER "application_controller"

/* ---- requests to the controller; those with a name have its bytes behind the struct ---- */

typedef struct copi_application_load { const cop_application *application; } copi_application_load;
typedef struct copi_application_named {
    const char *name;
    enum cop_restart type;                /* of a start */
} copi_application_named;
typedef copi_application_named copi_application_unload, copi_application_start,
    copi_application_stop;
typedef struct copi_application_which { char cop_empty; } copi_application_which;

/* The reply to the last; the others get copi_done and copi_started. */
typedef struct copi_application_list {
    size_t count;
    cop_application_info infos[];
} copi_application_list;

/* ---- the life of one ------------------------------------------------------------------- */

/* The start is done. */
typedef struct copi_application_up { cop_pid top; } copi_application_up;
/* It has failed, has ended, or is stopped.  Owns its reason. */
typedef struct copi_application_over { cop_started started; } copi_application_over;
/* To the master, and to the runner: stop. */
typedef struct copi_application_down { char cop_empty; } copi_application_down;

extern const cop_message_type cop_type_copi_application_load, cop_type_copi_application_unload,
    cop_type_copi_application_start, cop_type_copi_application_stop,
    cop_type_copi_application_which, cop_type_copi_application_list, cop_type_copi_application_up,
    cop_type_copi_application_over, cop_type_copi_application_down;

/* What a master is started with. */
struct application_life {
    const cop_application *application;
    enum cop_restart type;
    unsigned group;
};

/* The master's main function; its argument is a struct application_life, its own. */
void copi_application_master(void *life);

extern const cop_gen_server copi_application_controller;

#endif
