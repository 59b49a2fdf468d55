/* request.h - what callers and supervisors say to each other.
 *
 * A request carries all it needs in the message, for the caller may be killed while the
 * supervisor reads it: strings and copied arguments lie in the extra bytes behind the struct, and
 * the struct's pointers lead there.  Likewise the replies.
 *
 * The types are declared by hand, not by COP_MESSAGE, so that no program's type of the same
 * name can be taken for one of them. */
#ifndef COPI_REQUEST_H
#define COPI_REQUEST_H

#include <coppice/dynamic_supervisor.h>

/* ---- requests ---------------------------------------------------------------------- */

/* start_child, of both kinds. */
typedef struct copi_start_child { _Alignas(16) cop_child_spec spec; } copi_start_child;

/* start_from: a child of the template, with this argument. */
typedef struct copi_start_from {
    _Alignas(16) const void *argument;
    size_t argument_size;
} copi_start_from;

/* Those that name a child by its id ... */
typedef struct copi_by_id { const char *id; } copi_by_id;
typedef copi_by_id copi_terminate_child, copi_restart_child, copi_delete_child, copi_get_childspec,
    copi_which_child;
/* ... or by its pid. */
typedef struct copi_by_pid { cop_pid pid; } copi_by_pid;
typedef copi_by_pid copi_terminate_pid, copi_which_pid, copi_get_pidspec;

typedef struct copi_await_restart {
    const char *id;
    cop_pid old;
    int64_t until_ns;              /* when the caller waits no longer */
} copi_await_restart;

typedef struct copi_which_children { char cop_empty; } copi_which_children;
typedef struct copi_count_children { char cop_empty; } copi_count_children;

/* ---- casts that a supervisor sends itself: a child's time has come (upkeep.h), or its restart
 * failed and is to be tried again ---------------------------------------------------- */

typedef copi_by_id copi_due_child;

typedef struct copi_due_pid {
    cop_pid pid;                   /* of one that is being restarted, the one that it had */
    const cop_reason *reason;      /* why it is down, or NULL; owned */
} copi_due_pid;

/* ---- what others tell a supervisor ------------------------------------------------- */

/* A child's answer to a probe. */
typedef struct copi_alive { char cop_empty; } copi_alive;

/* To the watcher of a deadline: a process had to be killed.  The path follows. */
typedef struct copi_straggler {
    cop_pid pid;
    bool asked;
    char path[];
} copi_straggler;

/* ---- replies ----------------------------------------------------------------------- */

typedef struct copi_started { cop_started started; } copi_started;    /* owns its reason */
typedef struct copi_done { int error; } copi_done;
typedef struct copi_children {
    size_t count;
    cop_child_info *children;
    char *room;                    /* where the next one's id goes, while it is made */
} copi_children;
typedef struct copi_counts { cop_child_counts counts; } copi_counts;
typedef struct copi_childspec { _Alignas(16) cop_child_spec spec; } copi_childspec;
typedef struct copi_status { cop_child_status status; } copi_status;    /* owns its last_end */

extern const cop_message_type cop_type_copi_start_child, cop_type_copi_start_from,
    cop_type_copi_terminate_child, cop_type_copi_restart_child, cop_type_copi_delete_child,
    cop_type_copi_get_childspec, cop_type_copi_terminate_pid, cop_type_copi_which_children,
    cop_type_copi_count_children, cop_type_copi_which_child, cop_type_copi_which_pid,
    cop_type_copi_get_pidspec, cop_type_copi_await_restart, cop_type_copi_due_child,
    cop_type_copi_due_pid, cop_type_copi_alive, cop_type_copi_straggler, cop_type_copi_started,
    cop_type_copi_done, cop_type_copi_children, cop_type_copi_counts, cop_type_copi_childspec,
    cop_type_copi_status;

/* ---- making them ------------------------------------------------------------------- */

/* A request that names a child by its id. */
cop_message *copi_request_by_id(const cop_message_type *type, const char *id);

/* A request or a reply with a spec: type is copi_start_child or copi_childspec. */
cop_message *copi_message_with_spec(const cop_message_type *type, const cop_child_spec *spec);

cop_message *copi_request_start_from(const void *argument, size_t argument_size);

cop_message *copi_request_await(const char *id, cop_pid old, int64_t until_ns);

/* A reply with room for `count` children, whose ids have id_bytes in all, final NULs included;
 * copi_reply_add_child puts the next one in. */
cop_message *copi_reply_children(size_t count, size_t id_bytes);
void copi_reply_add_child(cop_message *reply, const cop_child_info *child);

/* Sends the watcher of a deadline a copi_straggler. */
void copi_tell_straggler(cop_ref watcher, cop_pid pid, bool asked, const char *path);

/* What handle_call returns; a status's last_end is taken over. */
cop_next copi_answer_status(const cop_child_status *status);
cop_next copi_answer_started(cop_started started);    /* takes its reason over */
cop_next copi_answer_error(int error);

/* ---- the caller's side ------------------------------------------------------------- */

/* Calls without a time limit.  On 0 the reply, of type `expected`, is the caller's; an error may
 * be one that the supervisor answered with (copi_done).  On COP_EDOWN *ret_reason, if asked
 * for, is the caller's. */
int copi_request(cop_dest supervisor, cop_message *request, const cop_message_type *expected,
                 cop_message **ret_reply, const cop_reason **ret_reason);

/* The same for requests that are answered with copi_done, and with copi_started. */
int copi_request_done(cop_dest supervisor, cop_message *request);
cop_started copi_request_started(cop_dest supervisor, cop_message *request);

/* The same for a status, and for a spec in a block of its own (supervisor_api.c). */
int copi_request_status(cop_dest supervisor, cop_message *request, cop_child_status *ret_status);
int copi_request_spec(cop_dest supervisor, cop_message *request, cop_child_spec **ret_spec);

#endif
