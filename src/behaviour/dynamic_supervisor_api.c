/* dynamic_supervisor_api.c - the caller's side of dynamic supervisors. */
#include <coppice/dynamic_supervisor.h>

#include "child.h"
#include "request.h"
#include "supervisor.h"

cop_started cop_dynamic_supervisor_start_opt(const cop_dynamic_supervisor *supervisor,
                                             const cop_start_options *options)
{
    cop_child_spec specs[COPI_DYNAMIC_SPECS] = { 0 };
    struct supervisor_flags flags = { .flags = supervisor, .size = sizeof *supervisor,
                                      .specs = specs, .spec_count = COPI_DYNAMIC_SPECS };
    if (supervisor != NULL) {
        flags.name = supervisor->name;
        if (supervisor->template_ != NULL) specs[COPI_TEMPLATE] = *supervisor->template_;
        specs[COPI_EXTRA].argument = supervisor->extra;
        specs[COPI_EXTRA].argument_size = supervisor->extra_size;
    }
    return copi_supervisor_start(&copi_dynamic_supervisor_server, &flags, options);
}

cop_started cop_child_dynamic_supervisor(const void *module, const void *argument,
                                         size_t argument_size)
{
    return cop_dynamic_supervisor_start_link(module, .argument = argument,
                                             .argument_size = argument_size);
}

cop_started cop_dynamic_supervisor_start_child(cop_dest supervisor, const cop_child_spec *spec)
{
    if (spec == NULL) return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    const char *fault = copi_spec_dynamic_fault(spec);
    if (fault != NULL) return copi_spec_refused(fault, spec->id);
    return copi_request_started(supervisor,
                                copi_message_with_spec(COP_TYPE(copi_start_child), spec));
}

cop_started cop_dynamic_supervisor_start_from(cop_dest supervisor, const void *argument,
                                              size_t argument_size)
{
    if (argument == NULL && argument_size > 0)
        return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    return copi_request_started(supervisor, copi_request_start_from(argument, argument_size));
}

int cop_dynamic_supervisor_terminate_child(cop_dest supervisor, cop_pid child)
{
    return copi_request_done(supervisor, cop_new(copi_terminate_pid, .pid = child));
}

int cop_dynamic_supervisor_which_child(cop_dest supervisor, cop_pid child,
                                       cop_child_status *ret_status)
{
    if (ret_status == NULL) return COP_EINVAL;
    return copi_request_status(supervisor, cop_new(copi_which_pid, .pid = child), ret_status);
}

int cop_dynamic_supervisor_get_childspec(cop_dest supervisor, cop_pid child,
                                         cop_child_spec **ret_spec)
{
    if (ret_spec == NULL) return COP_EINVAL;
    return copi_request_spec(supervisor, cop_new(copi_get_pidspec, .pid = child), ret_spec);
}

int cop_dynamic_supervisor_which_children(cop_dest supervisor, cop_child_info **ret_children,
                                          size_t *ret_count)
{
    return cop_supervisor_which_children(supervisor, ret_children, ret_count);
}

int cop_dynamic_supervisor_count_children(cop_dest supervisor, cop_child_counts *ret_counts)
{
    return cop_supervisor_count_children(supervisor, ret_counts);
}
