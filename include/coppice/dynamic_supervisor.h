/* dynamic_supervisor.h - children that come and go.
 *
 * Concept.  A supervisor that starts with no children; each is started on demand, has no
 * id, is known by its pid, and is forgotten when it has ended for good.  One crash
 * restarts one child.  They are all stopped at once, in parallel.
 * OTP: simple_one_for_one; Elixir: DynamicSupervisor.
 *
 * With a template (OTP's simple_one_for_one) every child is started from one spec and
 * differs in its argument; without (Elixir) each start brings its own spec.
 *
 * Threads.  [process] [may block], as supervisor.h. */
#ifndef COPPICE_DYNAMIC_SUPERVISOR_H
#define COPPICE_DYNAMIC_SUPERVISOR_H

#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_dynamic_supervisor {
    const char *name;                 /* register under it; NULL: no name */
    cop_intensity intensity;
    size_t max_children;              /* 0: no limit; those being restarted count */
    const cop_child_spec *template_;  /* or NULL */
    /* These bytes (copied) come before each child's own argument, as the first member of a struct
     * before the second: extra_size must suit the second's alignment.  A child's argument must
     * then be bytes, or none.  Elixir: extra_arguments. */
    const void *extra;
    size_t extra_size;
    /* Called in the new process; may change the copy.  cop_ok, cop_ignore or cop_stop. */
    cop_next (*init)(struct cop_dynamic_supervisor *flags, const void *argument);
} cop_dynamic_supervisor;

cop_started cop_dynamic_supervisor_start_opt(const cop_dynamic_supervisor *supervisor,
                                             const cop_start_options *options);
#define cop_dynamic_supervisor_start_link(supervisor_, ...)                              \
    cop_dynamic_supervisor_start_opt((supervisor_),                                      \
                                     &(cop_start_options){ .link = true, __VA_ARGS__ })

/* For spec tables. */
cop_started cop_child_dynamic_supervisor(const void *module, const void *argument,
                                         size_t argument_size);
#define COP_CHILD_DYNAMIC_SUPERVISOR(supervisor_, ...)                                   \
    { .id = #supervisor_, .start = cop_child_dynamic_supervisor,                         \
      .module = COP_MODULE(cop_dynamic_supervisor, supervisor_),                         \
      .type = COP_SUPERVISOR, __VA_ARGS__ }

/* Starts a child.  The id may be NULL and is used in reports only.  error 0: it runs.
 * COP_EIGNORED: nothing is kept; COP_EFAILED with the reason; COP_EMAX_CHILDREN;
 * COP_EINVAL (the supervisor is not asked); COP_EALREADY_STARTED with the pid, from the start
 * function; COP_ENOPROC, COP_EDOWN. */
cop_started cop_dynamic_supervisor_start_child(cop_dest supervisor, const cop_child_spec *spec);

/* The same from the template, with this argument (copied) in place of the template's.
 * COP_EINVAL when there is no template. */
cop_started cop_dynamic_supervisor_start_from(cop_dest supervisor, const void *argument,
                                              size_t argument_size);

/* Stops a child and forgets it, also one that is being restarted (by its old pid).
 * COP_ENOT_FOUND for any other pid, dead ones included. */
int cop_dynamic_supervisor_terminate_child(cop_dest supervisor, cop_pid child);

/* One child by its pid; one that is being restarted by its old one.  restarts, running_ms and
 * last_end are kept of children with a backoff, a budget or a probe, else 0 and NULL. */
int cop_dynamic_supervisor_which_child(cop_dest supervisor, cop_pid child,
                                       cop_child_status *ret_status);

/* The child's spec, as cop_supervisor_get_childspec. */
int cop_dynamic_supervisor_get_childspec(cop_dest supervisor, cop_pid child,
                                         cop_child_spec **ret_spec);

/* As cop_supervisor_which_children (ids are NULL, no order) and _count_children.  With
 * a template specs is 1; without, the number of children. */
int cop_dynamic_supervisor_which_children(cop_dest supervisor, cop_child_info **ret_children,
                                          size_t *ret_count);
int cop_dynamic_supervisor_count_children(cop_dest supervisor, cop_child_counts *ret_counts);

#ifdef __cplusplus
}
#endif
#endif
